/**
 * Requests with a key of their client: the first answer is remembered in the commit that makes it true, and given again to whoever asks again.
 *
 *   key not known ─► the request runs; its commit carries the answer
 *   key known     ─► the answer, when it is on disk; another request under it is E_REQUEST_KEY
 *
 * Invariants: a request that was aborted is not remembered; the oldest of KEPT_MAX answers makes room for a new one in the same commit.
 * What this does NOT do: run requests.
 */
import { createHash } from 'node:crypto';
import { StillpointError, type InstructionCount } from '../core/index.ts';
import type { Machine } from '../machine/index.ts';
import { answerDelete, answerPut, answersOf, readAnswer } from '../txn/index.ts';
import type { StoreDelete, StorePut } from '../store/index.ts';

/** Answers of a run that are remembered: an hour of a busy service, and a few megabytes. */
const KEPT_MAX = 10_000;

/** 1 to 255 visible characters of ASCII. */
const KEY_PATTERN = /^[\x21-\x7e]{1,255}$/;

export class AnswerBook {
  readonly #machine: Machine;
  /** Keys in the order of their answers. */
  readonly #keys: Set<string>;
  /** On the way to the disk. */
  readonly #underWay = new Map<string, { readonly request: string; readonly answer: Promise<Uint8Array> }>();

  /** Of a machine that was just opened. */
  constructor(machine: Machine) {
    this.#machine = machine;
    const { place } = machine;
    const answers = place === undefined ? [] : [...answersOf(place.context, place.run)];
    this.#keys = new Set(answers.sort((a, b) => (a.answer.at < b.answer.at ? -1 : 1)).map(({ answer }) => answer.key));
  }

  /** Throws E_USAGE for what is no key. */
  static check(key: string): void {
    if (!KEY_PATTERN.test(key)) throw new StillpointError('E_USAGE', 'an Idempotency-Key has 1 to 255 visible characters of ASCII');
  }

  /** What was answered under the key; a promise while it is not on disk. Throws E_REQUEST_KEY when that was another request. */
  find(key: string, bytes: Uint8Array): Promise<Uint8Array> | Uint8Array | undefined {
    const { place } = this.#machine;
    if (place === undefined || !this.#keys.has(key)) return undefined;
    const underWay = this.#underWay.get(key);
    const known = underWay ?? readAnswer(place.context, place.run, key);
    if (known === undefined) return undefined;
    if (known.request !== digestOf(bytes)) throw new StillpointError('E_REQUEST_KEY', 'the key belongs to another request that was answered already', { data: { key } });
    return 'answer' in known ? known.answer : known.response;
  }

  /** What the commit of the answer changes besides; tell written() of that commit. */
  entry(key: string, { request, response, at }: { readonly request: Uint8Array; readonly response: Uint8Array; readonly at: InstructionCount }): { readonly puts: readonly StorePut[]; readonly deletes: readonly StoreDelete[] } | undefined {
    const { place } = this.#machine;
    if (place === undefined) return undefined;
    this.#keys.add(key);
    const deletes: StoreDelete[] = [];
    while (this.#keys.size > KEPT_MAX) {
      const [oldest] = this.#keys;
      this.#keys.delete(oldest!); // There is one: the size says so.
      deletes.push(answerDelete(place.context, place.run, oldest!));
    }
    return { puts: [answerPut(place.context, place.run, { key, request: digestOf(request), at, response })], deletes };
  }

  /** The commit of entry() is under way until `durable` resolves. */
  written(key: string, { request, response, durable }: { readonly request: Uint8Array; readonly response: Uint8Array; readonly durable: Promise<void> }): void {
    const answer = durable.then(() => response);
    this.#underWay.set(key, { request: digestOf(request), answer });
    answer.catch(() => {}).finally(() => this.#underWay.delete(key));
  }
}

function digestOf(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}
