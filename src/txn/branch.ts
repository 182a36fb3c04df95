/**
 * Fork and rollback: a run that begins where another one was, and a run that goes back to where it was.
 *
 *   fork       frames 0..C ─ relinked ─► a new run with the same history up to checkpoint C; pages, programs and inputs are shared by hash
 *   rollback   tail = checkpoint C; frames and checkpoints behind it are deleted, the run keeps its name, id and epoch
 *
 * Invariants: a fork expects its parent's checkpoint in its one commit, so nothing that it shares can have been collected; a rollback owns the
 * run while it happens. A seed of its own enters a branch as a journaled frame right behind the checkpoint.
 * What this does NOT do: copy or cut output files (session does, or the next resume), draw random numbers.
 */
import { assert, instructionCount, StillpointError } from '../core/index.ts';
import { allEntriesRange, entryIndexOfKey, entryKey, JournalReader, relink, runKey, type Frame, type JournalTail, type Outcome, type RunId } from '../journal/index.ts';
import type { StoreDelete, StoreExpectation, StorePut } from '../store/index.ts';
import { encodeCheckpointRecord, type CheckpointRecord } from './checkpoint-record.ts';
import { decodeMark, encodeMark } from './marks.ts';
import { acquire, Ownership, release, type IsAlive, type Owner, type StoreContext } from './ownership.ts';
import { referencesPut } from './references.ts';
import { encodeRunRecord, nameKey, type OutputPositions, type RunRecord } from './run-record.ts';
import { listCheckpoints, readCheckpoint, readStoredRun } from './runs.ts';

export interface ForkRequest {
  /** The new run. */
  readonly name: string;
  readonly id: RunId;
  readonly createdMs: number;
  readonly bindings: string;
  /** Checkpoint number; 0: before the first instruction. */
  readonly checkpoint: number;
  /** 32 bytes: the branch gets an entropy stream of its own. */
  readonly seed?: Uint8Array | undefined;
}

/** Makes a fork. Throws E_RUN_NAME, E_RUN_EXISTS, E_CHECKPOINT_UNKNOWN and what a damaged journal throws. */
export async function forkRun(context: StoreContext, parent: RunRecord, request: ForkRequest): Promise<RunRecord> {
  const { store, digests } = context;
  const key = nameKey(request.name);
  const checkpoint = request.checkpoint === 0 ? undefined : readCheckpoint(context, parent, request.checkpoint);
  const anchorKey = checkpoint === undefined ? entryKey(parent.id, 0) : entryKey(parent.id, checkpoint.number);
  const anchorTable = checkpoint === undefined ? 'frames' : 'checkpoints';
  const anchor: StoreExpectation = { table: anchorTable, key: anchorKey, value: store.get(anchorTable, anchorKey) };
  if (store.has('runs', key)) throw exists(request.name);
  const from = new JournalReader(context, { run: parent.id, tail: checkpoint?.tail ?? genesisTail(context, parent) });
  const more: readonly Frame[] = request.seed === undefined ? [] : [{ kind: 'reseed', at: from.tail.at, seed: request.seed }];
  const ending = new Ending();
  const journal = relink(digests, { from, run: request.id, more, visit: (frame) => ending.visit(frame) });
  const history = checkpoint === undefined ? [] : listCheckpoints(context, parent).filter(({ number }) => number <= checkpoint.number);
  const { outcome } = ending;
  const record: RunRecord = {
    id: request.id, name: request.name, createdMs: request.createdMs, status: outcome === undefined ? 'stopped' : 'ended', genesis: parent.genesis, outcome, tail: journal.tail,
    lastCheckpoint: checkpoint?.number, numbered: checkpoint?.number ?? 0, parent: { id: parent.id, name: parent.name, checkpoint: request.checkpoint },
    instructions: instructionCount(from.tail.at), outputs: positionsAt(parent, checkpoint), bindings: request.bindings,
  };
  const puts: StorePut[] = [...journal.puts, ...history.flatMap((old) => copyCheckpoint(context, { parent, id: request.id, old, tail: journal.tailAt(old.tail.count) }))];
  const ownership = new Ownership(digests, { run: request.id, epoch: 1, owner: NOBODY });
  puts.push({ table: 'runs', key, value: encodeRunRecord(digests, record) }, ownership.waiver, referencesPut(record, 1));
  const expect: StoreExpectation[] = [anchor, { table: 'runs', key, value: undefined }, { table: 'owners', key: runKey(request.id), value: undefined }];
  if (await store.commit({ expect, puts }) === 'done') return record;
  if (store.has('runs', key)) throw exists(request.name);
  throw new StillpointError('E_CHECKPOINT_UNKNOWN', `checkpoint ${request.checkpoint} of run ${parent.name} went away meanwhile`, { data: { run: parent.name, checkpoint: request.checkpoint } });
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
  const from = new JournalReader(context, { run: record.id, tail: checkpoint?.tail ?? genesisTail(context, record) });
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
  /** Checkpoint number; 0: before the first instruction. */
  readonly checkpoint: number;
  readonly seed?: Uint8Array | undefined;
}

/** Puts a run back in place. Throws E_RUN_UNKNOWN, E_RUN_OWNED, E_CHECKPOINT_UNKNOWN and what a damaged journal throws; then nothing has changed. */
export async function rollbackRun(context: StoreContext, request: RollbackRequest): Promise<RunRecord> {
  const { record: seen } = readStoredRun(context, request.name);
  if (request.checkpoint !== 0) readCheckpoint(context, seen, request.checkpoint);
  const ownership = await acquire(context, { ...request, run: seen.id });
  try {
    return await rollbackOwned(context, request, ownership);
  } catch (error) {
    await release(context.store, ownership);
    throw error;
  }
}

async function rollbackOwned(context: StoreContext, request: RollbackRequest, ownership: Ownership): Promise<RunRecord> {
  const { store, digests } = context;
  const { record: before, bytes } = readStoredRun(context, request.name);
  const checkpoint = request.checkpoint === 0 ? undefined : readCheckpoint(context, before, request.checkpoint);
  const from = new JournalReader(context, { run: before.id, tail: checkpoint?.tail ?? genesisTail(context, before) });
  const more: readonly Frame[] = request.seed === undefined ? [] : [{ kind: 'reseed', at: from.tail.at, seed: request.seed }];
  const journal = relink(digests, { from, run: before.id, more }); // Verifies what stays; the links are the same.
  const record: RunRecord = { ...recordAt(context, before, checkpoint), tail: journal.tail };
  const kept = from.tail.count;
  const expect: StoreExpectation[] = [ownership.expectation, { table: 'runs', key: nameKey(before.name), value: bytes }];
  if (checkpoint !== undefined) expect.push({ table: 'checkpoints', key: entryKey(before.id, checkpoint.number), value: store.get('checkpoints', entryKey(before.id, checkpoint.number)) });
  const puts: StorePut[] = [...journal.puts.slice(kept), { table: 'runs', key: nameKey(before.name), value: encodeRunRecord(digests, record) }, ownership.waiver, referencesPut(record, ownership.epoch)];
  if (await store.commit({ expect, deletes: entriesBehind(context, before.id, { frames: kept, checkpoint: request.checkpoint }), puts }) === 'done') return record;
  throw new StillpointError('E_RUN_OWNED', `run ${before.name} changed while it was rolled back; try again`, { data: { run: before.name } });
}

function entriesBehind({ store }: StoreContext, id: RunId, kept: { readonly frames: number; readonly checkpoint: number }): readonly StoreDelete[] {
  const behind = (table: 'frames' | 'checkpoints' | 'marks', isBehind: (index: number) => boolean): StoreDelete[] =>
    [...store.range(table, allEntriesRange(id))].filter(({ key }) => isBehind(entryIndexOfKey(key) ?? 0)).map(({ key }) => ({ table, key }));
  return [
    ...behind('frames', (index) => index >= kept.frames), ...behind('checkpoints', (number) => number > kept.checkpoint), ...behind('marks', (number) => number > kept.checkpoint),
  ];
}
