/**
 * Interpreter and translator agree on random loops: many registers, most of them dead at the end of a round, loads through moving and standing bases, which
 * run off the mapped pages now and then; and loops that load and store through several bases, up and down, with ways around parts of a round, floats, and
 * pages that cannot be written. STILLPOINT_SLOW=1 takes more of them.
 */
import { expect, it } from 'vitest';
import { PAGE_FLAG, riscv64, STOP } from '../../src/isa/index.ts';
import { assemble } from '../isa/guest.ts';
import { isSlow, Random, SEED } from '../isa/random.ts';
import { CODE, DATA, LockstepPair } from './lockstep-machines.ts';

const PROGRAMS = isSlow ? 600 : 6;
const REGISTERS = ['a0', 'a2', 'a3', 'a4', 'a5', 't0', 't1', 't2', 't3', 't4', 't5', 't6', 's1', 's2', 's3', 's4'];
const DATA_END = DATA + 3 * 4096;
const TURNS_MAX = 3000;

function randomLoop(random: Random): string {
  const any = (): string => REGISTERS[random.below(REGISTERS.length)]!;
  const of = (names: string): string => names.split(' ')[random.below(names.split(' ').length)]!;
  const computation = (): string => {
    switch (random.below(6)) {
      case 4: return `mv ${any()}, ${any()}`;
      case 5: return `sext.w ${any()}, ${any()}`;
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
  if (random.below(3) === 0) body.splice(random.below(body.length), 0, 'j 5f; 5: nop');
  /** Behind the branch that ends the loop, too, something may be done. */
  const wayBack = (): string => of('2b 1b 3f').replace('2b', 'bnez s8, 2b').replace('1b', 'bgtz s8, 1b').replace('3f', `beqz s8, 3f; ${computation()}; ${computation()}; j 2b`);
  const start = random.below(3) === 0 ? DATA_END - random.below(600) : DATA + 8 * random.below(900);
  return `li s7, 6; lui s6, ${DATA >>> 12}; 0: li a1, ${start}; li s5, ${random.below(5) === 0 ? DATA_END - 4 : DATA + 16}; li s8, ${1 + random.below(120)}; call 1f; addi s7, s7, -1; bnez s7, 0b; ecall
1: ${random.below(3) === 0 ? 'j 2f;' : ''} ${computation()}\n2: ${body.join('; ')}; addi s8, s8, -1; ${wayBack()}; 3: ld a0, 8(s6); add a0, a0, ${any()}; ret`;
}

/** A loop over memory: a1, a2 and s9 move, s5 stands still, t6 comes from memory. */
function randomWalk(random: Random): string {
  const of = (names: string): string => names.split(' ')[random.below(names.split(' ').length)]!;
  const any = (): string => of('a3 a4 a5 t0 t1 t2');
  const float = (): string => of('fa0 fa1 fa2 ft0');
  const step = (register: string): string => `addi ${register}, ${register}, ${of('1 2 4 8 8 16 24 64 -1 -4 -8 -8 -24 511 -512')}`;
  const place = (): string => `${random.below(3) === 0 ? random.below(400) - 200 : 8 * random.below(4)}(${of('a1 a1 a1 a2 a2 s9 s5')})`;
  const table = (): string => {
    const index = of('andi srli lbu').replace('andi', `andi t6, ${any()}, ${of('255 31 7 2047')}`).replace('srli', `srli t6, ${any()}, ${of('56 54 60')}`).replace('lbu', `lbu t6, ${place()}`);
    const scaled = random.below(2) === 0 ? '' : `slli t6, t6, ${of('1 2 3')};`;
    return `${index}; ${scaled} add t6, t6, ${of('s5 s5 sp a1 a2')}; ${random.below(4) === 0 ? `sw ${any()}, ${of('0 4 -4')}(t6)` : `${of('ld lw lbu')} ${any()}, ${of('0 4 -4 100')}(t6)`}`;
  };
  const piece = (): string => {
    switch (random.below(12)) {
      case 10: case 11: return table();
      case 0: case 1: case 2: return `${of('lw ld lbu lhu lwu lb')} ${any()}, ${place()}`;
      case 3: case 4: case 5: return `${of('sw sd sb sh')} ${any()}, ${place()}`;
      case 6: return random.below(3) === 0 ? `andi t6, ${any()}, 2040; add t6, t6, s6; ${random.below(2) === 0 ? 'ld t5, 0(t6)' : 'sd t5, 8(t6)'}` : `${of('fld fld flw')} ${float()}, ${place()}`;
      case 7: return `${of('fadd.d fmul.d fsub.d')} ${float()}, ${float()}, ${float()}; ${of('fsd fsw')} ${float()}, ${place()}`;
      default: return `${of('add xor sub addw and')} ${any()}, ${any()}, ${any()}`;
    }
  };
  const body: string[] = [];
  for (let part = 0, parts = 1 + random.below(3); part < parts; part++) {
    const pieces = Array.from({ length: 1 + random.below(3) }, piece);
    if (random.below(2) === 0) body.push(...pieces);
    else body.push(`${of('beq bne blt bgeu')} ${any()}, ${any()}, ${10 + part}f`, ...pieces, `${10 + part}:`);
    if (random.below(3) === 0) body.push(`beq ${any()}, ${any()}, ${of('3f 2b')}`);
  }
  for (const register of ['a1', 'a2', 's9'].slice(0, 1 + random.below(3))) body.splice(random.below(2) === 0 ? body.length : random.below(body.length), 0, step(register));
  /** Mostly not far from the end of a page, on either side of it. */
  const start = (): string => `${DATA + 4096 * random.below(4) + (random.below(4) === 0 ? random.below(4096) : (random.below(300) - 150) * of1248(random)) & (random.below(4) === 0 ? -1 : -8)}`;
  return `li s7, 5; lui s6, ${DATA >>> 12}; 0: li a1, ${start()}; li a2, ${start()}; li s9, ${start()}; li s5, ${start()}; li s8, ${1 + random.below(900)}; call 1f; addi s7, s7, -1; bnez s7, 0b; ecall
1: ${random.below(4) === 0 ? 'j 4f;' : ''} li a3, 3\n2: addi s8, s8, -1; beqz s8, 3f\n4: ${body.join('\n ')}\n ${random.below(2) === 0 ? 'bnez s8, 2b' : 'j 2b'}\n 3: add a0, a3, a4; ret`;
}

/** A loop full of short ways around plain instructions, one arm or two: they move what is loaded and stored through, what branches compare, what loops count. */
function randomChoices(random: Random): string {
  const of = (names: string): string => names.split(' ')[random.below(names.split(' ').length)]!;
  const any = (): string => of('a0 a2 a3 a4 a5 t0 t1');
  /** What the loop walks through moves by the same each round, so that there can be strips of rounds. */
  const isSteady = random.below(2) === 0;
  const plain = (): string => {
    switch (random.below(7)) {
      case 0: return isSteady ? `addi ${any()}, ${any()}, 1` : `addi a1, a1, ${of('8 -8 16 4')}`;
      case 1: return `${of('mv not neg sext.w seqz negw')} ${any()}, ${any()}`;
      case 2: return `li ${any()}, ${of('0 1 -1 5 4096 0x7ffff000')}`;
      case 3: return `${of('slli srli srai slliw sraiw')} ${any()}, ${any()}, ${1 + random.below(31)}`;
      case 4: return `${of('addi xori andi ori addiw slti sltiu')} ${any()}, ${any()}, ${random.below(4096) - 2048}`;
      case 5: return of('nop').repeat(random.below(5) === 0 ? 1 : 0) || `addi s8, s8, ${of('-1 -2')}`;
      default: return `${of('add sub xor or and addw subw sll srl slt sltu mul')} ${any()}, ${any()}, ${any()}`;
    }
  };
  const arm = (): string => Array.from({ length: 1 + random.below(random.below(3) === 0 ? 4 : 2) }, plain).join('; ');
  const memory = (): string => random.below(2) === 0 ? `${of('ld lw lbu')} ${any()}, ${8 * random.below(3)}(a1)` : `${of('sd sw sb')} ${any()}, ${8 * random.below(3)}(a1)`;
  let label = 10;
  const piece = (): string => {
    const [a, b] = [label++, label++];
    const branch = `${of('beq bne blt bge bltu bgeu')} ${any()}, ${random.below(3) === 0 ? 'zero' : any()}`;
    switch (random.below(5)) {
      case 0: return memory();
      case 1: return plain();
      case 2: return `${branch}, ${a}f; ${arm()}; j ${b}f; ${a}: ${arm()}; ${b}:`;
      default: return `${branch}, ${a}f; ${arm()}; ${a}:`;
    }
  };
  const body = Array.from({ length: 1 + random.below(random.below(2) === 0 ? 3 : 9) }, piece);
  if (isSteady) body.splice(random.below(body.length), 0, memory());
  if (isSteady || random.below(2) === 0) body.splice(random.below(2) === 0 ? body.length : random.below(body.length), 0, `addi a1, a1, ${of('4 8 8 16 -8')}`);
  if (random.below(2) === 0) body.splice(random.below(body.length), 0, 'mul a5, a5, s6; add a5, a5, a2; srli t1, a5, 33');
  return `li s7, 7; li s6, 0x5851f42d4c957f2d; 0: li a1, ${DATA + 64 + 8 * random.below(1500)}; li s8, ${1 + random.below(400)}; addi a2, a2, 77; slli a3, a2, 7; call 1f; addi s7, s7, -1; bnez s7, 0b; ecall
1: ${random.below(3) === 0 ? 'beqz a2, 2f; li a4, 9;' : ''}
2: ${body.join('\n ')}\n addi s8, s8, -1; ${of('bgtz bgez bgtz')} s8, 2b; add a0, a3, a4; ret`;
}

/** Blocks that go to each other at random, entered at several: loops with several entries. s8 ends it. */
function randomKnot(random: Random): string {
  const of = (names: string): string => names.split(' ')[random.below(names.split(' ').length)]!;
  const any = (): string => of('a0 a2 a3 a4 a5 t0 t1');
  const blocks = 3 + random.below(8);
  const label = (): string => `${20 + random.below(blocks)}`;
  const computation = (): string => random.below(3) === 0 ? `${of('mv sext.w not')} ${any()}, ${any()}` : of('sd ld add add') === 'sd' ? `sd ${any()}, ${8 * random.below(4)}(a1)` : random.below(4) === 0 ? `ld ${any()}, ${8 * random.below(4)}(a1)` : `${of('add sub xor and addw subw mul srl')} ${any()}, ${any()}, ${any()}`;
  const body = Array.from({ length: blocks }, (_, index) => {
    const work = Array.from({ length: random.below(4) }, computation).map((piece) => `${piece}; `).join('');
    const target = (): string => { const number = label(); return `${number}${Number(number) > 20 + index ? 'f' : 'b'}`; };
    return `${20 + index}: ${work}addi s8, s8, -1; blez s8, 3f; ${of('blt bltu beq bge')} ${any()}, ${any()}, ${target()}; ${random.below(2) === 0 ? `j ${target()}` : ''}`;
  });
  return `li s7, 9; li a1, ${DATA}; 0: li s8, ${1 + random.below(300)}; addi a2, a2, 77; slli a3, a2, 7; call 1f; addi s7, s7, -1; bnez s7, 0b; ecall
1: ${of('blt bltu bne')} ${any()}, ${any()}, ${label()}f; ${of('blt bltu bne')} ${any()}, ${any()}, ${label()}f; ${random.below(2) === 0 ? `j ${label()}f` : ''}
${body.join('\n')}\n j 20b\n 3: add a0, a3, a4; ret`;
}

function of1248(random: Random): number {
  return 1 << random.below(4);
}

function check(seed: number, slice: (random: Random) => number, program: (random: Random) => string = randomLoop): number {
  const random = new Random(seed);
  const code = assemble(program(random));
  const pair = new LockstepPair(code, 1 + random.below(4), { isLate: random.below(3) === 0 });
  pair.each((cpu) => riscv64.abi.startProgram(cpu.state, { entry: CODE, stackPointer: DATA + 8192 }));
  if (program === randomWalk && random.below(4) === 0) {
    const page = (DATA >>> 12) + random.below(3);
    pair.each((cpu) => { cpu.memory.setRights(page, 1, PAGE_FLAG.read); });
  }
  let stop: number = STOP.budget;
  for (let turn = 0; stop === STOP.budget && turn < TURNS_MAX; turn++) {
    const outcome = pair.run(slice(random));
    expect(outcome.difference, `seed ${seed}, turn ${turn}`).toBeUndefined();
    stop = outcome.stop;
  }
  return pair.translated;
}

it.each([['whole', () => 1_000_000], ['in random slices', (random: Random) => 1 + random.below(400)], ['in larger slices', (random: Random) => 1 + random.below(9000)]] as const)('random walks over memory, %s', (_name, slice) => {
  let translated = 0;
  for (let index = 0; index < PROGRAMS; index++) translated += check(SEED + index, slice, randomWalk);
  expect(translated).toBeGreaterThan(1000 * PROGRAMS / 8);
}, isSlow ? 1_200_000 : 60_000);

it.each([['whole', () => 1_000_000], ['in random slices', (random: Random) => 1 + random.below(400)]] as const)('random loops with several entries, %s', (_name, slice) => {
  let translated = 0;
  for (let index = 0; index < 4 * PROGRAMS; index++) translated += check(SEED + index, slice, randomKnot);
  expect(translated).toBeGreaterThan(100 * PROGRAMS);
}, isSlow ? 1_200_000 : 60_000);

it.each([['whole', () => 1_000_000], ['in random slices', (random: Random) => 1 + random.below(400)], ['in larger slices', (random: Random) => 1 + random.below(9000)]] as const)('random choices, %s', (_name, slice) => {
  let translated = 0;
  for (let index = 0; index < 3 * PROGRAMS; index++) translated += check(SEED + index, slice, randomChoices);
  expect(translated).toBeGreaterThan(1000 * PROGRAMS);
}, isSlow ? 1_200_000 : 60_000);

it.each([['whole', () => 1_000_000], ['in random slices', (random: Random) => 1 + random.below(400)]] as const)('random loops, %s', (_name, slice) => {
  let translated = 0;
  for (let index = 0; index < PROGRAMS; index++) translated += check(SEED + index, slice);
  expect(translated).toBeGreaterThan(1000 * PROGRAMS / 4);
}, isSlow ? 1_200_000 : 60_000);

/** A loop that walks off the mapped pages: with loads, with stores, or with both through one register; each at most once a round, at one offset. */
function walkOff({ access, offset, step, start }: { readonly access: string; readonly offset: number; readonly step: number; readonly start: number }): string {
  const loops = access.replaceAll('@', `${offset}(a1)`);
  return `li a1, ${start}; li s8, 3000; call 1f; ecall
1: li a3, 3\n2: ${loops}; addi a1, a1, ${step}; addi s8, s8, -1; bnez s8, 2b; ret`;
}

it.each(['ld a4, @', 'sd s8, @', 'sh s8, @', 'lbu a4, @; sb s8, @', 'lw a4, @; addi a5, a4, 1; sd a5, @', 'beqz a3, 4f; sw s8, @; 4: ld a4, @',
  'lbu t5, 0(a1); andi t5, t5, 255; slli t5, t5, 3; add t5, t5, a1; ld a4, @ ', 'andi t5, s8, 127; add t5, t5, a1; sd s8, -8(t5); lbu a4, 0(a1)', 'srli t5, s8, 54; add t5, a1, t5; mv t6, t5; ld a5, 64(t5); lbu a4, 0(a1)'])('walks off the pages exactly where the interpreter does: %s', (access) => {
  let translated = 0;
  let count = 0;
  for (const step of [1, 4, 8, 16, 24, -1, -4, -8, -24]) {
    for (const offset of [0, 5, -7]) {
      for (const shift of [0, 1, 4]) {
        if (!isSlow && count++ % 7 !== 0) continue; // Every step, offset and shift is among them.
        const start = DATA + 4096 + shift + (step > 0 ? 2000 : 1000);
        const pair = new LockstepPair(assemble(walkOff({ access, offset, step, start })), 1);
        pair.each((cpu) => {
          riscv64.abi.startProgram(cpu.state, { entry: CODE, stackPointer: DATA + 8192 });
          cpu.memory.setRights((DATA >>> 12) + (step > 0 ? 2 : 0), 1, shift === 1 ? 0 : PAGE_FLAG.read);
        });
        for (let turn = 0, stop: number = STOP.budget; stop === STOP.budget && turn < 4; turn++) {
          const outcome = pair.run(turn === 0 ? 900 : 100_000);
          expect(outcome.difference, `step ${step}, offset ${offset}, shift ${shift}, turn ${turn}`).toBeUndefined();
          stop = outcome.stop;
        }
        translated += pair.translated;
      }
    }
  }
  expect(translated).toBeGreaterThan(isSlow ? 20_000 : 4_000);
});
