/**
 * Answers that a run remembers: what was answered to a request that carried a key of its client, so that the same request again gets the same answer. A word
 * `answer RUN-ID KEY-DIGEST` in the table `meta`. docs/formats/run.md is the page.
 *
 * Invariants: a word is written in the commit that made the answer true, and goes with it: with the run, with a rollback to before its instruction count; a
 * fork takes those with it that are true in it.
 * What this does NOT do: decide how many are kept (service).
 */
import { instructionCount, StillpointError, type Digests, type InstructionCount } from '../core/index.ts';
import type { RunId } from '../journal/index.ts';
import type { StoreDelete, StorePut } from '../store/index.ts';
import type { StoreContext } from './ownership.ts';
import { decodeRecord, encodeRecord, type RecordKind } from './record.ts';

export interface RememberedAnswer {
  /** The client's key. */
  readonly key: string;
  /** SHA-256 of the request. */
  readonly request: string;
  /** Instruction count of the commit. */
  readonly at: InstructionCount;
  readonly response: Uint8Array;
}

const KIND: RecordKind = { format: 'stillpoint-answer', version: 1, damaged: 'E_STORE_CORRUPT' };
/** Longest key, in characters of ASCII. */
const ANSWER_KEY_MAX = 255;
/** More than an outbox holds. */
const RESPONSE_BYTES_MAX = 1 << 30;
const DIGEST_DIGITS = 32;
const PREFIX = /^answer [0-9a-f]{32} [0-9a-f]{32}$/;

/** Half of the SHA-256 of the key: the word stays short. */
function wordOf(digests: Digests, run: RunId, key: string): Uint8Array {
  return new TextEncoder().encode(`answer ${run} ${digests.sha256(new TextEncoder().encode(key)).slice(0, DIGEST_DIGITS)}`);
}

export function answerPut({ digests }: Pick<StoreContext, 'digests'>, run: RunId, { key, request, at, response }: RememberedAnswer): StorePut {
  return { table: 'meta', key: wordOf(digests, run, key), value: encodeRecord(digests, KIND, { run, key, request, at, response }) };
}

export function answerDelete({ digests }: Pick<StoreContext, 'digests'>, run: RunId, key: string): StoreDelete {
  return { table: 'meta', key: wordOf(digests, run, key) };
}

/** Throws E_STORE_CORRUPT, E_STORE_VERSION. */
export function decodeAnswer(digests: Digests, run: RunId, bytes: Uint8Array): RememberedAnswer {
  const fields = decodeRecord(digests, KIND, { bytes, subject: { run } });
  if (fields.text('run', 32) !== run) throw fields.fail('is of another run');
  const answer = { key: fields.text('key', ANSWER_KEY_MAX), request: fields.text('request', 64), at: instructionCount(fields.wide('at')), response: fields.bytes('response', RESPONSE_BYTES_MAX) };
  fields.end();
  return answer;
}

/** What was answered to a request with this key. Throws as decodeAnswer(). */
export function readAnswer({ store, digests }: StoreContext, run: RunId, key: string): RememberedAnswer | undefined {
  const bytes = store.get('meta', wordOf(digests, run, key));
  return bytes === undefined ? undefined : decodeAnswer(digests, run, bytes);
}

/** All answers of a run, with the keys of their words. Throws as decodeAnswer(). */
export function* answersOf({ store, digests }: StoreContext, run: RunId): Generator<{ readonly word: Uint8Array; readonly answer: RememberedAnswer }> {
  for (const { key, value } of wordsOf(store, run)) yield { word: key, answer: decodeAnswer(digests, run, value) };
}

/** Those of a run that is removed, or (`after`) that a rollback takes back. */
export function answerDeletes(context: StoreContext, run: RunId, after?: InstructionCount): readonly StoreDelete[] {
  return [...answersOf(context, run)].filter(({ answer }) => after === undefined || answer.at > after).map(({ word }) => ({ table: 'meta', key: word }));
}

/** Those that are true in a fork at an instruction count. */
export function answerCopies(context: StoreContext, { from, to, at }: { readonly from: RunId; readonly to: RunId; readonly at: InstructionCount }): readonly StorePut[] {
  return [...answersOf(context, from)].filter(({ answer }) => answer.at <= at).map(({ answer }) => answerPut(context, to, answer));
}

/** The stored bytes of those that are true at an instruction count, for an export. Throws as decodeAnswer(). */
export function answerRecords({ store, digests }: StoreContext, run: RunId, at: InstructionCount): readonly Uint8Array[] {
  return [...wordsOf(store, run)].filter(({ value }) => decodeAnswer(digests, run, value).at <= at).map(({ value }) => value);
}

/** One that came with the run from another store. Throws as decodeAnswer(), and E_STORE_CORRUPT for one of after the run's end. */
export function importedAnswer(context: Pick<StoreContext, 'digests'>, { id, instructions }: { readonly id: RunId; readonly instructions: InstructionCount }, bytes: Uint8Array): StorePut {
  const answer = decodeAnswer(context.digests, id, bytes);
  if (answer.at > instructions) throw new StillpointError('E_STORE_CORRUPT', `an answer of run ${id} is of instruction ${answer.at}, which the run has not reached`);
  return answerPut(context, id, answer);
}

/** Words of a run, sound or not. */
export function answerWords(store: StoreContext['store'], run: RunId): readonly StoreDelete[] {
  return [...wordsOf(store, run)].map(({ key }) => ({ table: 'meta', key }));
}

/** Words of runs that are not there: an import died. */
export function answersWithoutRun(store: StoreContext['store'], isThere: (run: string) => boolean): readonly StoreDelete[] {
  const words = store.range('meta', { from: new TextEncoder().encode('answer '), to: new TextEncoder().encode('answer!') }); // The character after the blank.
  return [...words].filter(({ key }) => !isThere(runOfAnswer(key))).map(({ key }) => ({ table: 'meta', key }));
}

/** Id of the run that a word is of. */
export function runOfAnswer(word: Uint8Array): string {
  return new TextDecoder().decode(word).slice('answer '.length, 'answer '.length + DIGEST_DIGITS);
}

function wordsOf(store: StoreContext['store'], run: RunId): ReturnType<StoreContext['store']['range']> {
  return store.range('meta', { from: new TextEncoder().encode(`answer ${run} `), to: new TextEncoder().encode(`answer ${run}!`) }); // The character after the blank.
}

/** For fsck: false when the word is none of these. Throws as decodeAnswer(). */
export function inspectAnswerWord({ digests }: StoreContext, name: string, value: Uint8Array): boolean {
  if (!PREFIX.test(name)) return false;
  decodeAnswer(digests, name.slice('answer '.length, 'answer '.length + 32) as RunId, value); // 32 digits.
  return true;
}
