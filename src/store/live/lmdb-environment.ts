/**
 * LMDB's environment of one directory: opened, and its write transactions. All of the store's go through transact().
 *
 * Invariant: a write transaction follows the newest one in the data file, whatever others do to LMDB's counter (lmdb-counter.ts). What this does NOT do: know tables, or what a commit needs.
 */
import type { EventEmitter } from 'node:events';
import { accessSync, closeSync, constants, lstatSync, openSync, realpathSync, statSync } from 'node:fs';
import { join } from 'node:path';
import * as lmdb from 'lmdb';
import { openAsClass, type Database, type RootDatabase, type TransactionFlags } from 'lmdb';
import { StillpointError } from '../../core/index.ts';
import { mustCarryDatabase } from './lmdb-carrier.ts';
import { isMapped, TransactionCounter } from './lmdb-counter.ts';
import { engineError, ERRNO, numericCode, orStoreError } from './lmdb-errors.ts';
import { DATA_FILE, isErrno, LOCK_FILE } from './lmdb-files.ts';
import { lockStateBefore, mustHaveSoundLocks } from './lmdb-locks.ts';
import { awaitTurn, isHeldByStopped, PATIENCE, whenTurn, type Patience } from './lmdb-turn.ts';
import { mustBeUnusedUnlocked } from './lmdb-users.ts';
import { processLimit } from './process-limits.ts';
import type { Table } from '../store.ts';

type Root = RootDatabase<Uint8Array, Uint8Array>;
/** Of the package's openAsClass(), whose types are those of another class. */
type RootClass = new (name: null, options: object) => Root;
/** One named database. */
export type Cells = Database<Uint8Array, Uint8Array>;

/** Databases an environment can name; the tables of today and of some later versions. */
const DATABASES_MAX = 32;
/**
 * Addresses that are set aside for the data file: at least so many, and so many times its size. LMDB maps a file anew that outgrows them; when another process made it grow, each thread of this one may
 * do so at the same time, and in closing LMDB then unmaps what is not its own. Addresses that are not used cost nothing.
 */
const MAP_BYTES_MIN = 2 ** 36;
const MAP_GROWTH = 2;
/** Where addresses are rationed: what the package starts with. LMDB takes what the file needs. */
const MAP_BYTES_RATIONED = 128 * 1024;
/** Descriptors that LMDB and the counter need at once. Where an open fails half way lmdb 3.5 frees its memory twice: what can be known before is looked at before. */
const FILES_MIN = 6;
/** Opens that closes are in the way of, and the longest pause between two: several who wait for one moment at which nobody has it open. */
const OPENS_MAX = 30;
const PAUSE_MS_MAX = 500;
/** Each lost race is an open beside this very transaction; so many in a row are none. */
const ATTEMPTS_MAX = 1000;
/** Emitted by the package when a transaction begins: of a read that has read nothing yet, or a write. */
const BEGIN = 'begin-transaction';
/** A read that sees less than the newest header after so many attempts will not see more: a header that took over the content of the one before it (lmdb-seal.ts). */
const READS_MAX = 10;
/** A key of LMDB's own among the names of tables. */
const ANY_TABLE = Buffer.from('meta\0');

/** Of the package's transactionSync(), which waits for the commit either way. */
export const LMDB_SYNCS = 3 as TransactionFlags; // The package's types do not name combinations.
export const NOBODY_SYNCS = 0x1_0003 as TransactionFlags; // MDB_NOSYNC.

/** Data files that this thread has open, by device and number. */
const opened = new Map<string, { readonly isReadOnly: boolean; count: number }>();

export class Environment {
  readonly directory: string;
  readonly #root: Root;
  readonly #counter: TransactionCounter;
  /** The data file, as fileOf() has it. */
  readonly file: string;
  readonly #isReadOnly: boolean;
  readonly #patience: Patience;
  /** A write is under way, or a read that begins is looked at. */
  #isBusy = false;
  /** LMDB's own pages were looked at: it may follow them. */
  #isTrusted = false;
  #isClosed = false;

  private constructor(directory: string, { root, isReadOnly, patience }: { readonly root: Root; readonly isReadOnly: boolean; readonly patience: Patience }) {
    this.directory = directory;
    this.#patience = patience;
    this.#root = root;
    this.file = fileOf(directory);
    this.#isReadOnly = isReadOnly;
    this.#counter = new TransactionCounter(directory);
    this.#counter.raise();
    this.#keepUpWith(root);
    const others = opened.get(this.file);
    if (others === undefined) opened.set(this.file, { isReadOnly, count: 1 });
    else others.count++;
  }

  /** Throws StillpointError. */
  static async open(directory: string, isReadOnly: boolean, patience: Patience = PATIENCE): Promise<Environment> {
    if (!isOpenInProcess(directory)) orStoreError(directory, () => mustCarryDatabase(directory, isReadOnly));
    for (let attempt = 1; ; attempt++) {
      try {
        return await Environment.#openOnce(directory, isReadOnly, patience);
      } catch (cause) {
        // The last one that had it open was just closing it, which ends its locks, and this process took it for open still. When all who did so have closed it, the next one makes new locks.
        const isWaitedFor = numericCode(cause) === ERRNO.EINVAL;
        if (isWaitedFor && attempt === OPENS_MAX && !isReadOnly && isOpenInThread(directory)) throw openForReading(directory, 'another thread of this process');
        if (!isWaitedFor || attempt === OPENS_MAX) throw engineError(cause, { directory, otherwise: 'E_STORE_OPEN' });
      }
      await new Promise((done) => { setTimeout(done, Math.random() * Math.min(PAUSE_MS_MAX, 2 ** attempt)); });
    }
  }

  static async #openOnce(directory: string, isReadOnly: boolean, patience: Patience): Promise<Environment> {
    mustBeLockable(directory);
    if (!isReadOnly) mustBeWritable(directory);
    if (!isReadOnly) await whenTurn(directory, () => lockStateBefore(directory), patience);
    // The package has all in one process share what the first one opened.
    if (!isReadOnly && opened.get(fileOf(directory))?.isReadOnly === true) throw openForReading(directory, 'this process');
    const options = { path: directory, noSubdir: false, overlappingSync: false, encoding: 'binary', keyEncoding: 'binary', maxDbs: DATABASES_MAX, mapSize: mapBytes(directory), readOnly: isReadOnly, isRoot: true } as const;
    // In two steps: where the locks are gone the second one fails, and what the first one opened must be closed again.
    const RootOf = openAsClass<Uint8Array, Uint8Array>(options) as unknown as RootClass;
    let root: Root = Object.assign(Object.create(RootOf.prototype) as Root, { isRoot: true });
    try {
      root = new RootOf(null, options);
      return new Environment(directory, { root, isReadOnly, patience });
    } catch (cause) {
      await root.close();
      throw cause;
    }
  }

  /** Undefined: there is none, and none is made. */
  table(name: Table, isMade: boolean): Cells | undefined {
    const cells = this.#root.openDB<Uint8Array, Uint8Array>(name, { encoding: 'binary', keyEncoding: 'binary', ...(isMade ? {} : { create: false }) }) as Cells | undefined; // The package's types know none that is not made.
    if (cells !== undefined) this.#keepUpWith(cells);
    return cells;
  }

  /** From here on reads see what was committed before they begin; until then LMDB is not asked to read anything. */
  trust(): void {
    this.#isTrusted = true;
  }

  /** Number of the write transaction that is under way: in transact(). */
  get transaction(): number {
    return this.#root.getWriteTxnId();
  }

  /** One write transaction. Nobody else writes meanwhile; when this returns it is committed, if anything was written. Throws what `work` throws and LMDB's errors; then nothing is. */
  transact<Answer>(work: () => Answer, flags: TransactionFlags = LMDB_SYNCS): Answer {
    if (this.#isReadOnly) throw new StillpointError('E_STORE_WRITE', `${this.directory} is open for reading only`);
    for (let attempt = 1; ; attempt++) {
      if (this.#counter.isFileDeleted) throw new StillpointError('E_STORE_WRITE', `${this.directory}: the store was deleted while it was in use; what was in it is gone`);
      if (this.#counter.isLockLost) throw new StillpointError('E_STORE_WRITE', `${this.directory}: its ${LOCK_FILE} was removed or replaced while the store was in use; what was committed before is there, and nothing more was written`);
      awaitTurn(this.directory, this.#lockState, this.#patience);
      this.#isBusy = true;
      try {
        const done = this.#root.transactionSync(() => (this.#mayWrite(attempt) ? { answer: work() } : undefined), flags);
        if (done !== undefined) return done.answer;
      } finally {
        this.#isBusy = false;
      }
    }
  }

  /** Waits for a holder of the write lock that is stopped, while other things go on. Undefined: none is. Throws E_STORE_BUSY. */
  whenNoneIsStopped(): Promise<void> | undefined {
    return isHeldByStopped(this.#lockState) ? whenTurn(this.directory, this.#lockState, this.#patience) : undefined;
  }

  /** Makes reads see what another thread has committed. */
  refresh(): void {
    (this.#root as unknown as { resetReadTxn(): void }).resetReadTxn(); // In the package, not in its types.
  }

  /** Holds a read transaction: no page of a state from now on is used again before it ends. */
  beneathReader<Result>(action: () => Result): Result {
    const reader = this.#root.useReadTransaction() as { done(): void }; // Not in the package's types in full.
    try {
      return action();
    } finally {
      reader.done();
    }
  }

  async close(): Promise<void> {
    await this.#root.close();
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#counter.close();
    if (--opened.get(this.file)!.count === 0) opened.delete(this.file); // It is there from the constructor on.
  }

  readonly #lockState = (): Buffer | undefined => this.#counter.lockState();

  #keepUpWith(cells: Cells): void {
    (cells as unknown as EventEmitter).addListener(BEGIN, () => { this.#keepUp(); }); // Not in the package's types; its on() is for other events.
  }

  /** A read that begins sees what was committed before: else it begins again. */
  #keepUp(): void {
    if (this.#isBusy || !this.#isTrusted) return;
    this.#isBusy = true;
    try {
      for (let attempt = 1; attempt <= READS_MAX; attempt++) {
        const { newest } = this.#counter;
        const seen = this.#snapshot();
        if (seen === undefined || ((seen - newest) | 0) >= 0) return; // Of both the low half.
        this.#counter.raise();
        this.refresh();
      }
    } finally {
      this.#isBusy = false;
    }
  }

  /** Low half of the number of the newest transaction that reads see: each writes the page anew where LMDB keeps its tables. Undefined: that page is damaged, which the reads themselves will say. */
  #snapshot(): number | undefined {
    try {
      this.#root.getBinaryFast(ANY_TABLE);
    } catch (cause) {
      if (numericCode(cause) === undefined) throw cause; // Not LMDB's.
      return undefined;
    }
    return (lmdb as unknown as { getLastTxnId(): number }).getLastTxnId(); // In the package, not in its types: of the page that was read last.
  }

  /** Whether the transaction that has begun follows the newest one; else puts LMDB's counter right, for another one. */
  #mayWrite(attempt: number): boolean {
    const { newest } = this.#counter;
    if (this.transaction === newest + 1) return true;
    if (attempt < ATTEMPTS_MAX && this.#counter.set(newest)) return false;
    throw new StillpointError('E_STORE_WRITE', `${this.directory}: another process opened the store in the middle of a commit, which LMDB cannot bear here; nothing was written, try again`);
  }
}

/** Throws E_STORE_OPEN, E_STORE_BUSY. Never closes the lock file: that would end LMDB's locks of this process. */
function mustBeLockable(directory: string): void {
  const path = join(directory, LOCK_FILE);
  const facts = statSync(path, { throwIfNoEntry: false });
  if (facts?.isFile() === false) throw new StillpointError('E_STORE_OPEN', `${path} is not a file; remove it when nobody uses the store`);
  // LMDB would fail to open it, half way.
  if (facts === undefined && lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink() === true) throw new StillpointError('E_STORE_OPEN', `${path} is a symbolic link that leads nowhere; remove it when nobody uses the store`);
  if (facts === undefined && isAllowed(directory)) mustBeUnusedUnlocked({ lockFile: path, dataFile: join(directory, DATA_FILE) }); // A reader, for whom LMDB will make it.
  mustHaveSoundLocks(directory);
  const files: number[] = [];
  try {
    while (files.length < FILES_MIN) files.push(openSync(directory, 'r'));
  } finally {
    files.forEach(closeSync);
  }
}

/** LMDB ends the process where it may write to one of its files and not to the other. A file system that is read-only it knows. Throws E_STORE_OPEN. */
function mustBeWritable(directory: string): void {
  const name = [DATA_FILE, LOCK_FILE].find((file) => !isAllowed(join(directory, file), 'EROFS', 'ENOENT'));
  if (name === undefined) return;
  throw new StillpointError('E_STORE_OPEN', `${directory} cannot be opened for this command: this user may not write its ${name}; commands that only read may work, and --store names another store`);
}

/** Whether this user may read and write it; `besides`: what else does not count as a no. */
function isAllowed(path: string, ...besides: readonly string[]): boolean {
  try {
    accessSync(path, constants.R_OK | constants.W_OK);
    return true;
  } catch (cause) {
    return isErrno(cause, ...besides);
  }
}

function openForReading(directory: string, who: string): StillpointError {
  return new StillpointError('E_STORE_OPEN', `${directory}: ${who} has the store open for reading only; close it there first`);
}

/** Whether another thread of this process has it open: this one has not. */
function isOpenInThread(directory: string): boolean {
  return !opened.has(fileOf(directory)) && isMapped(join(realpathSync(directory), LOCK_FILE));
}

function isOpenInProcess(directory: string): boolean {
  return opened.has(fileOf(directory)) || isMapped(join(realpathSync(directory), LOCK_FILE));
}

/** A directory's data file, by device and number. Empty: there is none yet. */
export function fileOf(directory: string): string {
  const facts = statSync(join(directory, DATA_FILE), { bigint: true, throwIfNoEntry: false });
  return facts === undefined ? '' : `${facts.dev} ${facts.ino}`;
}

function mapBytes(directory: string): number {
  if (processLimit('address space') !== Infinity) return MAP_BYTES_RATIONED;
  return Math.max(MAP_BYTES_MIN, MAP_GROWTH * (statSync(join(directory, DATA_FILE), { throwIfNoEntry: false })?.size ?? 0));
}
