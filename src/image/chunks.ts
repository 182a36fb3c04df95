/**
 * Files as chunks of fixed size, named by their SHA-256: how an image's bytes are kept and read back.
 * Invariants: a file's chunks are all full but the last; reading gives the same bytes wherever a read begins or ends.
 * What this does NOT do: keep chunks (the caller's `chunk` does, and verifies them).
 */
import { limits, StillpointError } from '../core/index.ts';
import type { ImageCatalog, ReadFile } from './catalog.ts';
import { hex } from './catalog-format.ts';

/** The bytes of a chunk. Throws when they are gone or damaged. */
export type ReadChunk = (hash: string) => Uint8Array;

const { IMAGE_CHUNK_BYTES } = limits;
const HASH_BYTES = 32;

/** Reads files of a catalog through its chunks. */
export function chunkedRead(chunk: ReadChunk): (catalog: ImageCatalog) => ReadFile {
  return (catalog) => (file, offset, length) => readChunks({ size: catalog.rawSize(file), hash: (index) => catalog.chunkHash(file, index), chunk }, offset, length);
}

/** The bytes [offset, offset + length) of a file of `size` bytes whose chunk `index` has the hash that `hash` tells. */
export function readChunks(file: { readonly size: number; readonly hash: (index: number) => string; readonly chunk: ReadChunk }, offset: number, length: number): Uint8Array {
  const out = new Uint8Array(length);
  for (let at = offset; at < offset + length;) {
    const index = Math.floor(at / IMAGE_CHUNK_BYTES);
    const start = index * IMAGE_CHUNK_BYTES;
    const bytes = file.chunk(file.hash(index));
    if (bytes.length !== Math.min(IMAGE_CHUNK_BYTES, file.size - start)) throw new StillpointError('E_IMAGE_FORMAT', 'the catalog of the image names a chunk of another length');
    const part = bytes.subarray(at - start, Math.min(bytes.length, offset + length - start));
    out.set(part, at - offset);
    at += part.length;
  }
  return out;
}

/** Hash of one chunk in a list, 64 hexadecimal digits. */
export function hashAt(hashes: Uint8Array, index: number): string {
  return hex(hashes.subarray(index * HASH_BYTES, (index + 1) * HASH_BYTES));
}

/** A file's chunks in order. */
export function* chunksOf(size: number, read: (offset: number, length: number) => Uint8Array): Generator<Uint8Array> {
  for (let at = 0; at < size; at += IMAGE_CHUNK_BYTES) yield read(at, Math.min(IMAGE_CHUNK_BYTES, size - at));
}
