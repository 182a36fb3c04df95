/** Capture, restore, diff and collect against a plain model; costs by counts; damage of every kind of record. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { limits, StillpointError, type BlobHash } from '../../src/core/index.ts';
import { createNodeDigests } from '../../src/core/live/digest.ts';
import { collect, diffSnapshots, openSnapshot, SnapshotWriter, walkSnapshot, type MachineState, type Reached, type RestoredState } from '../../src/snapshot/index.ts';
import { MemoryStore, type Store, type Table } from '../../src/store/index.ts';
import { plain, TestMachine } from './machines.ts';

const digests = await createNodeDigests();
const RUNS = process.env['STILLPOINT_SLOW'] === '1' ? 2000 : 60;
const SEED = Number(process.env['STILLPOINT_SEED'] ?? 11);
const all = { from: Uint8Array.of(0), to: new Uint8Array(40).fill(255) };

async function save(store: Store, writer: SnapshotWriter, machine: MachineState): Promise<BlobHash> {
  const capture = writer.capture(machine);
  expect(await store.commit(capture.batch)).toBe('done');
  capture.confirm();
  return capture.root;
}

/** Root of a state captured from nothing. */
function rootOf(machine: TestMachine): BlobHash {
  return new SnapshotWriter(new MemoryStore(), digests).capture(machine.copy()).root;
}

/** The pages of each restored object, and those that its source finds from one to the next. */
function walks({ objects }: RestoredState): { readonly pages: readonly number[]; readonly walked: readonly number[] }[] {
  return objects.map((object) => {
    const walked: number[] = [];
    for (let next = object.source.nextPage!(0); next !== undefined; next = object.source.nextPage!(next + 1)) walked.push(next);
    return { pages: [...object.pages()].map(({ index }) => index), walked };
  });
}

type Step =
  | { readonly kind: 'fill'; readonly object: number; readonly page: number; readonly fill: number; readonly length: number }
  | { readonly kind: 'section'; readonly name: number; readonly length: number; readonly fill: number; readonly at: number }
  | { readonly kind: 'drop'; readonly name: number }
  | { readonly kind: 'save' | 'abandon' | 'restart' };

const page = fc.oneof(fc.integer({ min: 0, max: 40 }), fc.constantFrom(15, 16, 255, 256, 4095, 4096, 70_000, 1_048_575));
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 8, arbitrary: fc.record({ kind: fc.constant('fill' as const), object: fc.integer({ min: 0, max: 2 }), page, fill: fc.integer({ min: 0, max: 3 }), length: fc.constantFrom(4096, 1, 100) }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('section' as const), name: fc.integer({ min: 0, max: 2 }), length: fc.constantFrom(0, 5, 512, 513, 4096, 4097, 20_000, 70_000), fill: fc.integer({ min: 0, max: 2 }), at: fc.integer({ min: 0, max: 70_000 }) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('drop' as const), name: fc.integer({ min: 0, max: 2 }) }) },
  { weight: 4, arbitrary: fc.record({ kind: fc.constantFrom('save' as const, 'save' as const, 'abandon' as const, 'restart' as const) }) },
);

function change(machine: TestMachine, made: Step): void {
  if (made.kind === 'fill') machine.object(`memory/${made.object}`).fill(made.page, made.fill, made.length);
  if (made.kind === 'drop') machine.sections.delete(`section ${made.name}`);
  if (made.kind !== 'section') return;
  const bytes = new Uint8Array(made.length).fill(made.fill);
  if (made.at < bytes.length) bytes[made.at] = 99;
  machine.sections.set(`section ${made.name}`, bytes);
}

describe('capture and restore', () => {
  it('any history of captures, abandons and restarts gives the root of a capture from nothing, and restores to the same bytes', async () => {
    await fc.assert(fc.asyncProperty(fc.array(step, { maxLength: 25 }), async (steps) => {
      const store = new MemoryStore();
      const machine = new TestMachine();
      let writer = new SnapshotWriter(store, digests);
      for (const made of [...steps, { kind: 'save' } as const]) {
        change(machine, made);
        if (made.kind === 'abandon') writer.capture(machine).abandon();
        if (made.kind !== 'save' && made.kind !== 'restart') continue;
        const root = await save(store, writer, machine);
        expect(root).toBe(rootOf(machine));
        expect(plain(openSnapshot(store, root, digests))).toEqual(plain(machine));
        for (const { pages, walked } of walks(openSnapshot(store, root, digests))) expect(walked).toEqual(pages);
        if (made.kind === 'save') continue;
        writer = new SnapshotWriter(store, digests);
        writer.adopt(root);
      }
    }), { seed: SEED, numRuns: RUNS });
  });

  it('an empty machine has a root and restores to nothing', async () => {
    const store = new MemoryStore();
    const root = await save(store, new SnapshotWriter(store, digests), new TestMachine());
    expect(plain(openSnapshot(store, root, digests))).toEqual({ sections: [], objects: [] });
  });

  it('an object that went away is not in the next root', async () => {
    const store = new MemoryStore();
    const writer = new SnapshotWriter(store, digests);
    const machine = new TestMachine();
    machine.object('file/1').fill(3, 1);
    machine.object('file/2').fill(3, 2);
    await save(store, writer, machine);
    machine.objects = machine.objects.slice(1);
    expect(await save(store, writer, machine)).toBe(rootOf(machine));
  });

  it('nodes in the place of others that went away show nothing of them', async () => {
    const store = new MemoryStore();
    const writer = new SnapshotWriter(store, digests);
    const machine = new TestMachine();
    const memory = machine.object('memory');
    for (let round = 1; round < 8; round++) {
      for (const index of memory.content.keys()) memory.fill(index, 0);
      for (let leaf = 0; leaf < 20; leaf++) memory.fill((leaf * 16 * round ** 3) + ((leaf + round) & 15), round, 4096);
      expect(await save(store, writer, machine)).toBe(rootOf(machine));
    }
  });

  it('the guest may run between capture and confirm: its writes are in the next capture', async () => {
    const store = new MemoryStore();
    const writer = new SnapshotWriter(store, digests);
    const machine = new TestMachine();
    machine.object('memory').fill(1, 1);
    const first = writer.capture(machine);
    machine.object('memory').fill(1, 2);
    await store.commit(first.batch);
    first.confirm();
    expect(await save(store, writer, machine)).toBe(rootOf(machine));
  });

  it('names differ, roots differ; the golden root stays for ever', async () => {
    const machine = new TestMachine();
    machine.sections.set('registers', Uint8Array.of(1, 2, 3));
    machine.sections.set('files', new Uint8Array(10_000).fill(7));
    machine.object('memory/1').fill(16, 5);
    machine.object('memory/1').fill(1_048_000, 6, 10);
    expect(rootOf(machine)).toBe(GOLDEN_ROOT);
    const other = new TestMachine();
    other.sections.set('register', Uint8Array.of(1, 2, 3));
    expect(rootOf(other)).not.toBe(rootOf(new TestMachine()));
  });
});

/** Computed by an independent implementation in Python from docs/formats/snapshot.md. */
const GOLDEN_ROOT = '377a955baecf793f6a8705d4e2f374464add545ff403ed03b66761a113802373';

describe('the cost follows the changes', () => {
  const prepared = async () => {
    const store = new MemoryStore();
    const writer = new SnapshotWriter(store, digests);
    const machine = new TestMachine();
    for (let index = 0; index < 300; index++) machine.object('memory').write(index, Uint8Array.from({ length: 4096 }, (_, at) => (index + at * 7) & 255));
    machine.sections.set('tree', Uint8Array.from({ length: 100_000 }, (_, at) => (at * 31) & 255));
    await save(store, writer, machine);
    return { store, writer, machine };
  };

  it('nothing changed: nothing is written', async () => {
    const { writer, machine } = await prepared();
    expect(writer.capture(machine)).toMatchObject({ batch: { puts: [] }, stats: { dirtyPages: 0, changedPages: 0, newPages: 0, nodes: 0, bytes: 0 } });
  });

  it('pages written with their old bytes are dirty, not changed', async () => {
    const { writer, machine } = await prepared();
    for (let index = 0; index < 50; index++) machine.object('memory').write(index, machine.object('memory').readPage(index).slice());
    expect(writer.capture(machine)).toMatchObject({ batch: { puts: [] }, stats: { dirtyPages: 50, changedPages: 0 } });
  });

  it('one changed page costs one page, its path of nodes, the list of objects and the root', async () => {
    const { writer, machine } = await prepared();
    machine.object('memory').fill(100, 77);
    const { stats } = writer.capture(machine);
    expect(stats).toMatchObject({ dirtyPages: 1, changedPages: 1, newPages: 1, nodes: 4 });
    expect(stats.bytes).toBeLessThan(7000);
  });

  it('a small change in a large section does not write it all', async () => {
    const { writer, machine } = await prepared();
    machine.sections.get('tree')![50_000]! ^= 1;
    expect(writer.capture(machine).stats).toMatchObject({ changedPages: 1, newPages: 1 });
  });

  it('a page that the store has is not written again, nor twice in one capture', async () => {
    const { store, writer, machine } = await prepared();
    const old = machine.object('memory').readPage(5);
    machine.object('memory').write(299, old.slice());
    machine.object('other').write(7, old.slice());
    machine.object('other').fill(8, 42);
    machine.object('other').fill(9, 42);
    const capture = writer.capture(machine);
    expect(capture.stats).toMatchObject({ changedPages: 4, newPages: 1 });
    await store.commit(capture.batch);
    expect(plain(openSnapshot(store, capture.root, digests))).toEqual(plain(machine));
  });

  it('an adopted state is not written again', async () => {
    const { store, machine } = await prepared();
    const writer = new SnapshotWriter(store, digests);
    writer.adopt(rootOf(machine));
    expect(writer.capture(machine).stats).toMatchObject({ changedPages: 0, newPages: 0, bytes: 0 });
  });
});

describe('diff', () => {
  it('names exactly the pages and sections that differ', async () => {
    await fc.assert(fc.asyncProperty(fc.array(step, { maxLength: 12 }), fc.array(step, { maxLength: 8 }), async (before, after) => {
      const store = new MemoryStore();
      const machine = new TestMachine();
      before.forEach((made) => change(machine, made));
      const first = machine.copy();
      after.forEach((made) => change(machine, made));
      const roots = [await save(store, new SnapshotWriter(store, digests), first.copy()), await save(store, new SnapshotWriter(store, digests), machine.copy())] as const;
      const got = [...diffSnapshots(store, roots, digests)].map((found) => (found.kind === 'page' ? `${found.object}#${found.index}` : found.name));
      expect(got.sort()).toEqual(modelDiff(first, machine).sort());
    }), { seed: SEED, numRuns: RUNS });
  });
});

function modelDiff(a: TestMachine, b: TestMachine): string[] {
  const differs = (x: Uint8Array | undefined, y: Uint8Array | undefined): boolean => (x === undefined || y === undefined ? x !== y : Buffer.compare(x, y) !== 0);
  const sections = [...new Set([...a.sections.keys(), ...b.sections.keys()])].filter((name) => differs(a.sections.get(name), b.sections.get(name)));
  const names = [...new Set([...a.objects, ...b.objects].map(({ name }) => name))];
  const pages = names.flatMap((name) => {
    const [x, y] = [a, b].map((machine) => machine.objects.find((object) => object.name === name));
    if (x === undefined || y === undefined) return [name];
    return [...new Set([...x.content.keys(), ...y.content.keys()])].filter((index) => differs(x.readPage(index), y.readPage(index))).map((index) => `${name}#${index}`);
  });
  return [...sections, ...pages];
}

describe('collect', () => {
  it('keeps every byte of the live roots and nothing else', async () => {
    await fc.assert(fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 40 }), fc.array(fc.boolean(), { minLength: 12, maxLength: 12 }), async (steps, keeps) => {
      const store = new MemoryStore();
      const writer = new SnapshotWriter(store, digests);
      const machine = new TestMachine();
      const kept = new Map<BlobHash, unknown>();
      for (const made of [...steps, { kind: 'save' } as const]) {
        change(machine, made);
        if (made.kind !== 'save') continue;
        const root = await save(store, writer, machine);
        if (keeps[kept.size] === true) kept.set(root, plain(machine));
      }
      await collect(store, kept.keys(), digests);
      for (const [root, state] of kept) expect(plain(openSnapshot(store, root, digests))).toEqual(state);
      const reached: Reached = { nodes: new Set(), pages: new Set() };
      for (const root of kept.keys()) walkSnapshot(store, root, { digests, reached });
      expect(store.usage().tables.nodes.entries).toBe(reached.nodes.size);
      expect(store.usage().tables.pages.entries).toBe(reached.pages.size);
      if (kept.size === 0) expect(store.usage().tables.packs.entries).toBe(0);
      expect(await collect(store, kept.keys(), digests)).toMatchObject({ nodes: 0, pages: 0 });
    }), { seed: SEED, numRuns: RUNS });
  });
});

describe('damage', () => {
  const TABLES: readonly Table[] = ['nodes', 'pages', 'packs'];

  async function sample(): Promise<{ store: MemoryStore; root: BlobHash; expected: unknown }> {
    const store = new MemoryStore();
    const machine = new TestMachine();
    for (let index = 0; index < 40; index++) machine.object('memory/1').write(index * 3, Uint8Array.from({ length: 4096 }, (_, at) => (at < 60 ? (index * 5 + at) & 255 : 0)));
    machine.sections.set('registers', new Uint8Array(300).fill(3));
    machine.sections.set('files', Uint8Array.from({ length: 9000 }, (_, at) => at & 127));
    const root = await save(store, new SnapshotWriter(store, digests), machine);
    return { store, root, expected: plain(machine) };
  }

  /** Restores and walks; the code of the error, or 'same', or what must never be: other bytes. */
  function outcome(store: Store, root: BlobHash, expected: unknown): string {
    try {
      const got = plain(openSnapshot(store, root, digests));
      expect(got).toEqual(expected);
      return 'same';
    } catch (error) {
      if (!(error instanceof StillpointError)) throw error;
      return error.code;
    }
  }

  it.each(TABLES)('%s: a flipped bit in any byte gives a code or the same bytes', async (table) => {
    const { store, root, expected } = await sample();
    const seen = new Set<string>();
    for (const { key, value } of [...store.range(table, all)]) {
      const stride = Math.max(1, Math.floor(value.length / 40));
      for (let at = 0; at < value.length; at += at < 48 ? 1 : stride) {
        const copy = value.slice();
        copy[at]! ^= 1 << (at & 7);
        await store.commit({ puts: [{ table, key, value: copy }] });
        seen.add(outcome(store, root, expected));
      }
      await store.commit({ puts: [{ table, key, value }] });
    }
    const codes = { nodes: ['E_SNAPSHOT_FORMAT'], pages: ['E_PAGE_DAMAGED', 'E_PAGE_MISSING'], packs: ['E_PAGE_DAMAGED', 'same'] }[table as 'nodes'];
    expect([...seen].sort()).toEqual(codes);
  });

  it.each(TABLES)('%s: a cut, longer, missing or swapped record gives a code', async (table) => {
    const { store, root, expected } = await sample();
    const entries = [...store.range(table, all)];
    for (const [index, { key, value }] of entries.entries()) {
      const swapped = entries[(index + 1) % entries.length]!.value;
      for (const bad of [new Uint8Array(0), value.slice(0, 1), value.slice(0, value.length >> 1), value.slice(0, -1), Uint8Array.from([...value, 0]), ...(entries.length > 1 ? [swapped] : [])]) {
        await store.commit({ puts: [{ table, key, value: bad }] });
        expect(outcome(store, root, expected)).toMatch(/^E_(PAGE_DAMAGED|PAGE_MISSING|SNAPSHOT_FORMAT)$/);
      }
      await store.commit({ deletes: [{ table, key }] });
      expect(outcome(store, root, expected)).toBe('E_PAGE_MISSING');
      await store.commit({ puts: [{ table, key, value }] });
    }
    expect(outcome(store, root, expected)).toBe('same');
  });

  it('errors name object, page index and address', async () => {
    const { store, root } = await sample();
    const memory = openSnapshot(store, root, digests).objects[0]!;
    const third = [...memory.pages()][2]!;
    await store.commit({ deletes: [{ table: 'pages', key: Buffer.from(digests.sha256(third.bytes), 'hex') }] });
    expect(() => [...openSnapshot(store, root, digests).objects[0]!.pages()]).toThrowError(expect.objectContaining({ code: 'E_PAGE_MISSING', data: expect.objectContaining({ object: 'memory/1', page: 6, address: '0x6000' }) }));
  });

  it("'guard' finds flipped page bytes by XXH64 alone", async () => {
    const { store, root } = await sample();
    for (const { key, value } of [...store.range('packs', all)]) {
      value[value.length - 1]! ^= 1;
      await store.commit({ puts: [{ table: 'packs', key, value }] });
    }
    expect(() => plain(openSnapshot(store, root, digests, { verify: 'guard' }))).toThrowError(expect.objectContaining({ code: 'E_PAGE_DAMAGED' }));
  });

  it('a capture on a damaged adopted tree fails with a code and changes nothing', async () => {
    const { store, root } = await sample();
    const writer = new SnapshotWriter(store, digests);
    writer.adopt(root);
    const restored = new TestMachine();
    restored.object('memory/1').fill(1, 200);
    const nodes = [...store.range('nodes', all)];
    await store.commit({ deletes: nodes.map(({ key }) => ({ table: 'nodes' as const, key })) });
    expect(() => writer.capture(restored)).toThrowError(expect.objectContaining({ code: 'E_PAGE_MISSING' }));
    await store.commit({ puts: nodes.map(({ key, value }) => ({ table: 'nodes' as const, key, value })) });
    const capture = writer.capture(restored);
    expect(capture.stats).toMatchObject({ dirtyPages: 1, newPages: 1 });
    await store.commit(capture.batch);
    const model = new TestMachine();
    for (let index = 0; index < 40; index++) model.object('memory/1').write(index * 3, Uint8Array.from({ length: 4096 }, (_, at) => (at < 60 ? (index * 5 + at) & 255 : 0)));
    model.object('memory/1').fill(1, 200);
    expect(capture.root).toBe(rootOf(model));
  });

  it('hostile roots: impossible lengths, heights and names give E_SNAPSHOT_FORMAT', async () => {
    const { store, root } = await sample();
    const record = store.get('nodes', Buffer.from(root, 'hex'))!;
    for (let at = 0; at < record.length; at++) {
      for (const value of [0, 255, record[at]! ^ 16]) {
        const forged = record.slice();
        forged[at] = value;
        const name = digests.sha256(forged);
        await store.commit({ puts: [{ table: 'nodes', key: Buffer.from(name, 'hex'), value: forged }] });
        try {
          for (const object of openSnapshot(store, name, digests).objects) expect([...object.pages()].length).toBeLessThanOrEqual(limits.PAGE_BYTES);
        } catch (error) {
          expect(error).toBeInstanceOf(StillpointError);
        }
      }
    }
  });
});
