/**
 * Extended attributes: the file system has none, so reading finds nothing and changing is not supported. Paths, descriptors and names are checked.
 */
import type { Call, CallResult } from '../call.ts';
import { ERRNO } from '../errno.ts';
import { AT } from '../files/flags.ts';
import type { WalkMode } from '../files/walk.ts';
import { byteString, openFileArgument, pathArgument, walkPath, type FileCall } from './file-arguments.ts';

/** What is asked of an attribute; a list asks for none. */
type Wish = 'list' | 'get' | 'change';

const NAME_BYTES_MAX = 255;
/** What an attribute's name may begin with. */
const SPACES = ['user.', 'trusted.', 'security.', 'system.posix_acl_'] as const;

/** The answer for the attribute that the second argument names. */
function answerOf(call: Call, wish: Wish): number {
  if (wish === 'list') return 0;
  const bytes = call.memory.readString(call.size(1), NAME_BYTES_MAX);
  if (bytes === 'fault') return -ERRNO.EFAULT;
  if (bytes === 'long' || bytes.length === 0) return -ERRNO.ERANGE;
  const name = byteString(bytes);
  const space = SPACES.find((prefix) => name.startsWith(prefix));
  const isForRoot = space === 'trusted.' || space === 'security.';
  if (isForRoot && wish === 'change' && call.process.files.credentials.uid !== 0) return -ERRNO.EPERM;
  if (space === undefined) return -ERRNO.EOPNOTSUPP;
  if (name === space) return -ERRNO.EINVAL;
  return wish === 'get' ? -ERRNO.ENODATA : -ERRNO.EOPNOTSUPP;
}

function onPath(mode: WalkMode, wish: Wish): (call: Call) => CallResult {
  return (call) => {
    const path = pathArgument(call, 0);
    if (typeof path === 'number') return path;
    const found = walkPath(call, { dirfd: AT.FDCWD, path }, mode);
    if (typeof found === 'number') return found;
    return found.inode === undefined ? -ERRNO.ENOENT : answerOf(call, wish);
  };
}

function onDescriptor(wish: Wish): (call: Call) => CallResult {
  return (call) => {
    const openFile = openFileArgument(call, 0);
    return typeof openFile === 'number' ? openFile : answerOf(call, wish);
  };
}

export const attributeCalls: readonly FileCall[] = [
  { number: 5, name: 'setxattr', handle: onPath('follow', 'change') },
  { number: 6, name: 'lsetxattr', handle: onPath('nofollow', 'change') },
  { number: 7, name: 'fsetxattr', handle: onDescriptor('change') },
  { number: 8, name: 'getxattr', handle: onPath('follow', 'get') },
  { number: 9, name: 'lgetxattr', handle: onPath('nofollow', 'get') },
  { number: 10, name: 'fgetxattr', handle: onDescriptor('get') },
  { number: 11, name: 'listxattr', handle: onPath('follow', 'list') },
  { number: 12, name: 'llistxattr', handle: onPath('nofollow', 'list') },
  { number: 13, name: 'flistxattr', handle: onDescriptor('list') },
  { number: 14, name: 'removexattr', handle: onPath('follow', 'change') },
  { number: 15, name: 'lremovexattr', handle: onPath('nofollow', 'change') },
  { number: 16, name: 'fremovexattr', handle: onDescriptor('change') },
];
