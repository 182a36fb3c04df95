/** isa/riscv/float: exact IEEE 754 for the F and D extensions. Loads and stores are the interpreter's. */
import { bitHandlers } from './bit-handlers.ts';
import { fastConvertHandlers } from './fast-convert.ts';
import { fastDoubleHandlers } from './fast-double.ts';
import { fastFusedHandlers } from './fast-fused.ts';
import { fastSingleHandlers } from './fast-single.ts';
import type { FloatHandler } from './handler.ts';

export { setFastPaths } from './fast-path.ts';
export { FLAG, ROUND, type FloatHandler } from './handler.ts';

/** Mnemonic (lower case, without rounding mode or aq/rl) → handler: every F and D instruction but flw, fld, fsw, fsd. */
export const floatHandlers: Readonly<Record<string, FloatHandler>> = {
  ...bitHandlers, ...fastSingleHandlers, ...fastDoubleHandlers, ...fastFusedHandlers, ...fastConvertHandlers,
};
