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
 * What this does NOT do: run in another thread: forks of one process take turns.
 */
import { StillpointError } from '../core/index.ts';
import type { ChangeLog } from '../txn/index.ts';
import type { RunEnd, Until } from './core.ts';
import type { Machine } from './machine.ts';
import type { Transaction, TransactionOptions } from './transaction.ts';

export interface SpeculationOptions extends TransactionOptions {
  /** What a loser is: one that showed something else than it would show now (default), or one that changed a page which an earlier committer changed too. */
  readonly conflicts?: 'outputs' | 'pages';
}

/** One thing that its client did. */
type Operation =
  | { readonly kind: 'send'; readonly channel: string; readonly bytes: Uint8Array }
  | { readonly kind: 'end'; readonly channel: string }
  | { readonly kind: 'run'; readonly until: Until; readonly end: RunEnd }
  | { readonly kind: 'read'; readonly channel: string; readonly bytes: Uint8Array };

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
  readonly #operations: Operation[] = [];
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
    this.#transaction.send(channel, bytes);
    this.#operations.push({ kind: 'send', channel, bytes: typeof bytes === 'string' ? new TextEncoder().encode(bytes) : bytes.slice() });
  }

  end(channel: string): void {
    this.#transaction.end(channel);
    this.#operations.push({ kind: 'end', channel });
  }

  /** As Transaction.run(); a failure ends the speculation. */
  async run(until: Until = { kind: 'waiting' }): Promise<RunEnd> {
    try {
      const end = await this.#transaction.run(until);
      this.#operations.push({ kind: 'run', until, end });
      return end;
    } catch (error) {
      await this.abort();
      throw error;
    }
  }

  read(channel: string): Uint8Array {
    const bytes = this.#transaction.read(channel);
    this.#operations.push({ kind: 'read', channel, bytes });
    return bytes;
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
      await this.#again(transaction);
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

  /** The same from the state of now; what its client saw must come again. */
  async #again(transaction: Transaction): Promise<void> {
    try {
      for (const operation of this.#operations) {
        switch (operation.kind) {
          case 'send': transaction.send(operation.channel, operation.bytes); break;
          case 'end': transaction.end(operation.channel); break;
          case 'run': {
            const end = await transaction.run(operation.until);
            if (JSON.stringify(end) !== JSON.stringify(operation.end)) throw conflict('its guest would stop elsewhere now');
            break;
          }
          case 'read':
            if (!isSame(transaction.read(operation.channel), operation.bytes)) throw conflict(`it would see something else on channel ${operation.channel} now`);
            break;
          default: operation satisfies never;
        }
      }
    } catch (error) {
      await transaction.abort();
      if (error instanceof StillpointError && error.code.startsWith('E_TXN_') && error.code !== 'E_TXN_CONFLICT') throw conflict(`it would fail now: ${error.message}`, error);
      throw error;
    }
  }
}

function conflict(why: string, cause?: unknown): StillpointError {
  return new StillpointError('E_TXN_CONFLICT', `another transaction committed first: ${why}; try again`, { data: { why }, ...(cause === undefined ? {} : { cause }) });
}

function isSame(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, index) => byte === b[index]);
}
