/**
 * What is known at the start of each node of a unit on all ways to it: forward through the graph until nothing changes. One number a node.
 * What this does NOT do: know what the number means (facts.ts, narrow.ts); registers in locals have an analysis of their own (dataflow.ts).
 */
import type { Graph, GraphNode } from './graph.ts';

export interface ForwardAnalysis {
  /** Of a node that was not reached yet: the neutral element of meet(). */
  readonly any: number;
  /** What two ways that come together have in common. */
  meet(a: number, b: number): number;
  /** Behind a node. */
  after(before: number, node: GraphNode, index: number): number;
}

/** Nothing is known, 0, where the unit is entered. */
export function solveForward({ nodes }: Graph, { any, meet, after }: ForwardAnalysis): Int32Array {
  const before = new Int32Array(nodes.length).fill(any);
  before[0] = 0;
  const open = [0];
  for (let index = open.pop(); index !== undefined; index = open.pop()) {
    const known = after(before[index]!, nodes[index]!, index);
    for (const edge of nodes[index]!.edges) {
      if (!('node' in edge)) continue;
      const met = meet(before[edge.node]!, known);
      if (met === before[edge.node]) continue;
      before[edge.node] = met;
      open.push(edge.node);
    }
  }
  return before;
}
