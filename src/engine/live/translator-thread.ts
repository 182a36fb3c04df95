/**
 * Starts the thread that translates beside the guest, where the host has a processor for it.
 * Invariants: it keeps no process alive, and ends when it has had nothing to do for a while; one that fails is seen when the event loop turns or an answer is looked for.
 * What this does NOT do: translate (translator-worker.ts), ask (translation-requests.ts).
 */
import { existsSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { MessageChannel, receiveMessageOnPort, Worker, type MessagePort } from 'node:worker_threads';
import type { TranslationAnswer, TranslationRequest, TranslatorThread } from '../translation-requests.ts';
import type { TranslatorSetup } from './translator-worker.ts';

/** The joined one, which starts faster, beside the joined command and library; or the one of the package. */
const WORKER_FILES = [new URL('./translator-worker.js', import.meta.url), new URL('../../../bin/translator-worker.js', import.meta.url)] as const;
/** In megabytes: what the thread makes lives for one request. */
const YOUNG_MEGABYTES = 16;

/** Without a request for so long the thread and its memory go. */
const REST_MILLISECONDS = 3000;

/** Undefined: one processor, or no built package. `file`: the thread's program; tests give the built one. */
export function startTranslatorThread(file?: URL): TranslatorThread | undefined {
  const found = (file === undefined ? WORKER_FILES : [file]).find((candidate) => existsSync(fileURLToPath(candidate)));
  return found === undefined || availableParallelism() < 2 ? undefined : new WorkerTranslator(found);
}

class WorkerTranslator implements TranslatorThread {
  readonly #port: MessagePort;
  readonly #answers = new Int32Array(new SharedArrayBuffer(4));
  #taken = 0;
  readonly #worker: Worker;
  #state: TranslatorThread['state'] = 'there';
  #rest: NodeJS.Timeout | undefined = undefined;

  constructor(file: URL) {
    const { port1, port2 } = new MessageChannel();
    this.#port = port1;
    const workerData: TranslatorSetup = { answers: this.#answers, port: port2 };
    this.#worker = new Worker(file, { workerData, transferList: [port2], resourceLimits: { maxYoungGenerationSizeMb: YOUNG_MEGABYTES } });
    this.#worker.on('error', () => { this.#state = 'failed'; }); // It costs time only: the guest's thread translates from now on.
    this.#worker.unref();
  }

  get state(): TranslatorThread['state'] { return Atomics.load(this.#answers, 0) < 0 ? 'failed' : this.#state; }

  post(request: TranslationRequest): void {
    clearTimeout(this.#rest);
    this.#port.postMessage(request, [request.memory.flags.buffer as ArrayBuffer, request.memory.bytes.buffer as ArrayBuffer]); // Copies, never shared memory.
  }

  take(): TranslationAnswer | undefined {
    if (Atomics.load(this.#answers, 0) <= this.#taken) return undefined;
    const received = receiveMessageOnPort(this.#port) as { readonly message: TranslationAnswer } | undefined; // Nothing tells its type.
    if (received === undefined) return undefined;
    this.#taken++;
    clearTimeout(this.#rest);
    this.#rest = setTimeout(() => { this.#end(); }, REST_MILLISECONDS).unref();
    return received.message;
  }

  #end(): void {
    this.#state = 'rested';
    this.#port.close();
    void this.#worker.terminate();
  }
}
