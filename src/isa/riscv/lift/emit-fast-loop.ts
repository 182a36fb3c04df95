/**
 * The fast round of a loop of one block (fast-loops.ts), in front of the full one: looks at fuel and pages first, then computes without storing what is dead,
 * and goes back to the header or out of the loop.
 * Invariants: fuel and registers are as after a full round, but for dead registers when it goes back; where it goes out everything is stored.
 * What this does NOT do: find such loops.
 */
import { OP } from '../../../wasm/index.ts';
import { CONDITIONS } from '../lift-table.ts';
import { copyRegisters, stepRegisters } from './dataflow.ts';
import { emitInstruction } from './emit-instruction.ts';
import { pushFlagsOfBase } from './emit-memory.ts';
import { exit } from './emit-control.ts';
import type { UnitEmitter } from './emit-unit.ts';
import type { FastLoop } from './fast-loops.ts';
import type { GraphNode } from './graph.ts';
import { LOCAL } from './layout.ts';
import { pushComparison } from './narrow.ts';

export function emitFastRound(unit: UnitEmitter, header: number, { chain, exit: last, bases, dropped }: FastLoop): void {
  const { code, context: { graph: { nodes } } } = unit;
  const total = chain.reduce((sum, node) => sum + nodes[node]!.block!.instructions.length, 0); // A chain is of blocks.
  unit.openBlock();
  code.localGet(LOCAL.fuel); code.i32Const(total); code.op(OP.i32LtS); code.hint(false); code.brIf(0);
  for (let register = 1; register < 32; register++) {
    if ((bases & (1 << register)) === 0) continue;
    pushFlagsOfBase(unit, register); code.op(OP.i32Eqz); code.hint(false); code.brIf(0);
  }
  unit.state.facts.readable |= bases;
  chain.forEach((node, at) => {
    unit.beginBlock();
    emitBlock(unit, node);
    if (node === last) leaveLoop(unit, nodes[node]!, { node, next: chain[at + 1] ?? header });
  });
  const target = unit.context.before[header]!;
  unit.storeSets(unit.state.dirty & ~target.available & ~dropped, unit.state.dirtyFloats & ~target.availableFloats);
  unit.loadSets(target.available & ~unit.state.available, target.availableFloats & ~unit.state.availableFloats);
  code.br(unit.labelOf('loop', header));
  unit.close();
}

/** The instructions of a block, none of which can leave; what is dead stays in locals. */
function emitBlock(unit: UnitEmitter, node: number): void {
  const { code, state } = unit;
  const round = unit.context.codes[node]!;
  const { instructions } = round;
  const kept = { ...round, flushes: new Int32Array(round.flushes.length) };
  code.localGet(LOCAL.fuel); code.i32Const(instructions.length); code.op(OP.i32Sub); code.localSet(LOCAL.fuel);
  unit.instructions = instructions;
  unit.node = node;
  instructions.forEach((instruction, position) => {
    unit.position = position;
    emitInstruction(unit, instruction);
    stepRegisters(state, kept, position);
  });
}

/** Out of the loop, with everything stored, where a node's branch does not go on to `next`. */
function leaveLoop(unit: UnitEmitter, { block, edges }: GraphNode, { node, next }: { readonly node: number; readonly next: number }): void {
  const last = block!.instructions.at(-1)!;
  const [taken, other] = [edges[0]!, edges[1]!];
  const goesOnTaken = 'node' in taken && taken.node === next;
  pushComparison(unit, last, CONDITIONS[last.row.mnemonic]!);
  if (goesOnTaken) unit.code.op(OP.i32Eqz);
  unit.openIf(false);
  const inside = copyRegisters(unit.state);
  const out = goesOnTaken ? other : taken;
  if ('address' in out) exit(unit, out.address);
  else unit.edge(node, out);
  unit.close();
  unit.state = inside;
}
