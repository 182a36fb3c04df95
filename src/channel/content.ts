/**
 * Content that is read by offset, in chunks of limits.CHUNK_BYTES at multiples of it. This file: what all kinds of content share, and
 * HostContent, a read-only file of the host seen through a bounded cache.
 * Invariants: a chunk is whole (clipped only by the size); the cache can be dropped at any moment without a change of the guest's state.
 * What this does NOT do: own bytes (owned-content.ts), fetch them (the session does, from host or journal).
 */
import { assert, limits, StillpointError, type Undo } from '../core/index.ts';
import { EMPTY } from './input-queue.ts';
import type { Wanted } from './port.ts';

const { CHUNK_BYTES, CHUNK_CACHE_MAX } = limits;

/** Reads by offset that may have to wait for chunks. Ranges handed in lie inside the content and are not empty. */
export interface Content {
  /** The bytes, or undefined when a chunk is missing (then `wanted` names it). A view that is valid until the next call on the channel. */
  read(offset: number, length: number): Uint8Array | undefined;
  /** The first missing chunk of the last read or write that had to wait. */
  readonly wanted: Wanted | undefined;
  supply(offset: number, bytes: Uint8Array): void;
}

/** The chunks that a blocked call needs. */
export interface ChunkRange { readonly first: number; readonly last: number }

export function chunksOf(offset: number, length: number): ChunkRange {
  return { first: Math.floor(offset / CHUNK_BYTES), last: Math.floor((offset + length - 1) / CHUNK_BYTES) };
}

/** Checks bytes that come from outside (host file or journal) against the chunk they stand for. */
export function checkChunk(offset: number, bytes: Uint8Array, size: number): void {
  assert(offset % CHUNK_BYTES === 0, 'a chunk lies at a multiple of its size');
  const expected = Math.max(0, Math.min(CHUNK_BYTES, size - offset));
  if (bytes.length === expected) return;
  throw new StillpointError('E_CHANNEL_READ', `the host gave ${bytes.length} bytes at offset ${offset} where ${expected} belong`, { data: { offset, got: bytes.length, expected } });
}

/** Copies [offset, offset + length) out of chunks; a missing chunk is zeros. A view where one chunk holds the range. */
export function gather(offset: number, length: number, chunk: (index: number) => Uint8Array | undefined): Uint8Array {
  const { first, last } = chunksOf(offset, length);
  const only = first === last ? chunk(first) : undefined;
  if (only !== undefined) return only.subarray(offset - first * CHUNK_BYTES, offset - first * CHUNK_BYTES + length);
  const out = new Uint8Array(length);
  for (let index = first; index <= last; index++) {
    const bytes = chunk(index);
    if (bytes === undefined) continue;
    const start = index * CHUNK_BYTES;
    const from = Math.max(offset, start);
    const to = Math.min(offset + length, start + bytes.length);
    out.set(bytes.subarray(from - start, to - start), from - offset);
  }
  return out;
}

export class HostContent implements Content {
  readonly #size: number;
  /** Insertion order is the order of use: the first key is the one to drop. */
  readonly #cache = new Map<number, Uint8Array>();
  #range: ChunkRange | undefined;
  /** Chunks supplied so far. */
  #supplies = 0;

  constructor(size: number) {
    this.#size = size;
  }

  read(offset: number, length: number): Uint8Array | undefined {
    assert(length > 0 && offset + length <= this.#size, 'a read lies inside the content');
    const range = chunksOf(offset, length);
    for (let index = range.first; index <= range.last; index++) {
      if (this.#cache.has(index)) continue;
      this.#range = range;
      return undefined;
    }
    this.#range = undefined;
    const bytes = gather(offset, length, (index) => this.#use(index));
    this.#shrink(CHUNK_CACHE_MAX);
    return bytes;
  }

  get wanted(): Wanted | undefined {
    if (this.#range === undefined) return undefined;
    for (let index = this.#range.first; index <= this.#range.last; index++) {
      if (this.#cache.has(index)) continue;
      const offset = index * CHUNK_BYTES;
      return { offset, length: Math.min(CHUNK_BYTES, this.#size - offset) };
    }
    return undefined;
  }

  supply(offset: number, bytes: Uint8Array): void {
    checkChunk(offset, bytes, this.#size);
    if (bytes.length === 0) return;
    const index = offset / CHUNK_BYTES;
    this.#supplies++;
    this.#cache.delete(index);
    this.#cache.set(index, bytes);
    // A read of more chunks than the cache holds must still find all of them together once.
    const waiting = this.#range === undefined ? 0 : this.#range.last - this.#range.first + 1;
    this.#shrink(Math.max(CHUNK_CACHE_MAX, 2 * waiting));
  }

  /** What came since is forgotten: whoever journals chunks must see that they are asked for again. */
  mark(): Undo {
    const supplies = this.#supplies;
    return () => { if (this.#supplies !== supplies) this.drop(); };
  }

  /** Forgets the cache; nothing that the guest sees changes. */
  drop(): void {
    this.#cache.clear();
    this.#range = undefined;
  }

  #use(index: number): Uint8Array {
    const bytes = this.#cache.get(index) ?? EMPTY;
    this.#cache.delete(index);
    this.#cache.set(index, bytes);
    return bytes;
  }

  #shrink(chunksMax: number): void {
    for (const index of this.#cache.keys()) {
      if (this.#cache.size <= chunksMax) return;
      this.#cache.delete(index);
    }
  }
}
