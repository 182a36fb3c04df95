/**
 * Values of floats as translated code holds them: doubles and boxed singles in f64 locals, moved bit for bit, and how they are pushed and set.
 * What this does NOT do: compute, or raise flags.
 */
import { OP } from '../../../wasm/index.ts';
import type { UnitEmitter } from './emit-unit.ts';
import type { Instruction } from './instruction.ts';
import { LOCAL } from './layout.ts';

/** The upper half of a single's register. */
export const BOX = -0x100000000n;
/** The NaN that operations give. */
export const NAN_DOUBLE = 0x7ff8000000000000n;
export const NAN_SINGLE = 0x7fc00000;

/** Emits one instruction in place, or leaves (label 0) where that cannot be done. */
export type Emitter = (unit: UnitEmitter, instruction: Instruction) => void;

export const pushBits = (unit: UnitEmitter, register: number): void => { unit.getFloat(register); unit.code.op(OP.i64ReinterpretF64); };

/** Makes the float on the stack its bits, as i64. */
export function pushAsBits({ code }: UnitEmitter, isSingle: boolean): void {
  if (!isSingle) return code.op(OP.i64ReinterpretF64);
  code.op(OP.i32ReinterpretF32); code.op(OP.i64ExtendI32u);
}

export function pushNan({ code }: UnitEmitter): void {
  code.i64Const(NAN_DOUBLE); code.op(OP.f64ReinterpretI64);
}

/** Leaves where the mode is not nearest even (it may be none at all). */
export function leaveUnlessNearest({ code }: UnitEmitter): void {
  code.localGet(LOCAL.addLimit); code.op(OP.i64Eqz); code.hint(false); code.brIf(0);
}

/** Pushes a single, leaving the fast way when the register is not known to be and is not boxed. */
export function pushSingle(unit: UnitEmitter, register: number): void {
  const { code } = unit;
  if ((unit.state.singles & (1 << register)) === 0) {
    pushBits(unit, register); code.i64Const(BOX); code.op(OP.i64LtU); code.hint(false); code.brIf(0);
  }
  pushBits(unit, register); code.op(OP.i32WrapI64); code.op(OP.f32ReinterpretI32);
}

/** Boxes the i32 bits on the stack into rd. */
export function setSingleBits(unit: UnitEmitter, rd: number): void {
  unit.code.op(OP.i64ExtendI32u); unit.code.i64Const(BOX); unit.code.op(OP.i64Or); unit.code.op(OP.f64ReinterpretI64);
  unit.setFloat(rd);
}

export function setSingle(unit: UnitEmitter, rd: number): void {
  unit.code.op(OP.i32ReinterpretF32);
  setSingleBits(unit, rd);
}
