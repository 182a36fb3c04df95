/**
 * Fork and rollback: a run that begins where another one was, and a run that goes back to where it was.
 *
 *   fork       frames 0..C ─ relinked ─► a new run with the same history up to checkpoint C; pages, programs and inputs are shared by hash
 *   rollback   tail = checkpoint C; frames and checkpoints behind it are deleted, the run keeps its name, id and epoch
 *   many       the same for several runs in one commit, also to a place between two checkpoints (cuts.ts): what lies behind the last checkpoint
 *              before it is executed again from the journal
 *
 * Invariants: a fork expects its parent's checkpoint in its one commit, so nothing that it shares can have been collected; a rollback owns the
 * run while it happens. A seed of its own enters a branch as a journaled frame right behind the checkpoint.
 * What this does NOT do: copy or cut output files (session does, or the next resume), draw random numbers.
 */
import { assert, instructionCount, StillpointError, type BlobHash } from '../core/index.ts';
import { allEntriesRange, entryIndexOfKey, entryKey, JournalReader, relink, runKey, type Frame, type JournalTail, type Outcome, type RunId } from '../journal/index.ts';
import type { StoreBatch, StoreDelete, StoreExpectation, StorePut } from '../store/index.ts';
import { answerCopies, answerDeletes } from './answers.ts';
import { encodeCheckpointRecord, type CheckpointRecord } from './checkpoint-record.ts';
import { decodeMark, encodeMark } from './marks.ts';
import { acquire, Ownership, release, type IsAlive, type Owner, type StoreContext } from './ownership.ts';
import { referencesPut } from './references.ts';
import { encodeRunRecord, nameKey, type OutputPositions, type RunRecord } from './run-record.ts';
import { listCheckpoints, readCheckpoint, readStoredRun } from './runs.ts';

/** A place in a run's history: how many frames of the journal stay. Undefined link: not compared. */
export interface FramePoint { readonly frames: number; readonly link: BlobHash | undefined }

/** Where a branch begins: a checkpoint number (0: before the first instruction) or a place in the journal. */
export type BranchPoint = number | FramePoint;

interface Place { readonly tail: JournalTail; readonly checkpoint: CheckpointRecord | undefined }

/** Throws E_CHECKPOINT_UNKNOWN when the run's history does not hold the place (any more). */
function placeOf(context: StoreContext, record: RunRecord, point: BranchPoint): Place {
  if (point === 0) return { tail: genesisTail(context, record), checkpoint: undefined };
  if (typeof point === 'number') {
    const checkpoint = readCheckpoint(context, record, point);
    return { tail: checkpoint.tail, checkpoint };
  }
  const { frames, link } = point;
  const { tail } = record;
  const found = frames === tail.count ? tail : frames < tail.count ? new JournalReader(context, { run: record.id, tail }).tailAfter(frames) : undefined;
  if (found === undefined || (link !== undefined && found.link !== link)) throw new StillpointError('E_CHECKPOINT_UNKNOWN', `run ${record.name} has another history since that checkpoint was taken`, { data: { run: record.name } });
  return { tail: found, checkpoint: listCheckpoints(context, record).findLast((checkpoint) => checkpoint.tail.count <= frames) };
}

export interface ForkRequest {
  /** The new run. */
  readonly name: string;
  readonly id: RunId;
  readonly createdMs: number;
  readonly bindings: string;
  readonly at: BranchPoint;
  /** 32 bytes: the branch gets an entropy stream of its own. */
  readonly seed?: Uint8Array | undefined;
}

/** Makes a fork. Throws E_RUN_NAME, E_RUN_EXISTS, E_CHECKPOINT_UNKNOWN and what a damaged journal throws. */
export async function forkRun(context: StoreContext, parent: RunRecord, request: ForkRequest): Promise<RunRecord> {
  const [record] = await forkRuns(context, [{ parent, request }]);
  return record!; // One request, one record.
}

interface Branch { readonly record: RunRecord; readonly expect: readonly StoreExpectation[]; readonly deletes?: readonly StoreDelete[]; readonly puts: readonly StorePut[] }

/** Throws E_CHECKPOINT_UNKNOWN when the run's history does not hold the place (any more). */
export function mustHold(context: StoreContext, record: RunRecord, point: BranchPoint): void {
  placeOf(context, record, point);
}

/** Throws E_RUN_EXISTS when a fork of that name could not be made: before its files are. */
export function mustBeFree({ store }: StoreContext, name: string): void {
  if (store.has('runs', nameKey(name))) throw exists(name);
}

/** What makes forks part of a commit: 'conflict' when what they share, or their names, are no longer as they were. */
export type CommitForks = (batch: Required<Pick<StoreBatch, 'expect' | 'deletes' | 'puts'>>) => Promise<'done' | 'conflict'>;

/** Several forks, all or none; `commit` may add to the commit that makes them. Throws as forkRun(), and what `commit` throws. */
export async function forkRuns(context: StoreContext, forks: readonly { readonly parent: RunRecord; readonly request: ForkRequest }[], commit: CommitForks = (batch) => context.store.commit(batch)): Promise<readonly RunRecord[]> {
  const branches = forks.map(({ parent, request }) => forkOf(context, parent, request));
  if (await commit({ expect: branches.flatMap(({ expect }) => expect), deletes: [], puts: branches.flatMap(({ puts }) => puts) }) === 'done') return branches.map(({ record }) => record);
  for (const { request } of forks) mustBeFree(context, request.name);
  throw new StillpointError('E_CHECKPOINT_UNKNOWN', `a checkpoint of run ${forks[0]!.parent.name} went away meanwhile; try again`, { data: { run: forks[0]!.parent.name } });
}

function forkOf(context: StoreContext, parent: RunRecord, request: ForkRequest): Branch {
  const { store, digests } = context;
  const key = nameKey(request.name);
  const { tail, checkpoint } = placeOf(context, parent, request.at);
  const anchorKey = checkpoint === undefined ? entryKey(parent.id, 0) : entryKey(parent.id, checkpoint.number);
  const anchorTable = checkpoint === undefined ? 'frames' : 'checkpoints';
  const anchor: StoreExpectation = { table: anchorTable, key: anchorKey, value: store.get(anchorTable, anchorKey) };
  if (store.has('runs', key)) throw exists(request.name);
  const from = new JournalReader(context, { run: parent.id, tail });
  const more: readonly Frame[] = request.seed === undefined ? [] : [{ kind: 'reseed', at: from.tail.at, seed: request.seed }];
  const ending = new Ending();
  const journal = relink(digests, { from, run: request.id, more, visit: (frame) => ending.visit(frame) });
  const history = checkpoint === undefined ? [] : listCheckpoints(context, parent).filter(({ number }) => number <= checkpoint.number);
  const { outcome } = ending;
  const record: RunRecord = {
    id: request.id, name: request.name, createdMs: request.createdMs, status: outcome === undefined ? 'stopped' : 'ended', genesis: parent.genesis, outcome, tail: journal.tail,
    lastCheckpoint: checkpoint?.number, numbered: checkpoint?.number ?? 0, parent: { id: parent.id, name: parent.name, checkpoint: checkpoint?.number ?? 0 },
    instructions: instructionCount(from.tail.at), outputs: positionsAt(parent, checkpoint), bindings: request.bindings,
  };
  const puts: StorePut[] = [...journal.puts, ...history.flatMap((old) => copyCheckpoint(context, { parent, id: request.id, old, tail: journal.tailAt(old.tail.count) }))];
  const ownership = new Ownership(digests, { run: request.id, epoch: 1, owner: NOBODY });
  puts.push({ table: 'runs', key, value: encodeRunRecord(digests, record) }, ownership.waiver, referencesPut(record, 1), ...answerCopies(context, { from: parent.id, to: request.id, at: record.instructions }));
  const expect: StoreExpectation[] = [anchor, { table: 'runs', key, value: undefined }, { table: 'owners', key: runKey(request.id), value: undefined }];
  return { record, expect, puts };
}

const NOBODY: Owner = { host: '', pid: 0, started: '', token: '' };

function exists(name: string): StillpointError {
  return new StillpointError('E_RUN_EXISTS', `the store holds a run named ${name} already; choose another name or remove it`, { data: { run: name } });
}

/** The tail behind frame 0. */
function genesisTail(context: StoreContext, { id, tail }: RunRecord): JournalTail {
  return new JournalReader(context, { run: id, tail }).tailAfter(1);
}

/** How the copied part of the journal ended, when it did: a cap can be resumed, and a journal that goes on behind an exit was. */
class Ending {
  #last: Outcome | undefined;

  visit(frame: Frame): void {
    if (frame.kind === 'exit') this.#last = frame.outcome;
    else if (frame.kind !== 'checkpoint') this.#last = undefined;
  }

  get outcome(): Outcome | undefined {
    return this.#last?.kind === 'capped' ? undefined : this.#last;
  }
}

function copyCheckpoint({ store, digests }: StoreContext, copy: { readonly parent: RunRecord; readonly id: RunId; readonly old: CheckpointRecord; readonly tail: JournalTail }): readonly StorePut[] {
  const { parent, id, old, tail } = copy;
  assert(tail.at === old.at, 'a checkpoint ends at its own frame');
  const key = entryKey(id, old.number);
  const puts: StorePut[] = [{ table: 'checkpoints', key, value: encodeCheckpointRecord(digests, { ...old, tail }) }];
  const mark = store.get('marks', entryKey(parent.id, old.number));
  if (mark === undefined) return puts;
  const value = encodeMark(digests, { run: id, number: old.number }, decodeMark(digests, { run: parent.id, number: old.number }, mark));
  return [...puts, { table: 'marks', key, value }];
}

/** The record that the run had at a checkpoint, or before its first instruction. */
export function recordAt(context: StoreContext, record: RunRecord, checkpoint: CheckpointRecord | undefined): RunRecord {
  return recordAtPlace(context, record, { tail: checkpoint?.tail ?? genesisTail(context, record), checkpoint });
}

function recordAtPlace(context: StoreContext, record: RunRecord, { tail, checkpoint }: Place): RunRecord {
  const from = new JournalReader(context, { run: record.id, tail });
  const ending = new Ending();
  for (const { frame } of from.frames()) ending.visit(frame);
  const { outcome } = ending;
  return {
    ...record, status: outcome === undefined ? 'stopped' : 'ended', outcome, tail: from.tail, lastCheckpoint: checkpoint?.number, instructions: instructionCount(from.tail.at),
    outputs: positionsAt(record, checkpoint),
  };
}

/** Outputs as the checkpoint has them: everything behind it is made again. */
function positionsAt(record: RunRecord, checkpoint: CheckpointRecord | undefined): OutputPositions {
  const names = new Set([...record.outputs.keys(), ...checkpoint?.channels.keys() ?? []]);
  return new Map([...names].sort().map((name) => {
    const position = checkpoint?.channels.get(name)?.outputPosition ?? 0;
    return [name, { synced: position, delivered: position, intended: position }];
  }));
}

export interface RollbackRequest {
  readonly name: string;
  readonly owner: Owner;
  readonly isAlive: IsAlive;
  readonly at: BranchPoint;
  readonly seed?: Uint8Array | undefined;
}

/** Puts a run back in place. Throws E_RUN_UNKNOWN, E_RUN_OWNED, E_CHECKPOINT_UNKNOWN and what a damaged journal throws; then nothing has changed. */
export async function rollbackRun(context: StoreContext, request: RollbackRequest): Promise<RunRecord> {
  const [record] = await rollbackRuns(context, [request]);
  return record!; // One request, one record.
}

/** Puts several runs back, all or none; `deletes` go in the same commit. Throws as rollbackRun(). */
export async function rollbackRuns(context: StoreContext, requests: readonly RollbackRequest[], deletes: readonly StoreDelete[] = []): Promise<readonly RunRecord[]> {
  return withRollback(context, requests, async ({ expect, deletes: behind, puts }, records) => {
    if (await context.store.commit({ expect, deletes: [...deletes, ...behind], puts }) === 'done') return records;
    throw new StillpointError('E_RUN_OWNED', `run ${requests[0]!.name} changed while it was rolled back; try again`, { data: { run: requests[0]!.name } });
  });
}

type RollbackBatch = Required<Pick<StoreBatch, 'expect' | 'deletes' | 'puts'>>;

/** Takes several runs and calls `use` with what puts them back, to be part of one commit. When it throws, they are as they were. Throws as rollbackRun(). */
export async function withRollback<Result>(context: StoreContext, requests: readonly RollbackRequest[], use: (batch: RollbackBatch, records: readonly RunRecord[]) => Promise<Result>): Promise<Result> {
  const ownerships: Ownership[] = [];
  try {
    for (const request of requests) {
      const { record: seen } = readStoredRun(context, request.name);
      placeOf(context, seen, request.at);
      ownerships.push(await acquire(context, { ...request, run: seen.id }));
    }
    const branches = requests.map((request, index) => rollbackOf(context, request, ownerships[index]!));
    return await use({ expect: branches.flatMap(({ expect }) => expect), deletes: branches.flatMap((branch) => branch.deletes ?? []), puts: branches.flatMap(({ puts }) => puts) }, branches.map(({ record }) => record));
  } catch (error) {
    for (const ownership of ownerships) await release(context.store, ownership);
    throw error;
  }
}

/** What puts a run back that `ownership` owns, as part of a commit. Throws E_CHECKPOINT_UNKNOWN and what a damaged journal throws. */
export function rollbackBatch(context: StoreContext, request: Pick<RollbackRequest, 'name' | 'at'>, ownership: Ownership): RollbackBatch {
  const { expect, deletes = [], puts } = rollbackOf(context, request, ownership);
  return { expect, deletes, puts };
}

function rollbackOf(context: StoreContext, request: Pick<RollbackRequest, 'name' | 'at' | 'seed'>, ownership: Ownership): Branch {
  const { store, digests } = context;
  const { record: before, bytes } = readStoredRun(context, request.name);
  const { tail, checkpoint } = placeOf(context, before, request.at);
  const from = new JournalReader(context, { run: before.id, tail });
  const more: readonly Frame[] = request.seed === undefined ? [] : [{ kind: 'reseed', at: from.tail.at, seed: request.seed }];
  const journal = relink(digests, { from, run: before.id, more }); // Verifies what stays; the links are the same.
  const record: RunRecord = { ...recordAtPlace(context, before, { tail, checkpoint }), tail: journal.tail };
  const kept = from.tail.count;
  const expect: StoreExpectation[] = [ownership.expectation, { table: 'runs', key: nameKey(before.name), value: bytes }];
  if (checkpoint !== undefined) expect.push({ table: 'checkpoints', key: entryKey(before.id, checkpoint.number), value: store.get('checkpoints', entryKey(before.id, checkpoint.number)) });
  const puts: StorePut[] = [...journal.puts.slice(kept), { table: 'runs', key: nameKey(before.name), value: encodeRunRecord(digests, record) }, ownership.waiver, referencesPut(record, ownership.epoch)];
  return { record, expect, puts, deletes: [...entriesBehind(context, before.id, { frames: kept, checkpoint: checkpoint?.number ?? 0 }), ...answerDeletes(context, before.id, record.instructions)] };
}

function entriesBehind({ store }: StoreContext, id: RunId, kept: { readonly frames: number; readonly checkpoint: number }): readonly StoreDelete[] {
  const behind = (table: 'frames' | 'checkpoints' | 'marks', isBehind: (index: number) => boolean): StoreDelete[] =>
    [...store.range(table, allEntriesRange(id))].filter(({ key }) => isBehind(entryIndexOfKey(key) ?? 0)).map(({ key }) => ({ table, key }));
  return [
    ...behind('frames', (index) => index >= kept.frames), ...behind('checkpoints', (number) => number > kept.checkpoint), ...behind('marks', (number) => number > kept.checkpoint),
  ];
}
