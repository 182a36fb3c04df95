/**
 * HOT PATH. Double precision add, sub, mul, div, sqrt, min, max and comparisons by host arithmetic; the argument is in fast-path.ts.
 *
 * Invariants: rounds to nearest even (fast-directed.ts does the directed modes); raises only NX; allocates nothing; any operand it is not sure about goes to the reference.
 * A sum is never inexact when it is tiny (both terms are whole multiples of the finest unit), so sums need no lower limit.
 */
import type { CpuState } from '../../cpu.ts';
import { accrueInexact, isFactorSafe, isFast, isInexactAccrued, productError, SMALLEST_NORMAL_DOUBLE, sumError } from './fast-path.ts';
import { addDirected, divideDirected, multiplyDirected, rootDirected } from './fast-directed.ts';
import type { FloatHandler } from './handler.ts';
import { referenceHandler } from './reference-handlers.ts';

const exactAdd = referenceHandler('fadd.d');
const exactSub = referenceHandler('fsub.d');
const exactMul = referenceHandler('fmul.d');
const exactDiv = referenceHandler('fdiv.d');
const exactSqrt = referenceHandler('fsqrt.d');
const exactMin = referenceHandler('fmin.d');
const exactMax = referenceHandler('fmax.d');
const exactEq = referenceHandler('feq.d');
const exactLt = referenceHandler('flt.d');
const exactLe = referenceHandler('fle.d');
const SMALLEST_NORMAL = SMALLEST_NORMAL_DOUBLE;
const SQRT_LOW = 2 ** -900;
const SQRT_HIGH = 2 ** 900;

function tryAdd(state: CpuState, rd: number, a: number, b: number, rm: number): boolean {
  if (rm !== 0) return addDirected(state, rd, a, b, rm);
  const sum = a + b;
  if (sum - sum !== 0) return false;
  if (!isInexactAccrued(state)) {
    const error = sumError(a, b, sum);
    if (error !== 0) {
      if (error - error !== 0) return false;
      accrueInexact(state);
    }
  }
  state.f64[rd] = sum;
  return true;
}

const faddD: FloatHandler = (state, rd, rs1, rs2, rs3, rm) => {
  if (!isFast || !tryAdd(state, rd, state.f64[rs1]!, state.f64[rs2]!, rm)) exactAdd(state, rd, rs1, rs2, rs3, rm);
};

const fsubD: FloatHandler = (state, rd, rs1, rs2, rs3, rm) => {
  if (!isFast || !tryAdd(state, rd, state.f64[rs1]!, -state.f64[rs2]!, rm)) exactSub(state, rd, rs1, rs2, rs3, rm);
};

function tryMultiply(state: CpuState, rd: number, a: number, b: number, rm: number): boolean {
  if (rm !== 0) return multiplyDirected(state, rd, a, b, rm);
  const product = a * b;
  const magnitude = Math.abs(product);
  if (magnitude > SMALLEST_NORMAL && magnitude < Infinity) {
    if (!isInexactAccrued(state)) {
      if (!isFactorSafe(a) || !isFactorSafe(b)) return false;
      if (productError(a, b, product) !== 0) accrueInexact(state);
    }
  } else if (product !== 0 || (a !== 0 && b !== 0)) return false;
  state.f64[rd] = product;
  return true;
}

const fmulD: FloatHandler = (state, rd, rs1, rs2, rs3, rm) => {
  if (!isFast || !tryMultiply(state, rd, state.f64[rs1]!, state.f64[rs2]!, rm)) exactMul(state, rd, rs1, rs2, rs3, rm);
};

function tryDivide(state: CpuState, rd: number, a: number, b: number, rm: number): boolean {
  if (rm !== 0) return divideDirected(state, rd, a, b, rm);
  const quotient = a / b;
  const magnitude = Math.abs(quotient);
  if (magnitude > SMALLEST_NORMAL && magnitude < Infinity) {
    if (!isInexactAccrued(state)) {
      if (!isFactorSafe(quotient) || !isFactorSafe(b)) return false;
      const product = quotient * b;
      if (product !== a || productError(quotient, b, product) !== 0) accrueInexact(state);
    }
  } else if (quotient !== 0 || a !== 0) return false;
  state.f64[rd] = quotient;
  return true;
}

const fdivD: FloatHandler = (state, rd, rs1, rs2, rs3, rm) => {
  if (!isFast || !tryDivide(state, rd, state.f64[rs1]!, state.f64[rs2]!, rm)) exactDiv(state, rd, rs1, rs2, rs3, rm);
};

function trySqrt(state: CpuState, rd: number, a: number, rm: number): boolean {
  if (rm !== 0) return rootDirected(state, rd, a, rm);
  if (!(a >= 0 && a < Infinity)) return false;
  const root = Math.sqrt(a);
  if (a !== 0 && !isInexactAccrued(state)) {
    if (!(a > SQRT_LOW && a < SQRT_HIGH)) return false;
    const square = root * root;
    if (square !== a || productError(root, root, square) !== 0) accrueInexact(state);
  }
  state.f64[rd] = root;
  return true;
}

const fsqrtD: FloatHandler = (state, rd, rs1, rs2, rs3, rm) => {
  if (!isFast || !trySqrt(state, rd, state.f64[rs1]!, rm)) exactSqrt(state, rd, rs1, rs2, rs3, rm);
};

function copy(f: Int32Array, rd: number, rs: number): void {
  const high = f[2 * rs + 1]!;
  f[2 * rd] = f[2 * rs]!;
  f[2 * rd + 1] = high;
}

// Equal operands are the same bits or zeros of two signs: the sign bit of one of them decides.
const fminD: FloatHandler = (state, rd, rs1, rs2, rs3, rm) => {
  const { f, f64 } = state;
  const a = f64[rs1]!;
  const b = f64[rs2]!;
  if (isFast && a < b) copy(f, rd, rs1);
  else if (isFast && b < a) copy(f, rd, rs2);
  else if (isFast && a === b) copy(f, rd, f[2 * rs1 + 1]! < 0 ? rs1 : rs2);
  else exactMin(state, rd, rs1, rs2, rs3, rm);
};

const fmaxD: FloatHandler = (state, rd, rs1, rs2, rs3, rm) => {
  const { f, f64 } = state;
  const a = f64[rs1]!;
  const b = f64[rs2]!;
  if (isFast && a > b) copy(f, rd, rs1);
  else if (isFast && b > a) copy(f, rd, rs2);
  else if (isFast && a === b) copy(f, rd, f[2 * rs1 + 1]! < 0 ? rs2 : rs1);
  else exactMax(state, rd, rs1, rs2, rs3, rm);
};

function putTruth(state: CpuState, rd: number, truth: boolean): void {
  if (rd === 0) return;
  state.x[2 * rd] = truth ? 1 : 0;
  state.x[2 * rd + 1] = 0;
}

const feqD: FloatHandler = (state, rd, rs1, rs2, rs3, rm) => {
  const a = state.f64[rs1]!;
  const b = state.f64[rs2]!;
  if (isFast && a === a && b === b) putTruth(state, rd, a === b);
  else exactEq(state, rd, rs1, rs2, rs3, rm);
};

const fltD: FloatHandler = (state, rd, rs1, rs2, rs3, rm) => {
  const a = state.f64[rs1]!;
  const b = state.f64[rs2]!;
  if (isFast && a === a && b === b) putTruth(state, rd, a < b);
  else exactLt(state, rd, rs1, rs2, rs3, rm);
};

const fleD: FloatHandler = (state, rd, rs1, rs2, rs3, rm) => {
  const a = state.f64[rs1]!;
  const b = state.f64[rs2]!;
  if (isFast && a === a && b === b) putTruth(state, rd, a <= b);
  else exactLe(state, rd, rs1, rs2, rs3, rm);
};

/** Mnemonic → handler. */
export const fastDoubleHandlers: Readonly<Record<string, FloatHandler>> = {
  'fadd.d': faddD, 'fsub.d': fsubD, 'fmul.d': fmulD, 'fdiv.d': fdivD, 'fsqrt.d': fsqrtD, 'fmin.d': fminD, 'fmax.d': fmaxD,
  'feq.d': feqD, 'flt.d': fltD, 'fle.d': fleD,
};
