// The small C programs of test/guests/c: what each one's header says, and their static executables, built when wanted.
//
// A target is kept in build/guests/c (git-ignored) under a name that holds a digest of source, compiler and flags, so
// that a stale one is never run; it appears by rename, so concurrent builders are harmless. At most two compilers at a
// time per process. Header lines (first comment of the file; \n, \t, \0 and \\ are escapes in values):
//   args: WORD…      stdin: TEXT      file: NAME=TEXT (in the working directory)      flags: WORD… (for the compiler)
//   oracle: host     (qemu-riscv64 cannot: it runs no riscv64 program by execve)
//   oracle: qemu     (do not compare with the host's build: the output rightly differs between the two architectures)
//   image: PATH      (a directory of the host that the program's libc wants; the guest gets a copy at the same place)
//   exit: N          (status expected, default 0)            signal: NAME (ended by this signal)
// Does NOT run anything but compilers (see test/programs/oracle.ts).
import { execFile, execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { promisify } from 'node:util';

const execFileAsync = promisify(execFile);

/** The repository's root. */
export const repositoryRoot: string = resolve(import.meta.dirname, '../..');
/** Where `build/` artefacts of the guests go. */
export const guestsDirectory: string = join(repositoryRoot, 'build/guests');

/** How a program ended, as a parent process sees it. */
export type ProgramEnd = { readonly kind: 'exit'; readonly status: number } | { readonly kind: 'signal'; readonly signal: string };

/** One program of test/guests/c, as its header describes it. */
export interface GuestProgram {
  readonly name: string;
  readonly source: string;
  readonly args: readonly string[];
  readonly stdin: Uint8Array;
  /** Files of the working directory at the start, by name. */
  readonly files: Readonly<Record<string, string>>;
  /** Directories of the host that the guest gets a copy of, absolute. */
  readonly image: readonly string[];
  readonly flags: readonly string[];
  readonly oracle: 'both' | 'qemu' | 'host';
  readonly end: ProgramEnd;
}

/** What a program can be built for: riscv64 at three levels, or the host. */
export type BuildTarget = 'O0' | 'O2' | 'O3' | 'native';
export type GuestLevel = Exclude<BuildTarget, 'native'>;
/** The riscv64 targets, in the order that tests list them. */
export const guestLevels: readonly GuestLevel[] = ['O0', 'O2', 'O3'];

// Contraction to fused multiply-add is off: the host's baseline has none, and results must be comparable bit for bit.
const commonFlags = ['-std=gnu11', '-static', '-ffp-contract=off', '-frounding-math', '-w'];
const compilers: Readonly<Record<BuildTarget, readonly string[]>> = {
  O0: ['riscv64-linux-gnu-gcc', '-O0'],
  O2: ['riscv64-linux-gnu-gcc', '-O2'],
  O3: ['riscv64-linux-gnu-gcc', '-O3'],
  native: ['gcc', '-O2'],
};

function unescape(text: string): string {
  const named: Readonly<Record<string, string>> = { n: '\n', t: '\t', '0': '\0', '\\': '\\' };
  return text.replace(/\\([nt0\\])/g, (_match, letter: string) => named[letter]!);
}

function oracleOf(word: string | undefined): GuestProgram['oracle'] {
  return word === 'qemu' || word === 'host' ? word : 'both';
}

/** Reads the header of a program. Throws an Error on a line that it cannot understand. */
export function readProgram(source: string): GuestProgram {
  const name = basename(source).replace(/\.(c|cc)$/, '');
  const comment = /^\/\*([\s\S]*?)\*\//.exec(readFileSync(source, 'utf8'))?.[1];
  if (comment === undefined) throw new Error(`${source}: a program starts with a comment that says its rule`);
  const values = (key: string): string[] =>
    [...comment.matchAll(new RegExp(`^ *\\* ?${key}: (.*)$`, 'gm'))].map((match) => match[1]!.trimEnd());
  const words = (key: string): string[] => values(key).flatMap((value) => value.split(/\s+/)).map(unescape);
  const files = Object.fromEntries(values('file').map((value) => {
    const cut = value.indexOf('=');
    if (cut < 1) throw new Error(`${source}: "file: ${value}" has no NAME=TEXT`);
    return [value.slice(0, cut), unescape(value.slice(cut + 1))] as const;
  }));
  const signal = values('signal')[0];
  const end: ProgramEnd = signal === undefined ? { kind: 'exit', status: Number(values('exit')[0] ?? '0') } : { kind: 'signal', signal };
  const stdin = new TextEncoder().encode(unescape(values('stdin').join('')));
  return { name, source, args: words('args'), stdin, files, image: words('image'), flags: words('flags'), oracle: oracleOf(values('oracle')[0]), end };
}

/** Every program of test/guests/c (or another folder there), by name. */
export function listPrograms(name = 'c'): readonly GuestProgram[] {
  const folder = join(import.meta.dirname, name);
  return readdirSync(folder).filter((file) => /\.(c|cc)$/.test(file)).sort().map((file) => readProgram(join(folder, file)));
}

const versions = new Map<string, string>();

function compilerVersion(compiler: string): string {
  let version = versions.get(compiler);
  if (version === undefined) {
    try {
      version = execFileSync(compiler, ['--version'], { encoding: 'utf8' });
    } catch (cause) {
      throw new Error(`${compiler} does not run; install the tools with scripts/install-tools.sh`, { cause });
    }
    versions.set(compiler, version);
  }
  return version;
}

/** The compiler and its options; a C++ program takes the C++ compiler of the same family. */
function commandOf(program: GuestProgram, target: BuildTarget): string[] {
  const [compiler, ...level] = compilers[target] as [string, ...string[]];
  if (program.source.endsWith('.cc')) return [compiler.replace(/gcc$/, 'g++'), ...level, ...commonFlags.filter((flag) => !flag.startsWith('-std=')), ...program.flags];
  return [compiler, ...level, ...commonFlags, ...program.flags];
}

/** Where the executable of a program is, or will be. */
export function executablePath(program: GuestProgram, target: BuildTarget): string {
  const command = commandOf(program, target);
  const digest = createHash('sha256').update(readFileSync(program.source)).update(command.join('\0')).update(compilerVersion(command[0]!));
  return join(guestsDirectory, 'c', `${program.name}-${target}-${digest.digest('hex').slice(0, 12)}`);
}

// Two compilers at a time: as many as the smallest machine that we build on has cores.
const compilersMax = 2;
let compilersRunning = 0;
const waiting: (() => void)[] = [];

async function compile(program: GuestProgram, target: BuildTarget, output: string): Promise<void> {
  while (compilersRunning >= compilersMax) await new Promise<void>((wake) => waiting.push(wake));
  compilersRunning++;
  try {
    const [compiler, ...options] = commandOf(program, target);
    const temporary = `${output}.${process.pid}`;
    await execFileAsync(compiler!, [...options, '-o', temporary, program.source, ...program.flags.filter((flag) => flag.startsWith('-l')), '-lm']);
    renameSync(temporary, output);
  } finally {
    compilersRunning--;
    waiting.shift()?.();
  }
}

function removeStale(program: GuestProgram, target: BuildTarget, keep: string): void {
  const prefix = `${program.name}-${target}-`;
  const folder = join(guestsDirectory, 'c');
  for (const file of readdirSync(folder)) {
    if (file.startsWith(prefix) && file.length === prefix.length + 12 && join(folder, file) !== keep) rmSync(join(folder, file), { force: true });
  }
}

/** What is being built, by path: the oracle and the machine ask for one program at the same time. */
const building = new Map<string, Promise<void>>();

/** Builds one program for one target unless it is there. Resolves to the path; rejects with the compiler's message. */
export async function buildProgram(program: GuestProgram, target: BuildTarget): Promise<string> {
  const output = executablePath(program, target);
  if (existsSync(output)) return output;
  mkdirSync(join(guestsDirectory, 'c'), { recursive: true });
  const built = building.get(output) ?? compile(program, target, output);
  building.set(output, built);
  await built;
  building.delete(output);
  removeStale(program, target, output);
  return output;
}

/** Builds every program for every target. */
export async function buildAllPrograms(): Promise<void> {
  const targets: readonly BuildTarget[] = [...guestLevels, 'native'];
  await Promise.all(listPrograms().flatMap((program) => targets.map((target) => buildProgram(program, target))));
}
