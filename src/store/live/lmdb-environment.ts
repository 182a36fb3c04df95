/**
 * LMDB's environment of one directory: opened, and its write transactions. All of the store's go through transact().
 *
 * Invariant: a write transaction follows the newest one in the data file, whatever others do to LMDB's counter (lmdb-counter.ts). What this does NOT do: know tables, or what a commit needs.
 */
import type { EventEmitter } from 'node:events';
import * as lmdb from 'lmdb';
import { open, type Database, type RootDatabase, type TransactionFlags } from 'lmdb';
import { StillpointError } from '../../core/index.ts';
import { TransactionCounter } from './lmdb-counter.ts';
import { engineError } from './lmdb-errors.ts';
import type { Table } from '../store.ts';

type Root = RootDatabase<Uint8Array, Uint8Array>;
/** One named database. */
export type Cells = Database<Uint8Array, Uint8Array>;

/** Databases an environment can name; the tables of today and of some later versions. */
const DATABASES_MAX = 32;
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

export class Environment {
  readonly directory: string;
  readonly #root: Root;
  readonly #counter: TransactionCounter;
  /** A write is under way, or a read that begins is looked at. */
  #isBusy = false;

  private constructor(directory: string, root: Root) {
    this.directory = directory;
    this.#root = root;
    this.#counter = new TransactionCounter(directory);
    this.#counter.raise();
    this.#keepUpWith(root);
  }

  /** Throws StillpointError. */
  static async open(directory: string, readOnly: boolean): Promise<Environment> {
    let root: Root | undefined;
    try {
      root = open<Uint8Array, Uint8Array>(directory, { noSubdir: false, overlappingSync: false, encoding: 'binary', keyEncoding: 'binary', maxDbs: DATABASES_MAX, readOnly });
      return new Environment(directory, root);
    } catch (cause) {
      await root?.close();
      throw engineError(cause, { directory, otherwise: 'E_STORE_OPEN' });
    }
  }

  /** Undefined: there is none, and none is made. */
  table(name: Table, isMade: boolean): Cells | undefined {
    const cells = this.#root.openDB<Uint8Array, Uint8Array>(name, { encoding: 'binary', keyEncoding: 'binary', ...(isMade ? {} : { create: false }) }) as Cells | undefined; // The package's types know none that is not made.
    if (cells !== undefined) this.#keepUpWith(cells);
    return cells;
  }

  /** Number of the write transaction that is under way: in transact(). */
  get transaction(): number {
    return this.#root.getWriteTxnId();
  }

  /** One write transaction. Nobody else writes meanwhile; when this returns it is committed, if anything was written. Throws what `work` throws and LMDB's errors; then nothing is. */
  transact<Answer>(work: () => Answer, flags: TransactionFlags = LMDB_SYNCS): Answer {
    for (let attempt = 1; ; attempt++) {
      this.#isBusy = true;
      try {
        const done = this.#root.transactionSync(() => (this.#mayWrite(attempt) ? { answer: work() } : undefined), flags);
        if (done !== undefined) return done.answer;
      } finally {
        this.#isBusy = false;
      }
    }
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
    this.#counter.close();
  }

  #keepUpWith(cells: Cells): void {
    (cells as unknown as EventEmitter).addListener(BEGIN, () => { this.#keepUp(); }); // Not in the package's types; its on() is for other events.
  }

  /** A read that begins sees what was committed before: else it begins again. */
  #keepUp(): void {
    if (this.#isBusy) return;
    this.#isBusy = true;
    try {
      for (let attempt = 1; attempt <= READS_MAX; attempt++) {
        const { newest } = this.#counter;
        if (((this.#snapshot() - newest) | 0) >= 0) return; // Of both the low half.
        this.#counter.raise();
        this.refresh();
      }
    } finally {
      this.#isBusy = false;
    }
  }

  /** Low half of the number of the newest transaction that reads see: each writes the page anew where LMDB keeps its tables. */
  #snapshot(): number {
    this.#root.getBinaryFast(ANY_TABLE);
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
