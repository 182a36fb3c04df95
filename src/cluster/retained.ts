/**
 * What a writer keeps until its reader holds it durably: a stream in slabs that are filled one after the other, with a cursor at what is sent next.
 *
 *   slabs    ▓▓▓▓▓▓▓▓▓▓▓▓ │ ▓▓▓▓▓▓▓▓░░░░ │ ░░░░░░            ▓ sent   ░ not yet          a slab that is forgotten is filled again
 *            offset       │         └ cursor    └ room
 *
 * On a message channel a slab holds messages as they travel, each with its length in front; positions count the messages' bytes alone.
 * Large pieces of a stream are not copied: a slab is then a view of the memory in which they came, whose lease is held meanwhile.
 *
 * Invariants: a byte is copied in at most once and never changes while it may be read: slabs are filled again, and leases given back, only where nobody but the transport saw them
 * (`recycles`), and only when everything in them was sent exactly once and is known to have arrived; else the memory is left to the garbage collector. Own slabs are as large as what is added together, up to a payload.
 * What this does NOT do: know windows, acknowledgements or ends (peer-output.ts).
 */
import type { Lease } from '../channel/index.ts';
import { assert } from '../core/index.ts';
import { LENGTH_BYTES, messageLength, PAYLOAD_BYTES_MAX, putMessage } from './wire.ts';

interface Slab {
  readonly bytes: Uint8Array;
  readonly view: DataView;
  /** Position of the first byte in the stream. */
  readonly offset: number;
  /** Bytes of the stream in it, and bytes of `bytes` that they take. */
  length: number;
  used: number;
  /** Some of it was sent twice: a copy may still be under way when the reader has it. */
  isResent: boolean;
  /** Of memory that is not ours. */
  readonly lease: Lease | undefined;
}

const SLAB_BYTES_MIN = 4096;
/** Slabs that wait to be filled again: as many as are acknowledged at once when half of a default window was read. */
const SPARE_MAX = 16;

export class Retained {
  readonly #hasMessages: boolean;
  readonly #recycles: boolean;
  #slabs: Slab[] = [];
  #spare: Uint8Array[] = [];
  /** Where the next payload begins: index of a slab, and in its bytes. */
  #index = 0;
  #at = 0;

  constructor({ hasMessages, recycles }: { readonly hasMessages: boolean; readonly recycles: boolean }) {
    this.#hasMessages = hasMessages;
    this.#recycles = recycles;
  }

  /** Adds bytes at the end of the stream, or one message; `together`: how much comes at once, for the size of a new slab; `lease`: of the bytes, which may be kept under it. */
  append(offset: number, bytes: Uint8Array, { together, lease }: { readonly together: number; readonly lease: Lease | undefined }): void {
    if (this.#hasMessages) return this.#appendMessage(offset, bytes, together);
    if (lease !== undefined) return this.#keep(offset, bytes, lease);
    for (let from = 0; from < bytes.length;) {
      const slab = this.#slabFor(offset + from, { need: 1, together });
      const piece = bytes.subarray(from, from + slab.bytes.length - slab.used);
      slab.bytes.set(piece, slab.used);
      slab.used += piece.length;
      slab.length += piece.length;
      from += piece.length;
    }
  }

  /** The next payload, not beyond stream position `limit` (by less than a message), and the bytes of the stream in it. There must be something to send. */
  next(limit: number): { readonly payload: Uint8Array; readonly count: number } {
    if (this.#at === this.#slabs[this.#index]!.used) {
      this.#index++;
      this.#at = 0;
    }
    const slab = this.#slabs[this.#index]!;
    const from = this.#at;
    const count = this.#hasMessages ? this.#passMessages(slab, limit) : this.#passBytes(slab, limit);
    return { payload: slab.bytes.subarray(from, this.#at), count };
  }

  /** The reader holds everything before `position`. */
  forget(position: number): void {
    let done = 0;
    while (done < this.#slabs.length && endOf(this.#slabs[done]!) <= position && (done < this.#slabs.length - 1 || !hasRoom(this.#slabs[done]!))) done++;
    if (done === 0) return;
    for (const { bytes, isResent, lease } of this.#slabs.splice(0, done)) {
      if (!this.#recycles || isResent) continue;
      if (lease !== undefined) lease.release();
      else if (bytes.length === PAYLOAD_BYTES_MAX && this.#spare.length < SPARE_MAX) this.#spare.push(bytes);
    }
    if (this.#index < done) this.#at = 0;
    this.#index = Math.max(0, this.#index - done);
  }

  /** The next payload begins at `position`, which may have been sent before. */
  seek(position: number): void {
    const index = this.#slabs.findIndex((slab) => endOf(slab) > position);
    for (const slab of this.#slabs.slice(Math.max(0, index), this.#index + 1)) slab.isResent = true;
    if (index < 0) {
      this.#index = Math.max(0, this.#slabs.length - 1);
      this.#at = this.#slabs.at(-1)?.used ?? 0;
      return;
    }
    const slab = this.#slabs[index]!;
    assert(position >= slab.offset, 'what is sent again was kept');
    this.#index = index;
    this.#at = this.#hasMessages ? placeOf(slab, position) : position - slab.offset;
  }

  /** Nothing that is kept will be asked for again. */
  clear(): void {
    this.#slabs = [];
    this.#spare = [];
    this.#index = this.#at = 0;
  }

  #keep(offset: number, bytes: Uint8Array, lease: Lease): void {
    lease.hold();
    this.#slabs.push({ bytes, view: viewOf(bytes), offset, length: bytes.length, used: bytes.length, isResent: false, lease });
  }

  #appendMessage(offset: number, bytes: Uint8Array, together: number): void {
    const slab = this.#slabFor(offset, { need: LENGTH_BYTES + bytes.length, together });
    slab.used = putMessage(slab.view, slab.used, bytes);
    slab.length += bytes.length;
  }

  /** A slab that goes on at `offset` and has room for `need` bytes. */
  #slabFor(offset: number, { need, together }: { readonly need: number; readonly together: number }): Slab {
    const last = this.#slabs[this.#slabs.length - 1];
    if (last !== undefined && endOf(last) === offset && last.bytes.length - last.used >= need) return last;
    const size = Math.min(PAYLOAD_BYTES_MAX, Math.max(SLAB_BYTES_MIN, need, together));
    const bytes = (size === PAYLOAD_BYTES_MAX ? this.#spare.pop() : undefined) ?? new Uint8Array(size);
    const slab: Slab = { bytes, view: viewOf(bytes), offset, length: 0, used: 0, isResent: false, lease: undefined };
    this.#slabs.push(slab);
    return slab;
  }

  #passBytes(slab: Slab, limit: number): number {
    const count = Math.min(slab.used - this.#at, limit - slab.offset - this.#at, PAYLOAD_BYTES_MAX);
    this.#at += count;
    return count;
  }

  #passMessages(slab: Slab, limit: number): number {
    if (this.#at === 0 && endOf(slab) <= limit) {
      this.#at = slab.used;
      return slab.length;
    }
    const room = limit - positionOf(slab, this.#at);
    let count = 0;
    while (this.#at < slab.used && count < room) {
      const length = messageLength(slab.view, this.#at);
      this.#at += LENGTH_BYTES + length;
      count += length;
    }
    return count;
  }
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
}

function endOf(slab: Slab): number {
  return slab.offset + slab.length;
}

function hasRoom({ bytes, used }: Slab): boolean {
  return used < bytes.length;
}

/** Stream position of the message at `place` of a slab. */
function positionOf(slab: Slab, place: number): number {
  let position = slab.offset;
  for (let at = 0; at < place;) {
    const length = messageLength(slab.view, at);
    at += LENGTH_BYTES + length;
    position += length;
  }
  return position;
}

/** Where the message at stream position `position` lies in a slab. */
function placeOf(slab: Slab, position: number): number {
  let at = 0;
  let reached = slab.offset;
  while (reached < position) {
    const length = messageLength(slab.view, at);
    at += LENGTH_BYTES + length;
    reached += length;
  }
  assert(reached === position, 'a reader of messages stands between two of them');
  return at;
}
