/** isa/riscv/lift: hot guest code to WebAssembly modules. */
export { CodeCache } from './code-cache.ts';
export { unitExtent, type HotEntry } from './extent.ts';
export { liftBatch, driverModule, type Batch, type LiftedUnit } from './module.ts';
export { FunctionStarts } from './function-starts.ts';
export { fusedProbeModule, quotientProbeModule } from './probe.ts';
export { LAST_HELPER_SLOT, LEAVE, OUTCOME, REASON, TARGET_BYTES, TARGETS, type DriverLayout, type UnitLayout } from './layout.ts';
export { returnTarget } from './layout.ts';
