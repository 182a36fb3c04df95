/**
 * A replica of a machine in a thread of its own, as the pool asks it: one message, one answer, in order.
 * Invariants: every question ends, also when the thread does; a thread that was ended, or has died, answers nothing any more and is replaced (pool.ts).
 * What this does NOT do: execute (replica-worker.ts), decide (pool.ts).
 */
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import { assert, StillpointError } from '../core/index.ts';
import type { PackedState } from './replica-state.ts';
import type { Finished, Happened, ReplicaAnswer, ReplicaOptions, ReplicaRequest, ReplicaSetup } from './replica-worker.ts';
import type { Seen, Step } from './script.ts';

/** The joined one, which starts three times faster: beside the joined command, or where the library finds it. */
const WORKER_FILES = [new URL('../../bin/replica-worker.js', import.meta.url), new URL('./replica-worker.js', import.meta.url)] as const;

interface Waiting { readonly resolve: (value: unknown) => void; readonly reject: (error: unknown) => void }

export class Replica {
  readonly #worker: Worker;
  readonly #waiting = new Map<number, Waiting>();
  #lastId = 0;
  #isOver = false;
  /** The commit of the machine that it is at, between speculations; undefined before the first. */
  base: number | undefined;

  /** `file`: the thread's program; tests give the built one. */
  constructor(setup: ReplicaSetup, file?: URL) {
    const found = (file === undefined ? WORKER_FILES : [file]).find((candidate) => existsSync(fileURLToPath(candidate)));
    if (found === undefined) throw new StillpointError('E_UNSUPPORTED', 'speculations in threads need the built package: npm run build');
    this.#worker = new Worker(found, { workerData: setup });
    this.#worker.on('message', (answer: ReplicaAnswer) => this.#settle(answer));
    this.#worker.on('error', (cause) => this.#end(new StillpointError('E_TXN_FAULT', `the thread of the speculation died: ${cause instanceof Error ? cause.message : String(cause)}; nothing of it has happened`, { cause })));
    this.#worker.on('exit', () => this.#end(new StillpointError('E_TXN_OVER', 'the thread of the speculation was ended')));
    this.#worker.unref(); // Whoever waits for an answer keeps the process alive by ref().
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  load(state: PackedState): Promise<void> {
    return this.#ask<void>({ kind: 'load', state }, [state.pages.buffer]);
  }

  follow(commits: readonly Happened[]): Promise<void> {
    return this.#ask<void>({ kind: 'follow', commits });
  }

  begin(options: ReplicaOptions): Promise<void> {
    return this.#ask<void>({ kind: 'begin', options });
  }

  step(step: Step): Promise<Seen> {
    return this.#ask<Seen>({ kind: 'step', step });
  }

  /** The same steps after these commits. Throws E_TXN_CONFLICT when they show something else. */
  again(commits: readonly Happened[]): Promise<Finished> {
    return this.#ask<Finished>({ kind: 'again', commits });
  }

  finish(): Promise<Finished> {
    return this.#ask<Finished>({ kind: 'finish' });
  }

  state(): Promise<PackedState> {
    return this.#ask<PackedState>({ kind: 'state' });
  }

  keep(): Promise<void> {
    return this.#ask<void>({ kind: 'keep' });
  }

  undo(): Promise<void> {
    return this.#ask<void>({ kind: 'undo' });
  }

  /** Ends the thread, whatever it does. */
  async stop(): Promise<void> {
    this.#end(new StillpointError('E_TXN_OVER', 'the thread of the speculation was ended'));
    await this.#worker.terminate();
  }

  #ask<Value>(request: ReplicaRequest, transfer: readonly ArrayBuffer[] = []): Promise<Value> {
    return new Promise((resolve, reject) => {
      if (this.#isOver) return reject(new StillpointError('E_TXN_OVER', 'the thread of the speculation was ended'));
      const id = ++this.#lastId;
      this.#waiting.set(id, { resolve: (value) => resolve(value as Value), reject }); // The worker answers what is asked.
      this.#worker.ref();
      this.#worker.postMessage({ ...request, id }, transfer);
    });
  }

  #settle(answer: ReplicaAnswer): void {
    const waiting = this.#waiting.get(answer.id);
    if (waiting === undefined) return assert(this.#isOver, 'an answer was waited for');
    this.#waiting.delete(answer.id);
    if (this.#waiting.size === 0) this.#worker.unref();
    if (!('error' in answer)) return waiting.resolve(answer.value);
    const { code, message, data } = answer.error;
    waiting.reject(code === undefined ? new Error(message) : new StillpointError(code, message, { data }));
  }

  #end(why: StillpointError): void {
    this.#isOver = true;
    for (const { reject } of this.#waiting.values()) reject(why);
    this.#waiting.clear();
  }
}
