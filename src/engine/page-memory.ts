/**
 * What the pages of guest memory hold, and what became of them: rights, marks of what was written since when, marks to go back to, watchers, loans, and pages that
 * come when they are first needed.
 *
 *   start ──────── clearDirty() ──────── mark() ──────── now
 *     touched pages               unseen            dirty: the flag is set; a first write after a mark keeps what the page held
 *
 * Invariants: content that no snapshot has seen is on pages that are dirty or unseen. The content of a restored memory may come page by page (fillLater): nobody
 * but this file sees a difference. Flags, marks and bytes of a page change together.
 * What this does NOT do: look at addresses that come from a guest (memory.ts), know segments, files or copy-on-write (posix/address-space.ts).
 */
import { assert, limits, type Undo } from '../core/index.ts';
import { BIAS, PAGE_FLAG } from '../isa/index.ts';
import { LatePages, type PageSource } from './late-pages.ts';
import { LinearMemory } from './linear-memory.ts';
import { Lender, type Loan } from './loan.ts';
import { PageBits } from './page-bits.ts';
import { PageStack } from './page-stack.ts';

const { LOWEST_ADDRESS, PAGE_BYTES, PAGE_SHIFT } = limits;
/** Late pages of zeros come together with a neighbour in the same group: a group is a leaf of the page tree. */
const GROUP_PAGES = 16;
const RIGHTS = PAGE_FLAG.read | PAGE_FLAG.write | PAGE_FLAG.execute;

export class PageMemory extends LinearMemory {
  /** Pages marked dirty since the last clearDirty() or mark(), unordered, each once. */
  #dirty: number[] = [];
  /** Pages that were marked dirty before the last mark(): no snapshot has seen them, though their flag says clean. */
  readonly #unseen = new PageBits(this.limit / PAGE_BYTES);
  /** What pages held before their first write after a mark; undefined while nothing is marked. */
  #before: PageStack | undefined = undefined;
  /** Kept between transactions. */
  #spareStack: PageStack | undefined = undefined;
  /** Pages that were marked dirty before the last clearDirty(). Made when it is needed. */
  #touched: PageBits | undefined = undefined;
  #late: LatePages | undefined = undefined;
  /** Told of pages before they are written. */
  readonly #watchers: ((pageIndex: number) => void)[] = [];
  #lender: Lender | undefined = undefined;

  /** Gives pages [first, first+count) the rights (PAGE_FLAG bits); keeps content and dirty marks. Rights 0 keeps content too (PROT_NONE). */
  setRights(first: number, count: number, rights: number): void {
    assert((rights & ~RIGHTS) === 0, 'rights are read, write, execute');
    const late = this.#late;
    if (late?.setRights(first, count, rights) === true) return;
    for (let page = first; page < first + count; page++) {
      if (late?.has(page) === true) continue;
      const flags = this.pageFlags[page]!;
      if ((flags & PAGE_FLAG.code) !== 0 && (rights & PAGE_FLAG.execute) === 0) this.dropCode(page);
      if ((flags & PAGE_FLAG.relied) !== 0 && (rights & PAGE_FLAG.read) === 0) this.dropRelying(page);
      if ((flags & RIGHTS & ~rights) !== 0) this.newEpoch();
      this.setFlags(page, (this.pageFlags[page]! & ~RIGHTS) | rights);
    }
    this.widen(first, count);
  }

  /** Takes pages away: no rights, zero content. Pages that held anything but zeros become dirty. */
  discard(first: number, count: number): void {
    for (let page = first; page < first + count; page++) {
      this.#forgo(page);
      if ((this.pageFlags[page]! & PAGE_FLAG.code) !== 0) this.dropCode(page);
      if ((this.pageFlags[page]! & PAGE_FLAG.relied) !== 0) this.dropRelying(page);
      this.#zeroPage(page);
      this.setFlags(page, this.pageFlags[page]! & ~RIGHTS);
    }
    this.newEpoch();
    this.widen(first, count);
  }

  /** Zeroes the content of pages, keeping their rights (MADV_DONTNEED on private memory). */
  zero(first: number, count: number): void {
    for (let page = first; page < first + count; page++) {
      this.#forgo(page);
      if ((this.pageFlags[page]! & PAGE_FLAG.code) !== 0) this.dropCode(page);
      this.#zeroPage(page);
    }
    if (this.#late !== undefined) this.widen(first, count);
  }

  /** The rights of a page, which it will have when it has not come yet. */
  rightsOf(page: number): number {
    return this.#late?.has(page) === true ? this.#late.rightsOf(page) : this.pageFlags[page]! & RIGHTS;
  }

  /** The 4096 bytes of one page, a view. */
  page(pageNumber: number): Uint8Array {
    const start = (pageNumber << PAGE_SHIFT >>> 0) - BIAS;
    assert(start >= 0 && start + PAGE_BYTES <= this.limit - BIAS, 'a page lies in the address space');
    this.bring(pageNumber);
    return this.u8.subarray(start, start + PAGE_BYTES);
  }

  prepareStore(pageIndex: number): boolean {
    const flags = this.pageFlags[pageIndex]!;
    if ((flags & PAGE_FLAG.write) === 0) return false;
    if ((flags & PAGE_FLAG.code) !== 0) this.dropCode(pageIndex);
    this.#markDirty(pageIndex);
    return true;
  }

  /** Page numbers (address >>> 12) written since the last clearDirty(), ascending. */
  dirtyPages(): readonly number[] {
    return ascending(this.#unseen.size === 0 ? this.#dirty : [...this.#unseen.pages(), ...this.#dirty.filter((page) => !this.#unseen.has(page))]);
  }

  /** Between marks nothing is made clean: a snapshot is taken before a transaction or after it. */
  clearDirty(): void {
    assert(this.#before === undefined, 'pages are made clean outside of transactions');
    for (const page of this.#unseen.pages()) if ((this.pageFlags[page]! & PAGE_FLAG.dirty) === 0) this.#dirty.push(page);
    this.#unseen.clear();
    for (const page of this.#dirty) {
      this.setFlags(page, this.pageFlags[page]! & ~PAGE_FLAG.dirty);
      this.#markTouched(page);
    }
    this.#dirty = [];
    this.newEpoch();
  }

  /** Pages that may hold anything but zeros: all that were written since the start or the last reset(), ascending. */
  touchedPages(): readonly number[] {
    return this.#union(this.#unseen.pages(), this.#dirty, this.#touched?.pages() ?? []);
  }

  /** The same, and pages that have not come yet. */
  heldPages(): readonly number[] {
    return this.#late === undefined ? this.touchedPages() : this.#union(this.touchedPages(), this.#late.pages());
  }

  /** Each page once, ascending. */
  #union(...lists: readonly (readonly number[])[]): number[] {
    const bits = new PageBits(this.limit / PAGE_BYTES);
    for (const pages of lists) for (const page of pages) bits.add(page);
    return bits.pages();
  }

  /** Takes over the content of another memory of the same size; this one must be all zeros. Rights stay. */
  copyTouched(source: PageMemory): void {
    assert(source.limit === this.limit, 'memories that copy have one size');
    source.bringAll(); // Who forks once forks again: the second time there is nothing to look for.
    const pages = source.touchedPages();
    for (const page of pages) this.#markDirty(page);
    for (const [first, count] of runsOf(pages)) {
      const [start, end] = this.#bytesOf(first, count);
      this.u8.set(source.u8.subarray(start, end), start);
    }
  }

  /** As new: zeros, no rights, nothing dirty. The caller has taken the rights of pages that were never written. */
  reset(): void {
    if (this.#watchers.length > 0) for (const page of this.#late?.pages() ?? []) this.bring(page);
    const pages = this.touchedPages();
    for (const page of pages) {
      this.#tell(page);
      if ((this.pageFlags[page]! & PAGE_FLAG.code) !== 0) this.dropCode(page);
      if ((this.pageFlags[page]! & PAGE_FLAG.relied) !== 0) this.dropRelying(page);
      this.pageFlags[page] = 0;
      this.widen(page, 1);
    }
    for (const [first, count] of runsOf(pages)) this.u8.fill(0, ...this.#bytesOf(first, count));
    this.#dirty = [];
    this.#unseen.clear();
    this.#touched = undefined;
    this.#late = undefined;
    this.newEpoch();
  }

  /** Takes the content from `source`, each page when it is first needed, in place of being filled now. For a memory that is as new; all of it is clean. */
  fillLater(source: PageSource): void {
    assert(this.#late === undefined && this.#dirty.length === 0 && this.#touched === undefined, 'a memory that is filled later is as new');
    this.#late = new LatePages(source, this.limit);
  }

  /** All pages that have not come yet; nothing more is asked of their source. */
  bringAll(): void {
    const late = this.#late;
    if (late === undefined) return;
    for (const page of late.pages()) this.bring(page);
    const pageCount = this.limit / PAGE_BYTES;
    for (let page = 0; page < pageCount; page++) if (late.has(page)) this.setFlags(page, this.pageFlags[page]! | late.take(page));
    this.#late = undefined;
    this.widen(0, pageCount);
  }

  bring(pageIndex: number): boolean {
    const late = this.#late;
    if (late?.has(pageIndex) !== true) return false;
    const bytes = late.bytes(pageIndex);
    if (bytes !== undefined) {
      this.u8.set(bytes, (pageIndex << PAGE_SHIFT >>> 0) - BIAS);
      this.#markTouched(pageIndex);
    }
    const first = pageIndex - (pageIndex % GROUP_PAGES);
    for (let page = first; page < first + GROUP_PAGES; page++) {
      if (page === pageIndex || (late.has(page) && late.isZero(page))) this.setFlags(page, this.pageFlags[page]! | late.take(page));
    }
    this.widen(first, GROUP_PAGES);
    return true;
  }

  /**
   * From now on the first write to a page keeps what it held. The answer puts all pages back that were written since, and their dirty marks.
   * Cost: the pages written since the last mark now, one copy of every page written later.
   */
  mark(): Undo {
    const stack = (this.#before ??= this.#spareStack ??= new PageStack());
    this.#noticeWrites();
    const { height } = stack;
    return () => {
      assert(this.#before === stack && stack.height >= height, 'a mark is undone before those that surround it');
      this.#putBack(stack, height);
    };
  }

  /** Nothing is undone any more. */
  release(): void {
    this.#before?.cut(0);
    this.#before = undefined;
  }

  /** Numbers of pages that were written since the outermost mark and differ from what they held then, ascending. */
  changedPages(): readonly number[] {
    return this.#before?.changed((page) => this.page(page)) ?? [];
  }

  /**
   * `before` hears of each page before what it holds now changes for the first time, and perhaps again later. The answer ends that. Not between marks.
   * Cost: as mark(), without the copies.
   */
  watch(before: (pageIndex: number) => void): () => void {
    assert(this.#before === undefined, 'a memory is watched from outside of a transaction on');
    this.#noticeWrites();
    this.#watchers.push(before);
    return () => { this.#watchers.splice(this.#watchers.indexOf(before), 1); };
  }

  /** What all pages hold now, to be read later. */
  lend(): Loan {
    return (this.#lender ??= new Lender({ watch: (before) => this.watch(before), readPage: (page) => this.page(page), mayHold: (page) => this.#holds(page) })).lend();
  }

  protected allowed(address: number, length: number, right: number): boolean {
    if (address < LOWEST_ADDRESS || address + length > this.limit) return false;
    const last = Math.floor((address + length - 1) / PAGE_BYTES);
    for (let page = Math.floor(address / PAGE_BYTES); page <= last; page++) {
      if ((this.pageFlags[page]! & right) === 0 && (!this.bring(page) || (this.pageFlags[page]! & right) === 0)) return false;
    }
    return true;
  }

  /** Before [address, address + length) is overwritten: pages of which some bytes stay must come. */
  protected makeRoom(address: number, length: number): void {
    if (this.#late === undefined) return;
    const end = address + length;
    const last = Math.floor((end - 1) / PAGE_BYTES);
    const first = Math.floor(address / PAGE_BYTES);
    for (let page = first; page <= last; page++) {
      if (page * PAGE_BYTES >= address && (page + 1) * PAGE_BYTES <= end) this.#forgo(page);
      else this.bring(page);
    }
    this.widen(first, last - first + 1);
  }

  protected touch(address: number, length: number): void {
    const last = Math.floor((address + length - 1) / PAGE_BYTES);
    for (let page = Math.floor(address / PAGE_BYTES); page <= last; page++) {
      if ((this.pageFlags[page]! & PAGE_FLAG.code) !== 0) this.dropCode(page);
      this.#markDirty(page);
    }
  }

  /** From now on the first write to each page is noticed. */
  #noticeWrites(): void {
    if (this.#dirty.length === 0) return;
    for (const page of this.#dirty) {
      this.setFlags(page, this.pageFlags[page]! & ~PAGE_FLAG.dirty);
      this.#unseen.add(page);
    }
    this.#dirty = [];
    this.newEpoch();
  }

  #tell(pageIndex: number): void {
    for (let index = 0; index < this.#watchers.length; index++) this.#watchers[index]!(pageIndex);
  }

  /** Watchers have heard of these pages when they were pushed: they were there before the first mark. */
  #putBack(stack: PageStack, height: number): void {
    for (let last = stack.height - 1; last >= height;) {
      const first = stack.runStart(last, height);
      for (let index = first; index <= last; index++) {
        const page = stack.page(index);
        if ((this.pageFlags[page]! & PAGE_FLAG.code) !== 0) this.dropCode(page);
        this.setFlags(page, this.pageFlags[page]! & ~PAGE_FLAG.dirty);
        if (!stack.wasDirty(index)) this.#unseen.delete(page);
      }
      this.u8.set(stack.bytes(first, last - first + 1), (stack.page(first) << PAGE_SHIFT >>> 0) - BIAS);
      last = first - 1;
    }
    stack.cut(height);
    this.#dirty = [];
    this.newEpoch();
  }

  /** A late page that is about to lose its content need not come; it becomes dirty when that is a change. */
  #forgo(page: number): void {
    const late = this.#late;
    if (late?.has(page) !== true) return;
    if (this.#before !== undefined || this.#watchers.length > 0) return void this.bring(page); // Its content may have to come back, or is read by somebody else.
    const isZero = late.isZero(page);
    this.setFlags(page, this.pageFlags[page]! | late.take(page));
    if (!isZero) this.#markDirty(page);
  }

  #markDirty(pageIndex: number): void {
    if ((this.pageFlags[pageIndex]! & PAGE_FLAG.dirty) !== 0) return;
    this.#tell(pageIndex);
    this.#before?.push(pageIndex, this.page(pageIndex), this.#unseen.has(pageIndex));
    this.setFlags(pageIndex, this.pageFlags[pageIndex]! | PAGE_FLAG.dirty);
    this.#dirty.push(pageIndex);
  }

  #markTouched(pageIndex: number): void {
    (this.#touched ??= new PageBits(this.limit / PAGE_BYTES)).add(pageIndex);
  }

  /** Whether the page has been written since the start or the last reset(): touchedPages() for one page. */
  #mayHold(pageIndex: number): boolean {
    return (this.pageFlags[pageIndex]! & PAGE_FLAG.dirty) !== 0 || this.#unseen.has(pageIndex) || this.#touched?.has(pageIndex) === true;
  }

  /** The same, and pages that have not come yet: heldPages() for one page. */
  #holds(pageIndex: number): boolean {
    return this.#late?.has(pageIndex) === true ? !this.#late.isZero(pageIndex) : this.#mayHold(pageIndex);
  }

  /** Where the bytes of pages are: first, and behind the last. */
  #bytesOf(first: number, count: number): [start: number, end: number] {
    const start = first * PAGE_BYTES - BIAS;
    return [start, start + count * PAGE_BYTES];
  }

  #zeroPage(pageIndex: number): void {
    if (!this.#mayHold(pageIndex)) return; // Thread stacks are large and hardly used: looking at all of their pages would cost more than the thread.
    const bytes = this.i32.subarray(((pageIndex << PAGE_SHIFT >>> 0) - BIAS) >>> 2, ((pageIndex << PAGE_SHIFT >>> 0) - BIAS + PAGE_BYTES) >>> 2);
    for (let index = 0; index < bytes.length; index++) {
      if (bytes[index] === 0) continue;
      this.#markDirty(pageIndex);
      bytes.fill(0);
      return;
    }
  }
}

/** Runs of neighbours, as first page and count, of pages in ascending order. */
function runsOf(pages: readonly number[]): (readonly [first: number, count: number])[] {
  const runs: (readonly [number, number])[] = [];
  for (let at = 0, next = 0; at < pages.length; at = next) {
    next = at + 1;
    while (next < pages.length && pages[next] === pages[next - 1]! + 1) next++;
    runs.push([pages[at]!, next - at]);
  }
  return runs;
}

function ascending(pages: readonly number[]): number[] {
  return Array.from(Uint32Array.from(pages).sort());
}
