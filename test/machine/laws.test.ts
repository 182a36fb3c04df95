/**
 * The laws of transactions on random programs: one that is another with every request (guests/chaos.c), a shell, Lua and SQLite, with random sequences of
 * requests, savepoints and rollbacks, in every engine. A root is SHA-256 over everything.
 *
 *   abort = never happened      savepoint + rollback = identity      nested = flat      fork, or thread, with the same input = same root
 *   commit, crash, replay = same outputs and roots
 *
 * STILLPOINT_SLOW=1: many more.
 */
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import { openMachine, openMachineRun, replayRun, type Machine, type MachineRequest, type Savepoint } from '../../src/index.ts';
import { ask, engines, guestProgram, random, scratch, waiting } from './rig.ts';

type Draw = (below: number) => number;
interface Subject { readonly name: string; readonly request: MachineRequest; readonly next: (draw: Draw) => string; readonly prepare?: readonly string[] }

const real = (name: string): string => resolve(import.meta.dirname, '../../build/guests/real', name);
const isSlow = process.env['STILLPOINT_SLOW'] === '1';
const [SEEDS, ROUNDS, STEPS, CHAOS] = isSlow ? [8, 2, 8, 120] as const : [1, 1, 4, 20] as const;
const workerFile = pathToFileURL(resolve(import.meta.dirname, '../../dist/bin/replica-worker.js'));
const directory = scratch();
afterAll(directory.remove);

const word = (draw: Draw): string => String.fromCharCode(97 + draw(4));
const SHELL: readonly ((draw: Draw) => string)[] = [
  (draw) => `${word(draw)}=$((${draw(90)} + 1)); echo $${word(draw)}`, (draw) => `echo ${'y'.repeat(draw(200))} >> /tmp/${word(draw)}`, (draw) => `rm -f /tmp/${word(draw)}; ls /tmp`,
  (draw) => `mkdir -p /tmp/dir-${word(draw)}; cd /tmp/dir-${word(draw)} 2>/dev/null; pwd`, (draw) => `echo ${draw(99)} | sed s/1/one/ | tr o 0`, (draw) => `(exit ${draw(9)}); echo $?; wc -c /tmp/* 2>&1 | tail -1`,
];
const LUA: readonly ((draw: Draw) => string)[] = [
  (draw) => `${word(draw)} = {} for i = 1, ${draw(400)} do ${word(draw)} = {i, tostring(i)} end return collectgarbage('count') > 0`, (draw) => `x = (x or '') .. ('z'):rep(${draw(500)}) return #x`,
  (draw) => `local f = io.open('/tmp/lua', 'a') f:write(${draw(999)}) f:close() return io.open('/tmp/lua'):seek('end')`, () => 'return math.random(1000000), os.time()', (draw) => `return ${word(draw)} and #${word(draw)}`,
];
const SQL: readonly ((draw: Draw) => string)[] = [
  (draw) => `INSERT INTO t VALUES (${draw(1000)}, '${'s'.repeat(draw(300))}'); SELECT count(*) FROM t;`, (draw) => `UPDATE t SET a = a + 1 WHERE a % 7 = ${draw(7)}; SELECT total(a) FROM t;`,
  (draw) => `DELETE FROM t WHERE a % 13 = ${draw(13)}; SELECT count(*), sum(length(b)) FROM t;`, (draw) => `CREATE INDEX IF NOT EXISTS i${draw(3)} ON t(a, b); SELECT max(a) FROM t;`, () => 'SELECT random() > 0, count(*) FROM t;',
];
const oneOf = (list: readonly ((draw: Draw) => string)[]) => (draw: Draw): string => `${list[draw(list.length)]!(draw)}\n`;

const subjects: readonly Subject[] = [
  { name: 'chaos', request: { program: guestProgram('chaos'), memory: '32M' }, next: (draw) => `${draw(1_000_000)} ${5 + draw(CHAOS)}` },
  { name: 'shell', request: { program: real('busybox'), arguments: ['sh'], environment: ['HOME=/tmp'], memory: '64M' }, next: oneOf(SHELL), prepare: ['PS1=\n'] },
  { name: 'lua', request: { program: real('lua'), arguments: ['-e', "for line in io.lines() do local f, why = load(line) print(f and pcall(f) or why) io.flush() end"], memory: '64M' }, next: oneOf(LUA) },
  { name: 'sqlite', request: { program: real('sqlite3'), arguments: ['/tmp/t.db'], memory: '64M' }, next: oneOf(SQL), prepare: ['CREATE TABLE t (a, b);\n'] },
];

async function open({ request, prepare = [] }: Subject, more: Partial<MachineRequest>): Promise<Machine> {
  const machine = await waiting(await openMachine({ ...request, ...more }));
  for (const line of prepare) await machine.transact((transaction) => ask(transaction, line));
  return machine;
}

/** One random transaction, aborted; the requests that were not rolled back, and where they led. */
async function wander(machine: Machine, subject: Subject, { draw, about }: { readonly draw: Draw; readonly about: string }): Promise<readonly string[]> {
  const before = machine.root();
  const transaction = machine.begin();
  const points: { readonly savepoint: Savepoint; readonly root: string; readonly kept: number }[] = [];
  const taken: string[] = [];
  for (let step = 0; step < STEPS; step++) {
    const choice = draw(5);
    if (choice === 0) points.push({ savepoint: transaction.savepoint(), root: machine.root(), kept: taken.length });
    else if (choice === 1 && points.length > 0) {
      const to = draw(points.length);
      points[to]!.savepoint.rollback();
      expect(machine.root(), `${about}: savepoint and rollback are identity`).toBe(points[to]!.root);
      taken.length = points[to]!.kept;
      points.length = to + 1;
    } else {
      taken.push(subject.next(draw));
      await ask(transaction, taken.at(-1)!);
    }
  }
  const reached = machine.root();
  await transaction.abort();
  expect(machine.root(), `${about}: an aborted transaction never happened`).toBe(before);
  const flat = machine.begin();
  for (const request of taken) await ask(flat, request);
  expect(machine.root(), `${about}: nested is flat`).toBe(reached);
  await flat.abort();
  return taken;
}

describe.each(subjects)('the laws hold for $name', (subject) => {
  it.each(Array.from({ length: SEEDS }, (_, index) => index + 1))('seed %i', async (seed) => {
    const draw = random(seed * 31 + subject.name.length);
    const engine = engines[(seed + subject.name.length) % engines.length]!;
    const [store, name] = [join(directory.path, 'store'), `${subject.name}-${seed}`];
    const machine = await open(subject, { engine, store, name });
    const about = `${name} (${engine})`;
    for (let round = 0; round < ROUNDS; round++) {
      const requests = await wander(machine, subject, { draw, about });
      const fork = machine.fork();
      const answers: string[] = [];
      await machine.transact(async (transaction) => { for (const request of requests) answers.push(await ask(transaction, request)); });
      await fork.transact(async (transaction) => { for (const [index, request] of requests.entries()) expect(await ask(transaction, request), about).toBe(answers[index]); });
      expect(fork.root(), `${about}: a fork with the same input`).toBe(machine.root());
      await fork.close();
    }
    const pool = machine.openPool({ workers: 1, workerFile, copyInstructions: 0n });
    const twin = machine.fork();
    const last = subject.next(draw);
    await pool.speculate(async (speculation) => { speculation.send('stdin', last); await speculation.run(); });
    await twin.transact((transaction) => ask(transaction, last));
    expect(machine.root(), `${about}: a thread with the same input`).toBe(twin.root());
    await twin.close();
    const root = machine.root();
    await machine.close();
    const again = await openMachineRun({ name, store, engine: engines[seed % engines.length]! });
    expect(again.root(), `${about}: opened again`).toBe(root);
    await again.close();
    expect((await replayRun({ name, store, comparesFiles: false }, {})).isIdentical, `${about}: replayed`).toBe(true);
  });
});
