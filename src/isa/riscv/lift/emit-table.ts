/**
 * Jumps with known targets. Where they go is looked up in a map of the unit, from addresses to the numbers of blocks:
 *
 *   table      next ─► jump map ─► number ─► br_table
 *              where the table in memory cannot change unseen (DirectTable), its entry tells: the load of it is not waited for
 *   dispatch   number ─► br_table
 *
 * What is not in the map leaves the unit. What this does NOT do: find tables (jump-table.ts).
 */
import { OP } from '../../../wasm/index.ts';
import { copyRegisters, type Registers } from './dataflow.ts';
import { exitIndirect } from './emit-call.ts';
import type { UnitEmitter } from './emit-unit.ts';
import type { GraphEdge, GraphNode } from './graph.ts';
import { exitWord, leave, storeOutcome } from './handover.ts';
import type { Instruction } from './instruction.ts';
import { LOCAL, REASON } from './layout.ts';
import type { PlacedMap, PlacedTable } from './unit-context.ts';

/** An indirect jump with known targets. */
export function emitTable(unit: UnitEmitter, node: GraphNode, index: number): void {
  const map = unit.context.jumpMap;
  if (map === undefined) return exitIndirect(unit, index);
  const placed = unit.context.tables.get(index);
  unit.openBlock();
  const unknown = unit.depth - 1;
  if (placed === undefined) lookUpTarget(unit, map, unknown);
  else lookUpEntry(unit, { placed, map, unknown, jump: node.block!.instructions.at(-1)! });
  const before = copyRegisters(unit.state);
  unit.later(() => {
    unit.state = before;
    unit.close();
    exitIndirect(unit, index);
  });
  choose(unit, { node, index, otherwise: unknown, order: placed?.order });
}

/** Puts the number of the block at the address in `next` into `index`, or branches to `unknown`. */
function lookUpTarget(unit: UnitEmitter, map: PlacedMap, unknown: number): void {
  const { code } = unit;
  code.localGet(LOCAL.next); code.i64Const(BigInt(map.low)); code.op(OP.i64Sub); code.localTee(LOCAL.wide);
  code.i64ConstSmall(map.span); code.op(OP.i64GeU); code.hint(false); code.brIf(unit.relative(unknown));
  code.localGet(LOCAL.wide); code.op(OP.i32WrapI64); code.access(OP.i32Load16u, 1, map.offset); code.localTee(LOCAL.index);
  code.op(OP.i32Eqz); code.hint(false); code.brIf(unit.relative(unknown));
}

interface EntryJump { readonly placed: PlacedTable; readonly map: PlacedMap; readonly unknown: number; readonly jump: Instruction }

/** The same by the entry of the table that was read (emitEntry), or, where it was none, by `next`. The index is an entry where the table has an order. */
function lookUpEntry(unit: UnitEmitter, { placed: { table, order, offset }, map, unknown, jump }: EntryJump): void {
  const { code } = unit;
  unit.openBlock();
  const known = unit.depth - 1;
  unit.openBlock();
  code.localGet(LOCAL.entry); code.i64ConstSmall(table.entries.length); code.op(OP.i64GeU); code.hint(false); code.brIf(0);
  code.localGet(LOCAL.entry); code.op(OP.i32WrapI64);
  if (order === undefined) { code.i32Const(1); code.op(OP.i32Shl); code.access(OP.i32Load16u, 1, offset); }
  code.localSet(LOCAL.index);
  if (order === undefined) { code.localGet(LOCAL.index); code.op(OP.i32Eqz); code.hint(false); code.brIf(unit.relative(unknown)); }
  code.br(unit.relative(known));
  unit.close();
  leaveIfHigh(unit, jump);
  lookUpTarget(unit, map, unknown);
  if (order !== undefined) { code.localGet(LOCAL.index); code.i32Const(1); code.op(OP.i32Shl); code.access(OP.i32Load16u, 1, offset); code.localSet(LOCAL.index); }
  unit.close();
}

/** Leaves before the jump when the address in `next` is not below 2^32. */
function leaveIfHigh(unit: UnitEmitter, { address }: Instruction): void {
  const { code, layout, state } = unit;
  code.localGet(LOCAL.next); code.i64ConstSmall(32); code.op(OP.i64ShrU); code.op(OP.i32WrapI64);
  unit.openIf(false);
  unit.storeSets(state.dirty, state.dirtyFloats);
  storeOutcome(code, layout, () => code.i64Const(exitWord(address, 1, REASON.instruction)));
  leave(code);
  unit.close();
}

/** Which entry of its table a load is about to read, into `entry`: none below the count of entries where it reads elsewhere, or where the base that is added later is another. */
export function emitEntry(unit: UnitEmitter, { table: { table, size, base } }: PlacedTable, { rs1, imm }: Instruction): void {
  const { code } = unit;
  unit.get(rs1);
  code.i64Const(BigInt(imm - table)); code.op(OP.i64Add); code.i64ConstSmall(Math.log2(size)); code.op(OP.i64Rotr);
  if (base !== undefined && unit.constants.get(base.register) !== base.value) {
    code.i64ConstSmall(-1); unit.get(base.register); code.i64Const(BigInt(base.value)); code.op(OP.i64Eq); code.op(OP.select);
  }
  code.localSet(LOCAL.entry);
}

/** The number in `index` was set by whoever came here. */
export function emitDispatch(unit: UnitEmitter, node: GraphNode, index: number): void {
  choose(unit, { node, index, otherwise: undefined, order: undefined });
}

interface Choice { readonly node: GraphNode; readonly index: number; readonly otherwise: number | undefined; readonly order: PlacedTable['order'] }

/** br_table over the edges' numbers, or over entries that lead to them. Registers are moved once, for all edges. */
function choose(unit: UnitEmitter, { node, index, otherwise, order }: Choice): void {
  const { code, context } = unit;
  const edges = node.edges.filter((edge): edge is Extract<GraphEdge, { node: number }> => 'node' in edge);
  const targets = [...new Set(edges.map((edge) => edge.node))];
  prepareFor(unit, targets.map((target) => context.before[target]!));
  // The map has the targets of all jumps of the unit: this one may go straight on only where all of them are its own.
  const hasAll = new Set(node.indices.filter((number) => number >= 0)).size === context.jumpMap?.count;
  const only = order === undefined && targets.length === 1 && node.block !== undefined && otherwise !== undefined && hasAll ? targets[0]! : undefined;
  if (only !== undefined && unit.isLabelled(index, { node: only })) return code.br(unit.labelFor(index, only));
  const depths: number[] = [];
  node.edges.forEach((edge, at) => {
    if ('node' in edge) depths[node.indices[at]!] = unit.labelFor(index, edge.node);
  });
  const missing = otherwise === undefined ? depths.find((depth) => depth !== undefined)! : unit.relative(otherwise);
  code.localGet(LOCAL.index);
  code.brTable(order === undefined ? Array.from(depths, (depth) => depth ?? missing) : order.map((number) => depths[number] ?? missing), missing);
}

export function prepareFor(unit: UnitEmitter, targets: readonly Registers[]): void {
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
