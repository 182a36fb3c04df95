/**
 * What the calls on sockets share: the socket at a descriptor, addresses in guest memory, and how long a socket waits (SO_RCVTIMEO, SO_SNDTIMEO).
 */
import { BLOCKED, type Call } from '../call.ts';
import { ERRNO } from '../errno.ts';
import type { SocketInode } from '../files/inode.ts';
import type { Socket, SocketDomain } from '../files/socket.ts';
import { optionKey, SO, SOL_SOCKET } from '../files/socket-option-names.ts';
import type { OpenFile } from '../open-file.ts';
import { decodeAddress, encodeAddress } from '../socket-address.ts';
import { openFileArgument } from './file-arguments.ts';

export const TYPE = { STREAM: 1, DGRAM: 2, RAW: 3, SEQPACKET: 5, MASK: 15 } as const;
export const PROTOCOL = { TCP: 6, UDP: 17 } as const;
const ADDRESS_BYTES_MAX = 128;
const MICROSECOND = 1000n;

export interface Opened { readonly openFile: OpenFile; readonly inode: SocketInode; readonly socket: Socket }

export function socketArgument(call: Call): Opened | number {
  const openFile = openFileArgument(call, 0);
  if (typeof openFile === 'number') return openFile;
  const { inode } = openFile;
  return inode.kind === 'socket' ? { openFile, inode, socket: inode.socket } : -ERRNO.ENOTSOCK;
}

export function addressAt(call: Call, at: { readonly address: number; readonly length: number }, domain: SocketDomain): string | number {
  if (at.length < 0 || at.length > ADDRESS_BYTES_MAX) return -ERRNO.EINVAL;
  const bytes = call.memory.readable(at.address, at.length);
  return bytes === undefined ? -ERRNO.EFAULT : decodeAddress(bytes, domain);
}

/** Stores an address and its length, cut to the room that the caller's length says. */
export function storeAddress(call: Call, at: { readonly address: number; readonly lengthAddress: number }, text: string, domain: SocketDomain): number {
  const room = call.memory.readU32(at.lengthAddress);
  if (room === undefined) return -ERRNO.EFAULT;
  if ((room | 0) < 0) return -ERRNO.EINVAL;
  const bytes = encodeAddress(text, domain);
  if (!call.memory.write(at.address, bytes.subarray(0, room)) || !call.memory.writeU32(at.lengthAddress, bytes.length)) return -ERRNO.EFAULT;
  return 0;
}

/** An answer of a socket call; a wait that has lasted as long as the socket waits is EAGAIN. */
export function waitOnSocket<Answer>(call: Call, socket: Socket, wait: { readonly direction: 'send' | 'receive'; readonly answer: Answer | typeof BLOCKED }): Answer | number | typeof BLOCKED {
  if (wait.answer !== BLOCKED) return wait.answer;
  const microseconds = socket.options.get(optionKey(SOL_SOCKET, wait.direction === 'send' ? SO.SNDTIMEO : SO.RCVTIMEO)) ?? 0;
  if (microseconds === 0) return wait.answer;
  const { thread, kernel: { clock: { hidden } } } = call;
  thread.retryDeadline ??= hidden + BigInt(microseconds) * MICROSECOND;
  return hidden >= thread.retryDeadline ? -ERRNO.EAGAIN : wait.answer;
}
