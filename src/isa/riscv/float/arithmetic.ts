/**
 * Reference arithmetic on bit patterns: each operation computes its exact result with big integers and rounds once (round.ts).
 *
 * Invariants: every NaN result is the canonical one; a signaling NaN operand raises invalid; nothing here uses host floating point.
 * What this does NOT do: be fast. The fast paths (fast-*.ts) are proved equal to this by test.
 */
import { packInfinity, packZero, unpack, type Finite, type Format, type Unpacked } from './format.ts';
import { FLAG, ROUND } from './handler.ts';
import { bitLength, roundAndPack, type FloatResult } from './round.ts';

/** a + b. */
export function add(format: Format, a: bigint, b: bigint, rm: number): FloatResult {
  const x = unpack(format, a);
  const y = unpack(format, b);
  if (x.kind === 'nan' || y.kind === 'nan') return nanResult(format, x, y);
  return addUnpacked(format, x, y, rm);
}

/** a * b. */
export function multiply(format: Format, a: bigint, b: bigint, rm: number): FloatResult {
  const x = unpack(format, a);
  const y = unpack(format, b);
  if (x.kind === 'nan' || y.kind === 'nan') return nanResult(format, x, y);
  const product = multiplyUnpacked(x, y);
  return product === undefined ? invalid(format) : finish(format, product, rm);
}

/** a / b. */
export function divide(format: Format, a: bigint, b: bigint, rm: number): FloatResult {
  const x = unpack(format, a);
  const y = unpack(format, b);
  if (x.kind === 'nan' || y.kind === 'nan') return nanResult(format, x, y);
  const isNegative = x.isNegative !== y.isNegative;
  if (x.kind === 'infinity') return y.kind === 'infinity' ? invalid(format) : exactly(packInfinity(format, isNegative));
  if (y.kind === 'infinity') return exactly(packZero(format, isNegative));
  if (y.significand === 0n) {
    if (x.significand === 0n) return invalid(format);
    return { bits: packInfinity(format, isNegative), flags: FLAG.divideByZero };
  }
  if (x.significand === 0n) return exactly(packZero(format, isNegative));
  // The quotient keeps at least precision + 2 bits, so that the jammed last bit stands for all that follow in every rounding mode.
  const shift = Math.max(0, format.precision + 3 + bitLength(y.significand) - bitLength(x.significand));
  const dividend = x.significand << BigInt(shift);
  const quotient = dividend / y.significand;
  const significand = jam(quotient, quotient * y.significand !== dividend);
  return roundAndPack(format, { isNegative, significand, exponent: x.exponent - y.exponent - shift - 1 }, rm);
}

/** The square root of a. */
export function squareRoot(format: Format, a: bigint, rm: number): FloatResult {
  const x = unpack(format, a);
  if (x.kind === 'nan') return nanResult(format, x);
  if (x.kind === 'finite' && x.significand === 0n) return exactly(a);
  if (x.isNegative) return invalid(format);
  if (x.kind === 'infinity') return exactly(a);
  // An even exponent, and enough bits for a root of precision + 2.
  let shift = 2 * format.precision + 6;
  if ((x.exponent - shift) % 2 !== 0) shift += 1;
  const radicand = x.significand << BigInt(shift);
  const root = integerSquareRoot(radicand);
  const significand = jam(root, root * root !== radicand);
  return roundAndPack(format, { isNegative: false, significand, exponent: (x.exponent - shift) / 2 - 1 }, rm);
}

/** a * b + c with one rounding. Infinity times zero is invalid even when c is a quiet NaN. */
export function fusedMultiplyAdd(format: Format, a: bigint, b: bigint, c: bigint, rm: number): FloatResult {
  const x = unpack(format, a);
  const y = unpack(format, b);
  const z = unpack(format, c);
  if (x.kind === 'nan' || y.kind === 'nan') return nanResult(format, x, y, z);
  const product = multiplyUnpacked(x, y);
  if (product === undefined) return invalid(format);
  if (z.kind === 'nan') return nanResult(format, z);
  return addUnpacked(format, product, z, rm);
}

/** A number of one format in another (fcvt.s.d and fcvt.d.s). */
export function convertFormat(from: Format, to: Format, a: bigint, rm: number): FloatResult {
  const x = unpack(from, a);
  return x.kind === 'nan' ? nanResult(to, x) : finish(to, x, rm);
}

type NotNan = Exclude<Unpacked, { readonly kind: 'nan' }>;

/** The exact product; undefined for infinity times zero. */
function multiplyUnpacked(x: NotNan, y: NotNan): NotNan | undefined {
  const isNegative = x.isNegative !== y.isNegative;
  if (x.kind === 'infinity') return isZero(y) ? undefined : { kind: 'infinity', isNegative };
  if (y.kind === 'infinity') return isZero(x) ? undefined : { kind: 'infinity', isNegative };
  return { kind: 'finite', isNegative, significand: x.significand * y.significand, exponent: x.exponent + y.exponent };
}

function addUnpacked(format: Format, x: NotNan, y: NotNan, rm: number): FloatResult {
  if (x.kind === 'infinity') return y.kind === 'infinity' && x.isNegative !== y.isNegative ? invalid(format) : finish(format, x, rm);
  if (y.kind === 'infinity') return finish(format, y, rm);
  const exponent = Math.min(x.exponent, y.exponent);
  const sum = aligned(x, exponent) + aligned(y, exponent);
  if (sum === 0n) {
    // IEEE 754, 6.3: an exact zero sum is positive unless both terms were negative zeros, or the mode is towards minus infinity.
    const bothNegative = x.isNegative && y.isNegative;
    const differ = x.isNegative !== y.isNegative;
    return exactly(packZero(format, bothNegative || (differ && rm === ROUND.down)));
  }
  const isNegative = sum < 0n;
  return roundAndPack(format, { isNegative, significand: isNegative ? -sum : sum, exponent }, rm);
}

/** The signed significand in units of 2^exponent. */
function aligned(value: Finite, exponent: number): bigint {
  const magnitude = value.significand << BigInt(value.exponent - exponent);
  return value.isNegative ? -magnitude : magnitude;
}

function finish(format: Format, value: NotNan, rm: number): FloatResult {
  if (value.kind === 'infinity') return exactly(packInfinity(format, value.isNegative));
  if (value.significand === 0n) return exactly(packZero(format, value.isNegative));
  return roundAndPack(format, value, rm);
}

function isZero(value: NotNan): boolean {
  return value.kind === 'finite' && value.significand === 0n;
}

function isSignaling(value: Unpacked): boolean {
  return value.kind === 'nan' && value.isSignaling;
}

function nanResult(format: Format, ...operands: readonly Unpacked[]): FloatResult {
  return { bits: format.canonicalNan, flags: operands.some(isSignaling) ? FLAG.invalid : 0 };
}

function invalid(format: Format): FloatResult {
  return { bits: format.canonicalNan, flags: FLAG.invalid };
}

function exactly(bits: bigint): FloatResult {
  return { bits, flags: 0 };
}

/** One more low bit: set when something nonzero was cut off below. Rounding decides the same as with all the bits. */
function jam(value: bigint, hasRest: boolean): bigint {
  return (value << 1n) | (hasRest ? 1n : 0n);
}

/** floor(sqrt(n)) by Newton's iteration from above. */
function integerSquareRoot(n: bigint): bigint {
  let root = 1n << BigInt((bitLength(n) + 1) >> 1);
  for (;;) {
    const next = (root + n / root) >> 1n;
    if (next >= root) return root;
    root = next;
  }
}
