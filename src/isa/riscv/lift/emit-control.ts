/**
 * How a node ends: branches, jumps, calls and returns, indirect jumps, single interpreted instructions, exits to other units.
 *
 *   call     registers are stored; the callee is called as a WebAssembly function; it must give back the return address, fuel left, and the stack
 *            pointer unchanged, else this unit returns too (odd: the driver goes on behind the call)
 *   exit     registers are stored; tail call of the other unit
 *   return   registers are stored; the target is given back
 *
 * The WebAssembly stack is only a predictor of returns: whoever gets back another address hands it on to its caller, down to the driver.
 * What this does NOT do: instructions inside blocks.
 */
import { OP } from '../../../wasm/index.ts';
import { CONDITIONS } from '../lift-table.ts';
import { copyRegisters, type Registers } from './dataflow.ts';
import type { UnitEmitter } from './emit-unit.ts';
import { STACK_POINTER } from './facts.ts';
import type { GraphEdge, GraphNode } from './graph.ts';
import type { Instruction } from './instruction.ts';
import { emitGuard, emitTest } from './emit-strip.ts';
import { pushComparison } from './narrow.ts';
import { HELPER, LEAVE, LOCAL, OUTCOME, TARGETS } from './layout.ts';

/**
 * What one call takes from `depth`: bytes of the host's stack, rather too many, and a floor for the callee. V8's register allocator for large functions
 * hardly uses a slot twice: lua's main loop, 6 000 instructions, has a frame of 10 KB.
 */
const FRAME_BYTES = 160;
const LOCAL_BYTES = 8;
const LARGE_INSTRUCTIONS = 1000;
const LARGE_INSTRUCTION_BYTES = 2.5;

export function emitTerminator(unit: UnitEmitter, node: GraphNode, index: number): void {
  const { block, edges, role } = node;
  if (role === 'guard') return emitGuard(unit, node, index);
  if (role === 'test') return emitTest(unit, node, index);
  if (block === undefined) return dispatch(unit, node, index);
  const last = block.instructions.at(-1);
  switch (block.kind) {
    case 'entry': return enter(unit, node, index);
    case 'branch': return branch(unit, last!, edges, index);
    case 'jump': return go(unit, index, edges[0]!);
    case 'call':
      unit.spill();
      callDirect(unit, last!.address + last!.imm);
      return comeBack(unit, node, index);
    case 'callRegister':
      unit.spill();
      pushTarget(unit, false);
      lookUp(unit);
      unit.code.callIndirect(unit.context.unitType, 0);
      return comeBack(unit, node, index);
    case 'return':
      unit.spill();
      unit.code.localGet(LOCAL.next); unit.code.localGet(LOCAL.fuel); return unit.code.op(OP.return);
    case 'indirect': return exitIndirect(unit);
    case 'table': return table(unit, node, index);
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
  code.localGet(LOCAL.pc); code.op(OP.i64ExtendI32u); code.i64ConstSmall(1); code.op(OP.i64Or); code.localGet(LOCAL.fuel); code.op(OP.return);
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

/** Along an edge, out of the unit too. */
function go(unit: UnitEmitter, from: number, edge: GraphEdge): void {
  if ('address' in edge) exit(unit, edge.address);
  else unit.edge(from, edge);
}

/** To code outside the unit. */
export function exit(unit: UnitEmitter, address: number): void {
  const { code, context } = unit;
  unit.spill();
  const target = address >>> 0; // Behind the end of the address space lies nothing that executes, and the same number finds that out.
  code.localGet(LOCAL.fuel); code.localGet(LOCAL.depth); code.i32Const(target | 0);
  const own = context.functionOf(target);
  if (own !== undefined) return code.returnCall(own);
  code.i32Const(unit.layout.slotOf(target));
  code.op(OP.returnCallIndirect); code.u32(context.unitType); code.u32(0);
}

function callDirect(unit: UnitEmitter, address: number): void {
  const { code, context } = unit;
  const target = address >>> 0;
  code.localGet(LOCAL.fuel); pushDepth(unit); code.i32Const(target | 0);
  const own = context.functionOf(target);
  if (own !== undefined) return code.call(own);
  code.i32Const(unit.layout.slotOf(target));
  code.callIndirect(context.unitType, 0);
}

function pushDepth(unit: UnitEmitter): void {
  unit.code.localGet(LOCAL.depth); unit.code.i32Const(frameBytes(unit)); unit.code.op(OP.i32Sub);
}

function frameBytes({ integerCount, floatCount, context: { instructions } }: UnitEmitter): number {
  const spills = instructions > LARGE_INSTRUCTIONS ? Math.ceil(instructions * LARGE_INSTRUCTION_BYTES) : 0;
  return FRAME_BYTES + LOCAL_BYTES * (integerCount + floatCount) + spills;
}

/** Arguments of a unit for the address in `next`, which the block has found below 2^32. */
function pushTarget(unit: UnitEmitter, isTail: boolean): void {
  const { code } = unit;
  code.localGet(LOCAL.fuel);
  if (isTail) code.localGet(LOCAL.depth); else pushDepth(unit);
  code.localGet(LOCAL.next); code.op(OP.i32WrapI64);
}

/** Pushes the table slot of the address in `next`; 0 when the target cache does not know it. */
function lookUp(unit: UnitEmitter): void {
  const { code, layout } = unit;
  code.localGet(LOCAL.next); code.op(OP.i32WrapI64); code.i32Const((TARGETS - 1) * 2); code.op(OP.i32And); code.i32Const(2); code.op(OP.i32Shl);
  code.access(OP.i64Load, 3, layout.targets); code.localTee(LOCAL.wide);
  code.i64ConstSmall(32); code.op(OP.i64ShrU); code.op(OP.i32WrapI64);
  code.i32Const(0);
  code.localGet(LOCAL.wide); code.op(OP.i32WrapI64); code.localGet(LOCAL.next); code.op(OP.i32WrapI64); code.op(OP.i32Eq);
  code.op(OP.select);
}

/** Behind a call: its results are on the stack. */
function comeBack(unit: UnitEmitter, node: GraphNode, index: number): void {
  const { code } = unit;
  const back = node.block!.end;
  code.localSet(LOCAL.fuel); code.localTee(LOCAL.next);
  code.i64Const(BigInt(back)); code.op(OP.i64Ne);
  unit.openIf(false);
  code.localGet(LOCAL.next); code.localGet(LOCAL.fuel); code.op(OP.return);
  unit.close();
  code.localGet(LOCAL.fuel); code.i32Const(0); code.op(OP.i32LtS);
  unit.openIf(false);
  lookFirst(unit, back);
  unit.close();
  if ((unit.state.available & (1 << STACK_POINTER)) !== 0) {
    code.i32Const(0); code.access(OP.i64Load, 3, unit.registerAddress(STACK_POINTER)); code.localGet(unit.local(STACK_POINTER)); code.op(OP.i64Ne);
    unit.openIf(false);
    lookFirst(unit, back);
    unit.close();
  }
  unit.afterCall(node);
  go(unit, index, node.edges[0]!);
}

/** Returns to the driver, which goes on at `address`. */
function lookFirst(unit: UnitEmitter, address: number): void {
  unit.code.i64Const(BigInt(address) | 1n); unit.code.localGet(LOCAL.fuel); unit.code.op(OP.return);
}

function exitIndirect(unit: UnitEmitter): void {
  unit.spill();
  pushTarget(unit, true);
  lookUp(unit);
  unit.code.op(OP.returnCallIndirect); unit.code.u32(unit.context.unitType); unit.code.u32(0);
}

/** One instruction by the interpreter, a system call among them, without leaving. It counts itself; with LEAVE the fuel is in the outcome words. */
function interpretOne(unit: UnitEmitter, node: GraphNode, index: number): void {
  const { code } = unit;
  const { end, resume } = node.block!;
  unit.spill();
  code.i32Const(end); code.localGet(LOCAL.fuel); code.call(HELPER.step); code.localTee(LOCAL.address);
  code.i32Const(LEAVE); code.op(OP.i32Eq);
  unit.openIf(false);
  code.i64ConstSmall(1); code.i32Const(0); code.access(OP.i32Load, 2, unit.layout.outcome + OUTCOME.fuel); code.op(OP.return);
  unit.close();
  code.localGet(LOCAL.address); code.localTee(LOCAL.fuel); code.i32Const(0); code.op(OP.i32LtS);
  unit.openIf(false);
  lookFirst(unit, resume);
  unit.close();
  unit.afterCall(node);
  go(unit, index, node.edges[0]!);
}

/** An indirect jump with known targets: the unit's jump map gives the number of the block at the target, 0 where there is none. */
function table(unit: UnitEmitter, node: GraphNode, index: number): void {
  const { code, context } = unit;
  const map = context.jumpMap;
  if (map === undefined) return exitIndirect(unit);
  unit.openBlock();
  const unknown = unit.depth - 1;
  code.localGet(LOCAL.next); code.i64Const(BigInt(map.low)); code.op(OP.i64Sub); code.localTee(LOCAL.wide);
  code.i64ConstSmall(map.span); code.op(OP.i64GeU); code.hint(false); code.brIf(0);
  code.localGet(LOCAL.wide); code.op(OP.i32WrapI64); code.access(OP.i32Load16u, 1, map.offset); code.localTee(LOCAL.index); code.op(OP.i32Eqz); code.hint(false); code.brIf(0);
  const before = copyRegisters(unit.state);
  unit.later(() => {
    unit.state = before;
    unit.close();
    exitIndirect(unit);
  });
  choose(unit, { node, index, otherwise: unknown });
}

/** The number in `index` was set by whoever came here. */
function dispatch(unit: UnitEmitter, node: GraphNode, index: number): void {
  choose(unit, { node, index, otherwise: undefined });
}

interface Choice { readonly node: GraphNode; readonly index: number; readonly otherwise: number | undefined }

/** br_table over the edges' numbers. Registers are moved once, for all edges. */
function choose(unit: UnitEmitter, { node, index, otherwise }: Choice): void {
  const { code, context } = unit;
  const edges = node.edges.filter((edge): edge is Extract<GraphEdge, { node: number }> => 'node' in edge);
  const targets = [...new Set(edges.map((edge) => edge.node))];
  prepareFor(unit, targets.map((target) => context.before[target]!));
  // The map has the targets of all jumps of the unit: this one may go straight on only where all of them are its own.
  const hasAll = new Set(node.indices.filter((number) => number >= 0)).size === context.jumpMap?.count;
  const only = targets.length === 1 && node.block !== undefined && otherwise !== undefined && hasAll ? targets[0]! : undefined;
  if (only !== undefined && unit.isLabelled(index, { node: only })) return code.br(unit.labelFor(index, only));
  const depths: number[] = [];
  node.edges.forEach((edge, at) => {
    if ('node' in edge) depths[node.indices[at]!] = unit.labelFor(index, edge.node);
  });
  const missing = otherwise === undefined ? depths.find((depth) => depth !== undefined)! : unit.relative(otherwise);
  code.localGet(LOCAL.index);
  code.brTable(Array.from(depths, (depth) => depth ?? missing), missing);
}

function prepareFor(unit: UnitEmitter, targets: readonly Registers[]): void {
  const { state } = unit;
  let [stores, floatStores, loads, floatLoads] = [0, 0, 0, 0];
  for (const target of targets) {
    stores |= state.dirty & ~target.available;
    floatStores |= state.dirtyFloats & ~target.availableFloats;
    loads |= target.available & ~state.available;
    floatLoads |= target.availableFloats & ~state.availableFloats;
  }
  unit.storeSets(stores, floatStores);
  unit.loadSets(loads, floatLoads);
}
