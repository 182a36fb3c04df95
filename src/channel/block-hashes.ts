/**
 * XXH64s of the whole blocks of a stream that somebody has computed already: what a channel's digest and the envelopes of its bytes both need is hashed once.
 *
 *   writer   guest writes ─► digest hashes, puts ─► envelopes ask          reader   envelope is checked, hashes are put ─► digest asks
 *
 * Invariants: an answer is the hash of the very bytes that went by at that position, or there is none and whoever asks hashes them himself; forgetting anything is
 * always right. A block that is put again replaces the one before; a writer that goes back forgets what lies beyond (forgetFrom). Blocks count from 0; hashes have 8
 * bytes, most significant first.
 * What this does NOT do: hash.
 */
import { assert } from '../core/index.ts';
import { HASH_BYTES } from './block-kernel.ts';

/** Blocks that are remembered: 16 MiB of a stream, more than is under way at most times. A power of two. */
const BLOCKS_KEPT = 4096;
const NONE = -1;

export class BlockHashes {
  /** Made when the first block comes: most channels of a large cluster carry little. */
  #hashes: Uint8Array | undefined;
  /** Which block's hash is at a place. */
  #blocks: Float64Array | undefined;

  /** The hashes of the blocks from `first` on. */
  put(first: number, hashes: Uint8Array): void {
    assert(Number.isSafeInteger(first) && first >= 0 && hashes.length % HASH_BYTES === 0, 'hashes of whole blocks are kept');
    const kept = this.#hashes ??= new Uint8Array(BLOCKS_KEPT * HASH_BYTES);
    const blocks = this.#blocks ??= new Float64Array(BLOCKS_KEPT).fill(NONE);
    for (let index = 0; index * HASH_BYTES < hashes.length; index++) {
      const place = (first + index) % BLOCKS_KEPT;
      blocks[place] = first + index;
      for (let byte = 0; byte < HASH_BYTES; byte++) kept[place * HASH_BYTES + byte] = hashes[index * HASH_BYTES + byte]!;
    }
  }

  /** The hashes of `count` blocks from `first` on, valid until the next put(); undefined when one of them is not known. */
  get(first: number, count: number): Uint8Array | undefined {
    const [hashes, blocks] = [this.#hashes, this.#blocks];
    if (hashes === undefined || blocks === undefined || count > BLOCKS_KEPT) return undefined;
    for (let index = 0; index < count; index++) if (blocks[(first + index) % BLOCKS_KEPT] !== first + index) return undefined;
    const place = first % BLOCKS_KEPT;
    if (place + count <= BLOCKS_KEPT) return hashes.subarray(place * HASH_BYTES, (place + count) * HASH_BYTES);
    const joined = new Uint8Array(count * HASH_BYTES);
    const isBefore = (BLOCKS_KEPT - place) * HASH_BYTES;
    joined.set(hashes.subarray(place * HASH_BYTES));
    joined.set(hashes.subarray(0, joined.length - isBefore), isBefore);
    return joined;
  }

  /** The stream goes on before the end of block `first`: it and what came after may become others. */
  forgetFrom(first: number): void {
    const blocks = this.#blocks;
    if (blocks === undefined) return;
    for (let place = 0; place < BLOCKS_KEPT; place++) if (blocks[place]! >= first) blocks[place] = NONE;
  }
}
