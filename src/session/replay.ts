/**
 * `replay`: executes a recorded run again from its journal alone and compares everything that was recorded; with `jobs`, stretches between
 * checkpoints are verified side by side in processes of their own.
 * Invariants: the store and the output files are only read; a difference is E_DIVERGED_*, damage has its own code, and the two are never mixed
 * up. What this does NOT do: the comparison itself (verifier.ts).
 */
import { StillpointError } from '../core/index.ts';
import type { ChannelSet } from '../channel/index.ts';
import { InputIndex } from '../journal/index.ts';
import { decodeManifest, type RunManifest } from '../manifest/index.ts';
import { walkSnapshot, type Reached } from '../snapshot/index.ts';
import { listCheckpoints, readRun, recover, type RunRecord, type StoreContext } from '../txn/index.ts';
import { decodeBindings } from './bindings-codec.ts';
import { ENGINE_DEFAULT, withStore, type EngineName } from './context.ts';
import { compareOutputFiles, type ComparedFile } from './compare-files.ts';
import type { SessionHooks } from './driver.ts';
import { InputFeed } from './input-feed.ts';
import { rebuild, recordedFacts } from './rebuild.ts';
import { verifyInParallel } from './replay-parallel.ts';
import { resolveCheckpoint } from './run-reference.ts';
import { Verifier, type OnOutput, type Verified } from './verifier.ts';

export interface ReplayRequest {
  readonly name: string;
  readonly store?: string | undefined;
  /** Numbers or names of checkpoints; `from` 0 is the beginning. */
  readonly from?: string | undefined;
  readonly to?: string | undefined;
  readonly jobs?: string | undefined;
  readonly engine?: EngineName | undefined;
  readonly comparesFiles: boolean;
  /** Sees everything that the guest writes, in order (not with `jobs`). */
  readonly onOutput?: OnOutput | undefined;
}

export interface ReplayResult extends Readonly<Verified> {
  readonly name: string;
  /** Instructions of the run that were executed again. */
  readonly instructions: bigint;
  readonly isIdentical: true;
  readonly files: readonly ComparedFile[];
}

/** Verifies a run. Throws StillpointError: E_DIVERGED_* for a difference, other codes for damage. */
export async function replayRun(request: ReplayRequest, hooks: SessionHooks): Promise<ReplayResult> {
  const jobs = parseJobs(request.jobs);
  return withStore(request.store, 'read-only', async (context) => {
    const record = readRun(context, request.name);
    const ends = (text: string | undefined): number | undefined => (text === undefined ? undefined : resolveCheckpoint(context, record, text));
    const from = ends(request.from) || undefined; // 0 is the beginning.
    const to = ends(request.to);
    if (to === 0) throw new StillpointError('E_USAGE', 'option --to: there is nothing to execute before the first instruction');
    checkStretch(record, { from, to });
    if (jobs > 1) return verifyInParallel(record, { request, jobs, from, to, checkpoints: listCheckpoints(context, record).map(({ number }) => number) });
    return verifyRecord(context, { record, from, to, request, hooks });
  });
}

/** The same for a whole run in a store that is open. */
export async function replayStored(context: StoreContext, request: Pick<ReplayRequest, 'name' | 'engine' | 'comparesFiles' | 'onOutput'>, hooks: SessionHooks): Promise<ReplayResult> {
  return verifyRecord(context, { record: readRun(context, request.name), from: undefined, to: undefined, request, hooks });
}

async function verifyRecord(context: StoreContext, { request, ...stretch }: Omit<Stretch, 'engine' | 'onOutput'> & { readonly request: Pick<ReplayRequest, 'engine' | 'comparesFiles' | 'onOutput'> }): Promise<ReplayResult> {
  const { record, to } = stretch;
  verifyStored(context, stretch);
  const verified = await verifyStretch(context, { ...stretch, engine: request.engine ?? ENGINE_DEFAULT, onOutput: request.onOutput });
  const files = request.comparesFiles && to === undefined && record.status === 'ended' ? await filesOf(context, verified) : [];
  return { ...verified.result, name: record.name, instructions: verified.instructions, isIdentical: true, files };
}

/** Every page of the stretch's checkpoints still has the bytes that its hash promises; what they share is read once. */
function verifyStored({ store, digests }: StoreContext, { record, from, to }: { readonly record: RunRecord; readonly from: number | undefined; readonly to: number | undefined }): void {
  const reached: Reached = { nodes: new Set(), pages: new Set() };
  for (const { number, root } of listCheckpoints({ store, digests }, record)) {
    if (number >= (from ?? 1) && number <= (to ?? number)) walkSnapshot(store, root, { digests, reached, readsPages: true });
  }
}

interface Stretch { readonly record: RunRecord; readonly from: number | undefined; readonly to: number | undefined; readonly engine: EngineName; readonly hooks: SessionHooks; readonly onOutput: OnOutput | undefined }
interface VerifiedStretch { readonly result: Verified; readonly instructions: bigint; readonly channels: ChannelSet; readonly record: RunRecord; readonly manifest: RunManifest }

async function verifyStretch(context: StoreContext, { record, from, to, engine, hooks, onOutput }: Stretch): Promise<VerifiedStretch> {
  const recovery = recover(context, record, { checkpoint: from ?? 'genesis' });
  const manifest = decodeManifest(recovery.journal.genesis().manifest);
  const { guest, channels, snapshots } = rebuild(context, { recovery, manifest, engine });
  const startedAt = guest.retired;
  const inputs = new InputIndex(recovery.journal, (name) => channels.get(name)?.spec.access !== 'sequential');
  const feed = new InputFeed({ past: { inputs, facts: recordedFacts(recovery), isStrict: true } });
  const verifier = new Verifier({ guest, channels, feed, snapshots, onProgress: hooks.onProgress, onOutput });
  const result = await verifier.verify(recovery.refeed(), to);
  return { result, instructions: guest.retired - startedAt, channels, record, manifest };
}

async function filesOf(context: StoreContext, { channels, record, manifest }: VerifiedStretch): Promise<readonly ComparedFile[]> {
  return compareOutputFiles({ bindings: decodeBindings(record.bindings, record.name), channels, manifest, digests: context.digests });
}

function parseJobs(text: string | undefined): number {
  if (text === undefined) return 1;
  const jobs = Number(text);
  if (Number.isInteger(jobs) && jobs >= 1 && jobs <= 256) return jobs;
  throw new StillpointError('E_USAGE', `option --jobs: ${text} is not a number from 1 to 256`);
}

function checkStretch(record: RunRecord, { from, to }: { readonly from: number | undefined; readonly to: number | undefined }): void {
  const last = record.lastCheckpoint ?? 0;
  for (const number of [from, to]) {
    if (number !== undefined && number > last) throw new StillpointError('E_CHECKPOINT_UNKNOWN', `run ${record.name} has no checkpoint ${number}; the last is ${last === 0 ? 'none' : last}`, { data: { run: record.name, checkpoint: number } });
  }
  if (from !== undefined && to !== undefined && from >= to) throw new StillpointError('E_USAGE', `option --to: checkpoint ${to} does not come after ${from}`);
}
