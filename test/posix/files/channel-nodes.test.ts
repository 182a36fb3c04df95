// Channels as the guest's files: directions, offsets, quotas, polling, what stat shows, terminals.
import { expect, test } from 'vitest';
import { AT, O } from '../../../src/posix/files/flags.ts';
import { BASE, FakeChannel, FileMachine } from './machine.ts';

const file = (name: string, access: 'random' | 'append', content: string, parts: { readonly reads?: boolean; readonly writes?: boolean } = {}): FakeChannel =>
  new FakeChannel({ name, path: `/dev/${access === 'append' ? 'out' : 'rw'}/${name}`, access, seenAs: 'file', ...parts }, content);

function modeOf(machine: FileMachine, path: string): string {
  expect(machine.call('newfstatat', AT.FDCWD, path, BASE, 0)).toBe(0);
  return machine.memory.readU32(BASE + 16)!.toString(8);
}

test('a standard stream is descriptor 0, 1, 2 and /dev/stdin leads to it', () => {
  const stdin = new FakeChannel({ name: 'stdin', path: '/dev/stdin', writes: false });
  const stdout = new FakeChannel({ name: 'stdout', path: '/dev/stdout', reads: false, seenAs: 'character' });
  const machine = new FileMachine([stdin, stdout]);
  expect(machine.read(0, 5)).toBe('[blocked]');
  stdin.input.push(...Buffer.from('hello'));
  stdin.ended = true;
  expect(machine.read(0, 5)).toBe('hello');
  expect(machine.read(0, 5)).toBe('');
  expect(machine.write(0, 'x')).toBe('EBADF');
  expect(machine.write(1, 'text')).toBe(4);
  expect(machine.read(1, 1)).toBe('[EBADF]');
  expect(machine.call('lseek', 0, 0, 0)).toBe('ESPIPE');
  expect(machine.call('pread64', 0, BASE, 1, 0)).toBe('ESPIPE');
  expect(modeOf(machine, '/dev/stdin')).toBe('10400');
  expect(modeOf(machine, '/dev/stdout')).toBe('20200');
  expect(machine.open('/dev/stdout', O.WRONLY | O.TRUNC)).toBe(2);
  expect(machine.write(2, '!')).toBe(1);
  expect(Buffer.from(stdout.output).toString()).toBe('text!');
  expect(machine.open('/dev/stdin', O.WRONLY)).toBe('EACCES');
  expect(machine.call('readlinkat', AT.FDCWD, '/proc/self/fd/0', BASE, 100)).toBe('/dev/stdin'.length);
});

test('a terminal has termios and a window of 80 by 24, a pipe has not', () => {
  const machine = new FileMachine([new FakeChannel({ name: 'stdin', path: '/dev/stdin' }), new FakeChannel({ name: 'stdout', path: '/dev/stdout', seenAs: 'character' })]);
  expect(machine.call('ioctl', 0, 0x5401, BASE)).toBe('ENOTTY');
  expect(machine.call('ioctl', 1, 0x5401, BASE)).toBe(0);
  expect(machine.call('ioctl', 1, 0x5413, BASE)).toBe(0);
  expect(machine.memory.readU32(BASE)).toBe(24 | (80 << 16));
});

test('a random channel has an offset of each open file, shared by dup', () => {
  const channel = file('data', 'random', '0123456789');
  const machine = new FileMachine([channel]);
  expect(machine.open('/dev/rw/data', O.RDWR)).toBe(0);
  expect(machine.open('/dev/rw/data', O.RDWR)).toBe(1);
  expect(machine.call('dup', 0)).toBe(2);
  expect(machine.read(0, 3)).toBe('012');
  expect(machine.read(2, 2)).toBe('34');
  expect(machine.read(1, 2)).toBe('01');
  expect(machine.call('lseek', 0, -2, 2)).toBe(8);
  expect(machine.write(2, 'ABC')).toBe(3);
  expect(Buffer.from(channel.bytes).toString()).toBe('01234567ABC');
  expect(machine.call('ftruncate', 0, 4)).toBe(0);
  expect(machine.call('fstat', 0, BASE)).toBe(0);
  expect(machine.memory.readU64(BASE + 48)).toBe(4n);
  channel.blocks = true;
  expect(machine.call('pread64', 0, BASE, 4, 0)).toBe('blocked');
  expect(machine.call('lseek', 0, 0, 1)).toBe(11);
});

test('an append channel writes to its end whatever the offset', () => {
  const channel = file('log', 'append', 'old');
  const machine = new FileMachine([channel]);
  expect(machine.open('/dev/out/log', O.RDWR | O.TRUNC)).toBe(0);
  expect(machine.write(0, '-new')).toBe(4);
  expect(machine.call('pwrite64', 0, 'x', 1, 0)).toBe(1);
  expect(Buffer.from(channel.bytes).toString()).toBe('old-newx');
  expect(machine.call('ftruncate', 0, 0)).toBe('EINVAL');
});

test('a quota is EDQUOT and empty transfers cost nothing', () => {
  const channel = file('data', 'random', 'abcdef');
  channel.quota = 1;
  const machine = new FileMachine([channel]);
  machine.open('/dev/rw/data', O.RDWR);
  expect(machine.read(0, 0)).toBe('');
  expect(machine.write(0, '')).toBe(0);
  expect(channel.operations).toBe(0);
  expect(machine.read(0, 2)).toBe('ab');
  expect(machine.read(0, 2)).toBe('[EDQUOT]');
  expect(machine.write(0, 'x')).toBe('EDQUOT');
  expect(machine.call('write', 0, 8, 4)).toBe('EFAULT');
});

test('polling a stream is ready at once, a live one waits for its input whatever the time-out', () => {
  const live = new FakeChannel({ name: 'stdin', path: '/dev/stdin', live: true, writes: false, seenAs: 'character' });
  const machine = new FileMachine([live, new FakeChannel({ name: 'stdout', path: '/dev/stdout' })]);
  machine.memory.write(BASE, Uint8Array.of(0, 0, 0, 0, 1, 0, 0, 0));
  machine.memory.write(BASE + 64, new Uint8Array(16));
  expect(machine.call('ppoll', BASE, 1, BASE + 64)).toBe('blocked');
  expect(live.asked).toBe(1);
  live.input.push(65);
  expect(machine.call('ppoll', BASE, 1, BASE + 64)).toBe(1);
  expect(machine.memory.readU32(BASE + 4)! >>> 16).toBe(1);
  machine.memory.write(BASE, Uint8Array.of(1, 0, 0, 0, 5, 0, 0, 0));
  expect(machine.call('ppoll', BASE, 1, BASE + 64)).toBe(1);
  expect(machine.memory.readU32(BASE + 4)! >>> 16).toBe(5);
});

test('channel nodes are not to be removed or renamed: their directories belong to root', () => {
  const machine = new FileMachine([file('data', 'random', '')]);
  expect(machine.call('unlinkat', AT.FDCWD, '/dev/rw/data', 0)).toBe('EACCES');
  expect(machine.call('renameat2', AT.FDCWD, '/dev/rw/data', AT.FDCWD, '/tmp/x', 0)).toBe('EACCES');
  expect(machine.call('linkat', AT.FDCWD, '/dev/rw/data', AT.FDCWD, '/tmp/x', 0)).toBe(0);
  expect(machine.open('/dev/in/none', O.RDONLY)).toBe('ENOENT');
});
