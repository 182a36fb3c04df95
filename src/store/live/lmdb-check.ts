/**
 * Looks at LMDB's own pages before LMDB follows them: it has no check sums, and a flipped bit in one could end the process by a signal, lead it in a circle, or make it
 * write over pages that are in use.
 *
 *   header record ─► free list ─► runs of free pages                        each page is reached once and only once:
 *                └─► table of tables ─► each table ─► branches ─► leaves ─► data elsewhere      a page that is free is not in use
 *
 * Two ways to look: the kernel's (lmdb-kernel.ts), quick, which answers yes or no, and this file's own, which finds words for every trouble and hands records out; a no leads to the other.
 * Invariants: only plain reads; nothing is followed that was not checked; the work is bounded by the pages of the file. Beside a process that writes, the caller holds
 * a read transaction of LMDB, which keeps the pages of every later state from being used again.
 * What this does NOT do: look at values (their owners do), or at pages that are free.
 */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { join } from 'node:path';
import { StillpointError } from '../../core/index.ts';
import { TABLES } from '../store.ts';
import { cutError, DATA_FILE, newestHeader, type HeaderRecord } from './lmdb-files.ts';
import { PageKernel, type KernelFile } from './lmdb-kernel.ts';
import { BadPage, checkHeader, compareKeys, compareNumbers, freeRuns, HEADER_BYTES, NODE_FLAGS, overflowPagesOf, tableRecord, TreePage, type Elsewhere, type Key, type TableRecord } from './lmdb-pages.ts';

/** What is wrong with one page. */
export interface PageTrouble { readonly page: number; readonly table: string; readonly says: string }
export interface PageCheck {
  readonly troubles: readonly PageTrouble[];
  /** Pages of trees that were looked at. */
  readonly pages: number;
  /** Whether the kernel's word was enough. */
  readonly isQuick: boolean;
  /** Of a file that ends before a page that is in use: what it has, and what its header says that it had. Free pages at the end may never have been written. */
  readonly cut?: { readonly bytes: number; readonly wantedBytes: number } | undefined;
}
export interface PageCheckOptions {
  /** Tables with more pages to be read than are left of this are looked at without their leaves (default: everything is looked at). */
  readonly pagesMax?: number | undefined;
  /** The headers of data elsewhere are left out: only who writes follows them. */
  readonly isForReading?: boolean | undefined;
  /** Takes every record that can be reached through sound pages. */
  readonly onRecord?: ((table: string, key: Uint8Array, value: Uint8Array, page: number) => void) | undefined;
  /** Takes every run of pages that holds a value: the first page has a header. */
  readonly onValue?: ((page: number, pages: number) => void) | undefined;
  /** Takes every run of pages that the free list names. */
  readonly onFree?: ((page: number, pages: number) => void) | undefined;
  /** Goes by this header record in place of the newest. */
  readonly header?: HeaderRecord | undefined;
}

export const FREE_LIST = 'free list';
export const TABLES_TABLE = 'table of tables';
/** Every store has it. */
const OUR_TABLE = 'meta';
const OUR_TABLES: ReadonlySet<string> = new Set(TABLES);
/** A check that finds trouble is repeated when somebody committed meanwhile. */
const ATTEMPTS_MAX = 5;
const TABLE_OFFSETS = { free: 48, main: 96, bytes: 48 } as const;

/** Looks at the pages of a store's data file. Throws E_STORE_CORRUPT when its header cannot be read. */
export function checkPages(directory: string, options: PageCheckOptions = {}): PageCheck {
  const file = openSync(join(directory, DATA_FILE), 'r');
  try {
    for (let attempt = 1; ; attempt++) {
      const quick = options.onRecord === undefined ? quickLook(file, join(directory, DATA_FILE), options) : undefined;
      if (quick !== undefined) return { troubles: [], pages: quick.pages, isQuick: true };
      const walk = new Walk(file, join(directory, DATA_FILE), options);
      walk.all();
      if (walk.troubles.length === 0 || attempt === ATTEMPTS_MAX || options.header !== undefined || !walk.isOutdated()) return { troubles: walk.troubles, pages: walk.pages, isQuick: false, cut: walk.cut };
    }
  } finally {
    closeSync(file);
  }
}

/** Undefined: something is wrong, or may be. */
function quickLook(file: number, path: string, options: PageCheckOptions): Walk | undefined {
  const walk = new Walk(file, path, { ...options, isQuick: true });
  try {
    walk.all();
  } catch (error) {
    if (!(error instanceof Doubt)) throw error;
    return undefined;
  }
  return walk.troubles.length === 0 ? walk : undefined;
}

/** What is wrong as an error: that the file is cut, or the first trouble. */
export function troubleError(directory: string, { troubles, cut }: Pick<PageCheck, 'troubles' | 'cut'>): StillpointError {
  const { page, table, says } = troubles[0]!; // Called when there is one.
  if (cut !== undefined) return cutError(join(directory, DATA_FILE), cut);
  const more = troubles.length > 1 ? ` (and ${troubles.length - 1} more)` : '';
  return new StillpointError('E_STORE_CORRUPT', `${join(directory, DATA_FILE)}: page ${page} (${table}) ${says}${more}; stillpoint fsck --repair saves what can be read`, { data: { page, table, troubles: troubles.length } });
}

/** A record of a leaf. */
type Take = (leaf: TreePage, index: number, page: number) => void;
/** A tree under way. `take`: undefined when nobody takes its records. */
interface Tree { readonly table: string; readonly record: TableRecord; readonly skipsLeaves: boolean; readonly keys: 'bytes' | 'numbers'; readonly seen: { branch: number; leaf: number; overflow: number; entries: number }; readonly take: Take | undefined }
/** Keys under a page: from <= key < to. */
interface Bounds { readonly from: Key | undefined; readonly to: Key | undefined }

/** The kernel found something for which it has no words. */
class Doubt extends Error {}

class Walk {
  readonly troubles: PageTrouble[] = [];
  pages = 0;
  readonly #file: number;
  readonly #path: string;
  readonly #options: PageCheckOptions;
  readonly #pageBytes: number;
  readonly #lastPage: number;
  readonly #transaction: number;
  readonly #header: Uint8Array;
  readonly #fileBytes: number;
  #isCut = false;
  /** One bit a page. */
  readonly #used: Uint8Array;
  readonly #kernel: PageKernel | undefined;
  /** The page that is looked at on each level of a tree; 1: leaves. */
  readonly #levels: TreePage[] = [];
  #left: number;

  constructor(file: number, path: string, options: PageCheckOptions & { readonly isQuick?: boolean }) {
    const { bytes, pageBytes, lastPage, transaction } = options.header ?? newestHeader(file, path);
    this.#file = file;
    this.#path = path;
    this.#options = options;
    this.#header = bytes;
    this.#pageBytes = pageBytes;
    this.#lastPage = Number(lastPage);
    this.#transaction = Number(transaction);
    this.#fileBytes = fstatSync(file).size; // Behind the header: a writer beside us may make the file longer, never shorter.
    const read: KernelFile['read'] = (page, bytes, { at, length }) => readSync(file, bytes, at, length, page * pageBytes) === length;
    this.#kernel = options.isQuick === true ? PageKernel.for({ pageBytes, lastPage: this.#lastPage, transaction, isForReading: options.isForReading === true, read }) : undefined;
    this.#used = this.#kernel?.used ?? new Uint8Array((this.#lastPage >> 3) + 1);
    this.#left = options.pagesMax ?? Infinity;
  }

  get cut(): PageCheck['cut'] {
    return this.#isCut ? { bytes: this.#fileBytes, wantedBytes: (this.#lastPage + 1) * this.#pageBytes } : undefined;
  }

  isOutdated(): boolean {
    return Number(newestHeader(this.#file, this.#path).transaction) !== this.#transaction;
  }

  all(): void {
    const tables: { readonly name: string; readonly record: TableRecord }[] = [];
    const others: PageTrouble[] = [];
    this.#guarded(TABLES_TABLE, 0, () => this.#tree(TABLES_TABLE, this.#headerTable('main'), (leaf, index, page) => this.#guarded(TABLES_TABLE, page, () => {
      if (leaf.flags(index) !== NODE_FLAGS.table) return void others.push({ page, table: TABLES_TABLE, says: 'has something that is no table' });
      tables.push({ name: nameOf(leaf.key(index)), record: tableRecord(leaf.data(index)) });
    })));
    // Somebody else's database is not judged: whoever opens the store says what it is.
    if (this.troubles.length === 0 && !tables.some(({ name }) => name === OUR_TABLE)) return;
    this.troubles.push(...others);
    const { onRecord } = this.#options;
    // Small tables first: with a bound, the leaves of the largest are what is left out.
    for (const { name, record } of tables.sort((a, b) => this.#reads(a.record) - this.#reads(b.record))) {
      const take: Take = (leaf, index, page) => this.#guarded(name, page, () => onRecord!(name, bytesOf(leaf.key(index)), this.#valueOf(leaf, index), page)); // Not called without.
      this.#guarded(name, record.root ?? 0, () => {
        if (record.flags !== 0 && OUR_TABLES.has(name)) throw new BadPage('has a table record of another kind');
        this.#tree(name, record, onRecord === undefined ? undefined : take);
      });
    }
    if (this.#kernel !== undefined && this.#isUsedBehindEnd()) throw new Doubt();
    this.#guarded(FREE_LIST, 0, () => this.#tree(FREE_LIST, this.#headerTable('free'), (leaf, index, page) => this.#guarded(FREE_LIST, page, () => this.#free(leaf, index))));
  }

  /** At most as many pages are read for a table. */
  #reads({ branchPages, leafPages, overflowPages, entries }: TableRecord): number {
    return branchPages + leafPages + (this.#options.isForReading === true ? 0 : Math.min(overflowPages, entries));
  }

  #headerTable(which: 'free' | 'main'): TableRecord {
    return tableRecord(this.#header.subarray(TABLE_OFFSETS[which], TABLE_OFFSETS[which] + TABLE_OFFSETS.bytes));
  }

  #guarded(table: string, page: number, action: () => void): void {
    try {
      action();
    } catch (error) {
      this.#note(error, table, page);
    }
  }

  #note(error: unknown, table: string, page: number): void {
    if (!(error instanceof BadPage)) throw error;
    this.troubles.push({ page, table, says: error.message });
  }

  #tree(table: string, record: TableRecord, take: Take | undefined): void {
    if (record.root === undefined) return;
    const skipsLeaves = this.#reads(record) > this.#left;
    if (this.#kernel !== undefined && take === undefined) return this.#quickTree(this.#kernel, record, skipsLeaves);
    const tree: Tree = { table, record, skipsLeaves, keys: table === FREE_LIST ? 'numbers' : 'bytes', seen: { branch: 0, leaf: 0, overflow: 0, entries: 0 }, take };
    const before = this.troubles.length;
    if (record.depth === 1 && skipsLeaves) this.#useSkipped(tree, record.root);
    else this.#below(tree, record.root, { level: record.depth, bounds: { from: undefined, to: undefined } });
    const { branch, leaf, overflow, entries } = tree.seen;
    const isWhole = branch === record.branchPages && (skipsLeaves || (leaf === record.leafPages && overflow === record.overflowPages && entries === record.entries));
    if (!isWhole && this.troubles.length === before) throw new BadPage('has a table record whose counts are not those of its pages');
  }

  #quickTree(kernel: PageKernel, record: TableRecord, skipsLeaves: boolean): void {
    const { isSound, read, pages } = kernel.look(record, skipsLeaves);
    if (!isSound) throw new Doubt();
    this.#left -= read;
    this.pages += pages;
  }

  #below(tree: Tree, page: number, { level, bounds }: { readonly level: number; readonly bounds: Bounds }): void {
    try {
      const nodes = this.#treePage(tree, page, { level, bounds });
      if (level === 1) this.#leaf(tree, nodes, page);
      else this.#branch(tree, nodes, { level, bounds });
    } catch (error) {
      this.#note(error, tree.table, page);
    }
  }

  #useSkipped(tree: Tree, page: number): void {
    try {
      this.#use(page, 1);
    } catch (error) {
      this.#note(error, tree.table, page);
    }
  }

  #treePage(tree: Tree, number: number, { level, bounds }: { readonly level: number; readonly bounds: Bounds }): TreePage {
    this.#use(number, 1);
    this.pages++;
    this.#left--;
    const page = this.#levels[level] ??= new TreePage(this.#pageBytes);
    this.#readInto(page.bytes, number);
    page.check({ number, kind: level === 1 ? 'leaf' : 'branch', transactionMax: this.#transaction }, tree.keys);
    if (page.firstKey < page.count) mustLieWithin(bounds, { first: page.key(page.firstKey), last: page.key(page.count - 1), compare: tree.keys === 'numbers' ? compareNumbers : compareKeys });
    return page;
  }

  #branch(tree: Tree, branch: TreePage, { level, bounds }: { readonly level: number; readonly bounds: Bounds }): void {
    tree.seen.branch++;
    const skips = level === 2 && tree.skipsLeaves;
    let from = bounds.from;
    for (let index = 0; index < branch.count; index++) {
      if (skips) {
        this.#useSkipped(tree, branch.child(index));
        continue;
      }
      const to = index + 1 < branch.count ? branch.key(index + 1) : bounds.to;
      this.#below(tree, branch.child(index), { level: level - 1, bounds: { from, to } });
      from = to;
    }
  }

  #leaf(tree: Tree, leaf: TreePage, page: number): void {
    tree.seen.leaf++;
    tree.seen.entries += leaf.count;
    let bad: Set<number> | undefined;
    for (let at = 0; at < leaf.flaggedCount; at++) {
      const index = leaf.flagged(at);
      try {
        if (leaf.flags(index) === NODE_FLAGS.elsewhere) this.#useElsewhere(tree, leaf.elsewhere(index));
        else if (tree.table !== TABLES_TABLE) throw new BadPage('has a table inside of a table');
      } catch (error) {
        this.#note(error, tree.table, page);
        (bad ??= new Set()).add(index);
      }
    }
    if (tree.take !== undefined) for (let index = 0; index < leaf.count; index++) if (bad?.has(index) !== true) tree.take(leaf, index, page);
  }

  #useElsewhere(tree: Tree, { page, pages, transaction }: Elsewhere): void {
    this.#use(page, pages);
    tree.seen.overflow += pages;
    if (this.#options.isForReading === true) return;
    this.#left--;
    const header = new DataView(this.#read(page, HEADER_BYTES).buffer);
    if (checkHeader(header, { number: page, kind: 'overflow', transactionMax: this.#transaction }) !== transaction) throw new BadPage('has data elsewhere of another transaction');
    if (overflowPagesOf(header) !== pages) throw new BadPage('has data elsewhere of another length');
    this.#options.onValue?.(page, pages);
  }

  #free(leaf: TreePage, index: number): void {
    for (const { page, pages } of freeRuns(this.#valueOf(leaf, index))) {
      this.#take(page, pages);
      this.#options.onFree?.(page, pages);
    }
  }

  #valueOf(leaf: TreePage, index: number): Uint8Array {
    if (leaf.flags(index) !== NODE_FLAGS.elsewhere) return leaf.data(index);
    return this.#read(leaf.elsewhere(index).page, HEADER_BYTES + leaf.size(index)).subarray(HEADER_BYTES);
  }

  /** Notes that pages are in use. */
  #use(first: number, pages: number): void {
    this.#take(first, pages);
    if ((first + pages) * this.#pageBytes <= this.#fileBytes) return;
    this.#isCut = true;
    throw new BadPage(`points to page ${first}, where the file has ended`);
  }

  /** Of what the kernel has seen, which takes the pages of leaves that are not looked at, and all but the first of data elsewhere, as they are named. */
  #isUsedBehindEnd(): boolean {
    const end = Math.floor(this.#fileBytes / this.#pageBytes);
    for (let page = end; page <= this.#lastPage; page++) if ((this.#used[page >> 3]! & (1 << (page & 7))) !== 0) return true;
    return false;
  }

  /** Notes that pages are in use or free; each may be that once. Eight at a time: most of a store's pages are data elsewhere. */
  #take(first: number, pages: number): void {
    const after = first + pages;
    if (first < 2 || after - 1 > this.#lastPage) throw new BadPage(`points to page ${first}, which is not in the file`);
    const used = this.#used;
    for (let page = first; page < after;) {
      const place = page >> 3;
      const next = (place + 1) << 3;
      const bits = (255 << (page & 7)) & (next > after ? 255 >> (next - after) : 255);
      const taken = used[place]! & bits;
      if (taken !== 0) throw new BadPage(`names page ${(place << 3) + 31 - Math.clz32(taken & -taken)}, which something else has`);
      used[place]! |= bits;
      page = next;
    }
  }

  #read(page: number, length: number): Uint8Array {
    const bytes = new Uint8Array(length);
    this.#readInto(bytes, page);
    return bytes;
  }

  #readInto(bytes: Uint8Array, page: number): void {
    if (readSync(this.#file, bytes, 0, bytes.length, page * this.#pageBytes) !== bytes.length) throw new BadPage('cannot be read whole');
  }
}

const bytesOf = ({ bytes, start, length }: Key): Uint8Array => bytes.subarray(start, start + length);

/** The package ends names with a zero. */
const nameOf = (key: Key): string => new TextDecoder().decode(bytesOf(key)).replace(/\0$/, '');

function mustLieWithin(bounds: Bounds, { first, last, compare }: { readonly first: Key; readonly last: Key; readonly compare: (a: Key, b: Key) => number }): void {
  const isWithin = (bounds.from === undefined || compare(first, bounds.from) >= 0) && (bounds.to === undefined || compare(last, bounds.to) < 0);
  if (!isWithin) throw new BadPage('has keys that belong to another page');
}
