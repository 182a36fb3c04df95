/**
 * Interpreter and translator agree on random functions that call each other in every way: directly, through registers and tables, with another link register, as tail calls with and
 * without their frame; that come back in order, with another stack pointer, to another caller, or not at all. Tables of jumps lie on a page of their own, whose
 * entries change between slices. STILLPOINT_SLOW=1 takes more of them.
 */
import { expect, it } from 'vitest';
import { PAGE_FLAG } from '../../src/isa/index.ts';
import { assemble } from '../isa/guest.ts';
import { isSlow, Random, SEED } from '../isa/random.ts';
import { CODE, DATA, LockstepPair, runSlices } from './lockstep-machines.ts';

const PROGRAMS = isSlow ? 600 : 16;
/** Some programs go round for ever. */
const INSTRUCTIONS_MAX = 20_000n;
/** Entries of the tables: four of eight words each, behind the code. */
const TABLE_ENTRIES = 8;
const TABLES = 4;
const TABLE_PAGE = (CODE >>> 12) + 2;
const TABLE_BYTES = TABLE_ENTRIES * 8 + 64;

class Program {
  readonly #random: Random;
  readonly #functions: number;
  #labels = 100;
  readonly #tables: string[] = [];

  constructor(random: Random) {
    this.#random = random;
    this.#functions = 3 + random.below(4);
  }

  #of(names: string): string { return names.split(' ')[this.#random.below(names.split(' ').length)]!; }
  #any(): string { return this.#of('a0 a0 a1 a2 a3 s1'); }
  #function(): string { return `f${this.#random.below(this.#functions)}`; }
  #oneIn(count: number): boolean { return this.#random.below(count) === 0; }

  #compute(): string {
    if (this.#oneIn(6)) return `${this.#of('ld sd')} ${this.#any()}, ${8 * this.#random.below(4)}(s6)`;
    return this.#oneIn(3) ? `addi ${this.#any()}, ${this.#any()}, ${this.#random.below(200) - 100}` : `${this.#of('add sub xor and or addw mul')} ${this.#any()}, ${this.#any()}, ${this.#any()}`;
  }

  /** A jump through a table of distances or of addresses to places of this function, and now and then to another one or to nowhere. */
  #table(): string {
    const [first, size, table] = [this.#labels, this.#of('4 8'), this.#tables.length];
    if (table === TABLES) return this.#compute();
    const count = 2 + this.#random.below(4);
    this.#labels += count + 1;
    const targets = Array.from({ length: TABLE_ENTRIES }, () => (this.#oneIn(20) ? this.#function() : `L${first + this.#random.below(count)}`));
    this.#tables.push(targets.map((target) => (this.#oneIn(40) ? `.${size}byte 0x87654321` : size === '4' ? `.word ${target} - T${table}` : `.dword ${target}`)).join('\n'));
    const [index, base] = ['t2', this.#of('t3 t3 s9')];
    const mask = this.#oneIn(8) ? 15 : 7;
    const other = this.#oneIn(3) ? `beqz ${this.#any()}, L${first + count}; addi ${base}, ${base}, ${this.#of('4 8 8 8 16')}; L${first + count}:` : `L${first + count}:`;
    const bound = this.#oneIn(3) ? `li t4, ${TABLE_ENTRIES - 1}; bltu t4, ${index}, L${first};` : '';
    const load = size === '4' ? `lw ${index}, 0(${index}); add ${index}, ${index}, ${base}` : `ld ${index}, 0(${index})`;
    const scale = this.#oneIn(3) ? `sh${size === '4' ? 2 : 3}add ${index}, ${index}, ${base}` : `slli ${index}, ${index}, ${size === '4' ? 2 : 3}; add ${index}, ${index}, ${base}`;
    const blocks = Array.from({ length: count }, (_, block) => `L${first + block}: ${this.#compute()}; ${this.#oneIn(3) ? `j L${first + this.#random.below(count)}f` : ''}`);
    return `addi s8, s8, -1; bltz s8, bail; andi ${index}, ${this.#any()}, ${mask}; ${bound} lla ${base}, T${table}; ${other} ${scale}; ${load}; jr ${index}; ${blocks.map((block) => block.replace(/j L(\d+)f/, 'j L$1')).join('; ')}`;
  }

  #piece(hasFrame: boolean): string {
    switch (this.#random.below(12)) {
      case 0: case 1: case 2: return hasFrame || this.#oneIn(4) ? `call ${this.#function()}` : this.#compute();
      case 3: return hasFrame ? `lla t1, ${this.#function()}; jalr t1` : this.#compute();
      case 4: return `jal t0, ${this.#of('m0 m1 m2')}`;
      case 5: case 6: case 10: case 11: return this.#table();
      case 7: return this.#oneIn(3) ? `${this.#of('beqz bltz')} ${this.#any()}, ${this.#function()}` : this.#compute();
      case 8: { const label = this.#labels++; return `bltz ${this.#any()}, L${label}; ${this.#compute()}; L${label}:`; }
      case 9: return this.#oneIn(12) ? 'li a7, 1; csrr t1, fflags' : this.#compute();
      default: return this.#compute();
    }
  }

  #body(name: string): string {
    const hasFrame = !this.#oneIn(4);
    const pieces = Array.from({ length: 1 + this.#random.below(6) }, () => this.#piece(hasFrame));
    const frame = hasFrame ? 'addi sp, sp, -32; sd ra, 8(sp); sd s1, 16(sp)' : '';
    const restore = hasFrame ? `ld ra, 8(sp); ${this.#oneIn(5) ? '' : 'ld s1, 16(sp);'} addi sp, sp, ${this.#oneIn(25) ? 16 : 32}` : '';
    const end = this.#oneIn(5) ? `${this.#oneIn(3) ? '' : restore}; j ${this.#function()}` : `${this.#oneIn(25) ? '' : restore}; ${this.#oneIn(30) ? 'addi ra, ra, 4;' : ''} ret`;
    return `${name}: addi s8, s8, -1; bltz s8, bail; ${frame}; ${pieces.join('; ')}; ${end}`;
  }

  text(): string {
    const bodies = Array.from({ length: this.#functions }, (_, index) => this.#body(`f${index}`));
    const tables = this.#tables.map((entries, table) => `.org ${TABLE_PAGE * 4096 - CODE + table * TABLE_BYTES}; T${table}:\n${entries}`);
    return `li s7, 12; lui s6, ${DATA >>> 12}; mv s11, sp; 0: li s8, ${20 + this.#random.below(400)}; addi a0, a0, 3; slli a1, s7, 2; call f0; done: addi s7, s7, -1; bnez s7, 0b; ecall
bail: mv sp, s11; j done
m0: addi sp, sp, -16; sd s1, 0(sp); jr t0
m1: ld s1, 0(sp); addi sp, sp, 16; jr t0
m2: addi a0, a0, 1; jr t0
${bodies.join('\n')}
.org ${TABLE_PAGE * 4096 - CODE}
${tables.join('\n')}
.org ${(TABLE_PAGE + 1) * 4096 - CODE}`;
  }
}

/** Exchanges two words of a table, as a program would: it may be written to for as long. */
function changeTables(pair: LockstepPair, random: Random): void {
  const table = TABLE_PAGE * 4096 + random.below(TABLES) * TABLE_BYTES;
  const at = (): number => table + 8 * random.below(TABLE_ENTRIES);
  const [first, second] = [at(), at()];
  const staysWritable = random.below(4) === 0;
  pair.each(({ memory }) => {
    memory.setRights(TABLE_PAGE, 1, PAGE_FLAG.read | PAGE_FLAG.write);
    const [a, b] = [memory.readU64(first)!, memory.readU64(second)!];
    memory.writeU64(first, b);
    memory.writeU64(second, a);
    if (!staysWritable) memory.setRights(TABLE_PAGE, 1, PAGE_FLAG.read);
  });
}

const SOON = (random: Random): number => 1 + random.below(4);
/** Much is called from translated code before it is translated. */
const LATE = (random: Random): number => 10 + random.below(80);

function check(seed: number, slice: (random: Random) => number, hotLimit: (random: Random) => number): number {
  const random = new Random(seed);
  const pair = new LockstepPair(assemble(new Program(random).text()), hotLimit(random), { isLate: random.below(3) === 0 });
  runSlices(pair, { most: INSTRUCTIONS_MAX, slice: () => slice(random), seed }, () => { if (random.below(3) === 0) changeTables(pair, random); });
  return pair.translated;
}

it.each([
  ['whole', () => Number(INSTRUCTIONS_MAX), SOON], ['in random slices', (random: Random) => 1 + random.below(300), SOON], ['in larger slices', (random: Random) => 1 + random.below(5000), SOON],
  ['of cold code, whole', () => Number(INSTRUCTIONS_MAX), LATE], ['of cold code, in slices', (random: Random) => 1 + random.below(5000), LATE],
] as const)('random calls and tables, %s', (_name, slice, hotLimit) => {
  let translated = 0;
  for (let index = 0; index < PROGRAMS; index++) translated += check(SEED + index, slice, hotLimit);
  expect(translated).toBeGreaterThan(hotLimit === SOON ? 100 * PROGRAMS : 0);
}, isSlow ? 1_200_000 : 60_000);
