/**
 * The doors of a service: HTTP on a TCP port and on a Unix socket.
 *
 *   POST /        the body is the request, the body of 200 is the answer; failures are JSON {code, message, …} with the status below
 *   GET /metrics  Prometheus text        GET /healthz  200 while requests can be served
 *
 * Invariants: a body is read whole before its transaction begins, so a slow client holds no transaction; every wait for a client has an end; a client that
 * leaves before its commit has sent nothing.
 * What this does NOT do: TLS, authentication: put a proxy in front, or use the socket's file permissions (0600).
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { connect, type AddressInfo } from 'node:net';
import { chmodSync, statSync, unlinkSync } from 'node:fs';
import { StillpointError, type ErrorCode } from '../../core/index.ts';
import type { Service } from '../service.ts';

export type Address = { readonly kind: 'tcp'; readonly host: string; readonly port: number } | { readonly kind: 'socket'; readonly path: string };

const STATUS: Partial<Readonly<Record<ErrorCode, number>>> = {
  E_REQUEST_SIZE: 413, E_SERVICE_BUSY: 503, E_USAGE: 400, E_TXN_FAULT: 422, E_TXN_EXIT: 422, E_TXN_CAP: 422, E_TXN_REFUSED: 422, E_TXN_TIMEOUT: 504, E_TXN_CONFLICT: 409, E_RUN_FINISHED: 410,
};
/** For the headers and for the whole request to come in. */
const HEADERS_MS = 10_000;
const REQUEST_MS = 30_000;
/** For a client to take its answer, and between two requests of one connection. */
const IDLE_MS = 30_000;
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
export async function openDoor(service: Service, address: Address): Promise<Door> {
  const server = createServer({ headersTimeout: HEADERS_MS, requestTimeout: REQUEST_MS, keepAliveTimeout: IDLE_MS, maxHeaderSize: 16 * 1024, connectionsCheckingInterval: 1_000 });
  server.maxConnections = CONNECTIONS_MAX;
  server.on('request', (request, response) => { void answer(service, request, response); });
  if (address.kind === 'socket') await clearStaleSocket(address.path);
  await new Promise<void>((resolve, reject) => {
    server.once('error', (cause) => reject(notListening(address, cause)));
    server.listen(address.kind === 'tcp' ? { host: address.host, port: address.port } : { path: address.path }, () => resolve());
  });
  server.on('error', () => undefined); // One connection that could not be accepted (EMFILE) does not end the service.
  if (address.kind === 'socket') chmodSync(address.path, 0o600);
  return new Door(server, address);
}

async function answer(service: Service, request: IncomingMessage, response: ServerResponse): Promise<void> {
  let isGone = false;
  response.on('close', () => { isGone = true; });
  response.on('error', () => undefined); // The client left.
  try {
    const path = (request.url ?? '/').split('?')[0];
    if (path === '/metrics' && isLook(request)) return text(response, { status: 200, type: 'text/plain; version=0.0.4', body: service.metrics.text });
    if (path === '/healthz' && isLook(request)) return text(response, service.failure === undefined ? { status: 200, type: 'text/plain', body: 'ok\n' } : { status: 503, type: 'text/plain', body: `${service.failure.code}\n` });
    if (path !== '/') return json(response, 404, { code: 'E_USAGE', message: 'requests are POSTed to /; GET /metrics and /healthz tell how the service is' });
    if (request.method !== 'POST') return json(response, 405, { code: 'E_USAGE', message: 'requests are POSTed to /' });
    const body = await readBody(request, service.requestBytesMax);
    if (body === undefined) return; // It left in the midst of its request.
    const reply = await service.request(body, { isGone: () => isGone });
    text(response, { status: 200, type: 'application/octet-stream', body: reply.response });
  } catch (error) {
    failed(response, error);
  }
}

function failed(response: ServerResponse, error: unknown): void {
  if (!(error instanceof StillpointError)) {
    json(response, 500, { code: 'E_INTERNAL', message: error instanceof Error ? error.message : String(error) });
    return;
  }
  if (error.code === 'E_REQUEST_SIZE') response.setHeader('connection', 'close'); // The rest of its body is not read.
  json(response, STATUS[error.code] ?? 500, { code: error.code, message: error.message, ...error.data });
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
    return undefined; // Reset, or too slow: Node has answered and closed.
  }
  return new Uint8Array(Buffer.concat(pieces));
}

function isLook({ method }: IncomingMessage): boolean {
  return method === 'GET' || method === 'HEAD';
}

function json(response: ServerResponse, status: number, facts: Readonly<Record<string, unknown>>): void {
  text(response, { status, type: 'application/json', body: `${JSON.stringify(facts, (_key, value: unknown) => (typeof value === 'bigint' ? value.toString() : value))}\n` });
}

function text(response: ServerResponse, { status, type, body }: { readonly status: number; readonly type: string; readonly body: string | Uint8Array }): void {
  if (response.destroyed) return;
  response.writeHead(status, { 'content-type': type, 'content-length': typeof body === 'string' ? Buffer.byteLength(body) : body.length });
  response.end(body);
  response.setTimeout(IDLE_MS, () => response.destroy()); // A client that does not take its answer.
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
