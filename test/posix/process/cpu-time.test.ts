/**
 * CPU time by process and thread: what a Linux host that is not busy says yes to holds here (a busy one counts in ticks and loses some), in one piece and restored
 * many times. STILLPOINT_SLOW=1: the limit of it as well, which takes seconds.
 */
import { expect, test } from 'vitest';
import { translating } from '../../../src/engine/index.ts';
import { riscv64 } from '../../../src/isa/index.ts';
import { SnapshotWriter } from '../../../src/snapshot/index.ts';
import { MemoryStore } from '../../../src/store/index.ts';
import { runRestored } from '../../programs/session-modes.ts';
import { digests, loadProgram, runGuest, type RunOptions } from './run-guest.ts';

const argv = ['program', ...(process.env['STILLPOINT_SLOW'] === '1' ? ['limit'] : [])];

test('every process and thread has a time of its own', async () => {
  const program = loadProgram('cpu-time');
  const options: RunOptions = { argv, clock: { kind: 'virtual', start: 0n }, isa: translating(riscv64, { hotLimit: 100 }) };
  const seen = runGuest(program, options);
  expect(seen.outcome).toBe('exit 0');
  const answers = seen.stdout.trim().split('\n');
  expect(answers.length).toBe(argv.length + 21);
  expect(answers.filter((line) => !line.endsWith(': yes'))).toEqual([]);
  const { root } = new SnapshotWriter(new MemoryStore(), digests).capture(seen.guest.state());
  const places = Array.from({ length: 5 }, (_value, index) => (seen.retired * BigInt(index + 1)) / 6n);
  expect(await runRestored(program, options, places)).toMatchObject({ outcome: 'exit 0', stdout: seen.stdout, retired: seen.retired, root });
});
