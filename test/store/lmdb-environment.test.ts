/** LMDB's environment among others who open and close it: locks that ended with a close, a file that others make grow, a lock file that is none, modes in one process. */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { afterAll, expect, it } from 'vitest';
import { openLmdbStore, type LmdbStore } from '../../src/store/live/lmdb-store.ts';
import { generator } from '../txn/support.ts';
import { compileFor } from './compile.ts';
import { key } from './conformance.ts';

const base = mkdtempSync(join(tmpdir(), 'stillpoint-environment-'));
afterAll(() => rmSync(base, { recursive: true, force: true }));
const CHILD = await compileFor('test/store/child.ts', join(base, 'compiled'));
let count = 0;
const existing = (directory: string): Promise<LmdbStore> => openLmdbStore({ directory, mode: 'existing' });
const PUT = { table: 'runs', key: key('a'), value: Uint8Array.of(1) } as const;

async function fresh(): Promise<string> {
  const directory = join(base, `case-${count++}`);
  await (await openLmdbStore({ directory, mode: 'create' })).close();
  return directory;
}

/** How often this process has mapped a store's data file. */
function mappings(directory: string): number {
  return readFileSync('/proc/self/maps', 'utf8').split('\n').filter((line) => line.endsWith(join(directory, 'data.mdb'))).length;
}

/** Ends LMDB's locks, as glibc's pthread_mutex_destroy() does: their kind, of a robust one that processes share, becomes -1. */
function endLocks(directory: string): number {
  const path = join(directory, 'lock.mdb');
  const bytes = readFileSync(path);
  let ended = 0;
  for (let at = 0; at < 256; at += 4) {
    if (bytes.readUInt32LE(at) !== 0x90) continue;
    bytes.writeInt32LE(-1, at);
    ended++;
  }
  writeFileSync(path, bytes);
  return ended;
}

it.each(['existing', 'read-only'] as const)('%s: who opens a store just when the last one closes it waits for locks that can be had', async (mode) => {
  const directory = await fresh();
  const closer = spawn(process.execPath, [CHILD, 'hold', directory], { stdio: ['pipe', 'pipe', 'inherit'] });
  await once(closer.stdout, 'data');
  expect(endLocks(directory)).toBe(3);
  const opening = openLmdbStore({ directory, mode });
  setTimeout(() => closer.stdin.end(), 100);
  const store = await opening;
  try {
    expect(store.has('meta', key('format'))).toBe(true);
    if (mode === 'existing') expect(await store.commit({ puts: [PUT] })).toBe('done');
  } finally {
    await store.close();
  }
}, 30_000);

it('a file that another process makes grow is not mapped again: threads that do so at once have it unmap what is not its own', async () => {
  const directory = await fresh();
  const store = await existing(directory);
  try {
    expect(spawnSync(process.execPath, [CHILD, 'reopen', directory, 'other', '60'], { encoding: 'utf8' }).stdout).toBe('150\n');
    expect(store.get('blobs', key('other 7'))?.length).toBe(3000);
    expect(await store.commit({ puts: [PUT] })).toBe('done');
    expect(mappings(directory)).toBe(1);
  } finally {
    await store.close();
  }
}, 30_000);

it.each([['a directory', mkdirSync], ['a link to nothing', (path: string) => symlinkSync('/nowhere/at/all', path)]])('a lock file that is none is an error, not a signal: %s', async (_, make) => {
  const directory = await fresh();
  rmSync(join(directory, 'lock.mdb'));
  make(join(directory, 'lock.mdb'));
  for (const verb of ['open', 'scan']) {
    const { stdout, stderr, signal } = spawnSync(process.execPath, [CHILD, verb, directory], { encoding: 'utf8' });
    expect([stdout, stderr, signal]).toEqual(['E_STORE_OPEN\n', '', null]);
  }
});

const garbage = generator(8);
const word = (offset: number, value: number) => (bytes: Buffer): Buffer => {
  bytes.writeUInt32LE(value, offset);
  return bytes;
};

it.each<[string, (bytes: Buffer) => Buffer]>([
  ['random bytes', (bytes) => bytes.map(() => garbage() * 256) as Buffer], ['zeros', (bytes) => bytes.fill(0)], ['nothing', () => Buffer.alloc(0)], ['half a header', (bytes) => bytes.subarray(0, 100)],
  ['a flipped bit of its magic', word(0, 0xbeefc0df)], ['another format', word(4, 7)], ['more readers than it has room for', word(16, 254)], ['a lock that nobody can hold', word(64, 0x3fff_fff0)],
])('a lock file of %s is refused by all who open the store while it is in use, and made anew afterwards', async (_, damage) => {
  const directory = await fresh();
  const path = join(directory, 'lock.mdb');
  const holder = spawn(process.execPath, [CHILD, 'hold', directory], { stdio: ['pipe', 'pipe', 'inherit'] });
  await once(holder.stdout, 'data');
  const before = readFileSync(path);
  const bytes = damage(Buffer.from(before));
  writeFileSync(path, bytes, { flag: 'r+' }); // In place, as long as it was.
  truncateSync(path, bytes.length);
  const opened = await Promise.all(['open', 'scan', 'scan'].map(async (verb) => {
    const child = spawn(process.execPath, [CHILD, verb, directory]);
    let said = '';
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (text: Buffer) => { said += text.toString(); });
    const [, signal] = await once(child, 'close') as [number | null, NodeJS.Signals | null];
    return [said, signal];
  }));
  expect(opened).toEqual(Array.from({ length: 3 }, () => ['E_STORE_OPEN\n', null]));
  holder.kill('SIGKILL');
  await once(holder, 'close');
  expect(spawnSync(process.execPath, [CHILD, 'count', directory, 'after', '3'], { encoding: 'utf8' })).toMatchObject({ status: 0, stdout: '', stderr: '' });
  expect(spawnSync(process.execPath, [CHILD, 'scan', directory], { encoding: 'utf8' }).stdout).toMatch(/^3 entries/);
}, 30_000);

it('who has a store open for reading only writes nothing, and lets nobody else in the process write', async () => {
  const directory = await fresh();
  const reader = await openLmdbStore({ directory, mode: 'read-only' });
  await expect(existing(directory)).rejects.toMatchObject({ code: 'E_STORE_OPEN', message: expect.stringContaining('for reading only') as string });
  await reader.close();
  const writer = await existing(directory);
  const beside = await openLmdbStore({ directory, mode: 'read-only' });
  expect(await writer.commit({ puts: [PUT] })).toBe('done');
  expect(beside.get('runs', key('a'))?.length).toBe(1);
  await expect(beside.commit({ puts: [PUT] })).rejects.toMatchObject({ code: 'E_STORE_WRITE' });
  await writer.close();
  await (await existing(directory)).close();
  await beside.close();
});

it('a store that is deleted while it is in use takes no commits', async () => {
  const directory = await fresh();
  const store = await existing(directory);
  rmSync(directory, { recursive: true });
  await expect(store.commit({ puts: [PUT] })).rejects.toMatchObject({ code: 'E_STORE_WRITE', message: expect.stringContaining('was deleted while it was in use') as string });
  await store.close();
});

it('a store that has lost its lock file takes no commits, and nobody makes another one beside who uses it', async () => {
  for (const lose of [(lock: string): void => rmSync(lock), (lock: string): void => renameSync(lock, `${lock}.away`), (lock: string): void => { rmSync(lock); writeFileSync(lock, Buffer.alloc(16384)); }]) {
    const directory = await fresh();
    const lock = join(directory, 'lock.mdb');
    const store = await existing(directory);
    expect(await store.commit({ puts: [PUT] })).toBe('done');
    lose(lock);
    const busy = { code: 'E_STORE_BUSY', message: expect.stringContaining(`was removed while process ${process.pid} uses the store`) as string };
    if (!existsSync(lock) && !existsSync(`${lock}.away`)) {
      await expect(openLmdbStore({ directory, mode: 'read-only' })).rejects.toMatchObject(busy);
      await expect(existing(directory)).rejects.toMatchObject(busy);
      expect(existsSync(lock)).toBe(false);
    }
    await expect(store.commit({ puts: [{ ...PUT, key: key('b') }] })).rejects.toMatchObject({ code: 'E_STORE_WRITE', message: expect.stringContaining('lock.mdb was removed or replaced') as string });
    await store.close();
    rmSync(`${lock}.away`, { force: true });
    const again = await existing(directory);
    expect([again.has('runs', PUT.key), again.has('runs', key('b'))]).toEqual([true, false]);
    await again.close();
  }
});

it('a store that is moved takes commits where it is, and a thread that opens it later gets no other one in its place', async () => {
  const directory = await fresh();
  const store = await existing(directory);
  const again = (): Promise<LmdbStore> => openLmdbStore({ ...store.place, mode: 'existing', isChecked: true });
  await (await again()).close();
  renameSync(directory, `${directory}-moved`);
  const moved = { code: 'E_STORE_OPEN', message: expect.stringContaining('moved, deleted or replaced') as string };
  await expect(again()).rejects.toMatchObject(moved);
  await (await openLmdbStore({ directory, mode: 'create' })).close();
  await expect(again()).rejects.toMatchObject(moved);
  expect(await store.commit({ puts: [PUT] })).toBe('done');
  await store.close();
  const found = await existing(`${directory}-moved`);
  expect(found.has('runs', PUT.key)).toBe(true);
  await found.close();
});

it('who would write waits for another thread that reads, and says so in the end', async () => {
  const directory = await fresh();
  const reader = new Worker(new URL(`file://${CHILD}`), { argv: ['look', directory], stdout: true });
  await once(reader.stdout, 'data');
  await expect(existing(directory)).rejects.toMatchObject({ code: 'E_STORE_OPEN', message: expect.stringContaining('another thread of this process has the store open for reading only') as string });
  const opening = existing(directory);
  reader.postMessage('close');
  await once(reader, 'exit');
  const store = await opening;
  expect(await store.commit({ puts: [PUT] })).toBe('done');
  await store.close();
}, 60_000);
