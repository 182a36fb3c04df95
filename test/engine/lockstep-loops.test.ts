/**
 * Interpreter and translator agree on random loops: many registers, most of them dead at the end of a round, loads through moving and standing bases, which
 * run off the mapped pages now and then. STILLPOINT_SLOW=1 takes more of them.
 */
import { expect, it } from 'vitest';
import { riscv64, STOP } from '../../src/isa/index.ts';
import { assemble } from '../isa/guest.ts';
import { isSlow, Random, SEED } from '../isa/random.ts';
import { CODE, DATA, LockstepPair } from './lockstep-machines.ts';

const PROGRAMS = isSlow ? 600 : 12;
const REGISTERS = ['a0', 'a2', 'a3', 'a4', 'a5', 't0', 't1', 't2', 't3', 't4', 't5', 't6', 's1', 's2', 's3', 's4'];
const DATA_END = DATA + 3 * 4096;
const TURNS_MAX = 3000;

function randomLoop(random: Random): string {
  const any = (): string => REGISTERS[random.below(REGISTERS.length)]!;
  const of = (names: string): string => names.split(' ')[random.below(names.split(' ').length)]!;
  const computation = (): string => {
    switch (random.below(4)) {
      case 0: return `${of('add sub xor or and addw subw sll srl mul')} ${any()}, ${any()}, ${any()}`;
      case 1: return `${of('slliw srliw sraiw')} ${any()}, ${any()}, ${1 + random.below(31)}`;
      case 2: return `${of('addi xori andi ori addiw')} ${any()}, ${any()}, ${random.below(4096) - 2048}`;
      default: return `${of('slli srli')} ${any()}, ${any()}, ${1 + random.below(63)}`;
    }
  };
  const load = (): string => `${of('lw ld lbu lhu lwu')} ${any()}, ${random.below(6) === 0 ? -8 : 8 * random.below(random.below(3) === 0 ? 250 : 4)}(${of('a1 a1 a1 s5')})`;
  const store = random.below(4) === 0 ? `sd ${any()}, ${8 * random.below(4)}(s6)` : computation();
  const body = Array.from({ length: 6 + random.below(20) }, () => (random.below(6) === 0 ? load() : computation()));
  body.splice(random.below(body.length), 0, store);
  body.splice(random.below(2) === 0 ? body.length : random.below(body.length), 0, `addi a1, a1, ${of('4 8 8 16 64 -8')}`);
  if (random.below(3) === 0) body.splice(random.below(body.length), 0, `beq ${any()}, ${any()}, 3f`);
  const start = random.below(3) === 0 ? DATA_END - random.below(600) : DATA + 8 * random.below(900);
  return `li s7, 6; lui s6, ${DATA >>> 12}; 0: li a1, ${start}; li s5, ${random.below(5) === 0 ? DATA_END - 4 : DATA + 16}; li s8, ${1 + random.below(120)}; call 1f; addi s7, s7, -1; bnez s7, 0b; ecall
1: ${random.below(3) === 0 ? 'j 2f;' : ''} ${computation()}\n2: ${body.join('; ')}; addi s8, s8, -1; ${random.below(2) === 0 ? 'bnez s8, 2b' : 'bgtz s8, 1b'}; 3: ld a0, 8(s6); add a0, a0, ${any()}; ret`;
}

function check(seed: number, slice: (random: Random) => number): number {
  const random = new Random(seed);
  const code = assemble(randomLoop(random));
  const pair = new LockstepPair(code, 1 + random.below(4), { isLate: random.below(3) === 0 });
  pair.each((cpu) => riscv64.abi.startProgram(cpu.state, { entry: CODE, stackPointer: DATA + 8192 }));
  let stop: number = STOP.budget;
  for (let turn = 0; stop === STOP.budget && turn < TURNS_MAX; turn++) {
    const outcome = pair.run(slice(random));
    expect(outcome.difference, `seed ${seed}, turn ${turn}`).toBeUndefined();
    stop = outcome.stop;
  }
  return pair.translated;
}

it.each([['whole', () => 1_000_000], ['in random slices', (random: Random) => 1 + random.below(400)]] as const)('random loops, %s', (_name, slice) => {
  let translated = 0;
  for (let index = 0; index < PROGRAMS; index++) translated += check(SEED + index, slice);
  expect(translated).toBeGreaterThan(1000 * PROGRAMS / 4);
}, isSlow ? 1_200_000 : 60_000);
