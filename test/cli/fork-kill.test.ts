/**
 * A fork that is killed between its output files and its commit: the next command that opens the store for writing removes what it left, and nothing that somebody else has made or changed.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { Bench } from './command.ts';

const CHILD = resolve(import.meta.dirname, 'fork-child.mjs');
const bench = new Bench();
const LOGS = ['a.log', 'b.log'] as const;

beforeAll(() => {
  const program = bench.compile('two.elf', `
    #include <stdio.h>
    int main(int n, char **v) {
      FILE *a = fopen(v[1], "w"), *b = fopen(v[2], "w");
      for (int i = 0; i < 3000; i++) { fprintf(a, "a %d\\n", i); fprintf(b, "b %d\\n", i); fflush(a); fflush(b); }
      return 0;
    }`);
  const seen = bench.stillpoint(['run', '--name', 'first', '--checkpoint-every', '500k', '--out', `a=${bench.path('a.log')}`, '--out', `b=${bench.path('b.log')}`, program, '/dev/out/a', '/dev/out/b']);
  expect([seen.status, seen.stderr]).toEqual([0, '']);
});
afterAll(() => rmSync(bench.directory, { recursive: true, force: true }));

function killFork(name: string, commit: number, when: 'before' | 'after'): void {
  const { signal, stderr } = spawnSync(process.execPath, [CHILD, bench.store, 'first@3', name, String(commit), when], { encoding: 'utf8' });
  expect([signal, stderr]).toEqual(['SIGKILL', '']);
}

function ok(words: readonly string[]): string {
  const seen = bench.stillpoint(words);
  expect(seen.status, `${words.join(' ')}: ${seen.stderr}`).toBe(0);
  return seen.stdout;
}

const filesOf = (name: string): readonly string[] => LOGS.filter((log) => existsSync(bench.path(`${log}.${name}`)));
const asides = (): readonly string[] => readdirSync(bench.directory).filter((name) => name.includes('aside'));

it.each<[number, 'before' | 'after', readonly string[]]>([[1, 'before', []], [1, 'after', []], [2, 'before', LOGS]])('killed %s %s: nothing is left', (commit, when, left) => {
  const name = `half-${commit}-${when}`;
  killFork(name, commit, when);
  expect([filesOf(name), ok(['ls', '-q'])]).toEqual([left, 'first\n']);
  ok(['fsck']);
  ok(['gc']);
  expect(filesOf(name)).toEqual([]);
  ok(['fork', 'first@3', '--name', name]);
  expect([filesOf(name), asides()]).toEqual([LOGS, []]);
  expect(ok(['resume', name])).toBe('');
  for (const log of LOGS) expect(readFileSync(bench.path(`${log}.${name}`), 'utf8')).toBe(readFileSync(bench.path(log), 'utf8'));
  ok(['rm', name]);
});

it('the same fork again needs nothing else', () => {
  killFork('again', 2, 'before');
  ok(['fork', 'first@3', '--name', 'again']);
  expect(filesOf('again')).toEqual(LOGS);
  ok(['rm', 'again']);
});

it('killed behind its commit: it is there, with its files', () => {
  killFork('whole', 2, 'after');
  ok(['gc']);
  expect([filesOf('whole'), ok(['resume', 'whole'])]).toEqual([LOGS, '']);
  expect(readFileSync(bench.path('a.log.whole'), 'utf8')).toBe(readFileSync(bench.path('a.log'), 'utf8'));
  ok(['rm', 'whole']);
});

it('a file that somebody changed or replaced meanwhile stays', () => {
  killFork('mine', 2, 'before');
  writeFileSync(bench.path('a.log.mine'), 'mine', { flag: 'a' });
  const bytes = readFileSync(bench.path('b.log.mine'));
  rmSync(bench.path('b.log.mine'));
  writeFileSync(bench.path('b.log.mine'), bytes);
  utimesSync(bench.path('b.log.mine'), 1, 1);
  ok(['gc']);
  expect(filesOf('mine')).toEqual(LOGS);
  ok(['gc']);
  expect(filesOf('mine')).toEqual(LOGS);
});
