/**
 * A store in rough hands, with real processes: collections that are killed beside a machine that takes checkpoints all the time and is killed itself; imports onto a full disk;
 * a repair of damaged database pages from another copy. The judges are the same C program run natively, and bytes of files.
 * STILLPOINT_SLOW=1 kills two hundred times; STILLPOINT_SEED=N repeats moments and places.
 */
import { execFileSync } from 'node:child_process';
import { closeSync, cpSync, openSync, readFileSync, rmSync, statfsSync, statSync, symlinkSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { Bench, complaint } from '../cli/command.ts';
import { generator } from '../txn/support.ts';

const isSlow = process.env['STILLPOINT_SLOW'] === '1';
const SEED = Number(process.env['STILLPOINT_SEED'] ?? 4);
const KILLS = isSlow ? 200 : 3;
/** Writes all over its memory, and a line to its second argument now and then. */
const SOURCE = `#include <stdio.h>
#include <stdlib.h>
static signed char b[1 << 20];
int main(int argc, char **argv) {
  int rounds = atoi(argv[1]);
  FILE *out = fopen(argv[2], "w");
  unsigned long s = 7;
  for (int i = 0; i < rounds; i++) {
    for (int k = 0; k < 2000; k++) { s = s * 6364136223846793005ul + 1; b[s >> 44] = (signed char)(s >> 33); }
    if (i % 100 == 0) { unsigned long sum = 0; for (int k = 0; k < 1 << 20; k += 61) sum = sum * 31 + b[k]; fprintf(out, "%d %lu\\n", i, sum); fflush(out); }
  }
  return 0;
}
`;

const bench = new Bench();
const random = generator(SEED);
let program = '';
const sound = (store = bench.store): void => {
  const seen = bench.stillpoint(['fsck', '--store', store]);
  expect([seen.status, seen.stderr], seen.stdout).toEqual([0, '']);
};
const pause = (milliseconds: number): Promise<void> => new Promise((done) => { setTimeout(done, milliseconds); });

beforeAll(() => { program = bench.compile('busy.elf', SOURCE); });
afterAll(() => rmSync(bench.directory, { recursive: true, force: true }));

function expected(rounds: number): string {
  writeFileSync(bench.path('busy.c'), SOURCE);
  execFileSync('gcc', ['-O1', '-o', bench.path('native'), bench.path('busy.c')]);
  execFileSync(bench.path('native'), [String(rounds), bench.path('native.out')]);
  return readFileSync(bench.path('native.out'), 'utf8');
}

it(`${KILLS} collections are killed beside a machine that is recorded, and killed itself: nothing that is needed goes (STILLPOINT_SEED=${SEED})`, async () => {
  const rounds = isSlow ? 4_000_000 : 80_000;
  const start = (): ReturnType<Bench['start']> => bench.start(['resume', 'busy', '--checkpoint-every', '30ms', '--no-progress']);
  let machine = bench.start(['run', '--name', 'busy', '--checkpoint-every', '30ms', '--out', `log=${bench.path('log')}`, '--no-progress', '--', program, String(rounds), '/dev/out/log']);
  await bench.until(() => bench.hasStore() && bench.stillpoint(['show', 'busy', '--json']).stdout !== '');
  let isOver = false;
  let kills = 0;
  for (; kills < KILLS && !isOver; kills++) {
    const collection = bench.start(['gc', '--keep-last', '2', '--no-progress']);
    await pause(150 + random() * 500);
    collection.kill('SIGKILL');
    await collection.ended;
    if (kills % 4 === 1) {
      machine.kill('SIGKILL');
      const { status } = await machine.ended;
      sound();
      isOver = status === 0; // It was faster.
      if (!isOver) machine = start();
    }
    void machine.ended.then(({ status }) => { isOver ||= status === 0; });
  }
  expect(kills).toBeGreaterThan(0);
  const seen = await machine.ended;
  if (complaint(seen) !== 'E_RUN_FINISHED') expect([seen.status, seen.stderr]).toEqual([0, '']); // Else it was killed when all had been done.
  expect(readFileSync(bench.path('log'), 'utf8')).toBe(expected(rounds));
  sound();
  expect(bench.stillpoint(['gc', '--keep-last', '1']).status).toBe(0);
  sound();
  const stats = JSON.parse(bench.stillpoint(['stats', '--json']).stdout) as { pages: { stored: number; needed: number } };
  expect(stats.pages.stored, 'nothing of the killed collections is left').toBe(stats.pages.needed);
  expect(bench.stillpoint(['replay', 'busy']).stdout).toContain('identical');
}, isSlow ? 3_600_000 : 600_000);

it('an import that finds the disk full leaves the store as it was, and works when there is room', () => {
  const small = bench.makeDirectory('small');
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=64m', 'tmpfs', small]);
  try {
    const run = bench.stillpoint(['run', '--store', `${small}/store`, '--name', 'first', '--out', `log=${bench.path('small.log')}`, '--', program, '1', '/dev/out/log']);
    expect([run.status, run.stderr]).toEqual([0, '']);
    expect(bench.stillpoint(['export', 'busy', 'busy.stillpoint']).status).toBe(0);
    const before = bench.stillpoint(['stats', '--json', '--store', `${small}/store`]).stdout;
    const { blocks, bfree, bsize } = statfsSync(small);
    execFileSync('mount', ['-o', `remount,size=${(blocks - bfree) * bsize + 400_000}`, small]);
    const seen = bench.stillpoint(['import', 'busy.stillpoint', '--store', `${small}/store`]);
    expect([complaint(seen), seen.status, seen.stdout]).toEqual(['E_DISK_FULL', 125, '']);
    expect(bench.stillpoint(['ls', '-q', '--store', `${small}/store`]).stdout).toBe('first\n');
    sound(`${small}/store`);
    const facts = (text: string): unknown => (JSON.parse(text) as { runs: unknown }).runs;
    expect(facts(bench.stillpoint(['stats', '--json', '--store', `${small}/store`]).stdout)).toEqual(facts(before));
    execFileSync('mount', ['-o', 'remount,size=200m', small]);
    expect(bench.stillpoint(['import', 'busy.stillpoint', '--store', `${small}/store`]).status).toBe(0);
    sound(`${small}/store`);
    expect(bench.stillpoint(['export', 'busy', 'again.stillpoint', '--store', `${small}/store`]).status).toBe(0);
    expect(readFileSync(bench.path('again.stillpoint')).equals(readFileSync(bench.path('busy.stillpoint')))).toBe(true);
  } finally {
    execFileSync('umount', [small]);
  }
}, 600_000);

it('a repair that finds the disk full says so, and works when there is room', () => {
  const small = bench.makeDirectory('repaired');
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1g', 'tmpfs', small]);
  try {
    const store = `${small}/store`;
    expect(bench.stillpoint(['export', 'busy', 'hurt.stillpoint']).status).toBe(0);
    expect(bench.stillpoint(['import', 'hurt.stillpoint', '--store', store]).status).toBe(0); // A database without free pages.
    const pages = statSync(join(store, 'data.mdb')).size / 4096;
    const file = openSync(join(store, 'data.mdb'), 'r+');
    for (let count = 0; count < 40; count++) writeSync(file, Uint8Array.of(0x55, 0xaa), 0, 2, Math.floor(random() * (pages - 40) + 40) * 4096 + 100 + Math.floor(random() * 3900));
    closeSync(file);
    const found = bench.stillpoint(['fsck', '--store', store]);
    expect(found.status, found.stdout).toBe(1);
    const { blocks, bfree, bsize } = statfsSync(small);
    execFileSync('mount', ['-o', `remount,size=${(blocks - bfree) * bsize}`, small]);
    const full = bench.stillpoint(['fsck', '--repair', '--store', store]);
    expect([complaint(full), full.status, full.stdout]).toEqual(['E_DISK_FULL', 125, '']);
    execFileSync('mount', ['-o', 'remount,size=1g', small]);
    const repaired = bench.stillpoint(['fsck', '--repair', '--store', store]);
    expect([repaired.status, repaired.stderr], repaired.stdout).toEqual([0, '']);
    sound(store);
  } finally {
    execFileSync('umount', [small]);
  }
}, 600_000);

it('on a file system that is mounted read-only everything that reads works, and what writes is refused in our words', () => {
  const place = bench.makeDirectory('read-only');
  const store = `${place}/store`;
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=200m', 'tmpfs', place]);
  try {
    expect(bench.stillpoint(['export', 'busy', 'calm.stillpoint']).status).toBe(0);
    expect(bench.stillpoint(['import', 'calm.stillpoint', '--store', store]).status).toBe(0);
    execFileSync('mount', ['-o', 'remount,ro', place]);
    for (const words of [['ls'], ['show', 'busy'], ['checkpoints', 'busy'], ['log', 'busy'], ['stats'], ['fsck'], ['export', 'busy', 'calm-2.stillpoint']]) {
      const seen = bench.stillpoint([...words, '--store', store]);
      expect([seen.status, seen.stderr], words.join(' ')).toEqual([0, '']);
    }
    for (const words of [['resume', 'busy'], ['fork', 'busy', '--name', 'two'], ['rollback', 'busy', '--to', '1'], ['gc'], ['rm', 'busy'], ['import', '--update', 'calm.stillpoint'], ['fsck', '--repair']]) {
      const seen = bench.stillpoint([...words, '--store', store]);
      expect([seen.status, complaint(seen)], words.join(' ')).toEqual([125, 'E_STORE_OPEN']);
      expect(seen.stderr).toMatch(/cannot be opened for this command: it lies on a file system that is mounted read-only/);
    }
  } finally {
    execFileSync('umount', [place]);
  }
}, 600_000);

it('a store under a symbolic link is the store, and a link that leads nowhere is said to be one', () => {
  symlinkSync(bench.store, bench.path('link'));
  expect(bench.stillpoint(['ls', '-q', '--store', 'link']).stdout).toContain('busy');
  symlinkSync('nowhere', bench.path('dangling'));
  expect(complaint(bench.stillpoint(['ls', '--store', 'dangling']))).toBe('E_STORE_OPEN'); // There is none.
  const seen = bench.stillpoint(['run', '--store', 'dangling', '--name', 'x', '--', program, '1', '/dev/null']);
  expect([complaint(seen), seen.stderr.includes('leads nowhere')]).toEqual(['E_STORE_FOREIGN', true]);
});

it('a repair of damaged pages of the database takes what they held from another copy: the same run afterwards', () => {
  expect(bench.stillpoint(['export', 'busy', 'whole.stillpoint']).status).toBe(0);
  for (let turn = 0; turn < (isSlow ? 40 : 2); turn++) {
    const hurt = bench.path(`hurt-${turn}`);
    cpSync(bench.store, hurt, { recursive: true });
    const bytes = readFileSync(join(hurt, 'data.mdb'));
    const trees = Array.from({ length: statSync(join(hurt, 'data.mdb')).size / 4096 }, (_, page) => page).filter((page) => page > 1 && bytes.readBigUInt64LE(page * 4096) === BigInt(page) && [1, 2].includes(bytes.readUInt16LE(page * 4096 + 18)));
    const file = openSync(join(hurt, 'data.mdb'), 'r+');
    // Whole pages go, as a bad sector takes them.
    for (let count = 0; count < 3; count++) writeSync(file, new Uint8Array(4096).fill(turn + count), 0, 4096, trees[Math.floor(random() * trees.length)]! * 4096);
    closeSync(file);
    const found = bench.stillpoint(['fsck', '--store', hurt]);
    if (found.status === 0) continue; // Only free pages were hit.
    const repaired = bench.stillpoint(['fsck', '--repair', '--from', turn % 2 === 0 ? bench.store : bench.path('whole.stillpoint'), '--store', hurt]);
    expect([repaired.status, repaired.stderr], `turn ${turn}: ${found.stdout}${repaired.stdout}`).toEqual([0, '']);
    sound(hurt);
    expect(bench.stillpoint(['export', 'busy', 'healed.stillpoint', '--store', hurt]).status, repaired.stdout).toBe(0);
    expect(readFileSync(bench.path('healed.stillpoint')).equals(readFileSync(bench.path('whole.stillpoint'))), `turn ${turn}: ${repaired.stdout}`).toBe(true);
    rmSync(hurt, { recursive: true });
  }
}, isSlow ? 3_600_000 : 600_000);
