/**
 * The form of a catalog: every number of it, for its writer and its reader. A catalog is all of an image (or layer) but the bytes of its files, as one byte string
 * whose SHA-256 names the image. Fixed-width records, so that opening one costs a check and no parsing. Little-endian; docs/formats/image.md is the page.
 *
 *   0 "SPIMAGE1"   8 u32 inodes   12 u32 entries   16 u32 chunks   20 u32 text bytes   24 u32 flags (1: has whiteouts or opaque directories)
 *   28 u32 zero    32 inode records (48 bytes)   entry records (12)   chunk hashes (32)   text
 *   inode   0 u32 mode   4 u32 uid   8 u32 gid   12 u32 links   16 i64 mtime   24 u64 size   32 u32 first   36 u32 count   40 u32 parent   44 u32 entry
 *   entry   0 u32 text offset   4 u16 length   6 u16 zero   8 u32 inode (ffffffff: whiteout)
 *
 * first, count: of a directory its entries, of a file its chunks, of a link its target in the text. size of a directory: 1 opaque, 2 implied.
 * parent, entry: of a directory its holder and the entry that names it (the root: 0 and ffffffff); 0 for all others.
 *
 * What this does NOT do: keep file bytes, hash.
 */
import { limits, StillpointError } from '../core/index.ts';

export const MAGIC = 'SPIMAGE1';
export const HEADER_BYTES = 32;
export const INODE_BYTES = 48;
export const ENTRY_BYTES = 12;
export const HASH_BYTES = 32;
export const NONE = 0xffff_ffff;
export const OPAQUE = 1;
export const IMPLIED = 2;
export const HAS_MARKS = 1;
/** Chunks of all files of the largest image, should each be short of one. */
export const CHUNKS_MAX = limits.IMAGE_BYTES_MAX / limits.IMAGE_CHUNK_BYTES + limits.IMAGE_ENTRIES_MAX;

export function chunkCount(size: number): number {
  return Math.ceil(size / limits.IMAGE_CHUNK_BYTES);
}

/** Hexadecimal digits. */
export function hex(bytes: Uint8Array): string {
  let out = '';
  for (const byte of bytes) out += byte.toString(16).padStart(2, '0');
  return out;
}

export function malformed(what: string): StillpointError {
  return new StillpointError('E_IMAGE_FORMAT', `the catalog of the image ${what}`);
}
