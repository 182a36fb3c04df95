/** A translator thread without a thread: answers what the real one answers, as late as a test wants, and fails when it is told to. */
import { createHash } from 'node:crypto';
import { ThreadTranslator } from '../../src/engine/thread-translator.ts';
import type { TranslationAnswer, TranslationRequest, TranslatorThread } from '../../src/engine/translation-requests.ts';

export class TwinThread implements TranslatorThread {
  state: TranslatorThread['state'] = 'there';
  /** Answers nothing for the time being. */
  isHeld = false;
  /** Requests that came. */
  readonly requests: TranslationRequest[] = [];
  readonly #translator = new ThreadTranslator({ digest: (bytes) => createHash('sha256').update(bytes).digest('hex'), clock: () => 0 });
  readonly #delay: () => number;
  readonly #answers: { readonly answer: TranslationAnswer; delay: number }[] = [];

  /** `delay`: so many looks for an answer find none. */
  constructor(delay: () => number) {
    this.#delay = delay;
  }

  post(request: TranslationRequest): void {
    this.requests.push(request);
    const answer = this.#translator.answer(structuredClone(request));
    const module = answer.kind === 'translated' ? answer.module : undefined; // Only a real port copies these.
    this.#answers.push({ answer: { ...structuredClone({ ...answer, module: undefined }), module } as TranslationAnswer, delay: this.#delay() });
  }

  take(): TranslationAnswer | undefined {
    const [next] = this.#answers;
    if (this.state !== 'there' || this.isHeld || next === undefined || next.delay-- > 0) return undefined;
    return this.#answers.shift()!.answer;
  }
}
