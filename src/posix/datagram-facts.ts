/**
 * What a receiver may ask to be told of a datagram (IP_PKTINFO, IP_RECVTTL, IP_RECVTOS and their kin of IPv6), and what a sender may say of one.
 *
 *   in_pktinfo   index 4, address that would answer 4, address sent to 4        in6_pktinfo  address 16, index 4
 *
 * Invariants: facts lie at a message only while its receiver has asked for some. What this does NOT do: find room for them (calls/socket-messages.ts).
 */
import { encodeControl, type ControlMessage } from './control-messages.ts';
import { ERRNO } from './errno.ts';
import type { DatagramFacts, Socket } from './files/socket.ts';
import { optionKey } from './files/socket-option-names.ts';
import { LOOPBACK } from './loopback.ts';
import { inetParts, isAnyHost, isGroupHost, isLoopbackHost, loopbackHost, mappedHost, type Host } from './socket-address.ts';

const LEVEL = { IP: 0, IPV6: 41 } as const;
/** Names of options and of control messages; those that ask have other numbers than those that tell. */
const IP = { TOS: 1, TTL: 2, PKTINFO: 8, RECVTTL: 12, RECVTOS: 13, MULTICAST_TTL: 33 } as const;
const IPV6 = { HOPS: 16, RECVPKTINFO: 49, PKTINFO: 50, RECVHOPLIMIT: 51, HOPLIMIT: 52, RECVTCLASS: 66, TCLASS: 67 } as const;
const HOPS_DEFAULT = 64;
const ASKED = [[LEVEL.IP, IP.PKTINFO], [LEVEL.IP, IP.RECVTTL], [LEVEL.IP, IP.RECVTOS], [LEVEL.IPV6, IPV6.RECVPKTINFO], [LEVEL.IPV6, IPV6.RECVHOPLIMIT], [LEVEL.IPV6, IPV6.RECVTCLASS]] as const;

/** What a sender says of one message instead of by options. */
export interface Wishes { readonly source?: Host; readonly hops?: number; readonly service?: number }

function has(socket: Socket, level: number, name: number): boolean {
  return (socket.options.get(optionKey(level, name)) ?? 0) !== 0;
}

/** What is kept of a datagram for its receiver; undefined: it asked for nothing. */
export function factsFor(target: Socket, sender: Socket, sent: { readonly to: string; readonly wishes: Wishes | undefined }): DatagramFacts | undefined {
  if (!ASKED.some(([level, name]) => has(target, level, name))) return undefined;
  const { host } = inetParts(sent.to);
  const isV4 = host.length === 4;
  const option = (level: number, name: number): number | undefined => sender.options.get(optionKey(level, name));
  const hops = isGroupHost(host) ? option(LEVEL.IP, IP.MULTICAST_TTL) ?? 1 : option(isV4 ? LEVEL.IP : LEVEL.IPV6, isV4 ? IP.TTL : IPV6.HOPS) ?? HOPS_DEFAULT;
  return { to: sent.to, hops: sent.wishes?.hops ?? hops, service: (sent.wishes?.service ?? option(isV4 ? LEVEL.IP : LEVEL.IPV6, isV4 ? IP.TOS : IPV6.TCLASS) ?? 0) & 255 };
}

/** The control messages that tell `socket` the facts it asks for, in Linux's order. */
export function factMessages(socket: Socket, { to, hops, service }: DatagramFacts): Uint8Array[] {
  const { host: target } = inetParts(to);
  const isV4 = target.length === 4;
  const host = isAnyHost(target) ? loopbackHost(isV4 ? 'inet' : 'inet6') : target;
  const word = (value: number): readonly number[] => [...new Uint8Array(Int32Array.of(value).buffer)];
  const parts: Uint8Array[] = [];
  const tell = (level: number, type: number, data: readonly number[]): void => { parts.push(encodeControl(level, type, Uint8Array.from(data))); };
  if (socket.domain === 'inet6' && has(socket, LEVEL.IPV6, IPV6.RECVPKTINFO)) tell(LEVEL.IPV6, IPV6.PKTINFO, [...(isV4 ? mappedHost(host) : host), ...word(LOOPBACK.index)]);
  if (isV4) {
    if (has(socket, LEVEL.IP, IP.PKTINFO)) tell(LEVEL.IP, IP.PKTINFO, [...word(LOOPBACK.index), ...(isLoopbackHost(host) && host[3] !== 255 ? host : loopbackHost('inet')), ...host]);
    if (has(socket, LEVEL.IP, IP.RECVTTL)) tell(LEVEL.IP, IP.TTL, word(hops));
    if (has(socket, LEVEL.IP, IP.RECVTOS)) tell(LEVEL.IP, IP.TOS, [service]);
  } else {
    if (has(socket, LEVEL.IPV6, IPV6.RECVHOPLIMIT)) tell(LEVEL.IPV6, IPV6.HOPLIMIT, word(hops));
    if (has(socket, LEVEL.IPV6, IPV6.RECVTCLASS)) tell(LEVEL.IPV6, IPV6.TCLASS, word(service));
  }
  return parts;
}

/** What the control messages of a send ask for, or -errno. */
export function wishesOf(messages: readonly ControlMessage[]): Wishes | number {
  let wishes: Wishes = {};
  for (const { level, type, data } of messages) {
    const word = data.length >= 4 ? new DataView(data.buffer, data.byteOffset, data.length).getInt32(0, true) : data[0] ?? 0;
    const isV4 = level === LEVEL.IP;
    if (!isV4 && level !== LEVEL.IPV6) continue;
    if (type === (isV4 ? IP.PKTINFO : IPV6.PKTINFO)) {
      if (data.length !== (isV4 ? 12 : 20)) return -ERRNO.EINVAL;
      const [host, index] = isV4 ? [[...data.subarray(4, 8)], word] : [[...data.subarray(0, 16)], new DataView(data.buffer, data.byteOffset, 20).getInt32(16, true)];
      if (index !== 0 && index !== LOOPBACK.index) return -ERRNO.ENODEV;
      if (isAnyHost(host)) continue;
      if (!isLoopbackHost(host)) return isV4 ? -ERRNO.ENETUNREACH : -ERRNO.EINVAL;
      wishes = { ...wishes, source: host };
    } else if (type === (isV4 ? IP.TTL : IPV6.HOPLIMIT)) {
      if (data.length !== 4 || word > 255 || word < (isV4 ? 1 : -1)) return -ERRNO.EINVAL;
      if (word >= 0) wishes = { ...wishes, hops: word };
    } else if (type === (isV4 ? IP.TOS : IPV6.TCLASS)) {
      if ((data.length !== 4 && !(isV4 && data.length === 1)) || word > 255 || word < (isV4 ? 0 : -1)) return -ERRNO.EINVAL;
      if (word >= 0) wishes = { ...wishes, service: word };
    } else return -ERRNO.EINVAL;
  }
  return wishes;
}
