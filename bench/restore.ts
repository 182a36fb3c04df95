/**
 * From a closed store to the first instruction, and to the end of a small working set: every page read first, against pages read when they are needed.
 * Run: npm run build && node --import ./scripts/typescript-loader.mjs bench/restore.ts [MIB …]. STILLPOINT_BENCH_DIR chooses the disk.
 *   cpu: processor time of the process up to the first instruction. open: the store. first: open, machine built, one instruction retired. work: until the guest has gone through WORKING_MIB of its memory. read: pages looked up.
 * The guest fills its memory with random words, waits for a byte, and sums a part of it. The host's file cache is warm: what is measured is our work, not the disk.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ChannelSet, type ChannelSpec } from '../src/channel/index.ts';
import { seedFromNumber, type Digests } from '../src/core/index.ts';
import { createNodeDigests } from '../src/core/live/digest.ts';
import { translating } from '../src/engine/index.ts';
import { enableWasmFeatures } from '../src/engine/live/v8-flags.ts';
import { riscv64 } from '../src/isa/index.ts';
import { Guest } from '../src/posix/index.ts';
import { openSnapshot, SnapshotWriter, type Root } from '../src/snapshot/index.ts';
import type { Store } from '../src/store/index.ts';
import { openLmdbStore } from '../src/store/live/lmdb-store.ts';

const WORKING_MIB = 50;
const PROGRAM = `#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>
int main(int argc, char **argv) {
  uint64_t words = strtoull(argv[1], 0, 10) << 17, work = strtoull(argv[2], 0, 10) << 17, x = 88172645463325252ull, sum = 0;
  uint64_t *p = mmap(0, words * 8, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  for (uint64_t i = 0; i < words; i++) { x ^= x << 13; x ^= x >> 7; x ^= x << 17; p[i] = x; }
  puts("ready"); fflush(stdout);
  char c;
  read(0, &c, 1);
  for (uint64_t i = 0; i < work; i++) sum += p[i];
  printf("%llx\\n", (unsigned long long)sum);
  return 0;
}
`;

enableWasmFeatures();
const isa = translating(riscv64);
const clock = { kind: 'zero' } as const;
const entropy = { kind: 'seed', seed: seedFromNumber(1n) } as const;
const unlimited = { gets: null, getBytes: null, puts: null, putBytes: null };
const milliseconds = (start: bigint): number => Number(process.hrtime.bigint() - start) / 1e6;

function channelsOf(digests: Digests): ChannelSet {
  const spec = (name: string, reads: boolean): ChannelSpec => ({ name, path: `/dev/${name}`, access: 'sequential', reads, writes: !reads, live: false, seenAs: 'pipe', initialSize: 0, limits: unlimited });
  return new ChannelSet([spec('stdin', true), spec('stdout', false), spec('stderr', false)], digests);
}

/** Runs until it is blocked on input or has ended. */
function runOn(guest: Guest): string {
  for (;;) {
    const stop = guest.run(1_000_000_000);
    if (stop.kind === 'ended' || (stop.kind === 'blocked' && stop.channels.length > 0)) return stop.kind;
  }
}

async function fill(directory: string, program: Uint8Array, megabytes: number): Promise<{ readonly root: Root; readonly saved: Uint8Array }> {
  const digests = await createNodeDigests();
  const store = await openLmdbStore({ directory, mode: 'create' });
  const channels = channelsOf(digests);
  const guest = Guest.boot({
    isa, clock, entropy, channels, program, argv: ['spread', String(megabytes), String(Math.min(WORKING_MIB, megabytes))], environment: [], workingDirectory: '/', programPath: '/bin/spread', memoryBytes: (megabytes + 64) << 20,
  });
  runOn(guest);
  const capture = new SnapshotWriter(store, digests).capture(guest.state());
  for (let at = 0; at < capture.batch.puts.length; at += 500) await store.commit({ puts: capture.batch.puts.slice(at, at + 500) });
  await store.close();
  return { root: capture.root, saved: channels.saveDigests() };
}

async function measure(directory: string, { root, saved }: { readonly root: Root; readonly saved: Uint8Array }, row: { readonly name: string; readonly isLazy: boolean }): Promise<void> {
  const digests = await createNodeDigests();
  const cpuStart = process.cpuUsage();
  const start = process.hrtime.bigint();
  const store = await openLmdbStore({ directory, mode: 'read-only' });
  const open = milliseconds(start);
  let read = 0;
  const counting: Pick<Store, 'get'> = { get: (table, key) => { if (table === 'pages') read++; return store.get(table, key); } };
  const channels = channelsOf(digests);
  const guest = Guest.restore(openSnapshot(counting, root, digests), { isa, clock, entropy, channels, isLazy: row.isLazy });
  channels.restoreDigests(saved);
  for (const stop = guest.run(1); stop.kind === 'blocked';) {
    for (const channel of stop.channels) channel.supply(channel.wanted!.offset, Uint8Array.of(1));
    guest.run(1);
    break;
  }
  const first = milliseconds(start);
  const { user, system } = process.cpuUsage(cpuStart);
  const firstRead = read;
  runOn(guest);
  console.log(`| ${row.name} | ${[(user + system) / 1000, open, first, milliseconds(start)].map((value) => value.toFixed(1)).join(' | ')} | ${firstRead} | ${read} |`);
  await store.close();
}

const base = mkdtempSync(join(process.env['STILLPOINT_BENCH_DIR'] ?? tmpdir(), 'stillpoint-bench-'));
try {
  writeFileSync(join(base, 'spread.c'), PROGRAM);
  execFileSync('riscv64-linux-gnu-gcc', ['-static', '-O2', '-o', join(base, 'spread'), join(base, 'spread.c')]);
  console.log('| machine | cpu ms | open ms | first ms | work ms | pages read before the first instruction | in all |\n|---|---|---|---|---|---|---|');
  const sizes = process.argv.slice(2).map(Number);
  for (const megabytes of sizes.length > 0 ? sizes : [64, 256]) {
    const directory = join(base, `store-${megabytes}`);
    const filled = await fill(directory, readFileSync(join(base, 'spread')), megabytes);
    for (let turn = 0; turn < 2; turn++) for (const isLazy of [false, true]) await measure(directory, filled, { name: `${megabytes} MiB, ${isLazy ? 'when needed' : 'all first'}, turn ${turn + 1}`, isLazy });
  }
} finally {
  rmSync(base, { recursive: true, force: true });
}
