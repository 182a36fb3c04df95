/**
 * Runs that older software recorded, one for each version of the store (golden/run-v1 … v7: golden/run.c with ten lines of input, a checkpoint every 60 000 instructions, ended by a cap at
 * 300 000; the pages of v7 lie on a shelf): they are listed, checked, exported, thinned out, repaired and gone on with; what newer machines do not do the same is said. golden/run.txt and run-lines.txt are its whole output, run-capped-lines.txt what the second had at the cap. STILLPOINT_SLOW=1
 * does everything with every version.
 */
import { copyFileSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { afterAll, expect, it } from 'vitest';
import { Bench, complaint } from '../cli/command.ts';

const isSlow = process.env['STILLPOINT_SLOW'] === '1';
const PAGE = 4096;
const golden = join(import.meta.dirname, 'golden');
const bench = new Bench();
afterAll(() => rmSync(bench.directory, { recursive: true, force: true }));

function storeOf(version: number, name = `v${version}`, change: (bytes: Buffer) => void = () => {}): readonly string[] {
  const directory = bench.path(name);
  mkdirSync(directory);
  const bytes = gunzipSync(readFileSync(join(golden, `run-v${version}.mdb.gz`)));
  change(bytes);
  writeFileSync(join(directory, 'data.mdb'), bytes);
  return ['--store', directory];
}

function ok(words: readonly string[]): string {
  const seen = bench.stillpoint(words);
  expect([seen.status, seen.stderr], words.join(' ')).toEqual([0, '']);
  return seen.stdout;
}

/** Goes on with the run and compares everything it ever wrote. */
function resumes(store: readonly string[], name: string): void {
  const log = bench.path(`${name}.log`);
  copyFileSync(join(golden, 'run-capped-lines.txt'), log);
  const seen = bench.stillpoint(['resume', 'job', '--max-instructions', '1G', '--bind', `log=${log}`, ...store]);
  expect([seen.status, seen.stderr]).toEqual([0, '']);
  expect(readFileSync(join(golden, 'run.txt'), 'utf8').endsWith(seen.stdout) && seen.stdout.length > 0, seen.stdout).toBe(true);
  expect(readFileSync(log, 'utf8')).toBe(readFileSync(join(golden, 'run-lines.txt'), 'utf8'));
}

/** The state of version 1 is of another form; the machine of versions 2 and 3 began without /sys. */
it.each(isSlow ? [1, 2, 3, 4, 5, 6, 7] : [1, 3, 7])('a run in a store of version %i', (version) => {
  const store = storeOf(version);
  expect(ok(['ls', ...store])).toMatch(/job +ended +cap instructions +300 k +5/);
  expect(ok(['fsck', ...store])).toMatch(/1 run, 5 checkpoints, 18 frames, .*: sound\n$/);
  const [whole, late] = [['replay', 'job', '--no-outputs', ...store], ['replay', 'job', '--from', '1', '--no-outputs', ...store]];
  if (version >= 4) expect(ok(whole!)).toContain('identical');
  else expect(complaint(bench.stillpoint(whole!))).toBe('E_DIVERGED_ROOT');
  if (version >= 2) expect(ok(late!)).toContain('identical');
  else expect(complaint(bench.stillpoint(late!))).toBe('E_STATE_FORMAT');
  ok(['export', 'job', `v${version}.stillpoint`, ...store]);
  const other = ['--store', bench.path(`other-${version}`)];
  expect(ok(['import', `v${version}.stillpoint`, ...other])).toContain('18 frames, up to checkpoint 5');
  expect(ok(['fsck', ...other])).toContain(': sound');
  ok(['gc', '--keep-last', '2', ...store]);
  expect(ok(['fsck', ...store])).toMatch(/1 run, 2 checkpoints, 18 frames, .*: sound\n$/);
  if (version === 1) return expect(complaint(bench.stillpoint(['resume', 'job', '--max-instructions', '1G', ...store]))).toBe('E_STATE_FORMAT');
  resumes(store, `v${version}`);
  resumes(other, `other-${version}`);
  expect(ok(['import', '--update', `v${version}.stillpoint`, ...store])).toContain('0 frames and 3 checkpoints came');
}, 120_000);

it.each(isSlow ? [1, 2, 3, 4, 5, 6, 7] : [2, 4, 5])('a repair of a store of version %i whose run record is gone takes it from an exported run', (version) => {
  const store = storeOf(version, `hurt-${version}`, (bytes) => {
    for (let page = 2; page < bytes.length / PAGE; page++) if (bytes.toString('latin1', page * PAGE, (page + 1) * PAGE).includes('stillpoint-run')) bytes.fill(0, page * PAGE, (page + 1) * PAGE);
  });
  expect(bench.stillpoint(['fsck', ...store]).status).toBe(1);
  const copy = storeOf(version, `copy-${version}`);
  expect(ok(['fsck', '--repair', '--from', copy[1]!, ...store])).toMatch(/restored from the other copy: the record of run job[\s\S]*: sound now\n$/);
  expect(ok(['ls', ...store])).toMatch(/job +ended +cap instructions +300 k +5/);
  if (version > 1) resumes(store, `hurt-${version}`);
}, 120_000);
