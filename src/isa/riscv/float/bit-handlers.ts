/**
 * HOT PATH. Instructions that move or look at bits: fsgnj, fsgnjn, fsgnjx, fclass, fmv. They raise no flag and have one path only.
 *
 * Invariants: works on 32-bit halves, so NaN payloads pass unchanged; unboxed singles read as the canonical NaN, except in fmv.x.w, which
 * moves raw bits; x0 is never written; nothing is allocated.
 */
import type { CpuState } from '../../cpu.ts';
import type { FloatHandler } from './handler.ts';

const SIGN = -0x80000000;
const MAGNITUDE = 0x7fffffff;
const CANONICAL_NAN_SINGLE = 0x7fc00000;
const BOX = -1;

function singleBits(f: Int32Array, index: number): number {
  return f[2 * index + 1] === BOX ? f[2 * index]! : CANONICAL_NAN_SINGLE;
}

function putSingle(f: Int32Array, index: number, bits: number): void {
  f[2 * index] = bits;
  f[2 * index + 1] = BOX;
}

function putDouble(f: Int32Array, index: number, low: number, high: number): void {
  f[2 * index] = low;
  f[2 * index + 1] = high;
}

/** A small non-negative or sign-extended 32-bit result in an integer register. */
function putWord(state: CpuState, rd: number, value: number): void {
  if (rd === 0) return;
  state.x[2 * rd] = value;
  state.x[2 * rd + 1] = value >> 31;
}

const fsgnjS: FloatHandler = ({ f }, rd, rs1, rs2) => {
  putSingle(f, rd, (singleBits(f, rs1) & MAGNITUDE) | (singleBits(f, rs2) & SIGN));
};
const fsgnjnS: FloatHandler = ({ f }, rd, rs1, rs2) => {
  putSingle(f, rd, (singleBits(f, rs1) & MAGNITUDE) | (~singleBits(f, rs2) & SIGN));
};
const fsgnjxS: FloatHandler = ({ f }, rd, rs1, rs2) => {
  putSingle(f, rd, singleBits(f, rs1) ^ (singleBits(f, rs2) & SIGN));
};
const fsgnjD: FloatHandler = ({ f }, rd, rs1, rs2) => {
  putDouble(f, rd, f[2 * rs1]!, (f[2 * rs1 + 1]! & MAGNITUDE) | (f[2 * rs2 + 1]! & SIGN));
};
const fsgnjnD: FloatHandler = ({ f }, rd, rs1, rs2) => {
  putDouble(f, rd, f[2 * rs1]!, (f[2 * rs1 + 1]! & MAGNITUDE) | (~f[2 * rs2 + 1]! & SIGN));
};
const fsgnjxD: FloatHandler = ({ f }, rd, rs1, rs2) => {
  putDouble(f, rd, f[2 * rs1]!, f[2 * rs1 + 1]! ^ (f[2 * rs2 + 1]! & SIGN));
};

/** Bits of fclass's result (Unpriv. ISA, "Single-Precision Floating-Point Classify Instruction"); the positive kinds mirror the negative. */
const CLASS = { infinity: 0, normal: 1, subnormal: 2, zero: 3, mirror: 7, signalingNan: 8, quietNan: 9 } as const;

function classify(parts: number, field: number, fieldMax: number, isFractionZero: boolean, isQuiet: boolean): number {
  let kind: number = CLASS.normal;
  if (field === fieldMax) {
    if (!isFractionZero) return 1 << (isQuiet ? CLASS.quietNan : CLASS.signalingNan);
    kind = CLASS.infinity;
  } else if (field === 0) kind = isFractionZero ? CLASS.zero : CLASS.subnormal;
  return 1 << (parts < 0 ? kind : CLASS.mirror - kind);
}

const fclassS: FloatHandler = (state, rd, rs1) => {
  const bits = singleBits(state.f, rs1);
  putWord(state, rd, classify(bits, (bits >>> 23) & 0xff, 0xff, (bits & 0x7fffff) === 0, (bits & 0x400000) !== 0));
};
const fclassD: FloatHandler = (state, rd, rs1) => {
  const low = state.f[2 * rs1]!;
  const high = state.f[2 * rs1 + 1]!;
  putWord(state, rd, classify(high, (high >>> 20) & 0x7ff, 0x7ff, (low | (high & 0xfffff)) === 0, (high & 0x80000) !== 0));
};

const fmvXW: FloatHandler = (state, rd, rs1) => putWord(state, rd, state.f[2 * rs1]!);
const fmvWX: FloatHandler = ({ f, x }, rd, rs1) => putSingle(f, rd, x[2 * rs1]!);
const fmvXD: FloatHandler = ({ f, x }, rd, rs1) => {
  if (rd === 0) return;
  x[2 * rd] = f[2 * rs1]!;
  x[2 * rd + 1] = f[2 * rs1 + 1]!;
};
const fmvDX: FloatHandler = ({ f, x }, rd, rs1) => putDouble(f, rd, x[2 * rs1]!, x[2 * rs1 + 1]!);

/** Mnemonic → handler. */
export const bitHandlers: Readonly<Record<string, FloatHandler>> = {
  'fsgnj.s': fsgnjS, 'fsgnjn.s': fsgnjnS, 'fsgnjx.s': fsgnjxS, 'fsgnj.d': fsgnjD, 'fsgnjn.d': fsgnjnD, 'fsgnjx.d': fsgnjxD,
  'fclass.s': fclassS, 'fclass.d': fclassD, 'fmv.x.w': fmvXW, 'fmv.w.x': fmvWX, 'fmv.x.d': fmvXD, 'fmv.d.x': fmvDX,
};
