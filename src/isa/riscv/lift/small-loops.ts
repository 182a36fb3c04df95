/**
 * Small loops: without calls and with few registers, so that the host's registers hold all of them all the way round.
 *
 * A small loop that shares its header with larger ones gets it for itself:
 *
 *      ──► h ◄──┐                 ──► landing ──► h ◄──┐
 *          │ ▲  │                        ▲        │    │
 *          │ └──┘ small                  │        └────┘ small
 *          └──► … ──► h                  └── … ◄──┘
 *
 * So it is wherever a unit is entered in an inner loop: all loops around it come back to that place.
 * What this does NOT do: choose what stays in locals (liveness.ts, dataflow.ts).
 */
import { isCallingBlock, type Block } from './region.ts';

/** A small loop touches at most so many integer registers and so many float registers. */
const INTEGERS_MAX = 10;
const FLOATS_MAX = 12;
const NODES_MAX = 64;
/** Headers with more ways back are an interpreter's, or no loops of their own. */
const LATCHES_MAX = 8;

/** What the nodes of a loop have in common. */
export class LoopBody {
  integers = 0;
  floats = 0;
  #hasCall = false;

  add(block: Block | undefined): void {
    if (block === undefined) return;
    this.#hasCall ||= isCallingBlock(block);
    for (const { reads, writes, floatReads, floatWrites } of block.instructions) {
      this.integers |= reads | writes;
      this.floats |= floatReads | floatWrites;
    }
  }

  get isSmall(): boolean {
    return !this.#hasCall && countOf(this.integers) <= INTEGERS_MAX && countOf(this.floats) <= FLOATS_MAX;
  }
}

/** Registers in a set. */
export function countOf(set: number): number {
  let count = 0;
  for (let rest = set; rest !== 0; rest &= rest - 1) count++;
  return count;
}

interface Draft { readonly block: Block | undefined; edges: number[] }

/** Puts landings (nodes without a block and with one edge) before small loops that share their header. `order`: reverse postorder of a reducible graph. `blocks`: drafts above are copies, which no number leads to. */
export function separateSmallLoops(drafts: Draft[], order: readonly number[], blocks: number): void {
  const position = new Int32Array(drafts.length).fill(-1);
  order.forEach((draft, index) => { position[draft] = index; });
  const predecessors: number[][] = drafts.map(() => []);
  for (const from of order) for (const target of drafts[from]!.edges) predecessors[target]!.push(from);
  for (const header of order) {
    if (drafts[header]!.block === undefined || header >= blocks) continue;
    const latches = predecessors[header]!.filter((from) => position[from]! >= position[header]!);
    if (latches.length < 2 || latches.length > LATCHES_MAX) continue;
    const small = latches.filter((latch) => isSmallLoop(drafts, predecessors, header, latch));
    if (small.length === 0 || small.length === latches.length) continue;
    const landing = drafts.length;
    for (const from of predecessors[header]!) if (!small.includes(from)) drafts[from]!.edges = drafts[from]!.edges.map((target) => (target === header ? landing : target));
    drafts.push({ block: undefined, edges: [header] });
  }
}

function isSmallLoop(drafts: readonly Draft[], predecessors: readonly (readonly number[])[], header: number, latch: number): boolean {
  const body = new LoopBody();
  const members = new Set([header]);
  body.add(drafts[header]!.block);
  const open = [latch];
  for (let node = open.pop(); node !== undefined; node = open.pop()) {
    if (members.has(node)) continue;
    if (members.size === NODES_MAX) return false;
    members.add(node);
    body.add(drafts[node]!.block);
    if (!body.isSmall) return false;
    open.push(...predecessors[node]!);
  }
  return body.isSmall;
}
