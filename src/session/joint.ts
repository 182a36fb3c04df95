/**
 * Joint transactions for a program that uses the library: the coordinator of a store directory, recovered before it is handed out.
 * Invariant: whoever gets a coordinator gets it after everything that its predecessors left in doubt was tried to be ended.
 * What this does NOT do: the protocol (txn/coordinator.ts), or participants.
 */
import { randomBytes } from 'node:crypto';
import { openCoordinator, StoreParticipant, type Coordinator, type Participant, type ResolveResult, type StoreContext } from '../txn/index.ts';
import { withStore } from './context.ts';
import { isAlive, thisOwner } from './host.ts';

export interface JointRequest {
  /** Directory of the store that keeps the decisions; default: as everywhere. It must never be put back to an older copy. */
  readonly store?: string | undefined;
  /** Name of the coordinator; a store may have several, each used by one process at a time. Default: main. */
  readonly name?: string | undefined;
  /** All participants that this coordinator ever works with. */
  readonly participants: readonly Participant[];
}
export interface Joint {
  readonly coordinator: Coordinator;
  readonly context: StoreContext;
  /** What was in doubt and could not be ended yet; coordinator.recover() tries again. */
  readonly recovered: ResolveResult;
}

/** Opens store and coordinator, recovers, runs `use`, gives the coordinator up. Throws E_COORDINATOR_OWNED, E_STORE_*. */
export async function withCoordinator<Result>(request: JointRequest, use: (joint: Joint) => Promise<Result>): Promise<Result> {
  return withStore(request.store, 'create', async (context) => {
    const coordinator = await openCoordinator(context, { name: request.name ?? 'main', owner: thisOwner(), isAlive, freshId: randomBytes(8).toString('hex') });
    try {
      const recovered = await coordinator.recover(request.participants);
      return await use({ coordinator, context, recovered });
    } finally {
      await coordinator.close();
    }
  });
}

/** A store of another directory as a participant. */
export function withStoreParticipant<Result>(request: { readonly store: string; readonly name: string }, use: (participant: StoreParticipant, context: StoreContext) => Promise<Result>): Promise<Result> {
  return withStore(request.store, 'create', (context) => use(new StoreParticipant(context, request.name), context));
}
