/**
 * The one interface of a machine, `lo`, as the kernel's messages about interfaces tell it (rtnetlink(7)): the interface, its addresses, the
 * routes to them and the rules that lead to the routes.
 *
 *   message  nlmsghdr: length 4, type 2, flags 2, sequence 4, port 4; a fixed part; attributes
 *   rtattr   length 2 (its own 4 included), type 2, data, padding to 4
 *
 * Invariants: nothing here changes, whatever a program does: counters of packets stay zero. Little-endian, addresses big-endian.
 * What this does NOT do: requests (netlink.ts), ioctl (calls/interface-requests.ts).
 */

/** Interface flags: IFF_UP, IFF_LOOPBACK, IFF_RUNNING, and IFF_LOWER_UP, which the old calls do not know. */
export const LOOPBACK = { name: 'lo', index: 1, mtu: 65_536, queueLength: 1000, flags: 0x49, flagsLong: 0x1_0049, hardware: 772 } as const;
const HEADER_BYTES = 16;
const FAMILY = { INET: 2, INET6: 10 } as const;
const HOST4 = [127, 0, 0, 1] as const;
const HOST6 = [...new Array<number>(15).fill(0), 1] as const;
const STATISTICS_BYTES = { short: 96, long: 200 } as const;
/** Of routes: tables, and what a route is for (RTN_UNICAST, RTN_LOCAL, RTN_BROADCAST), how far (RT_SCOPE_*), since when (RTPROT_KERNEL). */
const TABLE = { main: 254, local: 255, fallback: 253 } as const;
const ROUTE = { UNICAST: 1, LOCAL: 2, BROADCAST: 3 } as const;
const SCOPE = { UNIVERSE: 0, LINK: 253, HOST: 254 } as const;
const BY_KERNEL = 2;
/** RTM_F_CLONED, of a route that was asked for. */
const CLONED = 0x200;

/** Who asked: what each message of an answer says in its head. */
export interface Asker { readonly sequence: number; readonly port: number; readonly flags: number }

function word(value: number): readonly number[] {
  return [value & 255, (value >>> 8) & 255, (value >>> 16) & 255, value >>> 24];
}

function half(value: number): readonly number[] {
  return [value & 255, value >>> 8];
}

function text(name: string): readonly number[] {
  return [...Array.from(name, (char) => char.charCodeAt(0)), 0];
}

function zeros(count: number): readonly number[] {
  return new Array<number>(count).fill(0);
}

function attribute(type: number, data: readonly number[]): readonly number[] {
  return [...half(data.length + 4), ...half(type), ...data, ...zeros(-data.length & 3)];
}

/** A whole message of the kernel. */
export function message(type: number, { sequence, port, flags }: Asker, body: readonly number[]): readonly number[] {
  return [...word(HEADER_BYTES + body.length), ...half(type), ...half(flags), ...word(sequence), ...word(port), ...body];
}

/** RTM_NEWLINK: struct ifinfomsg (family, pad, type 2, index 4, flags 4, change 4) and attributes. */
export function linkMessage(asker: Asker): readonly number[] {
  return message(16, asker, [
    0, 0, ...half(LOOPBACK.hardware), ...word(LOOPBACK.index), ...word(LOOPBACK.flagsLong), ...word(0),
    ...attribute(3, text(LOOPBACK.name)), ...attribute(13, word(LOOPBACK.queueLength)), // IFLA_IFNAME, IFLA_TXQLEN.
    ...attribute(16, [0]), ...attribute(17, [0]), ...attribute(4, word(LOOPBACK.mtu)), // IFLA_OPERSTATE (unknown, as Linux says of lo), IFLA_LINKMODE, IFLA_MTU.
    ...attribute(27, word(0)), ...attribute(30, word(0)), ...attribute(31, word(1)), ...attribute(32, word(1)), ...attribute(33, [1]), // IFLA_GROUP, _PROMISCUITY, _NUM_TX_QUEUES, _NUM_RX_QUEUES, _CARRIER.
    ...attribute(1, zeros(6)), ...attribute(2, zeros(6)), // IFLA_ADDRESS, IFLA_BROADCAST.
    ...attribute(23, zeros(STATISTICS_BYTES.long)), ...attribute(7, zeros(STATISTICS_BYTES.short)), ...attribute(6, text('noqueue')), // IFLA_STATS64, IFLA_STATS, IFLA_QDISC.
  ]);
}

/** RTM_NEWADDR: struct ifaddrmsg (family, prefix length, flags (IFA_F_PERMANENT), scope, index 4) and attributes. */
export function addressMessages(asker: Asker, family: number): (readonly number[])[] {
  const lifetime = attribute(6, [...word(-1), ...word(-1), ...word(0), ...word(0)]); // IFA_CACHEINFO: for ever, made when the machine was.
  const flags = attribute(8, word(0x80)); // IFA_FLAGS.
  const inet = message(20, asker, [FAMILY.INET, 8, 0x80, SCOPE.HOST, ...word(LOOPBACK.index), ...attribute(1, HOST4), ...attribute(2, HOST4), ...attribute(3, text(LOOPBACK.name)), ...flags, ...lifetime]);
  const inet6 = message(20, asker, [FAMILY.INET6, 128, 0x80, SCOPE.HOST, ...word(LOOPBACK.index), ...attribute(1, HOST6), ...lifetime, ...flags, ...attribute(11, [1])]); // IFA_PROTO: the kernel's own.
  return family === FAMILY.INET ? [inet] : family === FAMILY.INET6 ? [inet6] : [inet, inet6];
}

interface Route { readonly family: number; readonly bits: number; readonly table: number; readonly protocol: number; readonly scope: number; readonly type: number; readonly flags: number }

/** struct rtmsg: family, bits of the target, bits of the source, service, table, protocol, scope, type, flags 4. */
function routeHead({ family, bits, table, protocol, scope, type, flags }: Route): readonly number[] {
  return [family, bits, 0, 0, table, protocol, scope, type, ...word(flags), ...attribute(15, word(table))];
}

/** RTM_NEWROUTE of all routes of a family (0: of both). */
export function routeMessages(asker: Asker, family: number): (readonly number[])[] {
  const out = attribute(4, word(LOOPBACK.index)); // RTA_OIF.
  const route = (to: readonly number[], bits: number, type: number): readonly number[] => message(24, asker, [
    ...routeHead({ family: FAMILY.INET, bits, table: TABLE.local, protocol: BY_KERNEL, scope: type === ROUTE.BROADCAST ? SCOPE.LINK : SCOPE.HOST, type, flags: 0 }),
    ...attribute(1, to), ...attribute(7, HOST4), ...out, // RTA_DST, RTA_PREFSRC.
  ]);
  const inet = [route([127, 0, 0, 0], 8, ROUTE.LOCAL), route(HOST4, 32, ROUTE.LOCAL), route([127, 255, 255, 255], 32, ROUTE.BROADCAST)];
  const inet6 = message(24, asker, [
    ...routeHead({ family: FAMILY.INET6, bits: 128, table: TABLE.local, protocol: BY_KERNEL, scope: SCOPE.UNIVERSE, type: ROUTE.LOCAL, flags: 0 }),
    ...attribute(1, HOST6), ...attribute(6, word(0)), ...out, ...attribute(12, zeros(32)), ...attribute(20, [0]), // RTA_PRIORITY, RTA_CACHEINFO, RTA_PREF.
  ]);
  return family === FAMILY.INET ? inet : family === FAMILY.INET6 ? [inet6] : [...inet, inet6];
}

/** RTM_NEWROUTE of the way to one address of the loopback. */
export function routeTo(asker: Asker, host: readonly number[]): readonly number[] {
  const isV4 = host.length === 4;
  return message(24, asker, [
    ...routeHead({ family: isV4 ? FAMILY.INET : FAMILY.INET6, bits: host.length * 8, table: TABLE.local, protocol: isV4 ? 0 : BY_KERNEL, scope: SCOPE.UNIVERSE, type: ROUTE.LOCAL, flags: isV4 ? 0x8000_0000 | CLONED : 0 }),
    ...attribute(1, host), ...attribute(4, word(LOOPBACK.index)), ...attribute(7, isV4 ? HOST4 : HOST6),
  ]);
}

/** The same in /proc/net: dev, if_inet6 and route (which has the main table only: nothing). */
export const NET_FILES: readonly (readonly [string, string])[] = [
  ['dev', `Inter-|   Receive                                                |  Transmit\n face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed\n${'lo'.padStart(6)}:       0       0    0    0    0     0          0         0        0       0    0    0    0     0       0          0\n`],
  ['if_inet6', '00000000000000000000000000000001 01 80 10 80       lo\n'],
  ['route', `${'Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT'.padEnd(127)}\n`],
];

/** RTM_NEWRULE: struct fib_rule_hdr (as rtmsg, the type is what is done: 1, look into the table) and attributes. */
export function ruleMessages(asker: Asker, family: number): (readonly number[])[] {
  const rule = (of: number, table: number, priority: number): readonly number[] => message(32, asker, [
    of, 0, 0, 0, table, 0, 0, 1, ...word(0), ...attribute(15, word(table)), ...attribute(14, word(-1)), ...attribute(21, [BY_KERNEL]), ...(priority === 0 ? [] : attribute(6, word(priority))),
  ]);
  const inet = [rule(FAMILY.INET, TABLE.local, 0), rule(FAMILY.INET, TABLE.main, 32_766), rule(FAMILY.INET, TABLE.fallback, 32_767)];
  const inet6 = [rule(FAMILY.INET6, TABLE.local, 0), rule(FAMILY.INET6, TABLE.main, 32_766)];
  return family === FAMILY.INET ? inet : family === FAMILY.INET6 ? inet6 : [...inet, ...inet6];
}
