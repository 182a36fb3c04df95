/**
 * Names of sockets: bind, and the addresses that the kernel chooses where nobody did.
 * Invariants: an answer -errno means that nothing changed. What this does NOT do: say who has which port (socket-ports.ts).
 */
import { ERRNO } from './errno.ts';
import type { FileContext } from './file-context.ts';
import { S_IF } from './files/flags.ts';
import type { FileSystem } from './files/file-system.ts';
import type { SocketInode } from './files/inode.ts';
import { isPrivileged } from './files/identity.ts';
import { CHOSEN, type Socket } from './files/socket.ts';
import { optionKey } from './files/socket-option-names.ts';
import { attachNew, newName } from './files/tree.ts';
import { walk } from './files/walk.ts';
import { bindNetlink } from './netlink.ts';
import { CHOSEN_NAME, anyHost, inetAddress, inetParts, isAnyHost, isGroupHost, isLoopbackHost, loopbackHost } from './socket-address.ts';
import { freePort, isPortTaken } from './socket-ports.ts';

/** net.ipv4.ip_unprivileged_port_start: below it ports are root's (CAP_NET_BIND_SERVICE). */
const PORTS_UNPRIVILEGED = 1024;
/** IP_FREEBIND, IP_TRANSPARENT, IPV6_TRANSPARENT and IPV6_FREEBIND: an address that is nobody's will do. */
const ANYWHERE = [optionKey(0, 15), optionKey(0, 19), optionKey(41, 75), optionKey(41, 78)] as const;

function bindsAnywhere({ options }: Socket): boolean {
  return ANYWHERE.some((key) => options.get(key) === 1);
}

/** bind(2). */
export function bindSocket(context: FileContext, inode: SocketInode, address: string): number {
  const { socket } = inode;
  if (socket.domain === 'netlink') return bindNetlink(context.files, socket, { address, pid: context.pid });
  // On Linux one that has a name gets no second one chosen, and a path is looked at first.
  if (address === CHOSEN_NAME && socket.address !== '') return 0;
  if (address.startsWith('u:')) return bindPath(context, inode, address);
  if (socket.address !== '' || (address === '' && socket.domain === 'unix')) return -ERRNO.EINVAL;
  if (address === CHOSEN_NAME) {
    socket.address = freeAbstractName(context.files);
    return 0;
  }
  if (address.startsWith('@')) {
    if ([...context.files.sockets].some((other) => other.socket.address === address)) return -ERRNO.EADDRINUSE;
    socket.address = address;
    return 0;
  }
  const { host, port } = inetParts(address);
  if (port > 0 && port < PORTS_UNPRIVILEGED && !isPrivileged(context.identity)) return -ERRNO.EACCES;
  if (!isAnyHost(host) && !isLoopbackHost(host) && !isGroupHost(host) && !bindsAnywhere(socket)) return -ERRNO.EADDRNOTAVAIL;
  if (port !== 0 && isPortTaken(context.files, inode, { host, port, listens: false })) return -ERRNO.EADDRINUSE;
  socket.address = inetAddress(host, port === 0 ? freePort(context.files, socket) : port);
  if (port === 0 && isAnyHost(host) && socket.type === 'datagram') socket.chosen = CHOSEN.PORT;
  return 0;
}

function freeAbstractName(files: FileSystem): string {
  for (let number = 0; ; number++) {
    const name = `@:${number.toString(16).padStart(5, '0')}`;
    if (![...files.sockets].some(({ socket }) => socket.address === name)) return name;
  }
}

function bindPath(context: FileContext, inode: SocketInode, address: string): number {
  const path = address.slice(2);
  const at = walk(context.files, context, { start: context.cwd, path }, 'parent');
  if (typeof at === 'number') return at;
  if (at.inode !== undefined) return -ERRNO.EADDRINUSE;
  const directory = newName(context, at, false);
  if (typeof directory === 'number') return directory;
  if (inode.socket.address !== '') return -ERRNO.EINVAL;
  inode.mode = S_IF.socket | (0o777 & ~context.umask);
  attachNew(context.files, directory, { name: at.name, inode });
  inode.socket.address = address;
  return 0;
}

/** An internet socket that speaks has a port, and once it is connected an address. */
export function nameSocket(context: FileContext, socket: Socket, peer: string): void {
  if (socket.domain === 'unix') return;
  const { host, port } = inetParts(socket.address);
  if (socket.address !== '' && !isAnyHost(host)) return;
  const other = peer === '' ? undefined : inetParts(peer);
  const own = loopbackHost(other?.host.length === 16 ? 'inet6' : 'inet');
  if (socket.type === 'datagram') socket.chosen |= CHOSEN.HOST | (socket.address === '' ? CHOSEN.PORT : 0);
  socket.address = inetAddress(own, socket.address === '' ? freePort(context.files, socket, other?.port) : port);
}

/** A datagram socket that sends has a port. */
export function choosePort(context: FileContext, socket: Socket, to: string): void {
  if (socket.address !== '' || socket.domain === 'unix') return;
  socket.chosen |= CHOSEN.PORT;
  socket.address = inetAddress(anyHost(socket.domain), freePort(context.files, socket, inetParts(to).port));
}
