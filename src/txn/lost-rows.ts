/**
 * Rows that a database made anew may miss without anybody finding out, from another copy of the store: checkpoints that are not the last, names and notes, remembered answers, names of
 * images, points in the history of clusters.
 * Invariants: a row is taken only where this store has none under its key, or one that the caller knows to be older, and where what it belongs to is here with the same history; the check
 * that follows judges it like any other.
 * What this does NOT do: content, frames and run records (other-copy.ts), decide which tables miss rows (the caller knows what was broken).
 */
import { orElse, sameBytes } from '../core/index.ts';
import { entryIndexOfKey, entryKey, hexOfBytes, isRunId, storedLink } from '../journal/index.ts';
import { ALL_KEYS, type Store, type StorePut, type Table } from '../store/index.ts';
import { decodeAnswer, inspectAnswerWord, runOfAnswer } from './answers.ts';
import { decodeCheckpointRecord } from './checkpoint-record.ts';
import { inspectClusterRecordWord } from './cluster-record.ts';
import { inspectCutWord } from './cuts.ts';
import { inspectImageWord } from './image-records.ts';
import { decodeMark } from './marks.ts';
import type { StoreContext } from './ownership.ts';
import { decodeRunRecord, type RunRecord } from './run-record.ts';

export type LosingTable = 'checkpoints' | 'marks' | 'meta';
type Source = Pick<Store, 'get' | 'range'>;
interface Row { readonly key: Uint8Array; readonly value: Uint8Array }

const PUTS_MAX = 2000;
const RUN_ID_BYTES = 16;
const WHAT = { checkpoints: 'checkpoint records', marks: 'names and notes of checkpoints', meta: 'answers, names of images and points in the history of clusters' };

export interface Known {
  /** Runs by their ids, whose records are up to date. */
  readonly runs: ReadonlyMap<string, RunRecord>;
  /** Whether the copy's row counts where this store has one. `run`: that it belongs to. */
  readonly isOlder: (table: Table, key: Uint8Array, run: string | undefined) => boolean;
}

/** Puts those of one table back. Returns a line about them, none where there were none. */
export async function takeLostRows(context: StoreContext, source: Source, { table, runs, isOlder }: Known & { readonly table: LosingTable }): Promise<readonly string[]> {
  const { store } = context;
  const belongs = table === 'checkpoints' ? checkpointJudge(context, runs) : table === 'marks' ? markJudge(context, source) : wordJudge(context, source);
  const isWanted = ({ key, value }: Row): boolean => {
    const here = store.get(table, key);
    return here === undefined || (!sameBytes(here, value) && isOlder(table, key, runOf(table, key)));
  };
  const puts: StorePut[] = [];
  for (const row of source.range(table, ALL_KEYS)) if (isWanted(row) && orElse(false, () => belongs(row))) puts.push({ table, ...row });
  for (let first = 0; first < puts.length; first += PUTS_MAX) await store.commit({ puts: puts.slice(first, first + PUTS_MAX) });
  return puts.length === 0 ? [] : [`restored from the other copy: ${puts.length} ${WHAT[table]}`];
}

/** Id of the run that a row is of. */
function runOf(table: LosingTable, key: Uint8Array): string | undefined {
  const run = table === 'meta' ? runOfAnswer(key) : hexOfBytes(key.subarray(0, RUN_ID_BYTES));
  return isRunId(run) ? run : undefined;
}

/** Whether the journal here is the one that it belongs to, or has lost that very frame. */
function checkpointJudge(context: StoreContext, records: Known['runs']): (row: Row) => boolean {
  return ({ key, value }) => {
    const run = hexOfBytes(key.subarray(0, RUN_ID_BYTES));
    if (!isRunId(run)) return false;
    const { number, tail } = decodeCheckpointRecord(context.digests, { run, number: entryIndexOfKey(key) ?? 0 }, value);
    const record = records.get(run);
    if (record !== undefined && (tail.count > record.tail.count || number > (record.lastCheckpoint ?? 0))) return false;
    const frame = context.store.get('frames', entryKey(run, tail.count - 1));
    return frame === undefined || storedLink(frame) === tail.link;
  };
}

/** Whether the checkpoint that it is on is the same in both copies. */
function markJudge({ store, digests }: StoreContext, source: Source): (row: Row) => boolean {
  return ({ key, value }) => {
    const run = hexOfBytes(key.subarray(0, RUN_ID_BYTES));
    const [here, there] = [store.get('checkpoints', key), source.get('checkpoints', key)];
    return isRunId(run) && here !== undefined && there !== undefined && hexOfBytes(here) === hexOfBytes(there) && decodeMark(digests, { run, number: entryIndexOfKey(key) ?? 0 }, value) !== undefined;
  };
}

/** Words that stay true. An answer is one where the run here has the history that it was given in. */
function wordJudge(context: StoreContext, source: Source): (row: Row) => boolean {
  const { digests } = context;
  const [here, there] = [recordsOf(digests, context.store), recordsOf(digests, source)];
  return ({ key, value }) => {
    const name = new TextDecoder().decode(key);
    if ([inspectCutWord, inspectClusterRecordWord, inspectImageWord].some((inspect) => Boolean(inspect(context, name, value)))) return true;
    if (!inspectAnswerWord(context, name, value)) return false;
    const [run, copied] = [here.get(runOfAnswer(key)), there.get(runOfAnswer(key))];
    return run !== undefined && copied !== undefined && isSameHistory(context, source, [run, copied]) && decodeAnswer(digests, run.id, value).at <= run.instructions;
  };
}

/** Whether one of the two is the beginning of the other. */
export function isSameHistory({ store }: StoreContext, source: Source, [here, there]: readonly [RunRecord, RunRecord]): boolean {
  const key = entryKey(here.id, Math.min(here.tail.count, there.tail.count) - 1);
  const [frame, copied] = [store.get('frames', key), source.get('frames', key)];
  return frame !== undefined && copied !== undefined && storedLink(frame) === storedLink(copied);
}

/** Runs by their ids, as far as their records can be read. */
export function recordsOf(digests: StoreContext['digests'], store: Pick<Store, 'range'>): ReadonlyMap<string, RunRecord> {
  return new Map(listReadable(digests, store).map((record) => [record.id, record]));
}

export function listReadable(digests: StoreContext['digests'], store: Pick<Store, 'range'>): readonly RunRecord[] {
  const records: RunRecord[] = [];
  for (const { key, value } of store.range('runs', ALL_KEYS)) records.push(...orElse([], () => [decodeRunRecord(digests, new TextDecoder().decode(key), value)]));
  return records;
}
