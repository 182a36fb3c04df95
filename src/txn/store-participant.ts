/**
 * A store of this host as a participant: batches for a store that is not the coordinator's. Also the twin of participants that are services: it
 * passes the same suite (test/txn/participant-conformance.ts) on a store in memory.
 *
 *   "batch ID"             the batch, ready to be applied, its expectations met           "batches"            a word that changes with each of these
 *                                                                                          both in the table meta, like the fence (fence.ts)
 *
 * Invariants: a batch is prepared only when its expectations hold and no other prepared batch touches a key of it; committing applies batch and removal
 * in one commit. What this does NOT do: lock keys against writers that do not come through here: whoever prepares keeps those away (a run: its owner).
 */
import { assert, StillpointError, sameBytes, type Canonical, type Digests } from '../core/index.ts';
import { TABLES, type StoreBatch, type StoreDelete, type StoreExpectation, type StorePut, type Table } from '../store/index.ts';
import { fencePut, readFence } from './fence.ts';
import type { StoreContext } from './ownership.ts';
import { idPrefix, isPartyName, parseTransactionId, type Branch, type CoordinatorIdentity, type Participant, type TransactionId } from './participant.ts';
import { decodeRecord, encodeRecord, Fields, type RecordKind } from './record.ts';

const PREPARED: RecordKind = { format: 'stillpoint-prepared-batch', version: 1, damaged: 'E_STORE_CORRUPT' };
const BATCHES_WORD = encode('batches');
const BATCH_RANGE = { from: encode('batch '), to: encode('batch!') };
/** Entries and bytes of one prepared batch: what is larger is written ahead by content and only referred to. */
const ENTRIES_MAX = 10_000;
const VALUE_BYTES_MAX = 8 * 1024 * 1024;
/** Conflicts come from others that got through meanwhile; more in a row than any sensible number of them. */
const ATTEMPTS_MAX = 64;

interface Found { readonly id: TransactionId; readonly bytes: Uint8Array; readonly batch: StoreBatch }

export class StoreParticipant implements Participant {
  readonly name: string;
  readonly #context: StoreContext;

  constructor(context: StoreContext, name: string) {
    assert(isPartyName(name), 'a participant has a name');
    this.#context = context;
    this.name = name;
  }

  /** A transaction's work here. Nothing happens before it is prepared. */
  branch(batch: StoreBatch): Branch {
    assert(batch.prepared === undefined, 'what is prepared here is handed over whole');
    return { participant: this, prepare: (id) => this.#prepare(id, batch), abort: (id) => this.abort(id) };
  }

  async commit(id: TransactionId): Promise<void> {
    await this.#end(id, ({ batch }) => batch);
  }

  async abort(id: TransactionId): Promise<void> {
    await this.#end(id, () => ({}));
  }

  async inDoubt({ id, epoch }: CoordinatorIdentity): Promise<readonly TransactionId[]> {
    await this.#retried(async () => {
      const word = this.#word();
      if (readFence(this.#context, id).epoch >= epoch) return await this.#context.store.commit({ expect: [word] }) === 'done'; // Refreshes what is read below.
      return await this.#context.store.commit({ expect: [word], puts: [fencePut(this.#context, { id, epoch }), next(word)] }) === 'done';
    });
    return this.#list().map((found) => found.id).filter((found) => found.startsWith(idPrefix(id)));
  }

  async #prepare(id: TransactionId, batch: StoreBatch): Promise<void> {
    const { store, digests } = this.#context;
    const coordinator = parseTransactionId(id)?.coordinator;
    assert(coordinator !== undefined, 'ids are made by transactionId()');
    const key = encode(`batch ${id}`);
    await this.#retried(async () => {
      const word = this.#word();
      if (readFence(this.#context, coordinator.id).epoch > coordinator.epoch) throw this.#refused(id, 'belongs to a coordinator that was replaced');
      const touched = keysOf(batch);
      const holder = this.#list().find((other) => [...keysOf(other.batch)].some((taken) => touched.has(taken)));
      if (holder !== undefined) throw this.#refused(id, `needs what transaction ${holder.id} holds until it ends`);
      const puts: StorePut[] = [{ table: 'meta', key, value: encodePreparedBatch(digests, id, batch) }, next(word)];
      const answer = await store.commit({ expect: [...batch.expect ?? [], word, { table: 'meta', key, value: undefined }], puts });
      if (answer === 'done') return true;
      if ((batch.expect ?? []).every((expectation) => sameBytes(store.get(expectation.table, expectation.key), expectation.value))) return false;
      throw this.#refused(id, 'was built on a state that changed meanwhile');
    });
  }

  /** Ends a prepared transaction with what `apply` makes of it; nothing when there is none. */
  async #end(id: TransactionId, apply: (found: Found) => StoreBatch): Promise<void> {
    const { store, digests } = this.#context;
    const key = encode(`batch ${id}`);
    await this.#retried(async () => {
      const word = this.#word();
      const bytes = store.get('meta', key);
      if (bytes === undefined) return await store.commit({ expect: [word] }) === 'done'; // Nothing there, not only nothing seen.
      const { deletes = [], puts = [] } = apply({ id, bytes, batch: decodePreparedBatch(digests, id, bytes) });
      return await store.commit({ expect: [word, { table: 'meta', key, value: bytes }], deletes: [{ table: 'meta', key }, ...deletes], puts: [...puts, next(word)] }) === 'done';
    });
  }

  async #retried(attempt: () => Promise<boolean>): Promise<void> {
    for (let count = 0; count < ATTEMPTS_MAX; count++) if (await attempt()) return;
    throw new StillpointError('E_PARTICIPANT', `participant ${this.name} is being changed by others over and over; try again`, { data: { participant: this.name } });
  }

  /** The word as it is, as an expectation. */
  #word(): StoreExpectation {
    return { table: 'meta', key: BATCHES_WORD, value: this.#context.store.get('meta', BATCHES_WORD) };
  }

  #list(): readonly Found[] {
    return [...this.#context.store.range('meta', BATCH_RANGE)].flatMap(({ key, value }) => {
      const id = parseTransactionId(new TextDecoder().decode(key).slice('batch '.length))?.id;
      return id === undefined ? [] : [{ id, bytes: value, batch: decodePreparedBatch(this.#context.digests, id, value) }];
    });
  }

  #refused(id: TransactionId, why: string): StillpointError {
    return new StillpointError('E_PARTICIPANT', `participant ${this.name} refused: transaction ${id} ${why}`, { data: { participant: this.name, transaction: id } });
  }
}

/** Throws when a word of a participant cannot be read; false: it is not one of ours. */
export function inspectParticipantWord({ digests }: StoreContext, key: string, value: Uint8Array): boolean {
  if (key === 'batches') return value.length === COUNTER_BYTES;
  const id = parseTransactionId(/^batch (.+)$/.exec(key)?.[1] ?? '')?.id;
  return id !== undefined && decodePreparedBatch(digests, id, value) !== undefined;
}

/** A batch that waits for its transaction's end. */
export function encodePreparedBatch(digests: Digests, id: TransactionId, { expect = [], deletes = [], puts = [] }: StoreBatch): Uint8Array {
  assert(expect.length + deletes.length + puts.length <= ENTRIES_MAX && puts.every(({ value }) => value.length <= VALUE_BYTES_MAX), 'a prepared batch is small');
  const entry = ({ table, key, value }: { readonly table: Table; readonly key: Uint8Array; readonly value?: Uint8Array | undefined }): Canonical => ({ table, key, value: value ?? null });
  const numbered = (entries: readonly Canonical[]): Canonical => Object.fromEntries(entries.map((value, index) => [String(index).padStart(5, '0'), value]));
  return encodeRecord(digests, PREPARED, { id, expect: numbered(expect.map(entry)), deletes: numbered(deletes.map(entry)), puts: numbered(puts.map(entry)) });
}

/** Throws E_STORE_CORRUPT, E_STORE_VERSION. */
export function decodePreparedBatch(digests: Digests, id: TransactionId, bytes: Uint8Array): StoreBatch {
  const fields = decodeRecord(digests, PREPARED, { bytes, subject: { transaction: id } });
  if (fields.text('id', 64) !== id) throw fields.fail('is the record of another transaction');
  const read = <T>(name: string, one: (entry: Fields) => T): readonly T[] => [...fields.map(name, ENTRIES_MAX, (entry) => { const value = one(entry); entry.end(); return value; }).values()];
  const at = (entry: Fields): StoreDelete => ({ table: entry.oneOf('table', TABLES), key: entry.bytes('key', 511) });
  const batch = {
    expect: read('expect', (entry): StoreExpectation => ({ ...at(entry), value: entry.optionalBytes('value', VALUE_BYTES_MAX) })),
    deletes: read('deletes', (entry): StoreDelete => { if (entry.optionalBytes('value', 0) !== undefined) throw fields.fail('has a value where none can be'); return at(entry); }),
    puts: read('puts', (entry): StorePut => ({ ...at(entry), value: entry.bytes('value', VALUE_BYTES_MAX) })),
  };
  fields.end();
  return batch;
}

const COUNTER_BYTES = 8;

/** The word after one more change. */
function next({ table, key, value }: StoreExpectation): StorePut {
  const bytes = new Uint8Array(COUNTER_BYTES);
  if (value?.length === COUNTER_BYTES) bytes.set(value);
  const view = new DataView(bytes.buffer);
  view.setBigUint64(0, BigInt.asUintN(64, view.getBigUint64(0, true) + 1n), true);
  return { table, key, value: bytes };
}

function keysOf({ expect = [], deletes = [], puts = [] }: StoreBatch): ReadonlySet<string> {
  return new Set([...expect, ...deletes, ...puts].map(({ table, key }) => `${table} ${key.join(' ')}`));
}

function encode(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}
