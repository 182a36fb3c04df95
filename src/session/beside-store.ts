/**
 * The store of a session whose captures and commits happen on a thread of their own (capture-worker.ts). Until the first capture it is an ordinary store: a
 * short program pays nothing.
 *
 *   session thread                         worker
 *   begin(): dirty pages are watched
 *   guest runs on, dirty pages are copied
 *   in between (dirty-copy.ts) ──────────► hash, pack, store ahead under a lease
 *   guest runs on                          │
 *   commit(batch, sealed capture) ◄────────┘ root
 *      └─────────────────────────────────► one transaction ─► answer
 *
 * Invariants: commits are made in the order in which they were asked for; when one resolves, reads here see it. close() ends the thread.
 * What this does NOT do: change what is stored: roots and records are those of a capture in place.
 */
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { assert, StillpointError } from '../core/index.ts';
import type { MachineState, Root, SnapshotWriter } from '../snapshot/index.ts';
import type { Store, StoreBatch } from '../store/index.ts';
import type { LmdbStore, StorePlace } from '../store/live/lmdb-store.ts';
import type { RunWriter, StoreContext } from '../txn/index.ts';
import type { WorkerAnswer, WorkerRequest, WorkerSetup } from './capture-worker.ts';
import { CapturesInPlace, type Captures, type PendingCapture, type SealedCapture } from './captures.ts';
import { withStore } from './context.ts';
import { DirtyCopy } from './dirty-copy.ts';
import { monotonicMs, thisOwner } from './host.ts';
import { Thread } from './thread.ts';

/** Milliseconds that the guest stands still at once while its dirty pages are copied: at first, and each time that the host's event loop comes by. */
const FIRST_MS = 0.25;
const PIECE_MS = 1;
/** Memory that is kept between checkpoints: a machine that dirtied as much once does it again, and most of its pause would go to fresh memory. */
const SPARE_BYTES_MAX = 256 * 1024 * 1024;
const SPARE_BYTES_MIN = 1024 * 1024;
/** There is none beside TypeScript sources (tests): then captures happen in place. */
const WORKER_FILE = new URL('./capture-worker.js', import.meta.url);

/** The thread of captures, with what makes them. */
class Beside {
  readonly thread: Thread<WorkerRequest, WorkerAnswer>;
  /**
   * Memory of an earlier capture: fresh memory costs the guest more than the copy itself. It is shared: V8 counts a buffer that is handed over as new memory of the thread that
   * takes it, and looks for garbage in both threads at each checkpoint.
   */
  #spare: SharedArrayBuffer | undefined;

  constructor(setup: WorkerSetup, file: URL) {
    this.thread = new Thread(file, { setup, name: 'stores checkpoints', takes: (answer) => this.#takesSpare(answer) });
  }

  /** The rest of a copy, and then what is asked of it. Rejects when the thread has ended meanwhile. */
  async askWhenCopied(copy: DirtyCopy, { id, sections }: { readonly id: number; readonly sections: ReadonlyMap<string, Uint8Array> }): Promise<WorkerAnswer> {
    const { thread } = this;
    try {
      while (!copy.isDone) {
        await new Promise<void>((resolve) => { setImmediate(resolve); });
        if (thread.ending !== undefined) break;
        copyFor(copy, PIECE_MS);
      }
    } finally {
      copy.end();
    }
    if (thread.ending !== undefined) {
      await thread.ending;
      throw wasEnded();
    }
    const { buffer } = copy.pages;
    return thread.ask({ kind: 'capture', id, sections, objects: copy.objects, pages: copy.pages }, buffer instanceof ArrayBuffer ? [buffer] : []);
  }

  /** Memory for a copy of `length` bytes. */
  memory(length: number): Uint8Array {
    const spare = this.#spare;
    this.#spare = undefined;
    if (spare !== undefined && spare.byteLength >= length) return new Uint8Array(spare, 0, length);
    // What is not kept goes with the message: nobody counts shared memory, so that nobody would look for it when it is garbage.
    if (length > SPARE_BYTES_MAX) return new Uint8Array(length);
    return new Uint8Array(new SharedArrayBuffer(Math.max(SPARE_BYTES_MIN, 2 ** Math.ceil(Math.log2(length + 1)))), 0, length); // Twice as long each time, so that few are left behind; what is not used costs nothing.
  }

  #takesSpare(answer: WorkerAnswer): boolean {
    if (answer.kind !== 'spare') return false;
    if (answer.buffer.byteLength >= (this.#spare?.byteLength ?? 0)) this.#spare = answer.buffer;
    return true;
  }
}

function wasEnded(): StillpointError {
  return new StillpointError('E_INTERNAL', 'the thread that stores checkpoints was ended');
}

function copyFor(copy: DirtyCopy, milliseconds: number): void {
  const end = monotonicMs() + milliseconds;
  copy.advance(() => monotonicMs() >= end);
}

export class BesideStore implements Store, Captures {
  readonly #inner: LmdbStore;
  /** Undefined: captures happen in place. */
  readonly #file: URL | undefined;
  #beside: Beside | undefined;
  #setup: Omit<WorkerSetup, 'place' | 'root'> | undefined;
  #root: Root | undefined;
  #inPlace: CapturesInPlace | undefined;

  /** `file`: the worker's program; tests give the built one. */
  constructor(inner: LmdbStore, file: URL = WORKER_FILE) {
    this.#inner = inner;
    this.#file = existsSync(fileURLToPath(file)) ? file : undefined;
  }

  get place(): StorePlace {
    return this.#inner.place;
  }

  get: Store['get'] = (table, key) => this.#inner.get(table, key);
  has: Store['has'] = (table, key) => this.#inner.has(table, key);
  range: Store['range'] = (table, bounds) => this.#inner.range(table, bounds);
  usage: Store['usage'] = () => this.#inner.usage();

  async commit(batch: StoreBatch): Promise<'done' | 'conflict'> {
    const { prepared, ...rest } = batch;
    if (this.#beside === undefined) return this.#inner.commit(rest);
    const { thread } = this.#beside;
    const answer = await thread.ask({ kind: 'commit', id: thread.nextId(), batch: rest, capture: prepared?.id });
    assert(answer.kind === 'committed', 'a commit is answered as one');
    this.#inner.refresh();
    return answer.answer;
  }

  /** Ends the thread. The store below stays open: it is its opener's. */
  async close(): Promise<void> {
    const beside = this.#beside;
    this.#beside = undefined;
    await beside?.thread.end(wasEnded());
  }

  /** What captures need to know of the run. `snapshots` is where the session stands; `root` what it was restored from. */
  prepare(setup: Omit<WorkerSetup, 'place' | 'root'>, { snapshots, root }: { readonly snapshots: SnapshotWriter; readonly root: Root | undefined }): Captures {
    this.#setup = setup;
    this.#root = root;
    this.#inPlace = new CapturesInPlace(snapshots);
    return this.#file === undefined ? this.#inPlace : this;
  }

  get isBeside(): boolean {
    return true;
  }

  async begin(state: MachineState): Promise<PendingCapture> {
    assert(this.#setup !== undefined && this.#inPlace !== undefined && this.#file !== undefined, 'a session prepares its captures');
    this.#beside ??= new Beside({ ...this.#setup, place: this.#inner.place, root: this.#root }, this.#file);
    const beside = this.#beside;
    const id = beside.thread.nextId();
    const copy = new DirtyCopy(state, (length) => beside.memory(length));
    copyFor(copy, FIRST_MS);
    const answer = beside.askWhenCopied(copy, { id, sections: state.sections });
    answer.catch(() => {}); // Whoever waits for sealed() hears of it.
    return { sealed: async () => this.#sealed(beside, id, await answer) };
  }

  /** A capture at the end of a session: in place when no thread was needed so far, which spares a short program its start. */
  async beginLast(state: MachineState): Promise<PendingCapture> {
    return this.#beside === undefined ? this.#inPlace!.begin(state) : this.begin(state); // prepare() made it.
  }

  #sealed(beside: Beside, id: number, answer: WorkerAnswer): SealedCapture {
    assert(answer.kind === 'sealed' && answer.id === id, 'a capture is answered as one');
    return {
      root: answer.root, snapshot: { prepared: { id } },
      confirm: () => beside.thread.post({ kind: 'confirm', id }),
      abandon: () => beside.thread.post({ kind: 'abandon', id }),
      again: async () => this.#sealed(beside, id, await beside.thread.ask({ kind: 'again', id })),
    };
  }
}

/** What a recording session works on. */
interface BesideContext extends StoreContext { readonly store: BesideStore }

/** Captures of a session: beside the guest when its store can, else in place. `root`: what the machine was restored from. */
export function capturesOf({ store }: StoreContext, writer: RunWriter, start: { readonly snapshots: SnapshotWriter; readonly root: Root | undefined }): Captures {
  if (!(store instanceof BesideStore)) return new CapturesInPlace(start.snapshots);
  return store.prepare({ run: writer.record.id, owner: thisOwner() }, start);
}

/** As withStore(), with captures beside the guest; the thread ends with `use`. */
export async function withBesideStore<Result>(directory: string | undefined, mode: 'create' | 'existing', use: (context: BesideContext) => Promise<Result>): Promise<Result> {
  return withStore(directory, mode, async ({ store, digests }) => {
    const beside = new BesideStore(store);
    try {
      return await use({ store: beside, digests });
    } finally {
      await beside.close();
    }
  });
}
