/**
 * struct sockaddr in guest memory ↔ canonical address texts:
 *
 *   u:PATH  a path of the file system, as given      @:NAME  an abstract name (byte string)      @  one that bind chooses      i:A.B.C.D:PORT, i:[32 hex digits]:PORT
 *   n:PORT:GROUPS  of netlink; port 0 is the kernel      ''  none
 *
 * A mapped IPv4 address (::ffff:A.B.C.D) is that IPv4 address; what family it was given with is the socket's business.
 * Little-endian families, big-endian ports and addresses. What this does NOT do: look anything up.
 */
import { ERRNO } from './errno.ts';
import type { SocketDomain } from './files/socket.ts';

export const FAMILY = { UNSPEC: 0, UNIX: 1, INET: 2, INET6: 10, NETLINK: 16 } as const;
const UNIX_PATH_BYTES = 108;
const INET_BYTES = 16;
/** struct sockaddr_nl: family 2, pad 2, port 4, groups 4. */
const NETLINK_BYTES = 12;
/** struct sockaddr_in6: family 2, port 2, flow 4, address 16, scope 4; without the scope it is taken too (RFC 2133). */
const INET6_BYTES = 28;
const INET6_BYTES_LEAST = 24;
const MAPPED_PREFIX = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255] as const;
/** An address of AF_UNIX without a name. */
export const CHOSEN_NAME = '@';
/** Bytes of an internet address: 4 or 16. */
export type Host = readonly number[];
const ANY: Host = [0, 0, 0, 0];
const ANY6: Host = new Array<number>(16).fill(0);
const LOOPBACK: Host = [127, 0, 0, 1];
const LOOPBACK6: Host = [...ANY6.slice(1), 1];

/** The address of a family; -errno. '' is AF_UNSPEC. */
export function decodeAddress(bytes: Uint8Array, domain: SocketDomain): string | number {
  if (bytes.length < 2) return -ERRNO.EINVAL;
  const family = bytes[0]! | (bytes[1]! << 8);
  if (domain === 'netlink') return decodeNetlink(bytes, family);
  if (family === FAMILY.UNSPEC) return '';
  if (domain === 'unix') return family === FAMILY.UNIX ? decodeUnix(bytes.subarray(2)) : -ERRNO.EINVAL;
  const least = domain === 'inet' ? INET_BYTES : INET6_BYTES_LEAST;
  if (family !== (domain === 'inet' ? FAMILY.INET : FAMILY.INET6)) return domain === 'inet6' && bytes.length < least ? -ERRNO.EINVAL : -ERRNO.EAFNOSUPPORT;
  if (bytes.length < least) return -ERRNO.EINVAL;
  return inetAddress([...(domain === 'inet' ? bytes.subarray(4, 8) : bytes.subarray(8, 24))], (bytes[2]! << 8) | bytes[3]!);
}

function decodeNetlink(bytes: Uint8Array, family: number): string | number {
  if (family === FAMILY.UNSPEC) return '';
  if (bytes.length < NETLINK_BYTES || family !== FAMILY.NETLINK) return -ERRNO.EINVAL;
  const view = new DataView(bytes.buffer, bytes.byteOffset, NETLINK_BYTES);
  return netlinkAddress(view.getUint32(4, true), view.getUint32(8, true));
}

export function netlinkAddress(port: number, groups: number): string {
  return `n:${port}:${groups}`;
}

/** Of '' and what nobody has named: the kernel. */
export function netlinkParts(address: string): { readonly port: number; readonly groups: number } {
  const [, port = 0, groups = 0] = address.split(':');
  return { port: Number(port), groups: Number(groups) };
}

function encodeNetlink(address: string): Uint8Array {
  const view = new DataView(new ArrayBuffer(NETLINK_BYTES));
  const { port, groups } = netlinkParts(address);
  view.setUint16(0, FAMILY.NETLINK, true);
  view.setUint32(4, port, true);
  view.setUint32(8, groups, true);
  return new Uint8Array(view.buffer);
}

function decodeUnix(name: Uint8Array): string | number {
  if (name.length > UNIX_PATH_BYTES) return -ERRNO.EINVAL;
  if (name.length === 0) return CHOSEN_NAME;
  if (name[0] === 0) return `@:${String.fromCharCode(...name.subarray(1))}`;
  const end = name.indexOf(0);
  return `u:${String.fromCharCode(...(end < 0 ? name : name.subarray(0, end)))}`;
}

/** The bytes of struct sockaddr. */
export function encodeAddress(address: string, domain: SocketDomain): Uint8Array {
  if (domain === 'netlink') return encodeNetlink(address);
  if (domain !== 'unix') return encodeInet(address, domain);
  const text = address.slice(2);
  const name = Uint8Array.from(text, (char) => char.charCodeAt(0));
  if (address === '') return Uint8Array.of(FAMILY.UNIX, 0);
  if (address.startsWith('@')) return Uint8Array.of(FAMILY.UNIX, 0, 0, ...name);
  return Uint8Array.of(FAMILY.UNIX, 0, ...name, 0);
}

function encodeInet(address: string, domain: SocketDomain): Uint8Array {
  const { host, port } = inetParts(address);
  const out = new Uint8Array(domain === 'inet' ? INET_BYTES : INET6_BYTES);
  out[0] = domain === 'inet' ? FAMILY.INET : FAMILY.INET6;
  out[2] = port >> 8;
  out[3] = port & 255;
  if (domain === 'inet') out.set(host, 4);
  else out.set(host.length === 16 ? host : isAnyHost(host) ? ANY6 : mappedHost(host), 8);
  return out;
}

export function inetParts(address: string): { readonly host: Host; readonly port: number } {
  const [, host, port] = address.split(':');
  if (host === undefined) return { host: ANY, port: 0 };
  return { host: host.startsWith('[') ? Array.from({ length: 16 }, (_, index) => parseInt(host.slice(1 + 2 * index, 3 + 2 * index), 16)) : host.split('.').map(Number), port: Number(port) };
}

export function inetAddress(host: Host, port: number): string {
  if (host.length === 4) return `i:${host.join('.')}:${port}`;
  if (MAPPED_PREFIX.every((byte, index) => host[index] === byte)) return `i:${host.slice(12).join('.')}:${port}`;
  return `i:[${host.map((byte) => byte.toString(16).padStart(2, '0')).join('')}]:${port}`;
}

/** 0.0.0.0 and ::. */
export function isAnyHost(host: Host): boolean {
  return host.every((byte) => byte === 0);
}

/** 127.0.0.0/8 and ::1. */
export function isLoopbackHost(host: Host): boolean {
  return host.length === 4 ? host[0] === 127 : host.every((byte, index) => byte === LOOPBACK6[index]);
}

/** Groups: 224.0.0.0/4 and ff00::/8. */
export function isGroupHost(host: Host): boolean {
  return host.length === 4 ? host[0]! >= 224 && host[0]! < 240 : host[0] === 255;
}

/** An IPv4 address as one of IPv6. */
export function mappedHost(host: Host): Host {
  return [...MAPPED_PREFIX, ...host];
}

/** Any address of a domain, and its loopback: of the same family as `like`, where that is given. */
export function anyHost(domain: SocketDomain): Host { return domain === 'inet6' ? ANY6 : ANY; }
export function loopbackHost(domain: SocketDomain): Host { return domain === 'inet6' ? LOOPBACK6 : LOOPBACK; }
