/**
 * Futexes whose word holds the owner's thread id (FUTEX_LOCK_PI and its relatives): the kernel hands the lock over.
 *
 *   word   bit 31 there are waiters   bit 30 the owner has died   bits 0..29 thread id of the owner, 0: free
 *
 * Invariants: a waiter waits with no wake bits, so that FUTEX_WAKE does not reach it; whoever is given the lock is in the word before it runs.
 * What this does NOT do: priorities (there are none to inherit; the first to come is the first to be served), requeueing (ENOSYS).
 */
import { BLOCKED, NO_RESULT, type Call, type CallResult } from '../call.ts';
import { CLOCK } from '../clock.ts';
import { ERRNO } from '../errno.ts';
import { handOver, OWNER_DIED, TID_MASK, WAITERS } from '../robust-list.ts';
import { readTimespec } from './timespec.ts';

export interface OwnedLock { readonly address: number; readonly isPrivate: boolean }

/** FUTEX_LOCK_PI, FUTEX_LOCK_PI2 (on the clock that it says) and FUTEX_TRYLOCK_PI. */
export function lockOwned(call: Call, { address, isPrivate }: OwnedLock, how: { readonly isTry: boolean; readonly clock: number }): CallResult {
  const { kernel, process, thread, memory } = call;
  const time = how.isTry || call.size(3) === 0 ? undefined : readTimespec(memory, call.size(3));
  if (typeof time === 'number') return time;
  const word = memory.readU32(address);
  if (word === undefined || memory.writable(address, 4) === undefined) return -ERRNO.EFAULT;
  const owner = word & TID_MASK;
  if (owner === thread.tid) return -ERRNO.EDEADLK;
  if (owner === 0) {
    memory.writeU32(address, ((word & (WAITERS | OWNER_DIED)) | thread.tid) >>> 0);
    return 0;
  }
  if (kernel.findThread(owner) === undefined) return -ERRNO.ESRCH;
  if (how.isTry) return -ERRNO.EAGAIN;
  let deadline: bigint | undefined;
  if (time !== undefined) {
    const now = kernel.clock.read(how.clock);
    if (now === undefined) return BLOCKED;
    deadline = kernel.clock.hidden + (time > now ? time - now : 0n);
  }
  memory.writeU32(address, (word | WAITERS) >>> 0);
  thread.wait = { kind: 'futex', ...kernel.futexWord(process, address, isPrivate), bits: 0, deadline };
  thread.waitOrder = ++kernel.waitCount;
  return NO_RESULT;
}

/** FUTEX_UNLOCK_PI. */
export function unlockOwned(call: Call, { address, isPrivate }: OwnedLock): CallResult {
  const word = call.memory.readU32(address);
  if (word === undefined || call.memory.writable(address, 4) === undefined) return -ERRNO.EFAULT;
  if ((word & TID_MASK) !== call.thread.tid) return -ERRNO.EPERM;
  handOver(call.kernel, call.process, { address, isPrivate, mark: 0 });
  return 0;
}

/** Clocks of the two lock operations. */
export const OWNED_CLOCK = { realtime: CLOCK.REALTIME, monotonic: CLOCK.MONOTONIC } as const;
