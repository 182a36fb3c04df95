/** The encoder's modules are accepted and executed by the host's WebAssembly, which is the oracle. */
import { describe, expect, it } from 'vitest';
import { CodeWriter, ModuleBuilder, OP, TYPE } from '../../src/wasm/index.ts';

const BINARY = { parameters: [TYPE.i64, TYPE.i64], results: [TYPE.i64] } as const;

function compile(build: (module: ModuleBuilder, code: CodeWriter) => void): (...args: bigint[]) => bigint {
  const module = new ModuleBuilder();
  const index = module.declareFunction(BINARY);
  const code = new CodeWriter();
  build(module, code);
  module.addBody([[1, TYPE.i64]], code);
  module.exportFunction('f', index);
  const instance = new WebAssembly.Instance(new WebAssembly.Module(module.finish()));
  return instance.exports['f'] as (...args: bigint[]) => bigint;
}

describe('module builder', () => {
  it('a function of two locals adds them', () => {
    const add = compile((_, code) => { code.localGet(0); code.localGet(1); code.op(OP.i64Add); });
    expect(add(40n, 2n)).toBe(42n);
  });

  it('constants of every size come back', () => {
    const values = [0n, 1n, -1n, 63n, 64n, -64n, -65n, 127n, 128n, 2n ** 31n - 1n, -(2n ** 31n), 2n ** 31n, 2n ** 62n, 2n ** 63n - 1n, -(2n ** 63n)];
    for (const value of values) expect(compile((_, code) => code.i64Const(value))(0n, 0n)).toBe(value);
  });

  it('loops and branches follow their depths', () => {
    const sum = compile((_, code) => {
      code.open(OP.block, TYPE.empty);
      code.open(OP.loop, TYPE.empty);
      code.localGet(0); code.op(OP.i64Eqz); code.brIf(1);
      code.localGet(2); code.localGet(0); code.op(OP.i64Add); code.localSet(2);
      code.localGet(0); code.i64ConstSmall(1); code.op(OP.i64Sub); code.localSet(0);
      code.br(0);
      code.end(); code.end();
      code.localGet(2);
    });
    expect(sum(100n, 0n)).toBe(5050n);
  });
});
