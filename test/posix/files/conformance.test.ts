// Linux is the oracle: the same C program (cases.c) runs natively as an ordinary user in an empty directory and as a guest in an empty
// directory; every line must be the same. Lines that rightly differ are in the list below, each with its reason; one that agrees after
// all fails as well. Needs gcc, the riscv64 cross compiler and the right to become another user (root) or not to be root.
import { execFileSync, spawnSync } from 'node:child_process';
import { chmodSync, chownSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { runGuest } from '../process/run-guest.ts';

const SOURCE = join(import.meta.dirname, 'cases.c');
const NOBODY = 65534;

/** Known divergences: the text of the check and the reason. */
const KNOWN: ReadonlyMap<string, string> = new Map([
]);

function build(compiler: string, flags: readonly string[], out: string): string {
  execFileSync(compiler, ['-w', '-O1', ...flags, '-o', out, SOURCE]);
  return out;
}

function runNatively(directory: string): string {
  const program = build('gcc', [], join(directory, 'native'));
  const work = join(directory, 'work');
  mkdirSync(work);
  chmodSync(directory, 0o755);
  const isRoot = process.getuid?.() === 0;
  if (isRoot) chownSync(work, NOBODY, NOBODY);
  const result = spawnSync(program, [], { cwd: work, encoding: 'utf8', timeout: 60_000, stdio: ['pipe', 'pipe', 'inherit'], ...(isRoot ? { uid: NOBODY, gid: NOBODY } : {}) });
  expect(result.status).toBe(0);
  return result.stdout;
}

test('every file call gives what Linux gives', () => {
  const directory = mkdtempSync(join(tmpdir(), 'stillpoint-files-'));
  try {
    const expected = runNatively(directory).split('\n');
    const program = readFileSync(build('riscv64-linux-gnu-gcc', ['-static'], join(directory, 'guest')));
    const result = runGuest(program, { workingDirectory: '/home/guest', stdin: '' });
    expect(result.stderr).toBe('');
    const got = result.stdout.split('\n');
    const differing: string[] = [];
    const used = new Set<string>();
    for (let index = 0; index < Math.max(expected.length, got.length); index++) {
      if (expected[index] === got[index]) continue;
      const text = /^\d+ (.*?) = /.exec(expected[index] ?? '')?.[1] ?? '';
      if (KNOWN.has(text)) used.add(text);
      else differing.push(`Linux: ${expected[index]}\n ours: ${got[index]}`);
    }
    expect(differing).toEqual([]);
    expect([...KNOWN.keys()].filter((text) => !used.has(text)), 'known divergences that agree now').toEqual([]);
    expect(result.outcome).toBe('exit 0');
    expect(expected.length).toBeGreaterThan(700);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
});
