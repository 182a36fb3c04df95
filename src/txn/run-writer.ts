/**
 * The transaction of a run: everything that becomes durable, becomes durable here, in one conditional store commit each time.
 *
 *   one commit = journal tail + blobs + tree nodes and pages + checkpoint record + output positions + run record,
 *                if owner record and run record are still the ones this writer left
 *
 * Invariants: a commit is all or nothing, in the store and in this object; after E_RUN_FENCED the writer is dead; positions of outputs only
 * grow (but once, after a recovery, they say where the sinks were put back to); a checkpoint relies only on synced output.
 * The protocol around it, with its picture, is docs/formats/run.md.
 * What this does NOT do: deliver output, take snapshots, decide when to commit (session does). One commit at a time, no frame meanwhile.
 */
import { assert, StillpointError, type FrameIndex, type InstructionCount } from '../core/index.ts';
import { entryKey, JournalWriter, type FreshFrame, type HashedInput, type JournalBatch, type JournalTail } from '../journal/index.ts';
import type { Root } from '../snapshot/index.ts';
import type { StoreDelete, StoreExpectation, StorePut, Table } from '../store/index.ts';
import { encodeCheckpointRecord, type ChannelMarks, type CheckpointRecord } from './checkpoint-record.ts';
import { fenced, type Ownership, type StoreContext } from './ownership.ts';
import { referencesPut } from './references.ts';
import { encodeRunRecord, isOrdered, nameKey, type OutputPositions, type RunRecord, type RunStatus } from './run-record.ts';

/** A checkpoint as the session hands it in; number, instruction count and journal position are filled in here. */
export interface FreshCheckpoint {
  readonly root: Root;
  readonly channels: ChannelMarks;
  readonly digests: Uint8Array;
  readonly createdMs: number;
}

export interface RunCommit {
  /** Instructions retired so far. A checkpoint of this commit is at this count. */
  readonly instructions: InstructionCount;
  /** Added to what append() collected. An exit frame ends the run. */
  readonly frames?: readonly FreshFrame[];
  /** Nodes and pages; may come before the checkpoint that needs them. */
  readonly snapshot?: { readonly puts?: readonly StorePut[]; readonly expect?: readonly StoreExpectation[]; readonly deletes?: readonly StoreDelete[]; readonly prepared?: { readonly id: number } };
  readonly checkpoint?: FreshCheckpoint;
  /** Bytes of hashed inputs, which the store holds ready. */
  readonly inputs?: { readonly id: number } | undefined;
  /** Channels whose positions changed. */
  readonly outputs?: OutputPositions;
  /** `outputs` are where the sinks were put back to after a recovery: they may go down. Only before the first frame of this writer. */
  readonly isRewind?: boolean;
  /** New host bindings, when a resume was given others. */
  readonly bindings?: string;
  /** Records of others that change in the same commit, or nothing does (a prepared transaction, a decision). */
  readonly also?: { readonly puts?: readonly StorePut[]; readonly deletes?: readonly StoreDelete[] };
  /** Gives the run up in the same commit: 'stopped' unless it ended. */
  readonly isLast?: boolean;
}

interface Prepared { readonly puts: readonly StorePut[]; readonly record: RunRecord; readonly recordBytes: Uint8Array; readonly journal: JournalBatch; readonly checkpoint: CheckpointRecord | undefined }

/**
 * A collector took records that the snapshot of this commit relied on: nothing was applied, capture again. Never seen by users.
 */
export class StaleSnapshot extends Error {}

type State = 'open' | 'committing' | 'closed' | 'fenced';

export class RunWriter {
  readonly #context: StoreContext;
  readonly #ownership: Ownership;
  readonly #journal: JournalWriter;
  /** As last committed. */
  #record: RunRecord;
  #recordBytes: Uint8Array;
  #state: State = 'open';
  #hasFrames = false;

  /** `recordBytes` are the stored bytes of `record`. Made by createRun and openRun. */
  constructor(context: StoreContext, { ownership, record, recordBytes }: { readonly ownership: Ownership; readonly record: RunRecord; readonly recordBytes: Uint8Array }) {
    this.#context = context;
    this.#ownership = ownership;
    this.#record = record;
    this.#recordBytes = recordBytes;
    this.#journal = new JournalWriter(context.digests, { run: record.id, tail: record.tail });
  }

  /** The run as last committed. */
  get record(): RunRecord {
    return this.#record;
  }

  get epoch(): number {
    return this.#ownership.epoch;
  }

  /** Journal end including frames that are not committed. */
  get tail(): JournalTail {
    return this.#journal.tail;
  }

  /** Frames and bytes that the next commit will write for the journal. */
  get pending(): { readonly frames: number; readonly bytes: number } {
    return { frames: this.#journal.pendingFrames, bytes: this.#journal.pendingBytes };
  }

  /** Adds a frame; durable after the next commit. Checkpoint and exit frames go through commit(). */
  append(frame: FreshFrame | HashedInput): FrameIndex {
    this.#mustBeOpen();
    assert(frame.kind !== 'checkpoint', 'commit() writes the frame of a checkpoint');
    assert(frame.kind !== 'exit', 'the frame that ends a run is handed to commit()');
    return this.#add(frame);
  }

  /**
   * Makes everything durable, or nothing: on E_DISK_FULL, E_STORE_WRITE and the like the store and this writer are as before, and the same
   * commit can be tried again. E_RUN_FENCED: another process owns the run. StaleSnapshot: capture again. Resolves to the checkpoint written, if one was asked for.
   */
  async commit(request: RunCommit): Promise<CheckpointRecord | undefined> {
    this.#mustBeOpen();
    const framesBefore = this.#journal.tail.count;
    const hadFrames = this.#hasFrames;
    const prepared = this.#prepare(request);
    this.#state = 'committing';
    let answer: 'done' | 'conflict' = 'conflict';
    try {
      const expect = [this.#ownership.expectation, this.#recordExpectation(), ...request.snapshot?.expect ?? []];
      const ready = request.inputs ?? request.snapshot?.prepared;
      assert(request.inputs === undefined || request.snapshot?.prepared === undefined, 'a store holds inputs ready, or a capture');
      answer = await this.#context.store.commit({ expect, puts: prepared.puts, deletes: [...request.also?.deletes ?? [], ...request.snapshot?.deletes ?? []], ...(ready === undefined ? {} : { prepared: ready }) });
    } finally {
      this.#state = 'open';
      if (answer !== 'done') {
        this.#journal.dropTo(framesBefore);
        this.#hasFrames = hadFrames;
      }
    }
    if (answer === 'conflict') throw this.#conflict(request);
    this.#journal.settle(prepared.journal);
    this.#record = prepared.record;
    this.#recordBytes = prepared.recordBytes;
    if (request.isLast === true) this.#state = 'closed';
    return prepared.checkpoint;
  }

  /** Gives the run up without new facts; whoever resumes it starts from the last commit. Frames that are not committed are lost. */
  async close(): Promise<void> {
    this.#journal.dropTo(this.#journal.committedTail.count);
    await this.commit({ instructions: this.#record.instructions, isLast: true });
  }

  /** Proves that this writer still owns its run. Throws E_RUN_FENCED. */
  async renew(): Promise<void> {
    this.#mustBeOpen();
    await this.#ownership.renew(this.#context.store);
  }

  #add(frame: FreshFrame | HashedInput): FrameIndex {
    this.#hasFrames = true;
    return this.#journal.append(frame);
  }

  #prepare(request: RunCommit): Prepared {
    const outputs = this.#mergeOutputs(request);
    for (const frame of request.frames ?? []) this.#add(frame);
    const checkpoint = request.checkpoint === undefined ? undefined : this.#checkpoint(request.checkpoint, { request, outputs });
    const journal = this.#journal.seal();
    const record: RunRecord = {
      ...this.#record, ...this.#ending(request), tail: journal.tail, outputs, instructions: later(this.#record.instructions, request.instructions),
      lastCheckpoint: checkpoint?.number ?? this.#record.lastCheckpoint, numbered: checkpoint?.number ?? this.#record.numbered, bindings: request.bindings ?? this.#record.bindings,
    };
    const { digests } = this.#context;
    const recordBytes = encodeRunRecord(digests, record);
    const puts: StorePut[] = [...snapshotPuts(request), ...journal.puts, ...request.also?.puts ?? []];
    if (checkpoint !== undefined) puts.push({ table: 'checkpoints', key: entryKey(record.id, checkpoint.number), value: encodeCheckpointRecord(digests, checkpoint) });
    puts.push({ table: 'runs', key: nameKey(record.name), value: recordBytes });
    if (checkpoint !== undefined || request.inputs !== undefined || journal.puts.some(({ table }) => table === 'blobs')) puts.push(referencesPut(record, this.#ownership.epoch));
    if (request.isLast === true) puts.push(this.#ownership.waiver);
    return { puts, record, recordBytes, journal, checkpoint };
  }

  /** Status and outcome after this commit. */
  #ending(request: RunCommit): { readonly status: RunStatus; readonly outcome: RunRecord['outcome'] } {
    const last = request.frames?.findLast((frame) => frame.kind === 'exit');
    if (last !== undefined) return { status: 'ended', outcome: last.outcome };
    if (this.#record.status === 'ended') return { status: 'ended', outcome: this.#record.outcome };
    return { status: request.isLast === true ? 'stopped' : 'running', outcome: undefined };
  }

  #checkpoint(fresh: FreshCheckpoint, { request, outputs }: { readonly request: RunCommit; readonly outputs: OutputPositions }): CheckpointRecord {
    for (const [channel, mark] of fresh.channels) assert(mark.outputPosition <= (outputs.get(channel)?.synced ?? 0), 'a checkpoint relies only on synced output');
    const number = this.#record.numbered + 1;
    this.#journal.append({ kind: 'checkpoint', at: request.instructions, number, root: fresh.root });
    return { number, at: request.instructions, root: fresh.root, channels: fresh.channels, digests: fresh.digests, createdMs: fresh.createdMs, tail: this.#journal.tail };
  }

  #mergeOutputs({ outputs = new Map(), isRewind = false }: RunCommit): OutputPositions {
    assert(!isRewind || !this.#hasFrames, 'sinks are put back before a resumed run goes on');
    const merged = new Map(this.#record.outputs);
    for (const [channel, position] of outputs) {
      const before = merged.get(channel) ?? { synced: 0, delivered: 0, intended: 0 };
      assert(isOrdered(position), 'synced <= delivered <= intended');
      assert(isRewind || (position.synced >= before.synced && position.delivered >= before.delivered && position.intended >= before.intended), 'output positions only grow');
      merged.set(channel, position);
    }
    return merged;
  }

  #recordExpectation(): { readonly table: 'runs'; readonly key: Uint8Array; readonly value: Uint8Array } {
    return { table: 'runs', key: nameKey(this.#record.name), value: this.#recordBytes };
  }

  /** Why a commit was refused. Either way nothing of it was applied. */
  #conflict(request: RunCommit): Error {
    if (this.#holds(this.#ownership.expectation)) {
      const relies = (request.snapshot?.expect?.length ?? 0) > 0 || request.snapshot?.prepared !== undefined;
      if (relies && this.#holds(this.#recordExpectation())) return new StaleSnapshot('the snapshot relies on records that are gone');
      return new StillpointError('E_STORE_CORRUPT', `the record of run ${this.#record.name} changed under its owner`, { data: { run: this.#record.name } });
    }
    this.#state = 'fenced';
    return fenced(this.#ownership);
  }

  #holds({ table, key, value }: StoreExpectation): boolean {
    const stored = this.#context.store.get(table, key);
    return stored !== undefined && value !== undefined && stored.length === value.length && stored.every((byte, index) => byte === value[index]);
  }

  #mustBeOpen(): void {
    if (this.#state === 'fenced') throw fenced(this.#ownership);
    assert(this.#state === 'open', 'a run writer does one thing at a time and nothing after its end');
  }
}

/** A resumed run begins behind what its record says; the record keeps the farthest count. */
function later(a: InstructionCount, b: InstructionCount): InstructionCount {
  return a > b ? a : b;
}

const SNAPSHOT_TABLES: ReadonlySet<Table> = new Set(['nodes', 'pages', 'packs', 'locations', 'shelves']);

function snapshotPuts({ snapshot }: RunCommit): readonly StorePut[] {
  const puts = snapshot?.puts ?? [];
  assert(puts.every(({ table }) => SNAPSHOT_TABLES.has(table)), 'a snapshot writes nodes, pages, packs, lists of locations and shelves');
  return puts;
}
