/**
 * A resident machine: a guest that stays in memory between requests and changes only in transactions.
 *
 *   in memory                 of a run in a store
 *   begin ─► commit           begin ─► commit ─► commit-log.ts ─► journal, output files, checkpoints
 *
 * Invariants: one transaction at a time; between transactions the state is that of the last commit; a machine of a run owns it (a second owner is
 * E_RUN_OWNED), and after a crash the run opens at its last durable commit.
 * A long file: all that a client can say to a machine is here, each of it in a few lines.
 * What this does NOT do: open anything (open.ts), run the guest (core.ts).
 */
import { instructionCount, StillpointError } from '../core/index.ts';
import { GuestMemory } from '../engine/index.ts';
import type { OutputOperation } from '../channel/index.ts';
import type { FreshFrame, RunId } from '../journal/index.ts';
import { encodeManifest, type RunManifest } from '../manifest/index.ts';
import { monotonicMs, restoreGuest } from '../session/index.ts';
import { SnapshotWriter, type Root } from '../snapshot/index.ts';
import { MemoryStore, type Store } from '../store/index.ts';
import { ChangeLog, encodePrepared, type ChangeSet, preparedDelete, preparedPut, type PreparedTransaction, type StoreContext, unionOf } from '../txn/index.ts';
import type { CommitItem } from './commit-log.ts';
import { Core } from './core.ts';
import type { MachineParts } from './machine-parts.ts';
import { SpeculationPool, type PoolHost, type PoolOptions } from './pool.ts';
import { Heirs } from './heirs.ts';
import { packState, unpackState, type PackedState } from './replica-state.ts';
import type { Finished, Happened } from './replica-worker.ts';
import { Speculation, type SpeculationOptions } from './speculation.ts';
import { Transaction, type CommitMore, type TransactionHost, type TransactionOptions } from './transaction.ts';

/** A fork of a fork of a fork reads pages through all of them: a longer chain is cut. */
const DEPTH_MAX = 8;

let isPreparing = false;

/** Where one fork was used another will be: its memory is made when this turn of the event loop is over. */
function prepareSoon(limit: number): void {
  if (isPreparing) return;
  isPreparing = true;
  setImmediate(() => {
    isPreparing = false;
    GuestMemory.prepare(limit);
  }).unref();
}

/** Where a branch came from, and its commits since. */
interface Origin { readonly machine: Machine; readonly base: number; readonly frames: FreshFrame[]; readonly operations: OutputOperation[]; readonly changes: ChangeSet[] }

export class Machine {
  readonly #parts: MachineParts;
  #made: Core | (() => Core);
  /** What commits change, while speculations are at work. */
  readonly #changes = new ChangeLog();
  readonly #pools = new Set<SpeculationPool>();
  readonly #followers = new Set<Parameters<PoolHost['follow']>[0]>();
  /** Of a branch: what it came from, and what has happened in it since. */
  #origin: Origin | undefined;
  /** How many machines it reads pages of, one through the other. */
  #depth: number;
  readonly #heirs = new Heirs();
  #transaction: Transaction | undefined;
  #isClosed = false;
  /** Commits so far in this process. */
  #commits = 0;
  #inDoubt: PreparedTransaction | undefined;
  /** The transaction under way, when it is prepared: its record is in the store. */
  #prepared: { readonly id: string; readonly transaction: Transaction } | undefined;
  /** Output of a machine without a store goes to its files one commit after the other. */
  #delivery: Promise<void> = Promise.resolve();

  /** Use openMachine() and openMachineRun(). */
  constructor(parts: MachineParts, { inDoubt, depth = 0 }: { readonly inDoubt?: PreparedTransaction | undefined; readonly depth?: number } = {}) {
    this.#parts = parts;
    this.#made = parts.core;
    this.#inDoubt = inDoubt;
    this.#depth = depth;
  }

  get #core(): Core {
    if (typeof this.#made === 'function') this.#made = this.#made();
    return this.#made;
  }

  set #core(core: Core) {
    this.#made = core;
  }

  /** Name of the run; undefined without a store. */
  get name(): string | undefined {
    return this.#parts.durable?.log.writer.record.name;
  }

  /** Where the run of the machine is stored, and what the store failed with; undefined in memory. For layers above. */
  get place(): { readonly context: StoreContext; readonly run: RunId; readonly failure: unknown } | undefined {
    const { durable } = this.#parts;
    return durable === undefined ? undefined : { context: durable.context, run: durable.log.writer.record.id, failure: durable.log.failure };
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

  /** The prepared transaction that waits for its decision: of this process, or of an earlier one. */
  get inDoubt(): string | undefined {
    return this.#inDoubt?.id ?? this.#prepared?.id;
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
    this.#mustBeReady();
    const transaction = new Transaction(this.#host(), options);
    this.#transaction = transaction;
    return transaction;
  }

  #mustBeReady(): void {
    this.#parts.durable?.log.mustBeWell();
    if (this.#inDoubt !== undefined) throw new StillpointError('E_TXN_IN_DOUBT', `transaction ${this.#inDoubt.id} was prepared and waits for its decision: resolve it first`, { data: { id: this.#inDoubt.id } });
    if (this.hasEnded) throw new StillpointError('E_RUN_FINISHED', 'the guest has ended, nothing can begin in it any more', {});
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

  /**
   * The transaction under way, judged, with nothing of the machine on its way to the disk: its commit is the next that the store is asked for. `durable` is
   * undefined for a machine in memory. For commitTogether(). Throws E_USAGE when there is no transaction, and what its validator throws.
   */
  async readyToCommit(): Promise<{ readonly transaction: Transaction; readonly durable: { readonly store: Store; readonly run: RunId } | undefined }> {
    const transaction = this.#transaction;
    if (transaction === undefined) throw new StillpointError('E_USAGE', 'the machine has no transaction to commit', {});
    await transaction.validate();
    const { durable } = this.#parts;
    await durable?.log.settle();
    durable?.log.mustBeWell();
    return { transaction, durable: durable === undefined ? undefined : { store: durable.context.store, run: durable.log.writer.record.id } };
  }

  /** The transaction under way. */
  get transaction(): Transaction | undefined {
    return this.#transaction;
  }

  /** Decides the transaction that an earlier process prepared. Throws E_USAGE when none of that id is in doubt. */
  async resolve(id: string, decision: 'commit' | 'abort'): Promise<void> {
    this.#mustBeOpen();
    const prepared = this.#inDoubt;
    const { transaction: here } = this.#prepared ?? {};
    if (here !== undefined && this.#prepared?.id === id) return decision === 'commit' ? here.commit() : here.abort();
    if (prepared === undefined || prepared.id !== id) throw new StillpointError('E_USAGE', `no transaction ${id} is in doubt`, { data: { id } });
    const transaction = new Transaction(this.#host(), {});
    this.#transaction = transaction;
    if (decision === 'commit') await this.#repeat(prepared, transaction);
    this.#prepared = { id, transaction };
    this.#inDoubt = undefined;
    return decision === 'commit' ? transaction.commit() : transaction.abort();
  }

  /** Executes what a prepared transaction or a speculation was again, from its frames. */
  async #repeat({ frames, at }: Happened, transaction: Transaction): Promise<void> {
    const { feed, channels } = this.#core;
    try {
      feed.repeat(frames, (name) => channels.get(name)?.spec.access !== 'sequential');
      await this.#core.runTo(at, { seeds: [], release: async () => {} });
    } catch (error) {
      await transaction.abort(); // The record stays: it is still in doubt.
      throw error;
    }
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** Whether a transaction is open. */
  get isBusy(): boolean {
    return this.#transaction !== undefined;
  }

  /** What the transaction under way has changed, by page of memory and file. */
  changed(): ChangeSet {
    return this.#core.guest.changed();
  }

  /**
   * Another machine in memory, with the state of the last commit, that goes its own way: for readers. Not inside a transaction. It costs what the kernel's own state takes to write down;
   * memory and files are lent, so a page is copied when one of the two first writes to it or the fork reads it, and what holds them is made when the fork is first used.
   */
  fork(): Machine {
    this.#mustBeOpen();
    if (this.isBusy) throw new StillpointError('E_TXN_OPEN', 'a machine is forked between transactions; long ones can be speculations, which leave it free', {});
    const { manifest, digests, engine, image } = this.#parts;
    const { channels, guest, feed } = this.#core;
    if (this.#depth >= DEPTH_MAX) this.#standAlone();
    const state = guest.lend();
    const savedDigests = channels.saveDigests();
    const copied = feed.copy(channels);
    const core = (): Core => {
      const made = restoreGuest(manifest, { state, savedDigests, digests, engine, image, isLazy: true });
      prepareSoon(made.guest.kernel.spaceLimit);
      return new Core({ ...made, feed: copied, monotonicMs });
    };
    const leave = this.#heirs.enter(state);
    const fork: Machine = new Machine({ ...this.#parts, core, ports: new Map(), durable: undefined, release: () => fork.#heirs.afterLast(leave), letGo: async () => {} }, { depth: this.#depth + 1 });
    Heirs.watch(fork, leave);
    return fork;
  }

  /** Forks and branches of it that are not closed, or that others need which are not. */
  get openForks(): number {
    return this.#heirs.count;
  }

  /** Reads what it still has from the machine that it is a fork of. */
  #standAlone(): void {
    this.#core.guest.bringAll();
    this.#depth = 0;
  }

  /** A fork that may become this machine's state: one of several continuations (promote). */
  branch(): Machine {
    const branch = this.fork();
    branch.#origin = { machine: this, base: this.#commits, frames: [], operations: [], changes: [] };
    return branch;
  }

  /**
   * The transactions of a branch happen here, as one commit; the branch is closed. Resolves when it is durable. Throws E_TXN_CONFLICT when something was
   * committed here since it began, E_TXN_OPEN.
   */
  async promote(branch: Machine): Promise<void> {
    this.#mustBeOpen();
    branch.#mustBeOpen();
    const origin = branch.#origin;
    if (origin?.machine !== this) throw new StillpointError('E_USAGE', 'only a branch of this machine can be promoted', {});
    if (this.isBusy || branch.isBusy) throw new StillpointError('E_TXN_OPEN', 'a branch is promoted between transactions', {});
    if (origin.base !== this.#commits) throw new StillpointError('E_TXN_CONFLICT', `the machine has gone on since the branch began (commit ${this.#commits} after ${origin.base})`, { data: { base: origin.base, commits: this.#commits } });
    branch.#isClosed = true;
    branch.#standAlone();
    this.#core = branch.#core;
    this.#parts.durable?.checkpoints.replace();
    this.#changes.add(this.#commits + 1, unionOf(origin.changes));
    const recorded = this.#record(origin);
    await branch.#parts.release();
    return recorded;
  }

  /** A transaction on a fork, beside others. Its commit throws E_TXN_CONFLICT when it would go another way now. */
  beginSpeculation(options: SpeculationOptions = {}): Speculation {
    this.#mustBeOpen();
    return new Speculation({ machine: this, changes: this.#changes, promote: (branch) => this.promote(branch) }, options);
  }

  /** One speculation around `body`, from the new state again as often as it loses, at most `attempts` times (default 10). */
  async speculate<Result>(body: (speculation: Speculation) => Promise<Result>, options: SpeculationOptions & { readonly attempts?: number } = {}): Promise<Result> {
    for (let attempt = 1; ; attempt++) {
      const speculation = this.beginSpeculation(options);
      try {
        const result = await body(speculation);
        await speculation.commit();
        return result;
      } catch (error) {
        await speculation.abort();
        const hasLost = error instanceof StillpointError && error.code === 'E_TXN_CONFLICT';
        if (!hasLost || attempt >= (options.attempts ?? 10)) throw error;
      }
    }
  }

  /** Threads in which speculations run beside each other (pool.ts). Closed with the machine. */
  openPool(options: PoolOptions = {}): SpeculationPool {
    this.#mustBeOpen();
    const { manifest, engine, image, imagePlace } = this.#parts;
    if (image !== undefined && imagePlace === undefined) throw new StillpointError('E_UNSUPPORTED', 'the image of this machine cannot be read by other threads', {});
    const pool = new SpeculationPool({
      setup: { manifest: encodeManifest(manifest), engine, image: imagePlace }, changes: this.#changes, commits: () => this.#commits, isBusy: () => this.isBusy, mustBeReady: () => this.#mustBeReady(),
      pack: () => packState(this.#core),
      follow: (listener) => { this.#followers.add(listener); return () => { this.#followers.delete(listener); }; },
      adopt: (finished, state) => this.#adopt(finished, state),
    }, options);
    this.#pools.add(pool);
    return pool;
  }

  /** What a speculation on the last commit did happens here. */
  async #adopt(finished: Finished, state: PackedState | undefined): Promise<{ readonly durable: Promise<void> }> {
    if (state === undefined) {
      const transaction = this.begin();
      await this.#repeat(finished, transaction);
      return { durable: transaction.commit() };
    }
    this.#mustBeReady();
    this.#core = unpackState(state, { ...this.#parts, feed: this.#core.feed.sibling() });
    this.#parts.durable?.checkpoints.replace();
    this.#changes.add(this.#commits + 1, finished.changes);
    return { durable: this.#record(finished) };
  }

  /** Waits for everything that was committed, takes a checkpoint, and gives the run up. An open transaction is aborted. */
  async close(): Promise<void> {
    if (this.#isClosed) return;
    for (const pool of this.#pools) await pool.close();
    if (this.#transaction?.state === 'open') await this.#transaction.abort();
    this.#isClosed = true;
    try {
      await this.#delivery;
      await this.#finish();
    } finally {
      await this.#parts.release();
      // Forks over an image read it from the store, or wherever it lies.
      if (this.#parts.image === undefined) await this.#parts.letGo();
      else await this.#heirs.afterLast(this.#parts.letGo);
    }
  }

  async #finish(): Promise<void> {
    const { durable } = this.#parts;
    if (durable === undefined || (this.hasEnded && this.#transaction === undefined)) return durable?.log.settle();
    await durable.log.settle();
    durable.log.mustBeWell();
    if (this.#transaction !== undefined || this.#inDoubt !== undefined) return durable.log.writer.close(); // Prepared: in doubt until somebody decides.
    await durable.log.append({ at: this.#core.at, frames: [], operations: [], positions: new Map(), checkpoint: durable.checkpoints.take(this.#core, { kind: 'stop', reason: 'the machine was closed' }) });
  }

  #host(): TransactionHost {
    return {
      core: this.#core, monotonicMs, capAt: this.#parts.manifest.maxInstructions ?? undefined,
      commit: (also) => this.#commit(also), prepare: (id) => this.#prepare(id), aborted: () => this.#aborted(),
    };
  }

  /** In memory at once; the promise is for the disk. */
  #commit(more?: CommitMore): Promise<void> {
    const core = this.#core;
    const origin = this.#origin;
    core.feed.settle(core.channels, core.at);
    const isWatched = this.#changes.isWanted || (origin !== undefined && origin.machine.#changes.isWanted);
    const changes = isWatched ? core.guest.changed() : undefined;
    if (changes !== undefined) this.#changes.add(this.#commits + 1, changes);
    const happened = { frames: core.feed.takeFrames(), operations: core.channels.takeOutput() };
    core.guest.release();
    this.#transaction = undefined;
    if (origin !== undefined) {
      origin.frames.push(...happened.frames);
      origin.operations.push(...happened.operations);
      if (changes !== undefined) origin.changes.push(changes);
    }
    return this.#record(happened, more);
  }

  /** What has happened in memory becomes durable. */
  #record({ frames: inputs, operations }: { readonly frames: readonly FreshFrame[]; readonly operations: readonly OutputOperation[] }, more?: CommitMore): Promise<void> {
    const { durable, ports } = this.#parts;
    const wasPrepared = this.#prepared !== undefined;
    const core = this.#core;
    const { at } = core;
    this.#prepared = undefined;
    this.#commits++;
    for (const follower of this.#followers) follower({ frames: inputs, at }, this.#commits);
    if (durable === undefined) {
      return ports.size === 0 || operations.length === 0 ? Promise.resolve() : this.#deliver(operations);
    }
    const positions = new Map(operations.map(({ channel }) => [channel, core.channels.get(channel)!.bytesWritten]));
    const outputs = [...positions].map(([channel, position]) => ({ kind: 'output' as const, at, channel, position, digest: core.channels.get(channel)!.accounts().output!.sha256 as Root }));
    const frames = [...inputs, ...outputs];
    durable.checkpoints.count(frames, at);
    const outcome = core.guest.kernel.outcome;
    const checkpoint = outcome === undefined ? durable.checkpoints.due(core) : durable.checkpoints.take(core, { kind: 'exit', outcome });
    return durable.log.append({ at, frames, operations, positions, checkpoint, also: wasPrepared || more !== undefined ? { puts: more?.puts ?? [], deletes: [...more?.deletes ?? [], ...(wasPrepared ? [preparedDelete(durable.log.writer.record.id)] : [])] } : undefined });
  }

  #deliver(operations: readonly OutputOperation[]): Promise<void> {
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
    this.#prepared = { id, transaction: this.#transaction! }; // It is preparing.
  }

  async #aborted(): Promise<void> {
    const { durable } = this.#parts;
    this.#core.guest.release();
    this.#transaction = undefined;
    if (this.#prepared === undefined) return;
    this.#prepared = undefined;
    if (durable !== undefined) await this.#also({ deletes: [preparedDelete(durable.log.writer.record.id)] });
  }

  /** A commit of the run that changes other records only. */
  #also(also: NonNullable<CommitItem['also']>): Promise<void> {
    return this.#parts.durable!.log.append({ at: instructionCount(0n), frames: [], operations: [], positions: new Map(), also });
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
    this.#parts.durable!.log.mustBeWell(); // The files are complete.
  }

  #mustBeOpen(): void {
    if (this.#isClosed) throw new StillpointError('E_USAGE', 'the machine is closed', {});
  }
}
