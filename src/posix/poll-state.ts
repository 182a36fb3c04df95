/**
 * What poll, select and epoll say about an open file: POLL bits that hold now. A live channel without input is not "not ready": the world
 * is given the time to answer, so the caller waits for it whatever the time-out (docs/quirks.md).
 */
import type { FileChannel } from './files/channel.ts';
import type { FileSystem } from './files/file-system.ts';
import { POLL, S_IF } from './files/flags.ts';
import type { EpollInode, EpollInterest, FifoInode, SocketInode, TerminalInode } from './files/inode.ts';
import { KEPT, urgentMark } from './files/urgent.ts';
import type { OpenFile } from './open-file.ts';
import { peerOf } from './socket-io.ts';
import { slaveOf } from './terminal-io.ts';

export interface Readiness {
  /** POLL bits, not yet masked by what was asked for. */
  readonly events: number;
  /** Live input that may still come. */
  readonly awaits: FileChannel | undefined;
}

/** What one registration of an epoll has to tell. */
export interface News extends Readiness {
  /** What the registration remembers as told when this is told. */
  readonly changes: number | undefined;
}

const EPOLLET = 0x8000_0000;
/** FNV-1a's prime. */
const MIXER = 0x0100_0193;

/** A number that differs after every change a poller may care about; undefined where there is none to be had (every look is news). */
export function changeCount(files: FileSystem, openFile: OpenFile, depth: number): number | undefined {
  const { inode } = openFile;
  if (inode.kind === 'epoll') return changesWithin(files, inode, depth);
  if (inode.kind === 'fifo') return openFile.canRead && openFile.canWrite ? inode.pipe.changes : openFile.canRead ? inode.pipe.filled : inode.pipe.drained;
  if (inode.kind === 'socket') return inode.socket.changes + (peerOf(files, inode.socket)?.roomChanges ?? 0);
  if (inode.kind === 'terminal') return inode.terminal.changes;
  if (inode.kind === 'master') return slaveOf(files, inode).terminal.changes;
  if (inode.kind === 'watch') return inode.watches.changes;
  if (inode.kind === 'queue') return inode.queue.changes;
  if (inode.kind === 'process') return Number(files.tasks.isOver(inode.pid)) + Number(files.tasks.isReaped(inode.pid));
  if (inode.kind === 'device' || inode.kind === 'virtual') return 0; // Always ready: news once.
  return inode.kind === 'event' || inode.kind === 'timer' ? inode.changes : undefined;
}

/** Files of a process, whose readers cannot wait; those of mounts and of its network can. */
const OF_PROCESS = /^\/proc\/[0-9]+\/(?!(?:task\/[0-9]+\/)?(?:mountinfo|mounts|mountstats|net\/.*)$)/;

/** Whether an epoll takes it: Linux refuses files that have no way to wait (EPERM). */
export function isPollable({ inode }: OpenFile): boolean {
  switch (inode.kind) {
    case 'file':
    case 'directory': return false;
    case 'device': return inode.device !== 'null' && inode.device !== 'zero' && inode.device !== 'full' && inode.device !== 'urandom';
    case 'virtual': return (inode.mode & S_IF.mask) !== S_IF.directory && !OF_PROCESS.test(inode.path);
    default: return true;
  }
}

/** All that is registered, mixed into one number: a sum could come back to what it was when a registration goes. */
function changesWithin(files: FileSystem, { interests }: EpollInode, depth: number): number | undefined {
  let mixed = 0;
  for (const { openFile: id } of interests.values()) {
    const target = files.openFiles.get(id);
    if (target === undefined || depth >= NESTING_MAX) continue;
    const changes = changeCount(files, target, depth + 1);
    if (changes === undefined) return undefined;
    mixed = Math.imul(Math.imul(mixed ^ id, MIXER) ^ changes, MIXER);
  }
  return mixed >>> 0;
}

/** What a registration has to tell now: no events where an edge was told and nothing changed. Undefined: its file is gone, or it does not look. */
export function newsOf(files: FileSystem, interest: EpollInterest, depth = 0): News | undefined {
  const openFile = files.openFiles.get(interest.openFile);
  if (openFile === undefined || !interest.armed) return undefined;
  const { events, awaits } = readiness(files, openFile, depth);
  const changes = changeCount(files, openFile, depth);
  const isOld = (interest.events & EPOLLET) !== 0 && changes !== undefined && changes === interest.told;
  return { events: isOld ? 0 : events & (interest.events | POLL.ERR | POLL.HUP), awaits, changes };
}

const READABLE = POLL.IN | POLL.RDNORM;
const WRITABLE = POLL.OUT | POLL.WRNORM;
const EVENT_FULL = 0xffff_ffff_ffff_fffen;
/** An epoll inside an epoll inside ...: Linux allows five. */
const NESTING_MAX = 5;

export function readiness(files: FileSystem, openFile: OpenFile, depth = 0): Readiness {
  const { inode } = openFile;
  switch (inode.kind) {
    case 'socket': return { events: socketEvents(files, inode), awaits: undefined };
    case 'fifo': return { events: pipeEvents(openFile, inode), awaits: undefined };
    case 'channel': return channelReadiness(files.channelOf(inode), openFile);
    case 'event': {
      const events = (inode.counter > 0n ? READABLE : 0) | (inode.counter < EVENT_FULL ? WRITABLE : 0);
      return { events, awaits: undefined };
    }
    case 'epoll': {
      const isReady = depth < NESTING_MAX && [...inode.interests.values()].some((interest) => (newsOf(files, interest, depth + 1)?.events ?? 0) !== 0);
      return { events: isReady ? READABLE : 0, awaits: undefined };
    }
    case 'timer': return { events: inode.ticks > 0n ? READABLE : 0, awaits: undefined };
    case 'signal': return { events: (files.tasks.pendingSignals() & inode.mask) !== 0n ? READABLE : 0, awaits: undefined };
    case 'process': return { events: (files.tasks.isOver(inode.pid) ? READABLE : 0) | (files.tasks.isReaped(inode.pid) ? POLL.HUP : 0), awaits: undefined };
    case 'watch': return { events: inode.watches.events.length > 0 ? READABLE : 0, awaits: undefined };
    case 'queue': return { events: (inode.queue.messages.length > 0 ? READABLE : 0) | (inode.queue.isFull ? 0 : WRITABLE), awaits: undefined };
    case 'terminal': return { events: slaveEvents(inode), awaits: undefined };
    case 'master': return { events: masterEvents(slaveOf(files, inode)), awaits: undefined };
    case 'file':
    case 'directory':
    case 'device':
    case 'symlink':
    case 'virtual': return { events: READABLE | WRITABLE, awaits: undefined };
  }
}

function slaveEvents({ terminal }: TerminalInode): number {
  if (terminal.isHungUp) return READABLE | WRITABLE | POLL.HUP | POLL.ERR;
  return (terminal.isReadable ? READABLE : 0) | (terminal.output.room > 0 && !terminal.isStopped ? WRITABLE : 0);
}

function masterEvents({ terminal }: TerminalInode): number {
  const hasEnded = terminal.hadSlave && terminal.slaves === 0;
  const status = terminal.packetStatus === 0 ? 0 : READABLE | POLL.PRI;
  return status | (terminal.output.length > 0 ? READABLE : 0) | (terminal.inputRoom > 0 ? WRITABLE : 0) | (hasEnded ? POLL.HUP : 0);
}

function pipeEvents(openFile: OpenFile, { pipe }: FifoInode): number {
  let events = 0;
  if (openFile.canRead) {
    if (pipe.length > 0) events |= READABLE;
    if (pipe.writers === 0 && pipe.hadWriter) events |= POLL.HUP;
  }
  if (openFile.canWrite) {
    if (pipe.room > 0) events |= WRITABLE;
    if (pipe.readers === 0) events |= POLL.ERR;
  }
  return events;
}

function socketEvents(files: FileSystem, { socket }: SocketInode): number {
  const peer = peerOf(files, socket);
  const isStream = socket.type !== 'datagram';
  let events = socket.error === 0 ? 0 : POLL.ERR;
  const mark = urgentMark(socket.options);
  if (mark !== undefined && !mark.isFetched) events |= POLL.PRI;
  if ((socket.domain === 'unix' ? socket.hasInput : socket.readableLength > 0 || socket.messages.length > 0) || (isStream && socket.error !== 0) || socket.backlog.length > 0 || socket.isEnded || socket.isReadShut) events |= READABLE;
  if (socket.isEnded || socket.isReadShut) events |= POLL.RDHUP;
  if (socket.status === 'new' && socket.options.has(KEPT.CONNECTING)) events |= READABLE | POLL.RDHUP; // It was refused.
  if (isStream && (socket.status === 'new' || (socket.isEnded && (socket.isWriteShut || (socket.domain === 'unix' && (peer === undefined || peer.isReadShut)))))) events |= POLL.HUP;
  if (socket.isReadShut && socket.isWriteShut) events |= POLL.HUP;
  if (socket.status === 'listening') return events;
  const hasRoom = !isStream || peer === undefined || (socket.type === 'stream' ? peer.stream.room > 0 : peer.hasRoom(1));
  return hasRoom ? events | WRITABLE | (socket.domain === 'unix' || socket.type === 'datagram' ? POLL.WRBAND : 0) : events;
}

function channelReadiness(channel: FileChannel, openFile: OpenFile): Readiness {
  const isReadable = openFile.canRead && channel.spec.reads && channel.canRead();
  const isWritable = openFile.canWrite && channel.spec.writes;
  const mayCome = openFile.canRead && channel.spec.reads && !isReadable;
  return { events: (isReadable ? READABLE : 0) | (isWritable ? WRITABLE : 0), awaits: mayCome ? channel : undefined };
}
