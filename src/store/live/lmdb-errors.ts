/**
 * Errors of LMDB and of the file system under it as errors of Stillpoint. What this does NOT do: decide what to do about them.
 */
import { statfsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { StillpointError, type ErrorCode } from '../../core/index.ts';
import { DATA_FILE, fileError } from './lmdb-files.ts';
import { processLimit } from './process-limits.ts';

/** Free space below which an I/O error of LMDB is a full disk: it reports a short write as EIO. */
const FULL_SLACK_BYTES = 64 * 1024;
export const ERRNO = { EPERM: 1, EIO: 5, EACCES: 13, EINVAL: 22, EFBIG: 27, ENOSPC: 28, EROFS: 30, EDQUOT: 122 } as const;
const DAMAGED = 'the database is damaged';
const SAVES = 'stillpoint fsck --repair saves what can be read';
/** LMDB's own codes, and those of the host that it hands on, which mean the same wherever they come from. */
const MEANINGS: Readonly<Record<number, readonly [code: ErrorCode, says: string]>> = {
  [-30797]: ['E_STORE_CORRUPT', `${DAMAGED}: a page that it points to is not there; ${SAVES}`], // MDB_PAGE_NOTFOUND
  [-30796]: ['E_STORE_CORRUPT', `${DAMAGED}: a page of it is of the wrong kind; ${SAVES}`], // MDB_CORRUPTED
  [-30795]: ['E_STORE_CORRUPT', `${DAMAGED}: its header could not be brought up to date; ${SAVES}`], // MDB_PANIC
  [-30794]: ['E_STORE_VERSION', 'the database was written by another version of LMDB'], // MDB_VERSION_MISMATCH
  [-30793]: ['E_STORE_CORRUPT', `${DAMAGED}: its file is none of a database; ${SAVES}`], // MDB_INVALID
  [-30792]: ['E_STORE_WRITE', 'the database has grown beyond what this process may map; give it more address space (ulimit -v) and try again'], // MDB_MAP_FULL
  [-30790]: ['E_STORE_BUSY', 'too many processes and threads read the store at once; try again when some have ended'], // MDB_READERS_FULL
  [-30788]: ['E_STORE_WRITE', 'one commit is larger than the database takes'], // MDB_TXN_FULL
  [-30785]: ['E_STORE_BUSY', 'another process made the database grow in this moment; try again'], // MDB_MAP_RESIZED
  12: ['E_HOST_MEMORY', 'the host has no memory or no addresses left for the database'], // ENOMEM
  23: ['E_HOST_FILE', 'the host has too many files open'], // ENFILE
  24: ['E_HOST_FILE', 'this process has too many files open (ulimit -n)'], // EMFILE
};

export function numericCode(cause: unknown): number | undefined {
  return cause instanceof Error && 'code' in cause && typeof cause.code === 'number' ? cause.code : undefined;
}

/** What an error of LMDB (numeric code) or of the file system (errno name) means to us. */
export function engineError(cause: unknown, where: { readonly directory: string; readonly otherwise: 'E_STORE_OPEN' | 'E_STORE_WRITE' | 'E_STORE_CORRUPT'; readonly bytes?: number }): StillpointError {
  const { directory, otherwise } = where;
  if (cause instanceof StillpointError) return cause;
  const code = numericCode(cause);
  if (code === ERRNO.ENOSPC || code === ERRNO.EDQUOT || code === ERRNO.EFBIG || (code === ERRNO.EIO && isNearlyFull(directory, where.bytes ?? 0))) return noSpace(directory, cause);
  const meaning = code === undefined ? undefined : MEANINGS[code];
  if (meaning !== undefined) return new StillpointError(meaning[0], `${directory}: ${meaning[1]}`, { cause, data: { lmdb: code } });
  if (code === ERRNO.EROFS || code === ERRNO.EACCES || code === ERRNO.EPERM) {
    const why = code === ERRNO.EROFS ? 'it lies on a file system that is mounted read-only' : 'this user may not use its files so';
    return new StillpointError(otherwise, `${directory} cannot be opened for this command: ${why}; commands that only read may work, and --store names another store`, { cause });
  }
  if (code === ERRNO.EIO) return new StillpointError(otherwise, `${directory}: the disk did not read or write what it should (an input/output error)`, { cause });
  if (code !== undefined) return new StillpointError(otherwise, `${directory}: the database cannot be used (error ${code})`, { cause, data: { lmdb: code } });
  return fileError(cause, otherwise, directory);
}

export function noSpace(directory: string, cause?: unknown): StillpointError {
  const says = isAtFileLimit(directory) ? 'a file of this process may not become so large (ulimit -f); raise that and go on' : 'no space for the store; free some and go on';
  return new StillpointError('E_DISK_FULL', `${directory}: ${says}`, { cause });
}

export function orStoreError<Result>(directory: string, action: () => Result): Result {
  try {
    return action();
  } catch (cause) {
    throw engineError(cause, { directory, otherwise: 'E_STORE_OPEN' });
  }
}

function isNearlyFull(directory: string, bytes: number): boolean {
  return roomOf(directory) < bytes * 2 + FULL_SLACK_BYTES;
}

/** Bytes that are left to this user, and to the data file; Infinity: nobody can say. */
export function roomOf(directory: string): number {
  return Math.min(diskRoom(directory), fileRoom(directory));
}

function diskRoom(directory: string): number {
  try {
    const { bavail, bsize } = statfsSync(directory);
    return bavail * bsize;
  } catch {
    return Infinity; // The directory is gone: not a full disk, whatever it is.
  }
}

/** What a limit of this process leaves to the data file. */
function fileRoom(directory: string): number {
  const limit = processLimit('file size') ?? Infinity;
  if (limit === Infinity) return Infinity;
  return Math.max(0, limit - (statSync(join(directory, DATA_FILE), { throwIfNoEntry: false })?.size ?? 0));
}

/** Whether a limit of this process leaves less to the data file than the disk does. */
export function isAtFileLimit(directory: string): boolean {
  return fileRoom(directory) < diskRoom(directory);
}
