/**
 * The machine of a recovery: restored from its checkpoint, or booted from the genesis frame. Resume goes on with it, replay verifies it.
 * What this does NOT do: feed or drive it.
 */
import type { ChannelSet } from '../channel/index.ts';
import type { ClockFrame, EntropyFrame, ReseedFrame } from '../journal/index.ts';
import type { RunManifest } from '../manifest/index.ts';
import type { Guest } from '../posix/index.ts';
import { openSnapshot, SnapshotWriter } from '../snapshot/index.ts';
import type { Recovery, StoreContext } from '../txn/index.ts';
import { bootGuest, restoreGuest, type EngineName } from './context.ts';
import { openCatalog } from './image-store.ts';

export interface Rebuilt { readonly guest: Guest; readonly channels: ChannelSet; readonly snapshots: SnapshotWriter }

/**
 * The guest at the recovery's checkpoint, or at its first instruction; the next capture is incremental. `isLazy`: pages are read, and checked, when the
 * guest needs them: only for who owns the run and stands at its last checkpoint, so that no collector takes what is still to be read.
 */
export function rebuild({ store, digests }: StoreContext, parts: { readonly recovery: Recovery; readonly manifest: RunManifest; readonly engine: EngineName; readonly isLazy?: boolean }): Rebuilt {
  const { recovery, manifest, engine, isLazy } = parts;
  const { checkpoint, journal } = recovery;
  const snapshots = new SnapshotWriter(store, digests);
  const image = manifest.image === undefined ? undefined : openCatalog({ store, digests }, manifest.image);
  if (checkpoint === undefined) {
    return { ...bootGuest(manifest, { program: journal.programBytes(journal.genesis().program), digests, engine, image }), snapshots };
  }
  const machine = restoreGuest(manifest, { state: openSnapshot(store, checkpoint.root, digests), savedDigests: checkpoint.digests, digests, engine, image, isLazy });
  snapshots.adopt(checkpoint.root);
  return { ...machine, snapshots };
}

/** Recorded time and randomness after the recovery's starting point, in order. */
export function* recordedFacts(recovery: Recovery): Generator<ClockFrame | EntropyFrame> {
  for (const { frame } of recovery.refeed()) if (frame.kind === 'clock' || frame.kind === 'entropy') yield frame;
}

/** Seeds of branches after the recovery's starting point, in order. */
export function* recordedSeeds(recovery: Recovery): Generator<ReseedFrame> {
  for (const { frame } of recovery.refeed()) if (frame.kind === 'reseed') yield frame;
}
