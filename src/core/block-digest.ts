/**
 * The digest of a stream by blocks: SHA-256 of the SHA-256s (32 bytes each) of its blocks of 16 KiB, the last one shorter. What comes in whole blocks is hashed
 * one-shot, which hosts do several times as fast as the running digest whose state can be saved.
 *
 *   stream   |  block 0  |  block 1  |  block 2 ····          outer  SHA-256( SHA-256(block 0) SHA-256(block 1) … )
 *                                      └ partial: running
 *   saved    0 "SPB1"   4 length of the partial block u32   8 length of the outer state u32   12 outer state   … partial state (running digests' own formats)
 *
 * Invariants: the same digest and the same saved bytes however the stream was cut; little-endian. `split -b 16384 --filter='sha256sum | cut -c-64 | xxd -r -p' FILE | sha256sum`
 * says the same. What this does NOT do: compute SHA-256.
 */
import { assert } from './assert.ts';
import type { BlobHash } from './brands.ts';
import type { Digests, RunningDigest } from './digest.ts';
import { StillpointError } from './errors.ts';

export const DIGEST_BLOCK_BYTES = 16 * 1024;
const MAGIC = 0x3142_5053; // "SPB1" read as a little-endian word.
const AT = { partialLength: 4, outerLength: 8, states: 12 } as const;

type Running = Pick<Digests, 'running' | 'restore'>;

class BlockDigest implements RunningDigest {
  readonly #digests: Digests;
  readonly #outer: RunningDigest;
  #partial: RunningDigest;
  #partialLength: number;

  constructor(digests: Digests, { outer, partial, partialLength }: { readonly outer: RunningDigest; readonly partial: RunningDigest; readonly partialLength: number }) {
    this.#digests = digests;
    this.#outer = outer;
    this.#partial = partial;
    this.#partialLength = partialLength;
  }

  update(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length;) {
      const piece = bytes.subarray(at, at + DIGEST_BLOCK_BYTES - this.#partialLength);
      at += piece.length;
      if (piece.length === DIGEST_BLOCK_BYTES) this.#outer.update(toBytes(this.#digests.sha256(piece)));
      else this.#addToPartial(piece);
    }
  }

  hex(): BlobHash {
    return this.#whole().hex();
  }

  save(): Uint8Array {
    const outer = this.#outer.save();
    const partial = this.#partial.save();
    const saved = new Uint8Array(AT.states + outer.length + partial.length);
    const view = new DataView(saved.buffer);
    view.setUint32(0, MAGIC, true);
    view.setUint32(AT.partialLength, this.#partialLength, true);
    view.setUint32(AT.outerLength, outer.length, true);
    saved.set(outer, AT.states);
    saved.set(partial, AT.states + outer.length);
    return saved;
  }

  copy(): RunningDigest {
    return new BlockDigest(this.#digests, { outer: this.#outer.copy(), partial: this.#partial.copy(), partialLength: this.#partialLength });
  }

  #addToPartial(piece: Uint8Array): void {
    this.#partial.update(piece);
    this.#partialLength += piece.length;
    if (this.#partialLength < DIGEST_BLOCK_BYTES) return;
    this.#outer.update(toBytes(this.#partial.hex()));
    this.#partial = this.#digests.running();
    this.#partialLength = 0;
  }

  /** The outer digest with the block that is not full. */
  #whole(): RunningDigest {
    if (this.#partialLength === 0) return this.#outer;
    const whole = this.#outer.copy();
    whole.update(toBytes(this.#partial.hex()));
    return whole;
  }
}

/** Running digests by blocks, over those of `digests`. */
export function byBlocks(digests: Digests): Running {
  return {
    running: () => new BlockDigest(digests, { outer: digests.running(), partial: digests.running(), partialLength: 0 }),
    restore: (saved) => restore(digests, saved),
  };
}

function restore(digests: Digests, saved: Uint8Array): RunningDigest {
  const view = new DataView(saved.buffer, saved.byteOffset, saved.byteLength);
  if (saved.length < AT.states || view.getUint32(0, true) !== MAGIC) throw foreign();
  const partialLength = view.getUint32(AT.partialLength, true);
  const outerEnd = AT.states + view.getUint32(AT.outerLength, true);
  if (partialLength >= DIGEST_BLOCK_BYTES || outerEnd > saved.length) throw foreign();
  return new BlockDigest(digests, { outer: digests.restore(saved.slice(AT.states, outerEnd)), partial: digests.restore(saved.slice(outerEnd)), partialLength });
}

function foreign(): StillpointError {
  return new StillpointError('E_STATE_FORMAT', 'the saved state of a digest by blocks cannot be decoded');
}

const HASH_BYTES = 32;

function toBytes(hash: BlobHash): Uint8Array {
  const bytes = new Uint8Array(HASH_BYTES);
  assert(hash.length === 2 * HASH_BYTES, 'a SHA-256 has 64 digits');
  for (let index = 0; index < HASH_BYTES; index++) bytes[index] = digit(hash.charCodeAt(2 * index)) * 16 + digit(hash.charCodeAt(2 * index + 1));
  return bytes;
}

/** Of a lower-case hexadecimal digit. */
function digit(code: number): number {
  return code < 0x60 ? code - 0x30 : code - 0x57;
}
