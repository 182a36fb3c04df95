/**
 * Options of services as people write them: times, sizes, places to listen at.
 * Invariant: what cannot be meant is E_USAGE and names the option. What this does NOT do: options of machines (manifest).
 */
import { complain, parseCap, parseCheckpointInterval, parseSize, type Place } from '../manifest/index.ts';
import type { Address } from './live/http-server.ts';
import { REQUEST_BYTES_DEFAULT, TIMEOUT_MS_DEFAULT } from './service.ts';

export interface ServiceTexts {
  readonly frame?: string | undefined;
  readonly timeout?: string | undefined;
  readonly maxInstructions?: string | undefined;
  readonly maxRequest?: string | undefined;
  /** [HOST:]PORT. */
  readonly http?: string | undefined;
  readonly socket?: string | undefined;
  /** At least one place to listen at. */
  readonly needsDoor?: boolean;
}
export interface ParsedServiceOptions { readonly frame: 'line' | 'raw'; readonly timeoutMs: number; readonly maxInstructions: bigint | undefined; readonly requestBytesMax: number; readonly addresses: readonly Address[] }

/** Longest path of a Unix socket that Linux takes (sun_path, unix(7)). */
const SOCKET_PATH_MAX = 107;

function option(name: string): Place {
  return { code: 'E_USAGE', where: `option --${name}` };
}

/** Throws E_USAGE. */
export function parseServiceOptions(texts: ServiceTexts): ParsedServiceOptions {
  const { frame = 'line', timeout, maxInstructions, maxRequest, http, socket } = texts;
  if (frame !== 'line' && frame !== 'raw') throw complain(option('frame'), `${JSON.stringify(frame.slice(0, 80))} is not line or raw`);
  const addresses: Address[] = [...(http === undefined ? [] : [parseHttp(http)]), ...(socket === undefined ? [] : [parseSocket(socket)])];
  if (texts.needsDoor === true && addresses.length === 0) throw complain(option('http'), 'say where requests come in: --http [HOST:]PORT, --socket PATH, or both');
  return {
    frame, addresses,
    timeoutMs: timeout === undefined ? TIMEOUT_MS_DEFAULT : parseTime(timeout),
    maxInstructions: maxInstructions === undefined ? undefined : parseCap(maxInstructions, option('max-instructions')),
    requestBytesMax: maxRequest === undefined ? REQUEST_BYTES_DEFAULT : parseRequestSize(maxRequest),
  };
}

function parseRequestSize(text: string): number {
  const bytes = parseSize(text, option('max-request'));
  if (bytes === 0) throw complain(option('max-request'), 'no request is that small');
  return bytes;
}

function parseTime(text: string): number {
  const isTime = /^[0-9]+(ms|s|m|h)$/.test(text);
  const interval = isTime ? parseCheckpointInterval(text, option('timeout')) : undefined;
  if (interval?.kind !== 'time') throw complain(option('timeout'), `${JSON.stringify(text.slice(0, 80))} is not a time: use 500ms, 10s, 2m`);
  return interval.milliseconds;
}

function parseHttp(text: string): Address {
  const [, host = '127.0.0.1', port = ''] = /^(?:(.+):)?([0-9]{1,5})$/.exec(text) ?? [];
  if (port === '' || Number(port) > 65_535) throw complain(option('http'), `${JSON.stringify(text.slice(0, 80))} is not [HOST:]PORT`);
  return { kind: 'tcp', host: host.replace(/^\[(.*)\]$/, '$1'), port: Number(port) };
}

function parseSocket(path: string): Address {
  if (path === '' || Buffer.byteLength(path) > SOCKET_PATH_MAX) throw complain(option('socket'), `a path of a Unix socket has 1 to ${SOCKET_PATH_MAX} bytes`);
  return { kind: 'socket', path };
}
