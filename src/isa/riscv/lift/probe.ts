/** Modules that show what the host's WebAssembly does. What this does NOT do: run them. */
import { CodeWriter, ModuleBuilder, OP, TYPE, type ValueType } from '../../../wasm/index.ts';

/** Exports probe(a, b, c): a * b + c by the relaxed instruction. Invalid where WebAssembly has no relaxed SIMD. */
export function fusedProbeModule(): Uint8Array {
  return probe(3, TYPE.f64, (code) => {
    for (const parameter of [0, 1, 2]) { code.localGet(parameter); code.op(OP.f64x2Splat); }
    code.op(OP.f64x2RelaxedMadd);
    code.op(OP.f64x2ExtractLane); code.byte(0);
  });
}

/** Exports probe(a, b): the bits of a / b. Of 0 / 0 the sign is set on x86 and on no other processor that V8 runs on. */
export function quotientProbeModule(): Uint8Array {
  return probe(2, TYPE.i64, (code) => { code.localGet(0); code.localGet(1); code.op(OP.f64Div); code.op(OP.i64ReinterpretF64); });
}

function probe(parameters: number, result: ValueType, body: (code: CodeWriter) => void): Uint8Array {
  const module = new ModuleBuilder();
  const code = new CodeWriter();
  body(code);
  const index = module.declareFunction({ parameters: Array.from({ length: parameters }, () => TYPE.f64), results: [result] });
  module.addBody([], code);
  module.exportFunction('probe', index);
  return module.finish();
}
