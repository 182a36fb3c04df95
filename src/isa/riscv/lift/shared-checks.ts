/**
 * Loads and stores of one block through one value of a base register: where a store is among them, one look at both ends of all their bytes, made at the
 * first of them, serves them all. A place that is ready for stores can be loaded from.
 *
 *   ld a4, 0(a5)    looks whether [a5, a5 + 16) is ready        covered
 *   addi a4, a4, 1
 *   sd a4, 0(a5)    nothing to look at
 *   ld a3, 8(a5)    nothing to look at                          covered
 *
 * Also where the register is moved by a constant in between, as compilers do in loops: `ld a4, 0(a5); addi a5, a5, 8; sd a4, -8(a5)`.
 *
 * Invariants: coveredLoads() and the emitter, which asks spanAt() at each access that nothing is known of, come to the same spans: what is covered says
 * nothing of later loads (facts.ts). A page may be made ready though the block is left before its store: marks may say too much, never too little.
 * What this does NOT do: emit checks (emit-memory.ts), or look at other blocks; the stack pointer has frames (facts.ts), x0 no base at all.
 */
import { STACK_POINTER } from './facts.ts';
import type { Instruction } from './instruction.ts';

/** A range that one check of both ends covers. */
export const SPAN_MAX = 4096;

/** Offsets from the base register of the first and the last byte. */
export interface Span { readonly low: number; readonly high: number; readonly hasStore: boolean }

/** The bytes of the access at `position` and of the stores (`hasLoads`: and loads) after it through the same value of its base register. */
export function spanAt(instructions: readonly Instruction[], position: number, hasLoads: boolean): Span {
  const { rs1, imm, size, isStore } = instructions[position]!;
  let [low, high, hasStore, moved] = [imm, imm + size - 1, isStore, 0];
  for (let at = position; at < instructions.length; at++) {
    const next = instructions[at]!;
    if (next.rs1 === rs1 && (next.isStore || (hasLoads && next.isLoad))) {
      const [first, last] = [Math.min(low, next.imm + moved), Math.max(high, next.imm + moved + next.size - 1)];
      if (last - first < SPAN_MAX) [low, high, hasStore] = [first, last, hasStore || next.isStore];
    }
    const step = stepOf(next);
    if (step !== undefined && next.rd === rs1) moved += step;
    else if ((next.writes & (1 << rs1)) !== 0 || endsSpans(next)) break;
  }
  return { low, high, hasStore };
}

/** By how much an instruction moves the register that it reads; undefined for every other instruction. */
function stepOf({ row: { mnemonic }, rd, rs1, imm }: Instruction): number | undefined {
  return mnemonic === 'addi' && rd === rs1 && rd !== 0 ? imm : undefined;
}

/** Brings what was looked at, by base register, behind an instruction. */
export function stepSpans(spans: Map<number, Span>, instruction: Instruction): void {
  const { rd, writes } = instruction;
  const [step, span] = [stepOf(instruction), spans.get(rd)];
  if (step !== undefined && span !== undefined) spans.set(rd, { ...span, low: span.low - step, high: span.high - step });
  else if (writes !== 0) spans.delete(rd);
  if (endsSpans(instruction)) spans.clear();
}

/** Whether nothing that was looked at before an instruction is known after it. */
function endsSpans({ row: { format, mnemonic } }: Instruction): boolean {
  return format === 'Atomic' || mnemonic === 'fence';
}

export function isInSpan({ imm, size }: Instruction, span: Span | undefined): boolean {
  return span !== undefined && imm >= span.low && imm + size - 1 <= span.high;
}

/** For each instruction of a block 1 where it is a load that a look for a store serves. */
export function coveredLoads(instructions: readonly Instruction[]): Uint8Array {
  const covered = new Uint8Array(instructions.length);
  const spans = new Map<number, Span>();
  instructions.forEach((instruction, at) => {
    const { isLoad, isStore, rs1 } = instruction;
    if ((isLoad || isStore) && rs1 !== 0 && rs1 !== STACK_POINTER) {
      const known = spans.get(rs1);
      const span = isInSpan(instruction, known) ? known! : spanAt(instructions, at, true);
      if (span.hasStore) spans.set(rs1, span);
      if (span.hasStore && isLoad) covered[at] = 1;
    }
    stepSpans(spans, instruction);
  });
  return covered;
}
