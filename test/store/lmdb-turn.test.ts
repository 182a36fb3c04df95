/** A process that is stopped in the middle of a commit: who would write waits, is told whom for, and goes on when it is continued or killed; who reads goes on. */
import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeEach, afterEach, describe, expect, it } from 'vitest';
import { lookAtPages, openLmdbStore, type LmdbStore } from '../../src/store/live/lmdb-store.ts';
import { awaitTurn } from '../../src/store/live/lmdb-turn.ts';
import { compileFor } from './compile.ts';
import { key } from './conformance.ts';

const base = mkdtempSync(join(tmpdir(), 'stillpoint-turn-'));
afterAll(() => rmSync(base, { recursive: true, force: true }));
const CHILD = await compileFor('test/store/child.ts', join(base, 'compiled'));
const SHORT = { stoppedMs: 40, idleMs: 60_000, turnsMs: 20 };
const LONG = { ...SHORT, stoppedMs: 60_000 };
const PUT = { table: 'runs', key: key('a'), value: Uint8Array.of(1) } as const;
let count = 0;
let directory = '';
let stopped: ChildProcessWithoutNullStreams;
let before: LmdbStore;
const existing = (patience: typeof SHORT): Promise<LmdbStore> => openLmdbStore({ directory, mode: 'existing', patience });
const busy = (): object => ({ code: 'E_STORE_BUSY', message: expect.stringContaining(`process ${stopped.pid} is stopped in the middle of a commit; continue it (kill -CONT ${stopped.pid}) or end it`) as string });

describe('a process that is stopped in the middle of a commit', () => {
  beforeEach(async () => {
    directory = join(base, `case-${count++}`);
    before = await openLmdbStore({ directory, mode: 'create', patience: SHORT });
    stopped = spawn(process.execPath, [CHILD, 'stop', directory]);
    await once(stopped.stdout, 'data');
  });

  afterEach(async () => {
    if (stopped.kill('SIGKILL')) await once(stopped, 'close');
    await before.close();
    expect((await lookAtPages(directory)).troubles).toEqual([]);
  });

  it('is named to who would open the store for writing, and to who has it open', async () => {
    await expect(existing(SHORT)).rejects.toMatchObject(busy());
    await expect(before.commit({ puts: [PUT] })).rejects.toMatchObject(busy());
    expect(() => before.commitNow({ puts: [PUT] })).toThrow(expect.objectContaining(busy()) as Error);
    expect(before.has('runs', PUT.key)).toBe(false);
  });

  it('keeps nobody from reading', async () => {
    expect(before.has('meta', key('format'))).toBe(true);
    const reader = spawn(process.execPath, [CHILD, 'read', directory]);
    expect(String((await once(reader.stdout, 'data'))[0])).toBe('1 entries\n');
    expect((await lookAtPages(directory)).troubles).toEqual([]);
  });

  it.each(['SIGCONT', 'SIGKILL'] as const)('is waited for, while other things go on, until %s', async (signal) => {
    const opening = existing(LONG);
    await pause(20);
    stopped.kill(signal);
    const store = await opening;
    expect(await store.commit({ puts: [PUT] })).toBe('done');
    expect(before.get('runs', PUT.key)?.length).toBe(1);
    await store.close();
  });
});

it.each<[string, number, number, RegExp]>([['another container\'s', 0x3fff_fff0 & 0x3f_ffff, 30, /a process that is not seen from here/], ['one that lives', process.pid, 30, new RegExp(`process ${process.pid} has been in the middle of a commit for long`)]])('a lock that nobody moves, by %s, is told of', (_, holder, idleMs, says) => {
  const state = Buffer.alloc(60);
  state.writeUInt32LE(holder, 56);
  expect(() => { awaitTurn('/store', () => state, { stoppedMs: 10, idleMs, turnsMs: 1000 }); }).toThrow(says);
});

it.each(['from one to the next', 'with the transactions of one'])('a lock that goes %s is left to LMDB in the end', (kind) => {
  const state = Buffer.alloc(60);
  let turn = 0;
  awaitTurn('/store', () => {
    state.writeUInt32LE(kind === 'from one to the next' ? 100 + ++turn : 100, 56);
    state.writeUInt32LE(++turn);
    return Buffer.from(state);
  }, { stoppedMs: 10, idleMs: 10_000, turnsMs: 50 });
  expect(turn).toBeGreaterThan(5);
});
