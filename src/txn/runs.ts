/**
 * The runs of a store: create, open for writing, look at, remove.
 * Invariants: a run appears whole (record, owner, program, genesis frame) or not at all; looking at a run needs no ownership and sees the
 * last commit; a run with a live owner is not removed.
 * What this does NOT do: execute, recover (recovery.ts), sweep content that no run needs any more (collector.ts does).
 */
import { assert, counted, StillpointError, type InstructionCount } from '../core/index.ts';
import { allEntriesRange, blobKey, emptyTail, encodeFrame, entryIndexOfKey, entryKey, JournalReader, JournalWriter, runKey, type GenesisFrame, type RunId } from '../journal/index.ts';
import { ALL_KEYS, type StoreBatch, type StoreDelete, type StoreExpectation } from '../store/index.ts';
import { decodeCheckpointRecord, type CheckpointRecord } from './checkpoint-record.ts';
import { acquire, decodeOwnerRecord, owned, Ownership, readOwnerRecord, release, type IsAlive, type Owner, type StoreContext } from './ownership.ts';
import { decodeRunRecord, encodeRunRecord, isRunName, nameKey, type OutputPositions, type RunRecord } from './run-record.ts';
import { answerDeletes } from './answers.ts';
import { lossesDelete } from './losses.ts';
import { movesDelete } from './output-moves.ts';
import { preparedDelete } from './prepared.ts';
import { referencesPut } from './references.ts';
import { RunWriter } from './run-writer.ts';

export interface NewRun {
  readonly name: string;
  /** 128 random bits. */
  readonly id: RunId;
  readonly createdMs: number;
  readonly bindings: string;
  readonly owner: Owner;
  /** Canonical bytes of the run manifest. */
  readonly manifest: Uint8Array;
  /** The program file. */
  readonly program: Uint8Array;
  readonly recorder: string;
  /** Output channels at position 0, if known. */
  readonly outputs?: OutputPositions;
}

/** A new run, owned by its creator. Throws E_RUN_NAME, E_RUN_EXISTS and what the store throws. */
export async function createRun(context: StoreContext, run: NewRun): Promise<RunWriter> {
  const { store, digests } = context;
  const key = nameKey(run.name);
  const program = digests.sha256(run.program);
  const genesis: GenesisFrame = { kind: 'genesis', at: 0n as InstructionCount, manifest: run.manifest, program, recorder: run.recorder };
  const journal = new JournalWriter(digests, { run: run.id, tail: emptyTail(digests, run.id) });
  journal.append(genesis);
  const { puts, tail } = journal.seal();
  const ownership = new Ownership(digests, { run: run.id, epoch: 1, owner: run.owner });
  const record: RunRecord = {
    id: run.id, name: run.name, createdMs: run.createdMs, status: 'running', genesis: digests.sha256(encodeFrame(0, genesis)), outcome: undefined,
    tail, lastCheckpoint: undefined, numbered: 0, parent: undefined, instructions: 0n as InstructionCount, outputs: run.outputs ?? new Map(), bindings: run.bindings,
  };
  const recordBytes = encodeRunRecord(digests, record);
  const absent: readonly StoreExpectation[] = [{ table: 'runs', key, value: undefined }, { table: 'owners', key: runKey(run.id), value: undefined }];
  const batch: StoreBatch = { expect: absent, puts: [...puts, { table: 'runs', key, value: recordBytes }, ownership.claim, referencesPut(record, 1)] };
  if (store.has('runs', key)) throw exists(run.name);
  const blob = { table: 'blobs', key: blobKey(program), value: run.program } as const;
  // Many runs of one program share its bytes. Expecting them is a comparison instead of a write, and safe against a collector; when they
  // are gone or damaged the commit conflicts and they are written.
  const isShared = store.has('blobs', blob.key) && await store.commit({ ...batch, expect: [...absent, blob] }) === 'done';
  if (!isShared && await store.commit({ ...batch, puts: [blob, ...batch.puts ?? []] }) === 'conflict') throw exists(run.name);
  return new RunWriter(context, { ownership, record, recordBytes });
}

function exists(name: string): StillpointError {
  return new StillpointError('E_RUN_EXISTS', `the store holds a run named ${name} already; choose another name or remove it`, { data: { run: name } });
}

/**
 * Takes a run over to go on with it: a stopped one, one whose owner died, or one that a cap ended. Recovery is the caller's next step.
 * Throws E_RUN_UNKNOWN, E_RUN_FINISHED, E_RUN_OWNED.
 */
export async function openRun(context: StoreContext, request: { readonly name: string; readonly owner: Owner; readonly isAlive: IsAlive }): Promise<RunWriter> {
  const before = readRun(context, request.name);
  mustBeResumable(before);
  const ownership = await acquire(context, { ...request, run: before.id });
  // Read again: the owner before us may have committed until we fenced it.
  const { record, bytes } = readStoredRun(context, request.name);
  assert(record.id === before.id, 'a run that is owned keeps its name');
  if (isResumable(record)) return new RunWriter(context, { ownership, record: { ...record, status: 'running', outcome: undefined }, recordBytes: bytes });
  await release(context.store, ownership);
  throw finished(record);
}

function isResumable({ status, outcome }: RunRecord): boolean {
  return status !== 'ended' || outcome?.kind === 'capped';
}

function mustBeResumable(record: RunRecord): void {
  if (!isResumable(record)) throw finished(record);
}

function finished({ name }: RunRecord): StillpointError {
  return new StillpointError('E_RUN_FINISHED', `run ${name} has ended, there is nothing to resume; replay it or run the program again`, { data: { run: name } });
}

/** The run of a name as of its last commit. Throws E_RUN_NAME, E_RUN_UNKNOWN, E_STORE_CORRUPT. */
export function readRun(context: StoreContext, name: string): RunRecord {
  return readStoredRun(context, name).record;
}

/** The record with its stored bytes, for a commit that expects them. */
export function readStoredRun(context: StoreContext, name: string): { readonly record: RunRecord; readonly bytes: Uint8Array } {
  const { store, digests } = context;
  const bytes = store.get('runs', nameKey(name));
  if (bytes === undefined) throw unknownRun(context, name);
  return { record: decodeRunRecord(digests, name, bytes), bytes };
}

/** A cluster is no run, its nodes are. */
function unknownRun(context: StoreContext, name: string): StillpointError {
  const [first, ...others] = runNames(context).filter((run) => run.startsWith(`${name}.`));
  const nodes = first === undefined ? '' : `, but ${first}${others.length === 0 ? '' : ` and ${counted(others.length, 'other')}`}`;
  const lost = knowsAllNames(context) ? '' : '; it has a run under a key that is no name, see stillpoint fsck';
  return new StillpointError('E_RUN_UNKNOWN', `the store holds no run named ${name}${nodes}${lost}`, { data: { run: name } });
}

/** What `ls` shows as state: a run whose record says running but whose owner is dead was interrupted. */
export type RunState = 'running' | 'interrupted' | 'stopped' | 'ended';

export function stateOfRun(context: StoreContext, record: RunRecord, isAlive: IsAlive): RunState {
  const owner = readOwnerRecord(context, record.id)?.owner;
  if (owner !== undefined && isAlive(owner)) return 'running';
  return record.status === 'running' ? 'interrupted' : record.status;
}

/** Names of all runs, in byte order. A key that is none (damage, which fsck finds) is passed over. */
export function runNames(context: StoreContext): string[] {
  return keysOfRuns(context).filter(isRunName);
}

/** Whether every key of the table of runs is a name: else there may be runs that nobody knows the name of. */
export function knowsAllNames(context: StoreContext): boolean {
  return keysOfRuns(context).every(isRunName);
}

function keysOfRuns({ store }: StoreContext): string[] {
  const decoder = new TextDecoder();
  return [...store.range('runs', ALL_KEYS)].map(({ key }) => decoder.decode(key));
}

/** All runs in the order of their names. */
export function* listRuns(context: StoreContext): Generator<RunRecord> {
  for (const name of runNames(context)) {
    if (context.store.has('runs', nameKey(name))) yield readRun(context, name);
  }
}

/** The journal of a run as of its record. */
export function openJournal(context: StoreContext, record: RunRecord): JournalReader {
  return new JournalReader(context, { run: record.id, tail: record.tail });
}

/** Checkpoint records of a run, oldest first. Throws E_SNAPSHOT_FORMAT. */
export function listCheckpoints({ store, digests }: StoreContext, record: RunRecord): CheckpointRecord[] {
  const found: CheckpointRecord[] = [];
  for (const { key, value } of store.range('checkpoints', allEntriesRange(record.id))) {
    const number = entryIndexOfKey(key) ?? 0;
    if (number <= (record.lastCheckpoint ?? 0)) found.push(decodeCheckpointRecord(digests, { run: record.id, number }, value));
  }
  return found;
}

/** One checkpoint. Throws E_CHECKPOINT_UNKNOWN, E_SNAPSHOT_FORMAT. */
export function readCheckpoint({ store, digests }: StoreContext, record: RunRecord, number: number): CheckpointRecord {
  const isPossible = Number.isInteger(number) && number >= 1 && number <= (record.lastCheckpoint ?? 0);
  const bytes = isPossible ? store.get('checkpoints', entryKey(record.id, number)) : undefined;
  if (bytes === undefined) throw new StillpointError('E_CHECKPOINT_UNKNOWN', `run ${record.name} has no checkpoint ${number}; the last is ${record.lastCheckpoint ?? 'none'}`, { data: { run: record.name, checkpoint: number } });
  return decodeCheckpointRecord(digests, { run: record.id, number }, bytes);
}

/**
 * Removes a run with its frames and checkpoints. Pages, nodes and blobs stay until a collector finds them unreachable.
 * Throws E_RUN_OWNED when a live process has it, E_RUN_UNKNOWN.
 */
export async function removeRun(context: StoreContext, { name, isAlive }: { readonly name: string; readonly isAlive: IsAlive }): Promise<void> {
  const { store, digests } = context;
  const { record, bytes } = readStoredRun(context, name);
  const ownerKey = runKey(record.id);
  const ownerBytes = store.get('owners', ownerKey);
  const owner = ownerBytes === undefined ? undefined : decodeOwnerRecord(digests, record.id, ownerBytes).owner;
  if (owner !== undefined && isAlive(owner)) throw owned(name, owner);
  const deletes: StoreDelete[] = [{ table: 'runs', key: nameKey(name) }, { table: 'owners', key: ownerKey }, preparedDelete(record.id), movesDelete(record.id), lossesDelete(record.id), ...answerDeletes(context, record.id)];
  for (const table of ['frames', 'checkpoints', 'marks'] as const) {
    for (const { key } of store.range(table, allEntriesRange(record.id))) deletes.push({ table, key });
  }
  const expect: StoreExpectation[] = [{ table: 'runs', key: nameKey(name), value: bytes }, { table: 'owners', key: ownerKey, value: ownerBytes }];
  if (await store.commit({ expect, deletes, frees: true }) === 'done') return;
  readStoredRun(context, name); // Removed by somebody else: E_RUN_UNKNOWN.
  throw new StillpointError('E_RUN_OWNED', `run ${name} was taken by another process; wait for it or stop it`, { data: { run: name } });
}
