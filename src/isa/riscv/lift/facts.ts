/**
 * What is known of addresses while a unit's code is walked through: registers through which every load of the unit may go unchecked, and the bytes
 * above the stack pointer that may be stored to. Rights that are taken away make everything leave the unit, so facts outlive calls.
 *
 *   readable   bit r: all bytes that later loads may reach through this value of xr (windows.ts) are readable
 *   frame      n > 0: [sp, sp + n) is ready for stores. n < 0: sp has just been lowered by -n; nothing is checked yet. 0: nothing known
 *
 * Invariants: the same steps are taken by the analyses (dataflow.ts, findFrames) and by the emitter, in the same order. Where a frame is known the stack
 * pointer is in a local: the call that follows reads it.
 * What this does NOT do: emit checks.
 */
import { solveForward } from './forward.ts';
import type { Graph } from './graph.ts';
import type { Instruction } from './instruction.ts';
import { bitOf } from './instruction.ts';

export const STACK_POINTER = 2;
const SP_BIT = 1 << STACK_POINTER;
/** A frame spans two pages at most. */
const FRAME_MAX = 4096;
/** Frame of a node that was not reached yet: the neutral element of meetFrames(). */
const FRAME_ANY = 0x7fffffff;

export interface Facts { readable: number; frame: number }

function meetFrames(a: number, b: number): number {
  if (a === b || b === FRAME_ANY) return a;
  if (a === FRAME_ANY) return b;
  return a > 0 && b > 0 ? Math.min(a, b) : 0;
}

/** After an instruction that retires inside a block: what its own check has proved, and what it changes. `isCovered`: another's check served it (shared-checks.ts). */
export function step(facts: Facts, instruction: Instruction, isCovered: boolean): void {
  if (instruction.isLoad && !isCovered && !isInReadyFrame(facts, instruction)) facts.readable |= bitOf(instruction.rs1);
  facts.readable &= ~instruction.writes;
  facts.frame = frameAfter(facts.frame, instruction);
}

function frameAfter(frame: number, instruction: Instruction): number {
  const { writes, isStore, rs1, imm, row: { mnemonic } } = instruction;
  if ((writes & SP_BIT) !== 0) return mnemonic === 'addi' && rs1 === STACK_POINTER && imm < 0 && imm >= -FRAME_MAX ? imm : 0;
  return isStore && frame < 0 && isInFrame({ frame }, instruction) ? -frame : frame;
}

/** The frame at the start of each node. */
export function findFrames(graph: Graph): Int32Array {
  const events = graph.nodes.map(({ block }) => (block?.instructions ?? []).filter((instruction) => (instruction.writes & SP_BIT) !== 0 || (instruction.isStore && instruction.rs1 === STACK_POINTER)));
  return solveForward(graph, {
    any: FRAME_ANY, meet: meetFrames,
    after: (before, { block }, index) => (block?.kind === 'step' ? 0 : events[index]!.reduce(frameAfter, before)),
  });
}

/** Whether a store is inside the frame, which has been checked or is about to be. */
export function isInFrame(facts: Pick<Facts, 'frame'>, { rs1, imm, size }: Instruction): boolean {
  return rs1 === STACK_POINTER && facts.frame !== 0 && imm >= 0 && imm + size <= Math.abs(facts.frame);
}

/** Whether a load is inside the frame, and that has been checked. */
export function isInReadyFrame({ frame }: Facts, { rs1, imm, size }: Instruction): boolean {
  return rs1 === STACK_POINTER && imm >= 0 && imm + size <= frame;
}

/** After a call that came back with the same stack pointer, or with everything to be read again. */
export function afterCall(facts: Facts, isStackKept: boolean): void {
  facts.readable = isStackKept ? facts.readable & SP_BIT : 0;
  if (!isStackKept) facts.frame = 0;
}
