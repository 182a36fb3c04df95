/** A guest over an image: it sees what the host sees, changes what it likes, in every mode with one result; checkpoints stay small. */
import { execFileSync } from 'node:child_process';
import * as fs from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { decodeCanonical, type Canonical } from '../../src/core/index.ts';
import { translating } from '../../src/engine/index.ts';
import { riscv64 } from '../../src/isa/index.ts';
import type { ImageTree } from '../../src/image/index.ts';
import { layerFromDirectory } from '../../src/image/live/layer-from-directory.ts';
import { SnapshotWriter } from '../../src/snapshot/index.ts';
import { MemoryStore } from '../../src/store/index.ts';
import { digests, runGuest, type RunOptions } from '../posix/process/run-guest.ts';
import { runReplayed, runRestored } from '../programs/session-modes.ts';
import { catalogOf, memoryDirectory, temporaryDirectory } from './support.ts';

const directory = temporaryDirectory();
const work = join(directory, 'root/work');
let image: ImageTree;
let program: Uint8Array;

beforeAll(() => {
  fs.mkdirSync(join(work, 'dir/sub'), { recursive: true });
  fs.mkdirSync(join(work, 'deep'));
  fs.mkdirSync(join(work, 'empty'));
  for (const name of ['text', 'gone', 'hard1', 'moved', 'mode', 'emptied', 'open-but-gone', 'times', 'dir/a', 'dir/sub/b']) fs.writeFileSync(join(work, name), `this is ${name}\n`);
  fs.writeFileSync(join(work, 'big'), Buffer.from(Array.from({ length: 700_000 }, (_, index) => (index * 7 + (index >> 8)) & 0xff)));
  fs.linkSync(join(work, 'hard1'), join(work, 'hard2'));
  fs.symlinkSync('text', join(work, 'old-link'));
  for (const name of fs.readdirSync(work)) if (name !== 'old-link') fs.utimesSync(join(work, name), 1_700_000_000, 1_700_000_000);
  image = catalogOf(layerFromDirectory(join(directory, 'root')));
  const binary = join(directory, 'changes');
  execFileSync('riscv64-linux-gnu-gcc', ['-static', '-O1', '-w', join(import.meta.dirname, 'changes.c'), '-o', binary]);
  program = new Uint8Array(fs.readFileSync(binary));
});
afterAll(() => { fs.rmSync(directory, { recursive: true, force: true }); });

const sorted = (text: string): string[] => text.split('\n').filter((line) => line !== '').sort();

describe('a guest over an image', () => {
  it('sees the files that the host sees, and changes nothing on the host', () => {
    const native = join(directory, 'native');
    execFileSync('gcc', ['-O1', '-w', join(import.meta.dirname, 'changes.c'), '-o', native]);
    const look = (): string => execFileSync(native, ['look'], { encoding: 'utf8', env: { WORK: work } });
    const before = look();
    const mine = runGuest(program, { image, argv: ['changes', 'look'] });
    // st_blocks differs with the host's file system.
    const facts = (text: string): string[] => sorted(text).map((line) => line.replace(/ \d+$/, ''));
    expect(facts(mine.stdout)).toEqual(facts(before));
    runGuest(program, { image });
    expect(facts(look())).toEqual(facts(before));
  });

  it('changes files as Linux does', () => {
    const copy = memoryDirectory();
    execFileSync('cp', ['-a', work, join(copy, 'work')]);
    const theirs = execFileSync(join(directory, 'native'), [], { encoding: 'utf8', env: { WORK: join(copy, 'work') } });
    fs.rmSync(copy, { recursive: true, force: true });
    const mine = runGuest(program, { image });
    expect(mine.outcome).toBe('exit 0');
    // Times of what was changed are the guest's clock, blocks and sparse places depend on the file system.
    const facts = (text: string): string[] => sorted(text).map((line) => line.replace(/ \d+\.\d{9} (\d+) \d+$/, ' $1').replace(/data \d+ hole \d+ /, ''));
    expect(facts(mine.stdout)).toEqual(facts(theirs));
  });

  it('gives one result in every mode', async () => {
    const options: RunOptions = { image };
    const whole = runGuest(program, options);
    const rootOf = (result: { readonly guest: typeof whole.guest }): string => new SnapshotWriter(new MemoryStore(), digests).capture(result.guest.state()).root;
    const root = rootOf(whole);
    const sliced = runGuest(program, { ...options, slice: 777 });
    const translated = runGuest(program, { ...options, isa: translating(riscv64, { hotLimit: 4 }) });
    const restored = await runRestored(program, options);
    for (const other of [sliced, translated]) expect([other.stdout, other.retired, rootOf(other)]).toEqual([whole.stdout, whole.retired, root]);
    expect([restored.stdout, restored.retired, restored.root]).toEqual([whole.stdout, whole.retired, root]);
    const replayed = await runReplayed(program, options);
    expect([replayed.stdout, replayed.root]).toEqual([whole.stdout, root]);
  });

  it('has a state that does not tell what was only looked at', () => {
    const filesOf = (options: Partial<RunOptions>): Uint8Array => runGuest(program, { image, argv: ['changes', 'look'], ...options }).guest.state().sections.get('files')!;
    const nothingRead = filesOf({ instructionsMax: 1 });
    /** Without the table of open files, the fifth. */
    const tree = (bytes: Uint8Array): readonly Canonical[] => (decodeCanonical(bytes) as readonly Canonical[]).filter((_, index) => index !== 2 && index !== 4);
    expect(tree(filesOf({}))).toEqual(tree(nothingRead));
    expect(nothingRead.length).toBeLessThan(8000);
    const pages = runGuest(program, { image, argv: ['changes', 'look'] }).guest.state().objects.map(({ name }) => name).filter((name) => name.startsWith('file/'));
    expect(pages.filter((name) => Number(name.slice('file/'.length)) <= image.count)).toEqual([]);
  });
});
