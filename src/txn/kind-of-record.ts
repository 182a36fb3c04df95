/**
 * Which table a record belongs to that was found in a page by itself, told by its check sum or hash (a frame: by its form and place; the chain judges it later).
 * Invariant: what no check sum tells has no table. Words that only mean something while they are true (leases, collectors, prepared transactions, files and forks under way) have none
 * either: an old copy of one would be worse than none. What this does NOT do: find records (src/store/live/lmdb-salvage.ts).
 */
import { endsWell, orElse, type BlobHash } from '../core/index.ts';
import { entryIndexOfKey, hexOfBytes, isRunId, isStoredFrame } from '../journal/index.ts';
import { snapshotTableOf } from '../snapshot/index.ts';
import type { Table } from '../store/index.ts';
import { inspectAnswerWord } from './answers.ts';
import { decodeCheckpointRecord } from './checkpoint-record.ts';
import { inspectClusterRecordWord } from './cluster-record.ts';
import { inspectCoordinatorWord } from './coordinator-record.ts';
import { inspectCutWord } from './cuts.ts';
import { inspectFenceWord } from './fence.ts';
import { inspectImageWord } from './image-records.ts';
import { decodeMark } from './marks.ts';
import { decodeOwnerRecord, type StoreContext } from './ownership.ts';
import { decodeRunRecord } from './run-record.ts';

const RUN_ID_BYTES = 16;
const HASH_BYTES = 32;
const WORDS = /^(cut|cluster|answer|image|image-source|coordinator|decision|fence) /;

/** Undefined: of none that can be told. `value`: a pack as it was before it was shrunk. */
export function tableOf(context: Pick<StoreContext, 'digests'>, key: Uint8Array, value: Uint8Array): Table | undefined {
  const table = snapshotTableOf(context.digests, key, value);
  if (table !== undefined) return table;
  if (key.length === HASH_BYTES && context.digests.sha256(value) === hexOfBytes(key) as BlobHash) return 'blobs'; // 32 bytes in hexadecimal.
  return tableOfRun(context, key, value) ?? tableOfText(context, new TextDecoder().decode(key), value);
}

function tableOfRun({ digests }: Pick<StoreContext, 'digests'>, key: Uint8Array, value: Uint8Array): Table | undefined {
  const run = hexOfBytes(key.subarray(0, RUN_ID_BYTES));
  if (!isRunId(run)) return undefined;
  const number = entryIndexOfKey(key);
  if (number === undefined) return key.length === RUN_ID_BYTES && endsWell(() => decodeOwnerRecord(digests, run, value)) ? 'owners' : undefined;
  if (isStoredFrame(run, number, value)) return 'frames';
  if (endsWell(() => decodeMark(digests, { run, number }, value))) return 'marks';
  return number > 0 && endsWell(() => decodeCheckpointRecord(digests, { run, number }, value)) ? 'checkpoints' : undefined;
}

function tableOfText(context: Pick<StoreContext, 'digests'>, name: string, value: Uint8Array): Table | undefined {
  if (endsWell(() => decodeRunRecord(context.digests, name, value))) return 'runs';
  if (!WORDS.test(name)) return undefined;
  const inspections = [inspectCutWord, inspectClusterRecordWord, inspectAnswerWord, inspectImageWord, inspectCoordinatorWord, inspectFenceWord];
  return inspections.some((inspect) => orElse(false, () => Boolean(inspect(context as StoreContext, name, value)))) ? 'meta' : undefined; // They use its digests only.
}
