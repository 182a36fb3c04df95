/**
 * One recorded job that is killed with SIGKILL at random moments and resumed until it ends; what it leaves must equal an undisturbed run.
 * Uses the built command, real files, real pipes, real processes. What this does NOT do: build anything.
 */
import { execFileSync, spawn } from 'node:child_process';
import { closeSync, existsSync, mkdirSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';

export const ROOT = resolve(import.meta.dirname, '../..');
const CLI = join(ROOT, 'dist/bin/stillpoint.js');

export type Sink = 'file' | 'redirected' | 'pipe' | 'random';

export interface Victim {
  readonly directory: string;
  readonly program: string;
  readonly input: string;
  readonly sink: Sink;
  /** Checkpoint interval, e.g. `20M` or `50ms`. */
  readonly every: string;
}

export interface Outcome { readonly output: string; readonly random: string; readonly root: string; readonly instructions: string; readonly kills: number }

/** Random numbers from a seed: a failed test prints the seed. */
export function randomFrom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

/** Runs the job to its end, killing it at most `killsMax` times. `random` undefined: never. */
export async function execute(victim: Victim, options: { readonly killsMax: number; readonly random: () => number; readonly delayMaxMs: number }): Promise<Outcome> {
  const { directory } = victim;
  rmSync(directory, { recursive: true, force: true });
  mkdirSync(directory, { recursive: true });
  writeFileSync(join(directory, 'rw'), Buffer.alloc(50_000, 7));
  const held: Buffer[] = [];
  let kills = 0;
  for (let start = 0; ; start++) {
    const isFirst = !existsSync(join(directory, 'store')) || !isKnown(directory);
    const held0 = Buffer.concat(held).length;
    const commandArguments = isFirst ? runArguments(victim) : ['resume', 'job', '--store', join(directory, 'store'), '--checkpoint-every', victim.every, '--no-progress', ...(victim.sink === 'pipe' ? ['--have', `stdout=${held0}`] : [])];
    const wish = kills < options.killsMax ? Math.round(options.random() ** 2 * options.delayMaxMs) : undefined;
    const { status, output, errors } = await start1(victim, commandArguments, { isFirst, killAfterMs: wish });
    held.push(output);
    if (status === 'killed') { kills++; continue; }
    if (errors.includes('E_RUN_FINISHED')) break; // Killed between its last commit and its exit.
    if (status !== 0) throw new Error(`start ${start} (${commandArguments.join(' ')}) ended with ${status}: ${errors}`);
    break;
  }
  return { ...resultOf(victim, Buffer.concat(held)), kills };
}

function isKnown(directory: string): boolean {
  try {
    return execFileSync(process.execPath, [CLI, 'ls', '-q', '--store', join(directory, 'store')], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] }).includes('job');
  } catch {
    return false; // Killed before the store was whole: start again.
  }
}

function runArguments({ directory, program, input, sink, every }: Victim): string[] {
  const common = ['run', '--store', join(directory, 'store'), '--name', 'job', '--checkpoint-every', every, '--no-progress', '--in', `words=${input}`];
  if (sink === 'file') return [...common, '--out', `result=${join(directory, 'out')}`, program, '/dev/in/words', '/dev/out/result'];
  if (sink === 'random') return [...common, '--rw', `data=${join(directory, 'rw')}`, '--out', `result=${join(directory, 'out')}`, program, '/dev/in/words', '/dev/out/result', '/dev/rw/data'];
  return [...common, program, '/dev/in/words', '-'];
}

async function start1(victim: Victim, commandArguments: readonly string[], how: { readonly isFirst: boolean; readonly killAfterMs: number | undefined }): Promise<{ readonly status: number | 'killed'; readonly output: Buffer; readonly errors: string }> {
  const file = victim.sink === 'redirected' ? openSync(join(victim.directory, 'out'), how.isFirst ? 'w' : 'a') : undefined;
  const child = spawn(process.execPath, [CLI, ...commandArguments], { stdio: ['ignore', file ?? 'pipe', 'pipe'] });
  if (file !== undefined) closeSync(file);
  const output: Buffer[] = [];
  const errors: Buffer[] = [];
  child.stdout?.on('data', (bytes: Buffer) => output.push(bytes));
  child.stderr!.on('data', (bytes: Buffer) => errors.push(bytes));
  const timer = how.killAfterMs === undefined ? undefined : setTimeout(() => child.kill('SIGKILL'), how.killAfterMs);
  const [status, signal] = await new Promise<[number | null, string | null]>((done) => { child.on('close', (code, killedBy) => done([code, killedBy])); });
  clearTimeout(timer);
  return { status: signal === 'SIGKILL' ? 'killed' : status ?? -1, output: Buffer.concat(output), errors: Buffer.concat(errors).toString() };
}

function resultOf({ directory, sink }: Victim, held: Buffer): Omit<Outcome, 'kills'> {
  const facts = JSON.parse(execFileSync(process.execPath, [CLI, 'show', 'job', '--json', '--store', join(directory, 'store')], { encoding: 'utf8' })) as { root: string; instructions: string };
  const output = sink === 'pipe' ? held.toString() : readFileSync(join(directory, 'out'), 'utf8');
  return { output, random: sink === 'random' ? readFileSync(join(directory, 'rw')).toString('hex') : '', root: facts.root, instructions: facts.instructions };
}

/** Verifies the run that `execute` left. */
export function replay({ directory }: Victim): string {
  return execFileSync(process.execPath, [CLI, 'replay', 'job', '--no-progress', '--store', join(directory, 'store')], { encoding: 'utf8' });
}
