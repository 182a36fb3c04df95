/**
 * The buffer of a pipe or FIFO inside the machine. 64 KiB as on Linux unless F_SETPIPE_SZ says otherwise.
 * `readers` and `writers` count open ends and are derived from the open files, never stored.
 */
import { assert, type Undo } from '../../core/index.ts';

export const PIPE_BYTES = 65536;
/** Writes up to this size are never split (Linux PIPE_BUF). */
export const PIPE_ATOMIC_BYTES = 4096;

/** `changes` counts news for who reads in its lower half and news for who writes in its upper: [drained][filled], 26 bits each. */
const DRAINED = 2 ** 26;
const CHANGES_END = 2 ** 52;

/** Taking bytes out is news to who writes: `before` and `after` are lengths, `isFreed`: what one write has put in is all out. */
export type DrainRule = (pipe: { readonly before: number; readonly after: number; readonly capacityBytes: number; readonly isFreed: boolean }) => boolean;
/** As Linux wakes who waits for room in a pipe: it was full. */
const WAS_FULL: DrainRule = ({ before, capacityBytes }) => before >= capacityBytes;

export class Pipe {
  #chunks: Uint8Array[] = [];
  #length = 0;
  /** Bytes of the first chunk that were read already. */
  #start = 0;
  readers = 0;
  writers = 0;
  /** Whether a writer was ever there: before that, a reader waits instead of seeing the end. */
  hadWriter: boolean;
  /** Differs after everything that may be news to a poller: the edges of edge-triggered epoll. */
  changes: number;
  capacityBytes: number;
  /** Which end of a socket or pipe it is decides; no state. */
  drainRule: DrainRule = WAS_FULL;

  constructor(bytes: Uint8Array = new Uint8Array(0), hadWriter = false, changes = 0, capacityBytes = PIPE_BYTES) {
    if (bytes.length > 0) this.push(bytes);
    this.hadWriter = hadWriter;
    this.changes = changes;
    this.capacityBytes = capacityBytes;
  }

  get length(): number {
    return this.#length;
  }

  get room(): number {
    return Math.max(0, this.capacityBytes - this.#length);
  }

  /** What of `changes` is news to who reads. */
  get filled(): number {
    return this.changes % DRAINED;
  }

  /** What of `changes` is news to who writes. */
  get drained(): number {
    return Math.floor(this.changes / DRAINED);
  }

  /** News to both: an end was closed, the room is another. */
  changed(): void {
    this.changes = (this.changes + 1 + DRAINED) % CHANGES_END;
  }

  noteDrained(): void {
    this.changes = (this.changes + DRAINED) % CHANGES_END;
  }

  push(bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    this.#chunks.push(bytes.slice());
    this.#length += bytes.length;
    this.changes = (this.changes + 1) % CHANGES_END;
  }

  /** Takes up to `length` bytes out; nobody changes them. */
  shift(length: number): Uint8Array {
    const first = this.#chunks[0];
    if (first !== undefined && this.#start === 0 && first.length <= length && (first.length === length || this.#chunks.length === 1)) { // What one write has put in: no copy.
      this.#chunks.shift();
      this.#length -= first.length;
      this.#noteTaken(first.length, true);
      return first;
    }
    const out = new Uint8Array(Math.min(length, this.#length));
    let used = 0;
    for (let filled = 0; filled < out.length;) {
      const chunk = this.#chunks[used]!;
      const count = Math.min(chunk.length - this.#start, out.length - filled);
      out.set(chunk.subarray(this.#start, this.#start + count), filled);
      filled += count;
      this.#start += count;
      if (this.#start === chunk.length) {
        used++;
        this.#start = 0;
      }
    }
    this.#chunks.splice(0, used);
    this.#length -= out.length;
    if (out.length > 0) this.#noteTaken(out.length, used > 0);
    assert(this.#length >= 0, 'a pipe holds no negative number of bytes');
    return out;
  }

  /** Takes one byte out, wherever it lies. */
  cut(at: number): number {
    assert(at >= 0 && at < this.#length, 'a byte that is cut out is there');
    const all = this.bytes();
    this.#chunks = [all.subarray(0, at), all.subarray(at + 1)].filter(({ length }) => length > 0);
    this.#start = 0;
    this.#length--;
    this.#noteTaken(1, true);
    return all[at]!;
  }

  #noteTaken(taken: number, isFreed: boolean): void {
    if (this.drainRule({ before: this.#length + taken, after: this.#length, capacityBytes: this.capacityBytes, isFreed })) this.noteDrained();
  }

  mark(): Undo {
    const [chunks, length, start] = [this.#chunks.slice(), this.#length, this.#start];
    const { readers, writers, hadWriter, changes, capacityBytes } = this;
    return () => {
      this.#chunks = chunks.slice();
      this.#length = length;
      this.#start = start;
      Object.assign(this, { readers, writers, hadWriter, changes, capacityBytes });
    };
  }

  /** All bytes, in one piece. */
  bytes(): Uint8Array {
    const copy = new Pipe();
    copy.#chunks = [...this.#chunks];
    copy.#start = this.#start;
    copy.#length = this.#length;
    return copy.shift(this.#length);
  }

  /** The last end was closed: what is unread is gone, the next opener starts afresh. */
  reset(): void {
    this.#chunks = [];
    this.#length = 0;
    this.#start = 0;
    this.hadWriter = false;
    this.capacityBytes = PIPE_BYTES;
  }
}
