/**
 * A transaction on a resident machine: everything that the guest does between begin and commit happens, or none of it.
 *
 *   begin ─► send, run, read ─► savepoint ─► send, run, read ─► rollback ─► … ─► commit | abort
 *
 * Invariants: what read() shows has left to nobody else before the commit; after an abort (asked for, or because run() failed) the machine has the
 * root that it had at begin; a savepoint ends with the rollback of one made before it.
 * What this does NOT do: run the guest (core.ts), make things durable (commit-log.ts).
 */
import { StillpointError, type Undo } from '../core/index.ts';
import type { StoreDelete, StorePut } from '../store/index.ts';
import { nextState, type TransactionState, type TransactionStep } from '../txn/index.ts';
import type { Core, RunEnd, Until } from './core.ts';

export interface TransactionOptions {
  /** Instructions that the transaction may execute; more is E_TXN_CAP. */
  readonly maxInstructions?: bigint;
  /** Host time of each run(); more is E_TXN_TIMEOUT. Never seen by the guest. */
  readonly timeoutMs?: number;
  /** Asked before the commit: a text is why not, and aborts with E_TXN_REFUSED. */
  readonly validate?: (transaction: Transaction) => string | undefined | Promise<string | undefined>;
}

/** Records of the store that change in the commit of a transaction, or not at all. */
export interface CommitMore { readonly puts: readonly StorePut[]; readonly deletes: readonly StoreDelete[] }

/** What the machine does for its transaction. */
export interface TransactionHost {
  readonly core: Core;
  readonly monotonicMs: () => number;
  /** Instruction count that the machine must not pass. */
  readonly capAt: bigint | undefined;
  /** Resolves when the transaction is durable. The state in memory is final when this returns. */
  commit(also: CommitMore | undefined): Promise<void>;
  prepare(id: string): Promise<void>;
  aborted(): Promise<void>;
}

export class Transaction {
  readonly #host: TransactionHost;
  readonly #options: TransactionOptions;
  readonly #undo: Undo;
  readonly #capAt: bigint | undefined;
  #state: TransactionState = 'open';
  #isBusy = false;
  /** The validator has said yes, and nothing has happened since. */
  #isValid = false;
  /** Bytes of each channel that read() has given. */
  #read = new Map<string, number>();
  /** Savepoints that can be rolled back to, outermost first. */
  readonly #savepoints: Savepoint[] = [];

  /** Use Machine.begin(). */
  constructor(host: TransactionHost, options: TransactionOptions) {
    this.#host = host;
    this.#options = options;
    const own = options.maxInstructions === undefined ? undefined : host.core.guest.retired + options.maxInstructions;
    this.#capAt = own === undefined || (host.capAt !== undefined && host.capAt < own) ? host.capAt : own;
    this.#undo = host.core.mark();
  }

  get state(): TransactionState {
    return this.#state;
  }

  /** Bytes for a channel that the guest reads: one message on a live channel. Copied. */
  send(channel: string, bytes: Uint8Array | string): void {
    this.#step('use');
    this.#mustRead(channel);
    this.#host.core.feed.send(channel, typeof bytes === 'string' ? new TextEncoder().encode(bytes) : bytes.slice());
  }

  /** Nothing more comes on the channel: its reader sees the end. */
  end(channel: string): void {
    this.#step('use');
    this.#mustRead(channel);
    this.#host.core.feed.end(channel);
  }

  /**
   * Lets the guest run until it waits for input that was not sent, or until what is asked for. When the guest faults, exits with another status than 0,
   * reaches a cap or takes too long the transaction is aborted and this throws E_TXN_FAULT, E_TXN_EXIT, E_TXN_CAP or E_TXN_TIMEOUT.
   */
  async run(until: Until = { kind: 'waiting' }): Promise<RunEnd> {
    this.#step('use');
    const { core, monotonicMs } = this.#host;
    this.#isValid = false;
    if (until.kind === 'output') this.#mustWrite(until.channel);
    const deadlineMs = this.#options.timeoutMs === undefined ? undefined : monotonicMs() + this.#options.timeoutMs;
    this.#isBusy = true;
    try {
      return await core.drive(until, { limits: { capAt: this.#capAt, deadlineMs }, read: (channel) => this.#read.get(channel) ?? 0 });
    } catch (error) {
      this.#isBusy = false;
      await this.abort();
      throw error;
    } finally {
      this.#isBusy = false;
    }
  }

  /** What the guest has written to a channel in this transaction since the last read(). */
  read(channel: string): Uint8Array {
    this.#step('use');
    this.#mustWrite(channel);
    const from = this.#read.get(channel) ?? 0;
    const bytes = this.#host.core.held(channel, from);
    this.#read.set(channel, from + bytes.length);
    return bytes;
  }

  /** The same as text. */
  readText(channel: string): string {
    return new TextDecoder().decode(this.read(channel));
  }

  savepoint(): Savepoint {
    this.#step('use');
    const undo = this.#host.core.mark();
    const read = new Map(this.#read);
    const savepoint = new Savepoint(() => {
      this.#step('use');
      const place = this.#savepoints.indexOf(savepoint);
      if (place < 0) throw new StillpointError('E_TXN_OVER', 'the savepoint ended with the rollback of one that was made before it', {});
      this.#savepoints.length = place + 1;
      undo();
      this.#read = new Map(read);
    });
    this.#savepoints.push(savepoint);
    return savepoint;
  }

  /**
   * Makes all of it happen. The machine is free for the next transaction when this returns its promise (after `validate`), which resolves when the commit is
   * on disk (at once without a store); transactions become durable in order, several at a time. `also`: for layers above.
   */
  async commit(also?: CommitMore): Promise<void> {
    if (this.#state === 'open' && this.#options.validate !== undefined && !this.#isValid) await this.validate();
    this.#step('commit');
    return this.#host.commit(also);
  }

  /** Asks the validator now, and not again at the commit that follows. Throws E_TXN_REFUSED; then the transaction is aborted. */
  async validate(): Promise<void> {
    this.#step('use');
    const { validate } = this.#options;
    const refusal = validate === undefined ? undefined : await this.#validated(validate);
    if (refusal !== undefined) {
      await this.abort();
      throw new StillpointError('E_TXN_REFUSED', `the transaction was refused and aborted: ${refusal}`, { data: { reason: refusal } });
    }
    this.#isValid = true;
  }

  /**
   * Makes it durable without making it happen: from now on it can only be committed or aborted, by this object or, after a crash, by
   * Machine.resolve(id, …). The machine does nothing else until then.
   */
  async prepare(id: string): Promise<void> {
    this.#step('prepare');
    try {
      await this.#host.prepare(id);
    } catch (error) {
      await this.abort();
      throw error;
    }
  }

  /** None of it has happened. Aborting twice is no error. */
  async abort(): Promise<void> {
    if (this.#state === 'aborted') return;
    this.#step('abort');
    this.#undo();
    await this.#host.aborted();
  }

  async #validated(validate: NonNullable<TransactionOptions['validate']>): Promise<string | undefined> {
    try {
      return await validate(this);
    } catch (error) {
      await this.abort();
      throw error;
    }
  }

  #step(step: TransactionStep): void {
    if (this.#isBusy) throw new StillpointError('E_TXN_OPEN', 'the transaction is running: wait for run() to resolve', {});
    this.#state = nextState(this.#state, step);
  }

  #mustRead(channel: string): void {
    const spec = this.#host.core.channels.get(channel)?.spec;
    if (spec?.reads === true && spec.access === 'sequential') return;
    throw new StillpointError('E_USAGE', `the machine has no channel ${channel} that it reads messages from`, { data: { channel } });
  }

  #mustWrite(channel: string): void {
    const spec = this.#host.core.channels.get(channel)?.spec;
    if (spec?.writes === true && spec.access !== 'random') return;
    throw new StillpointError('E_USAGE', `the machine has no channel ${channel} that it writes in order`, { data: { channel } });
  }
}

/** A place inside a transaction to come back to, as often as wanted. */
export class Savepoint {
  readonly #rollback: () => void;

  constructor(rollback: () => void) {
    this.#rollback = rollback;
  }

  /** The machine is again as it was when the savepoint was made; later savepoints have ended. Throws E_TXN_OVER. */
  rollback(): void {
    this.#rollback();
  }
}
