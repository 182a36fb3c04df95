/**
 * Errors of LMDB and of the file system under it as errors of Stillpoint. What this does NOT do: decide what to do about them.
 */
import { statfsSync } from 'node:fs';
import { StillpointError } from '../../core/index.ts';
import { fileError } from './lmdb-files.ts';

/** Free space below which an I/O error of LMDB is a full disk: it reports a short write as EIO. */
const FULL_SLACK_BYTES = 64 * 1024;
export const ERRNO = { EPERM: 1, EIO: 5, EACCES: 13, EINVAL: 22, ENOSPC: 28, EROFS: 30, EDQUOT: 122 } as const;
/** MDB_INVALID, MDB_PAGE_NOTFOUND, MDB_CORRUPTED, MDB_PANIC. */
const DAMAGE_CODES: readonly number[] = [-30793, -30797, -30796, -30795];

export function numericCode(cause: unknown): number | undefined {
  return cause instanceof Error && 'code' in cause && typeof cause.code === 'number' ? cause.code : undefined;
}

/** What an error of LMDB (numeric code) or of the file system (errno name) means to us. */
export function engineError(cause: unknown, where: { readonly directory: string; readonly otherwise: 'E_STORE_OPEN' | 'E_STORE_WRITE' | 'E_STORE_CORRUPT'; readonly bytes?: number }): StillpointError {
  const { directory, otherwise } = where;
  if (cause instanceof StillpointError) return cause;
  const code = numericCode(cause);
  const detail = cause instanceof Error ? cause.message : String(cause);
  if (code === ERRNO.ENOSPC || code === ERRNO.EDQUOT || (code === ERRNO.EIO && isNearlyFull(directory, where.bytes ?? 0))) {
    return new StillpointError('E_DISK_FULL', `${directory}: no space for the store; free some and go on`, { cause });
  }
  if (code !== undefined && DAMAGE_CODES.includes(code)) return new StillpointError('E_STORE_CORRUPT', `${directory}: the database is damaged: ${detail}`, { cause });
  if (code === ERRNO.EROFS || code === ERRNO.EACCES || code === ERRNO.EPERM) {
    const why = code === ERRNO.EROFS ? 'it lies on a file system that is mounted read-only' : 'this user may not use its files so';
    return new StillpointError(otherwise, `${directory} cannot be opened for this command: ${why}; commands that only read may work, and --store names another store`, { cause });
  }
  return fileError(cause, otherwise, directory);
}

export function orStoreError<Result>(directory: string, action: () => Result): Result {
  try {
    return action();
  } catch (cause) {
    throw engineError(cause, { directory, otherwise: 'E_STORE_OPEN' });
  }
}

function isNearlyFull(directory: string, bytes: number): boolean {
  try {
    const { bavail, bsize } = statfsSync(directory);
    return bavail * bsize < bytes * 2 + FULL_SLACK_BYTES;
  } catch {
    return false; // The directory is gone: not a full disk, whatever it is.
  }
}
