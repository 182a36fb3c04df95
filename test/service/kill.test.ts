/**
 * `stillpoint serve` in a process that is killed while clients wait: each asks again with its key until it is answered, and what was answered has happened once.
 * SIGTERM answers what waits and leaves the run at rest. STILLPOINT_SLOW=1: sixty kills.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { request as httpRequest } from 'node:http';
import { join, resolve } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { openMachineRun, replayRun } from '../../src/index.ts';
import { ask, guestProgram, random, scratch } from '../machine/rig.ts';

const KILLS = process.env['STILLPOINT_SLOW'] === '1' ? 60 : 5;
const SEED = Number(process.env['STILLPOINT_SEED'] ?? 3);
const CLI = resolve(import.meta.dirname, '../../dist/bin/stillpoint.js');
const place = scratch();
afterAll(() => place.remove());
const [store, socket, log] = ['store', 'bank.sock', 'log.txt'].map((name) => join(place.path, name)) as [string, string, string];

/** Resolves when it serves. */
async function serve(...more: readonly string[]): Promise<ChildProcess> {
  const child = spawn(process.execPath, [CLI, 'serve', 'bank', '--store', store, '--socket', socket, '--engine', 'wasm', ...more], { stdio: ['ignore', 'pipe', 'inherit'] });
  await once(child.stdout!, 'data');
  return child;
}

/** The answer; undefined when the connection broke. */
function post(body: string, key: string): Promise<string | undefined> {
  return new Promise((done) => {
    const sent = httpRequest({ socketPath: socket, method: 'POST', path: '/', agent: false, headers: { 'Idempotency-Key': key } }, (response) => {
      let text = '';
      response.on('data', (bytes: Buffer) => { text += bytes.toString(); });
      response.on('end', () => done(response.statusCode === 200 ? text : undefined));
      response.on('error', () => done(undefined));
    });
    sent.on('error', () => done(undefined));
    sent.end(body);
  });
}

it(`clients of a service that is killed ${KILLS} times (seed ${SEED}) are served once each`, async () => {
  const draw = random(SEED);
  let child = await serve('--memory', '16M', '--out', `log=${log}`, '--', guestProgram('ledger'));
  let isOver = false;
  let sent = 0;
  const answered = new Map<string, string>();
  const client = async (): Promise<void> => {
    while (!isOver) {
      const number = ++sent;
      const key = `key-${number}`;
      for (let answer: string | undefined; answer === undefined;) {
        answer = await post(`t ${number % 5} ${5 + (number % 5)} 1 ${number}`, key);
        if (answer === undefined) await new Promise((done) => { setTimeout(done, 20); });
        else answered.set(key, answer);
      }
    }
  };
  const clients = [1, 2, 3, 4].map(client);
  for (let kill = 0; kill < KILLS; kill++) {
    const before = answered.size;
    while (answered.size <= before) await new Promise((done) => { setTimeout(done, 5); });
    await new Promise((done) => { setTimeout(done, draw(40)); });
    const closed = once(child, 'close');
    child.kill('SIGKILL');
    await closed;
    child = await serve();
  }
  isOver = true;
  await Promise.all(clients);
  expect(answered.size).toBe(sent);
  for (const number of [1, sent]) expect(await post(`t ${number % 5} ${5 + (number % 5)} 1 ${number}`, `key-${number}`), 'the first answer').toBe(answered.get(`key-${number}`));
  const closed = once(child, 'close');
  const last = post('t 0 5 1 0', 'last');
  await new Promise((done) => { setTimeout(done, 30); });
  child.kill('SIGTERM');
  expect((await closed)[0]).toBe(0);
  const total = (await last) === undefined ? sent : sent + 1; // It may have come after the signal.
  const numbers = readFileSync(log, 'latin1').split('\n').slice(0, -1).map((line) => Number(line.split(' ')[3]));
  expect([...numbers].sort((a, b) => a - b)).toEqual(Array.from({ length: total }, (_, index) => index + 1 - (total - sent)));
  const machine = await openMachineRun({ name: 'bank', store });
  const check = machine.begin();
  expect(await ask(check, 's')).toBe('sum 1000000\n');
  await check.abort();
  await machine.close();
  expect((await replayRun({ name: 'bank', store, comparesFiles: true }, {})).isIdentical).toBe(true);
}, 3_600_000);
