/**
 * Stores whose database is broken below the records: headers, table of tables, leaves of small tables, pages that were cut off, zeroed, swapped. A repair keeps what is whole: what a
 * second header, an older copy of a page or a leaf without its branch still says. After it the store is sound, and what is told of restores exactly. STILLPOINT_SLOW=1 damages many more pages.
 */
import { closeSync, cpSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { BlobHash } from '../../src/core/index.ts';
import { checkStore, type FsckResult } from '../../src/session/fsck.ts';
import { openSnapshot } from '../../src/snapshot/index.ts';
import { TABLES } from '../../src/store/index.ts';
import { checkPages } from '../../src/store/live/lmdb-check.ts';
import { statesOf } from '../../src/store/live/lmdb-states.ts';
import { openLmdbStore } from '../../src/store/live/lmdb-store.ts';
import { blobKey, runId } from '../../src/journal/index.ts';
import { answerPut, decodeOwnerRecord, encodeOwnerRecord, encodeRunRecord, listCheckpoints, listMarks, listRuns, openRun, recover, rollbackRun } from '../../src/txn/index.ts';
import { digests } from '../journal/support.ts';
import { plain } from '../snapshot/machines.ts';
import { generator, owner } from '../txn/support.ts';
import { OPERATIONS, rowsOf, World } from './world.ts';

const CASES = process.env['STILLPOINT_SLOW'] === '1' ? 300 : 12;
const SEED = Number(process.env['STILLPOINT_SEED'] ?? 6);
const PAGE = 4096;
const base = mkdtempSync(join(tmpdir(), 'stillpoint-salvage-'));
const original = join(base, 'original');
/** The state under every root that there ever was. */
const states = new Map<BlobHash, string>();
let bytes: Buffer;
let runs: readonly string[];

type Rows = ReadonlyMap<string, ReturnType<typeof rowsOf>[number]>;
/** All of a world, with runs that nobody executes. */
const rowsBy = (world: World): Rows => new Map(rowsOf(world.inner, TABLES).filter(({ table, key }) => table !== 'meta' || !/^(format|lease|collector)/.test(Buffer.from(key).toString())).map((row) => [`${row.table} ${Buffer.from(row.key).toString('hex')}`, row.table === 'owners' ? { ...row, value: unowned(row) } : row]));

function unowned({ key, value }: ReturnType<typeof rowsOf>[number]): Uint8Array {
  const id = runId(Buffer.from(key).toString('hex'));
  return encodeOwnerRecord(digests, id, { epoch: decodeOwnerRecord(digests, id, value).epoch, owner: undefined });
}

/** A life in some forty commits, so that pages were written over, freed and used again. */
beforeAll(async () => {
  const world = new World(SEED, { hasLists: true });
  const store = await openLmdbStore({ directory: original, mode: 'create' });
  let before: Rows = new Map();
  for (let step = 0; step < 160 || world.names.length < 3; step++) {
    await world.step(OPERATIONS);
    if (step % 4 !== 0 && step < 150) continue;
    for (const record of listRuns(world.context)) for (const { root } of listCheckpoints(world.context, record)) if (!states.has(root)) states.set(root, JSON.stringify(plain(openSnapshot(world.inner, root, digests))));
    const now = rowsBy(world);
    await store.commit({
      puts: [...now].filter(([name, { value }]) => !Buffer.from(before.get(name)?.value ?? []).equals(value)).map(([, row]) => row),
      deletes: [...before].filter(([name]) => !now.has(name)).map(([, { table, key }]) => ({ table, key })),
    });
    before = now;
  }
  await store.close();
  bytes = readFileSync(join(original, 'data.mdb'));
  runs = await runsAt(original);
  expect(runs.length).toBeGreaterThan(2);
}, 120_000);
afterAll(() => rmSync(base, { recursive: true, force: true }));

/** Each run as its users know it. */
async function runsAt(directory: string): Promise<readonly string[]> {
  const store = await openLmdbStore({ directory, mode: 'read-only' });
  try {
    return [...listRuns({ store, digests })].map((record) => [record.name, record.id, record.status, record.tail.count, ...listCheckpoints({ store, digests }, record).map(({ number, root }) => `${number} ${root}`)].join(' '));
  } finally {
    await store.close();
  }
}

/** Repairs a damaged copy and holds the store to what every repaired store owes. */
async function repaired(change: (copy: Buffer) => Buffer | void, from?: string): Promise<{ readonly result: FsckResult; readonly runs: readonly string[]; readonly says: string }> {
  const directory = join(base, 'copy');
  rmSync(directory, { recursive: true, force: true });
  cpSync(original, directory, { recursive: true });
  const copy = Buffer.from(bytes);
  writeFileSync(join(directory, 'data.mdb'), change(copy) ?? copy);
  const result = await checkStore({ store: directory, repairs: true, from });
  const says = [...result.findings.map((finding) => finding.says), ...result.repairs, ...result.remaining.map((finding) => `still ${finding.says}`)].join('\n');
  expect([result.isSound, result.remaining], says).toEqual([true, []]);
  expect(await checkStore({ store: directory, repairs: false }), says).toMatchObject({ isSound: true, findings: [] });
  expect(checkPages(directory).troubles).toEqual([]);
  const left = await runsAt(directory);
  const store = await openLmdbStore({ directory, mode: 'existing' });
  try {
    for (const record of listRuns({ store, digests })) {
      for (const { root } of listCheckpoints({ store, digests }, record)) expect(JSON.stringify(plain(openSnapshot(store, root, digests))), says).toBe(states.get(root));
      const writer = await openRun({ store, digests }, { name: record.name, owner: owner('after'), isAlive: () => false });
      expect([...recover({ store, digests }, writer.record).refeed()].length, says).toBeGreaterThanOrEqual(0);
      await writer.close();
    }
  } finally {
    await store.close();
  }
  return { result, says, runs: left };
}

const newestHeader = (): number => (bytes.readBigUInt64LE(152) >= bytes.readBigUInt64LE(PAGE + 152) ? 0 : PAGE);
const tableLeaf = (): number => Number(bytes.readBigUInt64LE(newestHeader() + 136)) * PAGE;
/** Wipes the root page of a table that has one. */
function wipeRoot(copy: Buffer, table: string): void {
  const root = rootOf(table);
  if (root < copy.length) copy.fill(0, root, root + PAGE);
}
/** Byte offset of the root page of a table; beyond the file when the table is empty. */
function rootOf(table: string): number {
  const leaf = tableLeaf();
  for (let index = 0; index < bytes.readUInt16LE(leaf + 20) / 2; index++) {
    const node = leaf + 24 + bytes.readUInt16LE(leaf + 24 + 2 * index);
    const data = node + 8 + bytes.readUInt16LE(node + 6);
    if (bytes.toString('latin1', node + 8, data - 1) === table) return Number(bytes.readBigUInt64LE(data + 40)) * PAGE;
  }
  throw new Error(`no table ${table}`);
}
/** Whether a page holds records with these words, in use or not. */
const isOfWords = (file: Buffer, page: number, words = /stillpoint-(run|owner|checkpoint|mark|answer)/): boolean => words.test(file.toString('latin1', page * PAGE, (page + 1) * PAGE));
const idsOf = (lines: readonly string[]): readonly string[] => lines.map((line) => line.split(' ')[1]!);
/** Names may change where they are lost. */
const withoutNames = (lines: readonly string[]): readonly string[] => lines.map((line) => line.replace(/^\S+ (\S+) \S+/, '$1')).sort(); // And one that was running when its record was lost is stopped.

/** Everything that people know of runs: records with names, parents and bindings, checkpoints, their names and notes, and the other words that they rely on. */
async function factsAt(directory: string): Promise<readonly string[]> {
  const store = await openLmdbStore({ directory, mode: 'read-only' });
  try {
    const context = { store, digests };
    const words = [...store.range('meta', { from: Uint8Array.of(0), to: new Uint8Array(500).fill(255) })].map(({ key }) => Buffer.from(key).toString()).filter((word) => /^(answer|cut|cluster|image)/.test(word));
    return [...[...listRuns(context)].map((record) => JSON.stringify([{ ...record, status: record.status === 'running' ? 'stopped' : record.status }, [...record.outputs], [...listMarks(context, record.id)], listCheckpoints(context, record).map(({ number, root }) => [number, root])], (_key, value: unknown) => (typeof value === 'bigint' ? String(value) : value))), ...words];
  } finally {
    await store.close();
  }
}

/** Facts of a run, without checkpoints that others do not have. */
function withoutMore(line: string, other: string): string {
  if (!line.startsWith('[')) return line;
  const [here, there] = [line, other].map((each) => JSON.parse(each) as unknown[]);
  return JSON.stringify([...here!.slice(0, 3), (here![3] as unknown[]).filter((checkpoint) => (there![3] as unknown[]).some((each) => JSON.stringify(each) === JSON.stringify(checkpoint)))]);
}

describe(`a broken database (STILLPOINT_SEED=${SEED})`, () => {
  describe('and another copy of the store', () => {
    const copy = join(base, 'other-copy');
    let facts: readonly string[];
    beforeAll(async () => {
      cpSync(original, copy, { recursive: true });
      const store = await openLmdbStore({ directory: copy, mode: 'existing' });
      for (const { id, instructions } of listRuns({ store, digests })) await store.commit({ puts: [answerPut({ digests }, id, { key: 'a client\'s', request: 'ab', at: instructions, response: Uint8Array.of(1) })] });
      await store.close();
      facts = await factsAt(copy);
      expect(facts.join(' ')).toMatch(/"name":"[a-z]/);
    });
    /** As repaired(), of the copy with answers, from itself. */
    const healed = async (change: (bytes: Buffer) => void, from = copy): Promise<string> => {
      const whole = bytes;
      bytes = readFileSync(join(copy, 'data.mdb'));
      try {
        return (await repaired(change, from)).says;
      } finally {
        bytes = whole;
      }
    };

    it.each(TABLES)('the root page of table %s: names, parents, files, notes and answers are what they were', async (table) => {
      const says = await healed((damaged) => void wipeRoot(damaged, table));
      const after = await factsAt(join(base, 'copy'));
      // One that a rule had dropped may be found again.
      expect(table === 'checkpoints' ? after.map((line, index) => withoutMore(line, facts[index]!)) : after, says).toEqual(facts);
    });

    it('every page of runs, owners, checkpoints, marks and words, old ones as well: the same', async () => {
      const says = await healed((damaged) => {
        const roots = (['meta', 'runs', 'owners', 'checkpoints', 'marks'] as const).map((table) => rootOf(table));
        for (let page = 2; page < damaged.length / PAGE; page++) if (isOfWords(damaged, page)) damaged.fill(0, page * PAGE, (page + 1) * PAGE);
        for (const root of roots.filter((at) => at < damaged.length)) damaged.fill(0, root, root + PAGE);
      });
      expect(says).not.toContain('found-');
      expect(await factsAt(join(base, 'copy')), says).toEqual(facts);
    });

    it('that is older: what it knows of a run is taken, and the journal here counts', async () => {
      const store = await openLmdbStore({ directory: copy, mode: 'existing' });
      const [run] = [...listRuns({ store, digests })].filter(({ tail }) => tail.count > 3);
      await store.close();
      const older = join(base, 'older-copy');
      cpSync(copy, older, { recursive: true });
      const shorter = await openLmdbStore({ directory: older, mode: 'existing' });
      const context = { store: shorter, digests };
      const first = listCheckpoints(context, run!)[0];
      await rollbackRun(context, { name: run!.name, owner: owner('elsewhere'), isAlive: () => false, at: first?.number ?? 0 });
      await shorter.close();
      const says = await healed((damaged) => {
        for (let page = 2; page < damaged.length / PAGE; page++) if (isOfWords(damaged, page, /stillpoint-run/)) damaged.fill(0, page * PAGE, (page + 1) * PAGE);
        damaged.fill(0, rootOf('runs'), rootOf('runs') + PAGE);
      }, older);
      const after = (await factsAt(join(base, 'copy'))).filter((line) => line.startsWith('[')).map((line) => JSON.parse(line) as unknown[]).find(([record]) => (record as { id: string }).id === run!.id);
      expect(after?.[0], says).toMatchObject({ name: run!.name, tail: JSON.parse(JSON.stringify(run!.tail, (_key, value: unknown) => (typeof value === 'bigint' ? String(value) : value))) as unknown, bindings: run!.bindings });
    });
  });

  it.each([['header of the transaction before', () => PAGE - newestHeader()], ['newest header', newestHeader]])('%s: nothing is lost', async (_name, header) => {
    for (const length of [24, 168, 512, PAGE]) expect((await repaired((copy) => void copy.fill(0, header(), header() + length))).runs).toEqual(runs);
    for (const at of [24, 28, 48, 145, 150, 158]) expect((await repaired((copy) => void (copy[header() + at]! ^= 0x80))).runs, `byte ${at}`).toEqual(runs);
  });

  it.each([145, 150, 153, 155, 158])('a newest header with byte %i changed: the table of tables that it led to is one of the states', (at) => {
    const root = bytes.readBigUInt64LE(newestHeader() + 136);
    const directory = join(base, 'states');
    mkdirSync(directory, { recursive: true });
    for (const bit of [1, 0x40, 0x80]) {
      const copy = Buffer.from(bytes);
      copy[newestHeader() + at]! ^= bit;
      writeFileSync(join(directory, 'data.mdb'), copy);
      const file = openSync(join(directory, 'data.mdb'), 'r');
      expect(statesOf(file).states.map(({ mainRoot }) => mainRoot), `bit ${bit}`).toContain(root);
      closeSync(file);
    }
  });

  it('both headers: nothing is lost', async () => {
    expect((await repaired((copy) => void copy.fill(0, 0, 2 * PAGE))).runs).toEqual(runs);
  });

  describe('both headers gone, and a younger table of tables that somebody forged', () => {
    /** Puts one of the same form where nothing lies; `change` gets it, each table's record by its offset. */
    const forged = (change: (leaf: Buffer, tables: readonly number[], page: number) => void) => (copy: Buffer): Buffer => {
      const page = copy.length / PAGE;
      const leaf = Buffer.from(copy.subarray(tableLeaf(), tableLeaf() + PAGE));
      leaf.writeBigUInt64LE(BigInt(page), 0);
      leaf.writeBigUInt64LE(leaf.readBigUInt64LE(8) + 9n, 8);
      const tables = Array.from({ length: leaf.readUInt16LE(20) / 2 }, (_, index) => 24 + leaf.readUInt16LE(24 + 2 * index)).map((node) => node + 8 + leaf.readUInt16LE(node + 6));
      change(leaf, tables, page);
      copy.fill(0, 0, 2 * PAGE);
      return Buffer.concat([copy, leaf]);
    };
    const ROOT = 40;
    const RECORD_BYTES = 48;
    const SLOW_FORGERIES: readonly [string, Parameters<typeof forged>[0]][] = process.env['STILLPOINT_SLOW'] !== '1' ? [] : [
      ['roots behind the end', (leaf, tables) => { for (const at of tables) leaf.writeBigUInt64LE(1n << 40n, at + ROOT); }],
      ['depths and counts beyond all measure', (leaf, tables) => { for (const at of tables) leaf.fill(0xff, at + 6, at + ROOT); }],
      ['flags of other kinds', (leaf, tables) => { for (const at of tables) leaf.writeUInt16LE(0x3c, at + 4); }],
    ];
    it.each<[string, Parameters<typeof forged>[0]]>([
      ['all tables empty', (leaf, tables) => { for (const at of tables) leaf.fill(0, at + 6, at + ROOT).fill(0xff, at + ROOT, at + RECORD_BYTES); }],
      ['all tables led to itself', (leaf, tables, page) => { for (const at of tables) leaf.writeBigUInt64LE(BigInt(page), at + ROOT); }],
      ['tables exchanged', (leaf, tables) => {
        const records = tables.map((at) => Buffer.from(leaf.subarray(at, at + RECORD_BYTES)));
        for (const [index, at] of tables.entries()) records[(index + 1) % records.length]!.copy(leaf, at);
      }],
      ...SLOW_FORGERIES,
    ])('%s: what people know of runs is what it was, with another copy', async (_, change) => {
      const facts = await factsAt(original);
      const { says, runs: left } = await repaired(forged(change), original);
      expect(await factsAt(join(base, 'copy')), says).toEqual(facts);
      const alone = await repaired(forged(change));
      for (const id of idsOf(left)) expect(idsOf(alone.runs), alone.says).toContain(id);
    });
  });

  it.each(TABLES.filter((table) => table !== 'meta' && table !== 'packs' && table !== 'blobs'))('the root page of table %s: no run is lost', async (table) => {
    const { runs: left, says } = await repaired((copy) => void wipeRoot(copy, table));
    for (const id of idsOf(runs)) expect(idsOf(left), says).toContain(id); // One that was removed may be found again.
  });

  it('the table of tables: no run is lost', async () => {
    const { runs: left, says } = await repaired((copy) => void copy.fill(0, tableLeaf(), tableLeaf() + PAGE));
    for (const id of idsOf(runs)) expect(idsOf(left), says).toContain(id); // One that was removed may be found again.
  });

  it('one number in the leaf of the runs: at most that run needs to be found again', async () => {
    const leaf = rootOf('runs');
    const { runs: left, says } = await repaired((copy) => void (copy[leaf + 24 + copy.readUInt16LE(leaf + 24) + 6]! ^= 0x40));
    expect(withoutNames(left), says).toEqual(withoutNames(runs));
    expect(left.filter((line) => runs.includes(line)).length, says).toBeGreaterThanOrEqual(runs.length - 1);
  });

  it(`${CASES} pages zeroed, swapped, flipped, cut off: sound afterwards, and what is told of is exact`, async () => {
    const random = generator(SEED * 100);
    const pages = bytes.length / PAGE;
    const place = (): number => Math.floor(random() * pages) * PAGE;
    let kept = 0;
    for (let index = 0; index < CASES; index++) {
      const left = await repaired((copy) => {
        const [first, second] = [place(), place()];
        switch (index % 4) {
          case 0: return void copy.fill(0, first, first + PAGE);
          case 1: {
            copy.copyWithin(first, second, second + PAGE);
            return void bytes.copy(copy, second, first, first + PAGE);
          }
          case 2: return void (copy[first + Math.floor(random() * 100)]! ^= 1 << Math.floor(random() * 8));
          default: return copy.subarray(0, Math.floor(random() * copy.length / 3) + Math.floor(copy.length * 2 / 3));
        }
      }).catch((error: unknown) => { throw new Error(`case ${index}`, { cause: error }); });
      kept += left.runs.length;
    }
    expect(kept).toBeGreaterThan(runs.length * CASES / 2);
  });

  it.each(['a tree leads to it', 'no tree leads to it'])('what looks like a leaf inside of a value, with records whose sums are right, is none: %s', async (which) => {
    const [directory, whole] = [join(base, 'with-value'), bytes];
    cpSync(original, directory, { recursive: true });
    const store = await openLmdbStore({ directory, mode: 'existing' });
    const [run] = [...listRuns({ store, digests })];
    const input = new Uint8Array(5 * PAGE).fill(7);
    await store.commit({ puts: [{ table: 'blobs', key: blobKey(digests.sha256(input)), value: input }] });
    await store.close();
    bytes = readFileSync(join(directory, 'data.mdb'));
    const value = encodeRunRecord(digests, { ...run!, name: 'forged' });
    const leaf = (page: number): Buffer => {
      const [forged, key] = [Buffer.alloc(PAGE), Buffer.from('forged')];
      const node = PAGE - (8 + key.length + value.length + 1 & ~1);
      forged.writeBigUInt64LE(BigInt(page), 0);
      forged.writeBigUInt64LE(bytes.readBigUInt64LE(newestHeader() + 152), 8); // As young as can be.
      [[2, 18], [2, 20], [node - 24, 22], [node - 24, 24]].forEach(([number, at]) => forged.writeUInt16LE(number!, at));
      forged.writeUInt32LE(value.length, node);
      forged.writeUInt16LE(key.length, node + 6);
      key.copy(forged, node + 8);
      forged.set(value, node + 8 + key.length);
      return forged;
    };
    const values = Array.from({ length: bytes.length / PAGE }, (_, page) => page).filter((page) => bytes.readUInt16LE(page * PAGE + 18) === 4 && bytes.readBigUInt64LE(page * PAGE) === BigInt(page) && bytes.readUInt32LE(page * PAGE + 20) > 1);
    expect(values.length).toBeGreaterThan(0);
    try {
      const { runs: left, says } = await repaired((copy) => {
        const forged = leaf(values[0]! + 1);
        if (which === 'no tree leads to it') bytes.copy(forged, 8, values[0]! * PAGE + 8, values[0]! * PAGE + 16); // Of the transaction that wrote the value.
        forged.copy(copy, (values[0]! + 1) * PAGE);
        for (const table of which === 'no tree leads to it' ? ['runs', 'blobs'] : ['runs']) wipeRoot(copy, table);
      });
      expect([left.filter((line) => line.startsWith('forged')), left.map((line) => line.split(' ')[0])], says).toEqual([[], runs.map((line) => line.split(' ')[0])]);
    } finally {
      bytes = whole;
      rmSync(directory, { recursive: true, force: true });
    }
  });

  it('a file without a record of a store is left as it is', async () => {
    const directory = join(base, 'copy');
    const nothing = Buffer.alloc(40 * PAGE, 7);
    rmSync(directory, { recursive: true, force: true });
    cpSync(original, directory, { recursive: true });
    writeFileSync(join(directory, 'data.mdb'), nothing);
    await expect(checkStore({ store: directory, repairs: true })).rejects.toMatchObject({ code: 'E_STORE_CORRUPT' });
    await expect(checkStore({ store: directory, repairs: false })).rejects.toMatchObject({ code: 'E_STORE_FOREIGN' });
    expect(readFileSync(join(directory, 'data.mdb')).equals(nothing)).toBe(true);
  });
});
