/**
 * Short-lived words in the table `meta` that say who is doing what to the whole store, each with its owner, so that a dead one's is worth nothing.
 *
 *   "collector"      a collector is at work: there is one at a time
 *   "lease RUN ID"   records that nothing refers to yet are being written (a checkpoint beside its guest, an import): a collector waits
 *
 * Invariant: a lease is taken before the first such record and given back in, or after, the commit that refers to them.
 * What this does NOT do: expire by time.
 */
import { StillpointError } from '../core/index.ts';
import type { RunId } from '../journal/index.ts';
import type { StoreDelete, StorePut } from '../store/index.ts';
import { decodeOwnerRecord, encodeOwnerRecord, type IsAlive, type Owner, type StoreContext } from './ownership.ts';

const COLLECTOR_KEY = new TextEncoder().encode('collector');
const LEASES = { from: new TextEncoder().encode('lease '), to: new TextEncoder().encode('lease!') };
/** Pauses of the caller's length before a collector counts as stuck. */
const PAUSES_MAX = 2000;
/** Times that a lease is asked for which others take and give back meanwhile. */
const ATTEMPTS_MAX = 20;
/** Owner records name a run in messages; these belong to none. */
const NO_RUN = '0'.repeat(32) as RunId; // 32 hexadecimal digits.

function leaseKey(run: RunId): Uint8Array {
  return new TextEncoder().encode(`lease ${run}`);
}

/** Part of a commit: from then on collectors wait. */
export function leasePut({ digests }: StoreContext, run: RunId, owner: Owner): StorePut {
  return { table: 'meta', key: leaseKey(run), value: encodeOwnerRecord(digests, NO_RUN, { epoch: 1, owner }) };
}

/** Part of a commit: the lease is given back. */
export function leaseDelete(run: RunId): StoreDelete {
  return { table: 'meta', key: leaseKey(run) };
}

/** Leases of living owners, as text that changes when a lease is given back and taken again by another. */
export function liveLeases({ store, digests }: StoreContext, isAlive: IsAlive): ReadonlySet<string> {
  const found = new Set<string>();
  for (const { key, value } of store.range('meta', LEASES)) {
    const { owner } = decodeOwnerRecord(digests, NO_RUN, value);
    if (owner !== undefined && isAlive(owner)) found.add(`${new TextDecoder().decode(key)} ${owner.token}`);
  }
  return found;
}

/**
 * Takes a lease that nobody else may have: two who write the rows of one run would take them from each other. Throws E_STORE_BUSY while a living owner has it.
 * What its holder found before is to be looked at again: another may have had the lease, and given it back, in between.
 */
async function takeAlone(context: StoreContext, { id, owner, isAlive }: { readonly id: RunId; readonly owner: Owner; readonly isAlive: IsAlive }): Promise<void> {
  const { store, digests } = context;
  const put = leasePut(context, id, owner);
  for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
    const before = store.get('meta', put.key);
    const holder = before === undefined ? undefined : decodeOwnerRecord(digests, NO_RUN, before).owner;
    if (holder !== undefined && isAlive(holder)) break;
    if (await store.commit({ expect: [{ table: 'meta', key: put.key, value: before }], puts: [put] }) === 'done') return;
  }
  throw new StillpointError('E_STORE_BUSY', 'another process writes this run into the store; try again when it is done');
}

export interface LeaseWish { readonly id: RunId; readonly owner: Owner; readonly isAlive: IsAlive; readonly pause: () => Promise<void>; readonly isAlone?: boolean }

/**
 * Writes records that nothing refers to yet, and in the end what refers to them: no collector begins or goes on to delete in between, so `work` may
 * also rely on what the store holds already. Waits for a collector that is at work. Throws E_STORE_BUSY when it takes too long, and with `isAlone` while another living owner
 * has the lease.
 */
export async function underLease<Result>(context: StoreContext, { id, owner, isAlive, pause, isAlone = false }: LeaseWish, work: () => Promise<Result>): Promise<Result> {
  const { store } = context;
  if (isAlone) await takeAlone(context, { id, owner, isAlive });
  else await store.commit({ puts: [leasePut(context, id, owner)] });
  try {
    for (let waits = 0; collectorOf(context, isAlive) !== undefined; waits++) {
      if (waits >= PAUSES_MAX) throw new StillpointError('E_STORE_BUSY', 'the store is being tidied for too long; try again later');
      await pause();
      await store.commit({ puts: [leasePut(context, id, owner)] }); // Refreshes what this process sees.
    }
    return await work();
  } finally {
    await store.commit({ deletes: [leaseDelete(id)] });
  }
}

function collectorOf({ store, digests }: StoreContext, isAlive: IsAlive): Owner | undefined {
  const bytes = store.get('meta', COLLECTOR_KEY);
  const owner = bytes === undefined ? undefined : decodeOwnerRecord(digests, NO_RUN, bytes).owner;
  return owner !== undefined && isAlive(owner) ? owner : undefined;
}

/** Runs `work` as the store's one collector. Throws E_STORE_BUSY at once when there is another one that lives. */
export async function asCollector<Result>(context: StoreContext, { owner, isAlive }: { readonly owner: Owner; readonly isAlive: IsAlive }, work: () => Promise<Result>): Promise<Result> {
  const { store, digests } = context;
  const before = store.get('meta', COLLECTOR_KEY);
  const holder = before === undefined ? undefined : decodeOwnerRecord(digests, NO_RUN, before).owner;
  const mine = encodeOwnerRecord(digests, NO_RUN, { epoch: 1, owner });
  const isTaken = holder !== undefined && isAlive(holder) && holder.token !== owner.token;
  if (isTaken || await store.commit({ expect: [{ table: 'meta', key: COLLECTOR_KEY, value: before }], puts: [{ table: 'meta', key: COLLECTOR_KEY, value: mine }], frees: true }) === 'conflict') {
    throw new StillpointError('E_STORE_BUSY', `process ${holder?.pid ?? 'unknown'} is tidying the store; wait for it`, { data: { pid: holder?.pid } });
  }
  try {
    return await work();
  } finally {
    await store.commit({ expect: [{ table: 'meta', key: COLLECTOR_KEY, value: mine }], deletes: [{ table: 'meta', key: COLLECTOR_KEY }], frees: true });
  }
}
