/**
 * Random operations on the files of an image: the guest must answer and end as Linux does on a copy of the same files; restored on the way it must
 * end in the same state; and what it changed, laid over the image as a layer, must be the same files again.
 */
import { execFileSync } from 'node:child_process';
import * as fs from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { emptyDirectory, layOver, writeLayer, type ImageTree, type LayerDirectory } from '../../src/image/index.ts';
import { layerFromDirectory } from '../../src/image/live/layer-from-directory.ts';
import { layerOfChanges, type Guest } from '../../src/posix/index.ts';
import { bootGuest, runGuest } from '../posix/process/run-guest.ts';
import { runRestored } from '../programs/session-modes.ts';
import { catalogOf, layerOf, memoryDirectory, temporaryDirectory } from './support.ts';

const SEEDS = process.env['STILLPOINT_SLOW'] === undefined ? [1, 2, 3] : Array.from({ length: 300 }, (_, index) => index + 1);
const OPERATIONS = 300;
const directory = temporaryDirectory();
const work = join(directory, 'root/work');
let base: LayerDirectory;
let image: ImageTree;
let program: Uint8Array;

beforeAll(() => {
  for (const name of ['a/x', 'a/y', 'b/x']) fs.mkdirSync(join(work, name), { recursive: true });
  for (const [index, name] of ['one', 'a/one', 'a/two', 'a/x/one', 'a/x/three', 'b/one', 'b/x/two'].entries()) fs.writeFileSync(join(work, name), Buffer.alloc(100 + index * 3000, name));
  for (const name of ['big', 'a/big', 'b/x/big']) fs.writeFileSync(join(work, name), Buffer.from(Array.from({ length: 150_000 }, (_, index) => (index * 13 + (index >> 9)) & 0xff)));
  fs.linkSync(join(work, 'a/big'), join(work, 'b/link'));
  fs.symlinkSync('one', join(work, 'a/link'));
  base = layerFromDirectory(join(directory, 'root'));
  image = catalogOf(base);
  const source = join(import.meta.dirname, 'operations.c');
  execFileSync('riscv64-linux-gnu-gcc', ['-static', '-O1', '-w', source, '-o', join(directory, 'guest')]);
  execFileSync('gcc', ['-O1', '-w', source, '-o', join(directory, 'native')]);
  program = new Uint8Array(fs.readFileSync(join(directory, 'guest')));
});
afterAll(() => { fs.rmSync(directory, { recursive: true, force: true }); });

function native(seed: number): string {
  const copy = memoryDirectory();
  try {
    execFileSync('cp', ['-a', work, join(copy, 'work')]);
    return execFileSync(join(directory, 'native'), [String(seed), String(OPERATIONS)], { encoding: 'utf8', env: { WORK: join(copy, 'work') } });
  } finally {
    fs.rmSync(copy, { recursive: true, force: true });
  }
}

const treeOf = (output: string): string[] => output.split('\n').filter((line) => line.startsWith('./'));

function changesOf(after: Guest): LayerDirectory {
  const changes = layerOfChanges(bootGuest(program, { image }).kernel.files, after.kernel.files);
  return layerOf(Buffer.concat([...writeLayer(changes, ({ bytes }, offset, length) => {
    if (bytes.kind === 'chunks') throw new Error('not from the guest');
    return bytes.read(offset, length);
  })]));
}

it.each(SEEDS)('seed %i: as Linux, in every mode, and again from its layer', async (seed) => {
  const argv = ['operations', String(seed), String(OPERATIONS)];
  const whole = runGuest(program, { image, argv });
  expect(whole.outcome).toBe('exit 0');
  expect(whole.stdout.split('\n')).toEqual(native(seed).split('\n'));
  const sections = (guest: Guest): Uint8Array => guest.state().sections.get('files')!;
  const restored = await runRestored(program, { image, argv });
  expect(restored.stdout).toBe(whole.stdout);
  expect(Buffer.compare(sections(restored.guest), sections(whole.guest))).toBe(0);
  const result = emptyDirectory();
  layOver(result, base);
  layOver(result, changesOf(whole.guest));
  expect(treeOf(runGuest(program, { image: catalogOf(result), argv: ['operations', '1', '0'] }).stdout)).toEqual(treeOf(whole.stdout));
});
