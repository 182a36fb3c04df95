/**
 * Inodes: what a name refers to. Names, targets and paths are byte strings (char codes 0..255); times are nanoseconds since 1970.
 * Invariants: an inode is in the table while it has links or references; `references` (open files, working directories, removed
 * children) is derived and never stored. Virtual inodes (/proc) are made on the fly from their path and are in no table.
 * What this does NOT do: keep order between inodes (FileSystem does).
 */
import { limits, type Canonical, type Undo } from '../../core/index.ts';
import type { FileContent } from './content.ts';
import type { DirectoryEntries } from './directory-entries.ts';
import { S_IF } from './flags.ts';
import type { Pipe } from './pipe.ts';
import type { PriorityQueue } from './priority-queue.ts';
import type { Socket } from './socket.ts';
import type { Terminal } from './terminal.ts';
import type { Watches } from './watches.ts';

/** The fields that every kind shares, and the way back to them. */
export interface Kept { readonly mode: number; readonly uid: number; readonly gid: number; readonly nlink: number; readonly atime: bigint; readonly mtime: bigint; readonly ctime: bigint; readonly references: number; readonly undo: Undo;
  /** Of a directory. */
  place?: { readonly entries: Undo; readonly parent: DirectoryInode; readonly name: string; readonly nextCookie: number; readonly undo: Undo } }

interface InodeCommon {
  readonly ino: number;
  /** Type and permission bits, as st_mode. */
  mode: number;
  uid: number;
  gid: number;
  nlink: number;
  atime: bigint;
  mtime: bigint;
  ctime: bigint;
  readonly btime: bigint;
  references: number;
  /** What mark() found last time, while it is the same (mark-inode.ts). No state. */
  kept?: Kept;
}

export interface DirectoryInode extends InodeCommon {
  readonly kind: 'directory';
  readonly entries: DirectoryEntries;
  /** Where `..` leads; the root is its own parent. */
  parent: DirectoryInode;
  name: string;
  nextCookie: number;
}
export interface FileInode extends InodeCommon { readonly kind: 'file'; readonly content: FileContent; seals: number | undefined; isLinkable: boolean }
export interface SymlinkInode extends InodeCommon { readonly kind: 'symlink'; readonly target: string }
/** A device that the machine does not have ('absent', from an image) cannot be opened; `number` is its st_rdev. */
export interface DeviceInode extends InodeCommon { readonly kind: 'device'; readonly device: DeviceName | 'absent'; readonly number: number }
export interface FifoInode extends InodeCommon { readonly kind: 'fifo'; readonly pipe: Pipe }
export interface ChannelInode extends InodeCommon { readonly kind: 'channel'; readonly channel: string }
export interface SocketInode extends InodeCommon { readonly kind: 'socket'; readonly socket: Socket }
export interface EventInode extends InodeCommon { readonly kind: 'event'; counter: bigint; readonly isSemaphore: boolean; changes: number }
export interface EpollInode extends InodeCommon { readonly kind: 'epoll'; readonly interests: Map<number, EpollInterest> }
/** timerfd: `ticks` are expirations that nobody has read; the deadline is on the hidden time line. */
export interface TimerInode extends InodeCommon { readonly kind: 'timer'; readonly clock: number; deadline: bigint | undefined; interval: bigint; ticks: bigint; changes: number }
/** signalfd. */
export interface SignalInode extends InodeCommon { readonly kind: 'signal'; mask: bigint }
/** pidfd. */
export interface ProcessInode extends InodeCommon { readonly kind: 'process'; readonly pid: number }
/** inotify. */
export interface WatchInode extends InodeCommon { readonly kind: 'watch'; readonly watches: Watches }
/** The slave side of a pseudo-terminal, named /dev/pts/N, and the master side, which holds it; `slave` is its inode number. */
export interface TerminalInode extends InodeCommon { readonly kind: 'terminal'; readonly terminal: Terminal }
export interface MasterInode extends InodeCommon { readonly kind: 'master'; readonly slave: number }
/** A POSIX message queue, named /dev/mqueue/NAME. */
export interface QueueInode extends InodeCommon { readonly kind: 'queue'; readonly queue: PriorityQueue }
/** A file, directory or link of /proc; `path` is its absolute path and its identity. */
export interface VirtualInode extends InodeCommon { readonly kind: 'virtual'; readonly path: string }

/** One registration; keyed by descriptor number. `armed` is false after a one-shot event was told; `told` is the change count last told, -1 for none. */
export interface EpollInterest { readonly openFile: number; readonly events: number; readonly data: bigint; armed: boolean; readonly told: number }

export type Inode = DirectoryInode | FileInode | SymlinkInode | DeviceInode | FifoInode | SocketInode | ChannelInode | EventInode | EpollInode | TimerInode | SignalInode | ProcessInode
  | WatchInode | TerminalInode | MasterInode | QueueInode | VirtualInode;

/** Inodes of descriptors that never have a name (anon_inode of Linux). */
export type AnonymousInode = EventInode | EpollInode | TimerInode | SignalInode | ProcessInode | WatchInode;

export function isAnonymous(inode: Inode): inode is AnonymousInode {
  return inode.kind === 'event' || inode.kind === 'epoll' || inode.kind === 'timer' || inode.kind === 'signal' || inode.kind === 'process' || inode.kind === 'watch';
}

export type DeviceName = 'null' | 'zero' | 'full' | 'random' | 'urandom' | 'tty' | 'ptmx';

/** Major and minor numbers as Linux assigns them. */
export const DEVICES: { readonly [name in DeviceName]: { readonly major: number; readonly minor: number } } = {
  null: { major: 1, minor: 3 }, zero: { major: 1, minor: 5 }, full: { major: 1, minor: 7 },
  random: { major: 1, minor: 8 }, urandom: { major: 1, minor: 9 }, tty: { major: 5, minor: 0 }, ptmx: { major: 5, minor: 2 },
};

/** The device that a number of Linux names, or 'absent'. */
export function deviceOf({ major, minor }: { readonly major: number; readonly minor: number }): DeviceName | 'absent' {
  const found = Object.entries(DEVICES).find(([, device]) => device.major === major && device.minor === minor);
  return found !== undefined && isDeviceName(found[0]) ? found[0] : 'absent';
}

/** st_rdev of a device number pair, as glibc's makedev. */
export function deviceNumber({ major, minor }: { readonly major: number; readonly minor: number }): number {
  return (((major & 0xfff) << 8) | (minor & 0xff) | ((minor & 0xfff00) << 12)) >>> 0;
}

export function isDeviceName(name: string): name is DeviceName {
  return Object.hasOwn(DEVICES, name);
}

/** What a directory reports as its size: like a tmpfs, twenty bytes an entry. */
export function directorySize(inode: DirectoryInode): number {
  return (inode.entries.size + 2) * 20;
}

export function isDirectory(inode: Inode): boolean {
  return (inode.mode & S_IF.mask) === S_IF.directory;
}

/** 512-byte blocks as st_blocks counts them. */
export function blocksOf(inode: Inode): number {
  return inode.kind === 'file' ? inode.content.pagesAllocated * (limits.PAGE_BYTES / 512) : 0;
}

/** The metadata that every kind shares, in a fixed order. */
export function commonState(inode: Inode): Canonical[] {
  return [inode.ino, inode.mode, inode.uid, inode.gid, inode.nlink, inode.atime, inode.mtime, inode.ctime, inode.btime];
}
