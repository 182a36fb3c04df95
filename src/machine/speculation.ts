/**
 * A transaction on a fork: others begin and commit meanwhile, and at its own commit it is found out whether it could as well have run now.
 *
 *   begin: fork of the last commit ─► send, run, read ─► commit
 *        nobody committed since: the fork becomes the machine
 *        somebody did:           its inputs are executed again from the newer state; the same outputs: committed, as if it had run now
 *                                                                                      others: E_TXN_CONFLICT, the machine is untouched
 *
 * Invariants: whatever is committed, the machine's history is one of transactions one after the other (serializable): a transaction that is
 * committed has shown its client exactly what it would have seen alone at that moment. With `conflicts: 'pages'` the first committer wins as soon
 * as both changed one page of memory or of a file, whatever was shown.
 * What this does NOT do: run in another thread (pool.ts does): forks of one thread take turns.
 */
import { StillpointError } from '../core/index.ts';
import type { ChangeLog } from '../txn/index.ts';
import type { RunEnd, Until } from './core.ts';
import type { Machine } from './machine.ts';
import { conflict, Script } from './script.ts';
import { Savepoint, type Transaction, type TransactionOptions } from './transaction.ts';

export interface SpeculationOptions extends TransactionOptions {
  /** What a loser is: one that showed something else than it would show now (default), or one that changed a page which an earlier committer changed too. */
  readonly conflicts?: 'outputs' | 'pages';
}

/** What the machine does for it. */
export interface SpeculationHost {
  readonly machine: Machine;
  readonly changes: ChangeLog;
  /** The fork becomes the machine's state, as one commit. */
  promote(fork: Machine): Promise<void>;
}

export class Speculation {
  readonly #host: SpeculationHost;
  readonly #options: SpeculationOptions;
  readonly #fork: Machine;
  readonly #transaction: Transaction;
  /** Commits of the machine that it has seen. */
  readonly #base: number;
  readonly #script = new Script();
  #isOver = false;

  /** Use Machine.beginSpeculation(). */
  constructor(host: SpeculationHost, options: SpeculationOptions) {
    this.#host = host;
    this.#options = options;
    this.#base = host.machine.commits;
    this.#fork = host.machine.branch();
    this.#transaction = this.#fork.begin(options);
    host.changes.open(this.#base);
  }

  send(channel: string, bytes: Uint8Array | string): void {
    this.#script.takeNow(this.#transaction, { kind: 'send', channel, bytes: typeof bytes === 'string' ? new TextEncoder().encode(bytes) : bytes.slice() });
  }

  end(channel: string): void {
    this.#script.takeNow(this.#transaction, { kind: 'end', channel });
  }

  /** As Transaction.run(); a failure ends the speculation. */
  async run(until: Until = { kind: 'waiting' }): Promise<RunEnd> {
    try {
      return await this.#script.take(this.#transaction, { kind: 'run', until }) as RunEnd; // What a run gives.
    } catch (error) {
      await this.abort();
      throw error;
    }
  }

  read(channel: string): Uint8Array {
    return this.#script.takeNow(this.#transaction, { kind: 'read', channel }) as Uint8Array; // What a read gives.
  }

  /** As Transaction.savepoint(). What was seen since stays seen: it must come again at the commit as well. */
  savepoint(): Savepoint {
    const savepoint = this.#script.takeNow(this.#transaction, { kind: 'savepoint' }) as number; // Its number.
    return new Savepoint(() => { this.#script.takeNow(this.#transaction, { kind: 'rollback', savepoint }); });
  }

  readText(channel: string): string {
    return new TextDecoder().decode(this.read(channel));
  }

  /** Resolves when it is durable. Throws E_TXN_CONFLICT: it has not happened, and would go another way now. */
  async commit(): Promise<void> {
    const { machine, changes } = this.#host;
    if (this.#isOver) throw new StillpointError('E_TXN_OVER', 'the speculation has ended already', {});
    if (machine.commits === this.#base && !machine.isBusy) {
      await this.#transaction.commit();
      this.#leave();
      return this.#host.promote(this.#fork);
    }
    try {
      if (this.#options.conflicts === 'pages') {
        const place = changes.conflict(this.#base, this.#fork.changed());
        if (place !== undefined) throw conflict(`commit ${place.number} changed page ${place.page} of ${place.object} first`);
      }
      const transaction = machine.begin(this.#options);
      await this.#script.again(transaction);
      await transaction.commit();
    } finally {
      await this.abort();
    }
  }

  async abort(): Promise<void> {
    if (this.#isOver) return;
    this.#leave();
    await this.#fork.close();
  }

  #leave(): void {
    this.#isOver = true;
    this.#host.changes.close(this.#base);
  }
}
