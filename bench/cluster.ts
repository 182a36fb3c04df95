/**
 * What channels between machines cost: two guests over every way there is, with and without a journal, against the zeromq package alone between two processes
 * in the same run, and the start of a cluster of twenty nodes. Run with `node --import ./scripts/typescript-loader.mjs bench/cluster.ts`. Needs the built command and the cross
 * compiler. Both sides of a way are measured in turn, `BENCH_ROUNDS` times, and medians are printed, so that a busy machine is as busy for one as for the other.
 * `BENCH_ONLY=TEXT`: only ways whose names have it, and the start of no cluster. `BENCH_LARGE=1`: only writes of 64 KiB. `BENCH_STORE=DIRECTORY`: where what is recorded goes.
 * `raw` as the first argument is the other process of the raw measurement.
 */
import { execFileSync, fork, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { curveKeyPair, Pull, Push } from 'zeromq';

const ROOT = resolve(import.meta.dirname, '..');
const CLI = join(ROOT, 'dist/bin/stillpoint.js');
const MEGABYTES = Number(process.env['BENCH_MEGABYTES'] ?? 128);
const SMALL_COUNT = 300_000;
const ROUNDS = Number(process.env['BENCH_ROUNDS'] ?? 3);
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

const isRaw = process.argv[2] === 'raw';
const directory = isRaw ? '' : mkdtempSync(join(tmpdir(), 'stillpoint-bench-'));
const store = isRaw ? '' : join(mkdtempSync(join(process.env['BENCH_STORE'] ?? directory, 'stillpoint-store-')), 'store');

interface Place { readonly name: string; readonly processes: number; readonly transport: 'ipc' | 'tcp'; readonly encrypt: boolean; readonly raw: { readonly bind: string; readonly isEncrypted: boolean } | undefined }
type Way = Place & { readonly isEphemeral: boolean };

const IPC = `ipc://${join(directory, 'raw')}`;
const TCP = 'tcp://127.0.0.1:*';
const PLACES: readonly Place[] = [
  { name: 'one process', processes: 1, transport: 'ipc', encrypt: false, raw: undefined },
  { name: 'ipc', processes: 2, transport: 'ipc', encrypt: false, raw: { bind: IPC, isEncrypted: false } },
  { name: 'ipc, encrypted', processes: 2, transport: 'ipc', encrypt: true, raw: { bind: IPC, isEncrypted: true } },
  { name: 'tcp, encrypted', processes: 2, transport: 'tcp', encrypt: true, raw: { bind: TCP, isEncrypted: true } },
];

interface Load { readonly count: number; readonly size: number; readonly messages: boolean }

/**
 * Blocks a second between two guests: of the second half of twice as many, that is the life of the receiver less that of one which gets the first half. During that, V8
 * compiles what is called for every block (half a second of processor for each process), once in a life, on the processors that are measured.
 */
function measureGuests(way: Way, load: Load): number {
  return load.count / ((lifeOfReceiver(way, { ...load, count: 2 * load.count }) - lifeOfReceiver(way, load)) / 1000);
}

function lifeOfReceiver(way: Way, { count, size, messages }: Load): number {
  const group = (name: string, words: readonly string[]): string => `  ${name}: { program: ${join(directory, `channel-${name}.elf`)}, arguments: [${words.map((word) => `"${word}"`).join(', ')}], memory: 16M }\n`;
  const file = join(directory, 'channel.yaml');
  writeFileSync(file, `version: 1\nprocesses: ${way.processes}\ntransport: ${way.transport}\nencrypt: ${way.encrypt}\ngroups:\n${group('send', [String(count), String(size)])}${group('receive', [String(messages ? size : 65_536)])}channels:\n  - { from: send, to: receive, messages: ${messages} }\n`);
  return Math.max(...runCluster(file, way.isEphemeral ? ['--ephemeral'] : []).nodes.map(({ host }) => host.milliseconds));
}

function runCluster(file: string, options: readonly string[] = []): { readonly milliseconds: number; readonly nodes: readonly { readonly host: { readonly milliseconds: number } }[] } {
  rmSync(store, { recursive: true, force: true });
  const { status, stderr } = spawnSync(process.execPath, [CLI, 'up', file, '--no-logs', '--no-progress', '--store', store, '--report', join(directory, 'report.json'), ...options], { encoding: 'utf8' });
  if (status !== 0) throw new Error(`up ended with ${status}: ${stderr}`);
  return JSON.parse(readFileSync(join(directory, 'report.json'), 'utf8'));
}

/** One of what is measured in turn: how many of a load a second, or undefined where a load means nothing to it. */
interface Subject { readonly name: string; readonly rate: (load: 'large' | 'small' | 'messages') => Promise<number | undefined> }

const BLOCKS = Math.round((MEGABYTES * 1e6) / 65_536) * 4;
const LOADS = { large: { count: BLOCKS, size: 65_536, messages: false }, small: { count: SMALL_COUNT, size: 64, messages: false }, messages: { count: SMALL_COUNT, size: 64, messages: true } } as const;

function subjectsAt(place: Place): readonly Subject[] {
  const { raw } = place;
  const alone = raw === undefined ? [] : [false, true].map((isCopied): Subject => ({
    name: `zeromq alone, ${place.name}${isCopied ? ', copied at both ends' : ''}`,
    rate: async (load) => (load === 'small' ? undefined : measureRaw(raw.bind, LOADS[load].size, { count: LOADS[load].count, isEncrypted: raw.isEncrypted, isCopied })),
  }));
  const guests = [true, false].map((isEphemeral): Subject => ({
    name: `two guests, ${place.name}, ${isEphemeral ? 'nothing kept' : 'recorded'}`,
    rate: async (load) => measureGuests({ ...place, isEphemeral }, LOADS[load]),
  }));
  return [...alone, ...guests.filter(({ name }) => name.includes(ONLY))];
}

/** Lines of the table for one place: medians, and how large writes compare with the package alone, without and with copies. */
async function measurePlace(place: Place): Promise<void> {
  const subjects = subjectsAt(place);
  const loads = process.env['BENCH_LARGE'] === undefined ? (['large', 'small', 'messages'] as const) : (['large'] as const);
  const rates = subjects.map(() => ({ large: [] as number[], small: [] as number[], messages: [] as number[] }));
  for (let round = 0; round < ROUNDS; round++) {
    for (const load of loads) {
      for (const [index, { rate }] of subjects.entries()) {
        const value = await rate(load);
        if (value !== undefined) rates[index]![load].push(value);
      }
    }
  }
  const text = (values: readonly number[], factor = 1): string => (values.length === 0 ? '–' : (median(values) * factor).toFixed(0));
  for (const [index, { name }] of subjects.entries()) {
    const { large, small, messages } = rates[index]!;
    const share = (of: number): string => (name.startsWith('two') && place.raw !== undefined ? `${((100 * median(large)) / median(rates[of]!.large)).toFixed(0)} %` : '');
    console.log(`| ${name} | ${text(large, 65_536 / 1e6)} | ${share(0)} | ${share(1)} | ${text(small)} | ${text(messages)} |`);
  }
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)]!;
}

async function main(): Promise<void> {
  for (const name of ['channel-send', 'channel-receive']) execFileSync('riscv64-linux-gnu-gcc', ['-static', '-O2', join(ROOT, 'bench/guests', `${name}.c`), '-o', join(directory, `${name}.elf`)]);
  console.log('| way | 64 KiB writes, MB/s | of raw | of raw, copied | 64 B writes a second | 64 B messages a second |\n|---|---|---|---|---|---|');
  for (const place of PLACES.filter(({ name }) => ['nothing kept', 'recorded'].some((end) => `${name}, ${end}`.includes(ONLY)))) await measurePlace(place);
  if (ONLY !== '') return;
  writeFileSync(join(directory, 'start.yaml'), `version: 1\ngroups:\n  send: { program: ${join(directory, 'channel-send.elf')}, arguments: ["0", "0"], count: 20, memory: 16M }\nchannels:\n  - { from: send, to: send }\n`);
  for (const processes of [2, 20]) {
    const text = readFileSync(join(directory, 'start.yaml'), 'utf8');
    writeFileSync(join(directory, `start-${processes}.yaml`), `processes: ${processes}\n${text}`);
    console.log(`start and end of 20 nodes, all to all, in ${processes} processes: ${(runCluster(join(directory, `start-${processes}.yaml`)).milliseconds / 1000).toFixed(1)} s`);
  }
}

if (isRaw) {
  process.on('message', (request) => { void sendRaw(request as RawRequest); });
} else {
  try {
    await main();
  } finally {
    rmSync(directory, { recursive: true, force: true });
    rmSync(dirname(store), { recursive: true, force: true });
  }
}
