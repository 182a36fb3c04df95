/**
 * Measuring whole processes: both sides in one run, in turn, medians. What this does NOT do: judge.
 */
import { spawnSync } from 'node:child_process';
import { performance } from 'node:perf_hooks';

export interface Job { readonly command: readonly string[]; readonly input?: Uint8Array; readonly environment?: Readonly<Record<string, string>> }
export interface Measured { readonly seconds: number; readonly all: readonly number[]; readonly output: Buffer; readonly status: number | null }

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

/** Runs the jobs in turn, `repeats` times; `before` prepares each run (its time is not counted). */
export function measureInTurn<Name extends string>(jobs: Readonly<Record<Name, Job>>, options: { readonly repeats: number; readonly before?: (name: Name, round: number) => Job | undefined }): Readonly<Record<Name, Measured>> {
  const names = Object.keys(jobs) as Name[];
  const times = new Map<Name, number[]>(names.map((name) => [name, []]));
  const last = new Map<Name, { readonly output: Buffer; readonly status: number | null }>();
  for (let round = 0; round < options.repeats; round++) {
    for (const name of names) {
      const job = options.before?.(name, round) ?? jobs[name];
      const started = performance.now();
      const result = spawnSync(job.command[0]!, job.command.slice(1), { input: job.input ?? new Uint8Array(0), env: { ...process.env, ...job.environment }, maxBuffer: 1 << 30, stdio: ['pipe', 'pipe', 'pipe'] });
      times.get(name)!.push((performance.now() - started) / 1000);
      if (result.error !== undefined) throw result.error;
      last.set(name, { output: result.stdout, status: result.status });
      if (result.status !== 0 && round === 0) process.stderr.write(`bench: ${name} ended with ${result.status}: ${result.stderr.toString().slice(0, 200)}\n`);
    }
  }
  const measured: Partial<Record<Name, Measured>> = {};
  for (const name of names) measured[name] = { seconds: median(times.get(name)!), all: times.get(name)!, ...last.get(name)! };
  return measured as Record<Name, Measured>; // Every name has its entry.
}
