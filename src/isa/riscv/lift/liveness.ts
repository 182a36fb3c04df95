/**
 * Which registers are read again inside the unit before they are overwritten. What is not need not stay in a local: once it has been stored, leaving
 * the unit early finds it in the register block, and the host's registers are free for others.
 *
 *   flush   after an instruction: registers that are dead there, except those that are overwritten before the unit can be left
 *
 * In a small loop without calls there are registers of the host for everything, so nothing is flushed: all that it touches counts as live in it. So it is in
 * the copy of a loop that runs in strips, but for what is dropped there.
 *
 * Exits and calls store what is dirty anyhow, so they are no uses; but calls, returns and jumps to other units hand the stack pointer and a0 over. (A jump to a place of the unit's own
 * that is missed, and a branch out of it, are rare: they load what they hand over.)
 * What this does NOT do: know what is dirty (dataflow.ts).
 */
import type { Graph, GraphNode } from './graph.ts';
import { PASSED } from './handover.ts';
import { LoopBody } from './small-loops.ts';

export interface Liveness {
  /** Live at the start of each node, as bit sets. */
  readonly integers: Int32Array;
  readonly floats: Int32Array;
  /** For each node: sets to flush after each of its instructions, integers and floats in turn. */
  readonly flushes: readonly Int32Array[];
}

export function findLiveness(graph: Graph): Liveness {
  const { nodes, predecessors } = graph;
  const kept = keptInLoops(graph);
  const integers = new Int32Array(nodes.length);
  const floats = new Int32Array(nodes.length);
  const open = nodes.map((_, index) => index);
  const isOpen = new Uint8Array(nodes.length).fill(1);
  for (let index = open.pop(); index !== undefined; index = open.pop()) {
    isOpen[index] = 0;
    let [live, liveFloats] = liveAfter(nodes[index]!, integers, floats);
    const instructions = nodes[index]!.block?.instructions ?? [];
    for (let at = instructions.length - 1; at >= 0; at--) {
      const { reads, writes, floatReads, floatWrites } = instructions[at]!;
      live = (live & ~writes) | reads;
      liveFloats = (liveFloats & ~floatWrites) | floatReads;
    }
    live |= kept.integers[index]!;
    liveFloats |= kept.floats[index]!;
    if (live === integers[index] && liveFloats === floats[index]) continue;
    integers[index] = live;
    floats[index] = liveFloats;
    for (const source of predecessors[index]!) {
      if (isOpen[source] === 1) continue;
      isOpen[source] = 1;
      open.push(source);
    }
  }
  return { integers, floats, flushes: nodes.map((node, index) => findFlushes(node, liveAfter(node, integers, floats), [kept.integers[index]!, kept.floats[index]!])) };
}

/** For each node, what the small loops around it touch. */
function keptInLoops({ nodes, loops }: Graph): Pick<Liveness, 'integers' | 'floats'> {
  const [integers, floats] = [new Int32Array(nodes.length), new Int32Array(nodes.length)];
  for (const [header, members] of loops) {
    const { role, strip } = nodes[header]!;
    const body = new LoopBody();
    for (const index of members) body.add(nodes[index]!.block);
    if (!body.isSmall && role !== 'test') continue;
    const kept = role === 'test' ? body.integers & ~strip!.dropped : body.integers;
    for (const index of members) {
      integers[index]! |= kept;
      floats[index]! |= body.floats;
    }
  }
  return { integers, floats };
}

/** Live behind the last instruction of a node. */
function liveAfter({ block, edges }: GraphNode, integers: Int32Array, floats: Int32Array): [number, number] {
  const kind = block?.kind;
  if (kind === 'step') return [0, 0];
  if (kind === 'call' || kind === 'callRegister' || kind === 'return' || kind === 'indirect' || (kind === 'jump' && 'address' in edges[0]!)) return [PASSED, 0];
  let live = 0;
  let liveFloats = 0;
  for (const edge of edges) {
    if (!('node' in edge)) continue;
    live |= integers[edge.node]!;
    liveFloats |= floats[edge.node]!;
  }
  return [live, liveFloats];
}

function findFlushes({ block }: GraphNode, [liveEnd, liveFloatsEnd]: readonly [number, number], [kept, keptFloats]: readonly [number, number]): Int32Array {
  const instructions = block?.instructions ?? [];
  const flushes = new Int32Array(2 * instructions.length);
  let [live, liveFloats] = [liveEnd, liveFloatsEnd];
  let [overwritten, overwrittenFloats] = [0, 0];
  for (let at = instructions.length - 1; at >= 0; at--) {
    const { reads, writes, floatReads, floatWrites, canLeave, kind } = instructions[at]!;
    if (kind === 'plain') {
      flushes[2 * at] = ~live & ~overwritten & ~kept & (reads | writes);
      flushes[2 * at + 1] = ~liveFloats & ~overwrittenFloats & ~keptFloats & (floatReads | floatWrites);
    }
    live = (live & ~writes) | reads;
    liveFloats = (liveFloats & ~floatWrites) | floatReads;
    overwritten = canLeave ? 0 : overwritten | writes;
    overwrittenFloats = canLeave ? 0 : overwrittenFloats | floatWrites;
  }
  return flushes;
}
