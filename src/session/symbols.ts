/**
 * The symbols of a program: which object or function lies at an address. For people who look at memory; nothing depends on it.
 *
 *   ELF64 little-endian: section headers at e_shoff (40), e_shentsize (58), e_shnum (60); a section of type 2 holds symbols of 24 bytes:
 *   0 u32 name   4 u8 info (low 4 bits: 1 object, 2 function)   6 u16 section   8 u64 value   16 u64 size;   its sh_link (40) names the strings
 *
 * Invariants: hostile bytes give fewer symbols, never an error. Addresses are the file's plus `base`; a file that is moved when it is loaded (ET_DYN)
 * has symbols only where the base is given. What this does NOT do: line numbers.
 */
interface Symbol { readonly name: string; readonly start: number; readonly end: number }

const ELF_EXECUTABLE = 2;
const ELF_SHARED = 3;
const SECTION_SYMBOLS = 2;
/** The symbols that dynamic linking needs: all that a stripped file has. */
const SECTION_DYNAMIC_SYMBOLS = 11;
const SYMBOL_BYTES = 24;
const SYMBOLS_MAX = 1_000_000;
const NAME_MAX = 256;

export class Symbols {
  readonly #sorted: readonly Symbol[];

  constructor(program: Uint8Array, base?: number) {
    this.#sorted = [...symbolsOf(program, base)].sort((a, b) => a.start - b.start);
  }

  /** `name` or `name+0x10` of what lies at an address; undefined when nothing known does. */
  at(address: number): string | undefined {
    const symbol = this.#find(address);
    if (symbol === undefined) return undefined;
    return address === symbol.start ? symbol.name : `${symbol.name}+0x${(address - symbol.start).toString(16)}`;
  }

  /** The name alone. */
  nameAt(address: number): string | undefined {
    return this.#find(address)?.name;
  }

  /** The extent of what lies at an address, with its name. */
  rangeAt(address: number): { readonly name: string; readonly start: number; readonly end: number } | undefined {
    return this.#find(address);
  }

  #find(address: number): Symbol | undefined {
    let low = 0;
    let high = this.#sorted.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#sorted[middle]!.start <= address) low = middle + 1;
      else high = middle;
    }
    const symbol = this.#sorted[low - 1];
    return symbol !== undefined && address < symbol.end ? symbol : undefined;
  }
}

function* symbolsOf(program: Uint8Array, base: number | undefined): Generator<Symbol> {
  const view = new DataView(program.buffer, program.byteOffset, program.byteLength);
  if (program.length < 64 || view.getUint32(0, false) !== 0x7f454c46) return;
  const kind = view.getUint16(16, true);
  if (kind !== ELF_EXECUTABLE && (kind !== ELF_SHARED || base === undefined)) return;
  const sections = Number(view.getBigUint64(40, true));
  const [entryBytes, count] = [view.getUint16(58, true), view.getUint16(60, true)];
  if (entryBytes < 64 || sections + entryBytes * count > program.length) return;
  const place = (index: number): { readonly type: number; readonly offset: number; readonly size: number; readonly link: number } => {
    const at = sections + index * entryBytes;
    return { type: view.getUint32(at + 4, true), offset: Number(view.getBigUint64(at + 24, true)), size: Number(view.getBigUint64(at + 32, true)), link: view.getUint32(at + 40, true) };
  };
  for (let index = 0; index < count; index++) {
    const table = place(index);
    if ((table.type !== SECTION_SYMBOLS && table.type !== SECTION_DYNAMIC_SYMBOLS) || table.link >= count) continue;
    const strings = place(table.link);
    if (table.offset + table.size > program.length || strings.offset + strings.size > program.length) continue;
    for (const { name, start, end } of readTable(view, program, { table, strings })) yield { name, start: start + (base ?? 0), end: end + (base ?? 0) };
  }
}

interface Extent { readonly offset: number; readonly size: number }

function* readTable(view: DataView, program: Uint8Array, { table, strings }: { readonly table: Extent; readonly strings: Extent }): Generator<Symbol> {
  const count = Math.min(SYMBOLS_MAX, Math.floor(table.size / SYMBOL_BYTES));
  for (let index = 0; index < count; index++) {
    const at = table.offset + index * SYMBOL_BYTES;
    const kind = program[at + 4]! & 15;
    const [start, size] = [Number(view.getBigUint64(at + 8, true)), Number(view.getBigUint64(at + 16, true))];
    if ((kind !== 1 && kind !== 2) || size === 0 || view.getUint16(at + 6, true) === 0) continue;
    const from = strings.offset + view.getUint32(at, true);
    const stop = program.indexOf(0, from);
    if (from >= strings.offset + strings.size || stop < 0 || stop - from > NAME_MAX) continue;
    yield { name: new TextDecoder('latin1').decode(program.subarray(from, stop)), start, end: start + size };
  }
}
