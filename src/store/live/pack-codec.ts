/**
 * How packs of pages lie in LMDB: as they are, or shrunk by LZ4 where that saves pages of the database.
 *
 *   | 50 … |                             a pack as src/snapshot writes it (any bytes that do not begin with 5a)
 *   | 5a | u32 LE length | LZ4 block |   the same, shrunk; length: of the pack
 *
 * Invariants: nobody above the adapter sees the second form; expanding what was shrunk gives the same bytes; bytes that cannot be expanded are handed out as they
 * lie there, which is no pack, so that its owner finds the damage. What this does NOT do: check content (its hashes do).
 */
import { compressSync, uncompressSync } from 'lz4-napi';
import { assert } from '../../core/index.ts';

const SHRUNK_TAG = 0x5a;
const LENGTH_BYTES = 4;
/** No pack is longer (snapshot/format.ts: a full one fits 16 pages): what a damaged length can cost. */
const PACK_BYTES_MAX = 64 * 1024;
const LMDB_PAGE_BYTES = 4096;
/** LMDB's header of a record that has pages of its own, and its key. */
const RECORD_BYTES = 24;

export function shrinkPack(pack: Uint8Array): Uint8Array {
  assert(pack.length <= PACK_BYTES_MAX, 'a pack has at most 64 KiB');
  const block = compressSync(Buffer.from(pack.buffer, pack.byteOffset, pack.length));
  if (pack[0] !== SHRUNK_TAG && databasePages(block.length + 1) >= databasePages(pack.length)) return pack;
  const shrunk = new Uint8Array(1 + block.length);
  shrunk[0] = SHRUNK_TAG;
  shrunk.set(block, 1);
  return shrunk;
}

export function expandPack(stored: Uint8Array): Uint8Array {
  if (stored[0] !== SHRUNK_TAG || stored.length < 1 + LENGTH_BYTES) return stored;
  const block = Buffer.from(stored.buffer, stored.byteOffset + 1, stored.length - 1);
  const length = block.readUInt32LE(0);
  if (length > PACK_BYTES_MAX) return stored;
  try {
    const pack = uncompressSync(block);
    return pack.length === length ? pack : stored;
  } catch {
    return stored; // The package says with plain errors of its own that the bytes are no LZ4 block.
  }
}

function databasePages(bytes: number): number {
  return Math.ceil((bytes + RECORD_BYTES) / LMDB_PAGE_BYTES);
}
