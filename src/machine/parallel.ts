/**
 * A transaction in a thread of its own: its client's words go to a replica, what came of them comes back.
 * Invariants: words arrive in the order in which they were said; after a failure, an abort or a commit it is over.
 * What this does NOT do: choose threads, decide commits (pool.ts).
 */
import { StillpointError } from '../core/index.ts';
import type { RunEnd, Until } from './core.ts';
import type { Replica } from './replica.ts';
import type { Step } from './script.ts';
import type { SpeculationOptions } from './speculation.ts';

export type ParallelOptions = Pick<SpeculationOptions, 'conflicts' | 'maxInstructions' | 'timeoutMs'>;

interface ParallelParts {
  readonly replica: Replica;
  readonly base: number;
  readonly options: ParallelOptions;
  readonly commit: (speculation: ParallelSpeculation) => Promise<{ readonly durable: Promise<void> }>;
  readonly leave: (speculation: ParallelSpeculation) => void;
}

/** A place inside a speculation to come back to, as often as wanted. */
export interface ParallelSavepoint { rollback(): Promise<void> }

/** A transaction in a thread of its own. */
export class ParallelSpeculation {
  readonly #parts: ParallelParts;
  /** Commits of the machine that it has seen. */
  base: number;
  #isOver = false;
  #isRunning = false;
  /** The first step that failed without being waited for. */
  #sent: Promise<unknown> = Promise.resolve();

  /** Use SpeculationPool.begin(). */
  constructor(parts: ParallelParts) {
    this.#parts = parts;
    this.base = parts.base;
  }

  get replica(): Replica {
    return this.#parts.replica;
  }

  get options(): ParallelOptions {
    return this.#parts.options;
  }

  /** As Transaction.send(); what is wrong with it is thrown by the next call that is waited for. */
  send(channel: string, bytes: Uint8Array | string): void {
    this.#post({ kind: 'send', channel, bytes: typeof bytes === 'string' ? new TextEncoder().encode(bytes) : bytes.slice() });
  }

  end(channel: string): void {
    this.#post({ kind: 'end', channel });
  }

  /** As Transaction.run(); a failure ends the speculation. */
  async run(until: Until = { kind: 'waiting' }): Promise<RunEnd> {
    this.#isRunning = true;
    try {
      return await this.#step({ kind: 'run', until }) as RunEnd; // What a run gives.
    } catch (error) {
      this.#isRunning = false;
      await this.abort();
      throw error;
    } finally {
      this.#isRunning = false;
    }
  }

  async read(channel: string): Promise<Uint8Array> {
    return await this.#step({ kind: 'read', channel }) as Uint8Array; // What a read gives.
  }

  async readText(channel: string): Promise<string> {
    return new TextDecoder().decode(await this.read(channel));
  }

  /** As Transaction.savepoint(). What was seen since stays seen: it must come again at the commit as well. */
  async savepoint(): Promise<ParallelSavepoint> {
    const savepoint = await this.#step({ kind: 'savepoint' }) as number; // Its number.
    return { rollback: async () => { await this.#step({ kind: 'rollback', savepoint }); } };
  }

  /** Resolves when it is durable. Throws E_TXN_CONFLICT: it has not happened, and would go another way now. */
  async commit(): Promise<void> {
    const { durable } = await this.settle();
    return durable;
  }

  /** Resolves when the commit is final in memory; `durable` is for the disk. */
  async settle(): Promise<{ readonly durable: Promise<void> }> {
    this.#mustBeOpen();
    try {
      await this.#sent;
      const settled = await this.#parts.commit(this);
      settled.durable.catch(() => {}); // Whoever waits for it is told.
      this.#leave();
      return settled;
    } catch (error) {
      await this.abort();
      throw error;
    }
  }

  /** None of it has happened. One that is running is stopped, with its thread. */
  async abort(): Promise<void> {
    if (this.#isOver) return;
    const { replica } = this.#parts;
    if (this.#isRunning) await replica.stop();
    else if (!replica.isOver) await replica.undo();
    this.#leave();
  }

  #leave(): void {
    this.#isOver = true;
    this.#parts.leave(this);
  }

  #post(step: Step): void {
    this.#mustBeOpen();
    const posted = this.#parts.replica.step(step);
    posted.catch(() => {});
    this.#sent = Promise.all([this.#sent, posted]);
    this.#sent.catch(() => {});
  }

  async #step(step: Step): Promise<unknown> {
    this.#mustBeOpen();
    const done = this.#parts.replica.step(step);
    done.catch(() => {});
    await this.#sent;
    return done;
  }

  #mustBeOpen(): void {
    if (this.#isOver) throw new StillpointError('E_TXN_OVER', 'the speculation has ended already', {});
  }
}
