/**
 * What a store makes in place is not tried on a disk with less room than it may need (LMDB dies of some failed writes): a format raised, an unfinished commit made again, a store held
 * still. Each is one error, changes nothing, and is done when there is room. The disk is a small file system of its own (tmpfs).
 */
import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { STORE_VERSION } from '../../src/store/index.ts';
import { openLmdbStore, type LmdbStore, type LmdbStoreOptions } from '../../src/store/live/lmdb-store.ts';
import { key } from './conformance.ts';

const disk = mkdtempSync(join(tmpdir(), 'stillpoint-no-room-'));
const filler = join(disk, 'filler');
/** Less than what is asked for, more than LMDB would fail at. */
const ROOM_BYTES = 400 * 1024;

beforeAll(() => { execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=4m', 'tmpfs', disk]); });
afterAll(() => {
  execFileSync('umount', ['-l', disk]);
  rmSync(disk, { recursive: true, force: true });
});

function fill(): void {
  const { bavail, bsize } = statfsSync(disk);
  writeFileSync(filler, new Uint8Array(bavail * bsize - ROOM_BYTES));
}

function golden(version: number): string {
  const directory = join(disk, `store-v${version}`);
  mkdirSync(directory);
  cpSync(join(import.meta.dirname, 'golden', `store-v${version}`), directory, { recursive: true });
  return directory;
}

const open = (directory: string, mode: LmdbStoreOptions['mode'] = 'existing'): Promise<LmdbStore> => openLmdbStore({ directory, mode });
const versionOf = (store: LmdbStore): number => store.get('meta', key('format'))![16]!;
const refuses = (attempt: Promise<unknown>): Promise<void> => expect(attempt).rejects.toMatchObject({ code: 'E_DISK_FULL' });

it('a format is not raised', async () => {
  const directory = golden(3);
  fill();
  await refuses(open(directory));
  const reading = await open(directory, 'read-only');
  expect([versionOf(reading), reading.get('runs', key('golden'))]).toEqual([3, Buffer.alloc(40, 0x5a)]);
  await reading.close();
  rmSync(filler);
  const store = await open(directory);
  expect([versionOf(store), store.get('runs', key('golden'))]).toEqual([STORE_VERSION, Buffer.alloc(40, 0x5a)]);
  await store.close();
});

it('an unfinished commit is not made again', async () => {
  const directory = golden(STORE_VERSION);
  fill();
  await refuses(open(directory));
  await refuses(open(directory, 'read-only')); // A writer finishes it first.
  rmSync(filler);
  const store = await open(directory);
  expect(store.get('runs', key('golden'))).toEqual(Buffer.alloc(40, 0x5a));
  await store.close();
});

it('a store is not held still', async () => {
  const store = await open(join(disk, 'store'), 'create');
  let held = 0;
  fill();
  expect(() => store.holdStill(() => held++)).toThrow(expect.objectContaining({ code: 'E_DISK_FULL' }));
  rmSync(filler);
  expect(held).toBe(0);
  store.holdStill(() => held++);
  expect(held).toBe(1);
  await store.close();
});
