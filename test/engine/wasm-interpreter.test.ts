/**
 * The WebAssembly interpreter against the TypeScript one, instruction by instruction on chosen operands, and as the cold tier of a translating driver:
 * the same pauses at marked entries and hot targets. lockstep.test.ts compares them on streams.
 */
import { describe, expect, it } from 'vitest';
import { Cpu, GuestMemory, interpretingInWasm, WasmTier } from '../../src/engine/index.ts';
import { PAGE_FLAG, ProfilingInterpreter, riscv64, STOP, type ColdInterpreter } from '../../src/isa/index.ts';
import { INSTRUCTIONS, type InstructionRow } from '../../src/isa/riscv/instruction-table.ts';
import { PAUSE } from '../../src/isa/riscv/machine.ts';
import { LOOP_OPERATIONS } from '../../src/isa/riscv/wasm-interpreter/handlers.ts';
import { assemble } from '../isa/guest.ts';
import { doubleBits, EDGES, Random as FloatRandom, randomCase, singleBits } from '../isa/float-cases.ts';
import { instruction, INSTRUCTIONS as FLOAT_INSTRUCTIONS, putRegister } from '../isa/float-machine.ts';
import { isSlow, Random, SEED } from '../isa/random.ts';
import { CODE, DATA, LockstepPair, randomCode, randomMixedCode } from './lockstep-machines.ts';

const CASES = isSlow ? 1_000_000 : 30_000;
const RM_AT = 12;
const [RD, RS1, RS2, RS3] = [4, 5, 6, 7] as const;

/** The instruction with the test's registers. */
function encode(row: InstructionRow, rm: number): number {
  const fields = (RD << 7) | (RS1 << 15) | (RS2 << 20) | (row.format === 'FloatFusedRounded' ? RS3 << 27 : 0) | (row.format.endsWith('Rounded') ? rm << RM_AT : 0);
  return (row.match | (fields & ~row.mask)) >>> 0;
}

function registers(cpu: Cpu): string {
  return Buffer.from(cpu.save()).toString('hex');
}

const MODES = [0, 1, 2, 3, 4, 7];
const DYNAMIC = MODES.indexOf(7);
const TO_ZERO = 1;

/** Every floating-point instruction in every mode, on both interpreters. */
class FloatBench {
  readonly #pair: LockstepPair;
  readonly #places: ReadonlyMap<string, number>;

  constructor() {
    const rows = INSTRUCTIONS.filter(({ format }) => format.includes('Float') && !['FloatLoad', 'FloatStore'].includes(format));
    const words = new Uint32Array(rows.flatMap((row) => MODES.map((rm) => encode(row, rm))));
    this.#places = new Map(rows.map((row, index) => [row.mnemonic, CODE + index * MODES.length * 4]));
    this.#pair = new LockstepPair(new Uint8Array(words.buffer), 'wasm');
  }

  /** `mode`: index into MODES; fcsr is set to `status`. */
  compare({ mnemonic, mode, status, operands }: { readonly mnemonic: string; readonly mode: number; readonly status: number; readonly operands: readonly bigint[] }, name: string): void {
    const [first, second] = [this.#pair.interpreter, this.#pair.translator].map((cpu) => {
      operands.forEach((operand, position) => {
        putRegister(cpu.state.x, RS1 + position, operand);
        putRegister(cpu.state.f, RS1 + position, operand);
      });
      cpu.state.control[2] = status;
      riscv64.abi.setProgramCounter(cpu.state, this.#places.get(mnemonic)! + 4 * mode);
      return `${cpu.run(1)} ${registers(cpu)}`;
    });
    if (first !== second) expect(second, `${name}, ${mnemonic}, mode ${mode}, fcsr ${status}, ${operands.map((operand) => operand.toString(16)).join()}`).toBe(first);
  }
}

describe('one instruction', () => {
  const bench = new FloatBench();

  it('of floating point gives the same registers and flags in every mode', () => {
    const random = new FloatRandom(SEED);
    for (let index = 0; index < CASES; index++) {
      const { instruction, rm, flags, operands } = randomCase(random);
      const mode = random.below(3) === 0 ? rm : DYNAMIC;
      const frm = random.below(4) === 0 && mode === DYNAMIC ? 5 + random.below(3) : rm;
      bench.compare({ mnemonic: instruction.mnemonic, mode, status: flags | (frm << 5), operands }, `seed ${SEED}, case ${index}`);
    }
  }, 240_000);

  it('of floating point is the same on all edges, with and without the inexact flag', () => {
    const random = new FloatRandom(SEED);
    for (const { mnemonic, sources } of FLOAT_INSTRUCTIONS) {
      const [kind, other = 'd', third = 'd'] = sources;
      for (const operand of EDGES[kind!]) {
        for (const status of [0, 1]) {
          for (const mode of [TO_ZERO, DYNAMIC]) {
            bench.compare({ mnemonic, mode, status, operands: [operand, random.pick(EDGES[other]), random.pick(EDGES[third])] }, 'edge');
          }
        }
      }
    }
  }, 240_000);

  it('of floating point knows which products and sums are exact', () => {
    const random = new FloatRandom(SEED);
    /** A number of a few more or less than `bits` significant bits. */
    const significant = (bits: number): number => (2 ** (bits - 1) + 1 + 2 * random.below(2 ** (bits - 2))) * 2 ** (random.below(9) - 4);
    for (let index = 0; index < CASES / 4; index++) {
      for (const [type, half, encodeNumber] of [['d', 26, doubleBits], ['s', 12, singleBits]] as const) {
        const operands = [0, 1, 2].map(() => encodeNumber(significant(half - 1 + random.below(4)) * (random.below(2) === 0 ? 1 : -1)));
        const mnemonic = random.pick(['fmul', 'fmul', 'fadd', 'fsub', 'fmadd', 'fnmsub']);
        bench.compare({ mnemonic: `${mnemonic}.${type}`, mode: DYNAMIC, status: 0, operands }, `seed ${SEED}, case ${index}`);
      }
    }
  }, 240_000);

  it('of fused multiply and add is the same where it is close to a tie', () => {
    const random = new FloatRandom(SEED);
    for (let index = 0; index < CASES / 2; index++) {
      const one = randomCase(random, { instruction: instruction(random.pick(['fmadd.d', 'fmsub.d', 'fnmsub.d', 'fnmadd.d'])), rm: 0 });
      bench.compare({ mnemonic: one.instruction.mnemonic, mode: DYNAMIC, status: index & 1, operands: one.operands }, `seed ${SEED}, case ${index}`);
    }
  }, 240_000);

  it('of integers gives the same registers', () => {
    const rows = INSTRUCTIONS.filter(({ format }) => ['R', 'Unary', 'I', 'Shift', 'Upper'].includes(format));
    const random = new Random(SEED);
    const words = new Uint32Array(1024).map((_, index) => {
      const row = rows[index % rows.length]!;
      const free = (Number(random.next() & 0xffffffffn) & ~row.mask) >>> 0;
      return (row.match | (free & ~row.mask)) >>> 0;
    });
    const pair = new LockstepPair(new Uint8Array(words.buffer), 'wasm');
    for (let round = 0; round < CASES / 1000; round++) {
      const values = [...Array(32)].map(() => random.operand());
      pair.each((cpu) => {
        for (let register = 1; register < 32; register++) putRegister(cpu.state.x, register, values[register]!);
        riscv64.abi.setProgramCounter(cpu.state, CODE);
      });
      for (let index = 0; index < words.length; index++) {
        pair.each((cpu) => {
          if (index % 8 === 0) for (let register = 1; register < 32; register++) putRegister(cpu.state.x, register, values[(register + index) & 31]!);
          cpu.run(1);
        });
        expect(registers(pair.translator), `seed ${SEED}, word ${words[index]!.toString(16)}`).toBe(registers(pair.interpreter));
      }
    }
  }, 240_000);

  it('has a handler where the translator has a meaning', () => {
    const names = new Set(LOOP_OPERATIONS.map(({ name }) => name.replace(/\.(near|back|far)$/, '')));
    const called = INSTRUCTIONS.filter(({ mnemonic, format }) => !names.has(mnemonic) && !format.startsWith('Csr')).map(({ mnemonic }) => mnemonic);
    // Constants, moves and nops under other names; singles' fused multiply-add and classes through their function.
    expect(called.sort()).toEqual([
      'auipc', 'fclass.d', 'fclass.s', 'fence', 'fence.i', 'fld', 'fmadd.s', 'fmsub.s', 'fmv.d.x', 'fmv.w.x', 'fmv.x.d', 'fmv.x.w', 'fnmadd.s', 'fnmsub.s',
      'fsd', 'fsw', 'lui',
    ]);
  });
});

describe('as a cold tier', () => {
  interface Side { readonly cpu: Cpu; readonly tier: ColdInterpreter }

  /** Two machines whose executors are driven by hand. */
  function sides(code: Uint8Array, hotLimit: number): readonly [Side, Side] {
    const make = (create: (memory: GuestMemory, cpu: Cpu) => ColdInterpreter): Side => {
      const memory = new GuestMemory(0x100000);
      memory.install(CODE, code);
      memory.setRights(CODE >>> 12, Math.ceil(code.length / 4096), PAGE_FLAG.read | PAGE_FLAG.write | PAGE_FLAG.execute);
      memory.setRights(DATA >>> 12, 3, PAGE_FLAG.read | PAGE_FLAG.write);
      const cpu = new Cpu(riscv64, memory);
      riscv64.abi.startProgram(cpu.state, { entry: CODE, stackPointer: DATA + 4096 });
      return { cpu, tier: create(memory, cpu) };
    };
    return [
      make((memory, cpu) => new ProfilingInterpreter(memory, cpu.state, hotLimit)), make((memory, cpu) => new WasmTier(memory, cpu.state, { hotLimit, warmUp: 0 })),
    ];
  }

  const turn = ({ cpu, tier }: Side, budget: number, isPlain: boolean): { readonly stop: number; readonly text: string } => {
    const stop = isPlain ? tier.runPlain(budget) : tier.run(budget);
    const fault = stop >= STOP.breakpoint && stop < PAUSE.enter ? `${tier.faultLow >>> 0} ${tier.faultHigh >>> 0}` : '';
    return { stop, text: `stop ${stop} executed ${tier.executed} fault ${fault} ${registers(cpu)}` };
  };

  it('pauses where the TypeScript interpreter pauses', () => {
    const seen = new Map<number, number>();
    for (let seed = SEED; seed < SEED + (isSlow ? 200 : 12); seed++) {
      const random = new Random(seed);
      const both = sides(seed % 2 === 0 ? randomMixedCode(random) : randomCode(random), 1 + random.below(6));
      const marked: number[] = [];
      for (let step = 0; step < 400; step++) {
        const address = CODE + 2 * random.below(2048);
        if (random.below(4) === 0) {
          marked.push(address);
          both.forEach(({ tier }) => tier.setEntry(address, 0));
        } else if (random.below(40) === 0) {
          for (const entry of marked.splice(0)) both.forEach(({ tier }) => tier.setEntry(entry, undefined));
        }
        const budget = 1 + random.below(60);
        const isPlain = random.below(3) === 0;
        const [first, second] = both.map((side) => turn(side, budget, isPlain)) as [ReturnType<typeof turn>, ReturnType<typeof turn>];
        expect(second.text, `seed ${seed}, step ${step}`).toBe(first.text);
        seen.set(first.stop, (seen.get(first.stop) ?? 0) + 1);
        if (random.below(30) === 0) both[1].tier.dropCaches();
        if (first.stop === STOP.budget || first.stop === PAUSE.hot) continue;
        if (first.stop === PAUSE.enter && random.below(2) === 0) continue;
        const pc = marked.length > 0 && random.below(2) === 0 ? marked[random.below(marked.length)]! : CODE + 2 * random.below(2048);
        both.forEach(({ cpu }) => {
          putRegister(cpu.state.x, 8, BigInt(DATA + 2048));
          putRegister(cpu.state.x, 9, BigInt(DATA + 4096 + 8));
          putRegister(cpu.state.x, 2, BigInt(DATA + 4096));
          riscv64.abi.setProgramCounter(cpu.state, pc);
        });
      }
    }
    for (const stop of [STOP.budget, STOP.loadFault, STOP.illegal, PAUSE.enter, PAUSE.hot]) expect(seen.get(stop) ?? 0, `stop ${stop}`).toBeGreaterThan(20);
  }, 240_000);

  it('counts arrivals together with jumps', () => {
    const [first, second] = sides(assemble('1: j 1b'), 5);
    for (let arrival = 0; arrival < 7; arrival++) {
      expect(second.tier.countArrival(CODE)).toBe(first.tier.countArrival(CODE));
      expect(second.tier.arrivals(CODE)).toBe(arrival + 1);
    }
    turn(second, 3, false);
    turn(first, 3, false);
    expect(second.tier.arrivals(CODE)).toBe(first.tier.arrivals(CODE));
  });
});

describe('going over from the TypeScript interpreter', () => {
  it('shows in nothing, not even in the counters', () => {
    const code = assemble('li a2, 300; 1: rdinstret a0; add a3, a3, a0; rdcycle a1; xor a3, a3, a1; addi a2, a2, -1; bnez a2, 1b; ecall');
    for (const warmUp of [1, 7, 100, 500]) {
      const [plain, other] = [riscv64, interpretingInWasm(riscv64, { warmUp })].map((isa) => {
        const memory = new GuestMemory(0x100000);
        memory.install(CODE, code);
        memory.setRights(CODE >>> 12, 1, PAGE_FLAG.read | PAGE_FLAG.execute);
        const cpu = new Cpu(isa, memory);
        riscv64.abi.startProgram(cpu.state, { entry: CODE, stackPointer: DATA });
        const stops = [cpu.run(83), cpu.run(1_000_000)];
        return `${stops.join()} ${cpu.retired} ${registers(cpu)}`;
      });
      expect(other, `warm-up ${warmUp}`).toBe(plain);
    }
  });
});
