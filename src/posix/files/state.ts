/**
 * The file system as data: metadata as one canonical value, contents as page objects. Writer and reader share this file.
 *
 *   [1, nextInode, nextOpenFile, inodes, openFiles, locks]                               without an image
 *   [2, nextInode, nextOpenFile, inodes, openFiles, locks, digest, inodeCount, changed]   over an image
 *   inode: [ino, mode, uid, gid, nlink, atime, mtime, ctime, btime, kind, ...what the kind holds]
 *   reference to an inode: its number, or [path, mode, owner] for a virtual one
 *
 * `changed` are the image's inodes that differ from the image, as inodes with what they still take from it added: of a file [size, runs], of a
 * directory the names that no longer show. All others are in the image, which its digest names: a checkpoint costs nothing for them.
 *
 * Invariants: equal file systems give equal data; everything derived (reference counts, pipe ends, free space) is left out and counted
 * again on restore. References by processes and mappings are counted when those are restored.
 */
import { limits, StillpointError, type Canonical } from '../../core/index.ts';
import type { Loan, PageSource } from '../../engine/index.ts';
import type { ImageTree } from '../../image/index.ts';
import type { BaseState, FileBase } from './base-pages.ts';
import { FileContent } from './content.ts';
import { DirectoryEntries } from './directory-entries.ts';
import { FileSystem, type FileSystemHost } from './file-system.ts';
import { S_IF } from './flags.ts';
import { commonState, deviceNumber, DEVICES, isDeviceName, type DirectoryInode, type Inode } from './inode.ts';
import type { Lock } from './locks.ts';
import { Pipe, PIPE_BYTES } from './pipe.ts';
import { PriorityQueue } from './priority-queue.ts';
import { Terminal } from './terminal.ts';
import { Socket, type DatagramFacts, type Sender, type SocketDomain, type SocketStatus, type SocketType } from './socket.ts';
import { virtualInode } from './proc.ts';
import { Watches } from './watches.ts';
import { OpenFile } from '../open-file.ts';

const VERSION = 1;
const VERSION_OVER_IMAGE = 2;

/** A page-addressed byte array, the shape of snapshot's PageObject. */
export interface FilePages {
  readonly name: string;
  /** Pages that hold bytes of the guest's own, ascending. */
  storedPages(): readonly number[];
  dirtyPages(): readonly number[];
  readPage(pageIndex: number): Uint8Array;
  markClean(): void;
  watch(before: (pageIndex: number) => void): () => void;
  /** What all of them hold now, to be read later. */
  lend(): Loan;
  /** Pages that have not come yet. */
  bringAll(): void;
}
/** The shape of snapshot's RestoredObject. */
export interface RestoredPages {
  readonly name: string;
  pages(): Iterable<{ readonly index: number; readonly bytes: Uint8Array }>;
  readonly source?: PageSource;
}

/** Contents of all files that have any of their own, in the order of their inodes. */
export function filePages(files: FileSystem): readonly FilePages[] {
  const objects: FilePages[] = [];
  for (const inode of files.image?.written() ?? []) objects.push(inode.content);
  for (const inode of files.inodes.values()) if (inode.kind === 'file' && inode.content.size > 0) objects.push(inode.content);
  return objects;
}

export function inodeReference(inode: Inode): Canonical {
  return inode.kind === 'virtual' ? [inode.path, inode.mode, inode.uid] : inode.ino;
}

/** Throws StillpointError E_STATE_FORMAT when the inode is not there. */
export function resolveReference(files: FileSystem, reference: Canonical): Inode {
  if (typeof reference === 'number') {
    const inode = files.find(reference);
    if (inode === undefined) throw malformed('refers to an inode that is not there');
    return inode;
  }
  const [path, mode, owner] = arrayOf(reference);
  return virtualInode(textOf(path), numberOf(mode), numberOf(owner));
}

/** Everything but the contents of files. */
export function fileSystemState(files: FileSystem): readonly Canonical[] {
  const openFiles = [...files.openFiles.values()].map((open) => [open.id, inodeReference(open.inode), open.flags, open.offset, open.path, ...ownerState(open)]);
  const { image } = files;
  const common: Canonical[] = [files.nextInode, files.nextOpenFile, [...files.inodes.values()].map(inodeState), openFiles, files.locks.state()];
  if (image === undefined) return [VERSION, ...common];
  const changed = image.changed().map((inode) => [...inodeState(inode), ...leftOfImage(inode)]);
  return [VERSION_OVER_IMAGE, ...common, image.tree.digest, files.inodeCount, changed];
}

/** Only of those that were given one. */
function ownerState({ owner }: OpenFile): Canonical[] {
  return owner === undefined ? [] : [[owner.owner, owner.uid, owner.signal, owner.number]];
}

/** What a changed inode still takes from the image. */
function leftOfImage(inode: Inode): Canonical[] {
  if (inode.kind === 'directory') return [inode.entries.hidden()];
  if (inode.kind !== 'file') return [];
  const { size, runs } = inode.content.baseState();
  return [size, runs];
}

function inodeState(inode: Inode): Canonical[] {
  return [...commonState(inode), inode.kind, ...kindState(inode)];
}

function kindState(inode: Inode): Canonical[] {
  switch (inode.kind) {
    case 'directory': {
      const entries = [...inode.entries.own()].map(([name, entry]) => [name, inodeReference(entry.inode), entry.cookie]);
      return [inode.parent.ino, inode.name, inode.nextCookie, entries];
    }
    case 'file': return [inode.content.size, inode.content.runs(), inode.seals ?? null, inode.isLinkable];
    case 'symlink': return [inode.target];
    case 'device': return inode.device === 'absent' ? [inode.device, inode.number] : [inode.device];
    case 'fifo': return [inode.pipe.bytes(), inode.pipe.hadWriter, inode.pipe.changes, ...(inode.pipe.capacityBytes === PIPE_BYTES ? [] : [inode.pipe.capacityBytes])];
    case 'socket': return inode.socket.state();
    case 'channel': return [inode.channel];
    case 'event': return [inode.counter, inode.isSemaphore, inode.changes];
    case 'epoll': {
      const interests = [...inode.interests].sort(([a], [b]) => a - b);
      return [interests.map(([number, interest]) => [number, interest.openFile, interest.events, interest.data, interest.armed, interest.told])];
    }
    case 'timer': return [inode.clock, inode.deadline ?? null, inode.interval, inode.ticks, inode.changes];
    case 'signal': return [inode.mask];
    case 'process': return [inode.pid];
    case 'watch': return inode.watches.state();
    case 'terminal': return inode.terminal.state();
    case 'queue': return inode.queue.state();
    case 'master': return [inode.slave];
    case 'virtual': throw new Error('assertion failed: virtual inodes are in no table');
  }
}

/**
 * The file system that `state` and `objects` describe. Pages are loaded dirty: the caller marks them clean when it knows the capture they
 * came from. `isLazy`: pages of objects that have a source come when they are needed, clean. Throws StillpointError E_STATE_FORMAT.
 */
export function restoreFileSystem(host: FileSystemHost, saved: { readonly state: Canonical; readonly objects: Iterable<RestoredPages>; readonly isLazy?: boolean }, image?: ImageTree): FileSystem {
  const [version, nextInode, nextOpenFile, inodes, openFiles, locks, digest, inodeCount, changed] = arrayOf(saved.state);
  if (version !== VERSION && version !== VERSION_OVER_IMAGE) throw malformed('has another version');
  if ((digest ?? undefined) !== image?.digest) throw malformed('belongs to another image');
  const files = new FileSystem(host, { image, isEmpty: true });
  files.nextInode = numberOf(nextInode);
  files.nextOpenFile = numberOf(nextOpenFile);
  files.image?.made.clear(); // The root as the image has it: the one of the state follows.
  const records = arrayOf(inodes).map(arrayOf);
  const changedRecords = image === undefined ? [] : arrayOf(changed).map(arrayOf);
  for (const record of records) restoreOwn(files, record);
  for (const record of changedRecords) restoreChanged(files, record);
  files.inodeCount = image === undefined ? files.inodes.size : numberOf(inodeCount);
  for (const record of [...changedRecords, ...records]) restoreEntries(files, record);
  const root = files.find(1);
  if (root?.kind !== 'directory') throw malformed('has no root directory');
  files.root = root;
  for (const object of saved.objects) loadPages(files, object, saved.isLazy === true);
  for (const item of arrayOf(openFiles)) restoreOpenFile(files, arrayOf(item));
  holdBacklogs(files);
  for (const item of arrayOf(locks)) restoreLocks(files, arrayOf(item));
  return files;
}

function restoreOwn(files: FileSystem, record: readonly Canonical[]): void {
  const inode = restoreInode(files, record);
  if (files.isOfImage(inode)) throw malformed('has an inode with a number of the image');
  files.enlist(inode);
}

function restoreChanged(files: FileSystem, record: readonly Canonical[]): void {
  const { image } = files;
  const ino = numberOf(record[0]);
  const isSound = image?.owns(ino) === true && ((numberOf(record[1]) ^ image.tree.node(ino - 1).mode) & S_IF.mask) === 0;
  if (image === undefined || !isSound) throw malformed('changes an inode that the image does not have');
  image.made.set(ino, restoreInode(files, record));
}

function restoreInode(files: FileSystem, record: readonly Canonical[]): Inode {
  const [ino, mode, uid, gid, nlink] = record.slice(0, 5).map(numberOf) as [number, number, number, number, number]; // Five were sliced.
  const [atime, mtime, ctime, btime] = record.slice(5, 9).map(bigintOf) as [bigint, bigint, bigint, bigint]; // Four were sliced.
  const common = { ino, mode, uid, gid, nlink, atime, mtime, ctime, btime, references: 0 };
  const [a, b, c, d] = record.slice(10);
  switch (record[9]) {
    // `parent` and the entries follow in the second pass, when every inode is there.
    case 'directory': return { kind: 'directory', ...common, entries: restoredEntries(files, record), name: textOf(b), nextCookie: numberOf(c) } as unknown as DirectoryInode;
    case 'file': {
      const state = { size: numberOf(a), runs: arrayOf(b).map(numberOf), ...restoredBase(files, record) };
      checkContent(files, state);
      const content = new FileContent(`file/${ino}`, files.space, state);
      return { kind: 'file', ...common, content, seals: c === null ? undefined : numberOf(c), isLinkable: d === true };
    }
    case 'symlink': return { kind: 'symlink', ...common, target: textOf(a) };
    case 'device': {
      const device = textOf(a);
      if (device === 'absent') return { kind: 'device', ...common, device, number: numberOf(b) };
      if (!isDeviceName(device)) throw malformed('has an unknown device');
      return { kind: 'device', ...common, device, number: deviceNumber(DEVICES[device]) };
    }
    case 'fifo': return { kind: 'fifo', ...common, pipe: new Pipe(bytesOf(a), b === true, numberOf(c), d === undefined ? PIPE_BYTES : numberOf(d)) };
    case 'socket': return { kind: 'socket', ...common, socket: restoreSocket(record.slice(10)) };
    case 'channel': return { kind: 'channel', ...common, channel: textOf(a) };
    case 'event': return { kind: 'event', ...common, counter: bigintOf(a), isSemaphore: b === true, changes: numberOf(c) };
    case 'epoll': return { kind: 'epoll', ...common, interests: new Map(arrayOf(a).map(restoreInterest)) };
    case 'timer': return { kind: 'timer', ...common, clock: numberOf(a), deadline: b === null ? undefined : bigintOf(b), interval: bigintOf(c), ticks: bigintOf(d), changes: numberOf(record[14]) };
    case 'signal': return { kind: 'signal', ...common, mask: bigintOf(a) };
    case 'process': return { kind: 'process', ...common, pid: numberOf(a) };
    case 'watch': return { kind: 'watch', ...common, watches: Watches.restore(record.slice(10)) };
    case 'terminal': return { kind: 'terminal', ...common, terminal: Terminal.restore(record.slice(10)) };
    case 'queue': return { kind: 'queue', ...common, queue: PriorityQueue.restore(record.slice(10)) };
    case 'master': return { kind: 'master', ...common, slave: numberOf(a) };
    default: throw malformed('has an inode of unknown kind');
  }
}

/** The names of a directory before the guest's own: those of the image but the hidden ones. */
function restoredEntries(files: FileSystem, record: readonly Canonical[]): DirectoryEntries {
  const ino = numberOf(record[0]);
  if (files.image?.owns(ino) !== true) return new DirectoryEntries();
  const entries = new DirectoryEntries(files.image.entriesOf(ino));
  for (const name of arrayOf(record[14])) if (!entries.hide(textOf(name))) throw malformed('hides a name that the image does not have');
  return entries;
}

function restoredBase(files: FileSystem, record: readonly Canonical[]): { readonly base?: FileBase; readonly left?: BaseState } {
  const ino = numberOf(record[0]);
  if (files.image?.owns(ino) !== true) return {};
  const base = files.image.contentOf(ino);
  const left = { size: numberOf(record[14]), runs: arrayOf(record[15]).map(numberOf) };
  checkRuns(left.runs);
  if (left.size < 0 || left.size > base.size || (left.runs.at(-1) ?? 0) > Math.ceil(base.size / limits.PAGE_BYTES)) throw malformed('takes more from the image than it holds');
  return { base, left };
}

function restoreSocket(record: readonly Canonical[]): Socket {
  const [domain, type, owner, status, address, peer, peerAddress, shut, error, backlogMax, backlog, bytes, streamChanges, messages, options, changes, streamFiles, more] = record;
  const [isReadShut, isWriteShut, isEnded] = arrayOf(shut);
  // The words are those that Socket.state() writes: the section's hash was verified.
  const parts = { domain: textOf(domain) as SocketDomain, type: textOf(type) as SocketType, owner: numberOf(owner) };
  const socket = new Socket(parts, new Pipe(bytesOf(bytes), false, numberOf(streamChanges)), numberOf(changes));
  socket.status = textOf(status) as SocketStatus;
  socket.address = textOf(address);
  socket.peer = numberOf(peer);
  socket.peerAddress = textOf(peerAddress);
  socket.isReadShut = isReadShut === true;
  socket.isWriteShut = isWriteShut === true;
  socket.isEnded = isEnded === true;
  socket.error = numberOf(error);
  socket.backlogMax = numberOf(backlogMax);
  socket.backlog = arrayOf(backlog).map(numberOf);
  for (const item of arrayOf(messages)) {
    const [message, from, files, sender, facts] = arrayOf(item);
    socket.messages.push({ bytes: bytesOf(message), from: textOf(from), files: files === undefined ? [] : arrayOf(files).map(numberOf), sender: senderOf(sender), facts: factsOf(facts) });
    socket.messageBytes += bytesOf(message).length;
  }
  for (const item of arrayOf(options)) {
    const [name, value] = arrayOf(item);
    socket.options.set(numberOf(name), numberOf(value));
  }
  for (const item of streamFiles === undefined ? [] : arrayOf(streamFiles)) {
    const [start, end, files, sender] = arrayOf(item);
    socket.streamFiles.push({ start: numberOf(start), end: numberOf(end), files: arrayOf(files).map(numberOf), sender: senderOf(sender) });
  }
  if (more === undefined) return socket;
  const [groups, chosen] = arrayOf(more);
  socket.groups = arrayOf(groups).map(textOf);
  socket.chosen = numberOf(chosen);
  return socket;
}

function factsOf(state: Canonical | undefined): DatagramFacts | undefined {
  if (state === undefined) return undefined;
  const [to, hops, service] = arrayOf(state);
  return { to: textOf(to), hops: numberOf(hops), service: numberOf(service) };
}

function senderOf(state: Canonical | undefined): Sender | undefined {
  if (state === undefined || arrayOf(state).length === 0) return undefined;
  const [pid, uid, gid] = arrayOf(state).map(numberOf);
  if (pid === undefined || uid === undefined || gid === undefined) throw malformed('has a message whose sender is no three numbers');
  return { pid, uid, gid };
}

/** Ends that nobody has accepted yet are held by their listener, open files on their way by the socket that has the message, slaves by their masters. */
function holdBacklogs(files: FileSystem): void {
  for (const inode of files.inodes.values()) {
    if (inode.kind === 'master') {
      const slave = resolveReference(files, inode.slave);
      if (slave.kind !== 'terminal') throw malformed('has a master without its terminal');
      files.retain(slave);
    }
    if (inode.kind !== 'socket') continue;
    for (const ino of inode.socket.backlog) files.retain(resolveReference(files, ino));
    for (const id of inode.socket.filesOnTheirWay) {
      const openFile = files.openFiles.get(id);
      if (openFile === undefined) throw malformed('has a message with an open file that is not there');
      openFile.references++;
    }
  }
}

function checkContent(files: FileSystem, { size, runs }: { readonly size: number; readonly runs: readonly number[] }): void {
  const pages = checkRuns(runs);
  if (!Number.isSafeInteger(size) || size < 0 || size > limits.GUEST_FILE_BYTES_MAX || pages > files.pagesFree) throw malformed('has a file of unsound size');
}

/** Number of pages in the runs. */
function checkRuns(runs: readonly number[]): number {
  let pages = 0;
  for (let index = 0; index < runs.length; index += 2) {
    const [before, start, end] = [runs[index - 1] ?? -1, runs[index], runs[index + 1]];
    if (!Number.isSafeInteger(start) || !Number.isSafeInteger(end) || start! <= before || end! <= start!) throw malformed('has a file with unsound runs');
    pages += end! - start!;
  }
  return pages;
}

function restoreInterest(item: Canonical): [number, { openFile: number; events: number; data: bigint; armed: boolean; told: number }] {
  const [number, openFile, events, data, armed, told] = arrayOf(item);
  return [numberOf(number), { openFile: numberOf(openFile), events: numberOf(events), data: bigintOf(data), armed: armed === true, told: numberOf(told) }];
}

function restoreEntries(files: FileSystem, record: readonly Canonical[]): void {
  const inode = files.find(numberOf(record[0]));
  if (inode?.kind !== 'directory') return;
  const parent = files.find(numberOf(record[10]));
  if (parent?.kind !== 'directory') throw malformed('has a directory without parent');
  inode.parent = parent;
  if (inode.nlink === 0) files.retain(parent);
  for (const item of arrayOf(record[13])) {
    const [name, reference, cookie] = arrayOf(item);
    if (inode.entries.has(textOf(name))) throw malformed('has a name twice');
    inode.entries.set(textOf(name), { inode: resolveReference(files, reference ?? null), cookie: numberOf(cookie) });
  }
}

function loadPages(files: FileSystem, object: RestoredPages, isLazy: boolean): void {
  const match = /^file\/([0-9]+)$/.exec(object.name);
  if (match === null) return;
  const inode = files.find(Number(match[1]));
  if (inode?.kind !== 'file') throw malformed('has pages of a file that is not there');
  if (isLazy && object.source !== undefined) return inode.content.fillLater(object.source);
  for (const page of object.pages()) {
    if (!inode.content.hasPage(page.index)) throw malformed('has a page that its file does not have');
    inode.content.loadPage(page.index, page.bytes);
  }
}

function restoreOpenFile(files: FileSystem, record: readonly Canonical[]): void {
  const [id, reference, flags, offset, path, owned] = record;
  const openFile = new OpenFile({ id: numberOf(id), inode: resolveReference(files, reference ?? null), flags: numberOf(flags), path: textOf(path) });
  openFile.offset = numberOf(offset);
  if (owned !== undefined) {
    const [owner, uid, signal, number] = arrayOf(owned).map(numberOf) as [number, number, number, number]; // ownerState() writes four.
    openFile.owner = { owner, uid, signal, number };
  }
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
