/** Rules of the F and D extensions, one line each, with results from the specification rather than from an oracle. */
import { afterEach, describe, expect, it } from 'vitest';
import { CONTROL } from '../../src/isa/index.ts';
import { FLAG, floatHandlers, ROUND, setFastPaths } from '../../src/isa/riscv/float/index.ts';
import { createState, execute, getRegister, instruction, INSTRUCTIONS, putRegister } from './float-machine.ts';

const { inexact: NX, underflow: UF, overflow: OF, divideByZero: DZ, invalid: NV } = FLAG;
const { nearestEven: RNE, toZero: RTZ, down: RDN, up: RUP, nearestAway: RMM } = ROUND;

const D = { one: 0x3ff0000000000000n, half: 0x3fe0000000000000n, two: 0x4000000000000000n, minusOne: 0xbff0000000000000n, max: 0x7fefffffffffffffn, infinity: 0x7ff0000000000000n,
  minusInfinity: 0xfff0000000000000n, zero: 0n, minusZero: 0x8000000000000000n, nan: 0x7ff8000000000000n, payload: 0xfff8000012345678n, signaling: 0x7ff0000000000001n,
  smallest: 1n, smallestNormal: 0x0010000000000000n };
const boxed = (bits: number): bigint => 0xffffffff00000000n | BigInt(bits >>> 0);
const S = { one: boxed(0x3f800000), nan: boxed(0x7fc00000), signaling: boxed(0x7f800001), unboxed: 0x3f800000n, smallestNormal: boxed(0x00800000) };

afterEach(() => setFastPaths(true));

/** On both paths. */
function check(mnemonic: string, rm: number, operands: readonly bigint[], expected: { readonly value: bigint; readonly flags: number }): void {
  for (const isFast of [true, false]) {
    setFastPaths(isFast);
    const [a = 0n, b = 0n, c = 0n] = operands;
    expect(execute({ instruction: instruction(mnemonic), rm, flags: 0, operands: [a, b, c] })).toEqual(expected);
  }
}

describe('NaN', () => {
  it('results are canonical, payloads are dropped', () => check('fadd.d', RNE, [D.payload, D.one], { value: D.nan, flags: 0 }));
  it('signaling operands raise NV', () => check('fmul.d', RNE, [D.signaling, D.one], { value: D.nan, flags: NV }));
  it('infinity * 0 + quiet NaN raises NV', () => check('fmadd.d', RNE, [D.infinity, D.zero, D.nan], { value: D.nan, flags: NV }));
  it('infinity - infinity raises NV', () => check('fsub.d', RNE, [D.infinity, D.infinity], { value: D.nan, flags: NV }));
  it('the root of a negative number raises NV', () => check('fsqrt.d', RNE, [D.minusOne], { value: D.nan, flags: NV }));
  it('the root of -0 is -0', () => check('fsqrt.d', RNE, [D.minusZero], { value: D.minusZero, flags: 0 }));
  it('an unboxed single is the canonical NaN', () => check('fadd.s', RNE, [S.unboxed, S.one], { value: S.nan, flags: 0 }));
  it('an unboxed single is quiet even when its low half signals', () => check('feq.s', RNE, [0x7f800001n, S.one], { value: 0n, flags: 0 }));
  it('fmv.x.w moves raw bits, sign-extended', () => check('fmv.x.w', RNE, [0x1234567880000001n], { value: 0xffffffff80000001n, flags: 0 }));
  it('fsgnj keeps payloads', () => check('fsgnjn.d', RNE, [D.payload, D.payload], { value: 0x7ff8000012345678n, flags: 0 }));
  it('narrowing drops the payload', () => check('fcvt.s.d', RNE, [D.payload], { value: S.nan, flags: 0 }));
});

describe('minimum and maximum', () => {
  it('-0 is below +0, both ways round', () => {
    check('fmin.d', RNE, [D.zero, D.minusZero], { value: D.minusZero, flags: 0 });
    check('fmin.d', RNE, [D.minusZero, D.zero], { value: D.minusZero, flags: 0 });
    check('fmax.d', RNE, [D.zero, D.minusZero], { value: D.zero, flags: 0 });
    check('fmax.s', RNE, [boxed(0x80000000), boxed(0)], { value: boxed(0), flags: 0 });
  });
  it('a quiet NaN loses silently', () => check('fmax.d', RNE, [D.nan, D.one], { value: D.one, flags: 0 }));
  it('a signaling NaN loses and raises NV', () => check('fmin.d', RNE, [D.one, D.signaling], { value: D.one, flags: NV }));
  it('two NaNs give the canonical one', () => check('fmin.d', RNE, [D.payload, D.payload], { value: D.nan, flags: 0 }));
});

describe('comparisons', () => {
  it('feq is quiet', () => check('feq.d', RNE, [D.nan, D.one], { value: 0n, flags: 0 }));
  it('feq signals for a signaling NaN', () => check('feq.d', RNE, [D.signaling, D.one], { value: 0n, flags: NV }));
  it('flt and fle signal for any NaN', () => {
    check('flt.d', RNE, [D.nan, D.one], { value: 0n, flags: NV });
    check('fle.s', RNE, [S.one, S.nan], { value: 0n, flags: NV });
  });
  it('-0 equals +0', () => check('feq.d', RNE, [D.zero, D.minusZero], { value: 1n, flags: 0 }));
});

describe('overflow, underflow, division', () => {
  const twiceMax = (rm: number, value: bigint): void => check('fadd.d', rm, [D.max, D.max], { value, flags: OF | NX });
  it('overflow goes to infinity or the largest number, by mode', () => {
    for (const rm of [RNE, RUP, RMM]) twiceMax(rm, D.infinity);
    for (const rm of [RTZ, RDN]) twiceMax(rm, D.max);
  });
  it('x / 0 raises DZ', () => check('fdiv.d', RNE, [D.minusOne, D.zero], { value: D.minusInfinity, flags: DZ }));
  it('0 / 0 raises NV', () => check('fdiv.d', RNE, [D.zero, D.zero], { value: D.nan, flags: NV }));
  it('an exact subnormal raises nothing', () => check('fmul.d', RNE, [D.smallestNormal, D.half], { value: 0x0008000000000000n, flags: 0 }));
  it('an inexact subnormal raises UF', () => check('fmul.d', RNE, [D.smallest, D.half], { value: D.zero, flags: UF | NX }));
  it('tininess is detected after rounding, as if exponents had no end', () => {
    // The product (2 - 2^-52) * 2^-1023 fits 53 bits, so it is tiny although its subnormal rounding is the smallest normal number.
    check('fmul.d', RNE, [0x3fffffffffffffffn, 0x0008000000000000n], { value: D.smallestNormal, flags: UF | NX });
    // (1 - 2^-53) * 2^-1022 has 53 bits and is tiny; (1 - 2^-106) * 2^-1022 rounds to 2^-1022 in 53 bits, so it is not tiny.
    check('fmadd.d', RNE, [0xbca0000000000000n, 0x0010000000000000n, D.smallestNormal], { value: D.smallestNormal, flags: UF | NX });
    check('fmadd.d', RNE, [0xb950000000000000n, 0x0010000000000000n, D.smallestNormal], { value: D.smallestNormal, flags: NX });
  });
  it('x - x is -0 only when rounding down', () => {
    for (const rm of [RNE, RTZ, RUP, RMM]) check('fsub.d', rm, [D.one, D.one], { value: D.zero, flags: 0 });
    check('fsub.d', RDN, [D.one, D.one], { value: D.minusZero, flags: 0 });
  });
});

describe('conversions', () => {
  it('NaN and too large saturate upwards with NV alone', () => {
    check('fcvt.w.d', RTZ, [D.nan], { value: 0x7fffffffn, flags: NV });
    check('fcvt.wu.d', RTZ, [D.infinity], { value: 0xffffffffffffffffn, flags: NV });
    check('fcvt.l.d', RTZ, [D.max], { value: 0x7fffffffffffffffn, flags: NV });
    check('fcvt.lu.s', RTZ, [S.signaling], { value: 0xffffffffffffffffn, flags: NV });
  });
  it('too small saturates downwards', () => {
    check('fcvt.w.d', RTZ, [D.minusInfinity], { value: 0xffffffff80000000n, flags: NV });
    check('fcvt.lu.d', RTZ, [D.minusOne], { value: 0n, flags: NV });
  });
  it('wu results are sign-extended', () => check('fcvt.wu.d', RTZ, [0x41e0000000000000n], { value: 0xffffffff80000000n, flags: 0 }));
  it('a fraction that rounds into range is inexact, not invalid', () => {
    check('fcvt.wu.d', RTZ, [0xbfefffffffffffffn], { value: 0n, flags: NX });
    check('fcvt.wu.d', RDN, [0xbfefffffffffffffn], { value: 0n, flags: NV });
    check('fcvt.w.d', RTZ, [0x41dfffffffffffffn], { value: 0x7fffffffn, flags: NX });
    check('fcvt.w.d', RNE, [0x41dfffffffffffffn], { value: 0x7fffffffn, flags: NV });
  });
  it('halves round by mode', () => {
    const half = (rm: number, value: bigint): void => check('fcvt.l.d', rm, [D.half], { value, flags: NX });
    for (const rm of [RNE, RTZ, RDN]) half(rm, 0n);
    for (const rm of [RUP, RMM]) half(rm, 1n);
  });
  it('2^63 - 1 to double rounds by mode', () => {
    const convert = (rm: number, value: bigint): void => check('fcvt.d.l', rm, [0x7fffffffffffffffn], { value, flags: NX });
    for (const rm of [RNE, RUP, RMM]) convert(rm, 0x43e0000000000000n);
    for (const rm of [RTZ, RDN]) convert(rm, 0x43dfffffffffffffn);
  });
  it('only the low word counts for w', () => check('fcvt.d.w', RNE, [0x7fffffffffffffffn], { value: D.minusOne, flags: 0 }));
});

describe('fclass', () => {
  const kinds: readonly (readonly [bigint, bigint])[] = [[D.minusInfinity, 0n], [D.minusOne, 1n], [0x8000000000000001n, 2n], [D.minusZero, 3n], [D.zero, 4n], [D.smallest, 5n],
    [D.one, 6n], [D.infinity, 7n], [D.signaling, 8n], [D.payload, 9n]];
  it('has one bit for each of ten kinds', () => {
    for (const [value, bit] of kinds) check('fclass.d', RNE, [value], { value: 1n << bit, flags: 0 });
    check('fclass.s', RNE, [S.unboxed], { value: 1n << 9n, flags: 0 });
  });
});

describe('registers', () => {
  it('x0 is never written, and flags are raised all the same', () => {
    for (const { mnemonic } of INSTRUCTIONS.filter(({ target }) => target === 'l')) {
      for (const isFast of [true, false]) {
        setFastPaths(isFast);
        const state = createState();
        putRegister(state.f, 1, 0x3ff8000000000000n);
        floatHandlers[mnemonic]!(state, 0, 1, 1, 1, RTZ);
        expect(getRegister(state.x, 0), mnemonic).toBe(0n);
        expect(state.control[CONTROL.fcsr], mnemonic).toBe(/^fcvt\..*\.d$/.test(mnemonic) ? NX : mnemonic.startsWith('fcvt') || /fl[te]\.s/.test(mnemonic) ? NV : 0);
      }
    }
  });
  it('flags accrue and the rounding mode stays', () => {
    expect(execute({ instruction: instruction('fdiv.d'), rm: RMM, flags: NV | OF, operands: [D.one, D.zero, 0n] })).toEqual({ value: D.infinity, flags: NV | OF | DZ });
  });
  it('every instruction of the two extensions but loads and stores has a handler', () => {
    expect(Object.keys(floatHandlers).sort()).toEqual(INSTRUCTIONS.map(({ mnemonic }) => mnemonic).sort());
    expect(INSTRUCTIONS.length).toBe(2 * 26 + 6);
  });
});
