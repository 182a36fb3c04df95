/**
 * How the reference reads and writes the register block: operands as bit patterns, results with NaN boxes, flags or-ed into fcsr.
 *
 * Invariants: a single that is not boxed (upper half not all ones) reads as the canonical NaN; a single is written boxed; x0 is never written.
 * What this does NOT do: compute.
 */
import { CONTROL, type CpuState } from '../../cpu.ts';
import type { Format } from './format.ts';

/** The operand in float register `index` as an unsigned pattern of the format's width. */
export function readFloat(state: CpuState, format: Format, index: number): bigint {
  const low = BigInt(state.f[2 * index]! >>> 0);
  const high = BigInt(state.f[2 * index + 1]! >>> 0);
  if (format.name === 'd') return (high << 32n) | low;
  return high === 0xffffffffn ? low : format.canonicalNan;
}

export function writeFloat(state: CpuState, format: Format, index: number, bits: bigint): void {
  state.f[2 * index] = Number(BigInt.asIntN(32, bits));
  state.f[2 * index + 1] = format.name === 's' ? -1 : Number(BigInt.asIntN(32, bits >> 32n));
}

/** The integer register as a mathematical integer of `width` low bits. */
export function readInteger(state: CpuState, index: number, type: { readonly width: 32 | 64; readonly isSigned: boolean }): bigint {
  const low = BigInt(state.x[2 * index]! >>> 0);
  const high = BigInt(state.x[2 * index + 1]! >>> 0);
  const bits = (high << 32n) | low;
  return type.isSigned ? BigInt.asIntN(type.width, bits) : BigInt.asUintN(type.width, bits);
}

/** 32-bit results are sign-extended, unsigned ones too (Unpriv. ISA, "Single-Precision Floating-Point Conversion and Move Instructions"). */
export function writeInteger(state: CpuState, index: number, value: bigint, width: 32 | 64): void {
  if (index === 0) return;
  const extended = BigInt.asIntN(width, value);
  state.x[2 * index] = Number(BigInt.asIntN(32, extended));
  state.x[2 * index + 1] = Number(BigInt.asIntN(32, extended >> 32n));
}

export function accrue(state: CpuState, flags: number): void {
  state.control[CONTROL.fcsr] = state.control[CONTROL.fcsr]! | flags;
}
