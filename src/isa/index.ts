/** isa: what an instruction means. Nothing outside src/isa/riscv knows a RISC-V register or encoding. */
export {
  BIAS, CONTROL, CPU_STATE_BYTES, CPU_STATE_OFFSET, PAGE_FLAG, STOP, STORE_FAST, STORE_MASK,
  type Abi, type CpuMemory, type CpuState, type Executor, type Isa, type Stop,
} from './cpu.ts';
export {
  liftUnit, PAUSE, ProfilingInterpreter, REASON, riscv64, stubModule, TARGETS, type Pause, type Unit, type UnitLayout,
} from './riscv/index.ts';
