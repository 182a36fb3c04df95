/** Machine code out of one process and into another: it is there at once, means the same, and other hosts refuse it. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { EngineModules, KeptModule } from '../../src/engine/kept-module.ts';
import { machineCode } from '../../src/engine/live/machine-code.ts';

/** `sum(n)`: n + (n - 1) + … + 1, in 32 bits, as `(loop …)`. */
const BODY = [1, 1, 0x7f, 0x03, 0x40, 0x20, 1, 0x20, 0, 0x6a, 0x21, 1, 0x20, 0, 0x41, 1, 0x6b, 0x22, 0, 0x0d, 0, 0x0b, 0x20, 1, 0x0b];
const MODULE = Uint8Array.of(0, 97, 115, 109, 1, 0, 0, 0, 1, 6, 1, 96, 1, 0x7f, 1, 0x7f, 3, 2, 1, 0, 7, 7, 1, 3, 115, 117, 109, 0, 0, 10, BODY.length + 2, 1, BODY.length, ...BODY);
const SUM_OF_1000 = 500_500;

const directory = mkdtempSync(join(tmpdir(), 'machine-code-'));
const root = fileURLToPath(new URL('../..', import.meta.url));
const file = join(directory, 'code');

/** V8 14 (Node 26) has no function that gives machine code. */
const isToldByV8 = Number.parseInt(process.versions.v8, 10) < 14;

function open(module: WebAssembly.Module): (n: number) => number {
  return new WebAssembly.Instance(module).exports['sum'] as (n: number) => number;
}

/** Machine code, once V8 has made it: its compiler works beside us. */
async function optimised(kept: KeptModule): Promise<Uint8Array> {
  const sum = open(kept.module);
  const units = new Map([[0, sum]]);
  kept.linked(units);
  for (;;) {
    expect(sum(1_000_000)).toBe(1_784_293_664);
    const { code } = kept.forKeeping();
    if (code !== undefined) return code;
    await new Promise((resolve) => { setTimeout(resolve, 5); });
  }
}

/** Runs a script in a process of its own, with V8's own flags and these: code is refused where others hold, and files that ran here before may have set some. */
function inProcess(script: string, ...options: readonly string[]): string {
  const { stdout, stderr, status } = spawnSync(process.execPath, [...options, '--import', './scripts/typescript-loader.mjs', '--input-type=module', '--eval', script, file], { cwd: root, encoding: 'utf8' });
  expect([status, stderr]).toEqual([0, '']);
  return stdout;
}

const WIRE = `const wire = Uint8Array.from(${JSON.stringify([...MODULE])});`;

/** Writes the machine code of the module, as a process makes it. */
function make(): void {
  inProcess(`
    import { writeFileSync } from 'node:fs';
    import { machineCode } from './src/engine/live/machine-code.ts';
    ${WIRE}
    const module = new WebAssembly.Module(wire);
    const { sum } = new WebAssembly.Instance(module).exports;
    let code;
    while ((code = machineCode().bytesOf(module, [sum])) === undefined) {
      sum(1_000_000);
      await new Promise((resolve) => { setTimeout(resolve, 5); });
    }
    writeFileSync(process.argv[1], code);`);
}

/** What another process finds: whether V8 takes the bytes, whether the function is optimised before its first call, and what it gives. */
function elsewhere(...options: readonly string[]): unknown {
  return JSON.parse(inProcess(`
    import { readFileSync } from 'node:fs';
    import { machineCode } from './src/engine/live/machine-code.ts';
    ${WIRE}
    const module = machineCode().moduleOf(new Uint8Array(readFileSync(process.argv[1])), wire);
    const { sum } = new WebAssembly.Instance(module ?? new WebAssembly.Module(wire)).exports;
    console.log(JSON.stringify([module !== undefined, machineCode().bytesOf(module ?? new WebAssembly.Module(wire), [sum]) !== undefined, sum(1000)]));`, ...options));
}

beforeAll(() => { if (isToldByV8) make(); });
afterAll(() => rmSync(directory, { recursive: true, force: true }));

it('is given by the versions of V8 that were tried, and done without elsewhere', () => {
  expect(machineCode() !== undefined).toBe(isToldByV8);
  const kept = new KeptModule({ bytes: MODULE, code: new Uint8Array(64) }, isToldByV8 ? undefined : machineCode());
  expect(open(kept.module)(1000)).toBe(SUM_OF_1000);
});

describe.skipIf(!isToldByV8)('machine code', () => {
  it('is there for the versions of Node that were tried', () => {
    expect(machineCode()).toBeDefined();
    const other = new WebAssembly.Module(Uint8Array.of(...MODULE, 0, 2, 1, 120)); // With an empty section of its own: V8 knows modules that it has by their bytes.
    expect(machineCode()!.bytesOf(other, [open(other)])).toBeUndefined();
  });

  it('runs in another process from the first call on', () => {
    expect(elsewhere()).toEqual([true, true, SUM_OF_1000]);
  });

  it('is refused by another V8: other flags, another version', () => {
    expect(elsewhere('--no-wasm-stack-checks')).toEqual([false, false, SUM_OF_1000]);
    const other = new Uint8Array(readFileSync(file));
    other[4]! ^= 1;
    writeFileSync(file, other);
    expect(elsewhere()).toEqual([false, false, SUM_OF_1000]);
  });

  it('is asked for again after V8 has thrown away what rested for a few collections of garbage', () => {
    inProcess(`
      import { machineCode } from './src/engine/live/machine-code.ts';
      const module = new WebAssembly.Module(Uint8Array.from(${JSON.stringify([...MODULE])}));
      const { sum } = new WebAssembly.Instance(module).exports;
      for (let round = 0; round < 3; round++) {
        if (machineCode().bytesOf(module, [sum]) !== undefined || machineCode().moduleOf(new Uint8Array(64), new Uint8Array(8)) !== undefined) throw new Error('there is none');
        gc();
      }`, '--expose-gc', '--stress-flush-code');
  });

  it('that is refused leaves a module that is compiled anew', () => {
    const kept = new KeptModule({ bytes: MODULE, code: new Uint8Array(64) }, machineCode());
    expect(open(kept.module)(1000)).toBe(SUM_OF_1000);
  });
});

describe.skipIf(!isToldByV8)('the modules of the engine', () => {
  it('are kept once there is machine code, and those of other machines with them', async () => {
    const first = new EngineModules(undefined, machineCode());
    expect(first.news()).toBeUndefined();
    await optimised(first.open('a', () => MODULE));
    const kept = first.news()!;
    expect([...kept.keys()]).toEqual(['a']);
    expect(first.news()).toBeUndefined();
    const second = new EngineModules(() => kept, machineCode());
    const made = (): Uint8Array => { throw new Error('made anew'); };
    expect(open(second.open('a', made).module)(1000)).toBe(SUM_OF_1000);
    await optimised(second.open('b', () => MODULE));
    expect([...second.news()!.keys()].sort()).toEqual(['a', 'b']);
  });
});
