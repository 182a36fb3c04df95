/**
 * Bytes of one journal frame, version 1. docs/formats/journal.md is the page; frame.ts has the values.
 *
 *   stored value = encoded frame ‖ link (32 bytes)
 *   encoded      = MessagePack array [version, index, kind, at, field…]
 *   link i       = SHA-256(link i-1 ‖ encoded i);  link -1 = SHA-256("stillpoint journal v1\n" ‖ run id in hexadecimal)
 *
 * Invariants: one frame has exactly one encoding (the reader encodes again and compares); numbers below 2^32 are MessagePack unsigned
 * integers in the shortest form, positions and counts are 64-bit integers (9 bytes), hashes are 32 raw bytes; no maps, floats, nil,
 * nested arrays or extensions. The reader treats bytes as hostile: they are walked and bounded before msgpackr sees them.
 * What this does NOT do: know where frames are stored (reader.ts, writer.ts) or whether their order makes sense (reader.ts).
 */
import { Packr } from 'msgpackr';
import { assert, blobHash, endsWell, instructionCount, limits, StillpointError, unreachable, type BlobHash, type Digests, type ErrorCode, type InstructionCount } from '../core/index.ts';
import { FieldReader, FieldError, isPlainText, readHash } from './fields.ts';
import { bytesOfHex, hexOfBytes, type RunId } from './run-id.ts';
import type { Frame, Outcome } from './frame.ts';

export const JOURNAL_VERSION = 1;
export const LINK_BYTES = 32;
/** A stored value: the frame and its link. */
export const STORED_FRAME_BYTES_MAX = limits.FRAME_BYTES_MAX + LINK_BYTES;

/** Kind numbers on disk: never changed, never reused. Inputs have two forms: bytes in the frame, or bytes in the table `blobs`. */
const KIND = { genesis: 1, inlineInput: 2, blobInput: 3, end: 4, clock: 5, entropy: 6, output: 7, checkpoint: 8, stop: 9, exit: 10, reseed: 11 } as const;
const OUTCOME = { exited: 0, killed: 1, capped: 2 } as const;

const NAME_MAX = 255; // Channel names; the manifest's own bound is lower or equal.
const TEXT_MAX = 1024; // Recorder, reason of a stop, name of a cap: one line for humans.
const INPUT_BYTES_MAX = 16 * 1024 * 1024; // A frame holds one chunk or one message; far above limits.CHUNK_BYTES.
const STATUS_MAX = 255; // Linux exit status.
const SEED_BYTES = 32; // A ChaCha20 key.
const SIGNAL_MAX = 64; // Linux signals 1..64.

// Frozen: changing any of these changes the bytes of version 1.
const packr = new Packr({ useRecords: false, int64AsType: 'bigint', copyBuffers: true, moreTypes: false, bundleStrings: false });

type Field = number | bigint | string | Uint8Array;

/** The bytes of one frame, without its link. Assertions, not errors: a frame that does not fit is our own mistake. */
export function encodeFrame(index: number, frame: Frame): Uint8Array {
  assert(Number.isInteger(index) && index >= 0 && index < 2 ** 32, 'a frame index fits 32 bits');
  assert(frame.at >= 0n && frame.at < 1n << 64n, 'an instruction count fits 64 bits');
  const encoded = pack([JOURNAL_VERSION, index, ...head(frame), ...body(frame)]);
  assert(encoded.length <= limits.FRAME_BYTES_MAX, 'a frame stays below its size cap');
  return encoded;
}

function pack(fields: readonly Field[]): Uint8Array {
  return new Uint8Array(packr.pack(fields)); // A copy: msgpackr hands out a window of its own buffer.
}

function head(frame: Frame): Field[] {
  if (frame.kind !== 'input') return [KIND[frame.kind], frame.at];
  return [typeof frame.bytes === 'string' ? KIND.blobInput : KIND.inlineInput, frame.at];
}

function body(frame: Frame): Field[] {
  switch (frame.kind) {
    case 'genesis': return [frame.manifest, bytesOfHex(frame.program), line(frame.recorder, TEXT_MAX)];
    case 'input': return inputBody(frame);
    case 'end': return [line(frame.channel, NAME_MAX), wide(frame.offset)];
    case 'clock': return [inRange64(frame.nanoseconds)];
    case 'entropy': return [bounded(frame.bytes, limits.CHUNK_BYTES)];
    case 'output': return [line(frame.channel, NAME_MAX), wide(frame.position), bytesOfHex(frame.digest)];
    case 'checkpoint': return [narrow(frame.number), bytesOfHex(frame.root)];
    case 'stop': return [line(frame.reason, TEXT_MAX)];
    case 'reseed': return [seed(frame.seed)];
    case 'exit': return [...outcomeBody(frame.outcome), bytesOfHex(frame.root)];
    default: return unreachable(frame);
  }
}

function inputBody(frame: Extract<Frame, { kind: 'input' }>): Field[] {
  const where = [line(frame.channel, NAME_MAX), wide(frame.offset)];
  if (typeof frame.bytes !== 'string') {
    assert(frame.length === frame.bytes.length, 'the length of an input is the length of its bytes');
    return [...where, bounded(frame.bytes, limits.INLINE_INPUT_BYTES_MAX)];
  }
  assert(frame.length > limits.INLINE_INPUT_BYTES_MAX && frame.length <= INPUT_BYTES_MAX, 'only large inputs are stored by hash');
  return [...where, narrow(frame.length), bytesOfHex(frame.bytes)];
}

function outcomeBody(outcome: Outcome): Field[] {
  switch (outcome.kind) {
    case 'exited':
      assert(outcome.status >= 0 && outcome.status <= STATUS_MAX, 'an exit status is one byte');
      return [OUTCOME.exited, outcome.status, ''];
    case 'killed':
      assert(outcome.signal >= 1 && outcome.signal <= SIGNAL_MAX, 'a signal number is a Linux one');
      return [OUTCOME.killed, outcome.signal, ''];
    case 'capped': return [OUTCOME.capped, 0, line(outcome.cap, TEXT_MAX)];
    default: return unreachable(outcome);
  }
}

function wide(value: number): bigint {
  assert(Number.isSafeInteger(value) && value >= 0, 'a position is a safe non-negative integer');
  return BigInt(value);
}

function narrow(value: number): number {
  assert(Number.isInteger(value) && value >= 0 && value < 2 ** 32, 'a count fits 32 bits');
  return value;
}

function inRange64(value: bigint): bigint {
  assert(value >= 0n && value < 1n << 64n, 'a time fits 64 bits');
  return value;
}

function bounded(bytes: Uint8Array, lengthMax: number): Uint8Array {
  assert(bytes.length <= lengthMax, 'bytes in a frame stay below their cap');
  return bytes;
}

function seed(bytes: Uint8Array): Uint8Array {
  assert(bytes.length === SEED_BYTES, 'a seed has 32 bytes');
  return bytes;
}

function readSeed(fields: FieldReader): Uint8Array {
  const bytes = fields.bytes(SEED_BYTES);
  if (bytes.length !== SEED_BYTES) throw new FieldError('has a seed that is not 32 bytes');
  return bytes;
}

function line(text: string, lengthMax: number): string {
  assert(isPlainText(text, lengthMax), 'text in a frame is short, not empty and well-formed');
  return text;
}

/** Where a frame was looked for: makes messages that name it. `after`: instruction count of the last sound frame. */
export interface FrameContext {
  readonly run: RunId;
  readonly frame: number;
  readonly after: bigint;
}

/** An error about one frame. Data: run, frame, at. */
export function journalError(code: ErrorCode, context: FrameContext, what: string, cause?: unknown): StillpointError {
  const message = `frame ${context.frame} of the journal of run ${context.run} ${what}, after instruction ${context.after}`;
  const data = { run: context.run, frame: context.frame, at: context.after };
  return new StillpointError(code, message, cause === undefined ? { data } : { data, cause });
}

/** The frame of some hostile bytes. Throws E_JOURNAL_FORMAT, or E_JOURNAL_DAMAGED when the bytes are a frame of another place. */
export function decodeFrame(bytes: Uint8Array, context: FrameContext): Frame {
  try {
    const fields = new FieldReader(bytes, limits.FRAME_BYTES_MAX, (walked) => packr.unpack(walked) as unknown);
    const version = fields.u32();
    if (version !== JOURNAL_VERSION) throw new FieldError(`has version ${version}, this reader knows ${JOURNAL_VERSION}`);
    const index = fields.u32();
    if (index !== context.frame) throw journalError('E_JOURNAL_DAMAGED', context, `says that it is frame ${index}`);
    const frame = decodeBody(fields.u32(), fields);
    fields.end();
    if (!equalBytes(encodeFrame(index, frame), bytes)) throw new FieldError('is not in its one encoding');
    return frame;
  } catch (error) {
    if (error instanceof FieldError) throw journalError('E_JOURNAL_FORMAT', context, error.message);
    throw error;
  }
}

/** Whether a record of the table `frames` has the form of one, at this place; the chain says whether it is the right one. */
export function isStoredFrame(run: RunId, index: number, stored: Uint8Array): boolean {
  const parts = splitStored(stored);
  return parts !== undefined && endsWell(() => decodeFrame(parts.encoded, { run, frame: index, after: 0n }));
}

function decodeBody(kind: number, fields: FieldReader): Frame {
  const at: InstructionCount = instructionCount(fields.u64());
  switch (kind) {
    case KIND.genesis: return { kind: 'genesis', at, manifest: fields.bytes(limits.FRAME_BYTES_MAX), program: readHash(fields), recorder: fields.text(TEXT_MAX) };
    case KIND.inlineInput: {
      const channel = fields.text(NAME_MAX);
      const offset = fields.position();
      const bytes = fields.bytes(limits.INLINE_INPUT_BYTES_MAX);
      return { kind: 'input', at, channel, offset, length: bytes.length, bytes };
    }
    case KIND.blobInput: {
      const where = { channel: fields.text(NAME_MAX), offset: fields.position() };
      const length = fields.u32({ min: limits.INLINE_INPUT_BYTES_MAX + 1, max: INPUT_BYTES_MAX });
      return { kind: 'input', at, ...where, length, bytes: readHash(fields) };
    }
    case KIND.end: return { kind: 'end', at, channel: fields.text(NAME_MAX), offset: fields.position() };
    case KIND.clock: return { kind: 'clock', at, nanoseconds: fields.u64() };
    case KIND.entropy: return { kind: 'entropy', at, bytes: fields.bytes(limits.CHUNK_BYTES) };
    case KIND.output: return { kind: 'output', at, channel: fields.text(NAME_MAX), position: fields.position(), digest: readHash(fields) };
    case KIND.checkpoint: return { kind: 'checkpoint', at, number: fields.u32(), root: readHash(fields) };
    case KIND.stop: return { kind: 'stop', at, reason: fields.text(TEXT_MAX) };
    case KIND.reseed: return { kind: 'reseed', at, seed: readSeed(fields) };
    case KIND.exit: return { kind: 'exit', at, outcome: decodeOutcome(fields), root: readHash(fields) };
    default: throw new FieldError(`has the unknown kind ${kind}`);
  }
}

function decodeOutcome(fields: FieldReader): Outcome {
  const kind = fields.u32({ max: OUTCOME.capped });
  if (kind === OUTCOME.capped) {
    fields.u32({ max: 0 });
    return { kind: 'capped', cap: fields.text(TEXT_MAX) };
  }
  const value = kind === OUTCOME.exited ? fields.u32({ max: STATUS_MAX }) : fields.u32({ min: 1, max: SIGNAL_MAX });
  fields.emptyText();
  return kind === OUTCOME.exited ? { kind: 'exited', status: value } : { kind: 'killed', signal: value };
}

export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  for (let index = 0; index < a.length; index++) if (a[index] !== b[index]) return false;
  return true;
}

/** Link of "frame -1": binds the chain to the run and the format. */
export function firstLink(digests: Digests, run: RunId): BlobHash {
  return digests.sha256(new TextEncoder().encode(`stillpoint journal v1\n${run}`));
}

/** Link of a frame from the link before it. */
export function nextLink(digests: Digests, previous: BlobHash, encoded: Uint8Array): BlobHash {
  const joined = new Uint8Array(LINK_BYTES + encoded.length);
  joined.set(bytesOfHex(previous));
  joined.set(encoded, LINK_BYTES);
  return digests.sha256(joined);
}

/** The stored value of an encoded frame. */
export function joinStored(encoded: Uint8Array, link: BlobHash): Uint8Array {
  const stored = new Uint8Array(encoded.length + LINK_BYTES);
  stored.set(encoded);
  stored.set(bytesOfHex(link), encoded.length);
  return stored;
}

/** Parts of a stored value; undefined when it is too short or too long to be one. */
export function splitStored(stored: Uint8Array): { readonly encoded: Uint8Array; readonly link: Uint8Array } | undefined {
  if (stored.length <= LINK_BYTES || stored.length > STORED_FRAME_BYTES_MAX) return undefined;
  const cut = stored.length - LINK_BYTES;
  return { encoded: stored.subarray(0, cut), link: stored.subarray(cut) };
}

/** The link that a stored frame ends in, as it lies there. */
export function storedLink(stored: Uint8Array): BlobHash | undefined {
  const parts = splitStored(stored);
  return parts === undefined ? undefined : blobHash(hexOfBytes(parts.link));
}
