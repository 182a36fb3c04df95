/** A transaction happens or never happened: laws over roots on a machine in memory, in every engine. */
import { describe, expect, it } from 'vitest';
import type { Machine, Savepoint } from '../../src/index.ts';
import { ask, codeOf, engines, ledger, random } from './rig.ts';

interface Point { readonly savepoint: Savepoint; readonly root: string }

describe.each(engines)('a transaction in the engine %s', (engine) => {
  it('that is aborted never happened: memory, files, descriptors, channels, entropy, count', async () => {
    const machine = await ledger({ engine });
    const [root, instructions] = [machine.root(), machine.instructions];
    const transaction = machine.begin();
    const first = await ask(transaction, 'r');
    expect(await ask(transaction, 't 1 2 10')).toBe('ok 990 1010\n');
    expect(transaction.readText('log')).toBe('1 2 10\n');
    expect(await ask(transaction, 'w some words')).toBe('notes 10\n');
    expect(await ask(transaction, 'd 3')).toBe('dirty\n');
    expect(machine.root()).not.toBe(root);
    await transaction.abort();
    expect([machine.root(), machine.instructions]).toEqual([root, instructions]);
    const again = machine.begin();
    expect(await ask(again, 'r')).toBe(first);
    expect(await ask(again, 'w other')).toBe('notes 5\n');
    await again.abort();
    await machine.close();
  });

  it('that fails leaves no trace, and the code says how it failed', async () => {
    const machine = await ledger({ engine });
    const root = machine.root();
    const fails = async (request: string, options = {}): Promise<string> => codeOf(() => machine.transact((transaction) => ask(transaction, request), options));
    expect(await fails('c 1 2 3')).toBe('E_TXN_FAULT');
    expect(await fails('x 7')).toBe('E_TXN_EXIT');
    expect(await fails('l', { maxInstructions: 300_000n })).toBe('E_TXN_CAP');
    expect(await fails('l', { timeoutMs: 5 })).toBe('E_TXN_TIMEOUT');
    expect(await fails('t 1 2 3', { validate: () => 'the bank is closed' })).toBe('E_TXN_REFUSED');
    expect(await codeOf(() => machine.transact(async (transaction) => { await ask(transaction, 't 1 2 3'); throw new Error('mine'); }))).toBe('Error: mine');
    expect(machine.root()).toBe(root);
    await machine.close();
  });

  it('has savepoints to any depth, each rolled back as often as wanted', async () => {
    const machine = await ledger({ engine });
    const transaction = machine.begin();
    const points: Point[] = [];
    for (let depth = 0; depth < 12; depth++) {
      points.push({ savepoint: transaction.savepoint(), root: machine.root() });
      await ask(transaction, depth % 3 === 2 ? `w ${depth}` : `t ${depth} ${depth + 1} 5`);
    }
    for (const depth of [11, 11, 7, 7, 3, 0]) {
      points[depth]!.savepoint.rollback();
      expect(machine.root()).toBe(points[depth]!.root);
      await ask(transaction, 't 9 8 1');
    }
    expect(await codeOf(() => points[5]!.savepoint.rollback())).toBe('E_TXN_OVER');
    await transaction.abort();
    await machine.close();
  });
});

/** A random walk over the operations of a transaction; every rollback is checked against the root that it goes back to. */
async function walk(machine: Machine, seed: number): Promise<void> {
  const draw = random(seed);
  for (let round = 0; round < 4; round++) {
    const before = machine.root();
    const transaction = machine.begin();
    const points: Point[] = [];
    const taken: string[] = [];
    const kept: number[] = [];
    for (let step = 0; step < 10; step++) {
      const choice = draw(8);
      if (choice === 0) {
        points.push({ savepoint: transaction.savepoint(), root: machine.root() });
        kept.push(taken.length);
      } else if (choice === 1 && points.length > 0) {
        const to = draw(points.length);
        points[to]!.savepoint.rollback();
        expect(machine.root(), `seed ${seed}: savepoint and rollback are identity`).toBe(points[to]!.root);
        taken.length = kept[to]!;
        points.length = kept.length = to + 1;
      } else {
        const request = [`t ${draw(1000)} ${draw(1000)} ${draw(50)}`, `w ${'x'.repeat(draw(3000))}`, 'r', `d ${draw(2)}`, 's', `b ${draw(1000)}`][Math.max(0, choice - 2)]!;
        taken.push(request);
        await ask(transaction, request);
      }
    }
    const reached = machine.root();
    await transaction.abort();
    expect(machine.root(), `seed ${seed}: an aborted transaction never happened`).toBe(before);
    const flat = machine.begin();
    for (const request of taken) await ask(flat, request);
    expect(machine.root(), `seed ${seed}: nested is flat`).toBe(reached);
    await flat.commit();
    const fork = machine.fork();
    for (const one of [machine, fork]) await one.transact((inner) => ask(inner, 't 3 4 5'));
    expect(fork.root(), `seed ${seed}: a fork with the same input has the same root`).toBe(machine.root());
    await fork.close();
  }
}

describe('laws on random sequences', () => {
  const seeds = process.env['STILLPOINT_SLOW'] === '1' ? 40 : 1;
  it.each(Array.from({ length: seeds }, (_, index) => index + 1))('seed %i', async (seed) => {
    const machine = await ledger({ engine: engines[seed % engines.length]! });
    await walk(machine, seed);
    await machine.close();
  });
});

describe('a machine', () => {
  it('has one transaction at a time, and an ended one does nothing', async () => {
    const machine = await ledger();
    const transaction = machine.begin();
    expect(await codeOf(() => machine.begin())).toBe('E_TXN_OPEN');
    await transaction.commit();
    expect(await codeOf(() => transaction.send('stdin', 's'))).toBe('E_TXN_OVER');
    expect(await codeOf(() => transaction.commit())).toBe('E_TXN_OVER');
    expect(await codeOf(() => machine.begin().send('nowhere', 's'))).toBe('E_USAGE');
    await machine.close();
    expect(await codeOf(() => machine.begin())).toBe('E_USAGE');
  });

  it('stops at a message, at the wait for input, at the end', async () => {
    const machine = await ledger();
    const transaction = machine.begin();
    transaction.send('stdin', 't 1 2 3');
    expect(await transaction.run({ kind: 'output', channel: 'log' })).toEqual({ kind: 'output', channel: 'log' });
    expect([transaction.readText('log'), transaction.readText('stdout')]).toEqual(['1 2 3\n', '']);
    expect(await transaction.run()).toEqual({ kind: 'waiting', channels: ['stdin'] });
    expect(transaction.readText('stdout')).toBe('ok 997 1003\n');
    transaction.end('stdin');
    expect(await transaction.run({ kind: 'exit' })).toEqual({ kind: 'exited' });
    await transaction.commit();
    expect(machine.hasEnded).toBe(true);
    expect(await codeOf(() => machine.begin())).toBe('E_RUN_FINISHED');
    await machine.close();
  });
});
