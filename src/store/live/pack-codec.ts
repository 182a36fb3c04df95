/**
 * How packs of pages lie in LMDB: as they are, or shrunk by LZ4 where that saves pages of the database.
 *
 *   | 50 … |                             a pack as src/snapshot writes it (any bytes that do not begin with 5a)
 *   | 5a | u32 LE length | LZ4 block |   the same, shrunk; length: of the pack
 *
 * Invariants: nobody above the adapter sees the second form; expanding what was shrunk gives the same bytes; bytes that cannot be expanded are handed out as they
 * lie there, which is no pack, so that its owner finds the damage. What this does NOT do: check content (its hashes do).
 */
import { createRequire } from 'node:module';
import type * as Lz4 from 'lz4-napi';
import { assert } from '../../core/index.ts';

/** Milliseconds after which mimalloc gives memory back; -1: never. */
const KEEP_FREED = 'MIMALLOC_PURGE_DELAY';
const SHRUNK_TAG = 0x5a;
const LENGTH_BYTES = 4;
/** No pack is longer (snapshot/pack-format.ts: a full one fits 32 pages): what a damaged length can cost. */
const PACK_BYTES_MAX = 128 * 1024;
const LMDB_PAGE_BYTES = 4096;
/** LMDB's header of a record that has pages of its own, and its key. */
const RECORD_BYTES = 24;

/** Bytes of a pack that are looked at before LZ4 is tried, in pieces of a few words: most of a pack left the processor's caches since it was written, and each piece costs a line of them. */
const SAMPLE_BYTES = 512;
const PIECE_BYTES = 16;
const GOLDEN_RATIO = (Math.sqrt(5) - 1) / 2;
/**
 * Sum of the squares of the counts of equal bytes in the sample: 1534 on average for bytes without any pattern, with a deviation of 45; text has 15 000, a pack with one part
 * in four of text still 2 300.
 */
const PATTERN_MIN = 1830;
const { compressSync, uncompressSync } = loadLz4();

export function shrinkPack(pack: Uint8Array): Uint8Array {
  assert(pack.length <= PACK_BYTES_MAX, 'a pack has at most 128 KiB');
  if (pack[0] !== SHRUNK_TAG && !hasPattern(pack)) return pack;
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

const counts = new Uint16Array(256);

/** Whether some byte values are more frequent than in random, encrypted or compressed content, where LZ4 costs its time for nothing. */
function hasPattern(pack: Uint8Array): boolean {
  if (pack.length < SAMPLE_BYTES * 2) return true;
  counts.fill(0);
  for (let piece = 0; piece < SAMPLE_BYTES / PIECE_BYTES; piece++) {
    const at = Math.floor(((piece * GOLDEN_RATIO) % 1) * (pack.length - PIECE_BYTES)); // Evenly, but not at the same place of each page, where pages may be alike.
    for (let index = at; index < at + PIECE_BYTES; index++) counts[pack[index]!]!++;
  }
  let sum = 0;
  for (let value = 0; value < 256; value++) sum += counts[value]! * counts[value]!;
  return sum >= PATTERN_MIN;
}

/**
 * The package, whose allocator (mimalloc) is told to keep freed memory: by default each call gets fresh huge pages from the kernel, and clearing them costs
 * ten times what LZ4 does on content that cannot be shrunk. It reads the environment once, when it is loaded.
 */
function loadLz4(): typeof Lz4 {
  const before = process.env[KEEP_FREED];
  process.env[KEEP_FREED] ??= '-1';
  const loaded = createRequire(import.meta.url)('lz4-napi') as typeof Lz4; // Its own declarations.
  if (before === undefined) delete process.env[KEEP_FREED];
  return loaded;
}

function databasePages(bytes: number): number {
  return Math.ceil((bytes + RECORD_BYTES) / LMDB_PAGE_BYTES);
}
