/**
 * The two IEEE 754 binary formats of the F and D extensions, and how their bit patterns read as numbers.
 *
 * Bit patterns are unsigned bigints of `width` bits: sign, exponent field, fraction from the highest bit down. A finite number is
 * (-1)^sign * significand * 2^exponent, exactly; zero is a finite number with significand 0.
 * What this does NOT do: round (round.ts), know registers or NaN boxes (registers.ts), or use host floating point.
 */

export interface Format {
  readonly name: 's' | 'd';
  /** Bits of a value. */
  readonly width: number;
  /** Bits of a significand, the hidden one included. */
  readonly precision: number;
  /** Exponent of the leading bit of the smallest and of the largest normal number. */
  readonly exponentMin: number;
  readonly exponentMax: number;
  /** The bit pattern of every NaN result (Unpriv. ISA, "NaN Generation and Propagation"). */
  readonly canonicalNan: bigint;
}

export const SINGLE: Format = { name: 's', width: 32, precision: 24, exponentMin: -126, exponentMax: 127, canonicalNan: 0x7fc00000n };
export const DOUBLE: Format = { name: 'd', width: 64, precision: 53, exponentMin: -1022, exponentMax: 1023, canonicalNan: 0x7ff8000000000000n };

export interface Finite {
  readonly kind: 'finite';
  readonly isNegative: boolean;
  readonly significand: bigint;
  readonly exponent: number;
}
export type Unpacked =
  | Finite
  | { readonly kind: 'infinity'; readonly isNegative: boolean }
  | { readonly kind: 'nan'; readonly isSignaling: boolean };

/** Exponent of one unit of a subnormal's significand: no representable number has a finer unit. */
export function finestUnit(format: Format): number {
  return format.exponentMin - (format.precision - 1);
}

/** The number that a bit pattern stands for. */
export function unpack(format: Format, bits: bigint): Unpacked {
  const fractionBits = format.precision - 1;
  const fraction = BigInt.asUintN(fractionBits, bits);
  const fieldBits = format.width - 1 - fractionBits;
  const field = Number(BigInt.asUintN(fieldBits, bits >> BigInt(fractionBits)));
  const isNegative = (bits >> BigInt(format.width - 1)) === 1n;
  if (field === (1 << fieldBits) - 1) {
    if (fraction === 0n) return { kind: 'infinity', isNegative };
    return { kind: 'nan', isSignaling: (fraction >> BigInt(fractionBits - 1)) === 0n };
  }
  if (field === 0) return { kind: 'finite', isNegative, significand: fraction, exponent: finestUnit(format) };
  return { kind: 'finite', isNegative, significand: fraction + (1n << BigInt(fractionBits)), exponent: finestUnit(format) + field - 1 };
}

export function packZero(format: Format, isNegative: boolean): bigint {
  return withSign(format, isNegative, 0n);
}

export function packInfinity(format: Format, isNegative: boolean): bigint {
  const fractionBits = format.precision - 1;
  const field = (1n << BigInt(format.width - 1 - fractionBits)) - 1n;
  return withSign(format, isNegative, field << BigInt(fractionBits));
}

/** The finite number of largest magnitude: the pattern below infinity's. */
export function packLargest(format: Format, isNegative: boolean): bigint {
  return packInfinity(format, isNegative) - 1n;
}

/**
 * The pattern of significand * 2^exponent, which must be representable: at most `precision` bits, and exponent at least the finest unit
 * (equal to it where the significand has fewer bits, i.e. is subnormal).
 */
export function packFinite(format: Format, value: { readonly isNegative: boolean; readonly significand: bigint; readonly exponent: number }): bigint {
  const hidden = 1n << BigInt(format.precision - 1);
  if (value.significand < hidden) return withSign(format, value.isNegative, value.significand);
  const field = BigInt(value.exponent - finestUnit(format) + 1);
  return withSign(format, value.isNegative, (field << BigInt(format.precision - 1)) + (value.significand - hidden));
}

/** The same pattern with its sign bit inverted: how subtraction and the negated fused operations reduce to the plain ones. */
export function negate(format: Format, bits: bigint): bigint {
  return bits ^ (1n << BigInt(format.width - 1));
}

function withSign(format: Format, isNegative: boolean, magnitude: bigint): bigint {
  return isNegative ? magnitude | (1n << BigInt(format.width - 1)) : magnitude;
}
