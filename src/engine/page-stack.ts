/**
 * What pages held before they were first written after a mark: a stack of (page, 4096 bytes, was dirty), in one growing row of chunks.
 *
 *   mark height 0 | page 17  page 4 | height 2: page 17 (as it was then)  page 9 | height 4 ...
 *
 * Invariants: popped in the reverse order of pushing, so that the oldest bytes of a page are put back last. The first chunks are kept for the next
 * transaction: fresh memory costs more than the copy.
 * What this does NOT do: know what is marked (memory.ts).
 */
import { limits } from '../core/index.ts';

const { PAGE_BYTES } = limits;
const CHUNK_PAGES = 64;
/** Chunks kept while no mark is open: 4 MiB. */
const KEPT_CHUNKS_MAX = 16;

export class PageStack {
  readonly #chunks: Uint8Array[] = [];
  readonly #pages: number[] = [];
  readonly #wereDirty: boolean[] = [];

  get height(): number {
    return this.#pages.length;
  }

  push(page: number, bytes: Uint8Array, wasDirty: boolean): void {
    const height = this.#pages.length;
    const chunk = (this.#chunks[Math.floor(height / CHUNK_PAGES)] ??= new Uint8Array(CHUNK_PAGES * PAGE_BYTES));
    chunk.set(bytes, (height % CHUNK_PAGES) * PAGE_BYTES);
    this.#pages.push(page);
    this.#wereDirty.push(wasDirty);
  }

  page(index: number): number {
    return this.#pages[index]!;
  }

  wasDirty(index: number): boolean {
    return this.#wereDirty[index]!;
  }

  /** The first of entries [.., last] that are neighbours in memory as they are here: put back by one copy. Not below `height`. */
  runStart(last: number, height: number): number {
    const bottom = Math.max(height, last - (last % CHUNK_PAGES));
    let first = last;
    while (first > bottom && this.#pages[first - 1] === this.#pages[first]! - 1) first--;
    return first;
  }

  /** A view of one entry or of `count` in one run, valid until they are popped. */
  bytes(index: number, count = 1): Uint8Array {
    const start = (index % CHUNK_PAGES) * PAGE_BYTES;
    return this.#chunks[Math.floor(index / CHUNK_PAGES)]!.subarray(start, start + count * PAGE_BYTES);
  }

  /** Drops everything at and above `height`. */
  cut(height: number): void {
    this.#pages.length = height;
    this.#wereDirty.length = height;
    const needed = Math.ceil(height / CHUNK_PAGES);
    if (this.#chunks.length > Math.max(needed, KEPT_CHUNKS_MAX)) this.#chunks.length = Math.max(needed, KEPT_CHUNKS_MAX);
  }

  /** Pages that differ from what they held at height 0, ascending. */
  changed(pageOf: (page: number) => Uint8Array): readonly number[] {
    const seen = new Map<number, boolean>();
    for (let index = 0; index < this.height; index++) {
      const page = this.page(index);
      if (!seen.has(page)) seen.set(page, differs(pageOf(page), this.bytes(index)));
    }
    return [...seen].flatMap(([page, isChanged]) => (isChanged ? [page] : [])).sort((a, b) => a - b);
  }
}

function differs(a: Uint8Array, b: Uint8Array): boolean {
  for (let index = 0; index < a.length; index++) if (a[index] !== b[index]) return true;
  return false;
}
