/**
 * The file system as data: metadata as one canonical value, contents as page objects. Writer and reader share this file.
 *
 *   [version, nextInode, nextOpenFile, inodes, openFiles, locks]
 *   inode: [ino, mode, uid, gid, nlink, atime, mtime, ctime, btime, kind, ...what the kind holds]
 *   reference to an inode: its number, or [path, mode, owner] for a virtual one
 *
 * Invariants: equal file systems give equal data; everything derived (reference counts, pipe ends, free space) is left out and counted
 * again on restore. References by processes and mappings are counted when those are restored.
 */
import { limits, StillpointError, type Canonical } from '../../core/index.ts';
import { FileContent } from './content.ts';
import { FileSystem, type FileSystemHost } from './file-system.ts';
import { commonState, isDeviceName, type DirectoryInode, type Inode } from './inode.ts';
import type { Lock } from './locks.ts';
import { Pipe } from './pipe.ts';
import { virtualInode } from './proc.ts';
import { OpenFile } from '../open-file.ts';

const VERSION = 1;

/** A page-addressed byte array, the shape of snapshot's PageObject. */
export interface FilePages {
  readonly name: string;
  dirtyPages(): readonly number[];
  readPage(pageIndex: number): Uint8Array;
  markClean(): void;
}
/** The shape of snapshot's RestoredObject. */
export interface RestoredPages {
  readonly name: string;
  pages(): Iterable<{ readonly index: number; readonly bytes: Uint8Array }>;
}

/** Contents of all files that have any, in the order of their inodes. */
export function filePages(files: FileSystem): readonly FilePages[] {
  const objects: FilePages[] = [];
  for (const inode of files.inodes.values()) if (inode.kind === 'file' && inode.content.size > 0) objects.push(inode.content);
  return objects;
}

export function inodeReference(inode: Inode): Canonical {
  return inode.kind === 'virtual' ? [inode.path, inode.mode, inode.uid] : inode.ino;
}

/** Throws StillpointError E_STATE_FORMAT when the inode is not there. */
export function resolveReference(files: FileSystem, reference: Canonical): Inode {
  if (typeof reference === 'number') {
    const inode = files.inodes.get(reference);
    if (inode === undefined) throw malformed('refers to an inode that is not there');
    return inode;
  }
  const [path, mode, owner] = arrayOf(reference);
  return virtualInode(textOf(path), numberOf(mode), numberOf(owner));
}

/** Everything but the contents of files. */
export function fileSystemState(files: FileSystem): Canonical {
  const openFiles = [...files.openFiles.values()].map((open) => [open.id, inodeReference(open.inode), open.flags, open.offset, open.path]);
  return [VERSION, files.nextInode, files.nextOpenFile, [...files.inodes.values()].map(inodeState), openFiles, files.locks.state()];
}

function inodeState(inode: Inode): Canonical {
  return [...commonState(inode), inode.kind, ...kindState(inode)];
}

function kindState(inode: Inode): Canonical[] {
  switch (inode.kind) {
    case 'directory': {
      const entries = [...inode.entries].map(([name, entry]) => [name, inodeReference(entry.inode), entry.cookie]);
      return [inode.parent.ino, inode.name, inode.nextCookie, entries];
    }
    case 'file': return [inode.content.size, inode.content.runs(), inode.seals ?? null, inode.isLinkable];
    case 'symlink': return [inode.target];
    case 'device': return [inode.device];
    case 'fifo': return [inode.pipe.bytes(), inode.pipe.hadWriter, inode.pipe.changes];
    case 'channel': return [inode.channel];
    case 'event': return [inode.counter, inode.isSemaphore, inode.changes];
    case 'epoll': {
      const interests = [...inode.interests].sort(([a], [b]) => a - b);
      return [interests.map(([number, interest]) => [number, interest.openFile, interest.events, interest.data, interest.armed, interest.told])];
    }
    case 'virtual': throw new Error('assertion failed: virtual inodes are in no table');
  }
}

/**
 * The file system that `state` and `objects` describe. Pages are loaded dirty: the caller marks them clean when it knows the capture they
 * came from. Throws StillpointError E_STATE_FORMAT.
 */
export function restoreFileSystem(host: FileSystemHost, state: Canonical, objects: Iterable<RestoredPages>): FileSystem {
  const [version, nextInode, nextOpenFile, inodes, openFiles, locks] = arrayOf(state);
  if (version !== VERSION) throw malformed('has another version');
  const files = new FileSystem(host, true);
  files.nextInode = numberOf(nextInode);
  files.nextOpenFile = numberOf(nextOpenFile);
  const records = arrayOf(inodes).map(arrayOf);
  for (const record of records) {
    const inode = restoreInode(files, record);
    files.inodes.set(inode.ino, inode);
  }
  for (const record of records) restoreEntries(files, record);
  const root = files.inodes.get(1);
  if (root?.kind !== 'directory') throw malformed('has no root directory');
  files.root = root;
  for (const object of objects) loadPages(files, object);
  for (const item of arrayOf(openFiles)) restoreOpenFile(files, arrayOf(item));
  for (const item of arrayOf(locks)) restoreLocks(files, arrayOf(item));
  return files;
}

function restoreInode(files: FileSystem, record: readonly Canonical[]): Inode {
  const [ino, mode, uid, gid, nlink] = record.slice(0, 5).map(numberOf) as [number, number, number, number, number]; // Five were sliced.
  const [atime, mtime, ctime, btime] = record.slice(5, 9).map(bigintOf) as [bigint, bigint, bigint, bigint]; // Four were sliced.
  const common = { ino, mode, uid, gid, nlink, atime, mtime, ctime, btime, references: 0 };
  const [a, b, c, d] = record.slice(10);
  switch (record[9]) {
    // `parent` and the entries follow in the second pass, when every inode is there.
    case 'directory': return { kind: 'directory', ...common, entries: new Map(), name: textOf(b), nextCookie: numberOf(c) } as unknown as DirectoryInode;
    case 'file': {
      const state = { size: numberOf(a), runs: arrayOf(b).map(numberOf) };
      checkContent(files, state);
      const content = new FileContent(`file/${ino}`, files.space, state);
      return { kind: 'file', ...common, content, seals: c === null ? undefined : numberOf(c), isLinkable: d === true };
    }
    case 'symlink': return { kind: 'symlink', ...common, target: textOf(a) };
    case 'device': {
      const device = textOf(a);
      if (!isDeviceName(device)) throw malformed('has an unknown device');
      return { kind: 'device', ...common, device };
    }
    case 'fifo': return { kind: 'fifo', ...common, pipe: new Pipe(bytesOf(a), b === true, numberOf(c)) };
    case 'channel': return { kind: 'channel', ...common, channel: textOf(a) };
    case 'event': return { kind: 'event', ...common, counter: bigintOf(a), isSemaphore: b === true, changes: numberOf(c) };
    case 'epoll': return { kind: 'epoll', ...common, interests: new Map(arrayOf(a).map(restoreInterest)) };
    default: throw malformed('has an inode of unknown kind');
  }
}

function checkContent(files: FileSystem, { size, runs }: { readonly size: number; readonly runs: readonly number[] }): void {
  let pages = 0;
  for (let index = 0; index < runs.length; index += 2) {
    const [before, start, end] = [runs[index - 1] ?? -1, runs[index], runs[index + 1]];
    if (!Number.isSafeInteger(start) || !Number.isSafeInteger(end) || start! <= before || end! <= start!) throw malformed('has a file with unsound runs');
    pages += end! - start!;
  }
  if (!Number.isSafeInteger(size) || size < 0 || size > limits.FILE_BYTES_MAX || pages > files.pagesFree) throw malformed('has a file of unsound size');
}

function restoreInterest(item: Canonical): [number, { openFile: number; events: number; data: bigint; armed: boolean; told: number }] {
  const [number, openFile, events, data, armed, told] = arrayOf(item);
  return [numberOf(number), { openFile: numberOf(openFile), events: numberOf(events), data: bigintOf(data), armed: armed === true, told: numberOf(told) }];
}

function restoreEntries(files: FileSystem, record: readonly Canonical[]): void {
  const inode = files.inodes.get(numberOf(record[0]));
  if (inode?.kind !== 'directory') return;
  const parent = files.inodes.get(numberOf(record[10]));
  if (parent?.kind !== 'directory') throw malformed('has a directory without parent');
  inode.parent = parent;
  if (inode.nlink === 0) files.retain(parent);
  for (const item of arrayOf(record[13])) {
    const [name, reference, cookie] = arrayOf(item);
    inode.entries.set(textOf(name), { inode: resolveReference(files, reference ?? null), cookie: numberOf(cookie) });
  }
}

function loadPages(files: FileSystem, object: RestoredPages): void {
  const match = /^file\/([0-9]+)$/.exec(object.name);
  if (match === null) return;
  const inode = files.inodes.get(Number(match[1]));
  if (inode?.kind !== 'file') throw malformed('has pages of a file that is not there');
  for (const page of object.pages()) {
    if (!inode.content.hasPage(page.index)) throw malformed('has a page that its file does not have');
    inode.content.loadPage(page.index, page.bytes);
  }
}

function restoreOpenFile(files: FileSystem, record: readonly Canonical[]): void {
  const [id, reference, flags, offset, path] = record;
  const openFile = new OpenFile({ id: numberOf(id), inode: resolveReference(files, reference ?? null), flags: numberOf(flags), path: textOf(path) });
  openFile.offset = numberOf(offset);
  files.adopt(openFile);
}

function restoreLocks(files: FileSystem, record: readonly Canonical[]): void {
  const [ino, locks] = record;
  for (const item of arrayOf(locks)) {
    const [owner, isWrite, start, end] = arrayOf(item);
    const lock: Lock = { owner: textOf(owner), isWrite: isWrite === true, start: numberOf(start), end: numberOf(end) };
    files.locks.restoreLock(numberOf(ino), lock);
  }
}

function malformed(what: string): StillpointError {
  return new StillpointError('E_STATE_FORMAT', `the file system section ${what}`);
}

function arrayOf(value: Canonical | undefined): readonly Canonical[] {
  if (!Array.isArray(value)) throw malformed('lacks a list');
  return value as readonly Canonical[]; // Array.isArray does not narrow readonly arrays.
}

function numberOf(value: Canonical | undefined): number {
  if (typeof value !== 'number') throw malformed('lacks a number');
  return value;
}

function bigintOf(value: Canonical | undefined): bigint {
  if (typeof value !== 'bigint') throw malformed('lacks a wide number');
  return value;
}

function textOf(value: Canonical | undefined): string {
  if (typeof value !== 'string') throw malformed('lacks a text');
  return value;
}

function bytesOf(value: Canonical | undefined): Uint8Array {
  if (!(value instanceof Uint8Array)) throw malformed('lacks bytes');
  return value;
}
