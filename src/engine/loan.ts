/**
 * What the pages of a memory or a file held at a moment, for somebody who reads them later while the guest runs on: a fork takes microseconds, and a page is copied
 * when its owner first writes to it.
 *
 *   lend() 1 ────────── lend() 2 ──────────► now
 *   pages first written  pages first written        loan 1 looks for a page in 1, then in 2, then in what the owner holds now;
 *   in between, as they  since, as they were        loan 2 in 2, then in the owner
 *   were at 1            at 2
 *
 *   release() of 1: nobody comes by its pages any more      release() of 2 while 1 is open: its pages are 1's where 1 has none of its own
 *
 * Invariants: however many loans there are, a write costs at most one copy; of a page there are at most as many copies as open loans. A loan stays
 * true whatever becomes of its owner. What this does NOT do: hear of writes (its owner tells).
 */
import type { PageSource } from './late-pages.ts';

/** The owner of the pages. */
export interface Lendable {
  /** `before` hears of each page before what it holds now changes for the first time, and perhaps again later; the answer ends that. */
  watch(before: (pageIndex: number) => void): () => void;
  /** A view of a page. */
  readPage(pageIndex: number): Uint8Array;
  /** Whether a page may hold anything but zeros. */
  mayHold(pageIndex: number): boolean;
}

/** Pages since one lend(), or since several with no write between them; undefined: zeros. In a row from the oldest that is open to the newest. */
interface Generation { readonly kept: Map<number, Uint8Array | undefined>; open: number; previous: Generation | undefined; next: Generation | undefined }

/** Pages as they were; nothing is kept for it after release(), and nothing may be read. */
export interface Loan extends PageSource { release(): void }

export class Lender {
  readonly #owner: Lendable;
  #newest: Generation | undefined;
  #stopWatching: (() => void) | undefined;

  constructor(owner: Lendable) {
    this.#owner = owner;
  }

  /** Copies that are held for loans. */
  get pagesKept(): number {
    let count = 0;
    for (let generation = this.#newest; generation !== undefined; generation = generation.previous) count += generation.kept.size;
    return count;
  }

  lend(): Loan {
    const generation = this.#generation();
    generation.open++;
    let isOpen = true;
    return {
      hasPage: (page) => {
        const from = generationWith(generation, page);
        return from === undefined ? this.#owner.mayHold(page) : from.kept.get(page) !== undefined;
      },
      page: (page) => {
        const from = generationWith(generation, page);
        if (from !== undefined) return from.kept.get(page)?.slice();
        return this.#owner.mayHold(page) ? this.#owner.readPage(page).slice() : undefined;
      },
      release: () => {
        if (isOpen) this.#close(generation);
        isOpen = false;
      },
    };
  }

  /** The one that what is written from now on is kept in. */
  #generation(): Generation {
    const before = this.#newest;
    if (before?.kept.size === 0) return before; // Nothing was written since.
    const stop = this.#owner.watch((page) => this.#keep(page));
    this.#stopWatching?.(); // After the new one: if that cannot be, those who were lent something still hear of writes.
    this.#stopWatching = stop;
    const generation: Generation = { kept: new Map(), open: 0, previous: before, next: undefined };
    if (before !== undefined) before.next = generation;
    return this.#newest = generation;
  }

  #keep(page: number): void {
    const { kept } = this.#newest!; // As long as it is watched there is one.
    if (!kept.has(page)) kept.set(page, this.#owner.mayHold(page) ? this.#owner.readPage(page).slice() : undefined);
  }

  #close(generation: Generation): void {
    if (--generation.open > 0) return;
    const { kept, previous, next } = generation;
    if (previous !== undefined) {
      for (const [page, bytes] of kept) if (!previous.kept.has(page)) previous.kept.set(page, bytes);
      previous.next = next;
    }
    if (next !== undefined) next.previous = previous;
    else this.#newest = previous;
    if (this.#newest !== undefined) return;
    this.#stopWatching?.();
    this.#stopWatching = undefined;
  }
}

function generationWith(first: Generation, page: number): Generation | undefined {
  for (let generation: Generation | undefined = first; generation !== undefined; generation = generation.next) if (generation.kept.has(page)) return generation;
  return undefined;
}
