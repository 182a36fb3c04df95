/**
 * Where a record belongs whose key was damaged: its bytes are whole, and say or prove themselves what they are.
 *
 *   runs                         the name that the record tells
 *   blobs                        the hash of the bytes, when the key is one bit away from it: else the bytes are what was damaged
 *   owners, and entries of runs  the one key that is one bit away, free, of a run that is known, and goes with the record
 *
 * Invariant: nothing is guessed: where several keys would do, or one that is taken, there is none. What this does NOT do: find such records (inspect.ts), move them (repair.ts).
 */
import { endsWell, orElse } from '../core/index.ts';
import { blobKey, entryIndexOfKey, hexOfBytes, isRunId, isStoredFrame, type RunId } from '../journal/index.ts';
import type { Table } from '../store/index.ts';
import { decodeCheckpointRecord } from './checkpoint-record.ts';
import { decodeMark } from './marks.ts';
import { decodeOwnerRecord, type StoreContext } from './ownership.ts';
import { decodeRunRecordOf, nameKey, type RunRecord } from './run-record.ts';

const RUN_ID_BYTES = 16;

export type MisplacedTable = 'runs' | 'blobs' | EntryTable;
type EntryTable = 'owners' | 'frames' | 'checkpoints' | 'marks';
export interface Misplaced { readonly table: MisplacedTable; readonly key: Uint8Array; readonly value: Uint8Array }

/** Tells, for runs by their ids, where a record belongs; undefined: it may be where it is, or nobody knows. */
export function rightPlace(context: StoreContext, runs: ReadonlyMap<string, RunRecord>, record: Misplaced): Uint8Array | undefined {
  const { table, key, value } = record;
  switch (table) {
    case 'runs': return ifFree(context, table, nameIn(context, value));
    case 'blobs': {
      const hash = blobKey(context.digests.sha256(value));
      return bitsBetween(hash, key) === 1 ? ifFree(context, table, hash) : undefined;
    }
    default: {
      const places = oneBitAway(key).filter((place) => goesWith(context, runs, { table, key: place, value }) && !context.store.has(table, place));
      return places.length === 1 ? places[0] : undefined;
    }
  }
}

function ifFree({ store }: StoreContext, table: Table, place: Uint8Array | undefined): Uint8Array | undefined {
  return place === undefined || store.has(table, place) ? undefined : place;
}

function nameIn({ digests }: StoreContext, value: Uint8Array): Uint8Array | undefined {
  return orElse(undefined, () => nameKey(decodeRunRecordOf(digests, value).name));
}

function goesWith({ digests }: StoreContext, runs: ReadonlyMap<string, RunRecord>, { table, key, value }: { readonly table: EntryTable; readonly key: Uint8Array; readonly value: Uint8Array }): boolean {
  const run = hexOfBytes(key.subarray(0, RUN_ID_BYTES));
  const known = runs.get(run);
  if (known === undefined || !isRunId(run)) return false;
  if (table === 'owners') return endsWell(() => decodeOwnerRecord(digests, run, value));
  const number = entryIndexOfKey(key);
  return number !== undefined && isEntry(table, { known, run, number, value }, digests);
}

function isEntry(table: Exclude<EntryTable, 'owners'>, { known, run, number, value }: { readonly known: RunRecord; readonly run: RunId; readonly number: number; readonly value: Uint8Array }, digests: StoreContext['digests']): boolean {
  if (table === 'frames') return number < known.tail.count && isStoredFrame(run, number, value); // The chain is looked at when it is there again.
  const isNumber = number >= 1 && number <= (known.lastCheckpoint ?? 0);
  return isNumber && endsWell(() => table === 'checkpoints' ? decodeCheckpointRecord(digests, { run, number }, value) : decodeMark(digests, { run, number }, value));
}

function oneBitAway(key: Uint8Array): readonly Uint8Array[] {
  return Array.from({ length: 8 * key.length }, (_, bit) => {
    const other = Uint8Array.from(key); // slice() of what a database gives may be a view of the same bytes.
    other[bit >> 3]! ^= 1 << (bit & 7);
    return other;
  });
}

function bitsBetween(one: Uint8Array, other: Uint8Array): number {
  if (one.length !== other.length) return Number.POSITIVE_INFINITY;
  let bits = 0;
  for (const [index, byte] of one.entries()) for (let rest = byte ^ other[index]!; rest !== 0; rest &= rest - 1) bits++;
  return bits;
}
