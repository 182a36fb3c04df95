// Every job of the wide table (wide-jobs.ts): the same output and exit status as under qemu-riscv64, with everything that it starts.
// STILLPOINT_SLOW=1: all of them, on build/debian-wide (scripts/fetch-packages.sh --wide).
import { describe, expect, it } from 'vitest';
import { runGuest } from '../posix/process/run-guest.ts';
import { jobs, machineOf, tell, underQemu } from './wide.ts';

describe('the same as under qemu-riscv64', () => {
  it.each(jobs.map((job) => [job.name, job] as const))('%s', (name, job) => {
    const expected = underQemu(job);
    expect(expected.stdout.length, `qemu: ${expected.stderr}`).toBeGreaterThan(0);
    const { program, options } = machineOf(job);
    const began = performance.now();
    const seen = runGuest(program, options);
    tell(`${name}: ${seen.retired / 1_000_000n} M instructions, ${seen.outcome}, ${seen.stdoutBytes.length} bytes, ${((performance.now() - began) / 1000).toFixed(1)} s`);
    expect(seen.stdout, seen.stderr).toBe(expected.stdout);
    expect(seen.outcome, seen.stderr).toBe(`exit ${expected.exit}`);
  }, 600_000);
});
