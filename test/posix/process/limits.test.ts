/** A fork bomb, a memory hog, a descriptor leak, a file that grows for ever: the guest's own errors, the same in every run, engine and over restores, and no trouble for the host. */
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { interpretingInWasm, translating } from '../../../src/engine/index.ts';
import { enableWasmFeatures } from '../../../src/engine/live/v8-flags.ts';
import { riscv64, type Isa } from '../../../src/isa/index.ts';
import { buildProgram, listPrograms } from '../../guests/build.ts';
import { runRestored } from '../../programs/session-modes.ts';
import { runGuest, type GuestResult } from './run-guest.ts';

// Two hundred memories in a store take their time.
const isSlow = process.env['STILLPOINT_SLOW'] === '1';
const MEGABYTE = 1024 * 1024;
enableWasmFeatures();

async function run(name: string, options: { readonly args?: readonly string[]; readonly memoryBytes: number; readonly slice?: number; readonly isa?: Isa }): Promise<GuestResult> {
  const program = listPrograms('limits').find((candidate) => candidate.name === name)!;
  return runGuest(readFileSync(await buildProgram(program, 'O2')), { ...options, argv: [name, ...(options.args ?? [])], workingDirectory: '/home/guest' });
}

test('a fork bomb ends at the limit of processes with EAGAIN, in every engine', async () => {
  const result = await run('processes', { memoryBytes: 256 * MEGABYTE, args: ['100000', '1'] });
  expect(result.stdout).toBe('made 255 EAGAIN\ngone 255\n');
  expect(result.outcome).toBe('exit 0');
  for (const isa of isSlow ? [interpretingInWasm(riscv64), translating(riscv64)] : [translating(riscv64)]) {
    const { stdout, outcome, retired } = await run('processes', { memoryBytes: 256 * MEGABYTE, args: ['100000', '1'], isa });
    expect({ stdout, outcome, retired }).toEqual({ stdout: result.stdout, outcome: result.outcome, retired: result.retired });
  }
});

// Restored in the middle of the greed, at its end, and behind it; translating.
const GREED = [['resources', [], 64, [15n, 40n, 60n, 75n, 90n, 99n]], ['processes', ['100000', '1'], 256, [50n, 97n]]] as const;
test.each(isSlow ? GREED : GREED.slice(0, 1))('%s: the same errors at the same places over checkpoints and restores', async (name, args, megabytes, percents) => {
  const memoryBytes = megabytes * MEGABYTE;
  const plain = await run(name, { memoryBytes, args });
  const program = listPrograms('limits').find((candidate) => candidate.name === name)!;
  const bytes = readFileSync(await buildProgram(program, 'O2'));
  const options = { argv: [name, ...args], workingDirectory: '/home/guest', memoryBytes, isa: translating(riscv64) };
  const restored = await runRestored(bytes, options, percents.map((percent) => (plain.retired * percent) / 100n));
  expect({ stdout: restored.stdout, outcome: restored.outcome, retired: restored.retired }).toEqual({ stdout: plain.stdout, outcome: plain.outcome, retired: plain.retired });
});

test('two hundred processes cost the host little, and their memories come back', async () => {
  const before = process.memoryUsage().rss;
  await run('processes', { memoryBytes: 256 * MEGABYTE, args: ['200', '2'] });
  expect(process.memoryUsage().rss - before).toBeLessThan(600 * MEGABYTE);
});

test('memory, descriptors and files end in ENOMEM, EMFILE and ENOSPC, twice at the same place', async () => {
  const result = await run('resources', { memoryBytes: 64 * MEGABYTE });
  expect(result.stdout.split('\n')).toEqual([
    'memory 62 ENOMEM', 'fork without memory ENOMEM', 'memory 62 ENOMEM', 'fork without memory ENOMEM', 'descriptors 1021 EMFILE', 'descriptors 1021 EMFILE',
    'file 255 partly', 'full ENOSPC', 'file 255 partly', 'full ENOSPC', 'stack 1', '',
  ]);
  const again = await run('resources', { memoryBytes: 64 * MEGABYTE, slice: 50_000 });
  expect({ stdout: again.stdout, retired: again.retired }).toEqual({ stdout: result.stdout, retired: result.retired });
  for (const isa of [interpretingInWasm(riscv64), translating(riscv64)]) {
    const { stdout, retired } = await run('resources', { memoryBytes: 64 * MEGABYTE, isa });
    expect({ stdout, retired }).toEqual({ stdout: result.stdout, retired: result.retired });
  }
});
