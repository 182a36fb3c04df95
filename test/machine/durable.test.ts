/** Machines of a run: what a commit leaves on disk, prepared transactions, group commit, and that the run is one like any other. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { describeRun, openMachine, openMachineRun, replayRun, type Machine } from '../../src/index.ts';
import { shareStore } from '../../src/machine/shared-store.ts';
import { ask, codeOf, engines, ledger, scratch } from './rig.ts';

const directory = scratch();
afterAll(directory.remove);
const store = join(directory.path, 'store');
const reopen = (name: string): Promise<Machine> => openMachineRun({ name, store });
const logOf = (name: string): string => join(directory.path, `${name}.txt`);
const bank = (name: string, options = {}): Promise<Machine> => ledger({ store, name, out: [`log=${logOf(name)}`], ...options });

it('a machine that cannot begin makes no store', async () => {
  const fresh = join(directory.path, 'fresh');
  writeFileSync(join(directory.path, 'no.elf'), 'not a program');
  expect(await codeOf(() => openMachine({ program: join(directory.path, 'no.elf'), name: 'a', store: fresh }))).toBe('E_ELF_MAGIC');
  expect(existsSync(fresh)).toBe(false);
});

describe('a machine of a run', () => {
  it.each(engines)('opens where it was closed, and replays the same (%s)', async (engine) => {
    const machine = await bank(`again-${engine}`, { engine });
    for (let number = 0; number < 20; number++) {
      const transaction = machine.begin();
      const answer = await ask(transaction, `t ${number} ${number + 1} 5 ${number}`);
      expect(answer.startsWith('ok')).toBe(true);
      expect(existsSync(logOf(`again-${engine}`)) ? readFileSync(logOf(`again-${engine}`), 'latin1') : '', 'nothing is seen before the commit').not.toContain(` 5 ${number}\n`);
      await (number % 4 === 3 ? transaction.abort() : transaction.commit());
    }
    const [root, instructions] = [machine.root(), machine.instructions];
    await machine.close();
    const numbers = readFileSync(logOf(`again-${engine}`), 'latin1').split('\n').slice(0, -1).map((line) => Number(line.split(' ')[3]));
    expect(numbers).toEqual(Array.from({ length: 20 }, (_, number) => number).filter((number) => number % 4 !== 3));
    expect((await replayRun({ name: `again-${engine}`, store, comparesFiles: true }, {})).isIdentical).toBe(true);
    const again = await reopen(`again-${engine}`);
    expect([again.root(), again.instructions]).toEqual([root, instructions]);
    await again.transact((transaction) => ask(transaction, 'q'));
    await again.close();
    const verified = await replayRun({ name: `again-${engine}`, store, comparesFiles: true }, {});
    expect(verified.files.map(({ state }) => state)).toEqual(['equal']);
    expect(await codeOf(() => reopen(`again-${engine}`))).toBe('E_RUN_FINISHED');
  });

  it('keeps what was sent and not read for the next transaction, over a crash of the host too', async () => {
    const machine = await bank('letters');
    const transaction = machine.begin();
    for (const request of ['t 1 2 3', 't 2 3 4', 's']) transaction.send('stdin', request);
    await transaction.run({ kind: 'output', channel: 'log' });
    await transaction.commit();
    const root = machine.root();
    await machine.close();
    const again = await reopen('letters');
    expect(again.root()).toBe(root);
    const rest = again.begin();
    await rest.run();
    expect(rest.readText('stdout')).toBe('ok 997 1003\nok 999 1004\nsum 1000000\n');
    await rest.commit();
    await again.close();
    expect((await replayRun({ name: 'letters', store, comparesFiles: true }, {})).isIdentical).toBe(true);
  });

  it('is owned: a second one is refused, and the store shows a running run', async () => {
    const machine = await bank('owned');
    expect(await codeOf(() => reopen('owned'))).toBe('E_RUN_OWNED');
    await machine.close();
    expect((await describeRun('owned', store)).name).toBe('owned');
  });
});

describe('a prepared transaction', () => {
  it('waits for its decision over a restart, and either decision is exact', async () => {
    const machine = await bank('doubt');
    const before = machine.root();
    let transaction = machine.begin();
    await ask(transaction, 't 1 2 3 1');
    await ask(transaction, 'r');
    await transaction.prepare('tx-1');
    const prepared = machine.root();
    expect(await codeOf(() => transaction.send('stdin', 's'))).toBe('E_TXN_OVER');
    await machine.close();
    const second = await reopen('doubt');
    expect([second.inDoubt, second.root()]).toEqual(['tx-1', before]);
    expect(await codeOf(() => second.begin())).toBe('E_TXN_IN_DOUBT');
    expect(await codeOf(() => second.resolve('tx-2', 'commit'))).toBe('E_USAGE');
    await second.close();
    const third = await reopen('doubt');
    await third.resolve('tx-1', 'commit');
    expect([third.inDoubt, third.root()]).toEqual([undefined, prepared]);
    transaction = third.begin();
    await ask(transaction, 't 5 6 7 2');
    await transaction.prepare('tx-2');
    await third.close();
    const fourth = await reopen('doubt');
    await fourth.resolve('tx-2', 'abort');
    expect([fourth.inDoubt, fourth.root()]).toEqual([undefined, prepared]);
    for (const decision of ['commit', 'abort'] as const) {
      transaction = fourth.begin();
      await ask(transaction, 't 7 8 9 3');
      await transaction.prepare('tx-3');
      await transaction[decision]();
    }
    await fourth.close();
    expect(readFileSync(logOf('doubt'), 'latin1')).toBe('1 2 3 1\n7 8 9 3\n');
    expect((await replayRun({ name: 'doubt', store, comparesFiles: true }, {})).isIdentical).toBe(true);
  });
});

describe('group commit', () => {
  it('makes one commit on disk of what many transactions of many machines ask for at once', async () => {
    const machines = await Promise.all(['one', 'two', 'three'].map((name) => bank(`group-${name}`)));
    const { context, release } = await shareStore(store, 'existing');
    const made = context.store.made;
    const commits: Promise<void>[] = [];
    for (let round = 0; round < 10; round++) {
      for (const machine of machines) {
        const transaction = machine.begin();
        await ask(transaction, `t 1 2 1 ${round}`);
        commits.push(transaction.commit());
      }
    }
    await Promise.all(commits);
    expect(context.store.made - made).toBeLessThan(15);
    await release();
    for (const machine of machines) await machine.close();
    for (const name of ['one', 'two', 'three']) expect(readFileSync(logOf(`group-${name}`), 'latin1').split('\n').length).toBe(11);
  });
});
