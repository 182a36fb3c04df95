/** isa/riscv/lift: hot guest code to WebAssembly modules. */
export { CodeCache } from './code-cache.ts';
export { liftBatch, driverModule, unitExtent, type Batch, type HotEntry, type LiftedUnit } from './module.ts';
export { fusedProbeModule } from './probe.ts';
export { LEAVE, OUTCOME, REASON, TARGETS, type UnitLayout } from './layout.ts';
export { returnTarget } from './layout.ts';
