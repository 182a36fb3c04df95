/** A run as an OCI image layout: carried whole, equal for equal runs, refused when anything in it is not what its digest promises. */
import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { StillpointError } from '../../src/core/index.ts';
import { exportRun, exportStream } from '../../src/session/export.ts';
import { importRun, importStream } from '../../src/session/import.ts';
import { fromLayout, toLayout } from '../../src/session/oci-run.ts';
import { MemoryStore } from '../../src/store/index.ts';
import { runNames, type StoreContext } from '../../src/txn/index.ts';
import { digests } from '../journal/support.ts';
import { generator } from '../txn/support.ts';
import { exportBytes, OPERATIONS, World } from './world.ts';

const CASES = process.env['STILLPOINT_SLOW'] === '1' ? 2000 : 40;
const base = mkdtempSync(join(tmpdir(), 'stillpoint-oci-'));
const layout = join(base, 'run.oci');
let world: World;
let name: string;
let stream: Uint8Array;
let copies = 0;

beforeAll(async () => {
  world = new World(21);
  for (let step = 0; step < 60 || world.names.length === 0; step++) await world.step(OPERATIONS);
  name = world.names[0]!;
  for (let more = 0; more < 3; more++) await world.checkpoint(name);
  await world.giveUp(name);
  stream = await exportBytes(world.context, name);
  await write(layout);
});
afterAll(() => rmSync(base, { recursive: true, force: true }));

async function write(directory: string): Promise<void> {
  await toLayout(directory, async (put) => ({ result: await exportStream(world.context, { run: name, have: [] }, put), annotations: { 'org.opencontainers.image.ref.name': name } }));
}

function copy(): string {
  const directory = join(base, `copy-${copies++}`);
  cpSync(layout, directory, { recursive: true });
  return directory;
}

function filesOf(directory: string): readonly string[] {
  return readdirSync(directory, { recursive: true, encoding: 'utf8', withFileTypes: true }).filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name)).sort();
}

interface Descriptor { mediaType: string; digest: string; size: number }
function documents(directory: string): { readonly index: { manifests: Descriptor[] }; readonly manifest: { layers: Descriptor[]; artifactType: string } } {
  const index = JSON.parse(readFileSync(join(directory, 'index.json'), 'utf8')) as { manifests: Descriptor[] };
  return { index, manifest: JSON.parse(readFileSync(join(directory, 'blobs/sha256', index.manifests[0]!.digest.slice(7)), 'utf8')) as { layers: Descriptor[]; artifactType: string } };
}

async function refused(directory: string): Promise<string> {
  const context: StoreContext = { store: new MemoryStore(), digests };
  try {
    await importStream(context, fromLayout(directory), {});
    return 'taken';
  } catch (error) {
    expect(runNames(context)).toEqual([]);
    if (error instanceof StillpointError) return error.code;
    if (error instanceof Error && 'syscall' in error) return 'host'; // importRun makes E_HOST_FILE of it.
    throw error;
  }
}

describe('an OCI layout of a run', () => {
  it('is what the specification says: digests are those of sha256sum, layers in order are the export stream', () => {
    expect(JSON.parse(readFileSync(join(layout, 'oci-layout'), 'utf8'))).toEqual({ imageLayoutVersion: '1.0.0' });
    const sums = execFileSync('sha256sum', readdirSync(join(layout, 'blobs/sha256')), { cwd: join(layout, 'blobs/sha256'), encoding: 'utf8' });
    for (const line of sums.trim().split('\n')) expect(line.split(/ +/)[0]).toBe(line.split(/ +/)[1]);
    const { manifest } = documents(layout);
    expect(manifest.artifactType).toBe('application/vnd.stillpoint.run.v1');
    const bytes = Buffer.concat(manifest.layers.map(({ digest }) => readFileSync(join(layout, 'blobs/sha256', digest.slice(7)))));
    expect(bytes.equals(stream)).toBe(true);
  });

  it('is the same, byte for byte, for the same run, and gives the run back', async () => {
    const again = join(base, 'again.oci');
    await write(again);
    expect(filesOf(again).map((file) => [file.slice(again.length), readFileSync(file, 'hex')])).toEqual(filesOf(layout).map((file) => [file.slice(layout.length), readFileSync(file, 'hex')]));
    expect(await refused(layout)).toBe('taken');
    await expect(write(again)).rejects.toMatchObject({ code: 'E_HOST_FILE' });
    await expect(toLayout(join(base, 'broken.oci'), () => Promise.reject(new StillpointError('E_PAGE_DAMAGED', 'no')))).rejects.toMatchObject({ code: 'E_PAGE_DAMAGED' });
    expect(readdirSync(base).filter((file) => file.includes('broken'))).toEqual([]);
  });

  it('goes through a store on disk by name', async () => {
    await importRun({ file: layout, store: join(base, 'store') });
    const carried = join(base, 'carried.oci');
    expect(await exportRun({ run: name, file: carried, isOci: true, store: join(base, 'store'), have: [] })).toMatchObject({ run: name });
    expect(documents(carried).manifest.layers).toEqual(documents(layout).manifest.layers);
    const incomplete = copy();
    rmSync(join(incomplete, 'blobs/sha256', documents(incomplete).manifest.layers[0]!.digest.slice(7)));
    await expect(importRun({ file: incomplete, store: join(base, 'other') })).rejects.toMatchObject({ code: 'E_HOST_FILE' });
  });
});

describe('hostile layouts', () => {
  it('flipped and cut files are refused, wherever they are', async () => {
    const random = generator(9);
    const hostile = copy();
    const read = filesOf(hostile).filter((file) => !file.endsWith('oci-layout') && readFileSync(file, 'utf8') !== '{}'); // Neither says anything.
    for (let index = 0; index < CASES; index++) {
      const file = read[index % read.length]!;
      const whole = readFileSync(file);
      const changed = Buffer.from(whole);
      changed[Math.floor(random() * changed.length)]! ^= 1 << Math.floor(random() * 8);
      writeFileSync(file, random() < 0.3 ? whole.subarray(0, Math.floor(random() * whole.length)) : changed);
      const isIndex = file.endsWith('index.json'); // It has no digest: where it names the same manifest it may say what it likes.
      expect(await refused(hostile), `STILLPOINT case ${index} in ${file}`).toMatch(isIndex ? /^(E_|taken|host)/ : /^(E_|host)/);
      writeFileSync(file, whole);
    }
    expect(await refused(hostile)).toBe('taken');
  });

  const forge = (change: (index: { manifests: Descriptor[] }) => void): string => {
    const directory = copy();
    const { index } = documents(directory);
    change(index);
    writeFileSync(join(directory, 'index.json'), JSON.stringify(index));
    return directory;
  };

  it.each<[string, (index: { manifests: Descriptor[] }) => void, RegExp]>([
    ['a digest that is a path', (index) => { index.manifests[0]!.digest = 'sha256:../../../../etc/passwd'; }, /^E_IMAGE_UNSUPPORTED$/],
    ['another kind of digest', (index) => { index.manifests[0]!.digest = 'sha512:00'; }, /^E_IMAGE_UNSUPPORTED$/],
    ['an impossible size', (index) => { index.manifests[0]!.size = -1; }, /^E_IMAGE_FORMAT$/],
    ['another size', (index) => { index.manifests[0]!.size++; }, /^E_EXPORT_DAMAGED$/],
    ['no manifest', (index) => { index.manifests = []; }, /^E_EXPORT_FORMAT$/],
    ['two manifests', (index) => { index.manifests.push(index.manifests[0]!); }, /^E_EXPORT_FORMAT$/],
    ['an image', (index) => { index.manifests[0]!.mediaType = 'application/vnd.docker.distribution.manifest.v2+json'; }, /^E_EXPORT_FORMAT$/],
    ['something that is no manifest', (index) => { index.manifests[0]!.digest = documents(layout).manifest.layers[0]!.digest; }, /^E_/],
  ])('%s is refused', async (_, change, code) => {
    expect(await refused(forge(change))).toMatch(code);
  });

  it.each(['index.json', 'manifest', 'layer'])('%s that is a pipe, a device or a directory is refused, and not waited for', async (what) => {
    for (const make of [(path: string) => execFileSync('mkfifo', [path]), (path: string) => symlinkSync('/dev/zero', path), (path: string) => mkdirSync(path)]) {
      const directory = copy();
      const { index, manifest } = documents(directory);
      const path = join(directory, { 'index.json': what, manifest: `blobs/sha256/${index.manifests[0]!.digest.slice(7)}`, layer: `blobs/sha256/${manifest.layers[0]!.digest.slice(7)}` }[what]!);
      rmSync(path);
      make(path);
      expect(await refused(directory)).toBe('E_HOST_FILE');
    }
  });

  it('a directory that is no layout is refused', async () => {
    await expect(importRun({ file: base, store: join(base, 'none') })).rejects.toMatchObject({ code: 'E_EXPORT_FORMAT' });
    expect(existsSync(join(base, 'none'))).toBe(false);
  });
});
