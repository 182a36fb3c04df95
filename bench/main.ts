/**
 * `npm run bench`: what running, recording and checkpointing cost, as whole processes, against qemu-riscv64 and native code in the same run. Prints
 * tables and appends the figures to bench/history.jsonl. BENCH_REPEATS sets the repeats (default 5).
 * Needs the built command, riscv64-linux-gnu-gcc, gcc, qemu-riscv64.
 */
import { execFileSync } from 'node:child_process';
import { appendFileSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { VERSION } from '../src/session/version.ts';
import { buildMeter, measureInTurn, type Job } from './measure.ts';

const ROOT = resolve(import.meta.dirname, '..');
const CLI = join(ROOT, 'dist/bin/stillpoint.js');
const repeats = Number(process.env['BENCH_REPEATS'] ?? 5);
const directory = mkdtempSync(join(tmpdir(), 'stillpoint-bench-'));
const meter = buildMeter(directory);
const figures: Record<string, Record<string, number>> = {};

interface Subject { readonly name: string; readonly source: string; readonly arguments: readonly string[]; readonly input?: Uint8Array }

const SUBJECTS: readonly Subject[] = [
  { name: 'compute', source: 'compute', arguments: ['12'] },
  { name: 'memory 32 MiB', source: 'memory', arguments: ['32', '20'] },
  { name: 'stream 512 B', source: 'stream', arguments: ['512'], input: new Uint8Array(4_000_000).fill(120) },
];

function build(source: string): { readonly guest: string; readonly native: string } {
  const [guest, native] = [join(directory, `${source}.elf`), join(directory, `${source}.native`)];
  const file = join(ROOT, 'bench/guests', `${source}.c`);
  execFileSync('riscv64-linux-gnu-gcc', ['-static', '-O2', file, '-o', guest]);
  execFileSync('gcc', ['-O2', file, '-o', native]);
  return { guest, native };
}

function stillpoint(...commandArguments: readonly string[]): readonly string[] {
  return [process.execPath, CLI, 'run', '--no-progress', ...commandArguments];
}

function storeBytes(store: string): number {
  return readdirSync(store).reduce((sum, name) => sum + statSync(join(store, name)).blocks * 512, 0);
}

function measureSubject(subject: Subject): void {
  const { guest, native } = build(subject.source);
  const store = join(directory, 'store');
  const withInput = (command: readonly string[]): Job => ({ command, ...(subject.input === undefined ? {} : { input: subject.input }) });
  const recorded = (round: number): Job => withInput(stillpoint('--store', store, '--name', `r${round}`, '--checkpoint-every', '1s', '--report', join(directory, 'report.json'), guest, ...subject.arguments));
  const result = measureInTurn({
    native: withInput([native, ...subject.arguments]), qemu: withInput(['qemu-riscv64', guest, ...subject.arguments]),
    ephemeral: withInput(stillpoint('--ephemeral', guest, ...subject.arguments)), recorded: recorded(0),
  }, { meter, repeats, before: (name, round) => (name === 'recorded' ? (rmSync(store, { recursive: true, force: true }), recorded(round)) : undefined) });
  const same = [result.qemu, result.ephemeral, result.recorded].every(({ output }) => output.equals(result.native.output));
  const report = JSON.parse(readFileSync(join(directory, 'report.json'), 'utf8')) as { instructions: string; checkpoints: number };
  figures[subject.name] = {
    nativeSeconds: result.native.seconds, qemuSeconds: result.qemu.seconds, ephemeralSeconds: result.ephemeral.seconds, recordedSeconds: result.recorded.seconds,
    recordingPercent: (result.recorded.seconds / result.ephemeral.seconds - 1) * 100, millionInstructionsPerSecond: Number(report.instructions) / 1e6 / result.ephemeral.seconds,
    checkpoints: report.checkpoints, storeBytesPerCheckpoint: storeBytes(store) / Math.max(1, report.checkpoints), isSameOutput: same ? 1 : 0,
  };
}

function measureHello(): void {
  const guest = join(directory, 'hello.elf');
  execFileSync('riscv64-linux-gnu-gcc', ['-static', '-O2', '-x', 'c', '-', '-o', guest], { input: '#include <stdio.h>\nint main(void){puts("hello");return 0;}' });
  const store = join(directory, 'hello-store');
  const job = (round: number): Job => ({ command: stillpoint('--store', store, '--name', `h${round}`, guest) });
  const result = measureInTurn({ node: { command: [process.execPath, '-e', '0'] }, qemu: { command: ['qemu-riscv64', guest] }, ephemeral: { command: stillpoint('--ephemeral', guest) }, recorded: job(0) },
    { meter, repeats: Math.max(9, repeats), before: (name, round) => (name === 'recorded' ? job(round) : undefined) });
  figures['hello'] = { nodeSeconds: result.node.seconds, qemuSeconds: result.qemu.seconds, ephemeralSeconds: result.ephemeral.seconds, recordedSeconds: result.recorded.seconds };
}

function print(): void {
  for (const [name, row] of Object.entries(figures)) {
    process.stdout.write(`\n${name}\n`);
    for (const [key, value] of Object.entries(row)) process.stdout.write(`  ${key.padEnd(30)} ${Number.isInteger(value) ? value : value.toFixed(3)}\n`);
  }
}

try {
  measureHello();
  for (const subject of SUBJECTS) measureSubject(subject);
  print();
  appendFileSync(join(ROOT, 'bench/history.jsonl'), `${JSON.stringify({ version: VERSION, node: process.version, processor: cpus()[0]?.model ?? 'unknown', cores: cpus().length, repeats, figures })}\n`);
} finally {
  rmSync(directory, { recursive: true, force: true });
}
