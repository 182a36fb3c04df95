/**
 * The bytes of one regular file: page-addressed and sparse, with dirty marks, so that a checkpoint pays for changed pages only.
 *
 *   allocated pages (runs)   [0,3)      [7,8)          counted against the file system's space, visible as st_blocks and SEEK_DATA
 *   stored pages (map)       0 1        7              pages that were written; an allocated page without bytes reads as zeros
 *   late pages (runs)        [0,2)                     allocated pages of a restored file that nobody needed yet: stored ones come from the snapshot, clean
 *   base pages (runs)             [3,6)                pages of an image file that nobody changed (base-pages.ts): visible, not counted
 *
 * Invariants: bytes at and beyond `size` are zero, except in pages allocated beyond the end by fallocate (zero too); a stored page is
 * allocated; no page is both allocated and of the base; a page whose bytes changed since
 * markClean() is dirty. Sizes and offsets are bytes, safe integers.
 * A long file: bytes, allocation, dirty marks and the way back of a page change together, in one place.
 * What this does NOT do: permissions, times, limits on sizes (FileSystem).
 */
import { assert, limits, type Undo } from '../../core/index.ts';
import { Lender, type Loan, type PageSource } from '../../engine/index.ts';
import { BasePages, type BaseState, type FileBase } from './base-pages.ts';
import { PageRuns } from './page-runs.ts';
import { RecentChanges, type PageRange } from './recent-changes.ts';

const { PAGE_BYTES } = limits;
const ZERO_PAGE = new Uint8Array(PAGE_BYTES);

/** Where a file takes its pages from; `take` answers false when the file system is full. */
export interface PageSpace {
  /** The transaction under way; 0 or absent: none. */
  readonly transaction?: number;
  take(pages: number): boolean;
  give(pages: number): void;
  /** A file that is mapped has another size. */
  resized?(): void;
}

/** A page before it was changed; undefined: it was not stored. */
interface Before { readonly page: number; readonly bytes: Uint8Array | undefined; readonly wasDirty: boolean }

interface ContentState { readonly size: number; readonly runs: readonly number[]; readonly base?: FileBase; readonly left?: BaseState }

export class FileContent {
  /** `file/<inode>`: the name of the page object. */
  readonly name: string;
  readonly #base: BasePages;
  readonly #space: PageSpace;
  readonly #pages = new Map<number, Uint8Array>();
  readonly #dirty = new Set<number>();
  readonly #allocated: PageRuns;
  #source: PageSource | undefined = undefined;
  #latePages = new PageRuns([]);
  #size: number;
  /** What pages held before their first change after a mark: the way back. Of `#transaction` only; `#isKept`: pages since the last mark. */
  #before: Before[] = [];
  readonly #isKept = new Set<number>();
  #transaction = 0;
  /** Address spaces that map it. Derived. */
  mappings = 0;
  /** The latest changes, for mappings; undefined until one asks. */
  #changes: RecentChanges | undefined = undefined;
  /** Told of pages before they change. */
  readonly #watchers: ((pageIndex: number) => void)[] = [];
  #lender: Lender | undefined = undefined;

  constructor(name: string, space: PageSpace, state: ContentState = { size: 0, runs: [] }) {
    this.name = name;
    this.#base = new BasePages(state.base, state.left);
    this.#space = space;
    this.#size = state.size;
    this.#allocated = new PageRuns(state.runs);
    const taken = space.take(this.#allocated.count);
    assert(taken || state.runs.length === 0, 'a restored file fits in the space it had');
  }

  get size(): number {
    return this.#size;
  }

  /** Pages that hold data, as st_blocks counts them. */
  get pagesAllocated(): number {
    return this.#allocated.count + this.#base.pages.count;
  }

  /** Whether some pages are the guest's own. */
  get hasOwnPages(): boolean {
    return this.#allocated.count > 0;
  }

  /** Whether the content is that of the image file below, untouched. */
  get isBase(): boolean {
    return this.#allocated.count === 0 && this.#base.isAllOf(this.#size);
  }

  /** What still comes from the image, for a checkpoint. */
  baseState(): BaseState {
    return this.#base.state();
  }

  /** Canonical form of the allocation: start, end, start, end, ... */
  runs(): readonly number[] {
    return this.#allocated.bounds();
  }

  /** A copy of the bytes in [offset, offset + length) clipped to the size. */
  readAt(offset: number, length: number): Uint8Array {
    const out = new Uint8Array(Math.max(0, Math.min(this.#size - offset, length)));
    this.#copy(offset, out);
    return out;
  }

  /** Whether reading asks nobody outside: nothing of an image, nothing of a snapshot. */
  get isHere(): boolean {
    return this.#source === undefined && this.#base.pages.count === 0;
  }

  /** Copies the bytes from `offset` on, all of which lie within the size, over what is in `out`. */
  readInto(offset: number, out: Uint8Array): void {
    assert(offset + out.length <= this.#size, 'what is read lies within the size');
    this.#copy(offset, out);
  }

  /** All of `out`: zeros where nothing is stored. */
  #copy(offset: number, out: Uint8Array): void {
    const end = offset + out.length;
    for (let at = offset; at < end;) {
      const page = Math.floor(at / PAGE_BYTES);
      const within = at - page * PAGE_BYTES;
      if (this.#base.pages.has(page)) {
        const runEnd = Math.min(end, this.#base.pages.nextGap(page) * PAGE_BYTES);
        this.#base.read(at, out.subarray(at - offset, runEnd - offset));
        at = runEnd;
        continue;
      }
      const count = Math.min(PAGE_BYTES - within, end - at);
      const bytes = this.#stored(page);
      if (bytes === undefined) out.fill(0, at - offset, at - offset + count);
      else out.set(bytes.subarray(within, within + count), at - offset);
      at += count;
    }
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
    if (done > 0) {
      if (offset + done > this.#size) this.#changes?.forget();
      else this.#changes?.add(Math.floor(offset / PAGE_BYTES), Math.ceil((offset + done) / PAGE_BYTES));
      this.#setSize(Math.max(this.#size, offset + done));
    }
    return done;
  }

  /** Sets the size: pages past it are given back, the rest of the last page becomes zero; growing leaves a hole. */
  truncate(size: number): void {
    this.#changes?.forget();
    this.#base.cut(size);
    if (size < this.#size || this.#allocated.nextMember(Math.ceil(size / PAGE_BYTES)) !== undefined) {
      this.#drop(Math.ceil(size / PAGE_BYTES), Number.MAX_SAFE_INTEGER);
      this.#zero(size, Math.ceil(size / PAGE_BYTES) * PAGE_BYTES);
    }
    this.#setSize(size);
  }

  /** Allocates the pages of a range without changing bytes; false when the space does not suffice (then nothing changed). */
  allocate(offset: number, length: number): boolean {
    const start = Math.floor(offset / PAGE_BYTES);
    const end = Math.ceil((offset + length) / PAGE_BYTES);
    if (!this.#space.take(end - start - this.#allocated.countIn(start, end) - this.#base.pages.countIn(start, end))) return false;
    for (let page = start; page < end;) {
      const gap = Math.min(end, this.#base.pages.nextGap(page)); // Pages of the base hold data already.
      const next = Math.min(end, this.#base.pages.nextMember(gap) ?? end);
      this.#allocated.add(gap, next);
      page = next;
    }
    return true;
  }

  /** Grows the size over pages that are allocated already (fallocate): they read as zeros. */
  extend(size: number): void {
    this.#changes?.forget();
    assert(size >= this.#size, 'extending does not shrink');
    this.#setSize(size);
  }

  /** Makes a range read as zeros; whole pages are given back. False, and nothing done, when a page of the image cannot be copied for it. */
  punch(offset: number, length: number): boolean {
    this.#changes?.forget();
    const end = offset + length;
    const first = Math.ceil(offset / PAGE_BYTES);
    const last = Math.floor(end / PAGE_BYTES);
    const cut = [offset, end].filter((at) => at % PAGE_BYTES !== 0).map((at) => Math.floor(at / PAGE_BYTES));
    const edges = [...new Set(cut)].filter((page) => this.#base.pages.has(page));
    for (const page of edges) if (this.#pageForWrite(page) === undefined) return false;
    if (first > last) {
      this.#zero(offset, end);
      return true;
    }
    this.#zero(offset, first * PAGE_BYTES);
    this.#drop(first, last);
    this.#zero(last * PAGE_BYTES, end);
    return true;
  }

  /** First data (or hole) offset at or after `offset`, as lseek counts them; undefined at or beyond the end (no data left). */
  seekData(offset: number): number | undefined {
    if (offset >= this.#size) return undefined;
    const start = Math.floor(offset / PAGE_BYTES);
    const page = least(this.#allocated.nextMember(start), this.#base.pages.nextMember(start));
    if (page === undefined || page * PAGE_BYTES >= this.#size) return undefined;
    return Math.max(offset, page * PAGE_BYTES);
  }

  seekHole(offset: number): number | undefined {
    if (offset >= this.#size) return undefined;
    let page = Math.floor(offset / PAGE_BYTES);
    for (let before = -1; before !== page;) {
      before = page;
      page = this.#base.pages.nextGap(this.#allocated.nextGap(page));
    }
    return Math.min(this.#size, Math.max(offset, page * PAGE_BYTES));
  }

  /** Gives all pages back: the file is gone. */
  discard(): void {
    this.#changes?.forget();
    this.#drop(0, Number.MAX_SAFE_INTEGER);
    this.#size = 0;
  }

  /** Grows with every change of the bytes or the size. */
  get generation(): number {
    return (this.#changes ??= new RecentChanges()).generation;
  }

  /** Pages that changed after a generation; undefined: that is too long ago, or more than pages changed. */
  changedSince(generation: number): readonly PageRange[] | undefined {
    return (this.#changes ??= new RecentChanges()).since(generation);
  }

  dirtyPages(): readonly number[] {
    return [...this.#dirty].sort((a, b) => a - b);
  }

  storedPages(): readonly number[] {
    const pages = [...this.#pages.keys()];
    for (let page = this.#latePages.nextMember(0); page !== undefined; page = this.#latePages.nextMember(page + 1)) if (this.#isLate(page)) pages.push(page);
    return pages.sort((a, b) => a - b);
  }

  /** The 4096 bytes of a page, a view; zeros where there is none. */
  readPage(pageIndex: number): Uint8Array {
    return this.#stored(pageIndex) ?? ZERO_PAGE;
  }

  markClean(): void {
    assert((this.#space.transaction ?? 0) === 0, 'files are made clean outside of transactions');
    this.#dirty.clear();
  }

  /** `before` hears of each page before its bytes change, as often as they do. The answer ends that. */
  watch(before: (pageIndex: number) => void): () => void {
    this.#watchers.push(before);
    return () => { this.#watchers.splice(this.#watchers.indexOf(before), 1); };
  }

  /** What all stored pages hold now, to be read later. */
  lend(): Loan {
    return (this.#lender ??= new Lender({ watch: (before) => this.watch(before), readPage: (page) => this.readPage(page), mayHold: (page) => this.#pages.has(page) || this.#isLate(page) })).lend();
  }

  mark(): Undo {
    const transaction = this.#space.transaction ?? 0;
    if (this.#transaction !== transaction) this.#before = [];
    this.#transaction = transaction;
    this.#isKept.clear();
    const height = this.#before.length;
    const [size, mappings] = [this.#size, this.mappings];
    const runs = [this.#allocated.mark(), this.#base.mark()];
    return () => {
      if (this.#before.length > height || this.#size !== size) this.#changes?.forget();
      while (this.#before.length > height) this.#putBack(this.#before.pop()!);
      this.#isKept.clear();
      this.#size = size;
      this.mappings = mappings;
      for (const undo of runs) undo();
    };
  }

  /** Pages that were written or dropped since the transaction began, in no order. */
  get writtenPages(): readonly number[] {
    return this.#transaction === 0 || this.#transaction !== this.#space.transaction ? [...this.#dirty] : this.#before.map(({ page }) => page);
  }

  /** Called before a stored page changes, comes or goes. */
  #keep(page: number): void {
    for (const before of this.#watchers) before(page);
    if (this.#transaction !== this.#space.transaction || this.#transaction === 0 || this.#isKept.has(page)) return;
    this.#isKept.add(page);
    this.#before.push({ page, bytes: this.#stored(page)?.slice(), wasDirty: this.#dirty.has(page) });
  }

  #putBack({ page, bytes, wasDirty }: Before): void {
    for (const before of this.#watchers) before(page);
    if (bytes === undefined) this.#pages.delete(page);
    else this.#pages.set(page, bytes.slice());
    if (!wasDirty) this.#dirty.delete(page);
  }

  #setSize(size: number): void {
    if (this.mappings > 0 && size !== this.#size) this.#space.resized?.();
    this.#size = size;
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

  /** Restore: the stored pages come from `source`, each when it is first needed, and are clean. */
  fillLater(source: PageSource): void {
    assert(this.#pages.size === 0 && this.#dirty.size === 0, 'a file that is filled later has no bytes yet');
    this.#source = source;
    this.#latePages = new PageRuns(this.#allocated.bounds());
  }

  /** All pages that have not come yet; nothing more is asked of their source. */
  bringAll(): void {
    for (let page = this.#latePages.nextMember(0); page !== undefined; page = this.#latePages.nextMember(page + 1)) this.#stored(page);
    this.#source = undefined;
  }

  /** Whether the page is stored and its bytes have not come. */
  #isLate(page: number): boolean {
    return this.#latePages.has(page) && this.#source!.hasPage(page);
  }

  /** The bytes of a stored page, which may have to come first. */
  #stored(page: number): Uint8Array | undefined {
    if (!this.#latePages.has(page)) return this.#pages.get(page);
    const bytes = this.#source!.page(page);
    this.#latePages.remove(page, page + 1);
    if (bytes !== undefined) this.#pages.set(page, bytes);
    return bytes;
  }

  #pageForWrite(page: number): Uint8Array | undefined {
    let bytes = this.#stored(page);
    this.#keep(page);
    if (bytes === undefined) {
      if (!this.#allocated.has(page)) {
        if (!this.#space.take(1)) return undefined;
        this.#allocated.add(page, page + 1);
      }
      bytes = this.#base.takePage(page);
      this.#pages.set(page, bytes);
    }
    this.#dirty.add(page);
    return bytes;
  }

  /** Zeroes [start, end), which lies in one page, when the page is stored. */
  #zero(start: number, end: number): void {
    if (start >= end) return;
    const page = Math.floor(start / PAGE_BYTES);
    const bytes = this.#stored(page);
    if (bytes === undefined) return;
    this.#keep(page);
    bytes.fill(0, start - page * PAGE_BYTES, end - page * PAGE_BYTES);
    this.#dirty.add(page);
  }

  #drop(first: number, end: number): void {
    this.#base.pages.remove(first, end);
    const before = this.#allocated.count;
    for (let page = this.#allocated.nextMember(first); page !== undefined && page < end;) {
      const gap = Math.min(end, this.#allocated.nextGap(page));
      for (; page < gap; page++) {
        if (!this.#pages.has(page) && !this.#isLate(page)) continue;
        this.#keep(page);
        this.#pages.delete(page);
        this.#dirty.add(page);
      }
      this.#latePages.remove(first, gap);
      this.#allocated.remove(first, gap);
      page = this.#allocated.nextMember(gap);
    }
    this.#space.give(before - this.#allocated.count);
  }
}

function least(a: number | undefined, b: number | undefined): number | undefined {
  return a === undefined || b === undefined ? a ?? b : Math.min(a, b);
}
