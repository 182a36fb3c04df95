/**
 * The guest's file system: the inode table, the tree, the table of open files. In memory, in the checkpoint.
 * Invariants: inode and open-file numbers only grow, so a number names one thing for ever; an inode leaves the table (and gives its pages
 * back) with its last link and reference; the state is a function of the calls made, and restore(state()) continues identically.
 * What this does NOT do: path rules (walk.ts), rights (permission.ts), what a call may change (tree.ts), moving bytes (open-file-io.ts).
 */
import { assert, limits, markMap, type Undo } from '../../core/index.ts';
import type { ImageTree } from '../../image/index.ts';
import { ERRNO } from '../errno.ts';
import { OpenFile } from '../open-file.ts';
import type { ChannelSource, FileChannel } from './channel.ts';
import { FileContent, type PageSpace } from './content.ts';
import { S_IF } from './flags.ts';
import { closeEnd, openEnd } from './ends.ts';
import { DirectoryEntries, FIRST_COOKIE } from './directory-entries.ts';
import { ImageInodes } from './image-inodes.ts';
import { DEVICES, deviceNumber, type DeviceName, type DirectoryInode, type FileInode, type Inode, type MasterInode, type QueueInode, type SignalInode, type SocketInode, type SymlinkInode, type TerminalInode, type TimerInode, type VirtualInode, type WatchInode } from './inode.ts';
import { LockTable } from './locks.ts';
import { markInode } from './mark-inode.ts';
import { GUEST, type Credentials } from './permission.ts';
import { Pipe } from './pipe.ts';
import { PriorityQueue, type QueueLimits } from './priority-queue.ts';
import { Socket, type SocketParts } from './socket.ts';
import { NO_TASKS, type Tasks } from './tasks.ts';
import { tellFile, tellGone } from './tell.ts';
import { Terminal } from './terminal.ts';
import { IN, Watches } from './watches.ts';
import { ProcTree, type VirtualLinkProvider, type VirtualProvider } from './proc.ts';

/** Open files of the whole machine; far above what DESCRIPTORS_MAX lets one process hold. */
const OPEN_FILES_MAX = 65536;

/** What the file system needs of the machine around it. */
export interface FileSystemHost {
  /** Contents of all files together; FILES_BYTES_MAX when it is not said. */
  readonly filesBytesMax?: number | undefined;
  readonly clock: { now(): bigint };
  readonly channels: ChannelSource;
}

type Owner = { readonly credentials: Credentials; readonly mode: number };

export class FileSystem {
  readonly host: FileSystemHost;
  readonly proc = new ProcTree();
  readonly locks = new LockTable();
  /** The guest's own inodes, in the order of their numbers. */
  readonly inodes = new Map<number, Inode>();
  /** The image below, if there is one: its inodes have the numbers from 1. */
  readonly image: ImageInodes | undefined;
  /** Inodes in all, those of the image included. */
  inodeCount = 0;
  readonly openFiles = new Map<number, OpenFile>();
  /** Timers, signal files, inotify instances and sockets among the inodes, in the order of their numbers, and open files with O_ASYNC: derived. */
  readonly timers = new Set<TimerInode>();
  readonly signalFiles = new Set<SignalInode>();
  readonly watchers = new Set<WatchInode>();
  readonly sockets = new Set<SocketInode>();
  readonly listeners = new Set<OpenFile>();
  /** A mapped file has another size: the address spaces must look (Kernel.fitMappings). */
  hasResized = false;
  tasks: Tasks = NO_TASKS;
  root!: DirectoryInode;
  nextInode = 1;
  nextOpenFile = 1;
  #pagesUsed = 0;
  /** Transactions so far, and whether one is under way: then contents keep what they held. */
  #transactions = 0;
  #isMarked = false;
  readonly space: PageSpace & { transaction: number } = {
    transaction: 0,
    take: (pages) => {
      if (this.#pagesUsed + pages > this.pagesMax) return false;
      this.#pagesUsed += pages;
      return true;
    },
    give: (pages) => { this.#pagesUsed -= pages; },
    resized: () => { this.hasResized = true; },
  };

  /** An empty tree (only `/`, owned by the guest's user), or what an image holds. */
  constructor(host: FileSystemHost, options: { readonly image?: ImageTree | undefined; readonly isEmpty?: boolean } = {}) {
    this.host = host;
    if (options.image !== undefined) {
      this.image = new ImageInodes(options.image, this.space);
      this.inodeCount = options.image.count;
      this.nextInode = options.image.count + 1;
      this.root = this.image.get(1) as DirectoryInode; // Inode 0 of every image is a directory.
    } else if (options.isEmpty !== true) this.root = this.makeDirectory(undefined, '', { credentials: GUEST, mode: 0o755 });
  }

  get pagesMax(): number {
    return Math.floor((this.host.filesBytesMax ?? limits.FILES_BYTES_MAX) / limits.PAGE_BYTES);
  }

  get pagesFree(): number {
    return this.pagesMax - this.#pagesUsed;
  }

  now(): bigint {
    return this.host.clock.now();
  }

  channelOf(inode: { readonly channel: string }): FileChannel {
    const channel = this.host.channels.get(inode.channel);
    assert(channel !== undefined, 'a channel node names a declared channel');
    return channel;
  }

  /** A file of /proc whose bytes `provide` makes at each read. `[pid]` in the path stands for any process. */
  registerProvider(path: string, provide: VirtualProvider): void {
    this.proc.registerFile(path, provide);
  }

  /** A symbolic link of /proc (`/proc/[pid]/exe`). */
  registerLink(path: string, provide: VirtualLinkProvider): void {
    this.proc.registerLink(path, provide);
  }

  /** Whether one more inode fits. */
  get hasInodes(): boolean {
    return this.inodeCount < limits.INODES_MAX;
  }

  get hasOpenFiles(): boolean {
    return this.openFiles.size < OPEN_FILES_MAX;
  }

  /** The inode of a number that something refers to. */
  find(ino: number): Inode | undefined {
    return this.image?.owns(ino) === true ? this.image.get(ino) : this.inodes.get(ino);
  }

  /** Whether the inode is in the tables: it may be linked. */
  holds(inode: Inode): boolean {
    return this.inodes.has(inode.ino) || this.image?.made.has(inode.ino) === true;
  }

  isOfImage(inode: Inode): boolean {
    return this.image?.owns(inode.ino) === true;
  }

  /** Puts an inode into the tables, without counting it. */
  enlist(inode: Inode): void {
    this.inodes.set(inode.ino, inode);
    this.#list(inode);
  }

  #list(inode: Inode): void {
    if (inode.kind === 'timer') this.timers.add(inode);
    if (inode.kind === 'signal') this.signalFiles.add(inode);
    if (inode.kind === 'watch') this.watchers.add(inode);
    if (inode.kind === 'socket') this.sockets.add(inode);
  }

  // Making inodes. They have no name yet (directories excepted) and nlink 0 until attach().

  makeDirectory(parent: DirectoryInode | undefined, name: string, owner: Owner): DirectoryInode {
    const common = this.#common(S_IF.directory, owner);
    const inode = { kind: 'directory', ...common, entries: new DirectoryEntries(), name, nextCookie: FIRST_COOKIE } as unknown as DirectoryInode; // `parent` follows.
    inode.parent = parent ?? inode;
    inode.nlink = 2;
    this.#register(inode);
    if (parent !== undefined) {
      this.enter(parent, name, inode);
      parent.nlink++;
    }
    return inode;
  }

  makeFile(owner: Owner): FileInode {
    const common = this.#common(S_IF.file, owner);
    return this.#register({ kind: 'file', ...common, content: new FileContent(`file/${common.ino}`, this.space), seals: undefined, isLinkable: false });
  }

  makeSymlink(target: string, owner: Owner): SymlinkInode {
    return this.#register({ kind: 'symlink', ...this.#common(S_IF.symlink, { ...owner, mode: 0o777 }), target });
  }

  makeDevice(device: DeviceName, owner: Owner): Inode {
    return this.#register({ kind: 'device', ...this.#common(S_IF.character, owner), device, number: deviceNumber(DEVICES[device]) });
  }

  makeFifo(owner: Owner): Inode & { readonly kind: 'fifo' } {
    return this.#register({ kind: 'fifo', ...this.#common(S_IF.fifo, owner), pipe: new Pipe() });
  }

  makeSocket(parts: SocketParts, owner: Owner): SocketInode {
    return this.#register({ kind: 'socket', ...this.#common(S_IF.socket, owner), socket: new Socket(parts) });
  }

  makeChannel(name: string, type: number, owner: Owner): Inode {
    return this.#register({ kind: 'channel', ...this.#common(type, owner), channel: name });
  }

  makeEvent(counter: bigint, isSemaphore: boolean): Inode {
    return this.#register({ kind: 'event', ...this.#common(0, { credentials: GUEST, mode: 0o600 }), counter, isSemaphore, changes: 0 });
  }

  makeTimer(clock: number): TimerInode {
    return this.#register({ kind: 'timer', ...this.#common(0, { credentials: GUEST, mode: 0o600 }), clock, deadline: undefined, interval: 0n, ticks: 0n, changes: 0 });
  }

  makeSignal(mask: bigint): SignalInode {
    return this.#register({ kind: 'signal', ...this.#common(0, { credentials: GUEST, mode: 0o600 }), mask });
  }

  makeWatcher(): WatchInode {
    return this.#register({ kind: 'watch', ...this.#common(0, { credentials: GUEST, mode: 0o600 }), watches: new Watches() });
  }

  makeProcess(pid: number): Inode {
    return this.#register({ kind: 'process', ...this.#common(0, { credentials: GUEST, mode: 0o600 }), pid });
  }

  makeTerminal(number: number, owner: Owner): TerminalInode {
    return this.#register({ kind: 'terminal', ...this.#common(S_IF.character, owner), terminal: new Terminal(number) });
  }

  makeMaster(slave: number): MasterInode {
    return this.#register({ kind: 'master', ...this.#common(S_IF.character, { credentials: GUEST, mode: 0o666 }), slave });
  }

  makeQueue(queueLimits: QueueLimits, owner: Owner): QueueInode {
    return this.#register({ kind: 'queue', ...this.#common(S_IF.file, owner), queue: new PriorityQueue(owner.credentials.uid, queueLimits) });
  }

  makeEpoll(): Inode & { readonly kind: 'epoll' } {
    return this.#register({ kind: 'epoll', ...this.#common(0, { credentials: GUEST, mode: 0o600 }), interests: new Map() });
  }

  addProc(): void {
    const virtual = this.proc.node('/proc');
    assert(virtual !== undefined, '/proc is a virtual directory');
    this.enter(this.root, 'proc', virtual);
    this.root.nlink++;
  }

  // The tree.

  lookup(directory: DirectoryInode | VirtualInode, name: string): Inode | undefined {
    if (directory.kind === 'virtual') return this.proc.node(`${directory.path}/${name}`);
    return directory.entries.get(name)?.inode;
  }

  parentOf(directory: Inode): Inode {
    if (directory.kind === 'directory') return directory.parent;
    assert(directory.kind === 'virtual', 'only directories have a parent');
    const path = directory.path.slice(0, directory.path.lastIndexOf('/'));
    return path === '' ? this.root : this.proc.node(path) ?? this.root;
  }

  /** Where a symbolic link leads: text to walk, an inode, or -errno. Undefined when the inode is no link. */
  linkTarget(inode: Inode, pid: number): string | Inode | number | undefined {
    if (inode.kind === 'symlink') return inode.target;
    return inode.kind === 'virtual' ? this.proc.target(inode.path, pid) : undefined;
  }

  /** Adds a name without counting a link. */
  enter(directory: DirectoryInode, name: string, inode: Inode): void {
    directory.entries.set(name, { inode, cookie: directory.nextCookie++ });
  }

  /** Adds a name and a link. */
  attach(directory: DirectoryInode, name: string, inode: Inode): void {
    this.enter(directory, name, inode);
    inode.nlink++;
  }

  /** Absolute path of a directory, or undefined when it was removed. */
  pathOf(directory: Inode): string | undefined {
    if (directory.kind === 'virtual') return directory.path;
    if (directory.kind !== 'directory') return undefined;
    const names: string[] = [];
    for (let at = directory; at !== this.root; at = at.parent) {
      if (at.nlink === 0) return undefined;
      names.push(at.name);
    }
    return `/${names.reverse().join('/')}`;
  }

  /** Counts a user of the inode: it outlives its names until release(). */
  retain(inode: Inode): void {
    inode.references++;
  }

  release(inode: Inode): void {
    assert(inode.references > 0, 'an inode is released as often as it was retained');
    inode.references--;
    this.forgetIfUnused(inode);
  }

  /** Takes an inode without names and users out of the table. */
  forgetIfUnused(inode: Inode): void {
    if (inode.nlink > 0 || inode.references > 0 || !(this.inodes.delete(inode.ino) || this.image?.made.delete(inode.ino) === true)) return;
    this.inodeCount--;
    if (inode.kind === 'timer') this.timers.delete(inode);
    if (inode.kind === 'signal') this.signalFiles.delete(inode);
    if (inode.kind === 'watch') this.watchers.delete(inode);
    if (inode.kind === 'socket') this.sockets.delete(inode);
    tellGone(this, inode);
    if (inode.kind === 'file') inode.content.discard();
    if (inode.kind === 'directory') this.release(inode.parent); // A removed directory held its parent (tree.ts).
  }

  // Open files.

  /** A new open file with no holder yet: the caller retains it. */
  open(inode: Inode, flags: number, path: string): OpenFile {
    const openFile = new OpenFile({ id: this.nextOpenFile++, inode, flags, path });
    this.adopt(openFile);
    return openFile;
  }

  /** Enters an open file into the tables (open and restore). */
  adopt(openFile: OpenFile): void {
    this.openFiles.set(openFile.id, openFile);
    if (openFile.isAsynchronous) this.listeners.add(openFile);
    this.retain(openFile.inode);
    openEnd(openFile);
  }

  /** Drops one holder; the last one closes. */
  releaseOpenFile(openFile: OpenFile): void {
    assert(openFile.references > 0, 'an open file is released as often as it was retained');
    openFile.references--;
    if (openFile.references > 0) return;
    this.openFiles.delete(openFile.id);
    this.listeners.delete(openFile);
    if (!openFile.isPath) tellFile(this, openFile.canWrite ? IN.CLOSE_WRITE : IN.CLOSE_NOWRITE, openFile);
    this.locks.closeOpenFile(openFile.id);
    closeEnd(this, openFile);
    this.release(openFile.inode);
  }

  /** Open files that were on their way and that nobody receives. */
  releaseFiles(ids: readonly number[]): void {
    for (const id of ids) {
      const openFile = this.openFiles.get(id);
      if (openFile !== undefined) this.releaseOpenFile(openFile);
    }
  }

  /** Largest number of open files reached? Then ENFILE. */
  checkOpenFiles(): number {
    return this.hasOpenFiles ? 0 : -ERRNO.ENFILE;
  }

  /** The way back for all of it. */
  mark(): Undo {
    if (!this.#isMarked) this.space.transaction = ++this.#transactions;
    this.#isMarked = true;
    const { inodeCount, root, nextInode, nextOpenFile } = this;
    const pagesUsed = this.#pagesUsed;
    const tables = [markMap(this.inodes), markMap(this.openFiles), this.locks.mark(), ...(this.image === undefined ? [] : [markMap(this.image.made)])];
    const parts: Undo[] = [];
    for (const inode of this.inodes.values()) parts.push(markInode(inode));
    for (const inode of this.image?.made.values() ?? []) parts.push(markInode(inode));
    for (const openFile of this.openFiles.values()) parts.push(openFile.mark());
    return () => {
      for (const undo of tables) undo();
      for (const undo of parts) undo();
      this.inodeCount = inodeCount;
      this.root = root;
      this.nextInode = nextInode;
      this.nextOpenFile = nextOpenFile;
      for (const derived of [this.timers, this.signalFiles, this.watchers, this.sockets, this.listeners]) derived.clear();
      for (const inode of this.inodes.values()) this.#list(inode);
      for (const openFile of this.openFiles.values()) if (openFile.isAsynchronous) this.listeners.add(openFile);
      this.#pagesUsed = pagesUsed;
    };
  }

  /** Contents of all files that are objects. */
  *contents(): Generator<FileContent> {
    for (const inode of this.inodes.values()) if (inode.kind === 'file') yield inode.content;
    for (const inode of this.image?.made.values() ?? []) if (inode.kind === 'file') yield inode.content;
  }

  /** The transaction is over: nothing is undone any more. */
  releaseMarks(): void {
    this.#isMarked = false;
    this.space.transaction = 0;
  }

  #common(type: number, owner: Owner) {
    const now = this.now();
    return {
      ino: this.nextInode++, mode: type | owner.mode, uid: owner.credentials.uid, gid: owner.credentials.gid,
      nlink: 0, atime: now, mtime: now, ctime: now, btime: now, references: 0,
    };
  }

  #register<Made extends Inode>(inode: Made): Made {
    this.enlist(inode);
    this.inodeCount++;
    return inode;
  }
}
