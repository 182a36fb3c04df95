/** wasm: writes WebAssembly binaries; never executes them. */
export { OP, TYPE, type Opcode, type ValueType } from './opcodes-table.ts';
export { ByteWriter, CodeWriter } from './writer.ts';
export { ModuleBuilder, type LocalRun, type Signature } from './module-builder.ts';
