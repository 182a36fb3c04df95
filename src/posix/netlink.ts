/**
 * Sockets of NETLINK_ROUTE: a program asks the kernel about interfaces, addresses, routes and rules, and the answer lies at its socket at once.
 *
 *   request  nlmsghdr, a fixed part that begins with the family, attributes      answer  its messages in one datagram; of a list, NLMSG_DONE in a second
 *
 * Invariants: an answer depends on the request alone (loopback.ts has all there is); what would change something is refused (EPERM).
 * What this does NOT do: tell of changes (there are none, groups are remembered only), other protocols, messages between programs.
 */
import { ERRNO } from './errno.ts';
import type { FileSystem } from './files/file-system.ts';
import { SOCKET_BYTES, type Socket } from './files/socket.ts';
import { addressMessages, LOOPBACK, linkMessage, message, routeMessages, routeTo, ruleMessages, type Asker } from './loopback.ts';
import { isLoopbackHost, netlinkAddress, netlinkParts } from './socket-address.ts';

const HEADER_BYTES = 16;
const FLAG = { REQUEST: 1, MULTI: 2, ACK: 4, DUMP: 0x300, CAPPED: 0x100 } as const;
const TYPE = { ERROR: 2, DONE: 3, LEAST: 16, MOST: 123 } as const;
const GET = { LINK: 18, ADDRESS: 22, ROUTE: 26, NEIGHBOUR: 30, RULE: 34, QUEUEING: 38 } as const;
/** IFLA_IFNAME, IFLA_ALT_IFNAME, RTA_DST. */
const NAME = 3;
const OTHER_NAME = 53;
const TARGET = 1;
const FAMILY_INET = 2;
const LINK_BYTES = 16;
const ROUTE_BYTES = 12;
/** What one send may take: the buffer but for its own head. */
const REQUEST_BYTES_MAX = SOCKET_BYTES - 32;
/** Where Linux starts to look for a port when the process's own number is taken: the last below the reserved ones. */
const PORT_CHOSEN = 2 ** 32 - 4097;

/** The port of a socket that has none yet: the number of its process, as Linux takes it. */
function freeNetlinkPort(files: FileSystem, pid: number): number {
  const taken = new Set([...files.sockets].filter(({ socket }) => socket.domain === 'netlink' && socket.status !== 'closed' && socket.address !== '').map(({ socket }) => netlinkParts(socket.address).port));
  let port = pid;
  if (taken.has(port)) for (port = PORT_CHOSEN; taken.has(port);) port--;
  return port;
}

/** bind(2): once; later calls may change the groups. Port 0 is one that is chosen. */
export function bindNetlink(files: FileSystem, socket: Socket, how: { readonly address: string; readonly pid: number }): number {
  const { port, groups } = netlinkParts(how.address);
  const own = socket.address === '' ? undefined : netlinkParts(socket.address).port;
  if (own !== undefined && port !== own) return -ERRNO.EINVAL;
  if (own === undefined && port !== 0 && [...files.sockets].some((other) => other.socket.domain === 'netlink' && other.socket.status !== 'closed' && other.socket.address !== '' && netlinkParts(other.socket.address).port === port)) return -ERRNO.EADDRINUSE;
  socket.address = netlinkAddress(own ?? (port === 0 ? freeNetlinkPort(files, how.pid) : port), groups);
  return 0;
}

/** connect(2) to the kernel, the only one that is there. */
export function connectNetlink(files: FileSystem, socket: Socket, how: { readonly address: string; readonly pid: number }): number {
  const { port, groups } = netlinkParts(how.address);
  if (port !== 0 || groups !== 0) return -ERRNO.EPERM;
  socket.peerAddress = how.address;
  return nameNetlink(files, socket, how.pid);
}

function nameNetlink(files: FileSystem, socket: Socket, pid: number): number {
  return socket.address === '' ? bindNetlink(files, socket, { address: netlinkAddress(0, 0), pid }) : 0;
}

/** Sends requests to the kernel; its answers are at the socket when this returns. */
export function sendNetlink(files: FileSystem, socket: Socket, what: { readonly bytes: Uint8Array; readonly to: string | undefined; readonly pid: number }): number {
  const { port, groups } = netlinkParts(what.to ?? '');
  if (port !== 0 || groups !== 0) return -ERRNO.EPERM;
  if (what.bytes.length > REQUEST_BYTES_MAX) return -ERRNO.EMSGSIZE;
  nameNetlink(files, socket, what.pid);
  const asking = netlinkParts(socket.address).port;
  const { bytes } = what;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  for (let at = 0; at + HEADER_BYTES <= bytes.length;) {
    const length = view.getUint32(at, true);
    if (length < HEADER_BYTES || length > bytes.length - at) break;
    for (const datagram of answersTo(bytes.subarray(at, at + length), asking)) {
      if (socket.hasRoom(datagram.length)) socket.push({ bytes: Uint8Array.from(datagram), from: netlinkAddress(0, 0), files: [] });
      else {
        socket.error = ERRNO.ENOBUFS;
        socket.changed();
      }
    }
    at += (length + 3) & ~3;
  }
  return bytes.length;
}

/** The datagrams that answer one request. */
function answersTo(request: Uint8Array, port: number): readonly (readonly number[])[] {
  const view = new DataView(request.buffer, request.byteOffset, request.length);
  const [type, flags, sequence] = [view.getUint16(4, true), view.getUint16(6, true), view.getUint32(8, true)];
  if ((flags & FLAG.REQUEST) === 0) return [];
  const asker: Asker = { sequence, port, flags: 0 };
  const isAcknowledged = (flags & FLAG.ACK) !== 0;
  const error = (errno: number): readonly number[] => errorMessage(request, asker, errno);
  if (type < TYPE.LEAST || request.length <= HEADER_BYTES) return isAcknowledged ? [error(0)] : [];
  if (type > TYPE.MOST) return [error(ERRNO.EOPNOTSUPP)];
  if ((type & 3) !== 2) return [error(ERRNO.EPERM)];
  if ((flags & FLAG.DUMP) !== 0) {
    const many = { ...asker, flags: FLAG.MULTI };
    const found = listOf(type, many, request[HEADER_BYTES]!);
    if (found === undefined) return [error(ERRNO.EOPNOTSUPP)];
    return [...(found.length === 0 ? [] : [found.flat()]), message(TYPE.DONE, many, [0, 0, 0, 0])];
  }
  const one = answerTo(type, asker, request);
  return typeof one === 'number' ? [error(one)] : [one, ...(isAcknowledged ? [error(0)] : [])];
}

/** NLMSG_ERROR: the errno, and the request: all of it where it failed, else its head. */
function errorMessage(request: Uint8Array, asker: Asker, errno: number): readonly number[] {
  const code = [...new Uint8Array(Int32Array.of(-errno).buffer)];
  return message(TYPE.ERROR, errno === 0 ? { ...asker, flags: FLAG.CAPPED } : asker, [...code, ...(errno === 0 ? request.subarray(0, HEADER_BYTES) : request)]);
}

/** All there is of one kind; undefined: no such kind is known. */
function listOf(type: number, asker: Asker, family: number): readonly (readonly number[])[] | undefined {
  switch (type) {
    case GET.LINK: return [linkMessage(asker)];
    case GET.ADDRESS: return addressMessages(asker, family);
    case GET.ROUTE: return routeMessages(asker, family);
    case GET.RULE: return ruleMessages(asker, family);
    case GET.NEIGHBOUR:
    case GET.QUEUEING: return [];
    default: return undefined;
  }
}

/** The answer to a question about one thing, or an errno. */
function answerTo(type: number, asker: Asker, request: Uint8Array): readonly number[] | number {
  if (type === GET.LINK) {
    if (request.length < HEADER_BYTES + LINK_BYTES) return ERRNO.EINVAL;
    const index = new DataView(request.buffer, request.byteOffset).getInt32(HEADER_BYTES + 4, true);
    const attributes = attributesOf(request.subarray(HEADER_BYTES + LINK_BYTES));
    const name = attributes.get(NAME) ?? attributes.get(OTHER_NAME);
    if (index <= 0 && name === undefined) return ERRNO.EINVAL;
    return (index > 0 ? index === LOOPBACK.index : cText(name ?? new Uint8Array(0)) === LOOPBACK.name) ? linkMessage(asker) : ERRNO.ENODEV;
  }
  if (type === GET.ROUTE) {
    if (request.length < HEADER_BYTES + ROUTE_BYTES) return ERRNO.EINVAL;
    const bytes = request[HEADER_BYTES] === FAMILY_INET ? 4 : 16;
    const host = [...(attributesOf(request.subarray(HEADER_BYTES + ROUTE_BYTES)).get(TARGET) ?? []).slice(0, bytes)];
    return host.length === bytes && isLoopbackHost(host) ? routeTo(asker, host) : ERRNO.ENETUNREACH;
  }
  return ERRNO.EOPNOTSUPP;
}

function cText(bytes: Uint8Array): string {
  const end = bytes.indexOf(0);
  return String.fromCharCode(...(end < 0 ? bytes : bytes.subarray(0, end)));
}

/** Attributes by type; what does not fit ends the list. */
function attributesOf(bytes: Uint8Array): ReadonlyMap<number, Uint8Array> {
  const found = new Map<number, Uint8Array>();
  for (let at = 0; at + 4 <= bytes.length;) {
    const length = bytes[at]! | (bytes[at + 1]! << 8);
    if (length < 4 || length > bytes.length - at) break;
    found.set((bytes[at + 2]! | (bytes[at + 3]! << 8)) & 0x3fff, bytes.subarray(at + 4, at + length));
    at += (length + 3) & ~3;
  }
  return found;
}
