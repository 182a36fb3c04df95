/**
 * What stands between a directory that a user named and LMDB: LMDB maps its file and trusts it, so a foreign or cut file would end the process
 * with a signal instead of an error. Everything here looks at plain bytes before LMDB does.
 * Facts of LMDB's file format 2 (64-bit, little-endian): a page header has 24 bytes, flags at 18; pages 0 and 1 hold a meta record each: magic u32
 * at 24, version u32 at 28, page size u32 at 48, free tree's root u64 at 88, main tree's root u64 at 136, last page u64 at 144, transaction u64 at 152.
 * What this does NOT do: walk the trees (lmdb-check.ts).
 */
import { randomBytes } from 'node:crypto';
import { closeSync, existsSync, fstatSync, fsyncSync, ftruncateSync, linkSync, lstatSync, openSync, readdirSync, readSync, rmSync, statSync, writeSync, type Stats } from 'node:fs';
import { join } from 'node:path';
import { isNoSpace, orElse, StillpointError, type ErrorCode } from '../../core/index.ts';
import { NO_PAGE } from './lmdb-pages.ts';
import { mustBeUnusedUnlocked } from './lmdb-users.ts';

export const DATA_FILE = 'data.mdb';
export const LOCK_FILE = 'lock.mdb';
/** Given up on a full disk (lmdb-reserve.ts). */
export const RESERVE_FILE = 'reserve';
/** Stores are built in a subdirectory of this name and linked into place whole; one left by a killed process is harmless. */
export const BUILD_PATTERN = /^new-[0-9a-f]{16}$/;

const META = { flags: 18, magic: 24, version: 28, pageBytes: 48, freeRoot: 88, mainRoot: 136, lastPage: 144, transaction: 152, bytes: 168 } as const;
/** A header record is within one sector, which a disk writes whole. */
export const META_SECTOR_BYTES = 512;
export const TRANSACTION_OFFSET = META.transaction;
const META_FLAG = 0x08;
export const LMDB_MAGIC = 0xbeefc0de;
const LMDB_VERSION = 2;
/** 8 TiB: a walk has a bit for each. */
const LAST_PAGE_MAX = 0x7fff_ffffn;
const PAGE_BYTES_MIN = 512;
const PAGE_BYTES_MAX = 65536;
/** The kernel's. */
const PAGE_BYTES_USUAL = 4096;
/** LMDB maps its lock file and writes to it; a sparse one on a full disk is a SIGBUS, so it is written out before. 126 readers take half of it. */
const LOCK_BYTES = 16384;

export function isErrno(error: unknown, ...codes: readonly string[]): boolean {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' && codes.includes(error.code);
}

/** The error that a failed file operation on a store means: full disk, or `otherwise`. */
export function fileError(cause: unknown, otherwise: ErrorCode, message: string): StillpointError {
  if (cause instanceof StillpointError) return cause;
  if (isNoSpace(cause)) return new StillpointError('E_DISK_FULL', `${message}: no space is left; free some and go on`, { cause });
  return new StillpointError(otherwise, `${message}: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
}

/** What is at the path: 'absent', 'empty' (may become a store) or 'data' (holds a data file). Throws when it is something else. */
export function inspectDirectory(directory: string): 'absent' | 'empty' | 'data' {
  let stats: Stats;
  try {
    stats = statSync(directory);
  } catch (cause) {
    if (isErrno(cause, 'ENOENT') && lstatSync(directory, { throwIfNoEntry: false })?.isSymbolicLink() !== true) return 'absent';
    if (isErrno(cause, 'ENOENT')) throw new StillpointError('E_STORE_FOREIGN', `${directory} is a symbolic link that leads nowhere; make the directory that it names, or choose another path for the store`, { cause });
    if (isErrno(cause, 'ENOTDIR')) throw new StillpointError('E_STORE_FOREIGN', `${directory}: a part of this path is a file, not a directory`, { cause });
    throw fileError(cause, 'E_STORE_OPEN', `${directory} cannot be looked at`);
  }
  if (!stats.isDirectory()) throw new StillpointError('E_STORE_FOREIGN', `${directory} is not a directory; choose another path for the store`);
  let names: readonly string[];
  try {
    names = readdirSync(directory);
  } catch (cause) {
    throw fileError(cause, 'E_STORE_OPEN', `${directory} cannot be read`);
  }
  const strange = names.find((name) => name !== DATA_FILE && name !== LOCK_FILE && name !== RESERVE_FILE && !BUILD_PATTERN.test(name));
  if (names.includes(DATA_FILE)) {
    if (strange !== undefined && !isLmdbFile(join(directory, DATA_FILE))) throw foreign(directory, strange);
    return 'data';
  }
  if (strange !== undefined) throw foreign(directory, strange);
  return 'empty';
}

function foreign(directory: string, name: string): StillpointError {
  return new StillpointError('E_STORE_FOREIGN', `${directory} holds ${name}, which is no part of a store; choose an empty directory`);
}

function isLmdbFile(path: string): boolean {
  return openRead(path, (file) => readMeta(file, 0) !== undefined);
}

function openRead<Result>(path: string, use: (file: number) => Result): Result {
  let file: number;
  try {
    if (!statSync(path).isFile()) throw new StillpointError('E_STORE_FOREIGN', `${path} is not a regular file`);
    file = openSync(path, 'r');
  } catch (cause) {
    throw fileError(cause, 'E_STORE_OPEN', `${path} cannot be opened`);
  }
  try {
    return use(file);
  } catch (cause) {
    throw fileError(cause, 'E_STORE_OPEN', `${path} cannot be read`);
  } finally {
    closeSync(file);
  }
}

/** What a header page says. */
export interface HeaderRecord { readonly bytes: Uint8Array; readonly pageBytes: number; readonly freeRoot: bigint; readonly mainRoot: bigint; readonly lastPage: bigint; readonly transaction: bigint }

/** Whether there is a header of the version that we know. */
function isLmdbVersion(file: number, offset: number): boolean {
  const bytes = new Uint8Array(META.bytes);
  const view = new DataView(bytes.buffer);
  return readSync(file, bytes, 0, META.bytes, offset) === META.bytes && view.getUint32(META.magic, true) === LMDB_MAGIC && (view.getUint32(META.version, true) & 0xffff) === LMDB_VERSION;
}

/** The meta record at `offset` where it is one that a database may have, whatever its version. */
export function soundHeader(file: number, offset: number): HeaderRecord | undefined {
  return orElse(undefined, () => {
    const meta = readMeta(file, offset);
    if (meta === undefined || meta.pageBytes < PAGE_BYTES_MIN || meta.pageBytes > PAGE_BYTES_MAX || (meta.pageBytes & (meta.pageBytes - 1)) !== 0) return undefined;
    checkMeta(meta, '', { size: 0, isNewest: false });
    return meta;
  });
}

/** The meta record at `offset`, or undefined when there is none. */
function readMeta(file: number, offset: number): HeaderRecord | undefined {
  const bytes = new Uint8Array(META.bytes);
  if (readSync(file, bytes, 0, META.bytes, offset) !== META.bytes) return undefined;
  const view = new DataView(bytes.buffer);
  if ((view.getUint16(META.flags, true) & META_FLAG) === 0 || view.getUint32(META.magic, true) !== LMDB_MAGIC) return undefined;
  const version = view.getUint32(META.version, true) & 0xffff;
  if (version !== LMDB_VERSION && isLmdbVersion(file, offset === 0 ? PAGE_BYTES_USUAL : 0)) return undefined; // One of two headers: a flipped bit.
  if (version !== LMDB_VERSION) throw new StillpointError('E_STORE_VERSION', `the store's database file has LMDB format ${version}, this software knows ${LMDB_VERSION}`, { data: { found: version, known: LMDB_VERSION } });
  return {
    bytes,
    pageBytes: view.getUint32(META.pageBytes, true),
    freeRoot: view.getBigUint64(META.freeRoot, true),
    mainRoot: view.getBigUint64(META.mainRoot, true),
    lastPage: view.getBigUint64(META.lastPage, true),
    transaction: view.getBigUint64(META.transaction, true),
  };
}

/**
 * Looks at the data file before LMDB does. Returns how many bytes the file is short of its last page: LMDB leaves free pages at the end
 * unwritten, and a cut file looks the same. Throws E_STORE_FOREIGN or E_STORE_CORRUPT.
 */
export function checkDataFile(directory: string): { readonly shortBytes: number } {
  const path = join(directory, DATA_FILE);
  return openRead(path, (file) => {
    const first = readMeta(file, 0);
    if (first === undefined && isLmdbVersion(file, PAGE_BYTES_USUAL)) throw corrupt(path, 'its first header is damaged');
    if (first === undefined) throw new StillpointError('E_STORE_FOREIGN', `${path} is not a database of Stillpoint; choose another directory`);
    const { pageBytes } = first;
    if (pageBytes < PAGE_BYTES_MIN || pageBytes > PAGE_BYTES_MAX || (pageBytes & (pageBytes - 1)) !== 0) throw corrupt(path, 'its page size is impossible');
    const second = secondMeta(file, path, first);
    if (second === undefined || second.pageBytes !== pageBytes) throw corrupt(path, 'its second header is damaged');
    const { size } = fstatSync(file); // Behind the headers: a writer beside us may make the file longer, never shorter.
    for (const meta of [first, second]) checkMeta(meta, path, { size, isNewest: meta.transaction >= first.transaction && meta.transaction >= second.transaction });
    const newest = first.transaction >= second.transaction ? first : second;
    return { shortBytes: Math.max(0, wantedBytes(newest) - size) };
  });
}

/** The header record that LMDB goes by, with its bytes. Throws E_STORE_CORRUPT. */
export function newestHeader(file: number, path: string): HeaderRecord {
  const [first, second] = headersOf(file, path);
  return first.transaction >= second.transaction ? first : second;
}

/** Number of the newest transaction of a store's data file. Throws E_STORE_CORRUPT, E_STORE_OPEN. */
export function lastTransaction(directory: string): number {
  const path = join(directory, DATA_FILE);
  return openRead(path, (file) => Number(newestHeader(file, path).transaction));
}

/** The two header records: of the last even and the last odd transaction, or both of none. Throws E_STORE_CORRUPT. */
export function headersOf(file: number, path: string): readonly [HeaderRecord, HeaderRecord] {
  const first = readMeta(file, 0);
  const second = first === undefined ? undefined : secondMeta(file, path, first);
  if (first === undefined || second === undefined) throw corrupt(path, 'its header is damaged');
  return [first, second];
}

/** Undefined when there is none. Throws E_STORE_CORRUPT where the file ends before it. */
function secondMeta(file: number, path: string, first: HeaderRecord): HeaderRecord | undefined {
  const second = readMeta(file, first.pageBytes);
  const { size } = fstatSync(file);
  if (second === undefined && size < first.pageBytes + META.bytes) throw cutError(path, { bytes: size, wantedBytes: wantedBytes(first) });
  return second;
}

function checkMeta(meta: HeaderRecord, path: string, file: { readonly size: number; readonly isNewest: boolean }): void {
  const isPage = (page: bigint): boolean => page === NO_PAGE || (page > 1n && page <= meta.lastPage);
  if (meta.lastPage < 1n || meta.lastPage > LAST_PAGE_MAX || !isPage(meta.freeRoot) || !isPage(meta.mainRoot)) throw corrupt(path, 'its header contradicts itself');
  const isInside = (page: bigint): boolean => page === NO_PAGE || Number(page + 1n) * meta.pageBytes <= file.size;
  if (file.isNewest && !(isInside(meta.freeRoot) && isInside(meta.mainRoot))) throw cutError(path, { bytes: file.size, wantedBytes: wantedBytes(meta) });
}

function wantedBytes({ lastPage, pageBytes }: HeaderRecord): number {
  return Number(lastPage + 1n) * pageBytes;
}

/** Of a data file that ends before what is in use. */
export function cutError(path: string, { bytes, wantedBytes }: { readonly bytes: number; readonly wantedBytes: number }): StillpointError {
  return corrupt(path, `it is cut: ${bytes} bytes are there, ${wantedBytes} are wanted`, { bytes, wantedBytes });
}

function corrupt(path: string, what: string, data: Readonly<Record<string, number>> = {}): StillpointError {
  return new StillpointError('E_STORE_CORRUPT', `${path}: ${what}; stillpoint fsck --repair saves what can be read`, { data });
}

/** Gives a short data file its full length, so that a page that was cut off reads as zeros (an error of LMDB's), not as SIGBUS. The caller holds LMDB's write lock. */
export function extendDataFile(directory: string): void {
  const { shortBytes } = checkDataFile(directory);
  if (shortBytes === 0) return;
  const file = openSync(join(directory, DATA_FILE), 'r+');
  try {
    ftruncateSync(file, fstatSync(file).size + shortBytes);
  } finally {
    closeSync(file);
  }
}

/**
 * Makes sure that the lock file exists with its blocks on disk. It appears whole, by link(): zeros written into a file that another process
 * has begun to use would break its lock. An existing one is left alone. Throws E_STORE_BUSY when somebody uses the store without.
 */
export function prepareLockFile(directory: string): void {
  const path = join(directory, LOCK_FILE);
  if (existsSync(path)) return;
  mustBeUnusedUnlocked({ lockFile: path, dataFile: join(directory, DATA_FILE) });
  const aside = join(directory, buildName());
  try {
    const file = openSync(aside, 'wx', 0o600);
    try {
      writeSync(file, new Uint8Array(LOCK_BYTES));
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
    linkInto(aside, path);
  } catch (cause) {
    if (!isErrno(cause, 'EEXIST')) throw fileError(cause, 'E_STORE_OPEN', `${path} cannot be made`);
  } finally {
    rmSync(aside, { force: true });
  }
}

/** Gives a file a second name that nothing has yet. Throws EEXIST, E_STORE_OPEN. */
export function linkInto(aside: string, path: string): void {
  try {
    linkSync(aside, path);
  } catch (cause) {
    if (!isErrno(cause, 'EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EMLINK')) throw cause;
    throw new StillpointError('E_STORE_OPEN', `${path}: the file system there knows no hard links, which a store needs to come to be; make it on another one (--store)`, { cause });
  }
}

/** A fresh name for something on its way into a store. */
export function buildName(): string {
  return `new-${randomBytes(8).toString('hex')}`;
}

/** Makes new names in a directory survive a power loss. */
export function syncDirectory(directory: string): void {
  const file = openSync(directory, 'r');
  try {
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}
