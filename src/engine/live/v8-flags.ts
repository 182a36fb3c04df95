/**
 * Switches on what V8 can do for translated code but keeps behind flags in older versions: branch hints and relaxed SIMD; and functions that
 * never run need not be validated. Unknown flags are passed over by
 * V8 with a line on stderr, so each is set only where `node --v8-options` of that version had it.
 * Invariants: changes speed only. What this does NOT do: look whether it helped (compile-host.ts tries).
 */
import { setFlagsFromString } from 'node:v8';

/** Idempotent; to be called before the first module is compiled. */
export function enableWasmFeatures(): void {
  const major = Number(process.versions.node.split('.')[0]);
  if (major < 22) setFlagsFromString('--experimental-wasm-relaxed-simd');
  setFlagsFromString('--experimental-wasm-branch-hinting');
  setFlagsFromString('--wasm-lazy-validation');
}
