/** Forks that outlive what they came from, and forks that nobody closes. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { afterAll, describe, expect, it } from 'vitest';
import { openMachine, type Machine, type MachineRequest } from '../../src/index.ts';
import { ask, guestProgram, ledger, scratch, waiting } from './rig.ts';

const directory = scratch();
afterAll(directory.remove);

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

/** One request outside of what is kept. */
const asked = (machine: Machine, request: string): Promise<string> => machine.transact((transaction) => ask(transaction, request));

describe('a fork of a machine over an image', () => {
  const files = join(directory.path, 'files');
  mkdirSync(files);
  for (const name of ['one', 'two', 'three', 'four']) writeFileSync(join(files, name), `${name}, ${'x'.repeat(70_000)}`);
  writeFileSync(join(directory.path, 'table'), '');
  const data = ['data', 'app'].map((name) => { writeFileSync(join(directory.path, name), ''); return `${name}=${join(directory.path, name)}`; });
  const request = (more: Partial<MachineRequest>): Promise<Machine> => openMachine({ program: guestProgram('files'), image: [`${files}:/files`], rw: [data[0]!], append: [data[1]!], in: [`table=${join(directory.path, 'table')}`], memory: '16M', ...more });

  it.each([['in a store', { store: join(directory.path, 'store'), name: 'origin' }], ['in memory', {}]] as const)('reads it after the machine was closed: %s', async (_, more) => {
    const machine = await waiting(await request(more));
    const fork = machine.fork();
    const below = fork.fork();
    expect(await asked(machine, 'f /files/one')).toBe('one, xxx');
    await machine.close();
    expect(await asked(fork, 'f /files/two')).toBe('two, xxx');
    await fork.close();
    expect([await asked(below, 'f /files/three'), await asked(below, 'f /files/one'), await asked(below, 'f /files/four')]).toEqual(['three, x', 'one, xxx', 'four, xx']);
    expect([machine.openForks, fork.openForks]).toEqual([1, 1]); // The closed one is needed.
    await below.close();
    expect([machine.openForks, fork.openForks]).toEqual([0, 0]);
  });
});

describe('a fork that nobody closes', () => {
  it('is let go of when it is garbage, with its own forks', async () => {
    const machine = await ledger();
    const drop = async (): Promise<void> => {
      const fork = machine.fork();
      await asked(fork, 'p 1 5');
      fork.fork().fork();
    };
    await drop();
    await asked(machine, 'p 1 7');
    expect(machine.openForks).toBe(1);
    for (let look = 0; look < 200 && machine.openForks > 0; look++) {
      collectGarbage();
      await new Promise((resolve) => { setImmediate(resolve); });
    }
    expect(machine.openForks).toBe(0);
    expect(await asked(machine, 'g 1')).toContain('7');
    await machine.close();
  });
});
