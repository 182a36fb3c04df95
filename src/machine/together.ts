/**
 * Transactions of several machines in one: by one commit where they share a store, and as participants of a joint transaction (txn/coordinator.ts) where they
 * do not.
 *
 *   commitTogether([a, b])        one store: one commit, no protocol            MachineParticipant      prepare ─► decision elsewhere ─► commit | abort
 *
 * Invariants: after commitTogether all have committed, in memory and on disk, or none has on disk; a machine whose disk did not follow refuses everything
 * and is opened again at its last commit.
 * What this does NOT do: decide (coordinator), run guests.
 */
import { StillpointError } from '../core/index.ts';
import { idPrefix, parseTransactionId, type Branch, type CoordinatorIdentity, type Participant, type TransactionId } from '../txn/index.ts';
import type { Machine } from './machine.ts';
import { GroupStore } from './shared-store.ts';
import type { Transaction } from './transaction.ts';

/**
 * Commits the transactions under way of machines that share a store, or are all in memory. When one refuses (E_TXN_REFUSED) all are aborted and nothing has
 * happened. Resolves when it is on disk.
 */
export async function commitTogether(machines: readonly Machine[]): Promise<void> {
  const ready: Awaited<ReturnType<Machine['readyToCommit']>>[] = [];
  const stores = new Set<unknown>();
  try {
    for (const machine of machines) ready.push(await machine.readyToCommit());
    for (const { durable } of ready) stores.add(durable?.store);
    if (stores.size > 1) throw new StillpointError('E_USAGE', 'machines that commit together have one store; use a coordinator and participants for several', {});
  } catch (error) {
    for (const machine of machines) await abortOpen(machine);
    throw error;
  }
  const [store] = stores;
  if (store instanceof GroupStore) store.bundle(ready.flatMap(({ durable }) => durable?.run ?? []));
  await Promise.all(ready.map(({ transaction }) => transaction.commit())); // In one turn, so that the bundle has them all.
}

async function abortOpen(machine: Machine): Promise<void> {
  if (machine.transaction?.state === 'open') await machine.transaction.abort();
}

/** A machine of a run as a participant of joint transactions with resources that have other stores. */
export class MachineParticipant implements Participant {
  readonly name: string;
  readonly machine: Machine;
  /** What was prepared by this process and waits for its end. */
  #prepared: { readonly id: TransactionId; readonly transaction: Transaction } | undefined;
  /** By coordinator: the earliest epoch that may still prepare. */
  readonly #fences = new Map<string, number>();

  /** `name`: unique among the participants of the coordinator. Default: machine-RUN. */
  constructor(machine: Machine, name?: string) {
    if (machine.name === undefined) throw new StillpointError('E_USAGE', 'a machine in memory cannot promise anything: give it a store and a name', {});
    this.machine = machine;
    this.name = name ?? `machine-${machine.name}`.slice(0, 64);
  }

  /** The transaction under way of the machine as a part of a joint one. */
  branch(transaction: Transaction): Branch {
    return {
      participant: this,
      prepare: (id) => this.#prepare(id, transaction),
      abort: async (id) => {
        if (transaction.state === 'open' || transaction.state === 'prepared') await transaction.abort();
        await this.abort(id);
      },
    };
  }

  async commit(id: TransactionId): Promise<void> {
    await this.#end(id, 'commit');
  }

  async abort(id: TransactionId): Promise<void> {
    await this.#end(id, 'abort');
  }

  /** Earlier processes are kept away by the ownership of the run; earlier coordinators of this process by their epoch. */
  async inDoubt({ id, epoch }: CoordinatorIdentity): Promise<readonly TransactionId[]> {
    this.#fences.set(id, Math.max(epoch, this.#fences.get(id) ?? 0));
    const found = [this.#prepared?.id, this.machine.inDoubt].flatMap((text) => parseTransactionId(text ?? '')?.id ?? []);
    return found.filter((text) => text.startsWith(idPrefix(id)));
  }

  async #prepare(id: TransactionId, transaction: Transaction): Promise<void> {
    const coordinator = parseTransactionId(id)?.coordinator;
    if (coordinator !== undefined && coordinator.epoch < (this.#fences.get(coordinator.id) ?? 0)) {
      throw new StillpointError('E_PARTICIPANT', `participant ${this.name} refused: transaction ${id} belongs to a coordinator that was replaced`, { data: { participant: this.name, transaction: id } });
    }
    await transaction.prepare(id);
    this.#prepared = { id, transaction };
  }

  async #end(id: TransactionId, decision: 'commit' | 'abort'): Promise<void> {
    const prepared = this.#prepared;
    if (prepared?.id === id) {
      this.#prepared = undefined;
      if (prepared.transaction.state === 'prepared') await (decision === 'commit' ? prepared.transaction.commit() : prepared.transaction.abort());
    } else if (this.machine.inDoubt === id) {
      await this.machine.resolve(id, decision);
    }
  }
}
