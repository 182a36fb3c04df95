/**
 * How large the units of hot places would be, found out once for a program: at each start most of its hot places are met again, and most of them never pay. All processes of
 * the program share this, and it is kept with its translations.
 *
 *   words := { address, instructions, blocks, start of each block }
 *
 * Invariants: says something about time only, so it is never checked against the code; code that the program may write to is not in it.
 * What this does NOT do: find an extent out (isa/riscv/lift/extent.ts), judge it (worth.ts).
 */
import type { Extent } from './worth.ts';

/** Blocks of all extents: more than Python and its libraries have. */
const BLOCKS_MAX = 1 << 18;
const HEADER_WORDS = 3;

export class Extents {
  readonly #known = new Map<number, Extent>();
  #blocks = 0;

  constructor(words: Uint32Array = new Uint32Array(0)) {
    for (let at = 0; at < words.length;) {
      const [address, instructions, blocks] = words.subarray(at, at + HEADER_WORDS);
      const starts = words.subarray(at + HEADER_WORDS, at + HEADER_WORDS + blocks!);
      this.#known.set(address!, { instructions: instructions!, starts });
      this.#blocks += blocks!;
      at += HEADER_WORDS + blocks!;
    }
  }

  get size(): number { return this.#known.size; }

  of(address: number): Extent | undefined {
    return this.#known.get(address);
  }

  note(address: number, extent: Extent): void {
    if (this.#blocks + extent.starts.length > BLOCKS_MAX) return;
    this.#blocks += extent.starts.length;
    this.#known.set(address, extent);
  }

  encode(): Uint32Array {
    const words = new Uint32Array(this.#known.size * HEADER_WORDS + this.#blocks);
    let at = 0;
    for (const [address, { instructions, starts }] of this.#known) {
      words.set([address, instructions, starts.length], at);
      words.set(starts, at + HEADER_WORDS);
      at += HEADER_WORDS + starts.length;
    }
    return words;
  }
}
