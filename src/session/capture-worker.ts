/**
 * The thread beside a guest: hashes, packs and stores what the session copied for it, and makes the session's commits, so that neither stops the guest.
 *
 *   capture ─► pages and sections become records; beyond a batch's size they are stored at once, under a lease ─► sealed (root)
 *   commit  ─► the session's batch, with the rest of the sealed capture, as one transaction
 *
 * Invariants: messages are answered in order; what is stored before the commit that refers to it is garbage to everybody else, and the lease keeps collectors
 * away from it; the lease goes in that commit. Memory: one copy of the dirty pages and one batch of records.
 * What this does NOT do: decide anything.
 */
import { parentPort, workerData } from 'node:worker_threads';
import { StillpointError, type ErrorCode, type ErrorData } from '../core/index.ts';
import { createNodeDigests } from '../core/live/digest.ts';
import { SnapshotWriter, type Capture, type MachineState, type PageObject, type Root } from '../snapshot/index.ts';
import type { StoreBatch, StoreExpectation, StorePut } from '../store/index.ts';
import { openLmdbStore } from '../store/live/lmdb-store.ts';
import { leaseDelete, leasePut, type Owner } from '../txn/index.ts';
import type { RunId } from '../journal/index.ts';

export interface WorkerSetup { readonly directory: string; readonly run: RunId; readonly owner: Owner; readonly root: Root | undefined }
/** Dirty pages of one object: their indices, and where the first of them is in `pages`. */
export interface CopiedObject { readonly name: string; readonly dirty: Uint32Array; readonly offset: number }
export type WorkerRequest =
  | { readonly kind: 'capture'; readonly id: number; readonly sections: ReadonlyMap<string, Uint8Array>; readonly objects: readonly CopiedObject[]; readonly pages: Uint8Array<ArrayBuffer> }
  /** The same state once more. */
  | { readonly kind: 'again'; readonly id: number }
  | { readonly kind: 'confirm' | 'abandon'; readonly id: number }
  /** `capture`: the sealed capture whose records belong to this commit. */
  | { readonly kind: 'commit'; readonly id: number; readonly batch: StoreBatch; readonly capture: number | undefined };
export type WorkerAnswer =
  /** The memory of a capture that is over, for the next one. */
  | { readonly kind: 'spare'; readonly id: number; readonly buffer: ArrayBuffer }
  | { readonly kind: 'sealed'; readonly id: number; readonly root: Root }
  | { readonly kind: 'committed'; readonly id: number; readonly answer: 'done' | 'conflict' }
  | { readonly kind: 'failed'; readonly id: number; readonly code: ErrorCode | undefined; readonly message: string; readonly data: ErrorData };

/** Packs are stored in transactions of about this size: the store's lock is held for some ten milliseconds at a time. */
const BATCH_BYTES = 16 * 1024 * 1024;
const PAGE_BYTES = 4096;

interface Sealed { readonly buffer: ArrayBuffer; readonly state: MachineState; readonly capture: Capture; readonly rest: StorePut[]; readonly expect: StoreExpectation[]; readonly hasLease: boolean }

const { directory, run, owner, root } = workerData as WorkerSetup; // Given by BesideStore.
const port = parentPort!; // This file is only loaded as a worker.
const digests = await createNodeDigests();
const store = await openLmdbStore({ directory, mode: 'existing' });
const context = { store, digests };
const snapshots = new SnapshotWriter(store, digests);
if (root !== undefined) snapshots.adopt(root);
const sealed = new Map<number, Sealed>();
/** Messages are worked on one after the other. */
let line: Promise<void> = Promise.resolve();

port.on('message', (request: WorkerRequest) => {
  line = line.then(() => answer(request));
});

async function answer(request: WorkerRequest): Promise<void> {
  try {
    const reply = await work(request);
    if (reply !== undefined) port.postMessage(reply);
  } catch (error) {
    const known = error instanceof StillpointError;
    const message = error instanceof Error ? error.message : String(error);
    port.postMessage({ kind: 'failed', id: request.id, code: known ? error.code : undefined, message, data: known ? error.data : {} } satisfies WorkerAnswer);
  }
}

async function work(request: WorkerRequest): Promise<WorkerAnswer | undefined> {
  switch (request.kind) {
    case 'capture': return seal(request.id, { state: stateOf(request), buffer: request.pages.buffer });
    case 'again': {
      const before = sealed.get(request.id)!; // The session asks only for what it was given.
      before.capture.abandon();
      return seal(request.id, before);
    }
    case 'confirm': {
      const done = sealed.get(request.id)!; // As above.
      done.capture.confirm();
      sealed.delete(request.id);
      port.postMessage({ kind: 'spare', id: request.id, buffer: done.buffer } satisfies WorkerAnswer, [done.buffer]);
      return undefined;
    }
    case 'abandon':
      sealed.get(request.id)?.capture.abandon();
      sealed.delete(request.id);
      return undefined;
    case 'commit': return { kind: 'committed', id: request.id, answer: await commit(request.batch, request.capture) };
  }
}

async function seal(id: number, { state, buffer }: { readonly state: MachineState; readonly buffer: ArrayBuffer }): Promise<WorkerAnswer> {
  const capture = snapshots.capture(state);
  let { puts } = capture.batch;
  const hasLease = sizeOf(puts) > BATCH_BYTES;
  try {
    if (hasLease) puts = await storeAhead(id, puts);
  } catch (error) {
    capture.abandon();
    throw error;
  }
  sealed.set(id, { buffer, state, capture, rest: [...puts], expect: [...capture.batch.expect], hasLease });
  return { kind: 'sealed', id, root: capture.root };
}

/**
 * Stores packs, all but the last batch; gives back the rest. Locations and nodes are small and lie all over their tables: in one transaction each page of the
 * database is written once, in many it would be written again and again.
 */
async function storeAhead(id: number, puts: readonly StorePut[]): Promise<readonly StorePut[]> {
  // Each lease has a token of its own, so that a collector sees one end and the next begin.
  let batch: StorePut[] = [leasePut(context, run, { ...owner, token: `${owner.token} ${id}` })];
  let bytes = 0;
  for (const put of puts.filter(({ table }) => table === 'packs')) {
    if (bytes > BATCH_BYTES) {
      await store.commit({ puts: batch });
      batch = [];
      bytes = 0;
    }
    batch.push(put);
    bytes += put.value.length;
  }
  return [...batch, ...puts.filter(({ table }) => table !== 'packs')];
}

function sizeOf(puts: readonly StorePut[]): number {
  return puts.reduce((sum, { value }) => sum + value.length, 0);
}

async function commit(batch: StoreBatch, capture: number | undefined): Promise<'done' | 'conflict'> {
  const part = capture === undefined ? undefined : sealed.get(capture);
  if (part === undefined) return store.commit(batch);
  // The lease may be among the rest, when there was only one batch: then it is not put at all.
  const rest = part.rest.filter(({ table }) => table !== 'meta');
  return store.commit({
    expect: [...batch.expect ?? [], ...part.expect], puts: [...rest, ...batch.puts ?? []], deletes: [...batch.deletes ?? [], ...part.hasLease ? [leaseDelete(run)] : []],
  });
}

function stateOf({ sections, objects, pages }: Extract<WorkerRequest, { kind: 'capture' }>): MachineState {
  return { sections, objects: objects.map((object) => new CopiedPages(object, pages)) };
}

/** The dirty pages of one object as they were copied. */
class CopiedPages implements PageObject {
  readonly name: string;
  readonly #pages: Uint8Array;
  readonly #places: ReadonlyMap<number, number>;
  #dirty: readonly number[];

  constructor({ name, dirty, offset }: CopiedObject, pages: Uint8Array) {
    this.name = name;
    this.#pages = pages;
    this.#dirty = [...dirty];
    this.#places = new Map(this.#dirty.map((page, index) => [page, offset + index * PAGE_BYTES]));
  }

  dirtyPages(): readonly number[] {
    return this.#dirty;
  }

  readPage(pageIndex: number): Uint8Array {
    const at = this.#places.get(pageIndex)!; // Only dirty pages are read, and those of this capture if it is repeated.
    return this.#pages.subarray(at, at + PAGE_BYTES);
  }

  markClean(): void {
    this.#dirty = [];
  }
}
