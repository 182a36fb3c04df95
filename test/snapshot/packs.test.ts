/**
 * Packs of pages and nodes: their bytes, against a second reading of docs/formats/snapshot.md, and what captures, readers, checks and collectors do with them; and what a store of
 * version 5 holds (golden/store-v5.json: made by that version), read and carried on.
 */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { createNodeDigests } from '../../src/core/live/digest.ts';
import { blobHash, type BlobHash } from '../../src/core/index.ts';
import { collect, exportSnapshots, openSnapshot, readHash, salvagePack, settleLists, SnapshotChecker, SnapshotHealer, SnapshotImporter, SnapshotWriter, storedPages, type Root } from '../../src/snapshot/index.ts';
import { decodeList } from '../../src/snapshot/location-list.ts';
import { PackArena } from '../../src/snapshot/pack-arena.ts';
import { decodeLocation, decodePack, encodePack, encodePagePack, isSoundSlot, PACK_BYTES_MAX, type PackSlot } from '../../src/snapshot/pack-format.ts';
import { MemoryStore, type StorePut, type Table } from '../../src/store/index.ts';
import { plain, save, TestMachine } from './machines.ts';

const digests = await createNodeDigests();
const ALL = { from: Uint8Array.of(0), to: new Uint8Array(40).fill(255) };
const sha256 = (bytes: Uint8Array): Buffer => createHash('sha256').update(bytes).digest();
const rows = (store: MemoryStore, table: Table): readonly StorePut[] => [...store.range(table, ALL)].map((row) => ({ table, ...row }));
const trouble = async (store: MemoryStore): Promise<readonly string[]> => (await new SnapshotChecker(store, digests).records({ breathe: async () => {} })).map(({ table, code }) => `${table} ${code}`);

/** With a record for each page and node, though many. */
async function saveAsRecords(store: MemoryStore, machine: TestMachine): Promise<Root> {
  const root = await save(store, new SnapshotWriter(store, digests, { pagesMin: 1, pagesMax: 1000 }), machine);
  await settleLists(store, digests);
  return root;
}

/** Writes pages that lie alone, each with content of its own. */
function scatter(machine: TestMachine, round: number, { count = 100, stride = 16 } = {}): TestMachine {
  for (let index = 0; index < count; index++) {
    const page = new Uint8Array(4096);
    new DataView(page.buffer).setUint32(index * 8, index + 1000 * round + 1, true);
    for (let at = 900; at < 4096; at++) page[at] = (at * (index + 3) * (round + 7)) >> 3;
    page[4095] = 1;
    machine.object('memory/1').write(index * stride + (round % 3), page);
  }
  return machine;
}

describe('the memory of packs', () => {
  const take = (arena: PackArena, mebibytes: number): ReadonlySet<ArrayBufferLike> => {
    arena.reset();
    return new Set(Array.from({ length: mebibytes * 8 }, () => arena.room(2 ** 17).buffer));
  };

  it('is used again, and goes by halves when captures do not need it', () => {
    const arena = new PackArena();
    const first = take(arena, 60);
    expect([...take(arena, 60)].every((memory) => first.has(memory))).toBe(true);
    for (let capture = 0; capture < 8; capture++) take(arena, 1);
    expect([...take(arena, 60)].filter((memory) => first.has(memory)).length).toBeLessThan(8);
  });

  it('is not more than 256 MiB between captures', () => {
    const arena = new PackArena();
    const first = take(arena, 300);
    const second = [...take(arena, 300)].filter((memory) => first.has(memory));
    const kept = second.reduce((sum, { byteLength }) => sum + byteLength, 0);
    expect([kept > 2 ** 28 - 2 ** 21, kept <= 2 ** 28]).toEqual([true, true]);
  });
});

describe('bytes of a pack', () => {
  const page = new Uint8Array(4096).fill(7, 0, 50);
  const node = Buffer.concat([Uint8Array.of(0x4e, 0, 1, 0), sha256(page)]);
  const slots: readonly PackSlot[] = [
    { isNode: true, hash: sha256(node), guard: 0n, stored: node },
    { isNode: false, hash: sha256(page), guard: digests.xxh64(page), stored: page.subarray(0, 50) },
  ];
  const encoded = encodePack({ hashes: Buffer.concat(slots.map(({ hash }) => hash)), guards: BigUint64Array.from(slots, ({ guard }) => guard), isNode: Uint8Array.of(1, 0), stored: slots.map(({ stored }) => stored) }, (bytes) => new Uint8Array(bytes));
  const content = (pack: Uint8Array): unknown => decodePack(pack)?.slots.map(({ isNode, hash, guard, stored }) => [isNode, Buffer.from(hash).toString('hex'), guard, Buffer.from(stored).toString('hex')]);

  it('golden: are what the format page says', () => {
    const guard = Buffer.alloc(8);
    guard.writeBigUInt64LE(digests.xxh64(page));
    expect(Buffer.from(encoded)).toEqual(Buffer.concat([Uint8Array.of(0x43, 2, 36, 0x80, 50, 0), sha256(node), sha256(page), guard, node, page.subarray(0, 50)]));
    expect(sha256(encoded).toString('hex').slice(0, 16)).toBe('22099bda9c32d760');
    expect(content(encoded)).toEqual(slots.map(({ isNode, hash, guard: xxh, stored }) => [isNode, Buffer.from(hash).toString('hex'), xxh, Buffer.from(stored).toString('hex')]));
    expect(decodePack(encoded)!.slot(2)).toBeUndefined();
  });

  it('of the older form are read as before', () => {
    expect(content(encodePagePack(slots.slice(1)))).toEqual([[false, sha256(page).toString('hex'), digests.xxh64(page), Buffer.from(page.subarray(0, 50)).toString('hex')]]);
  });

  it.each([['this form', encoded], ['the older form', encodePagePack(slots.slice(1))]])('%s: cut it is none, and every flipped bit is seen', (_, pack) => {
    for (let length = 0; length < pack.length; length++) expect(decodePack(pack.subarray(0, length)), String(length)).toBeUndefined();
    for (let bit = 0; bit < pack.length * 8; bit++) {
      const flipped = pack.slice();
      flipped[bit >> 3]! ^= 1 << (bit & 7);
      expect(decodePack(flipped)?.slots.every((slot) => isSoundSlot(slot, digests)) ?? false, String(bit)).toBe(false);
    }
  });

  it('a location has eight bytes of the key of its pack, or all of it with a slot of the older form', () => {
    expect(decodeLocation(Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8, 0x85))).toEqual({ pack: Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8), slot: 5, isNode: true });
    const old = new Uint8Array(33).fill(9);
    expect([decodeLocation(old)?.slot, decodeLocation(old.fill(15, 32)), decodeLocation(old.fill(0x81, 32)), decodeLocation(new Uint8Array(8)), decodeLocation(new Uint8Array(10)), decodeLocation(Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8, 64))]).toEqual([9, undefined, undefined, undefined, undefined, undefined]);
  });
});

describe('packs of a large capture', () => {
  it('hold its nodes, fill 32 pages of LMDB, and are as a second reading of the page says', async () => {
    const store = new MemoryStore();
    const machine = scatter(new TestMachine(), 0, { count: 300 });
    const root = await save(store, new SnapshotWriter(store, digests), machine);
    expect(rows(store, 'nodes').map(({ key }) => Buffer.from(key).toString('hex'))).toEqual([root]);
    let pages = 0;
    let nodes = 0;
    let full = 0;
    for (const { key, value } of rows(store, 'packs')) {
      const count = value[1]!;
      let at = 2 + count * 34 + 8 * Array.from({ length: count }, (_, slot) => value[3 + slot * 2]! >> 7).filter((isNode) => isNode === 0).length;
      expect([value[0], sha256(value.subarray(2 + count * 2, 2 + count * 34))]).toEqual([0x43, Buffer.from(key)]);
      for (let slot = 0; slot < count; slot++) {
        const word = value[2 + slot * 2]! | (value[3 + slot * 2]! << 8);
        const stored = value.subarray(at, at += word & 0x7fff);
        const whole = word >> 15 === 1 ? stored : Buffer.concat([stored, Buffer.alloc(4096 - stored.length)]);
        expect(sha256(whole)).toEqual(Buffer.from(value.subarray(2 + count * 2 + slot * 32, 2 + count * 2 + (slot + 1) * 32)));
        if (word >> 15 === 1) nodes++; else pages++;
      }
      expect(at).toBe(value.length);
      if (value.length > PACK_BYTES_MAX - 600) full++;
    }
    expect([pages, storedPages(store), full]).toEqual([300, 300, 8]); // Nine have 31 pages; before one of them, nodes made a pack of their own.
    expect(nodes).toBeGreaterThan(300);
    expect([plain(openSnapshot(store, root, digests)), await trouble(store)]).toEqual([plain(machine), []]);
  });

  it('are collected slot by slot, and written again when most of them is dead', async () => {
    const store = new MemoryStore();
    const writer = new SnapshotWriter(store, digests);
    const machine = scatter(new TestMachine(), 0);
    await save(store, writer, machine);
    const kept: Root[] = [];
    for (let round = 1; round < 9; round++) {
      const root = await save(store, writer, scatter(machine, round));
      if (round % 4 === 0) kept.push(root);
    }
    const last = plain(machine);
    const gone = await collect(store, kept, digests);
    expect([gone.nodes > 200, gone.pages, gone.packs > 2]).toEqual([true, 300, true]);
    expect([plain(openSnapshot(store, kept.at(-1)!, digests)), await trouble(store)]).toEqual([last, []]);
    expect(await collect(store, kept, digests)).toEqual({ nodes: 0, pages: 0, packs: 0 });
    const named = new Set(rows(store, 'pages').map(({ value }) => Buffer.from(decodeLocation(value)!.pack).toString('hex')));
    for (const { value } of rows(store, 'locations')) for (const { at } of decodeList(value)!) named.add(Buffer.from(value).toString('hex', at, at + 8)); // Lists of which all lives stay.
    expect(rows(store, 'packs').every(({ key }) => named.has(Buffer.from(key).toString('hex', 0, 8)))).toBe(true);
    const left = storedPages(store);
    expect((await collect(store, [], digests)).pages).toBe(left);
    expect(['pages', 'packs', 'nodes', 'locations'].map((table) => rows(store, table as Table).length)).toEqual([0, 0, 0, 0]);
  });

  it('a node that is damaged or lost is named when it is read, and by a check', async () => {
    const machine = scatter(new TestMachine(), 0);
    const damaged = async (change: (pack: Uint8Array, at: number) => void): Promise<readonly unknown[]> => {
      const store = new MemoryStore();
      const root = await saveAsRecords(store, machine.copy());
      const [pack] = rows(store, 'packs').filter(({ value }) => decodePack(value)!.slots.some(({ isNode }) => isNode));
      const node = decodePack(pack!.value)!.slots.find(({ isNode }) => isNode)!;
      const value = pack!.value.slice();
      change(value, node.stored.byteOffset - pack!.value.byteOffset);
      await store.commit({ puts: [{ ...pack!, value }] });
      let code: unknown;
      try {
        plain(openSnapshot(store, root, digests));
      } catch (error) {
        ({ code } = error as { code: unknown });
      }
      return [code, await trouble(store)];
    };
    expect(await damaged((pack, at) => { pack[at + 9]! ^= 4; })).toEqual(['E_SNAPSHOT_FORMAT', ['packs E_PAGE_DAMAGED', 'pages E_PAGE_DAMAGED']]);
    const store = new MemoryStore();
    const root = await saveAsRecords(store, machine.copy());
    await store.commit({ deletes: rows(store, 'pages').filter(({ value }) => decodeLocation(value)!.isNode) });
    expect(() => plain(openSnapshot(store, root, digests))).toThrowError(expect.objectContaining({ code: 'E_PAGE_MISSING' }));
  });

  it('two that begin alike are told from each other by what they hold, and are never collected', async () => {
    const store = new MemoryStore();
    const machine = scatter(new TestMachine(), 0, { count: 20 });
    const root = await saveAsRecords(store, machine);
    const packs = rows(store, 'packs');
    const other = new MemoryStore();
    await save(other, new SnapshotWriter(other, digests), scatter(new TestMachine(), 5, { count: 40 }));
    for (const byte of [0, 255]) {
      await store.commit({ puts: packs.map(({ table, key }) => ({ table, key: Buffer.concat([key.subarray(0, 8), Buffer.alloc(24, byte)]), value: rows(other, 'packs')[0]!.value })) });
      expect(plain(openSnapshot(store, root, digests))).toEqual(plain(machine));
    }
    expect(await collect(store, [root], digests)).toEqual({ nodes: 0, pages: 0, packs: 0 });
    expect(rows(store, 'packs').length).toBe(packs.length * 3);
    expect(plain(openSnapshot(store, root, digests))).toEqual(plain(machine));
  });
});

describe('look-ups', () => {
  /** How often each capture of a machine asks the store for a page or packed node. */
  async function asked(rounds: readonly number[], count: number): Promise<readonly number[]> {
    const store = new MemoryStore();
    let times = 0;
    const writer = new SnapshotWriter({ get: (table, key) => (times += Number(table === 'pages'), store.get(table, key)), range: (table, bounds) => store.range(table, bounds) }, digests);
    const machine = new TestMachine();
    const all: number[] = [];
    for (const round of rounds) {
      for (let index = 0; index < count; index++) {
        const page = new Uint8Array(4096).fill(round);
        new DataView(page.buffer).setUint32(0, index);
        machine.object('memory/1').write(index * 16, page);
      }
      times = 0;
      const root = await save(store, writer, machine);
      all.push(times);
      expect(plain(openSnapshot(store, root, digests))).toEqual(plain(machine));
    }
    return all;
  }

  it('a node above a new page is not looked for', async () => {
    expect(await asked([1, 2], 100)).toEqual([100, 100]);
  });

  it('after 1024 new pages in a row the first 64 of a capture are looked for, and then one in eight, until one is there', async () => {
    expect(await asked([1, 2, 3, 4, 5], 480)).toEqual([480, 480, 65 + 52, 64 + 52, 64 + 52]);
    expect(await asked([1, 2, 3, 1, 4], 480)).toEqual([480, 480, 65 + 52, 0, 64 + 52]); // Lists are at hand.
  });
});

describe('repair', () => {
  it('a page that a list of objects lies in is put back from another copy, with what is below it', async () => {
    const machine = new TestMachine();
    for (let index = 0; index < 60; index++) machine.object(`file/${index}`).fill(index % 3, index + 1);
    const copy = new MemoryStore();
    const root = await save(copy, new SnapshotWriter(copy, digests), machine);
    const store = new MemoryStore();
    await store.commit({ puts: rows(copy, 'nodes') });
    const healing = new SnapshotHealer({ store, source: copy, digests }).heal(root);
    for (let batch = healing.next(); ; batch = healing.next()) {
      if (batch.done === true) {
        expect(batch.value).toBeUndefined();
        break;
      }
      await store.commit({ puts: batch.value });
    }
    expect(plain(openSnapshot(store, root, digests))).toEqual(plain(machine));
  });

  it('what no record looks for in a damaged pack is not lost, what one does is', async () => {
    const store = new MemoryStore();
    await saveAsRecords(store, scatter(new TestMachine(), 0, { count: 6 }));
    const [pack] = rows(store, 'packs');
    const slots = decodePack(pack!.value)!.slots;
    const value = pack!.value.slice();
    value[value.length - 1]! ^= 1; // In the last slot, a node.
    await store.commit({ puts: [{ ...pack!, value }] });
    const last = slots.at(-1)!;
    expect(salvagePack(store, digests, pack!.key)).toMatchObject({ saved: slots.length - 1, lost: [readHash(last.hash)] });
    await store.commit({ deletes: [{ table: 'pages', key: last.hash }] });
    expect(salvagePack(store, digests, pack!.key)).toMatchObject({ saved: slots.length - 1, lost: [] });
    await store.commit({ puts: [{ table: 'pages', key: last.hash, value: Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8, 0x80) }] }); // In another pack.
    expect(salvagePack(store, digests, pack!.key)).toMatchObject({ saved: slots.length - 1, lost: [] });
  });
});

describe('a store of version 5', () => {
  interface Golden { readonly roots: readonly string[]; readonly rows: readonly (readonly [Table, string, string])[] }
  const golden = JSON.parse(readFileSync(join(import.meta.dirname, 'golden', 'store-v5.json'), 'utf8')) as Golden;
  const roots = golden.roots.map((root): BlobHash => blobHash(root));
  const machine = (pages: number): TestMachine => {
    const made = new TestMachine();
    for (let page = 0; page < pages; page++) made.object('memory/1').fill(page, page + 1, page < 3 ? 40 : 20 + page);
    return made;
  };
  const load = async (): Promise<MemoryStore> => {
    const store = new MemoryStore();
    await store.commit({ puts: golden.rows.map(([table, key, value]) => ({ table, key: Buffer.from(key, 'hex'), value: Buffer.from(value, 'base64') })) });
    return store;
  };

  it('golden: is read, checked, carried on, collected and exported', async () => {
    const store = await load();
    expect(roots.map((root) => plain(openSnapshot(store, root, digests)))).toEqual([plain(machine(3)), plain(machine(40))]);
    expect([await trouble(store), storedPages(store)]).toEqual([[], 40]);
    const writer = new SnapshotWriter(store, digests);
    writer.adopt(roots[1]!);
    const next = machine(40);
    for (const object of next.objects) object.markClean();
    const third = await save(store, writer, scatter(next, 1));
    expect([plain(openSnapshot(store, third, digests)), await trouble(store)]).toEqual([plain(next), []]);
    expect(new SnapshotWriter(new MemoryStore(), digests).capture(next.copy()).root).toBe(third);
    await collect(store, [roots[1]!, third], digests);
    for (const [root, state] of [[roots[1]!, machine(40)], [third, next]] as const) expect(plain(openSnapshot(store, root, digests))).toEqual(plain(state));
    const copy = new MemoryStore();
    const importer = new SnapshotImporter(copy, digests);
    for (const { kind, value } of exportSnapshots({ store, digests, roots: [roots[1]!, third], have: [] })) await copy.commit({ puts: kind === 'pack' ? importer.pack(value)! : importer.node(value)! });
    await copy.commit({ puts: importer.finish() });
    expect(plain(openSnapshot(copy, third, digests))).toEqual(plain(next));
    expect(plain(openSnapshot(copy, roots[1]!, digests))).toEqual(plain(machine(40)));
    expect(rows(copy, 'nodes').map(({ key }) => readHash(key)).sort()).toEqual([roots[1]!, third].sort()); // All else lies in packs.
    expect([await trouble(copy), storedPages(copy)]).toEqual([[], storedPages(store)]);
  });
});
