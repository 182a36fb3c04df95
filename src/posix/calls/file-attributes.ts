/**
 * Extended attributes: the file system has none, so reading finds nothing and writing is not supported. Paths and descriptors are checked.
 */
import type { Call, CallResult } from '../call.ts';
import { ERRNO } from '../errno.ts';
import { AT } from '../files/flags.ts';
import type { WalkMode } from '../files/walk.ts';
import { openFileArgument, pathArgument, walkPath, type FileCall } from './file-arguments.ts';

function onPath(mode: WalkMode, answer: number): (call: Call) => CallResult {
  return (call) => {
    const path = pathArgument(call, 0);
    if (typeof path === 'number') return path;
    const found = walkPath(call, { dirfd: AT.FDCWD, path }, mode);
    if (typeof found === 'number') return found;
    return found.inode === undefined ? -ERRNO.ENOENT : answer;
  };
}

function onDescriptor(answer: number): (call: Call) => CallResult {
  return (call) => {
    const openFile = openFileArgument(call, 0);
    return typeof openFile === 'number' ? openFile : answer;
  };
}

const NONE = -ERRNO.ENODATA;
const UNSUPPORTED = -ERRNO.EOPNOTSUPP;

export const attributeCalls: readonly FileCall[] = [
  { number: 5, name: 'setxattr', handle: onPath('follow', UNSUPPORTED) },
  { number: 6, name: 'lsetxattr', handle: onPath('nofollow', UNSUPPORTED) },
  { number: 7, name: 'fsetxattr', handle: onDescriptor(UNSUPPORTED) },
  { number: 8, name: 'getxattr', handle: onPath('follow', NONE) },
  { number: 9, name: 'lgetxattr', handle: onPath('nofollow', NONE) },
  { number: 10, name: 'fgetxattr', handle: onDescriptor(NONE) },
  { number: 11, name: 'listxattr', handle: onPath('follow', 0) },
  { number: 12, name: 'llistxattr', handle: onPath('nofollow', 0) },
  { number: 13, name: 'flistxattr', handle: onDescriptor(0) },
  { number: 14, name: 'removexattr', handle: onPath('follow', NONE) },
  { number: 15, name: 'lremovexattr', handle: onPath('nofollow', NONE) },
  { number: 16, name: 'fremovexattr', handle: onDescriptor(NONE) },
];
