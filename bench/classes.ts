/**
 * What a program may do all the time, class by class (bench/guests/classes.c), in the machine against qemu-riscv64: the time of a round, from the difference of
 * two sizes, so that neither's start counts. A class that is much slower than the others is a hole in the engine. Checks that outputs are equal.
 *
 *   node --import ./scripts/typescript-loader.mjs bench/classes.ts [NAME …]
 *
 * Processor time, least of BENCH_REPEATS (default 3), sides in turn. Needs the built command (npm run build). What this does NOT do: judge.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { buildMeter, measureInTurn, type Job } from './measure.ts';

const ROOT = resolve(import.meta.dirname, '..');
const CLI = join(ROOT, 'dist/bin/stillpoint.js');
/** Processor seconds that the larger size shall take under qemu-riscv64. */
const ENOUGH = 1;
/** The smaller size is this part of it. */
const PART = 4;
const ROUNDS_MAX = 1_000_000;
const repeats = Number(process.env['BENCH_REPEATS'] ?? 3);

type Side = 'qemu' | 'machine';

function compileGuest(directory: string): string {
  const guest = join(directory, 'classes');
  execFileSync('riscv64-linux-gnu-gcc', ['-static', '-O2', join(ROOT, 'bench/guests/classes.c'), '-o', guest, '-lm'], { stdio: ['ignore', 'inherit', 'inherit'] });
  return guest;
}

/** Least processor seconds of both sides for so many rounds. */
function measure(context: { readonly guest: string; readonly meter: string }, name: string, { rounds, sides }: { readonly rounds: number; readonly sides: readonly Side[] }): { readonly seconds: Readonly<Record<Side, number>>; readonly isSame: boolean } {
  const commands: Readonly<Record<Side, Job>> = {
    qemu: { command: ['qemu-riscv64', context.guest, name, String(rounds)] },
    machine: { command: [CLI, 'run', '--ephemeral', '--no-progress', context.guest, name, String(rounds)] },
  };
  const seconds: Record<Side, number> = { qemu: Infinity, machine: Infinity };
  const outputs = new Set<string>();
  for (let round = 0; round < repeats; round++) {
    const measured = measureInTurn(Object.fromEntries(sides.map((side) => [side, commands[side]])) as Partial<Record<Side, Job>>, { meter: context.meter, repeats: 1 });
    for (const side of sides) {
      seconds[side] = Math.min(seconds[side], measured[side].processorSeconds);
      outputs.add(`${measured[side].status} ${measured[side].output.toString()}`);
    }
  }
  return { seconds, isSame: outputs.size === 1 };
}

function enoughRounds(context: { readonly guest: string; readonly meter: string }, name: string): number {
  for (let rounds = PART; ;) {
    const { qemu } = measureInTurn({ qemu: { command: ['qemu-riscv64', context.guest, name, String(rounds)] } }, { meter: context.meter, repeats: 1 });
    if (qemu.processorSeconds >= ENOUGH || rounds >= ROUNDS_MAX) return rounds;
    rounds = Math.ceil(rounds * Math.min(8, Math.max(1.5, (1.3 * ENOUGH) / Math.max(qemu.processorSeconds, 0.02))));
  }
}

const directory = mkdtempSync(join(tmpdir(), 'stillpoint-classes-'));
try {
  const context = { guest: compileGuest(directory), meter: buildMeter(directory) };
  const all = spawnSync('qemu-riscv64', [context.guest]).stdout.toString().trim().split('\n');
  const wanted = process.argv.length > 2 ? process.argv.slice(2) : all;
  const unknown = wanted.filter((name) => !all.includes(name));
  if (unknown.length > 0) throw new Error(`unknown: ${unknown.join(', ')}; classes are ${all.join(', ')}`);
  console.log('| class | qemu-riscv64, s | machine, s | machine/qemu, a round | outputs |\n|---|---|---|---|---|');
  for (const name of wanted) {
    const rounds = enoughRounds(context, name);
    const large = measure(context, name, { rounds, sides: ['qemu', 'machine'] });
    const small = measure(context, name, { rounds: Math.max(1, Math.floor(rounds / PART)), sides: ['qemu', 'machine'] });
    const ratio = (large.seconds.machine - small.seconds.machine) / (large.seconds.qemu - small.seconds.qemu);
    console.log(`| ${name} | ${large.seconds.qemu.toFixed(2)} | ${large.seconds.machine.toFixed(2)} | ${ratio.toFixed(2)} | ${large.isSame && small.isSame ? 'same' : 'DIFFERENT'} |`);
  }
} finally {
  rmSync(directory, { recursive: true, force: true });
}
