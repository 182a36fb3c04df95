/**
 * HOT PATH. Single precision add, sub, mul, div, sqrt, min, max and comparisons, computed in double and rounded once more (Math.fround).
 *
 * Why that is exact: a double has 53 >= 2 * 24 + 2 bits, so rounding sums, quotients and roots of singles twice equals rounding once (Figueroa);
 * products of singles are exact in double. All intermediate exponents are far inside the double range.
 * Invariants: rounds to nearest even (fast-directed.ts does the directed modes); raises only NX; allocates nothing; unboxed operands and anything unsure go to the reference.
 */
import type { CpuState } from '../../cpu.ts';
import { accrueInexact, isFast, isInexactAccrued, SMALLEST_NORMAL_SINGLE, sumError } from './fast-path.ts';
import { addSingleDirected, divideSingleDirected, multiplySingleDirected, rootSingleDirected } from './fast-directed.ts';
import type { FloatHandler } from './handler.ts';
import { referenceHandler } from './reference-handlers.ts';

const exactAdd = referenceHandler('fadd.s');
const exactSub = referenceHandler('fsub.s');
const exactMul = referenceHandler('fmul.s');
const exactDiv = referenceHandler('fdiv.s');
const exactSqrt = referenceHandler('fsqrt.s');
const exactMin = referenceHandler('fmin.s');
const exactMax = referenceHandler('fmax.s');
const exactEq = referenceHandler('feq.s');
const exactLt = referenceHandler('flt.s');
const exactLe = referenceHandler('fle.s');
const SMALLEST_NORMAL = SMALLEST_NORMAL_SINGLE;

function areBoxed(f: Int32Array, rs1: number, rs2: number): boolean {
  return (f[2 * rs1 + 1]! & f[2 * rs2 + 1]!) === -1;
}

function put(state: CpuState, rd: number, value: number): void {
  state.f32[2 * rd] = value;
  state.f[2 * rd + 1] = -1;
}

function tryAdd(state: CpuState, rd: number, a: number, b: number, rm: number): boolean {
  if (rm !== 0) return addSingleDirected(state, rd, a, b, rm);
  const sum = a + b;
  const result = Math.fround(sum);
  if (result - result !== 0) return false;
  if (!isInexactAccrued(state) && (result !== sum || sumError(a, b, sum) !== 0)) accrueInexact(state);
  put(state, rd, result);
  return true;
}

const faddS: FloatHandler = (state, rd, rs1, rs2, rs3, rm) => {
  const { f, f32 } = state;
  if (!isFast || !areBoxed(f, rs1, rs2) || !tryAdd(state, rd, f32[2 * rs1]!, f32[2 * rs2]!, rm)) exactAdd(state, rd, rs1, rs2, rs3, rm);
};

const fsubS: FloatHandler = (state, rd, rs1, rs2, rs3, rm) => {
  const { f, f32 } = state;
  if (!isFast || !areBoxed(f, rs1, rs2) || !tryAdd(state, rd, f32[2 * rs1]!, -f32[2 * rs2]!, rm)) exactSub(state, rd, rs1, rs2, rs3, rm);
};

function tryMultiply(state: CpuState, rd: number, a: number, b: number, rm: number): boolean {
  if (rm !== 0) return multiplySingleDirected(state, rd, a, b, rm);
  const product = a * b;
  const result = Math.fround(product);
  const magnitude = Math.abs(result);
  if (magnitude > SMALLEST_NORMAL && magnitude < Infinity) {
    if (result !== product) accrueInexact(state);
  } else if (product !== 0) return false;
  put(state, rd, result);
  return true;
}

const fmulS: FloatHandler = (state, rd, rs1, rs2, rs3, rm) => {
  const { f, f32 } = state;
  if (!isFast || !areBoxed(f, rs1, rs2) || !tryMultiply(state, rd, f32[2 * rs1]!, f32[2 * rs2]!, rm)) exactMul(state, rd, rs1, rs2, rs3, rm);
};

function tryDivide(state: CpuState, rd: number, a: number, b: number, rm: number): boolean {
  if (rm !== 0) return divideSingleDirected(state, rd, a, b, rm);
  const result = Math.fround(a / b);
  const magnitude = Math.abs(result);
  if (magnitude > SMALLEST_NORMAL && magnitude < Infinity) {
    if (result * b !== a) accrueInexact(state);
  } else if (result !== 0 || a !== 0) return false;
  put(state, rd, result);
  return true;
}

const fdivS: FloatHandler = (state, rd, rs1, rs2, rs3, rm) => {
  const { f, f32 } = state;
  if (!isFast || !areBoxed(f, rs1, rs2) || !tryDivide(state, rd, f32[2 * rs1]!, f32[2 * rs2]!, rm)) exactDiv(state, rd, rs1, rs2, rs3, rm);
};

function trySqrt(state: CpuState, rd: number, a: number, rm: number): boolean {
  if (!(a >= 0 && a < Infinity)) return false;
  if (rm !== 0) return rootSingleDirected(state, rd, a, rm);
  const result = Math.fround(Math.sqrt(a));
  if (result * result !== a) accrueInexact(state);
  put(state, rd, result);
  return true;
}

const fsqrtS: FloatHandler = (state, rd, rs1, rs2, rs3, rm) => {
  if (!isFast || state.f[2 * rs1 + 1] !== -1 || !trySqrt(state, rd, state.f32[2 * rs1]!, rm)) exactSqrt(state, rd, rs1, rs2, rs3, rm);
};

function copy(f: Int32Array, rd: number, rs: number): void {
  f[2 * rd] = f[2 * rs]!;
  f[2 * rd + 1] = -1;
}

// Equal operands are the same bits or zeros of two signs: the sign bit of one of them decides.
const fminS: FloatHandler = (state, rd, rs1, rs2, rs3, rm) => {
  const { f, f32 } = state;
  const a = f32[2 * rs1]!;
  const b = f32[2 * rs2]!;
  if (!isFast || !areBoxed(f, rs1, rs2)) exactMin(state, rd, rs1, rs2, rs3, rm);
  else if (a < b) copy(f, rd, rs1);
  else if (b < a) copy(f, rd, rs2);
  else if (a === b) copy(f, rd, f[2 * rs1]! < 0 ? rs1 : rs2);
  else exactMin(state, rd, rs1, rs2, rs3, rm);
};

const fmaxS: FloatHandler = (state, rd, rs1, rs2, rs3, rm) => {
  const { f, f32 } = state;
  const a = f32[2 * rs1]!;
  const b = f32[2 * rs2]!;
  if (!isFast || !areBoxed(f, rs1, rs2)) exactMax(state, rd, rs1, rs2, rs3, rm);
  else if (a > b) copy(f, rd, rs1);
  else if (b > a) copy(f, rd, rs2);
  else if (a === b) copy(f, rd, f[2 * rs1]! < 0 ? rs2 : rs1);
  else exactMax(state, rd, rs1, rs2, rs3, rm);
};

function putTruth(state: CpuState, rd: number, truth: boolean): void {
  if (rd === 0) return;
  state.x[2 * rd] = truth ? 1 : 0;
  state.x[2 * rd + 1] = 0;
}

const feqS: FloatHandler = (state, rd, rs1, rs2, rs3, rm) => {
  const a = state.f32[2 * rs1]!;
  const b = state.f32[2 * rs2]!;
  if (isFast && areBoxed(state.f, rs1, rs2) && a === a && b === b) putTruth(state, rd, a === b);
  else exactEq(state, rd, rs1, rs2, rs3, rm);
};

const fltS: FloatHandler = (state, rd, rs1, rs2, rs3, rm) => {
  const a = state.f32[2 * rs1]!;
  const b = state.f32[2 * rs2]!;
  if (isFast && areBoxed(state.f, rs1, rs2) && a === a && b === b) putTruth(state, rd, a < b);
  else exactLt(state, rd, rs1, rs2, rs3, rm);
};

const fleS: FloatHandler = (state, rd, rs1, rs2, rs3, rm) => {
  const a = state.f32[2 * rs1]!;
  const b = state.f32[2 * rs2]!;
  if (isFast && areBoxed(state.f, rs1, rs2) && a === a && b === b) putTruth(state, rd, a <= b);
  else exactLe(state, rd, rs1, rs2, rs3, rm);
};

/** Mnemonic → handler. */
export const fastSingleHandlers: Readonly<Record<string, FloatHandler>> = {
  'fadd.s': faddS, 'fsub.s': fsubS, 'fmul.s': fmulS, 'fdiv.s': fdivS, 'fsqrt.s': fsqrtS, 'fmin.s': fminS, 'fmax.s': fmaxS,
  'feq.s': feqS, 'flt.s': fltS, 'fle.s': fleS,
};
