/**
 * One floating-point instruction as a test case: which instructions there are, what they read and write, and how to run one through a handler.
 * Register values are unsigned 64-bit bigints. What this does NOT do: choose operands (float-cases.ts) or know an oracle.
 */
import { CONTROL, CPU_STATE_BYTES, CPU_STATE_OFFSET, type CpuState } from '../../src/isa/index.ts';
import { floatHandlers } from '../../src/isa/riscv/float/index.ts';

/** Kind of a register: float of a format, 32-bit or 64-bit integer, or none. Floats occupy the whole register, boxed or not. */
export type Kind = 's' | 'd' | 'w' | 'l';

export interface Instruction {
  readonly mnemonic: string;
  /** Kinds of rs1, rs2, rs3. An integer source is always rs1. */
  readonly sources: readonly Kind[];
  readonly target: Kind;
  /** False: the rounding mode is no operand. */
  readonly rounds: boolean;
}

const isInteger = (kind: Kind): boolean => kind === 'w' || kind === 'l';

function perFormat(kind: 's' | 'd'): Instruction[] {
  const make = (names: string, sources: readonly Kind[], target: Kind, rounds: boolean): Instruction[] =>
    names.split(' ').map((name) => ({ mnemonic: name.includes('.') ? name : `${name}.${kind}`, sources, target, rounds }));
  return [
    ...make('fadd fsub fmul fdiv', [kind, kind], kind, true), ...make('fsqrt', [kind], kind, true),
    ...make('fmadd fmsub fnmsub fnmadd', [kind, kind, kind], kind, true),
    ...make('fmin fmax fsgnj fsgnjn fsgnjx', [kind, kind], kind, false), ...make('feq flt fle', [kind, kind], 'l', false),
    ...make('fclass', [kind], 'l', false),
    ...make('fcvt.w fcvt.wu fcvt.l fcvt.lu'.split(' ').map((name) => `${name}.${kind}`).join(' '), [kind], 'l', true),
    ...make(`fcvt.${kind}.w fcvt.${kind}.wu`, ['w'], kind, true), ...make(`fcvt.${kind}.l fcvt.${kind}.lu`, ['l'], kind, true),
  ];
}

/** Every instruction of the contract. */
export const INSTRUCTIONS: readonly Instruction[] = [
  ...perFormat('s'), ...perFormat('d'),
  { mnemonic: 'fcvt.s.d', sources: ['d'], target: 's', rounds: true },
  { mnemonic: 'fcvt.d.s', sources: ['s'], target: 'd', rounds: true },
  { mnemonic: 'fmv.x.w', sources: ['s'], target: 'l', rounds: false },
  { mnemonic: 'fmv.w.x', sources: ['l'], target: 's', rounds: false },
  { mnemonic: 'fmv.x.d', sources: ['d'], target: 'l', rounds: false },
  { mnemonic: 'fmv.d.x', sources: ['l'], target: 'd', rounds: false },
];
export const instruction = (mnemonic: string): Instruction => INSTRUCTIONS.find((one) => one.mnemonic === mnemonic)!;

export interface Case {
  readonly instruction: Instruction;
  readonly rm: number;
  /** Accrued flags before. */
  readonly flags: number;
  readonly operands: readonly [bigint, bigint, bigint];
}
export interface Outcome {
  readonly value: bigint;
  /** Accrued flags after. */
  readonly flags: number;
}

export function createState(): CpuState {
  const buffer = new ArrayBuffer(CPU_STATE_BYTES);
  const { x, f, control } = CPU_STATE_OFFSET;
  return {
    x: new Int32Array(buffer, x, 64), f: new Int32Array(buffer, f, 64), f64: new Float64Array(buffer, f, 32), f32: new Float32Array(buffer, f, 64),
    control: new Int32Array(buffer, control, 64),
  };
}

/** All 192 words of a register block. */
export function words(state: CpuState): Int32Array {
  return new Int32Array(state.x.buffer);
}

export function putRegister(file: Int32Array, index: number, value: bigint): void {
  file[2 * index] = Number(BigInt.asIntN(32, value));
  file[2 * index + 1] = Number(BigInt.asIntN(32, value >> 32n));
}

export function getRegister(file: Int32Array, index: number): bigint {
  return (BigInt(file[2 * index + 1]! >>> 0) << 32n) | BigInt(file[2 * index]! >>> 0);
}

const state = createState();

/** Runs the case through floatHandlers with operands in registers 1, 2, 3 and the target `rd` (which may be one of them). */
export function execute(one: Case, rd = 4): Outcome {
  const { mnemonic, sources, target } = one.instruction;
  one.operands.forEach((operand, index) => putRegister(isInteger(sources[index] ?? 'd') ? state.x : state.f, index + 1, operand));
  state.control[CONTROL.fcsr] = (one.rm << 5) | one.flags;
  floatHandlers[mnemonic]!(state, rd, 1, 2, 3, one.rm);
  const fcsr = state.control[CONTROL.fcsr]!;
  return { value: getRegister(isInteger(target) ? state.x : state.f, rd), flags: fcsr & 31 };
}

const hex = (value: bigint): string => `0x${value.toString(16).padStart(16, '0')}`;

/** A case as a line of text, for failure messages. */
export function describeCase(one: Case): string {
  const operands = one.operands.slice(0, one.instruction.sources.length).map(hex);
  return `${one.instruction.mnemonic} rm=${one.rm} flags=${one.flags} ${operands.join(' ')}`;
}

export const describeOutcome = (outcome: Outcome): string => `${hex(outcome.value)} flags=${outcome.flags}`;
