/**
 * Commits with one disk sync instead of LMDB's two (pages, then the header record that makes them count).
 *
 *   data.mdb   page 0, page 1: a header record each, of the even and the odd transactions, LMDB's own; it uses the first 168 bytes of them
 *              512 (page 0)  the mark: this database may hold commits of the second kind
 *              1024 …        the seal of the transaction in this header
 *              3584 …        a second copy of a seal of the first kind: one flipped bit does not make a commit look unfinished
 *   whole      the transaction's pages were on disk before its header (LMDB's way)
 *   redo       pages, header and this seal, which repeats what was committed, were written in any order and synced together: after a power cut each may be there or not
 *
 *   mark      512 "stillpoint-seals"   528 u32 version                                                          little-endian
 *   seal      1024 "seal"   1028 u8 version   1029 u8 kind: 1 whole, 2 redo   1032 u64 transaction   1040 place (16)   1056 u32 length   1060 batch   sum (16)
 *   batch     u16 deletes: u8 table, u16 length, key   u16 puts: u8 table, u16 length, u32 length, key, value
 *   place     SHA-256, first 16 bytes, of boot, device and file number: where the pages were written into the kernel's memory; sum: SHA-256 of all before it, first 16 bytes
 *
 * Invariants: a redo commit N+1 is only made by whoever made N itself and saw it on disk, with nothing in its own seal's place that claims N+1 already; LMDB does not use a page again
 * that state N needs before N+2; LMDB's way is gone only when N is known to be on disk. So N is whole on disk while N+1 is under way, and a header whose seal is not `whole` and was not written here since the machine started is
 * put back to what N holds, then the batch of its seal, if that is whole, is committed again (recover). All of it happens under LMDB's write lock.
 * A database without the mark is believed as it is: LMDB made it. What this does NOT do: batches larger than a seal (they go LMDB's way), LMDB's pages.
 */
import { createHash } from 'node:crypto';
import { closeSync, fdatasyncSync, fstatSync, openSync, readFileSync, readSync, statSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { assert, StillpointError } from '../../core/index.ts';
import { TABLES, type StoreBatch, type StoreDelete, type StorePut } from '../store.ts';
import { DATA_FILE, headersOf, META_SECTOR_BYTES, TRANSACTION_OFFSET } from './lmdb-files.ts';

const MARK_OFFSET = 512;
const MARK = Buffer.concat([Buffer.from('stillpoint-seals'), Buffer.from([1, 0, 0, 0])]);
const SEAL_OFFSET = 1024;
export const SEAL_BYTES = 2560;
const COPY_OFFSET = SEAL_OFFSET + SEAL_BYTES;
/** LMDB's pages are those of the kernel. */
const PAGE_BYTES_MIN = 4096;
const MAGIC = Buffer.from('seal');
const VERSION = 1;
const KINDS = { whole: 1, redo: 2 } as const;
const AT = { magic: 0, version: 4, kind: 5, transaction: 8, place: 16, length: 32, batch: 36 } as const;
const PLACE_BYTES = 16;
const SUM_BYTES = 16;
/** What a batch may have. */
export const BATCH_BYTES_MAX = SEAL_BYTES - AT.batch - SUM_BYTES;
const BOOT_FILE = '/proc/sys/kernel/random/boot_id';

/** `redo`: what was committed, of a seal of that kind. */
export interface Seal { readonly transaction: number; readonly place: Uint8Array; readonly redo: StoreBatch | undefined }

const hash16 = (...parts: readonly Uint8Array[]): Buffer => parts.reduce((hash, part) => hash.update(part), createHash('sha256')).digest().subarray(0, SUM_BYTES);

export function encodeSeal({ transaction, place, batch }: { readonly transaction: number; readonly place: Uint8Array; readonly batch: Uint8Array | undefined }): Buffer {
  assert(place.length === PLACE_BYTES && (batch?.length ?? 0) <= BATCH_BYTES_MAX, 'a seal holds a place and at most a small batch');
  const length = batch?.length ?? 0;
  const bytes = Buffer.alloc(AT.batch + length + SUM_BYTES);
  MAGIC.copy(bytes);
  bytes[AT.version] = VERSION;
  bytes[AT.kind] = batch === undefined ? KINDS.whole : KINDS.redo;
  bytes.writeBigUInt64LE(BigInt(transaction), AT.transaction);
  bytes.set(place, AT.place);
  bytes.writeUInt32LE(length, AT.length);
  if (batch !== undefined) bytes.set(batch, AT.batch);
  hash16(bytes.subarray(0, AT.batch + length)).copy(bytes, AT.batch + length);
  return bytes;
}

/** Undefined: none, or a torn one. */
export function decodeSeal(bytes: Buffer): Seal | undefined {
  if (bytes.length < AT.batch + SUM_BYTES || !bytes.subarray(0, MAGIC.length).equals(MAGIC) || bytes[AT.version] !== VERSION) return undefined;
  const end = AT.batch + bytes.readUInt32LE(AT.length);
  if (end + SUM_BYTES > bytes.length || !hash16(bytes.subarray(0, end)).equals(bytes.subarray(end, end + SUM_BYTES))) return undefined;
  const isRedo = bytes[AT.kind] === KINDS.redo;
  const redo = isRedo ? decodeBatch(bytes.subarray(AT.batch, end)) : undefined;
  if (!isRedo && (bytes[AT.kind] !== KINDS.whole || end !== AT.batch)) return undefined;
  return { transaction: Number(bytes.readBigUInt64LE(AT.transaction)), place: Uint8Array.from(bytes.subarray(AT.place, AT.place + PLACE_BYTES)), redo };
}

/** Undefined: more than a seal holds. */
export function encodeBatch({ deletes = [], puts = [] }: StoreBatch): Buffer | undefined {
  let size = 4;
  for (const { key } of deletes) size += 3 + key.length;
  for (const { key, value } of puts) {
    size += 7 + key.length + value.length;
    if (size > BATCH_BYTES_MAX) return undefined; // Before it has looked at tens of thousands.
  }
  if (size > BATCH_BYTES_MAX) return undefined;
  const bytes = Buffer.alloc(size);
  let at = bytes.writeUInt16LE(deletes.length, 0);
  const put = (part: Uint8Array): void => { bytes.set(part, at); at += part.length; };
  for (const { table, key } of deletes) {
    at = bytes.writeUInt16LE(key.length, bytes.writeUInt8(TABLES.indexOf(table), at));
    put(key);
  }
  at = bytes.writeUInt16LE(puts.length, at);
  for (const { table, key, value } of puts) {
    at = bytes.writeUInt32LE(value.length, bytes.writeUInt16LE(key.length, bytes.writeUInt8(TABLES.indexOf(table), at)));
    put(key);
    put(value);
  }
  assert(at === size, 'a batch has the size that was counted');
  return bytes;
}

/** Of bytes whose sum was right: what encodeBatch() was given. */
function decodeBatch(bytes: Buffer): StoreBatch {
  let at = 0;
  const take = (length: number): Uint8Array => {
    assert(at + length <= bytes.length, 'a batch is as long as its records');
    return Uint8Array.from(bytes.subarray(at, at += length));
  };
  const number = (length: number): number => Buffer.from(take(length)).readUIntLE(0, length);
  const table = (): StoreDelete['table'] => TABLES[number(1)]!; // Written from the same list.
  const deletes = Array.from({ length: number(2) }, (): StoreDelete => ({ table: table(), key: take(number(2)) }));
  const puts = Array.from({ length: number(2) }, (): StorePut => {
    const [to, keyBytes, valueBytes] = [table(), number(2), number(4)];
    return { table: to, key: take(keyBytes), value: take(valueBytes) };
  });
  return { deletes, puts };
}

function isMarked(file: number): boolean {
  const bytes = Buffer.alloc(MARK.length);
  return readSync(file, bytes, 0, bytes.length, MARK_OFFSET) === bytes.length && bytes.equals(MARK);
}

/** The seals of a store that is open for writing. Reads and writes of the file go past LMDB, into the same pages of the kernel. */
export class Seals {
  readonly #file: number;
  readonly #path: string;
  readonly #pageBytes: number;
  readonly #place: Uint8Array;
  #isClosed = false;

  private constructor(file: number, path: string) {
    this.#file = file;
    this.#path = path;
    this.#pageBytes = headersOf(file, path)[0].pageBytes;
    const { dev, ino } = fstatSync(file, { bigint: true });
    this.#place = hash16(Buffer.from(`${readFileSync(BOOT_FILE, 'latin1').trim()} ${dev} ${ino}`));
  }

  /** Whether the newest header may lack pages. Without the write lock the answer may be a false alarm; a file that is no database has nothing to recover. */
  static mustRecover(directory: string): boolean {
    const path = join(directory, DATA_FILE);
    if (!statSync(path).isFile()) return false;
    const file = openSync(path, 'r');
    try {
      return isMarked(file) && headersOf(file, path)[0].pageBytes >= PAGE_BYTES_MIN && new Seals(file, path).mustRecover;
    } finally {
      closeSync(file);
    }
  }

  /** For writing. Undefined where there can be none. Throws as the file system does. */
  static open(directory: string): Seals | undefined {
    const path = join(directory, DATA_FILE);
    const file = openSync(path, 'r+');
    try {
      const seals = new Seals(file, path);
      if (seals.#pageBytes >= PAGE_BYTES_MIN) return seals;
    } catch (error) {
      closeSync(file);
      throw error;
    }
    closeSync(file);
    return undefined;
  }

  close(): void {
    if (!this.#isClosed) closeSync(this.#file);
    this.#isClosed = true;
  }

  sync(): void {
    fdatasyncSync(this.#file);
  }

  /** As the static one. */
  get mustRecover(): boolean {
    if (!isMarked(this.#file)) return false;
    const seal = this.#newestSeal();
    return seal === undefined || (seal.redo !== undefined && Buffer.compare(seal.place, this.#place) !== 0);
  }

  /** What is to be committed again; no key: nothing. */
  get unfinished(): StoreBatch {
    return this.#newestSeal()?.redo ?? {};
  }

  /** The mark, in a database that has none. Under the write lock; on disk when this returns. */
  mark(): void {
    if (isMarked(this.#file)) return;
    this.seal(this.#newest().transaction, undefined);
    this.sync(); // First: where there is the mark, there is a seal.
    writeSync(this.#file, MARK, 0, MARK.length, MARK_OFFSET);
    this.sync();
  }

  /** Gives the newest header the content of the one before it. Under the write lock, when one must recover; may be done again. */
  rollBack(): void {
    const [newest, before] = [this.#newest(), this.#before()];
    if (before.transaction !== newest.transaction - 1) throw new StillpointError('E_STORE_CORRUPT', `${this.#path}: its headers do not follow each other; restore the store from a copy`);
    const sector = Buffer.alloc(META_SECTOR_BYTES);
    readSync(this.#file, sector, 0, sector.length, this.#page(before.transaction));
    sector.writeBigUInt64LE(BigInt(newest.transaction & 1), 0); // The page's own number.
    sector.writeBigUInt64LE(BigInt(newest.transaction), TRANSACTION_OFFSET);
    writeSync(this.#file, sector, 0, sector.length, this.#page(newest.transaction));
    this.sync();
  }

  /** The newest transaction is on disk when this returns. Under the write lock, when somebody else made it. */
  settle(): void {
    const seal = this.#newestSeal();
    if (seal === undefined || seal.redo !== undefined) this.sync();
  }

  /** Whether the place of a transaction's seal is free of claims that it has happened. Under the write lock. */
  isFree(transaction: number): boolean {
    return [SEAL_OFFSET, COPY_OFFSET].every((offset) => {
      const head = Buffer.alloc(AT.place);
      readSync(this.#file, head, 0, head.length, this.#page(transaction) + offset);
      return Number(head.readBigUInt64LE(AT.transaction)) < transaction;
    });
  }

  /** Under the write lock, before LMDB commits. `batch`: of a commit whose pages nobody syncs before its header. */
  seal(transaction: number, batch: Uint8Array | undefined): void {
    const bytes = encodeSeal({ transaction, place: this.#place, batch });
    for (const offset of batch === undefined ? [SEAL_OFFSET, COPY_OFFSET] : [SEAL_OFFSET]) {
      const done = writeSync(this.#file, bytes, 0, bytes.length, this.#page(transaction) + offset);
      if (done !== bytes.length) throw new StillpointError('E_STORE_WRITE', `${this.#path}: a write was cut short`);
    }
  }

  #page(transaction: number): number {
    return (transaction & 1) * this.#pageBytes;
  }

  #newest(): { readonly transaction: number } {
    const [first, second] = headersOf(this.#file, this.#path);
    return { transaction: Number(first.transaction >= second.transaction ? first.transaction : second.transaction) };
  }

  #before(): { readonly transaction: number } {
    const [first, second] = headersOf(this.#file, this.#path);
    return { transaction: Number(first.transaction >= second.transaction ? second.transaction : first.transaction) };
  }

  #newestSeal(): Seal | undefined {
    const { transaction } = this.#newest();
    const bytes = Buffer.alloc(PAGE_BYTES_MIN - SEAL_OFFSET);
    const length = readSync(this.#file, bytes, 0, bytes.length, this.#page(transaction) + SEAL_OFFSET);
    const copies = [decodeSeal(bytes.subarray(0, Math.min(length, SEAL_BYTES))), decodeSeal(bytes.subarray(SEAL_BYTES, Math.max(length, SEAL_BYTES)))];
    return copies.find((seal) => seal?.transaction === transaction);
  }
}
