/**
 * HOT PATH. Arithmetic rounded towards zero, down and up: the host rounds to nearest even, the sign of what that left off says whether the neighbour is the
 * result. Interval arithmetic lives of it.
 *
 *   exact = rounded + error      towards zero, down, up: one step from `rounded` where error goes that way
 *
 * Singles are computed in double (see fast-single.ts), so what is left off is the difference of the double and the single, or the double's own error.
 * Invariants: results far from over- and underflow, never zero (its sign depends on the mode); raises only NX; allocates nothing; anything else goes to the reference.
 * What this does NOT do: ties away from zero; split fused operations (fast-fused.ts).
 */
import type { CpuState } from '../../cpu.ts';
import { accrueInexact, isFactorSafe, productError, sumError } from './fast-path.ts';

const DOWN = 2;
const UP = 3;
const DOUBLE_LOW = 2 ** -900;
const DOUBLE_HIGH = 2 ** 900;
const SINGLE_LOW = 2 ** -120;
const SINGLE_HIGH = 2 ** 120;

const double = new Float64Array(1);
const doubleHalves = new Int32Array(double.buffer);
const single = new Float32Array(1);
const singleBits = new Int32Array(single.buffer);

/** Whether `rounded` lies on the wrong side of the exact value: -1 nearer to zero, 1 farther, 0 it is right. `error`: not zero. */
function stepOf(rounded: number, error: number, rm: number): number {
  const isAbove = error < 0;
  if (rm === DOWN ? !isAbove : rm === UP ? isAbove : isAbove !== rounded > 0) return 0;
  return isAbove === rounded > 0 ? -1 : 1;
}

/** Puts the double of exact = rounded + error; false: not sure, or a mode that is not done here. */
export function putDouble(state: CpuState, rd: number, rounded: number, error: number, rm: number): boolean {
  const magnitude = Math.abs(rounded);
  if (rm > UP || !(magnitude > DOUBLE_LOW && magnitude < DOUBLE_HIGH) || error !== error) return false;
  if (error === 0) {
    state.f64[rd] = rounded;
    return true;
  }
  accrueInexact(state);
  double[0] = rounded;
  const step = stepOf(rounded, error, rm);
  if (step !== 0) {
    const low = doubleHalves[0]!;
    doubleHalves[0] = low + step;
    if (step > 0 ? low === -1 : low === 0) doubleHalves[1] = doubleHalves[1]! + step;
  }
  state.f64[rd] = double[0]!;
  return true;
}

function putSingle(state: CpuState, rd: number, rounded: number, error: number, rm: number): boolean {
  const magnitude = Math.abs(rounded);
  if (rm > UP || !(magnitude > SINGLE_LOW && magnitude < SINGLE_HIGH)) return false;
  single[0] = rounded;
  if (error !== 0) {
    accrueInexact(state);
    singleBits[0] = singleBits[0]! + stepOf(rounded, error, rm);
  }
  state.f[2 * rd] = singleBits[0]!;
  state.f[2 * rd + 1] = -1;
  return true;
}

export function addDirected(state: CpuState, rd: number, a: number, b: number, rm: number): boolean {
  const sum = a + b;
  return putDouble(state, rd, sum, sumError(a, b, sum), rm);
}

export function multiplyDirected(state: CpuState, rd: number, a: number, b: number, rm: number): boolean {
  if (!isFactorSafe(a) || !isFactorSafe(b)) return false;
  const product = a * b;
  return putDouble(state, rd, product, productError(a, b, product), rm);
}

/** What is left of a when quotient * b is taken from it: exact, for the two lie close together. */
function remainder(a: number, quotient: number, b: number): number {
  const product = quotient * b;
  return (a - product) - productError(quotient, b, product);
}

export function divideDirected(state: CpuState, rd: number, a: number, b: number, rm: number): boolean {
  const quotient = a / b;
  if (!isFactorSafe(quotient) || !isFactorSafe(b)) return false;
  const rest = remainder(a, quotient, b);
  return putDouble(state, rd, quotient, b > 0 ? rest : -rest, rm);
}

export function rootDirected(state: CpuState, rd: number, a: number, rm: number): boolean {
  if (!isFactorSafe(a) || a < 0) return false;
  const root = Math.sqrt(a);
  return putDouble(state, rd, root, remainder(a, root, root), rm);
}

/** The single of exact = value + error, where `error` is less than any bit of the double `value`. */
export function putNearest(state: CpuState, rd: number, value: number, error: number, rm: number): boolean {
  const rounded = Math.fround(value);
  const difference = value - rounded;
  return putSingle(state, rd, rounded, difference !== 0 ? difference : error, rm);
}

export function addSingleDirected(state: CpuState, rd: number, a: number, b: number, rm: number): boolean {
  const sum = a + b;
  return putNearest(state, rd, sum, sumError(a, b, sum), rm);
}

export function multiplySingleDirected(state: CpuState, rd: number, a: number, b: number, rm: number): boolean {
  return putNearest(state, rd, a * b, 0, rm);
}

export function divideSingleDirected(state: CpuState, rd: number, a: number, b: number, rm: number): boolean {
  const quotient = Math.fround(a / b);
  const rest = a - quotient * b;
  return putSingle(state, rd, quotient, b > 0 ? rest : -rest, rm);
}

export function rootSingleDirected(state: CpuState, rd: number, a: number, rm: number): boolean {
  if (!(a > 0)) return false;
  const root = Math.fround(Math.sqrt(a));
  return putSingle(state, rd, root, a - root * root, rm);
}
