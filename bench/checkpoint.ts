/**
 * Cost of a checkpoint against dirty pages, on the LMDB store.
 * Run: node --import ./scripts/typescript-loader.mjs bench/checkpoint.ts [MIB …]. STILLPOINT_BENCH_DIR chooses the disk (/dev/shm leaves it out).
 *   pause: capture() on the calling thread; commit: one durable LMDB transaction; disk: growth of the used part of the database file.
 * Pages hold random words (nothing compresses), dirty pages are scattered evenly: the worst case for tree nodes.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createNodeDigests } from '../src/core/live/digest.ts';
import { openSnapshot, SnapshotWriter, type PageObject } from '../src/snapshot/index.ts';
import { openLmdbStore, type LmdbStore } from '../src/store/live/lmdb-store.ts';

const PAGE_BYTES = 4096;
const REPEATS = 5;

/** Linear memory with a dirty list, as the engine has it. */
class BenchMemory implements PageObject {
  readonly name = 'memory/1';
  readonly bytes: Uint8Array;
  readonly #words: Uint32Array;
  #dirty: number[] = [];
  #seed = 1;

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

  /** Writes new random content to `count` pages spread over the memory. */
  scramble(count: number): void {
    const stride = Math.floor(this.pageCount / Math.max(1, count));
    for (let index = 0; index < count; index++) {
      const page = index * stride;
      for (let word = page * 1024; word < (page + 1) * 1024; word++) this.#words[word] = (this.#seed = (Math.imul(this.#seed, 1664525) + 1013904223) >>> 0);
      this.#dirty.push(page);
    }
  }

  /** Marks pages dirty without changing them. */
  touch(count: number): void {
    for (let page = 0; page < count; page++) this.#dirty.push(page);
  }
}

const digests = await createNodeDigests();
const milliseconds = (start: bigint): number => Number(process.hrtime.bigint() - start) / 1e6;
const median = (values: readonly number[]): number => [...values].sort((a, b) => a - b)[values.length >> 1]!;

interface Sample { readonly pause: number; readonly commit: number; readonly cpu: number; readonly disk: number; readonly bytes: number; readonly nodes: number }

function usedBytes(store: LmdbStore): number {
  return Object.values(store.usage().tables).reduce((sum, { bytes }) => sum + bytes, 0);
}

async function checkpoint(store: LmdbStore, writer: SnapshotWriter, memory: BenchMemory, sections: ReadonlyMap<string, Uint8Array>): Promise<Sample & { readonly root: ReturnType<SnapshotWriter['capture']>['root'] }> {
  const before = usedBytes(store);
  const cpuStart = process.cpuUsage();
  let start = process.hrtime.bigint();
  const capture = writer.capture({ sections, objects: [memory] });
  const pause = milliseconds(start);
  start = process.hrtime.bigint();
  await store.commit(capture.batch);
  const commit = milliseconds(start);
  const { user, system } = process.cpuUsage(cpuStart);
  capture.confirm();
  return { pause, commit, cpu: (user + system) / 1000, disk: usedBytes(store) - before, bytes: capture.stats.bytes, nodes: capture.stats.nodes, root: capture.root };
}

function report(name: string, dirty: number, samples: readonly Sample[]): void {
  const pause = median(samples.map((sample) => sample.pause));
  const commit = median(samples.map((sample) => sample.commit));
  const cpu = median(samples.map((sample) => sample.cpu));
  const disk = median(samples.map((sample) => sample.disk));
  const each = (value: number): string => (dirty === 0 ? '-' : (value / dirty * 1000).toFixed(2));
  const cells = [name, dirty, pause.toFixed(2), each(pause), commit.toFixed(2), each(commit), each(pause + commit), each(cpu), (disk / 1024).toFixed(0), dirty === 0 ? '-' : (disk / dirty / PAGE_BYTES).toFixed(2), median(samples.map((sample) => sample.nodes))];
  console.log(`| ${cells.join(' | ')} |`);
}

async function measure(megabytes: number): Promise<void> {
  const directory = mkdtempSync(join(process.env['STILLPOINT_BENCH_DIR'] ?? tmpdir(), 'stillpoint-bench-'));
  const store = await openLmdbStore({ directory: join(directory, 'store'), mode: 'create' });
  try {
    const memory = new BenchMemory(megabytes * 256);
    const writer = new SnapshotWriter(store, digests);
    const sections = new Map([['threads', new Uint8Array(400).fill(1)], ['files', new Uint8Array(20_000).fill(2)]]);
    memory.scramble(memory.pageCount);
    report(`${megabytes} MiB first`, memory.pageCount, [await checkpoint(store, writer, memory, sections)]);
    let last = '' as Awaited<ReturnType<typeof checkpoint>>['root'];
    for (const dirty of [0, 1, 10, 1000, 10_000, memory.pageCount]) {
      if (dirty > memory.pageCount) continue;
      const samples: Sample[] = [];
      for (let repeat = 0; repeat < (dirty > 10_000 ? 1 : REPEATS); repeat++) {
        memory.scramble(dirty);
        sections.get('threads')![0]!++;
        const sample = await checkpoint(store, writer, memory, sections);
        last = sample.root;
        samples.push(sample);
      }
      report(`${megabytes} MiB`, dirty, samples);
    }
    memory.touch(10_000);
    report(`${megabytes} MiB, unchanged`, 10_000, [await checkpoint(store, writer, memory, sections)]);
    for (const verify of ['hash', 'guard'] as const) {
      const start = process.hrtime.bigint();
      let pages = 0;
      for (const object of openSnapshot(store, last, digests, { verify }).objects) for (const { bytes } of object.pages()) pages += bytes.length / PAGE_BYTES;
      console.log(`restore of ${pages} pages, verify ${verify}: ${milliseconds(start).toFixed(0)} ms`);
    }
  } finally {
    await store.close();
    rmSync(directory, { recursive: true, force: true });
  }
}

console.log('| machine | dirty pages | pause ms | us/page | commit ms | us/page | all us/page | cpu us/page | disk KiB | of page bytes | nodes |');
console.log('|---|---|---|---|---|---|---|---|---|---|---|');
const sizes = process.argv.slice(2).map(Number);
for (const megabytes of sizes.length > 0 ? sizes : [64, 256]) await measure(megabytes);
