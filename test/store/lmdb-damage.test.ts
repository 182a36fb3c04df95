/**
 * One byte changed anywhere in the data file: in LMDB's header records, branches, leaves, free list, data elsewhere, free pages. Processes of their own read and write the store: none may end by
 * a signal, hang, read more than the one record that was hit differently, or spread the damage. STILLPOINT_SLOW=1 tries thousands of places.
 */
import { spawnSync } from 'node:child_process';
import { closeSync, cpSync, mkdirSync, mkdtempSync, openSync, readdirSync, readFileSync, rmSync, writeFileSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { checkStore } from '../../src/session/fsck.ts';
import { TABLES, type Table } from '../../src/store/index.ts';
import { checkPages, type PageCheck, type PageCheckOptions } from '../../src/store/live/lmdb-check.ts';
import { TRANSACTION_OFFSET } from '../../src/store/live/lmdb-files.ts';
import { rebuildStore } from '../../src/store/live/lmdb-rebuild.ts';
import { expandPack } from '../../src/store/live/pack-codec.ts';
import { lookAtPages, openLmdbStore } from '../../src/store/live/lmdb-store.ts';
import { generator } from '../txn/support.ts';
import { compileFor } from './compile.ts';

const CASES = process.env['STILLPOINT_SLOW'] === '1' ? 6000 : 80;
const base = mkdtempSync(join(tmpdir(), 'stillpoint-pages-'));
const directory = join(base, 'store');
const dataFile = join(directory, 'data.mdb');
const ALL = { from: Uint8Array.of(0), to: new Uint8Array(500).fill(255) };
let written: Map<string, string>;
/** Records here have no check sums: what no tree leads to is lost. */
const nobody = (): undefined => undefined;

const bytesOf = (random: () => number, length: number): Uint8Array => Uint8Array.from({ length }, () => Math.floor(random() * 256));

async function rowsAt(path: string): Promise<Map<string, string>> {
  const store = await openLmdbStore({ directory: path, mode: 'read-only' });
  try {
    return new Map(TABLES.flatMap((table) => [...store.range(table, ALL)].filter(({ key }) => Buffer.from(key).toString() !== 'format').map(({ key, value }): [string, string] => [`${table} ${Buffer.from(key).toString('hex')}`, Buffer.from(value).toString('hex')])));
  } finally {
    await store.close();
  }
}

/** Some generations of records, so that there are branches of two levels, data elsewhere, and a free list. */
beforeAll(async () => {
  const random = generator(3);
  const store = await openLmdbStore({ directory, mode: 'create' });
  const old: Uint8Array[] = [];
  for (let round = 0; round < 10; round++) {
    const puts: { table: Table; key: Uint8Array; value: Uint8Array }[] = [];
    for (let index = 0; index < 12; index++) puts.push({ table: 'packs', key: bytesOf(random, 32), value: bytesOf(random, Math.floor(random() * 9000)) });
    for (let index = 0; index < 120; index++) puts.push({ table: 'pages', key: bytesOf(random, 32), value: bytesOf(random, 33) });
    for (let index = 0; index < 12; index++) puts.push({ table: 'nodes', key: bytesOf(random, 32), value: bytesOf(random, Math.floor(random() * 2500)) });
    old.push(...puts.filter(({ table }) => table === 'packs').map(({ key }) => key));
    await store.commit({ puts, deletes: round > 3 ? old.splice(0, 9).map((key) => ({ table: 'packs' as const, key })) : [] });
  }
  await store.close();
  written = await rowsAt(directory);
}, 60_000);
afterAll(() => rmSync(base, { recursive: true, force: true }));

function copyOf(name: string, change?: (bytes: Buffer) => void): string {
  const path = join(base, name);
  rmSync(path, { recursive: true, force: true });
  cpSync(directory, path, { recursive: true });
  const bytes = readFileSync(dataFile);
  change?.(bytes);
  writeFileSync(join(path, 'data.mdb'), bytes);
  return path;
}

/** Numbers of the pages that look like the database's own: branches, leaves, data elsewhere. */
const usedPages = (bytes: Buffer, kinds = [1, 2, 4]): readonly number[] => Array.from({ length: bytes.length / 4096 }, (_, page) => page).filter((page) => page > 1 && bytes.readBigUInt64LE(page * 4096) === BigInt(page) && kinds.includes(bytes.readUInt16LE(page * 4096 + 18)));

describe('the pages of the database', () => {
  it('of a sound store are sound, and every record is reached', async () => {
    const found = new Map<string, string>();
    const { troubles, pages } = checkPages(directory, { onRecord: (table, key, value) => found.set(`${table} ${Buffer.from(key).toString('hex')}`, Buffer.from(table === 'packs' ? expandPack(value) : value).toString('hex')) });
    expect(troubles).toEqual([]);
    expect(pages).toBeGreaterThan(60);
    for (const name of found.keys()) if (name.startsWith('meta')) found.delete(name);
    expect([...found].sort()).toEqual([...written].sort());
    for (const version of [1, 2, 3, 4, 5]) expect(checkPages(join(import.meta.dirname, `golden/store-v${version}`)).troubles).toEqual([]);
  });

  it(`${CASES} places: no signal, no hang, nothing spreads`, async () => {
    const child = await compileFor('test/store/damage-child.ts', join(base, 'js'));
    const { stdout, stderr, signal, status } = spawnSync(process.execPath, [child, dataFile, join(base, 'case'), '0', String(CASES)], { encoding: 'utf8', timeout: 20_000 * Math.max(5, CASES / 30), maxBuffer: 1 << 26 });
    const lines = stdout.trim().split('\n');
    expect([signal, status, lines.at(-1)!.split(' ')[0], stderr.slice(0, 300)], `at ${lines.at(-1)}`).toEqual([null, 0, String(CASES - 1), '']);
    const outcomes = lines.filter((line) => line.includes(' '));
    expect(outcomes.length).toBe(CASES);
    expect(outcomes.filter((line) => !/^\d+ \d+ (same|differs|E_STORE_\w+)$/.test(line))).toEqual([]);
    for (const what of ['same', 'differs', 'E_STORE_CORRUPT']) expect(outcomes.filter((line) => line.endsWith(what)).length, what).toBeGreaterThan(0);
  }, 3_600_000);

  it('the kernel and the look that has words agree about every damaged file', () => {
    const path = copyOf('both');
    const original = readFileSync(dataFile);
    const file = openSync(join(path, 'data.mdb'), 'r+');
    const random = generator(5);
    const look = (options: PageCheckOptions): PageCheck | undefined => {
      try {
        return checkPages(path, options);
      } catch {
        return undefined; // The header: neither way has begun.
      }
    };
    const sums = { quick: 0, bad: 0 };
    const pages = usedPages(original);
    for (let index = 0; index < Math.min(CASES * 3, 3000); index++) {
      const at = pages[Math.floor(random() * pages.length)]! * 4096 + Math.floor(random() * (random() < 0.6 ? 110 : 4096));
      writeSync(file, Uint8Array.of(original[at]! ^ (1 << Math.floor(random() * 8))), 0, 1, at);
      for (const options of [{ isForReading: true }, {}, { pagesMax: 30 }]) {
        const quick = look(options);
        const words = look({ ...options, onRecord: () => undefined });
        expect(quick?.troubles, `${at} ${JSON.stringify(options)}`).toEqual(words?.troubles);
        expect(quick?.pages).toEqual(words?.pages);
        // Speed, too: who is sound is not looked at twice.
        if (quick !== undefined) expect(quick.isQuick).toBe(quick.troubles.length === 0);
        sums[quick?.isQuick === true ? 'quick' : 'bad']++;
      }
      writeSync(file, original, at, 1, at);
    }
    closeSync(file);
    expect(sums.quick).toBeGreaterThan(100);
    expect(sums.bad).toBeGreaterThan(20);
  }, 600_000);

  it('every flag and count of a table is looked at, also of one that is empty', () => {
    const original = readFileSync(dataFile);
    const header = Number(original.readBigUInt64LE(152)) >= Number(original.readBigUInt64LE(4096 + 152)) ? 0 : 4096;
    const leaf = Number(original.readBigUInt64LE(header + 136)) * 4096;
    const path = copyOf('tables');
    const file = openSync(join(path, 'data.mdb'), 'r+');
    for (let index = 0; index < original.readUInt16LE(leaf + 20) / 2; index++) {
      const node = leaf + 24 + original.readUInt16LE(leaf + 24 + 2 * index);
      const record = node + 8 + original.readUInt16LE(node + 6);
      for (let at = record + 4; at < record + 40; at++) {
        writeSync(file, Uint8Array.of(original[at]! ^ 4), 0, 1, at);
        expect(checkPages(path).troubles.length, `byte ${at - record} of table ${index}`).toBeGreaterThan(0);
        writeSync(file, original, at, 1, at);
      }
    }
    closeSync(file);
  });

  it('are looked at without the kernel where the host gives it no memory', () => {
    const { Memory } = WebAssembly;
    const expected = checkPages(directory);
    try {
      WebAssembly.Memory = class { constructor() { throw new RangeError('could not allocate memory'); } } as unknown as typeof Memory; // As V8 does where addresses are scarce.
      expect(checkPages(directory)).toEqual(expected);
      const file = readFileSync(dataFile);
      const found = usedPages(file, [2]).map((page) => checkPages(copyOf('scarce', (bytes) => void (bytes[page * 4096 + 20]! ^= 1))).troubles.length);
      expect(Math.max(...found)).toBeGreaterThan(0); // Some of them are free.
    } finally {
      WebAssembly.Memory = Memory;
    }
  });

  it('while somebody writes, a look finds nothing', async () => {
    const path = copyOf('busy');
    const child = await compileFor('test/store/child.ts', join(base, 'js2'));
    const { spawn } = await import('node:child_process');
    const writer = spawn(process.execPath, [child, 'write', path, 'w'], { stdio: ['ignore', 'pipe', 'inherit'] });
    try {
      await new Promise<void>((resolve) => writer.stdout.once('data', () => resolve()));
      writer.stdout.resume();
      for (let look = 0; look < 15; look++) expect((await lookAtPages(path)).troubles).toEqual([]);
    } finally {
      writer.kill('SIGKILL');
    }
  }, 60_000);
});

describe('fsck of damaged pages', () => {
  it('names the page; a repair keeps every record that can be reached, and leaves nothing behind', async () => {
    const random = generator(9);
    let hits = 0;
    for (let index = 0; index < (CASES > 1000 ? 100 : 12); index++) {
      const pages = usedPages(readFileSync(dataFile), [1, 2]);
      const page = pages[Math.floor(random() * pages.length)]!;
      const path = copyOf('hit', (bytes) => void (bytes[page * 4096 + 18 + Math.floor(random() * 8)]! ^= 1 << Math.floor(random() * 8)));
      const looked = await lookAtPages(path);
      if (looked.troubles.length === 0) continue; // The page is free.
      hits++;
      expect(await checkStore({ store: path, repairs: false })).toMatchObject({ isSound: false, findings: [{ code: 'E_STORE_CORRUPT' }] });
      const before = new Map<string, string>();
      checkPages(path, { onRecord: (table, key, value) => before.set(`${table} ${Buffer.from(key).toString('hex')}`, Buffer.from(value).toString('hex')) });
      const rebuilt = await rebuildStore(path, nobody);
      const pagesOf = (troubles: typeof looked.troubles): readonly string[] => troubles.map(({ page, table: name }) => `${name} ${page}`);
      expect(pagesOf(rebuilt.troubles)).toEqual(pagesOf(looked.troubles));
      expect((await lookAtPages(path)).troubles).toEqual([]);
      const after = await rowsAt(path);
      expect(after.size, index.toString()).toBe([...before.keys()].filter((name) => !name.startsWith('meta')).length);
      for (const [name, value] of after) expect([name, value]).toEqual([name, written.get(name)]);
      expect(readdirSync(path).sort()).toEqual(['data.mdb', 'lock.mdb', 'reserve']);
    }
    expect(hits).toBeGreaterThan(2);
  }, 600_000);

  it('is refused while another process has the store open', async () => {
    const path = copyOf('open');
    const store = await openLmdbStore({ directory: path, mode: 'existing' });
    await expect(rebuildStore(path, nobody)).rejects.toMatchObject({ code: 'E_STORE_BUSY' });
    await store.close();
    expect((await rebuildStore(path, nobody)).troubles).toEqual([]);
    expect(await rowsAt(path)).toEqual(written);
  });

  it('gives the old file back when somebody used it meanwhile', async () => {
    const path = copyOf('used');
    const data = join(path, 'data.mdb');
    const whole = readFileSync(data);
    const late = rebuildStore(path, nobody);
    const file = openSync(data, 'r'); // It has looked already.
    await expect(late).rejects.toMatchObject({ code: 'E_STORE_BUSY' });
    closeSync(file);
    expect([readdirSync(path).sort(), readFileSync(data).equals(whole)]).toEqual([['data.mdb', 'lock.mdb', 'reserve'], true]);
    const gone = rebuildStore(path, nobody);
    const [even, odd] = [0, 1].map((page) => whole.readBigUInt64LE(page * 4096 + TRANSACTION_OFFSET)) as [bigint, bigint];
    const committed = Buffer.from(whole);
    committed.writeBigUInt64LE(even > odd ? even + 1n : odd + 1n, (even > odd ? 4096 : 0) + TRANSACTION_OFFSET);
    writeFileSync(data, committed);
    await expect(gone).rejects.toMatchObject({ code: 'E_STORE_BUSY' });
    expect([readdirSync(path).sort(), readFileSync(data).equals(committed)]).toEqual([['data.mdb', 'lock.mdb', 'reserve'], true]);
  });

  it('removes what a killed repair left, and nothing that is in use', async () => {
    const path = copyOf('killed');
    for (const name of ['new-00112233445566aa', 'new-00112233445566bb', 'new-00112233445566cc']) mkdirSync(join(path, name));
    for (const name of ['aa', 'bb']) writeFileSync(join(path, `new-00112233445566${name}`, 'data.mdb'), 'half');
    const file = openSync(join(path, 'new-00112233445566bb', 'data.mdb'), 'r');
    await rebuildStore(path, nobody);
    closeSync(file);
    expect(readdirSync(path).sort()).toEqual(['data.mdb', 'lock.mdb', 'new-00112233445566bb', 'reserve']);
    expect(await rowsAt(path)).toEqual(written);
  });
});

it('a whole page of the table of tables that is gone is a finding, not an error of LMDB', async () => {
  const path = copyOf('tables-gone', (bytes) => {
    const [newest] = [0, 4096].sort((a, b) => Number(bytes.readBigUInt64LE(b + TRANSACTION_OFFSET) - bytes.readBigUInt64LE(a + TRANSACTION_OFFSET)));
    const root = Number(bytes.readBigUInt64LE(newest! + 136));
    bytes.fill(7, root * 4096, (root + 1) * 4096);
  });
  expect((await lookAtPages(path)).troubles.length).toBeGreaterThan(0);
});

it('the table of tables is not read before it was looked at: LMDB says nothing of its own', async () => {
  const path = copyOf('words', (bytes) => {
    const header = Number(bytes.readBigUInt64LE(152)) >= Number(bytes.readBigUInt64LE(4096 + 152)) ? 0 : 4096;
    const leaf = Number(bytes.readBigUInt64LE(header + 136)) * 4096;
    bytes.fill(0x33, leaf + 10, leaf + 4096);
  });
  const child = await compileFor('test/store/child.ts', join(base, 'words-js'));
  for (const verb of ['open', 'scan']) {
    const { stdout, stderr, signal } = spawnSync(process.execPath, [child, verb, path], { encoding: 'utf8' });
    expect([stdout, stderr, signal]).toEqual(['E_STORE_CORRUPT\n', '', null]);
  }
});
