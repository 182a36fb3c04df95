/**
 * A database made anew has rows of pages that LMDB had given back: what they say was true once. Which of it counts, alone and beside another copy that is younger, older, of another file,
 * or false. test/history/salvage.test.ts does the same at random.
 */
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { exportRun } from '../../src/session/export.ts';
import { checkStore } from '../../src/session/fsck.ts';
import { runId } from '../../src/journal/index.ts';
import { TABLES, type Table } from '../../src/store/index.ts';
import { openLmdbStore, type LmdbStore } from '../../src/store/live/lmdb-store.ts';
import { forkRun, listMarks, listRuns, markCheckpoint, promoteRun, readRun, removeRun, type StoreContext } from '../../src/txn/index.ts';
import { digests } from '../journal/support.ts';
import { rowsOf, World } from './world.ts';

const PAGE = 4096;
const base = mkdtempSync(join(tmpdir(), 'stillpoint-stale-'));
const [original, here, copy] = ['original', 'here', 'copy'].map((name) => join(base, name)) as [string, string, string];
type Change = (context: StoreContext & { readonly store: LmdbStore }) => Promise<unknown>;

/** Three runs with three checkpoints each, nobody's. */
beforeAll(async () => {
  const world = new World(3);
  while (world.names.length < 3) await world.step([(each) => each.create()]);
  for (const name of world.names) {
    for (let more = 0; more < 5; more++) await world.step([(each) => each.checkpoint(name)]);
    await world.live(name);
    await world.giveUp(name);
  }
  const store = await openLmdbStore({ directory: original, mode: 'create' });
  await store.commit({ puts: rowsOf(world.inner, TABLES).filter(({ table, key }) => table !== 'meta' || Buffer.from(key).toString() !== 'format') });
  await store.close();
});
afterAll(() => rmSync(base, { recursive: true, force: true }));

async function change(directory: string, ...changes: readonly Change[]): Promise<void> {
  const store = await openLmdbStore({ directory, mode: 'existing' });
  for (const each of changes) await each({ store, digests });
  await store.close();
}
const copyOf = (from: string, to: string): void => {
  rmSync(to, { recursive: true, force: true });
  cpSync(from, to, { recursive: true });
};
const note = (name: string, number: number, text: string): Change => (context) => markCheckpoint(context, readRun(context, name), { number, mark: { name: text, note: undefined } });
const remove = (name: string): Change => (context) => removeRun(context, { name, isAlive: () => false });

/** Zeroes the root page of a table. */
function wipeRoot(directory: string, table: Table): void {
  const path = join(directory, 'data.mdb');
  const bytes = readFileSync(path);
  const header = bytes.readBigUInt64LE(152) >= bytes.readBigUInt64LE(PAGE + 152) ? 0 : PAGE;
  const leaf = Number(bytes.readBigUInt64LE(header + 136)) * PAGE;
  for (let index = 0; index < bytes.readUInt16LE(leaf + 20) / 2; index++) {
    const node = leaf + 24 + bytes.readUInt16LE(leaf + 24 + 2 * index);
    const data = node + 8 + bytes.readUInt16LE(node + 6);
    if (bytes.toString('latin1', node + 8, data - 1) !== table) continue;
    const root = Number(bytes.readBigUInt64LE(data + 40)) * PAGE;
    bytes.fill(0, root, root + PAGE);
  }
  writeFileSync(path, bytes);
}

/** What a repair of `here` leaves: names of runs and of their checkpoints. */
async function repaired(from?: string): Promise<{ readonly runs: readonly string[]; readonly marks: Readonly<Record<string, readonly string[]>>; readonly says: string }> {
  const result = await checkStore({ store: here, repairs: true, from });
  const says = [...result.findings.map((finding) => finding.says), ...result.repairs].join('\n');
  expect([result.isSound, result.remaining], says).toEqual([true, []]);
  const store = await openLmdbStore({ directory: here, mode: 'read-only' });
  const runs = [...listRuns({ store, digests })];
  const marks = Object.fromEntries(runs.map(({ name, id }) => [name, [...listMarks({ store, digests }, id)].map(([number, mark]) => `${number} ${mark.name}`)]));
  await store.close();
  return { runs: runs.map(({ name }) => name), marks, says };
}
const names = async (directory: string): Promise<readonly string[]> => {
  const store = await openLmdbStore({ directory, mode: 'read-only' });
  const found = [...listRuns({ store, digests })].map(({ name }) => name);
  await store.close();
  return found;
};

describe('names of checkpoints on a page that is lost, where an older page has older ones', () => {
  let run: string;
  beforeAll(async () => {
    [run] = await names(original) as [string];
  });
  /** `before` in the copy as well, `after` here only; then the page of the marks is lost. */
  const broken = async (before: readonly Change[], after: readonly Change[], there: readonly Change[] = []): Promise<void> => {
    copyOf(original, here);
    await change(here, ...before);
    copyOf(here, copy);
    await change(here, ...after);
    if (there.length > 0) await change(copy, ...there);
    wipeRoot(here, 'marks');
  };

  it('alone: the youngest that is left', async () => {
    await broken([note(run, 1, 'first'), note(run, 1, 'second')], [note(run, 1, 'third')]);
    expect((await repaired()).marks[run]).toEqual(['1 second']);
  });

  it('a copy that is younger than that page: its names count', async () => {
    await broken([note(run, 1, 'first'), note(run, 1, 'second'), note(run, 1, 'third')], []);
    expect((await repaired(copy)).marks[run]).toEqual(['1 third']);
  });

  it('a copy that is older than that page: it adds what is missing, and nothing else', async () => {
    await broken([note(run, 1, 'first'), note(run, 1, 'second')], [note(run, 1, 'third'), note(run, 1, 'fourth')]);
    expect((await repaired(copy)).marks[run]).toEqual(['1 third']);
  });

  it('an exported run whose journal comes as far: its names count', async () => {
    await broken([note(run, 1, 'first'), note(run, 1, 'second'), note(run, 1, 'third')], []);
    const file = join(base, 'exported');
    rmSync(file, { force: true });
    await exportRun({ store: copy, run, file, have: [] });
    expect((await repaired(file)).marks[run]).toEqual(['1 third']);
  });

  it('a page that was in use, under a branch that is lost, counts whatever a copy says', async () => {
    const many = Array.from({ length: 60 }, (_, index): Change => ({ store }) => store.commit({ puts: rowsOfMarks(store).map((row) => ({ ...row, key: Uint8Array.of(...row.key.subarray(0, 15), index, ...row.key.subarray(16)) })) }));
    await broken([note(run, 1, 'first'), ...many], [note(run, 1, 'second')], Array.from({ length: 12 }, (_, index) => note(run, 1, `other${index}`)));
    expect((await repaired(copy)).marks[run]).toEqual(['1 second']);
  });
});

const rowsOfMarks = (store: LmdbStore): { readonly table: 'marks'; readonly key: Uint8Array; readonly value: Uint8Array }[] => [...store.range('marks', { from: Uint8Array.of(0), to: new Uint8Array(500).fill(255) })].slice(0, 1).map(({ key, value }) => ({ table: 'marks', key: new Uint8Array(Buffer.from(key)), value: new Uint8Array(Buffer.from(value)) }));

describe('a run that was removed, or has another name now', () => {
  it.each(['runs', 'owners', 'frames'] as const)('is not found again when the page of table %s is lost', async (table) => {
    const [first, second, third] = await names(original) as [string, string, string];
    copyOf(original, here);
    await change(here, remove(first), remove(third));
    wipeRoot(here, table);
    expect((await repaired()).runs).toEqual(table === 'frames' ? expect.not.arrayContaining([first, third]) : [second]);
  });

  it('leaves its name to a younger run', async () => {
    const [first, second] = await names(original) as [string, string];
    copyOf(original, here);
    const id = runId('ab'.repeat(16));
    await change(here, remove(first), (context) => forkRun(context, readRun(context, second), { name: first, id, createdMs: 0, bindings: '', at: 1, seed: undefined }));
    const after = await idsAt(here);
    copyOf(here, copy);
    for (const from of [copy, undefined]) {
      copyOf(copy, here);
      wipeRoot(here, 'runs');
      const { says } = await repaired(from);
      expect((await idsAt(here)).map((line) => (from === undefined ? line.replace(/found-\w+/, first) : line)).sort(), says).toEqual(after);
    }
  });

  it('does not take the name of the run that has it in a younger copy', async () => {
    const [first, second] = await names(original) as [string, string];
    copyOf(original, here);
    await change(here, async (context) => promoteRun(context, { branch: second, onto: first, keep: 'kept', isAlive: () => false, token: 'one' }));
    const after = await idsAt(here);
    copyOf(here, copy);
    wipeRoot(here, 'runs');
    await repaired(copy);
    expect(await idsAt(here)).toEqual(after);
  });
});

async function idsAt(directory: string): Promise<readonly string[]> {
  const store = await openLmdbStore({ directory, mode: 'read-only' });
  const found = [...listRuns({ store, digests })].map(({ name, id }) => `${name} ${id}`);
  await store.close();
  return found;
}
