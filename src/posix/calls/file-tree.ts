/**
 * Calls that change or read the tree by name: mkdirat, mknodat, unlinkat, symlinkat, linkat, renameat2, readlinkat, and the working
 * directory: getcwd, chdir, fchdir, chroot, getdents64, umask; mounts, which are refused.
 */
import { limits } from '../../core/index.ts';
import type { Call, CallResult } from '../call.ts';
import { ERRNO } from '../errno.ts';
import { encodeDirents } from '../files/dirents.ts';
import { AT, RIGHT } from '../files/flags.ts';
import { isDirectory, type DirectoryInode, type Inode, type VirtualInode } from '../files/inode.ts';
import { permits } from '../files/permission.ts';
import { areRenameFlags, rename } from '../files/rename.ts';
import { tellFile } from '../files/tell.ts';
import { makeDirectory, makeLink, makeNode, makeSymlink, removeDirectory, unlink } from '../files/tree.ts';
import { IN } from '../files/watches.ts';
import { touchAccess } from '../open-file-io.ts';
import { bytesOfString, inodeArgument, openFileArgument, pathArgument, store, walkArgument, walkPath, type FileCall } from './file-arguments.ts';

function mkdirat(call: Call): CallResult {
  const at = walkArgument(call, 0, 'parent');
  return typeof at === 'number' ? at : makeDirectory(call.process.files, at, call.unsigned(2));
}

function mknodat(call: Call): CallResult {
  const at = walkArgument(call, 0, 'parent');
  return typeof at === 'number' ? at : makeNode(call.process.files, at, call.unsigned(2));
}

function unlinkat(call: Call): CallResult {
  const flags = call.unsigned(2);
  if ((flags & ~AT.REMOVEDIR) !== 0) return -ERRNO.EINVAL;
  const at = walkArgument(call, 0, 'parent');
  if (typeof at === 'number') return at;
  return flags === 0 ? unlink(call.process.files, at) : removeDirectory(call.process.files, at);
}

function symlinkat(call: Call): CallResult {
  const target = pathArgument(call, 0);
  if (typeof target === 'number') return target;
  if (target === '') return -ERRNO.ENOENT;
  const at = walkArgument(call, 1, 'parent');
  return typeof at === 'number' ? at : makeSymlink(call.process.files, at, target);
}

function linkat(call: Call): CallResult {
  const flags = call.unsigned(4);
  if ((flags & ~(AT.SYMLINK_FOLLOW | AT.EMPTY_PATH)) !== 0) return -ERRNO.EINVAL;
  const isFollowing = (flags & AT.SYMLINK_FOLLOW) !== 0;
  const inode = inodeArgument(call, 0, (flags & AT.EMPTY_PATH) | (isFollowing ? 0 : AT.SYMLINK_NOFOLLOW));
  if (typeof inode === 'number') return inode;
  const at = walkArgument(call, 2, 'parent');
  return typeof at === 'number' ? at : makeLink(call.process.files, inode, at);
}

function renameat2(call: Call): CallResult {
  const flags = call.unsigned(4);
  if (!areRenameFlags(flags)) return -ERRNO.EINVAL;
  const from = walkArgument(call, 0, 'parent');
  if (typeof from === 'number') return from;
  const to = walkArgument(call, 2, 'parent');
  return typeof to === 'number' ? to : rename(call.process.files, { from, to, flags });
}

function readlinkat(call: Call): CallResult {
  const size = call.int(3);
  if (size <= 0) return -ERRNO.EINVAL;
  const path = pathArgument(call, 1);
  if (typeof path === 'number') return path;
  let inode: Inode | undefined;
  if (path === '') {
    inode = call.process.files.descriptors.get(call.int(0))?.inode;
    if (inode === undefined) return call.int(0) === AT.FDCWD ? -ERRNO.ENOENT : -ERRNO.EBADF;
    if (inode.kind !== 'symlink') return -ERRNO.ENOENT;
  } else {
    const found = walkPath(call, { dirfd: call.int(0), path }, 'nofollow');
    if (typeof found === 'number') return found;
    inode = found.inode;
    if (inode === undefined) return -ERRNO.ENOENT;
  }
  const target = textOfLink(call, inode);
  if (typeof target === 'number') return target;
  const bytes = bytesOfString(target.slice(0, size));
  return call.memory.write(call.size(2), bytes) ? bytes.length : -ERRNO.EFAULT;
}

function textOfLink(call: Call, inode: Inode): string | number {
  if (inode.kind === 'symlink') {
    touchAccess(call.kernel.files, inode);
    return inode.target;
  }
  return inode.kind === 'virtual' ? call.kernel.files.proc.text(inode.path, call.process.pid) : -ERRNO.EINVAL;
}

function getcwd(call: Call): CallResult {
  const context = call.process.files;
  const path = context.files.pathOf(context.cwd);
  if (path === undefined) return -ERRNO.ENOENT;
  if (path.length + 1 > limits.PATH_BYTES_MAX) return -ERRNO.ENAMETOOLONG; // Whatever the size: the C library then goes up to the root itself.
  if (path.length + 1 > call.size(1)) return -ERRNO.ERANGE;
  return call.memory.write(call.size(0), bytesOfString(`${path}\0`)) ? path.length + 1 : -ERRNO.EFAULT;
}

/** 0 for a directory that the caller may be in. */
function checkPlace(call: Call, inode: Inode): number {
  if (!isDirectory(inode)) return -ERRNO.ENOTDIR;
  return permits(inode, call.process.files.credentials, RIGHT.execute) ? 0 : -ERRNO.EACCES;
}

function enter(call: Call, inode: Inode): CallResult {
  const answer = checkPlace(call, inode);
  if (answer === 0) call.process.files.cwd = inode;
  return answer;
}

/** The directory at a path that is an argument, where the caller may be in; -errno. */
function directoryAt(call: Call, index: number): Inode | number {
  const path = pathArgument(call, index);
  if (typeof path === 'number') return path;
  const found = walkPath(call, { dirfd: AT.FDCWD, path }, 'follow');
  if (typeof found === 'number') return found;
  if (found.inode === undefined) return -ERRNO.ENOENT;
  const answer = checkPlace(call, found.inode);
  return answer < 0 ? answer : found.inode;
}

function chdir(call: Call): CallResult {
  const directory = directoryAt(call, 0);
  return typeof directory === 'number' ? directory : enter(call, directory);
}

/** Everybody's root stays where it is: root may take that for its own. */
function chroot(call: Call): CallResult {
  const directory = directoryAt(call, 0);
  if (typeof directory === 'number') return directory;
  return call.process.files.credentials.uid === 0 && directory === call.kernel.files.root ? 0 : -ERRNO.EPERM;
}

/** mount and umount2 are for a privileged user; that the place is not there comes first, as on Linux. */
function mountAt(index: number): (call: Call) => CallResult {
  return (call) => {
    const path = pathArgument(call, index);
    const found = typeof path === 'number' ? path : walkPath(call, { dirfd: AT.FDCWD, path }, 'follow');
    if (typeof found === 'number') return found;
    return found.inode === undefined ? -ERRNO.ENOENT : -ERRNO.EPERM;
  };
}

function fchdir(call: Call): CallResult {
  const openFile = openFileArgument(call, 0, { allowsPath: true });
  return typeof openFile === 'number' ? openFile : enter(call, openFile.inode);
}

function getdents64(call: Call): CallResult {
  const openFile = openFileArgument(call, 0);
  if (typeof openFile === 'number') return openFile;
  if (!isDirectory(openFile.inode)) return -ERRNO.ENOTDIR;
  const directory = openFile.inode as DirectoryInode | VirtualInode; // isDirectory holds for these two kinds only.
  if (directory.nlink === 0) return -ERRNO.ENOENT;
  const { bytes, after, isCut } = encodeDirents(call.kernel.files, directory, { after: openFile.offset, room: call.unsigned(2) });
  if (isCut) return -ERRNO.EINVAL;
  if (store(call, call.size(1), bytes) < 0) return -ERRNO.EFAULT;
  openFile.offset = after;
  touchAccess(call.kernel.files, directory);
  tellFile(call.kernel.files, IN.ACCESS, openFile);
  return bytes.length;
}

function umask(call: Call): CallResult {
  const context = call.process.files;
  const before = context.umask;
  context.umask = call.unsigned(0) & 0o777;
  return before;
}

export const treeCalls: readonly FileCall[] = [
  { number: 17, name: 'getcwd', handle: getcwd },
  { number: 33, name: 'mknodat', handle: mknodat },
  { number: 34, name: 'mkdirat', handle: mkdirat },
  { number: 35, name: 'unlinkat', handle: unlinkat },
  { number: 36, name: 'symlinkat', handle: symlinkat },
  { number: 37, name: 'linkat', handle: linkat },
  { number: 39, name: 'umount2', handle: mountAt(0) },
  { number: 40, name: 'mount', handle: mountAt(1) },
  { number: 41, name: 'pivot_root', handle: () => -ERRNO.EPERM },
  { number: 49, name: 'chdir', handle: chdir },
  { number: 50, name: 'fchdir', handle: fchdir },
  { number: 51, name: 'chroot', handle: chroot },
  { number: 61, name: 'getdents64', handle: getdents64 },
  { number: 78, name: 'readlinkat', handle: readlinkat },
  { number: 166, name: 'umask', handle: umask },
  { number: 276, name: 'renameat2', handle: renameat2 },
];
