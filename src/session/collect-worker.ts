/**
 * The thread that tidies the store of a run whose history is kept by a rule: collects when it is asked to, beside guest and checkpoints.
 * Invariants: it is the store's one collector while it works, and gives that back before it answers; told to give up it does so at its next breath.
 * What this does NOT do: decide when (keep-history.ts).
 */
import { parentPort, workerData } from 'node:worker_threads';
import { StillpointError } from '../core/index.ts';
import { createNodeDigests } from '../core/live/digest.ts';
import { openLmdbStore, type StorePlace } from '../store/live/lmdb-store.ts';
import { failedOf, type Failed } from './thread.ts';
import { collectNow } from './tidy.ts';

/** `flag`: one 32-bit word; 1: give up. */
export interface CollectSetup { readonly place: StorePlace; readonly flag: SharedArrayBuffer }
export interface CollectRequest { readonly kind: 'collect'; readonly id: number }
export type CollectAnswer = { readonly kind: 'collected'; readonly id: number } | Failed;

const { place, flag } = workerData as CollectSetup; // Given by HistoryKeeper.
const port = parentPort!; // This file is only loaded as a worker.
const word = new Int32Array(flag);
const digests = await createNodeDigests();
const store = await openLmdbStore({ ...place, mode: 'existing', isChecked: true });

port.on('message', ({ id }: CollectRequest) => void collect(id));

async function collect(id: number): Promise<void> {
  try {
    await collectNow({ store, digests }, mayGoOn);
    port.postMessage({ kind: 'collected', id } satisfies CollectAnswer);
  } catch (error) {
    port.postMessage(failedOf(id, error) satisfies CollectAnswer);
  }
}

function mayGoOn(): void {
  if (Atomics.load(word, 0) === 1) throw new StillpointError('E_STORE_BUSY', 'the session ends');
}
