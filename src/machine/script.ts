/**
 * What the client of a speculation did and saw, to be done again from another state.
 *
 *   send, end, run, read, savepoint, rollback ─► noted with what came of them ─► again(transaction): the same must come again
 *
 * Invariants: what was seen before a rollback was seen, so it is done again and compared as well; a script that came again without an objection has shown its
 * client exactly what it would have seen in the other state.
 * What this does NOT do: begin or end transactions.
 */
import { StillpointError } from '../core/index.ts';
import type { RunEnd, Until } from './core.ts';
import type { Savepoint, Transaction } from './transaction.ts';

/** One thing that a client asks for. Savepoints are numbered from 0 in the order in which they are made. */
export type Step =
  | { readonly kind: 'send'; readonly channel: string; readonly bytes: Uint8Array }
  | { readonly kind: 'end'; readonly channel: string }
  | { readonly kind: 'run'; readonly until: Until }
  | { readonly kind: 'read'; readonly channel: string }
  | { readonly kind: 'savepoint' }
  | { readonly kind: 'rollback'; readonly savepoint: number };

/** What came of it: where the guest stopped, what was read, the number of the savepoint. */
export type Seen = RunEnd | Uint8Array | number | undefined;

export class Script {
  readonly #steps: { readonly step: Step; readonly seen: Seen }[] = [];
  #savepoints: Savepoint[] = [];

  /** Does it and notes it. A step that throws is not noted: its speculation is over, or it had no effect. */
  async take(transaction: Transaction, step: Step): Promise<Seen> {
    const seen = await perform(transaction, step, this.#savepoints);
    this.#steps.push({ step, seen });
    return seen;
  }

  /** The same for steps that need not be waited for. */
  takeNow(transaction: Transaction, step: Exclude<Step, { kind: 'run' }>): Seen {
    const seen = performNow(transaction, step, this.#savepoints);
    this.#steps.push({ step, seen });
    return seen;
  }

  /** All of it in a transaction on another state. Throws E_TXN_CONFLICT when something else comes of it; the transaction is aborted then. */
  async again(transaction: Transaction): Promise<void> {
    const savepoints: Savepoint[] = [];
    try {
      for (const { step, seen } of this.#steps) {
        const now = await perform(transaction, step, savepoints);
        if (step.kind === 'run' && JSON.stringify(now) !== JSON.stringify(seen)) throw conflict('its guest would stop elsewhere now');
        if (step.kind === 'read' && !isSame(now as Uint8Array, seen as Uint8Array)) throw conflict(`it would see something else on channel ${step.channel} now`); // Reads give bytes.
      }
    } catch (error) {
      if (transaction.state === 'open') await transaction.abort();
      if (error instanceof StillpointError && error.code.startsWith('E_TXN_') && error.code !== 'E_TXN_CONFLICT') throw conflict(`it would fail now: ${error.message}`, error);
      throw error;
    }
    this.#savepoints = savepoints;
  }
}

async function perform(transaction: Transaction, step: Step, savepoints: Savepoint[]): Promise<Seen> {
  return step.kind === 'run' ? transaction.run(step.until) : performNow(transaction, step, savepoints);
}

function performNow(transaction: Transaction, step: Exclude<Step, { kind: 'run' }>, savepoints: Savepoint[]): Seen {
  switch (step.kind) {
    case 'send': transaction.send(step.channel, step.bytes); return undefined;
    case 'end': transaction.end(step.channel); return undefined;
    case 'read': return transaction.read(step.channel);
    case 'savepoint': return savepoints.push(transaction.savepoint()) - 1;
    case 'rollback': {
      const savepoint = savepoints[step.savepoint];
      if (savepoint === undefined) throw new StillpointError('E_USAGE', `the speculation has no savepoint ${step.savepoint}`, { data: { savepoint: step.savepoint } });
      savepoint.rollback();
      return undefined;
    }
    default: return step satisfies never;
  }
}

/** Why a speculation cannot be committed as it is. */
export function conflict(why: string, cause?: unknown): StillpointError {
  return new StillpointError('E_TXN_CONFLICT', `another transaction committed first: ${why}; try again`, { data: { why }, ...(cause === undefined ? {} : { cause }) });
}

function isSame(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, index) => byte === b[index]);
}
