/**
 * Reference comparisons and minimum/maximum on bit patterns (F extension 2.2: minimumNumber and maximumNumber of IEEE 754-2019).
 *
 * Invariants: feq is quiet, flt and fle are signaling; for min and max -0 is below +0, one NaN yields the other operand, two the canonical NaN.
 * What this does NOT do: round; all results are exact.
 */
import { unpack, type Format, type Unpacked } from './format.ts';
import { FLAG } from './handler.ts';
import type { FloatResult } from './round.ts';

/** 1 when a = b, quietly: invalid only for a signaling NaN. */
export function isEqual(format: Format, a: bigint, b: bigint): FloatResult {
  const x = unpack(format, a);
  const y = unpack(format, b);
  if (x.kind === 'nan' || y.kind === 'nan') return { bits: 0n, flags: invalidIfSignaling(x, y) };
  return { bits: order(format, a) === order(format, b) ? 1n : 0n, flags: 0 };
}

/** 1 when a < b; invalid for any NaN. */
export function isLess(format: Format, a: bigint, b: bigint): FloatResult {
  if (isNan(format, a) || isNan(format, b)) return { bits: 0n, flags: FLAG.invalid };
  return { bits: order(format, a) < order(format, b) ? 1n : 0n, flags: 0 };
}

/** 1 when a <= b; invalid for any NaN. */
export function isLessOrEqual(format: Format, a: bigint, b: bigint): FloatResult {
  if (isNan(format, a) || isNan(format, b)) return { bits: 0n, flags: FLAG.invalid };
  return { bits: order(format, a) <= order(format, b) ? 1n : 0n, flags: 0 };
}

export function minimum(format: Format, a: bigint, b: bigint): FloatResult {
  return select(format, a, b, 1n);
}

export function maximum(format: Format, a: bigint, b: bigint): FloatResult {
  return select(format, a, b, -1n);
}

/** The operand that comes first in ascending (direction 1) or descending (-1) order. */
function select(format: Format, a: bigint, b: bigint, direction: bigint): FloatResult {
  const x = unpack(format, a);
  const y = unpack(format, b);
  const flags = invalidIfSignaling(x, y);
  if (x.kind === 'nan') return { bits: y.kind === 'nan' ? format.canonicalNan : b, flags };
  if (y.kind === 'nan') return { bits: a, flags };
  const byValue = (order(format, a) - order(format, b)) * direction;
  if (byValue !== 0n) return { bits: byValue < 0n ? a : b, flags };
  // Equal numbers differ at most in the sign of zero.
  return { bits: x.isNegative === (direction > 0n) ? a : b, flags };
}

/** An integer that orders all numbers as their values: the magnitude's pattern, with its sign. Both zeros are 0. */
function order(format: Format, bits: bigint): bigint {
  const magnitude = BigInt.asUintN(format.width - 1, bits);
  return bits === magnitude ? magnitude : -magnitude;
}

function isNan(format: Format, bits: bigint): boolean {
  return unpack(format, bits).kind === 'nan';
}

function invalidIfSignaling(x: Unpacked, y: Unpacked): number {
  return (x.kind === 'nan' && x.isSignaling) || (y.kind === 'nan' && y.isSignaling) ? FLAG.invalid : 0;
}
