/**
 * Guest memory: one linear, biased byte array with a flag byte a page, and the kernel side's access to it.
 *
 *   wasm memory:  0 ............................ limit-BIAS | register block 4 KiB | page flags 1 MiB | translator | records
 *                 guest address BIAS           guest limit    vmBase
 *
 * Everything above vmBase is out of the guest's reach because every access is checked against the page flags.
 * Invariants: content that no snapshot has seen is on pages marked dirty; a multi-byte kernel access either happens
 * whole or not at all. Addresses are plain numbers here; anything at or beyond `limit` or below BIAS fails. The content of a restored memory may
 * come page by page (fillLater): nobody but this file sees a difference.
 * A long file: flags, dirty marks and bytes of a page change together, in one place.
 * What this does NOT do: know segments, files or copy-on-write (posix/memory-map does).
 */
import { assert, limits, type Undo } from '../core/index.ts';
import { AREA_BYTES_MAX, AREA_BYTES_MIN, BIAS, PAGE_FLAG, STORE_FAST, STORE_MASK, type CpuMemory } from '../isa/index.ts';
import { LatePages, type PageSource } from './late-pages.ts';
import { Lender, type Loan } from './loan.ts';
import { PageBits } from './page-bits.ts';
import { PageStack } from './page-stack.ts';

const { PAGE_BYTES, PAGE_SHIFT } = limits;
const WASM_PAGE_BYTES = 65536;
const PAGE_FLAGS_BYTES = 2 ** 32 / PAGE_BYTES;
/** Bytes that the engine keeps for itself above the guest: register block, page flags, tables of the translator, and decoded code, as much as fits. */
const FIXED_BYTES = 8 * 1024 * 1024;
const HIGHEST_BYTES = limits.HIGHEST_ADDRESS - BIAS;
/** Late pages of zeros come together with a neighbour in the same group: a group is a leaf of the page tree. */
const GROUP_PAGES = 16;
/** Never ready: see PAGE_FLAG. */
const FIRST_PAGE = BIAS >>> PAGE_SHIFT;
const READY_MASK = STORE_MASK | PAGE_FLAG.read;
const READY = STORE_FAST | PAGE_FLAG.read;
const RIGHTS = PAGE_FLAG.read | PAGE_FLAG.write | PAGE_FLAG.execute;

/** Where things lie above vmBase, in bytes. */
export const VM_OFFSET = { cpuState: 0, pageFlags: 4096, free: 4096 + PAGE_FLAGS_BYTES, records: FIXED_BYTES } as const;
/** Linear memory ends here at the latest. */
const BYTES_MAX = 2 ** 32;
assert(HIGHEST_BYTES + FIXED_BYTES + AREA_BYTES_MIN <= BYTES_MAX, 'the largest address space leaves room for the engine');

/** For the next memory of its size: making one has the host look for garbage, for milliseconds. */
let prepared: { readonly pages: number; readonly memory: WebAssembly.Memory } | undefined;

function hostMemory(pages: number): WebAssembly.Memory {
  if (prepared?.pages !== pages) return new WebAssembly.Memory({ initial: pages, maximum: pages });
  const { memory } = prepared;
  prepared = undefined;
  return memory;
}

function hostPagesOf(limit: number): number {
  const bytes = Math.min(vmBaseOf(limit) + FIXED_BYTES + AREA_BYTES_MAX, BYTES_MAX);
  return Math.floor(bytes / WASM_PAGE_BYTES);
}

function vmBaseOf(limit: number): number {
  return Math.ceil((limit - BIAS) / WASM_PAGE_BYTES) * WASM_PAGE_BYTES;
}

export class GuestMemory implements CpuMemory {
  readonly limit: number;
  readonly pageFlags: Uint8Array;
  /** The whole linear memory, shared with translated code; `buffer` is its bytes. */
  readonly wasmMemory: WebAssembly.Memory;
  readonly buffer: ArrayBuffer;
  /** Byte offset in `buffer` of the engine's own area. */
  readonly vmBase: number;
  readonly i8: Int8Array;
  readonly u8: Uint8Array;
  readonly i16: Int16Array;
  readonly u16: Uint16Array;
  readonly i32: Int32Array;
  readonly #view: DataView;
  readonly #listeners: ((pageIndex: number) => void)[] = [];
  /** Pages marked dirty since the last clearDirty() or mark(), unordered, each once. */
  #dirty: number[] = [];
  /** Pages that were marked dirty before the last mark(): no snapshot has seen them, though their flag says clean. */
  readonly #unseen: PageBits;
  /** What pages held before their first write after a mark; undefined while nothing is marked. */
  #before: PageStack | undefined = undefined;
  /** Kept between transactions. */
  #spareStack: PageStack | undefined = undefined;
  #epoch = 0;
  /** Pages that were marked dirty before the last clearDirty(). Made when it is needed. */
  #touched: PageBits | undefined = undefined;
  #late: LatePages | undefined = undefined;
  /** Told of pages before they are written. */
  readonly #watchers: ((pageIndex: number) => void)[] = [];
  #lender: Lender | undefined = undefined;

  /** `limit`: first address past the space, a multiple of 4096 above BIAS. The bytes are reserved, not touched. */
  constructor(limit: number) {
    assert(limit > BIAS && limit % PAGE_BYTES === 0 && limit <= limits.HIGHEST_ADDRESS, 'the address space has a sound limit');
    this.limit = limit;
    this.vmBase = vmBaseOf(limit);
    this.wasmMemory = hostMemory(hostPagesOf(limit));
    this.buffer = this.wasmMemory.buffer;
    this.pageFlags = new Uint8Array(this.buffer, this.vmBase + VM_OFFSET.pageFlags, PAGE_FLAGS_BYTES);
    this.i8 = new Int8Array(this.buffer);
    this.u8 = new Uint8Array(this.buffer);
    this.i16 = new Int16Array(this.buffer);
    this.u16 = new Uint16Array(this.buffer);
    this.i32 = new Int32Array(this.buffer);
    this.#view = new DataView(this.buffer);
    this.#unseen = new PageBits(limit / PAGE_BYTES);
  }

  /** Makes the next memory with this limit cheap, if the host has room for it; to be called when there is nothing else to do. One is kept. */
  static prepare(limit: number): void {
    const pages = hostPagesOf(limit);
    if (prepared?.pages === pages) return;
    try {
      prepared = { pages, memory: new WebAssembly.Memory({ initial: pages, maximum: pages }) };
    } catch {
      prepared = undefined; // Nobody asked for it yet: who needs one hears of it.
    }
  }

  /** Gives pages [first, first+count) the rights (PAGE_FLAG bits); keeps content and dirty marks. Rights 0 keeps content too (PROT_NONE). */
  setRights(first: number, count: number, rights: number): void {
    assert((rights & ~RIGHTS) === 0, 'rights are read, write, execute');
    const late = this.#late;
    if (late?.setRights(first, count, rights) === true) return;
    for (let page = first; page < first + count; page++) {
      if (late?.has(page) === true) continue;
      const flags = this.pageFlags[page]!;
      if ((flags & PAGE_FLAG.code) !== 0 && (rights & PAGE_FLAG.execute) === 0) this.#dropCode(page);
      if ((flags & PAGE_FLAG.relied) !== 0 && (rights & PAGE_FLAG.read) === 0) this.#dropRelying(page);
      if ((flags & RIGHTS & ~rights) !== 0) this.#epoch++;
      this.#setFlags(page, (this.pageFlags[page]! & ~RIGHTS) | rights);
    }
    this.#widen(first, count);
  }

  /** Takes pages away: no rights, zero content. Pages that held anything but zeros become dirty. */
  discard(first: number, count: number): void {
    for (let page = first; page < first + count; page++) {
      this.#forgo(page);
      if ((this.pageFlags[page]! & PAGE_FLAG.code) !== 0) this.#dropCode(page);
      if ((this.pageFlags[page]! & PAGE_FLAG.relied) !== 0) this.#dropRelying(page);
      this.#zeroPage(page);
      this.#setFlags(page, this.pageFlags[page]! & ~RIGHTS);
    }
    this.#epoch++;
    this.#widen(first, count);
  }

  /** Zeroes the content of pages, keeping their rights (MADV_DONTNEED on private memory). */
  zero(first: number, count: number): void {
    for (let page = first; page < first + count; page++) {
      this.#forgo(page);
      if ((this.pageFlags[page]! & PAGE_FLAG.code) !== 0) this.#dropCode(page);
      this.#zeroPage(page);
    }
    if (this.#late !== undefined) this.#widen(first, count);
  }

  /** A view of guest bytes for reading, or undefined when any page of it is not readable. Empty ranges always succeed. Not kept by callers. */
  readable(address: number, length: number): Uint8Array | undefined {
    if (length === 0) return new Uint8Array(0);
    if (!this.#allowed(address, length, PAGE_FLAG.read)) return undefined;
    return this.u8.subarray(address - BIAS, address - BIAS + length);
  }

  /** A view of guest bytes to be overwritten, marked dirty, or undefined when any page of it is not writable. */
  writable(address: number, length: number): Uint8Array | undefined {
    if (length === 0) return new Uint8Array(0);
    if (!this.#allowed(address, length, PAGE_FLAG.write)) return undefined;
    this.#touch(address, length);
    return this.u8.subarray(address - BIAS, address - BIAS + length);
  }

  /** How many bytes from `address`, at most `length`, are readable (or writable): Linux copies that much before EFAULT. */
  reachable(address: number, length: number, right: number): number {
    let reached = 0;
    while (reached < length && this.#allowed(address + reached, 1, right)) {
      reached = Math.min(length, reached + PAGE_BYTES - ((address + reached) % PAGE_BYTES));
    }
    return reached;
  }

  /** Copies in; false (nothing written) when any page is not writable. */
  write(address: number, bytes: Uint8Array): boolean {
    const target = this.writable(address, bytes.length);
    if (target === undefined) return false;
    target.set(bytes);
    return true;
  }

  /** Writes regardless of rights (program loader, restore, read-only file mappings). The range must lie in the space. */
  install(address: number, bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    assert(address >= BIAS && address + bytes.length <= this.limit, 'installed bytes lie in the address space');
    if (this.#late !== undefined) this.#makeRoom(address, bytes.length);
    this.#touch(address, bytes.length);
    this.u8.set(bytes, address - BIAS);
  }

  /** NUL-terminated bytes without the NUL. 'fault' when it runs into an unreadable page, 'long' when longer than `lengthMax`. */
  readString(address: number, lengthMax: number): Uint8Array | 'fault' | 'long' {
    const reach = this.reachable(address, lengthMax + 1, PAGE_FLAG.read);
    if (reach === 0) return 'fault';
    const start = address - BIAS;
    const end = this.u8.subarray(start, start + reach).indexOf(0);
    if (end >= 0) return this.u8.slice(start, start + end);
    return reach > lengthMax ? 'long' : 'fault';
  }

  /** Little-endian scalars; undefined or false when not accessible. */
  readU32(address: number): number | undefined {
    return this.#allowed(address, 4, PAGE_FLAG.read) ? this.#view.getUint32(address - BIAS, true) : undefined;
  }

  readU64(address: number): bigint | undefined {
    return this.#allowed(address, 8, PAGE_FLAG.read) ? this.#view.getBigUint64(address - BIAS, true) : undefined;
  }

  writeU32(address: number, value: number): boolean {
    if (!this.#allowed(address, 4, PAGE_FLAG.write)) return false;
    this.#touch(address, 4);
    this.#view.setUint32(address - BIAS, value, true);
    return true;
  }

  writeU64(address: number, value: bigint): boolean {
    if (!this.#allowed(address, 8, PAGE_FLAG.write)) return false;
    this.#touch(address, 8);
    this.#view.setBigUint64(address - BIAS, value, true);
    return true;
  }

  prepareStore(pageIndex: number): boolean {
    const flags = this.pageFlags[pageIndex]!;
    if ((flags & PAGE_FLAG.write) === 0) return false;
    if ((flags & PAGE_FLAG.code) !== 0) this.#dropCode(pageIndex);
    this.#markDirty(pageIndex);
    return true;
  }

  /** Returns what ends the listening. */
  onCodeChange(listener: (pageIndex: number) => void): () => void {
    this.#listeners.push(listener);
    return () => { this.#listeners.splice(this.#listeners.indexOf(listener), 1); };
  }

  markCode(pageIndex: number): void {
    const flags = this.pageFlags[pageIndex]!;
    if ((flags & PAGE_FLAG.write) !== 0) this.#epoch++;
    this.#setFlags(pageIndex, flags | PAGE_FLAG.code);
  }

  /** Notes that translated code reads the page unchecked: listeners hear of it when it is no longer readable. */
  markRelied(pageIndex: number): void {
    this.pageFlags[pageIndex]! |= PAGE_FLAG.relied;
  }

  get epoch(): number {
    return this.#epoch;
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
      this.#setFlags(page, this.pageFlags[page]! & ~PAGE_FLAG.dirty);
      this.#markTouched(page);
    }
    this.#dirty = [];
    this.#epoch++;
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
  copyTouched(source: GuestMemory): void {
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
      if ((this.pageFlags[page]! & PAGE_FLAG.code) !== 0) this.#dropCode(page);
      if ((this.pageFlags[page]! & PAGE_FLAG.relied) !== 0) this.#dropRelying(page);
      this.pageFlags[page] = 0;
      this.#widen(page, 1);
    }
    for (const [first, count] of runsOf(pages)) this.u8.fill(0, ...this.#bytesOf(first, count));
    this.#dirty = [];
    this.#unseen.clear();
    this.#touched = undefined;
    this.#late = undefined;
    this.#epoch++;
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
    for (let page = 0; page < pageCount; page++) if (late.has(page)) this.#setFlags(page, this.pageFlags[page]! | late.take(page));
    this.#late = undefined;
    this.#widen(0, pageCount);
  }

  /** The rights of a page, which it will have when it has not come yet. */
  rightsOf(page: number): number {
    return this.#late?.has(page) === true ? this.#late.rightsOf(page) : this.pageFlags[page]! & RIGHTS;
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
      if (page === pageIndex || (late.has(page) && late.isZero(page))) this.#setFlags(page, this.pageFlags[page]! | late.take(page));
    }
    this.#widen(first, GROUP_PAGES);
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

  /** From now on the first write to each page is noticed. */
  #noticeWrites(): void {
    if (this.#dirty.length === 0) return;
    for (const page of this.#dirty) {
      this.#setFlags(page, this.pageFlags[page]! & ~PAGE_FLAG.dirty);
      this.#unseen.add(page);
    }
    this.#dirty = [];
    this.#epoch++;
  }

  #tell(pageIndex: number): void {
    for (let index = 0; index < this.#watchers.length; index++) this.#watchers[index]!(pageIndex);
  }

  /** Numbers of pages that were written since the outermost mark and differ from what they held then, ascending. */
  changedPages(): readonly number[] {
    return this.#before?.changed((page) => this.page(page)) ?? [];
  }

  /** Watchers have heard of these pages when they were pushed: they were there before the first mark. */
  #putBack(stack: PageStack, height: number): void {
    for (let last = stack.height - 1; last >= height;) {
      const first = stack.runStart(last, height);
      for (let index = first; index <= last; index++) {
        const page = stack.page(index);
        if ((this.pageFlags[page]! & PAGE_FLAG.code) !== 0) this.#dropCode(page);
        this.#setFlags(page, this.pageFlags[page]! & ~PAGE_FLAG.dirty);
        if (!stack.wasDirty(index)) this.#unseen.delete(page);
      }
      this.u8.set(stack.bytes(first, last - first + 1), (stack.page(first) << PAGE_SHIFT >>> 0) - BIAS);
      last = first - 1;
    }
    stack.cut(height);
    this.#dirty = [];
    this.#epoch++;
  }

  /** Byte of the linear memory that a guest address is at. */
  offsetOf(address: number): number {
    return address - BIAS;
  }

  /** The 4096 bytes of one page, a view. */
  page(pageNumber: number): Uint8Array {
    const start = (pageNumber << PAGE_SHIFT >>> 0) - BIAS;
    assert(start >= 0 && start + PAGE_BYTES <= this.limit - BIAS, 'a page lies in the address space');
    this.bring(pageNumber);
    return this.u8.subarray(start, start + PAGE_BYTES);
  }

  #allowed(address: number, length: number, right: number): boolean {
    if (address < BIAS || address + length > this.limit) return false;
    const last = Math.floor((address + length - 1) / PAGE_BYTES);
    for (let page = Math.floor(address / PAGE_BYTES); page <= last; page++) {
      if ((this.pageFlags[page]! & right) === 0 && (!this.bring(page) || (this.pageFlags[page]! & right) === 0)) return false;
    }
    return true;
  }

  /** A late page that is about to lose its content need not come; it becomes dirty when that is a change. */
  #forgo(page: number): void {
    const late = this.#late;
    if (late?.has(page) !== true) return;
    if (this.#before !== undefined || this.#watchers.length > 0) return void this.bring(page); // Its content may have to come back, or is read by somebody else.
    const isZero = late.isZero(page);
    this.#setFlags(page, this.pageFlags[page]! | late.take(page));
    if (!isZero) this.#markDirty(page);
  }

  /** Before [address, address + length) is overwritten: pages of which some bytes stay must come. */
  #makeRoom(address: number, length: number): void {
    const end = address + length;
    const last = Math.floor((end - 1) / PAGE_BYTES);
    const first = Math.floor(address / PAGE_BYTES);
    for (let page = first; page <= last; page++) {
      if (page * PAGE_BYTES >= address && (page + 1) * PAGE_BYTES <= end) this.#forgo(page);
      else this.bring(page);
    }
    this.#widen(first, last - first + 1);
  }

  #touch(address: number, length: number): void {
    const last = Math.floor((address + length - 1) / PAGE_BYTES);
    for (let page = Math.floor(address / PAGE_BYTES); page <= last; page++) {
      if ((this.pageFlags[page]! & PAGE_FLAG.code) !== 0) this.#dropCode(page);
      this.#markDirty(page);
    }
  }

  #markDirty(pageIndex: number): void {
    if ((this.pageFlags[pageIndex]! & PAGE_FLAG.dirty) !== 0) return;
    this.#tell(pageIndex);
    this.#before?.push(pageIndex, this.page(pageIndex), this.#unseen.has(pageIndex));
    this.#setFlags(pageIndex, this.pageFlags[pageIndex]! | PAGE_FLAG.dirty);
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

  #dropCode(pageIndex: number): void {
    this.#setFlags(pageIndex, this.pageFlags[pageIndex]! & ~PAGE_FLAG.code);
    this.#epoch++;
    for (const listener of this.#listeners) listener(pageIndex);
  }

  #dropRelying(pageIndex: number): void {
    this.pageFlags[pageIndex]! &= ~PAGE_FLAG.relied;
    this.#epoch++;
    for (const listener of this.#listeners) listener(pageIndex);
  }

  /** Sets a page's flags and makes `ready` from them. */
  #setFlags(pageIndex: number, flags: number): void {
    this.pageFlags[pageIndex] = (flags & READY_MASK) === READY && pageIndex !== FIRST_PAGE ? flags | PAGE_FLAG.ready : flags & ~PAGE_FLAG.ready;
  }

  /** Makes `wide` anew after the rights of pages [first, first+count) have changed. */
  #widen(first: number, count: number): void {
    const flags = this.pageFlags;
    const end = Math.min(first + count, flags.length - 1);
    for (let page = Math.max(0, first - 1); page < end; page++) {
      const isWide = (flags[page]! & flags[page + 1]! & PAGE_FLAG.read) !== 0;
      flags[page] = isWide ? flags[page]! | PAGE_FLAG.wide : flags[page]! & ~PAGE_FLAG.wide;
    }
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
