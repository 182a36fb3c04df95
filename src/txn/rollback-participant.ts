/**
 * Runs of this store that go back together with runs of other stores: rollback as a participant of a joint transaction.
 *
 *   prepare   every run gets the transaction as its owner (nobody else may touch it), and a word says where each goes back to       one commit
 *   commit    all runs back, free, the word gone      one commit          abort   all runs free as they are, the word gone          one commit
 *
 * Table `meta`, key "back ID". Invariants: a prepared rollback can be committed whatever happens, because its runs have no other owner until it ends and
 * history only grows; a place that a run's history does not hold is refused at prepare. What this does NOT do: decide (coordinator.ts), cut output files.
 */
import { assert, StillpointError, type BlobHash, type Digests } from '../core/index.ts';
import { runKey, type RunId } from '../journal/index.ts';
import type { StoreExpectation, StorePut } from '../store/index.ts';
import { rollbackBatch, type BranchPoint } from './branch.ts';
import { fencePut, readFence } from './fence.ts';
import { decodeOwnerRecord, inDoubtOwner, owned, Ownership, type IsAlive, type StoreContext } from './ownership.ts';
import { idPrefix, isPartyName, parseTransactionId, type Branch, type CoordinatorIdentity, type Participant, type TransactionId } from './participant.ts';
import { canonicalMap, decodeRecord, encodeRecord, type RecordKind } from './record.ts';
import { readStoredRun } from './runs.ts';
import { nameKey } from './run-record.ts';

/** A run and where it goes back to: a place in its journal, or its first instruction. `frames`: how far its journal must go now, when that matters. */
export interface RollbackWish { readonly run: RunId; readonly place: { readonly frames: number; readonly link: BlobHash } | undefined; readonly frames?: number | undefined }
/** By name of the run. */
export type RollbackWishes = ReadonlyMap<string, RollbackWish>;

interface PreparedRun extends RollbackWish { readonly epoch: number }

const KIND: RecordKind = { format: 'stillpoint-back', version: 1, damaged: 'E_STORE_CORRUPT' };
const RANGE = { from: encode('back '), to: encode('back!') };
const RUNS_MAX = 4096;
/** Conflicts come from others that got through meanwhile; more in a row than any sensible number of them. */
const ATTEMPTS_MAX = 64;

export class RollbackParticipant implements Participant {
  readonly name: string;
  readonly #context: StoreContext;
  readonly #isAlive: IsAlive;

  constructor(context: StoreContext, { name, isAlive }: { readonly name: string; readonly isAlive: IsAlive }) {
    assert(isPartyName(name), 'a participant has a name');
    this.#context = context;
    this.#isAlive = isAlive;
    this.name = name;
  }

  branch(wishes: RollbackWishes): Branch {
    return { participant: this, prepare: (id) => this.prepare(id, wishes), abort: (id) => this.abort(id) };
  }

  /** Throws E_RUN_UNKNOWN, E_RUN_OWNED, E_CHECKPOINT_UNKNOWN, E_PARTICIPANT; then nothing has changed. */
  async prepare(id: TransactionId, wishes: RollbackWishes): Promise<void> {
    const { store, digests } = this.#context;
    const coordinator = parseTransactionId(id)?.coordinator;
    assert(coordinator !== undefined && wishes.size <= RUNS_MAX, 'ids are made by transactionId(), and there are not too many runs');
    await this.#retried(async () => {
      const fence = readFence(this.#context, coordinator.id);
      if (fence.epoch > coordinator.epoch) throw new StillpointError('E_PARTICIPANT', `participant ${this.name} refused: transaction ${id} belongs to a coordinator that was replaced`, { data: { participant: this.name, transaction: id } });
      const claims = [...wishes].map(([name, wish]) => this.#claim(id, name, wish));
      const word = encodeBack(digests, id, new Map(claims.map(({ name, prepared }) => [name, prepared])));
      const answer = await store.commit({
        expect: [fence.expectation, { table: 'meta', key: backKey(id), value: undefined }, ...claims.flatMap(({ expect }) => expect)],
        puts: [{ table: 'meta', key: backKey(id), value: word }, ...claims.map(({ put }) => put)],
      });
      return answer === 'done';
    });
  }

  async commit(id: TransactionId): Promise<void> {
    await this.#end(id, ([name, wish], ownership) => rollbackBatch(this.#context, { name, at: pointOf(wish) }, ownership));
  }

  async abort(id: TransactionId): Promise<void> {
    await this.#end(id, (_run, { expectation, waiver }) => ({ expect: [expectation], deletes: [], puts: [waiver] }));
  }

  async inDoubt(coordinator: CoordinatorIdentity): Promise<readonly TransactionId[]> {
    await this.#retried(async () => {
      const { epoch, expectation } = readFence(this.#context, coordinator.id);
      const puts = epoch >= coordinator.epoch ? [] : [fencePut(this.#context, coordinator)];
      return await this.#context.store.commit({ expect: [expectation], puts }) === 'done'; // Also refreshes what is read below.
    });
    return [...this.#context.store.range('meta', RANGE)].flatMap(({ key }) => parseTransactionId(new TextDecoder().decode(key).slice('back '.length))?.id ?? []).filter((id) => id.startsWith(idPrefix(coordinator.id)));
  }

  /** The transaction becomes the owner of a run, as far as it is free. */
  #claim(id: TransactionId, name: string, wish: RollbackWish): { readonly name: string; readonly prepared: PreparedRun; readonly expect: readonly StoreExpectation[]; readonly put: StorePut } {
    const { store, digests } = this.#context;
    const { record, bytes } = readStoredRun(this.#context, name);
    if (record.id !== wish.run) throw new StillpointError('E_CHECKPOINT_UNKNOWN', `run ${name} is another one than when the checkpoint was taken`, { data: { run: name } });
    if (wish.frames !== undefined && record.tail.count !== wish.frames) throw new StillpointError('E_RUN_OWNED', `run ${name} has gone on while it was to be put back; try again`, { data: { run: name } });
    const key = runKey(record.id);
    const before = store.get('owners', key);
    if (before === undefined) throw new StillpointError('E_RUN_UNKNOWN', `run ${name} is no longer in the store`, { data: { run: name } });
    const { epoch, owner } = decodeOwnerRecord(digests, record.id, before);
    if (owner !== undefined && this.#isAlive(owner)) throw owned(name, owner);
    const ownership = new Ownership(digests, { run: record.id, epoch: epoch + 1, owner: inDoubtOwner(id) });
    rollbackBatch(this.#context, { name, at: pointOf(wish) }, ownership); // What could be wrong with it is found now.
    return { name, prepared: { ...wish, epoch: epoch + 1 }, expect: [{ table: 'owners', key, value: before }, { table: 'runs', key: nameKey(name), value: bytes }], put: ownership.claim };
  }

  /** Ends a prepared rollback; nothing when there is none. */
  async #end(id: TransactionId, of: (run: readonly [string, PreparedRun], ownership: Ownership) => ReturnType<typeof rollbackBatch>): Promise<void> {
    const { store, digests } = this.#context;
    const key = backKey(id);
    await this.#retried(async () => {
      const value = store.get('meta', key);
      if (value === undefined) return await store.commit({ expect: [{ table: 'meta', key, value }] }) === 'done'; // Nothing there, not only nothing seen.
      const batches = [...decodeBack(digests, id, value)].map((run) => of(run, new Ownership(digests, { run: run[1].run, epoch: run[1].epoch, owner: inDoubtOwner(id) })));
      return await store.commit({
        expect: [{ table: 'meta', key, value }, ...batches.flatMap(({ expect }) => expect)],
        deletes: [{ table: 'meta', key }, ...batches.flatMap(({ deletes }) => deletes)],
        puts: batches.flatMap(({ puts }) => puts),
      }) === 'done';
    });
  }

  async #retried(attempt: () => Promise<boolean>): Promise<void> {
    for (let count = 0; count < ATTEMPTS_MAX; count++) if (await attempt()) return;
    throw new StillpointError('E_PARTICIPANT', `participant ${this.name} is being changed by others over and over; try again`, { data: { participant: this.name } });
  }
}

/** Throws when it is a prepared rollback that cannot be read; false: it is none. */
export function inspectBackWord({ digests }: StoreContext, key: string, value: Uint8Array): boolean {
  const id = parseTransactionId(/^back (.+)$/.exec(key)?.[1] ?? '')?.id;
  return id !== undefined && decodeBack(digests, id, value) !== undefined;
}

export function encodeBack(digests: Digests, id: TransactionId, runs: ReadonlyMap<string, PreparedRun>): Uint8Array {
  return encodeRecord(digests, KIND, { id, runs: canonicalMap(runs, ({ run, place, epoch }) => ({ run, epoch, place: place === undefined ? null : { frames: place.frames, link: place.link } })) });
}

/** Throws E_STORE_CORRUPT, E_STORE_VERSION. */
export function decodeBack(digests: Digests, id: TransactionId, bytes: Uint8Array): ReadonlyMap<string, PreparedRun> {
  const fields = decodeRecord(digests, KIND, { bytes, subject: { transaction: id } });
  if (fields.text('id', 64) !== id) throw fields.fail('is the record of another transaction');
  const runs = fields.map('runs', RUNS_MAX, (entry): PreparedRun => {
    const run = entry.text('run', 32);
    const epoch = entry.count('epoch');
    if (!/^[0-9a-f]{32}$/.test(run) || epoch < 1) throw fields.fail('has a run that none can be');
    const place = entry.optional('place', (at) => {
      const found = { frames: at.count('frames'), link: at.hash('link') };
      at.end();
      return found;
    });
    entry.end();
    return { run: run as RunId, epoch, place }; // 32 digits.
  });
  fields.end();
  return runs;
}

function pointOf({ place }: RollbackWish): BranchPoint {
  return place ?? 0;
}

function backKey(id: TransactionId): Uint8Array {
  return encode(`back ${id}`);
}

function encode(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}
