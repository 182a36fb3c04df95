/**
 * The digest of a stream by blocks: SHA-256 of the XXH64s (8 bytes each, big-endian) of its blocks of 4 KiB, the last one shorter. A sixth of the cost of a
 * SHA-256 of the bytes, and its state can be saved. It tells streams apart that differ by accident; who wants to can make two with one digest.
 *
 *   stream   |  block 0  |  block 1  |  block 2 ····          outer  SHA-256( XXH64(block 0) XXH64(block 1) … )
 *                                      └ partial: its bytes
 *   saved    0 "SPB2"   4 length of the partial block u32   8 outer state (the running digest's own format)   … bytes of the partial block
 *
 * Invariants: the same digest and the same saved bytes however the stream was cut; little-endian but where said. `split -b 4096
 * --filter='xxhsum -H1 | cut -c-16 | xxd -r -p' FILE | sha256sum` says the same. What this does NOT do: compute SHA-256 or XXH64.
 */
import type { BlobHash } from './brands.ts';
import type { Digests, RunningDigest } from './digest.ts';
import { StillpointError } from './errors.ts';

export const DIGEST_BLOCK_BYTES = 4096;
const MAGIC = 0x3242_5053; // "SPB2" read as a little-endian word.
const AT = { partialLength: 4, outer: 8 } as const;
const HASH_BYTES = 8;
/** Hashes of blocks that go into the outer digest together: a call of its own for each would cost as much as hashing the block. */
const HASHES_MAX = 64;

type Running = Pick<Digests, 'running' | 'restore'>;

class BlockDigest implements RunningDigest {
  readonly #digests: Digests;
  readonly #outer: RunningDigest;
  readonly #hashes = new DataView(new ArrayBuffer(HASHES_MAX * HASH_BYTES));
  #hashCount = 0;
  #partial: Uint8Array | undefined;
  #partialLength = 0;

  constructor(digests: Digests, outer: RunningDigest, partial: Uint8Array) {
    this.#digests = digests;
    this.#outer = outer;
    if (partial.length > 0) this.#addToPartial(partial);
  }

  update(bytes: Uint8Array): void {
    let at = this.#partialLength === 0 ? 0 : this.#addToPartial(bytes);
    for (; at + DIGEST_BLOCK_BYTES <= bytes.length; at += DIGEST_BLOCK_BYTES) this.#addBlock(bytes.subarray(at, at + DIGEST_BLOCK_BYTES));
    if (at < bytes.length) this.#addToPartial(bytes.subarray(at));
  }

  hex(): BlobHash {
    this.#flush();
    if (this.#partialLength === 0) return this.#outer.hex();
    const whole = this.#outer.copy();
    const last = new DataView(new ArrayBuffer(HASH_BYTES));
    last.setBigUint64(0, this.#digests.xxh64(this.#partialBytes));
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

  copy(): RunningDigest {
    this.#flush();
    return new BlockDigest(this.#digests, this.#outer.copy(), this.#partialBytes);
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
      this.#addBlock(this.#partial);
      this.#partialLength = 0;
    }
    return piece.length;
  }

  #addBlock(block: Uint8Array): void {
    this.#hashes.setBigUint64(this.#hashCount++ * HASH_BYTES, this.#digests.xxh64(block));
    if (this.#hashCount === HASHES_MAX) this.#flush();
  }

  #flush(): void {
    if (this.#hashCount === 0) return;
    this.#outer.update(new Uint8Array(this.#hashes.buffer, 0, this.#hashCount * HASH_BYTES));
    this.#hashCount = 0;
  }
}

/** Running digests by blocks, over those of `digests`. */
export function byBlocks(digests: Digests): Running {
  return { running: () => new BlockDigest(digests, digests.running(), new Uint8Array(0)), restore: (saved) => restore(digests, saved) };
}

function restore(digests: Digests, saved: Uint8Array): RunningDigest {
  const view = new DataView(saved.buffer, saved.byteOffset, saved.byteLength);
  if (saved.length < AT.outer || view.getUint32(0, true) !== MAGIC) throw foreign();
  const partialLength = view.getUint32(AT.partialLength, true);
  const outerEnd = saved.length - partialLength;
  if (partialLength >= DIGEST_BLOCK_BYTES || outerEnd < AT.outer) throw foreign();
  return new BlockDigest(digests, digests.restore(saved.slice(AT.outer, outerEnd)), saved.subarray(outerEnd));
}

function foreign(): StillpointError {
  return new StillpointError('E_STATE_FORMAT', 'the saved state of a digest by blocks cannot be decoded');
}
