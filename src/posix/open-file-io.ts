/**
 * Bytes in and out of an open file, whatever it is open on. Positions are bytes; a call without a position uses and moves the shared offset.
 * Invariants: an answer BLOCKED or -errno means that nothing changed; no more than `length` bytes are taken.
 * What this does NOT do: guest memory (calls/file-transfer.ts), signals.
 */
import { limits } from '../core/index.ts';
import { BLOCKED } from './call.ts';
import { ERRNO } from './errno.ts';
import type { FileContext } from './file-context.ts';
import type { FileSystem } from './files/file-system.ts';
import { isAnonymous, type ChannelInode, type EventInode, type FifoInode, type FileInode, type Inode, type SignalInode, type SocketInode, type TimerInode, type WatchInode } from './files/inode.ts';
import { dropPrivileges } from './files/open.ts';
import { PIPE_ATOMIC_BYTES } from './files/pipe.ts';
import { queueText } from './files/queues.ts';
import type { OpenFile } from './open-file.ts';
import { encodeSignalfdInfo, SIGNALFD_BYTES } from './signal-frame.ts';
import { receive, send } from './socket-io.ts';
import { readMaster, readSlave, writeMaster, writeSlave } from './terminal-io.ts';

/** What moving bytes needs of the kernel. A channel that answers 'blocked' remembers by itself what it waits for. */
export interface FileHost {
  /** Undefined: the host must supply randomness first. */
  take(length: number): Uint8Array | undefined;
}

/** Where a transfer happens. */
export interface Transfer { readonly files: FileSystem; readonly context: FileContext; readonly host: FileHost; readonly openFile: OpenFile; readonly position: number | undefined; /** No file grows beyond; undefined: as far as any file may. */ readonly fileBytesMax: number | undefined; /** A terminal's reader has waited as long as VTIME says. */ readonly isLate?: boolean }

const EMPTY = new Uint8Array(0);
const DAY = 86_400_000_000_000n;
/** A device read fills at most this much at once, so that a huge request costs no huge buffer. Linux may stop short too. */
const DEVICE_CHUNK_BYTES = 1 << 20;
const EVENT_MAX = 0xffff_ffff_ffff_fffen;

/** Whether offsets mean something: pread, pwrite and lseek work. */
export function isSeekable(files: FileSystem, inode: Inode): boolean {
  if (inode.kind === 'channel') return files.channelOf(inode).spec.access !== 'sequential';
  return inode.kind !== 'fifo' && inode.kind !== 'socket' && inode.kind !== 'terminal' && inode.kind !== 'master' && !isAnonymous(inode);
}

/** Reads up to `length` (at least 1) bytes: the bytes (empty at the end), -errno, or BLOCKED. */
export function readOpenFile(at: Transfer, length: number): Uint8Array | number | typeof BLOCKED {
  const { inode } = at.openFile;
  switch (inode.kind) {
    case 'file': return readFile(at, inode, length);
    case 'fifo': return readPipe(at, inode, length);
    case 'socket': return readSocket(at, inode, length);
    case 'channel': return readChannel(at, inode, length);
    case 'event': return readEvent(at, inode, length);
    case 'virtual': {
      const position = at.position ?? at.openFile.offset;
      return advanceRead(at, at.files.proc.read(inode.path).slice(position, position + length));
    }
    case 'queue': {
      const position = at.position ?? at.openFile.offset;
      return advanceRead(at, bytesOfText(queueText(inode.queue)).subarray(position, position + length));
    }
    case 'device': return readDevice(at, inode.device, Math.min(length, DEVICE_CHUNK_BYTES));
    case 'directory': return -ERRNO.EISDIR;
    case 'timer': return readTimer(at, inode, length);
    case 'signal': return readSignals(at, inode, length);
    case 'watch': return readWatches(at, inode, length);
    case 'terminal': return readSlave(inode, at.openFile, { length, isLate: at.isLate === true });
    case 'master': return readMaster(at.files, at.openFile, { inode, length });
    case 'process':
    case 'epoll':
    case 'symlink': return -ERRNO.EINVAL;
  }
}

function bytesOfText(text: string): Uint8Array {
  return Uint8Array.from(text, (char) => char.charCodeAt(0));
}

function advanceRead(at: Transfer, bytes: Uint8Array): Uint8Array {
  if (at.position === undefined) at.openFile.offset += bytes.length;
  return bytes;
}

function readFile(at: Transfer, inode: FileInode, length: number): Uint8Array {
  touchAccess(at.files, inode);
  return advanceRead(at, inode.content.readAt(at.position ?? at.openFile.offset, length));
}

/** The same straight into memory: `target` gives so many bytes of it. The content is here. */
export function readFileInto(at: Transfer, inode: FileInode, length: number, target: (count: number) => Uint8Array): number {
  touchAccess(at.files, inode);
  const from = at.position ?? at.openFile.offset;
  const count = Math.max(0, Math.min(inode.content.size - from, length));
  if (count > 0) inode.content.readInto(from, target(count));
  if (at.position === undefined) at.openFile.offset += count;
  return count;
}

/** Access time as with relatime: only when it would not lie behind the last change, or is a day old. Files of an image keep theirs. */
export function touchAccess(files: FileSystem, inode: Inode): void {
  if (files.isOfImage(inode)) return;
  const now = files.now();
  if (inode.kind !== 'virtual' && (inode.atime <= inode.mtime || inode.atime <= inode.ctime || now - inode.atime >= DAY)) inode.atime = now;
}

function readPipe({ openFile }: Transfer, { pipe }: FifoInode, length: number): Uint8Array | number | typeof BLOCKED {
  if (pipe.length > 0) return pipe.shift(length);
  if (pipe.writers === 0) return EMPTY;
  return openFile.isNonblocking ? -ERRNO.EAGAIN : BLOCKED;
}

function readSocket({ openFile, files }: Transfer, { socket }: SocketInode, length: number): Uint8Array | number | typeof BLOCKED {
  const answer = receive(socket, { length, isPeek: false, isNonblocking: openFile.isNonblocking });
  if (answer === BLOCKED || typeof answer === 'number') return answer;
  files.releaseFiles(answer.files); // A plain read has nowhere to put them.
  return answer.bytes;
}

function readChannel(at: Transfer, inode: ChannelInode, length: number): Uint8Array | number | typeof BLOCKED {
  const channel = at.files.channelOf(inode);
  if (!channel.spec.reads) return -ERRNO.EBADF;
  const isSequential = channel.spec.access === 'sequential';
  const bytes = isSequential ? channel.read(length) : channel.readAt(at.position ?? at.openFile.offset, length);
  if (bytes === 'quota') return -ERRNO.EDQUOT;
  if (bytes === 'blocked') return BLOCKED;
  return isSequential ? bytes : advanceRead(at, bytes);
}

function readEvent({ openFile }: Transfer, inode: EventInode, length: number): Uint8Array | number | typeof BLOCKED {
  if (length < 8) return -ERRNO.EINVAL;
  if (inode.counter === 0n) return openFile.isNonblocking ? -ERRNO.EAGAIN : BLOCKED;
  const out = new Uint8Array(8);
  for (let at = 0, rest = inode.isSemaphore ? 1n : inode.counter; rest > 0n; at++, rest >>= 8n) out[at] = Number(rest & 0xffn);
  inode.counter = inode.isSemaphore ? inode.counter - 1n : 0n;
  inode.changes++;
  return out;
}

function readTimer({ openFile }: Transfer, inode: TimerInode, length: number): Uint8Array | number | typeof BLOCKED {
  if (length < 8) return -ERRNO.EINVAL;
  if (inode.ticks === 0n) return openFile.isNonblocking ? -ERRNO.EAGAIN : BLOCKED;
  const out = new DataView(new ArrayBuffer(8));
  out.setBigUint64(0, inode.ticks, true);
  inode.ticks = 0n;
  inode.changes++;
  return new Uint8Array(out.buffer);
}

/** struct signalfd_siginfo of as many signals as fit. */
function readSignals({ openFile, files }: Transfer, inode: SignalInode, length: number): Uint8Array | number | typeof BLOCKED {
  if (length < SIGNALFD_BYTES) return -ERRNO.EINVAL;
  const infos: Uint8Array[] = [];
  while ((infos.length + 1) * SIGNALFD_BYTES <= length) {
    const info = files.tasks.takeSignal(inode.mask);
    if (info === undefined) break;
    infos.push(encodeSignalfdInfo(info));
  }
  if (infos.length === 0) return openFile.isNonblocking ? -ERRNO.EAGAIN : BLOCKED;
  const out = new Uint8Array(infos.length * SIGNALFD_BYTES);
  infos.forEach((info, index) => out.set(info, index * SIGNALFD_BYTES));
  return out;
}

/** Whole events only. */
function readWatches({ openFile }: Transfer, { watches }: WatchInode, length: number): Uint8Array | number | typeof BLOCKED {
  if (watches.events.length === 0) return openFile.isNonblocking ? -ERRNO.EAGAIN : BLOCKED;
  return watches.take(length) ?? -ERRNO.EINVAL;
}

function readDevice(at: Transfer, device: string, length: number): Uint8Array | number | typeof BLOCKED {
  switch (device) {
    case 'null': return EMPTY;
    case 'zero':
    case 'full': return new Uint8Array(length);
    case 'random':
    case 'urandom': return at.host.take(length) ?? BLOCKED;
    default: return -ERRNO.EIO;
  }
}

/** Writes `bytes` (at least one): how many were taken, -errno, or BLOCKED. -EPIPE asks the caller for SIGPIPE, -EFBIG for SIGXFSZ. */
export function writeOpenFile(at: Transfer, bytes: Uint8Array): number | typeof BLOCKED {
  const { inode } = at.openFile;
  switch (inode.kind) {
    case 'file': return writeFile(at, inode, bytes);
    case 'fifo': return writePipe(at, inode, bytes);
    case 'socket': return send(at.context, inode, { bytes, to: undefined, isNonblocking: at.openFile.isNonblocking });
    case 'channel': return writeChannel(at, inode, bytes);
    case 'event': return writeEvent(at, inode, bytes);
    case 'device': return inode.device === 'full' ? -ERRNO.ENOSPC : bytes.length;
    case 'virtual': return at.files.proc.write(inode.path, bytes);
    case 'directory': return -ERRNO.EISDIR;
    case 'terminal': return writeSlave(inode, at.openFile, bytes);
    case 'master': return writeMaster(at.files, at.openFile, { inode, bytes });
    case 'queue':
    case 'timer':
    case 'signal':
    case 'process':
    case 'epoll':
    case 'symlink': return -ERRNO.EINVAL;
    case 'watch': return -ERRNO.EBADF;
  }
}

function writeFile(at: Transfer, inode: FileInode, bytes: Uint8Array): number {
  const { openFile, files } = at;
  const position = openFile.isAppending ? inode.content.size : at.position ?? openFile.offset;
  const max = Math.min(limits.GUEST_FILE_BYTES_MAX, at.fileBytesMax ?? limits.GUEST_FILE_BYTES_MAX);
  if (position >= max) return -ERRNO.EFBIG;
  const sealed = checkSeals(inode, position + bytes.length);
  if (sealed < 0) return sealed;
  const done = inode.content.writeAt(position, bytes.subarray(0, max - position));
  if (done === 0) return -ERRNO.ENOSPC;
  if (at.position === undefined) openFile.offset = position + done;
  inode.mtime = inode.ctime = files.now();
  dropPrivileges(inode, at.context.credentials);
  return done;
}

/** F_SEAL_* of memfd files. */
export const SEAL = { SEAL: 1, SHRINK: 2, GROW: 4, WRITE: 8, FUTURE_WRITE: 16 } as const;

/** 0 when the seals allow a write that ends at `end`. */
export function checkSeals(inode: FileInode, end: number): number {
  const seals = inode.seals ?? 0;
  if ((seals & (SEAL.WRITE | SEAL.FUTURE_WRITE)) !== 0) return -ERRNO.EPERM;
  return (seals & SEAL.GROW) !== 0 && end > inode.content.size ? -ERRNO.EPERM : 0;
}

function writePipe({ openFile }: Transfer, { pipe }: FifoInode, bytes: Uint8Array): number | typeof BLOCKED {
  if (pipe.readers === 0) return -ERRNO.EPIPE;
  // A blocked write has no effect: a large one waits for an empty pipe and goes in whole.
  if (bytes.length <= pipe.room || (pipe.length === 0 && !openFile.isNonblocking)) {
    pipe.push(bytes);
    return bytes.length;
  }
  if (!openFile.isNonblocking) return BLOCKED;
  if (bytes.length <= PIPE_ATOMIC_BYTES || pipe.room === 0) return -ERRNO.EAGAIN;
  const taken = pipe.room;
  pipe.push(bytes.subarray(0, taken));
  return taken;
}

function writeChannel(at: Transfer, inode: ChannelInode, bytes: Uint8Array): number | typeof BLOCKED {
  const channel = at.files.channelOf(inode);
  if (!channel.spec.writes) return -ERRNO.EBADF;
  const isRandom = channel.spec.access === 'random';
  const position = at.openFile.isAppending ? channel.size : at.position ?? at.openFile.offset;
  if (isRandom && position >= Math.max(limits.FILE_BYTES_MAX, channel.size)) return -ERRNO.EFBIG;
  const taken = isRandom ? channel.writeAt(position, bytes) : channel.write(bytes);
  if (taken === 'quota') return -ERRNO.EDQUOT;
  if (taken === 'blocked') return BLOCKED;
  if (at.position === undefined && channel.spec.access !== 'sequential') at.openFile.offset = isRandom ? position + taken : channel.size;
  return taken;
}

function writeEvent({ openFile }: Transfer, inode: EventInode, bytes: Uint8Array): number | typeof BLOCKED {
  if (bytes.length < 8) return -ERRNO.EINVAL;
  const value = new DataView(bytes.buffer, bytes.byteOffset, 8).getBigUint64(0, true);
  if (value > EVENT_MAX) return -ERRNO.EINVAL;
  if (inode.counter + value > EVENT_MAX) return openFile.isNonblocking ? -ERRNO.EAGAIN : BLOCKED;
  inode.counter += value;
  inode.changes++;
  return 8;
}
