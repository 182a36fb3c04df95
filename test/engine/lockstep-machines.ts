/** Two processors on equal memories, the TypeScript interpreter and another engine, that are driven by equal budgets and compared after each. */
import { createHash } from 'node:crypto';
import { Cpu, GuestMemory, interpretingInWasm, translating, Translator, type PageSource } from '../../src/engine/index.ts';
import { enableWasmFeatures } from '../../src/engine/live/v8-flags.ts';
import type { TranslationStore } from '../../src/engine/translations.ts';
import { PAGE_FLAG, riscv64, STOP, type Effort } from '../../src/isa/index.ts';
import { decode, newDecoded, type Decoded } from '../../src/isa/riscv/decode.ts';
import { INSTRUCTIONS, type InstructionRow } from '../../src/isa/riscv/instruction-table.ts';
import type { Random } from '../isa/random.ts';

enableWasmFeatures();
export const CODE = 0x20000;
export const DATA = 0x40000;
const DATA_PAGES = 3;
const CODE_BYTES = 4096;
const ALL_PAGES = Array.from({ length: (DATA - CODE) / 4096 + DATA_PAGES }, (_, index) => (CODE >>> 12) + index);
/** Small, so that small slices run units too. */
const MARGIN = 32;

/** The translator with its hot limit, or the WebAssembly interpreter. */
export type Second = number | 'wasm';

/** Starts the program at CODE and runs it in slices, to its end or for `most` instructions; throws at the first slice after which the two differ. `after`: what else is done then. */
export function runSlices(pair: LockstepPair, { most, slice, seed }: { readonly most: bigint; readonly slice: () => number; readonly seed: number }, after: () => void = () => undefined): void {
  pair.each((cpu) => riscv64.abi.startProgram(cpu.state, { entry: CODE, stackPointer: DATA + 8192 }));
  let stop: number = STOP.budget;
  for (let turn = 0; stop === STOP.budget && pair.interpreter.retired < most; turn++) {
    const outcome = pair.run(slice());
    if (outcome.difference !== undefined) throw new Error(`seed ${seed}, turn ${turn}: ${outcome.difference}`);
    stop = outcome.stop;
    after();
  }
}

let pairs = 0;

export class LockstepPair {
  readonly #cpus: readonly [Cpu, Cpu];
  readonly #isLate: boolean;
  readonly #isWritable: boolean;
  #executor: Translator | undefined;
  /** What the translator has done. */
  readonly effort: Effort | undefined;

  /** `isLate`: the second memory gets its pages when it needs them. */
  constructor(code: Uint8Array, second: Second, { isWritable = false, isLate = false, store }: { readonly isWritable?: boolean; readonly isLate?: boolean; readonly store?: TranslationStore } = {}) {
    this.#isLate = isLate;
    this.#isWritable = isWritable;
    const make = (isa: typeof riscv64, fillsLater: boolean): Cpu => {
      const memory = new GuestMemory(0x100000);
      this.#fill(memory, code, fillsLater);
      return new Cpu(isa, memory);
    };
    const isa = second === 'wasm' ? interpretingInWasm(riscv64, { warmUp: 0 }) : translating(riscv64, { hotLimit: second, margin: MARGIN, store, warmUp: pairs++ % 2 === 0 ? 0 : undefined }); // Half of them call cold code in WebAssembly.
    this.effort = isa.effort;
    const noted: typeof riscv64 = {
      ...isa,
      createInterpreter: (memory, state) => {
        const executor = isa.createInterpreter(memory, state);
        if (executor instanceof Translator) this.#executor = executor;
        return executor;
      },
    };
    this.#cpus = [make(riscv64, false), make(noted, isLate)];
  }

  #fill(memory: GuestMemory, code: Uint8Array, fillsLater: boolean): void {
    if (fillsLater) memory.fillLater(sourceOf(code));
    else for (const [page, bytes] of pagesOf(code)) memory.install(page * 4096, bytes);
    memory.clearDirty();
    memory.setRights(CODE >>> 12, Math.ceil(code.length / 4096), PAGE_FLAG.read | PAGE_FLAG.execute | (this.#isWritable ? PAGE_FLAG.write : 0));
    memory.setRights(DATA >>> 12, DATA_PAGES, PAGE_FLAG.read | PAGE_FLAG.write);
  }

  /** Another process takes the processors and their memories over, as spare ones are. */
  replace(code: Uint8Array): void {
    this.each((cpu) => {
      cpu.forgetProgram();
      cpu.memory.setRights(0, 0x100, 0);
      cpu.memory.reset();
      cpu.load(new Uint8Array(cpu.save().length));
      cpu.retired = 0n;
      this.#fill(cpu.memory, code, this.#isLate && cpu === this.translator);
    });
  }

  /** Instructions that ran as translated code: a comparison of two interpreters would prove nothing. */
  get translated(): number { return this.#executor?.translated ?? 0; }
  get translator(): Cpu { return this.#cpus[1]; }
  get interpreter(): Cpu { return this.#cpus[0]; }

  each(change: (cpu: Cpu) => void): void {
    this.#cpus.forEach(change);
  }

  /** Runs both; returns the stop and a difference, or undefined when there is none. */
  run(budget: number): { readonly stop: number; readonly difference: string | undefined } {
    const outcomes = this.#cpus.map((cpu) => {
      const stop = cpu.run(budget);
      const fault = stop === STOP.budget || stop === STOP.syscall ? 0n : cpu.faultAddress;
      return { stop, text: `stop=${stop} fault=${fault.toString(16)} count=${cpu.retired}` };
    });
    const compared = this.#isLate ? this.interpreter.memory.dirtyPages() : ALL_PAGES; // Looking at a page would bring it; the clean ones are as they were.
    const [first, second] = this.#cpus.map((cpu, index) => ({ stop: outcomes[index]!.stop, text: `${describe(cpu, compared)} ${outcomes[index]!.text}` }));
    const [dirty, more] = this.#cpus.map((cpu) => cpu.memory.dirtyPages());
    const missing = dirty!.filter((page) => !more!.includes(page)); // Translated code may mark the whole of a stack frame.
    const isSame = first!.text === second!.text && missing.length === 0;
    return { stop: first!.stop, difference: isSame ? undefined : `${first!.text}\n${second!.text}\nmissing dirty pages: ${missing.join()}` };
  }
}

function pagesOf(code: Uint8Array): ReadonlyMap<number, Uint8Array> {
  const pages = new Map([[(DATA >>> 12) + 1, new Uint8Array(4096).fill(0x81)]]);
  for (let at = 0; at < code.length; at += 4096) {
    const page = new Uint8Array(4096);
    page.set(code.subarray(at, at + 4096));
    pages.set((CODE + at) >>> 12, page);
  }
  return pages;
}

function sourceOf(code: Uint8Array): PageSource {
  const pages = pagesOf(code);
  return { hasPage: (index) => pages.has(index), page: (index) => pages.get(index)?.slice() };
}

function describe(cpu: Cpu, pages: readonly number[]): string {
  const hash = createHash('sha1');
  for (const page of pages) hash.update(cpu.memory.page(page));
  return `${Buffer.from(cpu.save()).toString('hex').replace(/(.{16})/g, '$1 ').slice(0, 128 * 9)} memory=${hash.digest('hex').slice(0, 12)}`;
}

/** x8 and x9 point to data and are never written; x1 is the link register. */
const TARGETS = [1, 5, 6, 7, 10, 11, 12, 13] as const;
const BASES = [8, 9] as const;

/** A page of random instructions, every row of the table among them; jumps are short and mostly forward. */
export function randomCode(random: Random): Uint8Array {
  const words = new Uint32Array(CODE_BYTES / 4);
  for (let index = 0; index < words.length; index++) {
    let row: InstructionRow;
    do row = INSTRUCTIONS[random.below(INSTRUCTIONS.length)]!; while (isRareWanted(row) && random.below(20) !== 0);
    words[index] = encode(row, random);
  }
  return new Uint8Array(words.buffer);
}

/** Two pages where about half of the instructions are compressed, so that some cross the page boundary. */
export function randomMixedCode(random: Random): Uint8Array {
  const halves = new Uint16Array(CODE_BYTES);
  const decoded = newDecoded();
  for (let index = 0; index < halves.length; index++) {
    if (random.below(2) === 0 && index + 1 < halves.length) {
      const word = encode(INSTRUCTIONS[random.below(INSTRUCTIONS.length)]!, random);
      halves[index] = word;
      halves[++index] = word >>> 16;
      continue;
    }
    do {
      halves[index] = random.below(65536);
      decode(halves[index]!, decoded);
    } while ((halves[index]! & 3) === 3 || !isHarmless(decoded, random));
  }
  return new Uint8Array(halves.buffer);
}

/** Keeps the base registers, and reaches memory through them; what is illegal or leaves is rare. */
function isHarmless({ operation, rd, rs1 }: Decoded, random: Random): boolean {
  if (operation < 0) return random.below(200) === 0;
  const { format } = INSTRUCTIONS[operation]!;
  if (format === 'None' || format === 'JumpRegister') return random.below(20) === 0;
  if (format.endsWith('Load') || format.endsWith('Store')) return [2, ...BASES].includes(rs1) && (format !== 'Load' || rd > 9);
  return format === 'Branch' || rd === 0 || (rd !== 2 && rd !== 8 && rd !== 9);
}

function isRareWanted({ format, mnemonic }: InstructionRow): boolean {
  return format === 'None' || format.startsWith('Csr') || format === 'Jump' || format === 'JumpRegister' || format.startsWith('Float') && mnemonic.endsWith('.s');
}

function encode(row: InstructionRow, random: Random): number {
  const pick = <Item>(items: readonly Item[]): Item => items[random.below(items.length)]!;
  const free = (Number(random.next() & 0xffffffffn) & ~row.mask) >>> 0;
  const field = (word: number, at: number, value: number): number => (((word & ~(31 << at)) | (value << at)) & ~row.mask) | row.match;
  let word = field(free, 7, pick(TARGETS));
  const { format } = row;
  const isMemory = ['Load', 'Store', 'FloatLoad', 'FloatStore', 'Atomic', 'LoadReserved'].includes(format);
  word = field(word, 15, isMemory ? pick(BASES) : format === 'JumpRegister' ? 1 : pick(TARGETS));
  if (format === 'Branch') return branch(row.match | (pick(TARGETS) << 15) | (pick(TARGETS) << 20), 4 * (random.below(24) - 8));
  if (format === 'Jump') return (row.match | (pick([0, 1]) << 7) | (4 * (1 + random.below(20)) << 20)) >>> 0;
  if (format === 'JumpRegister') return (row.match | (1 << 15) | (pick([0, 1]) << 7)) >>> 0;
  if (isMemory && random.below(3) !== 0) word &= ~(7 << (format.endsWith('Load') ? 20 : 7));
  if (format.endsWith('Rounded') && random.below(8) !== 0) word = (word & ~0x7000) | (pick([0, 0, 1, 7]) << 12);
  return word >>> 0;
}

function branch(word: number, distance: number): number {
  const bits = ((distance >> 12) & 1) << 31 | ((distance >> 5) & 63) << 25 | ((distance >> 1) & 15) << 8 | ((distance >> 11) & 1) << 7;
  return (word | bits) >>> 0;
}
