// The machinery of the wide suites: a job of wide-jobs.ts under qemu-riscv64 with all the programs that it starts, and as a machine in this process.
//
// qemu-riscv64 cannot start another riscv64 program by itself. So a directory of small shell scripts, one a program of the root, stands on PATH: whatever
// a program starts goes through one of them to the same qemu and the same root; nothing of the host is on PATH.
// Does NOT know what the jobs are about, or keep results.
import { execFileSync, spawnSync } from 'node:child_process';
import { closeSync, existsSync, mkdirSync, mkdtempSync, openSync, readdirSync, readFileSync, readSync, realpathSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { translating } from '../../src/engine/index.ts';
import type { ImageTree } from '../../src/image/index.ts';
import { layerFromDirectory } from '../../src/image/live/layer-from-directory.ts';
import { riscv64, type Isa } from '../../src/isa/index.ts';
import { repositoryRoot } from '../guests/build.ts';
import { catalogOf } from '../image/support.ts';
import type { RunOptions } from '../posix/process/run-guest.ts';
import { debianImage, debianRoot } from './debian.ts';
import { placeFiles, workingDirectory } from './modes.ts';
import { qemuCommand } from './oracle.ts';
import { WIDE_ENVIRONMENT, WIDE_JOBS, type WideJob } from './wide-jobs.ts';

export const isSlow: boolean = process.env['STILLPOINT_SLOW'] === '1';
const only = process.env['STILLPOINT_PROGRAM'];
/** With STILLPOINT_SLOW all jobs on the wide root, else the cheap ones on the small one. STILLPOINT_PROGRAM=NAME runs one. */
export const jobs: readonly WideJob[] = WIDE_JOBS.filter((job) => (isSlow || job.isCheap === true) && (only === undefined || job.name === only));
export const wideRoot: string = isSlow ? join(repositoryRoot, 'build/debian-wide') : debianRoot;
const stand = join(repositoryRoot, isSlow ? 'build/debian-wide-qemu' : 'build/debian-root-qemu');

/** Seconds since 1970 at which the clock of a machine that needs one begins. */
export const CLOCK_START = 1_790_000_000n;
const MEMORY_BYTES = 1024 * 1024 * 1024;
/** On a busy host; none of the jobs needs a tenth of it. */
const TIMEOUT_MS = 240_000;

let tree: ImageTree | undefined;

function wideImage(): ImageTree {
  return isSlow ? (tree ??= catalogOf(layerFromDirectory(wideRoot))) : debianImage();
}

function isExecutable(path: string): boolean {
  if (!statSync(path, { throwIfNoEntry: false })?.isFile()) return false;
  const file = openSync(path, 'r');
  const magic = Buffer.alloc(20);
  readSync(file, magic, 0, 20, 0);
  closeSync(file);
  return magic.readUInt32BE(0) === 0x7f45_4c46 && magic.readUInt16LE(18) === 243; // EM_RISCV.
}

/** Where a gcc of the root has cc1 and the like. */
function compilers(): string[] {
  const home = 'usr/libexec/gcc/riscv64-linux-gnu';
  return existsSync(join(wideRoot, home)) ? readdirSync(join(wideRoot, home)).map((version) => `${home}/${version}`) : [];
}

/** Makes the directory of scripts; cheap, and made anew each time so that it fits the root. */
function makeStand(): void {
  rmSync(stand, { recursive: true, force: true });
  mkdirSync(stand, { recursive: true });
  const [command, ...qemuOptions] = qemuCommand as [string, ...string[]];
  const found = execFileSync('/bin/sh', ['-c', 'command -v "$1"', 'sh', command], { encoding: 'utf8' }).trim();
  const qemu = `${[found, ...qemuOptions].join(' ')} -L ${wideRoot}`;
  const script = (name: string, body: string): void => writeFileSync(join(stand, name), `#!/bin/sh\n${body}\n`, { mode: 0o755 });
  for (const directory of ['usr/bin', 'usr/local/bin', ...compilers()]) {
    if (!existsSync(join(wideRoot, directory))) continue;
    for (const name of readdirSync(join(wideRoot, directory))) {
      const path = join(wideRoot, directory, name);
      if (!isExecutable(path) || name.includes('.so')) continue;
      // Python looks for itself on PATH, and must find its script; the compiler finds its headers beside its own name.
      const called = name.startsWith('gcc') ? `/usr/bin/${name}` : name;
      const home = name.startsWith('python') ? `PYTHONHOME=${wideRoot}/usr ` : '';
      script(name, `${home}exec ${qemu} -0 ${called} ${path} "$@"`);
    }
  }
  for (const directory of compilers()) symlinkSync(join(wideRoot, directory, 'liblto_plugin.so'), join(stand, 'liblto_plugin.so'));
  script('run', `exec ${qemu} "$@"`);
}

export interface Seen { readonly stdout: string; readonly stderr: string; readonly exit: number | null }

/** Makes `directory` with the job's files in it. */
export function writeJobFiles(job: WideJob, directory: string): string {
  mkdirSync(directory, { recursive: true });
  for (const [name, content] of Object.entries(job.files ?? {})) {
    mkdirSync(dirname(join(directory, name)), { recursive: true });
    writeFileSync(join(directory, name), content, 'latin1');
  }
  return directory;
}

export function underQemu(job: WideJob, timeoutMs: number = TIMEOUT_MS): Seen {
  if (!existsSync(join(stand, 'run'))) makeStand();
  const env = Object.fromEntries([...WIDE_ENVIRONMENT, `PATH=${stand}`, `COMPILER_PATH=${stand}`, `LIBRARY_PATH=${[...compilers().map((path) => path.replace('libexec', 'lib')), 'usr/lib/riscv64-linux-gnu'].map((path) => join(wideRoot, path)).join(':')}`, `RUN=${join(stand, 'run')}`].map((text) => text.split(/=(.*)/s, 2) as [string, string]));
  const cwd = writeJobFiles(job, mkdtempSync(join(tmpdir(), 'stillpoint-wide-')));
  try {
    const result = spawnSync(join(stand, basename(job.path)), job.args, { cwd, env, input: Buffer.from(job.stdin ?? '', 'latin1'), encoding: 'latin1', timeout: timeoutMs, maxBuffer: 1 << 28 });
    if (result.error !== undefined) throw new Error(`${job.name}: ${result.error.message}`, { cause: result.error });
    return { stdout: result.stdout, stderr: result.stderr, exit: result.status };
  } finally {
    rmSync(cwd, { recursive: true, force: true });
  }
}

/** The environment of the job's machine. */
export const machineEnvironment: readonly string[] = [...WIDE_ENVIRONMENT, 'PATH=/usr/local/bin:/usr/bin:/bin'];

/** The job's program and how it is booted here, translating. */
export function machineOf(job: WideJob, isa: Isa = translating(riscv64, { hotLimit: 2000 })): { readonly program: Uint8Array; readonly options: RunOptions } {
  const program = readFileSync(join(wideRoot, realpathSync(join(wideRoot, job.path)).slice(realpathSync(wideRoot).length)));
  const files = Object.fromEntries(Object.entries(job.files ?? {}).map(([name, content]) => [`${workingDirectory}/${name}`, Buffer.from(content, 'latin1')]));
  return {
    program, options: {
      isa, argv: [basename(job.path), ...job.args], environment: machineEnvironment, programPath: job.path, stdin: Buffer.from(job.stdin ?? '', 'latin1'), workingDirectory, memoryBytes: MEMORY_BYTES,
      image: wideImage(), isInImage: true, prepare: (system) => { placeFiles(system, files); }, ...(job.needsClock === true ? { clock: { kind: 'virtual', start: CLOCK_START * 1_000_000_000n } } : {}),
    },
  };
}

/** A line of progress for the person who waits. */
export function tell(text: string): void {
  process.stderr.write(`  ${text}\n`);
}
