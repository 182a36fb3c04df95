/**
 * Short ways around a few plain instructions become values that are chosen, as compilers do for hosts with a conditional move: RV64GC has none, so its
 * compilers branch, and a branch that follows data is foreseen wrong half of the time, which costs the host some fifteen cycles.
 *
 *   bge  a5, a4, L        taken = a5 >= a4
 *   mv   a5, a4           a5 = taken ? a5 : a4
 *   L:                    (and so with two arms that meet again: each arm's instructions happen where the branch went to it)
 *
 * An arm is guarded: its instructions have one register as their only effect, are cheap, cannot leave the unit, and stand in the block behind the branch.
 * Invariants: what the block counts is what retires (`Guards`); an arm that is reached otherwise too keeps its block.
 * What this does NOT do: emit code (emit-unit.ts), know which branches are foreseen well.
 */
import { PURE } from '../lift-table.ts';
import { STACK_POINTER } from './facts.ts';
import type { Instruction } from './instruction.ts';
import type { Block, Edge } from './region.ts';

/** How many of a block's last instructions are of the arm behind a branch that is taken, after those of the arm behind one that is not. */
export interface Guards { readonly taken: number; readonly other: number }

/** Instructions of both arms together. Longer ones cost more than a branch that is foreseen wrong now and then. */
const GUARDED_MAX = 4;
/** What takes the host longer than a few cycles, or has branches of its own. */
const COSTLY: ReadonlySet<string> = new Set('mul mulw div divu rem remu divw divuw remw remuw rev8 orc.b'.split(' '));

/** The blocks with what can be chosen in place. `roots`: places that are entered from elsewhere. Arms that are left over are empty, and nothing leads to them. */
export function convertBranches(blocks: readonly Block[], roots: readonly number[]): readonly Block[] {
  const ways = new Int32Array(blocks.length);
  for (const { edges } of blocks) for (const edge of edges) if ('block' in edge) ways[edge.block]!++;
  const kept = new Set(roots);
  const converted = [...blocks];
  const arm = (edge: Edge): Arm | undefined => {
    if (!('block' in edge) || ways[edge.block] !== 1) return undefined;
    const block = blocks[edge.block]!;
    return block.kind === 'jump' && !kept.has(block.start) && block.instructions.every(canBeGuarded) ? { index: edge.block, block } : undefined;
  };
  blocks.forEach((block, index) => {
    const arms = block.kind === 'branch' ? armsOf(block, arm) : undefined;
    if (arms === undefined || countOf(arms.taken) + countOf(arms.other) > GUARDED_MAX) return;
    converted[index] = guarded(block, arms);
    for (const left of [arms.other, arms.taken]) if (left !== undefined) converted[left.index] = emptied(left.block);
  });
  return converted;
}

interface Arm { readonly index: number; readonly block: Block }
/** `taken`: undefined where the branch leads to where the ways meet again. */
interface Arms { readonly taken: Arm | undefined; readonly other: Arm }

function countOf(arm: Arm | undefined): number {
  return arm?.block.instructions.length ?? 0;
}

/** What stands between a branch and where its ways meet again. */
function armsOf({ edges: [taken, other] }: Block, arm: (edge: Edge) => Arm | undefined): Arms | undefined {
  const behind = arm(other!);
  if (behind === undefined) return undefined;
  const meeting = behind.block.edges[0]!;
  if (isSame(meeting, taken!)) return { taken: undefined, other: behind };
  const before = arm(taken!);
  return before !== undefined && isSame(before.block.edges[0]!, meeting) ? { taken: before, other: behind } : undefined;
}

function isSame(a: Edge, b: Edge): boolean {
  return 'block' in a && 'block' in b && a.block === b.block;
}

function guarded(block: Block, { other, taken }: Arms): Block {
  const of = (arm: Arm | undefined, when: boolean): readonly Instruction[] => arm?.block.instructions.map((instruction) => guard(instruction, when)) ?? [];
  return {
    ...block, kind: 'jump', edges: other.block.edges, instructions: [...block.instructions, ...of(other, false), ...of(taken, true)], guards: { other: countOf(other), taken: countOf(taken) },
    end: Math.max(block.end, other.block.end, taken?.block.end ?? 0),
  };
}

function emptied({ start, end }: Block): Block {
  return { start, end, resume: end, kind: 'return', instructions: [], edges: [] };
}

/** A jump to where the arms meet does nothing but retire. */
function canBeGuarded({ row: { mnemonic }, kind, rd, writes }: Instruction): boolean {
  if (kind === 'jump') return rd === 0;
  return kind === 'plain' && mnemonic in PURE && !COSTLY.has(mnemonic) && writes !== 0 && rd !== STACK_POINTER;
}

/** Reads what it may leave as it is. Its mnemonic is no other's, so that nothing takes it for an instruction that always happens. */
function guard(instruction: Instruction, when: boolean): Instruction {
  const { row, reads, writes } = instruction;
  return { ...instruction, kind: 'plain', row: { ...row, mnemonic: `${when ? 'if' : 'unless'} ${row.mnemonic}` }, reads: reads | writes, guarded: { instruction, when } };
}
