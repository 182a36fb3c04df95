/**
 * /proc/PID/net: the sockets of the machine as Linux lists them (tcp, tcp6, udp, udp6, unix, sockstat), for programs that look for who listens and who is connected
 * (netstat, fuser, lsof), and lists of what there is none of.
 * Invariants: made at each read from guest state only, in the order in which the sockets were made. Pointers of the kernel show as zeros, as to anybody but root.
 * What this does NOT do: interfaces and routes (loopback.ts), counters of packets.
 */
import type { SocketInode } from './files/inode.ts';
import type { Socket } from './files/socket.ts';
import type { FileSystem } from './files/file-system.ts';
import { inetParts, isAnyHost, mappedHost, type Host } from './socket-address.ts';

type Table = readonly [name: string, make: (files: FileSystem) => string];

const POINTER = '0'.repeat(16);
const TCP = { ESTABLISHED: 1, FIN_WAIT2: 5, CLOSE: 7, CLOSE_WAIT: 8, LISTEN: 10 } as const;
const HEAD = {
  tcp: '  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode',
  tcp6: '  sl  local_address                         remote_address                        st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode',
  udp: '   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops',
  udp6: '  sl  local_address                         remote_address                        st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops',
  raw: '  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops',
} as const;
/** Linux pads the lines of IPv4's tables to these widths. */
const WIDTH = { tcp: 149, udp: 127 } as const;
const UNIX_TYPE = { stream: 1, datagram: 2, seqpacket: 5 } as const;

function hex(value: number, digits: number): string {
  return value.toString(16).toUpperCase().padStart(digits, '0');
}

/** Each four bytes as a little-endian machine reads them as a number. */
function placeText(domain: Socket['domain'], address: string): string {
  const { host, port } = inetParts(address);
  const shown: Host = domain === 'inet6' && host.length === 4 ? (isAnyHost(host) ? new Array<number>(16).fill(0) : mappedHost(host)) : host;
  const words = Array.from({ length: shown.length / 4 }, (_, index) => shown.slice(4 * index, 4 * index + 4).reverse().map((byte) => hex(byte, 2)).join(''));
  return `${words.join('')}:${hex(port, 4)}`;
}

/** Undefined: Linux has such a socket in no table. */
function stateOf(socket: Socket): number | undefined {
  if (socket.type === 'datagram') return socket.address === '' ? undefined : socket.status === 'connected' ? TCP.ESTABLISHED : TCP.CLOSE;
  return streamState(socket);
}

/** The state of a connection as TCP numbers it; undefined: there is none. */
export function streamState(socket: Socket): number | undefined {
  if (socket.status === 'listening') return TCP.LISTEN;
  if (socket.status !== 'connected' || socket.address === '') return undefined;
  if (socket.isEnded) return socket.isWriteShut ? undefined : TCP.CLOSE_WAIT;
  return socket.isWriteShut ? TCP.FIN_WAIT2 : TCP.ESTABLISHED;
}

/** Linux counts the mark of the end behind bytes as one of them. */
function unreadOf({ type, status, backlog, stream, isEnded, messageBytes }: Socket): number {
  if (status === 'listening') return backlog.length;
  return type === 'stream' ? stream.length + (isEnded && stream.length > 0 ? 1 : 0) : messageBytes;
}

function inetTable(files: FileSystem, name: 'tcp' | 'tcp6' | 'udp' | 'udp6'): string {
  const domain = name.endsWith('6') ? 'inet6' : 'inet';
  const isStream = name.startsWith('tcp');
  const width = domain === 'inet' ? (isStream ? WIDTH.tcp : WIDTH.udp) : 0;
  // A connection that nobody has accepted yet is nobody's.
  const waiting = new Set([...files.sockets].flatMap(({ socket }) => socket.backlog));
  const rows = [...files.sockets].filter(({ socket }) => socket.domain === domain && (socket.type === 'stream') === isStream).flatMap((inode) => {
    const { socket } = inode;
    const state = stateOf(socket);
    return state === undefined ? [] : [{ inode, socket, state }];
  });
  const lines = rows.map(({ inode, socket, state }, index) => {
    const unread = unreadOf(socket);
    const owner = waiting.has(inode.ino) ? { uid: 0, ino: 0 } : inode;
    const head = `${String(index).padStart(isStream ? 4 : 5)}: ${placeText(domain, socket.address)} ${placeText(domain, socket.peerAddress)} ${hex(state, 2)} 00000000:${hex(unread, 8)} 00:00000000 00000000`;
    return `${head} ${String(owner.uid).padStart(5)}        0 ${owner.ino} ${isStream ? `1 ${POINTER} 100 0 0 10 0` : `2 ${POINTER} 0`}`;
  });
  return [HEAD[name], ...lines].map((line) => `${line.padEnd(width)}\n`).join('');
}

function unixLine({ ino, socket }: SocketInode): string {
  const name = socket.address === '' || socket.address === '@' ? '' : socket.address.startsWith('@') ? ` @${socket.address.slice(2).replaceAll('\0', '@')}` : ` ${socket.address.slice(2)}`;
  const isListening = socket.status === 'listening';
  return `${POINTER}: 00000002 00000000 ${hex(isListening ? 0x1_0000 : 0, 8)} ${hex(UNIX_TYPE[socket.type], 4)} ${hex(socket.status === 'connected' ? 3 : 1, 2)} ${String(ino).padStart(5)}${name}\n`;
}

function unixTable({ sockets }: FileSystem): string {
  return `Num       RefCount Protocol Flags    Type St Inode Path\n${[...sockets].filter(({ socket }) => socket.domain === 'unix').map(unixLine).join('')}`;
}

function countText({ sockets }: FileSystem, domain: 'inet' | 'inet6'): string {
  const all = [...sockets].map(({ socket }) => socket);
  const count = (type: Socket['type']): number => all.filter((socket) => socket.domain === domain && socket.type === type && stateOf(socket) !== undefined).length;
  const [streams, datagrams] = [count('stream'), count('datagram')];
  if (domain === 'inet6') return `TCP6: inuse ${streams}\nUDP6: inuse ${datagrams}\nUDPLITE6: inuse 0\nRAW6: inuse 0\nFRAG6: inuse 0 memory 0\n`;
  return `sockets: used ${all.length}\nTCP: inuse ${streams} orphan 0 tw 0 alloc ${streams} mem 0\nUDP: inuse ${datagrams} mem 0\nUDPLITE: inuse 0\nRAW: inuse 0\nFRAG: inuse 0 memory 0\n`;
}

/** Names below /proc/PID/net and what makes their text. */
export const SOCKET_TABLES: readonly Table[] = [
  ...(['tcp', 'tcp6', 'udp', 'udp6'] as const).map((name): Table => [name, (files) => inetTable(files, name)]),
  ['unix', unixTable],
  ['sockstat', (files) => countText(files, 'inet')], ['sockstat6', (files) => countText(files, 'inet6')],
  ...(['raw', 'icmp'] as const).map((name): Table => [name, () => `${HEAD.raw}\n`]), ...(['raw6', 'icmp6', 'udplite6'] as const).map((name): Table => [name, () => `${HEAD.udp6}\n`]),
  ['udplite', () => `${HEAD.udp.padEnd(WIDTH.udp)}\n`],
  ['packet', () => 'sk               RefCnt Type Proto  Iface R Rmem   User   Inode\n'], ['arp', () => 'IP address       HW type     Flags       HW address            Mask     Device\n'],
];
