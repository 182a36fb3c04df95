/**
 * Which registers are in locals at the start of each node. A register is loaded at its first use on a way and stored only where its local is given up:
 *
 *   available   the local holds the register's value         dirty   and the register block does not (dirty is part of available)
 *
 * What is dead is given up (liveness.ts). At the start of a unit, and after a call, nothing is available but what is handed over (handover.ts), which the block does not have. Loops without calls keep every register that they touch.
 * Bit 0 of the integer sets stands for the limits of float results (emit-float.ts), which are made from fcsr like a register is loaded.
 * Invariants: on an edge, registers available behind but not before it are loaded, dirty ones not available behind it are stored.
 * What this does NOT do: emit code.
 */
import { assert } from '../../../core/index.ts';
import type { Instruction } from './instruction.ts';
import { afterCall, findFrames, STACK_POINTER, step, type Facts } from './facts.ts';
import { isCalling, type Graph, type GraphNode } from './graph.ts';
import { PASSED } from './handover.ts';
import type { Liveness } from './liveness.ts';

export interface Registers { available: number; dirty: number; availableFloats: number; dirtyFloats: number; singles: number; facts: Facts }

/**
 * What is walked through in a block. For each instruction: `covered`, 1 for a load that another's look serves; `flushes`, see liveness.ts. `free`: 1
 * for loads and stores that need no look, undefined where there are none (strips.ts).
 */
export interface BlockCode { readonly instructions: readonly Instruction[]; readonly covered: Uint8Array; readonly flushes: Int32Array; readonly free: Uint8Array | undefined }

const ALL = -1;
export const LIMITS_BIT = 1;
const SP_BIT = 1 << STACK_POINTER;
const TOP: Readonly<Registers> = { available: ALL, dirty: 0, availableFloats: ALL, dirtyFloats: 0, singles: ALL, facts: { readable: ALL, frame: 0 } };

export function copyRegisters({ available, dirty, availableFloats, dirtyFloats, singles, facts: { readable, frame } }: Readonly<Registers>): Registers {
  return { available, dirty, availableFloats, dirtyFloats, singles, facts: { readable, frame } };
}

/** Registers in locals after the instruction at `at` of a block (whose operands have been loaded and whose result has been set). The sets to flush have been stored. */
export function stepRegisters(state: Registers, { instructions, covered, flushes }: BlockCode, at: number): void {
  const instruction = instructions[at]!;
  const [flush, flushFloats] = [flushes[2 * at]!, flushes[2 * at + 1]!];
  const { reads, writes, floatReads, floatWrites } = instruction;
  state.available |= reads | writes | (instruction.isLimited ? LIMITS_BIT : 0);
  state.dirty |= writes;
  state.availableFloats |= floatReads | floatWrites;
  state.dirtyFloats |= floatWrites;
  state.singles = instruction.isSingle ? state.singles | floatWrites : state.singles & ~floatWrites;
  if (instruction.setsFcsr) state.available &= ~LIMITS_BIT;
  state.available &= ~flush;
  state.dirty &= ~flush;
  state.availableFloats &= ~flushFloats;
  state.dirtyFloats &= ~flushFloats;
  step(state.facts, instruction, covered[at] === 1);
}

/** Registers in locals behind the end of a node, where all of them have been stored if it calls. */
export function endRegisters(state: Registers, node: GraphNode): void {
  if (!isCalling(node)) return;
  const isCall = node.block!.kind !== 'step';
  state.available = state.dirty = isCall ? PASSED : 0;
  state.availableFloats = state.dirtyFloats = state.singles = 0;
  afterCall(state.facts, isCall);
}

/** What a node does to every set of registers, found by walking through it once with nothing and once with everything: each bit goes its own way. */
interface Effect { readonly none: Registers; readonly all: Registers }

function effectOf(node: GraphNode, code: BlockCode, frame: number): Effect {
  const walk = (fill: number): Registers => {
    const state: Registers = { available: fill, dirty: fill, availableFloats: fill, dirtyFloats: fill, singles: fill, facts: { readable: fill, frame } };
    for (let at = 0; at < code.instructions.length; at++) stepRegisters(state, code, at);
    endRegisters(state, node);
    return state;
  };
  return { none: walk(0), all: walk(ALL) };
}

function apply(effect: Effect, before: Readonly<Registers>, node: GraphNode): Registers {
  const { none, all } = effect;
  const through = (from: number, low: number, high: number): number => low | (from & high);
  const after: Registers = {
    available: through(before.available, none.available, all.available), dirty: through(before.dirty, none.dirty, all.dirty),
    availableFloats: through(before.availableFloats, none.availableFloats, all.availableFloats),
    dirtyFloats: through(before.dirtyFloats, none.dirtyFloats, all.dirtyFloats), singles: through(before.singles, none.singles, all.singles),
    facts: { readable: through(before.facts.readable, none.facts.readable, all.facts.readable), frame: all.facts.frame },
  };
  if (isCalling(node) && (after.available & SP_BIT) === 0) {
    assert(after.facts.frame === 0, 'a frame is known only where the stack pointer is in a local');
    after.facts.readable = 0;
  }
  return after;
}

/** Registers at the start of every node. */
export function analyse(graph: Graph, liveness: Liveness, codes: readonly BlockCode[]): readonly Registers[] {
  const { nodes, predecessors, entryNode } = graph;
  const isEntry = (index: number): boolean => index === 0 || index === entryNode;
  const pins = pinned(graph);
  const frames = findFrames(graph);
  const effects = nodes.map((node, index) => effectOf(node, codes[index]!, frames[index]!));
  const before: Registers[] = nodes.map(() => copyRegisters(TOP));
  const after: Registers[] = nodes.map(() => copyRegisters(TOP));
  before[0] = { available: PASSED, dirty: PASSED, availableFloats: 0, dirtyFloats: 0, singles: 0, facts: { readable: 0, frame: 0 } };
  const isOpen = new Uint8Array(nodes.length).fill(1);
  for (let isChanged = true; isChanged;) {
    isChanged = false;
    for (let index = 0; index < nodes.length; index++) {
      if (isOpen[index] === 0) continue;
      isOpen[index] = 0;
      const state = index === 0 ? before[0]! : join(predecessors[index]!, after, { pin: pins.get(index), live: [liveness.integers[index]!, liveness.floats[index]!], isEntry });
      state.facts.frame = frames[index]!;
      before[index] = state;
      const next = apply(effects[index]!, state, nodes[index]!);
      if (isSame(next, after[index]!)) continue;
      after[index] = next;
      for (const edge of nodes[index]!.edges) {
        if (!('node' in edge)) continue;
        isOpen[edge.node] = 1;
        isChanged = true;
      }
    }
  }
  assert(predecessors[0]!.length === 0, 'nothing goes back to the start of a unit');
  return before;
}

interface Joined { readonly pin: Pin | undefined; readonly live: readonly [number, number]; isEntry(index: number): boolean }

/** Coming from the unit's entries, where nothing is in locals, loads what the other ways have. */
function join(sources: readonly number[], after: readonly Registers[], { pin, live: [live, liveFloats], isEntry }: Joined): Registers {
  const state = copyRegisters(TOP);
  const isEntered = sources.every(isEntry);
  for (const index of sources) {
    const source = after[index]!;
    if (isEntered || !isEntry(index)) {
      state.available &= source.available;
      state.availableFloats &= source.availableFloats;
    }
    state.singles &= source.singles;
    state.facts.readable &= source.facts.readable;
  }
  if (pin !== undefined) {
    state.available |= pin.integers;
    state.availableFloats |= pin.floats;
  }
  state.available &= live | LIMITS_BIT | SP_BIT;
  state.availableFloats &= liveFloats;
  for (const index of sources) {
    const source = after[index]!;
    state.dirty |= source.dirty & state.available;
    state.dirtyFloats |= source.dirtyFloats & state.availableFloats;
  }
  return state;
}

function isSame(a: Registers, b: Registers): boolean {
  return a.available === b.available && a.dirty === b.dirty && a.availableFloats === b.availableFloats && a.dirtyFloats === b.dirtyFloats
    && a.singles === b.singles && a.facts.readable === b.facts.readable && a.facts.frame === b.facts.frame;
}

interface Pin { integers: number; floats: number }

/** Loop header → registers that a loop without calls touches: kept in locals all the way round. */
function pinned({ nodes, loops }: Graph): Map<number, Pin> {
  const touched = nodes.map((node): Pin => {
    const pin: Pin = { integers: 0, floats: 0 };
    for (const instruction of node.block?.instructions ?? []) {
      pin.integers |= instruction.reads | instruction.writes | (instruction.isLimited ? LIMITS_BIT : 0);
      pin.floats |= instruction.floatReads | instruction.floatWrites;
    }
    return pin;
  });
  const pins = new Map<number, Pin>();
  for (const [header, body] of loops) {
    const pin: Pin = { integers: 0, floats: 0 };
    let hasCall = false;
    for (const index of body) {
      hasCall ||= isCalling(nodes[index]!);
      if (hasCall) break;
      pin.integers |= touched[index]!.integers;
      pin.floats |= touched[index]!.floats;
    }
    if (!hasCall) pins.set(header, pin);
  }
  return pins;
}
