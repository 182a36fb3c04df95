/**
 * Atomics, translated and in the WebAssembly interpreter, give the interpreter's registers, memory, reservations and faults: random loops of every atomic
 * with stores and loads between them, whole and in random slices, over good places, clean pages, pages without a right, misaligned places and places beyond
 * the address space. STILLPOINT_SLOW=1 takes more of them.
 */
import { expect, it } from 'vitest';
import { PAGE_FLAG, riscv64, STOP } from '../../src/isa/index.ts';
import { assemble } from '../isa/guest.ts';
import { Random } from '../isa/float-cases.ts';
import { isSlow, SEED } from '../isa/random.ts';
import { CODE, DATA, LockstepPair, type Second } from './lockstep-machines.ts';

const PROGRAMS = isSlow ? 400 : 24;
const TURNS = 60;
const MODIFY = 'amoswap amoadd amoxor amoand amoor amomin amomax amominu amomaxu'.split(' ');

/** a1, a2, a3 point to doublewords in a page that may be written; `bad` goes somewhere else, and is used rarely: what it does ends the run. */
function randomLoop(random: Random, bad: string): string {
  const register = (): string => random.pick(['a4', 'a5', 't1', 't2', 's3', 'zero']);
  const base = (): string => random.pick(['a1', 'a1', 'a2', 'a3']);
  const width = (): string => random.pick(['w', 'd']);
  const piece = (): string => {
    switch (random.below(8)) {
      case 0: case 1: case 2: return `${random.pick(MODIFY)}.${width()}${random.pick(['', '.aqrl'])} ${register()}, ${register()}, (${base()})`;
      case 3: {
        const [place, size] = [base(), width()];
        return `lr.${size} ${register()}, (${place}); ${random.pick(['', 'add t1, t1, a4; ', `sd t2, 8(${base()}); `])}sc.${random.below(4) === 0 ? width() : size} ${register()}, ${register()}, (${random.below(4) === 0 ? base() : place})`;
      }
      case 4: return `sc.${width()} ${register()}, ${register()}, (${base()})`;
      case 5: return `${random.pick(['ld', 'lw', 'lwu'])} ${random.pick(['a4', 't1'])}, ${4 * random.below(4)}(${base()})`;
      case 6: return `${random.pick(['sd', 'sw'])} ${register()}, ${8 * random.below(2)}(${base()})`;
      default: return `${random.pick(['add', 'xor', 'sub', 'addw', 'slt'])} ${random.pick(['a4', 'a5', 't1', 't2', 's3'])}, ${register()}, ${register()}`;
    }
  };
  const body = Array.from({ length: 3 + random.below(8) }, piece);
  const last = `${random.pick([...MODIFY, 'lr', 'sc'])}.${width()}`;
  const end = `${last} t3, ${last.startsWith('lr') ? '' : 't1, '}(a6)`;
  return `li a1, ${DATA}; li a2, ${DATA + 8}; li a3, ${DATA + 16 + 8 * random.below(400)}; li s8, ${TURNS}
1: ${body.join('; ')}; addi s8, s8, -1; bnez s8, 1b; li a6, ${bad}; ${end}; lr.d t4, (a1); ${end}; ecall`;
}

/** A good place, a page without a right, no page, misaligned, upper bits, at the end of everything. */
const PLACES = [DATA + 24, DATA + 4096 + 64, DATA + 2 * 4096, 0x80000, 0x10000, 0, DATA + 2, DATA + 4, DATA + 4092, `${DATA} + 0x100000000`, '-8', '-4'].map(String);

const ENGINES: readonly Second[] = [2, 'wasm'];

for (const second of ENGINES) {
  for (const sliced of [false, true]) {
    it(`random loops of atomics, ${second === 'wasm' ? 'interpreted by WebAssembly' : 'translated'}, ${sliced ? 'in random slices' : 'whole'}`, () => {
      let translated = 0;
      for (let program = 0; program < PROGRAMS; program++) {
        const random = new Random(SEED + 7000 + program);
        const pair = new LockstepPair(assemble(randomLoop(random, PLACES[program % PLACES.length]!)), second, { isLate: program % 3 === 2 });
        const rights = random.pick([PAGE_FLAG.read, PAGE_FLAG.read | PAGE_FLAG.write, 0]);
        pair.each((cpu) => {
          cpu.memory.setRights((DATA >>> 12) + 1, 1, rights);
          riscv64.abi.startProgram(cpu.state, { entry: CODE, stackPointer: DATA + 4096 });
        });
        for (let stop: number = STOP.budget; stop === STOP.budget;) {
          const result = pair.run(sliced ? 1 + random.below(120) : 100_000);
          expect(result.difference, `program ${program}`).toBeUndefined();
          stop = result.stop;
          if (random.below(8) === 0) pair.each((cpu) => { cpu.memory.clearDirty(); });
        }
        translated += pair.translated;
      }
      if (second !== 'wasm') expect(translated).toBeGreaterThan(PROGRAMS * 200);
    }, isSlow ? 600_000 : 60_000);
  }
}
