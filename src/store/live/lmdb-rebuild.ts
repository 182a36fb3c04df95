/**
 * A data file with damaged headers or tree pages, made anew from every record that can be reached through sound ones, and from those that lie in pages by themselves.
 *
 *   data.mdb ─► the state that it holds (lmdb-states.ts) ─ trees ───────────────────────────────────────► records ┐
 *           └─► what is missing of tables that are not whole, by its check sum (lmdb-salvage.ts) ─► records ───────┴─► new-<16 hex digits>/data.mdb ─ rename ─► data.mdb
 *
 * Invariants: nobody else has the store open (looked for in /proc before, and after the rename, when a new opener gets the new file); the old file stays until the new one is on disk
 * whole, and comes back when somebody used it meanwhile; LMDB never opens the old one. Records are taken as they lie there, good or bad: whoever owns them judges them afterwards.
 * What this does NOT do: say what was lost (a check of the new store does).
 */
import { closeSync, existsSync, linkSync, lstatSync, openSync, readdirSync, readSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { StillpointError } from '../../core/index.ts';
import { TABLES, type StorePut, type Table } from '../store.ts';
import { checkPages, FREE_LIST, TABLES_TABLE, type PageTrouble } from './lmdb-check.ts';
import { BUILD_PATTERN, buildName, DATA_FILE, syncDirectory, type HeaderRecord } from './lmdb-files.ts';
import { NO_PAGE } from './lmdb-pages.ts';
import { salvage, Spans, type Judge, type LooseRecord, type SalvageOptions } from './lmdb-salvage.ts';
import { statesOf } from './lmdb-states.ts';
import { openLmdbStore, type LmdbStore } from './lmdb-store.ts';
import { userOf } from './lmdb-users.ts';
import { expandPack } from './pack-codec.ts';

/** Records go into the new file in transactions of about this size. */
const BATCH_BYTES = 16 * 1024 * 1024;
const BATCH_RECORDS = 20_000;
const FORMAT_KEY = 'format';
/** Of files whose headers say nothing: LMDB's pages are those of the kernel. */
const PAGE_BYTES = 4096;
const MAX_TRANSACTION = 2n ** 52n;
const NOTHING = new Uint8Array(0);
/** The old data file, aside, until it is known that nobody uses it. */
const OLD_FILE = 'old.mdb';

export interface Rebuilt {
  readonly records: number;
  /** Records that no tree led to; of those but runs without their values. */
  readonly loose: readonly LooseRecord[];
  readonly troubles: readonly PageTrouble[];
  /** Tables that may miss some. */
  readonly broken: ReadonlySet<Table>;
  /** The format record that the store had, if it was found: the new one has another id. */
  readonly format: Uint8Array | undefined;
}

/** Throws E_STORE_BUSY when somebody has the store open, or opened it meanwhile, E_DISK_FULL, E_STORE_CORRUPT when there is nothing to save; then everything is as it was. */
export async function rebuildStore(directory: string, judge: Judge): Promise<Rebuilt> {
  const path = join(directory, DATA_FILE);
  mustBeUnused(path, path);
  removeRemains(directory);
  const build = join(directory, buildName());
  try {
    const before = headersOf(path);
    const store = await openLmdbStore({ directory: build, mode: 'create' });
    let rebuilt: Rebuilt;
    try {
      rebuilt = new Copier(store).copy(directory, judge);
    } finally {
      await store.close();
    }
    if (rebuilt.records === 0) throw new StillpointError('E_STORE_CORRUPT', `${path}: no record of a store can be read from it; restore the store from a copy`);
    mustBeUnused(path, path);
    const old = join(build, OLD_FILE);
    linkSync(path, old);
    renameSync(join(build, DATA_FILE), path);
    try {
      // Who opened the old file before it lost its name has it open still, or has committed to it.
      mustBeUnused(old, path);
      if (!headersOf(old).equals(before)) throw busy(path, undefined);
    } catch (error) {
      renameSync(old, path);
      throw error;
    } finally {
      syncDirectory(directory);
    }
    return rebuilt;
  } finally {
    rmSync(build, { recursive: true, force: true });
  }
}

/** What a repair that was killed left: as much as the store itself. */
function removeRemains(directory: string): void {
  for (const name of readdirSync(directory)) {
    if (!BUILD_PATTERN.test(name) || !lstatSync(join(directory, name)).isDirectory()) continue;
    const file = join(directory, name, DATA_FILE);
    if (!existsSync(file) || userOf(file) === undefined) rmSync(join(directory, name), { recursive: true, force: true });
  }
}

/** The header pages of a data file, which every commit changes, whatever is in them. */
function headersOf(path: string): Buffer {
  const file = openSync(path, 'r');
  try {
    const bytes = Buffer.alloc(2 * PAGE_BYTES);
    return bytes.subarray(0, readSync(file, bytes, 0, bytes.length, 0));
  } finally {
    closeSync(file);
  }
}

function mustBeUnused(file: string, path: string): void {
  const user = userOf(file);
  if (user !== undefined) throw busy(path, user);
}

function busy(path: string, pid: number | undefined): StillpointError {
  return new StillpointError('E_STORE_BUSY', `${path} is open in ${pid === undefined ? 'another process' : `process ${pid}`}; this repair needs the store for itself`, { data: { pid } });
}

/** Puts every record into the new store that can be found: first what trees lead to, then, for tables that are not whole, what lies in pages by itself. */
class Copier {
  readonly #store: LmdbStore;
  readonly #spans = new Spans();
  readonly loose: LooseRecord[] = [];
  /** Pages that the state's free list names. */
  readonly #free = new Set<number>();
  /** Pages of values that its trees lead to: a bit each. */
  #values = new Uint8Array(0);
  #format: Uint8Array | undefined;
  records = 0;
  #puts: StorePut[] = [];
  #waiting = new Set<string>();
  #bytes = 0;

  constructor(store: LmdbStore) {
    this.#store = store;
  }

  copy(directory: string, judge: Judge): Rebuilt {
    const file = openSync(join(directory, DATA_FILE), 'r');
    try {
      const { states, troubles } = statesOf(file);
      // A state without a header counts when it is whole; with one, its holes are filled.
      const ours = states.filter((header) => header.freeRoot !== NO_PAGE || isOfStore(directory, { header, judge }));
      const state = troubles.length === 0 ? states[0] : ours.find((header) => checkPages(directory, { header }).troubles.length === 0) ?? ours[0];
      const all = state === undefined ? troubles : [...troubles, ...this.#walk(directory, state)];
      this.#flush();
      const broken = state === undefined ? new Set(TABLES) : brokenTables(all);
      const knowsFree = state !== undefined && state.freeRoot !== NO_PAGE && !all.some(({ table }) => table === FREE_LIST);
      const isInUse = (page: number): boolean => knowsFree && page <= Number(state.lastPage) && !this.#free.has(page);
      if (broken.size > 0) this.#search({ file, pageBytes: state?.pageBytes ?? PAGE_BYTES, transactionMax: Number(state?.transaction ?? MAX_TRANSACTION), isInUse, isValue: (page) => ((this.#values[page >> 3] ?? 0) & (1 << (page & 7))) !== 0, judge }, broken);
      this.#flush();
      return { records: this.records, loose: this.loose, troubles: all, broken, format: this.#format };
    } finally {
      closeSync(file);
    }
  }

  #walk(directory: string, header: HeaderRecord): readonly PageTrouble[] {
    this.#values = new Uint8Array((Number(header.lastPage) >> 3) + 1);
    return checkPages(directory, {
      header,
      onValue: (first, pages) => { for (let page = first; page < first + pages; page++) this.#values[page >> 3]! |= 1 << (page & 7); },
      onFree: (page, pages) => { for (let more = 0; more < pages; more++) this.#free.add(page + more); },
      onRecord: (table, key, value, page) => {
        if (!isTable(table)) return;
        const own = key.slice();
        this.#spans.add(table, own, page);
        this.#put({ table, key: own, value: table === 'packs' ? expandPack(value.slice()) : value.slice() });
      },
    }).troubles;
  }

  #search(where: Pick<SalvageOptions, 'file' | 'pageBytes' | 'transactionMax' | 'isInUse' | 'isValue' | 'judge'>, broken: ReadonlySet<string>): void {
    salvage({
      ...where, spans: this.#spans,
      judge: (key, value) => {
        if (isFormat(key)) this.#format ??= value;
        return where.judge(key, value);
      },
      isWanted: (table, key) => broken.has(table) && !this.#waiting.has(nameOf(table, key)) && !this.#store.has(table, key),
      onRecord: (record) => {
        // Content has no history.
        this.loose.push(record.table === 'runs' ? record : { ...record, value: NOTHING });
        this.#put(record);
      },
    });
  }

  #put({ table, key, value }: StorePut): void {
    // The new store has a format record of its own: this software's version, another id.
    if (table === 'meta' && isFormat(key)) {
      this.#format = value;
      return;
    }
    this.#puts.push({ table, key, value });
    this.#waiting.add(nameOf(table, key));
    this.records++;
    this.#bytes += value.length;
    if (this.#bytes > BATCH_BYTES || this.#puts.length > BATCH_RECORDS) this.#flush();
  }

  #flush(): void {
    this.#store.commitNow({ puts: this.#puts });
    this.#puts = [];
    this.#waiting = new Set();
    this.#bytes = 0;
  }
}

/** Whether the tables of a state that no header tells of are a store's: its format is there, and no record whose sum is right stands in another's table. */
function isOfStore(directory: string, { header, judge }: { readonly header: HeaderRecord; readonly judge: Judge }): boolean {
  let [hasFormat, isMixed] = [false, false];
  checkPages(directory, {
    header,
    onRecord: (table, key, value) => {
      hasFormat ||= table === 'meta' && isFormat(key);
      if (isMixed || !isTable(table)) return;
      const own = judge(key.slice(), table === 'packs' ? expandPack(value.slice()) : value.slice());
      isMixed = own !== undefined && own !== table;
    },
  });
  return hasFormat && !isMixed;
}

const isFormat = (key: Uint8Array): boolean => new TextDecoder().decode(key) === FORMAT_KEY;

const nameOf = (table: Table, key: Uint8Array): string => `${table} ${Buffer.from(key).toString('latin1')}`;

/** Tables of which records may be missing. What is above them has all of them below. */
function brokenTables(troubles: readonly PageTrouble[]): ReadonlySet<Table> {
  const tables = new Set(troubles.map(({ table }) => table));
  return tables.has(TABLES_TABLE) ? new Set(TABLES) : new Set([...tables].filter(isTable));
}

function isTable(name: string): name is Table {
  return (TABLES as readonly string[]).includes(name);
}
