/**
 * Commits with one sync: the format of their seals; the disks that a power cut at any moment may leave under small and large commits of two stores in turns, over several lives
 * of a process; flipped bits; who finishes what. STILLPOINT_SLOW=1: 1500 cuts.
 */
import { spawn } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import type { StoreBatch } from '../../src/store/index.ts';
import { BATCH_BYTES_MAX, decodeSeal, encodeBatch, encodeSeal } from '../../src/store/live/lmdb-seal.ts';
import { openLmdbStore, type LmdbStore } from '../../src/store/live/lmdb-store.ts';
import { RecordedDisk, recorder } from '../machine/power-cut.ts';
import { random } from '../machine/rig.ts';
import { compileFor } from './compile.ts';
import { key } from './conformance.ts';
import { batchOf, valueAt } from './seal/script.ts';

const isSlow = process.env['STILLPOINT_SLOW'] === '1';
const [CUTS, LIVES, COMMITS] = isSlow ? [1500, 6, 60] as const : [60, 3, 20] as const;
/** Disks that must show that the test would notice. */
const CANARIES = Math.ceil(CUTS / 50);
const SEED = Number(process.env['STILLPOINT_SEED'] ?? 5);
const base = mkdtempSync(join(tmpdir(), 'stillpoint-seal-'));
afterAll(() => rmSync(base, { recursive: true, force: true }));
const existing = (directory: string): Promise<LmdbStore> => openLmdbStore({ directory, mode: 'existing' });
const small = (name: string, fill: number): StoreBatch => ({ puts: [{ table: 'runs', key: key(name), value: new Uint8Array(100).fill(fill) }] });

describe('the seal', () => {
  const batch: StoreBatch = { deletes: [{ table: 'marks', key: key('gone') }], puts: [{ table: 'runs', key: key('a'), value: Uint8Array.of(1, 2, 3) }, { table: 'nodes', key: new Uint8Array(511).fill(9), value: new Uint8Array(700).fill(8) }] };
  const place = new Uint8Array(16).fill(7);

  it('comes back as it was', () => {
    expect(decodeSeal(encodeSeal({ transaction: 2 ** 40 + 1, place, batch: encodeBatch(batch) }))).toEqual({ transaction: 2 ** 40 + 1, place, redo: batch });
    expect(decodeSeal(encodeSeal({ transaction: 3, place, batch: undefined }))).toEqual({ transaction: 3, place, redo: undefined });
  });

  it('is none when it is cut or has a flipped bit anywhere', () => {
    const bytes = encodeSeal({ transaction: 77, place, batch: encodeBatch(batch) });
    for (let at = 0; at < bytes.length; at++) {
      expect(decodeSeal(bytes.subarray(0, at)), `cut at ${at}`).toBeUndefined();
      const flipped = Buffer.from(bytes);
      flipped[at]! ^= 1 << (at % 8);
      expect(decodeSeal(flipped), `flipped at ${at}`).toBeUndefined();
    }
  });

  it('takes batches up to its size', () => {
    const of = (bytes: number): Buffer | undefined => encodeBatch({ puts: [{ table: 'runs', key: key('a'), value: new Uint8Array(bytes) }] });
    expect([of(BATCH_BYTES_MAX - 12)?.length, of(BATCH_BYTES_MAX - 11)]).toEqual([BATCH_BYTES_MAX, undefined]);
  });
});

/** Lives of seal/child.ts on a recorded disk, all but the last killed in the midst of a commit. */
async function recorded(disk: string, log: string): Promise<RecordedDisk> {
  const child = await compileFor('test/store/seal/child.ts', join(base, 'compiled'));
  mkdirSync(disk, { recursive: true });
  const draw = random(SEED);
  for (let life = 0; life < LIVES; life++) {
    const lived = spawn(process.execPath, [child, join(disk, 'store')], { stdio: ['ignore', 'pipe', 'inherit'], env: { ...process.env, LD_PRELOAD: recorder(), RECORD_DIRECTORY: disk, RECORD_LOG: log } });
    let said = '';
    let isDoomed = false;
    lived.stdout.on('data', (bytes: Buffer) => {
      if (isDoomed || (said += bytes.toString()).split('ack').length <= COMMITS) return;
      isDoomed = true;
      setTimeout(() => lived.kill('SIGKILL'), draw(4)); // The moment is the subject; nothing waits for it.
    });
    await new Promise<void>((done) => { lived.on('close', () => done()); });
  }
  return new RecordedDisk(disk, log);
}

/** The number of commits that a store holds, and whether it holds exactly those. */
async function content(directory: string): Promise<{ readonly count: number; readonly isWhole: boolean }> {
  const store = await existing(directory);
  const numberAt = (name: string): number => Number(Buffer.from(store.get('runs', key(name)) ?? []).toString() || 0);
  const count = numberAt('count');
  let isWhole = true;
  for (let slot = 0; slot < 20; slot++) {
    const wanted = valueAt(slot, count);
    const found = store.get('blobs', key(`slot ${slot}`));
    isWhole &&= wanted === undefined ? found === undefined : found !== undefined && Buffer.compare(found, wanted) === 0;
  }
  await store.commit(batchOf(count + 1)); // It can be worked with.
  isWhole &&= numberAt('count') === count + 1;
  await store.close();
  return { count, isWhole };
}

it(`${CUTS} power cuts under commits of both kinds (seed ${SEED})`, async () => {
  const disk = join(base, 'disk');
  const recording = await recorded(disk, join(base, 'log'));
  const draw = random(SEED);
  const narrow = recording.narrowMoments;
  let broken = 0;
  // Where commits are cut is the host's choice: some recordings have few moments of the kind that the canary is about.
  for (let turn = 0; turn < CUTS || (broken < CANARIES && turn < 20 * CUTS); turn++) {
    const moment = draw(3) === 0 ? draw(recording.moments + 1) : narrow[draw(narrow.length)]!;
    recording.cut(moment, draw);
    const last = (word: string): number => Math.max(-1, ...[...recording.said(moment).matchAll(new RegExp(`${word} (\\d+)\n`, 'g'))].map(([, number]) => Number(number)));
    const acknowledged = last('ack');
    const store = join(disk, 'store');
    const about = `moment ${moment}`;
    if (acknowledged < 0) continue; // The store was not made yet.
    const aside = join(base, 'aside');
    cpSync(store, aside, { recursive: true });
    const { count, isWhole } = await content(store);
    expect(isWhole, about).toBe(true);
    expect(count, `${about}: what was acknowledged is there`).toBeGreaterThanOrEqual(acknowledged);
    expect(count, `${about}: nothing that was not begun`).toBeLessThanOrEqual(last('begin'));
    // The canary: without the mark, the newest header is believed, as LMDB would.
    const file = join(aside, 'data.mdb');
    writeFileSync(file, readFileSync(file).fill(0, 512, 1024));
    if (!(await content(aside).catch(() => ({ isWhole: false }))).isWhole) broken++;
    rmSync(aside, { recursive: true });
  }
  expect(broken, 'disks on which the newest header is not to be believed').toBeGreaterThanOrEqual(CANARIES);
}, 3_600_000);

describe('who finishes what', () => {
  let cases = 0;
  /** A copy of a store as a killed process leaves it: its last commit has a seal that repeats it. */
  async function left(): Promise<string> {
    const directory = join(base, `case-${cases++}`);
    const store = await openLmdbStore({ directory, mode: 'create' });
    for (const fill of [1, 2, 3]) await store.commit(small('a', fill));
    cpSync(directory, `${directory}-left`, { recursive: true });
    await store.close();
    return `${directory}-left`;
  }
  const last = (store: LmdbStore): number | undefined => store.get('runs', key('a'))?.[0];
  const flip = (directory: string, at: number): void => {
    const bytes = readFileSync(join(directory, 'data.mdb'));
    bytes[at]! ^= 4;
    writeFileSync(join(directory, 'data.mdb'), bytes);
  };
  const newest = (directory: string): number => {
    const bytes = readFileSync(join(directory, 'data.mdb'));
    return bytes.readBigUInt64LE(152) > bytes.readBigUInt64LE(4096 + 152) ? 0 : 4096;
  };

  it.each(['existing', 'read-only'] as const)('whoever opens a copy commits it again: %s', async (mode) => {
    const directory = await left();
    for (const again of [mode, mode, 'existing'] as const) {
      const store = await openLmdbStore({ directory, mode: again });
      expect(last(store)).toBe(3);
      await store.close();
    }
  });

  it('a torn seal: what is before it', async () => {
    const directory = await left();
    flip(directory, newest(directory) + 1100);
    const store = await existing(directory);
    expect(last(store)).toBe(2);
    await store.close();
  });

  it('a store that was closed does not need its seals twice', async () => {
    const directory = await left();
    await (await existing(directory)).close();
    flip(directory, newest(directory) + 1030);
    const store = await openLmdbStore({ directory, mode: 'read-only' });
    expect(last(store)).toBe(3);
    await store.close();
    const size = statSync(join(directory, 'data.mdb')).size;
    await (await existing(directory)).close();
    expect(statSync(join(directory, 'data.mdb')).size, 'opening and closing is no commit').toBe(size);
  });

  it('a seal that claims a commit which never came is no reason to believe one', async () => {
    const directory = join(base, `case-${cases++}`);
    const [one, other] = [await openLmdbStore({ directory, mode: 'create' }), await existing(directory)];
    await one.commit(small('a', 1));
    await expect(other.commit({ puts: [{ table: 'runs', key: new Uint8Array(600), value: Uint8Array.of(1) }] })).rejects.toThrow('511'); // Fails under way.
    expect(await other.commit({ deletes: [{ table: 'runs', key: key('not there') }] })).toBe('done'); // A seal without a transaction.
    for (const fill of [2, 3]) await one.commit(small('a', fill));
    cpSync(directory, `${directory}-left`, { recursive: true });
    await one.close();
    await other.close();
    const copy = await existing(`${directory}-left`);
    expect(last(copy)).toBe(3);
    await copy.close();
  });
});
