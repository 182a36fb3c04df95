/**
 * Calls that move bytes: read, write, their positioned and vectored forms, sendfile, copy_file_range.
 * Partial transfers as on Linux: bytes up to the first unreachable page move, EFAULT comes only when none can.
 */
import { limits } from '../../core/index.ts';
import { BLOCKED, type Call, type CallResult } from '../call.ts';
import { ERRNO } from '../errno.ts';
import { isSeekable, readFileInto, readOpenFile, touchAccess, writeOpenFile, type Transfer } from '../open-file-io.ts';
import type { TerminalInode } from '../files/inode.ts';
import { PIPE_ATOMIC_BYTES, type Pipe } from '../files/pipe.ts';
import { tellFile } from '../files/tell.ts';
import { IN } from '../files/watches.ts';
import type { OpenFile } from '../open-file.ts';
import { fileSizeLimit } from '../resource-limits.ts';
import { SIGNAL } from '../signal-actions.ts';
import {
  bufferArgument, gather, openFileArgument, reachableLength, scatter, totalLength, vectorArgument, type FileCall, type Segment,
} from './file-arguments.ts';
import { waitOnSocket } from './socket-arguments.ts';
import { checkForeground, checkWriter } from './terminal.ts';

const TENTH = 100_000_000n;
/** Bytes that sendfile and copy_file_range hold at once. */
const COPY_BYTES = 1 << 20;
const ANY_BYTE = new Uint8Array(1);
/** What gives whole records: no bytes are too few for one. */
const WHOLE_RECORDS: ReadonlySet<string> = new Set(['event', 'timer', 'signal']);
/** Offsets of files are below this. */
const OFFSET_END = 2 ** 63;
const RWF_KNOWN = 0x1f; // HIPRI DSYNC SYNC NOWAIT APPEND.
const RWF_APPEND = 0x10;

export function transferOf(call: Call, openFile: OpenFile, position: number | undefined): Transfer {
  return { files: call.kernel.files, context: call.process.files, host: call.kernel.entropy, openFile, position, fileBytesMax: fileSizeLimit(call.process) };
}

/** A refusal as the caller sees it, with the signal that goes with it. */
export function refusal(call: Call, answer: number): number {
  if (answer === -ERRNO.EPIPE) call.kernel.raise(call.thread, SIGNAL.PIPE);
  return answer === -ERRNO.EFBIG ? tooLong(call) : answer;
}

/** EFBIG, with SIGXFSZ where the process has set itself a limit. */
export function tooLong(call: Call): number {
  if (fileSizeLimit(call.process) !== undefined) call.kernel.raise(call.thread, SIGNAL.XFSZ);
  return -ERRNO.EFBIG;
}

/** Whether a read gives the end without touching the buffer, so that a bad one does not matter. */
function isAtEnd({ files, openFile, position }: Transfer): boolean {
  const { inode } = openFile;
  if (inode.kind === 'file') return (position ?? openFile.offset) >= inode.content.size;
  if (inode.kind === 'fifo') return inode.pipe.length === 0;
  if (inode.kind === 'socket') return !inode.socket.hasInput;
  if (inode.kind === 'channel') return files.channelOf(inode).spec.access !== 'sequential' && (position ?? openFile.offset) >= files.channelOf(inode).size;
  return inode.kind === 'device' && inode.device === 'null';
}

function readInto(call: Call, at: Transfer, segments: readonly Segment[]): CallResult {
  const { openFile } = at;
  if (!openFile.canRead) return -ERRNO.EBADF;
  if (openFile.inode.kind === 'directory') return -ERRNO.EISDIR;
  if (openFile.inode.kind === 'channel' && !at.files.channelOf(openFile.inode).spec.reads) return -ERRNO.EBADF;
  const total = totalLength(segments);
  if (total === 0) return WHOLE_RECORDS.has(openFile.inode.kind) ? -ERRNO.EINVAL : 0;
  const reach = reachableLength(call, segments, 'write');
  if (reach === 0 && !isAtEnd(at)) return -ERRNO.EFAULT;
  if (openFile.inode.kind === 'terminal') return readTerminal(call, { at, inode: openFile.inode }, { segments, reach });
  const [only] = segments;
  if (openFile.inode.kind === 'file' && segments.length === 1 && reach > 0 && openFile.inode.content.isHere) {
    const count = readFileInto(at, openFile.inode, reach, (length) => call.memory.writable(only!.address, length)!); // It can be reached.
    if (count > 0) tellFile(at.files, IN.ACCESS, openFile);
    return count;
  }
  const bytes = readOpenFile(at, Math.max(1, reach));
  if (bytes === BLOCKED || typeof bytes === 'number') return openFile.inode.kind === 'socket' ? waitOnSocket(call, openFile.inode.socket, { direction: 'receive', answer: bytes }) : bytes;
  scatter(call, segments, bytes);
  if (bytes.length > 0) tellFile(at.files, IN.ACCESS, openFile);
  return bytes.length;
}

/** A background process does not read; a read with VTIME waits so long. */
function readTerminal(call: Call, from: { readonly at: Transfer; readonly inode: TerminalInode }, to: { readonly segments: readonly Segment[]; readonly reach: number }): CallResult {
  const answer = checkForeground(call, from.inode, SIGNAL.TTIN);
  if (answer !== 0) return answer;
  const { thread, kernel: { clock: { hidden } } } = call;
  const bytes = readOpenFile({ ...from.at, isLate: thread.retryDeadline !== undefined && hidden >= thread.retryDeadline }, Math.max(1, to.reach));
  const { giveUpTenths } = from.inode.terminal;
  if (bytes === BLOCKED && giveUpTenths > 0) thread.retryDeadline ??= hidden + BigInt(giveUpTenths) * TENTH;
  if (bytes === BLOCKED || typeof bytes === 'number') return bytes;
  scatter(call, to.segments, bytes);
  return bytes.length;
}

function writeFrom(call: Call, at: Transfer, segments: readonly Segment[]): CallResult {
  const { openFile } = at;
  if (!openFile.canWrite) return -ERRNO.EBADF;
  if (openFile.inode.kind === 'channel' && !at.files.channelOf(openFile.inode).spec.writes) return -ERRNO.EBADF;
  const total = totalLength(segments);
  if (openFile.inode.kind === 'device' && openFile.inode.device !== 'full') return total; // The bytes are not looked at.
  if (total === 0 && openFile.inode.kind !== 'socket') return openFile.inode.kind === 'event' ? -ERRNO.EINVAL : 0; // Sockets send messages without bytes.
  const reach = wholeChunks(openFile, { reach: reachableLength(call, segments, 'read'), total });
  if (reach === 0 && total > 0 && openFile.inode.kind !== 'device') {
    // A pipe looks at its ends and its room before it looks at the buffer.
    const isPipeReady = openFile.inode.kind !== 'fifo' || (openFile.inode.pipe.readers > 0 && openFile.inode.pipe.room > 0);
    if (isPipeReady) return -ERRNO.EFAULT;
  }
  if (openFile.inode.kind === 'terminal') {
    const refused = checkWriter(call, openFile.inode);
    if (refused !== 0) return refused;
  }
  const bytes = reach === 0 && total > 0 ? ANY_BYTE : gather(call, segments, reach);
  const answer = openFile.inode.kind === 'fifo' && !openFile.isNonblocking ? writeWaiting(call, openFile.inode.pipe, bytes) : writeOpenFile(at, bytes);
  if (answer !== BLOCKED && answer < 0) refusal(call, answer);
  if (answer !== BLOCKED && answer > 0) tellFile(at.files, IN.MODIFY, openFile);
  return openFile.inode.kind === 'socket' ? waitOnSocket(call, openFile.inode.socket, { direction: 'send', answer }) : answer;
}

/**
 * A write to a pipe that waits for room: what fits goes in at once, the rest as there is room (Thread.moved), but a small write goes in whole. A signal or the
 * end of the last reader ends it with what has gone in.
 */
function writeWaiting(call: Call, pipe: Pipe, bytes: Uint8Array): number | typeof BLOCKED {
  const { kernel, thread } = call;
  if (pipe.readers === 0) {
    if (thread.moved > 0) kernel.raise(thread, SIGNAL.PIPE);
    return thread.moved > 0 ? thread.moved : -ERRNO.EPIPE;
  }
  const rest = bytes.subarray(thread.moved);
  const room = bytes.length <= PIPE_ATOMIC_BYTES && pipe.room < bytes.length ? 0 : Math.min(pipe.room, rest.length);
  if (room === rest.length) {
    pipe.push(rest);
    return bytes.length;
  }
  if (room > 0) {
    pipe.push(rest.subarray(0, room));
    thread.moved += room;
    kernel.lookAgain(thread);
  }
  return BLOCKED;
}

/** A pipe takes a buffer page by page, and no page that it can read a part of only. */
function wholeChunks(openFile: OpenFile, { reach, total }: { readonly reach: number; readonly total: number }): number {
  return openFile.inode.kind === 'fifo' && reach < total ? reach - reach % limits.PAGE_BYTES : reach;
}

/** Where a positioned call begins, or -errno. */
function positionIn(call: Call, openFile: OpenFile, position: number): number {
  return isSeekable(call.kernel.files, openFile.inode) ? position : -ERRNO.ESPIPE;
}

type Direction = 'read' | 'write';

function move(call: Call, direction: Direction, how: { readonly isVector: boolean; readonly isPositioned: boolean }): CallResult {
  let position = how.isPositioned ? call.offset(3) : undefined;
  if (position !== undefined && position < 0) return -ERRNO.EINVAL; // Before the descriptor is looked at.
  const openFile = openFileArgument(call, 0);
  if (typeof openFile === 'number') return openFile;
  if (position !== undefined) position = positionIn(call, openFile, position);
  if (position !== undefined && position < 0) return position;
  return run(call, direction, { openFile, position, isVector: how.isVector });
}

function run(call: Call, direction: Direction, how: { readonly openFile: OpenFile; readonly position: number | undefined; readonly isVector: boolean }): CallResult {
  const { openFile } = how;
  // A descriptor of the wrong direction is wrong before its buffers are.
  if (direction === 'read' ? !openFile.canRead : !openFile.canWrite) return -ERRNO.EBADF;
  const segments = how.isVector ? vectorArgument(call, 1, 2) : bufferArgument(call, 1, 2);
  if (typeof segments === 'number') return segments;
  if ((how.position ?? 0) >= OFFSET_END - totalLength(segments)) return -ERRNO.EINVAL;
  const at = transferOf(call, openFile, how.position);
  return direction === 'read' ? readInto(call, at, segments) : writeFrom(call, at, segments);
}

/** preadv2 and pwritev2: position -1 is the shared offset; RWF flags are accepted where they change nothing. */
function moveWithFlags(call: Call, direction: Direction): CallResult {
  let position = call.offset(3) === -1 ? undefined : call.offset(3);
  if (position !== undefined && position < 0) return -ERRNO.EINVAL;
  const openFile = openFileArgument(call, 0);
  if (typeof openFile === 'number') return openFile;
  if (position !== undefined) position = positionIn(call, openFile, position);
  if (position !== undefined && position < 0) return position;
  const flags = call.unsigned(5);
  if ((flags & ~RWF_KNOWN) !== 0) return -ERRNO.EOPNOTSUPP;
  if ((flags & RWF_APPEND) !== 0 && direction === 'write' && openFile.inode.kind === 'file') position = openFile.inode.content.size;
  return run(call, direction, { openFile, position, isVector: true });
}

/** Reads the optional offset argument of sendfile and copy_file_range. */
export function offsetPointer(call: Call, address: number): number | undefined {
  if (address === 0) return undefined;
  const value = call.memory.readU64(address);
  if (value === undefined) return -ERRNO.EFAULT;
  return value >= 2n ** 63n ? -ERRNO.EINVAL : Number(value);
}

interface Copy { readonly from: OpenFile; readonly to: OpenFile; readonly fromAddress: number; readonly toAddress: number; readonly length: number }

/** Copies between open files; offsets come from and go back to guest memory where given. */
function copyBytes(call: Call, copy: Copy): CallResult {
  const { from, to } = copy;
  const source = offsetPointer(call, copy.fromAddress);
  const target = offsetPointer(call, copy.toAddress);
  if (source !== undefined && source < 0) return source;
  if (target !== undefined && target < 0) return target;
  let done = 0;
  while (done < copy.length) {
    const room = Math.min(COPY_BYTES, copy.length - done);
    const sourceAt = source === undefined ? undefined : source + done;
    const answer = copyChunk(call, { from, to, room, sourceAt, targetAt: target === undefined ? undefined : target + done });
    if (answer === BLOCKED || typeof answer !== 'number' || answer <= 0) {
      if (done > 0) break;
      return answer;
    }
    done += answer;
    if (answer < room) break;
  }
  if (done > 0) {
    tellFile(call.kernel.files, IN.ACCESS, from);
    tellFile(call.kernel.files, IN.MODIFY, to);
  }
  if (source !== undefined) call.memory.writeU64(copy.fromAddress, BigInt(source + done));
  if (target !== undefined) call.memory.writeU64(copy.toAddress, BigInt(target + done));
  return done;
}

interface Chunk { readonly from: OpenFile; readonly to: OpenFile; readonly room: number; readonly sourceAt: number | undefined; readonly targetAt: number | undefined }

/** One piece. The source is read at a position, so that a target that takes less (or blocks) loses nothing. */
function copyChunk(call: Call, chunk: Chunk): CallResult {
  const { from, to } = chunk;
  if (!isCopied(from)) return -ERRNO.EINVAL;
  const position = chunk.sourceAt ?? from.offset;
  const bytes = from.inode.kind === 'file' ? from.inode.content.readAt(position, chunk.room) : new Uint8Array(chunk.room);
  if (bytes.length === 0) return 0;
  const taken = writeOpenFile(transferOf(call, to, chunk.targetAt), bytes);
  if (taken === BLOCKED || taken < 0) return taken === BLOCKED ? taken : refusal(call, taken);
  if (chunk.sourceAt === undefined) from.offset = position + taken;
  touchAccess(call.kernel.files, from.inode); // Only now: a blocked call has no effect.
  return taken;
}

/** What sendfile reads from: regular files and /dev/zero. */
function isCopied({ inode }: OpenFile): boolean {
  return inode.kind === 'file' || (inode.kind === 'device' && inode.device === 'zero');
}

/** Linux looks at the offset, the source, the offset in it, and then at the target. */
function sendfile(call: Call): CallResult {
  const offset = offsetPointer(call, call.size(2));
  if (offset === -ERRNO.EFAULT) return offset;
  const from = openFileArgument(call, 1);
  const to = openFileArgument(call, 0);
  if (typeof from === 'number') return from;
  if (!from.canRead) return -ERRNO.EBADF;
  if (offset !== undefined && !isSeekable(call.kernel.files, from.inode)) return -ERRNO.ESPIPE;
  if (offset !== undefined && offset < 0) return offset;
  if (typeof to === 'number' || !to.canWrite) return -ERRNO.EBADF;
  if (!isCopied(from) || to.isAppending || call.wide(3) >= 2n ** 63n) return -ERRNO.EINVAL; // Programs fall back to read and write.
  const length = Math.min(call.size(3), limits.TRANSFER_BYTES_MAX);
  return copyBytes(call, { from, to, fromAddress: call.size(2), toAddress: 0, length });
}

function copyFileRange(call: Call): CallResult {
  const from = openFileArgument(call, 0);
  const to = openFileArgument(call, 2);
  if (typeof from === 'number') return from;
  if (typeof to === 'number') return to;
  if (call.unsigned(5) !== 0) return -ERRNO.EINVAL;
  if (from.inode.kind === 'directory' || to.inode.kind === 'directory') return -ERRNO.EISDIR;
  if (from.inode.kind !== 'file' || to.inode.kind !== 'file') return from.inode.kind === 'channel' || to.inode.kind === 'channel' ? -ERRNO.EXDEV : -ERRNO.EINVAL;
  if (!from.canRead || !to.canWrite || to.isAppending) return -ERRNO.EBADF;
  const source = offsetPointer(call, call.size(1)) ?? from.offset;
  const target = offsetPointer(call, call.size(3)) ?? to.offset;
  // Linux cuts the length at the end of the source before it looks for an overlap.
  const length = Math.max(0, Math.min(call.size(4), limits.TRANSFER_BYTES_MAX, from.inode.content.size - source));
  if (from.inode === to.inode && source < target + length && target < source + length) return -ERRNO.EINVAL;
  return copyBytes(call, { from, to, fromAddress: call.size(1), toAddress: call.size(3), length });
}

const plain = { isVector: false, isPositioned: false };
const vector = { isVector: true, isPositioned: false };
const positioned = { isVector: false, isPositioned: true };
const both = { isVector: true, isPositioned: true };

export const transferCalls: readonly FileCall[] = [
  { number: 63, name: 'read', handle: (call) => move(call, 'read', plain) },
  { number: 64, name: 'write', handle: (call) => move(call, 'write', plain) },
  { number: 65, name: 'readv', handle: (call) => move(call, 'read', vector) },
  { number: 66, name: 'writev', handle: (call) => move(call, 'write', vector) },
  { number: 67, name: 'pread64', handle: (call) => move(call, 'read', positioned) },
  { number: 68, name: 'pwrite64', handle: (call) => move(call, 'write', positioned) },
  { number: 69, name: 'preadv', handle: (call) => move(call, 'read', both) },
  { number: 70, name: 'pwritev', handle: (call) => move(call, 'write', both) },
  { number: 71, name: 'sendfile', handle: sendfile },
  { number: 285, name: 'copy_file_range', handle: copyFileRange },
  { number: 286, name: 'preadv2', handle: (call) => moveWithFlags(call, 'read') },
  { number: 287, name: 'pwritev2', handle: (call) => moveWithFlags(call, 'write') },
];
