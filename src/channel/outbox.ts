/**
 * Output held back until it is committed: one ordered list over all channels of a machine. The bytes of all operations lie one behind
 * the other in one growing buffer; a write that continues the last operation only makes that one longer, so a guest that writes one
 * byte at a time costs one byte copy and no allocation.
 *
 *   buffer   h e l l o \n | E R R | w o r l d
 *   entries  stdout@0 +6    stderr@0 +3   stdout@6 +5
 *
 * Buffers take turns: one is filled again when whoever took the operations says that he is done with them (recycle()), and whoever holds its lease, too.
 * Invariants: operations come out in call order; offsets are positions in the channel's output stream (sequential, append) or in the file
 * (random). What this does NOT do: bound itself. The caller looks at `pendingBytes` after each system call (limits.OUTBOX_BYTES_MAX).
 */
import { assert, type Undo } from '../core/index.ts';
import type { BlockHashes } from './block-hashes.ts';
import type { Lease, OutputOperation } from './port.ts';

const BUFFER_BYTES_MIN = 4096;
const PLAIN: Travel = { isMessage: false, hashes: undefined };
/** A buffer that is this many times larger than what was in it is not kept. */
const SLACK = 4;
/** Buffers that wait to be filled again: as many as are acknowledged at once when half of a default window was read, and some. */
const SPARES_MAX = 8;
/** Less is cheaper to copy. */
const LEASED_BYTES_MIN = 65_536;

/** What goes with the bytes of a channel. `isMessage`: each operation is one of its own, never joined with the one before. */
export interface Travel { readonly isMessage: boolean; readonly hashes: BlockHashes | undefined }

/** `length` -1 marks a truncation to `offset`. */
interface Entry { readonly channel: string; readonly offset: number; readonly start: number; readonly hashes: BlockHashes | undefined; length: number }

export class Outbox {
  #buffer: Uint8Array = new Uint8Array(BUFFER_BYTES_MIN);
  #used = 0;
  #entries: Entry[] = [];
  /** The buffer of what was taken last. */
  #taken: BufferLease | undefined;
  readonly #spares: Uint8Array[] = [];

  /** Bytes held back. */
  get pendingBytes(): number {
    return this.#used;
  }

  /** Operations held back (after joining). */
  get pendingOperations(): number {
    return this.#entries.length;
  }

  write(channel: string, offset: number, bytes: Uint8Array, { isMessage, hashes }: Travel = PLAIN): void {
    const length = bytes.length;
    assert(length > 0, 'an output operation has bytes');
    if (this.#used + length > this.#buffer.length) this.#grow(length);
    if (length === 1) this.#buffer[this.#used] = bytes[0]!;
    else this.#buffer.set(bytes, this.#used);
    const last = this.#entries[this.#entries.length - 1];
    if (!isMessage && last !== undefined && last.length >= 0 && last.channel === channel && last.offset + last.length === offset) last.length += length;
    else this.#entries.push({ channel, offset, start: this.#used, hashes, length });
    this.#used += length;
  }

  truncate(channel: string, size: number): void {
    this.#entries.push({ channel, offset: size, start: this.#used, hashes: undefined, length: -1 });
  }

  /** The operations held back, in order; views that are valid until the next write or take. */
  pending(): readonly OutputOperation[] {
    return this.#entries.map((entry) =>
      entry.length < 0
        ? { kind: 'truncate', channel: entry.channel, size: entry.offset }
        : { kind: 'write', channel: entry.channel, offset: entry.offset, bytes: this.#buffer.subarray(entry.start, entry.start + entry.length), ...(entry.hashes === undefined ? {} : { hashes: entry.hashes }) },
    );
  }

  /** The operations held back, now the caller's: the bytes are not touched again before recycle(). */
  take(): readonly OutputOperation[] {
    const [buffer, used] = [this.#buffer, this.#used];
    const lease = new BufferLease(() => { if (this.#spares.length < SPARES_MAX && buffer.length <= Math.max(BUFFER_BYTES_MIN, SLACK * used)) this.#spares.push(buffer); });
    const operations = this.pending().map((operation) => (isMost(operation, buffer) ? { ...operation, lease } : operation));
    this.#taken = operations.length === 0 ? undefined : lease; // Nothing taken: the buffer stays the one that is written to.
    this.clear();
    return operations;
  }

  /** Nobody needs the bytes of what was taken last any more. */
  recycle(): void {
    this.#taken?.release();
    this.#taken = undefined;
  }

  /** Forgets everything held back (return to an earlier state). */
  clear(): void {
    if (this.#entries.length === 0) return;
    this.#buffer = this.#spares.pop() ?? new Uint8Array(Math.max(BUFFER_BYTES_MIN, this.#used)); // As much may come again: growing to it would copy it once more.
    this.#used = 0;
    this.#entries = [];
  }

  /** The way back to what is held back now; nothing may be taken in between. */
  mark(): Undo {
    const [used, count, lastLength] = [this.#used, this.#entries.length, this.#entries.at(-1)?.length];
    return () => {
      assert(this.#used >= used && this.#entries.length >= count, 'nothing was taken out of the outbox since the mark');
      this.#used = used;
      this.#entries.length = count;
      if (lastLength !== undefined) this.#entries[count - 1]!.length = lastLength;
    };
  }

  #grow(more: number): void {
    const next = new Uint8Array(Math.max(this.#buffer.length * 2, this.#used + more));
    next.set(this.#buffer.subarray(0, this.#used));
    this.#buffer = next;
  }
}

/** Memory that waits until nobody needs what is in it: first only whoever took it does. */
class BufferLease implements Lease {
  readonly #onFree: () => void;
  #holders = 1;

  constructor(onFree: () => void) {
    this.#onFree = onFree;
  }

  hold(): void {
    assert(this.#holders > 0, 'memory that is used again is held by nobody');
    this.#holders++;
  }

  release(): void {
    assert(this.#holders > 0, 'memory is given back once by each holder');
    this.#holders--;
    if (this.#holders === 0) this.#onFree();
  }
}

/** Whoever holds it holds the whole buffer. */
function isMost(operation: OutputOperation, buffer: Uint8Array): boolean {
  return operation.kind === 'write' && operation.bytes.length >= Math.max(LEASED_BYTES_MIN, buffer.length / 2);
}
