// Every job of the wide table as a user runs it, by the built command: recorded, killed by SIGKILL in the middle, resumed, replayed. Output, exit status, instruction
// count and root are those of the same job undisturbed, and the replay is identical.
// STILLPOINT_SLOW=1: all jobs, on build/debian-wide; else the first of the cheap ones. Does NOT kill at every place (test/torture does, with one program).
import { spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Bench, CLI } from '../cli/command.ts';
import type { WideJob } from './wide-jobs.ts';
import { CLOCK_START, isSlow, jobs, machineEnvironment, tell, wideRoot, writeJobFiles } from './wide.ts';

const bench = new Bench();
const environment = { ...process.env, STILLPOINT_STORE: bench.store, STILLPOINT_TRANSLATIONS: join(bench.directory, 'translations') };
const TRIES_MAX = 8;

beforeAll(() => {
  const made = bench.stillpoint(['image', 'import', 'wide', wideRoot]);
  if (made.status !== 0) throw new Error(made.stderr);
});
afterAll(() => rmSync(bench.directory, { recursive: true, force: true }));

interface Ended { readonly status: number | null; readonly isKilled: boolean; readonly stderr: string; readonly seconds: number }

/** The command with its standard output in a file; `killAfterMs`: SIGKILL then. */
async function command(words: readonly string[], files: { readonly stdin: string; readonly stdout: string; readonly flags: 'w' | 'a' }, killAfterMs?: number): Promise<Ended> {
  const [input, output] = [openSync(files.stdin, 'r'), openSync(files.stdout, files.flags)];
  const began = performance.now();
  const child = spawn(process.execPath, [CLI, ...words], { stdio: [input, output, 'pipe'], env: environment, cwd: tmpdir() });
  closeSync(input);
  closeSync(output);
  let stderr = '';
  child.stderr!.on('data', (bytes: Buffer) => { stderr += bytes.toString('latin1'); });
  const timer = killAfterMs === undefined ? undefined : setTimeout(() => child.kill('SIGKILL'), killAfterMs);
  const [status, signal] = await new Promise<[number | null, string | null]>((done) => { child.on('close', (code, killedBy) => done([code, killedBy])); });
  clearTimeout(timer);
  return { status, isKilled: signal === 'SIGKILL', stderr, seconds: (performance.now() - began) / 1000 };
}

/** What is compared. */
function factsOf(name: string, output: string): { readonly root: string; readonly instructions: string; readonly output: string } {
  const { root, instructions } = JSON.parse(bench.stillpoint(['show', name, '--json']).stdout) as { root: string; instructions: string }; // Our own command's words.
  return { root, instructions, output: readFileSync(output, 'latin1') };
}

function runWords(job: WideJob, options: { readonly name: string; readonly directory: string; readonly every: string }): string[] {
  const words = ['run', '--name', options.name, '--checkpoint-every', options.every, '--no-progress', '--image', 'wide', '--cwd', '/home/guest', ...machineEnvironment.flatMap((text) => ['--env', text])];
  if (job.files !== undefined) words.push('--image', `${options.directory}:/home/guest`);
  if (job.needsClock === true) words.push('--clock', `virtual:${CLOCK_START}`);
  return [...words, '--', job.path, ...job.args];
}

/**
 * Begins the run anew and kills it in the middle of the time that the undisturbed one took, which had no translations yet; tried again, earlier, when it ended before, later, when it had not begun.
 * Returns how often it was tried.
 */
async function killInTheMiddle(job: WideJob, directory: string, undisturbed: { readonly seconds: number; readonly instructions: number }): Promise<number> {
  let [early, late] = [0, 1];
  for (let tries = 1; tries <= TRIES_MAX; tries++) {
    const words = runWords(job, { name: `${tries}-killed`, directory, every: String(Math.max(20_000, Math.floor(undisturbed.instructions / 8))) });
    const part = (early + late) / 2;
    const ended = await command(words, { stdin: join(directory, '../stdin'), stdout: join(directory, `../killed-${tries}`), flags: 'w' }, undisturbed.seconds * part * 1000);
    const isThere = bench.stillpoint(['ls', '-q']).stdout.includes(`${tries}-killed`);
    if (ended.isKilled && isThere) return tries;
    if (ended.isKilled) early = part;
    else late = part;
  }
  throw new Error(`${job.name} could not be killed in its middle`);
}

describe('killed, resumed, replayed', () => {
  it.each((isSlow ? jobs : jobs.slice(0, 1)).map((job, index) => [job.name, job, index] as const))('%s', async (name, job, index) => {
    const directory = writeJobFiles(job, join(bench.makeDirectory(String(index)), 'files'));
    const beside = (file: string): string => join(directory, '..', file);
    writeFileSync(beside('stdin'), job.stdin ?? '', 'latin1');
    const plain = await command(runWords(job, { name: `${index}-plain`, directory, every: '500M' }), { stdin: beside('stdin'), stdout: beside('plain'), flags: 'w' });
    const expected = factsOf(`${index}-plain`, beside('plain'));
    const tries = await killInTheMiddle(job, directory, { seconds: plain.seconds, instructions: Number(expected.instructions) });
    const killed = `${tries}-killed`;
    const resumed = await command(['resume', killed, '--no-progress'], { stdin: beside('stdin'), stdout: beside(`killed-${tries}`), flags: 'a' });
    expect(resumed.status, resumed.stderr).toBe(plain.status);
    expect(factsOf(killed, beside(`killed-${tries}`))).toEqual(expected);
    const replayed = bench.stillpoint(['replay', killed, '--no-progress'], '', {}, 600_000);
    expect(replayed.stdout + replayed.stderr).toContain('identical');
    tell(`${name}: ${expected.instructions} instructions, killed, resumed, replayed; undisturbed ${plain.seconds.toFixed(1)} s`);
    for (const run of bench.stillpoint(['ls', '-q']).stdout.trim().split('\n')) bench.stillpoint(['rm', run]);
  }, 900_000);
});
