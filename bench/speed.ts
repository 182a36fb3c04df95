/**
 * Speed of whole processes: every program of bench/programs.ts natively (gcc -O2), under qemu-riscv64, in the machine unrecorded and recorded, and (where clang
 * for wasm32-wasi is installed) compiled to WebAssembly ahead of time under node:wasi. `first` is a first start: nothing is kept of the program; `translate`, `recorded` and the
 * repeats of both use what it has left in the translation cache. Interleaved in one run, medians of BENCH_REPEATS (default 5). Checks that
 * all outputs are equal. Prints tables; a run over everything appends one line to bench/history.jsonl.
 *
 *   node --import ./scripts/typescript-loader.mjs bench/speed.ts [--quick] [--only NAME,…] [--sides SIDE,…]
 *
 * --quick: short sizes, one repeat, and only native, qemu and translate, for whoever changes the translator. Needs the built command (npm run build).
 * Processor time stands beside wall-clock time, because a busy machine spoils the second more. It includes threads: V8 compiles on its own.
 */
import { spawnSync } from 'node:child_process';
import { appendFileSync, mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { VERSION } from '../src/session/version.ts';
import { buildMeter, measureInTurn, type Job, type Measured } from './measure.ts';
import { buildProgram, hasWasmTools, PROGRAMS, type Program } from './programs.ts';

const ROOT = resolve(import.meta.dirname, '..');
const CLI = join(ROOT, 'dist/bin/stillpoint.js');
const SIDES = ['native', 'qemu', 'first', 'translate', 'recorded', 'wasi', 'interpret'] as const;
type Side = (typeof SIDES)[number];
interface Row { readonly program: Program; readonly sides: Readonly<Partial<Record<Side, Measured>>>; readonly isSameOutput: boolean }
interface Settings { readonly programs: readonly Program[]; readonly sides: readonly Side[]; readonly isQuick: boolean; readonly repeats: number; readonly isWhole: boolean }

function readSettings(): Settings {
  const { values } = parseArgs({ options: { quick: { type: 'boolean', default: false }, only: { type: 'string' }, sides: { type: 'string' } } });
  const names = values.only?.split(',');
  const unknown = names?.filter((name) => !PROGRAMS.some((program) => program.name === name)) ?? [];
  const wanted = values.sides?.split(',') ?? (values.quick ? ['native', 'qemu', 'translate'] : SIDES.filter((side) => side !== 'interpret'));
  unknown.push(...wanted.filter((side) => !SIDES.some((known) => known === side)));
  if (unknown.length > 0) throw new Error(`unknown: ${unknown.join(', ')}; programs are ${PROGRAMS.map(({ name }) => name).join(', ')}; sides are ${SIDES.join(', ')}`);
  return {
    programs: PROGRAMS.filter(({ name }) => names?.includes(name) ?? true), sides: SIDES.filter((side) => wanted.includes(side)), isQuick: values.quick,
    repeats: values.quick ? 1 : Number(process.env['BENCH_REPEATS'] ?? 5), isWhole: names === undefined && values.sides === undefined && !values.quick,
  };
}

function newestSource(directory: string): number {
  return Math.max(...readdirSync(directory, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile()).map((entry) => statSync(join(entry.parentPath, entry.name)).mtimeMs));
}

function warnAboutStaleBuild(): void {
  if (Math.max(newestSource(join(ROOT, 'src')), newestSource(join(ROOT, 'cli'))) > statSync(CLI).mtimeMs) process.stderr.write('speed: sources are newer than dist: npm run build first, else you measure the old ones\n');
}

function measureProgram(program: Program, settings: Settings, context: { readonly directory: string; readonly meter: string; readonly withWasm: boolean }): Row {
  const built = buildProgram(program, context.withWasm && settings.sides.includes('wasi'));
  const store = join(context.directory, 'store');
  const programArguments = settings.isQuick ? program.quick : program.long;
  const job = (...command: readonly string[]): Job => ({ command: [...command, ...programArguments], ...(built.input === undefined ? {} : { input: built.input }) });
  const cache = join(context.directory, 'translations');
  const stillpoint = (...options: readonly string[]): Job => ({ ...job(CLI, 'run', '--no-progress', ...options, built.guest), environment: { STILLPOINT_TRANSLATIONS: cache } });
  const every: Readonly<Record<Side, Job | undefined>> = {
    native: job(built.native), qemu: job('qemu-riscv64', built.guest),
    first: stillpoint('--ephemeral', '--engine', 'translate'), translate: stillpoint('--ephemeral', '--engine', 'translate'), recorded: stillpoint('--engine', 'translate', '--store', store),
    wasi: built.wasm === undefined ? undefined : job(process.execPath, '--no-warnings', '--no-liftoff', join(ROOT, 'bench/wasi-run.mjs'), built.wasm),
    interpret: stillpoint('--ephemeral', '--engine', 'interpret'),
  };
  const jobs: Partial<Record<Side, Job>> = {};
  for (const side of settings.sides) if (every[side] !== undefined) jobs[side] = every[side];
  const before = (side: Side): undefined => {
    if (side === 'recorded') rmSync(store, { recursive: true, force: true });
    if (side === 'first') rmSync(cache, { recursive: true, force: true });
  };
  const sides = measureInTurn(jobs, { meter: context.meter, repeats: settings.repeats, before });
  const results = Object.values(sides);
  const isSameOutput = results.every(({ output, status }) => status === 0 && output.equals(results[0]!.output));
  return { program, sides, isSameOutput };
}

function geometricMean(values: readonly number[]): number {
  return Math.exp(values.reduce((sum, value) => sum + Math.log(value), 0) / values.length);
}

/** One table of seconds, each with its ratio to native, and the ratio of the machine to qemu, with geometric means over the long programs. */
function printTimes(title: string, rows: readonly Row[], settings: Settings, seconds: (measured: Measured) => number): void {
  const ratio = (row: Row, side: Side, base: Side): number | undefined => {
    const [above, below] = [row.sides[side], row.sides[base]];
    return above === undefined || below === undefined ? undefined : seconds(above) / Math.max(seconds(below), 0.001);
  };
  const mean = (side: Side, base: Side): string => {
    const ratios = rows.filter(({ program }) => program.kind === 'long').map((row) => ratio(row, side, base)).filter((value) => value !== undefined);
    return ratios.length === 0 ? '–' : `${geometricMean(ratios).toFixed(2)}x`;
  };
  const cell = (row: Row, side: Side): string => {
    const measured = row.sides[side];
    const toNative = ratio(row, side, 'native');
    return measured === undefined ? '–' : seconds(measured).toFixed(2) + (side === 'native' || toNative === undefined || row.program.name === 'hello' ? '' : ` (${toNative.toFixed(2)}x)`);
  };
  process.stdout.write(`\n| ${title} | ${settings.sides.join(' | ')} | translate/qemu | recorded/translate |\n|---${'|---'.repeat(settings.sides.length + 2)}|\n`);
  for (const row of rows) {
    const pair = (side: Side, base: Side): string => ratio(row, side, base)?.toFixed(2) ?? '–';
    process.stdout.write(`| ${row.program.name}${row.isSameOutput ? '' : ' DIFFERENT OUTPUT'} | ${settings.sides.map((side) => cell(row, side)).join(' | ')} | ${pair('translate', 'qemu')} | ${pair('recorded', 'translate')} |\n`);
  }
  if (rows.some(({ program }) => program.kind === 'long')) process.stdout.write(`| **geometric mean, long** | ${settings.sides.map((side) => mean(side, 'native')).join(' | ')} | ${mean('translate', 'qemu')} | ${mean('recorded', 'translate')} |\n`);
}

function printResident(rows: readonly Row[], settings: Settings): void {
  process.stdout.write(`\n| peak resident, MiB | ${settings.sides.join(' | ')} |\n|---${'|---'.repeat(settings.sides.length)}|\n`);
  for (const { program, sides } of rows) process.stdout.write(`| ${program.name} | ${settings.sides.map((side) => (sides[side] === undefined ? '–' : (sides[side].residentBytes / 2 ** 20).toFixed(0))).join(' | ')} |\n`);
}

function appendHistory(rows: readonly Row[], settings: Settings): void {
  const round = (value: number): number => Number(value.toPrecision(4));
  const speed = Object.fromEntries(rows.map(({ program, sides }) => [program.name, Object.fromEntries(Object.entries(sides).map(([side, measured]) =>
    [side, { wall: round(measured.seconds), processor: round(measured.processorSeconds), residentMiB: Math.round(measured.residentBytes / 2 ** 20) }]))]));
  const commit = spawnSync('git', ['rev-parse', '--short', 'HEAD'], { cwd: ROOT, encoding: 'utf8' }).stdout?.trim() ?? '';
  appendFileSync(join(ROOT, 'bench/history.jsonl'), `${JSON.stringify({ version: VERSION, commit, node: process.version, processor: cpus()[0]?.model ?? 'unknown', cores: cpus().length, repeats: settings.repeats, speed })}\n`);
}

const settings = readSettings();
const directory = mkdtempSync(join(tmpdir(), 'stillpoint-speed-'));
try {
  warnAboutStaleBuild();
  const meter = buildMeter(directory);
  const withWasm = settings.sides.includes('wasi') && hasWasmTools();
  const rows: Row[] = [];
  for (const program of settings.programs) {
    process.stderr.write(`speed: ${program.name}\n`);
    rows.push(measureProgram(program, settings, { directory, meter, withWasm }));
  }
  printTimes('wall-clock seconds (to native)', rows, settings, ({ seconds }) => seconds);
  printTimes('processor seconds (to native)', rows, settings, ({ processorSeconds }) => processorSeconds);
  printResident(rows, settings);
  if (settings.sides.includes('wasi')) process.stdout.write(withWasm ? '\nwasi: clang -O2 to wasm32-wasi, node:wasi with --no-liftoff; not done for Lua and SQLite.\n' : '\nwasi: not measured, because its tools are missing: scripts/install-bench-tools.sh installs them.\n');
  if (settings.isWhole) appendHistory(rows, settings);
  if (rows.some(({ isSameOutput }) => !isSameOutput)) process.exitCode = 1;
} finally {
  rmSync(directory, { recursive: true, force: true });
}
