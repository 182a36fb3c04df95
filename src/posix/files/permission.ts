/**
 * Who may do what to an inode, as Linux decides it without access control lists. User 0 passes every check, as with all capabilities.
 * What this does NOT do: know who a process is (identity.ts).
 */
import { ERRNO } from '../errno.ts';
import { RIGHT, S_IF, S_ISVTX } from './flags.ts';
import type { DirectoryInode, Inode } from './inode.ts';

/** `groups`: the supplementary ones. */
export interface Credentials { readonly uid: number; readonly gid: number; readonly groups?: readonly number[] }

/** The user that programs of the guest run as when nothing is said: `guest`, at home in /home/guest. */
export const GUEST: Credentials = { uid: 1000, gid: 1000 };

/** Whether all RIGHT bits in `wanted` are granted. */
export function permits(inode: Inode, who: Credentials, wanted: number): boolean {
  if (who.uid === 0) {
    const needsExecute = (wanted & RIGHT.execute) !== 0 && (inode.mode & S_IF.mask) !== S_IF.directory;
    return !needsExecute || (inode.mode & 0o111) !== 0;
  }
  const shift = inode.uid === who.uid ? 6 : isMember(who, inode.gid) ? 3 : 0;
  return (((inode.mode & S_IF.mask) === S_IF.symlink ? 7 : (inode.mode >> shift) & 7) & wanted) === wanted;
}

/** Whether a group is among those that decide. */
export function isMember(who: Credentials, gid: number): boolean {
  return gid === who.gid || who.groups?.includes(gid) === true;
}

export function owns(inode: Inode, who: Credentials): boolean {
  return who.uid === 0 || inode.uid === who.uid;
}

/** 0 when names may be made in the directory. */
export function mayCreateIn(directory: DirectoryInode, who: Credentials): number {
  if (directory.nlink === 0) return -ERRNO.ENOENT;
  return permits(directory, who, RIGHT.write | RIGHT.execute) ? 0 : -ERRNO.EACCES;
}

/** 0 when `victim` may be removed from (or renamed out of) the directory: a sticky directory asks for ownership. */
export function mayDelete(directory: DirectoryInode, victim: Inode, who: Credentials): number {
  if (!permits(directory, who, RIGHT.write | RIGHT.execute)) return -ERRNO.EACCES;
  if ((directory.mode & S_ISVTX) !== 0 && !owns(victim, who) && !owns(directory, who)) return -ERRNO.EPERM;
  return 0;
}
