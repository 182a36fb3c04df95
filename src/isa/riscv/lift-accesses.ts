/**
 * Which address checks of a block can be shared: accesses through one unchanged base register whose bytes lie within one page's length are
 * checked together, by the page of the lowest and of the highest byte, before the first of them.
 * A check that fails too early costs an interpreted instruction, never a wrong result.
 * What this does NOT do: look across blocks.
 */
import { PAGE_FLAG, STORE_FAST, STORE_MASK } from '../cpu.ts';
import { LOADS, STORES } from './lift-table.ts';
import type { LiftedInstruction } from './lift-region.ts';
import { writtenRegister } from './lift-registers.ts';

/** What to check before an access: bytes [low, high] from the base register, flags, alignment of base + low (size - 1). */
export interface AccessCheck { readonly low: number; readonly high: number; readonly mask: number; readonly want: number; readonly alignment: number }
/** One access: its check, or undefined when an earlier one covers it. */
export type AccessPlan = ReadonlyMap<LiftedInstruction, AccessCheck | undefined>;

interface Group { readonly members: LiftedInstruction[]; low: number; high: number; size: number }
const SPAN_MAX = 4096;
/** A shared check looks at two pages, a single one at one. */
const SHARED_MIN = 3;

export function sizeOf(mnemonic: string): number {
  return (LOADS[mnemonic] ?? STORES[mnemonic])?.[1] ?? 0;
}

export function planAccesses(instructions: readonly LiftedInstruction[]): AccessPlan {
  const plan = new Map<LiftedInstruction, AccessCheck | undefined>();
  const open = new Map<number, Group>();
  const close = (register: number): void => {
    const group = open.get(register);
    if (group !== undefined) settle(group, plan);
    open.delete(register);
  };
  for (const instruction of instructions) {
    const { row, rs1, imm } = instruction;
    const size = sizeOf(row.mnemonic);
    if (size > 0) {
      const group = open.get(rs1);
      const isFit = group !== undefined && imm % size === 0 && Math.max(group.high, imm + size - 1) - Math.min(group.low, imm) < SPAN_MAX;
      if (isFit) add(group, instruction, size);
      else {
        close(rs1);
        open.set(rs1, { members: [instruction], low: imm, high: imm + size - 1, size });
      }
    }
    close(writtenRegister(instruction));
  }
  for (const register of [...open.keys()]) close(register);
  return plan;
}

function add(group: Group, instruction: LiftedInstruction, size: number): void {
  group.members.push(instruction);
  group.low = Math.min(group.low, instruction.imm);
  group.high = Math.max(group.high, instruction.imm + size - 1);
  group.size = Math.max(group.size, size);
}

function settle(group: Group, plan: Map<LiftedInstruction, AccessCheck | undefined>): void {
  const isAligned = group.members.every(({ imm, row }) => imm % sizeOf(row.mnemonic) === 0);
  if (group.members.length < SHARED_MIN || !isAligned) {
    for (const member of group.members) plan.set(member, single(member));
    return;
  }
  const hasLoad = group.members.some(({ row }) => row.mnemonic in LOADS);
  const hasStore = group.members.some(({ row }) => row.mnemonic in STORES);
  const mask = (hasLoad ? PAGE_FLAG.read : 0) | (hasStore ? STORE_MASK : 0);
  const want = (hasLoad ? PAGE_FLAG.read : 0) | (hasStore ? STORE_FAST : 0);
  const low = group.low & -group.size; // On the same page as the lowest byte when the base is aligned, and aligned exactly then.
  group.members.forEach((member, index) => {
    plan.set(member, index > 0 ? undefined : { low, high: group.high, mask, want, alignment: group.size - 1 });
  });
}

function single({ imm, row }: LiftedInstruction): AccessCheck {
  const size = sizeOf(row.mnemonic);
  const isLoad = row.mnemonic in LOADS;
  return { low: imm, high: imm, mask: isLoad ? PAGE_FLAG.read : STORE_MASK, want: isLoad ? PAGE_FLAG.read : STORE_FAST, alignment: size - 1 };
}
