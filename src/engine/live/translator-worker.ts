/**
 * The thread that translates beside the guest: requests in, answers out. A word of shared memory counts the answers, so that the guest's thread sees whether there is one without a look
 * into its port.
 * Invariants: an error ends all answers: the word is negative from then on.
 * What this does NOT do: translate (thread-translator.ts).
 */
import { createHash } from 'node:crypto';
import { workerData, type MessagePort } from 'node:worker_threads';
import { ThreadTranslator } from '../thread-translator.ts';
import type { TranslationRequest } from '../translation-requests.ts';

/** `answers`: one word of shared memory. */
export interface TranslatorSetup { readonly answers: Int32Array; readonly port: MessagePort }

const FAILED = -1;

const { answers, port } = workerData as TranslatorSetup; // What translator-thread.ts gives.
const translator = new ThreadTranslator({ digest: (bytes) => createHash('sha256').update(bytes).digest('hex'), clock: () => performance.now() });

port.on('message', (request: TranslationRequest) => {
  try {
    port.postMessage(translator.answer(request));
    Atomics.add(answers, 0, 1);
  } catch (error) {
    Atomics.store(answers, 0, FAILED);
    throw error;
  }
});
