/** What is found out about the host by trying, against what Node says; and that words are extended alike on all hosts. */
import { describe, expect, it } from 'vitest';
import { compileHost } from '../../src/engine/compile-host.ts';
import { TwoStepWriter } from '../../src/isa/riscv/lift/two-step-writer.ts';
import { CodeWriter, ModuleBuilder, OP, TYPE } from '../../src/wasm/index.ts';

function extension(code: CodeWriter): (word: number) => bigint {
  const module = new ModuleBuilder();
  const index = module.declareFunction({ parameters: [TYPE.i32], results: [TYPE.i64] });
  code.localGet(0); code.op(OP.i64ExtendI32s);
  module.addBody([], code);
  module.exportFunction('extend', index);
  return new WebAssembly.Instance(new WebAssembly.Module(module.finish())).exports['extend'] as (word: number) => bigint;
}

describe('the host that code is compiled for', () => {
  it('is told by the sign of 0 / 0 to be an x86 processor or not', () => {
    expect(compileHost().extendsInTwo).toBe(!['x64', 'ia32'].includes(process.arch));
  });

  it('extends words in two steps to what they are in one', () => {
    const [inOne, inTwo] = [extension(new CodeWriter()), extension(new TwoStepWriter())];
    for (const word of [0, 1, -1, 0x7fffffff, -0x80000000, 0x12345678, -0x12345678]) {
      expect(inTwo(word)).toBe(BigInt(word));
      expect(inOne(word)).toBe(BigInt(word));
    }
  });
});
