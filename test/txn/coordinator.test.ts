/** The coordinator beside crashes: what rides in one commit, who may decide, what fsck thinks of its words. Crashes: joint.test.ts. */
import { describe, expect, it } from 'vitest';
import { StillpointError } from '../../src/core/index.ts';
import { checkOpenStore } from '../../src/session/fsck.ts';
import { MemoryStore, type StoreBatch } from '../../src/store/index.ts';
import { listDecisions, openCoordinator, readCoordinator, StoreParticipant, transactionId, type Branch, type Coordinator, type StoreContext } from '../../src/txn/index.ts';
import { allAlive, allDead, contextOf, owner } from './support.ts';

const REQUEST = { name: 'bank', freshId: '00000000000000aa' };
const open = (context: StoreContext, token = 'first', isAlive = allDead): Promise<Coordinator> => openCoordinator(context, { ...REQUEST, owner: owner(token), isAlive });
const put = (key: number, value: number): StoreBatch => ({ expect: [{ table: 'runs', key: Uint8Array.of(key), value: undefined }], puts: [{ table: 'runs', key: Uint8Array.of(key), value: Uint8Array.of(value) }] });
const get = ({ store }: StoreContext, key: number): number | undefined => store.get('runs', Uint8Array.of(key))?.[0];

describe('a coordinator', () => {
  it('with work in its own store only: one commit, all or nothing, no word left', async () => {
    const context = contextOf();
    const coordinator = await open(context);
    let commits = 0;
    const commit = context.store.commit.bind(context.store);
    context.store.commit = (batch) => { commits++; return commit(batch); };
    expect(await coordinator.commit({ local: [put(1, 1), put(2, 2)] })).toEqual({ id: undefined, unresolved: [] });
    await expect(coordinator.commit({ local: [put(3, 3), put(2, 9)] })).rejects.toMatchObject({ code: 'E_TXN_CONFLICT' });
    expect([get(context, 1), get(context, 2), get(context, 3), commits]).toEqual([1, 2, undefined, 2]);
  });

  it('aborts its branches when its own part conflicts or the disk is full', async () => {
    const context = contextOf();
    const store = new MemoryStore();
    const participant = new StoreParticipant(contextOf(store), 'other');
    const coordinator = await open(context);
    await coordinator.commit({ local: [put(1, 1)] });
    await expect(coordinator.commit({ branches: [participant.branch(put(1, 5))], local: [put(1, 1)] })).rejects.toMatchObject({ code: 'E_TXN_CONFLICT' });
    const branch: Branch = { ...participant.branch(put(1, 5)), prepare: async (id) => { await participant.branch(put(1, 5)).prepare(id); (context.store as MemoryStore).failNextCommit('E_DISK_FULL'); } };
    await expect(coordinator.commit({ branches: [branch] })).rejects.toMatchObject({ code: 'E_DISK_FULL' });
    expect([await participant.inDoubt(coordinator.identity), get(contextOf(store), 1)]).toEqual([[], undefined]);
  });

  it('is owned by one process; a replaced one decides nothing and aborts', async () => {
    const context = contextOf();
    const store = new MemoryStore();
    const participant = new StoreParticipant(contextOf(store), 'other');
    const first = await open(context);
    await expect(open(context, 'second', allAlive)).rejects.toMatchObject({ code: 'E_COORDINATOR_OWNED' });
    const second = await open(context, 'second');
    expect([first.identity, second.identity]).toEqual([{ id: REQUEST.freshId, epoch: 1 }, { id: REQUEST.freshId, epoch: 2 }]);
    await expect(first.commit({ branches: [participant.branch(put(1, 1))] })).rejects.toMatchObject({ code: 'E_COORDINATOR_FENCED' });
    await expect(first.recover([participant])).rejects.toMatchObject({ code: 'E_COORDINATOR_FENCED' });
    expect(await second.recover([participant])).toEqual({ committed: [], aborted: [], unresolved: [] });
    await second.close();
    expect((await open(context, 'third', allAlive)).identity.epoch).toBe(3);
  });

  it('keeps a decision until every participant has heard of it, and says who has not', async () => {
    const context = contextOf();
    const participant = new StoreParticipant(contextOf(new MemoryStore()), 'other');
    const coordinator = await open(context);
    const deaf: Branch = { participant: { ...participant, name: 'other', commit: () => Promise.reject(new StillpointError('E_PARTICIPANT', 'gone')), abort: (id) => participant.abort(id), inDoubt: (by) => participant.inDoubt(by) }, prepare: (id) => participant.branch(put(1, 1)).prepare(id), abort: (id) => participant.abort(id) };
    const { id, unresolved } = await coordinator.commit({ branches: [deaf] });
    expect([unresolved, listDecisions(context, REQUEST.freshId)]).toEqual([['other'], [{ id, participants: ['other'] }]]);
    expect(await coordinator.recover([])).toEqual({ committed: [id], aborted: [], unresolved: [{ id, participant: 'other' }] });
    expect(await coordinator.recover([participant])).toEqual({ committed: [id], aborted: [], unresolved: [] });
    expect(listDecisions(context, REQUEST.freshId)).toEqual([]);
  });

  it('that never comes again takes its word with it; one that was replaced does not, and one that owes a decision keeps it', async () => {
    const context = contextOf();
    const participant = new StoreParticipant(contextOf(new MemoryStore()), 'other');
    const first = await open(context);
    await first.commit({ local: [put(1, 1), put(2, 2)] });
    const second = await open(context, 'second');
    await expect(first.retire([{ table: 'runs', key: Uint8Array.of(1) }])).rejects.toMatchObject({ code: 'E_COORDINATOR_FENCED' });
    const deaf: Branch = { ...participant.branch(put(1, 1)), participant: { name: 'other', commit: () => Promise.reject(new StillpointError('E_PARTICIPANT', 'gone')), abort: (id) => participant.abort(id), inDoubt: (by) => participant.inDoubt(by) } };
    const { id } = await second.commit({ branches: [deaf] });
    await second.retire([{ table: 'runs', key: Uint8Array.of(1) }]);
    expect([get(context, 1), get(context, 2), await second.recover([participant])]).toEqual([undefined, 2, { committed: [id], aborted: [], unresolved: [] }]);
    await second.retire([{ table: 'runs', key: Uint8Array.of(2) }]);
    await second.close();
    expect([get(context, 2), readCoordinator(context, REQUEST.name), (await open(context, 'third')).identity.epoch]).toEqual([undefined, undefined, 1]);
  });

  it('leaves alone what is being worked on while it recovers', async () => {
    const context = contextOf();
    const participant = new StoreParticipant(contextOf(new MemoryStore()), 'other');
    const coordinator = await open(context);
    const branch = participant.branch(put(1, 1));
    const found: unknown[] = [];
    await coordinator.commit({ branches: [{ ...branch, prepare: async (id) => { await branch.prepare(id); found.push(await coordinator.recover([participant])); } }] });
    expect(found).toEqual([{ committed: [], aborted: [], unresolved: [] }]);
  });

  it('its words and those of participants are sound for fsck, and a damaged one is never deleted', async () => {
    const context = contextOf();
    const participant = new StoreParticipant(context, 'self');
    const coordinator = await open(context);
    const id = transactionId(coordinator.identity, 9);
    await participant.inDoubt(coordinator.identity);
    await participant.branch(put(1, 1)).prepare(id);
    expect((await checkOpenStore(context, { repairs: false })).findings).toEqual([]);
    const key = new TextEncoder().encode(`batch ${id}`);
    await context.store.commit({ puts: [{ table: 'meta', key, value: Uint8Array.of(1) }] });
    expect((await checkOpenStore(context, { repairs: true })).remaining.map(({ code }) => code)).toEqual(['E_STORE_CORRUPT']);
    expect(context.store.has('meta', key)).toBe(true);
  });
});
