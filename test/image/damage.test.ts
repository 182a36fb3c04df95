/** Images under attack and accident: damaged and missing parts in the store, sources that change while they are read, imports that are killed. */
import { spawn } from 'node:child_process';
import { execFileSync } from 'node:child_process';
import * as fs from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { layerFromTar } from '../../src/image/index.ts';
import { FileSource } from '../../src/image/live/file-source.ts';
import { layerFromDirectory } from '../../src/image/live/layer-from-directory.ts';
import { openLmdbStore, type LmdbStore } from '../../src/store/live/lmdb-store.ts';
import { Bench, CLI, complaint } from '../cli/command.ts';
import { codeOf } from './support.ts';

const bench = new Bench();
const KILLS = process.env['STILLPOINT_SLOW'] === undefined ? 4 : 100;
let reader: string;

beforeAll(() => {
  reader = bench.compile('reader', `
    #include <stdio.h>
    int main(int n, char **v) { unsigned long sum = 0; for (int i = 1; i < n; i++) { FILE *in = fopen(v[i], "r"); if (!in) return 9; for (int c; (c = getc(in)) != EOF;) sum = sum * 31 + c; } printf("%lu\\n", sum); return 0; }`);
  const root = bench.makeDirectory('root');
  fs.writeFileSync(`${root}/read`, Buffer.alloc(600_000, 'read me '));
  fs.writeFileSync(`${root}/other`, Buffer.alloc(300_000, 'leave me '));
  for (let index = 0; index < 400; index++) fs.writeFileSync(`${root}/small-${index}`, `${index}\n`.repeat(index));
  for (let index = 0; index < 20; index++) fs.writeFileSync(`${root}/large-${index}`, Buffer.alloc(900_000, `${index} `));
  execFileSync('tar', ['-C', root, '-cf', bench.path('root.tar'), '.']);
});
afterAll(() => { fs.rmSync(bench.directory, { recursive: true, force: true }); });

async function withStore(use: (store: LmdbStore) => Promise<void>): Promise<void> {
  const store = await openLmdbStore({ directory: bench.store, mode: 'existing' });
  try {
    await use(store);
  } finally {
    await store.close();
  }
}

const entries = (store: LmdbStore): { readonly key: Uint8Array; readonly value: Uint8Array }[] => [...store.range('blobs', { from: Uint8Array.of(0), to: new Uint8Array(40).fill(255) })];
const holds = (value: Uint8Array, text: string): boolean => Buffer.from(value.subarray(0, 64)).toString('latin1').startsWith(text);

describe('a store with a damaged image', () => {
  const read = (): string => complaint(bench.stillpoint(['run', '--image', 'base', './reader', '/read']));

  it('names what is damaged or missing, and only when it is needed', async () => {
    expect(reader).toBeDefined();
    expect(bench.stillpoint(['image', 'import', 'base', 'root.tar']).status).toBe(0);
    expect(bench.stillpoint(['run', '--name', 'good', '--image', 'base', './reader', '/read']).status).toBe(0);
    await withStore(async (store) => {
      const other = entries(store).filter(({ value }) => holds(value, 'leave me '));
      for (const { key, value } of other) await store.commit({ puts: [{ table: 'blobs', key, value: value.map((byte, index) => (index === 77 ? byte ^ 1 : byte)) }] });
    });
    expect(bench.stillpoint(['run', '--image', 'base', './reader', '/read']).status).toBe(0);
    expect(complaint(bench.stillpoint(['run', '--image', 'base', './reader', '/other']))).toBe('E_BLOB_DAMAGED');
    let part: { readonly key: Uint8Array; readonly value: Uint8Array } | undefined;
    await withStore(async (store) => {
      part = entries(store).find(({ value }) => holds(value, 'read me '))!;
      await store.commit({ puts: [{ table: 'blobs', key: part.key, value: part.value.subarray(0, 1000) }] });
    });
    expect(read()).toBe('E_BLOB_DAMAGED');
    expect(complaint(bench.stillpoint(['replay', 'good']))).toBe('E_BLOB_DAMAGED');
    await withStore(async (store) => { await store.commit({ deletes: [{ table: 'blobs', key: part!.key }] }); });
    expect(read()).toBe('E_BLOB_MISSING');
    await withStore(async (store) => { await store.commit({ puts: [{ table: 'blobs', key: part!.key, value: part!.value }] }); });
    expect(bench.stillpoint(['replay', 'good']).status).toBe(0);
    await withStore(async (store) => {
      const { key, value } = entries(store).find((entry) => holds(entry.value, 'SPIMAGE1'))!;
      await store.commit({ puts: [{ table: 'blobs', key, value: value.map((byte, index) => (index === 500 ? byte ^ 4 : byte)) }] });
    });
    expect(read()).toBe('E_BLOB_DAMAGED');
    // A collector that cannot read an image must not take it for garbage.
    expect(complaint(bench.stillpoint(['gc']))).toBe('E_BLOB_DAMAGED');
  });
});

describe('sources that change', () => {
  it('an archive that is written to is found at the next read', () => {
    const path = bench.path('moving.tar');
    fs.copyFileSync(bench.path('root.tar'), path);
    const source = FileSource.open(path);
    const file = layerFromTar(source, path).entries.get('read');
    if (file === undefined || file === 'whiteout' || file.kind !== 'file' || file.bytes.kind !== 'source') throw new Error('no such file');
    const { read } = file.bytes;
    expect(Buffer.from(read(300_000, 8)).toString()).toBe('read me ');
    fs.appendFileSync(path, 'x');
    expect(codeOf(() => read(0, 100_000))).toBe('E_IMAGE_CHANGED');
    fs.truncateSync(path, 1000);
    expect(codeOf(() => read(0, 100_000))).toBe('E_IMAGE_CHANGED');
    source.close();
  });

  it('a file of a directory that is changed, replaced by a link or removed is found', () => {
    const root = bench.makeDirectory('moving');
    for (const name of ['written', 'linked', 'removed']) fs.writeFileSync(`${root}/${name}`, name);
    const layer = layerFromDirectory(root);
    const read = (name: string): string => codeOf(() => {
      const file = layer.entries.get(name);
      if (file !== undefined && file !== 'whiteout' && file.kind === 'file' && file.bytes.kind === 'source') file.bytes.read(0, file.size);
    });
    expect(['written', 'linked', 'removed'].map(read)).toEqual(['none', 'none', 'none']);
    fs.appendFileSync(`${root}/written`, '!');
    fs.rmSync(`${root}/linked`);
    fs.symlinkSync('/etc/passwd', `${root}/linked`);
    fs.rmSync(`${root}/removed`);
    expect(['written', 'linked', 'removed'].map(read)).toEqual(['E_IMAGE_CHANGED', 'E_IMAGE_CHANGED', 'E_IMAGE_CHANGED']);
  });
});

describe('imports that are killed', () => {
  it(`leave a store that works, and nothing that is there by half (${KILLS} kills)`, async () => {
    const store = bench.path('killed');
    const environment = { STILLPOINT_STORE: store };
    expect(bench.stillpoint(['run', './reader', '/etc/passwd'], '', environment).status).toBe(0);
    for (let kill = 0; kill < KILLS; kill++) {
      const child = spawn(process.execPath, [CLI, 'image', 'import', `half-${kill}`, bench.path('root.tar')], { stdio: 'ignore', env: { ...process.env, ...environment } });
      const ended = new Promise((done) => { child.on('close', done); });
      await new Promise((done) => { setTimeout(done, 150 + (kill * 97) % 500); });
      child.kill('SIGKILL');
      await ended;
      if (kill % 3 === 2) expect(bench.stillpoint(['gc'], '', environment).status).toBe(0);
    }
    for (const name of bench.stillpoint(['image', 'ls', '-q'], '', environment).stdout.split('\n').filter((line) => line !== '')) {
      expect(bench.stillpoint(['run', '--image', name, './reader', '/read', '/large-19', '/small-399'], '', environment).status).toBe(0);
    }
    expect(bench.stillpoint(['image', 'import', 'whole', 'root.tar'], '', environment).status).toBe(0);
    const all = ['/read', '/other', ...Array.from({ length: 20 }, (_, index) => `/large-${index}`)];
    const seen = bench.stillpoint(['run', '--image', 'whole', './reader', ...all], '', environment);
    expect([seen.status, seen.stderr]).toEqual([0, '']);
    expect(seen.stdout).toBe(bench.stillpoint(['run', '--ephemeral', '--image', './root.tar', './reader', ...all], '', environment).stdout);
  });
});
