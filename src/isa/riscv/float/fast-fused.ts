/**
 * HOT PATH. Fused multiply-add in single and double precision without a host instruction for it, by error-free transformations.
 *
 * Double: a * b = product + low exactly (Dekker); low + c and product + that are split exactly (TwoSum); the two errors are added with rounding
 * to odd, and one last addition rounds to nearest: Boldo and Melquiond, "Emulation of FMA and correctly rounded sums: proved algorithms
 * using rounding to odd". Valid while nothing over- or underflows, which the limits below guarantee.
 * Single: the product is exact in double; product + c is rounded to odd in double, then to single.
 * Invariants: rounds to nearest even (fast-directed.ts does the directed modes); raises only NX; allocates nothing; anything else goes to the reference.
 */
import type { CpuState } from '../../cpu.ts';
import {
  accrueInexact, isFactorSafe, isFast, isInexactAccrued, productError, roundToOdd, SMALLEST_NORMAL_SINGLE, sumError,
} from './fast-path.ts';
import { putDouble, putNearest } from './fast-directed.ts';
import type { FloatHandler } from './handler.ts';
import { referenceHandler } from './reference-handlers.ts';

const exactMaddS = referenceHandler('fmadd.s');
const exactMsubS = referenceHandler('fmsub.s');
const exactNmsubS = referenceHandler('fnmsub.s');
const exactNmaddS = referenceHandler('fnmadd.s');
const exactMaddD = referenceHandler('fmadd.d');
const exactMsubD = referenceHandler('fmsub.d');
const exactNmsubD = referenceHandler('fnmsub.d');
const exactNmaddD = referenceHandler('fnmadd.d');
const SMALLEST_NORMAL = SMALLEST_NORMAL_SINGLE;
/** Safe factors make products of 2^-960 to 2^960; with the addend below this no sum overflows. */
export const ADDEND_HIGH = 2 ** 1000;
/** Results at least this large have all their error terms in range. */
export const RESULT_LOW = 2 ** -900;

function tryDouble(state: CpuState, rd: number, a: number, b: number, c: number, rm: number): boolean {
  const product = a * b;
  if (a === 0 || b === 0) {
    // The product is an exact zero, or NaN from an infinity.
    const sum = product + c;
    if (rm !== 0 || sum - sum !== 0) return false;
    state.f64[rd] = sum;
    return true;
  }
  if (!isFactorSafe(a) || !isFactorSafe(b) || !(Math.abs(c) < ADDEND_HIGH)) return false;
  const low = productError(a, b, product);
  const tail = low + c;
  const tailError = sumError(low, c, tail);
  const head = product + tail;
  const headError = sumError(product, tail, head);
  let rest = tailError + headError;
  const restError = sumError(tailError, headError, rest);
  if (restError !== 0) rest = roundToOdd(rest, restError);
  const result = head + rest;
  if (rm !== 0) {
    const error = sumError(head, rest, result);
    return (error !== 0 || restError === 0) && putDouble(state, rd, result, error, rm); // Else what rounding to odd has moved decides.
  }
  if (Math.abs(result) < RESULT_LOW && (result !== 0 || rest !== 0)) return false;
  if (!isInexactAccrued(state) && (restError !== 0 || sumError(head, rest, result) !== 0)) accrueInexact(state);
  state.f64[rd] = result;
  return true;
}

const fmaddD: FloatHandler = (state, rd, rs1, rs2, rs3, rm) => {
  const { f64 } = state;
  if (!isFast || !tryDouble(state, rd, f64[rs1]!, f64[rs2]!, f64[rs3]!, rm)) exactMaddD(state, rd, rs1, rs2, rs3, rm);
};
const fmsubD: FloatHandler = (state, rd, rs1, rs2, rs3, rm) => {
  const { f64 } = state;
  if (!isFast || !tryDouble(state, rd, f64[rs1]!, f64[rs2]!, -f64[rs3]!, rm)) exactMsubD(state, rd, rs1, rs2, rs3, rm);
};
const fnmsubD: FloatHandler = (state, rd, rs1, rs2, rs3, rm) => {
  const { f64 } = state;
  if (!isFast || !tryDouble(state, rd, -f64[rs1]!, f64[rs2]!, f64[rs3]!, rm)) exactNmsubD(state, rd, rs1, rs2, rs3, rm);
};
const fnmaddD: FloatHandler = (state, rd, rs1, rs2, rs3, rm) => {
  const { f64 } = state;
  if (!isFast || !tryDouble(state, rd, -f64[rs1]!, f64[rs2]!, -f64[rs3]!, rm)) exactNmaddD(state, rd, rs1, rs2, rs3, rm);
};

function trySingle(state: CpuState, rd: number, a: number, b: number, c: number, rm: number): boolean {
  const product = a * b;
  let sum = product + c;
  const error = sumError(product, c, sum);
  if (rm !== 0) return putNearest(state, rd, sum, error, rm);
  if (error !== 0) {
    if (error !== error) return false;
    sum = roundToOdd(sum, error);
  }
  const result = Math.fround(sum);
  const magnitude = Math.abs(result);
  if (magnitude > SMALLEST_NORMAL && magnitude < Infinity) {
    // A sum that was rounded to odd has its lowest bit set, so it is no single.
    if (result !== sum) accrueInexact(state);
  } else if (sum !== 0) return false;
  state.f32[2 * rd] = result;
  state.f[2 * rd + 1] = -1;
  return true;
}

function areBoxed(f: Int32Array, rs1: number, rs2: number, rs3: number): boolean {
  return (f[2 * rs1 + 1]! & f[2 * rs2 + 1]! & f[2 * rs3 + 1]!) === -1;
}

const fmaddS: FloatHandler = (state, rd, rs1, rs2, rs3, rm) => {
  const { f, f32 } = state;
  if (!isFast || !areBoxed(f, rs1, rs2, rs3) || !trySingle(state, rd, f32[2 * rs1]!, f32[2 * rs2]!, f32[2 * rs3]!, rm)) {
    exactMaddS(state, rd, rs1, rs2, rs3, rm);
  }
};
const fmsubS: FloatHandler = (state, rd, rs1, rs2, rs3, rm) => {
  const { f, f32 } = state;
  if (!isFast || !areBoxed(f, rs1, rs2, rs3) || !trySingle(state, rd, f32[2 * rs1]!, f32[2 * rs2]!, -f32[2 * rs3]!, rm)) {
    exactMsubS(state, rd, rs1, rs2, rs3, rm);
  }
};
const fnmsubS: FloatHandler = (state, rd, rs1, rs2, rs3, rm) => {
  const { f, f32 } = state;
  if (!isFast || !areBoxed(f, rs1, rs2, rs3) || !trySingle(state, rd, -f32[2 * rs1]!, f32[2 * rs2]!, f32[2 * rs3]!, rm)) {
    exactNmsubS(state, rd, rs1, rs2, rs3, rm);
  }
};
const fnmaddS: FloatHandler = (state, rd, rs1, rs2, rs3, rm) => {
  const { f, f32 } = state;
  if (!isFast || !areBoxed(f, rs1, rs2, rs3) || !trySingle(state, rd, -f32[2 * rs1]!, f32[2 * rs2]!, -f32[2 * rs3]!, rm)) {
    exactNmaddS(state, rd, rs1, rs2, rs3, rm);
  }
};

/** Mnemonic → handler. */
export const fastFusedHandlers: Readonly<Record<string, FloatHandler>> = {
  'fmadd.s': fmaddS, 'fmsub.s': fmsubS, 'fnmsub.s': fnmsubS, 'fnmadd.s': fnmaddS,
  'fmadd.d': fmaddD, 'fmsub.d': fmsubD, 'fnmsub.d': fnmsubD, 'fnmadd.d': fnmaddD,
};
