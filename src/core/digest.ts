/**
 * Hashes as the pure code sees them. The host hands in an implementation (core/live/digest.ts uses node:crypto,
 * hash-wasm and xxhash-wasm), so the same machine runs where there is no Node.
 */
import type { BlobHash } from './brands.ts';

/** A running SHA-256 whose state can be saved in a checkpoint and continued elsewhere. */
export interface RunningDigest {
  update(bytes: Uint8Array): void;
  /** Digest of the bytes so far, 64 hexadecimal digits; the digest can go on afterwards. */
  hex(): BlobHash;
  /** Opaque state for `Digests.restore`, the same bytes for the same input on every host. */
  save(): Uint8Array;
  /** Another one with the same bytes so far. */
  copy(): RunningDigest;
}

export interface Digests {
  /** One-shot SHA-256: identity of pages, blobs, frames and roots. */
  sha256(bytes: Uint8Array): BlobHash;
  /** The same as 32 bytes at `offset` of `target`, for many at a time: no text is made. */
  sha256Into(bytes: Uint8Array, target: Uint8Array, offset: number): void;
  /** XXH64, seed 0: a fast filter and check sum, never identity. */
  xxh64(bytes: Uint8Array): bigint;
  running(): RunningDigest;
  /** Continues from `RunningDigest.save()`; throws StillpointError E_STATE_FORMAT on foreign bytes. */
  restore(saved: Uint8Array): RunningDigest;
}
