/**
 * The thread that hashes large inputs while others are being committed (commits-beside.ts): memory in, hashes and the memory out.
 * What this does NOT do: keep anything.
 */
import { parentPort } from 'node:worker_threads';
import type { BlobHash } from '../core/index.ts';
import { createNodeDigests } from '../core/live/digest.ts';
import { failedOf, type Failed } from './thread.ts';

/** Inputs one behind the other in `memory`. */
export interface HashRequest { readonly kind: 'hash'; readonly id: number; readonly memory: ArrayBuffer; readonly lengths: readonly number[] }
export type HashAnswer = { readonly kind: 'hashed'; readonly id: number; readonly memory: ArrayBuffer; readonly hashes: readonly BlobHash[] } | Failed;

const port = parentPort!; // This file is only loaded as a worker.
const digests = await createNodeDigests();

port.on('message', ({ id, memory, lengths }: HashRequest) => {
  try {
    let at = 0;
    const hashes = lengths.map((length) => digests.sha256(new Uint8Array(memory, (at += length) - length, length)));
    port.postMessage({ kind: 'hashed', id, memory, hashes } satisfies HashAnswer, [memory]);
  } catch (error) {
    port.postMessage(failedOf(id, error) satisfies HashAnswer);
  }
});
