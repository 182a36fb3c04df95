/**
 * HOT PATH. Conversions between integers, singles and doubles by host arithmetic.
 *
 * Invariants: every integer result is computed from a double that holds the rounded number exactly, in all five rounding modes; conversions to
 * floating point round only to nearest even, or are exact; raises only NX; allocates nothing; NaN, infinity, saturation and unboxed singles
 * go to the reference. x0 is never written; 32-bit results are sign-extended.
 */
import type { CpuState } from '../../cpu.ts';
import { accrueInexact, isFast, SMALLEST_NORMAL_SINGLE, sumError } from './fast-path.ts';
import { ROUND, type FloatHandler } from './handler.ts';
import { referenceHandler } from './reference-handlers.ts';

const TWO_31 = 2 ** 31;
const TWO_32 = 2 ** 32;
const TWO_63 = 2 ** 63;
const TWO_64 = 2 ** 64;
const SMALLEST_NORMAL = SMALLEST_NORMAL_SINGLE;
const NEAREST_EVEN: number = ROUND.nearestEven;
const TO_ZERO: number = ROUND.toZero;
const DOWN: number = ROUND.down;
const UP: number = ROUND.up;

/** `value` as a whole number. The fraction value - trunc(value) is exact. */
function roundWhole(value: number, rm: number): number {
  if (rm === TO_ZERO) return Math.trunc(value);
  if (rm === DOWN) return Math.floor(value);
  if (rm === UP) return Math.ceil(value);
  const whole = Math.trunc(value);
  const fraction = Math.abs(value - whole);
  // A number with a half is below 2^52, so that whole % 2 tells odd from even.
  const roundsAway = fraction > 0.5 || (fraction === 0.5 && (rm !== NEAREST_EVEN || whole % 2 !== 0));
  if (!roundsAway) return whole;
  return value < 0 ? whole - 1 : whole + 1;
}

/** Each of these answers false when `value` is NaN or out of range after rounding. */
function toWord(state: CpuState, rd: number, value: number, rm: number): boolean {
  const whole = roundWhole(value, rm);
  if (!(whole >= -TWO_31 && whole < TWO_31)) return false;
  putWord(state, rd, whole | 0, whole !== value);
  return true;
}

function toUnsignedWord(state: CpuState, rd: number, value: number, rm: number): boolean {
  const whole = roundWhole(value, rm);
  if (!(whole >= 0 && whole < TWO_32)) return false;
  putWord(state, rd, whole | 0, whole !== value);
  return true;
}

function toLong(state: CpuState, rd: number, value: number, rm: number): boolean {
  const whole = roundWhole(value, rm);
  if (!(whole >= -TWO_63 && whole < TWO_63)) return false;
  putLong(state, rd, whole, whole !== value);
  return true;
}

function toUnsignedLong(state: CpuState, rd: number, value: number, rm: number): boolean {
  const whole = roundWhole(value, rm);
  if (!(whole >= 0 && whole < TWO_64)) return false;
  putLong(state, rd, whole, whole !== value);
  return true;
}

function putWord(state: CpuState, rd: number, word: number, isInexact: boolean): void {
  if (isInexact) accrueInexact(state);
  if (rd === 0) return;
  state.x[2 * rd] = word;
  state.x[2 * rd + 1] = word >> 31;
}

function putLong(state: CpuState, rd: number, whole: number, isInexact: boolean): void {
  if (isInexact) accrueInexact(state);
  if (rd === 0) return;
  const high = Math.floor(whole / TWO_32);
  state.x[2 * rd] = (whole - high * TWO_32) | 0;
  state.x[2 * rd + 1] = high | 0;
}

const exactWD = referenceHandler('fcvt.w.d');
const exactWuD = referenceHandler('fcvt.wu.d');
const exactLD = referenceHandler('fcvt.l.d');
const exactLuD = referenceHandler('fcvt.lu.d');
const exactWS = referenceHandler('fcvt.w.s');
const exactWuS = referenceHandler('fcvt.wu.s');
const exactLS = referenceHandler('fcvt.l.s');
const exactLuS = referenceHandler('fcvt.lu.s');

const fcvtWD: FloatHandler = (state, rd, rs1, rs2, rs3, rm) => {
  if (!isFast || !toWord(state, rd, state.f64[rs1]!, rm)) exactWD(state, rd, rs1, rs2, rs3, rm);
};
const fcvtWuD: FloatHandler = (state, rd, rs1, rs2, rs3, rm) => {
  if (!isFast || !toUnsignedWord(state, rd, state.f64[rs1]!, rm)) exactWuD(state, rd, rs1, rs2, rs3, rm);
};
const fcvtLD: FloatHandler = (state, rd, rs1, rs2, rs3, rm) => {
  if (!isFast || !toLong(state, rd, state.f64[rs1]!, rm)) exactLD(state, rd, rs1, rs2, rs3, rm);
};
const fcvtLuD: FloatHandler = (state, rd, rs1, rs2, rs3, rm) => {
  if (!isFast || !toUnsignedLong(state, rd, state.f64[rs1]!, rm)) exactLuD(state, rd, rs1, rs2, rs3, rm);
};
const fcvtWS: FloatHandler = (state, rd, rs1, rs2, rs3, rm) => {
  if (!isFast || !isBoxed(state, rs1) || !toWord(state, rd, state.f32[2 * rs1]!, rm)) exactWS(state, rd, rs1, rs2, rs3, rm);
};
const fcvtWuS: FloatHandler = (state, rd, rs1, rs2, rs3, rm) => {
  if (!isFast || !isBoxed(state, rs1) || !toUnsignedWord(state, rd, state.f32[2 * rs1]!, rm)) exactWuS(state, rd, rs1, rs2, rs3, rm);
};
const fcvtLS: FloatHandler = (state, rd, rs1, rs2, rs3, rm) => {
  if (!isFast || !isBoxed(state, rs1) || !toLong(state, rd, state.f32[2 * rs1]!, rm)) exactLS(state, rd, rs1, rs2, rs3, rm);
};
const fcvtLuS: FloatHandler = (state, rd, rs1, rs2, rs3, rm) => {
  if (!isFast || !isBoxed(state, rs1) || !toUnsignedLong(state, rd, state.f32[2 * rs1]!, rm)) exactLuS(state, rd, rs1, rs2, rs3, rm);
};

function isBoxed(state: CpuState, index: number): boolean {
  return state.f[2 * index + 1] === -1;
}

function putSingle(state: CpuState, rd: number, value: number): void {
  state.f32[2 * rd] = value;
  state.f[2 * rd + 1] = -1;
}

/** Every 32-bit integer is a double, in every rounding mode, without a flag. */
const fcvtDW: FloatHandler = (state, rd, rs1, rs2, rs3, rm) => {
  if (isFast) state.f64[rd] = state.x[2 * rs1]!;
  else exactDW(state, rd, rs1, rs2, rs3, rm);
};
const fcvtDWu: FloatHandler = (state, rd, rs1, rs2, rs3, rm) => {
  if (isFast) state.f64[rd] = state.x[2 * rs1]! >>> 0;
  else exactDWu(state, rd, rs1, rs2, rs3, rm);
};
const exactDW = referenceHandler('fcvt.d.w');
const exactDWu = referenceHandler('fcvt.d.wu');
const exactDL = referenceHandler('fcvt.d.l');
const exactDLu = referenceHandler('fcvt.d.lu');
const exactSW = referenceHandler('fcvt.s.w');
const exactSWu = referenceHandler('fcvt.s.wu');
const exactSL = referenceHandler('fcvt.s.l');
const exactSLu = referenceHandler('fcvt.s.lu');

/** Both parts are exact doubles, so their sum is the integer rounded once. */
function longToDouble(state: CpuState, rd: number, upper: number, low: number, rm: number): boolean {
  const sum = upper + low;
  if (sumError(upper, low, sum) !== 0) {
    if (rm !== NEAREST_EVEN) return false;
    accrueInexact(state);
  }
  state.f64[rd] = sum;
  return true;
}

const fcvtDL: FloatHandler = (state, rd, rs1, rs2, rs3, rm) => {
  const { x } = state;
  if (!isFast || !longToDouble(state, rd, x[2 * rs1 + 1]! * TWO_32, x[2 * rs1]! >>> 0, rm)) exactDL(state, rd, rs1, rs2, rs3, rm);
};
const fcvtDLu: FloatHandler = (state, rd, rs1, rs2, rs3, rm) => {
  const { x } = state;
  if (!isFast || !longToDouble(state, rd, (x[2 * rs1 + 1]! >>> 0) * TWO_32, x[2 * rs1]! >>> 0, rm)) exactDLu(state, rd, rs1, rs2, rs3, rm);
};

/** `upper` + `low` is the integer; beyond 53 bits it is no double and the reference converts it. */
function integerToSingle(state: CpuState, rd: number, upper: number, low: number, rm: number): boolean {
  const value = upper + low;
  if (sumError(upper, low, value) !== 0) return false;
  const result = Math.fround(value);
  if (result !== value) {
    if (rm !== NEAREST_EVEN) return false;
    accrueInexact(state);
  }
  putSingle(state, rd, result);
  return true;
}

const fcvtSW: FloatHandler = (state, rd, rs1, rs2, rs3, rm) => {
  if (!isFast || !integerToSingle(state, rd, 0, state.x[2 * rs1]!, rm)) exactSW(state, rd, rs1, rs2, rs3, rm);
};
const fcvtSWu: FloatHandler = (state, rd, rs1, rs2, rs3, rm) => {
  if (!isFast || !integerToSingle(state, rd, 0, state.x[2 * rs1]! >>> 0, rm)) exactSWu(state, rd, rs1, rs2, rs3, rm);
};
const fcvtSL: FloatHandler = (state, rd, rs1, rs2, rs3, rm) => {
  const { x } = state;
  if (!isFast || !integerToSingle(state, rd, x[2 * rs1 + 1]! * TWO_32, x[2 * rs1]! >>> 0, rm)) exactSL(state, rd, rs1, rs2, rs3, rm);
};
const fcvtSLu: FloatHandler = (state, rd, rs1, rs2, rs3, rm) => {
  const { x } = state;
  if (!isFast || !integerToSingle(state, rd, (x[2 * rs1 + 1]! >>> 0) * TWO_32, x[2 * rs1]! >>> 0, rm)) exactSLu(state, rd, rs1, rs2, rs3, rm);
};

const exactSD = referenceHandler('fcvt.s.d');
const exactDS = referenceHandler('fcvt.d.s');

function narrow(state: CpuState, rd: number, value: number): boolean {
  const result = Math.fround(value);
  const magnitude = Math.abs(result);
  if (magnitude > SMALLEST_NORMAL && magnitude < Infinity) {
    if (result !== value) accrueInexact(state);
  } else if (value !== 0) return false;
  putSingle(state, rd, result);
  return true;
}

const fcvtSD: FloatHandler = (state, rd, rs1, rs2, rs3, rm) => {
  if (rm !== 0 || !isFast || !narrow(state, rd, state.f64[rs1]!)) exactSD(state, rd, rs1, rs2, rs3, rm);
};

/** Exact for every number; only NaN needs its bits looked at. */
const fcvtDS: FloatHandler = (state, rd, rs1, rs2, rs3, rm) => {
  const value = state.f32[2 * rs1]!;
  if (isFast && isBoxed(state, rs1) && value === value) state.f64[rd] = value;
  else exactDS(state, rd, rs1, rs2, rs3, rm);
};

/** Mnemonic → handler. */
export const fastConvertHandlers: Readonly<Record<string, FloatHandler>> = {
  'fcvt.w.d': fcvtWD, 'fcvt.wu.d': fcvtWuD, 'fcvt.l.d': fcvtLD, 'fcvt.lu.d': fcvtLuD,
  'fcvt.w.s': fcvtWS, 'fcvt.wu.s': fcvtWuS, 'fcvt.l.s': fcvtLS, 'fcvt.lu.s': fcvtLuS,
  'fcvt.d.w': fcvtDW, 'fcvt.d.wu': fcvtDWu, 'fcvt.d.l': fcvtDL, 'fcvt.d.lu': fcvtDLu,
  'fcvt.s.w': fcvtSW, 'fcvt.s.wu': fcvtSWu, 'fcvt.s.l': fcvtSL, 'fcvt.s.lu': fcvtSLu,
  'fcvt.s.d': fcvtSD, 'fcvt.d.s': fcvtDS,
};
