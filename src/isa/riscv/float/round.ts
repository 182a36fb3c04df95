/**
 * The one place where the reference rounds: an exact number in, the nearest representable pattern and its flags out.
 *
 * Invariants: inexact is raised exactly when the result differs from the number; overflow and underflow come only with inexact; tininess is
 * detected after rounding as if the exponent range had no end (Unpriv. ISA, "Floating-Point Control and Status Register").
 * What this does NOT do: NaN, infinity and invalid operations (arithmetic.ts decides those before).
 */
import { assert } from '../../../core/index.ts';
import { finestUnit, packFinite, packInfinity, packLargest, type Format } from './format.ts';
import { FLAG, ROUND } from './handler.ts';

/** A bit pattern (or an integer) and the flags that computing it raises. */
export interface FloatResult {
  readonly bits: bigint;
  readonly flags: number;
}

/** A nonzero exact number: (-1)^isNegative * significand * 2^exponent, significand of any length. */
export interface Exact {
  readonly isNegative: boolean;
  readonly significand: bigint;
  readonly exponent: number;
}

/** Bits of a positive integer. */
export function bitLength(value: bigint): number {
  const hex = value.toString(16);
  return (hex.length - 1) * 4 + (32 - Math.clz32(Number.parseInt(hex[0]!, 16)));
}

/** Rounds `value` to a whole number of units of 2^unit. */
export function roundToUnit(value: Exact, unit: number, rm: number): { readonly significand: bigint; readonly isInexact: boolean } {
  const shift = unit - value.exponent;
  if (shift <= 0) return { significand: value.significand << BigInt(-shift), isInexact: false };
  const kept = value.significand >> BigInt(shift);
  const rest = value.significand - (kept << BigInt(shift));
  if (rest === 0n) return { significand: kept, isInexact: false };
  const half = 1n << BigInt(shift - 1);
  return { significand: roundsAway(value.isNegative, kept, rest, half, rm) ? kept + 1n : kept, isInexact: true };
}

function roundsAway(isNegative: boolean, kept: bigint, rest: bigint, half: bigint, rm: number): boolean {
  switch (rm) {
    case ROUND.nearestEven: return rest > half || (rest === half && (kept & 1n) === 1n);
    case ROUND.toZero: return false;
    case ROUND.down: return isNegative;
    case ROUND.up: return !isNegative;
    default: return rest >= half;
  }
}

/** The pattern of `value` rounded to `format`. */
export function roundAndPack(format: Format, value: Exact, rm: number): FloatResult {
  assert(value.significand > 0n, 'only a nonzero number can be rounded');
  const { isNegative } = value;
  const leading = value.exponent + bitLength(value.significand) - 1;
  const naturalUnit = leading - (format.precision - 1);
  const unit = Math.max(naturalUnit, finestUnit(format));
  const rounded = roundToUnit(value, unit, rm);
  const result = normalizeCarry(format, rounded.significand, unit);
  if (result.exponent + format.precision - 1 > format.exponentMax) {
    return { bits: packOverflow(format, isNegative, rm), flags: FLAG.overflow | FLAG.inexact };
  }
  const bits = packFinite(format, { isNegative, ...result });
  if (!rounded.isInexact) return { bits, flags: 0 };
  return { bits, flags: isTiny(format, value, naturalUnit, rm) ? FLAG.underflow | FLAG.inexact : FLAG.inexact };
}

/** Rounding up may carry into one bit more than the precision; that bit pattern is a power of two. */
function normalizeCarry(format: Format, significand: bigint, exponent: number): { readonly significand: bigint; readonly exponent: number } {
  if (significand >> BigInt(format.precision) === 0n) return { significand, exponent };
  return { significand: significand >> 1n, exponent: exponent + 1 };
}

function isTiny(format: Format, value: Exact, naturalUnit: number, rm: number): boolean {
  const unbounded = roundToUnit(value, naturalUnit, rm).significand;
  return naturalUnit + bitLength(unbounded) - 1 < format.exponentMin;
}

function packOverflow(format: Format, isNegative: boolean, rm: number): bigint {
  const staysFinite = rm === ROUND.toZero || (rm === ROUND.down && !isNegative) || (rm === ROUND.up && isNegative);
  return staysFinite ? packLargest(format, isNegative) : packInfinity(format, isNegative);
}
