/** Transactions beside each other: speculations, branches, readers, and the histories that they leave, judged by a checker that knows no machines. */
import { join } from 'node:path';
import { readFileSync } from 'node:fs';
import { afterAll, describe, expect, it } from 'vitest';
import { openMachineRun, replayRun, type Machine, type Speculation } from '../../src/index.ts';
import { ChangeLog, firstOverlap } from '../../src/txn/index.ts';
import { anomaliesOf, type Access, type Observed } from './history-checker.ts';
import { ask, codeOf, ledger, random, scratch } from './rig.ts';

const directory = scratch();
afterAll(directory.remove);

describe('the checker of histories', () => {
  const read = (register: number, value: number): Access => ({ kind: 'read', register, value });
  const write = (register: number, value: number): Access => ({ kind: 'write', register, value });
  const did = (name: string, operations: readonly Access[], isCommitted = true): Observed => ({ name, isCommitted, operations });

  it('finds nothing in a serial history', () => {
    expect(anomaliesOf([did('a', [read(1, 0), write(1, 10)]), did('b', [read(1, 10), write(1, 11), read(2, 0)]), did('c', [read(2, 0), write(2, 12), read(1, 11)])])).toEqual([]);
  });
  it('finds each anomaly', () => {
    expect(anomaliesOf([did('a', [read(1, 0), write(1, 10)], false), did('b', [read(1, 10)])])).toEqual(['dirty read']);
    expect(anomaliesOf([did('a', [read(1, 0), write(1, 10), write(1, 11)]), did('b', [read(1, 10)])])).toContain('intermediate read');
    expect(anomaliesOf([did('a', [read(1, 0), write(1, 10)]), did('b', [read(1, 0), write(1, 11)])])).toEqual(['lost update']);
    expect(anomaliesOf([did('a', [read(1, 0), read(2, 0), write(1, 10)]), did('b', [read(1, 0), read(2, 0), write(2, 11)])])).toEqual(['write skew']);
    const forked = [did('a', [read(1, 0), write(1, 10)]), did('b', [read(2, 0), write(2, 11)]), did('c', [read(1, 10), read(2, 0)]), did('d', [read(1, 0), read(2, 11)])];
    expect(anomaliesOf(forked)).toEqual(['long fork']);
  });
});

/** A client on one speculation: reads and writes of registers, as it saw them. */
class Client {
  readonly #speculation: Speculation;
  readonly operations: Access[] = [];
  constructor(machine: Machine, conflicts: 'outputs' | 'pages') {
    this.#speculation = machine.beginSpeculation({ conflicts });
  }
  async #ask(request: string): Promise<string> {
    this.#speculation.send('stdin', request);
    await this.#speculation.run();
    return this.#speculation.readText('stdout');
  }
  async read(register: number): Promise<void> {
    this.operations.push({ kind: 'read', register, value: Number((await this.#ask(`g ${register}`)).split(' ')[1]) });
  }
  async write(register: number, value: number): Promise<void> {
    await this.#ask(`p ${register} ${value}`);
    this.operations.push({ kind: 'write', register, value });
  }
  async commit(): Promise<boolean> {
    const code = await codeOf(() => this.#speculation.commit());
    if (code === 'nothing was thrown') return true;
    expect(code).toBe('E_TXN_CONFLICT');
    return false;
  }
  abort = (): Promise<void> => this.#speculation.abort();
}

/** Random clients beside each other, up to four at a time. */
async function play(seed: number, conflicts: 'outputs' | 'pages'): Promise<{ readonly history: readonly Observed[]; readonly lost: number }> {
  const machine = await ledger();
  const draw = random(seed);
  const history: Observed[] = [];
  const clients: Client[] = [];
  let [value, lost] = [0, 0];
  for (let step = 0; step < 60; step++) {
    const choice = draw(6);
    if (clients.length < 4 && (choice === 0 || clients.length === 0)) clients.push(new Client(machine, conflicts));
    const client = clients[draw(clients.length)]!;
    const register = draw(3);
    if (choice === 1 && client.operations.length > 1) {
      clients.splice(clients.indexOf(client), 1);
      const isCommitted = draw(6) === 0 ? (await client.abort(), false) : await client.commit();
      if (!isCommitted) lost++;
      history.push({ name: `t${step}`, isCommitted, operations: client.operations });
    } else {
      await client.read(register);
      if (choice >= 4) await client.write(register, ++value);
    }
  }
  for (const client of clients) await client.abort();
  await machine.close();
  return { history, lost };
}

describe('speculations', () => {
  const seeds = process.env['STILLPOINT_SLOW'] === '1' ? 60 : 2;
  it.each(Array.from({ length: seeds }, (_, index) => index + 1))('leave serializable histories (seed %i)', async (seed) => {
    for (const conflicts of ['outputs', 'pages'] as const) {
      const { history, lost } = await play(seed, conflicts);
      expect(anomaliesOf(history), `seed ${seed}, conflicts ${conflicts}`).toEqual([]);
      expect(lost).toBeGreaterThan(0);
      expect(history.filter(({ isCommitted }) => isCommitted).length).toBeGreaterThan(0);
    }
  });

  it('a loser is tried again from the new state when asked, and the first committer wins by pages', async () => {
    const machine = await ledger();
    let tries = 0;
    const seen = await machine.speculate(async (speculation) => {
      if (++tries === 1) await machine.transact((other) => ask(other, 't 1 2 100'));
      speculation.send('stdin', 'b 1');
      await speculation.run();
      return speculation.readText('stdout');
    });
    expect([seen, tries]).toEqual(['balance 900\n', 2]);
    const blind = machine.beginSpeculation({ conflicts: 'pages' });
    await machine.transact((other) => ask(other, 't 1 2 1'));
    blind.send('stdin', 't 1 3 1');
    await blind.run();
    expect(await codeOf(() => blind.commit())).toBe('E_TXN_CONFLICT');
    const sees = machine.beginSpeculation();
    await machine.transact((other) => ask(other, 't 5 6 1'));
    sees.send('stdin', 't 7 8 1');
    await sees.run();
    expect(sees.readText('stdout')).toBe('ok 999 1001\n');
    await sees.commit();
    expect(await machine.transact((other) => ask(other, 's'))).toBe('sum 1000000\n');
    await machine.close();
  });

  it('change sets meet where they share a page, and are kept while somebody needs them', () => {
    expect(firstOverlap(new Map([['memory/2', [1, 5, 9]], ['file/7', [0]]]), new Map([['memory/2', [2, 9, 10]]]))).toEqual({ object: 'memory/2', page: 9 });
    expect(firstOverlap(new Map([['memory/2', [1]]]), new Map([['file/2', [1]]]))).toBeUndefined();
    const log = new ChangeLog();
    log.open(3);
    log.add(4, new Map([['memory/2', [4]]]));
    expect(log.conflict(3, new Map([['memory/2', [4]]]))).toEqual({ object: 'memory/2', page: 4, number: 4 });
    expect(log.conflict(4, new Map([['memory/2', [4]]]))).toBeUndefined();
    log.close(3);
    expect(log.isWanted).toBe(false);
  });
});

describe('branches and readers', () => {
  it('one of several continuations is kept, on disk too', async () => {
    const store = join(directory.path, 'store');
    const log = join(directory.path, 'kept.txt');
    const machine = await ledger({ store, name: 'branches', out: [`log=${log}`] });
    await machine.transact((transaction) => ask(transaction, 'w some notes'));
    const branches = [machine.branch(), machine.branch(), machine.branch()];
    for (const [index, branch] of branches.entries()) {
      for (let step = 0; step <= index; step++) await branch.transact((transaction) => ask(transaction, `t ${index} ${step + 10} 5 ${index}`));
      await branch.transact((transaction) => ask(transaction, `w branch ${index}`));
    }
    expect(readFileSync(log, 'latin1'), 'a branch writes no file').toBe('');
    const root = branches[1]!.root();
    await machine.promote(branches[1]!);
    expect(machine.root()).toBe(root);
    expect(await codeOf(() => machine.promote(branches[2]!))).toBe('E_TXN_CONFLICT');
    await machine.transact((transaction) => ask(transaction, 't 1 2 3 9'));
    const end = machine.root();
    await machine.close();
    expect(readFileSync(log, 'latin1')).toBe('1 10 5 1\n1 11 5 1\n1 2 3 9\n');
    const again = await openMachineRun({ name: 'branches', store });
    expect(again.root()).toBe(end);
    await again.close();
    expect((await replayRun({ name: 'branches', store, comparesFiles: true }, {})).isIdentical).toBe(true);
  });


  it.each(process.env['STILLPOINT_SLOW'] === '1' ? Array.from({ length: 100 }, (_, index) => index + 1) : [4])('a forest of forks: each is what it did itself, whatever becomes of those it came from (seed %i)', async (seed) => {
    const draw = random(seed);
    const alive = [await ledger()];
    const roots = new Map(alive.map((machine) => [machine, machine.root()]));
    for (let step = 0; step < 150; step++) {
      const which = draw(3) === 0 ? draw(alive.length) : alive.length - 1; // Long chains.
      const machine = alive[which]!;
      const word = draw(6);
      if (word < 2) {
        const fork = draw(4) === 0 ? machine.branch() : machine.fork();
        roots.set(fork, roots.get(machine)!);
        alive.push(fork);
      } else if (word < 4) {
        await machine.transact((transaction) => ask(transaction, `t ${draw(1000)} ${draw(1000)} 1`));
        roots.set(machine, machine.root());
      } else if (word === 4 && alive.length > 3) {
        await machine.close();
        alive.splice(which, 1);
      } else {
        expect(machine.root(), `seed ${seed}, step ${step}`).toBe(roots.get(machine));
      }
    }
    for (const machine of alive) expect(machine.root(), `seed ${seed}, at the end`).toBe(roots.get(machine));
    for (const machine of alive) await machine.close();
  }, 300_000);

  it('a fork of a fork stays what it was when the one between is closed', async () => {
    const machine = await ledger();
    await machine.transact((transaction) => ask(transaction, 't 1 2 10'));
    const root = machine.root();
    const between = machine.fork();
    const last = [between.fork(), between.fork()];
    await between.close();
    await last[0]!.close();
    for (let transfer = 0; transfer < 5; transfer++) await machine.transact((transaction) => ask(transaction, 't 1 2 7'));
    expect(machine.root()).not.toBe(root);
    expect(last[1]!.root()).toBe(root);
    await last[1]!.close();
    await machine.close();
  });

  it('a reader on a fork sees the commit it was made at, whatever happens beside it', async () => {
    const machine = await ledger();
    const reader = machine.fork();
    const writer = machine.begin();
    await ask(writer, 't 1 2 500');
    expect(await reader.transact((transaction) => ask(transaction, 'b 1'))).toBe('balance 1000\n');
    await writer.commit();
    expect(await reader.transact((transaction) => ask(transaction, 'b 1'))).toBe('balance 1000\n');
    expect(await machine.fork().transact((transaction) => ask(transaction, 'b 1'))).toBe('balance 500\n');
    await machine.close();
  });
});
