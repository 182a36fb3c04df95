/**
 * Fork, rollback and marks as a user asks for them: points by name, host files, a fresh seed.
 *
 *   fork: each output file of the parent, up to where the checkpoint was, is copied to FILE.NEW (or where --bind says), so that parent and fork
 *   never write to one file; standard streams are those of whoever resumes the fork
 *
 * Invariants: a fork or rollback that fails leaves files as they were. Nothing here executes a guest.
 */
import { randomBytes } from 'node:crypto';
import { statSync } from 'node:fs';
import { StillpointError } from '../core/index.ts';
import { decodeManifest, parseBinding, type RunManifest } from '../manifest/index.ts';
import type { RunId } from '../journal/index.ts';
import type { StoreBatch, StoreDelete } from '../store/index.ts';
import { checkRunName, forkRuns, listCheckpoints, markCheckpoint, mustBeFree, openJournal, owned, readCheckpoint, readOwnerRecord, promoteRun, readRun, rollbackRun, rollbackRuns, withRollback, type BranchPoint, type CommitForks, type Mark, type RunRecord, type StoreContext } from '../txn/index.ts';
import { decodeBindings, encodeBindings, type SavedBindings } from './bindings-codec.ts';
import { withStore } from './context.ts';
import { withForkFiles, type ForkCopy } from './fork-files.ts';
import { isAlive, newRunId, thisOwner, wallClockMs } from './host.ts';
import { finishMoves, planMoves } from './output-moves.ts';
import { parseReference, resolveCheckpoint } from './run-reference.ts';

const SEED_BYTES = 32;

export interface ForkOptions {
  /** RUN or RUN@CHECKPOINT. */
  readonly from: string;
  readonly name: string;
  readonly store?: string | undefined;
  /** CHANNEL=FILE: where the fork's output goes. */
  readonly bind: readonly string[];
  /** A seed of its own for the entropy stream. */
  readonly freshEntropy: boolean;
  /** Without a checkpoint: where the run is now, which only a run at rest can say. Otherwise its last checkpoint. */
  readonly fromNow?: boolean | undefined;
}
export interface BranchResult { readonly name: string; readonly from: string; readonly checkpoint: number; readonly instructions: bigint; readonly files: readonly string[] }

export async function forkFrom(options: ForkOptions): Promise<BranchResult> {
  const reference = parseReference(options.from);
  checkRunName(options.name);
  return withStore(options.store, 'existing', async (context) => {
    const parent = readRun(context, reference.name);
    if (options.fromNow === true && reference.checkpoint === undefined) mustRest(context, parent);
    const checkpoint = resolveCheckpoint(context, parent, reference.checkpoint);
    const manifest = decodeManifest(openJournal(context, parent).genesis().manifest);
    const seed = seedFor(manifest, options.freshEntropy);
    const { records, files } = await forkMany(context, [{ from: parent.name, name: options.name, at: checkpoint, seed }], { suffix: options.name, bind: options.bind });
    return { name: options.name, from: parent.name, checkpoint, instructions: records[0]!.instructions, files };
  });
}

/** Throws E_RUN_OWNED. */
function mustRest(context: StoreContext, { id, name }: RunRecord): void {
  const owner = readOwnerRecord(context, id)?.owner;
  if (owner !== undefined && isAlive(owner)) throw owned(name, owner);
}

export interface ForkWish { readonly from: string; readonly name: string; readonly at: BranchPoint; readonly seed?: Uint8Array | undefined; /** Of the new run. */ readonly id?: RunId; /** CHANNEL=FILE, beside those of all. */ readonly bind?: readonly string[] }

/** Several forks, all or none, with copies of their output files so far as FILE.SUFFIX; `commit` may add to the commit that makes them. */
export async function forkMany(context: StoreContext, wishes: readonly ForkWish[], { suffix, bind, commit = together(context, {}) }: { readonly suffix: string; readonly bind: readonly string[]; readonly commit?: CommitForks }): Promise<{ readonly records: readonly RunRecord[]; readonly files: readonly string[] }> {
  const copies: ForkCopy[] = [];
  const forks = wishes.map(({ from, name, at, seed, id, bind: own = [] }) => {
    mustBeFree(context, name);
    const parent = readRun(context, from);
    const checkpoint = typeof at === 'number' ? at : listCheckpoints(context, parent).findLast(({ tail }) => tail.count <= at.frames)?.number ?? 0;
    const manifest = decodeManifest(openJournal(context, parent).genesis().manifest);
    const plan = planFiles(context, parent, { checkpoint, manifest, name: suffix, bind: [...bind, ...own] });
    copies.push(...plan.copies);
    return { parent, request: { name, id: id ?? newRunId(), createdMs: wallClockMs(), bindings: encodeBindings(plan.bindings), at, seed } };
  });
  return withForkFiles(context, { run: forks[0]?.request.id ?? newRunId(), copies }, async ({ expect, deletes }, files) => ({
    records: await forkRuns(context, forks, (batch) => commit({ expect: [...batch.expect, ...expect], deletes: [...batch.deletes, ...deletes], puts: batch.puts })), files,
  }));
}

/** Puts several runs back, all or none; `deletes` go in the same commit. Throws E_RUN_OWNED when one of them is being executed. */
export async function rollbackMany(context: StoreContext, wishes: readonly { readonly name: string; readonly at: BranchPoint }[], deletes: readonly StoreDelete[]): Promise<readonly RunRecord[]> {
  return rollbackRuns(context, wishes.map((wish) => ({ ...wish, owner: thisOwner(), isAlive })), deletes);
}

/** Takes several runs and calls `use` with what puts them back, as part of a commit of its own. Throws as rollbackMany(). */
export async function withRollbackMany<Result>(context: StoreContext, wishes: readonly { readonly name: string; readonly at: BranchPoint }[], use: (batch: StoreBatch) => Promise<Result>): Promise<Result> {
  return withRollback(context, wishes.map((wish) => ({ ...wish, owner: thisOwner(), isAlive })), use);
}

function seedFor(manifest: RunManifest, isFresh: boolean): Uint8Array | undefined {
  if (!isFresh) return undefined;
  if (manifest.entropy.kind === 'recorded') throw new StillpointError('E_USAGE', 'option --fresh-entropy: the run records real randomness, every branch gets its own already');
  return new Uint8Array(randomBytes(SEED_BYTES));
}

function planFiles(context: StoreContext, parent: RunRecord, at: { readonly checkpoint: number; readonly manifest: RunManifest; readonly name: string; readonly bind: readonly string[] }): { readonly bindings: SavedBindings; readonly copies: readonly ForkCopy[] } {
  const saved = decodeBindings(parent.bindings, parent.name);
  const wanted = new Map(at.bind.map((text) => parseBinding(text, { code: 'E_USAGE', where: 'option --bind' })).map(({ name, file }) => [name, file]));
  const marks = at.checkpoint === 0 ? undefined : readCheckpoint(context, parent, at.checkpoint).channels;
  const channels = new Map(saved.channels);
  const copies: ForkCopy[] = [];
  for (const spec of at.manifest.channels) {
    const binding = channels.get(spec.name);
    const bound = wanted.get(spec.name);
    wanted.delete(spec.name);
    if (binding?.kind !== 'file') {
      if (bound !== undefined) channels.set(spec.name, { kind: 'file', path: bound });
      continue;
    }
    if (spec.writes && spec.access === 'random' && bound === undefined) {
      throw new StillpointError('E_USAGE', `channel ${spec.name} is written at random places, which cannot be undone in its file; give the fork a file as it was at the checkpoint: --bind ${spec.name}=FILE`, { data: { channel: spec.name } });
    }
    const to = bound ?? (spec.writes && !isDevice(binding.path) ? `${binding.path}.${at.name}` : binding.path);
    channels.set(spec.name, { kind: 'file', path: to });
    const position = marks?.get(spec.name)?.outputPosition ?? 0;
    const sizeBytes = spec.access === 'append' ? spec.initialSize + position : position;
    if (spec.writes && spec.access !== 'random' && sizeBytes > 0 && to !== binding.path) copies.push({ channel: spec.name, from: binding.path, to, sizeBytes });
  }
  for (const name of wanted.keys()) throw new StillpointError('E_USAGE', `option --bind: the run has no channel ${name}`);
  const standardFiles = new Map([...saved.standardFiles].filter(([stream]) => stream === 'stdin'));
  return { bindings: { ...saved, channels, standardFiles }, copies };
}

/** /dev/null and the like: what is written there belongs to nobody. */
function isDevice(path: string): boolean {
  const facts = statSync(path, { throwIfNoEntry: false });
  return facts !== undefined && !facts.isFile();
}

export interface RollbackOptions { readonly name: string; readonly to: string; readonly store?: string | undefined; readonly keep?: string | undefined; readonly freshEntropy: boolean }

/** Puts a run back in place; `keep` makes a fork of where it was, in the same commit. */
export async function rollback(options: RollbackOptions): Promise<BranchResult> {
  const { name, keep } = options;
  if (keep !== undefined) checkRunName(keep);
  return withStore(options.store, 'existing', async (context) => {
    const before = readRun(context, name);
    const checkpoint = resolveCheckpoint(context, before, options.to);
    const seed = seedFor(decodeManifest(openJournal(context, before).genesis().manifest), options.freshEntropy);
    const request = { name, owner: thisOwner(), isAlive, at: checkpoint, seed };
    if (keep === undefined) return { name, from: name, checkpoint, instructions: (await rollbackRun(context, request)).instructions, files: [] };
    return withRollback(context, [request], async (batch, [record]) => {
      await forkMany(context, [{ from: name, name: keep, at: before.lastCheckpoint ?? 0 }], { suffix: keep, bind: [], commit: together(context, batch) });
      return { name, from: name, checkpoint, instructions: record!.instructions, files: [] }; // One request, one record.
    });
  });
}

/** Forks and what else is done in the same commit. */
export function together(context: StoreContext, also: StoreBatch): CommitForks {
  return ({ expect, deletes, puts }) => context.store.commit({ expect: [...expect, ...also.expect ?? []], deletes: [...deletes, ...also.deletes ?? []], puts: [...puts, ...also.puts ?? []] });
}

export interface PromoteOptions { readonly branch: string; readonly onto?: string | undefined; readonly keep?: string | undefined; readonly store?: string | undefined; /** Its output files take the places of the replaced run's. */ readonly takesFiles?: boolean | undefined }

/** A branch takes the place of the run that it came from (txn/promote.ts). Output files stay where they are, unless it takes them. */
export async function promote({ branch, onto, keep, store, takesFiles }: PromoteOptions): Promise<{ readonly name: string; readonly branch: string; readonly kept: string | undefined; readonly instructions: bigint }> {
  if (keep !== undefined) checkRunName(keep);
  return withStore(store, 'existing', async (context) => {
    const mine = readRun(context, branch);
    const replaced = onto ?? mine.parent?.name;
    const files = takesFiles !== true || replaced === undefined ? undefined : planMoves(context, { branch: mine, old: readRun(context, replaced), keep });
    const record = await promoteRun(context, { branch, onto, keep, isAlive, token: newRunId(), files });
    await finishMoves(context, record.id);
    return { name: record.name, branch, kept: keep, instructions: record.instructions };
  });
}

/** Names or notes on a checkpoint (the last one by default), also while the machine runs. */
export async function mark(reference: string, wish: Mark, store: string | undefined): Promise<{ readonly run: string; readonly checkpoint: number } & Mark> {
  const { name, checkpoint } = parseReference(reference);
  return withStore(store, 'existing', async (context) => {
    const record = readRun(context, name);
    const number = resolveCheckpoint(context, record, checkpoint);
    if (number === 0) throw new StillpointError('E_CHECKPOINT_UNKNOWN', `run ${name} has no checkpoint yet`, { data: { run: name } });
    return { run: name, checkpoint: number, ...await markCheckpoint(context, record, { number, mark: wish }) };
  });
}
