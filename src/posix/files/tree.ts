/**
 * What changes the tree: making, linking and removing names, with the checks of Linux in the order of Linux. Rename is in rename.ts.
 * Each function takes the answer of a walk in 'parent' mode and returns 0 (or what was made) or -errno; on error nothing has changed.
 * What this does NOT do: walk.
 */
import { ERRNO, failed } from '../errno.ts';
import type { FileSystem } from './file-system.ts';
import { S_IF, S_ISGID } from './flags.ts';
import { isDirectory, type DirectoryInode, type Inode } from './inode.ts';
import { mayCreateIn, mayDelete, type Credentials } from './permission.ts';
import { tellInode, tellName } from './tell.ts';
import { IN } from './watches.ts';
import type { Walked } from './walk.ts';

export interface Maker { readonly files: FileSystem; readonly credentials: Credentials; readonly umask: number }

/** A name that may be made: its directory, or -errno. */
export function newName(maker: Maker, at: Walked, wantsDirectory: boolean): DirectoryInode | number {
  if (at.last !== 'name' || at.inode !== undefined) return -ERRNO.EEXIST;
  if (at.trailing && !wantsDirectory) return -ERRNO.ENOENT;
  if (at.parent === undefined || at.parent.kind === 'virtual') return -ERRNO.EACCES;
  const answer = mayCreateIn(at.parent, maker.credentials);
  if (failed(answer)) return answer;
  return maker.files.hasInodes ? at.parent : -ERRNO.ENOSPC;
}

/** Names changed in a directory: its times follow. */
export function touchDirectory(files: FileSystem, directory: DirectoryInode): void {
  directory.mtime = directory.ctime = files.now();
}

/** Owner and mode of what is made in `directory`: the group of a set-group-id directory is inherited. */
export function ownerIn(maker: Maker, directory: DirectoryInode, mode: number): { readonly credentials: Credentials; readonly mode: number } {
  const gid = (directory.mode & S_ISGID) !== 0 ? directory.gid : maker.credentials.gid;
  return { credentials: { uid: maker.credentials.uid, gid }, mode: mode & ~maker.umask };
}

export function makeDirectory(maker: Maker, at: Walked, mode: number): number {
  const directory = newName(maker, at, true);
  if (failed(directory)) return directory;
  const inherited = (directory as DirectoryInode).mode & S_ISGID;
  const inode = maker.files.makeDirectory(directory as DirectoryInode, at.name, ownerIn(maker, directory as DirectoryInode, (mode & 0o1777) | inherited));
  touchDirectory(maker.files, directory as DirectoryInode);
  tellName(maker.files, IN.CREATE, { directory: directory as DirectoryInode, name: at.name, inode });
  return 0;
}

/** mknod: regular files, FIFOs and names of sockets that nobody is at; devices and directories are not for an ordinary user. */
export function makeNode(maker: Maker, at: Walked, mode: number): number {
  const type = mode & S_IF.mask;
  if (type === S_IF.directory) return -ERRNO.EPERM;
  const directory = newName(maker, at, false);
  if (typeof directory === 'number') return directory;
  const owner = ownerIn(maker, directory, mode & 0o7777);
  switch (type) {
    case 0:
    case S_IF.file: attachNew(maker.files, directory, { name: at.name, inode: maker.files.makeFile(owner) }); return 0;
    case S_IF.fifo: attachNew(maker.files, directory, { name: at.name, inode: maker.files.makeFifo(owner) }); return 0;
    case S_IF.socket: {
      const inode = maker.files.makeSocket({ domain: 'unix', type: 'stream', owner: 0 }, owner);
      inode.socket.status = 'closed'; // As the name of a socket that has gone: it can be stated and taken away.
      attachNew(maker.files, directory, { name: at.name, inode });
      return 0;
    }
    case S_IF.character:
    case S_IF.block: return -ERRNO.EPERM;
    default: return -ERRNO.EINVAL;
  }
}

export function makeSymlink(maker: Maker, at: Walked, target: string): number {
  const directory = newName(maker, at, false);
  if (typeof directory === 'number') return directory;
  attachNew(maker.files, directory, { name: at.name, inode: maker.files.makeSymlink(target, ownerIn(maker, directory, 0o777)) });
  return 0;
}

export function attachNew(files: FileSystem, directory: DirectoryInode, entry: { readonly name: string; readonly inode: Inode }): void {
  files.attach(directory, entry.name, entry.inode);
  touchDirectory(files, directory);
  tellName(files, IN.CREATE, { directory, ...entry });
}

/** A second name for `inode`. */
export function makeLink(maker: Maker, inode: Inode, at: Walked): number {
  const directory = newName(maker, at, false);
  if (typeof directory === 'number') return directory;
  if (isDirectory(inode)) return -ERRNO.EPERM;
  if (!maker.files.holds(inode)) return -ERRNO.EXDEV;
  if (inode.nlink === 0 && !(inode.kind === 'file' && inode.isLinkable)) return -ERRNO.ENOENT;
  tellInode(maker.files, IN.ATTRIB, inode);
  attachNew(maker.files, directory, { name: at.name, inode });
  inode.ctime = maker.files.now();
  return 0;
}

export function unlink(maker: Maker, at: Walked): number {
  if (at.last !== 'name') return -ERRNO.EISDIR;
  if (at.inode === undefined) return -ERRNO.ENOENT;
  if (at.trailing) return isDirectory(at.inode) ? -ERRNO.EISDIR : -ERRNO.ENOTDIR;
  const directory = at.parent;
  if (directory === undefined || directory.kind === 'virtual') return -ERRNO.EACCES;
  const answer = mayDelete(directory, at.inode, maker.credentials);
  if (failed(answer)) return answer;
  if (isDirectory(at.inode)) return -ERRNO.EISDIR;
  const { inode } = at;
  maker.files.retain(inode);
  removeName(maker.files, directory, at.name);
  tellInode(maker.files, IN.ATTRIB, inode);
  maker.files.release(inode);
  tellName(maker.files, IN.DELETE, { directory, name: at.name, inode });
  return 0;
}

/** Takes a name that is no directory away, and with the last one the inode. */
export function removeName(files: FileSystem, directory: DirectoryInode, name: string): void {
  const inode = directory.entries.get(name)?.inode;
  if (inode === undefined) return;
  directory.entries.delete(name);
  inode.nlink--;
  inode.ctime = files.now();
  touchDirectory(files, directory);
  files.forgetIfUnused(inode);
}

export function removeDirectory(maker: Maker, at: Walked): number {
  if (at.last !== 'name') return at.last === 'dot' ? -ERRNO.EINVAL : at.last === 'dotdot' ? -ERRNO.ENOTEMPTY : -ERRNO.EBUSY;
  if (at.inode === undefined) return -ERRNO.ENOENT;
  const directory = at.parent;
  if (directory === undefined || directory.kind === 'virtual') return -ERRNO.EACCES;
  const answer = mayDelete(directory, at.inode, maker.credentials);
  if (failed(answer)) return answer;
  if (!isDirectory(at.inode)) return -ERRNO.ENOTDIR;
  if (at.inode.kind !== 'directory') return -ERRNO.EBUSY; // /proc, a mount on Linux.
  if (at.inode.entries.size > 0) return -ERRNO.ENOTEMPTY;
  removeEmptyDirectory(maker.files, directory, at.inode);
  tellName(maker.files, IN.DELETE, { directory, name: at.name, inode: at.inode });
  return 0;
}

/** The removed directory holds its parent for as long as somebody holds it: `..` still leads there. */
export function removeEmptyDirectory(files: FileSystem, directory: DirectoryInode, victim: DirectoryInode): void {
  directory.entries.delete(victim.name);
  directory.nlink--;
  victim.nlink = 0;
  victim.ctime = files.now();
  files.retain(directory);
  touchDirectory(files, directory);
  files.forgetIfUnused(victim);
}
