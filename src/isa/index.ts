/** isa: what an instruction means. Nothing outside src/isa/riscv knows a RISC-V register or encoding. */
export {
  BIAS, CONTROL, CPU_STATE_BYTES, CPU_STATE_OFFSET, PAGE_FLAG, STOP, STORE_FAST, STORE_MASK,
  type Abi, type CpuMemory, type CpuState, type Executor, type Isa, type Stop,
} from './cpu.ts';
export {
  AREA_BYTES_MAX, AREA_BYTES_MIN, liftUnit, loopModule, NEVER_HOT, PAUSE, ProfilingInterpreter, REASON, riscv64, stubModule, TARGETS, WasmInterpreter,
  type ColdInterpreter, type Loop, type LoopLayout, type Pause, type Unit, type UnitLayout,
} from './riscv/index.ts';
