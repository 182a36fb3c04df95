/**
 * A worker thread that answers requests, seen from the thread that asks: each request has a number, and its answer comes as a promise.
 * Invariants: nobody waits for a thread that has ended: what was asked of it, and is asked later, fails with what it ended of. What this does NOT do: know what is asked.
 */
import { Worker } from 'node:worker_threads';
import { assert, ERROR_TABLE, StillpointError, type ErrorCode, type ErrorData } from '../core/index.ts';

/** What a thread says when a request failed. */
export interface Failed { readonly kind: 'failed'; readonly id: number; readonly code: ErrorCode | undefined; readonly message: string; readonly data: ErrorData }
interface Waiting<Answer> { readonly resolve: (answer: Answer) => void; readonly reject: (error: unknown) => void }

/** An error as it travels from a thread. */
export function failedOf(id: number, error: unknown): Failed {
  const known = error instanceof StillpointError;
  return { kind: 'failed', id, code: known ? error.code : undefined, message: error instanceof Error ? error.message : String(error), data: known ? error.data : {} };
}

/** The error that failedOf() was given, as its asker sees it. */
export function errorOf({ code, message, data }: Failed): Error {
  return code === undefined ? new Error(message) : new StillpointError(code, message, { data });
}

/** What a thread threw where nobody caught it, as it was there: on its way it becomes a plain error with the same properties. */
function ownErrorOf(cause: unknown): unknown {
  if (!(cause instanceof Error) || !('code' in cause) || typeof cause.code !== 'string' || !Object.hasOwn(ERROR_TABLE, cause.code)) return cause;
  const data = 'data' in cause ? cause.data as ErrorData : {}; // Of a StillpointError.
  return new StillpointError(cause.code as ErrorCode, cause.message, { data, cause }); // The line above looked.
}

export class Thread<Request extends { readonly id: number }, Answer extends { readonly id: number; readonly kind: string }> {
  readonly #worker: Worker;
  readonly #waiting = new Map<number, Waiting<Exclude<Answer, Failed>>>();
  #lastId = 0;
  #ending: Promise<unknown> | undefined;
  /** What the thread died of: it answers nobody any more. */
  #death: { readonly cause: unknown } | undefined;
  readonly #died: Promise<unknown>;
  #onDeath!: (cause: unknown) => void;

  /** `takes`: messages that nobody asked for; true when it was one. `name`: for humans. */
  constructor(file: URL, { setup, name, takes }: { readonly setup: unknown; readonly name: string; readonly takes: (answer: Answer) => boolean }) {
    this.#died = new Promise((resolve) => { this.#onDeath = resolve; });
    this.#worker = new Worker(file, { workerData: setup });
    this.#worker.on('message', (answer: Answer) => { if (!takes(answer)) this.#settle(answer); });
    this.#worker.on('error', (cause: unknown) => this.#die(ownErrorOf(cause)));
    this.#worker.on('exit', (code) => this.#die(new StillpointError('E_INTERNAL', `the thread that ${name} ended with ${code}`)));
  }

  nextId(): number {
    return ++this.#lastId;
  }

  post(request: Request, transfer: readonly ArrayBuffer[] = []): void {
    this.#worker.postMessage(request, transfer);
  }

  ask(request: Request, transfer: readonly ArrayBuffer[] = []): Promise<Exclude<Answer, Failed>> {
    if (this.#death !== undefined) return Promise.reject(this.#death.cause);
    return new Promise((resolve, reject) => {
      this.#waiting.set(request.id, { resolve, reject });
      this.post(request, transfer);
    });
  }

  /** Resolves with what the thread ended of. */
  get died(): Promise<unknown> {
    return this.#died;
  }

  /** Resolves when end() has ended the thread; undefined before somebody called it. */
  get ending(): Promise<unknown> | undefined {
    return this.#ending;
  }

  /** Ends the thread, wherever it is. Whoever waits for it hears `cause`. */
  async end(cause: StillpointError): Promise<void> {
    this.#worker.removeAllListeners('exit');
    await (this.#ending = this.#worker.terminate());
    this.#die(cause);
  }

  #settle(answer: Answer): void {
    const waiting = this.#waiting.get(answer.id);
    assert(waiting !== undefined, 'an answer was waited for');
    this.#waiting.delete(answer.id);
    if (answer.kind !== 'failed') return waiting.resolve(answer as Exclude<Answer, Failed>); // Told apart by its kind.
    waiting.reject(errorOf(answer as unknown as Failed)); // As above.
  }

  /** The first cause stays: an exit follows an error. */
  #die(cause: unknown): void {
    this.#death ??= { cause };
    this.#onDeath(cause);
    for (const { reject } of this.#waiting.values()) reject(cause);
    this.#waiting.clear();
  }
}
