/** isa/riscv/wasm-interpreter: the interpreter whose loop is WebAssembly. The engine compiles and instantiates its module. */
export { AREA_BYTES_MAX, AREA_BYTES_MIN, LEFT, STATE, type LoopLayout } from './layout.ts';
export { loopModule } from './loop-module.ts';
export { WasmInterpreter, type Loop, type Relay } from './wasm-interpreter.ts';
