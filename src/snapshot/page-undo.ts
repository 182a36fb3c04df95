/**
 * What a capture changed in its page trees, so that it can be taken back.
 * Invariants: changes are taken back last first; one note of 45 bytes, in arrays that grow: an object for each page of
 * a large capture would be copied by V8's collector several times.
 * What this does NOT do: change anything until takeBack().
 */
import { HASH_BYTES } from './format.ts';
import type { PageTree } from './page-tree.ts';

const NOTES_FIRST = 64;

/** Changes of one tree, from the note `first` on. */
interface Run { readonly tree: PageTree; readonly first: number }

export class PageUndo {
  readonly #runs: Run[] = [];
  #count = 0;
  #pages: Uint32Array;
  /** 1: the page had a hash. */
  #had: Uint8Array;
  #hashes: Uint8Array;
  #guards: BigUint64Array;

  /** `expected`: changes for which there is room at once. */
  constructor(expected: number) {
    const notes = Math.max(expected, NOTES_FIRST);
    this.#pages = new Uint32Array(notes);
    this.#had = new Uint8Array(notes);
    this.#hashes = new Uint8Array(notes * HASH_BYTES);
    this.#guards = new BigUint64Array(notes);
  }

  get count(): number {
    return this.#count;
  }

  /** Notes what a page had: `hash` is copied. */
  note(tree: PageTree, pageIndex: number, { hash, guard }: { readonly hash: Uint8Array | undefined; readonly guard: bigint }): void {
    const at = this.#count;
    if (at === this.#guards.length) this.#grow();
    if (this.#runs.at(-1)?.tree !== tree) this.#runs.push({ tree, first: at });
    this.#count++;
    this.#pages[at] = pageIndex;
    this.#guards[at] = guard;
    if (hash === undefined) return;
    this.#had[at] = 1;
    for (let index = 0; index < HASH_BYTES; index++) this.#hashes[at * HASH_BYTES + index] = hash[index]!;
  }

  /** Gives every page its former hash. */
  takeBack(): void {
    let at = this.#count - 1;
    for (const { tree, first } of this.#runs.reverse()) {
      for (; at >= first; at--) {
        const hash = this.#had[at] === 1 ? this.#hashes.subarray(at * HASH_BYTES, (at + 1) * HASH_BYTES) : undefined;
        tree.set(this.#pages[at]!, hash, { guard: this.#guards[at]!, isFresh: false });
      }
    }
  }

  #grow(): void {
    const notes = this.#guards.length * 2;
    this.#pages = grown(this.#pages, new Uint32Array(notes));
    this.#had = grown(this.#had, new Uint8Array(notes));
    this.#hashes = grown(this.#hashes, new Uint8Array(notes * HASH_BYTES));
    const guards = new BigUint64Array(notes);
    guards.set(this.#guards);
    this.#guards = guards;
  }
}

function grown<Words extends Uint8Array | Uint32Array>(old: Words, words: Words): Words {
  words.set(old);
  return words;
}
