/**
 * splice, tee and vmsplice: bytes between a pipe and something else. Nothing is shared, the bytes are copied; a program sees no difference.
 * Invariants: a call that waits has moved nothing; no more is taken from the source than the target takes.
 * What this does NOT do: splice out of a socket or a terminal into a pipe with a wait for more than is there.
 */
import { limits } from '../../core/index.ts';
import { BLOCKED, type Call, type CallResult } from '../call.ts';
import { ERRNO } from '../errno.ts';
import type { Pipe } from '../files/pipe.ts';
import { isSeekable, readOpenFile, writeOpenFile } from '../open-file-io.ts';
import { tellFile } from '../files/tell.ts';
import { IN } from '../files/watches.ts';
import type { OpenFile } from '../open-file.ts';
import { SIGNAL } from '../signal-actions.ts';
import { gather, openFileArgument, reachableLength, scatter, totalLength, vectorArgument, type FileCall } from './file-arguments.ts';
import { offsetPointer, refusal, transferOf } from './file-transfer.ts';

const FLAGS_KNOWN = 0xf; // MOVE, NONBLOCK, MORE, GIFT.
const NONBLOCK = 2;

function pipeOf({ inode }: OpenFile): Pipe | undefined {
  return inode.kind === 'fifo' ? inode.pipe : undefined;
}

/** A wait on a pipe, or EAGAIN. */
function wait(call: Call, openFile: OpenFile, flagsIndex: number): CallResult {
  return openFile.isNonblocking || (call.unsigned(flagsIndex) & NONBLOCK) !== 0 ? -ERRNO.EAGAIN : BLOCKED;
}

function broken(call: Call): number {
  call.kernel.raise(call.thread, SIGNAL.PIPE);
  return -ERRNO.EPIPE;
}

interface Ends { readonly from: OpenFile; readonly to: OpenFile }

function endsOf(call: Call, fromIndex: number, toIndex: number): Ends | number {
  const from = openFileArgument(call, fromIndex);
  const to = openFileArgument(call, toIndex);
  if (typeof from === 'number') return from;
  if (typeof to === 'number') return to;
  return from.canRead && to.canWrite ? { from, to } : -ERRNO.EBADF;
}

function splice(call: Call): CallResult {
  if ((call.unsigned(5) & ~FLAGS_KNOWN) !== 0) return -ERRNO.EINVAL;
  const length = Math.min(call.size(4), limits.TRANSFER_BYTES_MAX);
  if (length === 0) return 0;
  const ends = endsOf(call, 0, 2);
  if (typeof ends === 'number') return ends;
  const [source, target] = [pipeOf(ends.from), pipeOf(ends.to)];
  if ((source !== undefined && call.size(1) !== 0) || (target !== undefined && call.size(3) !== 0)) return -ERRNO.ESPIPE;
  if ((source === undefined && target === undefined) || source === target || (target === undefined && ends.to.isAppending) || ends.from.inode.kind === 'directory') return -ERRNO.EINVAL;
  return source === undefined ? fill(call, ends, { pipe: target!, length }) : pour(call, ends, { pipe: source, length });
}

/** An offset given by a pointer: its value, undefined when there is none; -errno. */
function offsetOf(call: Call, openFile: OpenFile, index: number): number | undefined {
  const address = call.size(index);
  if (address !== 0 && !isSeekable(call.kernel.files, openFile.inode)) return -ERRNO.ESPIPE;
  return offsetPointer(call, address);
}

/** From a file into a pipe. */
function fill(call: Call, { from, to }: Ends, what: { readonly pipe: Pipe; readonly length: number }): CallResult {
  const { pipe } = what;
  const position = offsetOf(call, from, 1);
  if (position !== undefined && position < 0) return position;
  if (pipe.readers === 0) return broken(call);
  if (pipe.room === 0) return wait(call, to, 5);
  const bytes = readOpenFile(transferOf(call, from, position), Math.min(what.length, pipe.room));
  if (bytes === BLOCKED || typeof bytes === 'number') return bytes;
  pipe.push(bytes);
  if (bytes.length > 0) tellFile(call.kernel.files, IN.ACCESS, from);
  if (position !== undefined) call.memory.writeU64(call.size(1), BigInt(position + bytes.length));
  return bytes.length;
}

/** From a pipe into anything. */
function pour(call: Call, { from, to }: Ends, what: { readonly pipe: Pipe; readonly length: number }): CallResult {
  const { pipe } = what;
  const position = offsetOf(call, to, 3);
  if (position !== undefined && position < 0) return position;
  if (pipe.length === 0) return pipe.writers === 0 ? 0 : wait(call, from, 5);
  const into = pipeOf(to);
  if (into?.readers === 0) return broken(call);
  if (into?.room === 0) return wait(call, to, 5);
  const bytes = pipe.bytes().subarray(0, Math.min(what.length, into?.room ?? what.length));
  const taken = writeOpenFile(transferOf(call, to, position), bytes);
  if (taken === BLOCKED || taken < 0) return taken === BLOCKED ? taken : refusal(call, taken);
  pipe.shift(taken);
  tellFile(call.kernel.files, IN.MODIFY, to);
  if (position !== undefined) call.memory.writeU64(call.size(3), BigInt(position + taken));
  return taken;
}

/** Bytes of one pipe into another; they stay in the first as well. */
function tee(call: Call): CallResult {
  if ((call.unsigned(3) & ~FLAGS_KNOWN) !== 0) return -ERRNO.EINVAL;
  const length = Math.min(call.size(2), limits.TRANSFER_BYTES_MAX);
  if (length === 0) return 0;
  const ends = endsOf(call, 0, 1);
  if (typeof ends === 'number') return ends;
  const [source, target] = [pipeOf(ends.from), pipeOf(ends.to)];
  if (source === undefined || target === undefined || source === target) return -ERRNO.EINVAL;
  if (target.readers === 0) return broken(call);
  if (source.length === 0) return source.writers === 0 ? 0 : wait(call, ends.from, 3);
  if (target.room === 0) return wait(call, ends.to, 3);
  const bytes = source.bytes().subarray(0, Math.min(length, target.room));
  target.push(bytes);
  return bytes.length;
}

/** Memory into a pipe, or (at its reading end) out of it. */
function vmsplice(call: Call): CallResult {
  if ((call.unsigned(3) & ~FLAGS_KNOWN) !== 0) return -ERRNO.EINVAL;
  const openFile = openFileArgument(call, 0);
  if (typeof openFile === 'number') return openFile;
  const pipe = pipeOf(openFile);
  if (pipe === undefined) return -ERRNO.EBADF;
  const segments = vectorArgument(call, 1, 2);
  if (typeof segments === 'number') return segments;
  if (totalLength(segments) === 0) return 0;
  const isWriting = openFile.canWrite;
  const reach = reachableLength(call, segments, isWriting ? 'read' : 'write');
  if (reach === 0) return -ERRNO.EFAULT;
  if (!isWriting) {
    if (pipe.length === 0) return pipe.writers === 0 ? 0 : wait(call, openFile, 3);
    const bytes = pipe.shift(reach);
    scatter(call, segments, bytes);
    return bytes.length;
  }
  if (pipe.readers === 0) return broken(call);
  if (pipe.room === 0) return wait(call, openFile, 3);
  const length = Math.min(reach, pipe.room);
  pipe.push(gather(call, segments, length).slice());
  return length;
}

export const spliceCalls: readonly FileCall[] = [
  { number: 75, name: 'vmsplice', handle: vmsplice },
  { number: 76, name: 'splice', handle: splice },
  { number: 77, name: 'tee', handle: tee },
];
