/**
 * What a request to a transactional service costs: HTTP to the ledger of test/machine in a process of its own, each answer on disk before it is given, one client
 * after the other and many at once; beside it a store on tmpfs, a server without a machine, and the disk alone, in the same run. Run with
 * `node --import ./scripts/typescript-loader.mjs bench/service.ts`. Needs the built command and the cross compiler.
 */
import { execFileSync, spawn } from 'node:child_process';
import { closeSync, fsyncSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { Agent, createServer, request as httpRequest } from 'node:http';
import { type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

const ROOT = resolve(import.meta.dirname, '..');
const CLI = join(ROOT, 'dist/bin/stillpoint.js');
const REQUESTS = Number(process.env['BENCH_REQUESTS'] ?? 2000);
const directory = mkdtempSync(join(tmpdir(), 'stillpoint-bench-'));

function post(agent: Agent, port: number, body: string): Promise<void> {
  return new Promise((done, reject) => {
    const sent = httpRequest({ agent, host: '127.0.0.1', port, method: 'POST', path: '/' }, (response) => {
      response.resume();
      response.on('end', () => (response.statusCode === 200 ? done() : reject(new Error(`status ${response.statusCode}`))));
    });
    sent.on('error', reject);
    sent.end(body);
  });
}

/** Milliseconds of each request, with `clients` at once. */
async function measure(port: number, clients: number): Promise<{ readonly times: readonly number[]; readonly seconds: number }> {
  const agent = new Agent({ keepAlive: true, maxSockets: clients });
  const times: number[] = [];
  let left = REQUESTS;
  const client = async (): Promise<void> => {
    while (left-- > 0) {
      const started = performance.now();
      await post(agent, port, `t ${left % 1000} ${(left * 7) % 1000} 1`);
      times.push(performance.now() - started);
    }
  };
  const started = performance.now();
  await Promise.all(Array.from({ length: clients }, client));
  agent.destroy();
  return { times: times.sort((a, b) => a - b), seconds: (performance.now() - started) / 1000 };
}

async function row(name: string, port: number, clients: number): Promise<void> {
  const { times, seconds } = await measure(port, clients);
  const at = (part: number): string => times[Math.min(times.length - 1, Math.floor(times.length * part))]!.toFixed(2);
  console.log(`| ${name} | ${clients} | ${at(0.5)} | ${at(0.99)} | ${Math.round(times.length / seconds)} |`);
}

/** A service in a process of its own; its port, and how to end it. */
async function serve(program: string, store: string): Promise<{ readonly port: number; readonly end: () => Promise<void> }> {
  const child = spawn(process.execPath, [CLI, 'serve', 'bank', '--store', store, '--http', '0', '--out', 'log', '--memory', '16M', '--', program], { stdio: ['ignore', 'pipe', 'ignore'] });
  const port = await new Promise<number>((done) => {
    child.stdout.on('data', (bytes: Buffer) => { const found = /:([0-9]+)\n/.exec(bytes.toString())?.[1]; if (found !== undefined) done(Number(found)); });
  });
  await measure(port, 1); // Warm: the program is translated.
  return { port, end: async () => { child.kill('SIGTERM'); await new Promise((done) => { child.on('close', done); }); } };
}

/** What the disk alone takes: 4 KiB written and synced. */
function measureDisk(): readonly number[] {
  const file = openSync(join(directory, 'sync'), 'w');
  const times = Array.from({ length: 200 }, () => {
    const started = performance.now();
    writeSync(file, Buffer.alloc(4096), 0, 4096, 0);
    fsyncSync(file);
    return performance.now() - started;
  });
  closeSync(file);
  return times.sort((a, b) => a - b);
}

const program = join(directory, 'ledger.elf');
execFileSync('riscv64-linux-gnu-gcc', ['-O2', '-static', '-w', '-o', program, join(ROOT, 'test/machine/guests/ledger.c')]);
console.log('| server | clients | median ms | p99 ms | requests/s |\n|---|---|---|---|---|');
for (const [name, store] of [['ledger, durable', join(directory, 'store')], ['ledger, store on tmpfs', join('/dev/shm', `stillpoint-bench-${process.pid}`)]] as const) {
  const service = await serve(program, store);
  for (const clients of [1, 16, 64]) await row(name, service.port, clients);
  await service.end();
  rmSync(store, { recursive: true, force: true });
}
const bare = createServer((request, response) => { request.resume(); request.on('end', () => response.end('ok 900 1100\n')); });
await new Promise<void>((done) => { bare.listen(0, '127.0.0.1', () => done()); });
await row('no machine (in this process)', (bare.address() as AddressInfo).port, 1);
bare.close();
const disk = measureDisk();
console.log(`| the disk alone: 4 KiB written and synced | 1 | ${disk[100]!.toFixed(2)} | ${disk[198]!.toFixed(2)} | |`);
rmSync(directory, { recursive: true, force: true });
