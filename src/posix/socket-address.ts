/**
 * struct sockaddr in guest memory ↔ canonical address texts:
 *
 *   u:PATH  a path of the file system, as given      @:NAME  an abstract name (byte string)      i:A.B.C.D:PORT      ''  none
 *
 * Little-endian families, big-endian ports and addresses. What this does NOT do: look anything up.
 */
import { ERRNO } from './errno.ts';
import type { SocketDomain } from './files/socket.ts';

export const FAMILY = { UNSPEC: 0, UNIX: 1, INET: 2 } as const;
const UNIX_PATH_BYTES = 108;
const INET_BYTES = 16;

/** The address of a family; -errno. '' is AF_UNSPEC. */
export function decodeAddress(bytes: Uint8Array, domain: SocketDomain): string | number {
  if (bytes.length < 2) return -ERRNO.EINVAL;
  const family = bytes[0]! | (bytes[1]! << 8);
  if (family === FAMILY.UNSPEC) return '';
  if (domain === 'unix') return family === FAMILY.UNIX ? decodeUnix(bytes.subarray(2)) : -ERRNO.EINVAL;
  if (family !== FAMILY.INET) return -ERRNO.EAFNOSUPPORT;
  if (bytes.length < INET_BYTES) return -ERRNO.EINVAL;
  return `i:${bytes.subarray(4, 8).join('.')}:${(bytes[2]! << 8) | bytes[3]!}`;
}

function decodeUnix(name: Uint8Array): string | number {
  if (name.length > UNIX_PATH_BYTES) return -ERRNO.EINVAL;
  if (name.length === 0) return '';
  if (name[0] === 0) return `@:${String.fromCharCode(...name.subarray(1))}`;
  const end = name.indexOf(0);
  return `u:${String.fromCharCode(...(end < 0 ? name : name.subarray(0, end)))}`;
}

/** The bytes of struct sockaddr. */
export function encodeAddress(address: string, domain: SocketDomain): Uint8Array {
  if (domain === 'inet') return encodeInet(address);
  const text = address.slice(2);
  const name = Uint8Array.from(text, (char) => char.charCodeAt(0));
  if (address === '') return Uint8Array.of(FAMILY.UNIX, 0);
  if (address.startsWith('@')) return Uint8Array.of(FAMILY.UNIX, 0, 0, ...name);
  return Uint8Array.of(FAMILY.UNIX, 0, ...name, 0);
}

function encodeInet(address: string): Uint8Array {
  const out = new Uint8Array(INET_BYTES);
  out[0] = FAMILY.INET;
  const { host, port } = inetParts(address);
  out[2] = port >> 8;
  out[3] = port & 255;
  out.set(host, 4);
  return out;
}

export function inetParts(address: string): { readonly host: readonly number[]; readonly port: number } {
  const [, host, port] = address.split(':');
  return host === undefined ? { host: [0, 0, 0, 0], port: 0 } : { host: host.split('.').map(Number), port: Number(port) };
}

export function inetAddress(host: readonly number[], port: number): string {
  return `i:${host.join('.')}:${port}`;
}
