/**
 * Keeping a store small: retention and garbage collection, beside machines that are being executed.
 * What this does NOT do: decide what is garbage (txn/collector.ts), repair (fsck.ts).
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { KeepRule } from '../manifest/index.ts';
import { asCollector, collectGarbage, dropCheckpoints, listRuns, readRun, type CollectProgress, type CollectResult, type StoreContext } from '../txn/index.ts';
import { withStore } from './context.ts';
import { isAlive, monotonicMs, thisOwner } from './host.ts';
import { blobsOfImage, imageOfRun } from './image-store.ts';

export interface GcRequest {
  readonly store?: string | undefined;
  /** Runs whose checkpoints the rule thins out; empty: all. */
  readonly runs: readonly string[];
  /** Undefined: no checkpoint is dropped. */
  readonly rule?: KeepRule | undefined;
  readonly onProgress?: ((progress: CollectProgress) => void) | undefined;
}
export interface GcResult extends CollectResult { readonly checkpoints: number; readonly fileBytes: number }

/** Others get their turn at the store and at this process this often. */
const BREATH_EVERY_MS = 20;
const WAIT_MS = 25;

export async function collectStore(request: GcRequest): Promise<GcResult> {
  return withStore(request.store, 'existing', async (context) => asCollector(context, { owner: thisOwner(), isAlive }, async () => {
    const checkpoints = request.rule === undefined ? 0 : await thinOut(context, request.runs, request.rule);
    const collected = await collect(context, request.onProgress);
    return { checkpoints, ...collected, fileBytes: context.store.usage().fileBytes };
  }));
}

async function thinOut(context: StoreContext, names: readonly string[], rule: KeepRule): Promise<number> {
  let dropped = 0;
  const records = names.length > 0 ? names.map((name) => readRun(context, name)) : [...listRuns(context)];
  for (const record of records) dropped += (await dropCheckpoints(context, record, rule)).length;
  return dropped;
}

/** Becomes the store's collector and collects. `onProgress` may throw, which ends it. Throws E_STORE_BUSY where somebody else collects. */
export async function collectNow(context: StoreContext, onProgress?: (progress: CollectProgress) => void): Promise<CollectResult> {
  return asCollector(context, { owner: thisOwner(), isAlive }, () => collect(context, onProgress));
}

/** Collects with short pauses. The caller is the store's collector. */
async function collect(context: StoreContext, onProgress?: (progress: CollectProgress) => void): Promise<CollectResult> {
  let last = monotonicMs();
  const breathe = async (progress: CollectProgress): Promise<void> => {
    onProgress?.(progress);
    if (progress.phase === 'wait') return void await sleep(WAIT_MS);
    if (monotonicMs() - last < BREATH_EVERY_MS) return;
    await sleep(0);
    last = monotonicMs();
  };
  return collectGarbage(context, { isAlive, breathe, images: { ofRun: imageOfRun, blobs: (image) => blobsOfImage(context, image) } });
}
