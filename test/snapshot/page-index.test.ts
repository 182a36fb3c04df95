/**
 * Lists of locations: their bytes, and that captures, readers, collectors and checks find pages in them as in records of their own.
 */
import { describe, expect, it } from 'vitest';
import { createHash } from 'node:crypto';
import { StillpointError } from '../../src/core/index.ts';
import { createNodeDigests } from '../../src/core/live/digest.ts';
import { collect, HashSet, openSnapshot, scanSnapshots, settleLists, SnapshotChecker, SnapshotWriter, storedPages, walkSnapshot, type Root } from '../../src/snapshot/index.ts';
import { decodeList, encodeList, isListedNode, listedHashAt, listedPackAt, type ListedPack } from '../../src/snapshot/location-list.ts';
import { settledList } from '../../src/snapshot/page-index.ts';
import { MemoryStore, type StoreBatch } from '../../src/store/index.ts';
import { plain, save, TestMachine } from './machines.ts';

const digests = await createNodeDigests();
const ALL = { from: Uint8Array.of(0), to: new Uint8Array(40).fill(255) };
const LISTS = { pagesMin: 4, pagesMax: 30 };
const sha256 = (...parts: readonly Uint8Array[]): Buffer => createHash('sha256').update(Buffer.concat(parts)).digest();
const count = (store: MemoryStore, table: 'pages' | 'locations'): number => [...store.range(table, ALL)].length;

/** A store whose commits go to another thread. */
class Cloning extends MemoryStore {
  override commit(batch: StoreBatch): Promise<'done' | 'conflict'> {
    return super.commit(structuredClone(batch));
  }
}

/** A machine whose pages `from` to `to` hold content of their own. */
function fill(machine: TestMachine, from: number, to: number): TestMachine {
  for (let page = from; page < to; page++) machine.object('memory/1').fill(page, page + 1, 4096);
  return machine;
}

describe('a list of locations', () => {
  const packs = [2, 1].map((pages, index) => {
    const hashes = Buffer.concat(Array.from({ length: pages }, (_, page) => sha256(Uint8Array.of(index, page))));
    return { key: sha256(hashes), hashes, isNode: Uint8Array.of(0, 1 - index) };
  });
  const masks = [Uint8Array.of(2, 0, 0, 0, 0, 0, 0, 0), new Uint8Array(8)]; // The second slot of the first pack is a node.

  it('golden: has the bytes that the format page says', () => {
    const bytes = Buffer.concat([Uint8Array.of(0x4c, 2), ...packs.flatMap(({ key, hashes }, index) => [key, Uint8Array.of(hashes.length / 32), masks[index]!, hashes])]);
    expect(encodeList(packs, digests)).toEqual({ table: 'locations', key: new Uint8Array(sha256(bytes)), value: new Uint8Array(bytes) });
    expect(sha256(bytes).toString('hex').slice(0, 16)).toBe('6dd5b277fa88beab');
    const [first, second] = decodeList(bytes)!;
    expect([bytes.subarray(first!.at, first!.at + 32), first!.count, listedHashAt(first!, 1), second!.count]).toEqual([packs[0]!.key, 2, 2 + 41 + 32, 1]);
    expect([[first!, 0], [first!, 1], [second!, 0]].map(([pack, slot]) => isListedNode(bytes, pack as ListedPack, slot as number))).toEqual([false, true, false]);
    expect([[first!, 1], [second!, 0]].map(([pack, slot]) => listedPackAt(bytes, listedHashAt(pack as ListedPack, slot as number), slot as number))).toEqual([first!.at, second!.at]);
  });

  it('is settled in the order of hashes, also where many begin alike', () => {
    const hashes = Array.from({ length: 64 }, (_, slot) => sha256(Uint8Array.of(slot)));
    hashes.forEach((hash, slot) => hash.fill(0xa5, 0, slot % 5)); // Up to four bytes.
    const settled = settledList(encodeList([{ key: sha256(), hashes: Buffer.concat(hashes), isNode: new Uint8Array(64) }], digests));
    const first = settled.puts.map(({ key }) => Buffer.from(key).readUInt32BE());
    expect(first).toEqual([...first].sort((a, b) => a - b));
    const located = settled.puts.map(({ key, value }) => [Buffer.from(key).toString('hex'), value[8]]);
    expect(new Set(located.map(String))).toEqual(new Set(hashes.map((hash, slot) => String([hash.toString('hex'), slot]))));
  });

  it('of version 1 is read: it knows no nodes', () => {
    const bytes = Buffer.concat([Uint8Array.of(0x4c, 1), ...packs.flatMap(({ key, hashes }) => [key, Uint8Array.of(hashes.length / 32), hashes])]);
    const [first, second] = decodeList(bytes)!;
    expect([first!.count, listedHashAt(first!, 1), second!.at, isListedNode(bytes, first!, 1), listedPackAt(bytes, listedHashAt(second!, 0), 0)]).toEqual([2, 2 + 33 + 32, 2 + 33 + 64, false, second!.at]);
  });

  it('that is cut is none, and no flipped bit ends in anything but a list or none', () => {
    const { value } = encodeList(packs, digests);
    const whole = 2 + 41 + 64; // The first pack alone is a list.
    for (let length = 0; length < value.length; length++) expect(decodeList(value.subarray(0, length)) !== undefined, String(length)).toBe(length === whole);
    for (let bit = 0; bit < value.length * 8; bit++) {
      const flipped = value.slice();
      flipped[bit >> 3]! ^= 1 << (bit & 7);
      for (const pack of decodeList(flipped) ?? []) expect(listedHashAt(pack, pack.count)).toBeLessThanOrEqual(value.length);
    }
  });
});

describe('pages in lists', () => {
  it('are restored, shared, and go on a shelf when there are many', async () => {
    const store = new MemoryStore();
    const writer = new SnapshotWriter(store, digests, LISTS);
    const machine = new TestMachine();
    const first = await save(store, writer, fill(machine, 0, 3));
    expect([count(store, 'pages'), count(store, 'locations')]).toEqual([3, 0]); // Too few for a list.
    const second = await save(store, writer, fill(machine, 3, 20));
    expect([count(store, 'pages'), count(store, 'locations')]).toEqual([3, 1]);
    const state = plain(machine);
    const twin = new SnapshotWriter(store, digests, LISTS);
    const again = twin.capture(machine.copy());
    expect([again.root, again.stats.newPages, again.batch.expect.filter(({ table }) => table === 'locations').length]).toEqual([second, 0, 1]);
    again.abandon();
    const third = await save(store, writer, fill(machine, 20, 38));
    expect([count(store, 'pages'), count(store, 'locations'), storedPages(store)]).toEqual([3, 0, 38]);
    expect(plain(openSnapshot(store, second, digests))).toEqual(state);
    expect(plain(openSnapshot(store, third, digests))).toEqual(plain(machine));
    expect(new Set([first, second, third]).size).toBe(3);
  });

  it('a capture that relies on a list conflicts when somebody settles it, and is taken again', async () => {
    const store = new MemoryStore();
    const machine = fill(new TestMachine(), 0, 12);
    const root = await save(store, new SnapshotWriter(store, digests, LISTS), machine);
    const writer = new SnapshotWriter(store, digests, LISTS);
    const capture = writer.capture(machine.copy());
    await settleLists(store, digests);
    expect([count(store, 'pages'), count(store, 'locations'), await store.commit(capture.batch)]).toEqual([13, 0, 'conflict']); // Twelve pages and the node above them.
    capture.abandon();
    expect(await save(store, writer, machine.copy())).toBe(root);
  });

  it('settled by a collector are records that another thread can be given', async () => {
    const store = new Cloning();
    await save(store, new SnapshotWriter(store, digests, LISTS), fill(new TestMachine(), 0, 12));
    await settleLists(store, digests);
    expect([count(store, 'pages'), count(store, 'locations')]).toEqual([13, 0]);
  });

  it('a reader whose list was settled and collected by somebody else finds the page where it is now', async () => {
    const store = new MemoryStore();
    const other = { get: store.get.bind(store), range: store.range.bind(store) };
    const old = await save(store, new SnapshotWriter(store, digests, LISTS), fill(new TestMachine(), 0, 12));
    plain(openSnapshot(other, old, digests)); // It knows the list now.
    await collect(store, [], digests);
    const machine = fill(new TestMachine(), 6, 16); // Some of the same pages in other packs.
    const root = await save(store, new SnapshotWriter(store, digests, LISTS), machine);
    expect([count(store, 'pages'), count(store, 'locations')]).toEqual([0, 1]);
    expect(plain(openSnapshot(other, root, digests))).toEqual(plain(machine));
  });

  it('a collector settles lists, takes what is dead, and keeps what is alive', async () => {
    const store = new MemoryStore();
    const writer = new SnapshotWriter(store, digests, LISTS);
    const machine = fill(new TestMachine(), 0, 15);
    await save(store, writer, machine);
    for (let page = 0; page < 13; page++) machine.object('memory/1').fill(page, page + 100, 4096);
    const root = await save(store, writer, machine);
    expect(await collect(store, [root], digests)).toEqual({ pages: 13, nodes: 2, packs: 1 }); // A root record and a node.
    expect([count(store, 'pages'), count(store, 'locations')]).toEqual([2, 1]); // Of the second list all lives.
    expect(plain(openSnapshot(store, root, digests))).toEqual(plain(machine));
  });

  it.each([2, 5, 1000])('a collector takes what is dead also where a commit has no room for more than %i changes', async (changesMax) => {
    class Tight extends MemoryStore {
      changesMax = Infinity;
      override commit(batch: StoreBatch): Promise<'done' | 'conflict'> {
        if ((batch.puts?.length ?? 0) * 2 + (batch.deletes?.filter(({ table }) => table === 'pages').length ?? 0) > this.changesMax) throw new StillpointError('E_DISK_FULL', 'no room');
        return super.commit(batch);
      }
    }
    const [tight, roomy] = [new Tight(), new MemoryStore()];
    const roots: Root[] = [];
    for (const store of [tight, roomy]) {
      const writer = new SnapshotWriter(store, digests, LISTS);
      const machine = fill(new TestMachine(), 0, 12);
      await save(store, writer, machine);
      for (let page = 4; page < 12; page++) machine.object('memory/1').fill(page, page + 100, 4096);
      roots.push(await save(store, writer, machine));
    }
    expect([count(tight, 'locations'), count(tight, 'pages')]).toEqual([2, 0]);
    tight.changesMax = changesMax;
    try {
      await collect(tight, [roots[0]!], digests);
    } catch (error) {
      expect(error).toMatchObject({ code: 'E_DISK_FULL' }); // Not even one thing can go. Nothing that is needed went.
    }
    await collect(roomy, [roots[1]!], digests);
    const [machine] = [fill(new TestMachine(), 0, 12)];
    for (let page = 4; page < 12; page++) machine.object('memory/1').fill(page, page + 100, 4096);
    for (const [store, root] of [[tight, roots[0]!], [roomy, roots[1]!]] as const) expect(plain(openSnapshot(store, root, digests))).toEqual(plain(machine));
    tight.changesMax = Infinity;
    await collect(tight, [roots[0]!], digests);
    for (const table of ['pages', 'packs', 'nodes', 'locations'] as const) expect([table, [...tight.range(table, ALL)].length]).toEqual([table, [...roomy.range(table, ALL)].length]);
  });

  it('a collector leaves a pack alone that is written again after its scan, though all its pages are in other lists, too', async () => {
    const store = new MemoryStore();
    const fresh = async (from: number, to: number): Promise<Root> => save(store, new SnapshotWriter({ get: (table, key) => (table === 'pages' ? undefined : store.get(table, key)), range: () => [] }, digests, { pagesMin: 1, pagesMax: 1000 }), fill(new TestMachine(), from, to));
    await fresh(0, 3);
    const second = await fresh(0, 4);
    const third = await fresh(1, 3);
    expect(count(store, 'locations')).toBe(3);
    const reached = { nodes: new HashSet(), pages: new HashSet() };
    for (const root of [second, third]) walkSnapshot(store, root, { digests, reached });
    const plan = scanSnapshots(store, reached);
    expect(plan.packs.length).toBe(0);
    await settleLists(store, digests);
    for (const [root, from, to] of [[second, 0, 4], [third, 1, 3]] as const) expect(plain(openSnapshot(store, root, digests))).toEqual(plain(fill(new TestMachine(), from, to)));
  });

  it('a check finds a list that lies, and says where its pages are', async () => {
    const store = new MemoryStore();
    const root = await save(store, new SnapshotWriter(store, digests, LISTS), fill(new TestMachine(), 0, 12));
    const [list] = [...store.range('locations', ALL)];
    for (const at of [0, 5, 40, 100]) {
      const value = list!.value.slice();
      value[at]! ^= 0x10;
      const damaged = new MemoryStore();
      const rows = (['nodes', 'packs'] as const).flatMap((table) => [...store.range(table, ALL)].map((row) => ({ table, ...row })));
      await damaged.commit({ puts: [...rows, { table: 'locations', key: list!.key, value }] });
      const bad = await new SnapshotChecker(damaged, digests).records({ breathe: async () => {} });
      expect(bad.filter(({ table }) => table === 'locations').length, String(at)).toBe(1);
      await damaged.commit({ deletes: [{ table: 'locations', key: list!.key }], puts: bad.flatMap(({ table, key, value: mended }) => (mended === undefined ? [] : [{ table, key, value: mended }])) });
      const checker = new SnapshotChecker(damaged, digests);
      expect([await checker.records({ breathe: async () => {} }), checker.rootTrouble(root)]).toEqual([[], undefined]);
    }
  });
});
