/**
 * Values that are sign-extended 32-bit numbers: what C's `int` and `unsigned` are in registers. Logic and comparisons of two such values are done in 32 bits,
 * so that the host extends a value only where all 64 bits are wanted, and sees rotations in pairs of shifts.
 *
 *   srliw a, x, 7;  slliw b, x, 25;  or c, a, b     one rotation        slli a, x, 32;  srli a, a, 30     zero-extended x, times 4
 *
 * Invariants: results are the same bits as without this. What a register holds is the same wherever it is, so nothing depends on what is in locals.
 * What this does NOT do: keep values in 32-bit locals: the host's compiler drops an extension that is truncated again.
 */
import { OP, type Opcode } from '../../../wasm/index.ts';
import type { UnitEmitter } from './emit-unit.ts';
import { solveForward } from './forward.ts';
import { isCalling, type Graph } from './graph.ts';
import { bitOf, type Instruction } from './instruction.ts';
import { narrowAfter } from './narrow-rules.ts';

const LOGIC: Readonly<Record<string, Opcode>> = { and: OP.i32And, or: OP.i32Or, xor: OP.i32Xor };
const LOGIC_IMMEDIATE: Readonly<Record<string, Opcode>> = { andi: OP.i32And, ori: OP.i32Or, xori: OP.i32Xor };
const COMPARISONS: ReadonlyMap<Opcode, Opcode> = new Map([
  [OP.i64Eq, OP.i32Eq], [OP.i64Ne, OP.i32Ne], [OP.i64LtS, OP.i32LtS], [OP.i64LtU, OP.i32LtU], [OP.i64GeS, OP.i32GeS], [OP.i64GeU, OP.i32GeU],
]);
const WORD_BITS = 32;
/** All registers. */
const ALL = -1;

/** Narrow registers at the start of each node: on all ways to it. At the unit's entries and behind calls nothing is known. */
export function findNarrow(graph: Graph): Int32Array {
  return solveForward(graph, {
    any: ALL, meet: (a, b) => a & b,
    after: (before, node) => (isCalling(node) ? 0 : (node.block?.instructions ?? []).reduce(narrowAfter, before)),
  });
}

/**
 * Emits a logical instruction on narrow values, or an extension of one; false: it is none, nothing was emitted. What a mask leaves is never negative: it is extended with zeros, which the
 * host's 32-bit instructions do by themselves. (Of srliw so too, sha256 was 6 % slower.)
 */
export function emitNarrow(unit: UnitEmitter, instruction: Instruction): boolean {
  const { code } = unit;
  const { row: { mnemonic }, rd, rs1, rs2, imm } = instruction;
  if (mnemonic === 'addiw' && imm === 0 && areNarrow(unit, rs1, 0)) { // sext.w of what is extended.
    unit.get(rs1);
    unit.set(rd);
    return true;
  }
  const immediate = LOGIC_IMMEDIATE[mnemonic];
  const operation = immediate ?? LOGIC[mnemonic];
  if (operation === undefined || !areNarrow(unit, rs1, immediate === undefined ? rs2 : 0)) return false;
  low(unit, rs1);
  if (immediate === undefined) low(unit, rs2); else code.i32Const(imm);
  code.op(operation);
  code.op(mnemonic === 'andi' && imm >= 0 ? OP.i64ExtendI32u : OP.i64ExtendI32s);
  unit.set(rd);
  return true;
}

/** Pushes a comparison of two registers, in 32 bits where that is the same. */
export function pushComparison(unit: UnitEmitter, { rs1, rs2 }: Pick<Instruction, 'rs1' | 'rs2'>, condition: Opcode): void {
  const narrow = areNarrow(unit, rs1, rs2) ? COMPARISONS.get(condition) : undefined;
  if (narrow === undefined) { unit.get(rs1); unit.get(rs2); } else { low(unit, rs1); low(unit, rs2); }
  unit.code.op(narrow ?? condition);
}

function areNarrow({ narrow }: UnitEmitter, first: number, second: number): boolean {
  const both = bitOf(first) | bitOf(second);
  return (narrow & both) === both;
}

function low(unit: UnitEmitter, register: number): void {
  if (register === 0) return unit.code.i32Const(0);
  unit.get(register); unit.code.op(OP.i32WrapI64);
}

/** How far behind a left shift compilers put the right one. */
const PAIR_DISTANCE = 6;

/**
 * The right shift that, with the left one at `position`, extends a word with zeros: the left one is not emitted then, and its operand stays in its local. Nothing between them may
 * look at the result, change the operand or leave the unit. -1: there is none.
 */
export function zeroExtensionAt(instructions: readonly Instruction[], position: number): number {
  const { row, rd, rs1, imm } = instructions[position]!;
  if (row.mnemonic !== 'slli' || imm !== WORD_BITS || rd === 0 || rs1 === 0) return -1;
  const result = bitOf(rd);
  for (let at = position + 1; at <= position + PAIR_DISTANCE; at++) {
    const next = instructions[at];
    if (next === undefined || next.kind !== 'plain' || next.canLeave) return -1;
    if (next.row.mnemonic === 'srli' && next.rd === rd && next.rs1 === rd && next.imm <= WORD_BITS) return at;
    if (((next.reads | next.writes) & result) !== 0 || (next.writes & bitOf(rs1)) !== 0) return -1;
  }
  return -1;
}

/** The second instruction of such a pair; the first one's operand is still in its local. */
export function emitZeroExtension(unit: UnitEmitter, { rs1 }: Instruction, { rd, imm }: Instruction): void {
  const { code } = unit;
  code.localGet(unit.local(rs1)); code.op(OP.i32WrapI64); code.op(OP.i64ExtendI32u);
  if (imm < WORD_BITS) { code.i64ConstSmall(WORD_BITS - imm); code.op(OP.i64Shl); }
  unit.set(rd);
}
