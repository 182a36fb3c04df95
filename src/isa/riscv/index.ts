/** isa/riscv: RV64GC with Zba, Zbb, Zbs and Zicond, as one Isa. */
import type { Isa } from '../cpu.ts';
import { riscv64Abi } from './abi.ts';
import { disassemble } from './disassemble.ts';
import { Interpreter } from './interpreter.ts';

export const riscv64: Isa = {
  name: 'riscv64',
  abi: riscv64Abi,
  createInterpreter: (memory, state) => new Interpreter(memory, state),
  disassemble,
};

export { PAUSE, ProfilingInterpreter, type Pause } from './profiling-interpreter.ts';
export { liftUnit, stubModule, type Unit } from './lift-unit.ts';
export { REASON, TARGETS, type UnitLayout } from './lift-layout.ts';
