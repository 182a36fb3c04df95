/**
 * The bytes of one regular file: page-addressed and sparse, with dirty marks, so that a checkpoint pays for changed pages only.
 *
 *   allocated pages (runs)   [0,3)      [7,8)          counted against the file system's space, visible as st_blocks and SEEK_DATA
 *   stored pages (map)       0 1        7              pages that were written; an allocated page without bytes reads as zeros
 *
 * Invariants: bytes at and beyond `size` are zero, except in pages allocated beyond the end by fallocate (zero too); a stored page is
 * allocated; a page whose bytes changed since markClean() is dirty. Sizes and offsets are bytes, safe integers.
 * What this does NOT do: permissions, times, limits on sizes (FileSystem).
 */
import { assert, limits } from '../../core/index.ts';
import { PageRuns } from './page-runs.ts';

const { PAGE_BYTES } = limits;
const ZERO_PAGE = new Uint8Array(PAGE_BYTES);

/** Where a file takes its pages from; `take` answers false when the file system is full. */
export interface PageSpace {
  take(pages: number): boolean;
  give(pages: number): void;
}

export class FileContent {
  /** `file/<inode>`: the name of the page object. */
  readonly name: string;
  readonly #space: PageSpace;
  readonly #pages = new Map<number, Uint8Array>();
  readonly #dirty = new Set<number>();
  readonly #allocated: PageRuns;
  #size: number;

  constructor(name: string, space: PageSpace, state: { readonly size: number; readonly runs: readonly number[] } = { size: 0, runs: [] }) {
    this.name = name;
    this.#space = space;
    this.#size = state.size;
    this.#allocated = new PageRuns(state.runs);
    const taken = space.take(this.#allocated.count);
    assert(taken || state.runs.length === 0, 'a restored file fits in the space it had');
  }

  get size(): number {
    return this.#size;
  }

  /** Pages that count against the file system. */
  get pagesAllocated(): number {
    return this.#allocated.count;
  }

  /** Canonical form of the allocation: start, end, start, end, ... */
  runs(): readonly number[] {
    return this.#allocated.bounds();
  }

  /** A copy of the bytes in [offset, offset + length) clipped to the size. */
  readAt(offset: number, length: number): Uint8Array {
    const end = Math.min(this.#size, offset + length);
    if (end <= offset) return new Uint8Array(0);
    const out = new Uint8Array(end - offset);
    for (let at = offset; at < end;) {
      const page = Math.floor(at / PAGE_BYTES);
      const within = at - page * PAGE_BYTES;
      const count = Math.min(PAGE_BYTES - within, end - at);
      const bytes = this.#pages.get(page);
      if (bytes !== undefined) out.set(bytes.subarray(within, within + count), at - offset);
      at += count;
    }
    return out;
  }

  /** Writes and grows; returns the bytes written, fewer than given only when the space ran out. */
  writeAt(offset: number, bytes: Uint8Array): number {
    let done = 0;
    while (done < bytes.length) {
      const page = Math.floor((offset + done) / PAGE_BYTES);
      const within = offset + done - page * PAGE_BYTES;
      const count = Math.min(PAGE_BYTES - within, bytes.length - done);
      const target = this.#pageForWrite(page);
      if (target === undefined) break;
      target.set(bytes.subarray(done, done + count), within);
      done += count;
    }
    if (done > 0) this.#size = Math.max(this.#size, offset + done);
    return done;
  }

  /** Sets the size: pages past it are given back, the rest of the last page becomes zero; growing leaves a hole. */
  truncate(size: number): void {
    if (size < this.#size || this.#allocated.nextMember(Math.ceil(size / PAGE_BYTES)) !== undefined) {
      this.#drop(Math.ceil(size / PAGE_BYTES), Number.MAX_SAFE_INTEGER);
      this.#zero(size, Math.ceil(size / PAGE_BYTES) * PAGE_BYTES);
    }
    this.#size = size;
  }

  /** Allocates the pages of a range without changing bytes; false when the space does not suffice (then nothing changed). */
  allocate(offset: number, length: number): boolean {
    const start = Math.floor(offset / PAGE_BYTES);
    const end = Math.ceil((offset + length) / PAGE_BYTES);
    if (!this.#space.take(end - start - this.#allocated.countIn(start, end))) return false;
    this.#allocated.add(start, end);
    return true;
  }

  /** Grows the size over pages that are allocated already (fallocate): they read as zeros. */
  extend(size: number): void {
    assert(size >= this.#size, 'extending does not shrink');
    this.#size = size;
  }

  /** Makes a range read as zeros; whole pages are given back. */
  punch(offset: number, length: number): void {
    const end = offset + length;
    const first = Math.ceil(offset / PAGE_BYTES);
    const last = Math.floor(end / PAGE_BYTES);
    if (first > last) return this.#zero(offset, end);
    this.#zero(offset, first * PAGE_BYTES);
    this.#drop(first, last);
    this.#zero(last * PAGE_BYTES, end);
  }

  /** First data (or hole) offset at or after `offset`, as lseek counts them; undefined at or beyond the end (no data left). */
  seekData(offset: number): number | undefined {
    if (offset >= this.#size) return undefined;
    const page = this.#allocated.nextMember(Math.floor(offset / PAGE_BYTES));
    if (page === undefined || page * PAGE_BYTES >= this.#size) return undefined;
    return Math.max(offset, page * PAGE_BYTES);
  }

  seekHole(offset: number): number | undefined {
    if (offset >= this.#size) return undefined;
    const page = this.#allocated.nextGap(Math.floor(offset / PAGE_BYTES));
    return Math.min(this.#size, Math.max(offset, page * PAGE_BYTES));
  }

  /** Gives all pages back: the file is gone. */
  discard(): void {
    this.#drop(0, Number.MAX_SAFE_INTEGER);
    this.#size = 0;
  }

  dirtyPages(): readonly number[] {
    return [...this.#dirty].sort((a, b) => a - b);
  }

  /** The 4096 bytes of a page, a view; zeros where there is none. */
  readPage(pageIndex: number): Uint8Array {
    return this.#pages.get(pageIndex) ?? ZERO_PAGE;
  }

  markClean(): void {
    this.#dirty.clear();
  }

  /** Whether the page is allocated. */
  hasPage(pageIndex: number): boolean {
    return this.#allocated.has(pageIndex);
  }

  /** Restore: bytes of an allocated page. The page is dirty until markClean(). */
  loadPage(pageIndex: number, bytes: Uint8Array): void {
    assert(bytes.length === PAGE_BYTES && this.#allocated.has(pageIndex), 'a restored page is one the file has');
    this.#pages.set(pageIndex, bytes.slice());
    this.#dirty.add(pageIndex);
  }

  #pageForWrite(page: number): Uint8Array | undefined {
    let bytes = this.#pages.get(page);
    if (bytes === undefined) {
      if (!this.#allocated.has(page)) {
        if (!this.#space.take(1)) return undefined;
        this.#allocated.add(page, page + 1);
      }
      bytes = new Uint8Array(PAGE_BYTES);
      this.#pages.set(page, bytes);
    }
    this.#dirty.add(page);
    return bytes;
  }

  /** Zeroes [start, end), which lies in one page, when the page is stored. */
  #zero(start: number, end: number): void {
    if (start >= end) return;
    const page = Math.floor(start / PAGE_BYTES);
    const bytes = this.#pages.get(page);
    if (bytes === undefined) return;
    bytes.fill(0, start - page * PAGE_BYTES, end - page * PAGE_BYTES);
    this.#dirty.add(page);
  }

  #drop(first: number, end: number): void {
    const before = this.#allocated.count;
    for (let page = this.#allocated.nextMember(first); page !== undefined && page < end;) {
      const gap = Math.min(end, this.#allocated.nextGap(page));
      for (; page < gap; page++) if (this.#pages.delete(page)) this.#dirty.add(page);
      this.#allocated.remove(first, gap);
      page = this.#allocated.nextMember(gap);
    }
    this.#space.give(before - this.#allocated.count);
  }
}
