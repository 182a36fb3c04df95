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

export { NEVER_HOT } from './machine.ts';
export { PAUSE, ProfilingInterpreter, type ColdInterpreter, type Nesting, type Pause } from './profiling-interpreter.ts';
export { type RelayLayout } from './cold-call.ts';
export { RELAY, relayModule } from './relay.ts';
export { AREA_BYTES_MAX, AREA_BYTES_MIN, LEFT as LOOP_LEFT, loopModule, STATE, WasmInterpreter, type Loop, type LoopLayout, type Relay } from './wasm-interpreter/index.ts';
export {
  CodeCache, driverModule, FunctionStarts, fusedProbeModule, LAST_HELPER_SLOT, LEAVE, liftBatch, OUTCOME, quotientProbeModule, REASON, returnTarget, TARGET_BYTES, TARGETS, unitExtent, type Batch, type HotEntry, type LiftedUnit, type DriverLayout, type UnitLayout,
} from './lift/index.ts';
