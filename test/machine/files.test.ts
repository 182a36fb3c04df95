/** Transactions of a machine with files of the host, recorded time and recorded randomness: what was undone is journaled nowhere, what was committed replays. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { openMachine, openMachineRun, replayRun } from '../../src/index.ts';
import { ask, guestProgram, scratch, waiting } from './rig.ts';

const directory = scratch();
afterAll(directory.remove);

it('chunks, time and randomness that a rollback took back are asked for again', async () => {
  const [store, data, app, table] = ['store', 'data', 'app', 'table'].map((name) => join(directory.path, name)) as [string, string, string, string];
  writeFileSync(data, '.'.repeat(200_000));
  writeFileSync(app, 'old\n');
  writeFileSync(table, Array.from({ length: 30_000 }, (_, index) => String(index).padStart(8, '0')).join(''));
  const machine = await waiting(await openMachine({ program: guestProgram('files'), rw: [`data=${data}`], append: [`app=${app}`], in: [`table=${table}`], clock: 'recorded', entropy: 'recorded', store, name: 'files', memory: '16M' }));
  const root = machine.root();
  let transaction = machine.begin();
  expect([await ask(transaction, 'w 100 abcd'), await ask(transaction, 'a never'), await ask(transaction, 'i 160000')]).toEqual(['abcd....', 'ok', '00020000']);
  await ask(transaction, 't');
  await transaction.abort();
  expect(machine.root()).toBe(root);
  await machine.transact(async (inner) => { for (const request of ['w 70000 one.', 'a one', 'i 160000', 't']) await ask(inner, request); });
  const branch = machine.branch();
  await branch.transact(async (inner) => { for (const request of ['w 140000 two.', 'a two', 'i 8', 'i 160008', 't']) await ask(inner, request); });
  await machine.promote(branch);
  transaction = machine.begin();
  const savepoint = transaction.savepoint();
  await ask(transaction, 'w 8 none');
  await ask(transaction, 'i 80000');
  savepoint.rollback();
  expect([await ask(transaction, 'w 8 kept'), await ask(transaction, 'i 80000')]).toEqual(['kept....', '00010000']);
  await transaction.commit();
  transaction = machine.begin();
  for (const request of ['w 16 prep', 'a three', 'i 200000', 't']) await ask(transaction, request);
  await transaction.prepare('tx');
  const prepared = machine.root();
  await machine.close();
  const again = await openMachineRun({ name: 'files', store });
  await again.resolve('tx', 'commit');
  expect(again.root()).toBe(prepared);
  expect(await again.transact((inner) => ask(inner, 'i 200000'))).toBe('00025000');
  await again.transact(async (inner) => {
    inner.end('stdin');
    await inner.run({ kind: 'exit' });
  });
  await again.close();
  expect(readFileSync(app, 'latin1')).toBe('old\none\ntwo\nthree\n');
  const held = readFileSync(data, 'latin1');
  expect([8, 16, 100, 70_000, 140_000].map((offset) => held.slice(offset, offset + 4))).toEqual(['kept', 'prep', '....', 'one.', 'two.']);
  const verified = await replayRun({ name: 'files', store, comparesFiles: true }, {});
  expect(verified.files.map(({ state }) => state)).toEqual(['equal', 'equal']);
});
