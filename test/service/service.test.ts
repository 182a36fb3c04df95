/**
 * Services over HTTP: one request is one transaction, whatever clients do. The machine is the ledger of test/machine; its root tells whether something has
 * happened.
 */
import { once } from 'node:events';
import { existsSync, statSync } from 'node:fs';
import { request as httpRequest } from 'node:http';
import { connect } from 'node:net';
import { join } from 'node:path';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { checkCommand, openDoor, openMachineRun, openService, parseServiceOptions, transactOnce, type Address, type Door, type Service, type ServiceRequest } from '../../src/index.ts';
import { codeOf, guestProgram, scratch } from '../machine/rig.ts';

const TCP: Address = { kind: 'tcp', host: '127.0.0.1', port: 0 };
const place = scratch();
const store = join(place.path, 'store');
const cleanups: (() => Promise<unknown>)[] = [];
let number = 0;
afterAll(() => place.remove());
afterEach(async () => { for (const cleanup of cleanups.splice(0).reverse()) await cleanup(); });

async function ledgerService(options: Partial<ServiceRequest> = {}): Promise<Service> {
  const service = await openService({ name: `bank-${++number}`, store, fresh: { program: guestProgram('ledger'), out: ['log'], memory: '16M' }, ...options });
  cleanups.push(() => service.stop());
  return service;
}

async function door(service: Service, address = TCP): Promise<Door> {
  const opened = await openDoor(service, address);
  cleanups.push(() => opened.close());
  return opened;
}

interface Reply { readonly status: number; readonly body: string }

function post(where: Door | string, body: string, { method = 'POST', path = '/' } = {}): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const target = typeof where === 'string' ? { socketPath: where } : { host: '127.0.0.1', port: where.port };
    const sent = httpRequest({ ...target, method, path, agent: false }, (response) => {
      let text = '';
      response.on('data', (bytes: Buffer) => { text += bytes.toString(); });
      response.on('end', () => resolve({ status: response.statusCode ?? 0, body: text }));
    });
    sent.on('error', reject);
    sent.end(body);
  });
}

const code = ({ body }: Reply): string => (JSON.parse(body) as { code: string }).code;

describe('a service', () => {
  it('answers requests in order, each when it is on disk, and goes on after a crash of its process where it was', async () => {
    const service = await ledgerService();
    const at = await door(service);
    expect(await post(at, 't 17 42 100')).toEqual({ status: 200, body: 'ok 900 1100\n' });
    const many = await Promise.all(Array.from({ length: 40 }, () => post(at, 't 1 2 1')));
    expect(many.map(({ body }) => body).sort()).toEqual(Array.from({ length: 40 }, (_, index) => `ok ${999 - index} ${1001 + index}\n`).sort());
    const root = service.machine.root();
    await service.stop();
    const again = await ledgerService({ name: `bank-${number}` });
    expect(again.machine.root()).toBe(root);
    expect(Buffer.from((await again.request(Buffer.from('b 2'))).response).toString()).toBe('balance 1040\n');
  });

  it('a request that fails has not happened: fault, exit, cap, time-out, check', async () => {
    const check = checkCommand('grep -qv 666 && grep -qv evil "$STILLPOINT_REQUEST" || { echo the devil >&2; exit 3; }', 5_000);
    const service = await ledgerService({ timeoutMs: 1_000, maxInstructions: 50_000_000n, check });
    const at = await door(service);
    const root = service.machine.root();
    expect(await post(at, 'c 1 2 3').then((reply) => [reply.status, code(reply)])).toEqual([422, 'E_TXN_FAULT']);
    expect(await post(at, 'x 3').then((reply) => [reply.status, code(reply)])).toEqual([422, 'E_TXN_EXIT']);
    const refused = await post(at, 't 1 2 334');
    expect([refused.status, JSON.parse(refused.body)]).toEqual([422, { code: 'E_TXN_REFUSED', message: 'the check refused the answer, and the transaction was aborted: the devil', reason: 'the devil' }]);
    expect(['E_TXN_CAP', 'E_TXN_TIMEOUT']).toContain(code(await post(at, 'l')));
    expect(service.machine.root()).toBe(root);
    expect(await post(at, 'b 1')).toEqual({ status: 200, body: 'balance 1000\n' });
    const { body } = await post(at, '', { method: 'GET', path: '/metrics' });
    expect(body).toMatch(/^stillpoint_requests_total\{outcome="E_TXN_FAULT"\} 1$/m);
    expect(body).toMatch(/^stillpoint_requests_total\{outcome="committed"\} 1$/m);
    expect(body).toMatch(/^stillpoint_request_seconds_count 5$/m);
    for (const line of body.trimEnd().split('\n')) expect(line).toMatch(/^(# (HELP|TYPE) stillpoint_[a-z_]+ .+|stillpoint_[a-z_]+(\{[a-z]+="[^"]*"\})? [0-9.e+-]+)$/);
  });

  it('a time-out of the host aborts and changes nothing', async () => {
    const service = await ledgerService({ timeoutMs: 50 });
    const root = service.machine.root();
    expect(await codeOf(() => service.request(Buffer.from('l')))).toBe('E_TXN_TIMEOUT');
    expect(service.machine.root()).toBe(root);
  });

  it('refuses requests that are too large, and other paths and methods, without a trace', async () => {
    const service = await ledgerService({ requestBytesMax: 1000 });
    const at = await door(service);
    const root = service.machine.root();
    expect(await post(at, 'w'.repeat(1001)).then((reply) => [reply.status, code(reply)])).toEqual([413, 'E_REQUEST_SIZE']);
    for (const path of ['/elsewhere', '//elsewhere', 'http://host/elsewhere']) expect((await post(at, 'x', { path })).status).toBe(404);
    expect(await post(at, 'x', { path: 'http://' }).then((reply) => [reply.status, code(reply)])).toEqual([400, 'E_USAGE']);
    expect((await post(at, '', { method: 'GET' })).status).toBe(405);
    expect(service.machine.root()).toBe(root);
    expect(await post(at, '', { method: 'GET', path: '/healthz' })).toEqual({ status: 200, body: 'ok\n' });
  });

  it('clients that vanish, or send half a request and wait, hold nobody up', async () => {
    const service = await ledgerService({ timeoutMs: 1_000 });
    const at = await door(service);
    const slow = connect(at.port!, '127.0.0.1');
    slow.write('POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 20\r\n\r\nt 1 2');
    const vanishing = connect(at.port!, '127.0.0.1');
    vanishing.write('POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 7\r\n\r\nt 1 2 7');
    vanishing.resetAndDestroy();
    const root = service.machine.root();
    const long = post(at, 'l');
    const left = connect(at.port!, '127.0.0.1');
    await once(left, 'connect');
    left.write('POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 7\r\n\r\nt 1 2 7');
    setTimeout(() => left.destroy(), 300); // While the request before it runs.
    expect((await long).status).toBe(504);
    expect(await post(at, 'b 3')).toEqual({ status: 200, body: 'balance 1000\n' });
    expect(await post(at, 's')).toEqual({ status: 200, body: 'sum 1000000\n' });
    const balance = await post(at, 'b 1');
    expect(balance.body).toMatch(/balance (1000|993)\n/); // The first to vanish may have been heard; the one that left in the queue was not.
    expect(service.metrics.text).toContain('outcome="E_CLIENT_GONE"');
    expect(root).toHaveLength(64);
    slow.destroy();
  });

  it('speaks on a Unix socket that only its user can open, takes over the file of a dead one, and not that of a living one', async () => {
    const service = await ledgerService();
    const path = join(place.path, 'bank.sock');
    const at = await door(service, { kind: 'socket', path });
    expect(at.place).toBe(path);
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(await post(path, 's')).toEqual({ status: 200, body: 'sum 1000000\n' });
    expect(await codeOf(() => openDoor(service, { kind: 'socket', path }))).toBe('E_LISTEN');
    await at.close();
    expect(existsSync(path)).toBe(false);
  });

  it('stops after the requests that wait, and takes no more', async () => {
    const service = await ledgerService();
    const waiting = Array.from({ length: 20 }, () => service.request(Buffer.from('t 5 6 1')));
    const stopped = service.stop();
    expect(await codeOf(() => service.request(Buffer.from('s')))).toBe('E_SERVICE_BUSY');
    expect((await Promise.all(waiting)).length).toBe(20);
    await stopped;
    const machine = await openMachineRun({ name: `bank-${number}`, store });
    expect(machine.inDoubt).toBeUndefined();
    await machine.close();
  });

  it('a program that ends, or waits for something else, is told as such', async () => {
    const service = await ledgerService();
    expect((await service.request(Buffer.from('q'))).response).toHaveLength(0);
    expect(await codeOf(() => service.request(Buffer.from('s')))).toBe('E_RUN_FINISHED');
    expect(await codeOf(() => ledgerService({ input: 'nowhere' }))).toBe('E_TXN_REFUSED');
    expect(await codeOf(() => openService({ name: 'nothing', store }))).toBe('E_RUN_UNKNOWN');
    expect(await codeOf(() => openMachineRun({ name: `bank-${number}`, store }))).toBe('E_RUN_UNKNOWN'); // What did not come to its first request is not kept.
  });

  it('one-shot: the run is at rest before and after', async () => {
    const request: ServiceRequest = { name: 'once', store, fresh: { program: guestProgram('ledger'), out: ['log'], memory: '16M' } };
    expect(Buffer.from((await transactOnce(request, Buffer.from('t 1 2 3'))).response).toString()).toBe('ok 997 1003\n');
    expect(await codeOf(() => transactOnce(request, Buffer.from('c 1 2 3')))).toBe('E_TXN_FAULT');
    expect(Buffer.from((await transactOnce({ ...request, fresh: undefined }, Buffer.from('b 1'))).response).toString()).toBe('balance 997\n');
  });
});

describe('options of services', () => {
  it.each([
    [{ http: '8080' }, [{ kind: 'tcp', host: '127.0.0.1', port: 8080 }]], [{ http: '0.0.0.0:1' }, [{ kind: 'tcp', host: '0.0.0.0', port: 1 }]], [{ http: '[::1]:99' }, [{ kind: 'tcp', host: '::1', port: 99 }]],
    [{ socket: 'a/b', http: 'localhost:2' }, [{ kind: 'tcp', host: 'localhost', port: 2 }, { kind: 'socket', path: 'a/b' }]], [{}, []],
  ])('%j listens there', (texts, addresses) => expect(parseServiceOptions(texts).addresses).toEqual(addresses));
  it.each([{ http: 'x' }, { http: '70000' }, { http: '' }, { socket: '' }, { socket: 'x'.repeat(108) }, { needsDoor: true }, { frame: 'x' }, { timeout: '5M' }, { timeout: 'x' }, { maxRequest: '-1' }, { maxInstructions: 'x' }])('%j is E_USAGE', async (texts) => {
    expect(await codeOf(() => parseServiceOptions(texts))).toBe('E_USAGE');
  });

  it('with children answers every request from one state: they read to the end, exit, change files, and leave nothing', async () => {
    const service = await openService({ name: 'children', store, children: true, fresh: { program: guestProgram('child'), memory: '16M' } });
    cleanups.push(() => service.stop());
    const at = await door(service);
    const root = service.machine.root();
    const instructions = service.machine.instructions;
    expect(await post(at, 'one')).toEqual({ status: 200, body: '1 4 0 one\n' });
    expect(await post(at, 'three\nmore\nmore')).toEqual({ status: 200, body: '1 6 2 three\n' });
    expect(code(await post(at, 'crash'))).toBe('E_TXN_FAULT');
    expect(code(await post(at, 'x'))).toBe('E_TXN_EXIT');
    const many = await Promise.all(Array.from({ length: 20 }, (_, index) => post(at, String(index % 10))));
    expect(many).toEqual(Array.from({ length: 20 }, (_, index) => ({ status: 200, body: `1 2 0 ${index % 10}\n` })));
    expect([service.machine.root(), service.machine.instructions, service.machine.hasEnded]).toEqual([root, instructions, false]);
  });
});
