/** A module that shows whether the host's relaxed multiply-add is fused. What this does NOT do: run it. */
import { CodeWriter, ModuleBuilder, OP, TYPE } from '../../../wasm/index.ts';

/** Exports probe(a, b, c): a * b + c by the relaxed instruction. Invalid where WebAssembly has no relaxed SIMD. */
export function fusedProbeModule(): Uint8Array {
  const module = new ModuleBuilder();
  const code = new CodeWriter();
  for (const parameter of [0, 1, 2]) { code.localGet(parameter); code.op(OP.f64x2Splat); }
  code.op(OP.f64x2RelaxedMadd);
  code.op(OP.f64x2ExtractLane); code.byte(0);
  const probe = module.declareFunction({ parameters: [TYPE.f64, TYPE.f64, TYPE.f64], results: [TYPE.f64] });
  module.addBody([], code);
  module.exportFunction('probe', probe);
  return module.finish();
}
