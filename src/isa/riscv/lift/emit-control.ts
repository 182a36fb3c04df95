/**
 * How a node ends: branches, jumps, calls and returns, indirect jumps, single interpreted instructions, exits to other units.
 *
 *   call     registers are stored but those that are handed over; the callee is called as a WebAssembly function; it must give back the return address and
 *            fuel left, else this unit mostly returns too (late, handover.ts)
 *   exit     the same; tail call of the other unit, or, where the stack pointer is not the one that was passed, a call that hands on what comes back
 *   return   the same; the target is given back
 *
 * The WebAssembly stack is only a predictor of returns: whoever gets back another address hands it on to its caller, down to the driver.
 * What this does NOT do: instructions inside blocks.
 */
import { OP, type CodeWriter } from '../../../wasm/index.ts';
import { CONDITIONS } from '../lift-table.ts';
import { copyRegisters, type Registers } from './dataflow.ts';
import type { UnitEmitter } from './emit-unit.ts';
import { STACK_POINTER } from './facts.ts';
import type { GraphEdge, GraphNode } from './graph.ts';
import type { Instruction } from './instruction.ts';
import { emitGuard, emitTest } from './emit-strip.ts';
import { ARGUMENT, NEXT_SHIFT, packResult, PASSED, UNKNOWN } from './handover.ts';
import { pushComparison } from './narrow.ts';
import { HELPER, LEAVE, LOCAL, OUTCOME, OWN, TARGETS } from './layout.ts';

/**
 * What one call takes from `depth`: bytes of the host's stack, rather too many, and a floor for the callee. V8's register allocator for large functions
 * hardly uses a slot twice: lua's main loop, 6 000 instructions, has a frame of 10 KB.
 */
const FRAME_BYTES = 160;
const LOCAL_BYTES = 8;
const LARGE_INSTRUCTIONS = 1000;
const LARGE_INSTRUCTION_BYTES = 2.5;
const FUEL_MAX = 0x7fffffffn;

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
      unit.spillRest();
      callDirect(unit, last!.address + last!.imm);
      return comeBack(unit, node, index);
    case 'callRegister':
      unit.spillRest();
      pushTarget(unit, false);
      lookUp(unit);
      unit.code.callIndirect(unit.context.unitType, 0);
      return comeBack(unit, node, index);
    case 'return': return giveBack(unit, index);
    case 'indirect': return exitIndirect(unit, index);
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
  unit.storeSets(before.dirty & PASSED, 0);
  unit.refuse();
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
  if ('address' in edge) exit(unit, from, edge.address);
  else unit.edge(from, edge);
}

/** To code outside the unit. */
export function exit(unit: UnitEmitter, from: number, address: number): void {
  const target = address >>> 0; // Behind the end of the address space lies nothing that executes, and the same number finds that out.
  unit.spillRest();
  exitBy(unit, from, (isTail) => pushArguments(unit, isTail, () => unit.code.i32Const(target | 0)), (isTail) => callAt(unit, target, isTail));
}

/** Whatever is called has the stack pointer that this unit was called with, or gives back to this unit, which hands on that it is another. */
function exitBy(unit: UnitEmitter, from: number, push: (isTail: boolean) => void, call: (isTail: boolean) => void): void {
  const { code } = unit;
  whereDisplaced(unit, from, () => {
    push(false);
    call(false);
    unit.get(STACK_POINTER); code.i32Const(1); code.call(OWN.late); // No call comes back there.
    code.i64ConstSmall(0); code.op(OP.return);
  }, () => {
    push(true);
    call(true);
  });
}

/** Emits one or the other, or both and a comparison, as what is known of the stack pointer at the end of a node wants it. Both end the unit. */
function whereDisplaced(unit: UnitEmitter, node: number, displaced: () => void, inPlace: () => void): void {
  const { code } = unit;
  const displacement = unit.context.displacements[node]!;
  if (displacement === 0) return inPlace();
  if (displacement !== UNKNOWN) return displaced();
  for (const register of [STACK_POINTER, ARGUMENT]) unit.need(register); // Ways part.
  unit.get(STACK_POINTER); code.localGet(LOCAL.stack); code.op(OP.i64Ne);
  unit.openIf(false);
  displaced();
  unit.close();
  inPlace();
}

function giveBack(unit: UnitEmitter, index: number): void {
  const { code } = unit;
  unit.spillRest();
  whereDisplaced(unit, index, () => {
    code.localGet(LOCAL.next); code.localGet(LOCAL.fuel); unit.get(STACK_POINTER); unit.get(ARGUMENT); code.call(OWN.astray);
    code.i64ConstSmall(0); code.op(OP.return);
  }, () => {
    code.localGet(LOCAL.next); packResult(code, LOCAL.fuel); unit.get(ARGUMENT); code.op(OP.return);
  });
}

function callDirect(unit: UnitEmitter, address: number): void {
  const target = address >>> 0;
  pushArguments(unit, false, () => unit.code.i32Const(target | 0));
  callAt(unit, target, false);
}

function callAt({ code, context, layout }: UnitEmitter, target: number, isTail: boolean): void {
  const own = context.functionOf(target);
  if (own !== undefined) return isTail ? code.returnCall(own) : code.call(own);
  code.i32Const(layout.slotOf(target));
  callSlot(code, context.unitType, isTail);
}

function callSlot(code: CodeWriter, unitType: number, isTail: boolean): void {
  if (!isTail) return code.callIndirect(unitType, 0);
  code.op(OP.returnCallIndirect); code.u32(unitType); code.u32(0);
}

function pushArguments(unit: UnitEmitter, isTail: boolean, pushPc: () => void): void {
  unit.code.localGet(LOCAL.fuel);
  if (isTail) unit.code.localGet(LOCAL.depth); else pushDepth(unit);
  pushPc();
  unit.get(STACK_POINTER); unit.get(ARGUMENT);
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
  pushArguments(unit, isTail, () => { unit.code.localGet(LOCAL.next); unit.code.op(OP.i32WrapI64); });
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

/** Behind a call: its results are on the stack. One comparison finds out that it came back here and that there is fuel. */
function comeBack(unit: UnitEmitter, node: GraphNode, index: number): void {
  const { code } = unit;
  const back = node.block!.end >>> 0;
  code.localSet(unit.local(ARGUMENT)); code.localTee(LOCAL.wide);
  code.i64Const(BigInt.asIntN(64, BigInt(back) << BigInt(NEXT_SHIFT))); code.op(OP.i64Sub); code.localTee(LOCAL.next);
  code.op(OP.i32WrapI64); code.localSet(LOCAL.fuel);
  code.localGet(LOCAL.next); code.i64Const(FUEL_MAX); code.op(OP.i64GtU);
  unit.openIf(false);
  code.localGet(LOCAL.wide); code.localGet(unit.local(ARGUMENT)); unit.get(STACK_POINTER); code.i32Const(back | 0); code.call(OWN.late);
  code.localTee(LOCAL.wide); code.i64ConstSmall(0); code.op(OP.i64Ne);
  unit.openIf();
  code.localGet(LOCAL.wide); code.i64ConstSmall(0); code.op(OP.return);
  unit.close();
  unit.load(ARGUMENT);
  unit.close();
  unit.afterCall(node);
  go(unit, index, node.edges[0]!);
}

function exitIndirect(unit: UnitEmitter, from: number): void {
  unit.spillRest();
  exitBy(unit, from, (isTail) => { pushTarget(unit, isTail); lookUp(unit); }, (isTail) => callSlot(unit.code, unit.context.unitType, isTail));
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
  unit.leave();
  unit.close();
  code.localGet(LOCAL.address); code.localTee(LOCAL.fuel); code.i32Const(0); code.op(OP.i32LtS);
  unit.openIf(false);
  unit.refuse(resume);
  unit.close();
  unit.afterCall(node);
  go(unit, index, node.edges[0]!);
}

/** An indirect jump with known targets: the unit's jump map gives the number of the block at the target, 0 where there is none. */
function table(unit: UnitEmitter, node: GraphNode, index: number): void {
  const { code, context } = unit;
  const map = context.jumpMap;
  if (map === undefined) return exitIndirect(unit, index);
  unit.openBlock();
  const unknown = unit.depth - 1;
  code.localGet(LOCAL.next); code.i64Const(BigInt(map.low)); code.op(OP.i64Sub); code.localTee(LOCAL.wide);
  code.i64ConstSmall(map.span); code.op(OP.i64GeU); code.hint(false); code.brIf(0);
  code.localGet(LOCAL.wide); code.op(OP.i32WrapI64); code.access(OP.i32Load16u, 1, map.offset); code.localTee(LOCAL.index); code.op(OP.i32Eqz); code.hint(false); code.brIf(0);
  const before = copyRegisters(unit.state);
  unit.later(() => {
    unit.state = before;
    unit.close();
    exitIndirect(unit, index);
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
