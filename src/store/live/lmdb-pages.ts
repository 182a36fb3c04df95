/**
 * LMDB's tree pages as plain bytes: every number in one is checked before anything follows it, because LMDB itself believes them all.
 * Facts of LMDB's data format 2 (64-bit, little-endian, page size in the header record); offsets in bytes:
 *
 *   page      0 u64 its own number   8 u64 transaction   18 u16 flags: 1 branch, 2 leaf, 4 overflow   20 u16 lower   22 u16 upper   24 lower/2 pointers, u16 each
 *             pointers, lower and upper count from 24; nodes fill the page from `upper` to its end without gaps
 *   node      0 u32 size of the data (leaf); u48 child page (branch)   4 u16 flags (leaf): 1 data elsewhere, 2 a table   6 u16 key length   8 key, data; even length
 *   elsewhere 0 u64 first page   8 u64 transaction   16 u64 pages           there: 20 u32 pages, data from 24
 *   table     4 u16 flags   6 u16 depth   8 u64 branch pages   16 u64 leaf pages   24 u64 overflow pages   32 u64 entries   40 u64 root, all ones: empty
 *
 * Invariant: what is handed out lies inside the page. A look at a store is the first thing that most commands do, in code that V8 has not compiled yet: TreePage makes no object,
 * closure or view for a node, and is used again for the next page.
 * What this does NOT do: read files, follow children (lmdb-check.ts).
 */
export const HEADER_BYTES = 24;
export const PAGE_FLAGS = { branch: 1, leaf: 2, overflow: 4 } as const;
export const NODE_FLAGS = { inline: 0, elsewhere: 1, table: 2 } as const;
const NODE_BYTES = 8;
export const KEY_BYTES_MAX = 511;
const ELSEWHERE_BYTES = 24;
const TABLE_BYTES = 48;
export const NO_PAGE = 0xffff_ffff_ffff_ffffn;
/** A pointer and the head of a node. */
const NODE_BYTES_MIN = 2 + NODE_BYTES;
const HALF = 0x1_0000;
const WORD = 0x1_0000_0000;

/** `flags`: how its keys and values are kept; 0: bytes, one value a key, as all of ours. */
export interface TableRecord { readonly flags: number; readonly depth: number; readonly branchPages: number; readonly leafPages: number; readonly overflowPages: number; readonly entries: number; readonly root: number | undefined }
export interface Elsewhere { readonly page: number; readonly pages: number; readonly transaction: number }
/** A key as it lies in a page: valid until the page is read anew. */
export interface Key { readonly bytes: Uint8Array; readonly start: number; readonly length: number }
export interface PageIdentity { readonly number: number; readonly kind: keyof typeof PAGE_FLAGS; readonly transactionMax: number }

/** Why a page or record is none; the message goes on "page N". */
export class BadPage extends Error {}

function mustBe(condition: boolean, what: string): asserts condition {
  if (!condition) throw new BadPage(what);
}

/** A u64 of which 48 bits are used. */
function number(view: DataView, offset: number): number {
  const high = view.getUint32(offset + 4, true);
  mustBe(high < HALF, 'holds an impossible number');
  return high * WORD + view.getUint32(offset, true);
}

const viewOf = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

/** The header of a page: it must be of its number and kind and not from the future. Returns its transaction. */
export function checkHeader(view: DataView, { number: page, kind, transactionMax }: PageIdentity): number {
  mustBe(view.getUint32(0, true) === page % WORD && view.getUint32(4, true) === Math.floor(page / WORD), 'is another page');
  mustBe(view.getUint16(18, true) === PAGE_FLAGS[kind], 'is of another kind');
  const transaction = view.getUint32(12, true) * WORD + view.getUint32(8, true);
  mustBe(transaction <= transactionMax, 'is of a transaction that has not happened');
  return transaction;
}

/** How many pages the data behind such a header has. */
export function overflowPagesOf(view: DataView): number {
  return view.getUint32(20, true);
}

/** A branch or leaf page under a look. Nodes are known by their number from the left. */
export class TreePage {
  /** To be read into, then checked. */
  readonly bytes: Uint8Array;
  readonly #view: DataView;
  /** The same bytes; LMDB's nodes begin at even offsets. */
  readonly #halves: Uint16Array;
  /** Half the offset of each node. */
  readonly #starts: Uint16Array;
  /** Nodes whose flags are not 0, of a leaf. */
  readonly #flagged: Uint16Array;
  #isBranch = false;
  count = 0;
  flaggedCount = 0;

  constructor(pageBytes: number) {
    this.bytes = new Uint8Array(pageBytes);
    this.#view = viewOf(this.bytes);
    this.#halves = new Uint16Array(this.bytes.buffer);
    this.#starts = new Uint16Array(Math.floor(pageBytes / NODE_BYTES_MIN));
    this.#flagged = new Uint16Array(this.#starts.length);
  }

  /** Looks at all that was read. Keys of bytes must be in order; mustHaveNumbers() is for the other kind. */
  check(expected: PageIdentity, keys: 'bytes' | 'numbers'): void {
    this.count = this.flaggedCount = 0;
    checkHeader(this.#view, expected);
    this.#isBranch = expected.kind === 'branch';
    this.#checkNodes();
    if (keys === 'numbers') this.#checkNumbers();
    else this.#checkOrder();
  }

  key(index: number): Key {
    const half = this.#starts[index]!; // Callers ask below `count`.
    return { bytes: this.bytes, start: half * 2 + NODE_BYTES, length: this.#halves[half + 3]! };
  }

  /** Of a branch. */
  child(index: number): number {
    const half = this.#starts[index]!;
    return this.#halves[half + 2]! * WORD + this.#size(half);
  }

  flags(index: number): number {
    return this.#halves[this.#starts[index]! + 2]!;
  }

  /** Length of a leaf's data. */
  size(index: number): number {
    return this.#size(this.#starts[index]!);
  }

  /** The number of the node that is the `index`th of those with flags. */
  flagged(index: number): number {
    return this.#flagged[index]!;
  }

  /** A leaf's data as it lies in the page; valid until the page is read anew. */
  data(index: number): Uint8Array {
    const { start, length } = this.key(index);
    return this.bytes.subarray(start + length, start + length + (this.flags(index) === NODE_FLAGS.elsewhere ? ELSEWHERE_BYTES : this.size(index)));
  }

  /** Where a leaf's data lies that is not in the page. */
  elsewhere(index: number): Elsewhere {
    const half = this.#starts[index]!;
    const at = half * 2 + NODE_BYTES + this.#halves[half + 3]!;
    const pages = number(this.#view, at + 16);
    mustBe(pages === Math.ceil((HEADER_BYTES + this.size(index)) / this.bytes.length), 'has data of another length elsewhere');
    return { page: number(this.#view, at), pages, transaction: number(this.#view, at + 8) };
  }

  #size(half: number): number {
    return this.#halves[half + 1]! * HALF + this.#halves[half]!;
  }

  #checkNodes(): void {
    const halves = this.#halves;
    const [lower, upper, end] = [halves[10]!, halves[11]!, this.bytes.length - HEADER_BYTES];
    mustBe(lower % 2 === 0 && lower >= 2 && lower <= upper && upper <= end, 'has impossible bounds');
    const count = lower / 2;
    mustBe(count <= this.#starts.length, 'has impossible bounds');
    let filled = 0;
    for (let index = 0; index < count; index++) {
      const offset = halves[HEADER_BYTES / 2 + index]!;
      mustBe(offset >= upper && offset + NODE_BYTES <= end && offset % 2 === 0, 'has a node outside of it');
      const half = (offset + HEADER_BYTES) / 2;
      this.#starts[index] = half;
      const bytes = NODE_BYTES + halves[half + 3]! + (this.#isBranch ? 0 : this.#leafBytes(half, index));
      mustBe(halves[half + 3]! <= KEY_BYTES_MAX && offset + bytes <= end, 'has a node of an impossible form');
      filled += bytes + (bytes & 1);
    }
    mustBe(filled === end - upper, 'has nodes that overlap or gaps between them');
    this.count = count;
  }

  /** Bytes of a leaf's data in the page. */
  #leafBytes(half: number, index: number): number {
    const flags = this.#halves[half + 2]!;
    if (flags !== NODE_FLAGS.inline) this.#flagged[this.flaggedCount++] = index;
    mustBe(flags <= NODE_FLAGS.table && this.#halves[half + 3]! > 0, 'has a node of an unknown kind');
    return flags === NODE_FLAGS.elsewhere ? ELSEWHERE_BYTES : this.#size(half);
  }

  /** LMDB does not look at the first key of a branch. */
  get firstKey(): number {
    return this.#isBranch ? 1 : 0;
  }

  /** Bytes, then length; most keys are hashes, and differ in their first two bytes. */
  #checkOrder(): void {
    const { bytes, count } = this;
    const starts = this.#starts;
    for (let index = this.firstKey + 1; index < count; index++) {
      const isBefore = bytes[starts[index - 1]! * 2 + NODE_BYTES]! < bytes[starts[index]! * 2 + NODE_BYTES]!;
      if (!isBefore || this.key(index - 1).length === 0) mustBe(compareKeys(this.key(index - 1), this.key(index)) < 0, 'has keys out of order');
    }
  }

  #checkNumbers(): void {
    for (let index = this.firstKey + 1; index < this.count; index++) mustBe(compareNumbers(this.key(index - 1), this.key(index)) < 0, 'has keys out of order');
  }
}

/** LMDB's order of keys: bytes, then length. */
export function compareKeys(a: Key, b: Key): number {
  const length = Math.min(a.length, b.length);
  for (let index = 0; index < length; index++) {
    const difference = a.bytes[a.start + index]! - b.bytes[b.start + index]!;
    if (difference !== 0) return difference;
  }
  return a.length - b.length;
}

/** The free list has little-endian numbers for keys. */
export function compareNumbers(a: Key, b: Key): number {
  mustBe(a.length === 8 && b.length === 8, 'has a key in the free list that is no number');
  const value = ({ bytes, start }: Key): bigint => viewOf(bytes).getBigUint64(start, true);
  return value(a) < value(b) ? -1 : value(a) > value(b) ? 1 : 0;
}

/** `data`: of a node that is a table, or a part of the header record. */
export function tableRecord(data: Uint8Array): TableRecord {
  mustBe(data.length === TABLE_BYTES, 'has a table record of another length');
  const view = viewOf(data);
  const root = view.getBigUint64(40, true) === NO_PAGE ? undefined : number(view, 40);
  const record = { flags: view.getUint16(4, true), depth: view.getUint16(6, true), branchPages: number(view, 8), leafPages: number(view, 16), overflowPages: number(view, 24), entries: number(view, 32), root };
  mustBe((root === undefined) === (record.depth === 0) && record.depth <= 32 && (root !== undefined || record.branchPages + record.leafPages + record.overflowPages + record.entries === 0), 'has a table record that contradicts itself');
  return record;
}

/** The runs of free pages in a record of the free list: u64 count, then page numbers, a negative number before one: the length of its run. */
export function freeRuns(data: Uint8Array): readonly { readonly page: number; readonly pages: number }[] {
  mustBe(data.length >= 8 && data.length % 8 === 0, 'has a free list of an odd length');
  const view = viewOf(data);
  const count = number(view, 0);
  mustBe(count < data.length / 8, 'has a free list that is longer than its record');
  const runs: { readonly page: number; readonly pages: number }[] = [];
  for (let index = 1; index <= count; index++) {
    const entry = view.getBigInt64(index * 8, true);
    if (entry === 0n) continue;
    if (entry < 0n) mustBe(++index <= count && entry > -0xffff_ffffn, 'has a free list that ends in the middle');
    runs.push({ page: number(view, index * 8), pages: entry < 0n ? Number(-entry) : 1 });
  }
  return runs;
}
