/**
 * Holds a store still for some milliseconds: no process commits to it, guests run on. What is read meanwhile holds at every moment of the hold, so stores that are held at
 * once, each read while it is, give one moment of all of them.
 *
 * Invariants: end() says whether the store was held without a gap from begin() until end() was called; a hold that its owner forgets, or dies with, ends by itself.
 * What this does NOT do: wait for other stores (cluster/moment.ts).
 */
import { fileURLToPath } from 'node:url';
import { existsSync } from 'node:fs';
import { assert, StillpointError } from '../core/index.ts';
import type { HoldAnswer, HoldRequest, HoldSetup } from './hold-worker.ts';
import { Thread } from './thread.ts';

const HOLD_WORKER = 'hold-worker.js';
const WORKERS = new URL('./', import.meta.url);

type Released = Extract<HoldAnswer, { kind: 'released' }>;

export class StoreHold {
  readonly #thread: Thread<HoldRequest, HoldAnswer>;
  #flag: Int32Array<SharedArrayBuffer> | undefined;
  #released: Promise<Released> | undefined;
  #onHeld: () => void = () => {};
  #onReady: () => void = () => {};

  private constructor(directory: string, workers: URL) {
    assert(existsSync(fileURLToPath(new URL(HOLD_WORKER, workers))), 'the thread that holds a store is built');
    const takes = (answer: HoldAnswer): boolean => {
      if (answer.kind === 'ready') this.#onReady();
      if (answer.kind === 'held') this.#onHeld();
      return answer.kind === 'ready' || answer.kind === 'held';
    };
    this.#thread = new Thread(new URL(HOLD_WORKER, workers), { setup: { directory } satisfies HoldSetup, name: 'holds the store', takes });
  }

  /** A thread that is ready to hold a store; close() ends it. `workers`: where the built programs are; tests give it. Throws what opening the store throws. */
  static async open(directory: string, workers: URL = WORKERS): Promise<StoreHold> {
    const hold = new StoreHold(directory, workers);
    await new Promise<void>((resolve, reject) => {
      hold.#onReady = resolve;
      void hold.#thread.died.then(reject);
    });
    return hold;
  }

  /** Resolves when nobody can commit any more, for at most `limitMs`. */
  async begin(limitMs: number): Promise<void> {
    assert(this.#released === undefined, 'a store is held once at a time');
    this.#flag = new Int32Array(new SharedArrayBuffer(4));
    const held = new Promise<void>((resolve) => { this.#onHeld = resolve; });
    this.#released = this.#thread.ask({ kind: 'hold', id: this.#thread.nextId(), flag: this.#flag.buffer, limitMs }) as Promise<Released>; // 'held' is nobody's answer.
    await Promise.race([held, this.#released]);
  }

  /** Lets go; false when the time was over before. What was committed before the hold is on disk then. */
  async end(): Promise<boolean> {
    if (this.#released === undefined || this.#flag === undefined) return false;
    Atomics.store(this.#flag, 0, 1);
    Atomics.notify(this.#flag, 0);
    const released = this.#released;
    this.#released = undefined;
    return (await released).isInTime;
  }

  /** Lets go, and ends the thread. */
  async close(): Promise<void> {
    await this.end().catch(() => false); // Whoever held it has heard of it.
    await this.#thread.end(new StillpointError('E_INTERNAL', 'the thread that holds the store was ended'));
  }
}
