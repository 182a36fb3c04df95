/**
 * HOT PATH. What the fast paths share: their switch, the limits of their proofs, and error-free transformations.
 *
 * The idea: host arithmetic on JS numbers is IEEE 754 double precision, round to nearest even (ECMAScript, "Number::add" and so on). Where the
 * result is finite and, for operations that can lose bits to a small exponent, strictly above the smallest normal number, the only flag it
 * can raise is NX; an error-free transformation says whether it does. Everything else (NaN, infinity, tiny results, ties away from zero)
 * goes to the reference; fast-directed.ts has the directed modes. A NaN may be read into a JS number, but only to find that it is one: the reference then looks at the bits.
 * Math.sqrt is correctly rounded in V8 (the processor's instruction); test/isa/float-native.test.ts checks it on the host.
 */
import { CONTROL, type CpuState } from '../../cpu.ts';
import { FLAG } from './handler.ts';

/** Read by every fast path. A live binding: false sends everything to the reference. */
export let isFast = true;

/** Switches all fast paths on or off; results never change. For tests and for finding faults. */
export function setFastPaths(isEnabled: boolean): void {
  isFast = isEnabled;
}

export const SMALLEST_NORMAL_DOUBLE = 2 ** -1022;
export const SMALLEST_NORMAL_SINGLE = 2 ** -126;
/** Between these magnitudes a product of two doubles and its rounding error are both exact (Dekker), nothing over- or underflows. */
export const FACTOR_LOW = 2 ** -480;
export const FACTOR_HIGH = 2 ** 480;
/** Veltkamp's constant for 53 bits: splits a double in two halves of 26 bits. */
const SPLIT = 2 ** 27 + 1;

const FCSR: number = CONTROL.fcsr;
const NX: number = FLAG.inexact;

export function isInexactAccrued(state: CpuState): boolean {
  return (state.control[FCSR]! & NX) !== 0;
}

export function accrueInexact(state: CpuState): void {
  state.control[FCSR] = state.control[FCSR]! | NX;
}

/** a + b - sum, exactly, where sum = fl(a + b) is finite (Knuth's TwoSum). NaN when an intermediate overflows. */
export function sumError(a: number, b: number, sum: number): number {
  const part = sum - a;
  return (a - (sum - part)) + (b - part);
}

/** True where productError(a, b) is exact. */
export function isFactorSafe(a: number): boolean {
  const magnitude = Math.abs(a);
  return magnitude > FACTOR_LOW && magnitude < FACTOR_HIGH;
}

/** a * b - product, exactly, where product = fl(a * b) and both factors are safe (Dekker's product). */
export function productError(a: number, b: number, product: number): number {
  const aScaled = SPLIT * a;
  const aHigh = aScaled - (aScaled - a);
  const aLow = a - aHigh;
  const bScaled = SPLIT * b;
  const bHigh = bScaled - (bScaled - b);
  const bLow = b - bHigh;
  return ((aHigh * bHigh - product) + aHigh * bLow + aLow * bHigh) + aLow * bLow;
}

const oddNumber = new Float64Array(1);
const oddHalves = new Int32Array(oddNumber.buffer);

/**
 * The double next to `rounded` that has an odd significand, towards the exact value rounded + error: rounding to odd. Rounding that once more
 * to fewer bits gives what rounding the exact value would have (Boldo and Melquiond). `rounded` is not zero, `error` is not zero.
 */
export function roundToOdd(rounded: number, error: number): number {
  oddNumber[0] = rounded;
  const low = oddHalves[0]!;
  if ((low & 1) !== 0) return rounded;
  if ((error > 0) === (rounded > 0)) oddHalves[0] = low | 1;
  else {
    oddHalves[0] = low - 1;
    if (low === 0) oddHalves[1] = oddHalves[1]! - 1;
  }
  return oddNumber[0]!;
}
