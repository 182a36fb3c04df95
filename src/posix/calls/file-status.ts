/**
 * Calls on what an inode is: stat family, statfs, access, chmod, chown, times, truncate and fallocate.
 */
import { limits } from '../../core/index.ts';
import { BLOCKED, type Call, type CallResult } from '../call.ts';
import { ERRNO } from '../errno.ts';
import { isRun } from '../executable.ts';
import { AT, RIGHT, S_IF, S_ISGID } from '../files/flags.ts';
import type { FileInode } from '../files/inode.ts';
import { realCredentials } from '../files/identity.ts';
import { dropPrivileges, truncateFile } from '../files/open.ts';
import { isMember, owns, permits } from '../files/permission.ts';
import { encodeStat, encodeStatx } from '../files/stat.ts';
import { encodeStatfs } from '../files/statfs.ts';
import { tellFile } from '../files/tell.ts';
import { IN } from '../files/watches.ts';
import { checkSeals, SEAL } from '../open-file-io.ts';
import { fileSizeLimit } from '../resource-limits.ts';
import { inodeArgument, openFileArgument, pathArgument, store, targetArgument, targetOf, walkPath, type FileCall, type Target } from './file-arguments.ts';
import { tooLong } from './file-transfer.ts';

const STATX_RESERVED = 0x8000_0000;
const UTIME_NOW = 0x3fff_ffffn;
const UTIME_OMIT = 0x3fff_fffen;
const SECOND = 1_000_000_000n;
const FALLOC = { KEEP_SIZE: 1, PUNCH_HOLE: 2, COLLAPSE: 8, ZERO: 0x10, INSERT: 0x20, UNSHARE: 0x40 } as const;
const UNCHANGED = 0xffff_ffff;

function fstat(call: Call): CallResult {
  const openFile = openFileArgument(call, 0, { allowsPath: true });
  return typeof openFile === 'number' ? openFile : store(call, call.size(1), encodeStat(call.kernel.files, openFile.inode));
}

function newfstatat(call: Call): CallResult {
  const flags = call.unsigned(3);
  if ((flags & ~(AT.SYMLINK_NOFOLLOW | AT.NO_AUTOMOUNT | AT.EMPTY_PATH)) !== 0) return -ERRNO.EINVAL;
  const inode = inodeArgument(call, 0, flags);
  return typeof inode === 'number' ? inode : store(call, call.size(2), encodeStat(call.kernel.files, inode));
}

function statx(call: Call): CallResult {
  const flags = call.unsigned(2);
  if ((call.unsigned(3) & STATX_RESERVED) !== 0 || (flags & AT.STATX_SYNC) === AT.STATX_SYNC) return -ERRNO.EINVAL;
  if ((flags & ~(AT.SYMLINK_NOFOLLOW | AT.NO_AUTOMOUNT | AT.EMPTY_PATH | AT.STATX_SYNC)) !== 0) return -ERRNO.EINVAL;
  const inode = inodeArgument(call, 0, flags);
  return typeof inode === 'number' ? inode : store(call, call.size(4), encodeStatx(call.kernel.files, inode));
}

function pathTarget(call: Call, index: number): Target | number {
  const path = pathArgument(call, index);
  if (typeof path === 'number') return path;
  const found = walkPath(call, { dirfd: AT.FDCWD, path }, 'follow');
  return typeof found === 'number' ? found : targetOf(call, found);
}

function statfs(call: Call): CallResult {
  const target = pathTarget(call, 0);
  return typeof target === 'number' ? target : store(call, call.size(1), encodeStatfs(call.kernel.files, target.inode));
}

function fstatfs(call: Call): CallResult {
  const openFile = openFileArgument(call, 0, { allowsPath: true });
  return typeof openFile === 'number' ? openFile : store(call, call.size(1), encodeStatfs(call.kernel.files, openFile.inode));
}

function access(call: Call, flags: number): CallResult {
  const mode = call.unsigned(2);
  if ((mode & ~7) !== 0 || (flags & ~(AT.EACCESS | AT.SYMLINK_NOFOLLOW | AT.EMPTY_PATH)) !== 0) return -ERRNO.EINVAL;
  const inode = inodeArgument(call, 0, flags);
  if (typeof inode === 'number') return inode;
  const { credentials, identity } = call.process.files;
  return permits(inode, (flags & AT.EACCESS) !== 0 ? credentials : realCredentials(identity), mode) ? 0 : -ERRNO.EACCES;
}

function changeMode(call: Call, target: Target, mode: number): CallResult {
  const { inode } = target;
  const { credentials } = call.process.files;
  if (!owns(inode, credentials)) return -ERRNO.EPERM;
  if (inode.kind === 'virtual') return -ERRNO.EPERM;
  if ((inode.mode & S_IF.mask) === S_IF.symlink) return -ERRNO.EOPNOTSUPP;
  let bits = mode & 0o7777;
  if (credentials.uid !== 0 && !isMember(credentials, inode.gid)) bits &= ~S_ISGID;
  inode.mode = (inode.mode & S_IF.mask) | bits;
  inode.ctime = call.kernel.files.now();
  tellFile(call.kernel.files, IN.ATTRIB, target);
  return 0;
}

function fchmod(call: Call): CallResult {
  const openFile = openFileArgument(call, 0);
  return typeof openFile === 'number' ? openFile : changeMode(call, openFile, call.unsigned(1));
}

function fchmodat(call: Call, flags: number): CallResult {
  if ((flags & ~(AT.SYMLINK_NOFOLLOW | AT.EMPTY_PATH)) !== 0) return -ERRNO.EINVAL;
  const target = targetArgument(call, 0, flags);
  return typeof target === 'number' ? target : changeMode(call, target, call.unsigned(2));
}

function changeOwner(call: Call, target: Target, ids: { readonly uid: number; readonly gid: number }): CallResult {
  const { inode } = target;
  const { credentials } = call.process.files;
  const isRoot = credentials.uid === 0;
  if (ids.uid !== UNCHANGED && !isRoot && (inode.uid !== credentials.uid || ids.uid !== inode.uid)) return -ERRNO.EPERM;
  if (ids.gid !== UNCHANGED && !isRoot && (inode.uid !== credentials.uid || (!isMember(credentials, ids.gid) && ids.gid !== inode.gid))) return -ERRNO.EPERM;
  if (inode.kind === 'virtual') return -ERRNO.EPERM;
  if (ids.uid !== UNCHANGED) inode.uid = ids.uid;
  if (ids.gid !== UNCHANGED) inode.gid = ids.gid;
  if (inode.kind !== 'directory') inode.mode &= ~((inode.mode & 0o010) !== 0 ? 0o6000 : 0o4000);
  inode.ctime = call.kernel.files.now();
  if (ids.uid !== UNCHANGED || ids.gid !== UNCHANGED) tellFile(call.kernel.files, IN.ATTRIB, target);
  return 0;
}

function fchownat(call: Call): CallResult {
  const flags = call.unsigned(4);
  if ((flags & ~(AT.SYMLINK_NOFOLLOW | AT.EMPTY_PATH)) !== 0) return -ERRNO.EINVAL;
  const target = targetArgument(call, 0, flags);
  return typeof target === 'number' ? target : changeOwner(call, target, { uid: call.unsigned(2), gid: call.unsigned(3) });
}

function fchown(call: Call): CallResult {
  const openFile = openFileArgument(call, 0);
  return typeof openFile === 'number' ? openFile : changeOwner(call, openFile, { uid: call.unsigned(1), gid: call.unsigned(2) });
}

/** A time of utimensat: nanoseconds, 'now', 'omit', or an error. */
function timeAt(call: Call, address: number): bigint | 'now' | 'omit' | number {
  const seconds = call.memory.readU64(address);
  const nanoseconds = call.memory.readU64(address + 8);
  if (seconds === undefined || nanoseconds === undefined) return -ERRNO.EFAULT;
  if (nanoseconds === UTIME_NOW) return 'now';
  if (nanoseconds === UTIME_OMIT) return 'omit';
  return nanoseconds >= SECOND ? -ERRNO.EINVAL : BigInt.asIntN(64, seconds) * SECOND + nanoseconds;
}

function utimensat(call: Call): CallResult {
  const address = call.size(2);
  const flags = call.unsigned(3);
  if ((flags & ~(AT.SYMLINK_NOFOLLOW | AT.EMPTY_PATH)) !== 0) return -ERRNO.EINVAL;
  const times = address === 0 ? ['now', 'now'] as const : [timeAt(call, address), timeAt(call, address + 16)] as const;
  for (const time of times) if (typeof time === 'number') return time;
  if (times[0] === 'omit' && times[1] === 'omit') return 0;
  const target = call.size(1) === 0 ? openTarget(call) : targetArgument(call, 0, flags);
  if (typeof target === 'number') return target;
  const { inode } = target;
  const { credentials } = call.process.files;
  if (!owns(inode, credentials)) {
    if (times[0] !== 'now' || times[1] !== 'now') return -ERRNO.EPERM;
    if (!permits(inode, credentials, RIGHT.write)) return -ERRNO.EACCES;
  }
  const now = call.kernel.files.now();
  const [atime, mtime] = times.map((time) => (time === 'now' ? now : time)); // Errors returned above.
  if (typeof atime === 'bigint') inode.atime = atime;
  if (typeof mtime === 'bigint') inode.mtime = mtime;
  inode.ctime = now;
  tellFile(call.kernel.files, times[0] === 'omit' ? IN.MODIFY : times[1] === 'omit' ? IN.ACCESS : IN.ATTRIB, target);
  return 0;
}

function openTarget(call: Call): Target | number {
  if (call.int(0) === AT.FDCWD) return -ERRNO.EFAULT;
  if (call.unsigned(3) !== 0) return -ERRNO.EINVAL;
  return openFileArgument(call, 0);
}

/** A file may be longer than the limit already, and shrink; it does not grow beyond. */
function isBeyondLimit(call: Call, inode: FileInode, size: number): boolean {
  return size > inode.content.size && size > (fileSizeLimit(call.process) ?? size);
}

function resize(call: Call, target: Target, size: number): CallResult {
  const { inode } = target;
  if (inode.kind === 'channel') {
    const channel = call.kernel.files.channelOf(inode);
    if (channel.spec.access !== 'random' || !channel.spec.writes) return -ERRNO.EINVAL;
    if (size > Math.max(limits.FILE_BYTES_MAX, channel.size)) return -ERRNO.EFBIG;
    return channel.truncate(size) === 'blocked' ? BLOCKED : 0;
  }
  if (inode.kind !== 'file') return inode.kind === 'directory' ? -ERRNO.EISDIR : -ERRNO.EINVAL;
  if (size > limits.GUEST_FILE_BYTES_MAX || isBeyondLimit(call, inode, size)) return tooLong(call);
  const seals = inode.seals ?? 0;
  if ((seals & SEAL.WRITE) !== 0 || ((seals & SEAL.SHRINK) !== 0 && size < inode.content.size) || ((seals & SEAL.GROW) !== 0 && size > inode.content.size)) return -ERRNO.EPERM;
  truncateFile(call.process.files, inode, size);
  tellFile(call.kernel.files, IN.MODIFY, target);
  return 0;
}

function truncate(call: Call): CallResult {
  const size = call.offset(1);
  if (size < 0) return -ERRNO.EINVAL;
  const target = pathTarget(call, 0);
  if (typeof target === 'number') return target;
  const { inode } = target;
  if (inode.kind === 'directory') return -ERRNO.EISDIR;
  if ((inode.mode & S_IF.mask) !== S_IF.file) return -ERRNO.EINVAL;
  if (!permits(inode, call.process.files.credentials, RIGHT.write)) return -ERRNO.EACCES;
  return inode.kind === 'file' && isRun(call.kernel, inode) ? -ERRNO.ETXTBSY : resize(call, target, size);
}

function ftruncate(call: Call): CallResult {
  const size = call.offset(1);
  if (size < 0) return -ERRNO.EINVAL;
  const openFile = openFileArgument(call, 0);
  if (typeof openFile === 'number') return openFile;
  return openFile.canWrite && openFile.inode.kind !== 'directory' ? resize(call, openFile, size) : -ERRNO.EINVAL;
}

function fallocate(call: Call): CallResult {
  const [mode, offset, length] = [call.unsigned(1), call.offset(2), call.offset(3)];
  const openFile = openFileArgument(call, 0);
  if (typeof openFile === 'number') return openFile;
  if (offset < 0 || length <= 0) return -ERRNO.EINVAL;
  if ((mode & ~(FALLOC.KEEP_SIZE | FALLOC.PUNCH_HOLE)) !== 0 || mode === FALLOC.PUNCH_HOLE) return -ERRNO.EOPNOTSUPP;
  if (!openFile.canWrite) return -ERRNO.EBADF;
  const { inode } = openFile;
  if (inode.kind === 'fifo') return -ERRNO.ESPIPE;
  if (inode.kind === 'directory') return -ERRNO.EISDIR;
  if (inode.kind !== 'file') return inode.kind === 'channel' ? -ERRNO.EOPNOTSUPP : -ERRNO.ENODEV;
  if (offset + length > limits.GUEST_FILE_BYTES_MAX || ((mode & FALLOC.KEEP_SIZE) === 0 && isBeyondLimit(call, inode, offset + length))) return tooLong(call);
  const isSealed = (mode & FALLOC.PUNCH_HOLE) !== 0 ? checkSeals(inode, 0) !== 0 : ((inode.seals ?? 0) & SEAL.GROW) !== 0 && offset + length > inode.content.size;
  if (isSealed) return -ERRNO.EPERM;
  const answer = allocate(call, inode, { offset, length, mode });
  if (answer === 0) tellFile(call.kernel.files, IN.MODIFY, openFile);
  return answer;
}

function allocate(call: Call, inode: FileInode, range: { readonly offset: number; readonly length: number; readonly mode: number }): CallResult {
  const end = range.offset + range.length;
  if ((range.mode & FALLOC.PUNCH_HOLE) !== 0) {
    if (!inode.content.punch(range.offset, Math.min(range.length, Math.max(0, inode.content.size - range.offset)))) return -ERRNO.ENOSPC;
  } else {
    if (!inode.content.allocate(range.offset, range.length)) return -ERRNO.ENOSPC;
    if ((range.mode & FALLOC.KEEP_SIZE) === 0 && end > inode.content.size) inode.content.extend(end);
  }
  inode.mtime = inode.ctime = call.kernel.files.now();
  dropPrivileges(inode, call.process.files.credentials);
  return 0;
}

export const statusCalls: readonly FileCall[] = [
  { number: 43, name: 'statfs', handle: statfs },
  { number: 44, name: 'fstatfs', handle: fstatfs },
  { number: 45, name: 'truncate', handle: truncate },
  { number: 46, name: 'ftruncate', handle: ftruncate },
  { number: 47, name: 'fallocate', handle: fallocate },
  { number: 48, name: 'faccessat', handle: (call) => access(call, 0) },
  { number: 52, name: 'fchmod', handle: fchmod },
  { number: 53, name: 'fchmodat', handle: (call) => fchmodat(call, 0) },
  { number: 54, name: 'fchownat', handle: fchownat },
  { number: 55, name: 'fchown', handle: fchown },
  { number: 79, name: 'newfstatat', handle: newfstatat },
  { number: 80, name: 'fstat', handle: fstat },
  { number: 88, name: 'utimensat', handle: utimensat },
  { number: 291, name: 'statx', handle: statx },
  { number: 439, name: 'faccessat2', handle: (call) => access(call, call.unsigned(3)) },
  { number: 452, name: 'fchmodat2', handle: (call) => fchmodat(call, call.unsigned(3)) },
];
