/**
 * A machine over a store that holds commits back, loses what was not flushed, and fails: committed means there, and nothing is half there.
 * Output files are real; a crash of the store comes with a process that is gone.
 */
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { createNodeDigests } from '../../src/core/live/digest.ts';
import { openMachineIn, openMachineRunIn } from '../../src/machine/index.ts';
import { MemoryStore } from '../../src/store/index.ts';
import { ask, codeOf, guestProgram, random, scratch } from './rig.ts';

const digests = await createNodeDigests();
const directory = scratch();
afterAll(directory.remove);
const recordsOf = (log: string): readonly number[] => readFileSync(log, 'latin1').split('\n').slice(0, -1).map((line) => Number(line.split(' ')[3]));
const turn = (): Promise<void> => new Promise((resolve) => { setImmediate(resolve); });

/** Flushes until `done` has resolved. */
async function flushed<Result>(store: MemoryStore, done: Promise<Result>): Promise<Result> {
  let isOver = false;
  const watched = done.finally(() => { isOver = true; });
  watched.catch(() => {});
  while (!isOver) {
    store.flush();
    await turn();
  }
  return watched;
}

describe('a disk that loses what was not flushed', () => {
  it.each([1, 2, 3])('every acknowledged transfer is there, no other order is possible (seed %i)', async (seed) => {
    const draw = random(seed);
    const log = join(directory.path, `crash-${seed}`, 'log.txt');
    mkdirSync(join(directory.path, `crash-${seed}`));
    let store = new MemoryStore({ flush: 'by-hand' });
    let machine = await flushed(store, openMachineIn({ store, digests }, { program: guestProgram('ledger'), name: 'bank', out: [`log=${log}`], memory: '16M' }));
    await flushed(store, machine.transact((transaction) => transaction.run()));
    let acknowledged = 0;
    let number = 0;
    for (let life = 0; life < 5; life++) {
      for (let step = 0; step < 12; step++) {
        const transaction = machine.begin();
        const next = ++number;
        await ask(transaction, `t ${draw(1000)} ${draw(1000)} 1 ${next}`);
        transaction.commit().then(() => { acknowledged = next; }, () => {});
        await turn();
        if (draw(3) === 0) store.flush(1 + draw(2));
        for (let turns = draw(4); turns > 0; turns--) await turn();
      }
      const acknowledgedThen = acknowledged;
      store = store.crash(draw(3));
      machine = await flushed(store, openMachineRunIn({ store, digests }, { name: 'bank', isAlive: () => false }));
      const records = recordsOf(log);
      expect(records).toEqual(Array.from({ length: records.length }, (_, index) => index + 1));
      expect(records.length).toBeGreaterThanOrEqual(acknowledgedThen);
      const check = machine.begin();
      expect(await ask(check, 's')).toBe('sum 1000000\n');
      await check.abort();
      number = records.length;
    }
    await flushed(store, machine.close());
  });
});

describe('a disk that fails', () => {
  it('fails the commit, and the machine refuses everything until it is opened again at the last good commit', async () => {
    const store = new MemoryStore();
    const log = join(directory.path, 'full.txt');
    const machine = await openMachineIn({ store, digests }, { program: guestProgram('ledger'), name: 'bank', out: [`log=${log}`], memory: '16M' });
    await machine.transact((transaction) => transaction.run());
    await machine.transact((transaction) => ask(transaction, 't 1 2 3 1'));
    const root = machine.root();
    store.failNextCommit('E_DISK_FULL');
    expect(await codeOf(() => machine.transact((transaction) => ask(transaction, 't 1 2 3 2')))).toBe('E_DISK_FULL');
    expect(await codeOf(() => machine.begin())).toBe('E_DISK_FULL');
    expect(recordsOf(log)).toEqual([1]);
    const again = await openMachineRunIn({ store, digests }, { name: 'bank', isAlive: () => false });
    expect(again.root()).toBe(root);
    await again.transact((transaction) => ask(transaction, 't 1 2 3 2'));
    await again.close();
    expect(recordsOf(log)).toEqual([1, 2]);
  });
});
