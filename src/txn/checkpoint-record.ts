/**
 * A checkpoint: the root of a whole state, where the journal stood, and where every channel stood in both directions
 * (table `checkpoints`, keyed by run id and number). docs/formats/run.md is the page.
 * Invariants: written once, in the commit that also holds its tree nodes and its journal frame; every output position in it was synced before.
 * What this does NOT do: hold state (snapshot does) or know what is in `digests` (saved running digests of all channels, opaque here).
 */
import { assert, instructionCount, limits, type Canonical, type Digests, type InstructionCount } from '../core/index.ts';
import type { JournalTail, RunId } from '../journal/index.ts';
import type { Root } from '../snapshot/index.ts';
import { canonicalMap, decodeRecord, encodeRecord, type Fields, type RecordKind } from './record.ts';
import { readTail, tailBody } from './run-record.ts';

/** One channel at a checkpoint. Positions are bytes since the start of the run. */
export interface ChannelMark {
  /** Bytes that the guest has taken. Journaled input beyond it is fed again. */
  readonly inputPosition: number;
  /** Bytes that the guest has written. Output beyond it is made again. */
  readonly outputPosition: number;
}
export type ChannelMarks = ReadonlyMap<string, ChannelMark>;

export interface CheckpointRecord {
  /** From 1, consecutive. */
  readonly number: number;
  readonly at: InstructionCount;
  readonly root: Root;
  /** The journal up to and including the checkpoint's own frame: what comes after it is fed again. */
  readonly tail: JournalTail;
  readonly channels: ChannelMarks;
  /** Saved running digests of all channels (ChannelSet.saveDigests). */
  readonly digests: Uint8Array;
  /** Wall time, milliseconds since 1970. Informational. */
  readonly createdMs: number;
}

const KIND: RecordKind = { format: 'stillpoint-checkpoint', version: 1, damaged: 'E_SNAPSHOT_FORMAT' };
const DIGESTS_MAX = 1024 * limits.CHANNELS_MAX; // A saved SHA-256 state has about 100 bytes; two and a name for each channel.

export function encodeCheckpointRecord(digests: Digests, record: CheckpointRecord): Uint8Array {
  assert(record.number >= 1 && record.at === record.tail.at, 'a checkpoint is numbered and ends at its own frame');
  return encodeRecord(digests, KIND, {
    number: record.number, root: record.root, tail: tailBody(record.tail), createdMs: record.createdMs, digests: record.digests,
    channels: canonicalMap(record.channels, (mark): Canonical => ({ ...mark })),
  });
}

/** `at` is where the record was found. Throws E_SNAPSHOT_FORMAT, E_STORE_VERSION. */
export function decodeCheckpointRecord(digests: Digests, at: { readonly run: RunId; readonly number: number }, bytes: Uint8Array): CheckpointRecord {
  const fields = decodeRecord(digests, KIND, { bytes, subject: { run: at.run, checkpoint: at.number } });
  if (fields.count('number') !== at.number || at.number < 1) throw fields.fail('is the record of another checkpoint');
  const tail = readTail(fields.object('tail'));
  const record: CheckpointRecord = {
    number: at.number, at: instructionCount(tail.at), root: fields.hash('root'), tail, createdMs: fields.count('createdMs'),
    channels: fields.map('channels', limits.CHANNELS_MAX, readMark), digests: fields.bytes('digests', DIGESTS_MAX),
  };
  fields.end();
  return record;
}

function readMark(fields: Fields): ChannelMark {
  const mark = { inputPosition: fields.count('inputPosition'), outputPosition: fields.count('outputPosition') };
  fields.end();
  return mark;
}
