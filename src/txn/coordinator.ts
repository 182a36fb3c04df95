/**
 * Transactions over several resources: all or nothing, whoever crashes when. The decision is one commit of the coordinator's store, and work whose
 * store that is rides in it; only work elsewhere needs two phases.
 *
 *   local batches only      one store commit                                                      no ids, no log
 *   with branches           prepare all ─► commit { decision, local batches } ─► commit all ─► forget
 *
 * Invariants: a decision's commit expects the coordinator's word (coordinator-record.ts), so of two coordinators under one name only the later
 * decides; recovery commits what has a decision and aborts every other id of this coordinator that is not being worked on right now.
 * What this does NOT do: time-outs (participants answer or throw), retries of a transaction, deadlock detection.
 */
import { assert, StillpointError } from '../core/index.ts';
import type { StoreBatch, StoreDelete } from '../store/index.ts';
import { coordinatorExpectation, decisionKey, decisionPut, encodeCoordinatorRecord, listDecisions, PARTICIPANTS_MAX, readCoordinator, type CoordinatorRecord } from './coordinator-record.ts';
import type { IsAlive, Owner, StoreContext } from './ownership.ts';
import { isPartyName, parseTransactionId, transactionId, type Branch, type CoordinatorIdentity, type Participant, type TransactionId } from './participant.ts';
import { actionsOf, answered, beginCommitment, resumeCommitment, type Action, type Commitment } from './two-phase.ts';

export interface CoordinatorRequest {
  /** The store may hold several coordinators. */
  readonly name: string;
  readonly owner: Owner;
  readonly isAlive: IsAlive;
  /** 16 random hexadecimal digits, used when the name is new. */
  readonly freshId: string;
}

export interface JointCommit {
  /** Work in other stores and services. */
  readonly branches?: readonly Branch[];
  /** Work in the coordinator's own store, applied together with the decision: all expectations, then all deletes, then all puts. */
  readonly local?: readonly StoreBatch[];
}
/** `unresolved`: participants that did not confirm. The transaction is committed, or aborted, all the same; recover() tells them. */
export interface JointResult { readonly id: TransactionId | undefined; readonly unresolved: readonly string[] }

export interface ResolveResult {
  readonly committed: readonly TransactionId[];
  readonly aborted: readonly TransactionId[];
  /** Participants that could not be reached or are not known here, by transaction; undefined: their list could not be read. */
  readonly unresolved: readonly { readonly id: TransactionId | undefined; readonly participant: string }[];
}

interface Resolution { readonly committed: TransactionId[]; readonly aborted: TransactionId[]; readonly unresolved: { readonly id: TransactionId | undefined; readonly participant: string }[] }
type Ask = Extract<Action, { participant: string }>;
interface Work { readonly id: TransactionId; readonly perform: (action: Ask) => Promise<void>; readonly local: readonly StoreBatch[] }

const ATTEMPTS_MAX = 16; // As for runs: each lost race means that somebody else won one.

export class Coordinator {
  readonly #context: StoreContext;
  readonly #record: CoordinatorRecord;
  /** Transactions of this object that have not ended. */
  readonly #active = new Set<TransactionId>();
  #sequence = 0;
  #isClosed = false;

  /** Use openCoordinator(). */
  constructor(context: StoreContext, record: CoordinatorRecord) {
    this.#context = context;
    this.#record = record;
  }

  get identity(): CoordinatorIdentity {
    return { id: this.#record.id, epoch: this.#record.epoch };
  }

  /**
   * Commits everything or nothing. Throws E_PARTICIPANT (one refused), E_TXN_CONFLICT (a local expectation does not hold), E_COORDINATOR_FENCED,
   * E_DISK_FULL and the like: then it is aborted.
   */
  async commit({ branches = [], local = [] }: JointCommit): Promise<JointResult> {
    assert(!this.#isClosed, 'a closed coordinator is not used');
    assert(branches.length <= PARTICIPANTS_MAX && branches.every(({ participant }) => isPartyName(participant.name)), 'participants have names, and there are not too many');
    if (branches.length === 0) {
      await this.#commitLocal(local);
      return { id: undefined, unresolved: [] };
    }
    const id = transactionId(this.identity, ++this.#sequence);
    this.#active.add(id);
    try {
      return await this.#commitJointly(id, { branches, local });
    } finally {
      this.#active.delete(id);
    }
  }

  /**
   * Ends what earlier owners and lost messages left behind: commits what was decided, aborts what was not. Repeatable, also while transactions
   * are under way. `participants` are all that this coordinator ever works with.
   */
  async recover(participants: readonly Participant[]): Promise<ResolveResult> {
    await this.#mustDecide(); // Also makes this object see all decisions.
    const byName = new Map(participants.map((participant) => [participant.name, participant]));
    assert(byName.size === participants.length, 'names of participants are unique');
    const ended = this.#endedUntilNow();
    const result: Resolution = { committed: [], aborted: [], unresolved: [] };
    const decided = new Set<string>();
    for (const { id, participants: names } of listDecisions(this.#context, this.#record.id)) {
      decided.add(id);
      if (!ended(id)) continue;
      const perform = async ({ participant }: { readonly participant: string }): Promise<void> => { await (byName.get(participant) ?? unknownParticipant(participant)).commit(id); };
      const { state } = await this.#run(resumeCommitment(names), { id, perform, local: [] });
      result.committed.push(id);
      result.unresolved.push(...state.unresolved.map((participant) => ({ id, participant })));
    }
    const isUndecided = (id: TransactionId): boolean => !decided.has(id) && ended(id);
    for (const participant of participants) await this.#abortUndecided(participant, { isUndecided, result });
    return result;
  }

  /**
   * Takes the coordinator's own word away with these records, for good: nobody asks for its ids any more, so no participant may hold one (recover() has left nothing unresolved, and
   * nothing can be prepared that belongs to it). A decision that could not be forgotten keeps the word. Throws E_COORDINATOR_FENCED.
   */
  async retire(deletes: readonly StoreDelete[]): Promise<void> {
    assert(this.#active.size === 0 && !this.#isClosed, 'a coordinator ends after its transactions');
    await this.#mustDecide();
    const isLast = listDecisions(this.#context, this.#record.id).length === 0;
    const { table, key } = this.#expectation;
    if (await this.#context.store.commit({ expect: [this.#expectation], deletes: [...deletes, ...(isLast ? [{ table, key }] : [])] }) === 'conflict') throw this.#fenced();
    this.#isClosed = isLast;
  }

  /** Gives the name up: another process may take it at once. */
  async close(): Promise<void> {
    assert(this.#active.size === 0, 'a coordinator ends after its transactions');
    if (this.#isClosed) return;
    this.#isClosed = true;
    const free = { ...this.#record, owner: undefined };
    await this.#context.store.commit({ expect: [this.#expectation], puts: [{ ...this.#expectation, value: encodeCoordinatorRecord(this.#context.digests, free) }] });
  }

  get #expectation(): ReturnType<typeof coordinatorExpectation> {
    return coordinatorExpectation(this.#context, this.#record);
  }

  async #commitLocal(local: readonly StoreBatch[]): Promise<void> {
    if (await this.#context.store.commit(merged(local)) === 'conflict') throw conflict();
  }

  async #commitJointly(id: TransactionId, { branches, local }: { readonly branches: readonly Branch[]; readonly local: readonly StoreBatch[] }): Promise<JointResult> {
    const byName = new Map(branches.map((branch) => [branch.participant.name, branch]));
    const perform = async ({ kind, participant }: Ask): Promise<void> => {
      const branch = byName.get(participant);
      assert(branch !== undefined, 'only participants are asked');
      if (kind === 'commit') return branch.participant.commit(id);
      return kind === 'prepare' ? branch.prepare(id) : branch.abort(id);
    };
    const { state, trouble } = await this.#run(beginCommitment([...byName.keys()]), { id, perform, local });
    if (state.outcome === 'committed') return { id, unresolved: state.unresolved };
    assert(trouble !== undefined, 'an aborted transaction has a reason');
    throw trouble;
  }

  /** Drives a commitment to its end. `trouble`: the first failure on the way. */
  async #run(start: Commitment, work: Work): Promise<{ readonly state: Extract<Commitment, { phase: 'ended' }>; readonly trouble: StillpointError | undefined }> {
    let state = start;
    let trouble: StillpointError | undefined;
    const names = actionsOf(start).flatMap((action) => 'participant' in action ? [action.participant] : []);
    while (state.phase !== 'ended') {
      const actions = actionsOf(state);
      const answers = await Promise.all(actions.map((action) => attempt(() => this.#perform(action, { ...work, names }), action)));
      actions.forEach((action, index) => {
        const failure = answers[index];
        trouble ??= failure;
        state = answered(state, action, failure === undefined);
      });
    }
    return { state, trouble };
  }

  async #perform(action: Action, { id, names, perform, local }: Work & { readonly names: readonly string[] }): Promise<void> {
    if (action.kind === 'decide') return this.#decide({ id, names, local });
    if (action.kind === 'forget') return void await this.#context.store.commit({ deletes: [{ table: 'meta', key: decisionKey(id) }] });
    return perform(action);
  }

  async #decide({ id, names, local }: { readonly id: TransactionId; readonly names: readonly string[]; readonly local: readonly StoreBatch[] }): Promise<void> {
    const batch = merged(local);
    const answer = await this.#context.store.commit({ ...batch, expect: [this.#expectation, ...batch.expect ?? []], puts: [...batch.puts ?? [], decisionPut(this.#context, { id, participants: names })] });
    if (answer === 'done') return;
    await this.#mustDecide();
    throw conflict();
  }

  /** Proves that this object may decide, and makes it see what others committed. Throws E_COORDINATOR_FENCED. */
  async #mustDecide(): Promise<void> {
    if (await this.#context.store.commit({ expect: [this.#expectation] }) !== 'done') throw this.#fenced();
  }

  #fenced(): StillpointError {
    return new StillpointError('E_COORDINATOR_FENCED', `another process took coordinator ${this.#record.name} over after epoch ${this.#record.epoch}; nothing more is decided here`, { data: { coordinator: this.#record.name, epoch: this.#record.epoch } });
  }

  /**
   * Tells ids of this coordinator whose fate is sealed: of earlier epochs, or ended before this call. An id that is worked on now may be decided at
   * any moment after the log was read, so recovery leaves it alone even when it ends meanwhile.
   */
  #endedUntilNow(): (id: TransactionId) => boolean {
    const active = new Set(this.#active);
    const sequence = this.#sequence;
    return (id) => {
      const parsed = parseTransactionId(id);
      if (parsed === undefined || parsed.coordinator.id !== this.#record.id || active.has(id)) return false;
      return parsed.coordinator.epoch < this.#record.epoch || (parsed.coordinator.epoch === this.#record.epoch && parsed.sequence <= sequence);
    };
  }

  async #abortUndecided(participant: Participant, { isUndecided, result }: { readonly isUndecided: (id: TransactionId) => boolean; readonly result: Resolution }): Promise<void> {
    try {
      for (const id of (await participant.inDoubt(this.identity)).filter(isUndecided)) {
        await participant.abort(id);
        result.aborted.push(id);
      }
    } catch (error) {
      if (!(error instanceof StillpointError)) throw error;
      result.unresolved.push({ id: undefined, participant: participant.name });
    }
  }
}

/** Takes a coordinator that is new, free, or whose owner is dead. Throws E_COORDINATOR_OWNED at once. Call recover() next. */
export async function openCoordinator(context: StoreContext, { name, owner, isAlive, freshId }: CoordinatorRequest): Promise<Coordinator> {
  if (!isPartyName(name)) throw new StillpointError('E_USAGE', `${JSON.stringify(name.slice(0, 80))} is not a name of a coordinator: use 1 to 64 of a-z A-Z 0-9 . _ - and start with a letter or digit`);
  for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
    const current = readCoordinator(context, name);
    if (current?.owner !== undefined && isAlive(current.owner)) {
      throw new StillpointError('E_COORDINATOR_OWNED', `the transactions of coordinator ${name} are decided by process ${current.owner.pid} on ${current.owner.host}; wait for it or stop it`, { data: { coordinator: name, pid: current.owner.pid } });
    }
    const next: CoordinatorRecord = { name, id: current?.id ?? freshId, epoch: (current?.epoch ?? 0) + 1, owner };
    const word = coordinatorExpectation(context, next);
    const before = current === undefined ? undefined : coordinatorExpectation(context, current).value;
    if (await context.store.commit({ expect: [{ ...word, value: before }], puts: [{ table: word.table, key: word.key, value: encodeCoordinatorRecord(context.digests, next) }] }) === 'done') return new Coordinator(context, next);
  }
  throw new StillpointError('E_COORDINATOR_OWNED', `coordinator ${name} is being taken by others over and over; try again`, { data: { coordinator: name } });
}

/** Undefined when it worked. A decision that could not be forgotten is no trouble: recovery finds it and tells everybody again. */
async function attempt(action: () => Promise<void>, { kind }: Action): Promise<StillpointError | undefined> {
  try {
    await action();
    return undefined;
  } catch (error) {
    if (!(error instanceof StillpointError)) throw error;
    return kind === 'forget' ? undefined : error;
  }
}

function merged(batches: readonly StoreBatch[]): StoreBatch {
  assert(batches.every(({ prepared }) => prepared === undefined), 'what rides in a joint commit is handed over whole');
  return { expect: batches.flatMap(({ expect = [] }) => expect), deletes: batches.flatMap(({ deletes = [] }) => deletes), puts: batches.flatMap(({ puts = [] }) => puts) };
}

function conflict(): StillpointError {
  return new StillpointError('E_TXN_CONFLICT', 'the state that the transaction was built on changed meanwhile; begin again from the new state');
}

function unknownParticipant(name: string): never {
  throw new StillpointError('E_PARTICIPANT', `no participant named ${name} is known here; give all that the coordinator works with`, { data: { participant: name } });
}
