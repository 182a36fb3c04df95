/**
 * Comparisons, extremes and classes of floats. With a NaN the flags are raised in place (emit-special.ts).
 * What this does NOT do: singles that are not boxed; those leave.
 */
import { OP, type Opcode } from '../../../wasm/index.ts';
import { INFINITY_DOUBLE, INFINITY_SINGLE } from './emit-special.ts';
import type { UnitEmitter } from './emit-unit.ts';
import { NAN_SINGLE, pushAsBits, pushNan, pushSingle, setSingleBits, type Emitter } from './float-values.ts';
import type { Instruction } from './instruction.ts';
import { LOCAL, OWN } from './layout.ts';

interface FloatForm { readonly isSingle: boolean; readonly notEqual: Opcode; push(unit: UnitEmitter, register: number): void }
const DOUBLE: FloatForm = { isSingle: false, notEqual: OP.f64Ne, push: (unit, register) => unit.getFloat(register) };
const SINGLE: FloatForm = { isSingle: true, notEqual: OP.f32Ne, push: pushSingle };

/** Where an operand is a NaN: raises invalid if that is due, then `then`. Operands were pushed before, so none leaves here. */
function ifUnordered(unit: UnitEmitter, { rs1, rs2 }: Instruction, { isSingle, notEqual, push }: FloatForm, { isSignalling, then }: { readonly isSignalling: boolean; then?(): void }): void {
  const { code } = unit;
  const registers = [...new Set([rs1, rs2])];
  registers.forEach((register, index) => {
    push(unit, register); push(unit, register); code.op(notEqual);
    if (index > 0) code.op(OP.i32Or);
  });
  unit.openIf(false);
  code.i64Const(isSingle ? INFINITY_SINGLE : INFINITY_DOUBLE);
  for (const register of [rs1, rs2]) { push(unit, register); pushAsBits(unit, isSingle); }
  code.i32Const(isSignalling ? 1 : 0); code.call(OWN.unordered);
  then?.();
  unit.close();
}

/** With a NaN the result is 0, as in WebAssembly. */
const compare = (form: FloatForm, operation: Opcode, isSignalling: boolean): Emitter => (unit, instruction) => {
  form.push(unit, instruction.rs1); form.push(unit, instruction.rs2); unit.code.op(operation); unit.code.localSet(LOCAL.address);
  ifUnordered(unit, instruction, form, { isSignalling });
  unit.code.localGet(LOCAL.address); unit.code.op(OP.i64ExtendI32u);
  unit.set(instruction.rd);
};

/** With one NaN the result is the other operand, with two the canonical one. */
const extremeDouble = (operation: Opcode): Emitter => (unit, instruction) => {
  const { code } = unit;
  const { rs1, rs2 } = instruction;
  unit.getFloat(rs1); unit.getFloat(rs2); code.op(operation); code.localSet(LOCAL.double);
  ifUnordered(unit, instruction, DOUBLE, {
    isSignalling: false,
    then: () => {
      unit.getFloat(rs1); pushNan(unit); unit.getFloat(rs1); unit.getFloat(rs1); code.op(OP.f64Eq); code.op(OP.select);
      unit.getFloat(rs2); unit.getFloat(rs2); unit.getFloat(rs2); code.op(OP.f64Ne); code.op(OP.select); code.localSet(LOCAL.double);
    },
  });
  code.localGet(LOCAL.double);
  unit.setFloat(instruction.rd);
};

const extremeSingle = (operation: Opcode): Emitter => (unit, instruction) => {
  const { code } = unit;
  const pushBitsOf = (register: number): void => { pushSingle(unit, register); code.op(OP.i32ReinterpretF32); };
  const pushTest = (register: number, test: Opcode): void => { pushSingle(unit, register); pushSingle(unit, register); code.op(test); };
  const { rs1, rs2 } = instruction;
  pushSingle(unit, rs1); pushSingle(unit, rs2); code.op(operation); code.op(OP.i32ReinterpretF32); code.localSet(LOCAL.address);
  ifUnordered(unit, instruction, SINGLE, {
    isSignalling: false,
    then: () => {
      pushBitsOf(rs1); code.i32Const(NAN_SINGLE); pushTest(rs1, OP.f32Eq); code.op(OP.select);
      pushBitsOf(rs2); pushTest(rs2, OP.f32Ne); code.op(OP.select); code.localSet(LOCAL.address);
    },
  });
  code.localGet(LOCAL.address);
  setSingleBits(unit, instruction.rd);
};

const classify = ({ isSingle, push }: FloatForm): Emitter => (unit, { rd, rs1 }) => {
  unit.code.i64Const(isSingle ? INFINITY_SINGLE : INFINITY_DOUBLE);
  push(unit, rs1); pushAsBits(unit, isSingle); unit.code.call(OWN.classify);
  unit.set(rd);
};

export const COMPARISONS: Readonly<Record<string, Emitter>> = {
  'fclass.d': classify(DOUBLE), 'fclass.s': classify(SINGLE),
  'feq.d': compare(DOUBLE, OP.f64Eq, false), 'flt.d': compare(DOUBLE, OP.f64Lt, true), 'fle.d': compare(DOUBLE, OP.f64Le, true),
  'fmin.d': extremeDouble(OP.f64Min), 'fmax.d': extremeDouble(OP.f64Max),
  'feq.s': compare(SINGLE, OP.f32Eq, false), 'flt.s': compare(SINGLE, OP.f32Lt, true), 'fle.s': compare(SINGLE, OP.f32Le, true),
  'fmin.s': extremeSingle(OP.f32Min), 'fmax.s': extremeSingle(OP.f32Max),
};
