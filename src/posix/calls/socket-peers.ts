/**
 * Options of SOL_SOCKET that are no words of a program's own: what a socket tells of its other end (SO_PEERCRED, SO_PEERGROUPS, SO_PEERPIDFD, SO_PEERNAME), its number
 * (SO_COOKIE), what it holds (SO_MEMINFO), and options that can be set only.
 *
 * Invariants: who listens tells of itself, as on Linux; internet sockets know nobody. A process that is over and waited for has no groups, and no descriptor (ESRCH).
 * What this does NOT do: SO_PASSPIDFD (ENOPROTOOPT, as before Linux 6.5), security labels (SO_PEERSEC: ENOPROTOOPT, as without a security module).
 */
import type { Call } from '../call.ts';
import { ERRNO } from '../errno.ts';
import { optionKey, SO, SOL_SOCKET } from '../files/socket-option-names.ts';
import { SOCKET_BYTES } from '../files/socket.ts';
import { encodeAddress } from '../socket-address.ts';
import { LOOPBACK } from '../loopback.ts';
import { socketAt } from '../socket-io.ts';
import { openProcess } from './event-files.ts';
import type { Opened } from './socket-arguments.ts';

const COOKIE_BYTES = 8;
/** SO_MEMINFO has nine words; the second is the room for what comes, the fourth that for what goes. */
const MEMORY_WORDS = 9;

/** SO_SECURITY_*, SO_DETACH_FILTER, SO_PEERSEC, SO_*BUFFORCE, SO_ATTACH_*, SO_CNX_ADVICE, SO_DETACH_REUSEPORT_BPF, SO_PASSPIDFD, SO_BUSY_POLL_BUDGET, names of control messages, device memory: nothing to be asked for. */
const NEVER_TOLD: ReadonlySet<number> = new Set([22, 23, 24, 27, 31, 32, 33, 50, 51, 52, 53, 54, 58, 68, 70, 78, 79, 80, 81, 84, SO.PASSPIDFD]);

/** SO_BPF_EXTENSIONS: what filters know besides the first kernel's. */
const FILTER_EXTENSIONS = 64;

const words = (...values: number[]): Uint8Array => new Uint8Array(Int32Array.from(values).buffer);

interface Peer { readonly pid: number; readonly uid: number; readonly gid: number }

/** Who is at the other end of a local socket, or listens at this one. */
function peerOf(call: Call, { socket, inode }: Opened): Peer | undefined {
  if (socket.domain !== 'unix') return undefined;
  const other = socket.status === 'listening' ? inode : socketAt(call.kernel.files, socket.peer);
  return other === undefined ? undefined : { pid: other.socket.owner, uid: inode.uid, gid: inode.gid };
}

function peerGroups(call: Call, opened: Opened, room: number): Uint8Array | number {
  const peer = peerOf(call, opened);
  if (peer === undefined) return -ERRNO.ENODATA;
  const bytes = words(...call.kernel.findProcess(peer.pid)?.files.identity.groups ?? []);
  if (bytes.length <= room) return bytes;
  return call.memory.writeU32(call.size(4), bytes.length) ? -ERRNO.ERANGE : -ERRNO.EFAULT;
}

/** A new descriptor for the process, made only where its number can be told. */
function peerProcess(call: Call, opened: Opened, room: number): Uint8Array | number {
  const peer = peerOf(call, opened);
  if (peer === undefined) return -ERRNO.ENODATA;
  if (call.kernel.findProcess(peer.pid) === undefined) return -ERRNO.ESRCH;
  if (call.memory.writable(call.size(3), Math.min(room, 4)) === undefined || call.memory.writable(call.size(4), 4) === undefined) return -ERRNO.EFAULT;
  const number = openProcess(call, peer.pid, 0);
  return number < 0 ? number : words(number);
}

function peerName({ socket }: Opened, room: number): Uint8Array | number {
  if (socket.status !== 'connected') return -ERRNO.ENOTCONN;
  const bytes = encodeAddress(socket.peerAddress, socket.domain);
  return bytes.length < room ? -ERRNO.EINVAL : bytes;
}

/** A number that no other socket of the machine has. */
function cookie({ inode }: Opened, room: number): Uint8Array | number {
  return room < COOKIE_BYTES ? -ERRNO.EINVAL : new Uint8Array(BigUint64Array.of(BigInt(inode.ino)).buffer);
}

/** Bytes a second as two words; unset and -1 are no bound. */
function pacingRate(set: number | undefined): number[] {
  return set === undefined || set === -1 ? [-1, -1] : [set, 0];
}

/** The bytes of the option, -errno, or undefined where it is a word like the others. `room`: bytes that the program has for it. */
export function toldOption(call: Call, opened: Opened, option: { readonly name: number; readonly room: number }): Uint8Array | number | undefined {
  const { name, room } = option;
  if (NEVER_TOLD.has(name)) return -ERRNO.ENOPROTOOPT;
  switch (name) {
    case SO.PEERCRED: {
      const peer = peerOf(call, opened);
      return words(peer?.pid ?? 0, peer?.uid ?? -1, peer?.gid ?? -1);
    }
    case SO.PEERGROUPS: return peerGroups(call, opened, room);
    case SO.PEERPIDFD: return peerProcess(call, opened, room);
    case SO.PEERNAME: return peerName(opened, room);
    case SO.COOKIE: return cookie(opened, room);
    case SO.MEMINFO: return words(...Array.from({ length: MEMORY_WORDS }, (_word, index) => (index === 1 || index === 3 ? SOCKET_BYTES : 0)));
    case SO.TIMESTAMPING:
    case SO.TIMESTAMPING_NEW:
    case SO.TXTIME: return words(opened.socket.options.get(optionKey(SOL_SOCKET, name)) ?? 0, 0);
    case SO.MAX_PACING_RATE: return words(...pacingRate(opened.socket.options.get(optionKey(SOL_SOCKET, name))).slice(0, room < 8 ? 1 : 2));
    case SO.BPF_EXTENSIONS: return words(FILTER_EXTENSIONS);
    case SO.GET_FILTER: return new Uint8Array(0);
    case SO.BINDTODEVICE: return new TextEncoder().encode(opened.socket.options.has(optionKey(SOL_SOCKET, name)) ? `${LOOPBACK.name}\0` : '');
    default: return undefined;
  }
}
