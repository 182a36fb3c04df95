/**
 * Switches on what V8 can do for translated code but keeps behind flags in older versions: branch hints and relaxed SIMD; and functions that
 * never run need not be validated. And has V8 optimise our own JavaScript later than it would. Unknown flags are passed over by
 * V8 with a line on stderr, so each is set only where `node --v8-options` of that version had it.
 * Invariants: changes speed only. What this does NOT do: look whether it helped (compile-host.ts tries).
 */
import { setFlagsFromString } from 'node:v8';

const NODE_MAJOR = Number(process.versions.node.split('.')[0]);

/**
 * How much of a function V8 runs before it looks whether to optimise it: eight times what V8 takes by itself (67 584 bytes of its code, in later versions 3 000 calls). Most commands end before what
 * optimising our own JavaScript costs comes back, and V8's threads are wanted for the guest's code (docs/performance/engine.md).
 */
export const PATIENCE = NODE_MAJOR < 22 ? '--interrupt-budget=540672' : '--invocation-count-for-turbofan=24000';

/** Idempotent; to be called before the first module is compiled. */
export function enableWasmFeatures(): void {
  if (NODE_MAJOR < 22) setFlagsFromString('--experimental-wasm-relaxed-simd');
  setFlagsFromString('--experimental-wasm-branch-hinting');
  setFlagsFromString('--wasm-lazy-validation');
}
