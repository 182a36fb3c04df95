/**
 * A program, run by float-fast.test.ts under --trace-gc: prints `fast`, runs millions of operations on the fast paths, prints `reference`, runs
 * some on the reference. Collections show up between the words. Not through vitest, whose module transform hides imports from the optimizer.
 */
import { floatHandlers, setFastPaths } from '../../src/isa/riscv/float/index.ts';
import { doubleBits, singleBits } from './float-cases.ts';
import { createState, putRegister } from './float-machine.ts';

const state = createState();
[1.1, 1.3, 2, 3].forEach((value, index) => {
  putRegister(state.f, 1 + index, doubleBits(value));
  putRegister(state.f, 11 + index, singleBits(value));
});
const DOUBLE = 'fadd.d fsub.d fmul.d fdiv.d fsqrt.d fmadd.d fmsub.d fnmsub.d fnmadd.d flt.d feq.d fmin.d fmax.d fsgnj.d fcvt.l.d fcvt.w.d fcvt.s.d fcvt.d.l fcvt.d.w';
const SINGLE = 'fadd.s fsub.s fmul.s fdiv.s fsqrt.s fmadd.s fmsub.s fnmsub.s fnmadd.s flt.s feq.s fmin.s fmax.s fsgnj.s fcvt.l.s fcvt.w.s fcvt.d.s fcvt.s.w';
const doubles = DOUBLE.split(' ').map((name) => floatHandlers[name]!);
const singles = SINGLE.split(' ').map((name) => floatHandlers[name]!);

function run(rounds: number): void {
  for (let round = 0; round < rounds; round += 1) {
    // Every other round starts with no flag, so that both the proofs of exactness and the shortcut are taken.
    state.control[2] = round & 1;
    for (let index = 0; index < doubles.length; index += 1) doubles[index]!(state, 20, 1 + (round & 1), 2 + (index & 1), 3, 0);
    for (let index = 0; index < singles.length; index += 1) singles[index]!(state, 21, 11 + (round & 1), 12 + (index & 1), 13, 0);
  }
}

run(200_000);
process.stdout.write('fast\n');
run(800_000);
process.stdout.write('reference\n');
setFastPaths(false);
run(3_000);
