/**
 * What takes part in a transaction over several resources, and how a transaction is named everywhere.
 *
 *   id = stillpoint-<16 hex digits: whose coordinator>-<epoch>-<sequence>       printable, at most 64 bytes: PostgreSQL takes it as it is
 *
 * Invariants: an id is never used twice (epochs only grow, the sequence counts within one); who holds the same coordinator at a later epoch may
 * judge all ids of earlier ones.
 * What this does NOT do: decide (coordinator.ts), or know any resource.
 */
import { assert } from '../core/index.ts';

declare const brand: unique symbol;
/** Name of one transaction, the same at all its participants. */
export type TransactionId = string & { readonly [brand]: 'TransactionId' };

/** A coordinator as participants see it: ids of its transactions begin with its prefix. */
export interface CoordinatorIdentity {
  /** 16 hexadecimal digits, random, for the life of the coordinator's records. */
  readonly id: string;
  readonly epoch: number;
}

/** A resource that can promise. Everything but `name` may throw a StillpointError when it cannot be reached; none may wait for ever. */
export interface Participant {
  /** Unique among the participants of one coordinator, and the same after a restart: the decision log names it. */
  readonly name: string;
  /** Makes a prepared transaction visible and durable. An unknown id was committed before: no error. */
  commit(id: TransactionId): Promise<void>;
  /** Undoes a prepared transaction. An unknown id has nothing to undo: no error. */
  abort(id: TransactionId): Promise<void>;
  /**
   * Ids prepared here for this coordinator and neither committed nor aborted, of every epoch. When it resolves, nothing that an earlier epoch
   * has sent can take effect any more.
   */
  inDoubt(coordinator: CoordinatorIdentity): Promise<readonly TransactionId[]>;
}

/** The work of one transaction at one participant. */
export interface Branch {
  readonly participant: Participant;
  /** When it resolves, the participant can commit whatever happens, a crash of it included. When it throws, the answer is no, or unknown. */
  prepare(id: TransactionId): Promise<void>;
  /** Undoes the work: not prepared, prepared, or nobody knows. Repeatable. */
  abort(id: TransactionId): Promise<void>;
}

const COORDINATOR_PATTERN = /^[0-9a-f]{16}$/;
const ID_PATTERN = /^stillpoint-([0-9a-f]{16})-([1-9][0-9]{0,15})-([1-9][0-9]{0,15})$/;
const NAME_PATTERN = /^[a-zA-Z0-9][a-zA-Z0-9._-]{0,63}$/;

export function transactionId({ id, epoch }: CoordinatorIdentity, sequence: number): TransactionId {
  const text = `${idPrefix(id)}${epoch}-${sequence}`;
  assert(ID_PATTERN.test(text) && Number.isSafeInteger(epoch) && Number.isSafeInteger(sequence), 'epoch and sequence of a transaction count from 1');
  return text as TransactionId; // Checked above.
}

/** What all ids of a coordinator begin with. */
export function idPrefix(coordinator: string): string {
  assert(COORDINATOR_PATTERN.test(coordinator), 'a coordinator id is 16 hexadecimal digits');
  return `stillpoint-${coordinator}-`;
}

/** Parts of a foreign text; undefined when it is no id. */
export function parseTransactionId(text: string): { readonly id: TransactionId; readonly coordinator: CoordinatorIdentity; readonly sequence: number } | undefined {
  const [, coordinator, epoch, sequence] = ID_PATTERN.exec(text) ?? [];
  if (coordinator === undefined) return undefined;
  const numbers = [Number(epoch), Number(sequence)] as const;
  if (!numbers.every(Number.isSafeInteger)) return undefined;
  return { id: text as TransactionId, coordinator: { id: coordinator, epoch: numbers[0] }, sequence: numbers[1] }; // It has the form.
}

/** Whether a text can name a participant or a coordinator. */
export function isPartyName(text: string): boolean {
  return NAME_PATTERN.test(text);
}
