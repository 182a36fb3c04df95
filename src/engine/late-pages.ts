/**
 * The pages of a restored memory whose bytes have not come yet: which they are, what rights they will have, and where the bytes come from.
 * A late page has no right in the page flags, so every access to it takes a slow path, which brings it.
 * Invariants: a page is late at most once; when and whether it comes is no part of a state.
 * What this does NOT do: touch memory or flags (memory.ts).
 */
import { limits } from '../core/index.ts';

/** Content of a page-addressed object, read and checked when it is asked for; the shape of snapshot's. */
export interface PageSource {
  /** Whether a page holds anything but zeros. */
  hasPage(index: number): boolean;
  /** The first page from `from` on that holds anything but zeros, without a look at each before it; a source that has none is asked page by page. */
  nextPage?(from: number): number | undefined;
  /** 4096 bytes, the caller's own; undefined: zeros. Throws StillpointError E_PAGE_MISSING, E_PAGE_DAMAGED, E_SNAPSHOT_FORMAT. */
  page(index: number): Uint8Array | undefined;
}

/** Above the rights in a mark. */
const LATE = 128;

export class LatePages {
  readonly #source: PageSource;
  /** One byte a page: LATE and the rights it will have; 0: it is here. */
  readonly #marks: Uint8Array;
  /** No page has come yet: rights are given to whole ranges at once, as the first thing that a restore does to each mapping. */
  #isWhole = true;

  /** All pages below `limit` are late. */
  constructor(source: PageSource, limit: number) {
    this.#source = source;
    this.#marks = new Uint8Array(limit / limits.PAGE_BYTES).fill(LATE, limits.LOWEST_ADDRESS / limits.PAGE_BYTES);
  }

  has(page: number): boolean {
    return (this.#marks[page]! & LATE) !== 0; // A page beyond the space has no mark, and undefined has no bit.
  }

  /** Sets the rights that the late ones of [first, first + count) will have; whether all of them are late. */
  setRights(first: number, count: number, rights: number): boolean {
    const marks = this.#marks;
    if (this.#isWhole && first >= limits.LOWEST_ADDRESS / limits.PAGE_BYTES) {
      marks.fill(LATE | rights, first, first + count);
      return true;
    }
    let late = 0;
    for (let page = first; page < first + count; page++) {
      if ((marks[page]! & LATE) === 0) continue;
      marks[page] = LATE | rights;
      late++;
    }
    return late === count;
  }

  /** The rights that a late page will have. */
  rightsOf(page: number): number {
    return this.#marks[page]! & ~LATE;
  }

  /** The page is late no more; the rights it has now. */
  take(page: number): number {
    const rights = this.#marks[page]! & ~LATE;
    this.#marks[page] = 0;
    this.#isWhole = false;
    return rights;
  }

  isZero(page: number): boolean {
    return !this.#source.hasPage(page);
  }

  bytes(page: number): Uint8Array | undefined {
    return this.#source.page(page);
  }

  /** Late pages that hold anything but zeros, ascending. */
  pages(): readonly number[] {
    const pages: number[] = [];
    for (let page = this.#next(0); page < this.#marks.length; page = this.#next(page + 1)) if (this.has(page)) pages.push(page);
    return pages;
  }

  /** The first page from `from` on that holds anything but zeros; the length of the space when there is none. */
  #next(from: number): number {
    const { length } = this.#marks;
    if (this.#source.nextPage !== undefined) return this.#source.nextPage(from) ?? length;
    let page = from;
    while (page < length && !(this.has(page) && this.#source.hasPage(page))) page++;
    return page;
  }
}
