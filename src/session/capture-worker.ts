/**
 * The thread beside a guest: hashes, packs and stores what the session copied for it, and makes the session's commits, so that neither stops the guest.
 *
 *   capture ─► pages and sections become records; beyond a batch's size they are stored at once, under a lease ─► sealed (root)
 *   commit  ─► the session's batch, with the rest of the sealed capture, as one transaction
 *
 * Invariants: messages are answered in order; what is stored before the commit that refers to it is garbage to everybody else, and the lease keeps collectors
 * away from it; the lease goes in that commit. Memory: one copy of the dirty pages, one batch of packs, locations and nodes.
 * What this does NOT do: decide anything.
 */
import { parentPort, workerData } from 'node:worker_threads';
import { assert } from '../core/index.ts';
import { createNodeDigests } from '../core/live/digest.ts';
import { SnapshotWriter, type Capture, type MachineState, type PageObject, type Root } from '../snapshot/index.ts';
import type { StoreBatch } from '../store/index.ts';
import { openLmdbStore, type StorePlace } from '../store/live/lmdb-store.ts';
import { leaseDelete, leasePut, type Owner } from '../txn/index.ts';
import type { RunId } from '../journal/index.ts';
import type { CopiedObject } from './dirty-copy.ts';
import { PacksAhead } from './packs-ahead.ts';
import { failedOf, type Failed } from './thread.ts';

export interface WorkerSetup { readonly place: StorePlace; readonly run: RunId; readonly owner: Owner; readonly root: Root | undefined }
export type WorkerRequest =
  | { readonly kind: 'capture'; readonly id: number; readonly sections: ReadonlyMap<string, Uint8Array>; readonly objects: readonly CopiedObject[]; readonly pages: Uint8Array }
  /** The same state once more. */
  | { readonly kind: 'again'; readonly id: number }
  | { readonly kind: 'confirm' | 'abandon'; readonly id: number }
  /** `capture`: the sealed capture whose records belong to this commit. */
  | { readonly kind: 'commit'; readonly id: number; readonly batch: StoreBatch; readonly capture: number | undefined };
export type WorkerAnswer =
  /** The shared memory of a capture that is over, for the next one. */
  | { readonly kind: 'spare'; readonly id: number; readonly buffer: SharedArrayBuffer }
  | { readonly kind: 'sealed'; readonly id: number; readonly root: Root }
  | { readonly kind: 'committed'; readonly id: number; readonly answer: 'done' | 'conflict' }
  | Failed;

const PAGE_BYTES = 4096;

interface Sealed { readonly buffer: ArrayBufferLike; readonly state: MachineState; readonly capture: Capture }

const { place, run, owner, root } = workerData as WorkerSetup; // Given by BesideStore.
const port = parentPort!; // This file is only loaded as a worker.
const digests = await createNodeDigests();
const store = await openLmdbStore({ ...place, mode: 'existing', isChecked: true });
const context = { store, digests };
const snapshots = new SnapshotWriter(store, digests);
if (root !== undefined) snapshots.adopt(root);
const sealed = new Map<number, Sealed>();
const ahead = new PacksAhead(store);
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
    port.postMessage(failedOf(request.id, error) satisfies WorkerAnswer);
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
      if (done.buffer instanceof SharedArrayBuffer) port.postMessage({ kind: 'spare', id: request.id, buffer: done.buffer } satisfies WorkerAnswer);
      return undefined;
    }
    case 'abandon':
      sealed.get(request.id)?.capture.abandon();
      sealed.delete(request.id);
      return undefined;
    case 'commit': return { kind: 'committed', id: request.id, answer: await commit(request.batch, request.capture) };
  }
}

function seal(id: number, { state, buffer }: { readonly state: MachineState; readonly buffer: ArrayBufferLike }): WorkerAnswer {
  // Each lease has a token of its own, so that a collector sees one end and the next begin.
  ahead.begin(leasePut(context, run, { ...owner, token: `${owner.token} ${id}` }));
  const capture = snapshots.capture(state, ahead);
  if (ahead.failure !== undefined) {
    capture.abandon();
    throw ahead.failure;
  }
  sealed.set(id, { buffer, state, capture });
  return { kind: 'sealed', id, root: capture.root };
}

async function commit(batch: StoreBatch, capture: number | undefined): Promise<'done' | 'conflict'> {
  const part = capture === undefined ? undefined : sealed.get(capture);
  if (part === undefined) return store.commit(batch);
  const { expect, puts, deletes } = part.capture.batch;
  return store.commit({
    expect: [...batch.expect ?? [], ...expect], present: ahead.stored, puts: [...ahead.rest, ...puts, ...batch.puts ?? []], deletes: [...batch.deletes ?? [], ...deletes, ...ahead.hasLease ? [leaseDelete(run)] : []],
  });
}

function stateOf({ sections, objects, pages }: Extract<WorkerRequest, { kind: 'capture' }>): MachineState {
  return { sections, objects: objects.map((object) => new CopiedPages(object, pages)) };
}

/** The dirty pages of one object as they were copied. */
class CopiedPages implements PageObject {
  readonly name: string;
  readonly #pages: Uint8Array;
  readonly #offset: number;
  /** Ascending. */
  readonly #copied: Uint32Array;
  #isClean = false;
  /** Place of the page that was read last: they are read in order. */
  #place = 0;

  constructor({ name, dirty, offset }: CopiedObject, pages: Uint8Array) {
    this.name = name;
    this.#pages = pages;
    this.#offset = offset;
    this.#copied = dirty;
  }

  dirtyPages(): readonly number[] {
    return this.#isClean ? [] : Array.from(this.#copied);
  }

  readPage(pageIndex: number): Uint8Array {
    if (this.#copied[++this.#place] !== pageIndex) this.#place = this.#copied.indexOf(pageIndex);
    assert(this.#place >= 0, 'only dirty pages are read, and those of this capture if it is repeated');
    const at = this.#offset + this.#place * PAGE_BYTES;
    return this.#pages.subarray(at, at + PAGE_BYTES);
  }

  markClean(): void {
    this.#isClean = true;
  }
}
