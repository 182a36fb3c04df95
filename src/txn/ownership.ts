/**
 * Who may write a run. One record a run (table `owners`): an epoch that only grows, and the owner of that epoch.
 *
 *            acquire: epoch+1                      release
 *   free ───────────────────────► owned, alive ─────────────► free
 *                                      │ owner dies
 *                                      ▼          acquire: epoch+1
 *                                 owned, dead ─────────────────────► owned by another; the old owner's commits conflict: E_RUN_FENCED
 *
 * Invariants: the record changes only by a commit that expects its old bytes, so of two that try at once exactly one wins; every commit of a
 * run expects the record its writer acquired, so a fenced writer changes nothing.
 * What this does NOT do: decide who is alive (the caller's probe does), wait, or expire owners by time.
 */
import { assert, StillpointError, type Canonical, type Digests } from '../core/index.ts';
import { runKey, type RunId } from '../journal/index.ts';
import type { Store, StoreExpectation, StorePut } from '../store/index.ts';
import { decodeRecord, encodeRecord, type Fields, type RecordKind } from './record.ts';

/** A process, told apart from later ones with the same number. All text is opaque here. */
export interface Owner {
  /** Host and boot. */
  readonly host: string;
  readonly pid: number;
  /** Start time of the process as its host tells it. */
  readonly started: string;
  /** Random, one for each time a run is opened. */
  readonly token: string;
}
export interface OwnerRecord { readonly epoch: number; readonly owner: Owner | undefined }
/** Whether a process still runs. An owner that cannot be asked (another host) counts as alive. */
export type IsAlive = (owner: Owner) => boolean;

/** What all functions of this folder work on. */
export interface StoreContext { readonly store: Store; readonly digests: Digests }

const KIND: RecordKind = { format: 'stillpoint-owner', version: 2, oldest: 1, damaged: 'E_STORE_CORRUPT' };
const TEXT_MAX = 256;
/** Each lost race means that somebody else won one; more in a row than any number of people starting a resume at once. */
const ATTEMPTS_MAX = 16;

export function encodeOwnerRecord(digests: Digests, run: RunId, { epoch, owner }: OwnerRecord): Uint8Array {
  assert(Number.isSafeInteger(epoch) && epoch >= 1, 'epochs count from 1');
  return encodeRecord(digests, KIND, { run, epoch, owner: writeOwner(owner) });
}

export function decodeOwnerRecord(digests: Digests, run: RunId, bytes: Uint8Array): OwnerRecord {
  const fields = decodeRecord(digests, KIND, { bytes, subject: { run } });
  if (fields.version > 1 && fields.text('run', 32) !== run) throw fields.fail('is the record of another run');
  const record = { epoch: fields.count('epoch'), owner: fields.optional('owner', readOwner) };
  fields.end();
  if (record.epoch < 1) throw fields.fail('has no epoch');
  return record;
}

/** An owner as a field of a record; none is null. */
export function writeOwner(owner: Owner | undefined): Canonical {
  if (owner === undefined) return null;
  assert(Math.max(owner.host.length, owner.started.length, owner.token.length) <= TEXT_MAX, 'the texts of an owner are short');
  return { host: owner.host, pid: owner.pid, started: owner.started, token: owner.token };
}

export function readOwner(fields: Fields): Owner {
  const owner = { host: fields.text('host', TEXT_MAX), pid: fields.count('pid'), started: fields.text('started', TEXT_MAX), token: fields.text('token', TEXT_MAX) };
  fields.end();
  return owner;
}

/** The right to write one run: what its commits expect. */
export class Ownership {
  readonly run: RunId;
  readonly epoch: number;
  readonly owner: Owner;
  readonly #digests: Digests;
  readonly #record: Uint8Array;

  constructor(digests: Digests, { run, epoch, owner }: { readonly run: RunId; readonly epoch: number; readonly owner: Owner }) {
    this.run = run;
    this.epoch = epoch;
    this.owner = owner;
    this.#digests = digests;
    this.#record = encodeOwnerRecord(digests, run, { epoch, owner });
  }

  /** Every commit of the run carries this. */
  get expectation(): StoreExpectation {
    return { table: 'owners', key: runKey(this.run), value: this.#record };
  }

  /** Makes this the owner, in a commit that expects the record before. */
  get claim(): StorePut {
    return { table: 'owners', key: runKey(this.run), value: this.#record };
  }

  /** Gives the run up, in a commit that carries the expectation. The epoch stays, so that it never repeats. */
  get waiver(): StorePut {
    return { table: 'owners', key: runKey(this.run), value: encodeOwnerRecord(this.#digests, this.run, { epoch: this.epoch, owner: undefined }) };
  }

  /** Proves that the run is still owned. Throws E_RUN_FENCED. */
  async renew(store: Store): Promise<void> {
    if (await store.commit({ expect: [this.expectation], puts: [this.claim] }) === 'conflict') throw fenced(this);
  }
}

/** Owner record of a run; undefined when the run is gone. */
export function readOwnerRecord({ store, digests }: StoreContext, run: RunId): OwnerRecord | undefined {
  const bytes = store.get('owners', runKey(run));
  return bytes === undefined ? undefined : decodeOwnerRecord(digests, run, bytes);
}

/**
 * Takes a run that is free or whose owner is dead. Never waits: E_RUN_OWNED at once when a live process has it, E_RUN_UNKNOWN when the run
 * is gone. From the moment this resolves, nothing that an earlier owner does reaches the store.
 */
export async function acquire({ store, digests }: StoreContext, request: { readonly run: RunId; readonly name: string; readonly owner: Owner; readonly isAlive: IsAlive }): Promise<Ownership> {
  const key = runKey(request.run);
  for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
    const current = store.get('owners', key);
    if (current === undefined) throw new StillpointError('E_RUN_UNKNOWN', `run ${request.name} is no longer in the store`, { data: { run: request.name } });
    const { epoch, owner } = decodeOwnerRecord(digests, request.run, current);
    if (owner !== undefined && request.isAlive(owner)) throw owned(request.name, owner);
    const next = new Ownership(digests, { run: request.run, epoch: epoch + 1, owner: request.owner });
    if (await store.commit({ expect: [{ table: 'owners', key, value: current }], puts: [next.claim] }) === 'done') return next;
  }
  throw new StillpointError('E_RUN_OWNED', `run ${request.name} is being taken by others over and over; try again`, { data: { run: request.name } });
}

/** Gives a run up. Throws E_RUN_FENCED when it was no longer ours. */
export async function release(store: Store, ownership: Ownership): Promise<void> {
  if (await store.commit({ expect: [ownership.expectation], puts: [ownership.waiver] }) === 'conflict') throw fenced(ownership);
}

/** A prepared transaction as the owner of a run: of no host, so that nobody takes it for dead. */
export function inDoubtOwner(id: string): Owner {
  return { host: IN_DOUBT, pid: 0, started: '', token: id };
}

/** No host has a name with spaces. */
const IN_DOUBT = 'a transaction in doubt';

export function owned(name: string, owner: Owner): StillpointError {
  if (owner.host === IN_DOUBT) return new StillpointError('E_RUN_OWNED', `run ${name} waits for the end of a rollback of its whole cluster; any command for the cluster where up runs ends it`, { data: { run: name, transaction: owner.token } });
  return new StillpointError('E_RUN_OWNED', `run ${name} is being executed by process ${owner.pid} on ${owner.host}; wait for it or stop it`, { data: { run: name, pid: owner.pid, host: owner.host } });
}

export function fenced({ run, epoch }: Ownership): StillpointError {
  return new StillpointError('E_RUN_FENCED', `another process took run ${run} over after epoch ${epoch}; nothing more is written here`, { data: { run, epoch } });
}
