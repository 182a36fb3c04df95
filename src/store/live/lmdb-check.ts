/**
 * Looks at LMDB's own pages before LMDB follows them: it has no check sums, and a flipped bit in one could end the process by a signal, lead it in a circle, or make it
 * write over pages that are in use.
 *
 *   header record ─► free list ─► runs of free pages                        each page is reached once and only once:
 *                └─► table of tables ─► each table ─► branches ─► leaves ─► data elsewhere      a page that is free is not in use
 *
 * Invariants: only plain reads; nothing is followed that was not checked; the work is bounded by the pages of the file. Beside a process that writes, the caller holds
 * a read transaction of LMDB, which keeps the pages of every later state from being used again.
 * What this does NOT do: look at values (their owners do), or at pages that are free.
 */
import { closeSync, openSync, readSync } from 'node:fs';
import { join } from 'node:path';
import { StillpointError } from '../../core/index.ts';
import { DATA_FILE, newestHeader } from './lmdb-files.ts';
import { BadPage, checkHeader, compareKeys, elsewhereOf, freeRuns, HEADER_BYTES, NODE_FLAGS, nodesOf, PAGE_FLAGS, summaryOf, tableRecord, type PageNode, type TableRecord } from './lmdb-pages.ts';

/** What is wrong with one page. */
export interface PageTrouble { readonly page: number; readonly table: string; readonly says: string }
export interface PageCheck {
  readonly troubles: readonly PageTrouble[];
  /** Pages of trees that were looked at. */
  readonly pages: number;
}
export interface PageCheckOptions {
  /** Tables with more pages to be read than are left of this are looked at without their leaves (default: everything is looked at). */
  readonly pagesMax?: number | undefined;
  /** The headers of data elsewhere are left out: only who writes follows them. */
  readonly isForReading?: boolean | undefined;
  /** Takes every record that can be reached through sound pages. */
  readonly onRecord?: ((table: string, key: Uint8Array, value: Uint8Array) => void) | undefined;
}

const FREE_LIST = 'free list';
const TABLES_TABLE = 'table of tables';
/** Every store has it. */
const OUR_TABLE = 'meta';
/** A check that finds trouble is repeated when somebody committed meanwhile. */
const ATTEMPTS_MAX = 5;
const TABLE_OFFSETS = { free: 48, main: 96, bytes: 48 } as const;

/** Looks at the pages of a store's data file. Throws E_STORE_CORRUPT when its header cannot be read. */
export function checkPages(directory: string, options: PageCheckOptions = {}): PageCheck {
  const file = openSync(join(directory, DATA_FILE), 'r');
  try {
    for (let attempt = 1; ; attempt++) {
      const walk = new Walk(file, join(directory, DATA_FILE), options);
      walk.all();
      if (walk.troubles.length === 0 || attempt === ATTEMPTS_MAX || !walk.isOutdated()) return { troubles: walk.troubles, pages: walk.pages };
    }
  } finally {
    closeSync(file);
  }
}

/** The first trouble as an error. */
export function troubleError(directory: string, troubles: readonly PageTrouble[]): StillpointError {
  const { page, table, says } = troubles[0]!; // Called when there is one.
  const more = troubles.length > 1 ? ` (and ${troubles.length - 1} more)` : '';
  return new StillpointError('E_STORE_CORRUPT', `${join(directory, DATA_FILE)}: page ${page} (${table}) ${says}${more}; stillpoint fsck --repair saves what can be read`, { data: { page, table, troubles: troubles.length } });
}

/** A tree under way. */
interface Tree { readonly table: string; readonly record: TableRecord; readonly skipsLeaves: boolean; readonly isPlain: boolean; readonly seen: { branch: number; leaf: number; overflow: number; entries: number }; readonly compare: (a: Uint8Array, b: Uint8Array) => number; readonly take: (node: PageNode, page: number) => void }
/** Keys under a page: from <= key < to. */
interface Bounds { readonly from: Uint8Array | undefined; readonly to: Uint8Array | undefined }

class Walk {
  readonly troubles: PageTrouble[] = [];
  pages = 0;
  readonly #file: number;
  readonly #path: string;
  readonly #options: PageCheckOptions;
  readonly #pageBytes: number;
  readonly #lastPage: number;
  readonly #transaction: bigint;
  readonly #header: Uint8Array;
  /** One bit a page. */
  readonly #used: Uint8Array;
  #left: number;

  constructor(file: number, path: string, options: PageCheckOptions) {
    const { bytes, pageBytes, lastPage, transaction } = newestHeader(file, path);
    this.#file = file;
    this.#path = path;
    this.#options = options;
    this.#header = bytes;
    this.#pageBytes = pageBytes;
    this.#lastPage = Number(lastPage);
    this.#transaction = transaction;
    this.#used = new Uint8Array((this.#lastPage >> 3) + 1);
    this.#left = options.pagesMax ?? Infinity;
  }

  isOutdated(): boolean {
    return newestHeader(this.#file, this.#path).transaction !== this.#transaction;
  }

  all(): void {
    const tables: { readonly name: string; readonly record: TableRecord }[] = [];
    const others: PageTrouble[] = [];
    this.#guarded(TABLES_TABLE, 0, () => this.#tree(TABLES_TABLE, this.#headerTable('main'), (node, page) => this.#guarded(TABLES_TABLE, page, () => {
      if (node.flags !== NODE_FLAGS.table) return void others.push({ page, table: TABLES_TABLE, says: 'has something that is no table' });
      tables.push({ name: new TextDecoder().decode(node.key).replace(/\0$/, ''), record: tableRecord(node.data) }); // The package ends names with a zero.
    })));
    // Somebody else's database is not judged: whoever opens the store says what it is.
    if (this.troubles.length === 0 && !tables.some(({ name }) => name === OUR_TABLE)) return;
    this.troubles.push(...others);
    // Small tables first: with a bound, the leaves of the largest are what is left out.
    for (const { name, record } of tables.sort((a, b) => this.#reads(a.record) - this.#reads(b.record))) {
      this.#guarded(name, record.root ?? 0, () => this.#tree(name, record, (node, page) => this.#guarded(name, page, () => this.#record(name, node))));
    }
    this.#guarded(FREE_LIST, 0, () => this.#tree(FREE_LIST, this.#headerTable('free'), (node, page) => this.#guarded(FREE_LIST, page, () => this.#free(node))));
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
      if (!(error instanceof BadPage)) throw error;
      this.troubles.push({ page, table, says: error.message });
    }
  }

  #tree(table: string, record: TableRecord, take: Tree['take']): void {
    if (record.root === undefined) return;
    const skipsLeaves = this.#reads(record) > this.#left;
    const isPlain = this.#options.onRecord === undefined && table !== FREE_LIST && table !== TABLES_TABLE;
    const tree: Tree = { table, record, skipsLeaves, isPlain, seen: { branch: 0, leaf: 0, overflow: 0, entries: 0 }, compare: table === FREE_LIST ? compareIntegers : compareKeys, take };
    const before = this.troubles.length;
    this.#below(tree, record.root, { level: record.depth, bounds: { from: undefined, to: undefined } });
    const { branch, leaf, overflow, entries } = tree.seen;
    const isWhole = branch === record.branchPages && (skipsLeaves || (leaf === record.leafPages && overflow === record.overflowPages && entries === record.entries));
    if (!isWhole && this.troubles.length === before) throw new BadPage('has a table record whose counts are not those of its pages');
  }

  #below(tree: Tree, page: number, { level, bounds }: { readonly level: number; readonly bounds: Bounds }): void {
    if (level === 1 && tree.skipsLeaves) return this.#guarded(tree.table, page, () => this.#use(page, 1));
    if (level === 1 && tree.isPlain) return this.#plainLeaf(tree, page, bounds);
    const kind = level === 1 ? 'leaf' : 'branch';
    let nodes: readonly PageNode[] = [];
    this.#guarded(tree.table, page, () => {
      const found = nodesOf(this.#treePage(page, kind), kind, tree.compare);
      const first = found[kind === 'branch' ? 1 : 0]?.key; // LMDB does not look at the first key of a branch.
      if (first !== undefined) mustLieWithin(bounds, { first, last: found.at(-1)!.key, compare: tree.compare }); // There is a first.
      nodes = found;
    });
    if (nodes.length === 0) return;
    tree.seen[kind]++;
    if (kind === 'leaf') for (const node of nodes) this.#leafNode(tree, node, page);
    else nodes.forEach(({ child, key }, index) => this.#below(tree, child, { level: level - 1, bounds: { from: index === 0 ? bounds.from : key, to: nodes[index + 1]?.key ?? bounds.to } }));
  }

  /** A leaf whose records nobody takes. */
  #plainLeaf(tree: Tree, page: number, bounds: Bounds): void {
    this.#guarded(tree.table, page, () => {
      const { entries, first, last, elsewhere } = summaryOf(this.#treePage(page, 'leaf'));
      mustLieWithin(bounds, { first, last, compare: tree.compare });
      tree.seen.leaf++;
      tree.seen.entries += entries - elsewhere.length;
      for (const node of elsewhere) this.#leafNode(tree, node, page);
    });
  }

  #treePage(page: number, kind: 'branch' | 'leaf'): Uint8Array {
    this.#use(page, 1);
    this.pages++;
    this.#left--;
    const bytes = this.#read(page, this.#pageBytes);
    checkHeader(bytes, { number: page, flags: PAGE_FLAGS[kind], transaction: this.#transaction });
    return bytes;
  }

  #leafNode(tree: Tree, node: PageNode, page: number): void {
    tree.seen.entries++;
    if (node.flags === NODE_FLAGS.elsewhere) {
      let isThere = false;
      this.#guarded(tree.table, page, () => {
        const { page: first, pages, transaction } = elsewhereOf(node, this.#pageBytes);
        this.#use(first, pages);
        tree.seen.overflow += pages;
        if (this.#options.isForReading !== true) this.#checkOverflow(first, pages, transaction);
        isThere = true;
      });
      if (!isThere) return;
    }
    tree.take(node, page);
  }

  #checkOverflow(first: number, pages: number, transaction: bigint): void {
    this.#left--;
    const header = this.#read(first, HEADER_BYTES);
    if (checkHeader(header, { number: first, flags: PAGE_FLAGS.overflow, transaction: this.#transaction }) !== transaction) throw new BadPage('has data elsewhere of another transaction');
    if (new DataView(header.buffer).getUint32(20, true) !== pages) throw new BadPage('has data elsewhere of another length');
  }

  #record(table: string, node: PageNode): void {
    if (node.flags === NODE_FLAGS.table) throw new BadPage('has a table inside of a table');
    this.#options.onRecord?.(table, node.key, this.#valueOf(node));
  }

  #free(node: PageNode): void {
    for (const { page, pages } of freeRuns(this.#valueOf(node))) this.#use(page, pages);
  }

  #valueOf(node: PageNode): Uint8Array {
    if (node.flags !== NODE_FLAGS.elsewhere) return node.data;
    return this.#read(elsewhereOf(node, this.#pageBytes).page, HEADER_BYTES + node.size).subarray(HEADER_BYTES);
  }

  /** Notes that pages are in use or free; each may be that once. */
  #use(first: number, pages: number): void {
    if (first < 2 || first + pages - 1 > this.#lastPage) throw new BadPage(`points to page ${first}, which is not in the file`);
    for (let page = first; page < first + pages; page++) {
      const bit = 1 << (page & 7);
      if ((this.#used[page >> 3]! & bit) !== 0) throw new BadPage(`names page ${page}, which something else has`);
      this.#used[page >> 3]! |= bit;
    }
  }

  #read(page: number, length: number): Uint8Array {
    const bytes = new Uint8Array(length);
    if (readSync(this.#file, bytes, 0, length, page * this.#pageBytes) !== length) throw new BadPage('lies behind the end of the file');
    return bytes;
  }
}

function mustLieWithin(bounds: Bounds, { first, last, compare }: { readonly first: Uint8Array; readonly last: Uint8Array; readonly compare: Tree['compare'] }): void {
  const isWithin = (bounds.from === undefined || compare(first, bounds.from) >= 0) && (bounds.to === undefined || compare(last, bounds.to) < 0);
  if (!isWithin) throw new BadPage('has keys that belong to another page');
}

/** The free list has little-endian numbers for keys. */
function compareIntegers(a: Uint8Array, b: Uint8Array): number {
  if (a.length !== 8 || b.length !== 8) throw new BadPage('has a key in the free list that is no number');
  const value = (bytes: Uint8Array): bigint => new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true);
  return value(a) < value(b) ? -1 : value(a) > value(b) ? 1 : 0;
}
