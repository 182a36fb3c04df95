/** The LMDB adapter: the common suite; what it refuses; full disk; two processes; SIGKILL during commits. */
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { chmodSync, cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, statSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { open } from 'lmdb';
import { afterAll, describe, expect, it } from 'vitest';
import { checkStore } from '../../src/session/fsck.ts';
import { STORE_VERSION } from '../../src/store/index.ts';
import { LmdbStore, openLmdbStore } from '../../src/store/live/lmdb-store.ts';
import { compileFor } from './compile.ts';
import { conformance, key } from './conformance.ts';

const base = mkdtempSync(join(tmpdir(), 'stillpoint-store-'));
afterAll(() => rmSync(base, { recursive: true, force: true }));
let count = 0;
const fresh = (): string => join(base, `case-${count++}`);
const create = (directory: string): Promise<LmdbStore> => openLmdbStore({ directory, mode: 'create' });
const existing = (directory: string): Promise<LmdbStore> => openLmdbStore({ directory, mode: 'existing' });
const value = (length: number, fill: number): Uint8Array => new Uint8Array(length).fill(fill);
const refuses = (attempt: Promise<unknown>, code: string): Promise<void> => expect(attempt).rejects.toMatchObject({ code });
const CHILD = await compileFor('test/store/child.ts', join(base, 'compiled'));

conformance('LmdbStore', async () => {
  const directory = fresh();
  const store = await create(directory);
  return { store, dispose: async () => { await store.close(); rmSync(directory, { recursive: true }); } };
});

async function filled(entries = 300): Promise<string> {
  const directory = fresh();
  const store = await create(directory);
  await store.commit({ puts: Array.from({ length: entries }, (_, index) => ({ table: 'blobs' as const, key: key(`key ${index}`), value: value(3000, index & 255) })) });
  await store.close();
  return directory;
}

describe('opening', () => {
  it('makes a private directory with nothing else in it, and its parents', async () => {
    const directory = join(fresh(), 'deep', 'store.dir');
    await (await create(directory)).close();
    expect(statSync(directory).mode & 0o777).toBe(0o700);
    expect(readdirSync(directory).sort()).toEqual(['data.mdb', 'lock.mdb', 'reserve']);
    expect(statSync(join(directory, 'data.mdb')).mode & 0o077).toBe(0);
  });

  it('takes an empty directory, and one with the leftovers of a killed creation', async () => {
    const directory = fresh();
    mkdirSync(join(directory, 'new-0123456789abcdef'), { recursive: true });
    await (await create(directory)).close();
    await (await existing(directory)).close();
  });

  it('keeps its content over close and open, also read-only', async () => {
    const directory = await filled();
    const store = await openLmdbStore({ directory, mode: 'read-only' });
    expect(store.get('blobs', key('key 7'))!.length).toBe(3000);
    await refuses(store.commit({ puts: [{ table: 'runs', key: key('a'), value: value(1, 1) }] }), 'E_STORE_WRITE');
    await store.close();
  });

  it('can be open twice in one process', async () => {
    const directory = await filled();
    const [a, b] = [await existing(directory), await existing(directory)];
    await a.commit({ puts: [{ table: 'runs', key: key('a'), value: value(1, 1) }] });
    await a.close();
    expect(b.has('runs', key('a'))).toBe(true);
    await b.commit({ puts: [{ table: 'runs', key: key('b'), value: value(1, 1) }] });
    await b.close();
  });

  it.each(['existing', 'read-only'] as const)('%s: no store there is E_STORE_OPEN, and none is made', async (mode) => {
    const directory = fresh();
    await refuses(openLmdbStore({ directory, mode }), 'E_STORE_OPEN');
    expect(existsSync(directory)).toBe(false);
    mkdirSync(directory);
    await refuses(openLmdbStore({ directory, mode }), 'E_STORE_OPEN');
    expect(readdirSync(directory)).toEqual([]);
  });

  it('a file, a path through a file, a directory with other content are E_STORE_FOREIGN and stay untouched', async () => {
    const file = fresh();
    writeFileSync(file, 'hello');
    await refuses(create(file), 'E_STORE_FOREIGN');
    await refuses(create(join(file, 'below')), 'E_STORE_FOREIGN');
    const directory = fresh();
    mkdirSync(directory);
    writeFileSync(join(directory, 'letter.txt'), 'dear');
    await refuses(create(directory), 'E_STORE_FOREIGN');
    expect(readdirSync(directory)).toEqual(['letter.txt']);
    expect(readFileSync(file, 'utf8')).toBe('hello');
  });

  it('a dangling link and a data file that is a directory are errors, not stores', async () => {
    const link = fresh();
    symlinkSync(fresh(), link);
    await expect(create(link)).rejects.toMatchObject({ code: expect.stringMatching(/^E_STORE_/) });
    const directory = fresh();
    mkdirSync(join(directory, 'data.mdb'), { recursive: true });
    await refuses(create(directory), 'E_STORE_FOREIGN');
  });

  it("somebody else's LMDB database is E_STORE_FOREIGN and gets no table", async () => {
    const directory = fresh();
    const theirs = open(directory, { noSubdir: false });
    await theirs.put('a', 1);
    await theirs.close();
    await refuses(create(directory), 'E_STORE_FOREIGN');
    const again = open(directory, { noSubdir: false });
    expect([...again.getKeys()]).toEqual(['a']);
    await again.close();
  });

  it('a newer store is E_STORE_VERSION, naming both versions', async () => {
    const directory = await filled(1);
    const store = await existing(directory);
    const meta = store.get('meta', key('format'))!;
    new DataView(meta.buffer, meta.byteOffset).setUint32(16, STORE_VERSION + 1, true);
    await store.commit({ puts: [{ table: 'meta', key: key('format'), value: meta }] });
    await store.close();
    await expect(existing(directory)).rejects.toMatchObject({ code: 'E_STORE_VERSION', data: { found: STORE_VERSION + 1, known: STORE_VERSION }, message: expect.stringMatching(/8.*7/) });
  });

  it('no permission is E_STORE_OPEN and leaves nothing behind', () => {
    const parent = fresh();
    mkdirSync(parent, { mode: 0o755 });
    chmodSync(base, 0o755);
    const denied = spawnSync('setpriv', ['--reuid=65534', '--clear-groups', process.execPath, CHILD, 'open', join(parent, 'store')], { encoding: 'utf8' });
    expect(denied.stdout).toBe('E_STORE_OPEN\n');
    expect(readdirSync(parent)).toEqual([]);
  });
});

describe('damage', () => {
  it('a data file of any other bytes is E_STORE_FOREIGN', async () => {
    for (const bytes of [new Uint8Array(0), value(100, 7), value(20_000, 0), value(20_000, 255)]) {
      const directory = fresh();
      mkdirSync(directory);
      writeFileSync(join(directory, 'data.mdb'), bytes);
      await refuses(create(directory), 'E_STORE_FOREIGN');
      expect(readdirSync(directory)).toEqual(['data.mdb']);
    }
  });

  // In a child process: what must not happen is a signal.
  const outcome = (directory: string): string => {
    const { stdout, signal, status } = spawnSync(process.execPath, [CHILD, 'scan', directory], { encoding: 'utf8', timeout: 20_000 });
    return signal ?? (status === 0 ? stdout.trim() : `exit ${status}`);
  };

  it('a data file cut anywhere gives a code or whole content, never a signal', async () => {
    const original = await filled();
    const size = statSync(join(original, 'data.mdb')).size;
    for (const part of [0.001, 0.006, 0.1, 0.4, 0.7, 0.999]) {
      const directory = fresh();
      cpSync(original, directory, { recursive: true });
      truncateSync(join(directory, 'data.mdb'), Math.floor(size * part));
      expect(outcome(directory)).toMatch(/^(E_STORE_CORRUPT|E_STORE_FOREIGN|300 entries.*)$/);
    }
  });

  it('a data file that is cut is told as that, by whoever comes, however often', async () => {
    const original = await filled();
    const wantedBytes = statSync(join(original, 'data.mdb')).size;
    for (const bytes of [4096, 5000, 8192, 20_480, 100_001, wantedBytes - 4096 * 3, wantedBytes - 4096]) {
      const directory = fresh();
      cpSync(original, directory, { recursive: true });
      truncateSync(join(directory, 'data.mdb'), bytes);
      const cut = { code: 'E_STORE_CORRUPT', message: expect.stringContaining(`it is cut: ${bytes} bytes are there, ${wantedBytes} are wanted; stillpoint fsck --repair`) as string };
      for (const mode of ['read-only', 'existing', 'create', 'read-only'] as const) await expect(openLmdbStore({ directory, mode })).rejects.toMatchObject(cut);
      expect((await checkStore({ store: directory, repairs: false })).findings[0]).toMatchObject({ code: cut.code, says: cut.message });
      expect(statSync(join(directory, 'data.mdb')).size).toBe(bytes);
    }
  });

  it('a flipped byte in the header gives a code or whole content, never a signal', async () => {
    const original = await filled(20);
    const bytes = readFileSync(join(original, 'data.mdb'));
    for (const at of [18, 24, 28, 48, 49, 88, 95, 136, 143, 144, 150, 152, 159, 4096 + 18, 4096 + 24, 4096 + 48, 4096 + 136, 4096 + 152]) {
      const directory = fresh();
      mkdirSync(directory);
      const copy = Uint8Array.from(bytes);
      copy[at]! ^= 0x40;
      writeFileSync(join(directory, 'data.mdb'), copy);
      expect(`${at}: ${outcome(directory)}`).toMatch(/: (E_STORE_\w+|\d+ entries.*)$/);
    }
  });
});

describe('a full disk', () => {
  it('is E_DISK_FULL with nothing applied; smaller work goes on; the store is whole afterwards', async () => {
    const mount = fresh();
    mkdirSync(mount);
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=8m', 'tmpfs', mount]);
    try {
      const directory = join(mount, 'store');
      let store = await create(directory);
      const fill = (name: string) => store.commit({ puts: Array.from({ length: 100 }, (_, index) => ({ table: 'blobs' as const, key: key(`${name} ${index}`), value: value(4000, 1) })) });
      let done = 0;
      await expect((async () => { for (;;) { await fill(String(done)); done++; } })()).rejects.toMatchObject({ code: 'E_DISK_FULL' });
      expect(done).toBeGreaterThan(5);
      expect(store.has('blobs', key(`${done} 0`))).toBe(false);
      expect(store.usage().tables.blobs.entries).toBe(done * 100);
      await store.commit({ deletes: Array.from({ length: 100 }, (_, index) => ({ table: 'blobs' as const, key: key(`0 ${index}`) })) }).catch((error: unknown) => expect(error).toMatchObject({ code: 'E_DISK_FULL' }));
      await store.close();
      store = await existing(directory);
      expect(store.get('blobs', key(`${done - 1} 99`))!.length).toBe(4000);
      await store.close();
      writeFileSync(join(mount, 'rest'), '');
      spawnSync('dd', ['if=/dev/zero', `of=${join(mount, 'rest')}`, 'bs=1k']);
      await refuses(create(join(mount, 'second')), 'E_DISK_FULL');
      expect(existsSync(join(mount, 'second'))).toBe(false);
    } finally {
      execFileSync('umount', ['-l', mount]);
    }
  });
});

describe('the reserve', () => {
  it('is given up, a piece at a time, for what makes room on a full disk and for nothing else, and made whole when there is room', async () => {
    const mount = fresh();
    mkdirSync(mount);
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=64m', 'tmpfs', mount]);
    try {
      const directory = join(mount, 'store');
      const reserve = join(directory, 'reserve');
      let store = await create(directory);
      await store.commit({ puts: Array.from({ length: 3000 }, (_, index) => ({ table: 'blobs' as const, key: key(`${(index * 2654435761) % 2 ** 32} ${index}`), value: value(1500, 1) })) });
      expect(statSync(reserve).size).toBe(2 ** 20);
      writeFileSync(join(mount, 'rest'), '');
      spawnSync('dd', ['if=/dev/zero', `of=${join(mount, 'rest')}`, 'bs=1k']);
      const scattered = [...store.range('blobs', { from: Uint8Array.of(0), to: Uint8Array.of(255) })].filter((_, index) => index % 60 === 0).map((entry) => ({ table: 'blobs' as const, key: entry.key }));
      await expect(store.commit({ deletes: scattered })).rejects.toMatchObject({ code: 'E_DISK_FULL' });
      expect([statSync(reserve).size, store.usage().tables.blobs.entries]).toEqual([2 ** 20, 3000]);
      expect(await store.commit({ deletes: scattered, frees: true })).toBe('done');
      expect(statSync(reserve).size).toBeLessThan(2 ** 20);
      await store.close();
      const left = statSync(reserve).size;
      store = await existing(directory);
      expect([statSync(reserve).size, store.usage().tables.blobs.entries]).toEqual([left, 3000 - scattered.length]);
      await store.close();
      rmSync(join(mount, 'rest'));
      store = await existing(directory);
      expect(statSync(reserve).size).toBe(2 ** 20);
      await store.close();
    } finally {
      execFileSync('umount', ['-l', mount]);
    }
  });

  it('that something else stands for, or that may not be made, is no reason to refuse the store', async () => {
    const directory = fresh();
    await (await create(directory)).close();
    rmSync(join(directory, 'reserve'));
    mkdirSync(join(directory, 'reserve'));
    await (await existing(directory)).close();
    expect(statSync(join(directory, 'reserve')).isDirectory()).toBe(true);
  });
});

describe('processes', () => {
  it('two processes share a store: each commit of both is there, compare-and-swap counts exactly', async () => {
    const directory = fresh();
    await (await create(directory)).close();
    const runs = ['a', 'b'].map((name) => new Promise<number | null>((done) => spawn(process.execPath, [CHILD, 'count', directory, name, '200'], { stdio: ['ignore', 'ignore', 'inherit'] }).on('exit', done)));
    expect(await Promise.all(runs)).toEqual([0, 0]);
    const store = await existing(directory);
    expect(new DataView(store.get('runs', key('counter'))!.slice().buffer).getUint32(0)).toBe(400);
    expect(store.usage().tables.blobs.entries).toBe(400);
    await store.close();
  });

  it('two processes that create one store at once both get it', async () => {
    const directory = fresh();
    const runs = ['a', 'b', 'c'].map((name) => new Promise<number | null>((done) => spawn(process.execPath, [CHILD, 'count', directory, name, '5'], { stdio: ['ignore', 'ignore', 'inherit'] }).on('exit', done)));
    expect(await Promise.all(runs)).toEqual([0, 0, 0]);
    const store = await existing(directory);
    expect(store.usage().tables.blobs.entries).toBe(15);
    await store.close();
  });

  it('SIGKILL during commits loses no acknowledged commit', async () => {
    const directory = fresh();
    await (await create(directory)).close();
    const rounds = process.env['STILLPOINT_SLOW'] === '1' ? 40 : 6;
    const acknowledged: string[] = [];
    for (let round = 0; round < rounds; round++) {
      await new Promise<void>((done) => {
        const child = spawn(process.execPath, [CHILD, 'write', directory, String(round)]);
        let lines = '';
        child.stdout.on('data', (data: Buffer) => {
          lines += data.toString();
          if (lines.split('\n').length > 20 + round * 7) child.kill('SIGKILL');
        });
        child.on('close', () => { acknowledged.push(...lines.split('\n').slice(0, -1)); done(); });
      });
    }
    const store = await existing(directory);
    expect(acknowledged.length).toBeGreaterThan(rounds * 20);
    for (const name of acknowledged) for (const part of [0, 1, 2]) expect(store.get('blobs', key(`${name}/${part}`))?.length).toBe(3000);
    await store.close();
  });
});

it.each([1, 2, 3, 4, 5, 6])('golden: a store of format version %s is read as it is, and raised to this version when it is opened for writing', async (version) => {
  const directory = fresh();
  cpSync(join(import.meta.dirname, 'golden', `store-v${version}`), directory, { recursive: true });
  const head = (store: LmdbStore): string => Buffer.from(store.get('meta', key('format'))!.subarray(0, 20)).toString('latin1');
  const reading = await openLmdbStore({ directory, mode: 'read-only' });
  expect([head(reading), reading.get('marks', key('none')), [...reading.range('marks', { from: key('a'), to: key('z') })], reading.usage().tables.marks.entries]).toEqual([`stillpoint-store${String.fromCharCode(version >= 4 ? 7 : version)}\0\0\0` /* Its last commit is finished by a writer first. */, undefined, [], 0]);
  await reading.close();
  const store = await existing(directory);
  expect([head(store), store.get('runs', key('golden'))]).toEqual(['stillpoint-store\x07\0\0\0', Buffer.alloc(40, 0x5a)]);
  await store.commit({ puts: [{ table: 'marks', key: key('m'), value: value(3, 1) }] });
  await store.close();
  const again = await openLmdbStore({ directory, mode: 'read-only' });
  expect(again.get('marks', key('m'))).toEqual(Buffer.from(value(3, 1)));
  await again.close();
});

it('golden: a store of this format version opens and holds what it held', async () => {
  const directory = fresh();
  const golden = join(import.meta.dirname, 'golden', 'store-v7');
  if (process.env['UPDATE_GOLDEN'] === '1') {
    rmSync(golden, { recursive: true, force: true });
    const store = await create(golden);
    await store.commit({ puts: [{ table: 'packs', key: key('golden'), value: value(60_000, 0x50) }] });
    await store.commit({ puts: [{ table: 'runs', key: key('golden'), value: value(40, 0x5a) }] });
    cpSync(join(golden, 'data.mdb'), `${golden}.left`); // Its last commit is in the seal, too: whoever opens the copy commits it again.
    await store.close();
    renameSync(`${golden}.left`, join(golden, 'data.mdb'));
    rmSync(join(golden, 'lock.mdb'));
  }
  cpSync(golden, directory, { recursive: true });
  const store = await existing(directory);
  expect(Buffer.from(store.get('meta', key('format'))!.subarray(0, 20)).toString('latin1')).toBe('stillpoint-store\x07\0\0\0');
  expect(store.get('runs', key('golden'))).toEqual(Buffer.alloc(40, 0x5a));
  expect(Buffer.compare(store.get('packs', key('golden'))!, value(60_000, 0x50))).toBe(0);
  expect(store.usage().tables.packs.bytes).toBeLessThan(3 * 4096); // It lies there shrunk.
  await store.close();
});
