/**
 * Which bytes around a base register the loads after a point may reach while the register holds the same value: what one check has to cover so that
 * the loads after it need none. A backward analysis; calls and steps end it for every register but the stack pointer (see facts.ts).
 *
 * Layout: 64 int16 a node, [64n + 2r] lowest offset and [64n + 2r + 1] offset behind the highest byte of loads through xr; low > high means none.
 * What this does NOT do: say what is readable.
 */
import { STACK_POINTER } from './facts.ts';
import { isCalling, type Graph, type GraphNode } from './graph.ts';
import type { Instruction } from './instruction.ts';

export interface Window { low: number; high: number }
const NONE_LOW = 0x4000;
const NONE_HIGH = -0x4000;
const WORDS = 64;
const ALL_BUT_SP = ~(1 << STACK_POINTER);

export class LoadWindows {
  readonly #after: Int16Array;

  constructor({ nodes, predecessors }: Graph) {
    const [exposed, before, after] = [none(nodes.length), none(nodes.length), none(nodes.length)];
    const killed = Int32Array.from(nodes, (node, index) => summarise(node, exposed, WORDS * index));
    const open = nodes.map((_, index) => index);
    const isOpen = new Uint8Array(nodes.length).fill(1);
    for (let index = open.pop(); index !== undefined; index = open.pop()) {
      isOpen[index] = 0;
      const at = WORDS * index;
      for (const edge of nodes[index]!.edges) if ('node' in edge) unite(after, at, before, WORDS * edge.node);
      if (!pass({ before, after, exposed }, at, killed[index]!)) continue;
      for (const source of predecessors[index]!) {
        if (isOpen[source] === 1) continue;
        isOpen[source] = 1;
        open.push(source);
      }
    }
    nodes.forEach((node, index) => { if (isCalling(node)) keepStackOnly(after, WORDS * index, node.block!.kind === 'step'); });
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
    const after = WORDS * node + 2 * rs1;
    return { low: Math.min(window.low, this.#after[after]!), high: Math.max(window.high, this.#after[after + 1]!) };
  }
}

function widen(window: Window, { imm, size }: Instruction): void {
  window.low = Math.min(window.low, imm);
  window.high = Math.max(window.high, imm + size);
}

function none(nodes: number): Int16Array {
  const windows = new Int16Array(WORDS * nodes);
  for (let at = 0; at < windows.length; at += 2) {
    windows[at] = NONE_LOW;
    windows[at + 1] = NONE_HIGH;
  }
  return windows;
}

/** Notes the loads of a node before any change of their base; returns the registers changed. */
function summarise(node: GraphNode, exposed: Int16Array, from: number): number {
  let killed = 0;
  for (const { isLoad, rs1, imm, size, writes } of node.block?.instructions ?? []) {
    if (isLoad && (killed & (1 << rs1)) === 0) {
      const at = from + 2 * rs1;
      exposed[at] = Math.min(exposed[at]!, imm);
      exposed[at + 1] = Math.max(exposed[at + 1]!, imm + size);
    }
    killed |= writes;
  }
  if (!isCalling(node)) return killed;
  return node.block!.kind === 'step' ? -1 : killed | ALL_BUT_SP;
}

function keepStackOnly(windows: Int16Array, from: number, isNothingKept: boolean): void {
  for (let register = 0; register < 32; register++) {
    if (register === STACK_POINTER && !isNothingKept) continue;
    windows[from + 2 * register] = NONE_LOW;
    windows[from + 2 * register + 1] = NONE_HIGH;
  }
}

function unite(into: Int16Array, at: number, from: Int16Array, other: number): void {
  for (let word = 0; word < WORDS; word += 2) {
    if (from[other + word]! < into[at + word]!) into[at + word] = from[other + word]!;
    if (from[other + word + 1]! > into[at + word + 1]!) into[at + word + 1] = from[other + word + 1]!;
  }
}

interface Windows { readonly before: Int16Array; readonly after: Int16Array; readonly exposed: Int16Array }

/** before = exposed in the node, and what comes after it through registers that it does not change; true when that grew. */
function pass({ before, after, exposed }: Windows, from: number, killed: number): boolean {
  let hasGrown = false;
  for (let register = 0; register < 32; register++) {
    const at = from + 2 * register;
    const isThrough = (killed & (1 << register)) === 0;
    const low = isThrough ? Math.min(exposed[at]!, after[at]!) : exposed[at]!;
    const high = isThrough ? Math.max(exposed[at + 1]!, after[at + 1]!) : exposed[at + 1]!;
    if (low < before[at]!) { before[at] = low; hasGrown = true; }
    if (high > before[at + 1]!) { before[at + 1] = high; hasGrown = true; }
  }
  return hasGrown;
}
