/**
 * Float instructions, translated and in the WebAssembly interpreter, give the interpreter's registers and flags: every instruction, static and dynamic rounding modes, with and without the
 * inexact flag, on edge operands and on such as make results exact. STILLPOINT_SLOW=1 takes more of them.
 */
import { describe, expect, it } from 'vitest';
import { riscv64, STOP } from '../../src/isa/index.ts';
import { assemble } from '../isa/guest.ts';
import { doubleBits, Random, randomCase, singleBits } from '../isa/float-cases.ts';
import { INSTRUCTIONS, type Instruction } from '../isa/float-machine.ts';
import { isSlow, SEED } from '../isa/random.ts';
import { CODE, DATA, LockstepPair } from './lockstep-machines.ts';

const CASES = 96;
const ROUNDS = isSlow ? 300 : 6;
const AT_ONCE = 6;
const CASE_BYTES = 32;
const OUTPUT = DATA + 4096;

const groups = Array.from({ length: Math.ceil(INSTRUCTIONS.length / AT_ONCE) }, (_, index) => INSTRUCTIONS.slice(index * AT_ONCE, (index + 1) * AT_ONCE));
const isInteger = (kind: string): boolean => kind === 'w' || kind === 'l';

/** Goes through all cases: fcsr and three operands (raw, as floats and as integers), each instruction of the group, its result and, at last, fcsr (and, where each begins with its own, what it was behind each). */
function programOf(group: readonly Instruction[], mode: string, setsEach: boolean): string {
  const body = group.map(({ mnemonic, sources, target, rounds }, at) => {
    const operands = sources.map((kind, index) => (isInteger(kind) ? `a${index}` : `fa${index}`));
    const result = isInteger(target) ? 'a3' : 'fa3';
    const suffix = rounds && mode !== '' && mnemonic !== 'fcvt.d.w' && mnemonic !== 'fcvt.d.wu' && mnemonic !== 'fcvt.d.s' ? `, ${mode}` : '';
    return `${setsEach ? 'fscsr t0; ' : ''}${mnemonic} ${result}, ${operands.join(', ')}${suffix}; ${setsEach ? 'frcsr t1; slli t2, t2, 8; or t2, t2, t1; ' : ''}${isInteger(target) ? 'sd' : 'fsd'} ${result}, ${8 * at}(s2)`;
  });
  return `li s0, ${DATA}; li s1, ${CASES}; li s2, ${OUTPUT}
1: ld t0, 24(s0); fscsr t0; fld fa0, 0(s0); fld fa1, 8(s0); fld fa2, 16(s0); ld a0, 0(s0); li t2, 0
${body.join('\n')}
frcsr t1; sd t1, ${8 * AT_ONCE}(s2); add s3, s3, t2; addi s0, s0, ${CASE_BYTES}; addi s2, s2, ${8 * AT_ONCE + 8}; addi s1, s1, -1; bnez s1, 1b; ecall`;
}

/** Whole numbers and such with few bits: most results are exact. */
function plain(random: Random, kind: string): bigint {
  const value = random.below(41) - 20;
  const scaled = random.below(3) === 0 ? value * 2 ** (random.below(40) - 20) : value;
  if (isInteger(kind)) return BigInt.asUintN(64, BigInt(Math.trunc(scaled)));
  return kind === 'd' ? doubleBits(scaled) : singleBits(scaled);
}

/** Numbers whose products are about as small as numbers can be, so that what a proof of exactness takes from them may vanish; sums with them have zeros and such products. */
function tiny(random: Random, index: number): bigint {
  if (index === 2 && random.below(2) === 0) return doubleBits(random.below(3) * Number.MIN_VALUE);
  return doubleBits((random.below(41) - 20) * 2 ** (random.below(90) - 580));
}

function operandsOf(random: Random, group: readonly Instruction[]): BigUint64Array {
  const words = new BigUint64Array((CASES * CASE_BYTES) / 8);
  for (let at = 0; at < CASES; at++) {
    const instruction = random.pick(group);
    const one = randomCase(random, { instruction });
    const style = random.below(5);
    const operands = one.operands.map((operand, index) => {
      const kind = instruction.sources[index] ?? 'd';
      if (style < 2) return operand;
      return style === 2 && kind === 'd' ? tiny(random, index) : plain(random, kind);
    });
    words.set([operands[0]!, operands[1]!, operands[2]!, BigInt(random.below(3) === 0 ? (one.rm << 5) | one.flags : random.below(2))], (at * CASE_BYTES) / 8);
  }
  return words;
}

describe('float instructions in lockstep', () => {
  for (const [index, group] of groups.entries()) {
    it(group.map(({ mnemonic }) => mnemonic).join(' '), () => {
      const random = new Random(SEED + index);
      for (const mode of ['', 'rne', 'rtz']) {
        for (const [setsEach, second] of [[true, 3], [false, 3], [false, 'wasm']] as const) {
          const pair = new LockstepPair(assemble(programOf(group, mode, setsEach)), second);
          for (let round = 0; round < ROUNDS; round++) {
            const words = operandsOf(random, group);
            pair.each((cpu) => {
              expect(cpu.memory.write(DATA, new Uint8Array(words.buffer))).toBe(true);
              riscv64.abi.startProgram(cpu.state, { entry: CODE, stackPointer: DATA + 4096 });
            });
            const { stop, difference } = pair.run(100_000);
            expect(difference, `mode ${mode === '' ? 'dynamic' : mode}, round ${round}`).toBeUndefined();
            expect(stop).toBe(STOP.syscall);
          }
          if (second !== 'wasm') expect(pair.translated).toBeGreaterThan(1000);
        }
      }
    }, isSlow ? 600_000 : 60_000);
  }

  it('a rounding mode that is none stops both, whatever the operands', () => {
    for (const { mnemonic, sources, target, rounds } of INSTRUCTIONS) {
      if (!rounds || ['fcvt.d.w', 'fcvt.d.wu', 'fcvt.d.s'].includes(mnemonic)) continue;
      const operands = sources.map((kind, at) => (isInteger(kind) ? `a${at}` : `fa${at}`)).join(', ');
      const pair = new LockstepPair(assemble(`li a0, 3; fcvt.s.w fa0, a0; fmv.s fa1, fa0; fmv.s fa2, fa0; li s1, 60; li t0, 5; 1: addi s1, s1, -1; bne s1, t0, 2f; fsrmi 5
2: ${mnemonic} ${isInteger(target) ? 'a3' : 'fa3'}, ${operands}, dyn; bnez s1, 1b; ecall`), 3);
      pair.each((cpu) => riscv64.abi.startProgram(cpu.state, { entry: CODE, stackPointer: DATA + 4096 }));
      const { stop, difference } = pair.run(100_000);
      expect(difference, mnemonic).toBeUndefined();
      expect(stop, mnemonic).not.toBe(STOP.syscall);
    }
  });
});
