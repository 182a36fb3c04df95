// Limits of the machine, blocking without effect, /proc, damage of the section.
import { expect, test } from 'vitest';
import { decodeCanonical, encodeCanonical, limits, StillpointError } from '../../../src/core/index.ts';
import { AT, O } from '../../../src/posix/files/flags.ts';
import { FileContext, fileSystemState, restoreFileSystem } from '../../../src/posix/files/index.ts';
import { BASE, FileMachine } from './machine.ts';

const stateOf = (machine: FileMachine): string => Buffer.from(encodeCanonical([fileSystemState(machine.files), machine.context.state()])).toString('hex');

test('descriptors end at the limit and a full table is noticed before a file is made', () => {
  const machine = new FileMachine();
  for (let number = 0; number < limits.DESCRIPTORS_USUAL; number++) expect(machine.open('/dev/null', O.RDONLY)).toBe(number);
  expect(machine.open('new', O.CREAT | O.WRONLY)).toBe('EMFILE');
  expect(machine.call('pipe2', BASE, 0)).toBe('EMFILE');
  expect(machine.call('close', 17)).toBe(0);
  expect(machine.call('pipe2', BASE, 0)).toBe('EMFILE');
  expect(machine.call('newfstatat', AT.FDCWD, 'new', BASE, 0)).toBe('ENOENT');
  expect(machine.call('dup', 3)).toBe(17);
});

test('files end at GUEST_FILE_BYTES_MAX with EFBIG, the file system at its size with ENOSPC', () => {
  const machine = new FileMachine();
  machine.open('big', O.CREAT | O.RDWR);
  expect(machine.call('ftruncate', 0, limits.GUEST_FILE_BYTES_MAX + 1)).toBe('EFBIG');
  expect(machine.call('ftruncate', 0, limits.GUEST_FILE_BYTES_MAX)).toBe(0);
  expect(machine.call('pwrite64', 0, 'abcd', 4, limits.GUEST_FILE_BYTES_MAX - 2)).toBe(2);
  expect(machine.call('pwrite64', 0, 'abcd', 4, limits.GUEST_FILE_BYTES_MAX)).toBe('EFBIG');
  expect(machine.call('ftruncate', 0, 0)).toBe(0);
  expect(machine.call('fallocate', 0, 0, 0, limits.FILE_BYTES_MAX)).toBe(0);
  machine.open('second', O.CREAT | O.RDWR);
  expect(machine.call('fallocate', 1, 0, 0, limits.FILE_BYTES_MAX)).toBe('ENOSPC');
  expect(machine.call('fallocate', 1, 0, 0, limits.FILE_BYTES_MAX - 65536)).toBe(0);
  expect(machine.call('close', 0)).toBe(0);
  expect(machine.call('unlinkat', AT.FDCWD, 'big', 0)).toBe(0);
  expect(machine.call('fallocate', 1, 0, 0, limits.FILE_BYTES_MAX)).toBe(0);
});

test('a blocked call has no effect, but a large write to a pipe, which moves what has room', () => {
  const machine = new FileMachine();
  machine.call('pipe2', BASE, 0);
  machine.call('eventfd2', 0, 0);
  machine.call('mknodat', AT.FDCWD, 'fifo', 0o010644);
  machine.open('lock', O.CREAT | O.RDWR);
  machine.open('lock', O.RDWR);
  machine.call('flock', 3, 2);
  machine.time = 5n;
  machine.memory.write(BASE + 0x8000, new Uint8Array(65536).fill(65));
  const before = stateOf(machine);
  expect(machine.read(0, 10)).toBe('[blocked]');
  expect(machine.call('read', 2, BASE, 8)).toBe('blocked');
  expect(machine.open('fifo', O.WRONLY)).toBe('blocked');
  expect(machine.call('flock', 4, 2)).toBe('blocked');
  expect(stateOf(machine)).toBe(before);
  expect(machine.write(1, 'x')).toBe(1);
  expect(machine.call('write', 1, BASE + 0x8000, 65000)).toBe(65000);
  const full = stateOf(machine);
  expect(machine.call('write', 1, BASE + 0x8000, 4096)).toBe('blocked');
  expect(machine.call('sendfile', 1, 3, 0, 10)).toBe(0);
  expect(stateOf(machine)).toBe(full);
  expect(machine.call('write', 1, BASE + 0x8000, 65536)).toBe('blocked');
  expect([machine.call('read', 0, BASE, 0x8000), machine.call('read', 0, BASE, 0x8000)]).toEqual([32768, 32768]);
  expect(machine.call('write', 1, BASE + 0x8000, 65536)).toBe(65536);
  expect([machine.call('read', 0, BASE, 0x8000), machine.call('read', 0, BASE, 0x8000)]).toEqual([32768, 32768]);
});

test('a write to a pipe nobody reads raises SIGPIPE', () => {
  const machine = new FileMachine();
  machine.call('pipe2', BASE, 0);
  machine.call('close', 0);
  expect(machine.write(1, 'x')).toBe('EPIPE');
  expect(machine.signals).toEqual([13]);
});

test('a poll ends at its deadline on the hidden time line', () => {
  const machine = new FileMachine();
  machine.call('pipe2', BASE, 0);
  machine.memory.write(BASE + 16, Uint8Array.of(0, 0, 0, 0, 1, 0, 0, 0));
  machine.memory.writeU64(BASE + 32, 0n);
  machine.memory.writeU64(BASE + 40, 1000n);
  machine.hidden = 50n;
  expect(machine.call('ppoll', BASE + 16, 1, BASE + 32)).toBe('blocked');
  expect(machine.thread.retryDeadline).toBe(1050n);
  machine.hidden = 1049n;
  expect(machine.call('ppoll', BASE + 16, 1, BASE + 32)).toBe('blocked');
  machine.hidden = 1050n;
  expect(machine.call('ppoll', BASE + 16, 1, BASE + 32)).toBe(0);
});

test('edge-triggered epoll tells each write once, and a look that finds nothing leaves no trace', () => {
  const machine = new FileMachine();
  machine.call('pipe2', BASE, 0);
  machine.call('epoll_create1', 0);
  machine.memory.writeU32(BASE + 16, 0x8000_0001);
  expect(machine.call('epoll_ctl', 2, 1, 0, BASE + 16)).toBe(0);
  const wait = (timeout: number): number | string => machine.call('epoll_pwait', 2, BASE + 64, 4, timeout);
  expect(machine.write(1, 'a')).toBe(1);
  expect(wait(0)).toBe(1);
  expect(wait(0)).toBe(0);
  expect(machine.write(1, 'b')).toBe(1);
  expect(wait(0)).toBe(1);
  expect(machine.read(0, 9)).toBe('ab');
  const before = stateOf(machine);
  expect(wait(-1)).toBe('blocked');
  expect(stateOf(machine)).toBe(before);
  expect(machine.write(1, 'c')).toBe(1);
  expect(wait(-1)).toBe(1);
});

test('/proc lists and reads what is registered, and nothing can be made in it', () => {
  const machine = new FileMachine();
  machine.files.registerProvider('/proc/[pid]/maps', (pid) => Buffer.from(`maps of ${pid}\n`));
  machine.files.registerProvider('/proc/sys/kernel/ostype', () => Buffer.from('Linux\n'));
  machine.files.registerLink('/proc/[pid]/exe', () => '/bin/program');
  expect(machine.open('/proc/self/maps', O.RDONLY)).toBe(0);
  expect(machine.read(0, 6)).toBe('maps o');
  expect(machine.read(0, 60)).toBe('f 2\n');
  expect(machine.open('/proc/sys/kernel/ostype', O.RDONLY)).toBe(1);
  expect(machine.read(1, 60)).toBe('Linux\n');
  expect(machine.open('/proc/3/maps', O.RDONLY)).toBe('ENOENT');
  expect(machine.open('/proc/new', O.CREAT | O.WRONLY)).toBe('EACCES');
  expect(machine.open('/proc/self/maps', O.WRONLY)).toBe('EACCES');
  expect(machine.call('readlinkat', AT.FDCWD, '/proc/self', BASE, 10)).toBe(1);
  expect(machine.call('readlinkat', AT.FDCWD, '/proc/self/exe', BASE, 100)).toBe(12);
  expect(machine.open('/proc/2/fd', O.RDONLY | O.DIRECTORY)).toBe(2);
  expect(machine.call('getdents64', 2, BASE, 4096)).toBe(5 * 24);
  expect(machine.call('unlinkat', AT.FDCWD, '/proc', AT.REMOVEDIR)).toBe('EBUSY');
  expect(machine.call('chdir', '/proc/self/fd')).toBe(0);
  expect(machine.call('getcwd', BASE, 100)).toBe('/proc/2/fd'.length + 1);
});

test('a damaged section gives E_STATE_FORMAT, never a crash', () => {
  const machine = new FileMachine();
  machine.call('pipe2', BASE, 0);
  machine.open('f', O.CREAT | O.RDWR);
  const host = { clock: { now: () => 0n }, channels: { get: () => undefined } };
  const bytes = encodeCanonical(fileSystemState(machine.files));
  const again = restoreFileSystem(host, { state: decodeCanonical(bytes), objects: [] });
  const context = FileContext.restore(decodeCanonical(encodeCanonical(machine.context.state())), again);
  expect(Buffer.compare(encodeCanonical(fileSystemState(again)), bytes)).toBe(0);
  expect(context.descriptorNumbers()).toEqual([0, 1, 2]);
  let refused = 0;
  for (let at = 0; at < bytes.length; at++) {
    const damaged = bytes.slice();
    damaged[at]! ^= 1 << (at % 8);
    try {
      restoreFileSystem(host, { state: decodeCanonical(damaged), objects: [] });
    } catch (error) {
      expect(error).toBeInstanceOf(StillpointError);
      expect((error as StillpointError).code).toBe('E_STATE_FORMAT');
      refused++;
    }
  }
  expect(refused).toBeGreaterThan(bytes.length / 4);
});
