/**
 * LMDB's tree pages as plain bytes: every number in one is checked before anything follows it, because LMDB itself believes them all.
 * Facts of LMDB's data format 2 (64-bit, little-endian, page size in the header record); offsets in bytes:
 *
 *   page      0 u64 its own number   8 u64 transaction   18 u16 flags: 1 branch, 2 leaf, 4 overflow   20 u16 lower   22 u16 upper   24 lower/2 pointers, u16 each
 *             pointers, lower and upper count from 24; nodes fill the page from `upper` to its end without gaps
 *   node      0 u32 size of the data (leaf); u48 child page (branch)   4 u16 flags (leaf): 1 data elsewhere, 2 a table   6 u16 key length   8 key, data; even length
 *   elsewhere 0 u64 first page   8 u64 transaction   16 u64 pages           there: 20 u32 pages, data from 24
 *   table     6 u16 depth   8 u64 branch pages   16 u64 leaf pages   24 u64 overflow pages   32 u64 entries   40 u64 root, all ones: empty
 *
 * Invariant: what is handed out lies inside the page. What this does NOT do: read files, follow children (lmdb-check.ts).
 */
export const HEADER_BYTES = 24;
export const PAGE_FLAGS = { branch: 1, leaf: 2, overflow: 4 } as const;
export const NODE_FLAGS = { elsewhere: 1, table: 2 } as const;
const NODE_BYTES = 8;
const KEY_BYTES_MAX = 511;
const ELSEWHERE_BYTES = 24;
const TABLE_BYTES = 48;
const NO_PAGE = 0xffff_ffff_ffff_ffffn;

export interface TableRecord { readonly depth: number; readonly branchPages: number; readonly leafPages: number; readonly overflowPages: number; readonly entries: number; readonly root: number | undefined }
export interface Elsewhere { readonly page: number; readonly pages: number; readonly transaction: bigint }
export interface PageNode {
  readonly key: Uint8Array;
  /** Of a branch. */
  readonly child: number;
  readonly flags: number;
  /** Length of a leaf's data. */
  readonly size: number;
  /** A leaf's data as it lies in the page. */
  readonly data: Uint8Array;
}

/** Why a page or record is none; the message goes on "page N". */
export class BadPage extends Error {}

function mustBe(condition: boolean, what: string): asserts condition {
  if (!condition) throw new BadPage(what);
}

function number(view: DataView, offset: number): number {
  const value = view.getBigUint64(offset, true);
  mustBe(value <= 0xffff_ffff_ffffn, 'holds an impossible number');
  return Number(value);
}

const viewOf = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

/** The header of a page: it must be of its number and kind and not from the future. */
export function checkHeader(page: Uint8Array, expected: { readonly number: number; readonly flags: number; readonly transaction: bigint }): bigint {
  const view = viewOf(page);
  mustBe(view.getBigUint64(0, true) === BigInt(expected.number), 'is another page');
  mustBe(view.getUint16(18, true) === expected.flags, 'is of another kind');
  const transaction = view.getBigUint64(8, true);
  mustBe(transaction <= expected.transaction, 'is of a transaction that has not happened');
  return transaction;
}

/** The nodes of a branch or leaf page whose header was checked. */
export function nodesOf(page: Uint8Array, kind: 'branch' | 'leaf', compare: (a: Uint8Array, b: Uint8Array) => number): readonly PageNode[] {
  const view = viewOf(page);
  const [lower, upper, end] = [view.getUint16(20, true), view.getUint16(22, true), page.length - HEADER_BYTES];
  mustBe(lower % 2 === 0 && lower >= 2 && lower <= upper && upper <= end, 'has impossible bounds');
  const nodes: PageNode[] = [];
  let filled = 0;
  for (let pointer = 0; pointer < lower; pointer += 2) {
    const start = view.getUint16(HEADER_BYTES + pointer, true);
    mustBe(start >= upper && start + NODE_BYTES <= end, 'has a node outside of it');
    const node = nodeAt(view, { page, start: start + HEADER_BYTES, kind });
    filled += evenly(NODE_BYTES + node.key.length + node.data.length);
    nodes.push(node);
  }
  mustBe(filled === end - upper, 'has nodes that overlap or gaps between them');
  for (let index = kind === 'branch' ? 2 : 1; index < nodes.length; index++) mustBe(compare(nodes[index - 1]!.key, nodes[index]!.key) < 0, 'has keys out of order');
  return nodes;
}

/** What a leaf holds, without an object a node: most leaves are looked at for their form only. */
export interface LeafSummary { readonly entries: number; readonly first: Uint8Array; readonly last: Uint8Array; readonly elsewhere: readonly PageNode[] }

/** The same checks as nodesOf() makes of a leaf whose keys are bytes. */
export function summaryOf(page: Uint8Array): LeafSummary {
  const view = viewOf(page);
  const [lower, upper, end] = [view.getUint16(20, true), view.getUint16(22, true), page.length - HEADER_BYTES];
  mustBe(lower % 2 === 0 && lower >= 2 && lower <= upper && upper <= end, 'has impossible bounds');
  const elsewhere: PageNode[] = [];
  let filled = 0;
  let before = { start: 0, length: -1 };
  for (let pointer = 0; pointer < lower; pointer += 2) {
    const offset = view.getUint16(HEADER_BYTES + pointer, true);
    mustBe(offset >= upper && offset + NODE_BYTES <= end, 'has a node outside of it');
    const start = offset + HEADER_BYTES;
    const [size, flags, length] = [view.getUint32(start, true), view.getUint16(start + 4, true), view.getUint16(start + 6, true)];
    const data = flags === NODE_FLAGS.elsewhere ? ELSEWHERE_BYTES : size;
    mustBe(length > 0 && length <= KEY_BYTES_MAX && flags <= NODE_FLAGS.elsewhere && start + NODE_BYTES + length + data <= page.length, 'has a node of an impossible form');
    filled += evenly(NODE_BYTES + length + data);
    const key = { start: start + NODE_BYTES, length };
    mustBe(before.length < 0 || isBefore(page, before, key), 'has keys out of order');
    before = key;
    if (flags === NODE_FLAGS.elsewhere) elsewhere.push(nodeAt(view, { page, start, kind: 'leaf' }));
  }
  mustBe(filled === end - upper, 'has nodes that overlap or gaps between them');
  const start = HEADER_BYTES + NODE_BYTES + view.getUint16(HEADER_BYTES, true);
  return { entries: lower / 2, first: page.subarray(start, start + view.getUint16(start - 2, true)), last: page.subarray(before.start, before.start + before.length), elsewhere };
}

interface Piece { readonly start: number; readonly length: number }

function isBefore(page: Uint8Array, a: Piece, b: Piece): boolean {
  const length = Math.min(a.length, b.length);
  for (let index = 0; index < length; index++) {
    const difference = page[a.start + index]! - page[b.start + index]!;
    if (difference !== 0) return difference < 0;
  }
  return a.length < b.length;
}

function nodeAt(view: DataView, { page, start, kind }: { readonly page: Uint8Array; readonly start: number; readonly kind: 'branch' | 'leaf' }): PageNode {
  const size = view.getUint32(start, true);
  const flags = view.getUint16(start + 4, true);
  const keyLength = view.getUint16(start + 6, true);
  const keyStart = start + NODE_BYTES;
  mustBe(keyLength <= KEY_BYTES_MAX && keyStart + keyLength <= page.length, 'has a key that is too long');
  const key = page.subarray(keyStart, keyStart + keyLength);
  if (kind === 'branch') return { key, child: flags * 2 ** 32 + size, flags: 0, size: 0, data: page.subarray(0, 0) };
  mustBe(keyLength > 0 && flags <= NODE_FLAGS.table, 'has a node of an unknown kind');
  const length = flags === NODE_FLAGS.elsewhere ? ELSEWHERE_BYTES : size;
  mustBe(keyStart + keyLength + length <= page.length, 'has data that is too long');
  return { key, child: 0, flags, size, data: page.subarray(keyStart + keyLength, keyStart + keyLength + length) };
}

const evenly = (bytes: number): number => bytes + (bytes & 1);

/** LMDB's order of keys: bytes, then length. */
export function compareKeys(a: Uint8Array, b: Uint8Array): number {
  const length = Math.min(a.length, b.length);
  for (let index = 0; index < length; index++) if (a[index] !== b[index]) return a[index]! - b[index]!;
  return a.length - b.length;
}

/** Where a leaf's data lies that is not in the page. */
export function elsewhereOf({ data, size }: PageNode, pageBytes: number): Elsewhere {
  const view = viewOf(data);
  const pages = number(view, 16);
  mustBe(pages === Math.ceil((HEADER_BYTES + size) / pageBytes), 'has data of another length elsewhere');
  return { page: number(view, 0), pages, transaction: view.getBigUint64(8, true) };
}

/** `data`: of a node that is a table, or a part of the header record. */
export function tableRecord(data: Uint8Array): TableRecord {
  mustBe(data.length === TABLE_BYTES, 'has a table record of another length');
  const view = viewOf(data);
  const root = view.getBigUint64(40, true) === NO_PAGE ? undefined : number(view, 40);
  const record = { depth: view.getUint16(6, true), branchPages: number(view, 8), leafPages: number(view, 16), overflowPages: number(view, 24), entries: number(view, 32), root };
  mustBe((root === undefined) === (record.depth === 0) && record.depth <= 32, 'has a table record that contradicts itself');
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
