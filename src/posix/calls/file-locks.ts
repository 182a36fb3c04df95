/**
 * Locks of files: those of fcntl, by process and by open file, and flock. The table of them is files/locks.ts.
 * Invariants: a call that waits has changed nothing, and nobody waits in a ring of processes (EDEADLK), as far as fcntl's locks by process go: Linux looks no further either.
 * What this does NOT do: leases, mandatory locks.
 */
import { BLOCKED, type Call, type CallResult } from '../call.ts';
import { ERRNO } from '../errno.ts';
import { F, SEEK } from '../files/flags.ts';
import { END_MAX, type Lock } from '../files/locks.ts';
import { sizeOf } from '../files/stat.ts';
import type { Kernel } from '../kernel.ts';
import type { OpenFile } from '../open-file.ts';
import { withWaitingCall } from '../waiting-call.ts';
import { openFileArgument } from './file-arguments.ts';

const FCNTL = 25;
export const LOCK_TYPE = { READ: 0, WRITE: 1, UNLOCK: 2 } as const;
const LOCK_OPERATION = { SH: 1, EX: 2, NB: 4, UN: 8 } as const;
const FLOCK_BYTES = 32;
/** Offsets of struct flock are below this. */
const OFFSET_END = 2n ** 63n;

interface LockRequest { readonly type: number; readonly start: number; readonly end: number }

/** struct flock: type(2) whence(2) pad(4) start(8) len(8) pid(4). */
function lockArgument(call: Call, openFile: OpenFile, isOfd: boolean): LockRequest | number {
  const bytes = call.memory.readable(call.size(2), FLOCK_BYTES);
  if (bytes === undefined) return -ERRNO.EFAULT;
  const view = new DataView(bytes.buffer, bytes.byteOffset, FLOCK_BYTES);
  const whence = view.getInt16(2, true);
  if (isOfd && view.getInt32(24, true) !== 0) return -ERRNO.EINVAL;
  if (whence < SEEK.SET || whence > SEEK.END) return -ERRNO.EINVAL;
  const base = whence === SEEK.SET ? 0 : whence === SEEK.CUR ? openFile.offset : sizeOf(call.kernel.files, openFile.inode);
  const length = view.getBigInt64(16, true);
  let start = BigInt(base) + view.getBigInt64(8, true);
  let end = length > 0n ? start + length : OFFSET_END;
  if (start >= OFFSET_END || end > OFFSET_END) return -ERRNO.EOVERFLOW;
  if (length < 0n) [start, end] = [start + length, start];
  if (start < 0n || end <= 0n) return -ERRNO.EINVAL;
  // Offsets that no file here reaches are all the same.
  return { type: view.getInt16(0, true), start: Math.min(Number(start), END_MAX - 1), end: Math.min(Number(end), END_MAX) };
}

function ownerOf(call: Call, openFile: OpenFile, isOfd: boolean): string {
  return isOfd ? `o${openFile.id}` : `p${call.process.pid}`;
}

export function setLock(call: Call, openFile: OpenFile, how: { readonly isOfd: boolean; readonly waits: boolean }): CallResult {
  const request = lockArgument(call, openFile, how.isOfd);
  if (typeof request === 'number') return request;
  if (request.type < LOCK_TYPE.READ || request.type > LOCK_TYPE.UNLOCK) return -ERRNO.EINVAL;
  const lock: Lock = { owner: ownerOf(call, openFile, how.isOfd), isWrite: request.type === LOCK_TYPE.WRITE, start: request.start, end: request.end };
  if (request.type === LOCK_TYPE.READ && !openFile.canRead) return -ERRNO.EBADF;
  if (lock.isWrite && !openFile.canWrite) return -ERRNO.EBADF;
  return applyLock(call, openFile, { lock, isUnlock: request.type === LOCK_TYPE.UNLOCK, waits: how.waits });
}

function applyLock(call: Call, openFile: OpenFile, how: { readonly lock: Lock; readonly isUnlock: boolean; readonly waits: boolean }): CallResult {
  const { locks } = call.kernel.files;
  const { ino } = openFile.inode;
  if (how.isUnlock) {
    locks.clear(ino, how.lock);
    return 0;
  }
  const held = locks.conflict(ino, how.lock);
  if (held !== undefined) return !how.waits ? -ERRNO.EAGAIN : how.lock.owner.startsWith('p') && waitsFor(call.kernel, held.owner, how.lock.owner) ? -ERRNO.EDEADLK : BLOCKED;
  locks.set(ino, how.lock);
  return 0;
}

/** Whether the owner of a lock waits, over however many others, for a lock of `asking`. Who waits for what is read from the calls of those who wait. */
function waitsFor(kernel: Kernel, owner: string, asking: string, seen: Set<string> = new Set()): boolean {
  if (owner === asking) return true;
  if (seen.has(owner) || !owner.startsWith('p')) return false;
  seen.add(owner);
  const holder = kernel.findProcess(Number(owner.slice(1)));
  return holder !== undefined && !holder.isOver && holder.threads.some((thread) => {
    if (thread === kernel.current || thread.wait.kind !== 'retry') return false;
    const next = withWaitingCall(kernel, thread, lockWaitedFor);
    return next !== undefined && waitsFor(kernel, next.owner, asking, seen);
  });
}

/** The lock that keeps a call of F_SETLKW waiting. */
function lockWaitedFor(call: Call, number: number): Lock | undefined {
  if (number !== FCNTL || call.unsigned(1) !== F.SETLKW) return undefined;
  const openFile = openFileArgument(call, 0);
  const request = typeof openFile === 'number' ? openFile : lockArgument(call, openFile, false);
  if (typeof openFile === 'number' || typeof request === 'number' || request.type === LOCK_TYPE.UNLOCK) return undefined;
  return call.kernel.files.locks.conflict(openFile.inode.ino, { ...request, owner: ownerOf(call, openFile, false), isWrite: request.type === LOCK_TYPE.WRITE });
}

export function getLock(call: Call, openFile: OpenFile, isOfd: boolean): CallResult {
  const request = lockArgument(call, openFile, isOfd);
  if (typeof request === 'number') return request;
  if (request.type !== LOCK_TYPE.READ && request.type !== LOCK_TYPE.WRITE) return -ERRNO.EINVAL;
  const wanted: Lock = { owner: ownerOf(call, openFile, isOfd), isWrite: request.type === LOCK_TYPE.WRITE, start: request.start, end: request.end };
  const held = call.kernel.files.locks.conflict(openFile.inode.ino, wanted);
  const target = call.memory.writable(call.size(2), FLOCK_BYTES);
  if (target === undefined) return -ERRNO.EFAULT;
  const view = new DataView(target.buffer, target.byteOffset, FLOCK_BYTES);
  view.setInt16(0, held === undefined ? LOCK_TYPE.UNLOCK : held.isWrite ? LOCK_TYPE.WRITE : LOCK_TYPE.READ, true);
  if (held === undefined) return 0;
  view.setInt16(2, SEEK.SET, true);
  view.setBigInt64(8, BigInt(held.start), true);
  view.setBigInt64(16, held.end === END_MAX ? 0n : BigInt(held.end - held.start), true);
  view.setInt32(24, held.owner.startsWith('p') ? Number(held.owner.slice(1)) : -1, true);
  return 0;
}

export function flock(call: Call): CallResult {
  const openFile = openFileArgument(call, 0);
  if (typeof openFile === 'number') return openFile;
  const operation = call.unsigned(1);
  const kind = operation & ~LOCK_OPERATION.NB;
  if (kind !== LOCK_OPERATION.SH && kind !== LOCK_OPERATION.EX && kind !== LOCK_OPERATION.UN) return -ERRNO.EINVAL;
  const lock: Lock = { owner: `f${openFile.id}`, isWrite: kind === LOCK_OPERATION.EX, start: 0, end: END_MAX };
  return applyLock(call, openFile, { lock, isUnlock: kind === LOCK_OPERATION.UN, waits: (operation & LOCK_OPERATION.NB) === 0 });
}
