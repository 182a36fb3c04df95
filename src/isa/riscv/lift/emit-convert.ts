/**
 * Conversions between floats and integers, and between the two formats. What is out of range is done in place too.
 * What this does NOT do: directed rounding but towards zero; results that are inexact where that leaves a trace.
 */
import { OP, TYPE, type Opcode } from '../../../wasm/index.ts';
import { emitInvalid, INFINITY_DOUBLE, INFINITY_SINGLE } from './emit-special.ts';
import type { UnitEmitter } from './emit-unit.ts';
import { DYNAMIC, TOWARDS_ZERO } from './float-needs.ts';
import { leaveUnlessNearest, NAN_SINGLE, pushAsBits, pushBits, pushNan, pushSingle, setSingle, setSingleBits, type Emitter } from './float-values.ts';
import { LOCAL, OWN } from './layout.ts';

/** Leaves where the condition on the stack holds and an inexact result would leave a trace. */
function leaveIfTraced({ code }: UnitEmitter): void {
  code.localGet(LOCAL.multiplyLimit); code.op(OP.i64Eqz); code.op(OP.i32And); code.hint(false); code.brIf(0);
}

type PushDouble = (unit: UnitEmitter, register: number) => void;
const fromDouble: PushDouble = (unit, register) => unit.getFloat(register);
const fromSingle: PushDouble = (unit, register) => { pushSingle(unit, register); unit.code.op(OP.f64PromoteF32); };

interface IntegerForm { readonly bounds: readonly [number, number]; readonly convert: Opcode; readonly saturate: Opcode; readonly largest: bigint; readonly isWord?: boolean; readonly isUnsignedWord?: boolean }
const INTEGERS = {
  w: { bounds: [-(2 ** 31), 2 ** 31], convert: OP.i32TruncSatF64s, saturate: OP.i32TruncSatF64s, largest: 0x7fffffffn, isWord: true },
  l: { bounds: [-(2 ** 63), 2 ** 63], convert: OP.i64TruncSatF64s, saturate: OP.i64TruncSatF64s, largest: 0x7fffffffffffffffn },
  wu: { bounds: [0, 2 ** 32], convert: OP.i64TruncSatF64s, saturate: OP.i32TruncSatF64u, largest: -1n, isUnsignedWord: true },
  lu: { bounds: [0, 2 ** 64], convert: OP.i64TruncSatF64u, saturate: OP.i64TruncSatF64u, largest: -1n },
} as const satisfies Readonly<Record<string, IntegerForm>>;

/**
 * To an integer: rounded first unless towards zero, in range by comparison with exact bounds (the open interval below and above). What is out of range is invalid and gives the
 * nearest number, a NaN the largest.
 */
const toInteger = ({ bounds: [low, high], convert, saturate, largest, isWord = false, isUnsignedWord = false }: IntegerForm, push: PushDouble): Emitter => (unit, { rd, rs1, rm }) => {
  const { code } = unit;
  const isLong = !isWord && !isUnsignedWord;
  if (rm === DYNAMIC) leaveUnlessNearest(unit);
  push(unit, rs1); code.localTee(LOCAL.term);
  code.op(rm === TOWARDS_ZERO ? OP.f64Trunc : OP.f64Nearest);
  code.localTee(LOCAL.double); code.localGet(LOCAL.term); code.op(OP.f64Ne); leaveIfTraced(unit);
  code.localGet(LOCAL.double); code.f64Const(low); code.op(OP.f64Ge);
  code.localGet(LOCAL.double); code.f64Const(high); code.op(OP.f64Lt); code.op(OP.i32And); code.hint(true);
  code.open(OP.if, TYPE.i64);
  code.localGet(LOCAL.double); code.op(convert);
  if (isWord) code.op(OP.i64ExtendI32s);
  if (isUnsignedWord) { code.op(OP.i32WrapI64); code.op(OP.i64ExtendI32s); }
  code.byte(OP.else);
  emitInvalid(code, unit.layout);
  code.localGet(LOCAL.double); code.op(saturate);
  if (!isLong) code.op(OP.i64ExtendI32s);
  code.i64Const(largest); code.localGet(LOCAL.double); code.localGet(LOCAL.double); code.op(OP.f64Eq); code.op(OP.select);
  code.end();
  unit.set(rd);
};

const wordToDouble = (convert: Opcode): Emitter => (unit, instruction) => {
  if (instruction.isLimited) leaveUnlessNearest(unit);
  unit.get(instruction.rs1); unit.code.op(OP.i32WrapI64); unit.code.op(convert);
  unit.setFloat(instruction.rd);
};

const longToDouble = (convert: Opcode): Emitter => (unit, { rd, rs1, rm }) => {
  if (rm === DYNAMIC) leaveUnlessNearest(unit);
  unit.get(rs1); leaveUnlessSmall(unit, 2n ** 53n, convert === OP.f64ConvertI64u);
  unit.get(rs1); unit.code.op(convert);
  unit.setFloat(rd);
};

/** Pops an i64. Where an inexact result would leave a trace, only numbers that every such float can hold are converted: from -bound (or 0) to below bound. */
function leaveUnlessSmall(unit: UnitEmitter, bound: bigint, isUnsigned: boolean): void {
  const { code } = unit;
  if (!isUnsigned) { code.i64Const(bound); code.op(OP.i64Add); }
  code.i64Const(isUnsigned ? bound : 2n * bound); code.op(OP.i64GeU); leaveIfTraced(unit);
}

type PushLong = (unit: UnitEmitter, register: number) => void;
const LONGS = {
  w: (unit, register) => { unit.get(register); unit.code.op(OP.i64Extend32s); },
  wu: (unit, register) => { unit.get(register); unit.code.op(OP.i32WrapI64); unit.code.op(OP.i64ExtendI32u); },
  l: (unit, register) => unit.get(register),
} as const satisfies Readonly<Record<string, PushLong>>;

const integerToSingle = (push: PushLong, convert: Opcode): Emitter => (unit, { rd, rs1, rm }) => {
  if (rm === DYNAMIC) leaveUnlessNearest(unit);
  push(unit, rs1); unit.code.localTee(LOCAL.wide); leaveUnlessSmall(unit, 2n ** 24n, convert === OP.f32ConvertI64u);
  unit.code.localGet(LOCAL.wide); unit.code.op(convert);
  setSingle(unit, rd);
};

/** To a double: only a NaN is more than its value. */
const promote: Emitter = (unit, instruction) => {
  const { code } = unit;
  const { rd, rs1 } = instruction;
  if (instruction.isLimited) leaveUnlessNearest(unit);
  pushSingle(unit, rs1); code.op(OP.f64PromoteF32); code.localTee(LOCAL.double); code.localGet(LOCAL.double); code.op(OP.f64Ne);
  unit.openIf(false);
  code.i64Const(INFINITY_SINGLE); pushSingle(unit, rs1); pushAsBits(unit, true); raiseIfSignalling(unit);
  pushNan(unit); code.localSet(LOCAL.double);
  unit.close();
  code.localGet(LOCAL.double);
  unit.setFloat(rd);
};

/** To a single, of a double that is no number or infinite; else leaves. */
export const demoteSpecial: Emitter = (unit, { rd, rs1 }) => {
  const { code } = unit;
  leaveUnlessNearest(unit);
  unit.getFloat(rs1); code.op(OP.f64Abs); code.f64Const(Infinity); code.op(OP.f64Lt); code.brIf(0);
  code.i64Const(INFINITY_DOUBLE); pushBits(unit, rs1); raiseIfSignalling(unit);
  unit.getFloat(rs1); code.op(OP.f32DemoteF64); code.op(OP.i32ReinterpretF32); code.i32Const(NAN_SINGLE);
  unit.getFloat(rs1); unit.getFloat(rs1); code.op(OP.f64Eq); code.op(OP.select);
  setSingleBits(unit, rd);
};

/** Pops infinity and the bits of one operand. */
function raiseIfSignalling({ code }: UnitEmitter): void {
  code.i64ConstSmall(0); code.i32Const(0); code.call(OWN.unordered);
}

export const CONVERSIONS: Readonly<Record<string, Emitter>> = {
  'fcvt.w.d': toInteger(INTEGERS.w, fromDouble), 'fcvt.l.d': toInteger(INTEGERS.l, fromDouble), 'fcvt.wu.d': toInteger(INTEGERS.wu, fromDouble), 'fcvt.lu.d': toInteger(INTEGERS.lu, fromDouble),
  'fcvt.d.w': wordToDouble(OP.f64ConvertI32s), 'fcvt.d.wu': wordToDouble(OP.f64ConvertI32u), 'fcvt.d.l': longToDouble(OP.f64ConvertI64s), 'fcvt.d.lu': longToDouble(OP.f64ConvertI64u),
  'fcvt.d.s': promote,
  'fcvt.w.s': toInteger(INTEGERS.w, fromSingle), 'fcvt.l.s': toInteger(INTEGERS.l, fromSingle), 'fcvt.wu.s': toInteger(INTEGERS.wu, fromSingle), 'fcvt.lu.s': toInteger(INTEGERS.lu, fromSingle),
  'fcvt.s.w': integerToSingle(LONGS.w, OP.f32ConvertI64s), 'fcvt.s.wu': integerToSingle(LONGS.wu, OP.f32ConvertI64s),
  'fcvt.s.l': integerToSingle(LONGS.l, OP.f32ConvertI64s), 'fcvt.s.lu': integerToSingle(LONGS.l, OP.f32ConvertI64u),
};
