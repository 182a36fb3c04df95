/** LMDB's environment among others who open and close it: locks that ended with a close, a file that others make grow, a lock file that is none, modes in one process. */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { openLmdbStore, type LmdbStore } from '../../src/store/live/lmdb-store.ts';
import { compileFor } from './compile.ts';
import { key } from './conformance.ts';

const base = mkdtempSync(join(tmpdir(), 'stillpoint-environment-'));
afterAll(() => rmSync(base, { recursive: true, force: true }));
const CHILD = compileFor('test/store/child.ts', ['src/core', 'src/wasm', 'src/store'], join(base, 'compiled'));
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

it('a lock file that is none is an error, not a signal', async () => {
  const directory = await fresh();
  rmSync(join(directory, 'lock.mdb'));
  mkdirSync(join(directory, 'lock.mdb'));
  for (const verb of ['open', 'scan']) {
    const { stdout, stderr, signal } = spawnSync(process.execPath, [CHILD, verb, directory], { encoding: 'utf8' });
    expect([stdout, stderr, signal]).toEqual(['E_STORE_OPEN\n', '', null]);
  }
});

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
