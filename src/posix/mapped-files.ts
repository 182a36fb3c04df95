/**
 * Files as mappings use them: by inode number. What this does NOT do: check rights (calls/memory.ts did, at mmap).
 */
import { assert } from '../core/index.ts';
import type { FileSystem, PageRange } from './files/index.ts';

/** File content as mappings need it. `key` is a file's stable number. */
export interface MappedFiles {
  /** The file's content outlives its names and descriptors between retain and release, and changes of its size are told (FileSystem.hasResized). */
  retain(key: number): void;
  release(key: number): void;
  /** Bytes of the file. */
  size(key: number): number;
  /** Bytes of [offset, offset + length) clipped to the file's size. */
  read(key: number, offset: number, length: number): Uint8Array;
  /** Writes inside the file's size; never extends it. */
  write(key: number, offset: number, bytes: Uint8Array): void;
  /** Grows with every change of the content. */
  generation(key: number): number;
  /** Pages that changed after a generation; undefined: nobody knows. */
  changedSince(key: number, generation: number): readonly PageRange[] | undefined;
}

/** Adapter from the file system's inode table to the address spaces of a machine. */
export function mappedFiles(files: FileSystem): MappedFiles {
  const find = (key: number) => {
    const inode = files.find(key);
    assert(inode !== undefined && inode.kind === 'file', 'a mapped file is in the inode table');
    return inode;
  };
  return {
    retain: (key) => {
      const inode = find(key);
      inode.content.mappings++;
      files.retain(inode);
    },
    release: (key) => {
      const inode = find(key);
      inode.content.mappings--;
      files.release(inode);
    },
    size: (key) => find(key).content.size,
    read: (key, offset, length) => find(key).content.readAt(offset, length),
    generation: (key) => find(key).content.generation,
    changedSince: (key, generation) => find(key).content.changedSince(generation),
    write: (key, offset, bytes) => {
      const inode = find(key);
      const { content } = inode;
      content.writeAt(offset, bytes.subarray(0, Math.max(0, Math.min(bytes.length, content.size - offset))));
      inode.mtime = files.now();
      inode.ctime = inode.mtime;
    },
  };
}
