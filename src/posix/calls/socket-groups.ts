/**
 * setsockopt for groups: IP_MULTICAST_IF, IP_ADD_MEMBERSHIP, IP_DROP_MEMBERSHIP, IPV6_MULTICAST_IF, IPV6_JOIN_GROUP, IPV6_LEAVE_GROUP,
 * MCAST_JOIN_GROUP and MCAST_LEAVE_GROUP. The one interface is lo; what names none finds none, as there is no route to a group.
 *
 *   struct ip_mreqn  group 4, address 4, index 4    struct ipv6_mreq  group 16, index 4    struct group_req  index 4 (+4), sockaddr_storage 128
 *
 * What this does NOT do: sources (IP_ADD_SOURCE_MEMBERSHIP and the like are remembered without effect).
 */
import type { Call } from '../call.ts';
import { ERRNO } from '../errno.ts';
import type { Socket } from '../files/socket.ts';
import { GROUP_DEVICE, GROUP_SOURCE, joinGroup, leaveGroup } from '../groups.ts';
import { LOOPBACK } from '../loopback.ts';
import { isAnyHost, isGroupHost, isLoopbackHost, type Host } from '../socket-address.ts';

const LEVEL = { IP: 0, IPV6: 41 } as const;
const IP = { INTERFACE: 32, ADD: 35, DROP: 36 } as const;
const IPV6 = { INTERFACE: 17, JOIN: 20, LEAVE: 21 } as const;
const ANY = { JOIN: 42, LEAVE: 45 } as const;
const GROUP_REQUEST_BYTES = 136;

interface Option { readonly level: number; readonly name: number; readonly address: number; readonly length: number }
/** A group, and how the interface is named: by address or by index (0: not at all). */
interface Membership { readonly group: Host; readonly address: Host; readonly index: number; readonly joins: boolean }

/** The answer to an option about groups; undefined: it is about something else. */
export function setGroupOption(call: Call, socket: Socket, option: Option): number | undefined {
  const { level, name } = option;
  const isV6 = level === LEVEL.IPV6 && socket.domain === 'inet6';
  if (socket.domain !== 'inet' && socket.domain !== 'inet6') return undefined;
  if (level === LEVEL.IP && name === IP.INTERFACE) return setInterface(call, socket, option);
  if (isV6 && name === IPV6.INTERFACE) return checkIndex(call, socket, option);
  const isOld = level === LEVEL.IP && (name === IP.ADD || name === IP.DROP);
  const isNew = isV6 && (name === IPV6.JOIN || name === IPV6.LEAVE);
  if (!isOld && !isNew && !((name === ANY.JOIN || name === ANY.LEAVE) && (isV6 || level === LEVEL.IP))) return undefined;
  if (socket.type === 'stream') return -ERRNO.EPROTO;
  const least = isOld ? 8 : isNew ? 20 : GROUP_REQUEST_BYTES;
  if (option.length < least) return -ERRNO.EINVAL;
  const bytes = call.memory.readable(option.address, isOld && option.length >= 12 ? 12 : least);
  if (bytes === undefined) return -ERRNO.EFAULT;
  return change(socket, isOld ? oldMembership(bytes, name === IP.ADD) : isNew ? membership(bytes, { at: 0, index: 16, isV6, joins: name === IPV6.JOIN }) : membership(bytes, { at: isV6 ? 16 : 12, index: 0, isV6, joins: name === ANY.JOIN }));
}

function wordAt(bytes: Uint8Array, at: number): number {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length).getInt32(at, true);
}

function oldMembership(bytes: Uint8Array, joins: boolean): Membership {
  return { group: [...bytes.subarray(0, 4)], address: [...bytes.subarray(4, 8)], index: bytes.length >= 12 ? wordAt(bytes, 8) : 0, joins };
}

function membership(bytes: Uint8Array, how: { readonly at: number; readonly index: number; readonly isV6: boolean; readonly joins: boolean }): Membership {
  return { group: [...bytes.subarray(how.at, how.at + (how.isV6 ? 16 : 4))], address: [0, 0, 0, 0], index: wordAt(bytes, how.index), joins: how.joins };
}

function change(socket: Socket, { group, address, index, joins }: Membership): number {
  const isNamed = index !== 0 || !isAnyHost(address);
  const isLoopback = index === 0 ? isLoopbackHost(address) : index === LOOPBACK.index;
  if (joins) return !isGroupHost(group) ? -ERRNO.EINVAL : isLoopback ? joinGroup(socket, group) : -ERRNO.ENODEV;
  if (!isNamed && group.length === 4) return -ERRNO.ENODEV;
  return isLoopback || !isNamed ? leaveGroup(socket, group) : -ERRNO.EADDRNOTAVAIL;
}

/** IP_MULTICAST_IF: an address, or a group (not looked at), an address and an index. */
function setInterface(call: Call, socket: Socket, { address, length }: Option): number {
  if (socket.type === 'stream' || length < 4) return -ERRNO.EINVAL;
  const bytes = call.memory.readable(address, length >= 12 ? 12 : length >= 8 ? 8 : 4);
  if (bytes === undefined) return -ERRNO.EFAULT;
  const at = bytes.length === 4 ? 0 : 4;
  const [host, index] = [[...bytes.subarray(at, at + 4)], bytes.length === 12 ? wordAt(bytes, 8) : 0];
  if (index === 0 && isAnyHost(host)) {
    for (const key of [GROUP_DEVICE, GROUP_SOURCE]) socket.options.delete(key);
    return 0;
  }
  if (index === 0 ? !isLoopbackHost(host) : index !== LOOPBACK.index) return -ERRNO.EADDRNOTAVAIL;
  socket.options.set(GROUP_DEVICE, LOOPBACK.index);
  socket.options.set(GROUP_SOURCE, wordAt(bytes, at));
  return 0;
}

/** IPV6_MULTICAST_IF; undefined: the index is remembered as every option is. */
function checkIndex(call: Call, socket: Socket, { address, length }: Option): number | undefined {
  if (socket.type === 'stream') return -ERRNO.ENOPROTOOPT;
  const index = length < 4 ? 0 : call.memory.readU32(address) ?? 0;
  return index === 0 || index === LOOPBACK.index ? undefined : -ERRNO.ENODEV;
}
