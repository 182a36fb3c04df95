/** Interpreter, WebAssembly interpreter and translator agree on registers, memory, dirty pages, stops and counts, on random code and at every slice size. */
import { describe, expect, it } from 'vitest';
import { riscv64, STOP } from '../../src/isa/index.ts';
import { isSlow, Random, SEED } from '../isa/random.ts';
import { assemble } from '../isa/guest.ts';
import { CODE, DATA, LockstepPair, randomCode, randomMixedCode, type Second } from './lockstep-machines.ts';

const PROGRAMS = isSlow ? 400 : 6;
const SLICES = isSlow ? 400 : 150;

function runRandom(seed: number, second: Second, slice: (random: Random) => number): number {
  const random = new Random(seed);
  const isMixed = random.below(2) === 0;
  const pair = new LockstepPair(isMixed ? randomMixedCode(random) : randomCode(random), second, { isWritable: random.below(3) === 0, isLate: random.below(2) === 0 });
  pair.each((cpu) => riscv64.abi.startProgram(cpu.state, { entry: CODE, stackPointer: DATA + 4096 }));
  for (let index = 0; index < SLICES; index++) {
    const { stop, difference } = pair.run(slice(random));
    expect(difference, `seed ${seed}, slice ${index}`).toBeUndefined();
    if (random.below(40) === 0) pair.translator.dropCaches();
    if (random.below(30) === 0) pair.each((cpu) => cpu.memory.clearDirty());
    if (stop === STOP.budget && random.below(12) !== 0) continue;
    const pc = CODE + (isMixed ? 2 : 4) * random.below(isMixed ? 4096 : 1024);
    const values = [...Array(32)].map(() => random.operand());
    pair.each((cpu) => {
      const x = new BigUint64Array(cpu.state.x.buffer, cpu.state.x.byteOffset, 64);
      for (const register of [5, 6, 7, 10, 11, 12, 13]) x[register] = values[register]!;
      x[1] = BigInt(CODE + 4 * Number(values[1]! & 1023n));
      x[8] = BigInt(DATA + 2048 + 8 * Number(values[8]! & 255n));
      x[9] = values[9]! % 5n === 0n ? values[10]! : BigInt(DATA + 4096 + Number(values[9]! & 4095n));
      if (values[2]! % 3n === 0n) cpu.state.control[2] = Number(values[3]! & 0x7fn);
      riscv64.abi.setProgramCounter(cpu.state, pc);
    });
  }
  return pair.translated;
}

describe('lockstep on random code', () => {
  const sizes: Readonly<Record<string, (random: Random) => number>> = {
    'slices of 1': () => 1, 'slices of 7': () => 7, 'slices of 1000': () => 1000, 'slices of random size': (random) => 1 + random.below(3000),
  };
  for (const [name, slice] of Object.entries(sizes)) {
    for (const second of [1, 20, 'wasm'] as const) {
      it(`${name}, ${second === 'wasm' ? 'the WebAssembly interpreter' : `translated after ${second} jumps`}`, () => {
        let translated = 0;
        for (let index = 0; index < PROGRAMS; index++) translated += runRandom(SEED + index, second, slice);
        if (second !== 'wasm' && name !== 'slices of 1' && name !== 'slices of 7') expect(translated).toBeGreaterThan(3500);
      }, isSlow ? 1_200_000 : 120_000);
    }
  }
});

const LOOPS: Readonly<Record<string, string>> = {
  'calls and stack': `li a0, 9; call fib; ecall
fib: li t0, 2; bltu a0, t0, 2f; addi sp, sp, -32; sd ra, 24(sp); sd s0, 16(sp); sd s1, 8(sp); mv s0, a0; addi a0, s0, -1; call fib; mv s1, a0
addi a0, s0, -2; call fib; add a0, a0, s1; ld ra, 24(sp); ld s0, 16(sp); ld s1, 8(sp); addi sp, sp, 32; 2: ret`,
  'a loop entered in its middle': 'li a0, 300; andi a1, a0, 1; beqz a1, 2f; 1: addi a2, a2, 3; 2: addi a0, a0, -1; xor a2, a2, a0; bnez a0, 1b; ecall',
  'walks into an unmapped page': 'li a1, 0x40000; 1: ld a0, 0(a1); sd a0, 8(a1); addi a1, a1, 8; j 1b',
  'rewrites its own loop': `.option norvc; lla a1, 1f; li a2, 400; li a4, 200; lw a5, 3f; 0: addi a2, a2, -1; bne a2, a4, 2f; sw a5, 0(a1); fence.i; 2:
1: addi a0, a0, 1; bnez a2, 0b; ecall; .align 2; 3: addi a0, a0, 5`,
  'an interpreter with a jump at the end of each operation': `.macro next; lbu a0, 0(s1); addi s1, s1, 1; slli a0, a0, 2; add a0, a0, s2; lw a0, 0(a0); add a0, a0, s2; jr a0; .endm
lla s2, 5f; lla s1, 6f; li s3, 60; call run; mv a0, s4; ecall
run: addi sp, sp, -16; sd ra, 8(sp); next
20: addi s4, s4, 7; next
21: xori s4, s4, 0x55; next
22: call help; next
23: slli a2, s4, 3; xor s4, s4, a2; next
24: sd s4, 0(sp); ld a3, 0(sp); add s4, s4, a3; next
25: srli a2, s4, 5; xor s4, s4, a2; next
26: mv a0, s4; call help; sub s4, s4, a0; next
27: not s4, s4; next
28: addi s3, s3, -1; beqz s3, 29f; lla s1, 6f; next
29: ld ra, 8(sp); addi sp, sp, 16; ret
help: addi s4, s4, 3; xor a0, a0, s4; ret
.align 2; 5: .word 20b - 5b, 21b - 5b, 22b - 5b, 23b - 5b, 24b - 5b, 25b - 5b, 26b - 5b, 27b - 5b, 28b - 5b; 6: .byte 0, 1, 2, 3, 6, 4, 5, 2, 7, 1, 6, 0, 8; .align 2`,
  'words are extended with zeros, with code between the shifts': `li s1, 200; li a3, -7; 1: xor a0, a3, s1; slli a0, a0, 32; addi a3, a3, 13; srli a0, a0, 32; add a4, a4, a0
slli a1, a3, 32; slli a2, a4, 32; xor a5, a3, a4; srli a1, a1, 30; srli a2, a2, 29; add a4, a4, a1; xor a4, a4, a2; slli a1, a3, 32; add a6, a1, a3; srli a1, a1, 32; xor a4, a4, a1
slli a2, a4, 32; addi a4, a4, 1; srli a2, a2, 32; sub a4, a4, a2; slli a5, a4, 32; sd a5, -8(sp); srli a5, a5, 31; add a3, a3, a5; addi s1, s1, -1; bnez s1, 1b; ecall`,
  'what is dead in a loop that walks into an unmapped page': `li a1, 0x43000 - 800; li a6, 0x43000 + 400; 1: lw a0, 0(a1); slliw t0, a0, 7; srliw t1, a0, 25; or t2, t0, t1; not t3, a0; xor t4, t2, t3
addw a2, a2, t4; slliw t5, a2, 3; xor a3, a3, t5; addw a4, a4, a3; addi a1, a1, 4; addw a5, a5, a4; bne a1, a6, 1b; ecall`,
  'what is dead in a loop of two blocks that walks into an unmapped page': `li a1, 0x43000 - 600; li a6, 0x43000 + 400; 1: lw a0, 0(a1); slliw t0, a0, 7; srliw t1, a0, 25; or t2, t0, t1; not t3, a0; xor t4, t2, t3; addw a2, a2, t4
slliw t5, a2, 3; xor a3, a3, t5; addw a4, a4, a3; lbu s1, 5(a1); xor s2, s1, t0; add s3, s2, t4; srli s4, s3, 3; add s5, s5, s4; addi a1, a1, 4; addw a5, a5, a4; xor a5, a5, s2; srli s1, a5, 7; add a5, a5, s1; bne a1, a6, 1b; mv a0, s5; ecall`,
  'what is dead in a loop of a function that is entered in its middle': `li s0, 0x40000; li s2, 40; li s6, 4; 9: call 0f; addi s2, s2, -1; bnez s2, 9b; ecall; 0: mv a1, s0; addi a6, s0, 32; li a7, 3; j 2f; 1: mv a2, a3; mv a3, s4
2: lw a0, 0(a1); lbu s5, 3(s0); slliw t0, a0, 7; srliw t1, a0, 25; or t2, t0, t1; not t3, a0; xor t4, t2, t3; addw s4, a2, t4; slliw t5, s4, 3; xor t5, t5, s5; xor a7, a7, t5; addi a1, a1, 4; addw a5, a5, a7; bne a1, a6, 1b
lw t0, 0(s0); add a5, a5, t0; addi s6, s6, -1; sw a5, 16(s0); bgtz s6, 3f; li s0, 0x42ff0; 3: ret`,
  'loops in loops, around calls': `li s0, 6; 0: li s1, 5; 1: li s2, 9; 2: add s3, s3, s2; xori s4, s3, 0x33; addi s2, s2, -1; bnez s2, 2b; andi a0, s3, 3; beqz a0, 1f; sub s3, s3, s1
1: addi s1, s1, -1; bnez s1, 3f; call help; addi s0, s0, -1; bnez s0, 0b; ecall; 3: li s2, 9; j 2b; help: addi s3, s3, 5; ret`,
  'reads the counters in a loop': 'li a2, 300; 1: addi a5, a5, 1; xor a6, a5, a3; rdinstret a0; rdcycle a1; add a3, a3, a0; xor a3, a3, a1; addi a2, a2, -1; bnez a2, 1b; ecall',
  'reservations': 'li a1, 0x40000; li a2, 300; 1: lr.d a0, (a1); addi a0, a0, 3; sc.d a3, a0, (a1); add a4, a4, a3; addi a2, a2, -1; bnez a2, 1b; ecall',
};

describe('lockstep on written code', () => {
  for (const [name, text] of Object.entries(LOOPS)) {
    it.each([3, 'wasm'] as const)(`${name} (%s)`, (second) => {
      for (const slice of [1, 7, 64, 1000]) {
        const pair = new LockstepPair(assemble(text), second, { isWritable: true, isLate: slice < 65 });
        pair.each((cpu) => riscv64.abi.startProgram(cpu.state, { entry: CODE, stackPointer: DATA + 8192 }));
        let stop: number = STOP.budget;
        for (let index = 0; stop === STOP.budget && index < 8000 / slice; index++) {
          const outcome = pair.run(slice);
          stop = outcome.stop;
          expect(outcome.difference, `slice ${slice}, turn ${index}`).toBeUndefined();
        }
        if (slice === 1000 && second !== 'wasm') expect(pair.translated).toBeGreaterThan(100);
      }
    }, 60_000);
  }

  it('a difference does not go unseen', () => {
    const pair = new LockstepPair(assemble(LOOPS['calls and stack']!), 3);
    pair.each((cpu) => riscv64.abi.startProgram(cpu.state, { entry: CODE, stackPointer: DATA + 8192 }));
    pair.translator.state.x[2 * 30] = 1;
    expect(pair.run(1000).difference).toBeDefined();
  });
});
