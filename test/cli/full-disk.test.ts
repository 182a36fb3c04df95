/**
 * Commands on a disk without room, which is a small file system of its own (tmpfs): one line that says so, nothing of LMDB's own, a store that is whole, and the same command again when
 * there is room. LMDB used to print its own lines then, and to write behind the end of its memory.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { Bench, complaint } from './command.ts';

const bench = new Bench();
const disk = bench.path('disk');
const store = join(disk, 'store');
const RUN = ['--store', store, '--checkpoint-every', '20M'];
let worker = '';

/** Pages of random bytes, new ones in each checkpoint, which no codec shrinks. */
const SOURCE = `#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
int main(int count, char **arguments) {
  uint64_t state = 88172645463325252ull + atoi(arguments[1]);
  for (uint64_t page = 0; page < 400; page++) {
    uint64_t *words = malloc(4096);
    for (int word = 0; word < 512; word++) { state ^= state << 13; state ^= state >> 7; state ^= state << 17; words[word] = state; }
  }
  printf("%llx\\n", (unsigned long long)state);
}`;

// A store keeps room for what makes room where it finds 16 MiB.
beforeAll(() => {
  mkdirSync(disk);
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=24m', 'tmpfs', disk]);
  worker = bench.compile('worker.elf', SOURCE);
  expect(bench.stillpoint(['run', ...RUN, '--name', 'first', worker, '1']).status).toBe(0);
});
afterAll(() => {
  execFileSync('umount', ['-l', disk]);
  rmSync(bench.directory, { recursive: true, force: true });
});

const FILLER = join(disk, 'filler');
function fill(): void {
  const { bavail, bsize } = statfsSync(disk);
  writeFileSync(FILLER, new Uint8Array(bavail * bsize));
}

it('a run on it is one line, and goes on, or begins, when there is room', () => {
  fill();
  const first = bench.stillpoint(['run', ...RUN, '--name', 'second', worker, '2']);
  expect([complaint(first), first.status]).toEqual(['E_DISK_FULL', 125]);
  rmSync(FILLER);
  const then = bench.stillpoint(['resume', 'second', '--store', store]);
  const again = complaint(then) === 'E_RUN_UNKNOWN' ? bench.stillpoint(['run', ...RUN, '--name', 'second', worker, '2']) : then;
  expect([again.status, again.stderr]).toEqual([0, '']);
  expect(bench.stillpoint(['fsck', '--store', store]).status).toBe(0);
});

it('a store is begun where there is room for one, or not at all', () => {
  for (const room of [0, 4096, 20_000, 40_000]) {
    const { bavail, bsize } = statfsSync(disk);
    writeFileSync(FILLER, new Uint8Array(bavail * bsize - room));
    const seen = bench.stillpoint(['run', '--store', join(disk, 'other'), '--name', 'first', worker, '1']);
    rmSync(FILLER);
    expect([complaint(seen), seen.status, existsSync(join(disk, 'other'))], `${room} bytes`).toEqual(['E_DISK_FULL', 125, false]);
  }
});

it('what makes room finds it on a full disk', () => {
  fill();
  const seen = bench.stillpoint(['rm', 'first', '--store', store]);
  rmSync(FILLER);
  expect([seen.status, seen.stderr]).toEqual([0, expect.stringMatching(/^stillpoint: removed first and \d+ records that no other run needs\n$/)]);
  expect(bench.stillpoint(['fsck', '--store', store]).status).toBe(0);
});
