/**
 * The fast paths compute what the reference computes: whole register block and flags, on random and edge operands, any register numbers.
 * STILLPOINT_SLOW=1 runs millions; STILLPOINT_SEED=n repeats a run.
 */
import { spawnSync } from 'node:child_process';
import { resolve } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { CONTROL } from '../../src/isa/index.ts';
import { floatHandlers, setFastPaths } from '../../src/isa/riscv/float/index.ts';
import { Random, randomCase, singleBits, doubleBits, toNumber } from './float-cases.ts';
import { createState, describeCase, execute, instruction, INSTRUCTIONS, putRegister, words, type Case } from './float-machine.ts';

const IS_SLOW = process.env['STILLPOINT_SLOW'] === '1';
const SEED = Number(process.env['STILLPOINT_SEED'] ?? 99);
const ROUNDS = IS_SLOW ? 3_000_000 : 60_000;

afterEach(() => setFastPaths(true));

/** Runs one case at random registers over a block full of garbage, on both paths. */
function bothPaths(random: Random, one: Case): { readonly fast: Int32Array; readonly slow: Int32Array; readonly allowed: ReadonlySet<number> } {
  const state = createState();
  const all = words(state);
  for (let index = 2; index < 128; index += 1) all[index] = random.u32();
  const registers = [random.below(32), random.below(32), random.below(32)];
  one.operands.forEach((operand, index) => {
    const kind = one.instruction.sources[index];
    const isInteger = kind === 'w' || kind === 'l';
    if (isInteger && registers[index] === 0) registers[index] = 9;
    if (kind !== undefined) putRegister(isInteger ? state.x : state.f, registers[index]!, operand);
  });
  state.control[CONTROL.fcsr] = (one.rm << 5) | one.flags;
  const rd = random.below(4) === 0 ? registers[0]! : random.below(32);
  const before = all.slice();
  const run = (isFast: boolean): Int32Array => {
    all.set(before);
    setFastPaths(isFast);
    floatHandlers[one.instruction.mnemonic]!(state, rd, registers[0]!, registers[1]!, registers[2]!, one.rm);
    return all.slice();
  };
  const slow = run(false);
  const fast = run(true);
  const base = one.instruction.target === 'l' ? 0 : 64;
  const isDiscarded = base === 0 && rd === 0;
  const allowed = new Set(isDiscarded ? [] : [base + 2 * rd, base + 2 * rd + 1]);
  for (let index = 0; index < 192; index += 1) {
    if (index !== 128 + CONTROL.fcsr && !allowed.has(index) && fast[index] !== before[index]) throw new Error(`${describeCase(one)} wrote word ${index}`);
  }
  if ((fast[128 + CONTROL.fcsr]! & ~31) !== one.rm << 5) throw new Error(`${describeCase(one)} changed frm`);
  return { fast, slow, allowed };
}

const same = (a: Int32Array, b: Int32Array): boolean => Buffer.from(a.buffer, 0, 768).equals(Buffer.from(b.buffer, 0, 768));

describe('fast paths', () => {
  it(`leave the same register block as the reference, and write nothing but the target and the flags (seed ${SEED})`, () => {
    const random = new Random(SEED);
    const wrong: string[] = [];
    for (let round = 0; round < ROUNDS; round += 1) {
      const one = randomCase(random, { instruction: INSTRUCTIONS[round % INSTRUCTIONS.length]!, rm: random.pick([0, 0, 1, 2, 3, 4]) });
      const { fast, slow } = bothPaths(random, one);
      if (!same(fast, slow) && wrong.length < 10) wrong.push(describeCase(one));
    }
    expect(wrong).toEqual([]);
  }, 1_200_000);

  it(`of the fused operations hold where products and addends cancel or meet halfway (seed ${SEED})`, () => {
    const random = new Random(SEED + 1);
    const fused = INSTRUCTIONS.filter(({ sources }) => sources.length === 3);
    const wrong: string[] = [];
    for (let round = 0; round < ROUNDS; round += 1) {
      const one = fusedCase(random, fused[round % fused.length]!.mnemonic);
      setFastPaths(true);
      const fast = execute(one);
      setFastPaths(false);
      const slow = execute(one);
      if ((fast.value !== slow.value || fast.flags !== slow.flags) && wrong.length < 10) wrong.push(describeCase(one));
    }
    expect(wrong).toEqual([]);
  }, 1_200_000);

  it('a wrong result would be seen (canary)', () => {
    const one: Case = { instruction: instruction('fmadd.d'), rm: 0, flags: 0, operands: [doubleBits(0.1), doubleBits(10), doubleBits(-1)] };
    const unfused = doubleBits(0.1 * 10 - 1);
    expect(execute(one).value).not.toBe(unfused);
    expect(execute(one).value).toBe(doubleBits(2 ** -54));
  });

  it('are taken and allocate nothing: millions of operations without a garbage collection', () => {
    const root = resolve(import.meta.dirname, '../..');
    const script = ['--trace-gc', '--import', './scripts/typescript-loader.mjs', 'test/isa/float-allocation.ts'];
    const result = spawnSync('node', script, { cwd: root, encoding: 'utf8' });
    expect(result.status, result.stderr).toBe(0);
    const [, fast, reference] = result.stdout.split(/^fast$|^reference$/m).map((part) => part.split(/Scavenge|Mark-/).length - 1);
    // One boxed number an operation would cost 30 collections. The reference shows that collections are seen.
    expect(fast).toBeLessThanOrEqual(3);
    expect(reference).toBeGreaterThan(3);
  });
});

/** A product with a chosen number of significant bits and an addend placed to cancel it or to make it a tie. */
function fusedCase(random: Random, mnemonic: string): Case {
  const kind = mnemonic.endsWith('.d') ? 'd' : 's';
  const encode = kind === 'd' ? doubleBits : singleBits;
  const bits = kind === 'd' ? 53 : 24;
  const scale = kind === 'd' ? 470 : 60;
  const factor = (): number => {
    const significand = Math.floor((random.u32() / 2 ** 32) * 2 ** (1 + random.below(bits))) + 1;
    return significand * 2 ** (random.below(2) === 0 ? 0 : random.below(scale) - scale / 2 - bits) * (random.below(2) === 0 ? 1 : -1);
  };
  const a = encode(factor());
  const b = encode(factor());
  const product = toNumber(kind, a) * toNumber(kind, b);
  const unit = 2 ** (Math.floor(Math.log2(Math.abs(product))) - bits + 1);
  const addends = [-product, product, -product + unit * (random.below(9) - 4), unit / 2, -unit / 2, unit / 4, unit * 2 ** (bits - random.below(2 * bits + 4)), product * 2 ** random.below(bits + 3), 0, factor()];
  const c = encode(random.pick(addends) * (random.below(4) === 0 ? 1 + 2 ** (1 - bits) : 1));
  return { instruction: instruction(mnemonic), rm: 0, flags: random.below(2), operands: [a, b, c] };
}
