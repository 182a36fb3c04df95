/**
 * The writing end of a journal: buffers frames and gives them, linked, as the pieces of one store commit.
 *
 *   append() ... append()   seal() ─► batch ─► commit 'done' ─► settle(batch)      frames appended meanwhile stay for the next batch
 *                              ▲                └── failed: nothing was applied; seal() again gives them all
 *
 * Invariants: indices are consecutive from the tail it was made with; instruction counts never go down; the link of a frame is fixed
 * when it is appended. Blobs are always put, even when the store may hold them: a put is cheaper than the race with a collector.
 * What this does NOT do: commit, or know about checkpoints and owners (txn does).
 */
import { assert, frameIndex, limits, type BlobHash, type Digests, type FrameIndex, type InstructionCount } from '../core/index.ts';
import type { StorePut } from '../store/index.ts';
import { encodeFrame, firstLink, joinStored, nextLink } from './format.ts';
import { blobKey, entryKey, type RunId } from './run-id.ts';
import type { Frame, InputFrame } from './frame.ts';

/** Where a journal ends: how many frames there are, the link of the last one, and its instruction count. */
export interface JournalTail {
  readonly count: number;
  readonly link: BlobHash;
  readonly at: InstructionCount;
}

/** An input with its bytes, whatever their length; the writer decides where they are stored. */
export interface FreshInput {
  readonly kind: 'input';
  readonly at: InstructionCount;
  readonly channel: string;
  readonly offset: number;
  readonly bytes: Uint8Array;
  /** Nobody changes the bytes any more: they are not copied. */
  readonly isFinal?: boolean;
}
/** A large input whose bytes were hashed before, and are put by whoever did. */
export interface HashedInput {
  readonly kind: 'input';
  readonly at: InstructionCount;
  readonly channel: string;
  readonly offset: number;
  readonly length: number;
  readonly hash: BlobHash;
}
/** A frame as its maker hands it in. */
export type FreshFrame = Exclude<Frame, InputFrame> | FreshInput;

/** What one commit takes from the writer. */
export interface JournalBatch {
  readonly puts: readonly StorePut[];
  /** The tail once the batch is committed. */
  readonly tail: JournalTail;
}

interface Pending { readonly puts: readonly StorePut[]; readonly tail: JournalTail; readonly bytes: number }

/** The tail of a journal without frames. */
export function emptyTail(digests: Digests, run: RunId): JournalTail {
  return { count: 0, link: firstLink(digests, run), at: 0n as InstructionCount };
}

export class JournalWriter {
  readonly #digests: Digests;
  readonly #run: RunId;
  /** Last committed tail. */
  #settled: JournalTail;
  #pending: Pending[] = [];
  /** Sum over `pending`: asked for after every slice of a guest. */
  #pendingBytes = 0;

  constructor(digests: Digests, { run, tail }: { readonly run: RunId; readonly tail: JournalTail }) {
    this.#digests = digests;
    this.#run = run;
    this.#settled = tail;
  }

  /** Tail including frames that are not committed yet. */
  get tail(): JournalTail {
    return this.#pending.at(-1)?.tail ?? this.#settled;
  }

  /** Tail in the store. */
  get committedTail(): JournalTail {
    return this.#settled;
  }

  get pendingFrames(): number {
    return this.#pending.length;
  }

  get pendingBytes(): number {
    return this.#pendingBytes;
  }

  /** Adds a frame to the journal. It is durable after the next commit. Bytes are copied, unless they are final. */
  append(fresh: FreshFrame | HashedInput): FrameIndex {
    const { count, link: previous, at } = this.tail;
    assert((count === 0) === (fresh.kind === 'genesis'), 'a journal begins with its genesis frame and has no other');
    assert(fresh.at >= at, 'instruction counts in a journal never go down');
    const { frame, blob } = this.#place(fresh);
    const encoded = encodeFrame(count, frame);
    const link = nextLink(this.#digests, previous, encoded);
    const stored: StorePut = { table: 'frames', key: entryKey(this.#run, count), value: joinStored(encoded, link) };
    const puts = blob === undefined ? [stored] : [blob, stored];
    const bytes = puts.reduce((sum, { value }) => sum + value.length, 0);
    this.#pendingBytes += bytes;
    this.#pending.push({ puts, tail: { count: count + 1, link, at: fresh.at }, bytes });
    return frameIndex(count);
  }

  /** All frames that are not committed yet. */
  seal(): JournalBatch {
    return { puts: this.#pending.flatMap(({ puts }) => puts), tail: this.tail };
  }

  /** The batch is on disk. */
  settle(batch: JournalBatch): void {
    const settled = batch.tail.count - this.#settled.count;
    assert(settled >= 0 && settled <= this.#pending.length, 'a batch is settled once, in order');
    assert(settled === 0 || this.#pending[settled - 1]!.tail === batch.tail, 'a settled batch came from this writer');
    this.#keep(this.#pending.slice(settled));
    this.#settled = batch.tail;
  }

  /** Takes back the youngest frames so that `count` are left: a commit that failed drops what it added itself. */
  dropTo(count: number): void {
    const kept = count - this.#settled.count;
    assert(kept >= 0 && kept <= this.#pending.length, 'only frames that are not committed are dropped');
    this.#keep(this.#pending.slice(0, kept));
  }

  #keep(pending: Pending[]): void {
    this.#pending = pending;
    this.#pendingBytes = pending.reduce((sum, { bytes }) => sum + bytes, 0);
  }

  #place(fresh: FreshFrame | HashedInput): { readonly frame: Frame; readonly blob?: StorePut } {
    if (fresh.kind !== 'input') return { frame: fresh };
    if ('hash' in fresh) return { frame: { ...fresh, bytes: fresh.hash } };
    const length = fresh.bytes.length;
    if (length <= limits.INLINE_INPUT_BYTES_MAX) return { frame: { ...fresh, length } };
    const bytes = fresh.isFinal === true ? fresh.bytes : new Uint8Array(fresh.bytes);
    const hash = this.#digests.sha256(bytes);
    return { frame: { ...fresh, length, bytes: hash }, blob: { table: 'blobs', key: blobKey(hash), value: bytes } };
  }
}
