/**
 * Reference conversions between integers and floating point (fcvt.*.w, .wu, .l, .lu and back).
 *
 * Invariants: a number outside the integer's range after rounding saturates and raises invalid, never inexact; NaN counts as above the range.
 * What this does NOT do: sign-extend or write registers (registers.ts).
 */
import { unpack, type Format } from './format.ts';
import { FLAG } from './handler.ts';
import { roundAndPack, roundToUnit, type FloatResult } from './round.ts';

/** An integer type of the conversions. Values are mathematical integers. */
export interface IntegerType {
  readonly name: 'w' | 'wu' | 'l' | 'lu';
  readonly width: 32 | 64;
  readonly isSigned: boolean;
}

export const INTEGER_TYPES: readonly IntegerType[] = [
  { name: 'w', width: 32, isSigned: true },
  { name: 'wu', width: 32, isSigned: false },
  { name: 'l', width: 64, isSigned: true },
  { name: 'lu', width: 64, isSigned: false },
];

/** `bits` in the result is the mathematical integer, which may be negative. */
export function toInteger(format: Format, a: bigint, type: IntegerType, rm: number): FloatResult {
  const magnitudeBits = BigInt(type.isSigned ? type.width - 1 : type.width);
  const max = (1n << magnitudeBits) - 1n;
  const min = type.isSigned ? -max - 1n : 0n;
  const x = unpack(format, a);
  if (x.kind === 'nan') return { bits: max, flags: FLAG.invalid };
  if (x.kind === 'infinity') return { bits: x.isNegative ? min : max, flags: FLAG.invalid };
  const rounded = roundToUnit(x, 0, rm);
  const value = x.isNegative ? -rounded.significand : rounded.significand;
  if (value < min) return { bits: min, flags: FLAG.invalid };
  if (value > max) return { bits: max, flags: FLAG.invalid };
  return { bits: value, flags: rounded.isInexact ? FLAG.inexact : 0 };
}

/** The integer zero is positive zero in every rounding mode. */
export function fromInteger(format: Format, value: bigint, rm: number): FloatResult {
  if (value === 0n) return { bits: 0n, flags: 0 };
  return roundAndPack(format, { isNegative: value < 0n, significand: value < 0n ? -value : value, exponent: 0 }, rm);
}
