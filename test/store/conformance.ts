/** One suite for every Store: the memory twin and the LMDB adapter run it. */
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Store, StorePut, Table } from '../../src/store/index.ts';

export const key = (text: string): Uint8Array => Uint8Array.from(text, (letter) => letter.charCodeAt(0));
const put = (table: Table, name: string, ...value: number[]): StorePut => ({ table, key: key(name), value: Uint8Array.from(value) });
const text = (bytes: Uint8Array): string => String.fromCharCode(...bytes);
const names = (store: Store, bounds: Partial<Parameters<Store['range']>[1]> = {}): string[] =>
  [...store.range('frames', { from: key('\0'), to: key('\xff\xff'), ...bounds })].map((entry) => text(entry.key));

interface Fixture { readonly store: Store; readonly dispose: () => Promise<void> }

export function conformance(name: string, make: () => Promise<Fixture>): void {
  describe(`${name}: Store`, () => {
    let fixture: Fixture;
    let store: Store;
    beforeEach(async () => { fixture = await make(); store = fixture.store; });
    afterEach(async () => { await fixture.dispose(); });

    it('gives back what was put, as a copy', async () => {
      await store.commit({ puts: [put('pages', 'a', 1, 2, 3), put('nodes', 'a', 9)] });
      const got = store.get('pages', key('a'))!;
      got[0] = 77;
      expect([...store.get('pages', key('a'))!]).toEqual([1, 2, 3]);
      expect([...store.get('nodes', key('a'))!]).toEqual([9]);
      expect(store.get('pages', key('b'))).toBeUndefined();
      expect([store.has('pages', key('a')), store.has('pages', key('b')), store.has('blobs', key('a'))]).toEqual([true, false, false]);
    });

    it('takes empty and large values', async () => {
      const large = Uint8Array.from({ length: 300_000 }, (_, index) => (index * 31) & 255);
      await store.commit({ puts: [put('blobs', 'empty'), { table: 'blobs', key: key('large'), value: large }] });
      expect(store.get('blobs', key('empty'))!.length).toBe(0);
      expect(Buffer.compare(store.get('blobs', key('large'))!, large)).toBe(0);
    });

    it('ranges from <= key < to in unsigned byte order, both ways, with a limit', async () => {
      await store.commit({ puts: ['b', 'a\xff', 'a', 'a\0', '\x7f', '\x80', 'c'].map((at) => put('frames', at, 1)) });
      expect(names(store)).toEqual(['a', 'a\0', 'a\xff', 'b', 'c', '\x7f', '\x80']);
      expect(names(store, { from: key('a\0'), to: key('c') })).toEqual(['a\0', 'a\xff', 'b']);
      expect(names(store, { from: key('a\0'), to: key('c'), reverse: true })).toEqual(['b', 'a\xff', 'a\0']);
      expect(names(store, { reverse: true, limit: 2 })).toEqual(['\x80', '\x7f']);
      expect(names(store, { limit: 0 })).toEqual([]);
      expect(names(store, { from: key('x'), to: key('d') })).toEqual([]);
    });

    it('puts the value of a range of one entry into the room of the caller, or not, and never more than fits', async () => {
      const large = Uint8Array.from({ length: 100_000 }, (_, index) => index * 7);
      await store.commit({ puts: [put('packs', 'a', 1, 2, 3), put('packs', 'b'), { table: 'packs', key: key('c'), value: large }, put('packs', 'd', 9)] });
      const room = new Uint8Array(8).fill(5);
      const first = (from: string, to = 'z', memory = room): unknown => [...store.range('packs', { from: key(from), to: key(to), limit: 1, room: memory })].map((entry) => [Buffer.from(entry.key).toString(), [...entry.value]]);
      expect([first('a'), first('b'), first('bb', 'c'), first('d'), first('e')]).toEqual([[['a', [1, 2, 3]]], [['b', []]], [], [['d', [9]]], []]);
      expect([first('c'), first('c', 'z', new Uint8Array(300_000))]).toEqual([[['c', [...large]]], [['c', [...large]]]]);
      expect(room.subarray(3)).toEqual(new Uint8Array(5).fill(5));
      expect([...store.get('packs', key('a'))!]).toEqual([1, 2, 3]);
    });

    it('ranges over more entries than fit one read', async () => {
      const all = Array.from({ length: 1000 }, (_, index) => String(index).padStart(4, '0'));
      await store.commit({ puts: all.map((at) => put('frames', at, 1)) });
      expect(names(store)).toEqual(all);
      expect(names(store, { reverse: true })).toEqual([...all].reverse());
      expect(names(store, { limit: 130, from: key('0100') })).toEqual(all.slice(100, 230));
    });

    it('applies nothing when one expectation fails', async () => {
      await store.commit({ puts: [put('owners', 'run', 1)] });
      const outcome = await store.commit({
        expect: [{ table: 'runs', key: key('x'), value: undefined }, { table: 'owners', key: key('run'), value: Uint8Array.of(2) }],
        deletes: [{ table: 'owners', key: key('run') }],
        puts: [put('runs', 'x', 1)],
      });
      expect(outcome).toBe('conflict');
      expect([...store.get('owners', key('run'))!]).toEqual([1]);
      expect(store.has('runs', key('x'))).toBe(false);
    });

    it('checks expectations by whole value: shorter, longer, empty and absent differ', async () => {
      await store.commit({ puts: [put('owners', 'run', 1, 2), put('owners', 'empty')] });
      const attempt = (name: string, value: Uint8Array | undefined): Promise<string> => store.commit({ expect: [{ table: 'owners', key: key(name), value }] });
      expect(await attempt('run', Uint8Array.of(1))).toBe('conflict');
      expect(await attempt('run', Uint8Array.of(1, 2, 3))).toBe('conflict');
      expect(await attempt('run', undefined)).toBe('conflict');
      expect(await attempt('empty', undefined)).toBe('conflict');
      expect(await attempt('absent', Uint8Array.of())).toBe('conflict');
      expect(await attempt('run', Uint8Array.of(1, 2))).toBe('done');
      expect(await attempt('empty', Uint8Array.of())).toBe('done');
      expect(await attempt('absent', undefined)).toBe('done');
    });

    it('applies nothing when a record that must be there is not, whatever those hold that are', async () => {
      await store.commit({ puts: [put('packs', 'one', 1), put('packs', 'empty')] });
      const present = [{ table: 'packs' as const, key: key('one') }, { table: 'packs' as const, key: key('empty') }];
      expect(await store.commit({ present, puts: [put('runs', 'a', 1)] })).toBe('done');
      expect(await store.commit({ present: [...present, { table: 'packs', key: key('two') }], puts: [put('runs', 'b', 1)] })).toBe('conflict');
      expect([store.has('runs', key('a')), store.has('runs', key('b'))]).toEqual([true, false]);
    });

    it('deletes before it puts; deleting what is not there is no error', async () => {
      await store.commit({ puts: [put('runs', 'a', 1)] });
      await store.commit({ deletes: [{ table: 'runs', key: key('a') }, { table: 'runs', key: key('b') }], puts: [put('runs', 'a', 2)] });
      expect([...store.get('runs', key('a'))!]).toEqual([2]);
      await store.commit({ deletes: [{ table: 'runs', key: key('a') }] });
      expect(store.has('runs', key('a'))).toBe(false);
    });

    it('of two racing compare-and-swaps one wins', async () => {
      const race = [1, 2].map((value) => store.commit({ expect: [{ table: 'owners', key: key('r'), value: undefined }], puts: [put('owners', 'r', value)] }));
      expect((await Promise.all(race)).sort()).toEqual(['conflict', 'done']);
    });

    it('counts entries', async () => {
      await store.commit({ puts: [put('runs', 'a', 1), put('runs', 'b', 1)] });
      expect(store.usage().tables.runs.entries).toBe(2);
      expect(store.usage().tables.runs.bytes).toBeGreaterThan(0);
    });

    it('equals a plain map under random batches', async () => {
      const step = fc.record({ puts: fc.array(fc.tuple(fc.integer({ min: 1, max: 30 }), fc.uint8Array({ maxLength: 40 })), { maxLength: 6 }), deletes: fc.array(fc.integer({ min: 1, max: 30 }), { maxLength: 4 }) });
      await fc.assert(fc.asyncProperty(fc.array(step, { maxLength: 8 }), async (steps) => {
        const { store: fresh, dispose } = await make();
        try {
          const model = new Map<number, Uint8Array>();
          for (const { puts, deletes } of steps) {
            deletes.forEach((at) => model.delete(at));
            puts.forEach(([at, value]) => model.set(at, value));
            await fresh.commit({ deletes: deletes.map((at) => ({ table: 'blobs', key: Uint8Array.of(at) })), puts: puts.map(([at, value]) => ({ table: 'blobs', key: Uint8Array.of(at), value })) });
          }
          const got = [...fresh.range('blobs', { from: Uint8Array.of(0), to: Uint8Array.of(255) })].map((entry) => [entry.key[0], [...entry.value]]);
          expect(got).toEqual([...model].sort(([a], [b]) => a - b).map(([at, value]) => [at, [...value]]));
        } finally {
          await dispose();
        }
      }), { seed: 7, numRuns: 15 });
    });
  });
}
