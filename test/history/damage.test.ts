/**
 * Damage of every kind of record: flipped, cut, duplicated, swapped, taken away. fsck always finds it; nothing ever crashes, hangs or restores to another
 * state; after a repair the store is sound and what is left restores exactly. STILLPOINT_SLOW=1 tries many more places, STILLPOINT_CASES=N so many of each kind.
 */
import { Buffer } from 'node:buffer';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { StillpointError, type BlobHash } from '../../src/core/index.ts';
import { checkOpenStore, type FsckResult } from '../../src/session/fsck.ts';
import { entryKey } from '../../src/journal/index.ts';
import { openSnapshot } from '../../src/snapshot/index.ts';
import { decodeList, listedHashAt } from '../../src/snapshot/location-list.ts';
import { encodeLocations } from '../../src/snapshot/pack-format.ts';
import { MemoryStore, TABLES, type Table } from '../../src/store/index.ts';
import { openLmdbStore } from '../../src/store/live/lmdb-store.ts';
import { asCollector, collectGarbage, encodeCheckpointRecord, listCheckpoints, listMarks, listRuns, openJournal, openRun, recover, runNames, type StoreContext } from '../../src/txn/index.ts';
import { digests } from '../journal/support.ts';
import { plain } from '../snapshot/machines.ts';
import { generator, owner } from '../txn/support.ts';
import { OPERATIONS, rowsOf, World } from './world.ts';

const CASES = Number(process.env['STILLPOINT_CASES'] ?? (process.env['STILLPOINT_SLOW'] === '1' ? 400 : 1));
/** Of those that repair several times in each. */
const FEWER_CASES = Math.ceil(CASES / 2);
const SEED = Number(process.env['STILLPOINT_SEED'] ?? 5);
const DAMAGEABLE: readonly Table[] = TABLES.filter((table) => table !== 'meta');
type Row = ReturnType<typeof rowsOf>[number];
type Verb = 'flip' | 'flip the key' | 'cut' | 'duplicate' | 'swap' | 'take away' | 'grow';

let rows: Row[] = [];
const states = new Map<BlobHash, string>();

beforeAll(async () => {
  const world = new World(SEED, { hasLists: true });
  for (let step = 0; step < 120 || world.names.length < 3; step++) await world.step(OPERATIONS);
  world.restart(); // Writers that are open may have a store that dies.
  await world.mark();
  await world.mark();
  await world.mustBeTidy();
  // The collector settled all lists of locations.
  for (const name of world.names) {
    for (let more = 0; more < 3 || (more < 40 && (['locations', 'shelves'] as const).some((table) => rowsOf(world.inner, [table]).length === 0)); more++) await world.checkpoint(name);
    await world.giveUp(name);
  }
  rows = rowsOf(world.inner, TABLES);
  for (const record of listRuns(world.context)) for (const { root } of listCheckpoints(world.context, record)) states.set(root, JSON.stringify(plain(openSnapshot(world.inner, root, digests))));
  expect(DAMAGEABLE.filter((table) => !rows.some((row) => row.table === table))).toEqual([]);
  expect(states.size).toBeGreaterThan(5);
});

async function storeOf(changed: readonly Row[]): Promise<StoreContext> {
  const store = new MemoryStore();
  await store.commit({ puts: changed });
  return { store, digests };
}

/** The rows with one of a table damaged; undefined when that would change nothing, or is in `tried`: tables of few rows have few cases. */
function damage(table: Table, verb: Verb, random: () => number, tried = new Set<string>()): readonly Row[] | undefined {
  const mine = rows.filter((row) => row.table === table);
  const one = mine[Math.floor(random() * mine.length)]!;
  const other = mine[Math.floor(random() * mine.length)]!;
  const replace = (row: Row, value: Uint8Array): Row => ({ ...row, value });
  const isSame = Buffer.from(one.value).equals(other.value);
  const bytes = verb === 'flip the key' ? one.key : one.value;
  const [place, bit] = verb === 'flip' || verb === 'flip the key' || verb === 'cut' ? [Math.floor(random() * bytes.length), Math.floor(random() * 8)] : [0, 0];
  const about = [verb, rows.indexOf(one), verb === 'swap' || verb === 'duplicate' ? rows.indexOf(other) : place, verb === 'cut' ? 0 : bit].join(' ');
  if (tried.has(about)) return undefined;
  tried.add(about);
  switch (verb) {
    case 'flip': {
      const value = one.value.slice();
      value[place]! ^= 1 << bit;
      return rows.map((row) => (row === one ? replace(row, value) : row));
    }
    case 'flip the key': {
      if (isThereTwice(one)) return undefined;
      const key = one.key.slice();
      key[place]! ^= 1 << bit;
      return rows.map((row) => (row === one ? { ...row, key } : row));
    }
    case 'cut': return rows.map((row) => (row === one ? replace(row, one.value.slice(0, place)) : row));
    case 'grow': return rows.map((row) => (row === one ? replace(row, Uint8Array.of(...one.value, 0)) : row));
    case 'duplicate': return isSame ? undefined : rows.map((row) => (row === one ? replace(row, other.value) : row));
    case 'swap': return isSame ? undefined : rows.map((row) => (row === one ? replace(row, other.value) : row === other ? replace(row, one.value) : row));
    case 'take away': return isThereTwice(one) ? undefined : rows.filter((row) => row !== one);
  }
}

/** A node that a small capture made a record and a large one packed: nothing is wrong without either. */
function isThereTwice({ table, key }: Row): boolean {
  const twin = table === 'nodes' ? 'pages' : table === 'pages' ? 'nodes' : undefined;
  return rows.some((row) => row.table === twin && Buffer.from(row.key).equals(key));
}

/** Each checkpoint that is still told of restores to the state its root had, or says with a code why not. */
function restoresOrSays(context: StoreContext): void {
  const tried = new Set<BlobHash>(); // Forks have roots in common.
  for (const name of runNames(context)) {
    guarded(() => {
      for (const record of listRuns(context)) {
        if (record.name !== name) continue;
        for (const { number, root } of listCheckpoints(context, record)) {
          if (!tried.has(root)) guarded(() => restoresExactly(context, root, name));
          tried.add(root);
          guarded(() => void [...recover(context, record, { checkpoint: number }).refeed()]);
        }
        guarded(() => openJournal(context, record).verify());
      }
    });
  }
}

/** Without `expect` where nothing is wrong: it costs as much as a restore. */
function restoresExactly({ store }: StoreContext, root: BlobHash, what: string): void {
  const restored = JSON.stringify(plain(openSnapshot(store, root, digests)));
  if (restored !== states.get(root)) expect(restored, what).toBe(states.get(root));
}

function guarded(action: () => void): void {
  try {
    action();
  } catch (error) {
    if (!(error instanceof StillpointError)) throw error;
  }
}

function show(result: FsckResult): string {
  return [...result.findings.map(({ code, says }) => `${code} ${says}`), ...result.repairs.map((line) => `repaired ${line}`), ...result.remaining.map(({ says }) => `still ${says}`)].join('\n');
}

describe(`damage (STILLPOINT_SEED=${SEED})`, () => {
  it('an undamaged store is sound', async () => {
    const context = await storeOf(rows);
    const result = await checkOpenStore(context, { repairs: false });
    expect([show(result), result.isSound, result.runs]).toEqual(['', true, runNames(context).length]);
    expect(await checkOpenStore(context, { repairs: true })).toMatchObject({ isSound: true, repairs: [] });
    expect(rowsOf(context.store as MemoryStore, TABLES)).toEqual(rowsOf((await storeOf(rows)).store as MemoryStore, TABLES));
  });

  const verbs: readonly Verb[] = ['flip', 'flip the key', 'cut', 'grow', 'duplicate', 'swap', 'take away'];
  // A checkpoint or mark that is not there may have been dropped by a rule: nothing is wrong without it, unless it was the last.
  it.each(DAMAGEABLE.flatMap((table) => verbs.filter((verb) => verb !== 'take away' || (table !== 'checkpoints' && table !== 'marks')).map((verb): [Table, Verb] => [table, verb])))('%s: %s', async (table, verb) => {
    const random = generator(SEED * 1000 + DAMAGEABLE.indexOf(table) * 10 + verbs.indexOf(verb));
    const tried = new Set<string>();
    for (let index = 0; index < CASES; index++) {
      const changed = damage(table, verb, random, tried);
      if (changed === undefined) continue;
      const context = await storeOf(changed);
      restoresOrSays(context);
      const found = await checkOpenStore(context, { repairs: false });
      expect(found.isSound, `case ${index}`).toBe(false);
      const repaired = await checkOpenStore(context, { repairs: true });
      expect(repaired.remaining, show(repaired)).toEqual([]);
      expect((await checkOpenStore(context, { repairs: false })).findings, show(repaired)).toEqual([]);
      expect(repaired.repairs.length + repaired.remaining.length, show(repaired)).toBeGreaterThan(0);
      await mustBeUsable(context, show(repaired));
    }
  });

  it.each(DAMAGEABLE)('%s: nothing is lost when another copy has it', async (table) => {
    const copy = await storeOf(rows);
    for (const verb of verbs.filter((each) => each !== 'take away' || table !== 'marks')) {
      const random = generator(SEED * 1000 + 500 + DAMAGEABLE.indexOf(table) * 10 + verbs.indexOf(verb));
      const tried = new Set<string>();
      for (let index = 0; index < FEWER_CASES; index++) {
        const changed = damage(table, verb, random, tried);
        if (changed === undefined) continue;
        const context = await storeOf(changed);
        const found = await checkOpenStore(context, { repairs: false });
        if (found.isSound) continue; // A checkpoint that is not there may have been dropped by a rule.
        const repaired = await checkOpenStore(context, { repairs: true, copy: copy.store });
        expect([repaired.isSound, repaired.repairs.some((line) => line.includes('lost') && !line.startsWith('restored'))], `${verb} ${index}\n${show(repaired)}`).toEqual([true, false]);
        expect(restoredRuns(context), `${verb} ${index}\n${show(repaired)}`).toEqual(restoredRuns(copy));
      }
    }
  });

  it.each(['runs', 'owners', 'frames', 'checkpoints', 'marks', 'blobs'] as const)('%s: a record whose key is damaged is put where it belongs, and nothing of it was collected before', async (table) => {
    const copy = await storeOf(rows);
    const random = generator(SEED * 1000 + 800 + DAMAGEABLE.indexOf(table));
    const tried = new Set<string>();
    for (let index = 0; index < 4 * CASES; index++) {
      const changed = damage(table, 'flip the key', random, tried);
      if (changed === undefined || new Set(changed.map(({ table: of, key }) => `${of} ${Buffer.from(key).toString('hex')}`)).size < changed.length) continue; // There were two of a key.
      const context = await storeOf(changed);
      if (table !== 'blobs') {
        await collected(context).catch((error: unknown) => {
          if (!(error instanceof StillpointError)) throw error;
        });
      }
      expect((await checkOpenStore(context, { repairs: false })).isSound, `case ${index}`).toBe(false);
      const repaired = await checkOpenStore(context, { repairs: true });
      expect([repaired.isSound, repaired.repairs.filter((line) => !line.startsWith('mended'))], `case ${index}\n${show(repaired)}`).toEqual([true, []]);
      expect(restoredRuns(context), `case ${index}\n${show(repaired)}`).toEqual(restoredRuns(copy));
    }
  });

  it('a record whose key is damaged is put right in a database, too, whose keys are views of its buffers', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'stillpoint-keys-'));
    onTestFinished(() => { rmSync(directory, { recursive: true }); });
    const random = generator(SEED * 1000 + 900);
    for (const table of ['owners', 'frames', 'checkpoints', 'marks'] as const) {
      const store = await openLmdbStore({ directory: join(directory, table), mode: 'create' });
      await store.commit({ puts: damage(table, 'flip the key', random)! }); // The first of a table changes something.
      const repaired = await checkOpenStore({ store, digests }, { repairs: true });
      expect([repaired.isSound, repaired.repairs.map((line) => line.split(':')[0])], show(repaired)).toEqual([true, ['mended']]);
      await store.close();
    }
  });

  it('owners: what a run without its record needs is not collected', async () => {
    for (const table of ['runs', 'owners'] as const) {
      const [one] = rows.filter((row) => row.table === table);
      const context = await storeOf(rows.filter((row) => row !== one));
      if (table === 'runs') await expect(collected(context)).rejects.toThrow(/has lost its record: nothing was collected; stillpoint fsck says more/);
      else await collected(context);
    }
  });

  it.each(['locations', 'pages', 'shelves'] as const)('%s: where a page lies is found in the packs again, nothing is lost', async (table) => {
    const copy = await storeOf(rows);
    const random = generator(SEED * 1000 + 700);
    const several: readonly (readonly Row[])[] = [rows.filter((row) => row.table !== table), rows.filter((row) => row.table !== 'locations' && row.table !== 'pages'), ...Array.from({ length: CASES }, () => damage(table, 'take away', random)).filter((changed) => changed !== undefined)];
    for (const [index, changed] of several.entries()) {
      const context = await storeOf(changed);
      const repaired = await checkOpenStore(context, { repairs: true });
      expect([repaired.isSound, repaired.findings.length > 0, repaired.repairs.filter((line) => !line.startsWith('mended'))], `case ${index}\n${show(repaired)}`).toEqual([true, true, []]);
      expect(restoredRuns(context), `case ${index}`).toEqual(restoredRuns(copy));
    }
  });

  it('pages: a record that leads to a pack that is gone is found and mended, also where a list knows the place', async () => {
    const copy = await storeOf(rows);
    const list = rows.find(({ table }) => table === 'locations')!.value;
    const [pack] = decodeList(list)!;
    const key = list.slice(listedHashAt(pack!, 0), listedHashAt(pack!, 1));
    const value = encodeLocations(new Uint8Array(32).fill(0xee), [false])[0]!;
    const context = await storeOf([...rows.filter((row) => row.table !== 'pages' || !Buffer.from(row.key).equals(key)), { table: 'pages', key, value }]);
    expect((await checkOpenStore(context, { repairs: false })).findings.length).toBeGreaterThan(0);
    const repaired = await checkOpenStore(context, { repairs: true });
    expect([repaired.isSound, repaired.repairs.length > 0, repaired.repairs.filter((line) => !line.startsWith('mended'))], show(repaired)).toEqual([true, true, []]);
    expect(restoredRuns(context)).toEqual(restoredRuns(copy));
  });

  it('checkpoints: one that ends behind the end of its journal is found', async () => {
    const copy = await storeOf(rows);
    const [run] = [...listRuns(copy)].filter((record) => listCheckpoints(copy, record).length > 1);
    const row = rows.find(({ table, key }) => table === 'checkpoints' && Buffer.from(key).toString('hex').startsWith(run!.id))!;
    const [checkpoint] = listCheckpoints(copy, run!);
    const value = encodeCheckpointRecord(digests, { ...checkpoint!, tail: { ...checkpoint!.tail, count: run!.tail.count + 2 } });
    const context = await storeOf(rows.map((each) => (each === row ? { ...row, value } : each)));
    expect((await checkOpenStore(context, { repairs: false })).findings.map(({ code }) => code)).toEqual(['E_JOURNAL_CUT']);
    expect((await checkOpenStore(context, { repairs: true, copy: copy.store })).isSound).toBe(true);
    expect(restoredRuns(context)).toEqual(restoredRuns(copy));
  });

  it.each([2, 5, 9])('runs: a lost record and a damaged frame, with many frames behind it: a repair leaves a sound store', async (wanted) => {
    const copy = await storeOf(rows);
    const run = [...listRuns(copy)].reduce((most, record) => (record.tail.count > most.tail.count ? record : most));
    const frame = Math.min(wanted, run.tail.count - 2);
    const more = Array.from({ length: 40 }, (_, index): Row => ({ table: 'frames', key: entryKey(run.id, run.tail.count + index), value: Uint8Array.of(1, index) })); // As of a longer journal.
    const at = Buffer.from(entryKey(run.id, frame)).toString('hex');
    const damaged = (row: Row): Row => ({ ...row, value: row.value.slice(0, -1) });
    const context = await storeOf([...rows.map((row) => ((row.table === 'runs' && Buffer.from(row.key).toString() === run.name) || (row.table === 'frames' && Buffer.from(row.key).toString('hex') === at) ? damaged(row) : row)), ...more]);
    const repaired = await checkOpenStore(context, { repairs: true });
    expect([repaired.remaining, [...listRuns(context)].find(({ id }) => id === run.id)?.tail.count], show(repaired)).toEqual([[], frame]);
    expect((await checkOpenStore(context, { repairs: false })).findings).toEqual([]);
    await mustBeUsable(context, show(repaired));
  });

  it('packs that a killed checkpoint left are no damage', async () => {
    const changed = rows.filter((row) => row.table !== 'locations' && row.table !== 'shelves' && row.table !== 'pages' && row.table !== 'checkpoints' && row.table !== 'runs' && row.table !== 'owners' && row.table !== 'frames' && row.table !== 'marks' && row.table !== 'meta');
    const result = await checkOpenStore(await storeOf(changed), { repairs: false });
    expect(result.findings.filter(({ says }) => says.includes('no record says'))).toEqual([]);
  });

  it('a copy that is damaged in the same place, or is of something else, loses no more than none', async () => {
    const random = generator(SEED + 99);
    const other = new World(SEED + 1);
    for (let step = 0; step < 40; step++) await other.step(OPERATIONS);
    for (let index = 0; index < FEWER_CASES * 4; index++) {
      const table = DAMAGEABLE[Math.floor(random() * DAMAGEABLE.length)]!;
      const changed = damage(table, 'flip', random)!;
      const alone = await storeOf(changed);
      await checkOpenStore(alone, { repairs: true });
      for (const source of [(await storeOf(changed)).store, other.inner]) {
        const context = await storeOf(changed);
        const repaired = await checkOpenStore(context, { repairs: true, copy: source });
        expect(missingOf(alone, context), show(repaired)).toEqual([]); // It may have a page by chance.
        await mustBeUsable(context, show(repaired));
      }
    }
  });

  it('two damaged records at once', async () => {
    const random = generator(SEED + 77);
    for (let index = 0; index < FEWER_CASES * 6; index++) {
      const before = rows;
      for (let twice = 0; twice < 2; twice++) rows = [...damage(DAMAGEABLE[Math.floor(random() * DAMAGEABLE.length)]!, verbs[Math.floor(random() * 4)]!, random) ?? rows];
      const context = await storeOf(rows);
      rows = before;
      restoresOrSays(context);
      const repaired = await checkOpenStore(context, { repairs: true });
      expect(repaired.remaining, show(repaired)).toEqual([]);
      await mustBeUsable(context, show(repaired));
    }
  });
});

/** Runs and checkpoints of one store that another does not have. */
function missingOf(less: StoreContext, more: StoreContext): readonly string[] {
  const names = (context: StoreContext): readonly string[] => [...listRuns(context)].flatMap((record) => [record.name, ...listCheckpoints(context, record).map(({ number, root }) => `${record.name}@${number} ${root}`)]);
  const there = new Set(names(more));
  return names(less).filter((name) => !there.has(name));
}

/** What users see of every run: its checkpoints with their states, marks and journal. */
function restoredRuns(context: StoreContext): unknown {
  return [...listRuns(context)].map((record) => [
    record.name, record.tail, record.lastCheckpoint, [...listMarks(context, record.id)],
    listCheckpoints(context, record).map(({ number, root }) => [number, root, JSON.stringify(plain(openSnapshot(context.store, root, digests))) === states.get(root)]),
  ]);
}

function collected(context: StoreContext): Promise<unknown> {
  const isAlive = (): boolean => false;
  const options = { isAlive, breathe: () => Promise.resolve(), images: { ofRun: () => undefined, blobs: () => [] } };
  return asCollector(context, { owner: owner('collector'), isAlive }, () => collectGarbage(context, options));
}

/** Every run that a repair left can be opened and restored exactly. */
async function mustBeUsable(context: StoreContext, what: string): Promise<void> {
  for (const name of runNames(context)) {
    const writer = await openRun(context, { name, owner: owner('after'), isAlive: () => false });
    const { checkpoint, refeed } = recover(context, writer.record);
    if (checkpoint !== undefined) restoresExactly(context, checkpoint.root, what);
    expect([...refeed()].length, what).toBeGreaterThanOrEqual(0);
    await writer.close();
  }
}
