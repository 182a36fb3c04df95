/**
 * Keeps the history of a run within its rule while the run is recorded: checkpoints that the rule does not keep go after each new one, and now and then a thread of its own frees what
 * they took.
 *
 *   session thread                                      worker
 *   checkpoint committed ─► drop (one small commit)
 *                    └─ enough dropped ───────────────► collect the whole store, in short commits
 *   guest runs on                                       │
 *   end() ── flag ─────────────────────────────────────►┘ gives up at its next breath
 *
 * Invariants: the last checkpoint and marked ones stay, whatever the rule; a collection takes at most a tenth of the time; the guest never waits for one, and a
 * session that ends waits for a breath of it. Where the store cannot be collected (damage in any run of it) the run goes on, and the report says so.
 * What this does NOT do: choose what stays (txn/retention.ts), collect (txn/collector.ts).
 */
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { StillpointError, type ErrorCode } from '../core/index.ts';
import type { KeepRule } from '../manifest/index.ts';
import { dropCheckpoints, type RunRecord, type StoreContext } from '../txn/index.ts';
import { BesideStore } from './beside-store.ts';
import type { SavedBindings } from './bindings-codec.ts';
import type { CollectAnswer, CollectRequest, CollectSetup } from './collect-worker.ts';
import { monotonicMs } from './host.ts';
import { Thread } from './thread.ts';
import { collectNow } from './tidy.ts';

/** There is none beside TypeScript sources (tests): then the session's own thread collects. */
const WORKER_FILE = new URL('./collect-worker.js', import.meta.url);
/** Marking reads the nodes of all that stays: not for the sake of one checkpoint. */
const DROPPED_MIN = 8;
/** A collection is followed by so many times its own length without one. */
const PAUSE_FACTOR = 10;

/** What became of the rule in a session. */
export interface KeptHistory {
  readonly droppedCheckpoints: number;
  readonly collections: number;
  /** Why the last of these came to nothing. */
  readonly trouble?: { readonly code: ErrorCode; readonly says: string };
}

/** Undefined: everything stays. */
export function keeperOf(context: StoreContext, { keepCheckpoints }: SavedBindings): HistoryKeeper | undefined {
  return keepCheckpoints === undefined ? undefined : new HistoryKeeper(context, keepCheckpoints);
}

export class HistoryKeeper {
  readonly #context: StoreContext;
  readonly #rule: KeepRule;
  readonly #file: URL;
  /** Tells the worker to give up. */
  readonly #flag = new Int32Array(new SharedArrayBuffer(4));
  #collecting: Promise<void> | undefined;
  #thread: Thread<CollectRequest, CollectAnswer> | undefined;
  #waiting = 0;
  #notBeforeMs = 0;
  #dropped = 0;
  #collections = 0;
  #trouble: KeptHistory['trouble'];

  /** `file`: the worker's program; tests give the built one. */
  constructor(context: StoreContext, rule: KeepRule, file: URL = WORKER_FILE) {
    this.#context = context;
    this.#rule = rule;
    this.#file = file;
  }

  /** After the commit of a checkpoint. */
  async checkpointed(record: RunRecord): Promise<void> {
    await this.#noted(() => this.#drop(record));
    if (this.#waiting < DROPPED_MIN || this.#collecting !== undefined || monotonicMs() < this.#notBeforeMs) return;
    this.#waiting = 0;
    const collecting = this.#collect();
    this.#collecting = collecting;
    if (this.#isInPlace) await collecting;
  }

  get facts(): KeptHistory {
    return { droppedCheckpoints: this.#dropped, collections: this.#collections, ...(this.#trouble === undefined ? {} : { trouble: this.#trouble }) };
  }

  /** Resolves when nothing is being collected any more. */
  async end(): Promise<void> {
    Atomics.store(this.#flag, 0, 1);
    await this.#collecting;
    await this.#thread?.end(new StillpointError('E_INTERNAL', 'the thread that tidies the store was ended'));
  }

  get #isInPlace(): boolean {
    return !(this.#context.store instanceof BesideStore) || !existsSync(fileURLToPath(this.#file));
  }

  async #drop(record: RunRecord): Promise<void> {
    const { length } = await dropCheckpoints(this.#context, record, this.#rule);
    this.#dropped += length;
    this.#waiting += length;
  }

  /** What goes wrong here is no reason to end the run: a disk that is full, say, ends it at its own next commit. */
  async #noted(work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      if (!(error instanceof StillpointError)) throw error;
      if (error.code !== 'E_STORE_BUSY') this.#trouble = { code: error.code, says: error.message }; // Somebody else collects; or it was told to give up.
    }
  }

  async #collect(): Promise<void> {
    const started = monotonicMs();
    await this.#noted(async () => {
      if (this.#isInPlace) await collectNow(this.#context);
      else await this.#collectBeside();
      this.#collections++;
      this.#trouble = undefined;
    });
    const ended = monotonicMs();
    this.#notBeforeMs = ended + PAUSE_FACTOR * (ended - started);
    this.#collecting = undefined;
  }

  async #collectBeside(): Promise<void> {
    const { place } = this.#context.store as BesideStore; // #isInPlace looked.
    this.#thread ??= new Thread(this.#file, { setup: { place, flag: this.#flag.buffer } satisfies CollectSetup, name: 'tidies the store', takes: () => false });
    await this.#thread.ask({ kind: 'collect', id: this.#thread.nextId() });
  }
}
