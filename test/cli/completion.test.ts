/** Shells complete commands, options and names of runs: bash is asked itself, with the words of a command line and the cursor at its end. */
import { execFileSync } from 'node:child_process';
import { rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { afterAll, expect, it } from 'vitest';
import { Bench, CLI } from './command.ts';

const bench = new Bench();
const stillpoint = (...words: readonly string[]): string => {
  const { status, stdout, stderr } = bench.stillpoint(words);
  expect([status, stderr]).toEqual([0, '']);
  return stdout;
};
const script = bench.path('completion.bash');
symlinkSync(CLI, bench.path('stillpoint'));
writeFileSync(script, stillpoint('completion', 'bash'));
afterAll(() => { rmSync(bench.directory, { recursive: true, force: true }); });

/** What bash offers for the last word. */
function offered(...words: readonly string[]): string[] {
  const program = 'source "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); _stillpoint; printf "%s\\n" "${COMPREPLY[@]}"';
  const environment = { ...process.env, PATH: `${bench.directory}:${process.env['PATH']}`, STILLPOINT_STORE: bench.store };
  return execFileSync('bash', ['-c', program, 'bash', script, 'stillpoint', ...words], { env: environment, encoding: 'utf8' }).split('\n').filter((line) => line !== '');
}

it('commands and options', () => {
  expect(offered('re')).toEqual(['resume', 'replay']);
  expect(offered('image', 'i')).toEqual(['import']);
  expect(offered('replay', '--j')).toEqual(['--jobs', '--json']);
  expect(offered('run', '--report', '--x')).toEqual([]); // A value: a file to the shell.
  expect(offered('run', '--store', 'x', '--eph')).toEqual(['--ephemeral']);
  expect(offered('completion', '')).toEqual([]); // The shell goes on with files.
  expect(offered('run', 'program', '--eph')).toEqual([]); // The guest's own option.
});

it('names of runs', () => {
  const program = bench.compile('empty', 'int main(void) { return 0; }');
  for (const name of ['alpha', 'alder', 'beta']) stillpoint('run', '--no-progress', '--name', name, program);
  expect(offered('show', 'al').sort()).toEqual(['alder', 'alpha']);
  expect(offered('txn', 'b')).toEqual(['beta']);
  expect(offered('txn', 'beta', 'a')).toEqual([]);
  expect(offered('diff', 'alpha', '').sort()).toEqual(['alder', 'alpha', 'beta']);
});

it('every command is in every script, and no hidden one', () => {
  const names = [...stillpoint('--help').matchAll(/^ {2}([a-z]+) /gm)].map(([, name]) => name!).filter((name) => name !== 'stillpoint' && name !== 'help');
  expect(names).toContain('run');
  for (const shell of ['bash', 'zsh', 'fish']) {
    const text = stillpoint('completion', shell);
    for (const name of names) expect(text, shell).toMatch(new RegExp(`['\\s]${name}['\\s]`));
    expect(text).not.toContain('cluster-process');
  }
});
