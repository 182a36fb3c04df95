/**
 * What sockets do with each other inside one machine: names, connections, bytes and messages. There is no network: an address outside the
 * loopback answers ENETUNREACH.
 * Invariants: an answer -errno or BLOCKED means that nothing changed (but a datagram socket has a port then); a blocked write of a stream waits for an empty buffer and goes in whole,
 * as a pipe's does.
 * What this does NOT do: names (socket-names.ts), who has which port (socket-ports.ts); guest memory, descriptors, signals (calls/sockets.ts).
 */
import { BLOCKED } from './call.ts';
import { factsFor, type Wishes } from './datagram-facts.ts';
import { ERRNO } from './errno.ts';
import type { FileContext } from './file-context.ts';
import { RIGHT } from './files/flags.ts';
import type { FileSystem } from './files/file-system.ts';
import type { SocketInode } from './files/inode.ts';
import { permits } from './files/permission.ts';
import { BACKLOG_MAX, CHOSEN, SOCKET_BYTES, type DatagramFacts, type Sender, type Socket } from './files/socket.ts';
import { optionKey, SO, SOL_SOCKET } from './files/socket-option-names.ts';
import { KEPT } from './files/urgent.ts';
import { leaveOthers } from './files/ends.ts';
import { walk } from './files/walk.ts';
import { isShared, sharedSource, sharedTargets } from './groups.ts';
import { connectNetlink, sendNetlink } from './netlink.ts';
import { CHOSEN_NAME, anyHost, inetAddress, inetParts, isAnyHost, isGroupHost, isLoopbackHost, loopbackHost } from './socket-address.ts';
import { choosePort, nameSocket } from './socket-names.ts';
import { freePort, inetTarget, isPortTaken } from './socket-ports.ts';

export function socketAt(files: FileSystem, ino: number): SocketInode | undefined {
  const inode = files.inodes.get(ino);
  return inode?.kind === 'socket' ? inode : undefined;
}

/** The other end, while it is there. */
export function peerOf(files: FileSystem, socket: Socket): Socket | undefined {
  return socket.peer === 0 ? undefined : socketAt(files, socket.peer)?.socket;
}

export function listenSocket(context: FileContext, inode: SocketInode, backlog: number): number {
  const { socket } = inode;
  if (socket.type === 'datagram') return -ERRNO.EOPNOTSUPP;
  if (socket.status === 'connected') return -ERRNO.EINVAL;
  if (socket.address === '') {
    if (socket.domain === 'unix') return -ERRNO.EINVAL;
    socket.address = inetAddress(anyHost(socket.domain), freePort(context.files, socket));
  }
  if (socket.domain !== 'unix' && socket.status !== 'listening' && isPortTaken(context.files, inode, { ...inetParts(socket.address), listens: true })) return -ERRNO.EADDRINUSE;
  socket.status = 'listening';
  socket.backlogMax = Math.min(Math.max(backlog, 0), BACKLOG_MAX) + 1;
  return 0;
}

// Connections.

/** Joins two sockets without names (socketpair) or as the two ends of a connection. */
export function joinSockets(a: SocketInode, b: SocketInode): void {
  a.socket.status = b.socket.status = 'connected';
  a.socket.peer = b.ino;
  b.socket.peer = a.ino;
}

/** The socket that a name leads to for connect and sendto, or -errno. */
function findTarget(context: FileContext, socket: Socket, address: string): SocketInode | number {
  const { files } = context;
  if (address === CHOSEN_NAME) return -ERRNO.EINVAL;
  if (address.startsWith('u:')) {
    const found = walk(files, context, { start: context.cwd, path: address.slice(2) }, 'follow');
    if (typeof found === 'number') return found;
    if (found.inode === undefined) return -ERRNO.ENOENT;
    if (found.inode.kind !== 'socket') return -ERRNO.ECONNREFUSED;
    if (!permits(found.inode, context.credentials, RIGHT.write)) return -ERRNO.EACCES;
    if (found.inode.socket.status === 'closed') return -ERRNO.ECONNREFUSED;
    return found.inode.socket.type === socket.type ? found.inode : -ERRNO.EPROTOTYPE;
  }
  if (address.startsWith('@')) return [...files.sockets].find((inode) => inode.socket.type === socket.type && inode.socket.address === address && inode.socket.status !== 'connected') ?? -ERRNO.ECONNREFUSED;
  const { host, port } = inetParts(address);
  if (!isLoopbackHost(host) && !isAnyHost(host)) return -ERRNO.ENETUNREACH;
  const target = isAnyHost(host) ? loopbackHost(host.length === 16 ? 'inet6' : 'inet') : host;
  return inetTarget(files, socket, { host: target, port }) ?? -ERRNO.ECONNREFUSED;
}

interface Connect { readonly address: string; readonly isNonblocking: boolean }

/** connect(2). On the internet one that does not wait always hears EINPROGRESS, whatever comes of it. */
export function connectSocket(context: FileContext, inode: SocketInode, how: Connect): number | typeof BLOCKED {
  const { socket } = inode;
  const told = how.address === '' ? undefined : tellAttempt(socket);
  if (told !== undefined) return told;
  const answer = connectNow(context, inode, how);
  if (how.address === '' || !how.isNonblocking || socket.domain === 'unix' || socket.type !== 'stream' || (answer !== 0 && answer !== -ERRNO.ECONNREFUSED)) return answer;
  if (answer !== 0) {
    socket.error = ERRNO.ECONNREFUSED;
    socket.changed();
  }
  socket.options.set(KEPT.CONNECTING, 1);
  return -ERRNO.EINPROGRESS;
}

/** What came of a connection that nobody waited for: the next connect(2) tells it, once. */
function tellAttempt(socket: Socket): number | undefined {
  if (!socket.options.delete(KEPT.CONNECTING)) return undefined;
  return socket.status === 'connected' ? 0 : -(takeError(socket) || ERRNO.ECONNABORTED);
}

function connectNow(context: FileContext, inode: SocketInode, how: Connect): number | typeof BLOCKED {
  const { socket } = inode;
  if (how.address === '') return disconnect(context.files, inode);
  if (socket.domain === 'netlink') return connectNetlink(context.files, socket, { address: how.address, pid: context.pid });
  if (socket.status === 'listening') return socket.domain === 'unix' ? -ERRNO.EINVAL : -ERRNO.EISCONN;
  if (socket.type !== 'datagram' && socket.status !== 'new') return -ERRNO.EISCONN;
  if (socket.type === 'datagram') choosePort(context, socket, how.address); // Also where nothing comes of it.
  if (socket.type === 'datagram' && isSharedAddress(socket, how.address)) return connectToMany(context, socket, how.address);
  const target = findTarget(context, socket, how.address);
  if (typeof target === 'number') return target === -ERRNO.ECONNREFUSED && socket.type === 'datagram' && socket.domain !== 'unix' ? connectNowhere(context, socket, how.address) : target;
  if (socket.type === 'datagram') {
    if (socket.domain === 'unix' && target.socket.status === 'connected' && target.socket.peer !== inode.ino) return -ERRNO.EPERM; // It listens to another.
    nameSocket(context, socket, how.address);
    socket.status = 'connected';
    socket.peer = target.ino;
    socket.peerAddress = seenAddress(socket, how.address);
    return 0;
  }
  const listener = target.socket;
  if (listener.status !== 'listening' || listener.isReadShut) return -ERRNO.ECONNREFUSED;
  if (listener.backlog.length >= listener.backlogMax) return how.isNonblocking ? -ERRNO.EAGAIN : BLOCKED;
  nameSocket(context, socket, how.address);
  const { files } = context;
  const end = files.makeSocket({ domain: listener.domain, type: socket.type, owner: listener.owner }, { credentials: context.credentials, mode: 0o777 });
  inheritOptions(listener, end.socket);
  joinSockets(inode, end);
  const asSeen = seenAddress(socket, how.address);
  socket.peerAddress = asSeen;
  end.socket.address = socket.domain === 'unix' ? listener.address : asSeen;
  end.socket.peerAddress = socket.address;
  files.retain(end);
  listener.backlog.push(end.ino);
  listener.changed();
  socket.changed();
  return 0;
}

/** TCP_DEFER_ACCEPT and SO_PRIORITY are the listener's alone, as is who owns it. */
const OWN_OPTIONS: ReadonlySet<number> = new Set([optionKey(6, 9), optionKey(SOL_SOCKET, SO.PRIORITY), KEPT.OWNER, KEPT.CONNECTING]);

/** What a listener's new connection has of its options: on the internet nearly all, else whether it tells of senders. */
function inheritOptions(listener: Socket, { options }: Socket): void {
  for (const [key, value] of listener.options) {
    if (listener.domain === 'unix' ? key === optionKey(SOL_SOCKET, SO.PASSCRED) : !OWN_OPTIONS.has(key)) options.set(key, value);
  }
}

/** Connecting to "any" is connecting to the loopback. */
function seenAddress(socket: Socket, address: string): string {
  if (socket.domain === 'unix') return address;
  const { host, port } = inetParts(address);
  return isAnyHost(host) ? inetAddress(loopbackHost(host.length === 16 ? 'inet6' : 'inet'), port) : address;
}

function isSharedAddress({ domain }: Socket, address: string): boolean {
  return (domain === 'inet' || domain === 'inet6') && isShared(inetParts(address).host);
}

/** To a group, or to everybody. */
function connectToMany(context: FileContext, socket: Socket, address: string): number {
  const source = sharedSource(socket, inetParts(address).host);
  return typeof source === 'number' ? source : connectNowhere(context, socket, address);
}

/** A datagram socket may be connected to a port that nobody has. */
function connectNowhere(context: FileContext, socket: Socket, address: string): number {
  nameSocket(context, socket, address);
  socket.status = 'connected';
  socket.peer = 0;
  socket.peerAddress = address;
  return 0;
}

/** AF_UNSPEC: a datagram socket forgets its peer, a connection of the internet is reset. */
function disconnect(files: FileSystem, inode: SocketInode): number {
  const { socket } = inode;
  if (socket.type !== 'datagram') return socket.domain === 'unix' ? -ERRNO.EINVAL : resetConnection(files, inode);
  socket.status = 'new';
  socket.peer = 0;
  socket.peerAddress = '';
  if ((socket.chosen & CHOSEN.PORT) !== 0) socket.address = '';
  else if ((socket.chosen & CHOSEN.HOST) !== 0) socket.address = inetAddress(anyHost(socket.domain), inetParts(socket.address).port);
  socket.chosen = 0;
  return 0;
}

/** The other end, and whoever waits to be accepted, is told of a reset. The socket may connect or listen again, from the same port. */
function resetConnection(files: FileSystem, inode: SocketInode): number {
  const { socket } = inode;
  const isOpen = socket.status === 'connected' && (socket.peer !== 0 || (socket.isEnded && !socket.isWriteShut));
  leaveOthers(files, socket, true);
  if (socket.status === 'connected') {
    const { host, port } = inetParts(socket.address);
    if (isLoopbackHost(host)) socket.address = inetAddress(anyHost(socket.domain), port);
  }
  socket.status = 'new';
  socket.peer = 0;
  socket.peerAddress = '';
  socket.isReadShut = socket.isWriteShut = socket.isEnded = false;
  socket.options.delete(KEPT.CONNECTING);
  socket.error = isOpen ? ERRNO.ECONNRESET : 0;
  socket.stream.shift(socket.stream.length);
  socket.changed();
  return 0;
}

/** Takes the oldest end out of a listener's backlog; the caller opens it and then releases it. */
export function acceptSocket(files: FileSystem, listener: Socket): SocketInode | typeof BLOCKED | number {
  if (listener.status !== 'listening') return listener.type === 'datagram' ? -ERRNO.EOPNOTSUPP : -ERRNO.EINVAL;
  const ino = listener.backlog.shift();
  if (ino === undefined) return listener.isReadShut ? -ERRNO.EINVAL : BLOCKED;
  listener.changed();
  return socketAt(files, ino) ?? -ERRNO.ECONNABORTED;
}

/** shutdown(2). What is shut without a connection stays shut, whatever the answer; a listener on the internet listens no longer. */
export function shutSocket(files: FileSystem, inode: SocketInode, how: { readonly reading: boolean; readonly writing: boolean }): number {
  const { socket } = inode;
  const isUnix = socket.domain === 'unix';
  if (socket.status === 'listening' && !isUnix) return how.reading ? resetConnection(files, inode) : 0;
  if (isOver(socket)) return -ERRNO.ENOTCONN;
  const peer = peerOf(files, socket);
  if (how.reading) {
    socket.isReadShut = true;
    if (isUnix && socket.type !== 'datagram') peer?.changed(); // Who can send no more.
  }
  if (how.writing) {
    socket.isWriteShut = true;
    if (peer !== undefined && socket.type !== 'datagram') {
      peer.isEnded = true;
      peer.changed();
    }
  }
  socket.changed();
  return socket.status === 'new' && !isUnix ? -ERRNO.ENOTCONN : 0;
}

/** A connection of the internet of which both directions have ended is none any more. */
export function isOver({ domain, type, status, isEnded, isWriteShut }: Socket): boolean {
  return domain !== 'unix' && type === 'stream' && status === 'connected' && isEnded && isWriteShut;
}

// Bytes and messages.

export interface Receive { readonly length: number; readonly isPeek: boolean; readonly isNonblocking: boolean }
/** `files`: open files that came along; the caller has their references; of those that it only peeked at it has to take some. */
export interface Received { readonly bytes: Uint8Array; readonly from: string; /** Whole length of the message. */ readonly length: number; readonly files: readonly number[]; readonly sender?: Sender | undefined; readonly facts?: DatagramFacts | undefined }

/** Takes what is there: a part of the stream, or one message cut to `length`. */
export function receive(socket: Socket, want: Receive): Received | number | typeof BLOCKED {
  if (socket.type === 'stream') {
    if (socket.status !== 'connected' && socket.domain === 'unix') return socket.status === 'new' ? -ERRNO.EINVAL : -ERRNO.ENOTCONN;
    if (socket.status !== 'connected' && socket.error === 0 && !socket.isReadShut) return -ERRNO.ENOTCONN;
    if (socket.readableLength > 0) {
      const { bytes, files, sender } = want.isPeek ? socket.peekStream(want.length) : socket.shiftStream(want.length);
      return { bytes, from: socket.peerAddress, length: bytes.length, files, sender };
    }
    if (socket.stream.length > 0 && want.isNonblocking && !want.isPeek) socket.passUrgent(); // A call that waits has no effect.
  } else {
    if (socket.type === 'seqpacket' && socket.status === 'connected' && socket.error !== 0) return -takeError(socket); // Before what is there, as Linux does with messages.
    const [first] = socket.messages;
    if (first !== undefined) {
      if (!want.isPeek) socket.shift();
      return { bytes: first.bytes.subarray(0, want.length), from: first.from, length: first.bytes.length, files: first.files, sender: first.sender, facts: first.facts };
    }
    if (socket.type === 'seqpacket' && socket.status !== 'connected') return -ERRNO.ENOTCONN;
  }
  if (socket.error !== 0 && socket.error !== ERRNO.EPIPE) return -takeError(socket); // EPIPE is for who sends (sendToNobody): here it has ended.
  if (socket.isEnded || (socket.isReadShut && (socket.type !== 'datagram' || !want.isNonblocking))) return { bytes: new Uint8Array(0), from: '', length: 0, files: [] };
  return want.isNonblocking ? -ERRNO.EAGAIN : BLOCKED;
}

/** `files`: open files to send along; the caller counts the references when it has gone. */
export interface Send { readonly bytes: Uint8Array; readonly to: string | undefined; readonly isNonblocking: boolean; readonly files?: readonly number[]; /** The last byte is urgent. */ readonly isUrgent?: boolean; /** SCM_CREDENTIALS asks for it. */ readonly tellsSender?: boolean; readonly wishes?: Wishes | undefined }

/** Sends; how many bytes were taken. -EPIPE asks the caller for SIGPIPE (streams and connected packets). */
export function send(context: FileContext, inode: SocketInode, what: Send): number | typeof BLOCKED {
  const { socket } = inode;
  if (socket.domain === 'netlink') return sendNetlink(context.files, socket, { bytes: what.bytes, to: what.to, pid: context.pid });
  if (socket.type === 'datagram') return sendDatagram(context, inode, what);
  const isUnix = socket.domain === 'unix';
  if (isUnix && socket.type === 'stream' && what.to !== undefined && what.to !== '') return socket.status === 'connected' ? -ERRNO.EISCONN : -ERRNO.EOPNOTSUPP;
  if (socket.status !== 'connected') return isUnix ? -ERRNO.ENOTCONN : socket.error === 0 ? -ERRNO.EPIPE : -takeError(socket);
  if ((!isUnix || socket.type === 'seqpacket') && socket.error !== 0) return -takeError(socket);
  const peer = peerOf(context.files, socket);
  if (!isUnix && !socket.isWriteShut && peer === undefined) return what.bytes.length === 0 ? 0 : sendToNobody(socket, what.bytes.length); // Nothing goes out for no bytes.
  if (socket.isWriteShut || peer === undefined || peer.isReadShut) return -ERRNO.EPIPE;
  if (socket.type === 'seqpacket') {
    if (what.bytes.length > SOCKET_BYTES) return -ERRNO.EMSGSIZE;
    if (!peer.hasRoom(what.bytes.length)) return what.isNonblocking ? -ERRNO.EAGAIN : BLOCKED;
    peer.push({ bytes: what.bytes.slice(), from: socket.address, files: what.files ?? [], sender: socket.senderTo(peer, context, what.tellsSender) });
    return what.bytes.length;
  }
  const { stream } = peer;
  const sender = socket.senderTo(peer, context, what.tellsSender);
  if (what.bytes.length <= stream.room || (stream.length === 0 && !what.isNonblocking)) {
    return push(peer, what, { taken: what.bytes.length, sender });
  }
  if (!what.isNonblocking) return BLOCKED;
  if (stream.room === 0) return -ERRNO.EAGAIN;
  return push(peer, what, { taken: stream.room, sender });
}

function push(peer: Socket, what: Send, { taken, sender }: { readonly taken: number; readonly sender: Sender | undefined }): number {
  peer.pushStream(what.bytes.subarray(0, taken), what.files, sender);
  if (what.isUrgent === true && taken > 0) peer.markLast();
  return taken;
}

/** The other end of a connection of the internet has closed. What is sent first is taken, and answered by a reset, of which the next call hears. */
function sendToNobody(socket: Socket, length: number): number {
  socket.error = ERRNO.EPIPE;
  socket.isWriteShut = true;
  socket.changed();
  return length;
}

function sendDatagram(context: FileContext, inode: SocketInode, what: Send): number | typeof BLOCKED {
  const { socket } = inode;
  const isAddressed = what.to !== undefined && what.to !== '';
  if (!isAddressed && socket.status !== 'connected') return socket.domain === 'unix' ? -ERRNO.ENOTCONN : -ERRNO.EDESTADDRREQ;
  if (socket.isWriteShut) return -ERRNO.EPIPE;
  if (socket.domain !== 'unix' && socket.error !== 0) return -takeError(socket);
  if (what.bytes.length > (socket.domain === 'unix' ? SOCKET_BYTES : 65_507)) return -ERRNO.EMSGSIZE;
  const to = isAddressed ? what.to ?? '' : socket.peerAddress;
  if (isAddressed && socket.domain !== 'unix' && inetParts(to).port === 0) return -ERRNO.EINVAL;
  if (isSharedAddress(socket, to)) return sendToMany(context, socket, { ...what, to });
  const peer = isAddressed ? undefined : socketAt(context.files, socket.peer);
  const found = peer ?? (isAddressed || socket.domain !== 'unix' ? findTarget(context, socket, to) : -ERRNO.ECONNREFUSED); // Whoever has the name now is not whom it was connected to.
  choosePort(context, socket, to);
  const isRefused = typeof found === 'number' ? found === -ERRNO.ECONNREFUSED : found.socket.status === 'closed';
  if (isRefused && socket.domain !== 'unix') return refuseDatagram(socket, { length: what.bytes.length, isAddressed });
  if (isRefused && !isAddressed) disconnect(context.files, inode);
  if (typeof found === 'number') return found;
  if (isRefused) return -ERRNO.ECONNREFUSED;
  const target = found.socket;
  const from = sentFrom(socket, to, what.wishes);
  if (target.status === 'connected' && target.peer !== inode.ino && target.peerAddress !== from) return socket.domain === 'unix' ? -ERRNO.EPERM : what.bytes.length;
  if (target.isReadShut && socket.domain === 'unix') return -ERRNO.EPIPE;
  if (!target.hasRoom(what.bytes.length)) {
    if (socket.domain !== 'unix') return what.bytes.length;
    return what.isNonblocking ? -ERRNO.EAGAIN : BLOCKED;
  }
  const facts = socket.domain === 'unix' ? undefined : factsFor(target, socket, { to, wishes: what.wishes });
  target.push({ bytes: what.bytes.slice(), from, files: what.files ?? [], sender: socket.senderTo(target, context, what.tellsSender), facts });
  return what.bytes.length;
}

/** To all who are in a group, or to everybody at a port. */
function sendToMany(context: FileContext, socket: Socket, what: Send & { readonly to: string }): number {
  const source = sharedSource(socket, inetParts(what.to).host);
  if (typeof source === 'number') return source;
  choosePort(context, socket, what.to);
  const from = inetAddress(what.wishes?.source ?? source, inetParts(socket.address).port);
  for (const target of sharedTargets(context.files, { to: what.to, from })) {
    if (target.hasRoom(what.bytes.length)) target.push({ bytes: what.bytes.slice(), from, files: [], facts: factsFor(target, socket, { to: what.to, wishes: what.wishes }) });
  }
  return what.bytes.length;
}

/** Nobody at the port of a datagram: it is lost. A sender that is connected to the port hears of it in its next call. */
function refuseDatagram(socket: Socket, sent: { readonly length: number; readonly isAddressed: boolean }): number {
  if (socket.status === 'connected' && !sent.isAddressed) {
    socket.error = ERRNO.ECONNREFUSED;
    socket.changed();
  }
  return sent.length;
}

/** The error that is pending; it is told once. */
function takeError(socket: Socket): number {
  const { error } = socket;
  socket.error = 0;
  return error;
}

/** What the receiver sees as the sender: a socket that is bound to "any" speaks from the loopback, of the family of the address that it sends to. */
function sentFrom(socket: Socket, to: string, wishes?: Wishes): string {
  if (socket.domain === 'unix') return socket.address;
  const { host, port } = inetParts(socket.address);
  if (wishes?.source !== undefined) return inetAddress(wishes.source, port);
  const isV4 = socket.domain === 'inet' || inetParts(to).host.length === 4;
  return isAnyHost(host) || isGroupHost(host) ? inetAddress(loopbackHost(isV4 ? 'inet' : 'inet6'), port) : socket.address;
}
