/**
 * What is known of addresses while a unit's code is walked through: registers through which every load of the unit may go unchecked, and the bytes
 * above the stack pointer that may be stored to. Rights that are taken away make everything leave the unit, so facts outlive calls.
 *
 *   readable   bit r: all bytes that later loads may reach through this value of xr (windows.ts) are readable
 *   frame      n > 0: [sp, sp + n) is ready for stores. n < 0: sp has just been lowered by -n; nothing is checked yet. 0: nothing known
 *
 * Invariants: the same steps are taken by the analysis (dataflow.ts) and by the emitter, in the same order.
 * What this does NOT do: emit checks.
 */
import type { Instruction } from './instruction.ts';
import { bitOf } from './instruction.ts';

export const STACK_POINTER = 2;
const SP_BIT = 1 << STACK_POINTER;
/** A frame spans two pages at most. */
const FRAME_MAX = 4096;
/** Frame of a node that was not reached yet: the neutral element of meetInto(). */
export const FRAME_ANY = 0x7fffffff;

export interface Facts { readable: number; frame: number }

/** Keeps of `into` what also holds by `other`. */
export function meetInto(into: Facts, other: Readonly<Facts>): void {
  into.readable &= other.readable;
  into.frame = meetFrames(into.frame, other.frame);
}

function meetFrames(a: number, b: number): number {
  if (a === b || b === FRAME_ANY) return a;
  if (a === FRAME_ANY) return b;
  return a > 0 && b > 0 ? Math.min(a, b) : 0;
}

/** After an instruction that retires inside a block. The caller has noted what the instruction's own check proved. */
export function step(facts: Facts, { writes, rd, rs1, imm, row: { mnemonic } }: Instruction): void {
  facts.readable &= ~writes;
  if (rd !== STACK_POINTER || writes === 0) return;
  const isLowered = mnemonic === 'addi' && rs1 === STACK_POINTER && imm < 0 && imm >= -FRAME_MAX;
  facts.frame = isLowered ? imm : 0;
}

/** What a load through a register proves, also for the loads after it. */
export function noteLoad(facts: Facts, { rs1 }: Instruction): void {
  facts.readable |= bitOf(rs1);
}

/** Whether a store is inside the frame, which has been checked or is about to be. */
export function isInFrame(facts: Facts, { rs1, imm, size }: Instruction): boolean {
  return rs1 === STACK_POINTER && facts.frame !== 0 && imm >= 0 && imm + size <= Math.abs(facts.frame);
}

/** After a call that came back with the same stack pointer, or with everything to be read again. */
export function afterCall(facts: Facts, isStackKept: boolean): void {
  facts.readable = isStackKept ? facts.readable & SP_BIT : 0;
  if (!isStackKept) facts.frame = 0;
}
