/**
 * Machine code that V8's optimising compiler has made of modules, out of the process and into another one. V8 has functions for that, made for browsers, which
 * Node offers by no interface but the syntax of V8's own tests; so they are used with versions only that were tried (test/engine/machine-code.test.ts).
 *
 * Invariants: bytes name V8's version, its flags and the processor's features, and give nothing elsewhere; a module with machine code means what it means without. Whoever gives bytes
 * vouches for them: V8 runs what is in them.
 * What this does NOT do: read or write files (translation-files.ts), decide what is kept (kept-module.ts).
 */
import { setFlagsFromString } from 'node:v8';
import type { MachineCode } from '../kept-module.ts';

/** Versions of V8 that were tried: those of Node 20, 22 and 24. That of Node 26 (14.6) has the first function and not the other two. */
const TRIED = ['11.3.', '12.4.', '13.6.'];

let found: { readonly machineCode: MachineCode | undefined } | undefined;

/** Undefined where this version of V8 was not tried, or makes no code from strings. */
export function machineCode(): MachineCode | undefined {
  found ??= { machineCode: TRIED.some((version) => process.versions.v8.startsWith(version)) && native(['unit'], '%IsTurboFanFunction(unit)') !== undefined ? MACHINE_CODE : undefined };
  return found.machineCode;
}

const MACHINE_CODE: MachineCode = {
  bytesOf: (module, units) => {
    const isOptimised = native(['unit'], '%IsTurboFanFunction(unit)'); // Of a function that a module exports.
    if (!units.some((unit) => isOptimised?.(unit) === true)) return undefined; // V8 ends the process where there is nothing to give.
    const code = native(['module'], '%SerializeWasmModule(module)')?.(module);
    return code instanceof ArrayBuffer ? new Uint8Array(code) : undefined;
  },
  moduleOf: (code, bytes) => {
    const module = native(['code', 'bytes'], '%DeserializeWasmModule(code, bytes)')?.(code.slice().buffer, bytes); // Undefined where the code is of another version, other flags or another processor.
    return module instanceof WebAssembly.Module ? module : undefined;
  },
};

/**
 * A function of V8's own syntax, made anew for each use (8 µs): V8 throws away what it has made of functions that rest for a few collections of garbage, and would read this one again without
 * the flag, as a syntax error. The flag is taken back at once: nothing else is parsed with it, and what V8 keeps by its flags stays valid.
 */
function native(parameters: readonly string[], expression: string): ((...values: readonly unknown[]) => unknown) | undefined {
  setFlagsFromString('--allow-natives-syntax');
  try {
    return new Function(...parameters, `return ${expression}`) as (...values: readonly unknown[]) => unknown; // Nothing tells its type.
  } catch {
    return undefined; // A syntax error: V8 has no such function, or makes none from strings.
  } finally {
    setFlagsFromString('--no-allow-natives-syntax');
  }
}
