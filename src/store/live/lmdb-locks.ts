/**
 * LMDB's lock file before LMDB sees it. Who opens an environment that others have open believes what that file says: the number of readers and their table, and with another magic or format lmdb 3.5
 * frees its memory twice. So a file that cannot be one is refused, but only while somebody uses it: else LMDB makes it anew under a lock of its own.
 *
 *   nobody locks its first byte      whatever it holds is written over
 *   locked for writing               its maker is at work: LMDB waits for that
 *   locked for reading               in use: it must be a lock file
 *
 * Facts of the file: magic u32 at 0, format u32 at 4, readers used u32 at 16, locks at 24, 64 and 104, each begins with the thread that holds it, 256 bytes with the first reader, 64 for each more, little-endian. Who has which locks stands in /proc/locks; where that does not tell, nothing is refused.
 * Invariant: no descriptor of a lock file is ever closed here, for that would end all of LMDB's locks that this process has on it; so the one that it was looked at with stays open, one for each lock file.
 * Threads do not look: what they leave open would be closed with them, and their process has looked.
 * What this does NOT do: know a lock that somebody wrote a living thread's number into, which is waited for (lmdb-turn.ts); guard those that have the store open when the file is damaged.
 */
import { openSync, readFileSync, readSync, realpathSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { isMainThread } from 'node:worker_threads';
import { StillpointError } from '../../core/index.ts';
import { isErrno, LMDB_MAGIC, LOCK_FILE } from './lmdb-files.ts';
import { mappedLockState } from './lmdb-counter.ts';
import { LOCK_STATE_BYTES, LOCK_STATE_OFFSET } from './lmdb-turn.ts';

/** Made of the sizes of the C library's types; where they are others, any format is taken. */
const FORMAT = process.arch === 'x64' ? 0x2c2f_6002 : undefined;
const FORMAT_OFFSET = 4;
const READERS_OFFSET = 16;
const LOCK_OFFSETS = [24, 64, 104];
/** Below two flags; Linux numbers threads below 2^22. */
const HOLDER_MASK = 0x3fff_ffff;
const HOLDER_MAX = 2 ** 22;
const HEADER_BYTES = 256;
const READER_BYTES = 64;
const LOCKS = '/proc/locks';

/** Descriptors by device and inode. */
const kept = new Map<string, number>();

/** Throws E_STORE_OPEN. */
export function mustHaveSoundLocks(directory: string): void {
  const path = join(directory, LOCK_FILE);
  const file = isMainThread ? descriptorOf(path) : undefined;
  if (file === undefined || isLockFile(file, path) || !isInUse(path)) return;
  if (isLockFile(file, path)) return; // Its maker was at work before.
  throw new StillpointError('E_STORE_OPEN', `${path} was damaged while other processes use the store; end them, and it is made anew`, { data: { path } });
}

/** Of a directory that this thread has not open yet, as ReadLock says: undefined where nobody uses it, for then the locks are made anew. */
export function lockStateBefore(directory: string): Buffer | undefined {
  const path = join(directory, LOCK_FILE);
  const file = isMainThread ? descriptorOf(path) : undefined;
  if (!isInUse(path)) return undefined;
  if (file === undefined) return mappedLockState(join(realpathSync(directory), LOCK_FILE));
  const state = Buffer.alloc(LOCK_STATE_BYTES);
  return readSync(file, state, 0, LOCK_STATE_BYTES, LOCK_STATE_OFFSET) === LOCK_STATE_BYTES ? state : undefined;
}

/** Undefined: there is none, or it may not be read. */
function descriptorOf(path: string): number | undefined {
  try {
    const { dev, ino } = statSync(path, { bigint: true });
    const known = kept.get(`${dev} ${ino}`);
    if (known !== undefined) return known;
    const file = openSync(path, 'r');
    kept.set(`${dev} ${ino}`, file);
    return file;
  } catch (cause) {
    if (!isErrno(cause, 'ENOENT', 'EACCES', 'EPERM')) throw cause;
    return undefined;
  }
}

function isLockFile(file: number, path: string): boolean {
  const sizeBytes = statSync(path, { throwIfNoEntry: false })?.size ?? 0;
  const header = Buffer.alloc(HEADER_BYTES);
  if (readSync(file, header, 0, HEADER_BYTES, 0) < HEADER_BYTES || header.readUInt32LE(0) !== LMDB_MAGIC) return false;
  if (FORMAT !== undefined && header.readUInt32LE(FORMAT_OFFSET) !== FORMAT) return false;
  if (LOCK_OFFSETS.some((offset) => (header.readUInt32LE(offset) & HOLDER_MASK) > HOLDER_MAX)) return false;
  return header.readUInt32LE(READERS_OFFSET) <= Math.floor((sizeBytes - HEADER_BYTES) / READER_BYTES) + 1;
}

/** Whether somebody has it open and is past making it. */
function isInUse(path: string): boolean {
  try {
    const { dev, ino } = statSync(path, { bigint: true });
    const digits = (part: bigint): string => part.toString(16).padStart(2, '0');
    const place = `${digits((dev >> 8n) & 0xfffn)}:${digits((dev & 0xffn) | ((dev >> 12n) & 0xfff00n))}:${ino} 0 0`;
    return readFileSync(LOCKS, 'latin1').split('\n').some((line) => line.includes(' READ ') && line.endsWith(` ${place}`));
  } catch (cause) {
    if (!(cause instanceof Error && 'code' in cause)) throw cause;
    return false;
  }
}
