// Real programs (build/guests/real) through two modes that have the translator and the WebAssembly interpreter in them (STILLPOINT_SLOW=1: through each alone, and the TypeScript interpreter, which takes as long as the others together), against qemu-riscv64 and, where the job is portable, a twin on the host.
// Does NOT fetch or build them (scripts/install-tools.sh does).
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import { repositoryRoot } from '../posix/process/run-guest.ts';
import { runInMode, type Mode, type ModeResult } from './modes.ts';
import { runOnHost, runUnderQemu, type OracleJob } from './oracle.ts';
import { SharedTranslations } from './shared-translations.ts';

/** Jumps to an address before it is translated: each job is a process of its own, and what runs a few times is not what translating is for. */
const HOT_LIMIT = 100;
const MODES: readonly Mode[] = process.env['STILLPOINT_SLOW'] === '1' ? ['whole', 'wasm', 'restored', 'replayed'] : ['restored', 'recorded'];
/** By program: what one job has translated, the others take. */
const translations = new Map<string, SharedTranslations>();

export interface RealJob {
  readonly args: readonly string[];
  readonly stdin?: Uint8Array;
  readonly files?: Readonly<Record<string, string | Uint8Array>>;
  /** The same job as a host command, when its bytes must be the same there. */
  readonly host?: readonly string[];
  readonly modes?: readonly Mode[];
}

/** Bytes of a text with a fixed seed: words, numbers, punctuation, lines of many lengths. */
export function makeText(sizeBytes: number, seed: number): Uint8Array {
  let state = seed >>> 0;
  const random = (below: number): number => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
  const words = Array.from({ length: 900 }, () => Array.from({ length: 1 + random(9) }, () => String.fromCharCode(97 + random(26))).join(''));
  let text = '';
  while (text.length < sizeBytes) {
    text += Array.from({ length: 1 + random(14) }, () => (random(7) === 0 ? String(random(100_000)) : words[random(words.length)]!)).join(random(5) === 0 ? ', ' : ' ');
    text += '\n';
  }
  return Buffer.from(text.slice(0, sizeBytes - 1) + '\n', 'latin1');
}

export async function checkReal(name: string, job: RealJob): Promise<Uint8Array> {
  const executable = join(repositoryRoot, 'build/guests/real', name);
  const around = { ...(job.stdin === undefined ? {} : { stdin: job.stdin }), ...(job.files === undefined ? {} : { files: job.files }) };
  const oracleJob: OracleJob = { executable, args: job.args, ...around };
  const shared = translations.get(name) ?? new SharedTranslations();
  translations.set(name, shared);
  const modes = job.modes ?? MODES;
  const run = async (): Promise<readonly ModeResult[]> => {
    const results: ModeResult[] = [];
    for (const mode of modes) results.push(await runInMode(mode, { program: readFileSync(executable), argv: [name, ...job.args], memoryBytes: 512 * 1024 * 1024, hotLimit: HOT_LIMIT, translations: shared, ...around }));
    return results;
  };
  const [expected, onHost, results] = await Promise.all([runUnderQemu(oracleJob), job.host === undefined ? undefined : runOnHost({ executable: job.host[0]!, args: job.host.slice(1), ...around }), run()]);
  for (const [index, result] of results.entries()) {
    const mode = modes[index];
    expect(Buffer.compare(result.stdout, expected.stdout), `${mode}: ${job.args.join(' ')}\n${result.stderr}${Buffer.from(result.stdout).toString('latin1', 0, 300)}\nqemu: ${expected.stderr}${Buffer.from(expected.stdout).toString('latin1', 0, 300)}`).toBe(0);
    expect(result.end).toEqual(expected.end);
    expect({ retired: result.retired, root: result.root }, `${mode} against ${modes[0]}`).toEqual({ retired: results[0]!.retired, root: results[0]!.root });
  }
  if (onHost !== undefined) expect(Buffer.compare(onHost.stdout, expected.stdout), `host ${job.host!.join(' ')}`).toBe(0);
  return expected.stdout;
}
