/**
 * Which bytes around a base register the loads after a point may reach while the register holds the same value: what one check has to cover so that
 * the loads after it need none. A backward analysis; calls and steps end it for every register but the stack pointer (see facts.ts).
 *
 * Layout: 64 int16 a node, [2r] lowest offset and [2r+1] offset behind the highest byte of loads through xr; low > high means none.
 * What this does NOT do: say what is readable.
 */
import { STACK_POINTER } from './facts.ts';
import { isCalling, type Graph, type GraphNode } from './graph.ts';
import type { Instruction } from './instruction.ts';

export interface Window { low: number; high: number }
const NONE_LOW = 0x4000;
const NONE_HIGH = -0x4000;
const WORDS = 64;

export class LoadWindows {
  readonly #after: readonly Int16Array[];

  constructor(graph: Graph) {
    const { nodes, predecessors } = graph;
    const before = nodes.map(() => none());
    const after = nodes.map(() => none());
    const inside = nodes.map((node) => summarise(node));
    const open = nodes.map((_, index) => index);
    const isOpen = new Uint8Array(nodes.length).fill(1);
    for (let index = open.pop(); index !== undefined; index = open.pop()) {
      isOpen[index] = 0;
      const out = after[index]!;
      for (const edge of nodes[index]!.edges) if ('node' in edge) unite(out, before[edge.node]!);
      if (!pass(before[index]!, out, inside[index]!)) continue;
      for (const source of predecessors[index]!) {
        if (isOpen[source] === 1) continue;
        isOpen[source] = 1;
        open.push(source);
      }
    }
    nodes.forEach((node, index) => { if (isCalling(node)) keepStackOnly(after[index]!, node.block!.kind === 'step'); });
    this.#after = after;
  }

  /** The window of the load at `position` of a block. */
  at(node: number, instructions: readonly Instruction[], position: number): Window {
    const { rs1 } = instructions[position]!;
    const window = { low: NONE_LOW, high: NONE_HIGH };
    for (let at = position; at < instructions.length; at++) {
      const instruction = instructions[at]!;
      if (instruction.isLoad && instruction.rs1 === rs1) widen(window, instruction);
      if ((instruction.writes & (1 << rs1)) !== 0) return window;
    }
    const after = this.#after[node]!;
    return { low: Math.min(window.low, after[2 * rs1]!), high: Math.max(window.high, after[2 * rs1 + 1]!) };
  }
}

function widen(window: Window, { imm, size }: Instruction): void {
  window.low = Math.min(window.low, imm);
  window.high = Math.max(window.high, imm + size);
}

function none(): Int16Array {
  const window = new Int16Array(WORDS);
  for (let at = 0; at < WORDS; at += 2) {
    window[at] = NONE_LOW;
    window[at + 1] = NONE_HIGH;
  }
  return window;
}

interface Summary { readonly exposed: Int16Array; killed: number }

/** Loads before any change of their base, and registers changed. */
function summarise(node: GraphNode): Summary {
  const exposed = none();
  let killed = 0;
  for (const { isLoad, rs1, imm, size, writes } of node.block?.instructions ?? []) {
    if (isLoad && (killed & (1 << rs1)) === 0) {
      exposed[2 * rs1] = Math.min(exposed[2 * rs1]!, imm);
      exposed[2 * rs1 + 1] = Math.max(exposed[2 * rs1 + 1]!, imm + size);
    }
    killed |= writes;
  }
  if (isCalling(node)) killed |= node.block!.kind === 'step' ? -1 : ~(1 << STACK_POINTER);
  return { exposed, killed };
}

function keepStackOnly(window: Int16Array, isNothingKept: boolean): void {
  for (let register = 0; register < 32; register++) {
    if (register === STACK_POINTER && !isNothingKept) continue;
    window[2 * register] = NONE_LOW;
    window[2 * register + 1] = NONE_HIGH;
  }
}

function unite(into: Int16Array, from: Int16Array): void {
  for (let at = 0; at < WORDS; at += 2) {
    if (from[at]! < into[at]!) into[at] = from[at]!;
    if (from[at + 1]! > into[at + 1]!) into[at + 1] = from[at + 1]!;
  }
}

/** before = exposed in the node, and what comes after it through registers that it does not change; true when that grew. */
function pass(before: Int16Array, after: Int16Array, { exposed, killed }: Summary): boolean {
  let hasGrown = false;
  for (let register = 0; register < 32; register++) {
    const at = 2 * register;
    const isThrough = (killed & (1 << register)) === 0;
    const low = Math.min(exposed[at]!, isThrough ? after[at]! : NONE_LOW);
    const high = Math.max(exposed[at + 1]!, isThrough ? after[at + 1]! : NONE_HIGH);
    if (low < before[at]!) { before[at] = low; hasGrown = true; }
    if (high > before[at + 1]!) { before[at + 1] = high; hasGrown = true; }
  }
  return hasGrown;
}
