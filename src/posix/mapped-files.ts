/**
 * Files as mappings use them: by inode number. What this does NOT do: check rights (calls/memory.ts did, at mmap).
 */
import { assert } from '../core/index.ts';
import type { MappedFiles } from './address-space.ts';
import type { FileSystem } from './files/index.ts';

/** Adapter from the file system's inode table to the address spaces of a machine. */
export function mappedFiles(files: FileSystem): MappedFiles {
  const find = (key: number) => {
    const inode = files.find(key);
    assert(inode !== undefined && inode.kind === 'file', 'a mapped file is in the inode table');
    return inode;
  };
  return {
    retain: (key) => files.retain(find(key)),
    release: (key) => files.release(find(key)),
    read: (key, offset, length) => find(key).content.readAt(offset, length),
    write: (key, offset, bytes) => {
      const inode = find(key);
      const { content } = inode;
      content.writeAt(offset, bytes.subarray(0, Math.max(0, Math.min(bytes.length, content.size - offset))));
      inode.mtime = files.now();
      inode.ctime = inode.mtime;
    },
  };
}
