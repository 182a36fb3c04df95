/**
 * What a capture changed in its page trees, so that it can be taken back.
 * Invariants: changes are taken back last first; one note of 40 bytes and a word each for tree and page, in arrays that grow: an object for each page of
 * a large capture would be copied by V8's collector several times.
 * What this does NOT do: change anything until takeBack().
 */
import { HASH_BYTES } from './format.ts';
import type { PageTree } from './page-tree.ts';

const NOTES_FIRST = 64;

export class PageUndo {
  readonly #trees: PageTree[] = [];
  readonly #pages: number[] = [];
  /** Whether the page had a hash. */
  readonly #had: boolean[] = [];
  #hashes: Uint8Array;
  #guards: BigUint64Array;

  /** `expected`: changes for which there is room at once. */
  constructor(expected: number) {
    const notes = Math.max(expected, NOTES_FIRST);
    this.#hashes = new Uint8Array(notes * HASH_BYTES);
    this.#guards = new BigUint64Array(notes);
  }

  get count(): number {
    return this.#pages.length;
  }

  /** Notes what a page had: `hash` is copied. */
  note(tree: PageTree, pageIndex: number, { hash, guard }: { readonly hash: Uint8Array | undefined; readonly guard: bigint }): void {
    const at = this.#pages.length;
    if (at === this.#guards.length) this.#grow();
    this.#trees.push(tree);
    this.#pages.push(pageIndex);
    this.#had.push(hash !== undefined);
    if (hash !== undefined) this.#hashes.set(hash, at * HASH_BYTES);
    this.#guards[at] = guard;
  }

  /** Gives every page its former hash. */
  takeBack(): void {
    for (let at = this.#pages.length - 1; at >= 0; at--) {
      const hash = this.#had[at]! ? this.#hashes.subarray(at * HASH_BYTES, (at + 1) * HASH_BYTES) : undefined;
      this.#trees[at]!.set(this.#pages[at]!, hash, { guard: this.#guards[at]!, isFresh: false });
    }
  }

  #grow(): void {
    const hashes = new Uint8Array(this.#hashes.length * 2);
    hashes.set(this.#hashes);
    this.#hashes = hashes;
    const guards = new BigUint64Array(this.#guards.length * 2);
    guards.set(this.#guards);
    this.#guards = guards;
  }
}
