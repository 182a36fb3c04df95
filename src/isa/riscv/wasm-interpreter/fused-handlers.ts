/**
 * Handlers of the fused multiply-add of doubles: the error-free transformations of float/fast-fused.ts, with the same limits, in one tail that four
 * handlers enter with the signs of their operands. Singles stay with their function.
 * Locals: see NAMES; all doubles.
 */
import { OP, TYPE, type Opcode } from '../../../wasm/index.ts';
import { CONTROL, controlAddress, CPU_STATE_OFFSET } from '../../cpu.ts';
import { ADDEND_HIGH, RESULT_LOW } from '../float/fast-fused.ts';
import { FACTOR_HIGH, FACTOR_LOW } from '../float/fast-path.ts';
import type { Handlers } from './handler.ts';
import type { LoopLayout } from './layout.ts';
import { FIELD, LOCAL, type LoopWriter } from './loop-writer.ts';

const A = LOCAL.x;
const B = LOCAL.y;
const C = LOCAL.z;
const NAMES = ['product', 'low', 'tail', 'tailError', 'head', 'headError', 'rest', 'restError', 'result', 'part', 'aHigh', 'aLow', 'bHigh'] as const;
type Name = (typeof NAMES)[number];
const local = (name: Name): number => LOCAL.scratch + NAMES.indexOf(name);
/** Veltkamp's constant for 53 bits. */
const SPLIT = 2 ** 27 + 1;

/** Short forms for arithmetic on locals. */
class Arithmetic {
  readonly writer: LoopWriter;
  constructor(writer: LoopWriter) {
    this.writer = writer;
  }

  /** Pushes first op second. */
  push(first: number, opcode: Opcode, second: number): void {
    this.writer.localGet(first); this.writer.localGet(second); this.writer.op(opcode);
  }

  set(into: number, first: number, opcode: Opcode, second: number): void {
    this.push(first, opcode, second); this.writer.localSet(into);
  }

  /** into := first + second - sum, exactly (TwoSum). */
  sumError(into: number, first: number, second: number, sum: number): void {
    const part = local('part');
    this.set(part, sum, OP.f64Sub, first);
    this.writer.localGet(first); this.push(sum, OP.f64Sub, part); this.writer.op(OP.f64Sub);
    this.push(second, OP.f64Sub, part); this.writer.op(OP.f64Add); this.writer.localSet(into);
  }

  /** high := the upper half of the bits of `from`. */
  split(high: number, from: number): void {
    const part = local('part');
    this.writer.localGet(from); this.writer.f64Const(SPLIT); this.writer.op(OP.f64Mul); this.writer.localSet(part);
    this.writer.localGet(part); this.push(part, OP.f64Sub, from); this.writer.op(OP.f64Sub); this.writer.localSet(high);
  }
}

/** low := a * b - product, exactly (Dekker). */
function productError(arithmetic: Arithmetic): void {
  const { writer } = arithmetic;
  const [product, low, aHigh, aLow, bHigh, bLow] = [local('product'), local('low'), local('aHigh'), local('aLow'), local('bHigh'), local('tail')];
  arithmetic.split(aHigh, A);
  arithmetic.set(aLow, A, OP.f64Sub, aHigh);
  arithmetic.split(bHigh, B);
  arithmetic.set(bLow, B, OP.f64Sub, bHigh);
  arithmetic.push(aHigh, OP.f64Mul, bHigh); writer.localGet(product); writer.op(OP.f64Sub);
  arithmetic.push(aHigh, OP.f64Mul, bLow); writer.op(OP.f64Add);
  arithmetic.push(aLow, OP.f64Mul, bHigh); writer.op(OP.f64Add);
  arithmetic.push(aLow, OP.f64Mul, bLow); writer.op(OP.f64Add);
  writer.localSet(low);
}

/** rest := rest rounded to odd towards rest + restError. */
function roundToOdd(writer: LoopWriter): void {
  writer.localGet(local('restError')); writer.f64Const(0); writer.op(OP.f64Ne);
  writer.localGet(local('rest')); writer.op(OP.i64ReinterpretF64); writer.localTee(LOCAL.first);
  writer.operations(OP.i32WrapI64); writer.i32Const(1); writer.operations(OP.i32And, OP.i32Eqz, OP.i32And);
  writer.open(OP.if, TYPE.empty);
  writer.localGet(LOCAL.first); writer.i64ConstSmall(1); writer.op(OP.i64Or);
  writer.localGet(LOCAL.first); writer.i64ConstSmall(1); writer.op(OP.i64Sub);
  for (const name of ['restError', 'rest'] as const) { writer.localGet(local(name)); writer.f64Const(0); writer.op(OP.f64Gt); }
  writer.operations(OP.i32Eq, OP.select, OP.f64ReinterpretI64); writer.localSet(local('rest'));
  writer.end();
}

function requireSafe(writer: LoopWriter): void {
  for (const factor of [A, B]) {
    writer.localGet(factor); writer.op(OP.f64Abs); writer.localTee(local('part')); writer.f64Const(FACTOR_LOW); writer.op(OP.f64Gt);
    writer.localGet(local('part')); writer.f64Const(FACTOR_HIGH); writer.operations(OP.f64Lt, OP.i32And);
  }
  writer.op(OP.i32And);
  writer.localGet(C); writer.op(OP.f64Abs); writer.f64Const(ADDEND_HIGH); writer.operations(OP.f64Lt, OP.i32And, OP.i32Eqz);
  writer.toIf('leave');
}

/** rd := result; the end of the tail. */
function finish(writer: LoopWriter): void {
  writer.field(FIELD.rd); writer.localGet(local('result')); writer.access(OP.f64Store, 3, 0);
  writer.next();
}

const fused = (layout: LoopLayout) => (writer: LoopWriter): void => {
  const arithmetic = new Arithmetic(writer);
  const [product, low, tail, head, rest, result] = [local('product'), local('low'), local('tail'), local('head'), local('rest'), local('result')];
  requireSafe(writer);
  // 0: nothing raised yet; 1: inexact is; anything else is a rounding mode that is not ours.
  writer.i32Const(0); writer.access(OP.i32Load, 2, controlAddress(layout.registers, CONTROL.fcsr));
  writer.i32Const(0xe1); writer.op(OP.i32And); writer.localTee(LOCAL.word); writer.i32Const(1); writer.op(OP.i32GtU);
  writer.toIf('leave');
  arithmetic.set(product, A, OP.f64Mul, B);
  productError(arithmetic);
  arithmetic.set(tail, low, OP.f64Add, C);
  arithmetic.sumError(local('tailError'), low, C, tail);
  arithmetic.set(head, product, OP.f64Add, tail);
  arithmetic.sumError(local('headError'), product, tail, head);
  arithmetic.set(rest, local('tailError'), OP.f64Add, local('headError'));
  arithmetic.sumError(local('restError'), local('tailError'), local('headError'), rest);
  roundToOdd(writer);
  arithmetic.set(result, head, OP.f64Add, rest);
  writer.localGet(result); writer.op(OP.f64Abs); writer.f64Const(RESULT_LOW); writer.op(OP.f64Lt);
  writer.localGet(result); writer.f64Const(0); writer.op(OP.f64Ne); writer.localGet(rest); writer.f64Const(0); writer.operations(OP.f64Ne, OP.i32Or, OP.i32And);
  writer.toIf('leave');
  writer.localGet(LOCAL.word); writer.op(OP.i32Eqz);
  writer.open(OP.if, TYPE.empty);
  arithmetic.sumError(local('headError'), head, rest, result);
  writer.localGet(local('restError')); writer.f64Const(0); writer.op(OP.f64Ne);
  writer.localGet(local('headError')); writer.f64Const(0); writer.operations(OP.f64Ne, OP.i32Or);
  writer.toIf('leave');
  writer.end();
  finish(writer);
};

/** Loads the operands with their signs; rs3 is a register number in the record. */
const enter = (layout: LoopLayout, isFirstNegated: boolean, isThirdNegated: boolean) => (writer: LoopWriter): void => {
  writer.field(FIELD.rs1); writer.access(OP.f64Load, 3, 0);
  if (isFirstNegated) writer.op(OP.f64Neg);
  writer.localSet(A);
  writer.field(FIELD.rs2); writer.access(OP.f64Load, 3, 0); writer.localSet(B);
  writer.localGet(LOCAL.record); writer.access(OP.i32Load8u, 0, 3); writer.i32Const(3); writer.op(OP.i32Shl);
  writer.access(OP.f64Load, 3, layout.registers + CPU_STATE_OFFSET.f);
  if (isThirdNegated) writer.op(OP.f64Neg);
  writer.localSet(C);
  writer.to('fused');
};

export function fusedHandlers(layout: LoopLayout): Handlers {
  return {
    'fmadd.d': enter(layout, false, false), 'fmsub.d': enter(layout, false, true),
    'fnmsub.d': enter(layout, true, false), 'fnmadd.d': enter(layout, true, true),
  };
}

export function fusedTails(layout: LoopLayout): Handlers {
  return { fused: fused(layout) };
}
