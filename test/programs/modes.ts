// Every way to run one guest program; all of them must give the same bytes, the same end, the same instruction count and
// the same root. A mode is one function; adding one makes every test of programs run it.
//
//   whole     one run() call to the end
//   sliced    run() calls of varying small budgets, caches dropped between some of them
//   wasm      the WebAssembly interpreter from the first instruction, in slices of a prime size
//   translated hot code as WebAssembly, hot meaning four times, each processor for itself
//   restored  captured at growing counts, restored from the store, continued (session-modes.ts)
//   replayed  recorded by the session's loop, verified from the journal (session-modes.ts)
//   recorded  the same, verified by the WebAssembly interpreter; recorded with code translated as in `translated` where jobs share no translations: three modes in one, for suites that everybody waits for
//
// Restored and replayed translate as well, and as runs do: what one processor has translated, the later ones take (of the job, or of all jobs that share).
// The guest starts in /home/guest with the job's files there, an environment with PATH only, clock zero, seed 1.
// Does NOT use the host's files.
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { constants } from 'node:os';
import { join } from 'node:path';
import type { ImageTree } from '../../src/image/index.ts';
import { interpretingInWasm, translating } from '../../src/engine/index.ts';
import { enableWasmFeatures } from '../../src/engine/live/v8-flags.ts';
import { riscv64 } from '../../src/isa/index.ts';
import { blobHash } from '../../src/core/index.ts';
import type { FileSystem } from '../../src/posix/index.ts';
import { GUEST, type Inode } from '../../src/posix/files/index.ts';
import { SnapshotWriter, type Root } from '../../src/snapshot/index.ts';
import { MemoryStore } from '../../src/store/index.ts';
import type { ProgramEnd } from '../guests/build.ts';
import { digests, runGuest, type GuestResult, type RunOptions } from '../posix/process/run-guest.ts';
import { runReplayed, runRestored } from './session-modes.ts';
import { SharedTranslations } from './shared-translations.ts';

/** What is run: ELF bytes, the whole argv, the input and the files of the working directory by relative path. */
export interface ModeJob {
  readonly program: Uint8Array;
  readonly argv: readonly string[];
  readonly stdin?: Uint8Array;
  readonly files?: Readonly<Record<string, string | Uint8Array>>;
  /** Directories of the host that the guest gets a copy of at the same path, absolute; plain files only. */
  readonly image?: readonly string[];
  readonly memoryBytes?: number;
  /** Where the program is in the guest, default /bin/program. */
  readonly programPath?: string;
  /** What lies below the guest's files; the program is in it, at programPath. */
  readonly root?: ImageTree;
  readonly environment?: readonly string[];
  /** Seed of another schedule. */
  readonly schedule?: bigint;
  /** Jumps to an address before it is translated, if that is more than a mode's own. Jobs of many short processes say more: each translates for itself. */
  readonly hotLimit?: number;
  /** What other jobs of this program have translated, for the modes that share; default: nothing. */
  readonly translations?: SharedTranslations;
}

/** What came of it. */
export interface ModeResult {
  readonly stdout: Uint8Array;
  readonly stderr: string;
  readonly end: ProgramEnd;
  readonly retired: bigint;
  readonly root: Root;
}

export type Mode = 'whole' | 'sliced' | 'wasm' | 'translated' | 'restored' | 'replayed' | 'recorded';
/** The modes that exist but for `recorded`, the plainest first: others are compared with it. */
export const allModes: readonly Mode[] = ['whole', 'sliced', 'wasm', 'translated', 'restored', 'replayed'];
/** Those of a suite; without STILLPOINT_SLOW=1 every engine once: `whole` is the interpreter of `sliced` again, and `recorded` has the others in it. */
export const modes: readonly Mode[] = process.env['STILLPOINT_SLOW'] === '1' ? allModes : ['sliced', 'restored', 'recorded'];

/**
 * Modes of the program at a place in a list of many: `recorded` (both engines in WebAssembly, a journal, a replay) for each, and in turn the interpreter in slices, restores, or none.
 * With STILLPOINT_SLOW=1 all modes.
 */
export function modesInTurn(index: number): readonly Mode[] {
  if (process.env['STILLPOINT_SLOW'] === '1') return allModes;
  return ([['sliced', 'recorded'], ['restored', 'recorded'], ['recorded']] as const)[index % 3]!;
}

enableWasmFeatures();
const memoryBytesDefault = 256 * 1024 * 1024;
/** Translates almost everything, so that short programs exercise the translator too. */
const EAGER = 24;
/** For the modes whose machines are many: what runs a few times in each is not what they are for. */
const LESS_EAGER = 1000;
const inWasm = interpretingInWasm(riscv64, { warmUp: 0 });
/** Where a guest starts. */
export const workingDirectory = '/home/guest';

/** Runs a job in a mode. Throws an Error when the machine stops for any reason but the program's end. */
export async function runInMode(mode: Mode, job: ModeJob): Promise<ModeResult> {
  const sharing = translating(riscv64, { hotLimit: Math.max(job.hotLimit ?? 0, LESS_EAGER), store: job.translations ?? new SharedTranslations() });
  const eager = translating(riscv64, { hotLimit: Math.max(job.hotLimit ?? 0, EAGER) });
  switch (mode) {
    case 'whole': return resultOf(runGuest(job.program, optionsOf(job, 1_000_000_000)));
    case 'sliced': return resultOf(runGuest(job.program, optionsOf(job, slices())));
    case 'wasm': return resultOf(runGuest(job.program, { ...optionsOf(job, 1_000_003), isa: inWasm }));
    case 'translated': return resultOf(runGuest(job.program, { ...optionsOf(job, 1_000_000_000), isa: eager }));
    case 'restored': return resultOf(await runRestored(job.program, { ...optionsOf(job, 0), isa: sharing }));
    case 'replayed': return resultOf(await runReplayed(job.program, { ...optionsOf(job, 0), isa: sharing }));
    case 'recorded': return resultOf(await runReplayed(job.program, { ...optionsOf(job, 0), isa: job.translations === undefined ? eager : sharing }, inWasm));
    default: return mode satisfies never;
  }
}

function optionsOf(job: ModeJob, slice: number | (() => number)): RunOptions {
  return {
    argv: job.argv, environment: job.environment ?? ['PATH=/usr/local/bin:/usr/bin:/bin'], ...(job.programPath === undefined ? {} : { programPath: job.programPath }), stdin: job.stdin ?? new Uint8Array(0), workingDirectory, slice,
    memoryBytes: job.memoryBytes ?? memoryBytesDefault, ...(job.schedule === undefined ? {} : { schedule: job.schedule }), ...(job.root === undefined ? {} : { image: job.root, isInImage: true }), prepare: (files) => {
      placeFiles(files, { ...imageFiles(job.image ?? []), ...ownFiles(job.files ?? {}) });
    },
  };
}

/** Budgets that grow from one instruction, so that short programs are cut often and long ones in reasonable time. */
function slices(): () => number {
  let step = 0;
  return () => {
    step++;
    return 1 + (step * 7919) % (1 + step * 13);
  };
}

function ownFiles(files: Readonly<Record<string, string | Uint8Array>>): Record<string, string | Uint8Array> {
  return Object.fromEntries(Object.entries(files).map(([path, content]) => [`${workingDirectory}/${path}`, content]));
}

function imageFiles(directories: readonly string[]): Record<string, Uint8Array> {
  const found: Record<string, Uint8Array> = {};
  for (const directory of directories) {
    for (const path of readdirSync(directory, { recursive: true, encoding: 'utf8' }).sort()) {
      const full = join(directory, path);
      if (statSync(full).isFile()) found[full] = readFileSync(full);
    }
  }
  return found;
}

/** Puts files into the fresh tree; paths are absolute, directories on the way are made. */
export function placeFiles(system: FileSystem, files: Readonly<Record<string, string | Uint8Array>>): void {
  for (const [path, content] of Object.entries(files)) {
    const parts = path.split('/').filter((part) => part !== '');
    const name = parts.pop()!;
    let directory: Inode = system.root;
    for (const part of parts) {
      const parent: Inode = directory;
      if (parent.kind !== 'directory') throw new Error(`${path}: ${part} is in something that is no directory`);
      directory = parent.entries.get(part)?.inode ?? system.makeDirectory(parent, part, { credentials: GUEST, mode: 0o755 });
    }
    if (directory.kind !== 'directory') throw new Error(`${path}: not in a directory`);
    const isProgram = typeof content !== 'string' && content[0] === 0x7f; // ELF: a dynamic linker must be executable.
    const inode = system.makeFile({ credentials: GUEST, mode: isProgram ? 0o755 : 0o644 });
    system.attach(directory, name, inode);
    if (inode.kind !== 'file') throw new Error('a made file is a file');
    inode.content.writeAt(0, typeof content === 'string' ? new TextEncoder().encode(content) : content);
  }
}

function endOf(result: GuestResult): ProgramEnd {
  const { stop } = result;
  if (stop.kind !== 'ended') throw new Error(`the machine stopped with ${result.outcome} after ${result.retired} instructions\n${result.stderr}`);
  if (stop.outcome.kind === 'exited') return { kind: 'exit', status: stop.outcome.status };
  const { signal } = stop.outcome;
  const name = Object.entries(constants.signals).find(([, number]) => number === signal)?.[0];
  return { kind: 'signal', signal: name ?? `SIG${signal}` };
}

function resultOf(result: GuestResult & { readonly root?: string }): ModeResult {
  const root = blobHash(result.root ?? rootOf(result));
  return { stdout: result.stdoutBytes, stderr: result.stderr, end: endOf(result), retired: result.retired, root };
}

/** The root of a guest that no writer has captured yet. */
function rootOf(result: GuestResult): string {
  const capture = new SnapshotWriter(new MemoryStore(), digests).capture(result.guest.state());
  capture.abandon();
  return capture.root;
}
