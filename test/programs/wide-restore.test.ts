// Every job of the wide table with a checkpoint and a restore forced at every Nth system call of all its processes: nothing but the store survives between
// two pieces, and output, exit status, instruction count and final root are those of an undisturbed machine. N is 1 for programs of few calls, more for others
// (STILLPOINT_RESTORES=COUNT says how many restores a program may take); a piece ends in turn before a call and behind one.
// STILLPOINT_SLOW=1: all jobs, on build/debian-wide.
import { describe, expect, it } from 'vitest';
import { translating } from '../../src/engine/index.ts';
import { riscv64, type Isa } from '../../src/isa/index.ts';
import type { Guest } from '../../src/posix/index.ts';
import { SnapshotWriter } from '../../src/snapshot/index.ts';
import { MemoryStore } from '../../src/store/index.ts';
import { digests, runGuest } from '../posix/process/run-guest.ts';
import { runRestored } from './session-modes.ts';
import { isSlow, jobs, machineOf, tell } from './wide.ts';

const RESTORES = Number(process.env['STILLPOINT_RESTORES'] ?? (isSlow ? 40 : 8));

/** An ISA that notes the instructions retired so far at each call issued; a call that waits is issued again and noted once. */
function noting(counts: bigint[], guest: () => Guest): Isa {
  const isa = translating(riscv64, { hotLimit: 2000 });
  const syscallNumber: Isa['abi']['syscallNumber'] = (state) => {
    const { retired } = guest();
    if (counts.at(-1) !== retired) counts.push(retired);
    return isa.abi.syscallNumber(state);
  };
  return { ...isa, abi: { ...isa.abi, syscallNumber } };
}

describe('checkpoint and restore at every Nth system call', () => {
  it.each(jobs.map((job) => [job.name, job] as const))('%s', async (name, job) => {
    const counts: bigint[] = [];
    let guest: Guest | undefined;
    const first = machineOf(job, noting(counts, () => guest!));
    const plain = runGuest(first.program, { ...first.options, onBoot: (booted) => { guest = booted; } });
    const root = new SnapshotWriter(new MemoryStore(), digests).capture(plain.guest.state()).root;
    const every = Math.ceil(counts.length / RESTORES);
    const places = counts.filter((_count, index) => index % every === every - 1).map((count, index) => count + BigInt(index % 2));
    const { program, options } = machineOf(job);
    const began = performance.now();
    const seen = await runRestored(program, options, places);
    tell(`${name}: ${counts.length} calls, restored ${places.length} times, every ${every}, ${((performance.now() - began) / 1000).toFixed(1)} s`);
    expect(places.length).toBeGreaterThan(4);
    expect(seen.stdout, seen.stderr).toBe(plain.stdout);
    expect({ stderr: seen.stderr, outcome: seen.outcome, retired: seen.retired, root: seen.root }).toEqual({ stderr: plain.stderr, outcome: plain.outcome, retired: plain.retired, root });
  }, 900_000);
});
