/**
 * A resident machine: a guest that stays in memory between requests and changes only in transactions.
 *
 *   in memory                 of a run in a store
 *   begin ─► commit           begin ─► commit ─► commit-log.ts ─► journal, output files, checkpoints
 *
 * Invariants: one transaction at a time; between transactions the state is that of the last commit; a machine of a run owns it (a second owner is
 * E_RUN_OWNED), and after a crash the run opens at its last durable commit.
 * What this does NOT do: open anything (open.ts), run the guest (core.ts).
 */
import { assert, instructionCount, StillpointError } from '../core/index.ts';
import type { Digests } from '../core/index.ts';
import type { HostPort } from '../channel/index.ts';
import type { RunManifest } from '../manifest/index.ts';
import type { ImageTree } from '../image/index.ts';
import { hostFacts, monotonicMs, restoreGuest, wallClockMs, type EngineName } from '../session/index.ts';
import { SnapshotWriter, type Root } from '../snapshot/index.ts';
import { MemoryStore } from '../store/index.ts';
import { encodePrepared, preparedDelete, preparedPut, type PreparedTransaction, type StoreContext } from '../txn/index.ts';
import type { CheckpointItem, CommitItem, CommitLog, Ending } from './commit-log.ts';
import { Core } from './core.ts';
import { Feed } from './feed.ts';
import { Transaction, type TransactionHost, type TransactionOptions } from './transaction.ts';

/** What makes a machine of a run durable. */
export interface Durable {
  readonly context: StoreContext;
  readonly log: CommitLog;
  readonly snapshots: SnapshotWriter;
}

export interface MachineParts {
  readonly core: Core;
  readonly manifest: RunManifest;
  readonly digests: Digests;
  readonly engine: EngineName;
  readonly image: ImageTree | undefined;
  readonly ports: ReadonlyMap<string, HostPort>;
  readonly durable: Durable | undefined;
  /** Closes ports, store and image. */
  readonly release: () => Promise<void>;
}

/** A checkpoint is due after so many frames, input bytes, instructions: what a recovery has to replay. */
const CHECKPOINT_EVERY = { frames: 20_000, bytes: 64 * 1024 * 1024, instructions: 2_000_000_000n } as const;

export class Machine {
  readonly #parts: MachineParts;
  #core: Core;
  #transaction: Transaction | undefined;
  #isClosed = false;
  /** Commits so far in this process. */
  #commits = 0;
  #since = { frames: 0, bytes: 0, at: 0n };
  #isCheckpointDue = false;
  #inDoubt: PreparedTransaction | undefined;
  /** The transaction under way is prepared: its record is in the store. */
  #isPrepared = false;
  /** No capture waits for its commit. */
  #isCaptureFree = true;
  /** Output of a machine without a store goes to its files one commit after the other. */
  #delivery: Promise<void> = Promise.resolve();

  /** Use openMachine() and openMachineRun(). */
  constructor(parts: MachineParts, inDoubt?: PreparedTransaction) {
    this.#parts = parts;
    this.#core = parts.core;
    this.#since.at = parts.core.guest.retired;
    this.#inDoubt = inDoubt;
  }

  /** Name of the run; undefined without a store. */
  get name(): string | undefined {
    return this.#parts.durable?.log.writer.record.name;
  }

  get manifest(): RunManifest {
    return this.#parts.manifest;
  }

  /** Instructions retired: at the last commit, or so far in the transaction under way. */
  get instructions(): bigint {
    return this.#core.guest.retired;
  }

  /** Commits in this process. */
  get commits(): number {
    return this.#commits;
  }

  /** Whether the guest has ended: nothing can begin any more. */
  get hasEnded(): boolean {
    return this.#core.guest.kernel.outcome !== undefined;
  }

  /** The transaction that was prepared by an earlier process and waits for its decision. */
  get inDoubt(): string | undefined {
    return this.#inDoubt?.id;
  }

  /** The root of the state as it is now: SHA-256 over everything, also in the midst of a transaction. Costs a look at every page that is in use. */
  root(): Root {
    this.#mustBeOpen();
    const capture = new SnapshotWriter(new MemoryStore(), this.#parts.digests).capture(this.#core.guest.wholeState());
    capture.abandon();
    return capture.root;
  }

  /** Begins a transaction. Throws E_TXN_OPEN, E_TXN_IN_DOUBT, E_RUN_FINISHED, and what an earlier commit failed with. */
  begin(options: TransactionOptions = {}): Transaction {
    this.#mustBeOpen();
    this.#parts.durable?.log.mustBeWell();
    if (this.#transaction !== undefined) throw new StillpointError('E_TXN_OPEN', 'the machine is in the midst of a transaction: commit or abort it first', {});
    if (this.#inDoubt !== undefined) throw new StillpointError('E_TXN_IN_DOUBT', `transaction ${this.#inDoubt.id} was prepared and waits for its decision: resolve it first`, { data: { id: this.#inDoubt.id } });
    if (this.hasEnded) throw new StillpointError('E_RUN_FINISHED', 'the guest has ended, nothing can begin in it any more', {});
    const transaction = new Transaction(this.#host(), options);
    this.#transaction = transaction;
    return transaction;
  }

  /**
   * One transaction around `body`: committed when it resolves, aborted when it throws. Resolves when the commit is durable.
   */
  async transact<Result>(body: (transaction: Transaction) => Promise<Result>, options: TransactionOptions = {}): Promise<Result> {
    const transaction = this.begin(options);
    try {
      const result = await body(transaction);
      await transaction.commit();
      return result;
    } catch (error) {
      if (transaction.state === 'open' || transaction.state === 'prepared') await transaction.abort();
      throw error;
    }
  }

  /** Decides the transaction that an earlier process prepared. Throws E_USAGE when none of that id is in doubt. */
  async resolve(id: string, decision: 'commit' | 'abort'): Promise<void> {
    this.#mustBeOpen();
    const prepared = this.#inDoubt;
    if (prepared === undefined || prepared.id !== id) throw new StillpointError('E_USAGE', `no transaction ${id} is in doubt`, { data: { id } });
    const transaction = new Transaction(this.#host(), {});
    this.#transaction = transaction;
    if (decision === 'commit') await this.#repeat(prepared, transaction);
    this.#isPrepared = true;
    this.#inDoubt = undefined;
    return decision === 'commit' ? transaction.commit() : transaction.abort();
  }

  /** Executes a prepared transaction again, from its frames. */
  async #repeat({ frames, at }: PreparedTransaction, transaction: Transaction): Promise<void> {
    const { feed, channels } = this.#core;
    try {
      feed.repeat(frames, (name) => channels.get(name)?.spec.access !== 'sequential');
      await this.#core.runTo(at, { seeds: [], release: async () => {} });
    } catch (error) {
      await transaction.abort(); // The record stays: it is still in doubt.
      throw error;
    }
  }

  /** Another machine in memory, with the state of the last commit, that shares nothing with this one. Not inside a transaction. */
  fork(): Machine {
    this.#mustBeOpen();
    if (this.#transaction !== undefined) throw new StillpointError('E_TXN_OPEN', 'a machine is forked between transactions', {});
    return this.#forkNow();
  }

  /** Waits for everything that was committed, takes a checkpoint, and gives the run up. An open transaction is aborted. */
  async close(): Promise<void> {
    if (this.#isClosed) return;
    if (this.#transaction?.state === 'open') await this.#transaction.abort();
    this.#isClosed = true;
    try {
      await this.#delivery;
      await this.#finish();
    } finally {
      await this.#parts.release();
    }
  }

  async #finish(): Promise<void> {
    const { durable } = this.#parts;
    if (durable === undefined || (this.hasEnded && this.#transaction === undefined)) return durable?.log.settle();
    await durable.log.settle();
    durable.log.mustBeWell();
    if (this.#transaction !== undefined || this.#inDoubt !== undefined) return durable.log.writer.close(); // Prepared: in doubt until somebody decides.
    await durable.log.append({ at: this.#core.at, frames: [], operations: [], positions: new Map(), checkpoint: this.#checkpoint({ kind: 'stop', reason: 'the machine was closed' }) });
  }

  #host(): TransactionHost {
    return {
      core: this.#core, monotonicMs, capAt: this.#parts.manifest.maxInstructions ?? undefined,
      commit: () => this.#commit(), prepare: (id) => this.#prepare(id), aborted: () => this.#aborted(),
    };
  }

  /** In memory at once; the promise is for the disk. */
  #commit(): Promise<void> {
    const { durable, ports } = this.#parts;
    const wasPrepared = this.#isPrepared;
    const core = this.#core;
    const { at } = core;
    core.feed.settle(core.channels, at);
    const operations = core.channels.takeOutput();
    core.guest.release();
    this.#transaction = undefined;
    this.#isPrepared = false;
    this.#commits++;
    if (durable === undefined) {
      core.feed.takeFrames();
      return ports.size === 0 || operations.length === 0 ? Promise.resolve() : this.#deliver(operations);
    }
    const positions = new Map(operations.map(({ channel }) => [channel, core.channels.get(channel)!.bytesWritten]));
    const outputs = [...positions].map(([channel, position]) => ({ kind: 'output' as const, at, channel, position, digest: core.channels.get(channel)!.accounts().output!.sha256 as Root }));
    const frames = [...core.feed.takeFrames(), ...outputs];
    this.#count(frames);
    const outcome = core.guest.kernel.outcome;
    const checkpoint = outcome === undefined ? this.#dueCheckpoint() : this.#checkpoint({ kind: 'exit', outcome });
    return durable.log.append({ at, frames, operations, positions, checkpoint, also: wasPrepared ? { deletes: [preparedDelete(durable.log.writer.record.id)] } : undefined });
  }

  #deliver(operations: ReturnType<Core['channels']['takeOutput']>): Promise<void> {
    const { ports } = this.#parts;
    return this.#delivery = this.#delivery.then(async () => {
      for (const [channel, port] of ports) {
        const mine = operations.filter((operation) => operation.channel === channel);
        if (mine.length > 0) await port.write(mine);
      }
    });
  }

  async #prepare(id: string): Promise<void> {
    const { durable, digests } = this.#parts;
    const core = this.#core;
    if (durable !== undefined) {
      core.feed.settle(core.channels, core.at);
      const { record } = durable.log.writer;
      await this.#also({ puts: [preparedPut(record.id, encodePrepared(digests, record.id, { id, at: core.at, frames: core.feed.frames }))] });
    }
    this.#isPrepared = true;
  }

  async #aborted(): Promise<void> {
    const { durable } = this.#parts;
    this.#core.guest.release();
    this.#transaction = undefined;
    if (!this.#isPrepared) return;
    this.#isPrepared = false;
    if (durable !== undefined) await this.#also({ deletes: [preparedDelete(durable.log.writer.record.id)] });
  }

  /** A commit of the run that changes other records only. */
  #also(also: NonNullable<CommitItem['also']>): Promise<void> {
    return this.#parts.durable!.log.append({ at: instructionCount(0n), frames: [], operations: [], positions: new Map(), also });
  }

  #count(frames: readonly { readonly kind: string; readonly bytes?: unknown }[]): void {
    this.#since.frames += frames.length;
    for (const { bytes } of frames) if (bytes instanceof Uint8Array) this.#since.bytes += bytes.length;
    const { frames: count, bytes, at } = this.#since;
    if (count >= CHECKPOINT_EVERY.frames || bytes >= CHECKPOINT_EVERY.bytes || this.instructions - at >= CHECKPOINT_EVERY.instructions) this.#isCheckpointDue = true;
  }

  #dueCheckpoint(): CheckpointItem | undefined {
    return this.#isCheckpointDue && this.#isCaptureFree ? this.#checkpoint() : undefined;
  }

  /** The state now. */
  #checkpoint(ends?: Omit<Ending, 'again'>): CheckpointItem {
    const { durable } = this.#parts;
    assert(durable !== undefined, 'checkpoints are of runs');
    const { channels, guest } = this.#core;
    const capture = durable.snapshots.capture(guest.state());
    this.#isCheckpointDue = false;
    this.#isCaptureFree = false;
    this.#since = { frames: 0, bytes: 0, at: guest.retired };
    const free = (): void => { this.#isCaptureFree = true; };
    return {
      capture: { ...capture, confirm: () => { capture.confirm(); free(); }, abandon: () => { capture.abandon(); free(); } },
      facts: {
        channels: new Map([...channels].map((channel) => [channel.spec.name, { inputPosition: channel.bytesRead, outputPosition: channel.bytesWritten }])),
        digests: channels.saveDigests(), createdMs: wallClockMs(),
      },
      ends: ends === undefined ? undefined : { ...ends, again: () => durable.snapshots.capture(guest.state()) },
    };
  }

  /** Executes the journal of a run up to its last commit; its output goes to the files again. */
  async catchUp(at: bigint, seeds: readonly { readonly at: bigint; readonly seed: Uint8Array }[]): Promise<void> {
    const core = this.#core;
    const release = async (): Promise<void> => {
      const operations = core.channels.takeOutput();
      const positions = new Map(operations.map(({ channel }) => [channel, core.channels.get(channel)!.bytesWritten]));
      await this.#parts.durable!.log.append({ at: instructionCount(at), frames: [], operations, positions });
    };
    await core.runTo(at, { seeds, release });
    await release();
    this.#since.at = at;
  }

  /** Called when a checkpoint could not be committed. */
  wantCheckpoint(): void {
    this.#isCheckpointDue = true;
  }

  #forkNow(): Machine {
    const { manifest, digests, engine, image } = this.#parts;
    const { channels, guest } = this.#core;
    const copy = restoreGuest(manifest, { state: guest.wholeState(), savedDigests: channels.saveDigests(), digests, engine, image });
    const feed = new Feed({ ports: this.#parts.ports, host: hostFacts });
    this.#core.feed.copyTo(feed, channels);
    return new Machine({ ...this.#parts, core: new Core({ ...copy, feed, monotonicMs }), ports: new Map(), durable: undefined, release: async () => {} });
  }

  #mustBeOpen(): void {
    if (this.#isClosed) throw new StillpointError('E_USAGE', 'the machine is closed', {});
  }
}
