/**
 * The targets of an indirect jump, read from its table in memory: `switch` tables of 32-bit distances, tables of 64-bit addresses (computed goto).
 * The targets are a guess that nothing depends on: translated code looks up where the jump really goes, and unknown targets leave the unit. Where the table cannot be written to, its content
 * is relied on (`direct`), as code is: the unit goes when it changes.
 *
 *   [li n; bltu n, index, default]   la table; slli index, 2; add p, index, table; lw d, 0(p); add t, d, table; jr t
 *
 * Invariants: targets are even, distinct, sorted; at most TARGETS_MAX. What this does NOT do: follow values through memory or calls.
 */
import { BIAS, PAGE_FLAG, type CpuMemory } from '../../cpu.ts';
import { hasRights } from '../memory-access.ts';
import { bitOf, type Instruction } from './instruction.ts';
import { PAGE_SHIFT } from './layout.ts';

const TARGETS_MAX = 1024;
/** Instructions looked back over from the jump. */
const WINDOW = 40;
/** How far from its jump a target of one function may be. */
const REACH = 1 << 18;
/** From here on 32-bit addresses are sign-extended by lw. */
const SIGN = 2 ** 31;

/** The code of a unit, and what its registers held when it became hot: a guess where the unit does not tell. */
export interface TableCode extends ReadonlyMap<number, Instruction> { readonly guess: (register: number) => number | undefined; readonly constants: MadeConstants }
type Code = TableCode;

/**
 * A table whose content tells where the jump goes: entry i lies at `table` + i * `size`, and the instruction at `load` reads it. `base`: the register that is added to what was loaded, with the
 * value that it must have. `entries`: where each leads to, below 2^32. `pages`: those of the table.
 */
export interface DirectTable {
  readonly load: number;
  readonly table: number;
  readonly size: 4 | 8;
  readonly base: { readonly register: number; readonly value: number } | undefined;
  readonly entries: readonly number[];
  readonly pages: readonly number[];
}
export interface JumpTable { readonly targets: readonly number[]; readonly direct: DirectTable | undefined }

export function findJumpTable(memory: CpuMemory, code: Code, address: number): JumpTable | undefined {
  const back = window(code, address);
  const jump = code.get(address)!;
  if (jump.imm !== 0) return undefined;
  const source = definition(back, 0, jump.rs1);
  if (source === undefined) return undefined;
  const { mnemonic } = source.instruction.row;
  if (mnemonic === 'ld') return readTable(memory, { ...tableOf(code, back, source), load: source.instruction, size: 8, base: undefined, near: address });
  if (mnemonic === 'lw' || mnemonic === 'lwu') return readTable(memory, { ...tableOf(code, back, source), load: source.instruction, size: 4, base: undefined, near: address });
  if (mnemonic !== 'add') return undefined;
  for (const [loaded, other] of [[source.instruction.rs1, source.instruction.rs2], [source.instruction.rs2, source.instruction.rs1]] as const) {
    const load = definition(back, source.at + 1, loaded);
    const base = constantOf(code, back, source.at + 1, other);
    if (load?.instruction.row.mnemonic !== 'lw' || base === undefined) continue;
    // The base must be the same at the load and at the sum.
    const isKept = back.slice(source.at + 1, load.at + 1).every(({ writes }) => (writes & bitOf(other)) === 0);
    return readTable(memory, { ...tableOf(code, back, load), load: isKept ? load.instruction : undefined, size: 4, base: { register: other, value: base }, near: address });
  }
  return undefined;
}

interface Found { readonly instruction: Instruction; readonly at: number }

/** The instructions before an address, nearest first, as they stand in memory. */
function window(code: Code, address: number): readonly Instruction[] {
  const found: Instruction[] = [];
  for (let at = address; found.length < WINDOW;) {
    const previous = [2, 4].map((length) => code.get(at - length)).find((candidate) => candidate !== undefined && candidate.address + candidate.length === at);
    if (previous === undefined) break;
    found.push(previous);
    at = previous.address;
  }
  return found;
}

function definition(back: readonly Instruction[], from: number, register: number): Found | undefined {
  for (let at = from; at < back.length; at++) if ((back[at]!.writes & bitOf(register)) !== 0) return { instruction: back[at]!, at };
  return undefined;
}

/** A register's constant: made of lui or auipc and addi before, else what it held once, else what the one such pair in the unit puts into it. */
function constantOf(code: Code, back: readonly Instruction[], from: number, register: number): number | undefined {
  const known = knownConstantOf(code, back, from, register);
  if (known !== undefined) return known;
  const guess = definition(back, from, register) === undefined ? code.guess(register) : undefined;
  return guess ?? code.constants.of(code, register);
}

function knownConstantOf(code: Code, back: readonly Instruction[], from: number, register: number): number | undefined {
  const near = definition(back, from, register);
  return near === undefined ? undefined : evaluate(near.instruction, (rs, at) => constantOf(code, back, at, rs), near.at + 1);
}

/** What pairs of lui or auipc and addi put into registers, anywhere in a unit. Code that is found later is looked at when it is asked for the next time. */
export class MadeConstants {
  readonly #values = new Map<number, Set<number>>();
  #looked = 0;

  /** The one address that is put into a register; undefined: none, or several. */
  of(code: Code, register: number): number | undefined {
    if (code.size > this.#looked) {
      let index = 0;
      for (const instruction of code.values()) if (index++ >= this.#looked && instruction.row.mnemonic === 'addi' && instruction.rs1 !== 0) this.#note(code, instruction);
      this.#looked = code.size;
    }
    const values = this.#values.get(register);
    return values?.size === 1 ? [...values][0] : undefined;
  }

  #note(code: Code, instruction: Instruction): void {
    const before = window(code, instruction.address);
    const value = evaluate(instruction, (rs, at) => {
      const upper = definition(before, at, rs);
      return upper === undefined ? undefined : evaluate(upper.instruction, () => undefined, 0);
    }, 0);
    if (value === undefined || value < BIAS) return;
    const known = this.#values.get(instruction.rd);
    if (known === undefined) this.#values.set(instruction.rd, new Set([value]));
    else known.add(value);
  }
}

function evaluate({ row, address, imm, rs1 }: Instruction, get: (register: number, from: number) => number | undefined, from: number): number | undefined {
  if (row.mnemonic === 'lui') return imm < 0 ? undefined : imm;
  if (row.mnemonic === 'auipc') return (address + imm) >>> 0;
  if (row.mnemonic !== 'addi') return undefined;
  if (rs1 === 0) return imm;
  const base = get(rs1, from);
  return base === undefined ? undefined : (base + imm) >>> 0;
}

interface Table { readonly table: number | undefined; readonly bound: number | undefined }

function tableOf(code: Code, back: readonly Instruction[], load: Found): Table {
  const { rs1, imm } = load.instruction;
  const sum = definition(back, load.at + 1, rs1);
  if (sum === undefined) return { table: undefined, bound: undefined };
  const { mnemonic, format } = sum.instruction.row;
  if (format !== 'R' || !(mnemonic === 'add' || mnemonic.startsWith('sh2add') || mnemonic.startsWith('sh3add'))) return { table: undefined, bound: undefined };
  const sources = mnemonic === 'add' ? [sum.instruction.rs1, sum.instruction.rs2] : [sum.instruction.rs2];
  for (const isKnown of [true, false]) {
    for (const register of sources) {
      const value = isKnown ? knownConstantOf(code, back, sum.at + 1, register) : constantOf(code, back, sum.at + 1, register);
      if (value !== undefined && value >= BIAS) return { table: value + imm, bound: boundOf(back) };
    }
  }
  return { table: undefined, bound: undefined };
}

/** The limit of the comparison that guards the table: `bltu limit, index` or `bgeu limit, index` with a constant limit. */
function boundOf(back: readonly Instruction[]): number | undefined {
  const at = back.findIndex(({ row }) => row.format === 'Branch');
  if (at < 0) return undefined;
  const { row: { mnemonic }, rs1, rs2 } = back[at]!;
  const limit = (register: number): number | undefined => {
    const found = definition(back, at + 1, register);
    return found?.instruction.row.mnemonic === 'addi' && found.instruction.rs1 === 0 ? found.instruction.imm : undefined;
  };
  if (mnemonic === 'bltu') return plus(limit(rs1), 1);
  if (mnemonic === 'bgeu') return limit(rs2) ?? plus(limit(rs1), 1);
  return undefined;
}

function plus(value: number | undefined, more: number): number | undefined {
  return value === undefined || value < 0 ? undefined : value + more;
}

/** `load`: undefined where the table cannot be direct. */
interface Read extends Table { readonly load: Instruction | undefined; readonly size: 4 | 8; readonly base: DirectTable['base']; readonly near: number }

function readTable(memory: CpuMemory, { table, bound, load, size, base, near }: Read): JumpTable | undefined {
  if (table === undefined || table % 4 !== 0) return undefined;
  const entries: (number | undefined)[] = []; // undefined: no place of this function.
  for (let index = 0; index < Math.min(bound ?? TARGETS_MAX, TARGETS_MAX); index++) {
    const at = table + index * size;
    if (at < BIAS || at + size > memory.limit || !hasRights(memory, at >>> PAGE_SHIFT, PAGE_FLAG.read)) break;
    const low = memory.i32[(at - BIAS) >>> 2]!;
    if (size === 8 && memory.i32[(at + 4 - BIAS) >>> 2]! !== 0) break;
    const sum = low + (base?.value ?? 0);
    const target = sum >>> 0;
    const isTarget = (base === undefined || sum === target) && isPlausible(memory, target, near); // The guest adds 64 bits.
    if (!isTarget && bound === undefined) break;
    entries.push(isTarget ? target : undefined);
  }
  const known = entries.filter((target) => target !== undefined);
  if (known.length === 0) return undefined;
  const targets = [...new Set(known)].sort((a, b) => a - b);
  const pages = pagesOf(table, entries.length * size);
  const isConstant = pages.every((page) => !hasRights(memory, page, PAGE_FLAG.write));
  const isDirect = load !== undefined && isConstant && table % size === 0 && known.length === entries.length && known.every((target) => base !== undefined || size === 8 || target < SIGN);
  return { targets, direct: isDirect ? { load: load.address, table, size, base, entries: known, pages } : undefined };
}

function pagesOf(address: number, bytes: number): number[] {
  const [first, last] = [address >>> PAGE_SHIFT, (address + bytes - 1) >>> PAGE_SHIFT];
  return Array.from({ length: last - first + 1 }, (_, index) => first + index);
}

function isPlausible(memory: CpuMemory, target: number, near: number): boolean {
  return target >= BIAS && target < memory.limit && (target & 1) === 0 && Math.abs(target - near) < REACH && hasRights(memory, target >>> 12, PAGE_FLAG.execute);
}
