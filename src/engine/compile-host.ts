/**
 * What this host's WebAssembly can do for translated code, found out once by trying: branch hints keep slow paths out of the way, relaxed SIMD has a
 * multiply-add that is fused on processors with such an instruction.
 * Invariants: nothing that is found out here changes a result, only speed.
 * What this does NOT do: set flags of V8 (an adapter may have, before).
 */
import { fusedProbeModule, quotientProbeModule } from '../isa/index.ts';

export interface CompileHost {
  /** WebAssembly has a multiply-add with a single rounding. */
  readonly hasFused: boolean;
  /** Not an x86 processor: its compiler gets sign extensions in two steps (two-step-writer.ts). */
  readonly extendsInTwo: boolean;
}

let found: CompileHost | undefined;

export function compileHost(): CompileHost {
  found ??= { hasFused: probeFused(), extendsInTwo: !isX86() };
  return found;
}

/** (1 + 2^-52)^2 - (1 + 2^-51) is 2^-104 when it is rounded once, 0 when twice. */
function probeFused(): boolean {
  const bytes = fusedProbeModule();
  if (!WebAssembly.validate(bytes)) return false;
  const { probe } = new WebAssembly.Instance(new WebAssembly.Module(bytes)).exports;
  const fused = probe as (a: number, b: number, c: number) => number; // What the module exports under this name.
  const a = 1 + 2 ** -52;
  return fused(a, a, -(1 + 2 ** -51)) === 2 ** -104;
}

function isX86(): boolean {
  const { probe } = new WebAssembly.Instance(new WebAssembly.Module(quotientProbeModule())).exports;
  const quotient = probe as (a: number, b: number) => bigint; // What the module exports under this name.
  return quotient(0, 0) < 0n;
}
