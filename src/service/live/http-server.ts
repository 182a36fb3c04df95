/**
 * The doors of a service: HTTP on a TCP port and on a Unix socket.
 *
 *   POST /        the body is the request, the body of 200 is the answer; failures are JSON {code, message, …} with the status below
 *                 Idempotency-Key: the same request with the same key gets the first answer (with Idempotent-Replayed: true)
 *   POST /savepoint /rollback /branch /promote  with --control; parameters in the query
 *   GET /metrics  Prometheus text        GET /healthz  200 while requests can be served
 *
 * Invariants: a body is read whole before its transaction begins, so a slow client holds no transaction; every wait for a client has an end; a client that
 * leaves before its commit has sent nothing.
 * What this does NOT do: TLS, authentication: put a proxy in front, or use the socket's file permissions (0600).
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { connect, type AddressInfo, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { chmodSync, statSync, unlinkSync } from 'node:fs';
import { StillpointError, type ErrorCode } from '../../core/index.ts';
import { CONTROL_VERBS } from '../control.ts';
import type { Service } from '../service.ts';

export type Address = { readonly kind: 'tcp'; readonly host: string; readonly port: number } | { readonly kind: 'socket'; readonly path: string };

const STATUS: Partial<Readonly<Record<ErrorCode, number>>> = {
  E_REQUEST_SIZE: 413, E_REQUEST_KEY: 422, E_REQUEST_SLOW: 408, E_RUN_UNKNOWN: 404, E_CHECKPOINT_UNKNOWN: 404, E_RUN_EXISTS: 409, E_CHANNEL_OPEN: 409, E_RUN_OWNED: 409, E_RUN_NAME: 400, E_SERVICE_BUSY: 503, E_USAGE: 400, E_TXN_FAULT: 422, E_TXN_EXIT: 422, E_TXN_CAP: 422, E_TXN_REFUSED: 422, E_TXN_TIMEOUT: 504, E_DISK_FULL: 507, E_TXN_CONFLICT: 409, E_RUN_FINISHED: 410,
};
/** How long is waited for clients, milliseconds. */
export interface Patience {
  /** For the headers of a request. */
  readonly headersMs: number;
  /** For the whole request. */
  readonly requestMs: number;
  /** For a client to take its answer, and between two requests of one connection. */
  readonly idleMs: number;
}
const PATIENCE: Patience = { headersMs: 10_000, requestMs: 30_000, idleMs: 30_000 };
/** For clients that are being answered when the service stops. */
const FAREWELL_MS = 5_000;
const CONNECTIONS_MAX = 1024;

export class Door {
  readonly #server: Server;
  readonly #address: Address;

  constructor(server: Server, address: Address) {
    this.#server = server;
    this.#address = address;
  }

  /** `http://HOST:PORT` or the path of the socket. */
  get place(): string {
    const bound = this.#server.address();
    if (this.#address.kind === 'socket' || bound === null || typeof bound === 'string') return String(bound);
    return `http://${bound.family === 'IPv6' ? `[${bound.address}]` : bound.address}:${bound.port}`;
  }

  get port(): number | undefined {
    return (this.#server.address() as AddressInfo | null)?.port;
  }

  /** Takes no more connections; those that are being answered get a moment. */
  async close(): Promise<void> {
    const closed = new Promise<void>((resolve) => { this.#server.close(() => resolve()); });
    this.#server.closeIdleConnections();
    const timer = setTimeout(() => this.#server.closeAllConnections(), FAREWELL_MS);
    await closed; // Node removes the file of a Unix socket.
    clearTimeout(timer);
  }
}

/** Throws E_LISTEN. */
export async function openDoor(service: Service, address: Address, patience: Patience = PATIENCE): Promise<Door> {
  const { headersMs, requestMs, idleMs } = patience;
  const server = createServer({ headersTimeout: headersMs, requestTimeout: requestMs, keepAliveTimeout: idleMs, maxHeaderSize: 16 * 1024, connectionsCheckingInterval: Math.min(1_000, headersMs) });
  server.maxConnections = CONNECTIONS_MAX;
  const sockets = new Set<Socket>();
  server.on('connection', (socket: Socket) => { sockets.add(socket); socket.on('close', () => sockets.delete(socket)); });
  service.metrics.countConnections(() => sockets.size);
  server.on('request', (request, response) => { void answer(service, request, { response, idleMs }); });
  server.on('clientError', refuseNoise);
  if (address.kind === 'socket') await clearStaleSocket(address.path);
  await new Promise<void>((resolve, reject) => {
    server.once('error', (cause) => reject(notListening(address, cause)));
    server.listen(address.kind === 'tcp' ? { host: address.host, port: address.port } : { path: address.path }, () => resolve());
  });
  server.on('error', () => undefined); // One connection that could not be accepted (EMFILE) does not end the service.
  if (address.kind === 'socket') chmodSync(address.path, 0o600);
  return new Door(server, address);
}

/** A response, and how long its client may take to take it. */
interface Reply { readonly response: ServerResponse; readonly idleMs: number }

async function answer(service: Service, request: IncomingMessage, reply: Reply): Promise<void> {
  const { response } = reply;
  let isGone = false;
  request.socket.setTimeout(0); // That of the answer before; what a request may take is the service's.
  response.on('close', () => { isGone = true; });
  response.on('error', () => undefined); // The client left.
  try {
    const url = targetOf(request.url ?? '/');
    const path = url.pathname;
    if (path === '/metrics' && isLook(request)) return text(reply, { status: 200, type: 'text/plain; version=0.0.4', body: service.metrics.text });
    if (path === '/healthz' && isLook(request)) return text(reply, service.failure === undefined ? { status: 200, type: 'text/plain', body: 'ok\n' } : { status: 503, type: 'text/plain', body: `${service.failure.code}\n` });
    const verb = CONTROL_VERBS.find((name) => path === `/${name}`);
    if (path !== '/' && verb === undefined) return json(reply, 404, { code: 'E_USAGE', message: 'requests are POSTed to /; GET /metrics and /healthz tell how the service is' });
    if (request.method !== 'POST') {
      response.setHeader('allow', 'POST');
      return json(reply, 405, { code: 'E_USAGE', message: `requests are POSTed to ${path}` });
    }
    const body = await readBody(request, service.requestBytesMax);
    if (body === undefined) return; // It left in the midst of its request.
    if (verb !== undefined) return json(reply, 200, await service.control(verb, new Map(url.searchParams)));
    const key = request.headers['idempotency-key'];
    const { response: bytes, isRepeated } = await service.request(body, { isGone: () => isGone }, typeof key === 'string' ? key : key?.join(', '));
    if (isRepeated === true) response.setHeader('idempotent-replayed', 'true');
    text(reply, { status: 200, type: 'application/octet-stream', body: bytes });
  } catch (error) {
    failed(reply, error);
  }
}

/** A path, which may begin like the name of a host, or what a proxy is sent: a whole URL. Throws E_USAGE. */
function targetOf(target: string): URL {
  try {
    return new URL(target.startsWith('/') ? `http://service${target}` : target);
  } catch (cause) {
    throw new StillpointError('E_USAGE', 'what the request is for is neither a path nor a URL', { cause });
  }
}

function failed(reply: Reply, error: unknown): void {
  if (!(error instanceof StillpointError)) {
    json(reply, 500, { code: 'E_INTERNAL', message: error instanceof Error ? error.message : String(error) });
    return;
  }
  if (error.code === 'E_REQUEST_SIZE') reply.response.setHeader('connection', 'close'); // The rest of its body is not read.
  json(reply, STATUS[error.code] ?? 500, { code: error.code, message: error.message, ...error.data });
}

/** What is no HTTP, too large a head, or too slow: an answer of the same form as others, and the end of the connection. */
function refuseNoise(error: Error & { readonly code?: string }, socket: Duplex): void {
  if (!socket.writable || error.code === 'ECONNRESET') return void socket.destroy();
  const [status, facts] = noise(error.code);
  const body = `${JSON.stringify(facts)}\n`;
  socket.end(`HTTP/1.1 ${status}\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\nconnection: close\r\n\r\n${body}`);
}

function noise(code: string | undefined): readonly [string, { readonly code: ErrorCode; readonly message: string }] {
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT') return ['408 Request Timeout', { code: 'E_REQUEST_SLOW', message: 'the request did not come in whole in time, and nothing of it has happened' }];
  if (code === 'HPE_HEADER_OVERFLOW') return ['431 Request Header Fields Too Large', { code: 'E_REQUEST_SIZE', message: 'the head of a request has at most 16 KiB' }];
  return ['400 Bad Request', { code: 'E_USAGE', message: 'that is no request of HTTP/1.1' }];
}

/** Undefined when the client left. Throws E_REQUEST_SIZE as soon as it is clear. */
async function readBody(request: IncomingMessage, bytesMax: number): Promise<Uint8Array | undefined> {
  const tooLarge = (): StillpointError => new StillpointError('E_REQUEST_SIZE', `a request has at most ${bytesMax} bytes`);
  if (Number(request.headers['content-length'] ?? 0) > bytesMax) throw tooLarge();
  const pieces: Buffer[] = [];
  let size = 0;
  try {
    for await (const piece of request as AsyncIterable<Buffer>) {
      size += piece.length;
      if (size > bytesMax) throw tooLarge();
      pieces.push(piece);
    }
  } catch (error) {
    if (error instanceof StillpointError) throw error;
    return undefined; // Reset, or too slow: it has been told, and the connection is closed.
  }
  return new Uint8Array(Buffer.concat(pieces));
}

function isLook({ method }: IncomingMessage): boolean {
  return method === 'GET' || method === 'HEAD';
}

function json(reply: Reply, status: number, facts: Readonly<Record<string, unknown>>): void {
  text(reply, { status, type: 'application/json', body: `${JSON.stringify(facts, (_key, value: unknown) => (typeof value === 'bigint' ? value.toString() : value))}\n` });
}

function text({ response, idleMs }: Reply, { status, type, body }: { readonly status: number; readonly type: string; readonly body: string | Uint8Array }): void {
  if (response.destroyed) return;
  response.writeHead(status, { 'content-type': type, 'content-length': typeof body === 'string' ? Buffer.byteLength(body) : body.length });
  response.end(body);
  response.setTimeout(idleMs, () => response.destroy()); // A client that does not take its answer.
}

/** The file of a service that was killed is in the way of the next one; that of a living one stays. */
async function clearStaleSocket(path: string): Promise<void> {
  const facts = statSync(path, { throwIfNoEntry: false });
  if (facts === undefined || !facts.isSocket()) return;
  const isAlive = await new Promise<boolean>((resolve) => {
    const probe = connect(path, () => { probe.destroy(); resolve(true); });
    probe.on('error', () => resolve(false));
  });
  if (!isAlive) unlinkSync(path);
}

function notListening(address: Address, cause: Error): StillpointError {
  const place = address.kind === 'socket' ? address.path : `${address.host}:${address.port}`;
  return new StillpointError('E_LISTEN', `cannot listen on ${place}: ${cause.message}`, { data: { place }, cause });
}
