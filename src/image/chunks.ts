/**
 * Files as chunks of fixed size, named by their SHA-256: how an image's bytes are kept and read back.
 * Invariants: a file's chunks are all full but the last; reading gives the same bytes wherever a read begins or ends.
 * What this does NOT do: keep chunks (the caller's `chunk` does, and verifies them).
 */
import { limits } from '../core/index.ts';
import type { ImageCatalog, ReadFile } from './catalog.ts';

/** The bytes of a chunk, as many as said. Throws when they are gone or damaged. */
export type ReadChunk = (hash: string, length: number) => Uint8Array;

const { IMAGE_CHUNK_BYTES } = limits;

/** Reads files of a catalog through its chunks. */
export function chunkedRead(chunk: ReadChunk): (catalog: ImageCatalog) => ReadFile {
  return (catalog) => (file, offset, length) => {
    const size = catalog.rawSize(file);
    const out = new Uint8Array(length);
    for (let at = offset; at < offset + length;) {
      const index = Math.floor(at / IMAGE_CHUNK_BYTES);
      const start = index * IMAGE_CHUNK_BYTES;
      const bytes = chunk(catalog.chunkHash(file, index), Math.min(IMAGE_CHUNK_BYTES, size - start));
      const part = bytes.subarray(at - start, Math.min(bytes.length, offset + length - start));
      out.set(part, at - offset);
      at += part.length;
    }
    return out;
  };
}

/** A file's chunks in order. */
export function* chunksOf(size: number, read: (offset: number, length: number) => Uint8Array): Generator<Uint8Array> {
  for (let at = 0; at < size; at += IMAGE_CHUNK_BYTES) yield read(at, Math.min(IMAGE_CHUNK_BYTES, size - at));
}
