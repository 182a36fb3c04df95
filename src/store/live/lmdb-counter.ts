/**
 * LMDB's counter of transactions, which the processes of a store share in its lock file, kept from falling behind the data file.
 *
 * Whoever opens an environment writes the number that it read in the headers into the counter, without a lock, also when others have it open (lmdb 3.5, mdb_env_open2). Beside a commit:
 *
 *   opener      reads header N .......................... counter = N   ► raise(): counter = N+1
 *   committer            header N+1, counter = N+1                        next transaction gets number N+1 again: its pages and header would take the place of the last commit's
 *
 * So whoever opens raises it afterwards, a read that sees less than the newest header raises it and begins again, and a write whose number does not follow the newest header does nothing
 * but put it right (lmdb-environment.ts).
 * Raising needs no lock: a commit writes its header before the counter, and the headers are looked at again after each write. A header that its writer takes back (a failing disk) leaves
 * the counter ahead until the next transaction.
 * The lock file itself is never opened here: to close it again would end LMDB's locks of this process. Its bytes are reached where LMDB has mapped them.
 * Facts of LMDB's lock file: magic u32 at 0, counter u64 at 8, little-endian. What this does NOT do: lock.
 */
import { closeSync, existsSync, fstatSync, openSync, readFileSync, readSync, realpathSync, statSync, writeSync, type Stats } from 'node:fs';
import { join } from 'node:path';
import { isSameFile } from '../../core/live/same-file.ts';
import { DATA_FILE, headersOf, LMDB_MAGIC, LOCK_FILE, TRANSACTION_OFFSET } from './lmdb-files.ts';
import { LOCK_STATE_BYTES, LOCK_STATE_OFFSET } from './lmdb-turn.ts';

const MAPS = '/proc/self/maps';
const MEMORY = '/proc/self/mem';
/** What stands before the path in a line of a writable shared mapping of the start of a file: its address first. */
const MAPPING = /^([0-9a-f]+)-[0-9a-f]+ rw-s 0+ \S+ \d+ +$/;
const COUNTER_OFFSET = 8;
const NUMBER_BYTES = 8;

export class TransactionCounter {
  readonly #path: string;
  readonly #data: number;
  readonly #pageBytes: number;
  /** Undefined: this process has no part in the counter (it may not write the lock file), or cannot reach it. */
  readonly #shared: { readonly memory: number; readonly address: number } | undefined;
  readonly #number = Buffer.alloc(NUMBER_BYTES);
  readonly #lockPath: string;
  /** Of the lock file that LMDB has open. */
  readonly #lock: Stats | undefined;
  #isClosed = false;

  /** Of a directory whose environment this process has open. */
  constructor(directory: string) {
    const path = this.#path = join(directory, DATA_FILE);
    this.#data = openSync(path, 'r');
    try {
      this.#pageBytes = headersOf(this.#data, path)[0].pageBytes;
    } catch (error) {
      closeSync(this.#data);
      throw error;
    }
    this.#lockPath = join(directory, LOCK_FILE);
    this.#lock = statSync(this.#lockPath, { throwIfNoEntry: false });
    this.#shared = reach(join(realpathSync(directory), LOCK_FILE));
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    closeSync(this.#data);
    if (this.#shared !== undefined) closeSync(this.#shared.memory);
  }

  /** Whether the data file has lost its name. */
  get isFileDeleted(): boolean {
    return fstatSync(this.#data).nlink === 0 && !existsSync(this.#path); // Some file systems count no links.
  }

  /** Whether the lock file was removed or replaced and the data file was not: who opens the store now locks another one, and writes beside us. */
  get isLockLost(): boolean {
    return !isSameFile(statSync(this.#lockPath, { throwIfNoEntry: false }), this.#lock) && isSameFile(statSync(this.#path, { throwIfNoEntry: false }), fstatSync(this.#data));
  }

  /** Number of the newest transaction in the data file. */
  get newest(): number {
    return Math.max(this.#numberAt(this.#data, TRANSACTION_OFFSET), this.#numberAt(this.#data, this.#pageBytes + TRANSACTION_OFFSET));
  }

  /** Brings the counter up to the newest transaction, where it can be reached. */
  raise(): void {
    if (this.#shared === undefined) return;
    const { memory, address } = this.#shared;
    for (let newest = this.newest; this.#numberAt(memory, address + COUNTER_OFFSET) < newest; newest = this.newest) this.set(newest);
  }

  /** Under the write lock. False: it cannot be reached. */
  set(transaction: number): boolean {
    if (this.#shared === undefined) return false;
    const { memory, address } = this.#shared;
    this.#number.writeBigUInt64LE(BigInt(transaction));
    return writeSync(memory, this.#number, 0, NUMBER_BYTES, address + COUNTER_OFFSET) === NUMBER_BYTES;
  }

  /** As ReadLock says. */
  lockState(): Buffer | undefined {
    return this.#shared === undefined ? undefined : stateAt(this.#shared);
  }

  #numberAt(file: number, offset: number): number {
    readSync(file, this.#number, 0, NUMBER_BYTES, offset);
    return Number(this.#number.readBigUInt64LE());
  }
}

function stateAt({ memory, address }: { readonly memory: number; readonly address: number }): Buffer {
  const state = Buffer.allocUnsafe(LOCK_STATE_BYTES);
  readSync(memory, state, 0, LOCK_STATE_BYTES, address + LOCK_STATE_OFFSET);
  return state;
}

/** Of a lock file that this process has mapped, as ReadLock says. */
export function mappedLockState(lockFile: string): Buffer | undefined {
  const shared = reach(lockFile);
  if (shared === undefined) return undefined;
  const state = stateAt(shared);
  closeSync(shared.memory);
  return state;
}

/** Whether a thread of this process has an environment with this lock file open, as far as /proc tells. */
export function isMapped(lockFile: string): boolean {
  const shared = reach(lockFile);
  if (shared !== undefined) closeSync(shared.memory);
  return shared !== undefined;
}

/** The memory of this process where it has mapped LMDB's lock file. */
function reach(lockFile: string): { readonly memory: number; readonly address: number } | undefined {
  try {
    const maps = readFileSync(MAPS, 'utf8');
    const end = maps.indexOf(`${lockFile.replaceAll('\n', '\\012')}\n`);
    const mapping = MAPPING.exec(maps.slice(maps.lastIndexOf('\n', end) + 1, Math.max(0, end)));
    if (mapping === null) return undefined;
    const address = Number.parseInt(mapping[1]!, 16); // The pattern has it.
    const memory = openSync(MEMORY, 'r+');
    const magic = Buffer.alloc(4);
    if (readSync(memory, magic, 0, magic.length, address) === magic.length && magic.readUInt32LE() === LMDB_MAGIC) return { memory, address };
    closeSync(memory);
    return undefined;
  } catch (cause) {
    if (!(cause instanceof Error && 'code' in cause)) throw cause;
    return undefined; // No /proc, or one that does not let itself be written.
  }
}
