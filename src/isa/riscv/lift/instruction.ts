/**
 * One decoded instruction as the translator sees it: fields, its row, and which registers it reads and writes as bit sets.
 * Bit n of an integer set is register xn; bit 0 is never set by an instruction (x0 holds nothing). Float sets likewise.
 * What this does NOT do: emit code, or know control flow beyond the class of an instruction.
 */
import type { Decoded } from '../decode.ts';
import { INSTRUCTIONS, type Format, type InstructionRow } from '../instruction-table.ts';
import { CSR } from '../csr-numbers.ts';
import { DYNAMIC, floatWay } from './float-needs.ts';
import { NARROW, narrowRule } from './narrow-rules.ts';
import { HIGH_PRODUCTS, LOADS, PURE, STORES, CONDITIONS } from '../lift-table.ts';

/** One object of one shape for each instruction: made once, then shared by every region that holds it (code-cache.ts). */
export interface Instruction extends Readonly<Decoded> {
  readonly address: number;
  readonly row: InstructionRow;
  readonly reads: number;
  readonly writes: number;
  readonly floatReads: number;
  readonly floatWrites: number;
  readonly kind: InstructionClass;
  readonly isLoad: boolean;
  readonly isStore: boolean;
  /** Bytes that a load or store moves, else 0. */
  readonly size: number;
  /** A float result that is computed in place where the limits allow (float-needs.ts). */
  readonly isLimited: boolean;
  /** Leaves a boxed single in a float register. */
  readonly isSingle: boolean;
  /** Its emitted code may leave the unit before it. */
  readonly canLeave: boolean;
  /** When its result is a sign-extended 32-bit number (narrow.ts). */
  readonly narrowRule: number;
  /** Writes fcsr or a part of it. */
  readonly setsFcsr: boolean;
  /** What happens only when the branch before it is taken, or only when it is not (if-conversion.ts). */
  readonly guarded: { readonly instruction: Instruction; readonly when: boolean } | undefined;
}

type Field = 'rd' | 'rs1' | 'rs2' | 'rs3';
interface Registers { readonly reads: readonly Field[]; readonly writes: boolean; readonly floatReads: readonly Field[]; readonly floatWrites: boolean }

const use = (reads: readonly Field[], writes: boolean, floatReads: readonly Field[] = [], floatWrites = false): Registers => ({ reads, writes, floatReads, floatWrites });

const REGISTERS: Readonly<Record<Format, Registers>> = {
  R: use(['rs1', 'rs2'], true), Unary: use(['rs1'], true), I: use(['rs1'], true), Shift: use(['rs1'], true), Load: use(['rs1'], true),
  Store: use(['rs1', 'rs2'], false), Branch: use(['rs1', 'rs2'], false), Upper: use([], true), Jump: use([], true), JumpRegister: use(['rs1'], true),
  Fence: use([], false), None: use([], false), Csr: use(['rs1'], true), CsrImmediate: use([], true), Atomic: use(['rs1', 'rs2'], true), LoadReserved: use(['rs1'], true),
  FloatLoad: use(['rs1'], false, [], true), FloatStore: use(['rs1'], false, ['rs2']), FloatR: use([], false, ['rs1', 'rs2'], true),
  FloatRRounded: use([], false, ['rs1', 'rs2'], true), FloatUnaryRounded: use([], false, ['rs1'], true), FloatFusedRounded: use([], false, ['rs1', 'rs2', 'rs3'], true),
  FloatCompare: use([], true, ['rs1', 'rs2']), FloatToIntRounded: use([], true, ['rs1']), IntToFloatRounded: use(['rs1'], false, [], true),
  FloatToInt: use([], true, ['rs1']), IntToFloat: use(['rs1'], false, [], true),
};

/** The bit of an integer register in a set; none for x0. */
export function bitOf(register: number): number {
  return register === 0 ? 0 : 1 << register;
}

/** `decoded` with what the translator wants to know; undefined when it is illegal. */
export function instructionAt(address: number, { operation, compressed, length, rd, rs1, rs2, rs3, imm, rm }: Readonly<Decoded>): Instruction | undefined {
  const row = INSTRUCTIONS[operation];
  if (row === undefined) return undefined;
  const { format, mnemonic } = row;
  const use = REGISTERS[format];
  const fields = { rd, rs1, rs2, rs3 };
  let reads = 0;
  let floatReads = 0;
  for (const field of use.reads) reads |= bitOf(fields[field]);
  for (const field of use.floatReads) floatReads |= 1 << fields[field];
  const isLoad = format === 'Load' || format === 'FloatLoad';
  const isStore = format === 'Store' || format === 'FloatStore';
  const floatWrites = use.floatWrites ? 1 << rd : 0;
  return {
    operation, compressed, length, rd, rs1, rs2, rs3, imm, rm, address, row, reads, writes: use.writes ? bitOf(rd) : 0, floatReads, floatWrites,
    kind: classOf(row, imm), isLoad, isStore, size: (LOADS[mnemonic] ?? STORES[mnemonic])?.[1] ?? 0, isLimited: isLimitedFloat(row, rm),
    isSingle: floatWrites !== 0 && (mnemonic === 'flw' || (mnemonic.endsWith('.s') && mnemonic !== 'fcvt.d.s') || mnemonic === 'fmv.w.x' || mnemonic.startsWith('fcvt.s.')),
    canLeave: isLoad || isStore || canLeave(row, { rd, rs1, rm }), setsFcsr: format.startsWith('Csr') && !isCsrRead(row, rs1),
    narrowRule: use.writes ? narrowRule(mnemonic, { rs1, rs2, imm }) : NARROW.never, guarded: undefined,
  };
}

/** csrrs and csrrc of nothing only read. */
export function isCsrRead({ mnemonic }: Pick<InstructionRow, 'mnemonic'>, rs1: number): boolean {
  return !mnemonic.startsWith('csrrw') && rs1 === 0;
}

function isLimitedFloat(row: InstructionRow, rm: number): boolean {
  return row.format.includes('Float') && floatWay(row, rm) === 'limited';
}

function canLeave({ format, mnemonic }: InstructionRow, { rd, rs1, rm }: Pick<Decoded, 'rd' | 'rs1' | 'rm'>): boolean {
  if (format === 'JumpRegister') return !isReturn({ row: { format }, rd, rs1 });
  if (format === 'Atomic' || format === 'LoadReserved') return true;
  if (format.startsWith('Csr')) return !isCsrRead({ mnemonic }, rs1) && mnemonic !== 'csrrw';
  return format.endsWith('Rounded') && rm === DYNAMIC;
}

/**
 * How translated code treats an instruction. `plain`: emitted. `step`: one interpreted instruction without leaving the unit (system calls, counters,
 * fence.i). `branch`, `jump`, `register`: control flow.
 */
export type InstructionClass = 'plain' | 'step' | 'branch' | 'jump' | 'register';

const PLAIN_FORMATS: ReadonlySet<Format> = new Set(['Fence', 'Atomic', 'LoadReserved']);

function classOf({ mnemonic, format }: InstructionRow, imm: number): InstructionClass {
  if (format === 'Branch') return 'branch';
  if (format === 'Jump') return 'jump';
  if (format === 'JumpRegister') return 'register';
  if (format === 'Csr' || format === 'CsrImmediate') return imm >= CSR.fflags && imm <= CSR.fcsr ? 'plain' : 'step';
  if (mnemonic in PURE || mnemonic in LOADS || mnemonic in STORES || mnemonic in CONDITIONS || mnemonic in HIGH_PRODUCTS) return 'plain';
  return PLAIN_FORMATS.has(format) || format.includes('Float') ? 'plain' : 'step';
}

/** An indirect jump through a register that holds return addresses by convention. */
export function isReturn({ row: { format }, rd, rs1 }: { readonly row: { readonly format: Format }; readonly rd: number; readonly rs1: number }): boolean {
  return format === 'JumpRegister' && rd === 0 && (rs1 === 1 || rs1 === 5);
}
