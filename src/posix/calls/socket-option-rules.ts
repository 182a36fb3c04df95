/**
 * Which options a socket has, what they are before they are set and what they may be set to, as Linux's sock_setsockopt, do_ip_setsockopt,
 * do_ipv6_setsockopt and do_tcp_setsockopt say.
 *
 * Invariants: a rule tells nothing of an effect; options that a level has and this table does not name are words that are remembered.
 * What this does NOT do: options of other shapes (times, SO_LINGER, names) and those that are told only (socket-options.ts).
 */
import { ERRNO } from '../errno.ts';
import type { Socket } from '../files/socket.ts';
import { SO, SOL_SOCKET } from '../files/socket-option-names.ts';
import { PROTOCOL } from './socket-arguments.ts';

const LEVEL = { IP: 0, IPV6: 41, NETLINK: 270 } as const;
/** The highest names that Linux 6.18 has at each level. */
const HIGHEST: ReadonlyMap<number, number> = new Map([[SOL_SOCKET, 84], [LEVEL.IP, 52], [LEVEL.IPV6, 80], [PROTOCOL.TCP, 45], [PROTOCOL.UDP, 104], [LEVEL.NETLINK, 12]]);
const INT_MAX = 0x7fff_ffff;

/**
 * `flag`: kept as 0 or 1. `range`: what lies outside answers `errno`; -1 stands for `initial` where `hasDefault`. `fixed`: cannot be set.
 * `level`: at least 1, and a negative number is the largest (SO_RCVLOWAT).
 */
type Rule = { readonly initial: number } & (
  | { readonly kind: 'flag' | 'fixed' | 'level' }
  | { readonly kind: 'range'; readonly least: number; readonly most: number; readonly errno: number; readonly hasDefault: boolean }
);

const flag = (initial = 0): Rule => ({ kind: 'flag', initial });
const range = (least: number, most: number, initial: number, more: { readonly errno?: number; readonly hasDefault?: boolean } = {}): Rule => ({ kind: 'range', least, most, initial, errno: more.errno ?? ERRNO.EINVAL, hasDefault: more.hasDefault === true });
const flags = (...names: number[]): [number, Rule][] => names.map((name) => [name, flag()]);

const RULES: ReadonlyMap<number, ReadonlyMap<number, Rule>> = new Map([
  [SOL_SOCKET, new Map<number, Rule>([
    ...flags(SO.REUSEADDR, SO.DONTROUTE, SO.BROADCAST, SO.KEEPALIVE, SO.OOBINLINE, SO.REUSEPORT, SO.PASSCRED, SO.TIMESTAMP, SO.TIMESTAMPNS),
    [SO.PRIORITY, range(0, 6, 0, { errno: ERRNO.EPERM })], ...[SO.MARK, SO.SNDBUFFORCE, SO.RCVBUFFORCE].map((name): [number, Rule] => [name, range(0, -1, 0, { errno: ERRNO.EPERM })]), [SO.INCOMING_CPU, range(-INT_MAX - 1, INT_MAX, -1)], [SO.ZEROCOPY, range(0, 1, 0)],
    [SO.RCVLOWAT, { kind: 'level', initial: 1 }], [SO.SNDLOWAT, { kind: 'fixed', initial: 1 }], [SO.PEEK_OFF, range(-1, INT_MAX, -1)],
  ])],
  [LEVEL.IP, new Map<number, Rule>([ // IP_TTL, IP_MTU_DISCOVER, IP_MULTICAST_TTL, IP_MULTICAST_LOOP, IP_MULTICAST_ALL; IP_PKTINFO, IP_RECVERR, IP_RECVTTL, IP_RECVTOS, IP_FREEBIND.
    [2, range(1, 255, 64, { hasDefault: true })], [10, range(0, 5, 1)], [33, range(0, 255, 1, { hasDefault: true })], [34, flag(1)], [49, range(0, 1, 1)], ...flags(8, 11, 12, 13, 15),
  ])],
  [LEVEL.IPV6, new Map<number, Rule>([ // IPV6_UNICAST_HOPS, IPV6_MULTICAST_HOPS, IPV6_MULTICAST_LOOP, IPV6_MTU_DISCOVER, IPV6_MULTICAST_ALL, IPV6_AUTOFLOWLABEL; IPV6_V6ONLY, IPV6_RECVPKTINFO, IPV6_RECVHOPLIMIT, IPV6_RECVTCLASS, IPV6_FREEBIND.
    [16, range(0, 255, 64, { hasDefault: true })], [18, range(0, 255, 1, { hasDefault: true })], [19, range(0, 1, 1)], [23, range(0, 5, 1)], [29, range(0, 1, 1)], [70, flag(1)], ...flags(26, 49, 51, 66, 78),
  ])],
  [PROTOCOL.TCP, new Map<number, Rule>([ // TCP_MAXSEG, _KEEPIDLE, _KEEPINTVL, _KEEPCNT, _SYNCNT, _LINGER2, _QUICKACK, _USER_TIMEOUT, _INQ; TCP_NODELAY and TCP_CORK.
    [2, range(88, 32_767, 536)], [4, range(1, 32_767, 7200)], [5, range(1, 32_767, 75)], [6, range(1, 127, 9)], [7, range(1, 127, 6)], [8, range(-INT_MAX - 1, INT_MAX, 60)],
    [12, flag(1)], [18, range(0, INT_MAX, 0)], [36, range(0, 1, 0)], ...flags(1, 3),
  ])],
]);

/** Whether a socket has options at this level, and one of this name. */
export function hasOption({ domain, type }: Socket, level: number, name: number): boolean {
  const isInternet = domain === 'inet' || domain === 'inet6';
  const hasLevel = level === SOL_SOCKET || (level === LEVEL.NETLINK && domain === 'netlink') || (isInternet && (level === LEVEL.IP || (level === LEVEL.IPV6 && domain === 'inet6') || level === (type === 'stream' ? PROTOCOL.TCP : PROTOCOL.UDP)));
  return hasLevel && name > 0 && name <= (HIGHEST.get(level) ?? 0);
}

/** -errno of a socket that has no options at `level`, or none of this name there. */
export function absentOption(socket: Socket, level: number, isAsked: boolean): number {
  const hasLevel = hasOption(socket, level, 1);
  return hasLevel || (!isAsked && (socket.domain === 'inet' || socket.domain === 'inet6')) ? -ERRNO.ENOPROTOOPT : -ERRNO.EOPNOTSUPP;
}

/** What an option holds before it is set. */
export function initialOption(level: number, name: number): number {
  return RULES.get(level)?.get(name)?.initial ?? 0;
}

/** The number that is kept when a program sets an option to `value`, or the errno that it hears. */
export function settledOption(level: number, name: number, value: number): { readonly value: number } | { readonly errno: number } {
  const rule = RULES.get(level)?.get(name);
  switch (rule?.kind) {
    case undefined: return { value };
    case 'flag': return { value: value === 0 ? 0 : 1 };
    case 'fixed': return { errno: ERRNO.ENOPROTOOPT };
    case 'level': return { value: value < 0 ? INT_MAX : Math.max(value, 1) };
    case 'range':
      if (rule.hasDefault && value === -1) return { value: rule.initial };
      return value >= rule.least && value <= rule.most ? { value } : { errno: rule.errno };
  }
}

/** IP options may be a single byte. */
export function isByteOption(level: number, length: number): boolean {
  return level === LEVEL.IP && length >= 1 && length < 4;
}
