/** LMDB's shared counter of transactions, set back by an opener beside a commit: set by hand, and by processes that open, commit and close all the time. */
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { TransactionCounter } from '../../src/store/live/lmdb-counter.ts';
import { lookAtPages, openLmdbStore } from '../../src/store/live/lmdb-store.ts';
import { compileFor } from './compile.ts';
import { key } from './conformance.ts';

const base = mkdtempSync(join(tmpdir(), 'stillpoint-counter-'));
afterAll(() => rmSync(base, { recursive: true, force: true }));
let count = 0;
const fresh = (): string => join(base, `case-${count++}`);
const PROCESSES = ['a', 'b', 'c', 'd'];
const ROUNDS = 60;
/** Written by LMDB to standard error where a store is opened just when the last one closes it, which is tried again. */
const LMDBS_LINE = 'No current read transaction available';

describe('a counter that is wrong', () => {
  it.each([-3, -2, -1, 1, 2])('by %i: the next commit follows the newest one, and reads see that', async (by) => {
    const directory = fresh();
    const store = await openLmdbStore({ directory, mode: 'create' });
    const counter = new TransactionCounter(directory);
    try {
      for (let commit = 0; commit < 12; commit++) {
        // Large enough for both ways in which commits are synced, and pages are freed and used again.
        const puts = Array.from({ length: commit % 3 }, (_, index) => ({ table: 'blobs' as const, key: key(`blob ${index}`), value: new Uint8Array(3000).fill(commit) }));
        expect(await store.commit({ expect: [{ table: 'runs', key: key('last'), value: commit === 0 ? undefined : Uint8Array.of(commit) }], puts: [{ table: 'runs', key: key('last'), value: Uint8Array.of(commit + 1) }, ...puts] })).toBe('done');
        store.refresh();
        expect(counter.set(counter.newest + by)).toBe(true);
        if (by < 0) expect(store.get('runs', key('last'))).toEqual(Buffer.from([commit + 1]));
        if (by < 0) expect(counter.set(counter.newest + by)).toBe(true);
      }
      expect(await store.commit({ puts: [] })).toBe('done');
    } finally {
      counter.close();
      await store.close();
    }
    expect((await lookAtPages(directory)).troubles).toEqual([]);
  });

  it('of a store that this process has not open is not reached', async () => {
    const directory = fresh();
    await (await openLmdbStore({ directory, mode: 'create' })).close();
    const counter = new TransactionCounter(directory);
    expect(counter.newest).toBeGreaterThan(0);
    expect(counter.set(1)).toBe(false);
    counter.raise();
    counter.close();
  });
});

it('processes that open a store while others commit lose nothing', async () => {
  const child = await compileFor('test/store/child.ts', join(base, 'compiled'));
  const directory = fresh();
  await (await openLmdbStore({ directory, mode: 'create' })).close();
  const ends = await Promise.all(PROCESSES.map((name) => new Promise<string>((done) => {
    const process_ = spawn(process.execPath, [child, 'reopen', directory, name, String(ROUNDS)]);
    let text = '';
    for (const stream of [process_.stdout, process_.stderr]) stream.on('data', (bytes) => { text += String(bytes); });
    process_.on('close', () => done(text.replaceAll(LMDBS_LINE, '').trim()));
  })));
  expect(ends).toEqual(PROCESSES.map(() => String(Array.from({ length: ROUNDS }, (_, round) => round % 4 + 1).reduce((sum, commits) => sum + commits, 0))));
  expect((await lookAtPages(directory)).troubles).toEqual([]);
}, 60_000);
