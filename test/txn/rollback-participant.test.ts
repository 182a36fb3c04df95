/** Rollback as a participant: the suite of participants, with runs as cells, and the records that clusters over several hosts add. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { StillpointError } from '../../src/core/index.ts';
import { MemoryStore, type Store } from '../../src/store/index.ts';
import {
  decodeBack, decodeClusterRecord, decodeForking, encodeBack, encodeClusterRecord, encodeForking, openJournal, openRun, readRun, removeRun, RollbackParticipant, transactionId, type ClusterRecord, type ForkingRecord, type IsAlive, type RollbackWishes, type StoreContext,
} from '../../src/txn/index.ts';
import { at, codeOf, digests } from '../journal/support.ts';
import { conformanceOnStores, type Subject } from './participant-conformance.ts';
import { expectDamageFound, expectGolden, type RecordSample } from './record-samples.ts';
import { create, input, owner } from './support.ts';

/** Processes of these tests are dead; a transaction in doubt is nobody that could be. */
const isAlive: IsAlive = ({ host }) => host !== 'host-1';
const FRAMES = 12;

/** A run whose journal has FRAMES frames, each with one input. */
async function makeRun(context: StoreContext, name: string): Promise<void> {
  const writer = await create(context, name);
  for (let index = 1; index < FRAMES; index++) writer.append(input(BigInt(index), index - 1, 'x'));
  await writer.commit({ instructions: at(BigInt(FRAMES - 1)), frames: [], outputs: new Map(), isLast: true });
}

function wish(context: StoreContext, name: string, frames: number): RollbackWishes {
  const record = readRun(context, name);
  return new Map([[name, { run: record.id, place: { frames, link: openJournal(context, record).tailAfter(frames).link } }]]);
}

function subjectOf(first: Store, reopen: (before: Store) => Promise<Store>, dispose: (store: Store) => Promise<void>): Subject {
  let context: StoreContext = { store: first, digests };
  let inner = new RollbackParticipant(context, { name: 'runs', isAlive });
  const made = new Set<number>();
  return {
    participant: { name: 'runs', commit: (id) => inner.commit(id), abort: (id) => inner.abort(id), inDoubt: (identity) => inner.inDoubt(identity) },
    change: async (_identity, cell, value) => {
      if (!made.has(cell)) await makeRun(context, `cell-${cell}`);
      made.add(cell);
      const wishes = wish(context, `cell-${cell}`, value);
      return {
        participant: inner, abort: (id) => inner.abort(id),
        prepare: async (id) => {
          try {
            await inner.prepare(id, wishes);
          } catch (error) {
            if (error instanceof StillpointError && error.code === 'E_RUN_OWNED') throw new StillpointError('E_PARTICIPANT', error.message); // A run that another one has.
            throw error;
          }
        },
      };
    },
    read: async (cell) => {
      const { count } = readRun(context, `cell-${cell}`).tail;
      return count === FRAMES ? undefined : count;
    },
    restart: async () => {
      context = { store: await reopen(context.store), digests };
      inner = new RollbackParticipant(context, { name: 'runs', isAlive });
    },
    dispose: () => dispose(context.store),
  };
}

conformanceOnStores('runs', subjectOf);

describe('a rollback that is prepared', () => {
  const identity = { id: 'e'.repeat(16), epoch: 1 };

  it('keeps everybody else from its runs until it ends, then they are free', async () => {
    const context: StoreContext = { store: new MemoryStore(), digests };
    for (const name of ['a', 'b']) await makeRun(context, name);
    const participant = new RollbackParticipant(context, { name: 'runs', isAlive });
    const id = transactionId(identity, 1);
    await participant.prepare(id, new Map([...wish(context, 'a', 3), ['b', { run: readRun(context, 'b').id, place: undefined }]]));
    const open = (name: string): Promise<unknown> => openRun(context, { name, owner: owner('another'), isAlive });
    for (const name of ['a', 'b']) {
      await expect(open(name)).rejects.toMatchObject({ code: 'E_RUN_OWNED', message: expect.stringContaining('waits for the end of a rollback of its whole cluster') as string });
      await expect(removeRun(context, { name, isAlive })).rejects.toMatchObject({ code: 'E_RUN_OWNED' });
    }
    await participant.commit(id);
    expect(['a', 'b'].map((name) => readRun(context, name).tail.count)).toEqual([3, 1]);
    for (const name of ['a', 'b']) await open(name);
  });

  it('is refused whole when one of its runs is at work, is another one, or never was there', async () => {
    const context: StoreContext = { store: new MemoryStore(), digests };
    for (const name of ['a', 'b']) await makeRun(context, name);
    const participant = new RollbackParticipant(context, { name: 'runs', isAlive });
    const [a] = wish(context, 'a', 3);
    const refusal = (sequence: number, other: RollbackWishes): Promise<unknown> => participant.prepare(transactionId(identity, sequence), new Map([a!, ...other])).catch((error: unknown) => (error as StillpointError).code); // Every refusal is one.
    const [, ofB] = [...wish(context, 'b', 3)][0]!;
    expect(await refusal(1, new Map([['b', { ...ofB, run: 'f'.repeat(32) as never }]]))).toBe('E_CHECKPOINT_UNKNOWN');
    expect(await refusal(2, new Map([['b', { ...ofB, place: { frames: 3, link: 'f'.repeat(64) as never } }]]))).toBe('E_CHECKPOINT_UNKNOWN');
    expect(await refusal(3, new Map([['b', { ...ofB, place: { ...ofB.place!, frames: FRAMES + 1 } }]]))).toBe('E_CHECKPOINT_UNKNOWN');
    expect(await refusal(4, new Map([['c', ofB]]))).toBe('E_RUN_UNKNOWN');
    await openRun(context, { name: 'b', owner: { ...owner('at work'), host: 'host-2' }, isAlive });
    expect(await refusal(5, wish(context, 'b', 3))).toBe('E_RUN_OWNED');
    expect(await participant.inDoubt(identity)).toEqual([]);
    await openRun(context, { name: 'a', owner: owner('another'), isAlive });
  });
});

describe('records of clusters over several hosts', () => {
  const ID = transactionId({ id: '0123456789abcdef', epoch: 3 }, 12);
  const RUN = 'ab'.repeat(16) as never; // 32 digits.
  const BACK = new Map([['words.map-0', { run: RUN, epoch: 7, place: { frames: 12, link: 'cd'.repeat(32) as never } }], ['words.map-1', { run: RUN, epoch: 1, place: undefined }]]);
  const CLUSTER: ClusterRecord = {
    name: 'words', hosts: new Map([['east', { address: '10.0.0.2', port: 7410 }]]),
    nodes: new Map([['map-0', { host: 'east', files: new Map([['in/text', { path: '/data/a', isWritten: false }], ['out/counts', { path: '/data/b', isWritten: true }]]) }], ['reduce-0', { host: undefined, files: new Map() }]]),
  };
  const FORKING: ForkingRecord = { name: 'other', from: 'words', runs: new Map([['other.map-0', { host: 'east', id: RUN }], ['other.reduce-0', { host: undefined, id: RUN }]]) };
  const SAMPLES: readonly RecordSample[] = [
    ['back', encodeBack(digests, ID, BACK), (bytes) => decodeBack(digests, ID, bytes), 'E_STORE_CORRUPT', BACK],
    ['cluster', encodeClusterRecord(digests, CLUSTER), (bytes) => decodeClusterRecord(digests, 'words', bytes), 'E_STORE_CORRUPT', CLUSTER],
    ['forking', encodeForking(digests, FORKING), (bytes) => decodeForking(digests, 'other', bytes), 'E_STORE_CORRUPT', FORKING],
  ];
  const GOLDEN = new URL('./golden/spread-v2.json', import.meta.url);
  const GOLDEN_1 = new URL('./golden/spread-v1.json', import.meta.url);

  it('the written version is what the golden file says, in both directions', () => { expectGolden(SAMPLES, GOLDEN); });

  it('version 1 is read: a fork under way was known by its own name only', () => {
    const { forking } = JSON.parse(readFileSync(GOLDEN_1, 'utf8')) as { readonly forking: string };
    expect(decodeForking(digests, 'other', Buffer.from(forking, 'hex'))).toEqual({ ...FORKING, from: 'other' });
  });

  it.each(SAMPLES)('every flipped byte and every truncation of a %s record is E_STORE_CORRUPT', (_name, bytes, decode, code) => { expectDamageFound(bytes, decode, code); });

  it('a record under the name of another, or with a node on no host, is refused', () => {
    expect(codeOf(() => decodeBack(digests, transactionId({ id: '0123456789abcdef', epoch: 3 }, 13), SAMPLES[0]![1]))).toBe('E_STORE_CORRUPT');
    expect(codeOf(() => decodeClusterRecord(digests, 'other', SAMPLES[1]![1]))).toBe('E_STORE_CORRUPT');
    expect(codeOf(() => decodeForking(digests, 'words', SAMPLES[2]![1]))).toBe('E_STORE_CORRUPT');
    expect(codeOf(() => decodeClusterRecord(digests, 'words', encodeClusterRecord(digests, { ...CLUSTER, hosts: new Map() })))).toBe('E_STORE_CORRUPT');
  });
});
