/**
 * ioctl on a socket: what there is of interfaces (netdevice(7)). There is one, `lo`, and nothing of it can be changed.
 *
 *   struct ifreq   name 16, a union of 24: a sockaddr, flags 2, an int or struct ifmap
 *   struct ifconf  room in bytes 4 (+4), address 8: of so many ifreq's
 *
 * What this does NOT do: marks of urgent data, bytes that wait (file-descriptor.ts).
 */
import type { Call } from '../call.ts';
import { ERRNO } from '../errno.ts';
import type { Socket } from '../files/socket.ts';
import { LOOPBACK } from '../loopback.ts';
import { encodeAddress } from '../socket-address.ts';

const NAME_BYTES = 16;
const REQUEST_BYTES = 40;
const ASK = {
  NAME: 0x8910, LIST: 0x8912, FLAGS: 0x8913, ADDRESS: 0x8915, PEER: 0x8917, BROADCAST: 0x8919, MASK: 0x891b, METRIC: 0x891d, MTU: 0x8921, HARDWARE: 0x8927, INDEX: 0x8933, QUEUE_LENGTH: 0x8942, MAP: 0x8970,
} as const;
/** SIOCADDRT to SIOCDELRT, and SIOCSIFLINK and the like, among those that ask: they set something. */
const SET: ReadonlySet<number> = new Set([0x890b, 0x890c, 0x8911, 0x8914, 0x8916, 0x8918, 0x891a, 0x891c, 0x891e, 0x8922, 0x8923, 0x8924, 0x8931, 0x8932, 0x8936, 0x8937, 0x8943, 0x8971]);

/** The answer to a request about interfaces; undefined: it is about something else. */
export function interfaceRequest(call: Call, { domain }: Socket): number | undefined {
  const [request, address] = [call.unsigned(1), call.size(2)];
  if (request === ASK.LIST) return listInterfaces(call, address);
  if (SET.has(request)) return -ERRNO.EPERM;
  const isInet = domain === 'inet';
  if (!(Object.values(ASK) as number[]).includes(request) || (!isInet && request >= ASK.ADDRESS && request <= ASK.MASK)) return undefined;
  const bytes = call.memory.readable(address, REQUEST_BYTES)?.slice();
  if (bytes === undefined) return -ERRNO.EFAULT;
  const view = new DataView(bytes.buffer);
  if (request === ASK.NAME) {
    if (view.getInt32(NAME_BYTES, true) !== LOOPBACK.index) return -ERRNO.ENODEV;
    bytes.set([...LOOPBACK.name].map((char) => char.charCodeAt(0)));
    bytes.fill(0, LOOPBACK.name.length, NAME_BYTES);
  } else {
    const name = String.fromCharCode(...bytes.subarray(0, NAME_BYTES - 1)).split('\0', 1)[0] ?? '';
    if (name.split(':', 1)[0] !== LOOPBACK.name) return -ERRNO.ENODEV;
    if (name !== LOOPBACK.name && isInet && request >= ASK.ADDRESS && request <= ASK.MASK) return -ERRNO.EADDRNOTAVAIL; // An alias, of which there is none.
    fill(bytes, view, request);
  }
  return call.memory.write(address, bytes) ? 0 : -ERRNO.EFAULT;
}

/** The union of a struct ifreq. */
function fill(bytes: Uint8Array, view: DataView, request: number): void {
  const put = (data: ArrayLike<number>): void => { bytes.set(data, NAME_BYTES); };
  switch (request) {
    case ASK.FLAGS: view.setUint16(NAME_BYTES, LOOPBACK.flags, true); return;
    case ASK.ADDRESS:
    case ASK.PEER: put(encodeAddress('i:127.0.0.1:0', 'inet')); return;
    case ASK.BROADCAST: put(encodeAddress('i:0.0.0.0:0', 'inet')); return;
    case ASK.MASK: put(encodeAddress('i:255.0.0.0:0', 'inet')); return;
    case ASK.METRIC: view.setInt32(NAME_BYTES, 0, true); return;
    case ASK.MTU: view.setInt32(NAME_BYTES, LOOPBACK.mtu, true); return;
    case ASK.HARDWARE: put([...new Uint8Array(Uint16Array.of(LOOPBACK.hardware).buffer), ...new Uint8Array(14)]); return;
    case ASK.INDEX: view.setInt32(NAME_BYTES, LOOPBACK.index, true); return;
    case ASK.QUEUE_LENGTH: view.setInt32(NAME_BYTES, LOOPBACK.queueLength, true); return;
    default: put(new Uint8Array(REQUEST_BYTES - NAME_BYTES)); // struct ifmap.
  }
}

/** SIOCGIFCONF: as many as there is room for, or without an address how much room they want. */
function listInterfaces(call: Call, address: number): number {
  const [room, list] = [call.memory.readU32(address), call.memory.readU64(address + 8)];
  if (room === undefined || list === undefined) return -ERRNO.EFAULT;
  const count = list === 0n || (room | 0) >= REQUEST_BYTES ? REQUEST_BYTES : 0;
  if (list !== 0n && count > 0) {
    const bytes = new Uint8Array(REQUEST_BYTES);
    bytes.set([...LOOPBACK.name].map((char) => char.charCodeAt(0)));
    bytes.set(encodeAddress('i:127.0.0.1:0', 'inet'), NAME_BYTES);
    if (!call.memory.write(Number(list), bytes)) return -ERRNO.EFAULT;
  }
  return call.memory.writeU32(address, count) ? 0 : -ERRNO.EFAULT;
}
