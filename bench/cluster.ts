/**
 * What channels between machines cost: two guests over every way there is, with and without a journal, against the zeromq package alone between two processes
 * in the same run, and the start of a cluster of twenty nodes. Run with `node --import ./scripts/typescript-loader.mjs bench/cluster.ts`. Needs the built command and the cross
 * compiler. `BENCH_ONLY=TEXT`: only ways whose names have it. `raw` as the first argument is the other process of the raw measurement.
 */
import { execFileSync, fork, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { curveKeyPair, Pull, Push } from 'zeromq';

const ROOT = resolve(import.meta.dirname, '..');
const CLI = join(ROOT, 'dist/bin/stillpoint.js');
const MEGABYTES = Number(process.env['BENCH_MEGABYTES'] ?? 64);
const SMALL_COUNT = 300_000;
const ONLY = process.env['BENCH_ONLY'] ?? '';

/** `isCopied`: every message is made of memory that its sender goes on using, and ends in memory that its reader has, as with any program that reads and writes. */
interface RawRequest { readonly endpoint: string; readonly count: number; readonly size: number; readonly isCopied: boolean; readonly keys: { readonly publicKey: string; readonly secretKey: string } | undefined }

/** The other process: sends what it is told. */
async function sendRaw({ endpoint, count, size, isCopied, keys }: RawRequest): Promise<void> {
  const security = keys === undefined ? {} : { curveServerKey: keys.publicKey, curvePublicKey: keys.publicKey, curveSecretKey: keys.secretKey };
  const push = new Push({ linger: -1, ...security });
  push.connect(endpoint);
  const block = Buffer.alloc(size);
  for (let index = 0; index < count; index++) await push.send(isCopied ? Buffer.from(block) : block);
}

async function measureRaw(bind: string, size: number, options: { readonly count: number; readonly isEncrypted: boolean; readonly isCopied: boolean }): Promise<number> {
  const memory = new Uint8Array(size);
  const keys = options.isEncrypted ? curveKeyPair() : undefined;
  const pull = new Pull(keys === undefined ? {} : { curveServer: true, curveSecretKey: keys.secretKey });
  await pull.bind(bind);
  const child = fork(import.meta.filename, ['raw'], { execArgv: process.execArgv });
  child.send({ endpoint: pull.lastEndpoint!, count: options.count, size, isCopied: options.isCopied, keys } satisfies RawRequest);
  await pull.receive();
  const started = performance.now();
  for (let index = 1; index < options.count; index++) {
    const [bytes] = await pull.receive();
    if (options.isCopied) memory.set(bytes!);
  }
  const seconds = (performance.now() - started) / 1000;
  pull.close();
  child.kill();
  return options.count / seconds;
}

const directory = mkdtempSync(join(tmpdir(), 'stillpoint-bench-'));

interface Way { readonly name: string; readonly processes: number; readonly transport: 'ipc' | 'tcp'; readonly encrypt: boolean; readonly isEphemeral: boolean }

const PLACES = [
  { name: 'one process', processes: 1, transport: 'ipc', encrypt: false },
  { name: 'ipc', processes: 2, transport: 'ipc', encrypt: false },
  { name: 'ipc, encrypted', processes: 2, transport: 'ipc', encrypt: true },
  { name: 'tcp, encrypted', processes: 2, transport: 'tcp', encrypt: true },
] as const;
const WAYS: readonly Way[] = [true, false].flatMap((isEphemeral) => PLACES.map((place) => ({ ...place, name: `${place.name}, ${isEphemeral ? 'nothing kept' : 'recorded'}`, isEphemeral })));

interface Load { readonly count: number; readonly size: number; readonly messages: boolean }

/** Blocks a second between two guests: counted over the life of the receiver, less the life of one that gets a single block. */
function measureGuests(way: Way, load: Load): number {
  return (load.count - 1) / ((lifeOfReceiver(way, load) - lifeOfReceiver(way, { ...load, count: 1 })) / 1000);
}

function lifeOfReceiver(way: Way, { count, size, messages }: Load): number {
  const group = (name: string, words: readonly string[]): string => `  ${name}: { program: ${join(directory, `channel-${name}.elf`)}, arguments: [${words.map((word) => `"${word}"`).join(', ')}], memory: 16M }\n`;
  const file = join(directory, 'channel.yaml');
  writeFileSync(file, `version: 1\nprocesses: ${way.processes}\ntransport: ${way.transport}\nencrypt: ${way.encrypt}\ngroups:\n${group('send', [String(count), String(size)])}${group('receive', [String(messages ? size : 65_536)])}channels:\n  - { from: send, to: receive, messages: ${messages} }\n`);
  return Math.max(...runCluster(file, way.isEphemeral ? ['--ephemeral'] : []).nodes.map(({ host }) => host.milliseconds));
}

function runCluster(file: string, options: readonly string[] = []): { readonly milliseconds: number; readonly nodes: readonly { readonly host: { readonly milliseconds: number } }[] } {
  const store = join(directory, 'store');
  rmSync(store, { recursive: true, force: true });
  const { status, stderr } = spawnSync(process.execPath, [CLI, 'up', file, '--no-logs', '--no-progress', '--store', store, '--report', join(directory, 'report.json'), ...options], { encoding: 'utf8' });
  if (status !== 0) throw new Error(`up ended with ${status}: ${stderr}`);
  return JSON.parse(readFileSync(join(directory, 'report.json'), 'utf8'));
}

async function main(): Promise<void> {
  for (const name of ['channel-send', 'channel-receive']) execFileSync('riscv64-linux-gnu-gcc', ['-static', '-O2', join(ROOT, 'bench/guests', `${name}.c`), '-o', join(directory, `${name}.elf`)]);
  const blocks = Math.round((MEGABYTES * 1e6) / 65_536);
  console.log('| way | 64 KiB writes, MB/s | 64 B writes a second | 64 B messages a second |\n|---|---|---|---|');
  const row = (name: string, large: number, small: number | undefined, messages: number): void => console.log(`| ${name} | ${((large * 65_536) / 1e6).toFixed(0)} | ${small === undefined ? '–' : small.toFixed(0)} | ${messages.toFixed(0)} |`);
  const [ipc, tcp] = [`ipc://${join(directory, 'raw')}`, 'tcp://127.0.0.1:*'];
  const raw = [{ name: 'ipc', bind: ipc, isEncrypted: false }, { name: 'tcp', bind: tcp, isEncrypted: false }, { name: 'tcp, encrypted', bind: tcp, isEncrypted: true }];
  for (const { name, bind, isEncrypted } of raw.filter((each) => each.name.includes(ONLY) || ONLY.includes(each.name))) {
    for (const isCopied of [false, true]) {
      const large = await measureRaw(bind, 65_536, { count: blocks * 4, isEncrypted, isCopied });
      row(`zeromq alone, ${name}${isCopied ? ', copied at both ends' : ''}`, large, undefined, await measureRaw(bind, 64, { count: SMALL_COUNT, isEncrypted, isCopied }));
    }
  }
  for (const way of WAYS.filter(({ name }) => name.includes(ONLY))) {
    row(`two guests, ${way.name}`, measureGuests(way, { count: blocks * 4, size: 65_536, messages: false }), measureGuests(way, { count: SMALL_COUNT, size: 64, messages: false }), measureGuests(way, { count: SMALL_COUNT, size: 64, messages: true }));
  }
  if (ONLY !== '') return;
  writeFileSync(join(directory, 'start.yaml'), `version: 1\ngroups:\n  send: { program: ${join(directory, 'channel-send.elf')}, arguments: ["0", "0"], count: 20, memory: 16M }\nchannels:\n  - { from: send, to: send }\n`);
  for (const processes of [2, 20]) {
    const text = readFileSync(join(directory, 'start.yaml'), 'utf8');
    writeFileSync(join(directory, `start-${processes}.yaml`), `processes: ${processes}\n${text}`);
    console.log(`start and end of 20 nodes, all to all, in ${processes} processes: ${(runCluster(join(directory, `start-${processes}.yaml`)).milliseconds / 1000).toFixed(1)} s`);
  }
}

if (process.argv[2] === 'raw') {
  process.on('message', (request) => { void sendRaw(request as RawRequest); });
} else {
  try {
    await main();
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}
