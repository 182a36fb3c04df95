/**
 * Who is told of a file (F_SETOWN and its ioctls), and what ioctl says of the bytes that wait at a socket: how many, and whether they stand at
 * urgent data's mark.
 *
 *   struct f_owner_ex   type 4 (0 a thread, 1 a process, 2 a group), number 4
 *
 * Invariant: sockets remember an owner, too, whichever open file it was set by: they tell it of urgent data (SIGURG).
 * What this does NOT do: send SIGIO (../file-signals.ts).
 */
import type { Call } from '../call.ts';
import { ERRNO } from '../errno.ts';
import type { Socket } from '../files/socket.ts';
import { O } from '../files/flags.ts';
import { isInline, ownerOf, setOwner, urgentMark } from '../files/urgent.ts';
import { isMeant } from '../file-signals.ts';
import { NO_OWNER, type OpenFile } from '../open-file.ts';
import { SIGNALS_MAX } from '../signal-actions.ts';
import { peerOf } from '../socket-io.ts';

const KIND = { THREAD: 0, PROCESS: 1, GROUP: 2 } as const;
const SIOC = { SETOWN: 0x8901, SPGRP: 0x8902, GETOWN: 0x8903, GPGRP: 0x8904, ATMARK: 0x8905, OUTQ: 0x5411 } as const;

/** The owner as F_GETOWN tells it: a process, or a group below zero; 0 is nobody. */
export function fileOwner({ inode, owner }: OpenFile): number {
  return inode.kind === 'socket' ? ownerOf(inode.socket.options) : owner?.owner ?? 0;
}

/** Nobody (0), a process, or a group below zero, that is there: 0 or -errno. */
export function setFileOwner({ kernel: { processes }, process: { files } }: Call, openFile: OpenFile, owner: number): number {
  if (owner === -0x8000_0000) return -ERRNO.EINVAL;
  if (owner !== 0 && !processes.some((process) => isMeant(owner, process))) return -ERRNO.ESRCH;
  if (openFile.inode.kind === 'socket') setOwner(openFile.inode.socket.options, owner);
  openFile.owner = { ...(openFile.owner ?? NO_OWNER), owner, uid: files.credentials.uid };
  return 0;
}

/** F_SETSIG; 0 is SIGIO without more. */
export function setFileSignal(openFile: OpenFile, signal: number): number {
  if (signal > SIGNALS_MAX) return -ERRNO.EINVAL;
  openFile.owner = { ...(openFile.owner ?? NO_OWNER), signal };
  return 0;
}

/** Kinds of files that have somebody to tell of news; others do not keep O_ASYNC. */
const TELLING: ReadonlySet<string> = new Set(['fifo', 'socket', 'terminal', 'master', 'watch']);

export function tellsNews({ inode }: OpenFile): boolean {
  return TELLING.has(inode.kind);
}

/** O_ASYNC by descriptor `number`. A terminal without an owner gets one: the group in its foreground, or the caller. */
export function setAsynchronous({ kernel: { files }, process }: Call, openFile: OpenFile, how: { readonly number: number; readonly isOn: boolean }): void {
  const { inode } = openFile;
  const isOn = how.isOn && tellsNews(openFile);
  openFile.flags = isOn ? openFile.flags | O.ASYNC : openFile.flags & ~O.ASYNC;
  if (!isOn) return void files.listeners.delete(openFile);
  files.listeners.add(openFile);
  const { owner = 0 } = openFile.owner ?? {};
  const isTerminal = inode.kind === 'terminal' && owner === 0;
  const given = isTerminal ? { owner: inode.terminal.foreground > 0 ? -inode.terminal.foreground : process.pid, uid: process.files.credentials.uid } : {};
  if (openFile.owner !== undefined || isTerminal) openFile.owner = { ...(openFile.owner ?? NO_OWNER), ...given, number: how.number };
}

/** struct f_owner_ex; of a thread its process is remembered. */
export function setOwnerArgument(call: Call, openFile: OpenFile): number {
  const [kind, owner] = [call.memory.readU32(call.size(2)), call.memory.readU32(call.size(2) + 4)];
  if (kind === undefined || owner === undefined) return -ERRNO.EFAULT;
  if (kind > KIND.GROUP) return -ERRNO.EINVAL;
  if (kind !== KIND.THREAD || owner === 0) return setFileOwner(call, openFile, kind === KIND.GROUP ? -owner : owner);
  const process = call.kernel.processes.find(({ threads }) => threads.some(({ tid }) => tid === owner));
  return process === undefined ? -ERRNO.ESRCH : setFileOwner(call, openFile, process.pid);
}

export function storeOwner(call: Call, openFile: OpenFile): number {
  const owner = fileOwner(openFile);
  const kind = owner < 0 ? KIND.GROUP : owner > 0 ? KIND.PROCESS : KIND.THREAD;
  return call.memory.writeU32(call.size(2), kind) && call.memory.writeU32(call.size(2) + 4, Math.abs(owner)) ? 0 : -ERRNO.EFAULT;
}

/** FIONREAD: on the internet the bytes before urgent data, which is not counted. */
export function socketBytes({ type, domain, stream, messages, options }: Socket): number {
  if (type !== 'stream') return messages[0]?.bytes.length ?? 0;
  const mark = domain === 'unix' || isInline(options) ? undefined : urgentMark(options);
  return mark === undefined || mark.at >= stream.length ? stream.length : mark.at;
}

/** Bytes that were sent and that nobody has read: of AF_UNIX only, the others have them at the other end at once. */
function unreadBytes(call: Call, socket: Socket): number {
  const peer = socket.domain === 'unix' ? peerOf(call.kernel.files, socket) : undefined;
  if (peer === undefined) return 0;
  return peer.stream.length + peer.messages.reduce((sum, { bytes, from }) => sum + (socket.type !== 'datagram' || from === socket.address ? bytes.length : 0), 0);
}

/** The answer to an ioctl about owner, mark or what is unread; undefined: it is about something else. */
export function socketRequest(call: Call, openFile: OpenFile, socket: Socket): number | undefined {
  const { type, domain, options } = socket;
  const store = (value: number): number => (call.memory.writeU32(call.size(2), value >>> 0) ? 0 : -ERRNO.EFAULT);
  switch (call.unsigned(1)) {
    case SIOC.SETOWN:
    case SIOC.SPGRP: {
      const owner = call.memory.readU32(call.size(2));
      return owner === undefined ? -ERRNO.EFAULT : setFileOwner(call, openFile, owner | 0);
    }
    case SIOC.GETOWN:
    case SIOC.GPGRP: return store(fileOwner(openFile));
    case SIOC.OUTQ: return socket.status === 'listening' ? -ERRNO.EINVAL : store(unreadBytes(call, socket));
    case SIOC.ATMARK: return type === 'stream' || domain === 'unix' ? store(Number(urgentMark(options)?.at === 0)) : -ERRNO.ENOTTY;
    default: return undefined;
  }
}
