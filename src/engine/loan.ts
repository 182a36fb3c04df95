/**
 * What the pages of a memory or a file held at a moment, for somebody who reads them later while the guest runs on: a fork takes microseconds, and a page is copied
 * when its owner first writes to it.
 *
 *   lend() 1 ────────── lend() 2 ──────────► now
 *   pages first written  pages first written        loan 1 looks for a page in 1, then in 2, then in what the owner holds now;
 *   in between, as they  since, as they were        loan 2 in 2, then in the owner
 *   were at 1            at 2
 *
 * Invariants: however many loans there are, a write costs at most one copy; a generation that no loan can reach any more is the host's to collect. A loan stays
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

/** Pages since one lend(); undefined: zeros. */
interface Generation { readonly kept: Map<number, Uint8Array | undefined>; next: Generation | undefined }

/** Pages as they were; nothing is kept for it after release(), and nothing may be read. */
export interface Loan extends PageSource { release(): void }

export class Lender {
  readonly #owner: Lendable;
  #newest: Generation | undefined;
  #stopWatching: (() => void) | undefined;
  #open = 0;

  constructor(owner: Lendable) {
    this.#owner = owner;
  }

  lend(): Loan {
    const generation: Generation = { kept: new Map(), next: undefined };
    if (this.#newest !== undefined) this.#newest.next = generation;
    this.#newest = generation;
    this.#open++;
    this.#stopWatching?.();
    this.#stopWatching = this.#owner.watch((page) => {
      if (!generation.kept.has(page)) generation.kept.set(page, this.#owner.mayHold(page) ? this.#owner.readPage(page).slice() : undefined);
    });
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
        if (isOpen) this.#close();
        isOpen = false;
      },
    };
  }

  #close(): void {
    if (--this.#open > 0) return;
    this.#stopWatching?.();
    this.#stopWatching = undefined;
    this.#newest = undefined;
  }
}

function generationWith(first: Generation, page: number): Generation | undefined {
  for (let generation: Generation | undefined = first; generation !== undefined; generation = generation.next) if (generation.kept.has(page)) return generation;
  return undefined;
}
