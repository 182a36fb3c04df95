/** export and import as a user sees them: through a file, through a pipe, on from there; what is refused. */
import { execFileSync } from 'node:child_process';
import { createReadStream, existsSync, mkdirSync, openSync, readdirSync, readFileSync, readSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { asideOf } from '../../src/session/whole-file.ts';
import { Bench, CLI, complaint, ROOT } from './command.ts';

const bench = new Bench();
const there = ['--store', bench.path('there')];

beforeAll(() => {
  const program = bench.compile('sum.elf', '#include <stdio.h>\nint main(void){unsigned long s=7;int c;while((c=getchar())!=EOF){for(int i=0;i<2000;i++)s=s*6364136223846793005ul+c;if(c==10)printf("%lu\\n",s);}return 0;}');
  writeFileSync(bench.path('input'), 'some words in lines\n'.repeat(300));
  const seen = bench.stillpoint(['run', '--name', 'sum', '--checkpoint-every', '10M', '--max-instructions', '30M', program], 'some words in lines\n'.repeat(300));
  expect(seen.status).toBe(124);
});
afterAll(() => rmSync(bench.directory, { recursive: true, force: true }));

function ok(words: readonly string[]): string {
  const seen = bench.stillpoint(words);
  expect([seen.status, seen.stderr]).toEqual([0, '']);
  return seen.stdout;
}

describe('export and import', () => {
  it('a run goes on in another store, to the same end', () => {
    expect(ok(['export', 'sum', 'sum.stillpoint'])).toMatch(/^sum: .*B, [0-9]+ pages, .* checkpoints\n$/);
    expect(ok(['import', 'sum.stillpoint', ...there])).toContain('sum: imported');
    expect(ok(['fsck', ...there])).toContain('sound');
    const words = 'some words in lines\n'.repeat(300).slice(Number([...ok(['log', 'sum']).matchAll(/stdin: bytes .*\.\.([0-9]+)/g)].at(-1)![1]));
    const [here, elsewhere] = [[], there].map((store) => bench.stillpoint(['resume', 'sum', '--max-instructions', '1G', ...store], words));
    expect([here!.status, elsewhere!.status]).toEqual([0, 0]);
    expect(elsewhere!.stdout).toBe(here!.stdout);
    const root = (store: string[]): string => (JSON.parse(ok(['show', 'sum', '--json', ...store])) as { root: string }).root;
    expect(root(there)).toBe(root([]));
    expect(ok(['replay', 'sum', '--no-outputs', ...there])).toContain('identical');
  });

  it('works through a pipe, deduplicated, under another name', () => {
    const [third] = [['--store', bench.path('third')]];
    const pipe = (from: string, to: string): string => execFileSync('bash', ['-c', `set -o pipefail; ${process.execPath} ${CLI} export ${from} | ${process.execPath} ${CLI} import - ${to}`], { cwd: bench.directory, encoding: 'utf8', env: { ...process.env, STILLPOINT_STORE: bench.store }, stdio: ['ignore', 'pipe', 'pipe'] });
    ok(['fork', 'sum@2', '--name', 'base']);
    expect(pipe('base -', `--name theirs ${third!.join(' ')}`)).toContain('theirs: imported');
    expect(pipe('sum - --have base', third!.join(' '))).toContain('sum: imported');
    expect(ok(['fsck', ...third!])).toContain('2 runs');
  });

  it('the example of the README: the whole run once, later what is new', () => {
    const [elsewhere, bin] = [bench.path('elsewhere'), bench.makeDirectory('bin')];
    writeFileSync(join(bin, 'stillpoint'), `#!/bin/sh\nexec ${process.execPath} ${CLI} "$@"\n`, { mode: 0o755 });
    writeFileSync(join(bin, 'ssh'), `#!/bin/sh\nshift\nSTILLPOINT_STORE=${elsewhere} exec "$@"\n`, { mode: 0o755 });
    const [, once, later] = /## The same run elsewhere\n\n```\n(.*)\n(.*)\n```/.exec(readFileSync(join(ROOT, 'README.md'), 'utf8'))!;
    const shell = (line: string): string => execFileSync('bash', ['-c', `set -o pipefail; ${line}`], { cwd: bench.directory, encoding: 'utf8', env: { ...process.env, PATH: `${bin}:${process.env['PATH']}`, STILLPOINT_STORE: bench.store }, stdio: ['ignore', 'pipe', 'pipe'] });
    // A state of before: the same run up to checkpoint 3.
    const program = bench.path('sum.elf');
    const words = 'some words in lines\n'.repeat(300);
    expect(bench.stillpoint(['run', '--name', 'job', '--checkpoint-every', '4M', '--max-instructions', '12M', program], words).status).toBe(124);
    expect(shell(once!)).toContain('job: imported');
    const had = JSON.parse(ok(['show', 'job', '--json'])) as { instructions: number };
    const taken = Number([...ok(['log', 'job']).matchAll(/stdin: bytes .*\.\.([0-9]+)/g)].at(-1)?.[1] ?? 0);
    expect(bench.stillpoint(['resume', 'job', '--max-instructions', '30M'], words.slice(taken)).status).toBe(124);
    expect(shell(later!)).toMatch(/^job: updated, [1-9][0-9]* frames and [1-9][0-9]* checkpoints came/);
    expect(shell(later!)).toContain('job: nothing new');
    const store = ['--store', elsewhere];
    const facts = (more: readonly string[]): unknown => { const { root, instructions, checkpoints } = JSON.parse(ok(['show', 'job', '--json', ...more])) as Record<string, unknown>; return [root, instructions, checkpoints]; };
    expect(facts(store)).toEqual(facts([]));
    expect(JSON.stringify(facts(store))).not.toContain(`,${had.instructions},`);
    expect(ok(['fsck', ...store])).toContain('sound');
    expect(ok(['replay', 'job', '--no-outputs', ...store])).toContain('identical');
    // Gone on by itself there and here: refused in one line.
    for (const more of [store, []]) expect(bench.stillpoint(['resume', 'job', '--max-instructions', more === store ? '40M' : '41M', ...more], '').status).toBeLessThan(125);
    ok(['export', 'job', 'job.stillpoint']);
    expect(complaint(bench.stillpoint(['import', '--update', 'job.stillpoint', ...store]))).toBe('E_RUN_DIVERGED');
    expect(complaint(bench.stillpoint(['import', 'job.stillpoint', ...store]))).toBe('E_RUN_EXISTS');
  });

  it('what a killed export left goes with the next one into the same directory; what a living one writes, and what is somebody else\'s, stays', async () => {
    const place = bench.makeDirectory('killed');
    const parts = (): readonly string[] => readdirSync(place).filter((name) => name.endsWith('.part'));
    for (let tries = 0; parts().length === 0 && tries < 20; tries++) {
      const child = bench.start(['export', 'sum', join(place, 'killed.stillpoint'), '--no-progress']);
      let isOver = false;
      void child.ended.then(() => { isOver = true; });
      await bench.until(() => isOver || parts().length > 0);
      child.kill('SIGKILL');
      await child.ended;
    }
    expect(parts().length).toBe(1);
    const mine = asideOf(join(place, 'x')); // Removes it.
    expect(parts()).toEqual([]);
    const dead = mine.replace(/-[0-9]+-([0-9]+)-[0-9]+\.part$/, '-4194304-$1-1.part');
    const others = [mine, join(place, 'video.4194304.part'), mine.replace(/aside-[0-9a-f]{8}/, 'aside-00000000')];
    for (const path of [dead, ...others]) writeFileSync(path, 'bytes');
    mkdirSync(dead.replace('-1.part', '-2.part'));
    ok(['export', '--oci', 'sum', join(place, 'sum.oci')]);
    expect(readdirSync(place).sort()).toEqual([...others.map((path) => basename(path)), 'sum.oci'].sort());
  });

  it('beside the removal of its run says that the run was removed', async () => {
    ok(['import', 'sum.stillpoint', '--name', 'doomed', '--store', bench.path('doomed-store')]);
    execFileSync('mkfifo', [bench.path('slow')]);
    const child = bench.start(['export', 'doomed', 'slow', '--store', bench.path('doomed-store'), '--no-progress']);
    const pipe = openSync(bench.path('slow'), 'r');
    readSync(pipe, new Uint8Array(1000)); // It is on its way, and waits.
    expect(bench.stillpoint(['rm', 'doomed', '--store', bench.path('doomed-store')]).status).toBe(0);
    const rest = createReadStream('', { fd: pipe }).resume();
    const seen = await child.ended;
    rest.destroy();
    expect([complaint(seen), seen.status, seen.stdout]).toEqual(['E_RUN_UNKNOWN', 125, '']);
    expect(seen.stderr).toContain('was removed while it was exported');
  });

  it('into a device or a directory replaces neither', () => {
    execFileSync('mknod', [bench.path('null'), 'c', '1', '3']);
    ok(['export', 'sum', 'null']);
    expect(statSync(bench.path('null')).isCharacterDevice()).toBe(true);
    const seen = bench.stillpoint(['export', 'sum', bench.directory]);
    expect([complaint(seen), seen.status]).toEqual(['E_HOST_FILE', 125]);
  });

  it.each<[string, () => string[], string]>([
    ['no such run', () => ['export', 'nobody', 'x.stillpoint'], 'E_RUN_UNKNOWN'], ['no such checkpoint', () => ['export', 'sum@77', 'x.stillpoint'], 'E_CHECKPOINT_UNKNOWN'],
    ['no such directory', () => ['export', 'sum', 'no/such/x.stillpoint'], 'E_HOST_FILE'], ['no such file', () => ['import', 'x.stillpoint', '--store', bench.path('fresh')], 'E_HOST_FILE'],
    ['a file of something else', () => ['import', 'input', '--store', bench.path('fresh')], 'E_EXPORT_FORMAT'], ['the same run again', () => ['import', 'sum.stillpoint'], 'E_RUN_EXISTS'],
    ['a wrong name', () => ['import', 'sum.stillpoint', '--name', 'a/b', '--store', bench.path('fresh')], 'E_RUN_NAME'],
    ['half a file', () => {
      writeFileSync(bench.path('half'), readFileSync(bench.path('sum.stillpoint')).subarray(0, 40_000));
      return ['import', 'half', '--store', bench.path('fresh')];
    }, 'E_EXPORT_DAMAGED'],
  ])('%s is one line and leaves nothing', (_what, words, code) => {
    const seen = bench.stillpoint(words());
    expect([complaint(seen), seen.status, seen.stdout]).toEqual([code, 125, '']);
    if (code.startsWith('E_EXPORT_')) expect(seen.stderr).toMatch(/: (input|half): /);
    expect(existsSync(bench.path('x.stillpoint'))).toBe(false);
    expect(readdirSync(bench.directory).filter((file) => file.endsWith('.part'))).toEqual([]);
    expect(code !== 'E_EXPORT_DAMAGED' && existsSync(bench.path('fresh'))).toBe(false); // What begins well has a store made for it.
    if (existsSync(bench.path('fresh'))) expect(ok(['ls', '-q', '--store', bench.path('fresh')])).toBe('');
  });
});
