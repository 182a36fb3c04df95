/**
 * Operations a second of the floating-point handlers, called as the interpreter calls them: through one table, on register numbers.
 * Run: node --import ./scripts/typescript-loader.mjs bench/float.ts. Prints one line a workload.
 */
import { createState } from '../test/isa/float-machine.ts';
import { floatHandlers, setFastPaths, type FloatHandler } from '../src/isa/riscv/float/index.ts';
import { CONTROL, type CpuState } from '../src/isa/index.ts';

/** A program of handler calls over registers 0..31 with stable values: registers 16 to 31 hold operands, 0 to 15 results. */
interface Step { readonly handler: FloatHandler; readonly rd: number; readonly rs1: number; readonly rs2: number; readonly rs3: number }

const OPERANDS = 16;
const MIX = { nbody: 'fsub.d fmul.d fmadd.d fmul.d fadd.d fsqrt.d fmul.d fdiv.d fnmsub.d fmadd.d', matrix: 'fmadd.d fmadd.d fmadd.d fmadd.d', lua: 'fadd.d fcvt.l.d fcvt.d.l feq.d flt.d fmul.d fsgnj.d' };

function compile(mnemonics: readonly string[]): Step[] {
  return Array.from({ length: 64 }, (_, index) => ({
    handler: floatHandlers[mnemonics[index % mnemonics.length]!]!,
    rd: 1 + (index % 15), rs1: OPERANDS + (index % 16), rs2: OPERANDS + ((index * 5 + 3) % 16), rs3: OPERANDS + ((index * 7 + 1) % 16),
  }));
}

function fill(state: CpuState, kind: { readonly isSingle: boolean; readonly isWhole: boolean }): void {
  for (let index = 0; index < 16; index += 1) {
    const value = kind.isWhole ? 3 + index * 17 : 1.1 + index / 7;
    state.x[2 * (OPERANDS + index)] = 1000 + index;
    if (kind.isSingle) {
      state.f32[2 * (OPERANDS + index)] = value;
      state.f[2 * (OPERANDS + index) + 1] = -1;
    } else state.f64[OPERANDS + index] = value;
  }
}

function runSteps(state: CpuState, steps: readonly Step[], rounds: number, rm: number): void {
  for (let round = 0; round < rounds; round += 1) {
    for (let index = 0; index < steps.length; index += 1) {
      const step = steps[index]!;
      step.handler(state, step.rd, step.rs1, step.rs2, step.rs3, rm);
    }
  }
}

/** Millions of operations a second. `flags` is the fcsr before every round of 64. */
function measure(mnemonics: readonly string[], options: { readonly isWhole: boolean; readonly flags: number; readonly rm?: number; readonly millis?: number }): number {
  const state = createState();
  const steps = compile(mnemonics);
  fill(state, { isSingle: mnemonics[0]!.endsWith('.s'), isWhole: options.isWhole });
  const rm = options.rm ?? 0;
  const slice = 2000;
  let operations = 0;
  for (let warm = 0; warm < 5; warm += 1) runSteps(state, steps, slice / 10, rm);
  const start = performance.now();
  let now = start;
  while (now - start < (options.millis ?? 250)) {
    state.control[CONTROL.fcsr] = options.flags;
    runSteps(state, steps, slice, rm);
    operations += slice * steps.length;
    now = performance.now();
  }
  return operations / (now - start) / 1000;
}

function print(name: string, mnemonics: readonly string[]): void {
  const accrued = measure(mnemonics, { isWhole: false, flags: 1 });
  const whole = measure(mnemonics, { isWhole: true, flags: 0 });
  process.stdout.write(`${name.padEnd(12)} ${accrued.toFixed(1).padStart(8)} ${whole.toFixed(1).padStart(8)}\n`);
}

process.stdout.write('million operations a second      NX accrued, operands with fractions / NX clear, whole operands\n');
for (const [name, mix] of Object.entries(MIX)) print(name, mix.split(' '));
for (const name of 'fadd fsub fmul fdiv fsqrt fmadd fnmsub fmin flt feq fsgnj fclass'.split(' ')) {
  for (const kind of ['d', 's']) print(`${name}.${kind}`, [`${name}.${kind}`]);
}
for (const name of 'fcvt.w.d fcvt.l.d fcvt.lu.d fcvt.d.w fcvt.d.l fcvt.s.d fcvt.d.s fmv.x.d fmv.d.x'.split(' ')) print(name, [name]);
setFastPaths(false);
for (const name of 'fadd.d fmul.d fdiv.d fsqrt.d fmadd.d fadd.s'.split(' ')) {
  process.stdout.write(`${name.padEnd(12)} ${measure([name], { isWhole: false, flags: 1, millis: 100 }).toFixed(2).padStart(8)} (reference)\n`);
}
