/** Real static glibc programs: the same output and end as under qemu-riscv64. */
import { spawnSync } from 'node:child_process';
import * as os from 'node:os';
import { describe, expect, test } from 'vitest';
import { compileProgram, loadProgram, runGuest, type RunOptions } from './run-guest.ts';

const memoryBytes = 256 * 1024 * 1024;

function check(name: string, argv: readonly string[] = [], stdin = ''): void {
  test(`${name} ${argv.join(' ')} equals qemu`, () => {
    const theirs = spawnSync('qemu-riscv64', ['-E', 'HOME=/home', '-0', 'program', compileProgram(name), ...argv], { input: stdin, encoding: 'latin1', env: { PATH: process.env['PATH'] } });
    const ours = runGuest(loadProgram(name), { argv: ['program', ...argv], environment: ['HOME=/home'], stdin, memoryBytes });
    expect(ours.stdout).toBe(theirs.stdout);
    const signals = os.constants.signals as Readonly<Record<string, number>>;
    expect(ours.outcome).toBe(theirs.signal === null ? `exit ${theirs.status}` : `signal ${signals[theirs.signal]}`);
  });
}

describe('programs', () => {
  check('hello', ['a', 'b c', ''], 'one\ntwo\nthree');
  check('memory');
  check('signals');
  check('threads');
  for (const how of ['abort', 'assert', 'segv', 'jump', 'high', 'text', 'recurse', '_exit', 'exit', 'kill', 'return']) check('abort', [how]);
});

function timeLines(clock: NonNullable<RunOptions['clock']>): string[] {
  const result = runGuest(loadProgram('time'), { clock });
  expect(result.outcome).toBe('signal 14');
  return result.stdout.split('\n');
}

describe('clocks', () => {
  const rest = ['ticks 1 cpu 1 usage 0', 'alarm 1', 'sleep -1 1 left 1', 'interval 1000', 'timer 1', 'overruns 2 2', 'ends', ''];
  test('zero: every clock reads 0, sleeps and timers still end', () => expect(timeLines({ kind: 'zero' })).toEqual(['start 0 slept 0 day 0', ...rest]));
  test('virtual: start plus what was slept', () => expect(timeLines({ kind: 'virtual', start: 5_000_000_000n })).toEqual(['start 5 slept 2 day 0', ...rest]));
  test('recorded: supplied values plus what was slept', () => expect(timeLines({ kind: 'recorded' })).toEqual(['start 1700000000 slept 2 day 0', ...rest]));
});

test('the system looks like the small Linux it is', () => {
  const { stdout, outcome } = runGuest(loadProgram('system'), { argv: ['program', '\xff\xc3'] });
  expect(outcome).toBe('exit 0');
  expect(stdout.split('\n')).toEqual([
    'Linux stillpoint 6.1.0-stillpoint riscv64', 'ids 1000 1000 1000 1000 same 1', 'setuid 0 -1', 'files 1024', 'last 7 errno 24', 'a name that is ',
    'cpus 1', 'page 4096 secure 0 entry 1 random 1', 'execfn /bin/program', 'random 8 1', 'wait -1 errno 10', 'nosys -1 38', 'nosys -1 38',
    'exe /bin/program', 'maps 1 stack 1', `ram ${64 * 1024 * 1024}`, '[program][\xff\xc3]', '',
  ]);
});

test('another process can be looked into, as on Linux', () => {
  const { stdout, outcome } = runGuest(loadProgram('other-processes'), { memoryBytes });
  expect(outcome).toBe('exit 0');
  expect(stdout.split('\n')).toEqual([
    'child has: a WORD of the child, shared', 'read 19 a text |of the child', 'own 7', 'edge 6 edge', 'none EFAULT', 'flags EINVAL', 'count EINVAL', 'nobody ESRCH', 'empty 0', 'write 4',
    'shared 6 shared a text of the parent', 'same 0 0 1 EBADF', 'kinds 0 1 1 0 EINVAL', 'ended 7 ESRCH', 'unshare 0 0 EINVAL', 'io 0 16388 EINVAL EPERM ESRCH', '',
  ]);
});

test('a static-pie program runs', () => {
  expect(runGuest(loadProgram('hello', ['-static-pie']), {}).outcome).toBe('exit 42');
});

test('a program waits for ever only as a deadlock', () => {
  expect(runGuest(loadProgram('deadlock')).outcome).toBe('deadlock');
});

test('timers that wake nobody keep no machine busy', () => {
  expect(runGuest(loadProgram('ignored-timer')).outcome).toBe('deadlock');
  expect(runGuest(loadProgram('ignored-timer'), { argv: ['program', 'reads'], stdin: 'seven' })).toMatchObject({ outcome: 'exit 0', stdout: 'seven' });
});
