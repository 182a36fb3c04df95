/**
 * What the analyses and the emitter ask about the rounds of strips (strips.ts), once the graph stands.
 * What this does NOT do: emit code (emit-strip.ts).
 */
import { placesOf } from './bounded-places.ts';
import type { GraphNode } from './graph.ts';
import type { Instruction } from './instruction.ts';
import { coveredLoads } from './shared-checks.ts';
import { REACH_MAX, type Strip } from './strips.ts';
import type { LoadWindows } from './windows.ts';

/** For each instruction of a block of the copy 1 where it is a load that the guard, or a look for a store, serves: it proves nothing for other loads. */
export function coveredInStrip(instructions: readonly Instruction[], free: Uint8Array): Uint8Array {
  return coveredLoads(instructions).map((covered, at) => covered | (instructions[at]!.isLoad ? free[at]! : 0));
}

/** The last round of a tight strip is a full one and must not leave: what its loads look at, for later loads too, is added to what the guard looks at. */
export function widenTight(nodes: readonly GraphNode[], windows: LoadWindows): void {
  for (const { role, strip } of nodes) {
    if (role !== 'guard' || !strip!.isTight) continue;
    nodes.forEach((node, index) => { if (node.role === 'round' && node.strip === strip) widen(strip!, node, (at) => windows.at(index, node.block!.instructions, at)); });
    if (strip!.bases.some(({ low, high }) => high - low > REACH_MAX)) strip!.dropped = 0;
  }
}

function widen({ bases }: Strip, { block }: GraphNode, windowAt: (position: number) => { readonly low: number; readonly high: number }): void {
  const { instructions } = block!;
  placesOf(instructions).forEach((place, at) => {
    const { isLoad, imm, size } = instructions[at]!;
    const base = isLoad ? bases.find(({ register }) => register === place?.base) : undefined;
    if (base === undefined) return;
    const { low, high } = windowAt(at);
    const bound = place!.high - imm - size; // Of what was added to the base.
    base.low = Math.min(base.low, low);
    base.high = Math.max(base.high, high + bound);
  });
}

/** Integer registers that need not be stored on an edge: where nothing but the way back is left of a round of a tight strip, and to the full round behind it. */
export function droppedBetween(nodes: readonly GraphNode[], from: number, to: number): number {
  const [source, target] = [nodes[from]!, nodes[to]!];
  if (source.role === 'round') return source.strip === target.strip && isWayBack(nodes, target) ? source.strip!.dropped : 0;
  return source.role === 'test' && target.role === undefined ? source.strip!.dropped : 0;
}

/** The test of a strip, or a node of its copy behind which the loop cannot end before the test. */
function isWayBack(nodes: readonly GraphNode[], { role, strip, edges }: GraphNode): boolean {
  if (role === 'test') return true;
  return role === 'round' && edges.every((edge) => 'node' in edge && nodes[edge.node]!.strip === strip && isWayBack(nodes, nodes[edge.node]!));
}
