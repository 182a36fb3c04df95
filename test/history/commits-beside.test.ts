/**
 * Commits beside the guests of a cluster's process, with the built workers on a real store: the same records as in place, whoever lost the run changes nothing, what was refused
 * can be tried again, and a process that is killed with commits under way has lost nothing that it was told is durable.
 */
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import { ChannelSet } from '../../src/channel/index.ts';
import type { FreshFrame } from '../../src/journal/index.ts';
import { CommitsBeside, inputsAheadOf } from '../../src/session/commits-beside.ts';
import { Thread } from '../../src/session/thread.ts';
import { packBatch, unpackBatch } from '../../src/session/parcel.ts';
import { Recording } from '../../src/session/recording.ts';
import { SnapshotWriter } from '../../src/snapshot/index.ts';
import { MemoryStore, TABLES, type Store, type StoreBatch } from '../../src/store/index.ts';
import { openLmdbStore, type LmdbStore } from '../../src/store/live/lmdb-store.ts';
import { createRun, openJournal, openRun, readRun, type StoreContext } from '../../src/txn/index.ts';
import { at, digests } from '../journal/support.ts';
import { allDead, generator, newRun, owner } from '../txn/support.ts';

const WORKERS = pathToFileURL(`${resolve(import.meta.dirname, '../../dist/src/session')}/`);
const CHILD = resolve(import.meta.dirname, 'commits-child.mjs');
const base = mkdtempSync(join(tmpdir(), 'stillpoint-commits-'));
afterAll(() => rmSync(base, { recursive: true, force: true }));
let count = 0;

interface Scene { readonly inner: LmdbStore; readonly beside: CommitsBeside; readonly context: StoreContext; readonly recording: Recording }

async function recordingOn(store: Store): Promise<Recording> {
  const context = { store, digests };
  const writer = await createRun(context, newRun('one'));
  return new Recording({ writer, snapshots: new SnapshotWriter(store, digests), inputsAhead: inputsAheadOf(context), channels: new ChannelSet([], digests), wallClock: () => 0 });
}

/** A recording whose threads have started. */
async function scene(work: (scene: Scene) => Promise<void>): Promise<void> {
  expect(existsSync(new URL('commit-worker.js', WORKERS)), 'npm run build comes first').toBe(true);
  const inner = await openLmdbStore({ directory: join(base, `store-${count++}`), mode: 'create' });
  const beside = new CommitsBeside(inner, WORKERS);
  try {
    const recording = await recordingOn(beside);
    for (const frame of INPUTS.slice(0, 16)) recording.append(frame);
    await recording.commitTail(at(1n), NOTHING);
    while (!beside.isReady) await new Promise((done) => { setTimeout(done, 5); });
    await work({ inner, beside, context: { store: beside, digests }, recording });
  } finally {
    await beside.close();
    await inner.close();
  }
}

const NOTHING = { written: [], outputs: new Map() };
/** Inputs of all sizes, small ones in their frames, one larger than a slab. */
const INPUTS: readonly FreshFrame[] = (() => {
  const random = generator(7);
  let offset = 0;
  return Array.from({ length: 60 }, (_, index): FreshFrame => {
    const bytes = new Uint8Array(index < 16 ? 100_000 : index === 30 ? 700_000 : Math.ceil(random() ** 3 * 300_000)).map(() => Math.floor(random() * 256));
    return { kind: 'input', at: at(BigInt(Math.max(0, index - 15))), channel: 'stdin', offset: (offset += bytes.length) - bytes.length, bytes, isFinal: index % 2 === 0 };
  });
})();

/** Everything that is stored of the journal, as text. */
function stored(store: Store): readonly string[] {
  return (['frames', 'blobs'] as const).flatMap((table) => [...store.range(table, { from: new Uint8Array(1), to: new Uint8Array(64).fill(255) })].map(({ key, value }) => `${table} ${Buffer.from(key).toString('hex')} ${digests.sha256(value)}`));
}

describe('commits beside the guest', () => {
  it('store what commits in place do, in the order of the frames, while more frames come', async () => {
    const memory = new MemoryStore();
    const inPlace = await recordingOn(memory);
    for (const frame of INPUTS) inPlace.append(frame);
    await inPlace.commitTail(at(50n), NOTHING);
    await scene(async ({ inner, context, recording }) => {
      const random = generator(8);
      for (const frame of INPUTS.slice(16)) {
        recording.append(frame);
        if (!recording.isBusy && random() < 0.3) void recording.beginTail(frame.at, NOTHING);
        if (random() < 0.5) await new Promise((done) => { setImmediate(done); });
      }
      await recording.commitTail(at(50n), NOTHING);
      expect([recording.hasPending, recording.isBusy]).toEqual([false, false]);
      expect(stored(inner)).toEqual(stored(memory));
      openJournal(context, readRun(context, 'one')).verify();
    });
  }, 60_000);

  it('of somebody who has lost the run change nothing, and end the session', async () => scene(async ({ inner, context, recording }) => {
    const other = await openRun(context, { name: 'one', owner: owner('other'), isAlive: allDead });
    const before = stored(inner);
    for (const frame of INPUTS.slice(16, 40)) recording.append(frame);
    await expect(recording.beginTail(at(40n), NOTHING)).rejects.toMatchObject({ code: 'E_RUN_FENCED' });
    expect(() => recording.mustBeWell()).toThrow(/./);
    expect(stored(inner)).toEqual(before);
    await other.close();
  }), 60_000);

  it('that were refused can be tried again, with their inputs', async () => scene(async ({ inner, beside }) => {
    const [frame] = INPUTS.slice(20);
    const bytes = (frame as { bytes: Uint8Array }).bytes;
    const memory = beside.memory(bytes.length);
    new Uint8Array(memory).set(bytes);
    const prepared = beside.name([await beside.hash(memory, [bytes.length])]);
    const key = Uint8Array.of(1, 2, 3);
    expect(await beside.commit({ expect: [{ table: 'meta', key, value: key }], prepared })).toBe('conflict');
    const before = inner.usage().tables.blobs.entries;
    expect(await beside.commit({ expect: [{ table: 'meta', key, value: undefined }], puts: [{ table: 'meta', key, value: key }], prepared })).toBe('done');
    expect([inner.usage().tables.blobs.entries, Uint8Array.from(beside.get('meta', key)!)]).toEqual([before + 1, key]);
  }), 60_000);

  it('that were asked for before a close are made; later ones fail', async () => scene(async ({ inner, beside, recording }) => {
    for (const frame of INPUTS.slice(16)) recording.append(frame);
    const commit = recording.beginTail(at(50n), NOTHING);
    commit.catch(() => {});
    await beside.close();
    await commit.catch((error: unknown) => { expect(error).toMatchObject({ code: 'E_INTERNAL' }); });
    await expect(beside.commit({})).rejects.toMatchObject({ code: 'E_INTERNAL' });
    const again = await openRun({ store: inner, digests }, { name: 'one', owner: owner('again'), isAlive: allDead });
    openJournal({ store: inner, digests }, again.record).verify();
    expect(again.tail.count).toBeGreaterThanOrEqual(17);
    await again.close();
  }), 60_000);

  it('of a thread that is still starting are waited for by a close: ended inside a transaction of LMDB it would keep the lock', async () => {
    const workers = join(base, 'slow-workers');
    mkdirSync(workers);
    const marker = join(workers, 'finished');
    writeFileSync(join(workers, 'hash-worker.js'), '');
    writeFileSync(join(workers, 'commit-worker.js'), `const { parentPort } = require('node:worker_threads');
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 200);
      parentPort.on('message', ({ kind, id }) => { require('node:fs').writeFileSync(${JSON.stringify(marker)}, kind); parentPort.postMessage({ kind: 'finished', id }); });`);
    const inner = await openLmdbStore({ directory: join(base, `store-${count++}`), mode: 'create' });
    const beside = new CommitsBeside(inner, pathToFileURL(`${workers}/`));
    const recording = await recordingOn(beside);
    for (const frame of INPUTS.slice(0, 16)) recording.append(frame);
    await recording.commitTail(at(1n), NOTHING);
    await beside.close();
    expect(readFileSync(marker, 'utf8')).toBe('finish');
    await inner.close();
  }, 30_000);

  it.each([0.5, 4, 12])('of a process that is killed %d ms after it asked for one are there or not, and the ones before it are', async (milliseconds) => {
    const directory = join(base, `killed-${count++}`);
    const child = spawn(process.execPath, [CHILD, directory, WORKERS.href, String(milliseconds)], { stdio: ['ignore', 'pipe', 'inherit'] });
    let text = '';
    child.stdout.on('data', (bytes: Buffer) => { text += bytes.toString(); });
    const signal = await new Promise((done) => { child.on('close', (_, by) => { done(by); }); });
    const durable = Number(text.trim().split('\n').at(-1));
    expect([signal, durable > 100]).toEqual(['SIGKILL', true]);
    const store = await openLmdbStore({ directory, mode: 'existing' });
    try {
      const context = { store, digests };
      const journal = openJournal(context, readRun(context, 'one'));
      journal.verify();
      const frames = [...journal.frames()].filter(({ frame }) => frame.kind === 'input');
      expect(frames.length).toBeGreaterThanOrEqual(durable);
      for (const [index, { frame }] of frames.entries()) if (frame.kind === 'input') expect(new DataView(journal.inputBytes(frame).buffer).getUint32(0)).toBe(index);
    } finally {
      await store.close();
    }
  }, 60_000);
});

describe('a parcel', () => {
  it('gives back the batch that was packed', () => {
    const random = generator(9);
    const bytes = (): Uint8Array => new Uint8Array(Math.floor(random() * 50)).map(() => Math.floor(random() * 256));
    const batch: StoreBatch = {
      deletes: TABLES.map((table) => ({ table, key: bytes() })), puts: TABLES.map((table) => ({ table, key: bytes(), value: bytes() })),
      expect: TABLES.map((table, index) => ({ table, key: bytes(), value: index % 3 === 0 ? undefined : bytes() })),
    };
    expect(unpackBatch(packBatch(batch))).toEqual(batch);
    expect(unpackBatch(packBatch({}))).toEqual({ deletes: [], expect: [], puts: [] });
  });
});

it.each(['E_STORE_BUSY', 'E_DISK_FULL'])('a thread that cannot open its store ends with what the store said: %s', async (code) => {
  const source = `class StillpointError extends Error { code = '${code}'; data = { process: '7' } } throw new StillpointError('why')`;
  const thread = new Thread(new URL(`data:text/javascript,${encodeURIComponent(source)}`), { setup: undefined, name: 'fails', takes: () => false });
  await expect(thread.ask({ id: 1 })).rejects.toMatchObject({ name: 'StillpointError', code, message: 'why', data: { process: '7' } });
});
