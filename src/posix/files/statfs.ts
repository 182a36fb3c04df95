/**
 * struct statfs (riscv64: 120 bytes, Linux asm-generic/statfs.h) and the texts of /proc that name file systems.
 * The guest's tree is a tmpfs of fixed size with /proc mounted; that is all there is.
 */
import { limits } from '../../core/index.ts';
import type { FileSystem } from './file-system.ts';
import { isAnonymous, type Inode } from './inode.ts';

const TMPFS_MAGIC = 0x01021994;
const PROC_MAGIC = 0x9fa0;
const PIPEFS_MAGIC = 0x50495045;
const ANON_INODE_MAGIC = 0x09041934;
const STATFS_BYTES = 120;
/** ST_VALID | ST_NOSUID | ST_NODEV | ST_RELATIME: what a container's tmpfs answers. */
const FLAGS = 0x20 | 2 | 4 | 0x1000;

export const FILESYSTEMS_TEXT = 'nodev\ttmpfs\nnodev\tproc\n';

export function mountsText(): string {
  return 'tmpfs / tmpfs rw,nosuid,nodev,relatime 0 0\nproc /proc proc rw,nosuid,nodev,noexec,relatime 0 0\n';
}

export function mountInfoText(): string {
  return '1 0 0:1 / / rw,nosuid,nodev,relatime - tmpfs tmpfs rw\n2 1 0:2 / /proc rw,nosuid,nodev,noexec,relatime - proc proc rw\n';
}

export function encodeStatfs(files: FileSystem, inode: Inode): Uint8Array {
  const isOurs = inode.kind !== 'virtual' && (inode.nlink > 0 || inode.kind === 'file' || inode.kind === 'directory');
  const magic = inode.kind === 'virtual' ? PROC_MAGIC : isAnonymous(inode) ? ANON_INODE_MAGIC : isOurs ? TMPFS_MAGIC : PIPEFS_MAGIC;
  const view = new DataView(new ArrayBuffer(STATFS_BYTES));
  const put = (offset: number, value: number) => view.setBigUint64(offset, BigInt(value), true);
  put(0, magic);
  put(8, limits.PAGE_BYTES);
  if (isOurs) {
    put(16, files.pagesMax);
    put(24, files.pagesFree);
    put(32, files.pagesFree);
    put(40, limits.INODES_MAX);
    put(48, limits.INODES_MAX - files.inodeCount);
  }
  put(64, limits.NAME_BYTES_MAX);
  put(72, limits.PAGE_BYTES);
  put(80, FLAGS);
  return new Uint8Array(view.buffer);
}
