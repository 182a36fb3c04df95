/**
 * inotify_init1, inotify_add_watch, inotify_rm_watch. Events come from files/tell.ts.
 * What this does NOT do: events of /proc, of mappings and of the loader.
 */
import { limits } from '../../core/index.ts';
import type { Call, CallResult } from '../call.ts';
import { ERRNO } from '../errno.ts';
import { AT, O, RIGHT } from '../files/flags.ts';
import { isDirectory, type WatchInode } from '../files/inode.ts';
import { permits } from '../files/permission.ts';
import { IN } from '../files/watches.ts';
import { openFileArgument, pathArgument, walkPath, type FileCall } from './file-arguments.ts';
import { installAnonymous, roomForOne } from './file-open.ts';

const KNOWN = (IN.ALL | IN.UNMOUNT | IN.Q_OVERFLOW | IN.IGNORED | IN.ONLYDIR | IN.DONT_FOLLOW | IN.EXCL_UNLINK | IN.MASK_CREATE | IN.MASK_ADD | IN.ISDIR | IN.ONESHOT) >>> 0;

function inotifyInit1(call: Call): CallResult {
  const flags = call.unsigned(0);
  if ((flags & ~(O.CLOEXEC | O.NONBLOCK)) !== 0) return -ERRNO.EINVAL;
  if (call.kernel.files.watchers.size >= limits.WATCHERS_MAX) return -ERRNO.EMFILE;
  const room = roomForOne(call);
  if (room < 0) return room;
  return installAnonymous(call, call.kernel.files.makeWatcher(), { flags: flags | O.RDONLY, path: 'anon_inode:inotify' });
}

function watcherArgument(call: Call): WatchInode | number {
  const openFile = openFileArgument(call, 0);
  if (typeof openFile === 'number') return openFile;
  return openFile.inode.kind === 'watch' ? openFile.inode : -ERRNO.EINVAL;
}

function inotifyAddWatch(call: Call): CallResult {
  const mask = call.unsigned(2);
  if ((mask & ~KNOWN) !== 0 || mask === 0) return -ERRNO.EINVAL;
  if (openFileArgument(call, 0) === -ERRNO.EBADF) return -ERRNO.EBADF;
  if ((mask & IN.MASK_ADD) !== 0 && (mask & IN.MASK_CREATE) !== 0) return -ERRNO.EINVAL;
  const watcher = watcherArgument(call);
  if (typeof watcher === 'number') return watcher;
  const path = pathArgument(call, 1);
  if (typeof path === 'number') return path;
  const found = walkPath(call, { dirfd: AT.FDCWD, path }, (mask & IN.DONT_FOLLOW) === 0 ? 'follow' : 'nofollow');
  if (typeof found === 'number') return found;
  const { inode } = found;
  if (inode === undefined) return -ERRNO.ENOENT;
  if ((mask & IN.ONLYDIR) !== 0 && !isDirectory(inode)) return -ERRNO.ENOTDIR;
  if (!permits(inode, call.process.files.credentials, RIGHT.read)) return -ERRNO.EACCES;
  const number = watcher.watches.add(inode.ino, mask);
  return number === 'exists' ? -ERRNO.EEXIST : number === 'full' ? -ERRNO.ENOSPC : number;
}

function inotifyRmWatch(call: Call): CallResult {
  const watcher = watcherArgument(call);
  if (typeof watcher === 'number') return watcher;
  return watcher.watches.remove(call.int(1)) ? 0 : -ERRNO.EINVAL;
}

export const watchCalls: readonly FileCall[] = [
  { number: 26, name: 'inotify_init1', handle: inotifyInit1 },
  { number: 27, name: 'inotify_add_watch', handle: inotifyAddWatch },
  { number: 28, name: 'inotify_rm_watch', handle: inotifyRmWatch },
];
