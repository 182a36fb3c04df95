/**
 * What transactions cost: begin, one small request, end; rollback of dirtied memory; durable commits one by one and in groups, against SQLite doing the same
 * transfers on the same disk in the same run (synchronous=FULL, python3's sqlite3 module).
 * Run: npm run build && node --import ./scripts/typescript-loader.mjs bench/txn.ts [SECONDS]. STILLPOINT_BENCH_DIR chooses the disk. The figures are appended to
 * bench/history.jsonl; those of requests over HTTP come from bench/service.ts in the same run.
 * Each figure is the best of three. What happens in memory is counted by processor time of this process (all its threads), because the machine is rarely idle;
 * what waits for the disk by the clock. `disk` is how often it takes 4 KiB and fdatasync in a second, before and after; a small commit of the store needs one of them.
 */
import { execFileSync } from 'node:child_process';
import { appendFileSync, closeSync, fdatasyncSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { cpus, loadavg, tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { openMachine, VERSION, type Machine, type Transaction } from '../src/index.ts';

const SECONDS = Number(process.argv[2] ?? 1.5);
const SQLITE = `
import sqlite3, sys, time
path, journal, group, seconds = sys.argv[1], sys.argv[2], int(sys.argv[3]), float(sys.argv[4])
db = sqlite3.connect(path, isolation_level=None)
db.execute('pragma journal_mode=' + journal); db.execute('pragma synchronous=FULL')
db.execute('create table accounts(id integer primary key, balance integer)'); db.execute('create table log(a, b, amount)')
db.execute('begin'); db.executemany('insert into accounts values(?, 1000000)', [(i,) for i in range(1000)]); db.execute('commit')
n, start = 0, time.time()
while time.time() - start < seconds:
    db.execute('begin')
    for _ in range(group):
        a, b = n * 7 % 1000, (n * 11 + 1) % 1000
        db.execute('update accounts set balance = balance - 1 where id = ?', (a,))
        db.execute('update accounts set balance = balance + 1 where id = ?', (b,))
        db.execute('insert into log values(?, ?, 1)', (a, b))
        n += 1
    db.execute('commit')
print(n / (time.time() - start))
`;

const ROOT = resolve(import.meta.dirname, '..');
const figures: Record<string, number> = {};
const row = (what: string, figure: string): void => {
  figures[what] = Number.parseFloat(figure);
  console.log(`| ${what} | ${figure} |`);
};
const perSecond = (value: number, of = ''): string => `${Math.round(value)} /s${of}`;
const OF_PROCESSOR = ' of processor time';
const request = (number: number): string => `t ${(number * 7) % 1000} ${(number * 11 + 1) % 1000} 1`;

/** Seconds of the clock, or of this process's processor time. */
function now(by: 'clock' | 'processor'): number {
  const { user, system } = process.cpuUsage();
  return by === 'clock' ? performance.now() / 1000 : (user + system) / 1e6;
}

/** Rounds of `step` for about SECONDS / 3, three times; the best rate. */
async function rate(by: 'clock' | 'processor', step: (number: number) => Promise<number>): Promise<number> {
  let best = 0;
  for (let turn = 0, number = 0; turn < 3; turn++) {
    const start = now(by);
    let done = 0;
    while (now(by) - start < SECONDS / 3) for (let times = 0; times < (by === 'clock' ? 1 : 20); times++) done += await step(number++);
    best = Math.max(best, done / (now(by) - start));
  }
  return best;
}

async function small(machine: Machine, number: number): Promise<Transaction> {
  const transaction = machine.begin();
  transaction.send('stdin', request(number));
  await transaction.run();
  return transaction;
}

/** Warm: its hot code is translated. */
async function opened(options: object, warm = 10_000): Promise<Machine> {
  const machine = await openMachine({ program, memory: '256M', ...options });
  await machine.transact(async (transaction) => { await transaction.run(); });
  for (let number = 0; number < warm; number++) await (await small(machine, number)).abort();
  return machine;
}

async function inMemory(): Promise<void> {
  const machine = await opened({ out: ['log'] });
  row('in memory: begin, transfer, abort', perSecond(await rate('processor', async (number) => { await (await small(machine, number)).abort(); return 1; }), OF_PROCESSOR));
  row('in memory: begin, transfer, commit', perSecond(await rate('processor', async (number) => { await (await small(machine, number)).commit(); return 1; }), OF_PROCESSOR));
  row('in memory: savepoint, transfer, rollback', perSecond(await rate('processor', async (number) => {
    const transaction = machine.begin();
    for (let index = 0; index < 100; index++) {
      const savepoint = transaction.savepoint();
      transaction.send('stdin', request(number));
      await transaction.run();
      savepoint.rollback();
    }
    await transaction.abort();
    return 100;
  }), OF_PROCESSOR));
  row('fork of the machine', perSecond(await rate('processor', async () => { await machine.fork().close(); return 1; }), OF_PROCESSOR));
  let rollback = Infinity;
  for (let turn = 0; turn < 5; turn++) {
    const transaction = machine.begin();
    transaction.send('stdin', 'd 100');
    await transaction.run();
    const start = now('processor');
    await transaction.abort();
    rollback = Math.min(rollback, (now('processor') - start) * 1000);
  }
  row('rollback of 100 MiB dirtied', `${rollback.toFixed(1)} ms${OF_PROCESSOR}`);
  await machine.close();
}

async function durable(): Promise<void> {
  const before = disk();
  const store = join(base, 'store');
  const machine = await opened({ store, name: 'bank', out: [`log=${join(base, 'log.txt')}`] });
  const alone = await rate('clock', async (number) => { await (await small(machine, number)).commit(); return 1; });
  row('durable, each alone', perSecond(alone));
  const syncs = (before + disk()) / 2;
  row('disk: 4 KiB and fdatasync', perSecond(syncs));
  row('durable, each alone: of what one of them for each would allow', `${Math.round((100 * alone) / syncs)} %`);
  for (const group of [16, 256]) {
    row(`durable, ${group} under way`, perSecond(await rate('clock', async (number) => {
      const commits: Promise<void>[] = [];
      for (let index = 0; index < group; index++) commits.push((await small(machine, number * group + index)).commit());
      await Promise.all(commits);
      return group;
    })));
  }
  const others = [machine];
  for (let index = 1; index < 8; index++) others.push(await opened({ store, name: `bank-${index}`, out: [`log=${join(base, `log-${index}.txt`)}`] }, 500));
  row('durable, 8 machines, each commit waited for', perSecond(await rate('clock', async (number) => {
    await Promise.all(others.map(async (one) => (await small(one, number)).commit()));
    return others.length;
  })));
  for (const one of others) await one.close();
}

function sqlite(): void {
  for (const journal of ['delete', 'wal']) {
    for (const group of [1, 256]) {
      const figure = Number(execFileSync('python3', ['-c', SQLITE, join(base, `bank-${journal}-${group}.db`), journal, String(group), String(SECONDS)], { encoding: 'utf8' }));
      row(`SQLite (native, ${journal}), ${group === 1 ? 'each alone' : `${group} in one transaction`}`, perSecond(figure));
    }
  }
}

/** How often a second the disk takes 4 KiB and fdatasync. */
function disk(): number {
  const file = openSync(join(base, 'disk'), 'w');
  const start = performance.now();
  for (let index = 0; index < 100; index++) {
    writeSync(file, new Uint8Array(4096), 0, 4096, index * 4096);
    fdatasyncSync(file);
  }
  closeSync(file);
  return 100_000 / (performance.now() - start);
}

/** Speculations in threads. */
async function inThreads(): Promise<void> {
  const machine = await opened({ out: ['log'] }, 1_000);
  const pool = machine.openPool({ workers: 2, workerFile: new URL('../dist/bin/replica-worker.js', import.meta.url) });
  const one = (number: number): Promise<void> => pool.speculate(async (speculation) => {
    speculation.send('stdin', request(number));
    await speculation.run();
    await speculation.read('stdout');
  });
  for (let number = 0; number < 200; number++) await one(number);
  row('in a thread: begin, transfer, commit', perSecond(await rate('clock', async (number) => { await one(number); return 1; })));
  await machine.close();
}

/** Requests over HTTP, in the same run. */
function service(): void {
  const text = execFileSync(process.execPath, ['--import', './scripts/typescript-loader.mjs', 'bench/service.ts'], { cwd: ROOT, encoding: 'utf8', env: { ...process.env, BENCH_REQUESTS: '400' } });
  for (const line of text.split('\n').filter((each) => each.startsWith('| ') && !each.startsWith('| server'))) {
    const [name, clients, median, p99] = line.split('|').slice(1).map((cell) => cell.trim());
    if (clients === '1' || clients === '16') row(`HTTP: ${name}, ${clients} client${clients === '1' ? '' : 's'}: median ms`, median!);
    if (clients === '1' || clients === '16') row(`HTTP: ${name}, ${clients} client${clients === '1' ? '' : 's'}: p99 ms`, p99!);
  }
}

const base = mkdtempSync(join(process.env['STILLPOINT_BENCH_DIR'] ?? tmpdir(), 'stillpoint-bench-'));
const program = join(base, 'ledger');
try {
  execFileSync('riscv64-linux-gnu-gcc', ['-static', '-O2', '-w', '-o', program, join(ROOT, 'test/machine/guests/ledger.c')]);
  console.log('| what | figure |\n|---|---|');
  await inMemory();
  await inThreads();
  await durable();
  sqlite();
  service();
  appendFileSync(join(ROOT, 'bench/history.jsonl'), `${JSON.stringify({ version: VERSION, node: process.version, processor: cpus()[0]?.model ?? 'unknown', cores: cpus().length, load: Math.round(loadavg()[0]!), transactions: figures })}\n`);
} finally {
  rmSync(base, { recursive: true, force: true });
}
