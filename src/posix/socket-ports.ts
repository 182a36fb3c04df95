/**
 * Ports of the internet inside one machine: who has which, who may have the same (SO_REUSEADDR, SO_REUSEPORT), and who is meant by an address.
 *
 *   bind     both SO_REUSEPORT, of one user: together.  both SO_REUSEADDR: datagrams together, streams until one of them listens.
 *   reached  a datagram socket connected to the sender, else one bound to the very address, else to any of its family, else to any;
 *            of several with SO_REUSEPORT the sender's port chooses, of several datagram sockets the last that was made is meant
 *
 * Invariants: an answer depends on the sockets and their options only.
 * What this does NOT do: names of AF_UNIX, connections, bytes (socket-io.ts).
 */
import type { FileSystem } from './files/file-system.ts';
import type { SocketInode } from './files/inode.ts';
import type { Socket } from './files/socket.ts';
import { optionKey, SO, SOL_SOCKET } from './files/socket-option-names.ts';
import { inetParts, isAnyHost, type Host } from './socket-address.ts';

/** Where Linux takes a port from that nobody named (net.ipv4.ip_local_port_range). */
export const EPHEMERAL = { first: 32768, last: 60999 } as const;
/** IPV6_V6ONLY, of level IPPROTO_IPV6. */
const V6_ONLY = optionKey(41, 26);
const REUSE_ADDRESS = optionKey(SOL_SOCKET, SO.REUSEADDR);
const REUSE_PORT = optionKey(SOL_SOCKET, SO.REUSEPORT);

export interface Place { readonly host: Host; readonly port: number }

/** Whether a socket that is bound to `host` is reached at `target`: :: has the IPv4 addresses too, unless it wants none of them. */
export function covers(socket: Socket, host: Host, target: Host): boolean {
  if (host.length === target.length) return isAnyHost(host) || host.join() === target.join();
  return isAnyHost(host) && host.length === 16 && socket.options.get(V6_ONLY) !== 1;
}

function haveBoth(a: Socket, b: Socket, option: number): boolean {
  return (a.options.get(option) ?? 0) !== 0 && (b.options.get(option) ?? 0) !== 0;
}

function mayShare(own: SocketInode, other: SocketInode, listens: boolean): boolean {
  if (haveBoth(own.socket, other.socket, REUSE_PORT) && own.uid === other.uid) return true;
  if (listens) return other.socket.status !== 'listening'; // They were bound together.
  return haveBoth(own.socket, other.socket, REUSE_ADDRESS) && (own.socket.type === 'datagram' || other.socket.status !== 'listening');
}

/** Whether somebody who does not share it has the port that `own` is to be bound to, or is to listen at. */
export function isPortTaken(files: FileSystem, own: SocketInode, wanted: Place & { readonly listens: boolean }): boolean {
  for (const other of files.sockets) {
    const { socket } = other;
    if (other === own || socket.domain === 'unix' || socket.address === '' || (socket.type === 'stream') !== (own.socket.type === 'stream')) continue;
    if (socket.status === 'connected' && own.socket.type === 'stream') continue;
    const { host, port } = inetParts(socket.address);
    if (port !== wanted.port || mayShare(own, other, wanted.listens)) continue;
    if (covers(socket, host, wanted.host) || covers(own.socket, wanted.host, host)) return true;
  }
  return false;
}

/** The lowest free port of the range that Linux takes them from; not `avoided`, where it wants to reach somebody else. */
export function freePort(files: FileSystem, own: Socket, avoided?: number): number {
  const taken = new Set([...files.sockets].filter(({ socket }) => socket.domain !== 'unix' && socket.type === own.type && socket.address !== '').map(({ socket }) => inetParts(socket.address).port));
  if (avoided !== undefined) taken.add(avoided);
  let port: number = EPHEMERAL.first;
  while (port < EPHEMERAL.last && taken.has(port)) port++;
  return port;
}

/** How well a socket fits what `sender` looks for: the lower the better; undefined: not at all. */
function rankOf(other: Socket, sender: Socket, target: Place): number | undefined {
  if (other.domain === 'unix' || other.type !== sender.type || other.address === '' || (other.type !== 'datagram' && other.status !== 'listening')) return undefined;
  const { host, port } = inetParts(other.address);
  if (port !== target.port || !covers(other, host, target.host)) return undefined;
  const isExact = host.join() === target.host.join();
  // One that speaks with somebody else gets nothing, but whoever sends to it is not refused.
  if (other.status === 'connected') return inetParts(other.peerAddress).port === inetParts(sender.address).port ? 0 : 4;
  if (isExact) return 1;
  return host.length === target.host.length ? 2 : 3;
}

/** The socket that is reached at a place of the loopback; undefined: nobody is there. */
export function inetTarget(files: FileSystem, sender: Socket, target: Place): SocketInode | undefined {
  let [best, least]: [SocketInode[], number] = [[], Infinity];
  for (const other of files.sockets) {
    const rank = rankOf(other.socket, sender, target);
    if (rank === undefined || rank > least) continue;
    if (rank < least) best = [];
    least = rank;
    best.push(other);
  }
  const group = best.filter(({ socket }) => (socket.options.get(REUSE_PORT) ?? 0) !== 0);
  if (best.length < 2) return best[0];
  if (group.length < best.length) return sender.type === 'datagram' ? best.at(-1) : best[0];
  const port = sender.address === '' ? freePort(files, sender, target.port) : inetParts(sender.address).port;
  return group[port % group.length];
}
