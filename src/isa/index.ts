/** isa: what an instruction means. Nothing outside src/isa/riscv knows a RISC-V register or encoding. */
export {
  BIAS, CONTROL, CPU_STATE_BYTES, CPU_STATE_OFFSET, PAGE_FLAG, STOP, STORE_FAST, STORE_MASK,
  type Abi, type CpuMemory, type CpuState, type Effort, type Executor, type FunctionRange, type Isa, type RegisterPlace, type Stop, type TrapHandler,
} from './cpu.ts';
export {
  AREA_BYTES_MAX, AREA_BYTES_MIN, CodeCache, driverModule, FunctionStarts, fusedProbeModule, LAST_HELPER_SLOT, LEAVE, liftBatch, LOOP_LEFT, loopModule, NEVER_HOT, OUTCOME, PAUSE, ProfilingInterpreter, quotientProbeModule, REASON,
  RELAY, relayModule, returnTarget, riscv64, STATE, TARGET_BYTES, TARGETS, unitExtent, WasmInterpreter,
  type Batch, type ColdInterpreter, type HotEntry, type LiftedUnit, type Loop, type LoopLayout, type Nesting, type Pause, type Relay, type RelayLayout, type DriverLayout, type UnitLayout,
} from './riscv/index.ts';
