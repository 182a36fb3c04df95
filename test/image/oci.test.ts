/** OCI image layouts, made here by hand after the specification: directory and archive, several platforms, damage. */
import { createHash } from 'node:crypto';
import { execFileSync } from 'node:child_process';
import * as fs from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, describe, expect, it } from 'vitest';
import { StillpointError } from '../../src/core/index.ts';
import { openSource } from '../../src/image/live/open-source.ts';
import { Layout, type Descriptor } from './layout.ts';
import { describeLayer, tar, temporaryDirectory } from './support.ts';

const directory = temporaryDirectory();
afterAll(() => { fs.rmSync(directory, { recursive: true, force: true }); });

function layer(name: string, files: Readonly<Record<string, string>>): Uint8Array {
  const root = join(directory, `layer-${name}`);
  for (const [path, content] of Object.entries(files)) {
    fs.mkdirSync(join(root, path, '..'), { recursive: true });
    fs.writeFileSync(join(root, path), content);
  }
  return tar(root);
}

const TAR = 'application/vnd.oci.image.layer.v1.tar';
const lower = layer('lower', { 'etc/a': 'lower a', 'etc/b': 'b', 'bin/x': 'x' });
const upper = layer('upper', { 'etc/a': 'upper a', 'etc/.wh.b': '', 'new': 'n' });

function simple(name: string): Layout {
  const layout = new Layout(join(directory, name));
  layout.index([layout.manifest([layout.add(`${TAR}+gzip`, gzipSync(lower)), layout.add(TAR, upper)])]);
  return layout;
}

async function names(path: string): Promise<string[]> {
  const source = await openSource(path);
  const found = describeLayer(source.layer).map((line) => line.split(' ')[0]!);
  source.close();
  return found;
}

async function codeOf(path: string): Promise<string> {
  try {
    await names(path);
    return 'none';
  } catch (error) {
    if (error instanceof StillpointError) return error.code;
    throw error;
  }
}

const EXPECTED = ['bin', 'bin/x', 'etc', 'etc/a', 'new'];

describe('OCI image layouts', () => {
  it('a directory and its archive give the layers laid over each other', async () => {
    const { path } = simple('plain');
    expect(await names(path)).toEqual(EXPECTED);
    execFileSync('tar', ['-C', path, '-cf', `${path}.tar`, '.']);
    expect(await names(`${path}.tar`)).toEqual(EXPECTED);
    execFileSync('tar', ['-C', path, '-czf', `${path}.tgz`, 'blobs', 'index.json', 'oci-layout']);
    expect(await names(`${path}.tgz`)).toEqual(EXPECTED);
  });

  it('of several platforms riscv64 is taken, through an index of its own', async () => {
    const layout = new Layout(join(directory, 'platforms'));
    const other = { ...layout.manifest([layout.add(TAR, upper)]), platform: { os: 'linux', architecture: 'amd64' } };
    const mine = { ...layout.manifest([layout.add(TAR, lower), layout.add(TAR, upper)]), platform: { os: 'linux', architecture: 'riscv64' } };
    layout.index([layout.add('application/vnd.oci.image.index.v1+json', { schemaVersion: 2, manifests: [other, mine] })]);
    expect(await names(layout.path)).toEqual(EXPECTED);
    layout.index([other, { ...other }]);
    expect(await codeOf(layout.path)).toBe('E_IMAGE_UNSUPPORTED');
  });

  it('every flipped byte and every missing blob is found', async () => {
    const layout = simple('damaged');
    const blobs = fs.readdirSync(join(layout.path, 'blobs/sha256')).filter((name) => !fs.readFileSync(join(layout.path, 'blobs/sha256', name), 'utf8').includes('architecture'));
    expect(blobs.length).toBe(3);
    for (const name of blobs) {
      const blob = join(layout.path, 'blobs/sha256', name);
      const whole = fs.readFileSync(blob);
      for (let at = 0; at < whole.length; at += Math.ceil(whole.length / 23)) {
        const damaged = Uint8Array.from(whole);
        damaged[at]! ^= 0x10;
        fs.writeFileSync(blob, damaged);
        expect(await codeOf(layout.path)).toBe('E_IMAGE_FORMAT');
      }
      fs.writeFileSync(blob, whole.subarray(1));
      expect(await codeOf(layout.path)).toBe('E_IMAGE_FORMAT');
      fs.rmSync(blob);
      expect(await codeOf(layout.path)).toBe('E_IMAGE_OPEN');
      execFileSync('mkfifo', [blob]);
      expect(await codeOf(layout.path), 'a pipe is not waited for').toBe('E_IMAGE_OPEN');
      fs.rmSync(blob);
      fs.writeFileSync(blob, whole);
    }
    expect(await names(layout.path)).toEqual(EXPECTED);
  });

  it('documents of a stranger give codes', async () => {
    const cases: readonly (readonly [string, string])[] = [
      ['', 'E_IMAGE_FORMAT'], ['null', 'E_IMAGE_FORMAT'], ['{"manifests":[]}', 'E_IMAGE_UNSUPPORTED'], ['{"manifests":{}}', 'E_IMAGE_FORMAT'], ['{"manifests":[1]}', 'E_IMAGE_FORMAT'],
      ['{"manifests":[{"mediaType":"x","size":1,"digest":"md5:00"}]}', 'E_IMAGE_UNSUPPORTED'], ['\xff\xfe', 'E_IMAGE_FORMAT'],
      [`{"manifests":[{"mediaType":"application/vnd.oci.image.manifest.v1+json","size":-1,"digest":"sha256:${'0'.repeat(64)}"}]}`, 'E_IMAGE_FORMAT'],
      [`{"manifests":[{"mediaType":"application/vnd.oci.image.manifest.v1+json","size":1,"digest":"sha256:../../../etc/passwd"}]}`, 'E_IMAGE_UNSUPPORTED'],
    ];
    const layout = simple('strange');
    for (const [text, code] of cases) {
      fs.writeFileSync(join(layout.path, 'index.json'), text, 'latin1');
      expect([text, await codeOf(layout.path)]).toEqual([text, code]);
    }
    const zstd = new Layout(join(directory, 'zstd'));
    zstd.index([zstd.manifest([zstd.add(`${TAR}+zstd`, upper)])]);
    expect(await codeOf(zstd.path)).toBe('E_IMAGE_UNSUPPORTED');
  });
});
