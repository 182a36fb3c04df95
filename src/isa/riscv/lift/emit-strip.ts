/**
 * The two nodes that make a strip of rounds (strips.ts). The guard finds out how many rounds stay on pages that are good, and from that down to which fuel
 * the test lets rounds go on.
 * Invariants: no fuel is used and no register changed; where anything is not as wished the full loop is next.
 * What this does NOT do: the rounds, which are blocks like others.
 */
import { OP, type CodeWriter } from '../../../wasm/index.ts';
import { PAGE_FLAG } from '../../cpu.ts';
import { copyRegisters } from './dataflow.ts';
import { PAGE_COUNT_MAX } from './emit-memory.ts';
import type { UnitEmitter } from './emit-unit.ts';
import type { GraphNode } from './graph.ts';
import { LOCAL, PAGE_SHIFT } from './layout.ts';
import type { Base } from './strips.ts';

/** Pages are looked at again at the latest after so many rounds. */
const ROUNDS_MAX = 1024;
const ROUNDS_MIN = 2;
/** Of four rounds one looks whether there can be a strip. */
const SKIPPED = 3;
const PAGE_BYTES = 1 << PAGE_SHIFT;

export function emitGuard(unit: UnitEmitter, { edges, strip }: GraphNode, index: number): void {
  const { code } = unit;
  const { bases, shortest, longest, isTight } = strip!;
  for (const { register } of bases) unit.need(register); // Ways part below.
  unit.openBlock();
  skipOften(unit, bases);
  code.i32Const(ROUNDS_MAX); code.localSet(LOCAL.floor);
  for (const base of bases) lookAt(unit, base);
  code.localGet(LOCAL.floor); code.i32Const(ROUNDS_MIN); code.op(OP.i32LtS); code.brIf(0);
  code.localGet(LOCAL.fuel);
  code.localGet(LOCAL.floor);
  if (isTight) { code.i32Const(1); code.op(OP.i32Sub); } // The last one is a full round.
  code.i32Const(shortest); code.op(OP.i32Mul); code.op(OP.i32Sub); code.localTee(LOCAL.floor);
  code.i32Const(longest); code.op(OP.i32LtS); code.hint(false); code.brIf(0);
  part(unit, edges, index);
}

export function emitTest(unit: UnitEmitter, { edges }: GraphNode, index: number): void {
  const { code } = unit;
  unit.openBlock();
  code.localGet(LOCAL.fuel); code.localGet(LOCAL.floor); code.op(OP.i32LeS); code.hint(false); code.brIf(0);
  part(unit, edges, index);
}

/** Along the first edge, and behind the end of the block that was opened last along the second. */
function part(unit: UnitEmitter, [first, second]: GraphNode['edges'], index: number): void {
  const before = copyRegisters(unit.state);
  unit.later(() => unit.edge(index, first!), () => unit.close(), () => {
    unit.state = before;
    unit.edge(index, second!);
  });
}

/** Branches to label 0 three times of four, so that loops of a few rounds rarely pay for looks: by where the first base that moves is. */
function skipOften(unit: UnitEmitter, bases: readonly Base[]): void {
  const { code } = unit;
  const base = bases.find(({ step }) => step !== 0);
  if (base === undefined) return;
  unit.get(base.register); code.op(OP.i32WrapI64); code.i32Const(SKIPPED << Math.ceil(Math.log2(Math.abs(base.step)))); code.op(OP.i32And); code.brIf(0);
}

/** Branches to label 0 unless the pages of a base are good; brings `floor` down to the rounds that stay on them. */
function lookAt(unit: UnitEmitter, { register, step, low, high, hasStore }: Base): void {
  const { code, layout } = unit;
  const span = high - low;
  unit.get(register);
  if (low !== 0) { code.i64ConstSmall(low); code.op(OP.i64Add); }
  code.localTee(LOCAL.wide); code.i64ConstSmall(PAGE_SHIFT); code.op(OP.i64ShrU); code.localTee(LOCAL.first);
  code.i64ConstSmall(PAGE_COUNT_MAX - 1); code.op(OP.i64GtU); code.hint(false); code.brIf(0);
  code.localGet(LOCAL.first); code.op(OP.i32WrapI64); code.access(OP.i32Load8u, 0, layout.pageFlags);
  code.i32Const(hasStore ? PAGE_FLAG.ready : PAGE_FLAG.wide); code.op(OP.i32And); code.op(OP.i32Eqz); code.brIf(0);
  if (step === 0 && !hasStore) return;
  code.localGet(LOCAL.wide); code.op(OP.i32WrapI64); code.i32Const(PAGE_BYTES - 1); code.op(OP.i32And); code.localSet(LOCAL.address);
  if (step <= 0 && hasStore) { code.localGet(LOCAL.address); code.i32Const(PAGE_BYTES - span); code.op(OP.i32GtS); code.brIf(0); }
  if (step === 0) return;
  if (step > 0) { code.i32Const((hasStore ? PAGE_BYTES : 2 * PAGE_BYTES) - span); code.localGet(LOCAL.address); code.op(OP.i32Sub); } else code.localGet(LOCAL.address);
  divide(code, Math.abs(step));
  code.localTee(LOCAL.address); code.localGet(LOCAL.floor); code.localGet(LOCAL.address); code.localGet(LOCAL.floor); code.op(OP.i32LtS); code.op(OP.select); code.localSet(LOCAL.floor);
}

/** Rounds down; what is negative stays so. */
function divide(code: CodeWriter, by: number): void {
  const shift = Math.log2(by);
  code.i32Const(Number.isInteger(shift) ? shift : by);
  code.op(Number.isInteger(shift) ? OP.i32ShrS : OP.i32DivS);
}
