/**
 * The calls that make, name and join sockets: arguments as Linux checks them. The work is socket-io.ts's.
 * What this does NOT do: messages (socket-messages.ts), options (socket-options.ts), what netlink answers (../netlink.ts), raw sockets.
 */
import { BLOCKED, type Call, type CallResult } from '../call.ts';
import { ERRNO } from '../errno.ts';
import { O } from '../files/flags.ts';
import type { SocketInode } from '../files/inode.ts';
import type { SocketDomain, SocketType } from '../files/socket.ts';
import { FAMILY } from '../socket-address.ts';
import { acceptSocket, connectSocket, isOver, joinSockets, listenSocket, shutSocket } from '../socket-io.ts';
import { bindSocket } from '../socket-names.ts';
import type { FileCall } from './file-arguments.ts';
import { installAnonymous } from './file-open.ts';
import { addressAt, PROTOCOL, socketArgument, storeAddress, TYPE, waitOnSocket } from './socket-arguments.ts';

const KINDS: ReadonlyMap<number, SocketType> = new Map([[TYPE.STREAM, 'stream'], [TYPE.DGRAM, 'datagram'], [TYPE.SEQPACKET, 'seqpacket']]);

interface Kind { readonly domain: SocketDomain; readonly type: SocketType; readonly flags: number }

/** The first three arguments of socket and socketpair. */
function kindArgument(call: Call): Kind | number {
  const [family, type, protocol] = [call.int(0), call.int(1), call.int(2)];
  const flags = type & ~TYPE.MASK;
  if ((flags & ~(O.CLOEXEC | O.NONBLOCK)) !== 0) return -ERRNO.EINVAL;
  const kind = KINDS.get(type & TYPE.MASK);
  if (family === FAMILY.UNIX) {
    if ((type & TYPE.MASK) === TYPE.RAW && protocol === 0) return { domain: 'unix', type: 'datagram', flags };
    if (kind === undefined) return -ERRNO.ESOCKTNOSUPPORT;
    return protocol === 0 || protocol === FAMILY.UNIX ? { domain: 'unix', type: kind, flags } : -ERRNO.EPROTONOSUPPORT;
  }
  if (family === FAMILY.NETLINK) {
    if ((type & TYPE.MASK) !== TYPE.RAW && kind !== 'datagram') return -ERRNO.ESOCKTNOSUPPORT;
    return protocol === 0 ? { domain: 'netlink', type: 'datagram', flags } : -ERRNO.EPROTONOSUPPORT;
  }
  if (family !== FAMILY.INET && family !== FAMILY.INET6) return -ERRNO.EAFNOSUPPORT;
  if ((type & TYPE.MASK) === TYPE.RAW) return protocol === 0 ? -ERRNO.EPROTONOSUPPORT : -ERRNO.EPERM;
  if (kind === undefined || kind === 'seqpacket') return -ERRNO.ESOCKTNOSUPPORT;
  const own = kind === 'stream' ? PROTOCOL.TCP : PROTOCOL.UDP;
  return protocol === 0 || protocol === own ? { domain: family === FAMILY.INET ? 'inet' : 'inet6', type: kind, flags } : -ERRNO.EPROTONOSUPPORT;
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
  const answer = connectSocket(call.process.files, opened.inode, { address, isNonblocking: opened.openFile.isNonblocking });
  return waitOnSocket(call, opened.socket, { direction: 'send', answer });
}

function acceptWith(call: Call, flags: number): CallResult {
  const opened = socketArgument(call);
  if (typeof opened === 'number') return opened;
  if ((flags & ~(O.CLOEXEC | O.NONBLOCK)) !== 0) return -ERRNO.EINVAL;
  const room = roomFor(call, 1);
  if (room < 0) return room;
  const { files } = call.kernel;
  const end = acceptSocket(files, opened.socket);
  if (end === BLOCKED) return opened.openFile.isNonblocking ? -ERRNO.EAGAIN : waitOnSocket(call, opened.socket, { direction: 'receive', answer: end });
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
  if ((opened.socket.status !== 'connected' && opened.socket.domain !== 'netlink') || isOver(opened.socket)) return -ERRNO.ENOTCONN;
  return storeAddress(call, { address: call.size(1), lengthAddress: call.size(2) }, opened.socket.peerAddress, opened.socket.domain);
}

function shutdown(call: Call): CallResult {
  const opened = socketArgument(call);
  if (typeof opened === 'number') return opened;
  const how = call.int(1);
  if (opened.socket.domain === 'netlink') return -ERRNO.EOPNOTSUPP;
  if (how < 0 || how > 2) return -ERRNO.EINVAL;
  return shutSocket(call.kernel.files, opened.inode, { reading: how !== 1, writing: how !== 0 });
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
  { number: 210, name: 'shutdown', handle: shutdown },
  { number: 242, name: 'accept4', handle: (call) => acceptWith(call, call.unsigned(3)) },
];
