/**
 * The digest of a stream by blocks: SHA-256 of the XXH64s (8 bytes each, big-endian) of its blocks of 4 KiB, the last one shorter. A sixth of the cost of a
 * SHA-256 of the bytes, and its state can be saved. It tells streams apart that differ by accident; who wants to can make two with one digest.
 *
 *   stream   |  block 0  |  block 1  |  block 2 ····          outer  SHA-256( XXH64(block 0) XXH64(block 1) … )
 *                                      └ partial: its bytes
 *   saved    0 "SPB2"   4 length of the partial block u32   8 outer state (the running digest's own format)   … bytes of the partial block
 *
 * Invariants: the same digest and the same saved bytes however the stream was cut, and whoever hashed its blocks (block-hashes.ts); little-endian but where said. `split -b 4096
 * --filter='xxhsum -H1 | cut -c-16 | xxd -r -p' FILE | sha256sum` says the same. What this does NOT do: compute SHA-256 or XXH64.
 */
import { StillpointError, type BlobHash, type Digests, type RunningDigest } from '../core/index.ts';
import type { BlockHashes } from './block-hashes.ts';
import { BLOCKS_MAX, DIGEST_BLOCK_BYTES, HASH_BYTES, hashBlocks } from './block-kernel.ts';

const MAGIC = 0x3242_5053; // "SPB2" read as a little-endian word.
const AT = { partialLength: 4, outer: 8 } as const;
/** Hashes of blocks that go into the outer digest together: a call of its own for each would cost as much as hashing the block. */
const HASHES_MAX = 64;

/** A digest of a stream: one that is restored is told where in the stream it stands. */
export interface StreamDigests {
  /** A new one; `position`: not 0 when the bytes before it are missing. */
  running(position: number): RunningDigest;
  restore(saved: Uint8Array, position: number): RunningDigest;
}

/** Hashes of the stream's blocks: where they are asked for before they are computed, or where computed ones are put. */
export interface Sharing { readonly role: 'asks' | 'puts'; readonly hashes: () => BlockHashes | undefined }

interface Services { readonly digests: Digests; readonly sharing: Sharing | undefined }

class BlockDigest implements RunningDigest {
  readonly #services: Services;
  readonly #outer: RunningDigest;
  readonly #hashes = new Uint8Array(HASHES_MAX * HASH_BYTES);
  #hashCount = 0;
  /** Number of the block that comes next. */
  #next: number;
  #partial: Uint8Array | undefined;
  #partialLength = 0;

  constructor(services: Services, outer: RunningDigest, { next, partial }: { readonly next: number; readonly partial: Uint8Array }) {
    this.#services = services;
    this.#outer = outer;
    this.#next = next;
    if (partial.length > 0) this.#addToPartial(partial);
  }

  update(bytes: Uint8Array): void {
    let at = this.#partialLength === 0 ? 0 : this.#addToPartial(bytes);
    while (at + DIGEST_BLOCK_BYTES <= bytes.length) {
      const count = Math.min(BLOCKS_MAX, HASHES_MAX - this.#hashCount, Math.floor((bytes.length - at) / DIGEST_BLOCK_BYTES));
      this.#addBlocks(bytes, { at, count });
      at += count * DIGEST_BLOCK_BYTES;
    }
    if (at < bytes.length) this.#addToPartial(bytes.subarray(at));
  }

  hex(): BlobHash {
    this.#flush();
    if (this.#partialLength === 0) return this.#outer.hex();
    const whole = this.#outer.copy();
    const last = new DataView(new ArrayBuffer(HASH_BYTES));
    last.setBigUint64(0, this.#services.digests.xxh64(this.#partialBytes));
    whole.update(new Uint8Array(last.buffer));
    return whole.hex();
  }

  save(): Uint8Array {
    this.#flush();
    const outer = this.#outer.save();
    const saved = new Uint8Array(AT.outer + outer.length + this.#partialLength);
    const view = new DataView(saved.buffer);
    view.setUint32(0, MAGIC, true);
    view.setUint32(AT.partialLength, this.#partialLength, true);
    saved.set(outer, AT.outer);
    saved.set(this.#partialBytes, AT.outer + outer.length);
    return saved;
  }

  /** Shares nothing. */
  copy(): RunningDigest {
    this.#flush();
    return new BlockDigest({ ...this.#services, sharing: undefined }, this.#outer.copy(), { next: this.#next, partial: this.#partialBytes });
  }

  get #partialBytes(): Uint8Array {
    return this.#partial?.subarray(0, this.#partialLength) ?? new Uint8Array(0);
  }

  /** Fills up the block that is not full; how many bytes it took. */
  #addToPartial(bytes: Uint8Array): number {
    this.#partial ??= new Uint8Array(DIGEST_BLOCK_BYTES);
    const piece = bytes.subarray(0, DIGEST_BLOCK_BYTES - this.#partialLength);
    this.#partial.set(piece, this.#partialLength);
    this.#partialLength += piece.length;
    if (this.#partialLength === DIGEST_BLOCK_BYTES) {
      this.#partialLength = 0;
      this.#addBlocks(this.#partial, { at: 0, count: 1 });
    }
    return piece.length;
  }

  /** As many as there is room for. */
  #addBlocks(bytes: Uint8Array, { at, count }: { readonly at: number; readonly count: number }): void {
    const { sharing } = this.#services;
    const known = sharing?.role === 'asks' ? sharing.hashes()?.get(this.#next, count) : undefined;
    const hashes = known ?? hashBlocks(bytes.subarray(at, at + count * DIGEST_BLOCK_BYTES));
    if (sharing?.role === 'puts') sharing.hashes()?.put(this.#next, hashes);
    this.#hashes.set(hashes, this.#hashCount * HASH_BYTES);
    this.#hashCount += count;
    this.#next += count;
    if (this.#hashCount === HASHES_MAX) this.#flush();
  }

  #flush(): void {
    if (this.#hashCount === 0) return;
    this.#outer.update(this.#hashes.subarray(0, this.#hashCount * HASH_BYTES));
    this.#hashCount = 0;
  }
}

/** Running digests by blocks, over those of `digests`. */
export function byBlocks(digests: Digests, sharing?: Sharing): StreamDigests {
  const services = { digests, sharing };
  return {
    running: (position) => new BlockDigest(position === 0 ? services : { digests, sharing: undefined }, digests.running(), { next: 0, partial: new Uint8Array(0) }),
    restore: (saved, position) => restore(services, saved, position),
  };
}

function restore(services: Services, saved: Uint8Array, position: number): RunningDigest {
  const view = new DataView(saved.buffer, saved.byteOffset, saved.byteLength);
  if (saved.length < AT.outer || view.getUint32(0, true) !== MAGIC) throw foreign();
  const partialLength = view.getUint32(AT.partialLength, true);
  const outerEnd = saved.length - partialLength;
  if (partialLength >= DIGEST_BLOCK_BYTES || outerEnd < AT.outer) throw foreign();
  const outer = services.digests.restore(saved.slice(AT.outer, outerEnd));
  const isHere = position % DIGEST_BLOCK_BYTES === partialLength; // Else it is of another stream, whatever it says: nothing is shared.
  return new BlockDigest(isHere ? services : { ...services, sharing: undefined }, outer, { next: Math.floor(position / DIGEST_BLOCK_BYTES), partial: saved.subarray(outerEnd) });
}

function foreign(): StillpointError {
  return new StillpointError('E_STATE_FORMAT', 'the saved state of a digest by blocks cannot be decoded');
}
