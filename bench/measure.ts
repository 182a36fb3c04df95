/**
 * Measuring whole processes: all sides in one run, in turn, medians of wall-clock and processor time, and the peak resident size, taken by the small
 * program meter.c around each process. What this does NOT do: judge.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';

const PROCESS_MS_MAX = 900_000; // A process that takes longer hangs.

export interface Job { readonly command: readonly string[]; readonly input?: Uint8Array; readonly environment?: Readonly<Record<string, string>> }
/** `seconds` is wall-clock time, `processorSeconds` user and system time of the process and its threads; medians. The peak is the largest seen. */
export interface Measured {
  readonly seconds: number; readonly processorSeconds: number; readonly residentBytes: number;
  readonly all: readonly number[]; readonly output: Buffer; readonly status: number;
}
interface Sample { readonly seconds: number; readonly processorSeconds: number; readonly residentBytes: number; readonly output: Buffer; readonly status: number }

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

/** Compiles the meter into a directory and returns its path. */
export function buildMeter(directory: string): string {
  const meter = join(directory, 'meter');
  execFileSync('gcc', ['-O2', join(import.meta.dirname, 'meter.c'), '-o', meter]);
  return meter;
}

function runOnce(meter: string, name: string, job: Job): Sample {
  const started = performance.now();
  const result = spawnSync(meter, job.command, { input: job.input ?? new Uint8Array(0), env: { ...process.env, ...job.environment }, maxBuffer: 1 << 30, timeout: PROCESS_MS_MAX, stdio: ['pipe', 'pipe', 'pipe', 'pipe'] });
  if (result.error !== undefined) throw new Error(`${name} after ${Math.round(performance.now() - started)} ms: ${result.error.message}`, { cause: result.error });
  const facts = String(result.output[3]).trim().split(' ').map(Number);
  if (facts.length !== 5 || facts.some(Number.isNaN)) throw new Error(`${name}: the meter said ${JSON.stringify(facts)}; ${result.stderr.toString().slice(0, 200)}`);
  const [wall, user, system, resident, status] = facts as [number, number, number, number, number]; // Five numbers, checked above.
  if (status !== 0) process.stderr.write(`bench: ${name} ended with ${status}: ${result.stderr.toString().slice(0, 300)}\n`);
  return { seconds: wall / 1e9, processorSeconds: (user + system) / 1e6, residentBytes: resident * 1024, output: result.stdout, status };
}

/** Runs the jobs in turn, `repeats` times; `before` prepares each run (its time is not counted). A run that fails makes the whole side's status. */
export function measureInTurn<Name extends string>(jobs: Readonly<Partial<Record<Name, Job>>>, options: { readonly meter: string; readonly repeats: number; readonly before?: (name: Name, round: number) => Job | undefined }): Readonly<Record<Name, Measured>> {
  const names = Object.keys(jobs) as Name[];
  const samples = new Map<Name, Sample[]>(names.map((name) => [name, []]));
  for (let round = 0; round < options.repeats; round++) {
    for (const name of names) samples.get(name)!.push(runOnce(options.meter, name, options.before?.(name, round) ?? jobs[name]!));
  }
  const measured: Partial<Record<Name, Measured>> = {};
  for (const [name, all] of samples) {
    measured[name] = {
      seconds: median(all.map(({ seconds }) => seconds)), processorSeconds: median(all.map(({ processorSeconds }) => processorSeconds)),
      residentBytes: Math.max(...all.map(({ residentBytes }) => residentBytes)), all: all.map(({ seconds }) => seconds),
      output: all[all.length - 1]!.output, status: all.find(({ status }) => status !== 0)?.status ?? 0,
    };
  }
  return measured as Record<Name, Measured>; // Every name has its entry.
}
