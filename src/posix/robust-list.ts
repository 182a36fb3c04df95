/**
 * Robust futexes (struct robust_list_head): the locks that a thread holds when it ends are marked OWNER_DIED, and one waiter of each is woken.
 *
 *   head   next 8   futex offset 8   pending 8        entry   next 8 (bit 0: a lock with priority inheritance)
 *
 * The list lies in guest memory and may say anything: it is followed for a bounded number of entries and never trusted.
 * What this does NOT do: registration (calls/threads.ts).
 */
import type { Kernel } from './kernel.ts';
import type { Process } from './process.ts';
import { finishWait } from './signal-delivery.ts';
import type { Thread } from './thread.ts';

/** ROBUST_LIST_LIMIT of Linux. */
const ENTRIES_MAX = 2048;
export const WAITERS = 0x8000_0000;
export const OWNER_DIED = 0x4000_0000;
export const TID_MASK = 0x3fff_ffff;

/** The thread has ended; its image is still there. */
export function releaseRobustLocks(kernel: Kernel, thread: Thread): void {
  const head = thread.robustList;
  if (head === 0) return;
  thread.robustList = 0;
  const { memory } = thread.process;
  const offset = memory.readU64(head + 8);
  const pending = memory.readU64(head + 16);
  if (offset === undefined || pending === undefined) return;
  const distance = Number(BigInt.asIntN(64, offset));
  const clean = (entry: bigint): number => Number(entry & ~1n);
  let entry = memory.readU64(head);
  for (let count = 0; count < ENTRIES_MAX && entry !== undefined && clean(entry) !== head; count++) {
    if (entry !== pending) markDead(kernel, thread, { address: clean(entry) + distance, isOwned: (entry & 1n) !== 0n });
    entry = memory.readU64(clean(entry));
  }
  if (clean(pending) !== 0) markDead(kernel, thread, { address: clean(pending) + distance, isOwned: (pending & 1n) !== 0n });
}

/** Gives a lock whose word holds the owner to the thread that has waited longest, or frees it. `mark`: OWNER_DIED or 0. */
export function handOver(kernel: Kernel, process: Process, lock: { readonly address: number; readonly isPrivate: boolean; readonly mark: number }): void {
  const waiters = kernel.futexWaiters(process, kernel.futexWord(process, lock.address, lock.isPrivate)).filter(({ wait }) => wait.kind === 'futex' && wait.bits === 0);
  const [next] = waiters;
  process.memory.writeU32(lock.address, ((next?.tid ?? 0) | (waiters.length > 1 ? WAITERS : 0) | lock.mark) >>> 0);
  if (next !== undefined) finishWait(next, 0);
}

function markDead(kernel: Kernel, thread: Thread, { address, isOwned }: { readonly address: number; readonly isOwned: boolean }): void {
  const { process } = thread;
  const word = address % 4 === 0 ? process.memory.readU32(address) : undefined;
  if (word === undefined || (word & TID_MASK) !== thread.tid) return;
  if (process.memory.writable(address, 4) === undefined) return;
  if (isOwned && (word & WAITERS) !== 0) {
    handOver(kernel, process, { address, isPrivate: false, mark: OWNER_DIED });
    return;
  }
  process.memory.writeU32(address, ((word & WAITERS) | OWNER_DIED) >>> 0);
  if ((word & WAITERS) !== 0) kernel.wakeFutex(process, { address, count: 1, bits: -1 });
}
