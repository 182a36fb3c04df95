/**
 * Cost of a checkpoint against dirty pages, on the LMDB store, in place and beside the guest, next to a full dump of the same memory.
 * Run: npm run build && node --import ./scripts/typescript-loader.mjs bench/checkpoint.ts [MIB …]. STILLPOINT_BENCH_DIR chooses the disk (/dev/shm leaves it out).
 *   pause: what the guest waits for. all: until the checkpoint is durable. cpu: of the whole process. disk: growth of the used part of the database file.
 *   dump: write(2) of the whole memory into a fresh file and fsync.
 *   --history: a thousand checkpoints of a job that dirties 1 % between them, and what they take on disk.
 * Pages hold random words (nothing compresses), dirty pages are scattered evenly: the worst case for tree nodes. Medians.
 */
import { closeSync, fsyncSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { createNodeDigests } from '../src/core/live/digest.ts';
import { runId } from '../src/journal/index.ts';
import { BesideStore } from '../src/session/beside-store.ts';
import { openSnapshot, SnapshotWriter, type PageObject, type Root } from '../src/snapshot/index.ts';
import { openLmdbStore, type LmdbStore } from '../src/store/live/lmdb-store.ts';

const PAGE_BYTES = 4096;
const REPEATS = 5;
const WORKER = pathToFileURL(resolve(import.meta.dirname, '../dist/src/session/capture-worker.js'));

/** Linear memory with a dirty list, as the engine has it. */
class BenchMemory implements PageObject {
  readonly name = 'memory/1';
  readonly bytes: Uint8Array;
  readonly #words: Uint32Array;
  #dirty: number[] = [];
  #seed = 1;
  #place = 0;

  constructor(pageCount: number) {
    this.bytes = new Uint8Array(pageCount * PAGE_BYTES);
    this.#words = new Uint32Array(this.bytes.buffer);
  }

  get pageCount(): number {
    return this.bytes.length / PAGE_BYTES;
  }

  dirtyPages(): readonly number[] {
    return this.#dirty;
  }

  readPage(pageIndex: number): Uint8Array {
    return this.bytes.subarray(pageIndex * PAGE_BYTES, (pageIndex + 1) * PAGE_BYTES);
  }

  markClean(): void {
    this.#dirty = [];
  }

  /** Nothing is written while a checkpoint is under way. */
  watch(): () => void {
    return () => {};
  }

  /** Writes new random content to `count` pages spread over the memory. */
  scramble(count: number): void {
    const stride = Math.floor(this.pageCount / Math.max(1, count));
    for (let index = 0; index < count; index++) {
      const page = index * stride;
      for (let word = page * 1024; word < (page + 1) * 1024; word++) this.#words[word] = (this.#seed = (Math.imul(this.#seed, 1664525) + 1013904223) >>> 0);
      this.#dirty.push(page);
    }
  }

  /** Writes new random content to `count` pages in runs of `run`, at other places each time. */
  wander(count: number, run: number): void {
    for (let index = 0; index < count; index++) {
      if (index % run === 0) this.#place = (this.#place + 7919 * run) % this.pageCount;
      const page = (this.#place + (index % run)) % this.pageCount;
      for (let word = page * 1024; word < (page + 1) * 1024; word++) this.#words[word] = (this.#seed = (Math.imul(this.#seed, 1664525) + 1013904223) >>> 0);
      this.#dirty.push(page);
    }
    this.#dirty = [...new Set(this.#dirty)].sort((a, b) => a - b);
  }

  /** Marks pages dirty without changing them. */
  touch(count: number): void {
    for (let page = 0; page < count; page++) this.#dirty.push(page);
  }
}

const digests = await createNodeDigests();
const milliseconds = (start: bigint): number => Number(process.hrtime.bigint() - start) / 1e6;
const median = (values: readonly number[]): number => [...values].sort((a, b) => a - b)[values.length >> 1]!;

interface Sample { readonly pause: number; readonly all: number; readonly cpu: number; readonly disk: number }
/** Takes one checkpoint; durable when it resolves. */
type Checkpoint = (memory: BenchMemory, sections: ReadonlyMap<string, Uint8Array>) => Promise<{ readonly pause: number; readonly root: Root }>;

function usedBytes(store: LmdbStore): number {
  return Object.values(store.usage().tables).reduce((sum, { bytes }) => sum + bytes, 0);
}

function inPlace(store: LmdbStore): Checkpoint {
  const writer = new SnapshotWriter(store, digests);
  return async (memory, sections) => {
    const start = process.hrtime.bigint();
    const capture = writer.capture({ sections, objects: [memory] });
    await store.commit(capture.batch);
    capture.confirm();
    return { pause: milliseconds(start), root: capture.root };
  };
}

function besideGuest(beside: BesideStore): Checkpoint {
  const run = runId('0'.repeat(32));
  beside.prepare({ run, owner: { host: 'bench', pid: process.pid, started: '0', token: 't' } }, { snapshots: new SnapshotWriter(beside, digests), root: undefined });
  return async (memory, sections) => {
    const start = process.hrtime.bigint();
    const pending = await beside.begin({ sections, objects: [memory] });
    const pause = milliseconds(start);
    const sealed = await pending.sealed();
    await beside.commit({ puts: [], ...sealed.snapshot });
    sealed.confirm();
    return { pause, root: sealed.root };
  };
}

async function sample(store: LmdbStore, take: Checkpoint, memory: BenchMemory, sections: ReadonlyMap<string, Uint8Array>): Promise<Sample & { readonly root: Root }> {
  const before = usedBytes(store);
  const cpuStart = process.cpuUsage();
  const start = process.hrtime.bigint();
  const { pause, root } = await take(memory, sections);
  const all = milliseconds(start);
  const { user, system } = process.cpuUsage(cpuStart);
  return { pause, all, cpu: (user + system) / 1000, disk: usedBytes(store) - before, root };
}

/** A CRIU-like dump: all of the memory, every time. */
function dump(directory: string, memory: BenchMemory): number {
  const path = join(directory, 'dump');
  const start = process.hrtime.bigint();
  const file = openSync(path, 'w');
  for (let at = 0; at < memory.bytes.length; at += 8 << 20) writeSync(file, memory.bytes, at, Math.min(8 << 20, memory.bytes.length - at));
  fsyncSync(file);
  closeSync(file);
  const all = milliseconds(start);
  rmSync(path);
  return all;
}

function report(name: string, dirty: number, samples: readonly Sample[], full: number): void {
  const of = (pick: (sample: Sample) => number): number => median(samples.map(pick));
  const each = (value: number): string => (dirty === 0 ? '-' : (value / dirty * 1000).toFixed(2));
  const [pause, all, cpu, disk] = [of((one) => one.pause), of((one) => one.all), of((one) => one.cpu), of((one) => one.disk)];
  console.log(`| ${[name, dirty, pause.toFixed(2), each(pause), all.toFixed(1), each(all), each(cpu), dirty === 0 ? '-' : (disk / dirty / PAGE_BYTES).toFixed(2), (all / full).toFixed(2)].join(' | ')} |`);
}

async function measure(megabytes: number, how: 'in place' | 'beside'): Promise<void> {
  const directory = mkdtempSync(join(process.env['STILLPOINT_BENCH_DIR'] ?? tmpdir(), 'stillpoint-bench-'));
  const store = await openLmdbStore({ directory: join(directory, 'store'), mode: 'create' });
  const beside = new BesideStore(store, WORKER);
  try {
    const memory = new BenchMemory(megabytes * 256);
    const take = how === 'beside' ? besideGuest(beside) : inPlace(store);
    const sections = new Map([['threads', new Uint8Array(400).fill(1)], ['files', new Uint8Array(20_000).fill(2)]]);
    const repeats = megabytes > 256 ? 1 : REPEATS;
    memory.scramble(memory.pageCount);
    const full = median(Array.from({ length: megabytes > 256 ? 1 : 3 }, () => dump(directory, memory)));
    console.log(`| ${megabytes} MiB, full dump | ${memory.pageCount} | ${full.toFixed(0)} | ${(full / memory.pageCount * 1000).toFixed(2)} | ${full.toFixed(0)} | | | 1.00 | 1.00 |`);
    const name = `${megabytes} MiB, ${how}`;
    let last = await sample(store, take, memory, sections);
    report(`${name}, first`, memory.pageCount, [last], full);
    for (const dirty of [0, 10, 1000, 10_000, ...megabytes > 256 ? [] : [memory.pageCount]]) {
      if (dirty > memory.pageCount) continue;
      const samples: Sample[] = [];
      for (let repeat = 0; repeat < (dirty > 10_000 ? 1 : Math.max(repeats, 3)); repeat++) {
        memory.scramble(dirty);
        sections.get('threads')![0]!++;
        last = await sample(store, take, memory, sections);
        samples.push(last);
      }
      report(name, dirty, samples, full);
    }
    memory.touch(10_000);
    report(`${name}, unchanged`, 10_000, [await sample(store, take, memory, sections)], full);
    if (how === 'in place') restore(store, last.root);
  } finally {
    await beside.close();
    await store.close();
    rmSync(directory, { recursive: true, force: true });
  }
}

function restore(store: LmdbStore, root: Root): void {
  for (const verify of ['hash', 'guard'] as const) {
    const start = process.hrtime.bigint();
    let pages = 0;
    for (const object of openSnapshot(store, root, digests, { verify }).objects) for (const { bytes } of object.pages()) pages += bytes.length / PAGE_BYTES;
    console.log(`restore of ${pages} pages, verify ${verify}: ${milliseconds(start).toFixed(0)} ms`);
  }
}

async function history(run: number): Promise<void> {
  const directory = mkdtempSync(join(process.env['STILLPOINT_BENCH_DIR'] ?? tmpdir(), 'stillpoint-bench-'));
  const store = await openLmdbStore({ directory: join(directory, 'store'), mode: 'create' });
  try {
    const memory = new BenchMemory(64 * 256);
    const sections = new Map([['threads', new Uint8Array(400).fill(1)]]);
    const take = inPlace(store);
    memory.scramble(memory.pageCount);
    await sample(store, take, memory, sections);
    const before = usedBytes(store);
    const count = Math.round(memory.pageCount / 100);
    const samples: Sample[] = [];
    for (let checkpoint = 0; checkpoint < 1000; checkpoint++) {
      memory.wander(count, run);
      sections.get('threads')![0]!++;
      samples.push(await sample(store, take, memory, sections));
    }
    const grown = usedBytes(store) - before;
    console.log(`1000 checkpoints of 64 MiB, ${count} pages in runs of ${run}: ${(grown / 1e6).toFixed(0)} MB, ${(grown / (1000 * count * PAGE_BYTES)).toFixed(3)} of the changed bytes; median ${median(samples.map(({ all }) => all)).toFixed(1)} ms`);
  } finally {
    await store.close();
    rmSync(directory, { recursive: true, force: true });
  }
}

if (process.argv.includes('--history')) {
  for (const run of [1, 4, 16]) await history(run);
  process.exit(0);
}
console.log('| machine | dirty pages | pause ms | us/page | all ms | us/page | cpu us/page | disk, of page bytes | of a full dump |');
console.log('|---|---|---|---|---|---|---|---|---|');
const sizes = process.argv.slice(2).map(Number);
for (const megabytes of sizes.length > 0 ? sizes : [64, 256]) for (const how of ['in place', 'beside'] as const) await measure(megabytes, how);
