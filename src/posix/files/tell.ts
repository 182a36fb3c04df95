/**
 * Tells the inotify instances of the machine what happens to files: the events of Linux (fsnotify), in the order of Linux.
 *
 *   tellName    a name comes or goes: its directory hears it
 *   tellInode   the inode itself changes its links or its place: its own watches hear it
 *   tellFile    something is done with a file that was found by a path: its directory (with the name), then its own watches
 *
 * Without an instance all of it costs one comparison. What this does NOT do: mappings and the loader raise no events.
 */
import type { FileSystem } from './file-system.ts';
import { S_IF } from './flags.ts';
import { isDirectory, type DirectoryInode, type Inode } from './inode.ts';
import { IN } from './watches.ts';

const SELF = IN.DELETE_SELF | IN.MOVE_SELF;

interface Name { readonly directory: DirectoryInode; readonly name: string }

/** `isDirectory`: of what the name leads, or led, to. */
export function tellName(files: FileSystem, mask: number, at: Name & { readonly inode: Inode; readonly cookie?: number }): void {
  if (files.watchers.size === 0) return;
  const whole = (mask | (isDirectory(at.inode) ? IN.ISDIR : 0)) >>> 0;
  for (const { watches } of files.watchers) watches.happened({ ino: at.directory.ino, mask: whole, name: at.name, cookie: at.cookie ?? 0, isUnlinked: false });
}

export function tellInode(files: FileSystem, mask: number, inode: Inode): void {
  if (files.watchers.size === 0) return;
  // Those two never say that it is a directory.
  const whole = (mask | (isDirectory(inode) && (mask & SELF) === 0 ? IN.ISDIR : 0)) >>> 0;
  for (const { watches } of files.watchers) watches.happened({ ino: inode.ino, mask: whole, name: '', cookie: 0, isUnlinked: false });
}

export function tellFile(files: FileSystem, mask: number, at: { readonly inode: Inode; readonly path: string }): void {
  if (files.watchers.size === 0 || (at.inode.mode & S_IF.mask) === 0) return;
  const place = placeOf(files, at.inode, at.path);
  const whole = (mask | (isDirectory(at.inode) ? IN.ISDIR : 0)) >>> 0;
  for (const { watches } of files.watchers) {
    if (place !== undefined) {
      const isUnlinked = place.directory.entries.get(place.name)?.inode !== at.inode;
      watches.happened({ ino: place.directory.ino, mask: whole, name: place.name, cookie: 0, isUnlinked });
    }
    watches.happened({ ino: at.inode.ino, mask: whole, name: '', cookie: 0, isUnlinked: false });
  }
}

/** The inode is out of the tables. */
export function tellGone(files: FileSystem, inode: Inode): void {
  if (files.watchers.size === 0) return;
  tellInode(files, IN.DELETE_SELF, inode);
  for (const { watches } of files.watchers) watches.forget(inode.ino);
}

/** A number that pairs IN_MOVED_FROM and IN_MOVED_TO. */
export function nextCookie(files: FileSystem): number {
  let cookie = 0;
  for (const { watches } of files.watchers) cookie = Math.max(cookie, watches.cookie);
  for (const { watches } of files.watchers) watches.cookie = cookie + 1;
  return cookie + 1;
}

/** The directory and name of an absolute path without links; an unlinked file still belongs to its last place. */
function placeOf(files: FileSystem, inode: Inode, path: string): Name | undefined {
  if (inode === files.root || !path.startsWith('/')) return undefined;
  if (inode.kind === 'directory') return { directory: inode.parent, name: inode.name };
  const names = path.slice(1).split('/');
  const name = names.pop()!;
  let directory = files.root;
  for (const part of names) {
    const next = directory.entries.get(part)?.inode;
    if (next?.kind !== 'directory') return undefined;
    directory = next;
  }
  return { directory, name };
}
