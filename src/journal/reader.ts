/**
 * The reading end of a journal: frames in order with the hash chain verified, single frames, and the bytes behind them.
 * Invariants: only frames below the tail exist for a reader (a run that is being executed grows behind it unseen); everything it hands
 * out was verified against its link or its hash; what it cannot verify is an error that names frame and instruction count.
 * What this does NOT do: repair, or tell recorded from re-executed (session does). A forged journal with a forged tail is consistent in
 * itself; only a second copy of the tail's link tells.
 */
import { assert, frameIndex, StillpointError, type BlobHash, type Digests, type FrameIndex, type InstructionCount } from '../core/index.ts';
import type { Store } from '../store/index.ts';
import { decodeFrame, firstLink, journalError, nextLink, splitStored, type FrameContext } from './format.ts';
import { blobKey, entryIndexOfKey, entryKey, entryRange, hexOfBytes, type RunId } from './run-id.ts';
import type { Frame, GenesisFrame, InputFrame } from './frame.ts';
import type { JournalTail } from './writer.ts';

/** Frames taken from the store at a time, so that no store iterator stays open while a caller works. */
const READ_AHEAD = 256;

export interface IndexedFrame { readonly index: FrameIndex; readonly frame: Frame }

export class JournalReader {
  readonly run: RunId;
  readonly tail: JournalTail;
  readonly #store: Store;
  readonly #digests: Digests;

  constructor({ store, digests }: { readonly store: Store; readonly digests: Digests }, { run, tail }: { readonly run: RunId; readonly tail: JournalTail }) {
    this.#store = store;
    this.#digests = digests;
    this.run = run;
    this.tail = tail;
  }

  /**
   * Frames [from.count, tail) in order, chain verified against `from` (default: the beginning) and against the tail.
   * Throws E_JOURNAL_FORMAT, E_JOURNAL_DAMAGED or E_JOURNAL_CUT at the first frame that is not sound.
   */
  *frames(from: JournalTail = this.#start()): Generator<IndexedFrame> {
    assert(from.count <= this.tail.count, 'reading begins at or before the tail');
    let { count, link, at } = from;
    while (count < this.tail.count) {
      for (const stored of this.#take(count, at)) {
        const context = { run: this.run, frame: count, after: at };
        const frame = this.#verify(stored, { link, context });
        link = frame.link;
        at = frame.frame.at;
        count++;
        this.#checkEnd({ count, link, at }, context);
        yield { index: frameIndex(context.frame), frame: frame.frame };
      }
    }
    if (from.count === this.tail.count) this.#checkEnd(from, { run: this.run, frame: Math.max(0, count - 1), after: at });
  }

  /** Reads the whole journal and its blobs: returns when every frame is sound and the chain ends in the tail. */
  verify(): void {
    for (const { frame } of this.frames()) if (frame.kind === 'input') this.inputBytes(frame);
  }

  /** Frame 0. */
  genesis(): GenesisFrame {
    const first = this.frameAt(frameIndex(0));
    assert(first.kind === 'genesis', 'frame 0 of a verified journal is its genesis');
    return first;
  }

  /** One frame, verified against the link stored with the frame before it. */
  frameAt(index: FrameIndex): Frame {
    const { link, at } = index === 0 ? this.#start() : this.#before(index);
    const context = { run: this.run, frame: index, after: at };
    if (index >= this.tail.count) throw journalError('E_JOURNAL_CUT', context, `is past the end of the journal (${this.tail.count} frames)`);
    return this.#verify(this.#stored(context), { link, context }).frame;
  }

  /** The bytes of an input, from the frame or from the store. Throws E_BLOB_MISSING, E_BLOB_DAMAGED. */
  inputBytes(frame: InputFrame): Uint8Array {
    if (typeof frame.bytes !== 'string') return frame.bytes;
    const what = `input of channel ${frame.channel} at offset ${frame.offset}, recorded at instruction ${frame.at}`;
    const bytes = this.#blob(frame.bytes, { what, damaged: 'E_BLOB_DAMAGED', at: frame.at });
    if (bytes.length !== frame.length) throw this.#blobError('E_BLOB_DAMAGED', { hash: frame.bytes, at: frame.at, message: `the ${what} has ${bytes.length} bytes instead of ${frame.length}` });
    return bytes;
  }

  /** The bytes of the recorded program. Throws E_BLOB_MISSING, E_PROGRAM_DAMAGED. */
  programBytes(hash: BlobHash): Uint8Array {
    return this.#blob(hash, { what: 'program', damaged: 'E_PROGRAM_DAMAGED', at: 0n });
  }

  /** The tail of the first `count` frames as stored; reading up to it verifies it. */
  tailAfter(count: number): JournalTail {
    assert(count >= 1 && count <= this.tail.count, 'a shorter tail lies inside the journal');
    return { count, ...this.#before(frameIndex(count)) };
  }

  #start(): JournalTail {
    return { count: 0, link: firstLink(this.#digests, this.run), at: 0n as InstructionCount };
  }

  /** Up to READ_AHEAD stored values from frame `from` on; a gap or an early end is a cut. */
  #take(from: number, after: bigint): Uint8Array[] {
    const to = Math.min(this.tail.count, from + READ_AHEAD);
    const values: Uint8Array[] = [];
    for (const { key, value } of this.#store.range('frames', entryRange(this.run, { from, to }))) {
      if (entryIndexOfKey(key) !== from + values.length) break;
      values.push(value);
    }
    if (values.length === 0) throw journalError('E_JOURNAL_CUT', { run: this.run, frame: from, after }, `is missing (the journal has ${this.tail.count} frames)`);
    return values;
  }

  #stored(context: FrameContext): Uint8Array {
    const stored = this.#store.get('frames', entryKey(this.run, context.frame));
    if (stored === undefined) throw journalError('E_JOURNAL_CUT', context, 'is missing');
    return stored;
  }

  /** Link and instruction count of the frame before `index`, as stored: damage in it shows as a broken link of the next frame. */
  #before(index: FrameIndex): { readonly link: BlobHash; readonly at: InstructionCount } {
    const context = { run: this.run, frame: index - 1, after: 0n };
    const parts = splitStored(this.#stored(context));
    if (parts === undefined) throw journalError('E_JOURNAL_FORMAT', context, 'has an impossible length');
    const link = hexOfBytes(parts.link) as BlobHash; // 32 bytes in hexadecimal: the form holds by construction.
    return { link, at: decodeFrame(parts.encoded, context).at };
  }

  #verify(stored: Uint8Array, { link: previous, context }: { readonly link: BlobHash; readonly context: FrameContext }): { readonly frame: Frame; readonly link: BlobHash } {
    const parts = splitStored(stored);
    if (parts === undefined) throw journalError('E_JOURNAL_FORMAT', context, `has ${stored.length} bytes, which no frame has`);
    const link = nextLink(this.#digests, previous, parts.encoded);
    if (link !== hexOfBytes(parts.link)) throw journalError('E_JOURNAL_DAMAGED', context, 'does not continue the hash chain');
    const frame = decodeFrame(parts.encoded, context);
    if ((frame.kind === 'genesis') !== (context.frame === 0)) throw journalError('E_JOURNAL_FORMAT', context, `is a ${frame.kind} frame, out of place`);
    if (frame.at < context.after) throw journalError('E_JOURNAL_FORMAT', context, `goes back to instruction ${frame.at}`);
    return { frame, link };
  }

  #checkEnd(reached: JournalTail, context: FrameContext): void {
    if (reached.count !== this.tail.count) return;
    if (reached.link !== this.tail.link) throw journalError('E_JOURNAL_DAMAGED', context, 'is the last one but not the one the run record names');
    if (reached.at !== this.tail.at) throw journalError('E_JOURNAL_DAMAGED', context, 'is the last one but has another instruction count than the run record');
  }

  #blob(hash: BlobHash, about: { readonly what: string; readonly damaged: 'E_BLOB_DAMAGED' | 'E_PROGRAM_DAMAGED'; readonly at: bigint }): Uint8Array {
    const bytes = this.#store.get('blobs', blobKey(hash));
    if (bytes === undefined) throw this.#blobError('E_BLOB_MISSING', { hash, at: about.at, message: `the ${about.what} is not in the store` });
    if (this.#digests.sha256(bytes) !== hash) throw this.#blobError(about.damaged, { hash, at: about.at, message: `the ${about.what} does not have the bytes its hash promises` });
    return bytes;
  }

  #blobError(code: 'E_BLOB_DAMAGED' | 'E_BLOB_MISSING' | 'E_PROGRAM_DAMAGED', about: { readonly hash: BlobHash; readonly at: bigint; readonly message: string }): StillpointError {
    return new StillpointError(code, `${about.message} (run ${this.run}, blob ${about.hash})`, { data: { run: this.run, at: about.at, hash: about.hash } });
  }
}
