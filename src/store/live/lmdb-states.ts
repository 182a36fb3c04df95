/**
 * The states that a damaged data file may still hold: what its two header records say, and, where one of them is broken, what a younger table of tables says that is there without a header.
 *
 *   page 0, page 1   header records of the last even and the last odd transaction ─► root of the table of tables: one leaf, written anew by every transaction
 *
 * Invariant: a state is a claim; whoever uses one walks it (lmdb-check.ts). What this does NOT do: read further than such a leaf.
 */
import { fstatSync, readSync } from 'node:fs';
import type { PageTrouble } from './lmdb-check.ts';
import { META_SECTOR_BYTES, soundHeader, TRANSACTION_OFFSET, type HeaderRecord } from './lmdb-files.ts';
import { BadPage, NO_PAGE, NODE_FLAGS, PAGE_FLAGS, TreePage } from './lmdb-pages.ts';

/** Of a file whose headers say nothing: LMDB's pages are those of the kernel. */
const PAGE_BYTES = 4096;
const READ_BYTES = 1 << 22;
const FLAGS_OFFSET = 18;
const PAGE_TRANSACTION_OFFSET = 8;
/** In a header record: free list, then table of tables, as table records (lmdb-pages.ts). */
const FREE_OFFSET = 48;
const MAIN_OFFSET = 96;
const LAST_PAGE_OFFSET = 144;
const TABLE = { depth: 6, branches: 8, leaves: 16, overflows: 24, entries: 32, root: 40, bytes: 48 } as const;
/** Every store has it; the package ends names with a zero. */
const OUR_TABLE = 'meta\0';
/** Tables of tables that are taken for states where no header is left: the youngest may be somebody's who wrote it there. */
const YOUNGEST_MAX = 3;
/** No store has committed so often. */
const TRANSACTION_MAX = 2n ** 52n;

/** The youngest first, and what is wrong with the headers. */
export function statesOf(file: number): { readonly states: readonly HeaderRecord[]; readonly troubles: readonly PageTrouble[] } {
  const pageBytes = soundHeader(file, 0)?.pageBytes ?? PAGE_BYTES;
  const read = [soundHeader(file, 0), soundHeader(file, pageBytes)].map((header) => (header === undefined || header.transaction >= TRANSACTION_MAX ? undefined : header));
  const troubles = read.flatMap((header, page): PageTrouble[] => (header === undefined ? [{ page, table: 'header', says: 'is no header record any more' }] : []));
  const states = read.filter((header) => header !== undefined).sort(youngestFirst);
  if (troubles.length === 0 && areOfNeighbours(read)) return { states, troubles };
  const before = states.length === 0 ? [undefined] : states.map(({ transaction }) => transaction);
  const younger = before.flatMap((after) => withoutHeader(file, { pageBytes, after })).filter((found) => states.every(({ mainRoot }) => mainRoot !== found.mainRoot));
  return { states: [...states, ...younger].sort(youngestFirst), troubles };
}

function youngestFirst(a: HeaderRecord, b: HeaderRecord): number {
  return Number(b.transaction - a.transaction);
}

/** Whether two headers are of one transaction and the next, as they always are but in a fresh store: else the number of one of them is not what it was. */
function areOfNeighbours([even, odd]: readonly (HeaderRecord | undefined)[]): boolean {
  if (even === undefined || odd === undefined) return false;
  const distance = even.transaction - odd.transaction;
  return distance === 1n || distance === -1n;
}

/** The states of the youngest tables of tables; of the transaction behind `after`, when that is known. */
function withoutHeader(file: number, { pageBytes, after }: { readonly pageBytes: number; readonly after: bigint | undefined }): readonly HeaderRecord[] {
  const pages = Math.floor(fstatSync(file).size / pageBytes);
  const bytes = new Uint8Array(Math.max(READ_BYTES, pageBytes));
  const view = new DataView(bytes.buffer);
  const atOnce = Math.floor(bytes.length / pageBytes);
  let found: { readonly page: number; readonly transaction: bigint; readonly entries: number }[] = [];
  for (let first = 0; first < pages; first += atOnce) {
    const length = readSync(file, bytes, 0, Math.min(atOnce, pages - first) * pageBytes, first * pageBytes);
    for (let at = 0; at + pageBytes <= length; at += pageBytes) {
      if (view.getUint16(at + FLAGS_OFFSET, true) !== PAGE_FLAGS.leaf) continue;
      const transaction = view.getBigUint64(at + PAGE_TRANSACTION_OFFSET, true);
      if (transaction >= TRANSACTION_MAX || (after !== undefined && transaction !== after + 1n) || (found.length === YOUNGEST_MAX && transaction <= found.at(-1)!.transaction)) continue;
      const page = first + at / pageBytes;
      const entries = tablesIn(bytes.subarray(at, at + pageBytes), page, Number(transaction));
      if (entries > 0) found = [...found, { page, transaction, entries }].sort((a, b) => Number(b.transaction - a.transaction)).slice(0, YOUNGEST_MAX);
    }
  }
  return found.map((each) => headerFor(each, { pageBytes, lastPage: pages - 1 }));
}

/** How many tables a leaf has, when it is the table of tables. */
function tablesIn(bytes: Uint8Array, number: number, transactionMax: number): number {
  const page = new TreePage(bytes.length);
  page.bytes.set(bytes);
  try {
    page.check({ number, kind: 'leaf', transactionMax }, 'bytes');
  } catch (error) {
    if (error instanceof BadPage) return 0;
    throw error;
  }
  let hasOurs = false;
  for (let index = 0; index < page.count; index++) {
    if (page.flags(index) !== NODE_FLAGS.table) return 0;
    const { bytes: all, start, length } = page.key(index);
    hasOurs ||= Buffer.from(all.subarray(start, start + length)).toString('latin1') === OUR_TABLE;
  }
  return hasOurs ? page.count : 0;
}

function headerFor({ page, transaction, entries }: { readonly page: number; readonly transaction: bigint; readonly entries: number }, { pageBytes, lastPage }: { readonly pageBytes: number; readonly lastPage: number }): HeaderRecord {
  const bytes = new Uint8Array(META_SECTOR_BYTES);
  const view = new DataView(bytes.buffer);
  view.setBigUint64(FREE_OFFSET + TABLE.root, NO_PAGE, true); // Which pages are free is not known, and nobody will write here.
  view.setUint16(MAIN_OFFSET + TABLE.depth, 1, true);
  view.setBigUint64(MAIN_OFFSET + TABLE.leaves, 1n, true);
  view.setBigUint64(MAIN_OFFSET + TABLE.entries, BigInt(entries), true);
  view.setBigUint64(MAIN_OFFSET + TABLE.root, BigInt(page), true);
  view.setBigUint64(LAST_PAGE_OFFSET, BigInt(lastPage), true);
  view.setBigUint64(TRANSACTION_OFFSET, transaction, true);
  return { bytes, pageBytes, freeRoot: NO_PAGE, mainRoot: BigInt(page), lastPage: BigInt(lastPage), transaction };
}
