/**
 * Two-phase commit as a state machine: what is to be done now, and what an answer changes. Presumed abort: only "commit" is ever logged.
 *
 *                all yes              logged              all done
 *   preparing ───────────► deciding ─────────► committing ────────► forgetting ──► ended: committed
 *       │ a no, or unknown     │ not logged        │ some do not answer
 *       └──────────┬───────────┘                   └──────────────────────────────► ended: committed, unresolved (recovery goes on)
 *                  ▼
 *               aborting ─────────────────────────────────────────────────────────► ended: aborted (who does not answer is aborted by recovery)
 *
 * Invariants: nobody is told to commit before the decision is durable; after that nobody is told to abort; every participant that may be
 * prepared is told the outcome; a phase begins when everything of the one before was answered. Actions of one state are independent: their order is the driver's.
 * What this does NOT do: send, log, wait, or know what a participant is.
 */
import { assert } from '../core/index.ts';

export type Action =
  | { readonly kind: 'prepare' | 'commit' | 'abort'; readonly participant: string }
  /** Makes the decision durable: after it the transaction is committed. */
  | { readonly kind: 'decide' }
  /** Removes the decision. */
  | { readonly kind: 'forget' };

export type Commitment =
  | { readonly phase: 'preparing'; readonly waiting: readonly string[]; readonly all: readonly string[]; readonly isRefused: boolean }
  | { readonly phase: 'deciding'; readonly all: readonly string[] }
  | { readonly phase: 'committing'; readonly waiting: readonly string[]; readonly unresolved: readonly string[] }
  | { readonly phase: 'forgetting' }
  | { readonly phase: 'aborting'; readonly waiting: readonly string[]; readonly unresolved: readonly string[] }
  | { readonly phase: 'ended'; readonly outcome: 'committed' | 'aborted'; readonly unresolved: readonly string[] };

/** The state before anything was sent. */
export function beginCommitment(participants: readonly string[]): Commitment {
  assert(participants.length > 0 && new Set(participants).size === participants.length, 'participants of a transaction differ');
  return { phase: 'preparing', waiting: participants, all: participants, isRefused: false };
}

/** The state of a transaction whose decision was found in the log. */
export function resumeCommitment(participants: readonly string[]): Commitment {
  return { phase: 'committing', waiting: participants, unresolved: [] };
}

/** What is to be done now and was not answered yet. */
export function actionsOf(state: Commitment): readonly Action[] {
  switch (state.phase) {
    case 'preparing': return state.waiting.map((participant) => ({ kind: 'prepare', participant }));
    case 'deciding': return [{ kind: 'decide' }];
    case 'committing': return state.waiting.map((participant) => ({ kind: 'commit', participant }));
    case 'forgetting': return [{ kind: 'forget' }];
    case 'aborting': return state.waiting.map((participant) => ({ kind: 'abort', participant }));
    case 'ended': return [];
    default: return state satisfies never;
  }
}

/** The state after an action was done, or failed (refused, or nobody knows). The state is one that asked for it. */
export function answered(state: Commitment, action: Action, isDone: boolean): Commitment {
  switch (state.phase) {
    case 'preparing': return afterPrepare(state, action, isDone);
    case 'deciding':
      assert(action.kind === 'decide', 'only what was asked for is answered');
      return isDone ? resumeCommitment(state.all) : { phase: 'aborting', waiting: state.all, unresolved: [] };
    case 'committing': return afterOutcome(state, { action, isDone });
    case 'aborting': return afterOutcome(state, { action, isDone });
    case 'forgetting':
      assert(action.kind === 'forget', 'only what was asked for is answered');
      return { phase: 'ended', outcome: 'committed', unresolved: [] }; // A decision that stayed is forgotten by the next recovery.
    case 'ended': throw new Error('nothing is asked for after the end');
    default: return state satisfies never;
  }
}

function afterPrepare(state: Extract<Commitment, { phase: 'preparing' }>, action: Action, isDone: boolean): Commitment {
  assert(action.kind === 'prepare' && state.waiting.includes(action.participant), 'only what was asked for is answered');
  const waiting = state.waiting.filter((name) => name !== action.participant);
  const isRefused = state.isRefused || !isDone;
  if (waiting.length > 0) return { ...state, waiting, isRefused }; // An abort must not overtake a prepare that is still under way.
  return isRefused ? { phase: 'aborting', waiting: state.all, unresolved: [] } : { phase: 'deciding', all: state.all };
}

function afterOutcome(state: Extract<Commitment, { phase: 'committing' | 'aborting' }>, { action, isDone }: { readonly action: Action; readonly isDone: boolean }): Commitment {
  const isCommit = state.phase === 'committing';
  assert(action.kind === (isCommit ? 'commit' : 'abort') && state.waiting.includes(action.participant), 'only what was asked for is answered');
  const waiting = state.waiting.filter((name) => name !== action.participant);
  const unresolved = isDone ? state.unresolved : [...state.unresolved, action.participant];
  if (waiting.length > 0) return { ...state, waiting, unresolved };
  if (isCommit && unresolved.length === 0) return { phase: 'forgetting' };
  return { phase: 'ended', outcome: isCommit ? 'committed' : 'aborted', unresolved };
}
