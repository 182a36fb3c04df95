/**
 * Records that no tree leads to any more, looked for in every page of a damaged data file: a header, a table of tables or a branch is broken, and the leaves under it are whole; or a leaf
 * has one bad number, and most of its nodes are whole; or an older copy of a leaf is still there, for LMDB never writes over the page of the transaction before.
 *
 *   data.mdb ─► every page that looks like a leaf, the youngest first ─► each node inside of its page ─► { key, value } ─► judge: which table, if its check sum is right
 *
 * Invariants: nothing is believed for its place: the judge knows a record by its check sum. Of several copies of a record the one of the youngest transaction counts; what a younger page of
 * the same table leaves out between its first and its last key was deleted. A page that is not free and that no tree leads to is of the state that was lost: its records are told apart from
 * those of pages that LMDB had given back, which may say what was true once. Only plain reads; in memory are a number a leaf and the keys at the ends of some.
 * What this does NOT do: put anything anywhere (lmdb-rebuild.ts), or find bytes that lie beside the page borders of the file.
 */
import { fstatSync, readSync } from 'node:fs';
import type { Table } from '../store.ts';
import { HEADER_BYTES, NODE_FLAGS, overflowPagesOf, PAGE_FLAGS } from './lmdb-pages.ts';
import { expandPack } from './pack-codec.ts';

/** Which table a record is of, told by itself; undefined: it cannot be told. `value`: a pack as it was before it was shrunk. */
export type Judge = (key: Uint8Array, value: Uint8Array) => Table | undefined;
export interface LooseRecord {
  readonly table: Table;
  readonly key: Uint8Array;
  readonly value: Uint8Array;
  /** The page was in use: this was so when the file was written last. Else it may have changed, or gone, since. */
  readonly isInUse: boolean;
  /** That wrote the page; 0: not known. */
  readonly transaction: number;
}
export interface SalvageOptions {
  readonly file: number;
  readonly pageBytes: number;
  /** Younger transactions were never committed, or their number is damaged. */
  readonly transactionMax: number;
  /** Whether a page was in use, as far as that is known. */
  readonly isInUse: (page: number) => boolean;
  /** Whether a page is a piece of a value that a sound tree leads to. */
  readonly isValue: (page: number) => boolean;
  readonly judge: Judge;
  /** Whether a record is wanted: of a table that is not whole, and not there. */
  readonly isWanted: (table: Table, key: Uint8Array) => boolean;
  /** First and last keys of pages that were read soundly, by table. */
  readonly spans: Spans;
  readonly onRecord: (record: LooseRecord) => void;
}

/** Headers of pages are read so many bytes at a time. */
const READ_BYTES = 1 << 22;
const AT = { transaction: 8, flags: 18, lower: 20 } as const;
const NODE = { flags: 4, keyLength: 6, bytes: 8 } as const;
/** LMDB's greatest key. */
const KEY_BYTES_MAX = 511;
/** No record of ours is longer: an input of 16 MiB, a program. */
const VALUE_BYTES_MAX = 1 << 30;
/** Content is the same in every copy; of other tables it matters which one is the youngest. */
const BY_HASH: ReadonlySet<Table> = new Set(['nodes', 'packs', 'locations', 'blobs']);

/** What was between the first and the last key of pages that are known. */
export class Spans {
  readonly #spans = new Map<Table, { first: Uint8Array; last: Uint8Array; page: number }[]>();

  /** Keys of one page come one after the other. */
  add(table: Table, key: Uint8Array, page: number): void {
    if (BY_HASH.has(table) || table === 'pages') return;
    const spans = this.#spans.get(table) ?? [];
    this.#spans.set(table, spans);
    const last = spans.at(-1);
    if (last?.page !== page) spans.push({ first: key, last: key, page });
    else if (Buffer.compare(key, last.last) > 0) last.last = key;
  }

  covers(table: Table, key: Uint8Array): boolean {
    return this.#spans.get(table)?.some(({ first, last }) => Buffer.compare(first, key) < 0 && Buffer.compare(key, last) < 0) === true;
  }
}

/** Hands out every record of the file that is wanted. Returns how many leaves were looked at. */
export function salvage(options: SalvageOptions): number {
  const leaves = leavesOf(options);
  const page = new Uint8Array(options.pageBytes);
  leaves.forEach((place, turn) => {
    if (readSync(options.file, page, 0, page.length, place * page.length) < page.length) return;
    const written = Number(new DataView(page.buffer).getBigUint64(AT.transaction, true));
    const about = { isInUse: written <= options.transactionMax && options.isInUse(place), transaction: written <= options.transactionMax ? written : 0 };
    const found = nodesOf(page, options).flatMap(({ key, value }) => told(options.judge, key, value) ?? []).filter(({ table, key }) => !options.spans.covers(table, key));
    for (const record of found) if (options.isWanted(record.table, record.key)) options.onRecord({ ...record, ...about });
    // After all of them: a page says nothing about its own keys. Numbered below zero, beside the pages that trees led to.
    for (const { table, key } of found) options.spans.add(table, key, -1 - turn);
  });
  return leaves.length;
}

function told(judge: Judge, key: Uint8Array, stored: Uint8Array): Pick<LooseRecord, 'table' | 'key' | 'value'> | undefined {
  const table = judge(key, stored);
  if (table !== undefined) return { table, key, value: stored };
  const value = expandPack(stored);
  return value !== stored && judge(key, value) === 'packs' ? { table: 'packs', key, value } : undefined;
}

/**
 * Places of pages that look like leaves, the youngest first. What lies in a value (a page of the guest's, an input) may look like one, whoever made it, with records whose sums are right: a leaf has its own
 * number in its header (but for a flipped bit), and no value that was written after it, or that a tree leads to, lies over its place.
 */
function leavesOf({ file, pageBytes, transactionMax, isValue }: SalvageOptions): Float64Array {
  const pages = Math.floor(fstatSync(file).size / pageBytes);
  const bytes = new Uint8Array(Math.max(READ_BYTES, pageBytes));
  const view = new DataView(bytes.buffer);
  const found: { readonly place: number; readonly transaction: number }[] = [];
  const pagesAtOnce = Math.floor(bytes.length / pageBytes);
  /** The last value whose first page was met: it lies before `end`. */
  let value = { end: 0, transaction: 0 };
  for (let first = 0; first < pages; first += pagesAtOnce) {
    const length = readSync(file, bytes, 0, Math.min(pagesAtOnce, pages - first) * pageBytes, first * pageBytes);
    for (let at = 0; at + pageBytes <= length; at += pageBytes) {
      const place = first + at / pageBytes;
      const [flags, transaction] = [view.getUint16(at + AT.flags, true), Number(view.getBigUint64(at + AT.transaction, true))];
      if ((flags !== PAGE_FLAGS.leaf && flags !== PAGE_FLAGS.overflow) || !isSameNumber(view.getBigUint64(at, true) ^ BigInt(place), flags === PAGE_FLAGS.leaf)) continue;
      const isCovered = isValue(place) || (place < value.end && (transaction <= value.transaction || transaction > transactionMax));
      if (isCovered) continue;
      const lower = view.getUint16(at + AT.lower, true);
      if (flags === PAGE_FLAGS.overflow) value = { end: place + Math.min(overflowPagesOf(new DataView(bytes.buffer, at, HEADER_BYTES)), pages - place), transaction: transaction > transactionMax ? 0 : transaction };
      else if (lower > 0 && lower <= pageBytes - HEADER_BYTES) found.push({ place, transaction: transaction > transactionMax ? 0 : transaction });
    }
  }
  found.sort((a, b) => b.transaction - a.transaction || a.place - b.place);
  return Float64Array.from(found, ({ place }) => place);
}

/** Whether two numbers are the same, by their exclusive or; `mayDiffer`: or one bit of them was flipped, which costs no leaf. */
function isSameNumber(difference: bigint, mayDiffer: boolean): boolean {
  return difference === 0n || (mayDiffer && (difference & (difference - 1n)) === 0n);
}

/** Nodes of a leaf that lie inside of it, whatever is wrong with the others. */
function nodesOf(page: Uint8Array, options: SalvageOptions): readonly { readonly key: Uint8Array; readonly value: Uint8Array }[] {
  const view = new DataView(page.buffer);
  const count = view.getUint16(AT.lower, true) >> 1;
  const nodes: { readonly key: Uint8Array; readonly value: Uint8Array }[] = [];
  for (let index = 0; index < count; index++) {
    const at = HEADER_BYTES + view.getUint16(HEADER_BYTES + 2 * index, true);
    if (at + NODE.bytes > page.length) continue;
    const keyLength = view.getUint16(at + NODE.keyLength, true);
    const dataAt = at + NODE.bytes + keyLength;
    if (keyLength === 0 || keyLength > KEY_BYTES_MAX || dataAt > page.length) continue;
    const value = valueOf(page, { dataAt, flags: view.getUint16(at + NODE.flags, true), size: view.getUint32(at, true) }, options);
    if (value !== undefined) nodes.push({ key: page.slice(at + NODE.bytes, dataAt), value });
  }
  return nodes;
}

function valueOf(page: Uint8Array, { dataAt, flags, size }: { readonly dataAt: number; readonly flags: number; readonly size: number }, { file, pageBytes }: SalvageOptions): Uint8Array | undefined {
  if (flags === NODE_FLAGS.inline) return dataAt + size <= page.length ? page.slice(dataAt, dataAt + size) : undefined;
  if (flags !== NODE_FLAGS.elsewhere || dataAt + 8 > page.length || size > VALUE_BYTES_MAX) return undefined;
  const from = Number(new DataView(page.buffer).getBigUint64(dataAt, true)) * pageBytes + HEADER_BYTES;
  if (!Number.isSafeInteger(from) || from + size > fstatSync(file).size) return undefined;
  const value = new Uint8Array(size);
  return readSync(file, value, 0, size, from) === size ? value : undefined;
}
