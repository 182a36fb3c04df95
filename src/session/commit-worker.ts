/**
 * The thread that makes the commits of a cluster's process, so that no guest waits for the disk: the batch and the large inputs that belong to it, in one transaction.
 *
 * Invariants: requests are answered in order; memory comes back with the answer, also that of a commit that was refused or failed. What this does NOT do: hash, decide anything.
 */
import { parentPort, workerData } from 'node:worker_threads';
import type { BlobHash } from '../core/index.ts';
import { blobKey } from '../journal/index.ts';
import type { StorePut } from '../store/index.ts';
import { openLmdbStore, type StorePlace } from '../store/live/lmdb-store.ts';
import { unpackBatch, type Parcel } from './parcel.ts';
import { failedOf, type Failed } from './thread.ts';

export interface CommitSetup { readonly place: StorePlace }
/** Inputs one behind the other in `memory`. */
export interface HashedMemory { readonly memory: ArrayBuffer; readonly lengths: readonly number[]; readonly hashes: readonly BlobHash[] }
export type CommitRequest =
  | { readonly kind: 'commit'; readonly id: number; readonly parcel: Parcel; readonly inputs: readonly HashedMemory[] }
  /** Leaves the store such that nobody need finish a commit. */
  | { readonly kind: 'finish'; readonly id: number };
export type CommitAnswer =
  | { readonly kind: 'ready'; readonly id: number }
  /** `error`: nothing was applied. */
  | { readonly kind: 'committed'; readonly id: number; readonly answer: 'done' | 'conflict' | Failed; readonly inputs: readonly HashedMemory[] }
  | { readonly kind: 'finished'; readonly id: number }
  | Failed;

const { place } = workerData as CommitSetup; // Given by CommitsBeside.
const port = parentPort!; // This file is only loaded as a worker.
const store = await openLmdbStore({ ...place, mode: 'existing', isChecked: true });

port.on('message', (request: CommitRequest) => {
  const { id } = request;
  try {
    if (request.kind === 'finish') store.finish();
    else return port.postMessage({ kind: 'committed', id, answer: commit(request), inputs: request.inputs } satisfies CommitAnswer, request.inputs.map(({ memory }) => memory));
    port.postMessage({ kind: 'finished', id } satisfies CommitAnswer);
  } catch (error) {
    port.postMessage(failedOf(id, error) satisfies CommitAnswer);
  }
});
port.postMessage({ kind: 'ready', id: 0 } satisfies CommitAnswer);

function commit({ id, parcel, inputs }: Extract<CommitRequest, { kind: 'commit' }>): 'done' | 'conflict' | Failed {
  const batch = unpackBatch(parcel);
  try {
    return store.commitNow({ ...batch, puts: [...inputs.flatMap(blobsOf), ...batch.puts] });
  } catch (error) {
    return failedOf(id, error);
  }
}

function blobsOf({ memory, lengths, hashes }: HashedMemory): readonly StorePut[] {
  let at = 0;
  return lengths.map((length, index) => ({ table: 'blobs', key: blobKey(hashes[index]!), value: new Uint8Array(memory, (at += length) - length, length) }));
}
