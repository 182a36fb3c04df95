/**
 * setsockopt and getsockopt. Most options are remembered and have no effect; SO_RCVTIMEO, SO_SNDTIMEO, SO_PASSCRED and IPV6_V6ONLY have theirs
 * where sockets work. What this does NOT do: what is told of the other end, and options of other shapes (socket-peers.ts, socket-shapes.ts).
 */
import type { Call, CallResult } from '../call.ts';
import { ERRNO } from '../errno.ts';
import { SOCKET_BYTES, type Socket } from '../files/socket.ts';
import { LINGER_NOTHING, optionKey, SO, SOL_SOCKET } from '../files/socket-option-names.ts';
import { LOOPBACK } from '../loopback.ts';
import { FAMILY } from '../socket-address.ts';
import type { FileCall } from './file-arguments.ts';
import { setGroupOption } from './socket-groups.ts';
import { absentOption, hasOption, initialOption, isByteOption, settledOption } from './socket-option-rules.ts';
import { PROTOCOL, socketArgument, TYPE } from './socket-arguments.ts';
import { toldOption } from './socket-peers.ts';
import { setShapedOption, shapedOption } from './socket-shapes.ts';

const TIMEVAL_BYTES = 16;
const LINGER_BYTES = 8;
/** IFNAMSIZ. */
const NAME_BYTES = 16;
const MICROSECONDS = 1_000_000;

function setsockopt(call: Call): CallResult {
  const opened = socketArgument(call);
  if (typeof opened === 'number') return opened;
  const [level, name, address, length] = [call.int(1), call.int(2), call.size(3), call.int(4)];
  if (level === SOL_SOCKET && (name === SO.RCVTIMEO || name === SO.SNDTIMEO)) return setWaitTime(call, opened.socket, { name, address, length });
  if (level === SOL_SOCKET && name === SO.LINGER) return setLinger(call, opened.socket, { address, length });
  if (level === SOL_SOCKET && name === SO.BINDTODEVICE) return bindToDevice(call, opened.socket, { address, length });
  const ofGroups = setGroupOption(call, opened.socket, { level, name, address, length });
  if (ofGroups !== undefined) return ofGroups;
  const shaped = setShapedOption(call, opened.socket, { level, name, address, length });
  if (shaped !== undefined) return shaped;
  const isByte = isByteOption(level, length);
  if (length < 4 && !isByte) return -ERRNO.EINVAL;
  const value = isByte ? call.memory.readable(address, 1)?.[0] : call.memory.readU32(address);
  if (value === undefined) return -ERRNO.EFAULT;
  if (level === SOL_SOCKET && (name === SO.TYPE || name === SO.ERROR || name === SO.DOMAIN || name === SO.PROTOCOL || name === SO.ACCEPTCONN || name === SO.PASSPIDFD)) return -ERRNO.ENOPROTOOPT;
  if (!hasOption(opened.socket, level, name)) return absentOption(opened.socket, level, false);
  const settled = settledOption(level, name, value | 0);
  if ('errno' in settled) return -settled.errno;
  opened.socket.options.set(optionKey(level, name), settled.value);
  return 0;
}

/** struct linger: kept as one number, its seconds above the bit that switches it on. */
function setLinger(call: Call, of: Socket, option: { readonly address: number; readonly length: number }): number {
  if (option.length < LINGER_BYTES) return -ERRNO.EINVAL;
  const [isOn, seconds] = [call.memory.readU32(option.address), call.memory.readU32(option.address + 4)];
  if (isOn === undefined || seconds === undefined) return -ERRNO.EFAULT;
  of.options.set(optionKey(SOL_SOCKET, SO.LINGER), isOn === 0 ? 0 : LINGER_NOTHING + 2 * seconds);
  return 0;
}

/** The name of an interface; an empty one lets go of it. There is `lo`, by which all goes anyway. */
function bindToDevice(call: Call, of: Socket, option: { readonly address: number; readonly length: number }): number {
  if (option.length < 0) return -ERRNO.EINVAL;
  const bytes = call.memory.readable(option.address, Math.min(option.length, NAME_BYTES - 1));
  if (bytes === undefined) return -ERRNO.EFAULT;
  const name = new TextDecoder().decode(bytes).split('\0', 1)[0];
  if (name !== '' && name !== LOOPBACK.name) return -ERRNO.ENODEV;
  if (name === '') of.options.delete(optionKey(SOL_SOCKET, SO.BINDTODEVICE));
  else of.options.set(optionKey(SOL_SOCKET, SO.BINDTODEVICE), LOOPBACK.index);
  return 0;
}

/** struct timeval; microseconds are kept, 0 is for ever. A time too long to count is for ever, a negative one is over at once. */
function setWaitTime(call: Call, of: Socket, option: { readonly name: number; readonly address: number; readonly length: number }): number {
  if (option.length < TIMEVAL_BYTES) return -ERRNO.EINVAL;
  const bytes = call.memory.readable(option.address, TIMEVAL_BYTES);
  if (bytes === undefined) return -ERRNO.EFAULT;
  const view = new DataView(bytes.buffer, bytes.byteOffset, TIMEVAL_BYTES);
  const [seconds, microseconds] = [view.getBigInt64(0, true), view.getBigInt64(8, true)];
  if (microseconds < 0n || microseconds >= BigInt(MICROSECONDS)) return -ERRNO.EDOM;
  const total = Number(seconds) * MICROSECONDS + Number(microseconds);
  of.options.set(optionKey(SOL_SOCKET, option.name), seconds < 0n ? 1 : Number.isSafeInteger(total) ? total : 0);
  return 0;
}

/** The bytes of an option as getsockopt gives them. */
function optionBytes(of: Socket, option: { readonly level: number; readonly name: number }): Uint8Array {
  const word = (...values: number[]): Uint8Array => new Uint8Array(Int32Array.from(values).buffer);
  const set = of.options.get(optionKey(option.level, option.name));
  if (option.level !== SOL_SOCKET) return word(set ?? initialOption(option.level, option.name));
  switch (option.name) {
    case SO.TYPE: return word(of.type === 'stream' ? TYPE.STREAM : of.type === 'datagram' ? TYPE.DGRAM : TYPE.SEQPACKET);
    case SO.DOMAIN: return word(of.domain === 'unix' ? FAMILY.UNIX : of.domain === 'inet' ? FAMILY.INET : of.domain === 'inet6' ? FAMILY.INET6 : FAMILY.NETLINK);
    case SO.PROTOCOL: return word(of.domain === 'unix' || of.domain === 'netlink' ? 0 : of.type === 'stream' ? PROTOCOL.TCP : PROTOCOL.UDP);
    case SO.ACCEPTCONN: return word(of.status === 'listening' ? 1 : 0);
    case SO.ERROR: {
      const { error } = of;
      of.error = 0;
      return word(error);
    }
    case SO.RCVTIMEO:
    case SO.SNDTIMEO: {
      const bytes = new DataView(new ArrayBuffer(TIMEVAL_BYTES));
      bytes.setBigInt64(0, BigInt(Math.floor((set ?? 0) / MICROSECONDS)), true);
      bytes.setBigInt64(8, BigInt((set ?? 0) % MICROSECONDS), true);
      return new Uint8Array(bytes.buffer);
    }
    case SO.LINGER: return word((set ?? 0) % 2, Math.floor((set ?? 0) / 2));
    case SO.SNDBUF: return word(bufferBytes(set, 4608));
    case SO.RCVBUF: return word(bufferBytes(set, 2304));
    default: return word(set ?? initialOption(option.level, option.name));
  }
}

/** What SO_SNDBUF and SO_RCVBUF tell: twice what was asked for, up to net.core.wmem_max. */
function bufferBytes(asked: number | undefined, least: number): number {
  return asked === undefined ? SOCKET_BYTES : Math.max(2 * Math.min(asked >>> 0, SOCKET_BYTES), least);
}

function getsockopt(call: Call): CallResult {
  const opened = socketArgument(call);
  if (typeof opened === 'number') return opened;
  const room = call.memory.readU32(call.size(4));
  if (room === undefined) return -ERRNO.EFAULT;
  if ((room | 0) < 0) return -ERRNO.EINVAL;
  if (call.memory.writable(call.size(3), Math.min(room, 4)) === undefined) return -ERRNO.EFAULT;
  if (!hasOption(opened.socket, call.int(1), call.int(2))) return absentOption(opened.socket, call.int(1), true);
  const told = call.int(1) === SOL_SOCKET ? toldOption(call, opened, { name: call.int(2), room }) : shapedOption(opened.socket, call.int(1), call.int(2));
  if (typeof told === 'number') return told;
  const bytes = (told ?? optionBytes(opened.socket, { level: call.int(1), name: call.int(2) })).subarray(0, room);
  return call.memory.write(call.size(3), bytes) && call.memory.writeU32(call.size(4), bytes.length) ? 0 : -ERRNO.EFAULT;
}

export const socketOptionCalls: readonly FileCall[] = [
  { number: 208, name: 'setsockopt', handle: setsockopt },
  { number: 209, name: 'getsockopt', handle: getsockopt },
];
