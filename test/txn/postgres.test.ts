/**
 * The real PostgreSQL: the suite of participants, what its adapter says when something is wrong, and joint transactions of a store and the database while
 * coordinator, server and single backends are killed.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { StillpointError } from '../../src/core/index.ts';
import { MemoryStore } from '../../src/store/index.ts';
import { listDecisions, openCoordinator, transactionId, type Branch, type Coordinator, type Participant, type TransactionId } from '../../src/txn/index.ts';
import { openPostgres, type PostgresParticipant } from '../../src/txn/live/postgres-participant.ts';
import { participantConformance } from './participant-conformance.ts';
import { killOne, PostgresServer } from './postgres-server.ts';
import { allDead, contextOf, owner } from './support.ts';

const IS_SLOW = process.env['STILLPOINT_SLOW'] === '1';
let server: PostgresServer;
beforeAll(async () => { server = new PostgresServer(); await server.start(); });
afterAll(async () => { await server?.dispose(); });

const UPSERT = 'INSERT INTO cells VALUES ($1, $2) ON CONFLICT (id) DO UPDATE SET value = $2';
const open = (name = 'database'): Promise<PostgresParticipant> => openPostgres({ name, connection: server.connection, timeoutMs: 5_000 });

participantConformance('PostgreSQL', async () => {
  const participant = await open();
  await participant.query('DROP TABLE IF EXISTS cells');
  await participant.query('CREATE TABLE cells (id integer PRIMARY KEY, value integer NOT NULL)');
  return {
    participant,
    change: async (identity, cell, value) => {
      const branch = await participant.begin(identity);
      await branch.query(UPSERT, [cell, value]);
      return branch;
    },
    read: async (cell) => (await participant.query('SELECT value FROM cells WHERE id = $1', [cell]))[0]?.['value'] as number | undefined,
    restart: async () => { await server.kill(); await server.start(); },
    dispose: () => participant.close(),
  };
});

describe('the PostgreSQL participant', () => {
  const identity = { id: 'e'.repeat(16), epoch: 1 };

  it('refuses to prepare after a failed statement, which the server undid', async () => {
    const participant = await open();
    const branch = await participant.begin(identity);
    await expect(branch.query('SELECT 1 / 0')).rejects.toMatchObject({ code: 'E_PARTICIPANT', data: { sqlstate: '22012' } });
    await expect(branch.prepare(transactionId(identity, 1))).rejects.toMatchObject({ code: 'E_PARTICIPANT', message: expect.stringContaining('the server undid it') as string });
    await branch.abort(transactionId(identity, 1));
    await participant.close();
  });

  it('says in one line where no server answers, and where it prepares nothing', async () => {
    await expect(openPostgres({ name: 'nobody', connection: 'postgresql://x@127.0.0.1:1/none' })).rejects.toMatchObject({ code: 'E_PARTICIPANT', message: expect.stringMatching(/^participant nobody: [^\n]*ECONNREFUSED[^\n]*$/) as string });
    await expect(openPostgres({ name: 'a b' })).rejects.toMatchObject({ code: 'E_USAGE' });
  });

  it('a statement that waits too long fails, and its transaction can be aborted', async () => {
    const [one, two] = await Promise.all([open(), openPostgres({ name: 'hasty', connection: server.connection, timeoutMs: 300 })]);
    const [holder, waiter] = [await one.begin(identity), await two.begin(identity)];
    await holder.query('LOCK TABLE cells');
    await expect(waiter.query('LOCK TABLE cells')).rejects.toMatchObject({ code: 'E_PARTICIPANT' });
    await waiter.abort(transactionId(identity, 2));
    await holder.abort(transactionId(identity, 3));
    await Promise.all([one.close(), two.close()]);
  });
});

/** What dies, and when: before or after the message. */
type Victim = 'server' | 'backend' | 'coordinator';
type Moment = 'before prepare' | 'after prepare' | 'before commit' | 'after commit' | 'before abort' | 'after abort';

class CoordinatorDied extends Error {}

describe('a store and PostgreSQL in one transaction', () => {
  const CELL = { table: 'runs', key: Uint8Array.of(1) } as const;
  const moments: readonly Moment[] = ['before prepare', 'after prepare', 'before commit', 'after commit', 'before abort', 'after abort'];
  const cases = moments.flatMap((moment) => (['server', 'backend', 'coordinator'] as const).map((victim): [Victim, Moment] => [victim, moment]))
    .filter(([victim], index) => IS_SLOW || victim !== 'server' || index % 2 === 0); // A restart of the server is what costs.

  it.each(cases)('death of the %s %s', async (victim, moment) => {
    const context = contextOf(new MemoryStore());
    const value = (): number => context.store.get('runs', CELL.key)?.[0] ?? 0;
    const database = await open();
    await database.query(UPSERT, [99, 0]);
    const start = async (token: string): Promise<Coordinator> => openCoordinator(context, { name: 'joint', owner: owner(token), isAlive: allDead, freshId: 'd'.repeat(16) });
    const coordinator = await start('first');
    const strike = async (now: Moment, pid: number): Promise<void> => {
      if (now !== moment) return;
      if (victim === 'coordinator') throw new CoordinatorDied();
      if (victim === 'backend') killOne(pid); // The postmaster then restarts all of them.
      else { await server.kill(); await server.start(); }
    };
    const branch = await database.begin(coordinator.identity);
    const pid = Number((await branch.query('SELECT pg_backend_pid() AS pid'))[0]!['pid']);
    await branch.query(UPSERT, [99, 1]);
    const around = async (what: 'prepare' | 'commit' | 'abort', action: () => Promise<void>): Promise<void> => {
      await strike(`before ${what}`, pid);
      await action();
      await strike(`after ${what}`, pid);
    };
    const participant: Participant = { name: database.name, commit: (id) => around('commit', () => database.commit(id)), abort: (id) => database.abort(id), inDoubt: (by) => database.inDoubt(by) };
    const wrapped: Branch = { participant, prepare: (id: TransactionId) => around('prepare', () => branch.prepare(id)), abort: (id) => around('abort', () => branch.abort(id)) };
    // A part of its own store that conflicts makes it abort.
    const expected = moment.endsWith('abort') ? Uint8Array.of(77) : undefined;
    const answer = await coordinator.commit({ branches: [wrapped], local: [{ expect: [{ ...CELL, value: expected }], puts: [{ ...CELL, value: Uint8Array.of(1) }] }] })
      .then(() => 'committed', (error: unknown) => { if (error instanceof CoordinatorDied) return 'nothing'; if (error instanceof StillpointError) return 'aborted'; throw error; });
    const next = await start('second');
    while ((await next.recover([database])).unresolved.length > 0) await sleep(100); // The server is coming up again.
    const there = Number((await database.query('SELECT value FROM cells WHERE id = 99'))[0]!['value']);
    expect(there).toBe(value());
    if (answer !== 'nothing') expect(value()).toBe(answer === 'committed' ? 1 : 0);
    if (moment.endsWith('abort')) expect(value()).toBe(0);
    expect([await database.inDoubt(next.identity), listDecisions(context, 'd'.repeat(16))]).toEqual([[], []]);
    await database.query(UPSERT, [99, 5]); // Nothing is locked.
    await database.close();
  });
});
