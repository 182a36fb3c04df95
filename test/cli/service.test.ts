/** serve, txn, savepoint, branch, promote as a user sees them. The programs: the ledger of test/machine, and busybox's shell. */
import { spawnSync } from 'node:child_process';
import { closeSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { request as httpRequest } from 'node:http';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { guestProgram } from '../machine/rig.ts';
import { Bench, CLI, complaint, ROOT } from './command.ts';

const bench = new Bench();
const BUSYBOX = join(ROOT, 'build/guests/real/busybox');
let ledger = '';
beforeAll(() => { ledger = guestProgram('ledger'); });
afterAll(() => rmSync(bench.directory, { recursive: true, force: true }));

function ok(words: readonly string[], input = ''): string {
  const seen = bench.stillpoint(words, input);
  expect([seen.status, seen.stderr]).toEqual([0, '']);
  return seen.stdout;
}

function post(socketPath: string, body: string): Promise<{ status: number; body: string }> {
  return new Promise((resolve, reject) => {
    const sent = httpRequest({ socketPath, method: 'POST', path: '/', agent: false }, (response) => {
      let text = '';
      response.on('data', (bytes: Buffer) => { text += bytes.toString(); });
      response.on('end', () => resolve({ status: response.statusCode ?? 0, body: text }));
    });
    sent.on('error', reject);
    sent.end(body);
  });
}

/** Until a service answers at its socket. */
async function serving(socket: string): Promise<void> {
  for (let tries = 0; tries < 1000; tries++) {
    if (await post(socket, 's').then(() => true, () => false)) return;
    await new Promise((resolve) => { setTimeout(resolve, 20); });
  }
  throw new Error('the service does not answer');
}

describe('txn', () => {
  it('makes a run, goes on with it, and leaves it alone when the transaction fails', () => {
    expect(ok(['txn', 'bank', '--out', `log=${bench.path('log')}`, '--memory', '16M', '--', ledger], 't 1 2 100\n')).toBe('ok 900 1100\n');
    expect(readFileSync(bench.path('log'), 'utf8')).toBe('1 2 100\n');
    expect(complaint(bench.stillpoint(['txn', 'bank'], 'c 1 2 5\n'))).toBe('E_TXN_FAULT');
    const refused = bench.stillpoint(['txn', 'bank', '--check', 'grep -q "^ok 9"'], 't 1 2 800\n');
    expect([refused.status, refused.stdout, complaint(refused)]).toEqual([125, '', 'E_TXN_REFUSED']);
    expect(bench.stillpoint(['txn', 'bank', '--max-instructions', '100'], 's\n').status).toBe(124);
    expect(JSON.parse(ok(['txn', 'bank', '--json', '--check', 'grep -q "^balance"'], 'b 1'))).toMatchObject({ run: 'bank', response: 'balance 900\n', hasEnded: false });
    expect(readFileSync(bench.path('log'), 'utf8')).toBe('1 2 100\n');
    expect(ok(['replay', 'bank'])).toContain('identical');
  });

  it('says that a request is done whose answer cannot be written', () => {
    const full = openSync('/dev/full', 'w');
    const { status, stderr } = spawnSync(process.execPath, [CLI, 'txn', 'bank'], { input: 't 1 2 100\n', stdio: ['pipe', full, 'pipe'], encoding: 'utf8', cwd: bench.directory, env: { ...process.env, STILLPOINT_STORE: bench.store } });
    closeSync(full);
    expect([status, stderr]).toEqual([125, expect.stringMatching(/^stillpoint: E_DISK_FULL: the request is done, and on disk, but its answer cannot be written: .*\n$/)]);
    expect(ok(['txn', 'bank'], 'b 1')).toBe('balance 800\n');
  });

  it.each([
    [['txn', 'nobody'], 'E_RUN_UNKNOWN'], [['txn', 'a/b', '--', 'x'], 'E_RUN_NAME'], [['txn', 'fresh', '--', 'missing.elf'], 'E_PROGRAM_NOT_FOUND'], [['txn', 'bank', '--timeout', 'x'], 'E_USAGE'], [['serve', 'bank'], 'E_USAGE'],
    [['serve', 'bank', '--http', 'x'], 'E_USAGE'], [['serve', 'nobody', '--socket', 'x'], 'E_RUN_UNKNOWN'], [['txn', 'bank', '--max-request', '2'], 'E_REQUEST_SIZE'], [['promote', 'bank'], 'E_USAGE'], [['promote', 'nobody'], 'E_RUN_UNKNOWN'], [['savepoint', 'nobody'], 'E_RUN_UNKNOWN'],
  ])('%j is %s in one line', (words, expected) => {
    expect(complaint(bench.stillpoint(words, 's and more\n'))).toBe(expected);
  });
});

describe('serve', () => {
  it('answers at a socket, survives kill -9 with every answer, and rests at a checkpoint after SIGTERM', async () => {
    const socket = bench.path('s.sock');
    const log = bench.path('served');
    const first = bench.start(['serve', 'shop', '--socket', socket, '--out', `log=${log}`, '--memory', '16M', '--', ledger]);
    await serving(socket);
    expect(complaint(bench.stillpoint(['txn', 'shop'], 's'))).toBe('E_RUN_OWNED');
    for (let count = 1; count <= 30; count++) expect(await post(socket, 't 1 2 1')).toEqual({ status: 200, body: `ok ${1000 - count} ${1000 + count}\n` });
    expect((await post(socket, 'c 1 2 1')).status).toBe(422);
    first.kill('SIGKILL');
    await first.ended;
    const second = bench.start(['serve', 'shop', '--socket', socket]);
    await serving(socket);
    expect(await post(socket, 'b 1')).toEqual({ status: 200, body: 'balance 970\n' });
    second.kill('SIGTERM');
    expect(await second.ended).toEqual({ status: 0, stdout: `shop: serving at ${socket}\n`, stderr: 'stillpoint: stopped; go on with: stillpoint serve shop\n' });
    expect(ok(['txn', 'shop'], 'b 2\n')).toBe('balance 1030\n');
    expect(readFileSync(log, 'utf8')).toBe('1 2 1\n'.repeat(30));
    expect(ok(['replay', 'shop'])).toContain('identical');
  });
});

describe('a shell with undo', () => {
  it('savepoint, rollback; branch, promote', () => {
    expect(ok(['txn', 'shell', '--', BUSYBOX, 'sh'], 'mkdir /tmp/work; cd /tmp/work; echo precious > file; x=1; pwd\n')).toBe('/tmp/work\n');
    expect(ok(['savepoint', 'shell', '--name', 'before'])).toMatch(/^shell@[0-9]+ is before\n$/);
    expect(ok(['txn', 'shell'], 'rm -rf /tmp/work; x=2; ls /tmp\n')).toBe('');
    ok(['branch', 'shell@before', 'careful']);
    expect(ok(['txn', 'careful'], 'echo more >> file; cat file; echo $x\n')).toBe('precious\nmore\n1\n');
    ok(['rollback', 'shell', '--to', 'before']);
    expect(ok(['txn', 'shell'], 'cat file; echo $x\n')).toBe('precious\n1\n');
    expect(ok(['promote', 'careful', '--keep', 'plain'])).toBe('shell: what careful was; what it was before is plain\n');
    expect(ok(['txn', 'shell'], 'cat file\n')).toBe('precious\nmore\n');
    expect(ok(['txn', 'plain'], 'cat file\n')).toBe('precious\n');
    expect(complaint(bench.stillpoint(['txn', 'careful'], 'x'))).toBe('E_RUN_UNKNOWN');
    expect(complaint(bench.stillpoint(['promote', 'shell']))).toBe('E_USAGE'); // Its parent's name is its own now.
    expect(ok(['gc'])).toContain('checkpoints dropped');
    for (const name of ['shell', 'plain']) expect(ok(['replay', name])).toContain('identical');
    expect(ok(['fsck'])).toContain('sound');
  });

  it('what the program says on standard error is shown, and is no failure', () => {
    const seen = bench.stillpoint(['txn', 'shell'], 'cat nothing\n');
    expect([seen.status, seen.stdout, seen.stderr]).toEqual([0, '', "cat: can't open 'nothing': No such file or directory\n"]);
  });

  it('promote removes what it replaces when no name for it is given', () => {
    ok(['branch', 'shell', 'try-1']);
    expect(JSON.parse(ok(['promote', 'try-1', '--json']))).toMatchObject({ name: 'shell', branch: 'try-1' });
    expect(ok(['ls'])).not.toContain('try-1');
    ok(['branch', 'shell', 'try-2']);
    writeFileSync(bench.path('request'), 'exit 3\n');
    expect(complaint(bench.stillpoint(['txn', 'shell'], 'exit 3\n'))).toBe('E_TXN_EXIT');
    expect(complaint(bench.stillpoint(['promote', 'try-2', '--onto', 'nobody']))).toBe('E_RUN_UNKNOWN');
    expect(complaint(bench.stillpoint(['promote', 'try-2', '--keep', 'plain']))).toBe('E_RUN_EXISTS');
    expect(complaint(bench.stillpoint(['promote', 'try-2', '--keep', 'a/b']))).toBe('E_RUN_NAME');
  });
});
