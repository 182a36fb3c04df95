/** Makes trees on the host and reads layers back, for the tests of images. Does NOT judge: GNU tar and the host's file system are the oracles. */
import { createHash } from 'node:crypto';
import { execFileSync } from 'node:child_process';
import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { StillpointError } from '../../src/core/index.ts';
import { encodeCatalog, ImageCatalog, layerFromTar, type ByteSource, type LayerDirectory } from '../../src/image/index.ts';
import { random } from '../random.ts';

export function temporaryDirectory(): string {
  return fs.mkdtempSync(join(tmpdir(), 'stillpoint-test-image-'));
}

/** On a tmpfs where there is one: file systems on disks count links and blocks in ways of their own. */
export function memoryDirectory(): string {
  return fs.mkdtempSync(join(fs.existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'stillpoint-test-image-'));
}

export function bytesSource(bytes: Uint8Array): ByteSource {
  return {
    size: bytes.length,
    read: (offset, length) => {
      if (offset < 0 || offset + length > bytes.length) throw new Error('the reader went past the end');
      return bytes.slice(offset, offset + length);
    },
  };
}

/** `PATH mode uid gid mtime links target-or-digest` for everything but the root; times as coarse as `granule`. */
export function describeHost(directory: string, granule = 1n): string[] {
  const lines: string[] = [];
  const visit = (path: string): void => {
    for (const name of fs.readdirSync(Buffer.from(join(directory, path), 'latin1'), { encoding: 'latin1' }).sort()) {
      const here = path === '' ? name : `${path}/${name}`;
      const host = Buffer.from(join(directory, here), 'latin1');
      const facts = fs.lstatSync(host, { bigint: true });
      const what = facts.isSymbolicLink() ? fs.readlinkSync(host, { encoding: 'latin1' }) : facts.isFile() ? digest(fs.readFileSync(host)) : '';
      const links = facts.isDirectory() ? 0 : Number(facts.nlink);
      lines.push(`${here} ${Number(facts.mode).toString(8)} ${facts.uid} ${facts.gid} ${facts.mtimeNs / granule * granule} ${links} ${what}`);
      if (facts.isDirectory()) visit(here);
    }
  };
  visit('');
  return lines;
}

/** The same of a layer; times as coarse as the archive keeps them. */
export function describeLayer(layer: LayerDirectory, granule = 1n): string[] {
  const tree = catalogOf(layer);
  const lines: string[] = [];
  const visit = (inode: number, path: string): void => {
    for (let position = 0; position < tree.entryCount(inode); position++) {
      const name = tree.entryName(inode, position);
      const here = path === '' ? name : `${path}/${name}`;
      const child = tree.entryInode(inode, position);
      if (child === 0xffff_ffff) {
        lines.push(`${here} whiteout`);
        continue;
      }
      const node = tree.node(child);
      const kind = node.mode & 0o170000;
      const what = kind === 0o120000 ? tree.target(child) : kind === 0o100000 ? digest(tree.read(child, 0, node.size)) : '';
      lines.push(`${here} ${node.mode.toString(8)} ${node.uid} ${node.gid} ${node.mtime / granule * granule} ${kind === 0o040000 ? 0 : node.links} ${what}`);
      if (kind === 0o040000) visit(child, here);
    }
  };
  visit(0, '');
  return lines;
}

/** A catalog whose files are read from the layer itself. */
export function catalogOf(layer: LayerDirectory): ImageCatalog {
  const { bytes, files } = encodeCatalog(layer);
  const read = (file: number, offset: number, length: number): Uint8Array => {
    const content = files.get(file)!.bytes;
    if (content.kind === 'chunks') throw new Error('not a layer from outside');
    return content.read(offset, length);
  };
  return new ImageCatalog(bytes, { digest: createHash('sha256').update(bytes).digest('hex'), read: () => read });
}

export function digest(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex').slice(0, 16);
}

export function tar(directory: string, options: readonly string[] = []): Uint8Array {
  return new Uint8Array(execFileSync('tar', ['-C', directory, ...options, '-cf', '-', '.'], { maxBuffer: 1 << 28 }));
}

export function layerOf(bytes: Uint8Array): LayerDirectory {
  return layerFromTar(bytesSource(bytes), 'test.tar');
}

/** Code of what an action throws; anything but an error of ours fails the test. */
export function codeOf(action: () => unknown): string {
  try {
    action();
    return 'none';
  } catch (error) {
    if (error instanceof StillpointError) return error.code;
    throw error;
  }
}

/** Fills a directory with files, directories, links and FIFOs of random names, modes and times. */
export function makeRandomTree(directory: string, seed: number, options: { readonly nameBytes: number; readonly entries: number }): void {
  const next = random(seed);
  const directories = [''];
  const files: string[] = [];
  const name = (): string => Array.from({ length: 1 + next(options.nameBytes) }, () => 'abcXYZ019._- +~@é'[next(17)]).join('').replace(/^\.+/, 'x').replace(/^\.wh\./, 'y');
  for (let index = 0; index < options.entries; index++) {
    const parent = directories[next(directories.length)]!;
    const path = `${parent}${name()}`;
    const host = join(directory, path);
    if (fs.existsSync(host) || Buffer.byteLength(path) > 3000) continue;
    const kind = next(10);
    if (kind < 3) {
      fs.mkdirSync(host);
      directories.push(`${path}/`);
    } else if (kind === 3) fs.symlinkSync(['a', '../b', '/abs/olute', `${path}/loop`, 'x'.repeat(1 + next(300))][next(5)]!, host);
    else if (kind === 4 && files.length > 0) fs.linkSync(join(directory, files[next(files.length)]!), host);
    else if (kind === 5 && next(4) === 0) execFileSync('mkfifo', [host]);
    else {
      fs.writeFileSync(host, Buffer.alloc([0, 1, 511, 512, 513, 5000][next(6)]!, next(256)));
      fs.chmodSync(host, [0o644, 0o755, 0o600, 0o4755, 0o444][next(5)]!);
      files.push(path);
    }
  }
  for (const path of [...files, ...directories.slice(1)]) fs.utimesSync(join(directory, path), 1e9, 1e9 + next(1e8) + next(1000) / 1000);
}
