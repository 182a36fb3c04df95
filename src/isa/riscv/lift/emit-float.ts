/**
 * Floating point on host arithmetic, where the result and the flags are certain to be the ISA's; everything else calls the interpreter's function.
 *
 * With rounding to nearest even and the inexact flag already raised, an operation whose result is a normal number changes no flag and is what the host
 * computes. So the limits, made from fcsr, bound a result's bits without sign:
 *
 *   add, subtract          bits * 2 < 0x7ff * 2^53        any finite result (tiny sums are exact)
 *   multiply, divide, ...  bits * 2 - 2 * 2^53 < 0x7fd * 2^53        exponents 2 to 0x7fe: normal, and not rounded up from a tiny number
 *
 * In nearest even without the flag they are 1 and 0: a sum that is zero passes. What does not pass may be proved exact (exact.ts). In another mode
 * both are 0, nothing passes, nothing is proved: the first says whether the mode is nearest even, the second whether an inexact result leaves no trace.
 *
 * Singles likewise with 32 bits. A single that is not boxed is a NaN: the interpreter's function. Float registers are f64 locals, moved bit for bit.
 * What this does NOT do: directed rounding modes, NaN operands, flags other than inexact.
 */
import { OP, TYPE, type Opcode } from '../../../wasm/index.ts';
import { CONTROL, CPU_STATE_OFFSET } from '../../cpu.ts';
import type { UnitEmitter } from './emit-unit.ts';
import { copyRegisters, LIMITS_BIT } from './dataflow.ts';
import { DYNAMIC, floatWay, TOWARDS_ZERO } from './float-needs.ts';
import type { Instruction } from './instruction.ts';
import { emitExact, isProvable } from './exact.ts';
import { HELPER, LOCAL } from './layout.ts';

const FRM_MASK = 0xe0;
const INEXACT_FLAG = 0x01;
const BOX = -0x100000000n;

/** Makes the limits from fcsr. */
export function emitLimits({ code, layout }: UnitEmitter): void {
  code.i32Const(0); code.access(OP.i32Load, 2, layout.registers + CPU_STATE_OFFSET.control + 4 * CONTROL.fcsr); code.localTee(LOCAL.address);
  code.i32Const(FRM_MASK); code.op(OP.i32And); code.op(OP.i32Eqz);
  code.localGet(LOCAL.address); code.i32Const(INEXACT_FLAG); code.op(OP.i32And); code.op(OP.i32And);
  code.open(OP.if, TYPE.empty);
  code.i64Const(0x7ffn << 53n); code.localSet(LOCAL.addLimit);
  code.i64Const(0x7fdn << 53n); code.localSet(LOCAL.multiplyLimit);
  code.i32Const(0xff << 24); code.localSet(LOCAL.singleAddLimit);
  code.i32Const(0xfd << 24); code.localSet(LOCAL.singleMultiplyLimit);
  code.byte(OP.else);
  code.localGet(LOCAL.address); code.i32Const(FRM_MASK); code.op(OP.i32And); code.op(OP.i32Eqz); code.localTee(LOCAL.singleAddLimit); code.op(OP.i64ExtendI32u); code.localSet(LOCAL.addLimit);
  code.i64ConstSmall(0); code.localSet(LOCAL.multiplyLimit);
  code.i32Const(0); code.localSet(LOCAL.singleMultiplyLimit);
  code.end();
}

/** One float instruction other than loads and stores. */
export function emitFloat(unit: UnitEmitter, instruction: Instruction): void {
  const { mnemonic, format } = instruction.row;
  const move = MOVES[mnemonic];
  if (move !== undefined) return move(unit, instruction);
  const fast = DOUBLES[mnemonic] ?? SINGLES[mnemonic];
  if (fast === undefined || floatWay(instruction.row, instruction.rm) === 'called' || (format === 'FloatFusedRounded' && !unit.layout.hasFused)) return emitCall(unit, instruction);
  unit.openBlock();
  const done = unit.depth - 1;
  unit.openBlock();
  const isProved = isProvable(instruction, unit.layout.hasFused);
  if (isProved) unit.openBlock();
  const before = copyRegisters(unit.state);
  fast(unit, instruction);
  unit.code.br(unit.relative(done));
  unit.close();
  unit.state = copyRegisters(before);
  if (isProved) {
    proveExact(unit, instruction);
    unit.code.br(unit.relative(done));
    unit.close();
    unit.state = before;
  }
  emitCall(unit, instruction);
  unit.close();
}

/** Takes the result that the limits refused, in `double` or `single`, where it is exact; else leaves. */
function proveExact(unit: UnitEmitter, instruction: Instruction): void {
  const { code } = unit;
  const isSingle = instruction.row.mnemonic.endsWith('.s');
  code.localGet(LOCAL.addLimit); code.op(OP.i64Eqz); code.hint(false); code.brIf(0);
  emitExact(unit, instruction, (register) => {
    if (!isSingle) return unit.getFloat(register);
    pushSingle(unit, register);
    code.op(OP.f64PromoteF32);
  });
  code.localGet(isSingle ? LOCAL.single : LOCAL.double);
  if (isSingle) setSingle(unit, instruction.rd);
  else unit.setFloat(instruction.rd);
}

/** Through the interpreter's function; it may raise flags, so the limits are made again where they are kept. */
function emitCall(unit: UnitEmitter, instruction: Instruction): void {
  const { code } = unit;
  const { operation, rd, rs1, rs2, rs3, rm, writes, floatWrites } = instruction;
  const isRounded = instruction.row.format.endsWith('Rounded');
  for (let register = 0; register < 32; register++) {
    if ((instruction.reads & (1 << register)) !== 0) unit.store(register);
    if ((instruction.floatReads & (1 << register)) !== 0) unit.storeFloat(register);
  }
  code.i32Const(operation); code.i32Const(rd | (rs1 << 5) | (rs2 << 10) | (rs3 << 15)); code.i32Const(rm);
  code.call(HELPER.float);
  if (isRounded && rm === DYNAMIC) {
    code.op(OP.i32Eqz);
    unit.leaveIf();
  } else code.op(OP.drop);
  if (writes !== 0) { unit.load(rd); unit.noteSet(rd); }
  if (floatWrites !== 0) { unit.loadFloat(rd); unit.noteFloatSet(rd); }
  if (isRounded && (unit.state.available & LIMITS_BIT) !== 0) emitLimits(unit);
}

type Emitter = (unit: UnitEmitter, instruction: Instruction) => void;

const pushBits = (unit: UnitEmitter, register: number): void => { unit.getFloat(register); unit.code.op(OP.i64ReinterpretF64); };

/** Moves and sign injections: bits only, no flags. */
const MOVES: Readonly<Record<string, Emitter>> = {
  'fmv.x.d': (unit, { rd, rs1 }) => { if (rd !== 0) { pushBits(unit, rs1); unit.set(rd); } },
  'fmv.x.w': (unit, { rd, rs1 }) => { if (rd !== 0) { pushBits(unit, rs1); unit.code.op(OP.i64Extend32s); unit.set(rd); } },
  'fmv.d.x': (unit, { rd, rs1 }) => { unit.get(rs1); unit.code.op(OP.f64ReinterpretI64); unit.setFloat(rd); },
  'fmv.w.x': (unit, { rd, rs1 }) => { unit.get(rs1); unit.code.i64Const(BOX); unit.code.op(OP.i64Or); unit.code.op(OP.f64ReinterpretI64); unit.setFloat(rd); },
  'fsgnj.d': (unit, { rd, rs1, rs2 }) => {
    unit.getFloat(rs1);
    if (rs1 !== rs2) { unit.getFloat(rs2); unit.code.op(OP.f64Copysign); }
    unit.setFloat(rd);
  },
  'fsgnjn.d': (unit, { rd, rs1, rs2 }) => {
    unit.getFloat(rs1);
    if (rs1 !== rs2) { unit.getFloat(rs2); unit.code.op(OP.f64Neg); unit.code.op(OP.f64Copysign); } else unit.code.op(OP.f64Neg);
    unit.setFloat(rd);
  },
  'fsgnjx.d': (unit, { rd, rs1, rs2 }) => {
    if (rs1 === rs2) { unit.getFloat(rs1); unit.code.op(OP.f64Abs); return unit.setFloat(rd); }
    pushBits(unit, rs1); pushBits(unit, rs2); unit.code.i64Const(-(2n ** 63n)); unit.code.op(OP.i64And); unit.code.op(OP.i64Xor); unit.code.op(OP.f64ReinterpretI64);
    unit.setFloat(rd);
  },
};

/** Leaves the fast way when the result in `double` is outside a limit, else puts it into rd. */
function finishDouble(unit: UnitEmitter, rd: number, isSum: boolean): void {
  const { code } = unit;
  code.localTee(LOCAL.double); code.op(OP.i64ReinterpretF64); code.i64ConstSmall(1); code.op(OP.i64Shl);
  if (!isSum) { code.i64Const(2n << 53n); code.op(OP.i64Sub); }
  code.localGet(isSum ? LOCAL.addLimit : LOCAL.multiplyLimit); code.op(OP.i64GeU); code.brIf(0);
  code.localGet(LOCAL.double);
  unit.setFloat(rd);
}

const doubleOperation = (operation: Opcode, isSum: boolean): Emitter => (unit, { rd, rs1, rs2 }) => {
  unit.getFloat(rs1); unit.getFloat(rs2); unit.code.op(operation);
  finishDouble(unit, rd, isSum);
};

/** Fused multiply-add of the lanes 0 of vectors: rs1 * rs2 + rs3 with the given signs. */
const fusedDouble = (isProductNegative: boolean, isAddendNegative: boolean): Emitter => (unit, { rd, rs1, rs2, rs3 }) => {
  const { code } = unit;
  for (const register of [rs1, rs2]) { unit.getFloat(register); code.op(OP.f64x2Splat); }
  unit.getFloat(rs3);
  if (isAddendNegative) code.op(OP.f64Neg);
  code.op(OP.f64x2Splat);
  code.op(isProductNegative ? OP.f64x2RelaxedNmadd : OP.f64x2RelaxedMadd);
  code.op(OP.f64x2ExtractLane); code.byte(0);
  finishDouble(unit, rd, false);
};

/** Comparisons and extremes of ordered operands; NaN operands may raise a flag. */
function leaveUnordered(unit: UnitEmitter, push: (register: number) => void, { rs1, rs2 }: Instruction, notEqual: Opcode): void {
  const { code } = unit;
  for (const register of new Set([rs1, rs2])) { push(register); push(register); code.op(notEqual); code.hint(false); code.brIf(0); }
}

const compareDouble = (operation: Opcode): Emitter => (unit, instruction) => {
  leaveUnordered(unit, (register) => unit.getFloat(register), instruction, OP.f64Ne);
  unit.getFloat(instruction.rs1); unit.getFloat(instruction.rs2); unit.code.op(operation); unit.code.op(OP.i64ExtendI32u);
  unit.set(instruction.rd);
};

const extremeDouble = (operation: Opcode): Emitter => (unit, instruction) => {
  leaveUnordered(unit, (register) => unit.getFloat(register), instruction, OP.f64Ne);
  unit.getFloat(instruction.rs1); unit.getFloat(instruction.rs2); unit.code.op(operation);
  unit.setFloat(instruction.rd);
};

/** Leaves where the mode is not nearest even (it may be none at all). */
function leaveUnlessNearest({ code }: UnitEmitter): void {
  code.localGet(LOCAL.addLimit); code.op(OP.i64Eqz); code.hint(false); code.brIf(0);
}

/** Leaves where the condition on the stack holds and an inexact result would leave a trace. */
function leaveIfTraced({ code }: UnitEmitter): void {
  code.localGet(LOCAL.multiplyLimit); code.op(OP.i64Eqz); code.op(OP.i32And); code.hint(false); code.brIf(0);
}

type PushDouble = (unit: UnitEmitter, register: number) => void;
const fromDouble: PushDouble = (unit, register) => unit.getFloat(register);
const fromSingle: PushDouble = (unit, register) => { pushSingle(unit, register); unit.code.op(OP.f64PromoteF32); };

interface IntegerForm { readonly bounds: readonly [number, number]; readonly convert: Opcode; readonly isWord?: boolean; readonly isUnsignedWord?: boolean }
const INTEGERS = {
  w: { bounds: [-(2 ** 31), 2 ** 31], convert: OP.i32TruncSatF64s, isWord: true }, l: { bounds: [-(2 ** 63), 2 ** 63], convert: OP.i64TruncSatF64s },
  wu: { bounds: [0, 2 ** 32], convert: OP.i64TruncSatF64s, isUnsignedWord: true }, lu: { bounds: [0, 2 ** 64], convert: OP.i64TruncSatF64u },
} as const satisfies Readonly<Record<string, IntegerForm>>;

/** To an integer: rounded first unless towards zero, in range by comparison with exact bounds (the open interval below and above). */
const toInteger = ({ bounds: [low, high], convert, isWord = false, isUnsignedWord = false }: IntegerForm, push: PushDouble): Emitter => (unit, { rd, rs1, rm }) => {
  const { code } = unit;
  if (rm === DYNAMIC) leaveUnlessNearest(unit);
  push(unit, rs1); code.localTee(LOCAL.term);
  code.op(rm === TOWARDS_ZERO ? OP.f64Trunc : OP.f64Nearest);
  code.localTee(LOCAL.double); code.localGet(LOCAL.term); code.op(OP.f64Ne); leaveIfTraced(unit);
  code.localGet(LOCAL.double); code.f64Const(low); code.op(OP.f64Ge);
  code.localGet(LOCAL.double); code.f64Const(high); code.op(OP.f64Lt); code.op(OP.i32And); code.op(OP.i32Eqz); code.hint(false); code.brIf(0);
  code.localGet(LOCAL.double); code.op(convert);
  if (isWord) code.op(OP.i64ExtendI32s);
  if (isUnsignedWord) { code.op(OP.i32WrapI64); code.op(OP.i64ExtendI32s); }
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

const DOUBLES: Readonly<Record<string, Emitter>> = {
  'fadd.d': doubleOperation(OP.f64Add, true), 'fsub.d': doubleOperation(OP.f64Sub, true),
  'fmul.d': doubleOperation(OP.f64Mul, false), 'fdiv.d': doubleOperation(OP.f64Div, false),
  'fsqrt.d': (unit, { rd, rs1 }) => { unit.getFloat(rs1); unit.code.op(OP.f64Sqrt); finishDouble(unit, rd, false); },
  'fmadd.d': fusedDouble(false, false), 'fmsub.d': fusedDouble(false, true), 'fnmsub.d': fusedDouble(true, false), 'fnmadd.d': fusedDouble(true, true),
  'feq.d': compareDouble(OP.f64Eq), 'flt.d': compareDouble(OP.f64Lt), 'fle.d': compareDouble(OP.f64Le),
  'fmin.d': extremeDouble(OP.f64Min), 'fmax.d': extremeDouble(OP.f64Max),
  'fcvt.w.d': toInteger(INTEGERS.w, fromDouble), 'fcvt.l.d': toInteger(INTEGERS.l, fromDouble), 'fcvt.wu.d': toInteger(INTEGERS.wu, fromDouble), 'fcvt.lu.d': toInteger(INTEGERS.lu, fromDouble),
  'fcvt.d.w': wordToDouble(OP.f64ConvertI32s), 'fcvt.d.wu': wordToDouble(OP.f64ConvertI32u), 'fcvt.d.l': longToDouble(OP.f64ConvertI64s), 'fcvt.d.lu': longToDouble(OP.f64ConvertI64u),
  'fcvt.d.s': (unit, instruction) => {
    const { code } = unit;
    const { rd, rs1 } = instruction;
    if (instruction.isLimited) leaveUnlessNearest(unit);
    pushSingle(unit, rs1);
    code.op(OP.f64PromoteF32); code.localTee(LOCAL.double); code.localGet(LOCAL.double); code.op(OP.f64Ne); code.hint(false); code.brIf(0);
    code.localGet(LOCAL.double);
    unit.setFloat(rd);
  },
};

/** Pushes a single, leaving the fast way when the register is not known to be and is not boxed. */
function pushSingle(unit: UnitEmitter, register: number): void {
  const { code } = unit;
  if ((unit.state.singles & (1 << register)) === 0) {
    pushBits(unit, register); code.i64Const(BOX); code.op(OP.i64LtU); code.hint(false); code.brIf(0);
  }
  pushBits(unit, register); code.op(OP.i32WrapI64); code.op(OP.f32ReinterpretI32);
}

/** Boxes the i32 bits on the stack into rd. */
function setSingleBits(unit: UnitEmitter, rd: number): void {
  unit.code.op(OP.i64ExtendI32u); unit.code.i64Const(BOX); unit.code.op(OP.i64Or); unit.code.op(OP.f64ReinterpretI64);
  unit.setFloat(rd);
}

function setSingle(unit: UnitEmitter, rd: number): void {
  unit.code.op(OP.i32ReinterpretF32);
  setSingleBits(unit, rd);
}

function finishSingle(unit: UnitEmitter, rd: number, isSum: boolean): void {
  const { code } = unit;
  code.localTee(LOCAL.single); code.op(OP.i32ReinterpretF32); code.i32Const(1); code.op(OP.i32Shl);
  if (!isSum) { code.i32Const(2 << 24); code.op(OP.i32Sub); }
  code.localGet(isSum ? LOCAL.singleAddLimit : LOCAL.singleMultiplyLimit); code.op(OP.i32GeU); code.brIf(0);
  code.localGet(LOCAL.single);
  setSingle(unit, rd);
}

const singleOperation = (operation: Opcode, isSum: boolean): Emitter => (unit, { rd, rs1, rs2 }) => {
  pushSingle(unit, rs1); pushSingle(unit, rs2); unit.code.op(operation);
  finishSingle(unit, rd, isSum);
};

const fusedSingle = (isProductNegative: boolean, isAddendNegative: boolean): Emitter => (unit, { rd, rs1, rs2, rs3 }) => {
  const { code } = unit;
  for (const register of [rs1, rs2]) { pushSingle(unit, register); code.op(OP.f32x4Splat); }
  pushSingle(unit, rs3);
  if (isAddendNegative) code.op(OP.f32Neg);
  code.op(OP.f32x4Splat);
  code.op(isProductNegative ? OP.f32x4RelaxedNmadd : OP.f32x4RelaxedMadd);
  code.op(OP.f32x4ExtractLane); code.byte(0);
  finishSingle(unit, rd, false);
};

const compareSingle = (operation: Opcode): Emitter => (unit, instruction) => {
  leaveUnordered(unit, (register) => pushSingle(unit, register), instruction, OP.f32Ne);
  pushSingle(unit, instruction.rs1); pushSingle(unit, instruction.rs2); unit.code.op(operation); unit.code.op(OP.i64ExtendI32u);
  unit.set(instruction.rd);
};

const extremeSingle = (operation: Opcode): Emitter => (unit, instruction) => {
  leaveUnordered(unit, (register) => pushSingle(unit, register), instruction, OP.f32Ne);
  pushSingle(unit, instruction.rs1); pushSingle(unit, instruction.rs2); unit.code.op(operation);
  setSingle(unit, instruction.rd);
};

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

const injectSingle = (isNegated: boolean, isMultiplied: boolean): Emitter => (unit, { rd, rs1, rs2 }) => {
  const { code } = unit;
  pushSingle(unit, rs1); code.op(OP.i32ReinterpretF32);
  if (!isMultiplied) { code.i32Const(0x7fffffff); code.op(OP.i32And); }
  pushSingle(unit, rs2); code.op(OP.i32ReinterpretF32);
  if (isNegated) { code.i32Const(-1); code.op(OP.i32Xor); }
  code.i32Const(-0x80000000); code.op(OP.i32And);
  code.op(isMultiplied ? OP.i32Xor : OP.i32Or);
  setSingleBits(unit, rd);
};

const SINGLES: Readonly<Record<string, Emitter>> = {
  'fadd.s': singleOperation(OP.f32Add, true), 'fsub.s': singleOperation(OP.f32Sub, true),
  'fmul.s': singleOperation(OP.f32Mul, false), 'fdiv.s': singleOperation(OP.f32Div, false),
  'fsqrt.s': (unit, { rd, rs1 }) => { pushSingle(unit, rs1); unit.code.op(OP.f32Sqrt); finishSingle(unit, rd, false); },
  'fmadd.s': fusedSingle(false, false), 'fmsub.s': fusedSingle(false, true), 'fnmsub.s': fusedSingle(true, false), 'fnmadd.s': fusedSingle(true, true),
  'feq.s': compareSingle(OP.f32Eq), 'flt.s': compareSingle(OP.f32Lt), 'fle.s': compareSingle(OP.f32Le),
  'fmin.s': extremeSingle(OP.f32Min), 'fmax.s': extremeSingle(OP.f32Max),
  'fcvt.w.s': toInteger(INTEGERS.w, fromSingle), 'fcvt.l.s': toInteger(INTEGERS.l, fromSingle), 'fcvt.wu.s': toInteger(INTEGERS.wu, fromSingle), 'fcvt.lu.s': toInteger(INTEGERS.lu, fromSingle),
  'fcvt.s.w': integerToSingle(LONGS.w, OP.f32ConvertI64s), 'fcvt.s.wu': integerToSingle(LONGS.wu, OP.f32ConvertI64s),
  'fcvt.s.l': integerToSingle(LONGS.l, OP.f32ConvertI64s), 'fcvt.s.lu': integerToSingle(LONGS.l, OP.f32ConvertI64u),
  'fsgnj.s': injectSingle(false, false), 'fsgnjn.s': injectSingle(true, false), 'fsgnjx.s': injectSingle(false, true),
  'fcvt.s.d': (unit, { rd, rs1 }) => { unit.getFloat(rs1); unit.code.op(OP.f32DemoteF64); finishSingle(unit, rd, false); },
};
