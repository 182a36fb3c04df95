/**
 * What the runs of a store still need: roots for the page tree's collector, hashes of blobs. All else in nodes, pages and blobs is garbage.
 * Invariant: complete or an error; a run that cannot be read stops the collection rather than losing its content.
 * What this does NOT do: delete, or guard against runs that commit while it reads. A collector must hold every run still, or delete only what
 * was unreachable before and after.
 */
import type { BlobHash } from '../core/index.ts';
import type { Root } from '../snapshot/index.ts';
import type { StoreContext } from './ownership.ts';
import { listCheckpoints, listRuns, openJournal } from './runs.ts';

export interface LiveSet {
  readonly roots: ReadonlySet<Root>;
  readonly blobs: ReadonlySet<BlobHash>;
}

/** Reads every run's checkpoints and journal. Throws what damage there is. */
export function liveSet(context: StoreContext): LiveSet {
  const roots = new Set<Root>();
  const blobs = new Set<BlobHash>();
  for (const record of listRuns(context)) {
    for (const { root } of listCheckpoints(context, record)) roots.add(root);
    for (const { frame } of openJournal(context, record).frames()) {
      if (frame.kind === 'genesis') blobs.add(frame.program);
      if (frame.kind === 'input' && typeof frame.bytes === 'string') blobs.add(frame.bytes);
    }
  }
  return { roots, blobs };
}
