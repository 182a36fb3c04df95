/** All ports through the conformance suites, and what only files, pipes and terminals can do wrong. */
import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { afterAll, describe, expect, test } from 'vitest';
import { FileInput } from '../../src/channel/live/file-input.ts';
import { HostFile } from '../../src/channel/live/host-file.ts';
import { MemoryFile, MemoryInput } from '../../src/channel/live/memory-port.ts';
import { openPort } from '../../src/channel/live/open-port.ts';
import { StreamInput } from '../../src/channel/live/stream-input.ts';
import type { HostPort } from '../../src/channel/index.ts';
import { feedFromPort, pattern, random, single, specOf, type Kind } from './helpers.ts';
import { randomInputConformance, randomOutputConformance, sequentialInputConformance, sequentialOutputConformance } from './port-conformance.ts';

const directory = fs.mkdtempSync(join(tmpdir(), 'stillpoint-ports-'));
const children: ChildProcess[] = [];
afterAll(() => {
  for (const child of children) child.kill('SIGKILL');
  fs.rmSync(directory, { recursive: true });
});
let files = 0;

function fresh(content?: Uint8Array): string {
  const path = join(directory, `f${files++}`);
  if (content !== undefined) fs.writeFileSync(path, content);
  return path;
}

function open(kind: Kind, path: string, options: { readonly size?: number; readonly resume?: boolean } = {}): Promise<HostPort> {
  return openPort(specOf(kind, { size: options.size ?? 0 }), { kind: 'file', path }, { resume: options.resume ?? false });
}

function fifo(): string {
  const path = fresh();
  execFileSync('mkfifo', [path]);
  return path;
}

function shell(command: string): ChildProcess {
  const child = spawn('sh', ['-c', command], { stdio: ['ignore', 'ignore', 'inherit'] });
  children.push(child);
  return child;
}

describe('input', () => {
  sequentialInputConformance('memory', async (content) => new MemoryInput(content, { chunkBytes: () => 1000 }));
  sequentialInputConformance('file as a stream', (content) => open('seqro', fresh(content)));
  sequentialInputConformance('node stream', async (content) => {
    const stream = new PassThrough();
    for (let at = 0; at < content.length; at += 7000) stream.write(content.subarray(at, at + 7000));
    stream.end();
    return new StreamInput(stream, { channel: 'c', path: 'stream', owned: true });
  });
  sequentialInputConformance('FIFO', async (content) => {
    const [path, source] = [fifo(), fresh(content)];
    shell(`cat ${source} > ${path}`);
    return open('seqro', path);
  });
  randomInputConformance('memory', async (content) => new MemoryFile('random', content));
  randomInputConformance('file', (content) => open('ranro', fresh(content), { size: content.length }));
  randomInputConformance('read-write file', (content) => open('ranrw', fresh(content), { size: content.length }));
  randomInputConformance('append file', (content) => open('append', fresh(content), { size: content.length }));
});

describe('output', () => {
  const none = new Uint8Array(0);
  sequentialOutputConformance('memory', async () => {
    const port = new MemoryFile('sequential');
    return { port, content: async () => port.bytes };
  }, { base: none, canRewind: true });
  sequentialOutputConformance('memory, append', async () => {
    const port = new MemoryFile('append', pattern(100, 2));
    return { port, content: async () => port.bytes };
  }, { base: pattern(100, 2), canRewind: true });
  sequentialOutputConformance('file', async () => {
    const path = fresh(pattern(10));
    return { port: await open('seqwo', path), content: async () => fs.readFileSync(path) };
  }, { base: none, canRewind: true });
  sequentialOutputConformance('append file', async () => {
    const path = fresh(pattern(100, 2));
    return { port: await open('append', path, { size: 100 }), content: async () => fs.readFileSync(path) };
  }, { base: pattern(100, 2), canRewind: true });
  sequentialOutputConformance('FIFO', async () => {
    const [path, sink] = [fifo(), fresh()];
    const reader = shell(`cat ${path} > ${sink}`);
    const ended = once(reader, 'exit');
    return { port: await open('seqwo', path), content: () => ended.then(() => fs.readFileSync(sink)) };
  }, { base: none, canRewind: false });
  randomOutputConformance('memory', async (content) => {
    const port = new MemoryFile('random', content);
    return { port, content: async () => port.bytes };
  });
  randomOutputConformance('file', async (content) => {
    const path = fresh(content);
    return { port: await open('ranrw', path, { size: content.length }), content: async () => fs.readFileSync(path) };
  });
});

describe('files that are not what they were', () => {
  const fails = (rule: string, code: string, act: () => Promise<unknown>): void => test(rule, () => expect(act()).rejects.toMatchObject({ code }));
  fails('missing', 'E_CHANNEL_OPEN', () => open('ranro', fresh()));
  test('what is missing is told in words', async () => {
    await expect(open('ranro', join(directory, 'gone'))).rejects.toThrow(/^channel \w+ \(.*gone\): it is not there; .*--bind.* \(ENOENT\)$/);
  });
  fails('a directory as input', 'E_CHANNEL_OPEN', () => open('ranro', directory));
  fails('a directory as output', 'E_CHANNEL_OPEN', () => open('seqwo', directory));
  fails('a directory that is not there', 'E_CHANNEL_OPEN', () => open('seqwo', join(directory, 'no', 'file')));
  fails('of another size than declared', 'E_CHANNEL_CHANGED', () => open('ranro', fresh(pattern(5)), { size: 6 }));
  fails('of another size than declared, append', 'E_CHANNEL_CHANGED', () => open('append', fresh(pattern(5)), { size: 4 }));
  fails('an output that vanished before a resume', 'E_CHANNEL_OPEN', () => open('seqwo', fresh(), { resume: true }));
  fails('shorter under the run', 'E_CHANNEL_CHANGED', async () => {
    const path = fresh(pattern(100));
    const port = await open('ranro', path, { size: 100 });
    fs.truncateSync(path, 50);
    await port.read({ offset: 0, length: 100 });
  });
  fails('rewritten under the run with the same size', 'E_CHANNEL_CHANGED', async () => {
    const path = fresh(pattern(100));
    const port = await open('ranro', path, { size: 100 });
    fs.utimesSync(path, 1, 1);
    await port.read({ offset: 0, length: 100 });
  });
  fails('appended to by somebody else', 'E_CHANNEL_CHANGED', async () => {
    const path = fresh();
    const port = await open('append', path);
    fs.appendFileSync(path, 'x');
    await port.write([{ kind: 'write', channel: 'c', offset: 0, bytes: pattern(1) }]);
  });
  fails('a read-write file changed by somebody else', 'E_CHANNEL_CHANGED', async () => {
    const path = fresh(pattern(10));
    const port = await open('ranrw', path, { size: 10 });
    await port.write([{ kind: 'write', channel: 'c', offset: 0, bytes: pattern(1) }]);
    fs.appendFileSync(path, 'x');
    await port.read({ offset: 0, length: 1 });
  });
  fails('a disk that is full', 'E_DISK_FULL', async () => {
    const port = await open('seqwo', '/dev/full');
    await port.write([{ kind: 'write', channel: 'c', offset: 0, bytes: pattern(1) }]);
  });

  test('a vanished input keeps its bytes while it is open', async () => {
    const path = fresh(pattern(10));
    const port = await open('ranro', path, { size: 10 });
    fs.rmSync(path);
    expect(await port.read({ offset: 0, length: 10 })).toEqual(pattern(10));
    await port.close();
  });

  test('devices: /dev/null ends at once and takes all, /dev/zero goes on', async () => {
    const none = await open('seqro', '/dev/null');
    expect(await none.read({ offset: 0, length: 5 })).toBeUndefined();
    const zeros = await open('seqro', '/dev/zero');
    expect(await zeros.read({ offset: 0, length: 5 })).toEqual(new Uint8Array(5));
    const sink = await open('seqwo', '/dev/null');
    await sink.write([{ kind: 'write', channel: 'c', offset: 0, bytes: pattern(9) }]);
    for (const port of [none, zeros, sink]) await port.close();
  });
});

describe('pipes', () => {
  test('a slow writer with random cuts gives the guest the same full reads', async () => {
    const content = pattern(100_000);
    for (const seed of [1, 2, 3]) {
      const cut = random(seed);
      const port = new MemoryInput(content, { chunkBytes: () => 1 + cut(5000) });
      const { channel } = single('seqro');
      const lengths: number[] = [];
      for (let bytes = await feedFromPort(channel, port, () => channel.read(4096)); bytes.length > 0; bytes = await feedFromPort(channel, port, () => channel.read(4096))) lengths.push(bytes.length);
      expect(lengths, `seed ${seed}`).toEqual([...new Array<number>(24).fill(4096), 1696]);
    }
  });

  test('a reader that goes away is E_CHANNEL_CLOSED', async () => {
    const path = fifo();
    const reader = shell(`head -c 10 ${path}`);
    const ended = once(reader, 'exit');
    const port = await open('seqwo', path);
    await port.write([{ kind: 'write', channel: 'c', offset: 0, bytes: pattern(10) }]);
    await ended;
    await expect(port.write([{ kind: 'write', channel: 'c', offset: 10, bytes: pattern(10) }])).rejects.toMatchObject({ code: 'E_CHANNEL_CLOSED' });
    await port.close();
  });

  test('bytes that nobody wanted stay in the stream, and a pending wish ends with the port', async () => {
    const stream = new PassThrough();
    stream.write('hello');
    const first = new StreamInput(stream, { channel: 'c', path: 'stream' });
    expect(Buffer.from((await first.read({ offset: 0, length: 2 }))!).toString()).toBe('he');
    await first.close();
    const second = new StreamInput(stream, { channel: 'c', path: 'stream', startsAt: 2 });
    expect(Buffer.from((await second.read({ offset: 2, length: 10 }))!).toString()).toBe('llo');
    const pending = second.read({ offset: 5, length: 1 });
    await second.close();
    await expect(pending).rejects.toMatchObject({ code: 'E_CHANNEL_CLOSED' });
  });

  test('a write that the kernel takes in parts is neither lost nor repeated', async () => {
    const path = fifo();
    const sink = fresh();
    const reader = shell(`sh -c 'dd bs=1000 count=900 status=none; cat' < ${path} > ${sink}`);
    const ended = once(reader, 'exit');
    // Opened non-blocking: the kernel takes what fits and then says EAGAIN.
    let file: HostFile | undefined;
    while (file === undefined) file = await HostFile.open(path, { channel: 'c', flags: fs.constants.O_WRONLY | fs.constants.O_NONBLOCK }).catch(() => undefined);
    const bytes = pattern(2_000_000);
    await file.write(null, bytes);
    await file.close();
    await ended;
    expect(Buffer.compare(fs.readFileSync(sink), bytes)).toBe(0);
  });
});

test('a stream over a file begins at its base and may grow', async () => {
  const path = fresh(pattern(100));
  const port = await FileInput.stream(await HostFile.open(path, { channel: 'c', flags: fs.constants.O_RDONLY }), 40);
  expect(await port.read({ offset: 0, length: 100 })).toEqual(pattern(100).slice(40));
  fs.appendFileSync(path, 'more');
  expect(Buffer.from((await port.read({ offset: 60, length: 100 }))!).toString()).toBe('more');
  fs.truncateSync(path, 10);
  await expect(port.read({ offset: 64, length: 1 })).rejects.toMatchObject({ code: 'E_CHANNEL_CHANGED' });
  await port.close();
});
