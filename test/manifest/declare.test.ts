/** From options and a host to channels: which kind, which path, which binding; and the refusals (scenario 2). */
import { describe, expect, test } from 'vitest';
import { mergeSettings, parseRunOptions, declareRun, type ChannelSpec, type RunOptionTexts } from '../../src/manifest/index.ts';
import { complaint, declare, FakeHost } from './helpers.ts';

function channel(texts: RunOptionTexts, name: string, host = new FakeHost()): ChannelSpec | undefined {
  return declare(texts, host).manifest.channels.find((spec) => spec.name === name);
}

function summary(spec: ChannelSpec | undefined): string {
  if (spec === undefined) return 'none';
  return [spec.path, spec.access, spec.reads ? 'r' : '', spec.writes ? 'w' : '', spec.live ? 'live' : '', spec.seenAs, spec.initialSize].filter((part) => part !== '').join(' ');
}

describe('channels', () => {
  const check = (rule: string, texts: RunOptionTexts, name: string, expected: string, host = new FakeHost()): void => test(rule, () => expect(summary(channel(texts, name, host))).toBe(expected));
  check('standard input from a pipe', {}, 'stdin', '/dev/stdin sequential r pipe 0');
  check('standard input from a file is a stream too', {}, 'stdin', '/dev/stdin sequential r pipe 0', new FakeHost('file'));
  check('standard input from a terminal is live', {}, 'stdin', '/dev/stdin sequential r live character 0', new FakeHost('terminal'));
  check('standard output', {}, 'stdout', '/dev/stdout sequential w pipe 0');
  check('--in of a file', { in: ['d=data.txt'] }, 'd', '/dev/in/d random r file 10');
  check('--in of a FIFO', { in: ['d=pipe'] }, 'd', '/dev/in/d sequential r pipe 0');
  check('--in of a device', { in: ['d=/dev/null'] }, 'd', '/dev/in/d sequential r pipe 0');
  check('--in of a terminal', { in: ['d=/dev/tty'] }, 'd', '/dev/in/d sequential r live character 0');
  check('--in of -', { in: ['d=-'] }, 'd', '/dev/in/d sequential r pipe 0');
  check('--live of a FIFO', { in: ['d=pipe'], live: ['d'] }, 'd', '/dev/in/d sequential r live pipe 0');
  check('--live of standard input', { live: ['stdin'] }, 'stdin', '/dev/stdin sequential r live pipe 0');
  check('--out of a new file', { out: ['o=new'] }, 'o', '/dev/out/o sequential w pipe 0');
  check('--append of a file', { append: ['l=data.txt'] }, 'l', '/dev/rw/l append r w file 10');
  check('--append of a new file', { append: ['l=new'] }, 'l', '/dev/rw/l append r w file 0');
  check('--rw of a file', { rw: ['b=data.txt'] }, 'b', '/dev/rw/b random r w file 10');

  test('channels are in channel order and bound to absolute paths', () => {
    const { manifest, bindings } = declare({ rw: ['b=new'], in: ['a=data.txt', 'Z=-'] });
    expect(manifest.channels.map((spec) => spec.name)).toEqual(['stdin', 'stdout', 'stderr', 'Z', 'a', 'b']);
    expect(Object.fromEntries(bindings.channels)).toEqual({
      stdin: { kind: 'empty' }, stdout: { kind: 'standard', stream: 'stdout' }, stderr: { kind: 'standard', stream: 'stderr' },
      Z: { kind: 'standard', stream: 'stdin' }, a: { kind: 'file', path: '/w/data.txt' }, b: { kind: 'file', path: '/w/new' },
    });
    expect(bindings.program).toBe('/w/prog');
  });

  test('host paths are not part of the manifest', () => {
    expect(declare({ in: ['a=data.txt'] }).manifest).toEqual(declare({ in: ['a=/w/data.txt'] }).manifest);
  });
});

describe('@FILE arguments', () => {
  const check = (rule: string, given: readonly string[], expected: readonly string[], texts: RunOptionTexts = {}): void => test(rule, () => {
    expect(declare({ ...texts, arguments: given }).manifest.arguments).toEqual(['./prog', ...expected]);
  });
  check('become paths of channels', ['-k', '@data.txt', 'x'], ['-k', '/dev/in/data.txt', 'x']);
  check('names are made unique, the ending stays', ['@data.txt', '@sub/data.txt'], ['/dev/in/data.txt', '/dev/in/data-2.txt']);
  check('names of options come first', ['@data.txt'], ['/dev/in/data-2.txt'], { in: ['data.txt=more.txt'] });
  check('one file twice is one channel', ['@data.txt', '@./data.txt'], ['/dev/in/data.txt', '/dev/in/data.txt']);
  check('a file called stdin is not the stream', ['@stdin'], ['/dev/in/stdin-2']);
  check('@@ is a plain @', ['@@data.txt', '@', 'a@b'], ['@data.txt', '@', 'a@b']);
  check('a FIFO works too', ['@pipe'], ['/dev/in/pipe']);
});

describe('the rest of the manifest', () => {
  test('defaults', () => {
    const { channels, ...rest } = declare({ program: '/bin/sort' }).manifest;
    expect(channels.length).toBe(3);
    expect(rest).toEqual({ version: 1, programName: 'sort', arguments: ['/bin/sort'], environment: [], workingDirectory: '/', memoryBytes: 2 ** 30, maxInstructions: null, clock: { kind: 'zero' }, entropy: { kind: 'seed', seed: 0n } });
  });
  test('later variables replace earlier ones in place', () => {
    expect(declare({ env: ['A=1', 'B=2', 'A=3'] }).manifest.environment).toEqual(['A=3', 'B=2']);
  });
  test('options are laid over a file', () => {
    const base = parseRunOptions({ program: 'p', arguments: ['x'], memory: '64M', env: ['A=1'], in: ['d=data.txt', 'e=more.txt'], limit: ['d:gets=1'], clock: 'virtual', name: 'n' });
    const over = parseRunOptions({ memory: '32M', env: ['A=2', 'B=3'], in: ['d=more.txt'], engine: 'interpret' });
    const merged = mergeSettings(base, over);
    const { manifest, bindings } = declareRun(merged, new FakeHost());
    expect(manifest).toMatchObject({ arguments: ['p', 'x'], memoryBytes: 2 ** 25, environment: ['A=2', 'B=3'], clock: { kind: 'virtual' } });
    expect(bindings.channels.get('d')).toEqual({ kind: 'file', path: '/w/more.txt' });
    expect(manifest.channels.find((spec) => spec.name === 'd')!.limits.gets).toBe(1);
    expect(merged.host).toEqual({ name: 'n', engine: 'interpret' });
    expect(mergeSettings(base, parseRunOptions({ program: 'q' })).arguments).toEqual([]);
  });
});

/** Rule, options, code, and what the message must name. */
const REFUSED: readonly (readonly [rule: string, texts: RunOptionTexts, code: string, names: string])[] = [
  ['no program', { program: '' }, 'E_USAGE', 'program'],
  ['a file that is missing', { in: ['d=nothing'] }, 'E_CHANNEL_OPEN', 'option --in: channel d (nothing)'],
  ['an @FILE that is missing', { arguments: ['@nothing'] }, 'E_CHANNEL_OPEN', 'argument @nothing'],
  ['a file that may not be read', { in: ['d=secret'] }, 'E_CHANNEL_OPEN', 'may not be read'],
  ['a file that may not be written', { out: ['d=fixed'] }, 'E_CHANNEL_OPEN', 'may not be written'],
  ['a directory as input', { in: ['d=sub'] }, 'E_CHANNEL_OPEN', 'directory'],
  ['a directory as @FILE', { arguments: ['@sub'] }, 'E_CHANNEL_OPEN', 'directory'],
  ['a directory as output', { out: ['d=sub'] }, 'E_CHANNEL_OPEN', 'directory'],
  ['a unix socket', { in: ['d=socket'] }, 'E_CHANNEL_OPEN', 'neither'],
  ['a block device', { in: ['d=disk'] }, 'E_CHANNEL_OPEN', 'neither'],
  ['--rw of a FIFO', { rw: ['d=pipe'] }, 'E_CHANNEL_DECLARATION', 'regular file'],
  ['--append of a device', { append: ['d=/dev/null'] }, 'E_CHANNEL_DECLARATION', 'regular file'],
  ['--rw of a file that may not be read', { rw: ['d=secret'] }, 'E_CHANNEL_OPEN', 'may not be read'],
  ['one name twice', { in: ['d=data.txt'], out: ['d=new'] }, 'E_CHANNEL_DECLARATION', 'channel d is declared twice'],
  ['the name of a standard stream', { in: ['stdin=data.txt'] }, 'E_CHANNEL_DECLARATION', 'stdin'],
  ['standard input twice', { in: ['a=-', 'b=-'] }, 'E_CHANNEL_DECLARATION', 'bound twice'],
  ['output to -', { out: ['a=-'] }, 'E_CHANNEL_DECLARATION', 'only --in'],
  ['one file read and written', { in: ['a=data.txt'], out: ['b=data.txt'] }, 'E_CHANNEL_DECLARATION', 'both have the file'],
  ['one new file written twice', { out: ['a=new', 'b=./new'] }, 'E_CHANNEL_DECLARATION', 'both have the file'],
  ['an output that is also an argument', { out: ['a=data.txt'], arguments: ['@data.txt'] }, 'E_CHANNEL_DECLARATION', 'both have the file'],
  ['--live of a regular file', { in: ['d=data.txt'], live: ['d'] }, 'E_CHANNEL_DECLARATION', 'cannot be live'],
  ['--live of an output', { live: ['stdout'] }, 'E_CHANNEL_DECLARATION', 'cannot be live'],
  ['--live of nothing', { live: ['nobody'] }, 'E_CHANNEL_DECLARATION', 'no channel nobody; there are stdin, stdout, stderr'],
  ['a limit of nothing', { limit: ['nobody:gets=1'] }, 'E_CHANNEL_DECLARATION', 'no channel nobody'],
  ['a read limit on an output', { limit: ['stdout:gets=1'] }, 'E_CHANNEL_DECLARATION', 'not read'],
  ['a write limit on an input', { limit: ['stdin:put-bytes=1'] }, 'E_CHANNEL_DECLARATION', 'not written'],
  ['limits that leave nothing', { limit: ['stdin:gets=0'] }, 'E_CHANNEL_DECLARATION', 'leave nothing'],
  ['limits that leave nothing on both sides', { rw: ['b=new'], limit: ['b:get-bytes=0,puts=0'] }, 'E_CHANNEL_DECLARATION', 'leave nothing'],
  ['too little memory', { memory: '1M' }, 'E_USAGE', "option --memory: '1M' must be from 2M"],
  ['too much memory', { memory: '5G' }, 'E_USAGE', 'option --memory'],
  ['memory that is no multiple of a page', { memory: '2097153' }, 'E_USAGE', 'option --memory'],
  ['a cap of no instruction', { maxInstructions: '0' }, 'E_USAGE', 'option --max-instructions'],
  ['a relative working directory', { cwd: 'x' }, 'E_USAGE', 'option --workdir'],
  ['a program whose name no file can have', { program: `bin/${'x'.repeat(256)}` }, 'E_PROGRAM_NOT_FOUND', '255 bytes'],
  ['an argument with NUL', { arguments: ['a\0b'] }, 'E_MANIFEST', 'arguments'],
  ['an argument that is no Unicode', { arguments: ['\ud800'] }, 'E_MANIFEST', 'arguments'],
  ['arguments beyond the limit', { arguments: ['x'.repeat(2 ** 21)] }, 'E_MANIFEST', 'arguments'],
  ['an engine that is none', { engine: 'jit' }, 'E_USAGE', 'option --engine'],
  ['too many channels', { in: Array.from({ length: 1030 }, (_, index) => `c${index}=data.txt`) }, 'E_CHANNEL_DECLARATION', 'at most 1024'],
];

describe('refused, by code and name, on one line', () => {
  for (const [rule, texts, code, names] of REFUSED) {
    test(rule, () => {
      const found = complaint(() => declare(texts));
      expect(found.code).toBe(code);
      expect(found.message).toContain(names);
      expect(found.message).not.toContain('\n');
    });
  }
});
