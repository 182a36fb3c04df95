/**
 * The shape of an integer operation that the interpreter calls instead of having it in its switch.
 */
import type { Machine } from '../machine.ts';

/**
 * Executes one instruction. `operands` packs register numbers, five bits each: rd, rs1, rs2. Returns RETIRED, or the STOP that
 * kept the instruction from happening (then nothing has changed but machine.fault*).
 */
export type Operation = (machine: Machine, operands: number, imm: number) => number;

export const rdOf = (operands: number): number => operands & 31;
/** Offsets of the low halves of rs1 and rs2 in machine.x. */
export const rs1Of = (operands: number): number => (operands >>> 4) & 62;
export const rs2Of = (operands: number): number => (operands >>> 9) & 62;
