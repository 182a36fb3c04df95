/**
 * The arithmetic of both formats against the host's processor (gcc, fenv): a second oracle, independent of soft-float code.
 * Four rounding modes (the processor has no RMM). NaN results are compared as NaN, since the processor passes payloads on; infinity * 0 + quiet
 * NaN is left out, since the processor need not raise invalid there. Needs an x86-64 or AArch64 host: tininess after rounding is x86's rule,
 * so the underflow flag is compared on x86-64 only.
 */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { setFastPaths } from '../../src/isa/riscv/float/index.ts';
import { EDGES, Random, randomCase, toNumber } from './float-cases.ts';
import { describeCase, execute, instruction, INSTRUCTIONS, type Case, type Outcome } from './float-machine.ts';
import { build, encodeCases, oracleSource, runOracle } from './float-oracle.ts';

const IS_SLOW = process.env['STILLPOINT_SLOW'] === '1';
const SEED = Number(process.env['STILLPOINT_SEED'] ?? 7);
const FLAGS_COMPARED = process.arch === 'x64' ? 31 : 31 & ~2;

/** Mnemonic → C expression over a, b, c of the format's type. */
const EXPRESSIONS: Readonly<Record<string, string>> = {
  fadd: 'a + b', fsub: 'a - b', fmul: 'a * b', fdiv: 'a / b', fsqrt: 'SQRT(a)', fmadd: 'FMA(a, b, c)', fmsub: 'FMA(a, b, -c)', fnmsub: 'FMA(-a, b, c)', fnmadd: 'FMA(-a, b, -c)',
};
const NAMES = Object.keys(EXPRESSIONS).flatMap((name) => [`${name}.s`, `${name}.d`]);

function source(): string {
  const cases = NAMES.map((mnemonic) => {
    const [name, kind] = mnemonic.split('.') as [string, string];
    const type = kind === 's' ? 'float' : 'double';
    const expression = EXPRESSIONS[name]!.replace('SQRT', kind === 's' ? 'sqrtf' : 'sqrt').replace('FMA', kind === 's' ? 'fmaf' : 'fma');
    return `  case ${INSTRUCTIONS.indexOf(instruction(mnemonic))}: RUN(${type}, ${expression}); break;`;
  });
  return `#define _GNU_SOURCE
#include <fenv.h>
#include <math.h>
#include <string.h>
${oracleSource(`
#define RUN(type, expression) { volatile type a, b, c, r; memcpy((void *)&a, &in->operand[0], sizeof a); memcpy((void *)&b, &in->operand[1], sizeof b); \\
  memcpy((void *)&c, &in->operand[2], sizeof c); feclearexcept(FE_ALL_EXCEPT); r = expression; flags = fetestexcept(FE_ALL_EXCEPT); memcpy(&out->f, (void *)&r, sizeof r); }
static void step(const struct in *in, struct out *out) {
  static const int modes[] = { FE_TONEAREST, FE_TOWARDZERO, FE_DOWNWARD, FE_UPWARD };
  int flags = 0;
  out->f = out->x = 0;
  fesetround(modes[in->rm]);
  switch (in->op) {
${cases.join('\n')}
  }
  out->fcsr = (flags & FE_INEXACT ? 1 : 0) | (flags & FE_UNDERFLOW ? 2 : 0) | (flags & FE_OVERFLOW ? 4 : 0) | (flags & FE_DIVBYZERO ? 8 : 0) | (flags & FE_INVALID ? 16 : 0);
}`)}`;
}

/** The processor's fused multiply-add where it has one; else the C library's. */
function compilerFlags(): string[] {
  const hasFma = process.arch === 'x64' && / fma /.test(readFileSync('/proc/cpuinfo', 'utf8'));
  return ['-O1', '-frounding-math', '-ftrapping-math', '-ffp-contract=off', '-fno-builtin', ...(hasFma ? ['-mfma'] : [])];
}

function runNatively(cases: readonly Case[]): Outcome[] {
  const output = runOracle([build('gcc', compilerFlags(), source())], encodeCases(cases), cases.length);
  return cases.map((_, index) => ({ value: output.readBigUInt64LE(index * 24), flags: output.readUInt8(index * 24 + 16) }));
}

const isNan = (kind: 's' | 'd', value: bigint): boolean => Number.isNaN(toNumber(kind, value));

/** Singles that are not boxed have no counterpart on the host; the mode is one the processor has; no flags before. */
function forHost(one: Case): Case | undefined {
  const kind = one.instruction.target as 's' | 'd';
  const used = one.operands.slice(0, one.instruction.sources.length);
  if (kind === 's' && used.some((operand) => operand >> 32n !== 0xffffffffn)) return undefined;
  const [a, b, c] = one.operands.map((operand) => toNumber(kind, operand));
  if (used.length === 3 && Number.isNaN(c) && Number.isNaN(a! * b!) && !Number.isNaN(a) && !Number.isNaN(b)) return undefined;
  return { ...one, rm: one.rm % 4, flags: 0 };
}

function check(cases: readonly Case[]): string[] {
  const wrong: string[] = [];
  const theirs = runNatively(cases);
  for (const [index, one] of cases.entries()) {
    const kind = one.instruction.target as 's' | 'd';
    for (const isFast of [true, false]) {
      setFastPaths(isFast);
      const ours = execute(one);
      const value = kind === 's' ? BigInt.asUintN(32, ours.value) : ours.value;
      const expected = theirs[index]!;
      const sameValue = value === expected.value || (isNan(kind, value) && isNan(kind, expected.value));
      if ((!sameValue || ((ours.flags ^ expected.flags) & FLAGS_COMPARED) !== 0) && wrong.length < 12) {
        wrong.push(`${describeCase(one)}: ours ${value.toString(16)} ${ours.flags} (fast ${String(isFast)}), host ${expected.value.toString(16)} ${expected.flags}`);
      }
    }
  }
  setFastPaths(true);
  return wrong;
}

describe('floating point is what the host processor computes', () => {
  it(`for random and edge operands in four rounding modes (seed ${SEED})`, () => {
    const random = new Random(SEED);
    for (let batch = 0; batch < (IS_SLOW ? 20 : 1); batch += 1) {
      const cases = Array.from({ length: 50_000 }, () => randomCase(random, { instruction: instruction(random.pick(NAMES)) }));
      const usable = cases.map(forHost).filter((one) => one !== undefined);
      expect(check(usable)).toEqual([]);
      expect(usable.length).toBeGreaterThan(30_000);
    }
  }, 1_200_000);

  it('for every pair of edge values under one operation each (square root: every edge)', () => {
    const cases: Case[] = [];
    for (const kind of ['s', 'd'] as const) {
      let turn = 0;
      for (const a of EDGES[kind]) {
        for (const rm of [0, 1, 2, 3]) cases.push({ instruction: instruction(`fsqrt.${kind}`), rm, flags: 0, operands: [a, 0n, 0n] });
        for (const b of EDGES[kind]) {
          turn += 1;
          const name = ['fadd', 'fsub', 'fmul', 'fdiv', 'fmadd'][turn % 5]!;
          cases.push({ instruction: instruction(`${name}.${kind}`), rm: turn % 4, flags: 0, operands: [a, b, EDGES[kind][turn % EDGES[kind].length]!] });
        }
      }
    }
    expect(check(cases.map(forHost).filter((one) => one !== undefined))).toEqual([]);
  });

  it('the compiler is there', () => {
    expect(spawnSync('gcc', ['--version']).status).toBe(0);
  });
});
