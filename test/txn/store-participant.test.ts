/** The store participant: the suite of participants on the twin and on LMDB, and what it holds against others. */
import { describe, expect, it } from 'vitest';
import { MemoryStore, type Store, type StoreBatch } from '../../src/store/index.ts';
import { StoreParticipant, transactionId } from '../../src/txn/index.ts';
import { digests } from '../journal/support.ts';
import { conformanceOnStores, type Subject } from './participant-conformance.ts';

const at = (cell: number) => ({ table: 'runs', key: Uint8Array.of(cell) }) as const;

/** A participant that can be started anew under the suite's hands. */
function subjectOf(first: Store, reopen: (before: Store) => Promise<Store>, dispose: (store: Store) => Promise<void>): Subject {
  let store = first;
  let inner = new StoreParticipant({ store, digests }, 'cells');
  return {
    participant: { name: 'cells', commit: (id) => inner.commit(id), abort: (id) => inner.abort(id), inDoubt: (identity) => inner.inDoubt(identity) },
    change: async (_identity, cell, value) => {
      const made = inner;
      const branch = inner.branch({ expect: [{ ...at(cell), value: store.get('runs', at(cell).key) }], puts: [{ ...at(cell), value: Uint8Array.of(value) }] });
      return { ...branch, abort: (id) => (made === inner ? branch.abort(id) : inner.abort(id)) };
    },
    read: async (cell) => store.get('runs', at(cell).key)?.[0],
    restart: async () => { store = await reopen(store); inner = new StoreParticipant({ store, digests }, 'cells'); },
    dispose: () => dispose(store),
  };
}

conformanceOnStores('store', subjectOf);

describe('a store participant', () => {
  const identity = { id: 'f'.repeat(16), epoch: 1 };
  const change = (cell: number, value: number, before?: number): StoreBatch => ({ expect: [{ ...at(cell), value: before === undefined ? undefined : Uint8Array.of(before) }], puts: [{ ...at(cell), value: Uint8Array.of(value) }] });

  it('refuses a batch whose expectations do not hold, and one that touches what another has prepared', async () => {
    const participant = new StoreParticipant({ store: new MemoryStore(), digests }, 'cells');
    await expect(participant.branch(change(1, 2, 9)).prepare(transactionId(identity, 1))).rejects.toMatchObject({ code: 'E_PARTICIPANT', message: expect.stringContaining('changed meanwhile') as string });
    await participant.branch(change(1, 2)).prepare(transactionId(identity, 2));
    await expect(participant.branch({ deletes: [at(1)] }).prepare(transactionId(identity, 3))).rejects.toMatchObject({ code: 'E_PARTICIPANT', message: expect.stringContaining('holds') as string });
    await participant.branch(change(2, 2)).prepare(transactionId(identity, 4));
  });

  it('of two processes that prepare the same key at once one gets it', async () => {
    const store = new MemoryStore();
    const prepare = (sequence: number): Promise<string> => new StoreParticipant({ store, digests }, 'cells').branch(change(1, sequence)).prepare(transactionId(identity, sequence)).then(() => 'prepared', () => 'refused');
    expect((await Promise.all([prepare(1), prepare(2)])).sort()).toEqual(['prepared', 'refused']);
  });
});
