/**
 * Speculations in threads: what they commit is what one thread would have made of it (roots, journal), histories are judged by the checker that knows no
 * machines, and one that loops, fails or is ended holds nobody up. STILLPOINT_SLOW=1: many more random histories.
 */
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import { replayRun, type Machine, type MachineRequest, type ParallelSpeculation, type PoolOptions, type SpeculationPool } from '../../src/index.ts';
import { anomaliesOf, type Access, type Observed } from './history-checker.ts';
import { ask, codeOf, ledger as anyLedger, random, scratch } from './rig.ts';

const isSlow = process.env['STILLPOINT_SLOW'] === '1';
const workerFile = pathToFileURL(resolve(import.meta.dirname, '../../dist/bin/replica-worker.js'));
const directory = scratch();
afterAll(directory.remove);

const ledger = (options: Partial<MachineRequest> = {}): Promise<Machine> => anyLedger({ engine: 'wasm', ...options }); // Starts fastest.
const poolOf = (machine: Machine, options: PoolOptions = {}): SpeculationPool => machine.openPool({ workers: isSlow ? 3 : 2, workerFile, ...options });

async function tell(speculation: ParallelSpeculation, request: string): Promise<string> {
  speculation.send('stdin', request);
  await speculation.run();
  return speculation.readText('stdout');
}

/** Transfers that depend on what they see: half of what is there. */
const halve = (from: number, to: number) => async (speculation: ParallelSpeculation): Promise<string> => {
  const balance = Number((await tell(speculation, `b ${from}`)).split(' ')[1]);
  if (balance < 200) throw new Error('poor');
  return tell(speculation, `t ${from} ${to} ${Math.floor(balance / 2)}`);
};

/** The same on one thread. */
async function serially(machine: Machine, pairs: readonly (readonly [number, number])[]): Promise<readonly string[]> {
  const answers: string[] = [];
  for (const [from, to] of pairs) {
    await machine.transact(async (transaction) => {
      const balance = Number((await ask(transaction, `b ${from}`)).split(' ')[1]);
      if (balance < 200) throw new Error('poor');
      answers.push(await ask(transaction, `t ${from} ${to} ${Math.floor(balance / 2)}`));
    }).catch((error: unknown) => answers.push(String(error)));
  }
  return answers;
}

describe('speculations in threads, in order', () => {
  it.each([['by executing the inputs', undefined], ['by copying the state', 0n]] as const)('leave the state and answers of one thread, %s', async (_how, copyInstructions) => {
    const draw = random(5);
    const pairs = Array.from({ length: 9 }, () => [draw(2), 2 + draw(4)] as const);
    const store = join(directory.path, 'store');
    const name = `order-${copyInstructions}`;
    const machine = await ledger({ store, name, out: [`log=${join(directory.path, `${name}.txt`)}`] });
    const twin = await ledger();
    const pool = poolOf(machine, copyInstructions === undefined ? {} : { copyInstructions });
    const settled = await pool.inOrder(pairs.map(([from, to]) => halve(from, to)));
    expect(settled.map((one) => (one.status === 'fulfilled' ? one.value : String(one.reason)))).toEqual(await serially(twin, pairs));
    expect(new Set(settled.map(({ status }) => status)).size, 'some are poor').toBe(2);
    expect(machine.root()).toBe(twin.root());
    for (const one of [machine, twin]) await one.transact((transaction) => ask(transaction, 't 1 2 1'));
    expect(machine.root()).toBe(twin.root());
    await machine.close();
    await twin.close();
    expect((await replayRun({ name, store, comparesFiles: true }, {})).isIdentical).toBe(true);
  });

  it('have savepoints, and what was seen before a rollback must come again too', async () => {
    const machine = await ledger();
    const pool = poolOf(machine, { workers: 1 });
    const one = await pool.begin();
    await tell(one, 't 1 2 100');
    const savepoint = await one.savepoint();
    expect(await tell(one, 'b 5')).toBe('balance 1000\n');
    expect(await tell(one, 't 1 2 100')).toBe('ok 800 1200\n');
    await savepoint.rollback();
    expect(await tell(one, 'b 1')).toBe('balance 900\n');
    await machine.transact((transaction) => ask(transaction, 't 7 8 1')); // Harmless.
    await one.commit();
    expect(await machine.transact((transaction) => ask(transaction, 'b 1'))).toBe('balance 900\n');
    const two = await pool.begin();
    const before = await two.savepoint();
    await tell(two, 'b 5');
    await before.rollback();
    await tell(two, 't 1 2 1');
    await machine.transact((transaction) => ask(transaction, 't 5 6 1')); // Changes what was seen and rolled back.
    expect(await codeOf(() => two.commit())).toBe('E_TXN_CONFLICT');
    const three = machine.beginSpeculation();
    const inner = three.savepoint();
    three.send('stdin', 't 1 2 5');
    await three.run();
    inner.rollback();
    three.send('stdin', 'b 1');
    await three.run();
    await three.commit();
    await machine.close();
  });
});

/** A client with a speculation of its own: reads and writes of registers, as it saw them. */
async function play(machine: Machine, { pool, seed, conflicts }: { readonly pool: SpeculationPool; readonly seed: number; readonly conflicts: 'outputs' | 'pages' }): Promise<{ readonly history: readonly Observed[]; readonly lost: number }> {
  const history: Observed[] = [];
  let [value, lost] = [0, 0];
  const client = async (number: number): Promise<void> => {
    const draw = random(seed * 100 + number);
    for (let round = 0; round < 5; round++) {
      const speculation = await pool.begin({ conflicts });
      const operations: Access[] = [];
      for (let step = 1 + draw(4); step > 0; step--) {
        const register = draw(3);
        operations.push({ kind: 'read', register, value: Number((await tell(speculation, `g ${register}`)).split(' ')[1]) });
        if (draw(2) === 0) continue;
        const next = ++value;
        await tell(speculation, `p ${register} ${next}`);
        operations.push({ kind: 'write', register, value: next });
      }
      const code = draw(6) === 0 ? (await speculation.abort(), 'aborted') : await codeOf(() => speculation.commit());
      if (code === 'E_TXN_CONFLICT') lost++;
      else if (code !== 'aborted') expect(code).toBe('nothing was thrown');
      history.push({ name: `${number}.${round}`, isCommitted: code === 'nothing was thrown', operations });
    }
  };
  await Promise.all([0, 1, 2, 3, 4].map(client));
  expect(machine.isBusy).toBe(false);
  return { history, lost };
}

describe('speculations in threads beside each other', () => {
  const seeds = isSlow ? 40 : 2;
  it.each(Array.from({ length: seeds }, (_, index) => index + 1))('leave serializable histories (seed %i)', async (seed) => {
    const machine = await ledger();
    const pool = poolOf(machine, { copyInstructions: seed % 2 === 0 ? 3_000n : 50_000_000n });
    for (const conflicts of ['outputs', 'pages'] as const) {
      const { history, lost } = await play(machine, { pool, seed, conflicts });
      expect(anomaliesOf(history), `seed ${seed}, conflicts ${conflicts}`).toEqual([]);
      expect(lost).toBeGreaterThan(0);
      expect(history.filter(({ isCommitted }) => isCommitted).length).toBeGreaterThan(0);
      await machine.transact(async (transaction) => { for (const register of [0, 1, 2]) await ask(transaction, `p ${register} 0`); });
    }
    await machine.close();
  });

  it('a loser is tried again when asked, and by pages the first committer wins', async () => {
    const machine = await ledger();
    const pool = poolOf(machine);
    const sums = await Promise.all([1, 2, 3, 4, 5, 6].map(() => pool.speculate(halve(9, 8))).map((one) => one.catch((error: unknown) => String(error))));
    expect(sums.filter((answer) => answer.startsWith('ok')).length).toBe(3); // 1000, 500, 250, then poor.
    const blind = await pool.begin({ conflicts: 'pages' });
    await machine.transact((other) => ask(other, 't 1 2 1'));
    await tell(blind, 't 1 3 1');
    expect(await codeOf(() => blind.commit())).toBe('E_TXN_CONFLICT');
    expect(await machine.transact((transaction) => ask(transaction, 's'))).toBe('sum 1000000\n');
    await machine.close();
  });
});

describe('a speculation in a thread', () => {
  it('that never ends holds nobody up, ends at its time-out, and can be stopped', async () => {
    const machine = await ledger();
    const pool = poolOf(machine, { workers: 2 });
    const root = machine.root();
    const endless = await pool.begin();
    const timed = await pool.begin({ timeoutMs: 200 });
    const never = codeOf(() => tell(endless, 'l'));
    expect(await codeOf(() => tell(timed, 'l'))).toBe('E_TXN_TIMEOUT');
    expect(machine.root()).toBe(root);
    await pool.speculate((speculation) => tell(speculation, 't 1 2 3')); // While the endless one runs.
    await endless.abort();
    expect(await never).toBe('E_TXN_OVER');
    expect(await Promise.all([1, 2, 3].map((number) => pool.speculate((speculation) => tell(speculation, `b ${number}`))))).toEqual(['balance 997\n', 'balance 1003\n', 'balance 1000\n']);
    await machine.close();
  });

  it('that faults, exits or reaches a cap leaves no trace, and the pool goes on', async () => {
    const machine = await ledger();
    const pool = poolOf(machine, { workers: 1 });
    const root = machine.root();
    const fails = (request: string, options = {}): Promise<string> => codeOf(() => pool.speculate((speculation) => tell(speculation, request), options));
    expect([await fails('c 1 2 3'), await fails('x 7'), await fails('l', { maxInstructions: 300_000n })]).toEqual(['E_TXN_FAULT', 'E_TXN_EXIT', 'E_TXN_CAP']);
    const wrong = await pool.begin();
    wrong.send('nowhere', 'x');
    expect(await codeOf(() => wrong.commit())).toBe('E_USAGE');
    expect(machine.root()).toBe(root);
    expect(await codeOf(() => machine.openPool({ workers: 0 }))).toBe('E_USAGE');
    expect((await pool.inOrder([(one) => tell(one, 'q')]))[0]?.status).toBe('fulfilled');
    expect(machine.hasEnded).toBe(true);
    expect(await codeOf(() => pool.begin())).toBe('E_RUN_FINISHED');
    await machine.close();
    expect(await codeOf(() => pool.begin())).toBe('E_USAGE');
  });
});
