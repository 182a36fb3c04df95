/**
 * The store on LMDB: one environment in one directory, one named database per table, binary keys and values.
 * Invariants: commit() is one write transaction, expectations are checked inside it, and it is synced when the promise resolves: with one sync when it is small and the last one was
 * ours too (lmdb-seal.ts), else with LMDB's two. LMDB's lock lets any number of processes share a store.
 *
 * Commits run synchronously on the calling thread (transactionSync, which syncs by default): the asynchronous queue of the lmdb package reports a full disk as an
 * unhandled rejection, and a small commit costs a quarter of a millisecond either way.
 * Reads see at least everything committed before the current turn of the event loop; decide on `expect`, not on an earlier get().
 * Packs of pages are shrunk on their way in and expanded on their way out (pack-codec.ts).
 * LMDB's own pages are looked at before it follows them (lmdb-check.ts). What this does NOT do: checksum values (their owners do), or cache.
 */
import { statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { assert, StillpointError } from '../../core/index.ts';
import { KEY_BYTES_MAX, META_KEY } from '../format.ts';
import { TABLES, type Store, type StoreBatch, type StorePut, type Table } from '../store.ts';
import { checkPages, troubleError, type PageCheck } from './lmdb-check.ts';
import { createStore } from './lmdb-create.ts';
import { Environment, fileOf, LMDB_SYNCS, NOBODY_SYNCS, type Cells } from './lmdb-environment.ts';
import { commitApart, hasRoom } from './lmdb-apart.ts';
import { engineError, noSpace, numericCode, orStoreError } from './lmdb-errors.ts';
import { checkDataFile, DATA_FILE, extendDataFile, inspectDirectory, prepareLockFile } from './lmdb-files.ts';
import { keepReserve, mustHaveRoom, takeFromReserve } from './lmdb-reserve.ts';
import { encodeBatch, Seals } from './lmdb-seal.ts';
import { openTables, tableUsage, type Tables } from './lmdb-tables.ts';
import type { Patience } from './lmdb-turn.ts';
import { expandPack, shrinkPack } from './pack-codec.ts';

type RangeBounds = Parameters<Store['range']>[1];

/** Entries that range() copies out at a time: no read transaction stays open while the caller works. */
const RANGE_CHUNK = 64;
/**
 * Pages that are read for this before a store is used: the trees of some 20 000 stored pages, in 10 to 20 ms. In larger stores the leaves of the largest tables are left to fsck, so that
 * no command waits; their branches, and all of the small tables, are looked at all the same.
 */
const PAGES_CHECKED_MAX = 1000;

export interface LmdbStoreOptions {
  readonly directory: string;
  /** 'create' makes the store when there is none; 'existing' and 'read-only' want one. */
  readonly mode: 'create' | 'existing' | 'read-only';
  /** Whether LMDB's pages were looked at by this process already. */
  readonly isChecked?: boolean | undefined;
  /** It is the process that makes commits for others (commit-child.ts): it makes them itself. */
  readonly isApart?: boolean | undefined;
  /** The data file that it must be, as LmdbStore.place has it: who opens a store beside another thread must not get another one. */
  readonly file?: string | undefined;
  /** How long a commit waits for one of another process that gets no further. */
  readonly patience?: Patience | undefined;
}

/**
 * Opens a store. Throws E_STORE_OPEN (absent, no permission), E_STORE_FOREIGN (something else is there), E_STORE_VERSION (newer),
 * E_STORE_CORRUPT (damaged), E_DISK_FULL. A failure leaves nothing behind.
 */
export async function openLmdbStore({ directory: path, mode, isChecked = false, isApart = false, file, patience }: LmdbStoreOptions): Promise<LmdbStore> {
  const directory = resolve(path);
  if (file !== undefined && orStoreError(directory, () => fileOf(directory)) !== file) throw new StillpointError('E_STORE_OPEN', `${directory}: the store was moved, deleted or replaced while it was in use; nothing more was written; where it is now, its runs can be resumed`);
  const found = inspectDirectory(directory);
  if (found !== 'data') {
    if (mode !== 'create') throw new StillpointError('E_STORE_OPEN', `${directory}: there is no store here`);
    await createStore(directory, found);
  }
  await rollBackUnfinished(directory, mode);
  const { shortBytes } = checkDataFile(directory);
  if (mode !== 'read-only' || shortBytes > 0) prepareLockFile(directory);
  const environment = await Environment.open(directory, mode === 'read-only' && shortBytes === 0, patience);
  let seals: Seals | undefined;
  try {
    if (!isChecked) mustHaveSoundPages(environment, mode);
    if (shortBytes > 0) environment.transact(() => extendDataFile(directory)); // Free pages: of a file that is cut none is made that looks whole.
    environment.trust();
    if (mode !== 'read-only') seals = Seals.open(directory);
    // Raising the version is a transaction, and would take the place of the one that is still to be finished.
    const mustFinish = seals?.mustRecover === true;
    const { tables, isOld } = openTables(environment, { raises: mode !== 'read-only' && !mustFinish });
    const store = new LmdbStore(environment, { tables, seals, isApart });
    if (mode !== 'read-only') keepReserve(directory);
    if (!isOld || !mustFinish) return store;
    await store.close();
  } catch (cause) {
    seals?.close();
    await environment.close();
    throw engineError(cause, { directory, otherwise: 'E_STORE_OPEN' });
  }
  return openLmdbStore({ directory, mode, isChecked: true, patience });
}

/** When the last commit may lack pages (a power cut, or somebody's copy): the state before it; LmdbStore then commits it again. A reader has a writer do both. */
async function rollBackUnfinished(directory: string, mode: LmdbStoreOptions['mode']): Promise<void> {
  if (!orStoreError(directory, () => Seals.mustRecover(directory))) return;
  if (mode === 'read-only') return (await finishing(directory, () => openLmdbStore({ directory, mode: 'existing' }))).close();
  prepareLockFile(directory);
  const environment = await Environment.open(directory, false);
  const seals = orStoreError(directory, () => Seals.open(directory));
  try {
    environment.transact(() => { if (seals?.mustRecover === true) seals.rollBack(); });
  } finally {
    seals?.close();
    await environment.close();
  }
}

/** A reader may not be who can. */
async function finishing<Result>(directory: string, finish: () => Promise<Result>): Promise<Result> {
  try {
    return await finish();
  } catch (cause) {
    if (!(cause instanceof StillpointError) || cause.code !== 'E_STORE_OPEN') throw cause;
    throw new StillpointError('E_STORE_OPEN', `${directory}: its last commit must be finished before it can be read, by somebody who may write to it: ${cause.message}`, { cause });
  }
}

/** Every one of LMDB's own pages, for fsck. Throws what opening a store throws when it is none or its header is damaged. */
export async function lookAtPages(path: string): Promise<PageCheck> {
  const directory = resolve(path);
  if (inspectDirectory(directory) !== 'data') throw new StillpointError('E_STORE_OPEN', `${directory}: there is no store here`);
  await finishing(directory, () => rollBackUnfinished(directory, 'existing'));
  checkDataFile(directory);
  const environment = await Environment.open(directory, true);
  try {
    return environment.beneathReader(() => checkPages(directory));
  } finally {
    await environment.close();
  }
}

function mustHaveSoundPages(environment: Environment, mode: LmdbStoreOptions['mode']): void {
  const { directory } = environment;
  const check = environment.beneathReader(() => checkPages(directory, { pagesMax: PAGES_CHECKED_MAX, isForReading: mode === 'read-only' }));
  if (check.troubles.length > 0) throw troubleError(directory, check);
}

function batchBytes(batch: StoreBatch): number {
  return (batch.puts ?? []).reduce((sum, { key, value }) => sum + key.length + value.length, 0);
}

const placeOf = ({ table, key }: { readonly table: Table; readonly key: Uint8Array }): string => `${table} ${Buffer.from(key).toString('latin1')}`;

const isKey = (key: Uint8Array): boolean => key.length > 0 && key.length <= KEY_BYTES_MAX;

function sameBytes(a: Uint8Array | undefined, b: Uint8Array | undefined): boolean {
  if (a === undefined || b === undefined) return a === b;
  return Buffer.compare(a, b) === 0; // Lists of locations have a megabyte.
}

/** Where a store is and which file it is: what another thread of this process opens it by. */
export interface StorePlace { readonly directory: string; readonly file: string }

export class LmdbStore implements Store {
  readonly directory: string;
  readonly place: StorePlace;
  readonly #environment: Environment;
  readonly #tables: Tables;
  readonly #seals: Seals | undefined;
  readonly #isApart: boolean;
  /** The last transaction that this object committed and saw on disk, and whether LMDB synced it its way. */
  #own: { readonly transaction: number; readonly isWhole: boolean } | undefined;
  #isClosed = false;

  /** Use openLmdbStore(). Commits again what a power cut left unfinished. */
  constructor(environment: Environment, parts: { readonly tables: Tables; readonly seals: Seals | undefined; readonly isApart: boolean }) {
    this.directory = environment.directory;
    this.place = { directory: environment.directory, file: environment.file };
    this.#isApart = parts.isApart;
    this.#environment = environment;
    this.#tables = parts.tables;
    this.#seals = parts.seals;
    const { seals } = parts;
    if (seals === undefined) return;
    if (seals.mustRecover) mustHaveRoom(this.directory, { usesReserve: true });
    if (seals.mustRecover) this.#inTwoSyncs(() => (seals.mustRecover ? this.#apply({ ...seals.unfinished, puts: [...seals.unfinished.puts ?? [], this.#formatAgain()] }) : 'conflict'));
    this.#environment.transact(() => seals.mark());
  }

  get(table: Table, key: Uint8Array): Uint8Array | undefined {
    return this.#read(() => this.#value(table, key));
  }

  has(table: Table, key: Uint8Array): boolean {
    return this.#read(() => this.#cells(table)?.getBinaryFast(key) !== undefined);
  }

  *range(table: Table, bounds: RangeBounds): Iterable<{ readonly key: Uint8Array; readonly value: Uint8Array }> {
    let { from, to, limit = Infinity } = bounds;
    const reverse = bounds.reverse === true;
    if (bounds.room !== undefined && limit === 1 && !reverse) {
      const entry = this.#read(() => this.#firstIn(table, { from, to, room: bounds.room! })); // As the line above says.
      if (entry !== undefined) yield entry;
      return;
    }
    for (let isFirst = true; limit > 0; isFirst = false) {
      const count = Math.min(limit, RANGE_CHUNK);
      const options = reverse
        ? { start: to, end: from, exclusiveStart: true, inclusiveEnd: true, reverse, limit: count }
        : { start: from, end: to, exclusiveStart: !isFirst, limit: count };
      const chunk = this.#read(() => [...this.#cells(table)?.getRange(options) ?? []]);
      if (table === 'packs') for (const { key, value } of chunk) yield { key, value: expandPack(value) };
      else yield* chunk;
      const last = chunk.at(-1);
      if (chunk.length < count || last === undefined) return;
      limit -= count;
      if (reverse) to = last.key;
      else from = last.key;
    }
  }

  async commit(batch: StoreBatch): Promise<'done' | 'conflict'> {
    const stopped = this.#environment.whenNoneIsStopped();
    if (stopped !== undefined) await stopped;
    return this.commitNow(batch);
  }

  /** As commit(), which waits for nothing but a process that is stopped in the middle of a commit. Throws E_STORE_BUSY when that takes too long. */
  commitNow(batch: StoreBatch): 'done' | 'conflict' {
    assert(!this.#isClosed && batch.prepared === undefined, 'a closed store is not used, and nothing is prepared in this one');
    // Before the transaction: others wait for the lock, not for the codec.
    const puts = batch.puts?.map((put) => (put.table === 'packs' ? { ...put, value: shrinkPack(put.value) } : put)) ?? [];
    const isEmpty = puts.length + (batch.deletes?.length ?? 0) === 0;
    const work = (): 'done' | 'nothing' | 'conflict' => (!this.#meets(batch) ? 'conflict' : isEmpty ? 'nothing' : this.#apply({ ...batch, puts }));
    for (;;) {
      try {
        const apart = isEmpty ? undefined : this.#whereNoRoomIs(batch, { bytes: batchBytes({ ...batch, puts }), records: puts.length + (batch.deletes?.length ?? 0) });
        if (apart !== undefined) return apart;
        const record = this.#own === undefined || isEmpty ? undefined : encodeBatch({ ...batch, puts });
        return (record === undefined ? undefined : this.#inOneSync(work, record)) ?? this.#inTwoSyncs(work);
      } catch (cause) {
        this.#own = undefined;
        const error = engineError(cause, { directory: this.directory, otherwise: 'E_STORE_WRITE', bytes: batchBytes(batch) });
        if (error.code !== 'E_DISK_FULL' || batch.frees !== true || !takeFromReserve(this.directory)) throw error;
      }
    }
  }

  /** By another process; undefined: nothing was done. Throws what it throws. */
  #whereNoRoomIs({ expect, present, deletes, puts }: StoreBatch, size: { readonly bytes: number; readonly records: number }): 'done' | 'conflict' | undefined {
    if (this.#isApart || hasRoom(this.directory, size)) return undefined;
    const batch = { ...expect && { expect }, ...present && { present }, ...deletes && { deletes }, ...puts && { puts } };
    this.refresh(); // What a reader of ours sees is not used again.
    const answer = commitApart({ directory: this.directory, batch });
    this.#own = undefined; // The newest transaction may be its.
    this.refresh();
    if (answer === 'silent' && !this.#isAsAfter(batch)) throw noSpace(this.directory);
    return answer === 'none' ? undefined : answer === 'silent' ? 'done' : answer;
  }

  #isAsAfter({ deletes = [], puts = [] }: StoreBatch): boolean {
    const put = new Set(puts.map(placeOf));
    return puts.every(({ table, key, value }) => sameBytes(this.get(table, key), value)) && deletes.every((gone) => put.has(placeOf(gone)) || !this.has(gone.table, gone.key));
  }

  /** Pages, header and seal together. Undefined: somebody else has committed meanwhile, or failed to; nothing was done. */
  #inOneSync(work: () => 'done' | 'nothing' | 'conflict', record: Uint8Array): 'done' | 'conflict' | undefined {
    const seals = this.#seals!; // Who owns a transaction has sealed it.
    let sealed = 0;
    const answer = this.#environment.transact(() => {
      const transaction = this.#environment.transaction;
      if (transaction - 1 !== this.#own?.transaction || !seals.isFree(transaction)) return undefined;
      const done = work();
      if (done === 'done') seals.seal(sealed = transaction, record);
      return done;
    }, NOBODY_SYNCS);
    if (sealed > 0) {
      seals.sync();
      this.#own = { transaction: sealed, isWhole: false };
    }
    return answer === 'nothing' ? 'done' : answer;
  }

  /** Pages, sync, header, sync. */
  #inTwoSyncs(work: () => 'done' | 'nothing' | 'conflict'): 'done' | 'conflict' {
    let sealed = 0;
    const answer = this.#environment.transact(() => {
      const done = work();
      if (done !== 'done' || this.#seals === undefined) return done;
      sealed = this.#environment.transaction;
      if (sealed - 1 !== this.#own?.transaction) this.#seals.settle(); // Two commits on their way at once could not be told from each other.
      this.#seals.seal(sealed, undefined);
      return done;
    }, LMDB_SYNCS);
    if (sealed > 0) this.#own = { transaction: sealed, isWhole: true };
    return answer === 'nothing' ? 'done' : answer;
  }

  /** Makes reads see what another thread has committed. */
  refresh(): void {
    this.#environment.refresh();
  }

  /** Nobody commits while `work` runs. When this returns, everything that was committed before is on disk. */
  holdStill(work: () => void): void {
    try {
      mustHaveRoom(this.directory, { usesReserve: false });
      this.#inTwoSyncs(() => {
        work();
        return this.#apply({ puts: [this.#formatAgain()] });
      });
    } catch (cause) {
      this.#own = undefined;
      throw engineError(cause, { directory: this.directory, otherwise: 'E_STORE_WRITE' });
    }
  }

  usage(): ReturnType<Store['usage']> {
    const tables = Object.fromEntries(TABLES.map((table) => [table, tableUsage(this.#cells(table))])) as Record<Table, { entries: number; bytes: number }>; // One entry per table by construction.
    return { tables, fileBytes: statSync(join(this.directory, DATA_FILE)).blocks * 512 };
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.finish();
    this.#isClosed = true;
    this.#seals?.close();
    await this.#environment.close();
  }

  /** What comes before a close: a store at rest needs nobody to finish a commit, it can be read where nothing can be written. */
  finish(): void {
    if (this.#own?.isWhole !== false) return;
    const again = { puts: [this.#formatAgain()] };
    try {
      this.#whereNoRoomIs(again, { bytes: 0, records: 1 }) ?? this.#inTwoSyncs(() => this.#apply(again));
    } catch (cause) {
      if (!(cause instanceof Error && 'code' in cause)) throw cause; // Not LMDB's and not the file system's.
      this.#own = undefined; // A full disk: whoever opens the store next does it.
    }
  }

  /** A record that changes nothing and makes a transaction. */
  #formatAgain(): StorePut {
    return { table: 'meta', key: META_KEY, value: this.#value('meta', META_KEY)! }; // Every store has it.
  }

  #cells(table: Table): Cells | undefined {
    assert(!this.#isClosed, 'a closed store is not used');
    return this.#tables[table];
  }

  #value(table: Table, key: Uint8Array): Uint8Array | undefined {
    const stored = this.#cells(table)?.getBinary(key);
    return stored === undefined || table !== 'packs' ? stored : expandPack(stored);
  }

  /** The first entry from `from` on and before `to`, its value in `room` where it fits: a pack in memory of its own costs more than reading it, and V8 looks for garbage for its sake. */
  #firstIn(table: Table, { from, to, room }: { readonly from: Uint8Array; readonly to: Uint8Array; readonly room: Uint8Array }): { readonly key: Uint8Array; readonly value: Uint8Array } | undefined {
    const cells = this.#cells(table);
    const [key] = [...cells?.getKeys({ start: from, end: to, limit: 1 }) ?? []];
    const found = key === undefined ? undefined : cells?.getBinaryFast(key);
    if (key === undefined || found === undefined) return undefined;
    const stored = new Uint8Array(found.buffer, found.byteOffset, found.length); // The package sets `length` of a buffer that it uses for all values.
    const expanded = table === 'packs' ? expandPack(stored) : stored;
    if (expanded !== stored) return { key, value: expanded };
    if (stored.length > room.length) return { key, value: stored.slice() };
    room.set(stored);
    return { key, value: room.subarray(0, stored.length) };
  }

  #read<Result>(action: () => Result): Result {
    try {
      return action();
    } catch (cause) {
      if (numericCode(cause) === undefined) throw cause; // Not LMDB's: a programmer error.
      throw engineError(cause, { directory: this.directory, otherwise: 'E_STORE_CORRUPT' });
    }
  }

  #meets({ expect = [], present = [] }: StoreBatch): boolean {
    return expect.every(({ table, key, value }) => sameBytes(this.#value(table, key), value)) && present.every(({ table, key }) => this.#cells(table)?.getBinaryFast(key) !== undefined);
  }

  #apply({ deletes = [], puts = [] }: StoreBatch): 'done' {
    for (const { table, key } of deletes) this.#tables[table]!.removeSync(key); // Whoever writes has all tables.
    for (const { table, key, value } of puts) {
      assert(isKey(key), 'a store key has 1 to 511 bytes');
      this.#tables[table]!.putSync(key, value);
    }
    return 'done';
  }
}
