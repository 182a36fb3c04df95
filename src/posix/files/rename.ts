/**
 * renameat2 as Linux does it: RENAME_NOREPLACE, RENAME_EXCHANGE, directories over empty directories, no directory into itself.
 * The checks come in the order of Linux, so that a call that is wrong in two ways gives the same errno.
 */
import { ERRNO, failed } from '../errno.ts';
import type { FileSystem } from './file-system.ts';
import { RENAME, RIGHT } from './flags.ts';
import { isDirectory, type DirectoryInode, type Inode } from './inode.ts';
import { mayCreateIn, mayDelete, permits } from './permission.ts';
import { nextCookie, tellInode, tellName } from './tell.ts';
import { removeEmptyDirectory, removeName, touchDirectory, type Maker } from './tree.ts';
import type { Walked } from './walk.ts';
import { IN } from './watches.ts';

interface Names { readonly from: Walked; readonly to: Walked; readonly flags: number }
interface Checked { readonly source: Inode; readonly target: Inode | undefined; readonly oldParent: DirectoryInode; readonly newParent: DirectoryInode }

/** Known, and not two that contradict each other. */
export function areRenameFlags(flags: number): boolean {
  return (flags & ~(RENAME.NOREPLACE | RENAME.EXCHANGE)) === 0 && flags !== (RENAME.NOREPLACE | RENAME.EXCHANGE);
}

/** Both walks are in 'parent' mode, the flags are some that go together. 0 or -errno; on error nothing has changed. */
export function rename(maker: Maker, names: Names): number {
  const checked = checkNames(names);
  if (typeof checked === 'number') return checked;
  const { source, target, oldParent, newParent } = checked;
  if (source === target) return 0;
  const answer = checkRights(maker, checked, names.flags);
  if (failed(answer)) return answer;
  const isExchange = (names.flags & RENAME.EXCHANGE) !== 0;
  const isKept = target !== undefined && !isExchange && maker.files.watchers.size > 0; // What is replaced is told after the move.
  if (isKept) maker.files.retain(target);
  if (isExchange) exchange(maker.files, checked, names);
  else move(maker.files, checked, names);
  const now = maker.files.now();
  source.ctime = now;
  if (target !== undefined) target.ctime = now;
  touchDirectory(maker.files, oldParent);
  touchDirectory(maker.files, newParent);
  tellMove(maker.files, isExchange ? { ...checked, target: undefined } : checked, names);
  if (isExchange && target !== undefined) tellMove(maker.files, { source: target, target: undefined, oldParent: newParent, newParent: oldParent }, { from: names.to, to: names.from });
  if (isKept) maker.files.release(target);
  return 0;
}

function checkNames({ from, to, flags }: Names): Checked | number {
  if (from.last !== 'name') return -ERRNO.EBUSY;
  if (to.last !== 'name') return (flags & RENAME.NOREPLACE) !== 0 ? -ERRNO.EEXIST : -ERRNO.EBUSY;
  const source = from.inode;
  const target = to.inode;
  const isExchange = (flags & RENAME.EXCHANGE) !== 0;
  if (source === undefined) return -ERRNO.ENOENT;
  if ((flags & RENAME.NOREPLACE) !== 0 && target !== undefined) return -ERRNO.EEXIST;
  if (isExchange) {
    if (target === undefined) return -ERRNO.ENOENT;
    if (!isDirectory(target) && to.trailing) return -ERRNO.ENOTDIR;
  }
  if (!isDirectory(source) && (from.trailing || (!isExchange && to.trailing))) return -ERRNO.ENOTDIR;
  const oldParent = from.parent;
  const newParent = to.parent;
  if (oldParent === undefined || newParent === undefined) return -ERRNO.EBUSY;
  if (oldParent.kind === 'virtual' || newParent.kind === 'virtual') return oldParent === newParent ? -ERRNO.EPERM : -ERRNO.EXDEV;
  if (source.kind === 'virtual' || target?.kind === 'virtual') return -ERRNO.EBUSY;
  if (isWithin(newParent, source)) return -ERRNO.EINVAL;
  if (target !== undefined && isWithin(oldParent, target)) return isExchange ? -ERRNO.EINVAL : -ERRNO.ENOTEMPTY;
  return { source, target, oldParent, newParent };
}

function tellMove(files: FileSystem, { source, target, oldParent, newParent }: Checked, { from, to }: Pick<Names, 'from' | 'to'>): void {
  if (files.watchers.size === 0) return;
  const cookie = nextCookie(files);
  tellName(files, IN.MOVED_FROM, { directory: oldParent, name: from.name, inode: source, cookie });
  tellName(files, IN.MOVED_TO, { directory: newParent, name: to.name, inode: source, cookie });
  if (target !== undefined) tellInode(files, IN.ATTRIB, target);
  tellInode(files, IN.MOVE_SELF, source);
}

function isWithin(directory: DirectoryInode, ancestor: Inode): boolean {
  for (let at = directory; ; at = at.parent) {
    if (at === ancestor) return true;
    if (at.parent === at) return false;
  }
}

function checkRights({ credentials }: Maker, { source, target, oldParent, newParent }: Checked, flags: number): number {
  let answer = mayDelete(oldParent, source, credentials);
  if (failed(answer)) return answer;
  answer = target === undefined ? mayCreateIn(newParent, credentials) : mayDelete(newParent, target, credentials);
  if (failed(answer)) return answer;
  const isExchange = (flags & RENAME.EXCHANGE) !== 0;
  if (target !== undefined && !isExchange && isDirectory(source) !== isDirectory(target)) return isDirectory(source) ? -ERRNO.ENOTDIR : -ERRNO.EISDIR;
  if (oldParent !== newParent) {
    // `..` of a moved directory changes: that is a write to the directory itself.
    if (isDirectory(source) && !permits(source, credentials, RIGHT.write)) return -ERRNO.EACCES;
    if (isExchange && target !== undefined && isDirectory(target) && !permits(target, credentials, RIGHT.write)) return -ERRNO.EACCES;
  }
  if (!isExchange && target?.kind === 'directory' && target.entries.size > 0) return -ERRNO.ENOTEMPTY;
  return 0;
}

function move(files: FileSystem, { source, target, oldParent, newParent }: Checked, { from, to }: Names): void {
  const oldPath = pathOfEntry(files, oldParent, from.name);
  const newPath = pathOfEntry(files, newParent, to.name);
  if (target?.kind === 'directory') removeEmptyDirectory(files, newParent, target);
  else if (target !== undefined) removeName(files, newParent, to.name);
  oldParent.entries.delete(from.name);
  place(files, source, { from: oldParent, to: newParent, name: to.name });
  movePaths(files, [[oldPath, newPath]]);
}

function exchange(files: FileSystem, { source, target, oldParent, newParent }: Checked, { from, to }: Names): void {
  if (target === undefined) return;
  const oldPath = pathOfEntry(files, oldParent, from.name);
  const newPath = pathOfEntry(files, newParent, to.name);
  oldParent.entries.delete(from.name);
  newParent.entries.delete(to.name);
  place(files, source, { from: oldParent, to: newParent, name: to.name });
  place(files, target, { from: newParent, to: oldParent, name: from.name });
  movePaths(files, [[oldPath, newPath], [newPath, oldPath]]);
}

/** Enters a moved inode; a directory's parent, name and link counts follow. */
function place(files: FileSystem, inode: Inode, where: { readonly from: DirectoryInode; readonly to: DirectoryInode; readonly name: string }): void {
  files.enter(where.to, where.name, inode);
  if (inode.kind !== 'directory') return;
  where.from.nlink--;
  where.to.nlink++;
  inode.parent = where.to;
  inode.name = where.name;
}

function pathOfEntry(files: FileSystem, directory: DirectoryInode, name: string): string {
  const path = files.pathOf(directory) ?? '';
  return path === '/' ? `/${name}` : `${path}/${name}`;
}

/** Open files remember their path for /proc/self/fd: they follow the rename. */
function movePaths(files: FileSystem, moves: readonly (readonly [string, string])[]): void {
  for (const openFile of files.openFiles.values()) {
    for (const [before, after] of moves) {
      if (openFile.path !== before && !openFile.path.startsWith(`${before}/`)) continue;
      openFile.path = after + openFile.path.slice(before.length);
      break;
    }
  }
}
