/**
 * An image as the guest's file system sees it: numbered inodes and directories with sorted names, read-only, and a port for file bytes.
 * Names and targets are byte strings (char codes 0..255); times are nanoseconds since 1970; inode 0 is the root directory.
 * Invariants: the answers of one tree never change; what a file holds does not depend on when it is read.
 * What this does NOT do: hold whiteouts (a layer does), know where the bytes come from.
 */

export interface ImageNode {
  /** st_mode: type and permissions. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Names that lead here; of a directory, as st_nlink counts. */
  readonly links: number;
  readonly mtime: bigint;
  /** Bytes of a file, length of a link's target, device number of a device (major * 2^20 + minor). */
  readonly size: number;
}

export interface ImageTree {
  /** Names the whole content; empty for a tree that was not hashed (such a run keeps no record). */
  readonly digest: string;
  /** Inodes. */
  readonly count: number;
  node(inode: number): ImageNode;
  target(symlink: number): string;
  /** Where a directory lies: the directory that holds it (the root holds itself) and its name there. */
  place(directory: number): { readonly parent: number; readonly name: string };
  entryCount(directory: number): number;
  entryName(directory: number, position: number): string;
  entryInode(directory: number, position: number): number;
  /** Position of a name, or -1. */
  findEntry(directory: number, name: string): number;
  /** The bytes [offset, offset + length), which lie within the file. Throws StillpointError when the host or the store is in trouble. */
  read(file: number, offset: number, length: number): Uint8Array;
}

export const KIND = { mask: 0o170000, fifo: 0o010000, character: 0o020000, directory: 0o040000, block: 0o060000, file: 0o100000, symlink: 0o120000 } as const;

/** Device numbers in `size`: minor in the low 20 bits, as statx's halves are printed. */
export const DEVICE_MINORS = 2 ** 20;
