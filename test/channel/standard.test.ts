/** Standard streams that are pipes, files and terminals, in processes of their own driven by the shell. */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { compileFor } from '../store/compile.ts';
import { pattern } from './helpers.ts';

const directory = fs.mkdtempSync(join(tmpdir(), 'stillpoint-standard-'));
afterAll(() => fs.rmSync(directory, { recursive: true }));
const program = await compileFor('test/channel/copy-child.ts', join(directory, 'compiled'));

interface Orders { readonly bytes?: number; readonly complaint?: string; readonly resume?: { readonly base: number; readonly position: number } }

/** The copying process as a word for the shell. */
function copy(orders: Orders = {}): string {
  return `${process.execPath} ${program} '${JSON.stringify({ bytes: 1e9, complaint: '', ...orders })}'`;
}

function shell(script: string): { readonly status: number | null; readonly stdout: Buffer; readonly stderr: string } {
  const { status, stdout, stderr } = spawnSync('bash', ['-c', script], { cwd: directory, timeout: 60_000, maxBuffer: 1 << 26 });
  return { status, stdout, stderr: stderr.toString() };
}

const content = pattern(3_000_000);
fs.writeFileSync(join(directory, 'in'), content);
fs.writeFileSync(join(directory, 'small'), 'hello\n');

test('pipe to pipe with a reader that takes its time: every byte once', () => {
  const { status, stdout } = shell(`set -o pipefail; cat in | ${copy()} | (dd bs=777 count=1000 status=none; cat)`);
  expect(status).toBe(0);
  expect(Buffer.compare(stdout, content)).toBe(0);
});

test('file to file', () => {
  expect(shell(`${copy()} < in > out`).status).toBe(0);
  expect(Buffer.compare(fs.readFileSync(join(directory, 'out')), content)).toBe(0);
});

test('a file for output goes on behind what was written, also for the next command', () => {
  shell(`(echo first; ${copy()} < small; echo last) > shared`);
  expect(fs.readFileSync(join(directory, 'shared'), 'latin1')).toBe('first\nhello\nlast\n');
  shell(`${copy({ complaint: 'BASE' })} < small >> shared 2> base`);
  expect(fs.readFileSync(join(directory, 'shared'), 'latin1')).toBe('first\nhello\nlast\nhello\n');
  expect(fs.readFileSync(join(directory, 'base'), 'latin1')).toBe('17');
});

test('output and errors in one file both stay', () => {
  shell(`${copy({ complaint: 'trouble\n' })} < small > both 2>&1; ${copy({ complaint: 'more\n' })} < small >> both 2>&1`);
  expect(fs.readFileSync(join(directory, 'both'), 'latin1')).toBe('hello\ntrouble\nhello\nmore\n');
});

test('an output file is cut to what was committed and continued, opened for appending or not', () => {
  for (const redirect of ['>> again', '1<> again']) {
    fs.writeFileSync(join(directory, 'again'), 'base,committed,lost in the crash');
    expect(shell(`${copy({ resume: { base: 5, position: 10 } })} < small ${redirect}`)).toMatchObject({ status: 0, stderr: '' });
    expect(fs.readFileSync(join(directory, 'again'), 'latin1')).toBe('base,committed,hello\n');
  }
});

test('a reader that went away is E_CHANNEL_CLOSED, not a crash', () => {
  const { stderr } = shell(`cat in in in | (${copy()}; echo "status $?" >&2) | head -c 10 > /dev/null`);
  expect(stderr).toContain('status 32');
});

test('a closed or odd standard stream is an error, /dev/null is none', () => {
  expect(shell(`${copy()} < /dev/null > /dev/null`)).toMatchObject({ status: 0, stderr: '' });
  expect(shell(`${copy()} < / > /dev/null`).status).toBe(1);
  expect(shell(`${copy()} < small > /dev/full`).status).toBe(1);
});

test('the process ends while its input is still open', async () => {
  const child = spawn(process.execPath, [program, JSON.stringify({ bytes: 5, complaint: '' })], { stdio: ['pipe', 'pipe', 'inherit'] });
  child.stdin.write('hello world');
  const [data] = (await once(child.stdout, 'data')) as [Buffer];
  const [status] = (await once(child, 'exit')) as [number];
  child.stdin.destroy();
  expect([data.toString(), status]).toEqual(['hello', 0]);
});

test('a terminal on both sides', () => {
  // script(1) gives the process a pseudo terminal; the terminal turns a line feed into two characters.
  const { stdout } = shell(`printf 'a line\\n' | script -qec "${copy({ bytes: 7 }).replace(/["\\$]/g, '\\$&')}" /dev/null`);
  expect(stdout.toString()).toContain('a line\r\n');
});
