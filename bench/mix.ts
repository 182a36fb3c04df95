/**
 * What a program of bench/programs.ts spends its instructions on: shares by kind, by mnemonic (compressed forms as what they expand to) and by function,
 * sampled from the reference interpreter at the instruction after every few hundred (a drawn number, so that no loop keeps step).
 *
 *   node --import ./scripts/typescript-loader.mjs bench/mix.ts NAME… [--millions N]
 *
 * Quick sizes, at most N million instructions (default 300): 1 % is known to about 0.02 % then. What this does NOT do: measure time.
 */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { BIAS, CONTROL, STOP, type CpuMemory, type CpuState, type Executor, type Isa, type Stop } from '../src/isa/index.ts';
import { decode, newDecoded, type Decoded } from '../src/isa/riscv/decode.ts';
import { INSTRUCTIONS } from '../src/isa/riscv/instruction-table.ts';
import { riscv64 } from '../src/isa/riscv/index.ts';
import { runGuest } from '../test/posix/process/run-guest.ts';
import { buildProgram, PROGRAMS, type Program } from './programs.ts';

const STEP_MAX = 512; // Instructions between samples: 1 to this many.
const MEMORY_BYTES = 1 << 30;
const RA = 1;

/** Runs in short steps and counts the pc after each. */
class Sampler implements Executor {
  readonly #inner: Executor;
  readonly #state: CpuState;
  readonly #counts: Map<number, number>;
  #seed = 1;
  executed = 0;

  constructor(inner: Executor, parts: { readonly state: CpuState; readonly counts: Map<number, number> }) {
    this.#inner = inner;
    this.#state = parts.state;
    this.#counts = parts.counts;
  }

  get faultLow(): number { return this.#inner.faultLow; }
  get faultHigh(): number { return this.#inner.faultHigh; }

  run(budget: number): Stop {
    this.executed = 0;
    while (this.executed < budget) {
      this.#seed = (Math.imul(this.#seed, 1664525) + 1013904223) | 0;
      const stop = this.#inner.run(Math.min(1 + ((this.#seed >>> 8) % STEP_MAX), budget - this.executed));
      this.executed += this.#inner.executed;
      if (stop !== STOP.budget) return stop;
      const pc = this.#state.control[CONTROL.pc]! >>> 0;
      this.#counts.set(pc, (this.#counts.get(pc) ?? 0) + 1);
    }
    return STOP.budget;
  }

  dropCaches(): void { this.#inner.dropCaches(); }
  forgetProgram(): void { this.dropCaches(); }
}

function kindOf(decoded: Decoded): string {
  if (decoded.operation < 0) return 'illegal';
  const { format, mnemonic } = INSTRUCTIONS[decoded.operation]!;
  if (mnemonic === 'jal') return decoded.rd === 0 ? 'jump' : 'call';
  if (mnemonic === 'jalr') return decoded.rd !== 0 ? 'indirect call' : decoded.rs1 === RA ? 'return' : 'indirect jump';
  if (format === 'Branch') return 'branch';
  if (format === 'Load' || format === 'FloatLoad') return 'load';
  if (format === 'Store' || format === 'FloatStore') return 'store';
  if (format.startsWith('Csr')) return 'csr';
  if (format.includes('Float')) return 'float';
  if (/^(mul|div|rem)/.test(mnemonic)) return 'multiply, divide';
  return format === 'Atomic' || format === 'LoadReserved' ? 'atomic' : 'integer';
}

interface Symbol { readonly address: number; readonly name: string }

function readSymbols(file: string): readonly Symbol[] {
  const text = execFileSync('riscv64-linux-gnu-nm', ['-C', '--defined-only', '--numeric-sort', file], { encoding: 'utf8', maxBuffer: 1 << 26 });
  return text.split('\n').map((line) => line.split(' ')).filter(([, type]) => /^[tTwWi]$/.test(type ?? '')).map(([address, , name]) => ({ address: Number.parseInt(address!, 16), name: name! }));
}

function symbolAt(symbols: readonly Symbol[], address: number): string {
  let [low, high] = [0, symbols.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (symbols[middle]!.address <= address) low = middle + 1;
    else high = middle;
  }
  return symbols[low - 1]?.name ?? '?';
}

function top(counts: ReadonlyMap<string, number>, size: number): string {
  const total = [...counts.values()].reduce((sum, count) => sum + count, 0);
  return [...counts].sort(([, a], [, b]) => b - a).slice(0, size).map(([name, count]) => `${name} ${((count / total) * 100).toFixed(1)}`).join(', ');
}

function printMix(program: Program, instructionsMax: number): void {
  const { guest, input } = buildProgram(program, false);
  const counts = new Map<number, number>();
  const views: { memory?: CpuMemory } = {};
  const isa: Isa = { ...riscv64, createInterpreter: (memory, state) => (views.memory = memory, new Sampler(riscv64.createInterpreter(memory, state), { state, counts })) };
  const result = runGuest(readFileSync(guest), { argv: [program.name, ...program.quick], stdin: input ?? new Uint8Array(0), memoryBytes: MEMORY_BYTES, instructionsMax, isa });
  const symbols = readSymbols(guest);
  const [kinds, mnemonics, functions] = [new Map<string, number>(), new Map<string, number>(), new Map<string, number>()];
  const decoded = newDecoded();
  for (const [pc, count] of counts) {
    const { u16 } = views.memory!; // A guest that was sampled has a memory.
    decode(u16[(pc - BIAS) >>> 1]! | (u16[(pc + 2 - BIAS) >>> 1]! << 16), decoded);
    const names = [[kinds, kindOf(decoded)], [mnemonics, INSTRUCTIONS[decoded.operation]?.mnemonic ?? 'illegal'], [functions, symbolAt(symbols, pc)]] as const;
    for (const [map, name] of names) map.set(name, (map.get(name) ?? 0) + count);
  }
  console.log(`${program.name}: ${(Number(result.retired) / 1e6).toFixed(0)} million instructions, ${result.outcome}; shares in %\n  kinds      ${top(kinds, 12)}\n  mnemonics  ${top(mnemonics, 16)}\n  functions  ${top(functions, 10)}`);
}

const { values, positionals } = parseArgs({ allowPositionals: true, options: { millions: { type: 'string', default: '300' } } });
const unknown = positionals.filter((name) => !PROGRAMS.some((program) => program.name === name));
if (unknown.length > 0 || positionals.length === 0) throw new Error(`${positionals.length === 0 ? 'name a program' : `unknown: ${unknown.join(', ')}`}; programs are ${PROGRAMS.map(({ name }) => name).join(', ')}`);
for (const name of positionals) printMix(PROGRAMS.find((program) => program.name === name)!, Number(values.millions) * 1e6);
