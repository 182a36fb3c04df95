/**
 * One decoded instruction as the translator sees it: fields, its row, and which registers it reads and writes as bit sets.
 * Bit n of an integer set is register xn; bit 0 is never set by an instruction (x0 holds nothing). Float sets likewise.
 * What this does NOT do: emit code, or know control flow beyond the class of an instruction.
 */
import type { Decoded } from '../decode.ts';
import { INSTRUCTIONS, type Format, type InstructionRow } from '../instruction-table.ts';
import { CSR } from '../csr-numbers.ts';
import { DYNAMIC, floatWay } from './float-needs.ts';
import { NARROW, narrowRule, narrowRuleOfRow } from './narrow-rules.ts';
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

type Field = 'rs1' | 'rs2' | 'rs3';
/** Which fields of a format are registers that are read, and whether rd is written. */
interface Registers {
  readonly first: boolean; readonly second: boolean; readonly writes: boolean;
  readonly floatFirst: boolean; readonly floatSecond: boolean; readonly floatThird: boolean; readonly floatWrites: boolean;
}

const use = (reads: readonly Field[], writes: boolean, floatReads: readonly Field[] = [], floatWrites = false): Registers => ({
  first: reads.includes('rs1'), second: reads.includes('rs2'), writes,
  floatFirst: floatReads.includes('rs1'), floatSecond: floatReads.includes('rs2'), floatThird: floatReads.includes('rs3'), floatWrites,
});

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

const PLAIN_FORMATS: ReadonlySet<Format> = new Set(['Fence', 'Atomic', 'LoadReserved']);

/** What is the same for all instructions of a row: looked up, because decoding is a good part of a first start. */
interface RowFacts extends Registers {
  readonly row: InstructionRow;
  /** undefined: the CSR tells. */
  readonly kind: InstructionClass | undefined;
  readonly isLoad: boolean;
  readonly isStore: boolean;
  readonly size: number;
  readonly isFloat: boolean;
  readonly isSingle: boolean;
  readonly isCsr: boolean;
  readonly canAlwaysLeave: boolean;
  readonly narrowRule: number | undefined;
}

const ROWS: readonly RowFacts[] = INSTRUCTIONS.map((row): RowFacts => {
  const { format, mnemonic } = row;
  const registers = REGISTERS[format];
  const isLoad = format === 'Load' || format === 'FloatLoad';
  const isStore = format === 'Store' || format === 'FloatStore';
  const isSingleResult = mnemonic === 'flw' || (mnemonic.endsWith('.s') && mnemonic !== 'fcvt.d.s') || mnemonic === 'fmv.w.x' || mnemonic.startsWith('fcvt.s.');
  return {
    ...registers, row, kind: classOf(row), isLoad, isStore, size: (LOADS[mnemonic] ?? STORES[mnemonic])?.[1] ?? 0, isFloat: format.includes('Float'), isSingle: registers.floatWrites && isSingleResult,
    isCsr: format.startsWith('Csr'), canAlwaysLeave: isLoad || isStore || format === 'Atomic' || format === 'LoadReserved', narrowRule: registers.writes ? narrowRuleOfRow(mnemonic) : NARROW.never,
  };
});

/** `decoded` with what the translator wants to know; undefined when it is illegal. */
export function instructionAt(address: number, { operation, compressed, length, rd, rs1, rs2, rs3, imm, rm }: Readonly<Decoded>): Instruction | undefined {
  const facts = ROWS[operation];
  if (facts === undefined) return undefined;
  const { row, isLoad, isStore, size, isSingle, isCsr } = facts;
  return {
    operation, compressed, length, rd, rs1, rs2, rs3, imm, rm, address, row,
    reads: (facts.first ? bitOf(rs1) : 0) | (facts.second ? bitOf(rs2) : 0), writes: facts.writes ? bitOf(rd) : 0,
    floatReads: (facts.floatFirst ? 1 << rs1 : 0) | (facts.floatSecond ? 1 << rs2 : 0) | (facts.floatThird ? 1 << rs3 : 0), floatWrites: facts.floatWrites ? 1 << rd : 0,
    kind: facts.kind ?? (imm >= CSR.fflags && imm <= CSR.fcsr ? 'plain' : 'step'), isLoad, isStore, size, isLimited: facts.isFloat && floatWay(row, rm) === 'limited', isSingle,
    canLeave: facts.canAlwaysLeave || canLeave(row, { rd, rs1, rm }), setsFcsr: isCsr && !isCsrRead(row, rs1),
    narrowRule: facts.narrowRule ?? narrowRule(row.mnemonic, { rs1, rs2, imm }), guarded: undefined,
  };
}

/** csrrs and csrrc of nothing only read. */
export function isCsrRead({ mnemonic }: Pick<InstructionRow, 'mnemonic'>, rs1: number): boolean {
  return !mnemonic.startsWith('csrrw') && rs1 === 0;
}

function canLeave({ format, mnemonic }: InstructionRow, { rd, rs1, rm }: Pick<Decoded, 'rd' | 'rs1' | 'rm'>): boolean {
  if (format === 'JumpRegister') return !isReturn({ row: { format }, rd, rs1 });
  if (format.startsWith('Csr')) return !isCsrRead({ mnemonic }, rs1) && mnemonic !== 'csrrw';
  return format.endsWith('Rounded') && rm === DYNAMIC;
}

/**
 * How translated code treats an instruction. `plain`: emitted. `step`: one interpreted instruction without leaving the unit (system calls, counters,
 * fence.i). `branch`, `jump`, `register`: control flow.
 */
export type InstructionClass = 'plain' | 'step' | 'branch' | 'jump' | 'register';

/** undefined: plain where the CSR is the float unit's, else a step. */
function classOf({ mnemonic, format }: InstructionRow): InstructionClass | undefined {
  if (format === 'Branch') return 'branch';
  if (format === 'Jump') return 'jump';
  if (format === 'JumpRegister') return 'register';
  if (format === 'Csr' || format === 'CsrImmediate') return undefined;
  if (mnemonic in PURE || mnemonic in LOADS || mnemonic in STORES || mnemonic in CONDITIONS || mnemonic in HIGH_PRODUCTS) return 'plain';
  return PLAIN_FORMATS.has(format) || format.includes('Float') ? 'plain' : 'step';
}

/** An indirect jump through a register that holds return addresses by convention. */
export function isReturn({ row: { format }, rd, rs1 }: { readonly row: { readonly format: Format }; readonly rd: number; readonly rs1: number }): boolean {
  return format === 'JumpRegister' && rd === 0 && (rs1 === 1 || rs1 === 5);
}
