/**
 * Requests with keys, control between requests, and clients that behave badly: over HTTP, judged by the ledger's books, the store's check and a replay.
 */
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { Agent, request as httpRequest } from 'node:http';
import { connect } from 'node:net';
import { join } from 'node:path';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { checkStore, exportRun, forkFrom, importRun, openDoor, openService, promote, removeRuns, replayRun, rollback, savepointRun, transactOnce, type Door, type Service, type ServiceRequest } from '../../src/index.ts';
import { codeOf, guestProgram, scratch } from '../machine/rig.ts';

const place = scratch();
const store = join(place.path, 'store');
const cleanups: (() => Promise<unknown>)[] = [];
afterAll(() => place.remove());
afterEach(async () => { for (const cleanup of cleanups.splice(0).reverse()) await cleanup(); });

const requestFor = (name: string, options: Partial<ServiceRequest> = {}): ServiceRequest => ({
  name, store, engine: 'wasm', takesControl: true, fresh: { program: guestProgram('ledger'), out: [`log=${join(place.path, `${name}.txt`)}`], memory: '16M' }, ...options,
});

async function serviceOf(name: string, options: Partial<ServiceRequest> = {}): Promise<{ readonly service: Service; readonly door: Door }> {
  const service = await openService(requestFor(name, options));
  cleanups.push(() => service.stop());
  const door = await openDoor(service, { kind: 'tcp', host: '127.0.0.1', port: 0 }, { headersMs: 300, requestMs: 600, idleMs: 60_000 });
  cleanups.push(() => door.close());
  return { service, door };
}

interface Reply { readonly status: number; readonly body: string; readonly headers: Readonly<Record<string, unknown>> }

function post(door: Door, body: string, { path = '/', key, agent }: { readonly path?: string; readonly key?: string; readonly agent?: Agent } = {}): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const sent = httpRequest({ host: '127.0.0.1', port: door.port, method: 'POST', path, agent: agent ?? false, headers: key === undefined ? {} : { 'Idempotency-Key': key } }, (response) => {
      let text = '';
      response.on('data', (bytes: Buffer) => { text += bytes.toString(); });
      response.on('end', () => resolve({ status: response.statusCode ?? 0, body: text, headers: response.headers }));
    });
    sent.on('error', reject);
    sent.end(body);
  });
}

const facts = ({ body }: Reply): Record<string, unknown> => JSON.parse(body) as Record<string, unknown>;

describe('a request with a key', () => {
  it('is done once: again it gets the first answer, also from a service that was started anew, and from a fork; not after a rollback', async () => {
    const { service, door } = await serviceOf('keys');
    await service.control('savepoint', new Map([['name', 'early']]));
    expect((await post(door, 't 1 2 100', { key: 'a' })).body).toBe('ok 900 1100\n');
    const again = await post(door, 't 1 2 100', { key: 'a' });
    expect([again.status, again.body, again.headers['idempotent-replayed']]).toEqual([200, 'ok 900 1100\n', 'true']);
    expect((await Promise.all([1, 2, 3, 4].map(() => post(door, 't 3 4 1', { key: 'many' })))).map(({ body }) => body)).toEqual(Array.from({ length: 4 }, () => 'ok 999 1001\n'));
    const other = await post(door, 't 1 2 99', { key: 'a' });
    expect([other.status, facts(other)['code']]).toEqual([422, 'E_REQUEST_KEY']);
    expect([(await post(door, 'c 1 2 3', { key: 'crash' })).status, (await post(door, 't 5 6 1', { key: 'crash' })).body]).toEqual([422, 'ok 999 1001\n']); // What was aborted is not remembered.
    expect((await post(door, 's', { key: 'two words' })).status).toBe(400);
    expect(service.metrics.text).toContain('stillpoint_requests_total{outcome="repeated"} 4');
    for (const cleanup of cleanups.splice(0).reverse()) await cleanup();

    const second = await serviceOf('keys', { fresh: undefined });
    expect((await post(second.door, 't 1 2 100', { key: 'a' })).body).toBe('ok 900 1100\n');
    expect((await post(second.door, 'b 1')).body).toBe('balance 900\n');
    await second.service.control('branch', new Map([['name', 'keys-fork']]));
    const fork = await openService(requestFor('keys-fork', { fresh: undefined }));
    expect(Buffer.from((await fork.request(Buffer.from('t 1 2 100'), undefined, 'a')).response).toString()).toBe('ok 900 1100\n');
    await fork.stop();
    await second.service.control('rollback', new Map([['to', 'early']]));
    expect((await post(second.door, 't 1 2 100', { key: 'a' })).body).toBe('ok 900 1100\n');
    expect((await post(second.door, 'b 2')).body).toBe('balance 1100\n'); // It was done again.
    for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
    const [file, elsewhere] = [join(place.path, 'keys.stillpoint'), join(place.path, 'elsewhere')];
    await exportRun({ run: 'keys', file, store, have: [] });
    await importRun({ file, store: elsewhere, name: 'moved' });
    const moved = await openService(requestFor('moved', { store: elsewhere, fresh: undefined }));
    const [repeated, fresh] = [await moved.request(Buffer.from('t 1 2 100'), undefined, 'a'), await moved.request(Buffer.from('t 1 2 100'), undefined, 'new')];
    expect([Buffer.from(repeated.response).toString(), repeated.isRepeated, Buffer.from(fresh.response).toString()]).toEqual(['ok 900 1100\n', true, 'ok 800 1200\n']);
    await moved.stop();
    expect((await checkStore({ store: elsewhere, repairs: false })).findings).toEqual([]);
    expect((await checkStore({ store, repairs: false })).findings).toEqual([]);
    await removeRuns(['keys-fork'], store);
    expect((await checkStore({ store, repairs: false })).findings).toEqual([]);
  });
});

describe('control between requests', () => {
  it('savepoint, rollback, branch and promote take their turn; requests that come meanwhile wait', async () => {
    const { service, door } = await serviceOf('control');
    await post(door, 't 1 2 10 1');
    const [saved, , after] = await Promise.all([post(door, '', { path: '/savepoint?name=one&note=before%20it' }), post(door, 't 1 2 10 2'), post(door, 'b 1')]);
    expect([saved.status, facts(saved)['name']]).toEqual([200, 'one']);
    expect(after.body).toBe('balance 980\n');
    const branched = await post(door, '', { path: '/branch?name=other&at=one' });
    expect([branched.status, facts(branched)['name']]).toEqual([200, 'other']);
    expect(facts(await post(door, '', { path: '/branch?name=other' }))['code']).toBe('E_RUN_EXISTS');
    expect((await post(door, '', { path: '/rollback?to=nowhere' })).status).toBe(404);
    expect((await post(door, '', { path: '/rollback?to=one' })).status).toBe(200);
    expect((await post(door, 'b 1')).body).toBe('balance 990\n');
    await post(door, 't 1 2 10 3');
    expect(readFileSync(join(place.path, 'control.txt'), 'latin1')).toBe('1 2 10 1\n1 2 10 3\n');
    await transactOnce(requestFor('other', { fresh: undefined }), Buffer.from('t 1 2 500 4'));
    expect((await post(door, '', { path: '/promote?branch=other&keep=old&files=1' })).status).toBe(200);
    expect((await post(door, 'b 1')).body).toBe('balance 490\n');
    await post(door, 't 1 2 1 5');
    expect(readFileSync(join(place.path, 'control.txt'), 'latin1')).toBe('1 2 10 1\n1 2 500 4\n1 2 1 5\n');
    expect(readFileSync(join(place.path, 'control.txt.old'), 'latin1')).toBe('1 2 10 1\n1 2 10 3\n');
    expect(service.metrics.text).toContain('stillpoint_control_total{verb="promote"} 1');
    for (const [path, status] of [['/rollback', 400], ['/savepoint?nme=x', 400], ['/savepoint?name=7', 400], ['/elsewhere', 404]] as const) expect((await post(door, '', { path })).status, path).toBe(status);
    for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
    for (const name of ['control', 'old']) expect((await replayRun({ name, store, comparesFiles: true }, {})).isIdentical, name).toBe(true);
  });

  it('is refused by a service that was not told to take it', async () => {
    const { door } = await serviceOf('plain', { takesControl: false });
    const refused = await post(door, '', { path: '/rollback?to=one' });
    expect([refused.status, facts(refused)['code']]).toEqual([400, 'E_USAGE']);
  });

  it('promote moves output files only when all of them can be moved', async () => {
    await transactOnce(requestFor('whole'), Buffer.from('t 1 2 1 1'));
    await savepointRun({ name: 'whole', store, as: 'here' });
    await forkFrom({ from: 'whole@here', name: 'part', store, bind: [], freshEntropy: false });
    await transactOnce(requestFor('whole', { fresh: undefined }), Buffer.from('t 1 2 1 2'));
    await transactOnce(requestFor('part', { fresh: undefined }), Buffer.from('t 1 2 1 3'));
    const files = (): readonly string[] => ['whole.txt', 'whole.txt.part'].map((name) => readFileSync(join(place.path, name), 'latin1'));
    const before = files();
    expect(await codeOf(() => promote({ branch: 'part', store, keep: 'part', takesFiles: true }))).toBe('E_CHANNEL_OPEN'); // whole.txt.part is there.
    expect(files()).toEqual(before);
    await promote({ branch: 'part', store, takesFiles: true });
    expect([readFileSync(join(place.path, 'whole.txt'), 'latin1'), existsSync(join(place.path, 'whole.txt.part'))]).toEqual(['1 2 1 1\n1 2 1 3\n', false]);
    await rollback({ name: 'whole', to: 'here', store, keep: undefined, freshEntropy: false });
    await transactOnce(requestFor('whole', { fresh: undefined }), Buffer.from('t 1 2 1 4'));
    expect(readFileSync(join(place.path, 'whole.txt'), 'latin1')).toBe('1 2 1 1\n1 2 1 4\n');
  });
});

/** Everything that a connection is told until it is closed. */
async function told(door: Door, ...pieces: readonly (string | number)[]): Promise<string> {
  const socket = connect(door.port!, '127.0.0.1');
  await once(socket, 'connect');
  let text = '';
  socket.on('data', (bytes: Buffer) => { text += bytes.toString(); });
  socket.on('error', () => undefined);
  const closed = once(socket, 'close');
  for (const piece of pieces) {
    if (typeof piece === 'string') socket.write(piece);
    else await new Promise((resolve) => { setTimeout(resolve, piece); });
  }
  await closed;
  return text;
}

describe('clients', () => {
  it('that are slow, or speak no HTTP, are told so as JSON and closed; others are served meanwhile', async () => {
    const { door } = await serviceOf('noise');
    const drip = Array.from({ length: 12 }, (_, index) => [`x-${index}: y\r\n`, 80]).flat();
    const [loris, half, noise, fat, fine] = await Promise.all([
      told(door, 'POST / HTTP/1.1\r\nhost: x\r\n', ...drip), told(door, 'POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\nt 1'), told(door, 'what is this?\r\n\r\n'),
      told(door, `POST / HTTP/1.1\r\nhost: x\r\nx: ${'y'.repeat(20_000)}\r\n\r\n`), post(door, 's'),
    ]);
    expect([loris, half].map((text) => [text.slice(9, 12), text.includes('"code":"E_REQUEST_SLOW"')])).toEqual([['408', true], ['408', true]]);
    expect([noise.slice(9, 12), noise.includes('"code":"E_USAGE"'), fat.slice(9, 12), fat.includes('"code":"E_REQUEST_SIZE"')]).toEqual(['400', true, '431', true]);
    expect(fine.body).toBe('sum 1000000\n');
  });

  it('many of them, each with its connection kept, are all answered', async () => {
    const { service, door } = await serviceOf('many');
    const agents = Array.from({ length: 120 }, () => new Agent({ keepAlive: true, maxSockets: 1 }));
    for (let round = 0; round < 3; round++) expect(new Set((await Promise.all(agents.map((agent) => post(door, 't 8 9 1', { agent })))).map(({ status }) => status))).toEqual(new Set([200]));
    expect(service.metrics.text).toMatch(/^stillpoint_connections 120$/m);
    expect(service.metrics.text).toMatch(/^stillpoint_commits_total 361$/m); // And the start.
    expect((await post(door, 'b 8')).body).toBe('balance 640\n');
    for (const agent of agents) agent.destroy();
  });
});
