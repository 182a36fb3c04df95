/**
 * Where the loads and stores of a block reach, as offsets from registers that the block may not even use for them: an index that is known to be small, added
 * to the start of a table, stays in the table.
 *
 *   andi a4, a4, 255       0 to 255
 *   slli a4, a4, 2         0 to 1020
 *   add  a4, a4, s1        s1 + 0 to 1020
 *   lw   a5, 0(a4)         [s1, s1 + 1024)
 *
 * Invariants: nothing is known at the start of a block; a register that is written is known again only by what is written; a sum speaks of its base as long
 * as neither is written.
 * What this does NOT do: know whether the places may be reached (strips.ts, emit-memory.ts).
 */
import { STACK_POINTER } from './facts.ts';
import type { Instruction } from './instruction.ts';

/** Offsets from a base register of the first byte and behind the last one that an access may reach. */
export interface Place { readonly base: number; readonly low: number; readonly high: number }

/** Larger numbers are not small. */
const INDEX_MAX = 4095;
const SUMS: Readonly<Record<string, number>> = { add: 0, sh1add: 1, sh2add: 2, sh3add: 3 };

interface Known {
  /** Registers that hold a number from 0 to this. */
  readonly bounds: Map<number, number>;
  /** Registers that hold another register and a number from 0 to this. */
  readonly sums: Map<number, { readonly base: number; readonly bound: number }>;
}

/** For each instruction of a block where it reaches; undefined for all but loads and stores, for x0, and directly through the stack pointer. */
export function placesOf(instructions: readonly Instruction[]): readonly (Place | undefined)[] {
  const known: Known = { bounds: new Map(), sums: new Map() };
  return instructions.map((instruction) => {
    const { isLoad, isStore, rs1, imm, size } = instruction;
    const sum = known.sums.get(rs1);
    const base = sum?.base ?? rs1;
    const isKnown = base !== 0 && (sum !== undefined || rs1 !== STACK_POINTER); // Of frames facts.ts knows.
    const place = (isLoad || isStore) && isKnown ? { base, low: imm, high: imm + (sum?.bound ?? 0) + size } : undefined;
    step(known, instruction);
    return place;
  });
}

function step({ bounds, sums }: Known, instruction: Instruction): void {
  const { rd, writes } = instruction;
  if (writes === 0) return;
  const bound = boundOf(bounds, instruction);
  const sum = sumOf(bounds, instruction);
  bounds.delete(rd);
  sums.delete(rd);
  for (const [register, { base }] of sums) if (base === rd) sums.delete(register);
  if (bound !== undefined && bound <= INDEX_MAX) bounds.set(rd, bound);
  else if (sum !== undefined && sum.bound <= INDEX_MAX && sum.base !== rd) sums.set(rd, sum);
}

/** The largest number that an instruction can leave in rd, where it leaves none below zero. */
function boundOf(bounds: ReadonlyMap<number, number>, { row: { mnemonic }, rs1, rs2, imm }: Instruction): number | undefined {
  const [a, b] = [bounds.get(rs1), bounds.get(rs2)];
  switch (mnemonic) {
    case 'lbu': return 255;
    case 'andi': return imm >= 0 ? Math.min(imm, a ?? imm) : a;
    case 'addi': return a !== undefined && imm >= 0 ? a + imm : rs1 === 0 && imm >= 0 ? imm : undefined;
    case 'slli': return a === undefined || imm > 12 ? undefined : a * 2 ** imm;
    case 'srli': return a === undefined ? (imm >= 52 ? 2 ** (64 - imm) - 1 : undefined) : Math.floor(a / 2 ** imm);
    case 'srliw': return a === undefined ? (imm >= 20 ? 2 ** (32 - imm) - 1 : undefined) : Math.floor(a / 2 ** imm);
    case 'add': return a === undefined || b === undefined ? undefined : a + b;
    case 'and': return a === undefined || b === undefined ? a ?? b : Math.min(a, b);
    default: return undefined;
  }
}

/** What an instruction adds a small number to. */
function sumOf(bounds: ReadonlyMap<number, number>, { row: { mnemonic }, rs1, rs2 }: Instruction): { readonly base: number; readonly bound: number } | undefined {
  const shift = SUMS[mnemonic];
  if (shift === undefined) return undefined;
  const [a, b] = [bounds.get(rs1), bounds.get(rs2)];
  if (a !== undefined) return { base: rs2, bound: a * 2 ** shift };
  return b !== undefined && shift === 0 ? { base: rs1, bound: b } : undefined;
}
