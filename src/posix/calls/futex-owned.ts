/**
 * Futexes whose word holds the owner's thread id (FUTEX_LOCK_PI and its relatives): the kernel hands the lock over.
 *
 *   word   bit 31 there are waiters   bit 30 the owner has died   bits 0..29 thread id of the owner, 0: free
 *
 * Invariants: a waiter waits with no wake bits, so that FUTEX_WAKE does not reach it, neither here nor at a word from which it will be moved here (FUTEX_WAIT_REQUEUE_PI); whoever is given
 * the lock is in the word before it runs.
 * What this does NOT do: priorities (there are none to inherit; the first to come is the first to be served); remember to which lock a waiter asked to be moved.
 */
import { BLOCKED, NO_RESULT, type Call, type CallResult } from '../call.ts';
import { CLOCK } from '../clock.ts';
import { ERRNO } from '../errno.ts';
import { handOver, OWNER_DIED, TID_MASK, WAITERS } from '../robust-list.ts';
import { finishWait } from '../signal-delivery.ts';
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

/** FUTEX_CMP_REQUEUE_PI: the first waiter gets the lock when it is free, the others wait for it from now on. How many were woken or moved. */
export function requeueOwned(call: Call, { from, to, isPrivate }: { readonly from: number; readonly to: number; readonly isPrivate: boolean }): CallResult {
  const { kernel, process, memory } = call;
  const [wakeCount, moveCount] = [call.int(2), call.int(3)];
  if (wakeCount !== 1 || moveCount < 0 || to % 4 !== 0 || to === from) return -ERRNO.EINVAL;
  const value = memory.readU32(from);
  let word = memory.readU32(to);
  if (value === undefined || word === undefined || memory.writable(to, 4) === undefined) return -ERRNO.EFAULT;
  if (value !== call.unsigned(5)) return -ERRNO.EAGAIN;
  const waiters = kernel.futexWaiters(process, kernel.futexWord(process, from, isPrivate)).slice(0, 1 + moveCount);
  if (waiters.some(({ wait }) => wait.kind !== 'futex' || wait.bits !== 0)) return -ERRNO.EINVAL; // Somebody who did not ask for this.
  const lock = kernel.futexWord(process, to, isPrivate);
  for (const [index, thread] of waiters.entries()) {
    if (index === 0 && (word & TID_MASK) === 0) {
      word = ((word & (WAITERS | OWNER_DIED)) | thread.tid) >>> 0;
      finishWait(thread, 0);
      continue;
    }
    if (thread.wait.kind === 'futex') thread.wait = { ...thread.wait, ...lock };
    thread.waitOrder = ++kernel.waitCount;
    word = (word | WAITERS) >>> 0;
  }
  memory.writeU32(to, word);
  return waiters.length;
}

/** Clocks of the two lock operations. */
export const OWNED_CLOCK = { realtime: CLOCK.REALTIME, monotonic: CLOCK.MONOTONIC } as const;
