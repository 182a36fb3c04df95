/**
 * A prepared transaction of a run: durable, not happened yet, waiting for a decision from outside. A word `prepared RUN-ID` in the table `meta`; a run has
 * at most one. docs/formats/run.md is the page.
 *
 * Invariants: its frames continue the journal at the run's last commit, so that executing them again gives the prepared state; it disappears in the
 * commit that takes the frames into the journal, or in the one that drops them.
 * What this does NOT do: decide, execute (machine).
 */
import { instructionCount, limits, type Canonical, type Digests, type InstructionCount } from '../core/index.ts';
import type { FreshFrame, RunId } from '../journal/index.ts';
import type { StoreDelete, StorePut } from '../store/index.ts';
import type { StoreContext } from './ownership.ts';
import { decodeRecord, encodeRecord, type Fields, type RecordKind } from './record.ts';

export interface PreparedTransaction {
  /** What its coordinator calls it. */
  readonly id: string;
  /** Instruction count that it reaches. */
  readonly at: InstructionCount;
  readonly frames: readonly FreshFrame[];
}

const KIND: RecordKind = { format: 'stillpoint-prepared', version: 1, damaged: 'E_STORE_CORRUPT' };
const ID_MAX = 200;
const FRAMES_MAX = 1_000_000;

function key(run: RunId): Uint8Array {
  return new TextEncoder().encode(`prepared ${run}`);
}

export function encodePrepared(digests: Digests, run: RunId, { id, at, frames }: PreparedTransaction): Uint8Array {
  return encodeRecord(digests, KIND, { run, id, at, frames: Object.fromEntries(frames.map((frame, index) => [String(index).padStart(7, '0'), bodyOf(frame)])) });
}

function bodyOf(frame: FreshFrame): Canonical {
  switch (frame.kind) {
    case 'input': return { kind: frame.kind, at: frame.at, channel: frame.channel, offset: frame.offset, bytes: frame.bytes };
    case 'end': return { kind: frame.kind, at: frame.at, channel: frame.channel, offset: frame.offset };
    case 'clock': return { kind: frame.kind, at: frame.at, nanoseconds: frame.nanoseconds };
    case 'entropy': return { kind: frame.kind, at: frame.at, bytes: frame.bytes };
    default: throw new Error('assertion failed: a transaction consists of inputs');
  }
}

/** Throws E_STORE_CORRUPT, E_STORE_VERSION. */
export function decodePrepared(digests: Digests, run: RunId, bytes: Uint8Array): PreparedTransaction {
  const fields = decodeRecord(digests, KIND, { bytes, subject: { run } });
  if (fields.text('run', 32) !== run) throw fields.fail('is of another run');
  const prepared = { id: fields.text('id', ID_MAX), at: instructionCount(fields.wide('at')), frames: [...fields.map('frames', FRAMES_MAX, readFrame).values()] };
  fields.end();
  return prepared;
}

function readFrame(fields: Fields): FreshFrame {
  const kind = fields.oneOf('kind', ['input', 'end', 'clock', 'entropy'] as const);
  const at = instructionCount(fields.wide('at'));
  const frame = ((): FreshFrame => {
    switch (kind) {
      case 'input': return { kind, at, channel: fields.text('channel', limits.PATH_BYTES_MAX), offset: fields.count('offset'), bytes: fields.bytes('bytes', limits.CHUNK_BYTES) };
      case 'end': return { kind, at, channel: fields.text('channel', limits.PATH_BYTES_MAX), offset: fields.count('offset') };
      case 'clock': return { kind, at, nanoseconds: fields.wide('nanoseconds') };
      case 'entropy': return { kind, at, bytes: fields.bytes('bytes', limits.CHUNK_BYTES) };
      default: return kind satisfies never;
    }
  })();
  fields.end();
  return frame;
}

export function preparedPut(run: RunId, value: Uint8Array): StorePut {
  return { table: 'meta', key: key(run), value };
}

export function preparedDelete(run: RunId): StoreDelete {
  return { table: 'meta', key: key(run) };
}

/** The prepared transaction of a run, if there is one. Throws E_STORE_CORRUPT, E_STORE_VERSION. */
export function readPrepared({ store, digests }: StoreContext, run: RunId): PreparedTransaction | undefined {
  const bytes = store.get('meta', key(run));
  return bytes === undefined ? undefined : decodePrepared(digests, run, bytes);
}
