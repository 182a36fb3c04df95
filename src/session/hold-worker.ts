/**
 * The thread that holds a store still: it keeps the store's write lock, so that no process commits, until it is told to let go or its time is over.
 *
 *   hold ─► lock had ─► 'held' ─► sleeps on the flag ─► let go: 'released', in time or not; what was committed before is on disk then
 *
 * Invariants: the lock is never kept for longer than the limit, whatever happens to whoever asked; it was kept without a gap from 'held' to the moment at which the flag was set, when
 * 'released' says in time. What this does NOT do: read anything (store-hold.ts).
 */
import { parentPort, workerData } from 'node:worker_threads';
import { openLmdbStore } from '../store/live/lmdb-store.ts';
import { failedOf, type Failed } from './thread.ts';

export interface HoldSetup { readonly directory: string }
/** `flag`: one 32-bit word; 1 lets go. */
export interface HoldRequest { readonly kind: 'hold'; readonly id: number; readonly flag: SharedArrayBuffer; readonly limitMs: number }
export type HoldAnswer =
  | { readonly kind: 'ready'; readonly id: number }
  | { readonly kind: 'held'; readonly id: number }
  | { readonly kind: 'released'; readonly id: number; readonly isInTime: boolean }
  | Failed;

const { directory } = workerData as HoldSetup; // Given by StoreHold.
const port = parentPort!; // This file is only loaded as a worker.
const store = await openLmdbStore({ directory, mode: 'existing', isChecked: true });

port.on('message', ({ id, flag, limitMs }: HoldRequest) => {
  const word = new Int32Array(flag);
  let isInTime = false;
  try {
    store.holdStill(() => {
      port.postMessage({ kind: 'held', id } satisfies HoldAnswer);
      Atomics.wait(word, 0, 0, limitMs);
      isInTime = Atomics.load(word, 0) === 1;
    });
    port.postMessage({ kind: 'released', id, isInTime } satisfies HoldAnswer);
  } catch (error) {
    port.postMessage(failedOf(id, error) satisfies HoldAnswer);
  }
});
port.postMessage({ kind: 'ready', id: 0 } satisfies HoldAnswer);
