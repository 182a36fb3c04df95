/** Several machines in one transaction: by one commit of their store, or with a coordinator where each has its own. */
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { commitTogether, MachineParticipant, openMachineRun, StillpointError, withCoordinator, type Branch, type Machine, type MachineRequest } from '../../src/index.ts';
import { createNodeDigests } from '../../src/core/live/digest.ts';
import { openLmdbStore } from '../../src/store/live/lmdb-store.ts';
import { acquire, readRun } from '../../src/txn/index.ts';
import { ask, codeOf, ledger, scratch } from './rig.ts';

const place = scratch();
afterAll(() => place.remove());
let number = 0;

interface Pair { readonly machines: readonly [Machine, Machine]; readonly requests: readonly [{ name: string; store: string }, { name: string; store: string }] }

async function pair(stores: readonly [string, string], more: Partial<MachineRequest> = {}): Promise<Pair> {
  const id = ++number;
  const requests = [{ name: `a-${id}`, store: join(place.path, stores[0]) }, { name: `b-${id}`, store: join(place.path, stores[1]) }] as const;
  return { requests, machines: [await ledger({ ...requests[0], ...more }), await ledger({ ...requests[1], ...more })] };
}

/** 5 leaves account 1 of the first bank and comes to account 1 of the second. */
async function transfer([a, b]: readonly [Machine, Machine]): Promise<void> {
  await ask(a.begin(), 't 1 2 5');
  await ask(b.begin(), 't 2 1 5');
}

async function balances(machines: readonly Machine[]): Promise<readonly string[]> {
  const found: string[] = [];
  for (const machine of machines) found.push(await machine.transact((transaction) => ask(transaction, 'b 1')));
  return found.map((line) => line.trim().replace('balance ', ''));
}

async function reopened(requests: Pair['requests']): Promise<readonly [Machine, Machine]> {
  return [await openMachineRun(requests[0]), await openMachineRun(requests[1])];
}

const close = async (machines: readonly Machine[]): Promise<void> => { for (const machine of machines) await machine.close(); };

describe('machines that share a store', () => {
  it('commit in one commit of the store, and are there again together', async () => {
    const { machines, requests } = await pair(['one', 'one']);
    await transfer(machines);
    const { durable } = await machines[0].readyToCommit();
    const store = durable!.store as unknown as { made: number };
    const before = store.made;
    await commitTogether(machines);
    expect(store.made).toBe(before + 1);
    await close(machines);
    const again = await reopened(requests);
    expect(await balances(again)).toEqual(['995', '1005']);
    await close(again);
  });

  it('one that refuses aborts all', async () => {
    const { machines } = await pair(['one', 'one']);
    const roots = machines.map((machine) => machine.root());
    await ask(machines[0].begin(), 't 1 2 5');
    await ask(machines[1].begin({ validate: () => 'closed on Sundays' }), 't 2 1 5');
    expect(await codeOf(() => commitTogether(machines))).toBe('E_TXN_REFUSED');
    expect(machines.map((machine) => machine.root())).toEqual(roots);
    await machines[0].transact((transaction) => ask(transaction, 't 1 2 1'));
    await close(machines);
  });

  it('when another process took one of them over, none has committed', async () => {
    const { machines, requests } = await pair(['one', 'one']);
    await transfer(machines);
    const context = { store: await openLmdbStore({ directory: requests[0].store, mode: 'existing' }), digests: await createNodeDigests() };
    await acquire(context, { run: readRun(context, requests[1].name).id, name: requests[1].name, owner: { host: 'elsewhere', pid: 1, started: '0', token: 't' }, isAlive: () => false });
    expect(['E_TXN_CONFLICT', 'E_RUN_FENCED']).toContain(await codeOf(() => commitTogether(machines)));
    await machines[0].close().catch((error: unknown) => { if (!(error instanceof StillpointError)) throw error; });
    expect(readRun(context, requests[0].name).instructions < machines[0].instructions).toBe(true);
    await machines[1].close().catch((error: unknown) => { if (!(error instanceof StillpointError)) throw error; });
    await context.store.close();
  });

  it('machines in memory commit together as well; of different stores they do not', async () => {
    const machines = [await ledger(), await ledger()] as const;
    await transfer(machines);
    await commitTogether(machines);
    expect(await balances(machines)).toEqual(['995', '1005']);
    await close(machines);
    const { machines: apart } = await pair(['one', 'two']);
    await transfer(apart);
    expect(await codeOf(() => commitTogether(apart))).toBe('E_USAGE');
    expect(await balances(apart)).toEqual(['1000', '1000']);
    await close(apart);
  });
});

class Died extends Error {}
type Moment = 'nowhere' | 'after the first prepare' | 'after both prepares' | 'after the decision' | 'after the first commit';

describe('machines with stores of their own', () => {
  const moments: readonly Moment[] = ['nowhere', 'after the first prepare', 'after both prepares', 'after the decision', 'after the first commit'];

  it.each(moments)('all machines and the coordinator die %s: all or nothing after recovery', async (moment) => {
    const { machines, requests } = await pair([`left-${++number}`, `right-${number}`]);
    const decisions = join(place.path, `decisions-${number}`);
    await transfer(machines);
    const participants = machines.map((machine) => new MachineParticipant(machine));
    let prepares = 0;
    let commits = 0;
    const branches = participants.map((own, index): Branch => {
      const branch = own.branch(machines[index]!.transaction!);
      const participant = { name: own.name, inDoubt: own.inDoubt.bind(own), abort: (id: never) => own.abort(id), commit: async (id: never) => {
        if (moment === 'after the decision' || (moment === 'after the first commit' && ++commits > 1)) throw new Died();
        await own.commit(id);
      } };
      return { participant, abort: branch.abort, prepare: async (id) => {
        await branch.prepare(id);
        if (++prepares === (moment === 'after the first prepare' ? 1 : moment === 'after both prepares' ? 2 : 0)) throw new Died();
      } };
    });
    await withCoordinator({ store: decisions, participants }, async ({ coordinator }) => { await coordinator.commit({ branches }); }).catch((error: unknown) => { if (!(error instanceof Error) || !isDeath(error)) throw error; });
    await close(machines);
    const again = await reopened(requests);
    const doubts = again.map(({ inDoubt }) => inDoubt !== undefined);
    if (moment === 'after both prepares' || moment === 'after the decision') expect(doubts).toEqual([true, true]);
    await withCoordinator({ store: decisions, participants: again.map((machine) => new MachineParticipant(machine)) }, ({ recovered }) => {
      expect(recovered.unresolved).toEqual([]);
      return Promise.resolve();
    });
    expect(again.map(({ inDoubt }) => inDoubt)).toEqual([undefined, undefined]);
    expect(await balances(again)).toEqual(moment.includes('prepare') ? ['1000', '1000'] : ['995', '1005']);
    await close(again);
  });
});

/** The coordinator's close() finds the transaction that died in it. */
function isDeath(error: Error): boolean {
  return error instanceof Died || error.message.includes('a coordinator ends after its transactions');
}
