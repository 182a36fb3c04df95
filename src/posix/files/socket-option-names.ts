/**
 * Options of SOL_SOCKET by their names, and the key of an option among those of a socket.
 * What this does NOT do: say what an option may hold (../calls/socket-option-rules.ts).
 */
export const SOL_SOCKET = 1;
export const SO = {
  REUSEADDR: 2, TYPE: 3, ERROR: 4, DONTROUTE: 5, BROADCAST: 6, SNDBUF: 7, RCVBUF: 8, KEEPALIVE: 9, OOBINLINE: 10, PRIORITY: 12, LINGER: 13, REUSEPORT: 15, PASSCRED: 16, PEERCRED: 17,
  RCVLOWAT: 18, SNDLOWAT: 19, RCVTIMEO: 20, SNDTIMEO: 21, BINDTODEVICE: 25, GET_FILTER: 26, PEERNAME: 28, TIMESTAMP: 29, ACCEPTCONN: 30, SNDBUFFORCE: 32, RCVBUFFORCE: 33, TIMESTAMPNS: 35, MARK: 36, TIMESTAMPING: 37, PROTOCOL: 38, DOMAIN: 39, PEEK_OFF: 42, MAX_PACING_RATE: 47, BPF_EXTENSIONS: 48, INCOMING_CPU: 49, MEMINFO: 55, COOKIE: 57, PEERGROUPS: 59, ZEROCOPY: 60, TXTIME: 61, TIMESTAMPING_NEW: 65,
  PASSPIDFD: 76, PEERPIDFD: 77,
} as const;
/** SO_LINGER that is on, without time to wait, as it is kept among the options. */
export const LINGER_NOTHING = 1;
/** Key of an option among a socket's options. */
export const optionKey = (level: number, name: number): number => level * 65_536 + name;
