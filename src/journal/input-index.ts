/**
 * Where each input byte of a run is in its journal: what a session needs to feed a replay and to rebuild pending input at a checkpoint.
 * Built by one verified pass over the journal; holds positions (a few dozen bytes a frame), not bytes.
 * Invariants: inputs of a sequential channel are contiguous from 0 and end at most once; chunks of a random channel begin at distinct
 * offsets. A journal that says otherwise is E_JOURNAL_FORMAT.
 * What this does NOT do: decide when an input is fed (frame.at says), or read the host.
 */
import { StillpointError, type FrameIndex, type InstructionCount } from '../core/index.ts';
import { journalError } from './format.ts';
import type { JournalReader } from './reader.ts';

/** One recorded input: bytes [offset, offset + length) of its channel. */
export interface InputEntry {
  readonly index: FrameIndex;
  readonly at: InstructionCount;
  readonly offset: number;
  readonly length: number;
}

/** What the journal knows of one sequential stream. */
export interface StreamFacts {
  /** Bytes [0, length) of the stream are journaled; a live source is asked for more from here. */
  readonly length: number;
  /** The frame that says that the stream ended, at `length`. */
  readonly end: { readonly index: FrameIndex; readonly at: InstructionCount } | undefined;
}

interface Stream { entries: InputEntry[]; length: number; end: { index: FrameIndex; at: InstructionCount } | undefined }

export class InputIndex {
  readonly #reader: JournalReader;
  readonly #streams = new Map<string, Stream>();
  readonly #chunks = new Map<string, Map<number, InputEntry>>();

  /** Reads the whole journal. `isRandom` tells random-access channels from streams (the manifest knows). */
  constructor(reader: JournalReader, isRandom: (channel: string) => boolean) {
    this.#reader = reader;
    for (const { index, frame } of reader.frames()) {
      if (frame.kind === 'end') this.#addEnd({ channel: frame.channel, offset: frame.offset, index, at: frame.at });
      if (frame.kind !== 'input') continue;
      const entry: InputEntry = { index, at: frame.at, offset: frame.offset, length: frame.length };
      if (isRandom(frame.channel)) this.#addChunk(frame.channel, entry);
      else this.#addPiece(frame.channel, entry);
    }
  }

  stream(channel: string): StreamFacts {
    const stream = this.#streams.get(channel);
    return { length: stream?.length ?? 0, end: stream?.end };
  }

  /** The recorded chunk of a random channel that begins at `offset`. */
  chunk(channel: string, offset: number): InputEntry | undefined {
    return this.#chunks.get(channel)?.get(offset);
  }

  /** Recorded inputs of a sequential channel that hold bytes at or after stream position `from`, in order. The first may begin before it. */
  *pieces(channel: string, from: number): Generator<InputEntry> {
    const entries = this.#streams.get(channel)?.entries ?? [];
    for (let next = firstEndingAfter(entries, from); next < entries.length; next++) yield entries[next]!;
  }

  /** The bytes of an entry, verified. */
  bytes(entry: InputEntry): Uint8Array {
    const frame = this.#reader.frameAt(entry.index);
    if (frame.kind !== 'input') throw this.#wrong(entry, 'is no input any more');
    return this.#reader.inputBytes(frame);
  }

  /** The bytes [from, to) of a sequential stream: pending input at a checkpoint. Both positions lie in what is journaled. */
  slice(channel: string, { from, to }: { readonly from: number; readonly to: number }): Uint8Array {
    const out = new Uint8Array(to - from);
    let filled = from;
    for (const entry of this.pieces(channel, from)) {
      if (filled >= to) break;
      const bytes = this.bytes(entry).subarray(filled - entry.offset, to - entry.offset);
      out.set(bytes, filled - from);
      filled += bytes.length;
    }
    if (filled < to) throw new StillpointError('E_JOURNAL_CUT', `the journal of run ${this.#reader.run} holds channel ${channel} up to byte ${filled}, a checkpoint needs ${to}`, { data: { run: this.#reader.run, channel, expected: to, got: filled } });
    return out;
  }

  #addPiece(channel: string, entry: InputEntry): void {
    const stream = this.#stream(channel);
    if (stream.end !== undefined) throw this.#wrong(entry, `gives channel ${channel} bytes after its end`);
    if (entry.offset !== stream.length) throw this.#wrong(entry, `gives channel ${channel} bytes at ${entry.offset} instead of ${stream.length}`);
    stream.entries.push(entry);
    stream.length += entry.length;
  }

  #addEnd({ channel, offset, index, at }: { readonly channel: string; readonly offset: number; readonly index: FrameIndex; readonly at: InstructionCount }): void {
    const stream = this.#stream(channel);
    const entry = { index, at, offset, length: 0 };
    if (stream.end !== undefined) throw this.#wrong(entry, `ends channel ${channel} a second time`);
    if (offset !== stream.length) throw this.#wrong(entry, `ends channel ${channel} at ${offset} instead of ${stream.length}`);
    stream.end = { index, at };
  }

  #addChunk(channel: string, entry: InputEntry): void {
    const chunks = this.#chunks.get(channel) ?? new Map<number, InputEntry>();
    if (chunks.has(entry.offset)) throw this.#wrong(entry, `records the chunk at ${entry.offset} of channel ${channel} a second time`);
    chunks.set(entry.offset, entry);
    this.#chunks.set(channel, chunks);
  }

  #stream(channel: string): Stream {
    let stream = this.#streams.get(channel);
    if (stream === undefined) this.#streams.set(channel, stream = { entries: [], length: 0, end: undefined });
    return stream;
  }

  #wrong(entry: InputEntry, what: string): StillpointError {
    return journalError('E_JOURNAL_FORMAT', { run: this.#reader.run, frame: entry.index, after: entry.at }, what);
  }
}

/** First entry whose end lies after `position`: binary search over contiguous entries. */
function firstEndingAfter(entries: readonly InputEntry[], position: number): number {
  let low = 0;
  let high = entries.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    const entry = entries[middle]!;
    if (entry.offset + entry.length <= position) low = middle + 1;
    else high = middle;
  }
  return low;
}
