/**
 * Operands for floating-point tests: edge values of both formats, and random values shaped to meet rounding, cancellation, overflow and
 * underflow often. Deterministic from a seed.
 */
import { INSTRUCTIONS, type Case, type Instruction, type Kind } from './float-machine.ts';

/** A small seeded generator (xorshift32); `below(n)` is uniform enough for tests. */
export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = (Math.imul(seed, 0x9e3779b1) ^ 0x5bd1e995) | 1;
  }

  u32(): number {
    let x = this.#state;
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    this.#state = x;
    return Math.imul(x, 0x2c1b3c6d) >>> 0;
  }

  below(limit: number): number {
    return Math.floor((this.u32() / 2 ** 32) * limit);
  }

  u64(): bigint {
    return (BigInt(this.u32()) << 32n) | BigInt(this.u32());
  }

  pick<T>(list: readonly T[]): T {
    return list[this.below(list.length)]!;
  }
}

const number = new Float64Array(1);
const bits = new BigUint64Array(number.buffer);
const float = new Float32Array(1);
const floatBits = new Uint32Array(float.buffer);

export function doubleBits(value: number): bigint {
  number[0] = value;
  return bits[0]!;
}

export function singleBits(value: number): bigint {
  float[0] = value;
  return BOX | BigInt(floatBits[0]!);
}

/** For finite operands only: a NaN's payload is not kept. */
export function toNumber(kind: Kind, value: bigint): number {
  if (kind === 'd') {
    bits[0] = value;
    return number[0]!;
  }
  floatBits[0] = Number(BigInt.asUintN(32, value));
  return float[0]!;
}

const BOX = 0xffffffff00000000n;

/** Numbers that matter to both formats, rounded to each. */
const NUMBERS: readonly number[] = [
  0, 1, 1.5, 2, 2.5, 3, 0.5, 0.75, 0.1, 1 / 3, 10, 100, 255, 4095.5, 8388607.5, 8388608, 16777215, 16777216, 16777217, 2 ** 24 + 2,
  2 ** 31 - 1, 2 ** 31 - 0.5, 2 ** 31, 2 ** 31 + 0.5, 2 ** 31 + 1, 2 ** 31 - 128, 2 ** 32 - 1, 2 ** 32 - 0.5, 2 ** 32, 2 ** 32 - 256,
  2 ** 52 + 0.5, 2 ** 53 - 1, 2 ** 53, 2 ** 53 + 2, 2 ** 62, 2 ** 63 - 1024, 2 ** 63, 2 ** 63 + 2048, 2 ** 64 - 2048, 2 ** 64, 2 ** 65,
  2 ** -126, 2 ** -126 - 2 ** -149, 2 ** -127, 2 ** -149, 2 ** -150, 2 ** -150 * 1.5, 2 ** -149 * 3, 2 ** -125, 2 ** -126 * (1 - 2 ** -24), 2 ** -126 * (1 - 2 ** -25),
  2 ** -126 * (1 - 2 ** -26), 2 ** 127, 3.4028234663852886e38, 3.4028235677973366e38, 3.4028235677973362e38, 2 ** 64 * 1.5, 2 ** -75,
];
const NUMBERS_DOUBLE: readonly number[] = [
  2 ** -1022, 2 ** -1022 + 2 ** -1074, 2 ** -1022 - 2 ** -1074, 2 ** -1023, 2 ** -1074, 2 ** -1073, 3 * 2 ** -1074, Number.MAX_VALUE, 2 ** 1023,
  2 ** 512, 2 ** 511, 2 ** -511, 2 ** -512, 2 ** -537, 2 ** 480, 2 ** -480, 2 ** 481, 2 ** -481, 1 + 2 ** -52, 1 - 2 ** -53, 1 + 2 ** -26, 1 + 2 ** -27,
  Math.sqrt(2), 1e300, 1e-300, 2 ** -900, 2 ** -960, 2 ** 1000,
];
const NUMBERS_SINGLE: readonly number[] = [1 + 2 ** -23, 1 - 2 ** -24, 1 + 2 ** -12, 1 + 2 ** -11, 2 ** -63, 2 ** 63 - 2 ** 39, 2 ** 64 - 2 ** 40];

const NANS_DOUBLE = [0x7ff8000000000000n, 0xfff8000000000000n, 0x7ff80000deadbeefn, 0x7ff0000000000001n, 0xfff0000000000001n, 0x7ff4000000000000n, 0xffffffffffffffffn, 0x7ff0000100000000n];
const NANS_SINGLE = [0x7fc00000n, 0xffc00000n, 0x7fc0beefn, 0x7f800001n, 0xff800001n, 0x7fa00000n, 0xffffffffn];

const withSigns = (values: readonly number[]): number[] => values.flatMap((value) => [value, -value]);

/** Register values: all edges of a kind. */
export const EDGES: Readonly<Record<Kind, readonly bigint[]>> = {
  d: [...withSigns([...NUMBERS, ...NUMBERS_DOUBLE, Infinity]).map(doubleBits), ...NANS_DOUBLE],
  s: [
    ...new Set(withSigns([...NUMBERS, ...NUMBERS_SINGLE, Infinity]).map(singleBits)), ...NANS_SINGLE.map((value) => BOX | value),
    0x3f800000n, 0x000000003f800000n | (0xfffffffen << 32n), 0x7fffffff7f800001n, doubleBits(1.5),
  ],
  w: integerEdges(),
  l: integerEdges(),
};

function integerEdges(): bigint[] {
  const around = [0, 24, 25, 31, 32, 52, 53, 54, 62, 63].map((shift) => 1n << BigInt(shift));
  const near = around.flatMap((value) => [value - 2n, value - 1n, value, value + 1n, value + 2n, value + (value >> 24n), value + (value >> 53n), value + 3n * (value >> 54n)]);
  return [...new Set([...near, ...near.map((value) => -value), 0n].map((value) => BigInt.asUintN(64, value)))];
}

/** A random finite-looking pattern with a chosen exponent range, often with few significant bits. */
function shaped(random: Random, kind: 's' | 'd', exponent: number): bigint {
  const [fractionBits, bias] = kind === 'd' ? [52, 1023] : [23, 127];
  let fraction = random.u64() & ((1n << BigInt(fractionBits)) - 1n);
  if (random.below(2) === 0) {
    const cut = BigInt(random.below(fractionBits + 1));
    fraction = random.below(2) === 0 ? (fraction >> cut) << cut : ((fraction >> cut) << cut) | ((1n << cut) - 1n);
  }
  const field = BigInt(Math.max(0, Math.min(2 * bias, exponent + bias)));
  const sign = BigInt(random.below(2)) << BigInt(kind === 'd' ? 63 : 31);
  const pattern = sign | (field << BigInt(fractionBits)) | fraction;
  return kind === 'd' ? pattern : BOX | pattern;
}

/** One register value of a kind. */
export function randomOperand(random: Random, kind: Kind): bigint {
  if (kind === 'w' || kind === 'l') {
    if (random.below(3) === 0) return random.pick(EDGES[kind]);
    const value = random.u64() >> BigInt(random.below(64));
    return random.below(2) === 0 ? value : BigInt.asUintN(64, -value);
  }
  const limit = kind === 'd' ? 1023 : 127;
  switch (random.below(10)) {
    case 0: case 1: return random.pick(EDGES[kind]);
    case 2: return random.u64() | (kind === 's' && random.below(8) !== 0 ? BOX : 0n);
    case 3: case 4: return shaped(random, kind, random.below(70) - 3);
    case 5: return shaped(random, kind, random.below(2 * limit + 2) - limit);
    case 6: return shaped(random, kind, random.below(30) - limit - 1);
    case 7: return shaped(random, kind, limit - random.below(30));
    case 8: {
      const small = random.below(2001) - 1000;
      return kind === 'd' ? doubleBits(small / 8) : singleBits(small / 8);
    }
    default: return shaped(random, kind, random.below(8) - 4);
  }
}

/** `value` moved by a few units in the last place. */
function nudge(random: Random, value: bigint): bigint {
  return BigInt.asUintN(64, value + BigInt(random.below(5) - 2));
}

/** Operands that depend on each other: near equal, near the limits of the product, near cancellation. */
function related(random: Random, kind: 's' | 'd', a: bigint, b: bigint): [bigint, bigint, bigint] {
  const encode = kind === 'd' ? doubleBits : singleBits;
  const [limit, fractionBits] = kind === 'd' ? [1023, 52] : [127, 23];
  const x = toNumber(kind, a);
  switch (random.below(6)) {
    case 0: {
      const close = nudge(random, a);
      return [a, close, nudge(random, encode(-x * toNumber(kind, close)))];
    }
    case 1: return [a, b, nudge(random, encode(-(x * toNumber(kind, b))))];
    case 2: {
      // A product near the smallest normal or near overflow.
      const exponent = random.below(2 * limit) - limit;
      const total = random.below(2) === 0 ? -limit + random.below(4) - 2 : limit - random.below(3);
      const c = random.below(2) === 0 ? 0n : shaped(random, kind, -limit + random.below(fractionBits + 4));
      return [shaped(random, kind, exponent), shaped(random, kind, total - exponent), kind === 's' ? BOX | c : c];
    }
    case 3: {
      // An addend at or beyond the last bit of the product: halfway cases and sticky bits.
      const product = Math.max(-limit, Math.min(limit, Math.floor(Math.log2(Math.abs(x * toNumber(kind, b)))) || 0));
      return [a, b, shaped(random, kind, product + (random.below(2) === 0 ? -1 : 1) * (fractionBits + random.below(5) - 2))];
    }
    case 4: {
      // A product or quotient of (1 - half a unit) times the smallest normal number: tiny, and yet it rounds to that number.
      const exponent = -1 - random.below(limit - 2);
      const ones = encode((2 - 2 ** -fractionBits) * 2 ** exponent);
      return [ones, encode(2 ** (random.below(2) === 0 ? -limit - exponent : limit + exponent)), encode(0)];
    }
    default: {
      // A dividend that is a multiple of the divisor; a square.
      return random.below(2) === 0 ? [encode(x * toNumber(kind, b)), b, a] : [encode(x * x), encode(x), nudge(random, encode(-x * x))];
    }
  }
}

export function randomCase(random: Random, fixed: { readonly instruction?: Instruction; readonly rm?: number } = {}): Case {
  const instruction = fixed.instruction ?? random.pick(INSTRUCTIONS);
  const [k1, k2, k3] = instruction.sources;
  const a = randomOperand(random, k1!);
  const b = randomOperand(random, k2 ?? 'd');
  let operands: [bigint, bigint, bigint] = [a, b, randomOperand(random, k3 ?? 'd')];
  if (random.below(3) === 0 && (k1 === 's' || k1 === 'd')) operands = related(random, k1, a, b);
  return { instruction, rm: fixed.rm ?? random.below(5), flags: random.pick([0, 0, 0, 1, 31, random.below(32)]), operands };
}
