/**
 * The life of one transaction, as a state machine without a machine behind it.
 *
 *   open ──► committed            open ──► prepared ──► committed
 *    └─────► aborted                          └───────► aborted
 *
 * Invariants: an end is final; a prepared transaction does nothing more but end.
 * What this does NOT do: any of it (machine/transaction.ts).
 */
import { StillpointError } from '../core/index.ts';

export type TransactionState = 'open' | 'prepared' | 'committed' | 'aborted';
export type TransactionStep = 'use' | 'prepare' | 'commit' | 'abort';

const NEXT: Readonly<Record<TransactionState, Partial<Readonly<Record<TransactionStep, TransactionState>>>>> = {
  open: { use: 'open', prepare: 'prepared', commit: 'committed', abort: 'aborted' },
  prepared: { commit: 'committed', abort: 'aborted' },
  committed: {},
  aborted: { abort: 'aborted' }, // Whoever gives up need not know that a failure did it already.
};

/** The state after a step. Throws E_TXN_OVER. */
export function nextState(state: TransactionState, step: TransactionStep): TransactionState {
  const next = NEXT[state][step];
  if (next !== undefined) return next;
  throw new StillpointError('E_TXN_OVER', `the transaction is ${state}: it cannot ${step === 'use' ? 'be used' : step} any more`, { data: { state } });
}
