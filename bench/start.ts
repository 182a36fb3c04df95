/**
 * Starting Debian's programs from an image: cold, and as children of one warm checkpoint (run until it waits for input, saved, restored a hundred times
 * with other input each). In this process, without a store on a disk: the image's files are read where they lie, the checkpoint is in memory.
 * Run: npm run build && node --import ./scripts/typescript-loader.mjs bench/start.ts [ROOT]. ROOT is a directory with a riscv64 Debian (build/debian-root).
 *   cold: machine made, program run to its end. warm: machine restored, given a line, run to its end. child: the waiting machine itself, given a line, run to its
 *   end and undone (serve --children). memory: growth of this process for each of the guests that wait at once.
 * Medians of processor time. Does NOT start processes of the host: that is 50 ms more for node itself.
 */
import { createHash } from 'node:crypto';
import { readFileSync, realpathSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { ChannelSet, type ChannelSpec } from '../src/channel/index.ts';
import { seedFromNumber } from '../src/core/index.ts';
import { createNodeDigests } from '../src/core/live/digest.ts';
import { interpretingInWasm, translating } from '../src/engine/index.ts';
import { enableWasmFeatures } from '../src/engine/live/v8-flags.ts';
import { encodeCatalog, ImageCatalog, type ImageTree } from '../src/image/index.ts';
import { layerFromDirectory } from '../src/image/live/layer-from-directory.ts';
import { riscv64, type Isa } from '../src/isa/index.ts';
import { openMachine, type EngineName } from '../src/index.ts';
import { Guest } from '../src/posix/index.ts';
import { openSnapshot, SnapshotWriter } from '../src/snapshot/index.ts';
import { MemoryStore } from '../src/store/index.ts';

const REPEATS = 5;
const CHILDREN = 100;
const WAITING = 16;
const MEMORY_BYTES = 1024 * 1024 * 1024;
const root = resolve(process.argv[2] ?? 'build/debian-root');
const digests = await createNodeDigests();
const unlimited = { gets: null, getBytes: null, puts: null, putBytes: null };
const clock = { kind: 'zero' } as const;
const entropy = { kind: 'seed', seed: seedFromNumber(1n) } as const;

function imageOf(directory: string): ImageTree {
  const { bytes, files } = encodeCatalog(layerFromDirectory(directory));
  const read = (inode: number, offset: number, length: number): Uint8Array => {
    const content = files.get(inode)!.bytes;
    if (content.kind !== 'source') throw new Error('a directory gives its files as sources');
    return content.read(offset, length);
  };
  return new ImageCatalog(bytes, { digest: createHash('sha256').update(bytes).digest('hex'), read: () => read });
}

function standardChannels(): ChannelSet {
  const stream = (name: string, reads: boolean): ChannelSpec => ({ name, path: `/dev/${name}`, access: 'sequential', reads, writes: !reads, live: false, seenAs: 'pipe', initialSize: 0, limits: unlimited });
  return new ChannelSet([stream('stdin', true), stream('stdout', false), stream('stderr', false)], digests);
}

/** Runs to the end, or until it waits for input that is not there. */
function run(guest: Guest, channels: ChannelSet, line?: string): { readonly hasEnded: boolean; readonly output: string } {
  const input = line === undefined ? undefined : new TextEncoder().encode(line);
  let output = '';
  for (;;) {
    const stop = guest.run(1_000_000_000);
    for (const operation of channels.takeOutput()) if (operation.kind === 'write') output += Buffer.from(operation.bytes).toString('latin1');
    if (stop.kind === 'ended') return { hasEnded: true, output };
    if (stop.kind !== 'blocked' || input === undefined) return { hasEnded: false, output };
    for (const channel of stop.channels) {
      const { wanted } = channel;
      if (wanted === undefined) continue;
      const bytes = input.subarray(wanted.offset, wanted.offset + wanted.length);
      if (bytes.length === 0) channel.supplyEnd(wanted.offset);
      else channel.supply(wanted.offset, bytes.slice());
    }
  }
}

function boot(isa: Isa, image: ImageTree, words: readonly string[]): { readonly guest: Guest; readonly channels: ChannelSet } {
  const path = `/usr/bin/${words[0]}`;
  const channels = standardChannels();
  const guest = Guest.boot({
    isa, program: readFileSync(join(root, realpathSync(join(root, path)).slice(root.length))), argv: words, environment: ['PATH=/usr/bin:/bin', 'LC_ALL=C.UTF-8', 'PYTHONDONTWRITEBYTECODE=1'], workingDirectory: '/home/guest', memoryBytes: MEMORY_BYTES,
    clock, entropy, channels, programPath: path, image, isInImage: true,
  });
  return { guest, channels };
}

const median = (values: readonly number[]): number => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)]!;
/** Processor time, milliseconds: what a busy machine measures too. */
const timed = (work: () => void): number => {
  const start = process.cpuUsage();
  work();
  const { user, system } = process.cpuUsage(start);
  return (user + system) / 1000;
};

async function measure(name: string, isa: Isa, image: ImageTree, job: { readonly cold: readonly string[]; readonly warm: readonly string[]; readonly line: (child: number) => string; readonly answer: (child: number) => string }): Promise<void> {
  const cold = median(Array.from({ length: REPEATS }, () => timed(() => {
    const { guest, channels } = boot(isa, image, job.cold);
    if (!run(guest, channels).hasEnded) throw new Error('the cold program waits for something');
  })));
  const store = new MemoryStore();
  const ready = boot(isa, image, job.warm);
  if (run(ready.guest, ready.channels).hasEnded) throw new Error('the warm program does not wait');
  const capture = new SnapshotWriter(store, digests).capture(ready.guest.state());
  await store.commit({ puts: capture.batch.puts });
  capture.confirm();
  const restore = (): { readonly guest: Guest; readonly channels: ChannelSet } => {
    const channels = standardChannels();
    return { guest: Guest.restore(openSnapshot(store, capture.root, digests), { isa, channels, clock, entropy, image }), channels };
  };
  const warm = median(Array.from({ length: CHILDREN }, (_, child) => timed(() => {
    const { guest, channels } = restore();
    const { hasEnded, output } = run(guest, channels, job.line(child));
    if (!hasEnded || output !== job.answer(child)) throw new Error(`child ${child} answered ${output}`);
  })));
  const child = await children(name.split(', ')[1]!, job);
  const before = process.memoryUsage.rss();
  const waiting = Array.from({ length: WAITING }, restore);
  for (const { guest, channels } of waiting) run(guest, channels);
  const each = (process.memoryUsage.rss() - before) / WAITING;
  console.log(`${name.padEnd(24)} ${cold.toFixed(0).padStart(8)} ms ${warm.toFixed(1).padStart(8)} ms ${(cold / warm).toFixed(1).padStart(6)} x ${child.toFixed(1).padStart(8)} ms ${(cold / child).toFixed(0).padStart(5)} x ${(each / 2 ** 20).toFixed(1).padStart(7)} MiB`);
}

/** Median of children of one resident machine. */
async function children(engine: string, job: { readonly warm: readonly string[]; readonly line: (child: number) => string; readonly answer: (child: number) => string }): Promise<number> {
  const [program = '', ...words] = job.warm;
  const machine = await openMachine({ program, arguments: words, image: [root], environment: ['LC_ALL=C.UTF-8', 'PYTHONDONTWRITEBYTECODE=1'], engine: engine as EngineName }); // One of the two below.
  await machine.transact(async (transaction) => { await transaction.run(); });
  const times: number[] = [];
  for (let child = 0; child < CHILDREN; child++) {
    const start = process.cpuUsage();
    const transaction = machine.begin();
    transaction.send('stdin', job.line(child));
    transaction.end('stdin');
    await transaction.run();
    if (transaction.readText('stdout') !== job.answer(child)) throw new Error(`child ${child} answered something else`);
    await transaction.abort();
    const { user, system } = process.cpuUsage(start);
    times.push((user + system) / 1000);
  }
  await machine.close();
  return median(times);
}

enableWasmFeatures();
const image = imageOf(root);
console.log(`${'program, engine'.padEnd(24)} ${'cold'.padStart(11)} ${'warm'.padStart(11)} ${'cold/warm'.padStart(8)} ${'child'.padStart(10)} ${'cold/child'.padStart(8)} ${'memory'.padStart(11)}`);
for (const [engine, isa] of [['wasm', interpretingInWasm(riscv64)], ['translate', translating(riscv64)]] as const) {
  await measure(`bash, ${engine}`, isa, image, { cold: ['bash', '-c', 'true'], warm: ['bash', '-c', 'read line; eval "$line"'], line: (child) => `echo $((${child} * 2))\n`, answer: (child) => `${child * 2}\n` });
  await measure(`python3, ${engine}`, isa, image, { cold: ['python3', '-c', 'pass'], warm: ['python3', '-c', 'import sys; exec(sys.stdin.readline())'], line: (child) => `print(${child} * 2)\n`, answer: (child) => `${child * 2}\n` });
}
