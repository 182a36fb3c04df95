/**
 * The calls on sockets: arguments as Linux checks them, addresses and messages in guest memory. The work is socket-io.ts's.
 * What this does NOT do: descriptors in messages (SCM_RIGHTS: EOPNOTSUPP when sent), time-outs of SO_RCVTIMEO (remembered, not obeyed),
 * IPv6 and netlink (EAFNOSUPPORT), raw sockets.
 */
import { BLOCKED, type Call, type CallResult } from '../call.ts';
import { ERRNO } from '../errno.ts';
import { O } from '../files/flags.ts';
import type { SocketInode } from '../files/inode.ts';
import { SOCKET_BYTES, type Socket, type SocketDomain, type SocketType } from '../files/socket.ts';
import type { OpenFile } from '../open-file.ts';
import { decodeAddress, encodeAddress, FAMILY } from '../socket-address.ts';
import { acceptSocket, bindSocket, connectSocket, joinSockets, listenSocket, receive, send, shutSocket, socketAt } from '../socket-io.ts';
import { SIGNAL } from '../signal-actions.ts';
import { limits } from '../../core/index.ts';
import { bufferArgument, gather, openFileArgument, reachableLength, scatter, totalLength, vectorArgument, type FileCall, type Segment } from './file-arguments.ts';
import { installAnonymous } from './file-open.ts';

const TYPE = { STREAM: 1, DGRAM: 2, RAW: 3, SEQPACKET: 5, MASK: 15 } as const;
const KINDS: ReadonlyMap<number, SocketType> = new Map([[TYPE.STREAM, 'stream'], [TYPE.DGRAM, 'datagram'], [TYPE.SEQPACKET, 'seqpacket']]);
const PROTOCOL = { TCP: 6, UDP: 17 } as const;
const MSG = { PEEK: 2, TRUNC: 0x20, DONTWAIT: 0x40, EOR: 0x80, WAITALL: 0x100, NOSIGNAL: 0x4000, CMSG_CLOEXEC: 0x4000_0000 } as const;
const SOL_SOCKET = 1;
const SO = { TYPE: 3, ERROR: 4, SNDBUF: 7, RCVBUF: 8, LINGER: 13, PEERCRED: 17, ACCEPTCONN: 30, PROTOCOL: 38, DOMAIN: 39 } as const;
const ADDRESS_BYTES_MAX = 128;
/** struct msghdr: name 8, namelen 4 (+4), iov 8, iovlen 8, control 8, controllen 8, flags 4 (+4). */
const HEADER = { name: 0, nameLength: 8, vector: 16, count: 24, control: 32, controlLength: 40, flags: 48, bytes: 56 } as const;

interface Kind { readonly domain: SocketDomain; readonly type: SocketType; readonly flags: number }

/** The first three arguments of socket and socketpair. */
function kindArgument(call: Call): Kind | number {
  const [family, type, protocol] = [call.int(0), call.int(1), call.int(2)];
  const flags = type & ~TYPE.MASK;
  if ((flags & ~(O.CLOEXEC | O.NONBLOCK)) !== 0) return -ERRNO.EINVAL;
  const kind = KINDS.get(type & TYPE.MASK);
  if (family === FAMILY.UNIX) {
    if (kind === undefined) return -ERRNO.ESOCKTNOSUPPORT;
    return protocol === 0 || protocol === FAMILY.UNIX ? { domain: 'unix', type: kind, flags } : -ERRNO.EPROTONOSUPPORT;
  }
  if (family !== FAMILY.INET) return -ERRNO.EAFNOSUPPORT;
  if ((type & TYPE.MASK) === TYPE.RAW) return -ERRNO.EPERM;
  if (kind === undefined || kind === 'seqpacket') return -ERRNO.ESOCKTNOSUPPORT;
  const own = kind === 'stream' ? PROTOCOL.TCP : PROTOCOL.UDP;
  return protocol === 0 || protocol === own ? { domain: 'inet', type: kind, flags } : -ERRNO.EPROTONOSUPPORT;
}

function makeSocket(call: Call, { domain, type }: Kind): SocketInode {
  return call.kernel.files.makeSocket({ domain, type, owner: call.process.pid }, { credentials: call.process.files.credentials, mode: 0o777 });
}

function install(call: Call, inode: SocketInode, flags: number): number {
  return installAnonymous(call, inode, { flags: flags | O.RDWR, path: `socket:[${inode.ino}]` });
}

/** 0 when `count` more descriptors and open files fit. */
function roomFor(call: Call, count: 1 | 2): number {
  const { descriptors } = call.process.files;
  const first = descriptors.lowestFree();
  const last = count === 1 || first < 0 ? first : descriptors.lowestFree(first + 1);
  return last < 0 ? last : call.kernel.files.checkOpenFiles();
}

function socket(call: Call): CallResult {
  const kind = kindArgument(call);
  if (typeof kind === 'number') return kind;
  const room = roomFor(call, 1);
  return room < 0 ? room : install(call, makeSocket(call, kind), kind.flags);
}

function socketpair(call: Call): CallResult {
  const kind = kindArgument(call);
  if (typeof kind === 'number') return kind;
  if (kind.domain !== 'unix') return -ERRNO.EOPNOTSUPP;
  const room = roomFor(call, 2);
  if (room < 0) return room;
  const target = call.memory.writable(call.size(3), 8);
  if (target === undefined) return -ERRNO.EFAULT;
  const ends = [makeSocket(call, kind), makeSocket(call, kind)] as const;
  joinSockets(...ends);
  const view = new DataView(target.buffer, target.byteOffset, 8);
  ends.forEach((end, index) => view.setInt32(index * 4, install(call, end, kind.flags), true));
  return 0;
}

interface Opened { readonly openFile: OpenFile; readonly inode: SocketInode; readonly socket: Socket }

function socketArgument(call: Call): Opened | number {
  const openFile = openFileArgument(call, 0);
  if (typeof openFile === 'number') return openFile;
  const { inode } = openFile;
  return inode.kind === 'socket' ? { openFile, inode, socket: inode.socket } : -ERRNO.ENOTSOCK;
}

function addressAt(call: Call, at: { readonly address: number; readonly length: number }, domain: SocketDomain): string | number {
  if (at.length < 0 || at.length > ADDRESS_BYTES_MAX) return -ERRNO.EINVAL;
  const bytes = call.memory.readable(at.address, at.length);
  return bytes === undefined ? -ERRNO.EFAULT : decodeAddress(bytes, domain);
}

/** Stores an address and its length, cut to the room that the caller's length says. */
function storeAddress(call: Call, at: { readonly address: number; readonly lengthAddress: number }, text: string, domain: SocketDomain): number {
  const room = call.memory.readU32(at.lengthAddress);
  if (room === undefined) return -ERRNO.EFAULT;
  if ((room | 0) < 0) return -ERRNO.EINVAL;
  const bytes = encodeAddress(text, domain);
  if (!call.memory.write(at.address, bytes.subarray(0, room)) || !call.memory.writeU32(at.lengthAddress, bytes.length)) return -ERRNO.EFAULT;
  return 0;
}

function bind(call: Call): CallResult {
  const opened = socketArgument(call);
  if (typeof opened === 'number') return opened;
  const address = addressAt(call, { address: call.size(1), length: call.int(2) }, opened.socket.domain);
  return typeof address === 'number' ? address : bindSocket(call.process.files, opened.inode, address);
}

function listen(call: Call): CallResult {
  const opened = socketArgument(call);
  return typeof opened === 'number' ? opened : listenSocket(call.process.files, opened.inode, call.int(1));
}

function connect(call: Call): CallResult {
  const opened = socketArgument(call);
  if (typeof opened === 'number') return opened;
  const address = addressAt(call, { address: call.size(1), length: call.int(2) }, opened.socket.domain);
  if (typeof address === 'number') return address;
  return connectSocket(call.process.files, opened.inode, { address, isNonblocking: opened.openFile.isNonblocking });
}

function acceptWith(call: Call, flags: number): CallResult {
  const opened = socketArgument(call);
  if (typeof opened === 'number') return opened;
  if ((flags & ~(O.CLOEXEC | O.NONBLOCK)) !== 0) return -ERRNO.EINVAL;
  const room = roomFor(call, 1);
  if (room < 0) return room;
  const { files } = call.kernel;
  const end = acceptSocket(files, opened.socket);
  if (end === BLOCKED) return opened.openFile.isNonblocking ? -ERRNO.EAGAIN : BLOCKED;
  if (typeof end === 'number') return end;
  const number = install(call, end, flags);
  files.release(end);
  if (call.size(1) === 0) return number;
  const stored = storeAddress(call, { address: call.size(1), lengthAddress: call.size(2) }, end.socket.peerAddress, end.socket.domain);
  if (stored === 0) return number;
  call.process.files.close(number);
  return stored;
}

function getsockname(call: Call): CallResult {
  const opened = socketArgument(call);
  if (typeof opened === 'number') return opened;
  return storeAddress(call, { address: call.size(1), lengthAddress: call.size(2) }, opened.socket.address, opened.socket.domain);
}

function getpeername(call: Call): CallResult {
  const opened = socketArgument(call);
  if (typeof opened === 'number') return opened;
  if (opened.socket.status !== 'connected') return -ERRNO.ENOTCONN;
  return storeAddress(call, { address: call.size(1), lengthAddress: call.size(2) }, opened.socket.peerAddress, opened.socket.domain);
}

function shutdown(call: Call): CallResult {
  const opened = socketArgument(call);
  if (typeof opened === 'number') return opened;
  const how = call.int(1);
  if (how < 0 || how > 2) return -ERRNO.EINVAL;
  return shutSocket(call.kernel.files, opened.socket, { reading: how !== 1, writing: how !== 0 });
}

// Messages.

interface Transfer { readonly opened: Opened; readonly segments: readonly Segment[]; readonly flags: number }

function isNonblocking({ opened, flags }: Transfer): boolean {
  return opened.openFile.isNonblocking || (flags & MSG.DONTWAIT) !== 0;
}

function sendBytes(call: Call, transfer: Transfer, to: string | undefined): CallResult {
  const { segments } = transfer;
  const total = totalLength(segments);
  const reach = reachableLength(call, segments, 'read');
  if (reach < total && (reach === 0 || transfer.opened.socket.type !== 'stream')) return -ERRNO.EFAULT;
  const answer = send(call.process.files, transfer.opened.inode, { bytes: gather(call, segments, reach), to, isNonblocking: isNonblocking(transfer) });
  if (answer === -ERRNO.EPIPE && (transfer.flags & MSG.NOSIGNAL) === 0 && transfer.opened.socket.type !== 'datagram') call.kernel.raise(call.thread, SIGNAL.PIPE);
  return answer;
}

function sendto(call: Call): CallResult {
  const opened = socketArgument(call);
  if (typeof opened === 'number') return opened;
  const segments = bufferArgument(call, 1, 2);
  if (typeof segments === 'number') return segments;
  const to = call.size(4) === 0 ? undefined : addressAt(call, { address: call.size(4), length: call.int(5) }, opened.socket.domain);
  return typeof to === 'number' ? to : sendBytes(call, { opened, segments, flags: call.unsigned(3) }, to);
}

/** What a receive gave; `flags` are those of msg_flags. */
interface Got { readonly count: number; readonly from: string; readonly flags: number }

function receiveBytes(call: Call, transfer: Transfer): Got | number | typeof BLOCKED {
  const { opened: { socket: from }, segments, flags } = transfer;
  const reach = reachableLength(call, segments, 'write');
  const total = totalLength(segments);
  if (total > 0 && reach === 0 && from.hasInput) return -ERRNO.EFAULT;
  const waits = !isNonblocking(transfer);
  // A call that waits for all of it leaves what there is where it is: a blocked call has no effect.
  if ((flags & (MSG.WAITALL | MSG.PEEK)) === MSG.WAITALL && waits && from.type === 'stream' && from.stream.length < Math.min(reach, from.stream.length + from.stream.room) && !from.isEnded && from.error === 0 && from.status === 'connected') return BLOCKED;
  if (total === 0 && from.type === 'stream') return { count: 0, from: '', flags: 0 };
  const answer = receive(from, { length: reach, isPeek: (flags & MSG.PEEK) !== 0, isNonblocking: !waits });
  if (answer === BLOCKED || typeof answer === 'number') return answer;
  scatter(call, segments, answer.bytes);
  const isCut = answer.length > answer.bytes.length;
  return { count: (flags & MSG.TRUNC) !== 0 ? answer.length : answer.bytes.length, from: answer.from, flags: (isCut ? MSG.TRUNC : 0) | (from.type === 'seqpacket' && answer.length > 0 ? MSG.EOR : 0) };
}

function recvfrom(call: Call): CallResult {
  const opened = socketArgument(call);
  if (typeof opened === 'number') return opened;
  const segments = bufferArgument(call, 1, 2);
  if (typeof segments === 'number') return segments;
  const got = receiveBytes(call, { opened, segments, flags: call.unsigned(3) });
  if (got === BLOCKED || typeof got === 'number') return got;
  if (call.size(4) !== 0) {
    const stored = opened.socket.domain === 'unix' && got.from === '' ? Number(!call.memory.writeU32(call.size(5), 0)) * -ERRNO.EFAULT
      : storeAddress(call, { address: call.size(4), lengthAddress: call.size(5) }, got.from, opened.socket.domain);
    if (stored < 0) return stored;
  }
  return got.count;
}

interface MessageHeader { readonly address: number; readonly name: number; readonly nameLength: number; readonly segments: readonly Segment[]; readonly controlLength: number }

function headerAt(call: Call, address: number): MessageHeader | number {
  const bytes = call.memory.readable(address, HEADER.bytes);
  if (bytes === undefined) return -ERRNO.EFAULT;
  const view = new DataView(bytes.buffer, bytes.byteOffset, HEADER.bytes);
  const word = (offset: number): number => Number(view.getBigUint64(offset, true));
  const count = word(HEADER.count);
  if (count > limits.IOVECS_MAX) return -ERRNO.EMSGSIZE;
  const segments = vectorArgument(vectorCall(call, word(HEADER.vector), count), 0, 1);
  if (typeof segments === 'number') return segments;
  return { address, name: word(HEADER.name), nameLength: view.getInt32(HEADER.nameLength, true), segments, controlLength: word(HEADER.controlLength) };
}

/** The two arguments that vectorArgument reads, for a vector that lies in a structure. */
function vectorCall(call: Call, address: number, count: number): Call {
  return { memory: call.memory, size: (index: number) => (index === 0 ? address : count) } as unknown as Call; // Only these two are used.
}

function sendmsg(call: Call, at = call.size(1), flags = call.unsigned(2)): CallResult {
  const opened = socketArgument(call);
  if (typeof opened === 'number') return opened;
  const header = headerAt(call, at);
  if (typeof header === 'number') return header;
  if (header.controlLength > 0) return -ERRNO.EOPNOTSUPP;
  const to = header.name === 0 ? undefined : addressAt(call, { address: header.name, length: header.nameLength }, opened.socket.domain);
  return typeof to === 'number' ? to : sendBytes(call, { opened, segments: header.segments, flags }, to);
}

function recvmsg(call: Call, at = call.size(1), flags = call.unsigned(2)): CallResult {
  const opened = socketArgument(call);
  if (typeof opened === 'number') return opened;
  const header = headerAt(call, at);
  if (typeof header === 'number') return header;
  const got = receiveBytes(call, { opened, segments: header.segments, flags });
  if (got === BLOCKED || typeof got === 'number') return got;
  const { memory } = call;
  if (header.name !== 0) {
    const name = got.from === '' ? new Uint8Array(0) : encodeAddress(got.from, opened.socket.domain);
    if (!memory.write(header.name, name.subarray(0, header.nameLength)) || !memory.writeU32(at + HEADER.nameLength, name.length)) return -ERRNO.EFAULT;
  }
  return memory.writeU64(at + HEADER.controlLength, 0n) && memory.writeU32(at + HEADER.flags, got.flags) ? got.count : -ERRNO.EFAULT;
}

/** struct mmsghdr: a msghdr and its count. One turn of the call a message; what was done is the answer. */
const MANY_BYTES = 64;

function many(call: Call, one: (call: Call, at: number, flags: number) => CallResult): CallResult {
  const [address, count, flags] = [call.size(1), Math.min(call.unsigned(2), limits.IOVECS_MAX), call.unsigned(3)];
  let done = 0;
  for (; done < count; done++) {
    const at = address + done * MANY_BYTES;
    const answer = one(call, at, done === 0 ? flags : flags | MSG.DONTWAIT);
    if (typeof answer !== 'number' || answer < 0) return done > 0 ? done : answer;
    if (!call.memory.writeU32(at + HEADER.bytes, answer)) return -ERRNO.EFAULT;
  }
  return done;
}

// Options.

const optionKey = (level: number, name: number): number => level * 65_536 + name;

function setsockopt(call: Call): CallResult {
  const opened = socketArgument(call);
  if (typeof opened === 'number') return opened;
  const [level, name, address, length] = [call.int(1), call.int(2), call.size(3), call.int(4)];
  if (length < 4) return -ERRNO.EINVAL;
  const value = call.memory.readU32(address);
  if (value === undefined) return -ERRNO.EFAULT;
  if (level === SOL_SOCKET && (name === SO.TYPE || name === SO.ERROR || name === SO.DOMAIN || name === SO.PROTOCOL || name === SO.ACCEPTCONN)) return -ERRNO.ENOPROTOOPT;
  if (level < 0 || name < 0 || name >= 65_536) return -ERRNO.ENOPROTOOPT;
  opened.socket.options.set(optionKey(level, name), value | 0);
  return 0;
}

/** The bytes of an option as getsockopt gives them. */
function optionBytes(call: Call, { socket: of, inode }: Opened, option: { readonly level: number; readonly name: number }): Uint8Array {
  const word = (...values: number[]): Uint8Array => new Uint8Array(Int32Array.from(values).buffer);
  const set = of.options.get(optionKey(option.level, option.name));
  if (option.level !== SOL_SOCKET) return word(set ?? 0);
  switch (option.name) {
    case SO.TYPE: return word(of.type === 'stream' ? TYPE.STREAM : of.type === 'datagram' ? TYPE.DGRAM : TYPE.SEQPACKET);
    case SO.DOMAIN: return word(of.domain === 'unix' ? FAMILY.UNIX : FAMILY.INET);
    case SO.PROTOCOL: return word(of.domain === 'unix' ? 0 : of.type === 'stream' ? PROTOCOL.TCP : PROTOCOL.UDP);
    case SO.ACCEPTCONN: return word(of.status === 'listening' ? 1 : 0);
    case SO.ERROR: {
      const { error } = of;
      of.error = 0;
      return word(error);
    }
    case SO.LINGER: return word(set ?? 0, 0);
    case SO.PEERCRED: {
      const peer = socketAt(call.kernel.files, of.peer);
      return word(peer?.socket.owner ?? 0, peer === undefined ? -1 : inode.uid, peer === undefined ? -1 : inode.gid);
    }
    case SO.SNDBUF:
    case SO.RCVBUF: return word(set === undefined ? SOCKET_BYTES : Math.max(set * 2, 2304));
    default: return word(set ?? 0);
  }
}

function getsockopt(call: Call): CallResult {
  const opened = socketArgument(call);
  if (typeof opened === 'number') return opened;
  const room = call.memory.readU32(call.size(4));
  if (room === undefined) return -ERRNO.EFAULT;
  if ((room | 0) < 0) return -ERRNO.EINVAL;
  if (call.memory.writable(call.size(3), Math.min(room, 4)) === undefined) return -ERRNO.EFAULT;
  const bytes = optionBytes(call, opened, { level: call.int(1), name: call.int(2) }).subarray(0, room);
  return call.memory.write(call.size(3), bytes) && call.memory.writeU32(call.size(4), bytes.length) ? 0 : -ERRNO.EFAULT;
}

export const socketCalls: readonly FileCall[] = [
  { number: 198, name: 'socket', handle: socket },
  { number: 199, name: 'socketpair', handle: socketpair },
  { number: 200, name: 'bind', handle: bind },
  { number: 201, name: 'listen', handle: listen },
  { number: 202, name: 'accept', handle: (call) => acceptWith(call, 0) },
  { number: 203, name: 'connect', handle: connect },
  { number: 204, name: 'getsockname', handle: getsockname },
  { number: 205, name: 'getpeername', handle: getpeername },
  { number: 206, name: 'sendto', handle: sendto },
  { number: 207, name: 'recvfrom', handle: recvfrom },
  { number: 208, name: 'setsockopt', handle: setsockopt },
  { number: 209, name: 'getsockopt', handle: getsockopt },
  { number: 210, name: 'shutdown', handle: shutdown },
  { number: 211, name: 'sendmsg', handle: (call) => sendmsg(call) },
  { number: 212, name: 'recvmsg', handle: (call) => recvmsg(call) },
  { number: 242, name: 'accept4', handle: (call) => acceptWith(call, call.unsigned(3)) },
  { number: 243, name: 'recvmmsg', handle: (call) => many(call, recvmsg) },
  { number: 269, name: 'sendmmsg', handle: (call) => many(call, sendmsg) },
];
