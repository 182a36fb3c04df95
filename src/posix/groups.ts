/**
 * Groups of receivers (multicast) and everybody (broadcast) on the loopback: who is in a group, who gets a datagram that is sent to one, and whom it is from.
 *
 *   reached   while any socket is in the group: all datagram sockets at its port that are bound to it or to any address, and are in it
 *             or did not ask for their own groups alone (IP_MULTICAST_ALL).  224.0.0.1 has everybody in it, 127.255.255.255 is a broadcast
 *   way out   there is no route for groups: a sender names the interface (IP_MULTICAST_IF), or is bound to an address of the loopback
 *
 * Invariants: groups of IPv6 have members and no way (Linux has no route to them on lo either). An answer depends on sockets and options only.
 * What this does NOT do: arguments of setsockopt (calls/socket-groups.ts), bytes (socket-io.ts).
 */
import { ERRNO } from './errno.ts';
import type { FileSystem } from './files/file-system.ts';
import type { Socket } from './files/socket.ts';
import { optionKey, SO, SOL_SOCKET } from './files/socket-option-names.ts';
import { inetAddress, inetParts, isAnyHost, isGroupHost, isLoopbackHost, loopbackHost, type Host } from './socket-address.ts';
import { covers } from './socket-ports.ts';

const LEVEL_IP = 0;
/** IP_MULTICAST_IF: the address that was named; and, under a name that no option has, whether any was. */
export const GROUP_SOURCE = optionKey(LEVEL_IP, 32);
export const GROUP_DEVICE = optionKey(LEVEL_IP, 1032);
const ALL_GROUPS = optionKey(LEVEL_IP, 49);
const BROADCAST = optionKey(SOL_SOCKET, SO.BROADCAST);
/** net.ipv4.igmp_max_memberships. */
const MEMBERSHIPS_MAX = 20;
const EVERYBODY = '224.0.0.1';

export function joinGroup(socket: Socket, group: Host): number {
  const name = inetAddress(group, 0);
  if (socket.groups.includes(name)) return -ERRNO.EADDRINUSE;
  if (group.length === 4 && socket.groups.length >= MEMBERSHIPS_MAX) return -ERRNO.ENOBUFS;
  socket.groups.push(name);
  return 0;
}

export function leaveGroup(socket: Socket, group: Host): number {
  const at = socket.groups.indexOf(inetAddress(group, 0));
  if (at < 0) return -ERRNO.EADDRNOTAVAIL;
  socket.groups.splice(at, 1);
  return 0;
}

/** Whether an address means more than one receiver. */
export function isShared(host: Host): boolean {
  return isGroupHost(host) || isBroadcast(host);
}

function isBroadcast(host: Host): boolean {
  return host.length === 4 && (host[0] === 127 || host[0] === 255) && host[1] === 255 && host[2] === 255 && host[3] === 255;
}

/** The address that a datagram to a group or to everybody is from; -errno where there is no way to it. */
export function sharedSource(socket: Socket, to: Host): Host | number {
  const own = inetParts(socket.address).host;
  if (to.length !== 4) return -ERRNO.ENETUNREACH;
  const bound = own.length === 4 && isLoopbackHost(own) ? own : undefined;
  if (isBroadcast(to)) {
    if (to[0] === 255) return -ERRNO.ENETUNREACH;
    return (socket.options.get(BROADCAST) ?? 0) === 0 ? -ERRNO.EACCES : bound ?? loopbackHost('inet');
  }
  if (bound !== undefined) return bound;
  if (!socket.options.has(GROUP_DEVICE)) return -ERRNO.ENETUNREACH;
  return [...new Uint8Array(Int32Array.of(socket.options.get(GROUP_SOURCE) ?? 0).buffer)];
}

/** The sockets that get a datagram to a group or to everybody, in the order in which they were made. */
export function* sharedTargets(files: FileSystem, sent: { readonly to: string; readonly from: string }): Iterable<Socket> {
  const { host, port } = inetParts(sent.to);
  const group = inetAddress(host, 0);
  const isGroup = isGroupHost(host);
  const open = [...files.sockets].map(({ socket }) => socket).filter((socket) => socket.type === 'datagram' && (socket.domain === 'inet' || socket.domain === 'inet6') && socket.status !== 'closed');
  if (isGroup && host.join('.') !== EVERYBODY && !open.some(({ groups }) => groups.includes(group))) return;
  for (const socket of open) {
    if (socket.address === '') continue;
    const own = inetParts(socket.address);
    if (own.port !== port || !(isAnyHost(own.host) || own.host.length === 4) || !covers(socket, own.host, host)) continue;
    if (socket.status === 'connected' && socket.peerAddress !== sent.from) continue;
    if (!isGroup || socket.groups.includes(group) || socket.options.get(ALL_GROUPS) !== 0) yield socket;
  }
}
