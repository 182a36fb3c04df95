/**
 * Interpreter and translator agree where translated code calls code that has no unit yet, which calls translated code in turn (cold-call.ts, relay.ts): recursion through one
 * place, so that a return address says too little without the stack pointer; ways out over several calls; slices that end anywhere. STILLPOINT_SLOW=1 takes more of them.
 */
import { expect, it } from 'vitest';
import { assemble } from '../isa/guest.ts';
import { isSlow, Random, SEED } from '../isa/random.ts';
import { DATA, LockstepPair, runSlices } from './lockstep-machines.ts';

const PROGRAMS = isSlow ? 400 : 12;
const INSTRUCTIONS_MAX = 60_000n;
/** Functions that `f` calls by number: so many that none of them is called often. */
const FUNCTIONS = 32;
const FUNCTION_BYTES = 256;

function callee(random: Random, index: number): string {
  const oneIn = (count: number): boolean => random.below(count) === 0;
  const other = `call ${oneIn(3) ? 'leaf' : 'f'}`;
  const piece = (): string => [
    `addi s3, s3, ${index}`, `xor s3, s3, s2`, `sd s3, ${8 * random.below(8)}(s6)`, `ld t3, ${8 * random.below(8)}(s6); add s3, s3, t3`, `beqz a1, 3f; addi a1, a1, -1; ${other}; 3:`, `li t4, ${1 + random.below(20)}; 4: addi t4, t4, -1; mul s3, s3, t4; bnez t4, 4b`,
    'csrr t3, instret; add s3, s3, t3', `andi t3, s3, ${random.below(64)}; bnez t3, 5f; mv sp, s11; j out; 5:`,
  ][random.below(8)]!;
  const pieces = Array.from({ length: 2 + random.below(4) }, piece);
  const end = oneIn(6) ? `addi sp, sp, 32; j g${random.below(FUNCTIONS)}` : `addi sp, sp, ${oneIn(30) ? 16 : 32}; ret`;
  return `.org ${FUNCTION_BYTES * (index + 1)}\ng${index}: addi s8, s8, -1; bltz s8, bail; addi sp, sp, -32; sd ra, 24(sp); ${pieces.join('; ')}; ld ra, 24(sp); ${end}`;
}

function program(random: Random): string {
  return `li s1, ${20 + random.below(60)}; lui s6, ${DATA >>> 12}; mv s11, sp; lla s7, g0; mv s4, sp
main: li s8, 60; li a1, ${random.below(4)}; call f; out: addi s1, s1, -1; bnez s1, main; ecall
bail: mv sp, s11; j out
leaf: addi s3, s3, 1; ret
f: addi sp, sp, -16; sd ra, 8(sp); sd a1, 0(sp); addi s2, s2, ${1 + 2 * random.below(FUNCTIONS)}; andi t0, s2, ${FUNCTIONS - 1}; slli t0, t0, 8; add t0, t0, s7; jalr t0; ld a1, 0(sp); ld ra, 8(sp); addi sp, sp, 16; add s3, s3, a1; ret
${Array.from({ length: FUNCTIONS }, (_, index) => callee(random, index)).join('\n')}
.org ${FUNCTION_BYTES * (FUNCTIONS + 1)}`;
}

function check(seed: number, slice: (random: Random) => number): number {
  const random = new Random(seed);
  const pair = new LockstepPair(assemble(program(random)), 10 + random.below(60), { isLate: random.below(3) === 0 });
  runSlices(pair, { most: INSTRUCTIONS_MAX, slice: () => slice(random), seed });
  return pair.translated;
}

it.each([['whole', () => Number(INSTRUCTIONS_MAX)], ['in slices', (random: Random) => 1 + random.below(3000)]] as const)('calls of cold code, %s', (_name, slice) => {
  let translated = 0;
  for (let index = 0; index < PROGRAMS; index++) translated += check(SEED + index, slice);
  expect(translated).toBeGreaterThan(100 * PROGRAMS);
}, isSlow ? 1_200_000 : 60_000);
