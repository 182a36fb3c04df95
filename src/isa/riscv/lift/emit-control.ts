/**
 * How a node ends: by a branch, a jump, or what other files emit; single interpreted instructions.
 *
 *   call     emit-call.ts, as all that leaves the unit      table    emit-table.ts
 *
 * What this does NOT do: instructions inside blocks.
 */
import { OP } from '../../../wasm/index.ts';
import { CONDITIONS } from '../lift-table.ts';
import { copyRegisters } from './dataflow.ts';
import { callDirect, callIndirect, exit, exitIndirect, giveBack } from './emit-call.ts';
import type { UnitEmitter } from './emit-unit.ts';
import type { GraphEdge, GraphNode } from './graph.ts';
import type { Guards } from './if-conversion.ts';
import type { Instruction } from './instruction.ts';
import { emitGuard, emitTest } from './emit-strip.ts';
import { emitDispatch, emitTable, prepareFor } from './emit-table.ts';
import { leave, PASSED, refuse } from './handover.ts';
import { pushComparison } from './narrow.ts';
import { HELPER, LEAVE, LOCAL, OUTCOME } from './layout.ts';

export function emitTerminator(unit: UnitEmitter, node: GraphNode, index: number): void {
  const { block, edges, role } = node;
  if (role === 'guard') return emitGuard(unit, node, index);
  if (role === 'test') return emitTest(unit, node, index);
  if (block === undefined) return emitDispatch(unit, node, index);
  const last = block.instructions.at(-1);
  switch (block.kind) {
    case 'entry': return enter(unit, node, index);
    case 'branch': return branch(unit, last!, edges, index);
    case 'jump': return go(unit, index, edges[0]!);
    case 'call':
      callDirect(unit, node, last!.address + last!.imm);
      return go(unit, index, node.edges[0]!);
    case 'callRegister':
      callIndirect(unit, node);
      return go(unit, index, node.edges[0]!);
    case 'return': return giveBack(unit, index);
    case 'indirect': return exitIndirect(unit, index);
    case 'table': return emitTable(unit, node, index);
    case 'step': return interpretOne(unit, node, index);
    default: return block.kind satisfies never;
  }
}

/** To the unit's own address, or, where it has more entries, through its map of entries to the one at `pc`. */
function enter(unit: UnitEmitter, { edges }: GraphNode, index: number): void {
  const { code, context } = unit;
  const { entryMap } = context;
  const dispatch = edges[1];
  if (dispatch === undefined || !('node' in dispatch) || entryMap === undefined) return go(unit, index, edges[0]!);
  const before = copyRegisters(unit.state);
  code.localGet(LOCAL.pc); code.i32Const(context.graph.nodes[0]!.block!.start | 0); code.op(OP.i32Ne);
  unit.openIf(false);
  unit.openBlock();
  code.localGet(LOCAL.pc); code.i32Const(entryMap.low | 0); code.op(OP.i32Sub); code.localTee(LOCAL.address);
  code.i32Const(entryMap.span | 0); code.op(OP.i32GeU); code.brIf(0);
  code.localGet(LOCAL.address); code.access(OP.i32Load16u, 1, entryMap.offset); code.localTee(LOCAL.index); code.op(OP.i32Eqz); code.brIf(0);
  prepareFor(unit, [context.before[dispatch.node]!]);
  code.br(unit.labelFor(index, dispatch.node));
  unit.close();
  unit.storeSets(before.dirty & PASSED, 0);
  refuse(code);
  unit.close();
  unit.state = before;
  go(unit, index, edges[0]!);
}

function branch(unit: UnitEmitter, last: Instruction, edges: readonly GraphEdge[], index: number): void {
  const { code } = unit;
  const [taken, other] = [edges[0]!, edges[1]!];
  pushComparison(unit, last, CONDITIONS[last.row.mnemonic]!);
  if (unit.isBare(index, taken)) {
    code.brIf(unit.labelFor(index, (taken as { readonly node: number }).node)); // A bare edge leads to a node.
    return go(unit, index, other);
  }
  unit.openIf();
  const state = copyRegisters(unit.state);
  unit.later(() => go(unit, index, taken), () => unit.close(), () => {
    unit.state = state;
    go(unit, index, other);
  });
}

/** Whether a branch is taken, for what it guards; the fuel of the arm that it does not go to is given back. */
export function emitGuards(unit: UnitEmitter, branch: Instruction, { taken, other }: Guards): void {
  const { code } = unit;
  pushComparison(unit, branch, CONDITIONS[branch.row.mnemonic]!);
  code.localTee(LOCAL.taken); code.i32Const(other - taken); code.op(OP.i32Mul);
  code.localGet(LOCAL.fuel); code.op(OP.i32Add);
  if (taken > 0) { code.i32Const(taken); code.op(OP.i32Add); }
  code.localSet(LOCAL.fuel);
}

/** Along an edge, out of the unit too. */
function go(unit: UnitEmitter, from: number, edge: GraphEdge): void {
  if ('address' in edge) exit(unit, from, edge.address);
  else unit.edge(from, edge);
}

/** One instruction by the interpreter, a system call among them, without leaving. It counts itself; with LEAVE the fuel is in the outcome words. */
function interpretOne(unit: UnitEmitter, node: GraphNode, index: number): void {
  const { code } = unit;
  const { end, resume } = node.block!;
  unit.spill();
  code.i32Const(end); code.localGet(LOCAL.fuel); code.call(HELPER.step); code.localTee(LOCAL.address);
  code.i32Const(LEAVE); code.op(OP.i32Eq);
  unit.openIf(false);
  code.i32Const(0); code.access(OP.i32Load, 2, unit.layout.outcome + OUTCOME.fuel); code.localSet(LOCAL.fuel);
  leave(code);
  unit.close();
  code.localGet(LOCAL.address); code.localTee(LOCAL.fuel); code.i32Const(0); code.op(OP.i32LtS);
  unit.openIf(false);
  refuse(code, resume);
  unit.close();
  unit.afterCall(node);
  go(unit, index, node.edges[0]!);
}
