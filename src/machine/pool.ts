/**
 * Speculations in parallel: each runs in a thread on a replica of the machine, and they commit one after the other.
 *
 *   machine ── commits ──► log ──► replicas follow, when they are next used           (by executing the inputs, or by a copy of the state, whichever is less)
 *      ▲                            │
 *      │                     begin ─► steps ─► commit ─► nobody committed since: taken over
 *      └──── one at a time ◄────────────────────────────► somebody did: the same steps after it; the same answers: taken over, others: E_TXN_CONFLICT
 *
 * Invariants: the machine's history is one of transactions one after the other, and its state at each is what their inputs, executed in that order on one
 * thread, make of it: the journal replays it. A loser leaves nothing behind. `inOrder` commits in the order of its bodies, however fast each is, so that its
 * result does not depend on threads at all.
 * What this does NOT do: execute (replica-worker.ts), journal (machine.ts).
 */
import { StillpointError } from '../core/index.ts';
import type { ChangeLog } from '../txn/index.ts';
import { ParallelSpeculation, type ParallelOptions } from './parallel.ts';
import type { PackedState } from './replica-state.ts';
import { Replica } from './replica.ts';
import type { Finished, Happened, ReplicaSetup } from './replica-worker.ts';
import { conflict } from './script.ts';

export interface PoolOptions {
  /** Threads. Default: 2. */
  readonly workers?: number;
  /** Instructions from which on a state is copied rather than executed again. Default: 50 million, which take longer than the copy of an ordinary machine. */
  readonly copyInstructions?: bigint;
  /** The thread's program; tests give the built one. */
  readonly workerFile?: URL;
}
/** `attempts`: how often a body is called at most (default 10). */
export type RetryOptions = ParallelOptions & { readonly attempts?: number };

/** What the machine does for a pool. */
export interface PoolHost {
  readonly setup: ReplicaSetup;
  readonly changes: ChangeLog;
  /** Commits so far. */
  commits(): number;
  isBusy(): boolean;
  /** Throws why nothing can begin: E_RUN_FINISHED, E_TXN_IN_DOUBT, a failed store. */
  mustBeReady(): void;
  /** The state of the last commit. */
  pack(): PackedState;
  /** Tells of every commit from now on; the answer ends it. */
  follow(listener: (happened: Happened, number: number) => void): () => void;
  /** A finished speculation on the last commit happens here: by executing its inputs, or by taking over `state`. Durable when the inner promise resolves. */
  adopt(finished: Finished, state: PackedState | undefined): Promise<{ readonly durable: Promise<void> }>;
}

const WORKERS_MAX = 64;
const ATTEMPTS_DEFAULT = 10;
const COPY_INSTRUCTIONS_DEFAULT = 50_000_000n;
/** Commits that are remembered for replicas; one that is further behind gets a copy. */
const LOG_MAX = 1_000;

interface Logged { readonly happened: Happened; readonly number: number }

export class SpeculationPool {
  readonly #host: PoolHost;
  readonly #file: URL | undefined;
  readonly #copyInstructions: bigint;
  readonly #unfollow: () => void;
  readonly #log: Logged[] = [];
  /** Not in use. `undefined` is a place for a thread that was not needed yet. */
  readonly #idle: (Replica | undefined)[];
  readonly #wanting: ((replica: Replica | undefined) => void)[] = [];
  readonly #inUse = new Set<ParallelSpeculation>();
  /** The commit under way. */
  #turn: Promise<unknown> = Promise.resolve();
  #isClosed = false;

  /** Use Machine.openPool(). */
  constructor(host: PoolHost, { workers = 2, workerFile, copyInstructions = COPY_INSTRUCTIONS_DEFAULT }: PoolOptions) {
    if (!Number.isInteger(workers) || workers < 1 || workers > WORKERS_MAX) throw new StillpointError('E_USAGE', `a pool has 1 to ${WORKERS_MAX} workers, not ${workers}`, { data: { workers } });
    this.#host = host;
    this.#file = workerFile;
    this.#copyInstructions = copyInstructions;
    this.#idle = Array.from({ length: workers }, () => undefined);
    this.#unfollow = host.follow((happened, number) => {
      this.#log.push({ happened, number });
      if (this.#log.length > LOG_MAX) this.#log.shift();
    });
  }

  /** A speculation on the last commit, in a thread of its own; waits for a thread that is free. */
  async begin(options: ParallelOptions = {}): Promise<ParallelSpeculation> {
    const replica = await this.#take();
    try {
      return await this.#beginOn(replica, options);
    } catch (error) {
      this.#give(replica);
      throw error;
    }
  }

  /** One speculation around `body`, from the new state again as often as it loses. Resolves when it is durable. */
  async speculate<Result>(body: (speculation: ParallelSpeculation) => Promise<Result>, options: RetryOptions = {}): Promise<Result> {
    return this.#repeat(body, { options, turn: undefined });
  }

  /**
   * All bodies at once, as far as there are threads; they commit in their order, as if each had been begun after the one before had ended. A body that throws
   * has not happened, and the others go on.
   */
  async inOrder<Result>(bodies: readonly ((speculation: ParallelSpeculation) => Promise<Result>)[], options: RetryOptions = {}): Promise<readonly PromiseSettledResult<Result>[]> {
    let before: Promise<unknown> = Promise.resolve();
    const ended: Promise<Result>[] = [];
    for (const body of bodies) {
      const turn = before;
      let decided = (): void => {};
      before = new Promise<void>((resolve) => { decided = resolve; });
      ended.push(this.#repeat(body, { options, turn: { mine: turn, decided } }));
    }
    return Promise.allSettled(ended);
  }

  /** Ends the threads. What is open in them is aborted. */
  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    for (const speculation of [...this.#inUse]) await speculation.abort();
    this.#unfollow();
    for (const want of this.#wanting.splice(0)) want(undefined);
    await Promise.all(this.#idle.splice(0).map(async (replica) => replica?.stop()));
  }

  async #repeat<Result>(body: (speculation: ParallelSpeculation) => Promise<Result>, { options, turn }: { readonly options: RetryOptions; readonly turn: { readonly mine: Promise<unknown>; readonly decided: () => void } | undefined }): Promise<Result> {
    let replica = await this.#take();
    try {
      for (let attempt = 1; ; attempt++) {
        const speculation = await this.#beginOn(replica, options, () => {});
        let durable: Promise<void> | undefined;
        try {
          const result = await body(speculation);
          await turn?.mine;
          ({ durable } = await speculation.settle());
          turn?.decided();
          await durable;
          return result;
        } catch (error) {
          if (durable !== undefined) throw error; // It has happened in memory; the disk failed.
          await speculation.abort();
          await turn?.mine;
          const hasLost = error instanceof StillpointError && error.code === 'E_TXN_CONFLICT';
          const wasOld = turn !== undefined && speculation.base !== this.#host.commits(); // Alone it might have gone another way.
          if ((!hasLost && !wasOld) || attempt >= (options.attempts ?? ATTEMPTS_DEFAULT)) throw error;
          if (replica.isOver) replica = this.#fresh();
        }
      }
    } finally {
      turn?.decided();
      this.#give(replica);
    }
  }

  #fresh(): Replica {
    return new Replica(this.#host.setup, this.#file);
  }

  async #take(): Promise<Replica> {
    if (this.#isClosed) throw new StillpointError('E_USAGE', 'the pool is closed');
    const found = this.#idle.length > 0 ? this.#idle.pop() : await new Promise<Replica | undefined>((resolve) => { this.#wanting.push(resolve); });
    if (this.#isClosed) throw new StillpointError('E_USAGE', 'the pool is closed');
    return found === undefined || found.isOver ? this.#fresh() : found;
  }

  #give(replica: Replica): void {
    if (this.#isClosed) return void replica.stop();
    const want = this.#wanting.shift();
    if (want === undefined) this.#idle.push(replica);
    else want(replica);
  }

  async #beginOn(replica: Replica, options: ParallelOptions, release = (): void => { this.#give(replica); }): Promise<ParallelSpeculation> {
    const { changes, commits } = this.#host;
    this.#host.mustBeReady();
    await this.#canBegin(replica);
    const base = commits();
    changes.open(base); // From here on commits say what they change.
    try {
      const missed = replica.base === undefined ? undefined : this.#since(replica.base);
      const { maxInstructions, timeoutMs } = options;
      // Said at once: the thread takes them one after the other, and each wait for it costs a tenth of a millisecond.
      const ready = missed === undefined ? replica.load(this.#host.pack()) : missed.length > 0 ? replica.follow(missed) : undefined;
      const begun = replica.begin({ ...(maxInstructions === undefined ? {} : { maxInstructions }), ...(timeoutMs === undefined ? {} : { timeoutMs }) });
      await Promise.all([ready, begun]);
      replica.base = base;
    } catch (error) {
      changes.close(base);
      replica.base = undefined;
      if (!replica.isOver) await replica.undo(); // It may have begun all the same.
      throw error;
    }
    const speculation = new ParallelSpeculation({ replica, base, options, commit: (one) => this.#commit(one), leave: (one) => { this.#inUse.delete(one); changes.close(one.base); release(); } });
    this.#inUse.add(speculation);
    return speculation;
  }

  /** A copy of the state can only be made between transactions. */
  async #canBegin({ base }: Replica): Promise<void> {
    while (this.#host.isBusy() && (base === undefined || this.#since(base) === undefined)) {
      const turn = this.#turn;
      await turn;
      if (turn === this.#turn && this.#host.isBusy()) throw new StillpointError('E_TXN_OPEN', 'the machine is in the midst of a transaction: commit or abort it first', {});
    }
  }

  /** What a replica at commit `base` has missed; undefined when a copy is less work, or the only way. */
  #since(base: number): readonly Happened[] | undefined {
    const missed = this.#log.filter(({ number }) => number > base);
    const count = this.#host.commits() - base;
    if (missed.length !== count) return undefined;
    const first = this.#log.findLast(({ number }) => number === base)?.happened.at;
    const last = missed.at(-1)?.happened.at;
    if (first !== undefined && last !== undefined && last - first > this.#copyInstructions) return undefined;
    return missed.map(({ happened }) => happened);
  }

  /** One at a time. The state in memory is final when this resolves; `durable` is for the disk. */
  #commit(speculation: ParallelSpeculation): Promise<{ readonly durable: Promise<void> }> {
    const mine = this.#turn.then(() => this.#decide(speculation));
    this.#turn = mine.catch(() => {});
    return mine;
  }

  async #decide(speculation: ParallelSpeculation): Promise<{ readonly durable: Promise<void> }> {
    const { changes, commits, isBusy } = this.#host;
    const { replica, options } = speculation;
    let finished = await replica.finish();
    for (;;) {
      const base = commits();
      if (speculation.base !== base) {
        const place = options.conflicts === 'pages' ? changes.conflict(speculation.base, finished.changes) : undefined;
        if (place !== undefined) throw conflict(`commit ${place.number} changed page ${place.page} of ${place.object} first`);
        const missed = this.#since(speculation.base);
        if (missed === undefined) throw conflict('it began too long ago');
        changes.open(base);
        changes.close(speculation.base);
        speculation.base = base;
        replica.base = base;
        finished = await replica.again(missed);
        continue;
      }
      const state = finished.instructions > this.#copyInstructions ? await replica.state() : undefined;
      if (commits() !== base) continue;
      if (isBusy()) throw new StillpointError('E_TXN_OPEN', 'the machine is in the midst of a transaction: commit or abort it first', {});
      const adopted = await this.#host.adopt(finished, state);
      replica.base = base + 1;
      replica.keep().catch(() => { replica.base = undefined; }); // A thread that died is replaced; the commit has happened.
      return adopted;
    }
  }
}
