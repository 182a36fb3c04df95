/** Seeded random values for the tests of the ISA (SplitMix64): the same seed gives the same cases everywhere. */
const MASK = (1n << 64n) - 1n;

/** Values where 64-bit and 32-bit arithmetic, shifts and divisions have their edges. */
export const EDGES: readonly bigint[] = [
  0n, 1n, 2n, 3n, 31n, 32n, 33n, 63n, 64n, 0x7fn, 0x80n, 0xffn, 0x7fffn, 0x8000n, 0xffffn, 0x7fffffffn, 0x80000000n, 0x80000001n, 0xffffffffn,
  0x100000000n, 0x100000001n, 0x7fffffff00000000n, 0x7fffffffffffffffn, 0x8000000000000000n, 0x8000000000000001n, 0xfffffffffffffffen, MASK,
  0xffffffff00000000n, 0xffffffff80000000n, 0xffffffff7fffffffn, 0x00ff00ff00ff00ffn, 0x8080808080808080n, 0x0123456789abcdefn,
  0x1fffffffffffffn, 0x20000000000000n, 0x20000000000001n, 0xffe0000000000000n,
];

export class Random {
  #state: bigint;

  constructor(seed: number) {
    this.#state = BigInt(seed);
  }

  next(): bigint {
    this.#state = (this.#state + 0x9e3779b97f4a7c15n) & MASK;
    let z = this.#state;
    z = ((z ^ (z >> 30n)) * 0xbf58476d1ce4e5b9n) & MASK;
    z = ((z ^ (z >> 27n)) * 0x94d049bb133111ebn) & MASK;
    return z ^ (z >> 31n);
  }

  below(count: number): number {
    return Number(this.next() % BigInt(count));
  }

  /** A third edges, a third of random width, a third uniform. */
  operand(): bigint {
    const kind = this.below(3);
    if (kind === 0) return EDGES[this.below(EDGES.length)]!;
    if (kind === 1) return BigInt.asUintN(64, BigInt.asIntN(1 + this.below(64), this.next()));
    return this.next();
  }
}

/** Seed of a random test: STILLPOINT_SEED repeats a failure. */
export const SEED = Number(process.env['STILLPOINT_SEED'] ?? 20240611);
export const isSlow = process.env['STILLPOINT_SLOW'] === '1';
