/** A guest's own busybox looks at an image: its tar, find and sha256sum must say what GNU tar and the host say of the same archive. */
import { execFileSync } from 'node:child_process';
import * as fs from 'node:fs';
import { join, resolve } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { runGuest } from '../posix/process/run-guest.ts';
import { layerFromDirectory } from '../../src/image/live/layer-from-directory.ts';
import { catalogOf, describeHost, describeLayer, layerOf, makeRandomTree, temporaryDirectory } from './support.ts';
import type { LayerDirectory } from '../../src/image/index.ts';

const BUSYBOX = new Uint8Array(fs.readFileSync(resolve(import.meta.dirname, '../../build/guests/real/busybox')));
const SEEDS = process.env['STILLPOINT_SLOW'] === undefined ? [11, 12, 13] : Array.from({ length: 60 }, (_, index) => index + 1);
const directory = temporaryDirectory();
afterAll(() => { fs.rmSync(directory, { recursive: true, force: true }); });

function guest(image: LayerDirectory, argv: readonly string[]): Uint8Array {
  const seen = runGuest(BUSYBOX, { image: catalogOf(image), argv: ['busybox', ...argv] });
  expect([seen.outcome, seen.stderr]).toEqual(['exit 0', '']);
  return seen.stdoutBytes;
}

const lines = (bytes: Uint8Array): string[] => Buffer.from(bytes).toString('latin1').split('\n').filter((line) => line !== '').sort();

it.each(SEEDS)('the guest unpacks, lists and sums what the host does (seed %i)', (seed) => {
  const root = join(directory, `tree-${seed}`);
  fs.mkdirSync(join(root, 't'), { recursive: true });
  makeRandomTree(join(root, 't'), seed, { nameBytes: seed % 2 === 0 ? 60 : 12, entries: 50 });
  fs.chmodSync(join(root, 't'), 0o755);
  execFileSync('chmod', ['-R', 'u+rX', join(root, 't')]);
  const image = layerFromDirectory(root); // Owned by the guest's user, who may read all of it.
  const packed = describeLayer(layerOf(guest(image, ['tar', '-cf', '-', '-C', '/t', '.'])), 1_000_000_000n);
  const owners = ` ${process.getuid!()} ${process.getgid!()} `;
  expect(packed).toEqual(describeHost(join(root, 't'), 1_000_000_000n).map((line) => line.replace(owners, ' 1000 1000 ')));
  const listed = execFileSync('tar', ['-C', root, '-cf', '-', 't'], { maxBuffer: 1 << 26 });
  const names = lines(execFileSync('tar', ['-tf', '-', '--quoting-style=literal'], { input: listed })).map((name) => name.replace(/\/$/, ''));
  expect(lines(guest(image, ['find', 't']))).toEqual(names.sort());
  const files = describeHost(root).filter((line) => / 10\d{4} \d+ \d+ -?\d+ \d+ [0-9a-f]{16}$/.test(line)).map((line) => line.replace(/ \d+ \d+ \d+ -?\d+ \d+ [0-9a-f]{16}$/, '')).slice(0, 20);
  expect(files.length).toBeGreaterThan(5);
  const sums = execFileSync('sha256sum', files.map((name) => Buffer.from(name, 'latin1').toString('utf8')), { cwd: root });
  expect(lines(guest(image, ['sha256sum', ...files]))).toEqual(lines(sums));
});
