/**
 * Shelves of locations: their bytes against a second writing of docs/formats/snapshot.md, and that captures, readers, collectors, checks and repairs find pages on them as in records of
 * their own; that what a collector took is stored again, and nothing is found that is gone.
 */
import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { StillpointError } from '../../src/core/index.ts';
import { createNodeDigests } from '../../src/core/live/digest.ts';
import { collect, HashSet, openSnapshot, scanSnapshots, SnapshotChecker, snapshotTableOf, SnapshotWriter, storedPages, sweepSnapshots, walkSnapshot, type Reached, type Root, type SweepGuard } from '../../src/snapshot/index.ts';
import { decodeSegmentKey, entriesOf, entryAt, entryCount, isSoundSegment, sealSegment, segmentKey, segmentOf, segmentWith } from '../../src/snapshot/shelf-format.ts';
import { Shelves } from '../../src/snapshot/shelves.ts';
import { MemoryStore, TABLES, type StoreBatch, type Table } from '../../src/store/index.ts';
import { plain, save, TestMachine } from './machines.ts';

const digests = await createNodeDigests();
const ALL = { from: Uint8Array.of(0), to: new Uint8Array(400).fill(255) };
const LISTS = { pagesMin: 4, pagesMax: 10, segmentEntries: 5 };
const sha256 = (...parts: readonly Uint8Array[]): Buffer => createHash('sha256').update(Buffer.concat(parts)).digest();
const rows = (store: MemoryStore, table: Table): readonly { readonly key: Uint8Array; readonly value: Uint8Array }[] => [...store.range(table, ALL)];
const count = (store: MemoryStore, table: Table): number => rows(store, table).length;
const trouble = async (store: MemoryStore): Promise<readonly string[]> => (await new SnapshotChecker(store, digests).records({ breathe: async () => {} })).map(({ table, says }) => `${table} ${says}`);
const shelvesOf = (store: MemoryStore): readonly string[] => [...new Set(rows(store, 'shelves').map(({ key }) => `${key[0]} ${Buffer.from(key).toString('hex', 1, 9)}`))].sort();

/** Pages `from` to `to` with content that tells page and round. */
function write(machine: TestMachine, from: number, to: number, round = 0): TestMachine {
  for (let page = from; page < to; page++) {
    const bytes = new Uint8Array(4096).fill(1 + round);
    new DataView(bytes.buffer).setUint32(0, page);
    machine.object('memory/1').write(page, bytes);
  }
  return machine;
}

/** Some captures of twelve pages each, every one of which goes on a shelf. */
async function filled(rounds: number, store = new MemoryStore()): Promise<{ readonly store: MemoryStore; readonly writer: SnapshotWriter; readonly machine: TestMachine; readonly roots: readonly Root[] }> {
  const writer = new SnapshotWriter(store, digests, LISTS);
  const machine = new TestMachine();
  const roots: Root[] = [];
  for (let round = 0; round < rounds; round++) roots.push(await save(store, writer, write(machine, round * 12, round * 12 + 12, round)));
  return { store, writer, machine, roots };
}

const restored = (store: MemoryStore, root: Root): unknown => plain(openSnapshot(store, root, digests));
const rebuilt = (rounds: number): TestMachine => Array.from({ length: rounds }).reduce<TestMachine>((machine, _, round) => write(machine, round * 12, round * 12 + 12, round), new TestMachine());
function reachedBy(store: MemoryStore, roots: readonly Root[]): Reached {
  const reached: Reached = { nodes: new HashSet(), pages: new HashSet() };
  for (const root of roots) walkSnapshot(store, root, { digests, reached });
  return reached;
}

/** Holds on to what a capture has reached since the scan. */
function guardOf(store: MemoryStore, root: Root, reached: Reached): SweepGuard {
  return async (build) => {
    walkSnapshot(store, root, { digests, reached });
    const batch = build();
    expect(await store.commit(batch)).toBe('done');
    return batch;
  };
}

describe('a segment of a shelf', () => {
  const shelf = { tier: 1, id: Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8), segments: 3 };
  const hashes = Array.from({ length: 40 }, (_, index) => sha256(Uint8Array.of(index))).filter((hash) => segmentOf(hash.readUInt32BE(0), 3) === 2).sort(Buffer.compare);
  const key = segmentKey(shelf, 2);
  const entries = Buffer.concat(hashes.flatMap((hash, index) => [hash, Uint8Array.of(9, 8, 7, 6, 5, 4, 3, 2, index)]));
  const value = new Uint8Array(18 + entries.length);
  value.set(entries, 18);
  sealSegment(key, value, digests);

  it('golden: has the bytes that the format page says', () => {
    expect(Buffer.from(key).toString('hex')).toBe('0101020304050607080000000300000002');
    expect(Buffer.from(value)).toEqual(Buffer.concat([Uint8Array.of(0x53, 1), sha256(key, entries).subarray(0, 16), entries]));
    expect(sha256(value).toString('hex').slice(0, 16)).toBe('299ff04d9c9dc1c4');
    expect(decodeSegmentKey(key)).toEqual({ shelf, index: 2 });
    expect([isSoundSegment({ key, value }, digests), entryCount(value), snapshotTableOf(digests, key, value)]).toEqual([true, hashes.length, 'shelves']);
  });

  it('finds each of its hashes, and no other', () => {
    hashes.forEach((hash, entry) => expect(entriesOf(value, hash)).toEqual([entryAt(entry)]));
    for (let index = 40; index < 60; index++) expect(entriesOf(value, sha256(Uint8Array.of(index)))).toEqual([]);
    const twice = segmentWith({ key, value }, [entryAt(0), entryAt(1), entryAt(1)], digests);
    expect([entriesOf(twice, hashes[1]!), isSoundSegment({ key, value: twice }, digests)]).toEqual([[entryAt(1), entryAt(2)], true]);
  });

  it('that is cut, flipped, grown or lies under another key is not sound', () => {
    for (let length = 0; length < value.length; length++) expect(isSoundSegment({ key, value: value.subarray(0, length) }, digests)).toBe(false);
    for (let bit = 0; bit < value.length * 8; bit++) {
      const flipped = value.slice();
      flipped[bit >> 3]! ^= 1 << (bit & 7);
      expect(isSoundSegment({ key, value: flipped }, digests)).toBe(false);
      for (const at of entriesOf(flipped, hashes[0]!)) expect(at + 41).toBeLessThanOrEqual(value.length);
    }
    for (const other of [segmentKey(shelf, 1), segmentKey({ ...shelf, tier: 0 }, 2), key.slice(0, 16), Uint8Array.of(...key, 0), Uint8Array.of(3, ...key.subarray(1))]) expect(isSoundSegment({ key: other, value }, digests)).toBe(false);
  });
});

/** The same entries in another order, or some of them, with a right sum. */
function forged({ key, value }: { readonly key: Uint8Array; readonly value: Uint8Array }, order: (entries: readonly number[]) => readonly number[]): Uint8Array {
  return segmentWith({ key, value }, order(Array.from({ length: entryCount(value) }, (_, entry) => entryAt(entry))), digests);
}

describe('pages on shelves', () => {
  it('are restored, shared, and merged into larger shelves', async () => {
    const { store, machine, roots } = await filled(9);
    expect([count(store, 'pages'), count(store, 'locations'), storedPages(store)]).toEqual([0, 0, 108]);
    expect(shelvesOf(store).map((name) => name[0])).toEqual(['0', '1', '1']); // Four and four were merged.
    expect(restored(store, roots[8]!)).toEqual(plain(machine));
    roots.forEach((root, round) => expect(restored(store, root)).toEqual(plain(rebuilt(round + 1))));
    const again = new SnapshotWriter(store, digests, LISTS).capture(machine.copy());
    expect([again.root, again.stats.newPages, again.batch.puts]).toEqual([roots[8], 0, []]);
    const relied = again.batch.expect.filter(({ table }) => table === 'shelves').map(({ key }) => Buffer.from(key).toString('hex'));
    expect([relied.length, new Set(relied).size]).toEqual([count(store, 'shelves'), relied.length]);
    again.abandon();
    expect(await trouble(store)).toEqual([]);
  });

  it('of forty captures: every tier is merged, and the last is left to grow', async () => {
    const { store, machine, roots } = await filled(40);
    expect(shelvesOf(store).map((name) => name[0])).toEqual(['1', '1', '2', '2']);
    expect([restored(store, roots[39]!), await trouble(store)]).toEqual([plain(machine), []]);
  });

  it('a capture of very many pages begins in a higher tier', async () => {
    const store = new MemoryStore();
    const machine = write(new TestMachine(), 0, 60);
    const root = await save(store, new SnapshotWriter(store, digests, LISTS), machine);
    expect([shelvesOf(store).map((name) => name[0]), restored(store, root)]).toEqual([['1'], plain(machine)]);
  });

  it('a reader whose shelves were merged by somebody else finds the page where it is now', async () => {
    const { store, writer, machine, roots } = await filled(3);
    const other = { get: store.get.bind(store), range: store.range.bind(store) };
    plain(openSnapshot(other, roots[2]!, digests)); // It knows three shelves.
    const root = await save(store, writer, write(machine, 36, 48));
    expect(shelvesOf(store).length).toBe(1);
    for (const wanted of [roots[2]!, root]) expect(plain(openSnapshot(other, wanted, digests))).toEqual(restored(store, wanted));
  });

  it('a shelf that is often looked into for nothing is not any more, and has what it has', async () => {
    const { store, machine, roots } = await filled(9);
    let looks = 0;
    const counting = { get: (table: Table, key: Uint8Array) => (looks += Number(table === 'shelves'), store.get(table, key)), range: store.range.bind(store) };
    const writer = new SnapshotWriter(counting, digests, { ...LISTS, pagesMax: 10_000 });
    const strangers: number[] = [];
    for (let round = 0; round < 6; round++) {
      looks = 0;
      writer.capture(write(new TestMachine(), 0, 150, 100 + round)).abandon();
      strangers.push(looks);
    }
    expect([strangers[0], Math.max(...strangers.slice(2)) < strangers[0]! / 6]).toEqual([450, true]);
    expect(writer.capture(machine.copy()).stats.newPages).toBe(0);
    expect(plain(openSnapshot(counting, roots[8]!, digests))).toEqual(plain(machine));
  });

  it('a merge conflicts when a segment changed meanwhile, and so does whoever relied on one', async () => {
    for (const hasNew of [true, false]) {
      const { store, roots } = await filled(3);
      const writer = new SnapshotWriter(store, digests, LISTS);
      const machine = hasNew ? write(new TestMachine(), 36, 48) : rebuilt(3);
      const capture = writer.capture(machine);
      await collect(store, [roots[1]!], digests);
      expect(await store.commit(capture.batch)).toBe('conflict');
      capture.abandon();
      const root = await save(store, writer, machine);
      expect([restored(store, root), await trouble(store)]).toEqual([plain(machine), []]);
    }
  });

  it('two that write the same lists at once do not write one shelf over the other', async () => {
    const store = new MemoryStore();
    const [one, two] = [0, 1].map(() => new SnapshotWriter(store, digests, LISTS).capture(write(new TestMachine(), 0, 12)));
    expect([await store.commit(one!.batch), await store.commit(two!.batch)]).toEqual(['done', 'conflict']);
  });
});

describe('a collector', () => {
  it('takes what is dead out of shelves; it is stored again when it comes back', async () => {
    const { store, machine, roots } = await filled(6);
    await collect(store, [roots[1]!], digests);
    expect([restored(store, roots[1]!), storedPages(store), await trouble(store)]).toEqual([plain(rebuilt(2)), 24, []]);
    const root = await save(store, new SnapshotWriter(store, digests, LISTS), machine.copy());
    expect([restored(store, root), await trouble(store), storedPages(store)]).toEqual([plain(machine), [], 72]);
    await collect(store, [], digests);
    expect(TABLES.map((table) => count(store, table))).toEqual(TABLES.map(() => 0));
  });

  it('writes a pack again of which half lives; the entry that stays behind leads nobody astray', async () => {
    const { store, writer, machine } = await filled(4);
    for (let round = 0; round < 4; round++) write(machine, round * 12, round * 12 + 9, 50 + round);
    const root = await save(store, writer, machine);
    const packs = count(store, 'packs');
    await collect(store, [root], digests);
    expect([restored(store, root), await trouble(store), count(store, 'packs') <= packs]).toEqual([plain(machine), [], true]);
    await collect(store, [], digests); // Record and entry are dead.
    const again = await save(store, new SnapshotWriter(store, digests, LISTS), machine.copy());
    expect([again, restored(store, again), await trouble(store)]).toEqual([root, plain(machine), []]);
  });

  it('leaves alone what a capture has merged since its scan', async () => {
    const { store, writer, machine, roots } = await filled(3);
    const reached = reachedBy(store, [roots[0]!]);
    const plan = scanSnapshots(store, reached);
    const root = await save(store, writer, write(machine, 0, 12, 77)); // Merges all four; relies on the pages of the second and third.
    await sweepSnapshots({ store, digests, reached, guard: guardOf(store, root, reached) }, plan);
    for (const wanted of [roots[0]!, root]) restored(store, wanted);
    expect([restored(store, root), await trouble(store)]).toEqual([plain(machine), []]);
  });

  it('that found dead what a capture then merges takes it next time, and until then it is there', async () => {
    const { store, machine, roots } = await filled(3);
    const reached = reachedBy(store, []);
    const plan = scanSnapshots(store, reached);
    expect(plan.segments.length).toBe(count(store, 'shelves'));
    const fresh = new TestMachine();
    const root = await save(store, new SnapshotWriter(store, digests, LISTS), write(fresh, 500, 512, 9)); // Merges the three shelves of what is dead.
    await sweepSnapshots({ store, digests, reached, guard: guardOf(store, root, reached) }, plan);
    const again = await save(store, new SnapshotWriter(store, digests, LISTS), machine.copy()); // Finds its pages on the shelf.
    expect([again, restored(store, again), restored(store, root)]).toEqual([roots[2], plain(machine), plain(fresh)]);
    await collect(store, [root], digests);
    expect([storedPages(store), restored(store, root), await trouble(store)]).toEqual([12, plain(fresh), []]);
  });

  it.each([1, 2, 5, 1000])('takes what is dead also where a commit has no room for more than %i changes, and loses nothing', async (changesMax) => {
    class Tight extends MemoryStore {
      changesMax = Infinity;
      override commit(batch: StoreBatch): Promise<'done' | 'conflict'> {
        if ((batch.puts?.length ?? 0) * 2 + (batch.deletes?.length ?? 0) > this.changesMax) throw new StillpointError('E_DISK_FULL', 'no room');
        return super.commit(batch);
      }
    }
    const tight = new Tight();
    const { machine, roots } = await filled(6, tight);
    tight.changesMax = changesMax;
    await collect(tight, [roots[2]!], digests).catch((error: unknown) => expect(error).toMatchObject({ code: 'E_DISK_FULL' }));
    expect(restored(tight, roots[2]!)).toEqual(plain(rebuilt(3)));
    tight.changesMax = Infinity;
    const again = await save(tight, new SnapshotWriter(tight, digests, LISTS), machine.copy());
    expect([again, restored(tight, again)]).toEqual([roots[5], plain(machine)]);
    await collect(tight, [roots[2]!], digests);
    expect([restored(tight, roots[2]!), storedPages(tight), await trouble(tight)]).toEqual([plain(rebuilt(3)), 36, []]);
  });
});

describe('a check', () => {
  it('finds a segment that is damaged, lost, or lies, and says where its pages are', async () => {
    const { store, machine, roots } = await filled(5);
    const segments = rows(store, 'shelves');
    const lie = (key: Uint8Array, value: Uint8Array): Uint8Array => {
      const lying = value.slice();
      lying[entryAt(0) + 40]! ^= 1; // The slot of its first entry.
      sealSegment(key, lying, digests);
      return lying;
    };
    for (const { key, value } of segments) for (const changed of [value.map((byte, at) => (at === 30 ? byte ^ 4 : byte)), value.subarray(0, 59), lie(key, value), undefined]) {
      const damaged = new MemoryStore();
      await damaged.commit({ puts: TABLES.flatMap((table) => rows(store, table).map((row) => ({ table, ...row }))) });
      await damaged.commit(changed === undefined ? { deletes: [{ table: 'shelves', key }] } : { puts: [{ table: 'shelves', key, value: changed }] });
      const checker = new SnapshotChecker(damaged, digests);
      const bad = [...await checker.records({ breathe: async () => {} })];
      if (changed === undefined) expect([bad, checker.rootTrouble(roots[4]!)?.code]).toEqual([[], 'E_PAGE_MISSING']);
      else expect(bad.filter(({ table }) => table === 'shelves').length).toBe(1);
      bad.push(...checker.lostLocations());
      for (const { table, key: at, value: mended } of bad) await damaged.commit(mended === undefined ? { deletes: [{ table, key: at }] } : { puts: [{ table, key: at, value: mended }] });
      const after = new SnapshotChecker(damaged, digests);
      expect([await after.records({ breathe: async () => {} }), after.rootTrouble(roots[4]!), restored(damaged, roots[4]!)]).toEqual([[], undefined, plain(machine)]);
    }
  });

  it.each([
    ['in the wrong order', (store: MemoryStore) => {
      const row = rows(store, 'shelves').find(({ value }) => entryCount(value) > 1)!;
      return { key: row.key, value: forged(row, (entries) => entries.toReversed()) };
    }],
    ['of another segment', (store: MemoryStore) => {
      const [first, second] = rows(store, 'shelves');
      return { key: first!.key, value: segmentWith({ key: first!.key, value: second!.value }, [entryAt(0)], digests) };
    }],
  ])('names a segment of which the sum is right and the entries are %s; it is not merged, and nothing is lost', async (_what, forge) => {
    const { store, writer, machine } = await filled(3);
    const forgery = forge(store);
    await store.commit({ puts: [{ table: 'shelves', ...forgery }] });
    expect([isSoundSegment(forgery, digests), snapshotTableOf(digests, forgery.key, forgery.value)]).toEqual([false, undefined]);
    const root = await save(store, writer, write(machine, 36, 48)); // Merges the others.
    expect(store.get('shelves', forgery.key)).toEqual(forgery.value);
    const checker = new SnapshotChecker(store, digests);
    const bad = [...await checker.records({ breathe: async () => {} })];
    expect(bad.filter(({ table }) => table === 'shelves').map(({ says }) => says)).toEqual([expect.stringContaining('out of order')]);
    checker.rootTrouble(root);
    bad.push(...checker.lostLocations());
    for (const { table, key, value } of bad) await store.commit(value === undefined ? { deletes: [{ table, key }] } : { puts: [{ table, key, value }] });
    expect([await trouble(store), restored(store, root)]).toEqual([[], plain(machine)]);
  });

  it('reads nothing for a root that was sound before: a thousand forks have the same', async () => {
    const { store, roots } = await filled(2);
    let reads = 0;
    const counting = new Proxy(store, { get: (target, name) => (name === 'get' ? (...key: Parameters<MemoryStore['get']>) => (reads++, target.get(...key)) : Reflect.get(target, name, target).bind(target) as unknown) });
    const checker = new SnapshotChecker(counting, digests);
    await checker.records({ breathe: async () => {} });
    reads = 0;
    const first = [checker.rootTrouble(roots[1]!), reads > 0];
    reads = 0;
    expect([first, checker.rootTrouble(roots[1]!), reads]).toEqual([[undefined, true], undefined, 0]);
  });

  it('shelves that share all of their ids but the last byte leave room for one more', async () => {
    const { store } = await filled(1);
    const value = rows(store, 'shelves')[0]!.value;
    const id = (last: number): Uint8Array => Uint8Array.of(1, 2, 3, 4, 5, 6, 7, last);
    await store.commit({ puts: Array.from({ length: 256 }, (_, last) => ({ table: 'shelves', key: segmentKey({ tier: 2, id: id(last), segments: 1 }, 0), value })) });
    const { puts } = new Shelves(store).add({ pieces: [value], start: entryAt(0), count: entryCount(value) }, digests, { id: id(9), entriesMean: 50, firstTier: 0.01 });
    expect(puts.map(({ key }) => decodeSegmentKey(key)!.shelf)).toEqual([{ tier: 2, id: Uint8Array.of(1, 2, 3, 4, 5, 6, 8, 0), segments: 1 }]);
  });

  it('a damaged segment is neither merged nor swept', async () => {
    const { store, writer, machine, roots } = await filled(3);
    const [first] = rows(store, 'shelves');
    const value = first!.value.slice();
    value[25]! ^= 1;
    await store.commit({ puts: [{ table: 'shelves', key: first!.key, value }] });
    await save(store, writer, write(machine, 36, 48));
    await collect(store, [roots[0]!], digests);
    expect(store.get('shelves', first!.key)).toEqual(value);
  });
});
