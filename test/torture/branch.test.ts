/**
 * Fork, rollback and export in rough hands: on a full disk, and killed at random moments. Nothing is half done: a run is where it was or where it should be, files and forks are there whole or not at all, the
 * store is sound. STILLPOINT_SLOW=1 kills more often; STILLPOINT_SEED=N repeats the moments.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, rmSync, statfsSync } from 'node:fs';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { Bench, complaint } from '../cli/command.ts';
import { generator } from '../txn/support.ts';

const SEED = Number(process.env['STILLPOINT_SEED'] ?? 6);
const KILLS = process.env['STILLPOINT_SLOW'] === '1' ? 120 : 3;
const SOURCE = `#include <stdio.h>
static unsigned char b[4 << 20];
int main(int argc, char **argv) {
  FILE *out = fopen(argv[1], "w");
  unsigned long s = 7;
  for (int i = 0; i < 40; i++) {
    for (int k = 0; k < 100000; k++) { s = s * 6364136223846793005ul + 1; b[s >> 42] = s >> 33; }
    for (int k = 0; k < 2000; k++) fprintf(out, "%d %d %lu\\n", i, k, s);
    fflush(out);
  }
  return 0;
}
`;
const bench = new Bench();
const random = generator(SEED);
const show = (name: string): { root?: string; instructions: number; checkpoints: number; frames: number } => JSON.parse(bench.stillpoint(['show', name, '--json']).stdout) as never;
const names = (store = bench.store): string[] => bench.stillpoint(['ls', '-q', '--store', store]).stdout.split('\n').filter((name) => name !== '');
/** LMDB's own words about a full disk, which it writes to standard error without an end of line, taken away. */
const code = (seen: ReturnType<Bench['stillpoint']>): string => complaint({ ...seen, stderr: seen.stderr.replace(/^(Write error: [^\n]*size [0-9]+|mdb_[^\n]*\n)+/, '') });
const sound = (store = bench.store): void => {
  const seen = bench.stillpoint(['fsck', '--store', store]);
  expect([seen.status, seen.stderr], seen.stdout).toEqual([0, '']);
};

beforeAll(() => {
  const program = bench.compile('job.elf', SOURCE);
  const seen = bench.stillpoint(['run', '--name', 'job', '--checkpoint-every', '20M', '--out', `log=${bench.path('log')}`, '--', program, '/dev/out/log']);
  expect([seen.status, seen.stderr]).toEqual([0, '']);
  expect(show('job').checkpoints).toBeGreaterThan(3);
  expect(bench.stillpoint(['export', 'job', 'job.stillpoint']).status).toBe(0);
}, 120_000);
afterAll(() => rmSync(bench.directory, { recursive: true, force: true }));

it('a full disk: one line, nothing changed, nothing left', () => {
  const small = bench.makeDirectory('small');
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=400m', 'tmpfs', small]);
  try {
    const store = `${small}/store`;
    const there = (words: readonly string[]): ReturnType<Bench['stillpoint']> => bench.stillpoint([...words, '--store', store]);
    execFileSync('cp', ['-r', bench.store, store]);
    const before = there(['show', 'job', '--json']).stdout;
    spawnSync('dd', ['if=/dev/zero', `of=${small}/rest`, 'bs=1k']);
    // A file that does not fit, and a directory.
    for (const words of [['export', 'job', `${small}/job.stillpoint`], ['export', '--oci', 'job', `${small}/job.oci`], ['fork', 'job', '--name', 'other', '--bind', `log=${small}/log.other`]]) {
      const seen = there(words);
      expect([words[0], code(seen), seen.status, seen.stdout]).toEqual([words[0], 'E_DISK_FULL', 125, '']);
    }
    expect([readdirSync(small).sort(), there(['show', 'job', '--json']).stdout]).toEqual([['rest', 'store'], before]);
    // These need a few pages of the database, which may have them free: done or refused, nothing in between.
    for (let round = 0; round < 30; round++) {
      const fork = there(['fork', 'job', '--name', `fork-${round}`, '--bind', `log=${bench.path(`fork-${round}.log`)}`]);
      expect([0, 125]).toContain(fork.status);
      expect([names(store).includes(`fork-${round}`), existsSync(bench.path(`fork-${round}.log`))]).toEqual([fork.status === 0, fork.status === 0]);
      if (fork.status === 0) continue;
      expect(code(fork)).toBe('E_DISK_FULL');
      break;
    }
    const back = there(['rollback', 'job', '--to', '2', '--keep', 'kept']);
    if (back.status === 0) expect(names(store)).toContain('kept');
    else expect([code(back), back.status, names(store).includes('kept'), there(['show', 'job', '--json']).stdout]).toEqual(['E_DISK_FULL', 125, false, before]);
    sound(store);
    rmSync(`${small}/rest`);
    if (back.status !== 0) expect(there(['rollback', 'job', '--to', '2', '--keep', 'kept']).status).toBe(0);
    sound(store);
    expect(statfsSync(small).bavail).toBeGreaterThan(0);
  } finally {
    execFileSync('umount', ['-l', small]);
  }
}, 300_000);

it(`${KILLS} rollbacks are killed: the run is where it was or where it should be, the run that was kept is there or not at all (STILLPOINT_SEED=${SEED})`, async () => {
  const seen = new Set<string>();
  for (let kill = 0; kill < KILLS; kill++) {
    const [name, keep] = [`job-${kill}`, `kept-${kill}`];
    expect(bench.stillpoint(['fork', 'job', '--name', name]).status).toBe(0);
    const before = show(name);
    const child = bench.start(['rollback', name, '--to', '2', '--keep', keep]);
    await new Promise((done) => { setTimeout(done, 120 + random() * 500); });
    child.kill('SIGKILL');
    await child.ended;
    const after = show(name);
    const isBack = after.frames !== before.frames;
    seen.add(String(isBack));
    expect([isBack ? after.checkpoints : 2, names().includes(keep)]).toEqual([2, isBack]);
    if (!isBack) expect(after.root).toBe(before.root);
    sound();
    if (isBack) {
      const resumed = bench.stillpoint(['resume', name]);
      expect([resumed.status, readFileSync(bench.path(`log.${name}`)).equals(readFileSync(bench.path('log')))], resumed.stderr).toEqual([0, true]);
      expect(show(name).root).toBe(before.root);
    }
    rmSync(bench.path(`log.${name}.${keep}`), { force: true });
  }
  expect(seen.size).toBeGreaterThan(0);
}, 1_800_000);

it('a rollback that is refused keeps nothing', () => {
  const refused = bench.stillpoint(['rollback', 'job', '--to', '99', '--keep', 'job-as-it-was']);
  expect([complaint(refused), names().includes('job-as-it-was'), existsSync(bench.path('log.job-as-it-was'))]).toEqual(['E_CHECKPOINT_UNKNOWN', false, false]);
});
