/**
 * struct stat (riscv64: 128 bytes, asm-generic/stat.h) and struct statx (256 bytes, linux/stat.h).
 * The device number is fixed: 0:1 for the tree, 0:2 for /proc, 0:3 for what has no name (pipes, events).
 */
import { limits } from '../../core/index.ts';
import type { FileSystem } from './file-system.ts';
import { S_IF } from './flags.ts';
import { blocksOf, deviceNumber, DEVICES, directorySize, isAnonymous, type Inode } from './inode.ts';
import { QUEUE_FILE_BYTES } from './queues.ts';

const STAT_BYTES = 128;
const STATX_BYTES = 256;
/** STATX_BASIC_STATS | STATX_BTIME. */
const STATX_MASK = 0xfff;
const SECOND = 1_000_000_000n;
/** Terminals are 136:0 (a pseudo-terminal), as an ordinary user has them. */
const TERMINAL_DEVICE = 136 * 256;

/** Size as st_size shows it. */
export function sizeOf(files: FileSystem, inode: Inode): number {
  switch (inode.kind) {
    case 'file': return inode.content.size;
    case 'directory': return directorySize(inode);
    case 'symlink': return inode.target.length;
    case 'queue': return QUEUE_FILE_BYTES;
    case 'channel': return (inode.mode & S_IF.mask) === S_IF.file ? files.channelOf(inode).size : 0;
    case 'device':
    case 'fifo':
    case 'socket':
    case 'event':
    case 'epoll':
    case 'timer':
    case 'signal':
    case 'process':
    case 'watch':
    case 'terminal':
    case 'master':
    case 'virtual': return 0;
  }
}

/** The number of the file system that an inode is on. */
export function deviceOf(inode: Inode): number {
  if (inode.kind === 'virtual') return 2;
  return isAnonymous(inode) || ((inode.kind === 'fifo' || inode.kind === 'socket') && inode.nlink === 0) ? 3 : 1;
}

function specialDeviceOf(inode: Inode): number {
  if (inode.kind === 'device') return inode.number;
  if (inode.kind === 'terminal') return TERMINAL_DEVICE + inode.terminal.number;
  if (inode.kind === 'master') return deviceNumber(DEVICES.ptmx);
  return inode.kind === 'channel' && (inode.mode & S_IF.mask) === S_IF.character ? TERMINAL_DEVICE : 0;
}

function blocks(files: FileSystem, inode: Inode): number {
  return inode.kind === 'channel' ? Math.ceil(sizeOf(files, inode) / 512) : blocksOf(inode);
}

/** Number of links as stat() shows it. */
function linksOf(inode: Inode): number {
  return isAnonymous(inode) || inode.kind === 'master' || ((inode.kind === 'fifo' || inode.kind === 'socket') && inode.nlink === 0) ? 1 : inode.nlink;
}

export function encodeStat(files: FileSystem, inode: Inode): Uint8Array {
  const view = new DataView(new ArrayBuffer(STAT_BYTES));
  view.setUint32(0, deviceOf(inode), true);
  view.setBigUint64(8, BigInt(inode.ino), true);
  view.setUint32(16, inode.mode, true);
  view.setUint32(20, linksOf(inode), true);
  view.setUint32(24, inode.uid, true);
  view.setUint32(28, inode.gid, true);
  view.setUint32(32, specialDeviceOf(inode), true);
  view.setBigUint64(48, BigInt(sizeOf(files, inode)), true);
  view.setInt32(56, limits.PAGE_BYTES, true);
  view.setBigUint64(64, BigInt(blocks(files, inode)), true);
  [inode.atime, inode.mtime, inode.ctime].forEach((time, index) => {
    view.setBigInt64(72 + index * 16, floorSeconds(time), true);
    view.setBigInt64(80 + index * 16, time - floorSeconds(time) * SECOND, true);
  });
  return new Uint8Array(view.buffer);
}

export function encodeStatx(files: FileSystem, inode: Inode): Uint8Array {
  const view = new DataView(new ArrayBuffer(STATX_BYTES));
  view.setUint32(0, STATX_MASK, true);
  view.setUint32(4, limits.PAGE_BYTES, true);
  view.setUint32(16, linksOf(inode), true);
  view.setUint32(20, inode.uid, true);
  view.setUint32(24, inode.gid, true);
  view.setUint16(28, inode.mode, true);
  view.setBigUint64(32, BigInt(inode.ino), true);
  view.setBigUint64(40, BigInt(sizeOf(files, inode)), true);
  view.setBigUint64(48, BigInt(blocks(files, inode)), true);
  [inode.atime, inode.btime, inode.ctime, inode.mtime].forEach((time, index) => {
    view.setBigInt64(64 + index * 16, floorSeconds(time), true);
    view.setUint32(72 + index * 16, Number(time - floorSeconds(time) * SECOND), true);
  });
  const special = specialDeviceOf(inode);
  view.setUint32(128, special >>> 8, true);
  view.setUint32(132, special & 0xff, true);
  view.setUint32(140, deviceOf(inode), true);
  return new Uint8Array(view.buffer);
}

/** Times before 1970 have a negative second and a nanosecond from 0. */
function floorSeconds(time: bigint): bigint {
  return time >= 0n ? time / SECOND : -((-time + SECOND - 1n) / SECOND);
}
