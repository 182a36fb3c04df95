/**
 * Options of TCP, IP and IPv6 that are no words (TCP_INFO, TCP_CONGESTION, TCP_ULP, IP_OPTIONS and such as tell nothing), and options that cannot be asked for.
 *
 *   struct tcp_info (linux/tcp.h)  state 1, 7 bytes of flags, then words: retransmission time-out (microseconds), …; the first 248 bytes
 *
 * Invariants: what an option tells follows from the state of the socket alone: a connection over lo that has lost and measured nothing.
 * What this does NOT do: options of SOL_SOCKET (socket-peers.ts), groups (socket-groups.ts), counters of TCP_INFO.
 */
import type { Call } from '../call.ts';
import { ERRNO } from '../errno.ts';
import type { Socket } from '../files/socket.ts';
import { optionKey } from '../files/socket-option-names.ts';
import { streamState } from '../proc-net.ts';
import { PROTOCOL } from './socket-arguments.ts';

interface Option { readonly level: number; readonly name: number; readonly address: number; readonly length: number }

const LEVEL = { IP: 0, IPV6: 41 } as const;
const IP = { OPTIONS: 4, PKTOPTIONS: 9, MTU: 14 } as const;
const IPV6 = { PKTOPTIONS: 6, MTU: 24 } as const;
const TCP = { INFO: 11, CONGESTION: 13, CC_INFO: 26, SAVED_SYN: 28, ULP: 31, FASTOPEN_KEY: 33 } as const;
const CLOSE = 7;

const span = (from: number, to: number): number[] => Array.from({ length: to - from + 1 }, (_, index) => from + index);
/** Options that can be set only, and numbers that are no option. */
const NEVER_TOLD: ReadonlyMap<number, ReadonlySet<number>> = new Map([
  [LEVEL.IP, new Set([16, 17, ...span(27, 31), ...span(35, 40), ...span(42, 47)])],
  [LEVEL.IPV6, new Set([7, 9, 10, ...span(12, 15), 20, 21, 27, 28, ...span(34, 47), 50, 52, 63, 71, 79])],
  [PROTOCOL.TCP, new Set([14, 15, 22, 32, ...span(38, 42)])],
  [PROTOCOL.UDP, new Set([...span(2, 9), ...span(12, 99)])],
]);
/** Headers and keys of which there are none: IPV6_HOPOPTS, IPV6_RTHDRDSTOPTS, IPV6_RTHDR, IPV6_DSTOPTS and of TCP the like. */
const EMPTY: ReadonlyMap<number, ReadonlySet<number>> = new Map([
  [LEVEL.IP, new Set([IP.OPTIONS])], [LEVEL.IPV6, new Set([54, 55, 57, 59])],
  [PROTOCOL.TCP, new Set([TCP.CC_INFO, TCP.SAVED_SYN, TCP.ULP, TCP.FASTOPEN_KEY])],
]);

/** What TCP says of itself by default, and what else it can be; kept as the place in this list. */
const CONGESTION = ['cubic', 'reno'] as const;
const NAME_BYTES = 16;
const IP_OPTIONS_MOST = 40;
const MTU = { v4: 65_535, v6: 65_536 } as const;

const INFO_BYTES = 248;
/** Words of struct tcp_info by their places: rto 8, snd_mss 16, rcv_mss 20, unacked 24, sacked 28, pmtu 60, rcv_ssthresh 64, rttvar 72, snd_ssthresh 76, snd_cwnd 80, advmss 84, reordering 88, rcv_space 96. */
const INFO_ALWAYS = [[80, 10], [88, 3]] as const;
const INFO_CLOSED = [[8, 1_000_000], [16, 536], [72, 250_000], [76, 0x7fff_ffff]] as const;
const INFO_CONNECTED = [[8, 204_000], [16, 32_768], [20, 536], [60, 65_535], [64, 65_483], [76, 0x7fff_ffff], [84, 65_483], [96, 65_483]] as const;
/** Byte 5: timestamps, selective acknowledgements and window scaling; byte 6: both scales; byte 7: the sender has no more to send. */
const INFO_FLAGS = [[5, 7], [6, 0xaa], [7, 1]] as const;

function connectionInfo(socket: Socket): Uint8Array {
  const bytes = new Uint8Array(INFO_BYTES);
  const view = new DataView(bytes.buffer);
  const isListening = socket.status === 'listening';
  const isConnected = socket.status === 'connected';
  bytes[0] = streamState(socket) ?? CLOSE;
  for (const [at, value] of isConnected ? INFO_FLAGS : []) bytes[at] = value;
  for (const [at, value] of INFO_ALWAYS) view.setUint32(at, value, true);
  for (const [at, value] of isListening ? [] : isConnected ? INFO_CONNECTED : INFO_CLOSED) view.setUint32(at, value, true);
  if (isListening) view.setUint32(24, socket.backlog.length, true);
  if (isListening) view.setUint32(28, socket.backlogMax - 1, true);
  return bytes;
}

function word(value: number): Uint8Array {
  return new Uint8Array(Int32Array.of(value).buffer);
}

/** The bytes of the option, -errno, or undefined where it is a word like the others. */
export function shapedOption(socket: Socket, level: number, name: number): Uint8Array | number | undefined {
  if (NEVER_TOLD.get(level)?.has(name) === true) return -ERRNO.ENOPROTOOPT;
  if (EMPTY.get(level)?.has(name) === true) return new Uint8Array(0);
  const isStream = socket.type === 'stream';
  if ((level === LEVEL.IP && name === IP.PKTOPTIONS) || (level === LEVEL.IPV6 && name === IPV6.PKTOPTIONS)) return isStream ? new Uint8Array(0) : -ERRNO.ENOPROTOOPT;
  if ((level === LEVEL.IP && name === IP.MTU) || (level === LEVEL.IPV6 && name === IPV6.MTU)) return socket.status === 'connected' ? word(level === LEVEL.IP ? MTU.v4 : MTU.v6) : -ERRNO.ENOTCONN;
  if (level === PROTOCOL.TCP && name === TCP.INFO) return connectionInfo(socket);
  if (level === PROTOCOL.TCP && name === TCP.CONGESTION) {
    const bytes = new Uint8Array(NAME_BYTES);
    bytes.set(new TextEncoder().encode(CONGESTION[socket.options.get(optionKey(level, name)) ?? 0] ?? ''));
    return bytes;
  }
  return undefined;
}

/** setsockopt of an option that is no word: 0 or -errno; undefined where it is one. */
export function setShapedOption(call: Call, socket: Socket, { level, name, address, length }: Option): number | undefined {
  if (socket.domain !== 'inet' && socket.domain !== 'inet6') return undefined;
  // No options are there already; others would go with packets, of which there are none.
  if (level === LEVEL.IP && name === IP.OPTIONS) return length === 0 ? 0 : length < 0 || length > IP_OPTIONS_MOST || call.memory.readable(address, length) !== undefined ? -ERRNO.EINVAL : -ERRNO.EFAULT;
  if (level !== PROTOCOL.TCP || socket.type !== 'stream' || (name !== TCP.CONGESTION && name !== TCP.ULP)) return undefined;
  if (length < 1) return -ERRNO.EINVAL;
  const bytes = call.memory.readable(address, Math.min(length, NAME_BYTES - 1));
  if (bytes === undefined) return -ERRNO.EFAULT;
  const text = new TextDecoder().decode(bytes).split('\0', 1)[0];
  const index = name === TCP.ULP ? -1 : CONGESTION.findIndex((known) => known === text);
  if (index < 0) return -ERRNO.ENOENT;
  socket.options.set(optionKey(level, name), index);
  return 0;
}
