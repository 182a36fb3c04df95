/** One suite for every participant: the store participant (the twin) and PostgreSQL run it. A cell with a number stands for all work. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { MemoryStore, type Store } from '../../src/store/index.ts';
import { openLmdbStore } from '../../src/store/live/lmdb-store.ts';
import { transactionId, type Branch, type CoordinatorIdentity, type Participant, type TransactionId } from '../../src/txn/index.ts';
import { StillpointError } from '../../src/core/index.ts';

export interface Subject {
  readonly participant: Participant;
  /** Work that sets cell `cell` to `value`. `identity`: the coordinator that will commit it. */
  change(identity: CoordinatorIdentity, cell: number, value: number): Promise<Branch>;
  read(cell: number): Promise<number | undefined>;
  /** The process of the participant dies and starts again, the same participant object is used on. */
  restart(): Promise<void>;
  dispose(): Promise<void>;
}

/** The suite for a participant over a store: in memory, and on LMDB, which is opened anew at each restart. */
export function conformanceOnStores(name: string, subjectOf: (first: Store, reopen: (before: Store) => Promise<Store>, dispose: (store: Store) => Promise<void>) => Subject): void {
  participantConformance(`${name} in memory`, async () => subjectOf(new MemoryStore(), (store) => Promise.resolve(store), () => Promise.resolve()));
  participantConformance(`${name} on LMDB`, async () => {
    const directory = mkdtempSync(join(tmpdir(), 'stillpoint-participant-'));
    const open = () => openLmdbStore({ directory: join(directory, 'store'), mode: 'create' });
    return subjectOf(await open(), async (store) => { await store.close(); return open(); }, async (store) => { await store.close(); rmSync(directory, { recursive: true }); });
  });
}

const identityOf = (id: string, epoch = 1): CoordinatorIdentity => ({ id: id.padEnd(16, '0'), epoch });

export function participantConformance(name: string, make: () => Promise<Subject>): void {
  describe(`${name}: Participant`, () => {
    let subject: Subject;
    let sequence = 0;
    beforeAll(async () => { subject = await make(); });
    afterAll(async () => { await subject.dispose(); });
    const A = identityOf('a');
    const next = (identity = A): TransactionId => transactionId(identity, ++sequence);
    const inDoubt = (identity = A): Promise<readonly TransactionId[]> => subject.participant.inDoubt(identity);

    it('shows nothing before commit, and everything after', async () => {
      const id = next();
      const branch = await subject.change(A, 1, 7);
      expect(await subject.read(1)).toBeUndefined();
      await branch.prepare(id);
      expect(await subject.read(1)).toBeUndefined();
      expect(await inDoubt()).toEqual([id]);
      await subject.participant.commit(id);
      expect(await subject.read(1)).toBe(7);
      expect(await inDoubt()).toEqual([]);
    });

    it('undoes what is prepared, and what is not', async () => {
      const prepared = await subject.change(A, 2, 1);
      const id = next();
      await prepared.prepare(id);
      await prepared.abort(id);
      await (await subject.change(A, 2, 1)).abort(next());
      expect([await subject.read(2), await inDoubt()]).toEqual([undefined, []]);
    });

    it('takes every outcome twice, and outcomes of unknown ids', async () => {
      const [committed, aborted] = [next(), next()];
      const work = await subject.change(A, 3, 1);
      await work.prepare(committed);
      await subject.participant.commit(committed);
      await subject.participant.commit(committed);
      const undone = await subject.change(A, 4, 1);
      await undone.prepare(aborted);
      await undone.abort(aborted);
      await undone.abort(aborted);
      await subject.participant.abort(aborted);
      await subject.participant.commit(next());
      await subject.participant.abort(next());
      expect([await subject.read(3), await subject.read(4), await inDoubt()]).toEqual([1, undefined, []]);
    });

    it('keeps what is prepared, and loses what is not, when it dies', async () => {
      const [kept, dropped] = [next(), next()];
      const first = await subject.change(A, 5, 1);
      const second = await subject.change(A, 6, 1);
      const lost = await subject.change(A, 7, 1);
      await first.prepare(kept);
      await second.prepare(dropped);
      await subject.restart();
      expect([...await inDoubt()].sort()).toEqual([kept, dropped].sort());
      await lost.abort(next());
      await subject.participant.commit(kept);
      await subject.participant.abort(dropped);
      await subject.restart();
      expect([await subject.read(5), await subject.read(6), await subject.read(7), await inDoubt()]).toEqual([1, undefined, undefined, []]);
    });

    it('two coordinators do not see each other', async () => {
      const B = identityOf('b');
      const [mine, theirs] = [next(A), next(B)];
      await (await subject.change(A, 8, 1)).prepare(mine);
      await (await subject.change(B, 9, 1)).prepare(theirs);
      expect([await inDoubt(A), await inDoubt(B)]).toEqual([[mine], [theirs]]);
      await subject.participant.abort(mine);
      await subject.participant.commit(theirs);
      expect([await subject.read(8), await subject.read(9)]).toEqual([undefined, 1]);
    });

    it('two transactions on one cell: one is refused, or both come out in order', async () => {
      const [first, second] = [next(), next()];
      await (await subject.change(A, 10, 1)).prepare(first);
      const late = subject.change(A, 10, 2).then(async (branch) => { await branch.prepare(second); return 'prepared' as const; })
        .catch((error: unknown) => { if (error instanceof StillpointError && error.code === 'E_PARTICIPANT') return 'refused' as const; throw error; });
      const early = await Promise.race([late, new Promise<'waits'>((resolve) => { setTimeout(resolve, 100, 'waits'); })]);
      expect(early).not.toBe('prepared');
      await subject.participant.commit(first);
      if (await late === 'prepared') await subject.participant.commit(second);
      expect(await subject.read(10)).toBe(await late === 'prepared' ? 2 : 1);
      await subject.participant.abort(second);
    });

    it('after a later epoch has asked, an earlier one prepares nothing', async () => {
      const old = identityOf('c', 1);
      const branch = await subject.change(old, 11, 1);
      expect(await inDoubt(identityOf('c', 2))).toEqual([]);
      const id = transactionId(old, ++sequence);
      await expect(branch.prepare(id)).rejects.toMatchObject({ code: 'E_PARTICIPANT' });
      await branch.abort(id);
      expect([await subject.read(11), await inDoubt(identityOf('c', 2))]).toEqual([undefined, []]);
    });
  });
}
