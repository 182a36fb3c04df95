/**
 * Words of coordinators in the table `meta`: who decides under a name, and what was decided and is not done everywhere.
 *
 *   "coordinator NAME"        id (16 hex digits, for ever), epoch (only grows), owner or none
 *   "decision ID"             participants of a transaction that is committed; absent: aborted, or committed everywhere
 *
 * Invariant: a decision is written by a commit that expects its coordinator's word, so a replaced coordinator decides nothing.
 * What this does NOT do: keep finished transactions.
 */
import { assert, type Digests } from '../core/index.ts';
import type { StoreExpectation, StorePut } from '../store/index.ts';
import { readOwner, writeOwner, type Owner, type StoreContext } from './ownership.ts';
import { idPrefix, isPartyName, parseTransactionId, type TransactionId } from './participant.ts';
import { decodeRecord, encodeRecord, type RecordKind } from './record.ts';

export interface CoordinatorRecord { readonly name: string; readonly id: string; readonly epoch: number; readonly owner: Owner | undefined }
export interface Decision { readonly id: TransactionId; readonly participants: readonly string[] }

const COORDINATOR: RecordKind = { format: 'stillpoint-coordinator', version: 1, damaged: 'E_STORE_CORRUPT' };
const DECISION: RecordKind = { format: 'stillpoint-decision', version: 1, damaged: 'E_STORE_CORRUPT' };
/** Participants of one transaction. */
export const PARTICIPANTS_MAX = 64;
const NAMES_LENGTH_MAX = PARTICIPANTS_MAX * 65;

export function coordinatorKey(name: string): Uint8Array {
  return new TextEncoder().encode(`coordinator ${name}`);
}

export function decisionKey(id: TransactionId): Uint8Array {
  return new TextEncoder().encode(`decision ${id}`);
}

export function encodeCoordinatorRecord(digests: Digests, { name, id, epoch, owner }: CoordinatorRecord): Uint8Array {
  assert(isPartyName(name) && idPrefix(id) !== '' && Number.isSafeInteger(epoch) && epoch >= 1, 'a coordinator has a name, an id and an epoch');
  return encodeRecord(digests, COORDINATOR, { name, id, epoch, owner: writeOwner(owner) });
}

/** Throws E_STORE_CORRUPT, E_STORE_VERSION. */
export function decodeCoordinatorRecord(digests: Digests, name: string, bytes: Uint8Array): CoordinatorRecord {
  const fields = decodeRecord(digests, COORDINATOR, { bytes, subject: { coordinator: name } });
  const record = { name: fields.text('name', 64), id: fields.text('id', 16), epoch: fields.count('epoch'), owner: fields.optional('owner', readOwner) };
  fields.end();
  if (record.name !== name) throw fields.fail('is the record of another coordinator');
  if (!/^[0-9a-f]{16}$/.test(record.id) || record.epoch < 1) throw fields.fail('has no id or no epoch');
  return record;
}

export function encodeDecision(digests: Digests, { id, participants }: Decision): Uint8Array {
  assert(participants.length > 0 && participants.length <= PARTICIPANTS_MAX && participants.every(isPartyName), 'a decision names its participants');
  return encodeRecord(digests, DECISION, { id, participants: participants.join(' ') });
}

/** Throws E_STORE_CORRUPT, E_STORE_VERSION. */
export function decodeDecision(digests: Digests, id: TransactionId, bytes: Uint8Array): Decision {
  const fields = decodeRecord(digests, DECISION, { bytes, subject: { transaction: id } });
  const [found, participants] = [fields.text('id', 64), fields.text('participants', NAMES_LENGTH_MAX).split(' ')];
  fields.end();
  if (found !== id) throw fields.fail('is the decision of another transaction');
  if (participants.length > PARTICIPANTS_MAX || !participants.every(isPartyName)) throw fields.fail('names no participants');
  return { id, participants };
}

export function decisionPut({ digests }: StoreContext, decision: Decision): StorePut {
  return { table: 'meta', key: decisionKey(decision.id), value: encodeDecision(digests, decision) };
}

export function coordinatorExpectation({ digests }: StoreContext, record: CoordinatorRecord): StoreExpectation {
  return { table: 'meta', key: coordinatorKey(record.name), value: encodeCoordinatorRecord(digests, record) };
}

export function readCoordinator({ store, digests }: StoreContext, name: string): CoordinatorRecord | undefined {
  const bytes = store.get('meta', coordinatorKey(name));
  return bytes === undefined ? undefined : decodeCoordinatorRecord(digests, name, bytes);
}

/** Decisions of a coordinator that were not forgotten, in the order of their ids as text. */
export function listDecisions({ store, digests }: StoreContext, coordinator: string): readonly Decision[] {
  const prefix = `decision ${idPrefix(coordinator)}`;
  const bounds = { from: new TextEncoder().encode(prefix), to: new TextEncoder().encode(`${prefix}~`) };
  return [...store.range('meta', bounds)].flatMap(({ key, value }) => {
    const id = parseTransactionId(new TextDecoder().decode(key).slice('decision '.length))?.id;
    return id === undefined ? [] : [decodeDecision(digests, id, value)];
  });
}

/** Throws when a word of a coordinator cannot be read; false: it is not one of ours. */
export function inspectCoordinatorWord({ digests }: StoreContext, key: string, value: Uint8Array): boolean {
  const name = /^coordinator (.+)$/.exec(key)?.[1];
  if (name !== undefined && isPartyName(name)) return decodeCoordinatorRecord(digests, name, value) !== undefined;
  const id = parseTransactionId(/^decision (.+)$/.exec(key)?.[1] ?? '')?.id;
  return id !== undefined && decodeDecision(digests, id, value) !== undefined;
}
