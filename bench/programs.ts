/**
 * The programs of bench/speed.ts and how they are built: for the guest and for the host with gcc -O2, and to wasm32-wasi with clang where that is installed.
 * Every output is the same on every target. What this does NOT do: install anything, measure.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, renameSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';

const ROOT = resolve(import.meta.dirname, '..');
const GUESTS = join(ROOT, 'bench/guests');
const OUT = join(ROOT, 'build/bench');

/**
 * `long` arguments run two to three seconds natively, `quick` ones about a quarter of a second (or all there is). A program with a script is one of
 * scripts/build-real-guests.sh that reads the script from its standard input. Short programs are for the time to start.
 */
export interface Program {
  readonly name: string;
  readonly kind: 'long' | 'short';
  readonly source: { readonly c: string } | { readonly real: string; readonly script: string };
  readonly long: readonly string[];
  readonly quick: readonly string[];
}
export interface Built { readonly native: string; readonly guest: string; readonly wasm: string | undefined; readonly input: Uint8Array | undefined }

const sqlite = (rows: number): readonly string[] => ['-cmd', `.parameter set :size ${rows}`];
const lua = (rounds: number): readonly string[] => ['-', String(rounds)];
const inC = (name: string, quick: string, long: string): Program => ({ name, kind: 'long', source: { c: `${name}.c` }, quick: quick.split(' '), long: long.split(' ') });
const LUA = { real: 'lua', script: 'workload.lua' };
const SQLITE = { real: 'sqlite3', script: 'workload.sql' };

export const PROGRAMS: readonly Program[] = [
  inC('sieve', '15', '150'),
  inC('sha256', '80000', '800000'),
  inC('matmul', '300 25', '300 250'),
  inC('nbody', '5000', '50000'),
  inC('qsort', '10', '95'),
  inC('hash', '12', '120'),
  inC('bcvm', '200', '1800'),
  inC('calls', '38 60', '43 600'),
  { name: 'sqlite', kind: 'long', source: SQLITE, quick: sqlite(70_000), long: sqlite(600_000) },
  { name: 'lua', kind: 'long', source: LUA, quick: lua(18), long: lua(180) },
  inC('lz', '10', '110'),
  inC('regex', '30', '300'),
  inC('json', '35', '400'),
  inC('fft', '70', '800'),
  inC('sat', '210 4', '210 17'),
  { name: 'hello', kind: 'short', source: { c: 'hello.c' }, quick: [], long: [] },
  { name: 'lua-short', kind: 'short', source: LUA, quick: lua(7), long: lua(7) },
  { name: 'sqlite-short', kind: 'short', source: SQLITE, quick: sqlite(30_000), long: sqlite(30_000) },
];

/** Whether the wasm column can be made; scripts/install-bench-tools.sh installs what it needs. */
export function hasWasmTools(): boolean {
  return spawnSync(join(ROOT, 'scripts/install-bench-tools.sh'), ['--check']).status === 0;
}

/** Builds what is missing or older than its source. */
export function buildProgram(program: Program, withWasm: boolean): Built {
  if ('real' in program.source) {
    const [guest, native] = ['real', 'real-native'].map((folder) => join(ROOT, 'build/guests', folder, (program.source as { real: string }).real)) as [string, string];
    if (!existsSync(guest)) throw new Error(`${guest} is missing; run scripts/install-tools.sh`);
    if (!existsSync(native)) execFileSync(join(ROOT, 'scripts/build-real-guests.sh'), ['--native'], { stdio: ['ignore', 'inherit', 'inherit'] });
    return { native, guest, wasm: undefined, input: readFileSync(join(GUESTS, program.source.script)) };
  }
  const file = join(GUESTS, program.source.c);
  const made = (suffix: string, compiler: string, ...options: readonly string[]): string => compile(file, { target: join(OUT, program.name + suffix), compiler, options });
  return {
    native: made('.native', 'gcc'), guest: made('.elf', 'riscv64-linux-gnu-gcc', '-static'), input: undefined,
    wasm: withWasm ? made('.wasm', 'clang', '--target=wasm32-wasi', '--sysroot=/usr', '-Wl,-z,stack-size=8388608') : undefined,
  };
}

function compile(file: string, how: { readonly target: string; readonly compiler: string; readonly options: readonly string[] }): string {
  mkdirSync(OUT, { recursive: true });
  if (existsSync(how.target) && statSync(how.target).mtimeMs > statSync(file).mtimeMs) return how.target;
  execFileSync(how.compiler, [...how.options, '-O2', file, '-o', `${how.target}.new`, '-lm'], { stdio: ['ignore', 'inherit', 'inherit'] });
  renameSync(`${how.target}.new`, how.target);
  return how.target;
}
