/** engine: guest memory, execution to an exact instruction count. Knows no system call, channel, journal or store. */
export { GuestMemory } from './memory.ts';
export type { PageSource } from './late-pages.ts';
export { Lender, type Loan } from './loan.ts';
export { Cpu } from './cpu.ts';
export { translating, Translator, type TranslatorOptions } from './translator.ts';
export { interpretingInWasm, WasmTier, type WasmTierOptions } from './wasm-tier.ts';
