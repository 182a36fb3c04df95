/**
 * Calls on an open descriptor: lseek, fcntl, ioctl, and the sync family (there is nothing to wait for: memory is the disk).
 */
import { limits } from '../../core/index.ts';
import type { Call, CallResult } from '../call.ts';
import { ERRNO } from '../errno.ts';
import { F, O, S_IF, SEEK } from '../files/flags.ts';
import { isAnonymous, type FileInode, type Inode } from '../files/inode.ts';
import type { Pipe } from '../files/pipe.ts';
import { defaultSettings, TERMIOS_BYTES } from '../files/terminal-settings.ts';
import { sizeOf } from '../files/stat.ts';
import { isSeekable, SEAL } from '../open-file-io.ts';
import type { Process } from '../process.ts';
import type { OpenFile } from '../open-file.ts';
import { openFileArgument, store, type FileCall } from './file-arguments.ts';
import { flock, getLock, LOCK_TYPE, setLock } from './file-locks.ts';
import { duplicateFrom } from './file-open.ts';
import { interfaceRequest } from './interface-requests.ts';
import { fileOwner, setAsynchronous, setFileOwner, setFileSignal, setOwnerArgument, socketBytes, socketRequest, storeOwner, tellsNews } from './file-owner.ts';
import { terminalControl, terminalInode } from './terminal.ts';

const FD_CLOEXEC = 1;
/** /proc/sys/fs/pipe-max-size, and what no pipe may have. */
const PIPE_BYTES_MAX = 1 << 20;
const PIPE_BYTES_LARGEST = 2 ** 31;
/** Status flags that F_SETFL may change. */
const SETTABLE = O.APPEND | O.NONBLOCK | O.NOATIME | O.DIRECT;
/** SYNC_FILE_RANGE_WAIT_BEFORE, _WRITE and _WAIT_AFTER. */
const SYNC_FLAGS = 7;
const IOCTL = {
  TCGETS: 0x5401, TCSETS: 0x5402, TCSETSW: 0x5403, TCSETSF: 0x5404, TIOCGPGRP: 0x540f, TIOCSPGRP: 0x5410, TIOCGWINSZ: 0x5413,
  TIOCSWINSZ: 0x5414, FIONREAD: 0x541b, FIONBIO: 0x5421, FIOASYNC: 0x5452, FIONCLEX: 0x5450, FIOCLEX: 0x5451,
  FIGETBSZ: 2, FICLONE: 0x4004_9409, FICLONERANGE: 0x4020_940d,
} as const;

function lseek(call: Call): CallResult {
  const openFile = openFileArgument(call, 0);
  if (typeof openFile === 'number') return openFile;
  const { inode } = openFile;
  const whence = call.unsigned(2);
  if (whence > SEEK.HOLE) return -ERRNO.EINVAL;
  if (inode.kind === 'process') return -ERRNO.ESPIPE;
  if (isAnonymous(inode)) return 0; // Accepted and meaningless, as on Linux.
  if (!isSeekable(call.kernel.files, inode)) return -ERRNO.ESPIPE;
  if (inode.kind === 'device') return inode.device === 'tty' ? -ERRNO.ESPIPE : (openFile.offset = 0);
  const target = seekTarget(call, openFile, whence);
  if (target < 0) return target;
  openFile.offset = target;
  return target;
}

function seekTarget(call: Call, { inode, offset }: OpenFile, whence: number): number {
  const distance = call.offset(1);
  const size = inode.kind === 'directory' ? Number.MAX_SAFE_INTEGER : sizeOf(call.kernel.files, inode);
  if (whence === SEEK.DATA || whence === SEEK.HOLE) return seekSparse(inode, { distance, size, whence });
  const target = whence === SEEK.SET ? distance : whence === SEEK.CUR ? offset + distance : size + distance;
  return target >= 0 && target <= Number.MAX_SAFE_INTEGER ? target : -ERRNO.EINVAL;
}

function seekSparse(inode: Inode, how: { readonly distance: number; readonly size: number; readonly whence: number }): number {
  if (how.distance < 0 || how.distance >= how.size) return -ERRNO.ENXIO;
  if (inode.kind !== 'file') return how.whence === SEEK.DATA ? how.distance : how.size;
  return (how.whence === SEEK.DATA ? inode.content.seekData(how.distance) : inode.content.seekHole(how.distance)) ?? -ERRNO.ENXIO;
}

function setStatusFlags(call: Call, openFile: OpenFile, flags: number): number {
  openFile.flags = (openFile.flags & ~SETTABLE) | (flags & SETTABLE);
  const isOn = (flags & O.ASYNC) !== 0;
  if (isOn !== openFile.isAsynchronous) setAsynchronous(call, openFile, { number: call.int(0), isOn });
  return 0;
}

function fcntl(call: Call): CallResult {
  const command = call.unsigned(1);
  const allowsPath = command === F.DUPFD || command === F.DUPFD_CLOEXEC || command === F.GETFD || command === F.SETFD || command === F.GETFL;
  const openFile = openFileArgument(call, 0, { allowsPath });
  if (typeof openFile === 'number') return openFile;
  const { descriptors } = call.process.files;
  switch (command) {
    case F.DUPFD:
    case F.DUPFD_CLOEXEC: return duplicateFrom(call, openFile, { least: call.int(2), closesOnExec: command === F.DUPFD_CLOEXEC });
    case F.GETFD: return descriptors.closesOnExec(call.int(0)) ? FD_CLOEXEC : 0;
    case F.SETFD: descriptors.setClosesOnExec(call.int(0), (call.unsigned(2) & FD_CLOEXEC) !== 0); return 0;
    case F.GETFL: return openFile.toldFlags;
    case F.SETFL: return setStatusFlags(call, openFile, call.unsigned(2));
    case F.GETLK:
    case F.OFD_GETLK: return getLock(call, openFile, command === F.OFD_GETLK);
    case F.SETLK:
    case F.OFD_SETLK: return setLock(call, openFile, { isOfd: command === F.OFD_SETLK, waits: false });
    case F.SETLKW:
    case F.OFD_SETLKW: return setLock(call, openFile, { isOfd: command === F.OFD_SETLKW, waits: true });
    case F.SETOWN: return setFileOwner(call, openFile, call.int(2));
    case F.SETOWN_EX: return setOwnerArgument(call, openFile);
    case F.GETOWN_EX: return storeOwner(call, openFile);
    case F.SETSIG: return setFileSignal(openFile, call.unsigned(2));
    case F.GETLEASE: return openFile.inode.kind === 'file' ? LOCK_TYPE.UNLOCK : -ERRNO.EINVAL;
    case F.SETLEASE: return openFile.inode.kind === 'file' && call.unsigned(2) === LOCK_TYPE.UNLOCK ? -ERRNO.EAGAIN : -ERRNO.EINVAL; // There are none, as on many file systems.
    case F.GETOWN: return fileOwner(openFile);
    case F.GETSIG: return openFile.owner?.signal ?? 0;
    case F.SETPIPE_SZ: return openFile.inode.kind === 'fifo' ? resizePipe(call, openFile.inode.pipe, call.unsigned(2)) : -ERRNO.EBADF;
    case F.GETPIPE_SZ: return openFile.inode.kind === 'fifo' ? openFile.inode.pipe.capacityBytes : -ERRNO.EBADF;
    case F.ADD_SEALS: return addSeals(call, openFile, call.unsigned(2));
    case F.GET_SEALS: return openFile.inode.kind === 'file' && openFile.inode.seals !== undefined ? openFile.inode.seals : -ERRNO.EINVAL;
    default: return -ERRNO.EINVAL;
  }
}

/** Whole pages, a power of two of them; more than usual is for a privileged user, less than what it holds for nobody. */
function resizePipe(call: Call, pipe: Pipe, wanted: number): number {
  if (wanted > PIPE_BYTES_LARGEST) return -ERRNO.EINVAL;
  let size: number = limits.PAGE_BYTES;
  while (size < wanted) size *= 2;
  if (size > pipe.capacityBytes && size > PIPE_BYTES_MAX && call.process.files.credentials.uid !== 0) return -ERRNO.EPERM;
  if (pipe.length > size) return -ERRNO.EBUSY;
  pipe.capacityBytes = size;
  pipe.changed();
  return size;
}

/** A file that somebody may write through a shared mapping is not sealed against writes. */
function addSeals(call: Call, openFile: OpenFile, seals: number): number {
  if (!openFile.canWrite) return -ERRNO.EPERM;
  if ((seals & ~0x1f) !== 0 || openFile.inode.kind !== 'file' || openFile.inode.seals === undefined) return -ERRNO.EINVAL;
  const inode: FileInode = openFile.inode;
  if ((openFile.inode.seals & SEAL.SEAL) !== 0) return -ERRNO.EPERM;
  const isMapped = (process: Process): boolean => !process.isOver && process.image.space.map.mappings.some(({ isShared, backing }) => isShared && backing?.key === inode.ino && backing.isWritable);
  if ((seals & ~openFile.inode.seals & SEAL.WRITE) !== 0 && call.kernel.processes.some(isMapped)) return -ERRNO.EBUSY;
  inode.seals = openFile.inode.seals | seals;
  return 0;
}

function ioctl(call: Call): CallResult {
  const openFile = openFileArgument(call, 0);
  if (typeof openFile === 'number') return openFile;
  const request = call.unsigned(1);
  const pseudo = terminalInode(call, openFile);
  switch (request) {
    case IOCTL.FIOCLEX: call.process.files.descriptors.setClosesOnExec(call.int(0), true); return 0;
    case IOCTL.FIONCLEX: call.process.files.descriptors.setClosesOnExec(call.int(0), false); return 0;
    case IOCTL.FIONBIO: {
      const value = call.memory.readU32(call.size(2));
      if (value === undefined) return -ERRNO.EFAULT;
      openFile.flags = value === 0 ? openFile.flags & ~O.NONBLOCK : openFile.flags | O.NONBLOCK;
      return 0;
    }
    case IOCTL.FIOASYNC: {
      const value = call.memory.readU32(call.size(2));
      if (value === undefined) return -ERRNO.EFAULT;
      if (value !== 0 && !tellsNews(openFile)) return -ERRNO.ENOTTY;
      setAsynchronous(call, openFile, { number: call.int(0), isOn: value !== 0 });
      return 0;
    }
    case IOCTL.FIONREAD: return pseudo === undefined ? bytesToRead(call, openFile) : terminalControl(call, openFile, pseudo);
    case IOCTL.FIGETBSZ: return call.memory.writeU32(call.size(2), limits.PAGE_BYTES) ? 0 : -ERRNO.EFAULT;
    case IOCTL.FICLONE:
    case IOCTL.FICLONERANGE: return openFile.inode.kind === 'file' ? -ERRNO.EOPNOTSUPP : -ERRNO.ENOTTY;
    default:
      if (pseudo !== undefined) return terminalControl(call, openFile, pseudo);
      if (openFile.inode.kind === 'socket') return socketRequest(call, openFile, openFile.inode.socket) ?? interfaceRequest(call, openFile.inode.socket) ?? -ERRNO.ENOTTY;
      return openFile.inode.kind === 'channel' && (openFile.inode.mode & S_IF.mask) === S_IF.character ? terminal(call, request) : -ERRNO.ENOTTY;
  }
}

function bytesToRead(call: Call, { inode, offset }: OpenFile): CallResult {
  let count: number;
  if (inode.kind === 'file') count = Math.max(0, inode.content.size - offset);
  else if (inode.kind === 'fifo') count = inode.pipe.length;
  else if (inode.kind === 'watch') count = inode.watches.bytes;
  else if (inode.kind === 'socket') count = socketBytes(inode.socket);
  else if (inode.kind === 'channel' && isSeekable(call.kernel.files, inode)) count = Math.max(0, sizeOf(call.kernel.files, inode) - offset);
  else return -ERRNO.ENOTTY;
  return call.memory.writeU32(call.size(2), Math.min(count, 0x7fff_ffff)) ? 0 : -ERRNO.EFAULT;
}

/** A terminal of 80 by 24 in canonical mode; changes are accepted and have no effect. */
function terminal(call: Call, request: number): CallResult {
  switch (request) {
    case IOCTL.TCGETS: return store(call, call.size(2), defaultSettings().subarray(0, TERMIOS_BYTES));
    case IOCTL.TCSETS:
    case IOCTL.TCSETSW:
    case IOCTL.TCSETSF: return call.memory.readable(call.size(2), TERMIOS_BYTES) === undefined ? -ERRNO.EFAULT : 0;
    case IOCTL.TIOCGWINSZ: return store(call, call.size(2), Uint8Array.of(24, 0, 80, 0, 0, 0, 0, 0));
    case IOCTL.TIOCSWINSZ:
    case IOCTL.TIOCSPGRP: return 0;
    case IOCTL.TIOCGPGRP: return call.memory.writeU32(call.size(2), call.process.group) ? 0 : -ERRNO.EFAULT;
    default: return -ERRNO.ENOTTY;
  }
}

function sync(call: Call): CallResult {
  const openFile = openFileArgument(call, 0);
  if (typeof openFile === 'number') return openFile;
  const { kind } = openFile.inode;
  return kind === 'file' || kind === 'directory' || (kind === 'channel' && isSeekable(call.kernel.files, openFile.inode)) ? 0 : -ERRNO.EINVAL;
}

/** fadvise64: nothing to do, but the arguments are checked. */
function advise(call: Call): CallResult {
  const openFile = openFileArgument(call, 0);
  if (typeof openFile === 'number') return openFile;
  if (openFile.inode.kind === 'fifo') return -ERRNO.ESPIPE;
  return call.unsigned(3) <= 5 && call.offset(2) >= 0 ? 0 : -ERRNO.EINVAL;
}

/** sync_file_range: nothing to do either. */
function syncRange(call: Call): CallResult {
  const openFile = openFileArgument(call, 0);
  if (typeof openFile === 'number') return openFile;
  if (call.unsigned(3) > SYNC_FLAGS || call.offset(1) < 0 || call.offset(2) < 0) return -ERRNO.EINVAL;
  return isSeekable(call.kernel.files, openFile.inode) && !isAnonymous(openFile.inode) ? 0 : -ERRNO.ESPIPE;
}

function present(call: Call): CallResult {
  const openFile = openFileArgument(call, 0);
  return typeof openFile === 'number' ? openFile : 0;
}

export const descriptorCalls: readonly FileCall[] = [
  { number: 25, name: 'fcntl', handle: fcntl },
  { number: 29, name: 'ioctl', handle: ioctl },
  { number: 32, name: 'flock', handle: flock },
  { number: 62, name: 'lseek', handle: lseek },
  { number: 81, name: 'sync', handle: () => 0 },
  { number: 82, name: 'fsync', handle: sync },
  { number: 83, name: 'fdatasync', handle: sync },
  { number: 84, name: 'sync_file_range', handle: syncRange },
  { number: 213, name: 'readahead', handle: present },
  { number: 223, name: 'fadvise64', handle: advise },
  { number: 267, name: 'syncfs', handle: present },
];

