/**
 * The store of a process that records nodes of a cluster: commits happen on a thread of their own (commit-worker.ts), and large inputs are hashed on another (hash-worker.ts).
 *
 *   session thread                                            hashing               committing
 *   input is read: copied into a slab   ── slab is full ────► SHA-256 of each
 *   guest runs on                       ◄──────────────────── hashes, the slab
 *   frames with the hashes, commit()    ──────────────────── the slabs ───────────► one transaction
 *   guest runs on                       ◄─────────────────── the slabs, to be filled again
 *
 * Until much was committed it is an ordinary store, and until the threads have started: a short program pays nothing.
 * Invariants: commits are made in the order in which they were asked for; when one resolves, reads here see it; what is stored is what would be without threads.
 * What this does NOT do: decide when to commit (driver.ts), capture (captures of nodes are taken in place, their records go with the commit).
 */
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { assert, limits, StillpointError, type BlobHash } from '../core/index.ts';
import type { FreshFrame, FreshInput, HashedInput } from '../journal/index.ts';
import type { Store, StoreBatch } from '../store/index.ts';
import type { LmdbStore } from '../store/live/lmdb-store.ts';
import type { StoreContext } from '../txn/index.ts';
import type { CommitAnswer, CommitRequest, CommitSetup, HashedMemory } from './commit-worker.ts';
import { withStore } from './context.ts';
import type { HashAnswer, HashRequest } from './hash-worker.ts';
import { packBatch } from './parcel.ts';
import { errorOf, Thread } from './thread.ts';

/** There are none beside TypeScript sources (tests): then commits happen in place. */
const WORKERS = new URL('./', import.meta.url);
const COMMIT_WORKER = 'commit-worker.js';
const HASH_WORKER = 'hash-worker.js';
/** What is committed in place before threads are started: that takes a tenth of a second of a processor. */
const START_BYTES = 1024 * 1024;
/** Inputs that are hashed together: what comes from a peer at once. */
const SLAB_BYTES = 256 * 1024;
/** One with less room than this is given away at once: the last ones of a commit are waited for. */
const ROOM_MIN = 64 * 1024;
/** Memory that is kept to be filled again: fresh memory costs more than the copy into it. */
const SPARE_MAX = 128;

type Committed = Extract<CommitAnswer, { kind: 'committed' }>;
type Hashed = Extract<HashAnswer, { kind: 'hashed' }>;
interface Threads { readonly commits: Thread<CommitRequest, CommitAnswer>; readonly hashes: Thread<HashRequest, HashAnswer> }

export class CommitsBeside implements Store {
  readonly #inner: LmdbStore;
  /** Where the workers' programs are. Undefined: everything happens in place. */
  readonly #directory: URL | undefined;
  #threads: Threads | undefined;
  #isReady = false;
  #isClosed = false;
  #bytesInPlace = 0;
  #spare: ArrayBuffer[] = [];
  /** What a commit will bring, by a number of ours. */
  readonly #named = new Map<number, readonly HashedMemory[]>();
  #lastName = 0;

  /** `directory`: of the workers' programs; tests give the built ones. */
  constructor(inner: LmdbStore, directory: URL = WORKERS) {
    this.#inner = inner;
    this.#directory = existsSync(fileURLToPath(new URL(COMMIT_WORKER, directory))) ? directory : undefined;
  }

  get: Store['get'] = (table, key) => this.#inner.get(table, key);
  has: Store['has'] = (table, key) => this.#inner.has(table, key);
  range: Store['range'] = (table, bounds) => this.#inner.range(table, bounds);
  usage: Store['usage'] = () => this.#inner.usage();

  async commit({ prepared, ...batch }: StoreBatch): Promise<'done' | 'conflict'> {
    if (this.#isClosed) throw wasEnded();
    if (!this.#isReady) {
      assert(prepared === undefined, 'inputs are only held ready for a thread');
      this.#count(batch);
      return this.#inner.commit(batch);
    }
    const thread = this.#threads!.commits; // It is ready.
    const inputs = prepared === undefined ? [] : this.#named.get(prepared.id)!; // name() gave the number.
    const parcel = packBatch(batch);
    const memories = [parcel.head.buffer, parcel.bytes.buffer, ...inputs.map(({ memory }) => memory)];
    const { answer, inputs: back } = await thread.ask({ kind: 'commit', id: thread.nextId(), parcel, inputs }, memories) as Committed; // A commit is answered as one.
    this.#inner.refresh();
    if (answer === 'done') this.#recycle(prepared?.id, back);
    else if (prepared !== undefined) this.#named.set(prepared.id, back); // It may be tried again.
    if (typeof answer === 'object') throw errorOf(answer);
    return answer;
  }

  /** Whether inputs can be given to a thread. */
  get isReady(): boolean {
    return this.#isReady;
  }

  /** Memory for inputs: a slab, or more for a larger one. */
  memory(bytes: number): ArrayBuffer {
    return (bytes <= SLAB_BYTES ? this.#spare.pop() : undefined) ?? new ArrayBuffer(Math.max(bytes, SLAB_BYTES));
  }

  /** Gives memory away to be hashed. */
  async hash(memory: ArrayBuffer, lengths: readonly number[]): Promise<HashedMemory> {
    if (this.#isClosed) throw wasEnded();
    const thread = this.#threads!.hashes; // Who has inputs for it has seen that it is ready.
    const answer = await thread.ask({ kind: 'hash', id: thread.nextId(), memory, lengths }, [memory]) as Hashed; // Inputs are answered by hashes.
    return { memory: answer.memory, lengths, hashes: answer.hashes };
  }

  /** The number under which a commit names inputs, as `prepared`. */
  name(inputs: readonly HashedMemory[]): { readonly id: number } {
    this.#named.set(++this.#lastName, inputs);
    return { id: this.#lastName };
  }

  /** Ends the threads when everything that was asked of them is done. The store below stays open: it is its opener's. */
  async close(): Promise<void> {
    const threads = this.#threads;
    this.#isClosed = true;
    this.#threads = undefined;
    if (threads === undefined) return;
    const { commits, hashes } = threads;
    await commits.ask({ kind: 'finish', id: commits.nextId() }); // Also of one that is still starting: a thread that is ended inside a transaction of LMDB never ends, and keeps the lock.
    await Promise.all([commits.end(wasEnded()), hashes.end(wasEnded())]);
  }

  #recycle(name: number | undefined, back: readonly HashedMemory[]): void {
    if (name !== undefined) this.#named.delete(name);
    for (const { memory } of back) if (memory.byteLength === SLAB_BYTES && this.#spare.length < SPARE_MAX) this.#spare.push(memory);
  }

  #count({ puts = [] }: StoreBatch): void {
    if (this.#directory === undefined || this.#threads !== undefined) return;
    for (const { table, value } of puts) if (table === 'frames' || table === 'blobs') this.#bytesInPlace += value.length;
    if (this.#bytesInPlace < START_BYTES) return;
    const setup: CommitSetup = { place: this.#inner.place };
    this.#threads = {
      commits: new Thread(new URL(COMMIT_WORKER, this.#directory), { setup, name: 'makes commits', takes: (answer) => answer.kind === 'ready' && (this.#isReady = true) }),
      hashes: new Thread(new URL(HASH_WORKER, this.#directory), { setup: undefined, name: 'hashes inputs', takes: () => false }),
    };
  }
}

function wasEnded(): StillpointError {
  return new StillpointError('E_INTERNAL', 'the threads that make commits were ended');
}

/** An input whose bytes are in a slab. */
interface InSlab { readonly kind: 'in slab'; readonly frame: Omit<FreshInput, 'bytes' | 'isFinal'>; readonly length: number; readonly slab: Slab; readonly index: number }
/** A frame that waits for its commit. */
export type HeldFrame = FreshFrame | InSlab;

/** Inputs that are hashed together. */
class Slab {
  readonly memory: Uint8Array<ArrayBuffer>;
  readonly lengths: number[] = [];
  used = 0;
  /** Known once it was given to the thread and answered. */
  hashes: readonly BlobHash[] | undefined;

  constructor(memory: ArrayBuffer) {
    this.memory = new Uint8Array(memory);
  }
}

/** The large inputs of one run on their way into its journal. */
export class InputsAhead {
  readonly #store: CommitsBeside;
  #slab: Slab | undefined;
  /** Given to the thread and in no commit yet. */
  #given: Promise<HashedMemory>[] = [];

  constructor(store: CommitsBeside) {
    this.#store = store;
  }

  /** A frame as it is held until its commit: a large input is copied and hashed meanwhile. */
  take(frame: FreshFrame): HeldFrame {
    if (frame.kind !== 'input' || frame.bytes.length <= limits.INLINE_INPUT_BYTES_MAX || !this.#store.isReady) return frame;
    const { bytes, isFinal: _isFinal, ...rest } = frame;
    if (this.#slab !== undefined && this.#slab.used + bytes.length > this.#slab.memory.length) this.#give();
    const slab = this.#slab ??= new Slab(this.#store.memory(bytes.length));
    slab.memory.set(bytes, slab.used);
    slab.used += bytes.length;
    const index = slab.lengths.push(bytes.length) - 1;
    if (slab.memory.length - slab.used < ROOM_MIN) this.#give();
    return { kind: 'in slab', frame: rest, length: bytes.length, slab, index };
  }

  /** Resolves when everything that was taken is hashed: what a commit of it names. Undefined: nothing. */
  async seal(): Promise<{ readonly id: number } | undefined> {
    this.#give();
    const given = this.#given;
    if (given.length === 0) return undefined;
    this.#given = [];
    return this.#store.name(await Promise.all(given));
  }

  #give(): void {
    const slab = this.#slab;
    if (slab === undefined) return;
    this.#slab = undefined;
    const hashed = this.#store.hash(slab.memory.buffer, slab.lengths).then((inputs) => {
      slab.hashes = inputs.hashes;
      return inputs;
    });
    hashed.catch(() => {}); // Whoever seals it hears of it.
    this.#given.push(hashed);
  }
}

/** The frame of a held one, once it is sealed. */
export function sealedFrame(held: HeldFrame): FreshFrame | HashedInput {
  if (held.kind !== 'in slab') return held;
  const { frame, length, slab: { hashes }, index } = held;
  assert(hashes !== undefined, 'a frame goes into the journal when its bytes are hashed');
  return { ...frame, length, hash: hashes[index]! };
}

/** What takes the inputs of a run ahead, where its store can. */
export function inputsAheadOf({ store }: StoreContext): InputsAhead | undefined {
  return store instanceof CommitsBeside ? new InputsAhead(store) : undefined;
}

/** As withStore(), with commits beside the guests; the thread ends with `use`. */
export async function withCommitsBeside<Result>(directory: string | undefined, use: (context: StoreContext) => Promise<Result>): Promise<Result> {
  return withStore(directory, 'existing', async ({ store, digests }) => {
    const beside = new CommitsBeside(store);
    try {
      return await use({ store: beside, digests });
    } finally {
      await beside.close();
    }
  });
}
