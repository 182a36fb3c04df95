/**
 * One word in the table `meta` that changes with every commit after which something may be needed that was not needed before: a checkpoint, a large
 * input, a new run. A collector expects it in each of its deletions, so it never deletes what somebody began to need since it looked.
 * Invariant: no two such commits of a store write the same word (run id, epoch of the owner, length of the journal, number of the checkpoint).
 * What this does NOT do: order anything, or slow writers down: they write it and expect nothing.
 */
import type { StorePut } from '../store/index.ts';
import type { RunRecord } from './run-record.ts';

export const REFERENCES_KEY: Uint8Array = new TextEncoder().encode('references');

export function referencesPut({ id, tail, numbered }: RunRecord, epoch: number): StorePut {
  return { table: 'meta', key: REFERENCES_KEY, value: new TextEncoder().encode(`${id} ${epoch} ${tail.count} ${numbered}`) };
}
