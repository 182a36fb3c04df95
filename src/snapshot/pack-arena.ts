/**
 * Memory for the packs of one capture, used again for the next: fresh memory costs more than the copy into it, and a store's worth of dead
 * buffers has V8 look for garbage all the time.
 *
 *   | pack | pack | … |   | pack | …   chunks; a pack lies in one of them
 *
 * Invariants: reset() is called when nobody reads the packs of the last capture any more; at most KEPT_BYTES_MAX stay between captures, and what captures do not use goes by halves.
 * What this does NOT do: know what is in it.
 */
import { limits } from '../core/index.ts';

/** The first chunk: a full pack and a little; each further one is twice as long up to CHUNK_BYTES_MAX. */
const CHUNK_BYTES_FIRST = 32 * limits.PAGE_BYTES;
const CHUNK_BYTES_MAX = 1024 * 1024;
/**
 * What a machine may hold while it takes no checkpoint, as session/beside-store.ts does: one that needed so much once does it again, and each 64 MiB of fresh memory have V8 look for garbage
 * in all of its heap.
 */
const KEPT_BYTES_MAX = 256 * 1024 * 1024;

export class PackArena {
  readonly #chunks: Uint8Array[] = [];
  #bytes = 0;
  #chunk = 0;
  #used = 0;

  readonly room = (bytes: number): Uint8Array => {
    while (this.#chunk < this.#chunks.length && this.#used + bytes > this.#chunks[this.#chunk]!.length) this.#next();
    if (this.#chunk === this.#chunks.length) this.#grow(bytes);
    const start = this.#used;
    this.#used += bytes;
    return this.#chunks[this.#chunk]!.subarray(start, this.#used);
  };

  reset(): void {
    const kept = Math.max(this.#chunk + 1, this.#chunks.length >> 1);
    while (this.#chunks.length > kept || this.#bytes > KEPT_BYTES_MAX) this.#bytes -= this.#chunks.pop()!.length; // The sum is of what is in the list.
    this.#chunk = 0;
    this.#used = 0;
  }

  #next(): void {
    this.#chunk++;
    this.#used = 0;
  }

  #grow(bytes: number): void {
    const size = Math.max(bytes, Math.min(CHUNK_BYTES_FIRST << Math.min(this.#chunks.length, 8), CHUNK_BYTES_MAX));
    this.#chunks.push(new Uint8Array(size));
    this.#bytes += size;
  }
}
