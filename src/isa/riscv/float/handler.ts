/**
 * The contract between the RISC-V interpreter and its floating-point unit.
 * A handler computes one instruction on register numbers: operands from `state`, result (NaN-boxed for single precision) to `state`, accrued
 * flags or-ed into the low five bits of control[fcsr]. `rm` is a valid, already resolved rounding mode 0..4 (RNE RTZ RDN RUP RMM).
 * Integer sources and results (fcvt, feq, fclass, fmv) use state.x halves; a handler never writes x0.
 */
import type { CpuState } from '../../cpu.ts';

export type FloatHandler = (state: CpuState, rd: number, rs1: number, rs2: number, rs3: number, rm: number) => void;

/** Bits of fflags. */
export const FLAG = { inexact: 1, underflow: 2, overflow: 4, divideByZero: 8, invalid: 16 } as const;
export const ROUND = { nearestEven: 0, toZero: 1, down: 2, up: 3, nearestAway: 4 } as const;
