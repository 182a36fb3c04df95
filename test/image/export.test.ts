/** What a guest changed, as a layer: laid over the image again it gives the same files; GNU tar reads it; equal runs give equal bytes. */
import { execFileSync } from 'node:child_process';
import * as fs from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { emptyDirectory, layOver, writeLayer, type LayerDirectory } from '../../src/image/index.ts';
import { layerFromDirectory } from '../../src/image/live/layer-from-directory.ts';
import { layerOfChanges, type Guest } from '../../src/posix/index.ts';
import { bootGuest, runGuest } from '../posix/process/run-guest.ts';
import { catalogOf, codeOf, describeHost, describeLayer, layerOf, makeRandomTree, tar, temporaryDirectory } from './support.ts';

const directory = temporaryDirectory();
let base: LayerDirectory;
let program: Uint8Array;

beforeAll(() => {
  const work = join(directory, 'root/work');
  fs.mkdirSync(join(work, 'dir/sub'), { recursive: true });
  fs.mkdirSync(join(work, 'deep'));
  fs.mkdirSync(join(work, 'empty'));
  for (const name of ['text', 'gone', 'hard1', 'moved', 'mode', 'emptied', 'open-but-gone', 'times', 'dir/a', 'dir/sub/b', 'untouched']) fs.writeFileSync(join(work, name), `this is ${name}\n`);
  fs.writeFileSync(join(work, 'big'), Buffer.alloc(700_000, 7));
  fs.linkSync(join(work, 'hard1'), join(work, 'hard2'));
  fs.linkSync(join(work, 'text'), join(work, 'text-too'));
  fs.symlinkSync('text', join(work, 'old-link'));
  base = layerFromDirectory(join(directory, 'root'));
  const binary = join(directory, 'changes');
  execFileSync('riscv64-linux-gnu-gcc', ['-static', '-O1', '-w', join(import.meta.dirname, 'changes.c'), '-o', binary]);
  program = new Uint8Array(fs.readFileSync(binary));
});
afterAll(() => { fs.rmSync(directory, { recursive: true, force: true }); });

function archiveOf(layer: LayerDirectory): Uint8Array {
  return Buffer.concat([...writeLayer(layer, ({ bytes }, offset, length) => {
    if (bytes.kind === 'chunks') throw new Error('not from outside');
    return bytes.read(offset, length);
  })]);
}

function changesOf(after: Guest): Uint8Array {
  return archiveOf(layerOfChanges(bootGuest(program, { image: catalogOf(base) }).kernel.files, after.kernel.files));
}

/** What `changes look` prints: the tree as a guest sees it. */
function look(image: LayerDirectory): string[] {
  const seen = runGuest(program, { image: catalogOf(image), argv: ['changes', 'look'] });
  expect(seen.outcome).toBe('exit 0');
  return seen.stdout.split('\n').sort();
}

function over(...layers: readonly LayerDirectory[]): LayerDirectory {
  const result = emptyDirectory();
  for (const layer of layers) layOver(result, layer);
  return result;
}

describe('the layer of what a guest changed', () => {
  it('gives the same files when it is laid over the image', () => {
    const after = runGuest(program, { image: catalogOf(base) });
    const changes = changesOf(after.guest);
    const tree = after.stdout.split('\n').filter((line) => line.startsWith('.')).sort();
    // Blocks are not kept: holes of the run are zeros of the archive.
    const facts = (lines: readonly string[]): string[] => lines.filter((line) => line !== '').map((line) => line.replace(/ \d+$/, ''));
    expect(facts(look(over(base, layerOf(changes))))).toEqual(facts(tree));
    const listed = describeLayer(layerOf(changes)).map((line) => line.split(' ')[0]!);
    expect(listed).toContain('work/gone');
    expect(listed).not.toContain('work/untouched');
    expect(listed.some((name) => /^(dev|proc|etc|bin|tmp)/.test(name))).toBe(false);
  });

  it('is the same bytes for the same run, and empty for a run that changed nothing', () => {
    const [one, two] = [1, 1000].map((slice) => changesOf(runGuest(program, { image: catalogOf(base), slice: 100_000 * slice }).guest));
    expect(Buffer.compare(one!, two!)).toBe(0);
    const nothing = changesOf(runGuest(program, { image: catalogOf(base), argv: ['changes', 'look'] }).guest);
    expect(nothing).toEqual(Buffer.alloc(1024));
  });

  it('is an archive that GNU tar unpacks', () => {
    const file = join(directory, 'changes.tar');
    fs.writeFileSync(file, changesOf(runGuest(program, { image: catalogOf(base) }).guest));
    const target = join(directory, 'unpacked');
    fs.mkdirSync(target);
    execFileSync('tar', ['-C', target, '-xpf', file]);
    expect(fs.readFileSync(join(target, 'work/text'), 'utf8')).toBe('this is text\nmore\n');
    expect(fs.existsSync(join(target, 'work/.wh.gone'))).toBe(true);
    expect(fs.statSync(join(target, 'work/text')).ino).toBe(fs.statSync(join(target, 'work/deep/second')).ino);
  });
});

describe('writing layers', () => {
  it('random trees come back through our writer, our reader and GNU tar as they were', () => {
    for (let seed = 1; seed <= 6; seed++) {
      const root = join(directory, `random-${seed}`);
      fs.mkdirSync(root);
      makeRandomTree(root, seed, { nameBytes: seed % 2 === 0 ? 200 : 10, entries: 60 });
      const written = archiveOf(layerOf(tar(root, ['--format=pax'])));
      expect(describeLayer(layerOf(written)), `seed ${seed}`).toEqual(describeHost(root));
      expect(Buffer.compare(archiveOf(layerOf(written)), written)).toBe(0);
      const target = join(directory, `back-${seed}`);
      fs.mkdirSync(target);
      execFileSync('tar', ['-C', target, '-xpf', '-'], { input: written });
      expect(describeHost(target), `seed ${seed}`).toEqual(describeHost(root));
    }
  });

  it('a name that would be read as a whiteout is refused', () => {
    const layer = emptyDirectory();
    layer.entries.set('.wh.x', { kind: 'symlink', mode: 0o120777, uid: 0, gid: 0, mtime: 0n, target: 'x' });
    expect(codeOf(() => archiveOf(layer))).toBe('E_IMAGE_UNSUPPORTED');
  });

  it('paths that no archive could be read with are refused', () => {
    const layer = emptyDirectory();
    let at = layer;
    for (let depth = 0; depth < 40; depth++) {
      const next = { ...emptyDirectory(), isImplied: false };
      at.entries.set('n'.repeat(200), next);
      at = next;
    }
    expect(codeOf(() => archiveOf(layer))).toBe('E_IMAGE_LIMIT');
  });
});
