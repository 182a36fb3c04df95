/**
 * Floating point on host arithmetic, where the result and the flags are certain to be the ISA's; everything else calls the interpreter's function.
 *
 * With rounding to nearest even and the inexact flag already raised, an operation whose result is a normal number changes no flag and is what the host
 * computes. So the limits, made from fcsr, bound a result's bits without sign:
 *
 *   add, subtract          bits * 2 < 0x7ff * 2^53        any finite result (tiny sums are exact)
 *   multiply, divide, ...  bits * 2 - 2 * 2^53 < 0x7fd * 2^53        exponents 2 to 0x7fe: normal, and not rounded up from a tiny number
 *
 * In nearest even without the flag they are 1 and 0: a sum that is zero passes. What does not pass may be proved exact (exact.ts), or be tiny, infinite or no
 * number (emit-special.ts). In another mode both are 0, nothing passes, nothing is proved: the first says whether the mode is nearest even, the second whether
 * an inexact result leaves no trace.
 *
 * Singles likewise with 32 bits. A single that is not boxed is a NaN: the interpreter's function. Float registers are f64 locals, moved bit for bit.
 * What this does NOT do: directed rounding modes, results that raise underflow, overflow or inexact.
 */
import { OP, TYPE, type Opcode } from '../../../wasm/index.ts';
import { CONTROL, controlAddress } from '../../cpu.ts';
import { FLAG } from '../float/handler.ts';
import type { UnitEmitter } from './emit-unit.ts';
import { copyRegisters, LIMITS_BIT } from './dataflow.ts';
import { COMPARISONS } from './emit-compare.ts';
import { CONVERSIONS, demoteSpecial } from './emit-convert.ts';
import { DYNAMIC, floatWay } from './float-needs.ts';
import { BOX, pushAsBits, pushBits, pushSingle, setSingle, setSingleBits, type Emitter } from './float-values.ts';
import type { Instruction } from './instruction.ts';
import { emitExact, isProvable } from './exact.ts';
import { NATURE } from './emit-special.ts';
import { HELPER, LOCAL, OWN } from './layout.ts';

const FRM_MASK = 0xe0;
/** Operations whose result is in `double` or `single` when it has been refused, and what `slow` wants to know of them. */
const ARITHMETIC: Readonly<Record<string, number>> = Object.fromEntries((['s', 'd'] as const).flatMap((suffix) => {
  const width = suffix === 's' ? NATURE.single : 0;
  return [
    ...['fadd', 'fsub', 'fmul'].map((name) => [`${name}.${suffix}`, width]), [`fsqrt.${suffix}`, width | NATURE.unary], [`fdiv.${suffix}`, width | NATURE.divide],
    ...['fmadd', 'fmsub', 'fnmsub', 'fnmadd'].map((name) => [`${name}.${suffix}`, width | NATURE.fused]),
  ];
}));

/** Makes the limits from fcsr. */
export function emitLimits({ code, layout }: UnitEmitter): void {
  code.i32Const(0); code.access(OP.i32Load, 2, controlAddress(layout.registers, CONTROL.fcsr)); code.localTee(LOCAL.address);
  code.i32Const(FRM_MASK); code.op(OP.i32And); code.op(OP.i32Eqz);
  code.localGet(LOCAL.address); code.i32Const(FLAG.inexact); code.op(OP.i32And); code.op(OP.i32And);
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
  const fast = DOUBLES[mnemonic] ?? SINGLES[mnemonic] ?? COMPARISONS[mnemonic] ?? CONVERSIONS[mnemonic];
  if (fast === undefined || floatWay(instruction.row, instruction.rm) === 'called' || (format === 'FloatFusedRounded' && !unit.layout.hasFused)) return emitCall(unit, instruction, false);
  const ways = [fast];
  if (isProvable(instruction, unit.layout.hasFused)) ways.push(proveExact);
  if (mnemonic === 'fcvt.s.d') ways.push(demoteSpecial);
  unit.openBlock();
  const done = unit.depth - 1;
  for (const _ of ways) unit.openBlock();
  const before = copyRegisters(unit.state);
  for (const way of ways) { // Each leaves for the next one.
    way(unit, instruction);
    unit.code.br(unit.relative(done));
    unit.close();
    unit.state = copyRegisters(before);
  }
  emitCall(unit, instruction, true);
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

/**
 * Through the interpreter's function, or first through `slow`, where the host has computed a result. Flags may be raised, so the limits are made again where they are
 * kept.
 */
function emitCall(unit: UnitEmitter, instruction: Instruction, isComputed: boolean): void {
  const { code } = unit;
  const { operation, rd, rs1, rs2, rs3, rm, writes, floatWrites } = instruction;
  const isRounded = instruction.row.format.endsWith('Rounded');
  for (let register = 0; register < 32; register++) {
    if ((instruction.reads & (1 << register)) !== 0) unit.store(register);
    if ((instruction.floatReads & (1 << register)) !== 0) unit.storeFloat(register);
  }
  const nature = ARITHMETIC[instruction.row.mnemonic];
  code.i32Const(operation); code.i32Const(rd | (rs1 << 5) | (rs2 << 10) | (rs3 << 15) | (nature ?? 0)); code.i32Const(rm);
  if (nature === undefined || !isComputed) code.call(HELPER.float);
  else {
    const isSingle = (nature & NATURE.single) !== 0;
    code.localGet(isSingle ? LOCAL.single : LOCAL.double); pushAsBits(unit, isSingle);
    code.call(OWN.slow);
  }
  if (isRounded && rm === DYNAMIC) {
    code.op(OP.i32Eqz);
    unit.leaveIf();
  } else code.op(OP.drop);
  if (writes !== 0) { unit.load(rd); unit.noteSet(rd); }
  if (floatWrites !== 0) { unit.loadFloat(rd); unit.noteFloatSet(rd); }
  if (isRounded && (unit.state.available & LIMITS_BIT) !== 0) emitLimits(unit);
}

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
  code.localSet(LOCAL.double);
  if (unit.context.isExact) { code.localGet(LOCAL.multiplyLimit); code.op(OP.i64Eqz); code.hint(true); code.brIf(0); }
  code.localGet(LOCAL.double); code.op(OP.i64ReinterpretF64); code.i64ConstSmall(1); code.op(OP.i64Shl);
  if (!isSum) { code.i64Const(2n << 53n); code.op(OP.i64Sub); }
  code.localGet(isSum ? LOCAL.addLimit : LOCAL.multiplyLimit); code.op(OP.i64GeU); code.hint(false); code.brIf(0);
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

const DOUBLES: Readonly<Record<string, Emitter>> = {
  'fadd.d': doubleOperation(OP.f64Add, true), 'fsub.d': doubleOperation(OP.f64Sub, true),
  'fmul.d': doubleOperation(OP.f64Mul, false), 'fdiv.d': doubleOperation(OP.f64Div, false),
  'fsqrt.d': (unit, { rd, rs1 }) => { unit.getFloat(rs1); unit.code.op(OP.f64Sqrt); finishDouble(unit, rd, false); },
  'fmadd.d': fusedDouble(false, false), 'fmsub.d': fusedDouble(false, true), 'fnmsub.d': fusedDouble(true, false), 'fnmadd.d': fusedDouble(true, true),
};

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
  'fsgnj.s': injectSingle(false, false), 'fsgnjn.s': injectSingle(true, false), 'fsgnjx.s': injectSingle(false, true),
  'fcvt.s.d': (unit, { rd, rs1 }) => { unit.getFloat(rs1); unit.code.op(OP.f32DemoteF64); finishSingle(unit, rd, false); },
};
