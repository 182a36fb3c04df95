/** Runs in a store: creation, commits, ownership, fencing, recovery, removal, what is live. */
import { describe, expect, it } from 'vitest';
import { blobKey, entryKey, runKey } from '../../src/journal/index.ts';
import { listCheckpoints, listRuns, openJournal, openRun, readCheckpoint, readOwnerRecord, readRun, recover, removeRun, runNames, stateOfRun, type ChannelMark, type FreshCheckpoint, type RunWriter, type StoreContext } from '../../src/txn/index.ts';
import { MemoryStore, TABLES, type Store, type StoreBatch } from '../../src/store/index.ts';
import { at, codeOf, digests, LARGE, rejectionOf, someHash } from '../journal/support.ts';
import { allAlive, allDead, contextOf, create, exitFrame, input, newRun, owner, PROGRAM, take } from './support.ts';

const mark = (outputPosition: number): ChannelMark => ({ inputPosition: 0, outputPosition });
const checkpoint = (fill: number, outputPosition = 0): FreshCheckpoint => ({ root: someHash(fill), channels: new Map([['stdout', mark(outputPosition)]]), digests: Uint8Array.of(1), createdMs: 7 });
const at3 = (synced: number, delivered: number, intended: number): { synced: number; delivered: number; intended: number } => ({ synced, delivered, intended });

/** Everything in a store, to compare before and after. */
function dump(store: Store): string {
  return JSON.stringify(TABLES.map((table) => [...store.range(table, { from: Uint8Array.of(0), to: new Uint8Array(40).fill(255) })].map(({ key, value }) => [table, Buffer.from(key).toString('hex'), Buffer.from(value).toString('hex')])));
}

describe('creation', () => {
  it('a run appears with record, owner, program and genesis frame', async () => {
    const context = contextOf();
    const writer = await create(context, 'one');
    expect(readRun(context, 'one')).toEqual(writer.record);
    const journal = openJournal(context, writer.record);
    const genesis = journal.genesis();
    expect(journal.programBytes(genesis.program)).toEqual(PROGRAM);
    expect(genesis.manifest).toEqual(Uint8Array.of(9));
    expect(readOwnerRecord(context, writer.record.id)).toEqual({ epoch: 1, owner: owner('creator') });
    expect(runNames(context)).toEqual(['one']);
  });

  it('a second run of a name is E_RUN_EXISTS and changes nothing; a bad name is E_RUN_NAME', async () => {
    const context = contextOf();
    await create(context, 'one');
    const before = dump(context.store);
    expect((await rejectionOf(create(context, 'one', { id: newRun('other').id }))).code).toBe('E_RUN_EXISTS');
    expect((await rejectionOf(create(context, 'a/b'))).code).toBe('E_RUN_NAME');
    expect(dump(context.store)).toBe(before);
  });

  it('runs of one program share its bytes, and a damaged copy is replaced', async () => {
    const context = contextOf();
    await create(context, 'one');
    const key = blobKey(digests.sha256(PROGRAM));
    await context.store.commit({ puts: [{ table: 'blobs', key, value: Uint8Array.of(0) }] });
    await create(context, 'two');
    expect(context.store.get('blobs', key)).toEqual(PROGRAM);
    await create(context, 'three');
    expect(context.store.usage().tables.blobs.entries).toBe(1);
  });

  it('equal jobs have equal genesis hashes, other jobs have others', async () => {
    const context = contextOf();
    const genesis = async (name: string, manifest: number): Promise<string> => (await create(context, name, { manifest: Uint8Array.of(manifest) })).record.genesis;
    expect(await genesis('one', 1)).toBe(await genesis('two', 1));
    expect(await genesis('three', 2)).not.toBe(await genesis('four', 1));
  });

  it('a full disk leaves nothing', async () => {
    const store = new MemoryStore();
    store.failNextCommit('E_DISK_FULL');
    expect((await rejectionOf(create(contextOf(store), 'one'))).code).toBe('E_DISK_FULL');
    expect(dump(store)).toBe(dump(new MemoryStore()));
  });
});

describe('commit', () => {
  it('writes frames, blobs, nodes, checkpoint, positions and record at once', async () => {
    const context = contextOf();
    const writer = await create(context, 'one');
    writer.append(input(10n, 0, 'hi'));
    const node = { table: 'nodes' as const, key: Uint8Array.of(1), value: Uint8Array.of(2) };
    const made = await writer.commit({
      instructions: at(20n), frames: [{ kind: 'input', at: at(12n), channel: 'table', offset: 0, bytes: LARGE }], snapshot: { puts: [node] },
      checkpoint: checkpoint(5, 4), outputs: new Map([['stdout', at3(4, 4, 4)]]), bindings: '{"new":1}',
    });
    const record = readRun(context, 'one');
    expect(record).toEqual(writer.record);
    expect(record).toMatchObject({ status: 'running', lastCheckpoint: 1, instructions: 20n, bindings: '{"new":1}', tail: { count: 4, at: 20n } });
    expect([...openJournal(context, record).frames()].map(({ frame }) => frame.kind)).toEqual(['genesis', 'input', 'input', 'checkpoint']);
    expect(context.store.get('nodes', node.key)).toEqual(node.value);
    expect(listCheckpoints(context, record)).toEqual([made]);
    expect(readCheckpoint(context, record, 1)).toMatchObject({ number: 1, at: 20n, root: someHash(5), tail: record.tail, createdMs: 7 });
    expect(writer.pending).toEqual({ frames: 0, bytes: 0 });
  });

  it('that fails changes neither store nor writer, and can be tried again', async () => {
    const store = new MemoryStore();
    const context = contextOf(store);
    const writer = await create(context, 'one');
    writer.append(input(10n, 0, 'hi'));
    const before = [dump(store), writer.tail, writer.record, writer.pending];
    const request = { instructions: at(20n), frames: [input(15n, 2, 'ho')], checkpoint: checkpoint(5) };
    for (const code of ['E_DISK_FULL', 'E_STORE_WRITE'] as const) {
      store.failNextCommit(code);
      expect((await rejectionOf(writer.commit(request))).code).toBe(code);
      expect([dump(store), writer.tail, writer.record, writer.pending]).toEqual(before);
    }
    expect((await writer.commit(request))?.number).toBe(1);
    openJournal(context, readRun(context, 'one')).verify();
  });

  it('with an exit frame ends the run; the last one gives it up', async () => {
    const context = contextOf();
    const writer = await create(context, 'one');
    await writer.commit({ instructions: at(5n), frames: [exitFrame(5n, 3)], checkpoint: checkpoint(1), isLast: true });
    const record = readRun(context, 'one');
    expect(record).toMatchObject({ status: 'ended', outcome: { kind: 'exited', status: 3 } });
    expect(readOwnerRecord(context, record.id)).toEqual({ epoch: 1, owner: undefined });
    expect((await rejectionOf(take(context, 'one', 'next'))).code).toBe('E_RUN_FINISHED');
    await expect(writer.commit({ instructions: at(6n) })).rejects.toThrow('nothing after its end');
  });

  it('a run that a cap ended can be resumed and end again', async () => {
    const context = contextOf();
    const writer = await create(context, 'one');
    await writer.commit({ instructions: at(5n), frames: [{ kind: 'exit', at: at(5n), outcome: { kind: 'capped', cap: 'max-instructions' }, root: someHash(1) }], isLast: true });
    const next = await take(context, 'one', 'next');
    await next.commit({ instructions: at(6n), frames: [input(6n, 0, 'x')] });
    expect(readRun(context, 'one')).toMatchObject({ status: 'running', outcome: undefined });
    await next.commit({ instructions: at(9n), frames: [exitFrame(9n)], isLast: true });
    expect(readRun(context, 'one')).toMatchObject({ status: 'ended', outcome: { kind: 'exited', status: 0 } });
    openJournal(context, readRun(context, 'one')).verify();
  });

  it('refuses what would break the protocol: our own mistakes, found at once', async () => {
    const writer = await create(contextOf(), 'one');
    const fails = async (request: Parameters<RunWriter['commit']>[0], says: string): Promise<void> => expect(writer.commit({ ...request })).rejects.toThrow(says);
    await fails({ instructions: at(1n), checkpoint: checkpoint(1, 3), outputs: new Map([['stdout', at3(2, 3, 3)]]) }, 'relies only on synced output');
    await fails({ instructions: at(1n), outputs: new Map([['stdout', at3(0, 3, 2)]]) }, 'synced <= delivered <= intended');
    await fails({ instructions: at(1n), snapshot: { puts: [{ table: 'runs', key: Uint8Array.of(1), value: Uint8Array.of(1) }] } }, 'nodes, pages, packs');
    await writer.commit({ instructions: at(1n), outputs: new Map([['stdout', at3(1, 2, 2)]]) });
    await fails({ instructions: at(1n), outputs: new Map([['stdout', at3(1, 1, 2)]]) }, 'only grow');
    await writer.commit({ instructions: at(1n), outputs: new Map([['stdout', at3(1, 1, 1)]]), isRewind: true });
    writer.append(input(5n, 0, 'x'));
    await fails({ instructions: at(5n), outputs: new Map(), isRewind: true }, 'before a resumed run goes on');
    expect(() => writer.append(input(4n, 1, 'x'))).toThrow('never go down');
    expect(() => writer.append({ kind: 'checkpoint', at: at(5n), number: 1, root: someHash(1) })).toThrow('writes the frame of a checkpoint');
    expect(() => writer.append(exitFrame(5n))).toThrow('handed to commit()');
  });

  it('no frame is added and no second commit begun while one is under way', async () => {
    const store = new MemoryStore({ flush: 'by-hand' });
    const creating = create(contextOf(store), 'one');
    store.flush();
    const writer = await creating;
    const commit = writer.commit({ instructions: at(1n) });
    expect(() => writer.append(input(5n, 0, 'x'))).toThrow('one thing at a time');
    await expect(writer.commit({ instructions: at(1n) })).rejects.toThrow('one thing at a time');
    store.flush();
    await commit;
  });
});

describe('ownership', () => {
  it('a live owner is E_RUN_OWNED at once, with its process', async () => {
    const context = contextOf();
    await create(context, 'one');
    const error = await rejectionOf(openRun(context, { name: 'one', owner: owner('b'), isAlive: allAlive }));
    expect([error.code, error.data]).toEqual(['E_RUN_OWNED', { run: 'one', pid: 42, host: 'host-1' }]);
    expect((await rejectionOf(openRun(context, { name: 'none', owner: owner('b'), isAlive: allAlive }))).code).toBe('E_RUN_UNKNOWN');
  });

  it('a run that was given up is taken without asking who lives', async () => {
    const context = contextOf();
    await (await create(context, 'one')).close();
    expect(readRun(context, 'one').status).toBe('stopped');
    const next = await openRun(context, { name: 'one', owner: owner('b'), isAlive: allAlive });
    expect([next.epoch, next.record.status]).toEqual([2, 'running']);
  });

  it('a fenced writer gets E_RUN_FENCED for whatever it does, and nothing of it is applied', async () => {
    const context = contextOf();
    const old = await create(context, 'one');
    old.append(input(10n, 0, 'lost'));
    const next = await take(context, 'one', 'next');
    const before = dump(context.store);
    expect((await rejectionOf(old.commit({ instructions: at(10n), checkpoint: checkpoint(1), snapshot: { puts: [{ table: 'pages', key: Uint8Array.of(1), value: Uint8Array.of(1) }] } }))).code).toBe('E_RUN_FENCED');
    expect(dump(context.store)).toBe(before);
    expect((await rejectionOf(old.commit({ instructions: at(10n) }))).code).toBe('E_RUN_FENCED');
    expect(codeOf(() => old.append(input(10n, 0, 'x')))).toBe('E_RUN_FENCED');
    expect((await rejectionOf(old.renew())).code).toBe('E_RUN_FENCED');
    expect((await rejectionOf(old.close().catch((error: unknown) => Promise.reject(error)))).code).toBe('E_RUN_FENCED');
    await next.renew();
    await next.commit({ instructions: at(3n), frames: [input(3n, 0, 'new')] });
    openJournal(context, readRun(context, 'one')).verify();
  });

  it('of many that take a dead run at once, exactly one wins, and the others hear that it is owned', async () => {
    for (let round = 0; round < 20; round++) {
      const context = contextOf();
      await create(context, 'one');
      const living = new Set<string>();
      const race = await Promise.allSettled(Array.from({ length: 8 }, (_, index) => openRun(context, { name: 'one', owner: owner(`racer ${index}`), isAlive: ({ token }) => token !== 'creator' }).then((writer) => { living.add(`racer ${index}`); return writer; })));
      const winners = race.filter((result) => result.status === 'fulfilled');
      expect(winners).toHaveLength(1);
      for (const result of race) if (result.status === 'rejected') expect(result.reason).toMatchObject({ code: 'E_RUN_OWNED' });
      await winners[0]!.value.commit({ instructions: at(1n) });
      expect(living.size).toBe(1);
    }
  });

  it('a run whose owner ended it between the look and the taking is given back', async () => {
    const inner = new MemoryStore();
    const context = contextOf(inner);
    const old = await create(context, 'one');
    let isFirst = true;
    const racing = wrap(inner, async (batch) => {
      if (isFirst) {
        isFirst = false;
        await old.commit({ instructions: at(5n), frames: [exitFrame(5n)] });
      }
      return inner.commit(batch);
    });
    expect((await rejectionOf(take({ store: racing, digests }, 'one', 'b'))).code).toBe('E_RUN_FINISHED');
    expect(readOwnerRecord(context, old.record.id)?.owner).toBeUndefined();
  });

  it('tells running, interrupted, stopped and ended apart', async () => {
    const context = contextOf();
    const writer = await create(context, 'one');
    const state = (isAlive: typeof allAlive): string => stateOfRun(context, readRun(context, 'one'), isAlive);
    expect([state(allAlive), state(allDead)]).toEqual(['running', 'interrupted']);
    await writer.close();
    expect([state(allAlive), state(allDead)]).toEqual(['stopped', 'stopped']);
    const next = await take(context, 'one', 'next');
    expect([state(allAlive), state(allDead)]).toEqual(['running', 'stopped']);
    await next.commit({ instructions: at(1n), frames: [exitFrame(1n)], isLast: true });
    expect(state(allAlive)).toBe('ended');
  });

  it('a run record that changed under its owner is E_STORE_CORRUPT, not a silent overwrite', async () => {
    const context = contextOf();
    const writer = await create(context, 'one');
    await context.store.commit({ puts: [{ table: 'runs', key: new TextEncoder().encode('one'), value: Uint8Array.of(1) }] });
    expect((await rejectionOf(writer.commit({ instructions: at(1n) }))).code).toBe('E_STORE_CORRUPT');
  });
});

describe('recovery', () => {
  async function twoCheckpoints(context: StoreContext): Promise<RunWriter> {
    const writer = await create(context, 'one');
    await writer.commit({ instructions: at(10n), frames: [input(5n, 0, 'aa')], checkpoint: checkpoint(1, 3), outputs: new Map([['stdout', at3(3, 3, 3)]]) });
    await writer.commit({ instructions: at(20n), frames: [input(15n, 2, 'bb')], checkpoint: checkpoint(2, 6), outputs: new Map([['stdout', at3(6, 6, 6)]]) });
    await writer.commit({ instructions: at(30n), frames: [input(25n, 4, 'cc')], outputs: new Map([['stdout', at3(6, 6, 9)], ['pipe', at3(0, 0, 4)]]) });
    return writer;
  }
  const texts = (recovery: ReturnType<typeof recover>): string[] => [...recovery.refeed()].map(({ frame }) => frame.kind === 'input' ? Buffer.from(recovery.journal.inputBytes(frame)).toString() : frame.kind);

  it('gives the last checkpoint, the frames after it and where each channel stands', async () => {
    const context = contextOf();
    await twoCheckpoints(context);
    const recovery = recover(context, readRun(context, 'one'));
    expect(recovery.checkpoint?.number).toBe(2);
    expect(texts(recovery)).toEqual(['cc']);
    expect([...recovery.outputs]).toEqual([['pipe', { ...at3(0, 0, 4), rewindTo: 0 }], ['stdout', { ...at3(6, 6, 9), rewindTo: 6 }]]);
  });

  it('goes back to an earlier checkpoint or to genesis when told', async () => {
    const context = contextOf();
    await twoCheckpoints(context);
    const record = readRun(context, 'one');
    expect(texts(recover(context, record, { checkpoint: 1 }))).toEqual(['bb', 'checkpoint', 'cc']);
    expect(texts(recover(context, record, { checkpoint: 'genesis' }))).toEqual(['aa', 'checkpoint', 'bb', 'checkpoint', 'cc']);
    expect(recover(context, record, { checkpoint: 'genesis' }).outputs.get('stdout')?.rewindTo).toBe(0);
    for (const number of [0, 3, 1.5, -1]) expect(codeOf(() => recover(context, record, { checkpoint: number }))).toBe('E_CHECKPOINT_UNKNOWN');
  });

  it('without a checkpoint boots from genesis', async () => {
    const context = contextOf();
    await create(context, 'one');
    const recovery = recover(context, readRun(context, 'one'));
    expect(recovery.checkpoint).toBeUndefined();
    expect([...recovery.refeed()]).toEqual([]);
  });

  it('a checkpoint of another run of events is refused', async () => {
    const context = contextOf();
    const { id } = (await twoCheckpoints(context)).record;
    const one = context.store.get('checkpoints', entryKey(id, 1))!;
    await context.store.commit({ puts: [{ table: 'checkpoints', key: entryKey(id, 2), value: one }] });
    expect(codeOf(() => recover(context, readRun(context, 'one')))).toBe('E_SNAPSHOT_FORMAT');
    await context.store.commit({ deletes: [{ table: 'frames', key: entryKey(id, 4) }] });
    expect(codeOf(() => recover(context, readRun(context, 'one'), { checkpoint: 'genesis' }).journal.verify())).toBe('E_JOURNAL_CUT');
  });
});

describe('removal', () => {
  it('takes the records of one run and nothing else', async () => {
    const context = contextOf();
    await create(context, 'keep');
    const before = dump(context.store);
    const references = context.store.get('meta', new TextEncoder().encode('references'));
    const writer = await create(context, 'one');
    await writer.commit({ instructions: at(20n), frames: [input(15n, 0, 'bb')], checkpoint: checkpoint(2) });
    expect((await rejectionOf(removeRun(context, { name: 'one', isAlive: allAlive }))).code).toBe('E_RUN_OWNED');
    await removeRun(context, { name: 'one', isAlive: allDead });
    await context.store.commit({ puts: [{ table: 'meta', key: new TextEncoder().encode('references'), value: references! }] });
    expect(dump(context.store)).toBe(before);
    expect((await rejectionOf(removeRun(context, { name: 'one', isAlive: allDead }))).code).toBe('E_RUN_UNKNOWN');
    expect((await rejectionOf(writer.commit({ instructions: at(21n) }))).code).toBe('E_RUN_FENCED');
  });

  it('loses against a process that takes the run meanwhile', async () => {
    const inner = new MemoryStore();
    await create(contextOf(inner), 'one');
    const racing = wrap(inner, async (batch) => {
      await take(contextOf(inner), 'one', 'taker');
      return inner.commit(batch);
    });
    expect((await rejectionOf(removeRun({ store: racing, digests }, { name: 'one', isAlive: allDead }))).code).toBe('E_RUN_OWNED');
    expect(inner.has('owners', runKey(readRun(contextOf(inner), 'one').id))).toBe(true);
  });
});

/** A store whose commits go through `commit`. */
function wrap(inner: Store, commit: (batch: StoreBatch) => Promise<'done' | 'conflict'>): Store {
  return { get: (table, key) => inner.get(table, key), has: (table, key) => inner.has(table, key), range: (table, bounds) => inner.range(table, bounds), usage: () => inner.usage(), close: () => inner.close(), commit };
}
