/**
 * From a closed store to the first instruction, and to the end of a small working set: every page read first, against pages read when they are needed.
 * Run: npm run build && node --import ./scripts/typescript-loader.mjs bench/restore.ts [MIB …]. STILLPOINT_BENCH_DIR chooses the disk.
 *   cpu: processor time of the process up to the first instruction. open: the store. first: open, machine built, one instruction retired. work: until the guest has gone through WORKING_MIB of its memory. read: pages looked up.
 *   cold: the first thing that a process does. resident: the store is open, the process has restored before, and prepared memory while it had nothing to do. Best and median of TURNS.
 * The guest fills its memory with random words, waits for a byte, and sums a part of it. The host's file cache is warm: what is measured is our work, not the disk.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ChannelSet, type ChannelSpec } from '../src/channel/index.ts';
import { seedFromNumber, type Digests } from '../src/core/index.ts';
import { createNodeDigests } from '../src/core/live/digest.ts';
import { GuestMemory, translating } from '../src/engine/index.ts';
import { enableWasmFeatures } from '../src/engine/live/v8-flags.ts';
import { riscv64 } from '../src/isa/index.ts';
import { Guest } from '../src/posix/index.ts';
import { openSnapshot, SnapshotWriter, type Root } from '../src/snapshot/index.ts';
import type { Store } from '../src/store/index.ts';
import { openLmdbStore } from '../src/store/live/lmdb-store.ts';

const WORKING_MIB = 50;
const TURNS = 7;
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

interface Figures { readonly cpu: number; readonly open: number; readonly first: number; readonly work: number; readonly firstRead: number; readonly read: number }

async function measure(directory: string, { root, saved }: { readonly root: Root; readonly saved: Uint8Array }, row: { readonly isLazy: boolean; readonly store?: Store }): Promise<Figures> {
  const digests = await createNodeDigests();
  const cpuStart = process.cpuUsage();
  const start = process.hrtime.bigint();
  const store = row.store ?? await openLmdbStore({ directory, mode: 'read-only' });
  const open = milliseconds(start);
  let read = 0;
  const counting: Pick<Store, 'get' | 'range'> = { range: (...asked) => store.range(...asked), get: (table, key) => { if (table === 'pages') read++; return store.get(table, key); } };
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
  const work = milliseconds(start);
  if (row.store === undefined) await store.close();
  return { cpu: (user + system) / 1000, open, first, work, firstRead, read };
}

/** One process: what it says on its standard output. */
async function child(directory: string, kind: string): Promise<void> {
  const { root, saved } = JSON.parse(readFileSync(join(directory, '..', 'filled.json'), 'utf8')) as { root: Root; saved: number[] };
  const filled = { root, saved: Uint8Array.from(saved) };
  if (kind !== 'resident') return void console.log(JSON.stringify([await measure(directory, filled, { isLazy: kind === 'cold' })]));
  const digests = await createNodeDigests();
  const store = await openLmdbStore({ directory, mode: 'read-only' });
  const all: Figures[] = [];
  const { spaceLimit } = Guest.restore(openSnapshot(store, root, digests), { isa, clock, entropy, channels: channelsOf(digests), isLazy: true }).kernel;
  for (let turn = 0; turn < TURNS + 3; turn++) {
    GuestMemory.prepare(spaceLimit);
    all.push(await measure(directory, filled, { isLazy: true, store }));
    await new Promise((resolve) => { setTimeout(resolve, 50); });
  }
  console.log(JSON.stringify(all.slice(3)));
  await store.close();
}

function row(directory: string, name: string, kind: string, turns: number): void {
  const node = [...process.execArgv, import.meta.filename, '--child', directory, kind];
  const all = Array.from({ length: turns }, () => JSON.parse(execFileSync(process.execPath, node, { encoding: 'utf8' })) as Figures[]).flat();
  const of = (pick: (figures: Figures) => number): string => {
    const values = all.map(pick).sort((a, b) => a - b);
    return `${values[0]!.toFixed(1)}, ${values[values.length >> 1]!.toFixed(1)}`;
  };
  console.log(`| ${name} | ${[of(({ cpu }) => cpu), of(({ open }) => open), of(({ first }) => first), of(({ work }) => work)].join(' | ')} | ${all[0]!.firstRead} | ${all[0]!.read} |`);
}

if (process.argv[2] === '--child') {
  await child(process.argv[3]!, process.argv[4]!);
  process.exit(0);
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
    writeFileSync(join(directory, '..', 'filled.json'), JSON.stringify({ ...filled, saved: [...filled.saved] }));
    row(directory, `${megabytes} MiB, all first`, 'all', 3);
    row(directory, `${megabytes} MiB, when needed, cold`, 'cold', TURNS);
    row(directory, `${megabytes} MiB, when needed, resident`, 'resident', 1);
  }
} finally {
  rmSync(base, { recursive: true, force: true });
}
