/**
 * Loops without branches inside that compute and load, where a round can be done in two ways. Registers that are dead at the end of a round must be in the register
 * block only when the unit is left before they are written again. So before a fast round it is made sure that the round after it cannot leave either; then
 * nothing that is dead is stored, and the host's compiler computes it where the loop ends, if at all.
 *
 *   header ──► fuel for this round and the next, and all pages readable for both? ──► fast round ──► header, or out with everything stored
 *                 │ no
 *                 └────► full round: looks, stores, may leave ──► header, or out
 *
 * A full round after a fast one does not leave: what it looks for was promised. A page's flag `wide` promises the page after it too, so it speaks for the next
 * round's address where that is at most a page further.
 * What is dead and written before the one way out of the loop need not be stored on the way back.
 * Invariants: only instructions that cannot leave but for a look at a page; loads come before the step of their base.
 * What this does NOT do: emit code (emit-fast-loop.ts).
 */
import { PURE } from '../lift-table.ts';
import type { Graph } from './graph.ts';
import type { Instruction } from './instruction.ts';
import { countOf } from './small-loops.ts';
import type { LoadWindows } from './windows.ts';

/** How many dead registers make a second copy of the loop worth while. */
const DEAD_MIN = 3;
const INSTRUCTIONS_MAX = 200;
const CHAIN_MAX = 4;
/** Farther than this above its base a load is not covered by the look of the round before. */
const REACH_MAX = 4096;

/**
 * `chain`: the loop's nodes in the order of a round, the header first; it can be left at the end of `exit`. As bit sets: `bases`, registers whose pages are
 * looked at before a fast round; `dropped`, registers that a round writes before it reads them and before it can end: they need not be stored on the way back.
 */
export interface FastLoop { readonly chain: readonly number[]; readonly exit: number; readonly bases: number; readonly dropped: number }

/** Of each node what is flushed after its instructions; what loads reach; which nodes look at the fuel. */
export interface LoopFacts { readonly flushes: readonly Int32Array[]; readonly windows: LoadWindows; readonly checked: ReadonlySet<number> }

/** For each node the loop that it is the header of, where that has fast rounds; undefined for all others. */
export function findFastLoops(graph: Graph, { flushes, windows, checked }: LoopFacts): readonly (FastLoop | undefined)[] {
  return graph.nodes.map((_, header) => {
    const chain = chainOf(graph, header);
    if (chain === undefined || chain.some((node) => node !== header && checked.has(node))) return undefined; // A full round may leave there.
    const exit = chain.findIndex((node) => graph.nodes[node]!.block!.kind === 'branch');
    const dropped = writtenFirst(instructionsOf(graph, chain.slice(0, exit + 1)));
    if (countOf(dropped & deadOf(chain.map((node) => flushes[node]!))) < DEAD_MIN) return undefined;
    const bases = basesOf(graph, chain, windows);
    return bases === undefined ? undefined : { chain, exit: chain[exit]!, bases, dropped };
  });
}

/** The nodes of a loop that can be left at the end of one of them only. */
function chainOf({ nodes, loops }: Graph, header: number): readonly number[] | undefined {
  const members = loops.get(header);
  if (members === undefined || members.size > CHAIN_MAX) return undefined;
  const chain: number[] = [];
  let exits = 0;
  for (let at = header; ;) {
    const { block, edges } = nodes[at]!;
    if (block?.kind === 'branch') exits++;
    else if (block?.kind !== 'jump') return undefined;
    if (edges.some((edge) => 'index' in edge && edge.index !== undefined)) return undefined;
    chain.push(at);
    const inside = edges.filter((edge) => 'node' in edge && members.has(edge.node));
    const [next] = inside;
    if (inside.length !== 1 || next === undefined || !('node' in next) || edges.length !== (block.kind === 'branch' ? 2 : 1)) return undefined;
    if (next.node === header) return chain.length === members.size && exits === 1 ? chain : undefined;
    at = next.node;
  }
}

function instructionsOf({ nodes }: Graph, chain: readonly number[]): readonly Instruction[] {
  return chain.flatMap((node) => nodes[node]!.block!.instructions); // A chain is of blocks.
}

/** The bases of all loads of a round; undefined where not all of them can be looked at before it, or something else may leave. */
function basesOf(graph: Graph, chain: readonly number[], windows: LoadWindows): number | undefined {
  const all = instructionsOf(graph, chain);
  if (all.length > INSTRUCTIONS_MAX) return undefined;
  const steps = stepsOf(all);
  let [bases, stepped] = [0, 0];
  for (const node of chain) {
    const instructions = instructionsOf(graph, [node]);
    for (const [at, { isLoad, kind, rs1, writes, row: { mnemonic } }] of instructions.entries()) {
      if (isLoad) {
        const step = steps.get(rs1);
        const { low, high } = windows.at(node, instructions, at); // What a full round looks at.
        if (rs1 === 0 || step === undefined || (stepped & (1 << rs1)) !== 0 || low < 0 || high + step > REACH_MAX) return undefined;
        bases |= 1 << rs1;
      } else if (kind === 'plain' && !(mnemonic in PURE)) return undefined;
      stepped |= writes;
    }
  }
  return bases;
}

/** Integer registers that instructions write before they read them. */
function writtenFirst(instructions: readonly Instruction[]): number {
  let [read, written] = [0, 0];
  for (const { reads, writes } of instructions) {
    read |= reads & ~written;
    written |= writes & ~read;
  }
  return written;
}

function deadOf(flushes: readonly Int32Array[]): number {
  let dead = 0;
  for (const ofNode of flushes) for (let at = 0; at < ofNode.length; at += 2) dead |= ofNode[at]!;
  return dead;
}

/** By how much a round moves each register that it only moves forward; 0 for those that it does not change. */
function stepsOf(instructions: readonly Instruction[]): ReadonlyMap<number, number> {
  const steps = new Map<number, number>(Array.from({ length: 32 }, (_, register) => [register, 0]));
  for (const { row: { mnemonic }, rd, rs1, imm, writes } of instructions) {
    if (writes === 0) continue;
    const before = steps.get(rd);
    if (mnemonic === 'addi' && rs1 === rd && imm > 0 && before !== undefined) steps.set(rd, before + imm);
    else steps.delete(rd);
  }
  return steps;
}
