// `--schedule seed:N`: another interleaving of threads and processes, the same in every run and every mode; without it one order.
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { buildProgram, listPrograms } from '../guests/build.ts';
import { modes, runInMode } from './modes.ts';
import { runGuest } from '../posix/process/run-guest.ts';

const program = listPrograms('schedule').find(({ name }) => name === 'order')!;
const bytes = readFileSync(await buildProgram(program, 'O2'));
const RUNS = process.env['STILLPOINT_SLOW'] === '1' ? 100 : 3;

function trace(schedule: bigint | undefined): string {
  const result = runGuest(bytes, { memoryBytes: 128 * 1024 * 1024, ...(schedule === undefined ? {} : { schedule }) });
  expect(result.outcome).toBe('exit 0');
  return `${result.stdout} ${result.retired}`;
}

describe('schedules', () => {
  it(`one order in ${RUNS} runs, and one under each seed`, () => {
    for (const seed of [undefined, 1n, 2n]) expect(new Set(Array.from({ length: RUNS }, () => trace(seed))).size, `seed ${seed}`).toBe(1);
  });

  it('another order under every seed, and a race shows', () => {
    const seeds = Array.from({ length: 5 }, (_, index) => BigInt(index));
    const traces = [undefined, ...seeds].map(trace);
    expect(new Set(traces).size).toBe(traces.length);
    const inOrder = /racy (\d+)/.exec(traces[0]!)![1];
    expect(inOrder, 'in order of birth the racy counter comes out right').toBe('100');
    expect(traces.slice(1).some((text) => /racy (\d+)/.exec(text)![1] !== '100'), 'some schedule loses an update').toBe(true);
  });

  it('a switch between lr and sc makes the sc fail', async () => {
    const counting = readFileSync(await buildProgram(listPrograms('schedule').find(({ name }) => name === 'reservations')!, 'O2'));
    const counts = [1n, 2n, 3n].map((schedule) => runGuest(counting, { memoryBytes: 128 * 1024 * 1024, schedule }).stdout);
    expect(counts).toEqual(['12000\n', '12000\n', '12000\n']);
  });

  it('a seed gives one root in every mode', async () => {
    let first: unknown;
    for (const mode of modes) {
      const { stdout, retired, root } = await runInMode(mode, { program: bytes, argv: ['order'], schedule: 7n, hotLimit: 200 });
      first ??= { stdout: Buffer.from(stdout).toString(), retired, root };
      expect({ stdout: Buffer.from(stdout).toString(), retired, root }, mode).toEqual(first);
    }
  });
});
