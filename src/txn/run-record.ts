/**
 * What the store keeps of a run, in one record under its name (table `runs`): identity, status, where its journal ends, how far its
 * outputs are, and what a resume needs without options. docs/formats/run.md is the page.
 * Invariants: replaced only by commits that hold the run's epoch; synced <= delivered <= intended on every channel.
 * What this does NOT do: hold anything the guest's result depends on (that is in the genesis frame). `createdMs` and `bindings` are the
 * caller's: wall time for humans, host paths for the session.
 */
import { assert, instructionCount, limits, StillpointError, type BlobHash, type Canonical, type Digests, type InstructionCount } from '../core/index.ts';
import { isRunId, type JournalTail, type Outcome, type RunId } from '../journal/index.ts';
import { canonicalMap, decodeRecord, encodeRecord, type Fields, type RecordKind } from './record.ts';

/** How far the output of one channel is, in bytes since the start of the run. */
export interface OutputPosition {
  /** On disk at the sink, as far as the sink can. A checkpoint relies on it. */
  readonly synced: number;
  /** Taken by the host. */
  readonly delivered: number;
  /** Cleared for delivery: the inputs it depends on are durable. After a crash the host holds something between delivered and intended. */
  readonly intended: number;
}
export type OutputPositions = ReadonlyMap<string, OutputPosition>;

/** running: an owner executes it, or died doing so. stopped: can be resumed. ended: the guest is over (a cap can still be resumed). */
export type RunStatus = 'running' | 'stopped' | 'ended';

export interface Parent { readonly id: RunId; readonly name: string; readonly checkpoint: number }

export interface RunRecord {
  readonly id: RunId;
  readonly name: string;
  /** Wall time of creation, milliseconds since 1970. Informational. */
  readonly createdMs: number;
  readonly status: RunStatus;
  /** SHA-256 of the encoded genesis frame: what was run, equal for equal jobs. */
  readonly genesis: BlobHash;
  readonly outcome: Outcome | undefined;
  readonly tail: JournalTail;
  /** Number of the checkpoint that a resume starts from; undefined before the first. Numbers count from 1. */
  readonly lastCheckpoint: number | undefined;
  /** Greatest number that a checkpoint of this run ever had, so that none comes twice. */
  readonly numbered: number;
  /** The run that this one is a fork of, as it was called then, and the checkpoint (0: before the first instruction). */
  readonly parent: Parent | undefined;
  /** Instructions retired at the last commit. */
  readonly instructions: InstructionCount;
  readonly outputs: OutputPositions;
  /** Opaque text of the session: which host path each channel is bound to. */
  readonly bindings: string;
}

const KIND: RecordKind = { format: 'stillpoint-run', version: 2, oldest: 1, damaged: 'E_STORE_CORRUPT' };
const NAME_PATTERN = /^[a-zA-Z0-9][a-zA-Z0-9._-]{0,63}$/;
const BINDINGS_MAX = 4 * 1024 * 1024; // limits.CHANNELS_MAX paths of limits.PATH_BYTES_MAX bytes.
const STATUSES: readonly RunStatus[] = ['running', 'stopped', 'ended'];
const CAP_NAME_MAX = 1024;

export function isRunName(name: string): boolean {
  return NAME_PATTERN.test(name);
}

/** The name, or E_RUN_NAME. */
export function checkRunName(name: string): string {
  if (isRunName(name)) return name;
  throw new StillpointError('E_RUN_NAME', `${JSON.stringify(name.slice(0, 80))} is not a run name: use 1 to 64 of a-z A-Z 0-9 . _ - and start with a letter or digit`, { data: { name: name.slice(0, 80) } });
}

/** Key of a run record. */
export function nameKey(name: string): Uint8Array {
  return new TextEncoder().encode(checkRunName(name));
}

export function encodeRunRecord(digests: Digests, record: RunRecord): Uint8Array {
  assert(NAME_PATTERN.test(record.name), 'a run record has a sound name');
  assert(record.numbered >= (record.lastCheckpoint ?? 0), 'no checkpoint lies beyond the greatest number');
  assert(record.bindings.length <= BINDINGS_MAX, 'bindings stay below their cap');
  for (const position of record.outputs.values()) assert(isOrdered(position), 'synced <= delivered <= intended');
  return encodeRecord(digests, KIND, {
    id: record.id, name: record.name, createdMs: record.createdMs, status: record.status, genesis: record.genesis,
    outcome: record.outcome === undefined ? null : outcomeBody(record.outcome),
    tail: tailBody(record.tail),
    lastCheckpoint: record.lastCheckpoint ?? 0,
    numbered: record.numbered,
    parent: record.parent === undefined ? null : { ...record.parent },
    instructions: record.instructions,
    outputs: canonicalMap(record.outputs, ({ synced, delivered, intended }) => ({ synced, delivered, intended })),
    bindings: record.bindings,
  });
}

/** `name` is the key the record was found under. Throws E_STORE_CORRUPT, E_STORE_VERSION. */
export function decodeRunRecord(digests: Digests, name: string, bytes: Uint8Array): RunRecord {
  const fields = decodeRecord(digests, KIND, { bytes, subject: { run: name } });
  const id = fields.text('id', 32);
  if (!isRunId(id)) throw fields.fail('has a wrong value in the field id');
  if (fields.text('name', 64) !== name) throw fields.fail('is the record of another run');
  const lastCheckpoint = fields.count('lastCheckpoint');
  const record: RunRecord = {
    id, name, createdMs: fields.count('createdMs'), status: fields.oneOf('status', STATUSES), genesis: fields.hash('genesis'),
    outcome: fields.optional('outcome', readOutcome),
    tail: readTail(fields.object('tail')),
    lastCheckpoint: lastCheckpoint === 0 ? undefined : lastCheckpoint,
    numbered: fields.version === 1 ? lastCheckpoint : fields.count('numbered'),
    parent: fields.version === 1 ? undefined : fields.optional('parent', readParent),
    instructions: instructionCount(fields.wide('instructions')),
    outputs: fields.map('outputs', limits.CHANNELS_MAX, readPosition),
    bindings: fields.text('bindings', BINDINGS_MAX),
  };
  fields.end();
  if (record.numbered < lastCheckpoint) throw fields.fail('has a checkpoint beyond its greatest number');
  return record;
}

/** A record that came without its key: the name is the one it says. Throws E_STORE_CORRUPT, E_STORE_VERSION, E_RUN_NAME. */
export function decodeRunRecordOf(digests: Digests, bytes: Uint8Array): RunRecord {
  const name = decodeRecord(digests, KIND, { bytes, subject: { run: 'of a file' } }).text('name', 64);
  return decodeRunRecord(digests, checkRunName(name), bytes);
}

function readParent(fields: Fields): Parent {
  const id = fields.text('id', 32);
  if (!isRunId(id)) throw fields.fail('has a wrong value in the field parent');
  const parent = { id, name: fields.text('name', 64), checkpoint: fields.count('checkpoint') };
  fields.end();
  if (!isRunName(parent.name)) throw fields.fail('has a parent whose name no run can have');
  return parent;
}

export function tailBody(tail: JournalTail): Canonical {
  return { count: tail.count, link: tail.link, at: tail.at };
}

export function readTail(fields: Fields): JournalTail {
  const tail = { count: fields.count('count'), link: fields.hash('link'), at: instructionCount(fields.wide('at')) };
  fields.end();
  if (tail.count === 0 || tail.count >= 2 ** 32) throw fields.fail('has an impossible number of frames');
  return tail;
}

export function isOrdered({ synced, delivered, intended }: OutputPosition): boolean {
  return synced <= delivered && delivered <= intended;
}

function readPosition(fields: Fields): OutputPosition {
  const position = { synced: fields.count('synced'), delivered: fields.count('delivered'), intended: fields.count('intended') };
  fields.end();
  if (!isOrdered(position)) throw fields.fail('has output positions out of order');
  return position;
}

function outcomeBody(outcome: Outcome): Canonical {
  return { ...outcome };
}

function readOutcome(fields: Fields): Outcome {
  const kind = fields.oneOf('kind', ['exited', 'killed', 'capped']);
  const outcome: Outcome = kind === 'exited' ? { kind, status: fields.count('status') } : kind === 'killed' ? { kind, signal: fields.count('signal') } : { kind, cap: fields.text('cap', CAP_NAME_MAX) };
  fields.end();
  return outcome;
}
