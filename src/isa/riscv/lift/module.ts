/**
 * A batch of units as one WebAssembly module: the function at an entry that has become hot, and the functions that it calls as far as they are worth
 * it, so that they call each other directly.
 * Invariants: instantiating the module puts every unit into its table slot; nothing else is changed.
 * What this does NOT do: compile, own the table, or mark pages.
 */
import { CodeWriter, ModuleBuilder, OP, TYPE, type Signature } from '../../../wasm/index.ts';
import { BIAS, CONTROL, controlAddress, type CpuMemory } from '../../cpu.ts';
import { FLAG } from '../float/handler.ts';
import { analyse, type BlockCode } from './dataflow.ts';
import { REACH_TYPE, reachBody } from './emit-memory.ts';
import { CLASSIFY_TYPE, classifyBody, SLOW_LOCALS, SLOW_TYPE, slowBody, SPECIAL_TYPE, specialBody, UNORDERED_TYPE, unorderedBody } from './emit-special.ts';
import { UnitEmitter } from './emit-unit.ts';
import { makePlan, type HotEntry, type Plan } from './extent.ts';
import { isCalling, type Graph } from './graph.ts';
import { ASTRAY_TYPE, astrayBody, findDisplacements, LATE_LOCALS, LATE_TYPE, lateBody, pushRegister, storePassed, takeResult, ARGUMENT, packResult } from './handover.ts';
import { STACK_POINTER } from './facts.ts';
import { FIRST_HELPER_SLOT, HELPERS, LOCAL, OUTCOME, OWN, SCRATCH_LOCALS, UNIT_TYPE, type DriverLayout, type UnitLayout } from './layout.ts';
import { findLiveness } from './liveness.ts';
import { coveredLoads } from './shared-checks.ts';
import { coveredInStrip, widenTight } from './strip-rounds.ts';
import { freeIn } from './strips.ts';
import type { PlacedMap, PlacedTable, UnitContext } from './unit-context.ts';
import { findNarrow } from './narrow.ts';
import { LoadWindows } from './windows.ts';
import type { CodeCache } from './code-cache.ts';

/** Instructions of one batch beyond the units of its entries. */
const BATCH_INSTRUCTIONS = 4000;
const BATCH_UNITS = 40;
/** Functions that every module brings along. */
const OWN_COUNT = Object.keys(OWN).length;

export interface LiftedUnit {
  /** Where it can be entered: address → table slot. The first is the function's own. */
  readonly entries: ReadonlyMap<number, number>;
  readonly pages: ReadonlySet<number>;
  readonly instructions: number;
  /** Where calls come back to. */
  readonly resumes: readonly number[];
  readonly callees: ReadonlySet<number>;
  /** Starts of blocks. */
  readonly starts: readonly number[];
}

export interface Batch {
  readonly module: Uint8Array;
  readonly units: readonly LiftedUnit[];
  /** Bytes of the jump maps, to be put into the linear memory before the units run. */
  readonly maps: readonly { readonly offset: number; readonly bytes: Uint8Array }[];
  /** Pages of data that the code relies on being readable. */
  readonly reliedPages: ReadonlySet<number>;
  /** Data that the code relies on as it is. */
  readonly tables: readonly { readonly address: number; readonly bytes: Uint8Array }[];
}

/** The batch of some entries; undefined when nothing can be translated there. `isWanted`: whether a callee may come along. */
export function liftBatch(code: CodeCache, entries: readonly HotEntry[], layout: UnitLayout, isWanted: (address: number) => boolean): Batch | undefined {
  const plans = choose(code, entries, layout, isWanted);
  if (plans.length === 0) return undefined;
  const module = new ModuleBuilder();
  addSurroundings(module, layout);
  const unitType = module.type(UNIT_TYPE);
  HELPERS.forEach(([, signature], index) => addPassage(module, signature, (code, type) => { code.i32Const(FIRST_HELPER_SLOT + index); code.callIndirect(type, 0); }));
  addOwnFunctions(module, layout);
  const functions = new Map(plans.map((plan, index) => [plan.entry, HELPERS.length + OWN_COUNT + index]));
  const reliedPages = new Set<number>();
  const maps: { offset: number; bytes: Uint8Array }[] = [];
  const relied = new Map<number, number>();
  const units = plans.map((plan): LiftedUnit => {
    const [jumpMap, entryMap] = [makeMap(tableTargets(plan.graph), layout), makeMap(entryNumbers(plan.graph), layout)];
    const tables = placeTables(plan.graph, layout);
    for (const map of [jumpMap, entryMap, ...tables.values()]) if (map !== undefined) maps.push(map);
    for (const { table: { table, size, entries } } of tables.values()) relied.set(table, Math.max(relied.get(table) ?? 0, size * entries.length));
    const emitter = new UnitEmitter(contextOf(plan, { memory: code.memory, layout, unitType, functions, reliedPages, jumpMap, entryMap, tables }));
    emitter.unit();
    const index = module.declareFunction(UNIT_TYPE);
    module.addBody([...SCRATCH_LOCALS, [emitter.integerCount, TYPE.i64], [emitter.floatCount, TYPE.f64]], emitter.code);
    const entries = new Map([plan.entry, ...(entryMap === undefined ? [] : plan.graph.entries)].map((address) => [address, layout.slotOf(address)]));
    for (const slot of entries.values()) module.element(slot, [index]);
    const resumes = plan.region.blocks.filter(({ kind }) => kind === 'call' || kind === 'callRegister').map(({ end }) => end);
    return { entries, pages: plan.region.pages, instructions: plan.instructions, resumes, callees: plan.region.callees, starts: plan.region.blocks.map(({ start }) => start) };
  });
  const tables = [...relied].map(([address, length]) => ({ address, bytes: new Uint8Array(code.memory.i32.buffer, address - BIAS, length).slice() }));
  return { module: module.finish(), units, maps, reliedPages, tables };
}

/** In the order of OWN. */
function addOwnFunctions(module: ModuleBuilder, layout: UnitLayout): void {
  for (const [type, locals, body] of [[REACH_TYPE, [], reachBody], [SPECIAL_TYPE, [], specialBody], [UNORDERED_TYPE, [], unorderedBody], [CLASSIFY_TYPE, [], classifyBody], [SLOW_TYPE, SLOW_LOCALS, slowBody], [LATE_TYPE, LATE_LOCALS, lateBody], [ASTRAY_TYPE, [], astrayBody]] as const) {
    module.declareFunction(type);
    module.addBody(locals, body(layout));
  }
}

/** Memory and table of a module of units or of the driver. */
function addSurroundings(module: ModuleBuilder, layout: DriverLayout): void {
  module.importMemory('e', 'memory', { minimum: layout.memoryPages, maximum: layout.memoryPages });
  module.importTable('e', 'table', layout.tableSize);
}

/** A function with the parameters of another one, which `call` calls. */
function addPassage(module: ModuleBuilder, signature: Signature, call: (code: CodeWriter, type: number) => void): number {
  const passage = module.declareFunction(signature);
  const code = new CodeWriter();
  signature.parameters.forEach((_, parameter) => code.localGet(parameter));
  call(code, module.type(signature));
  module.addBody([], code);
  return passage;
}

/** The entries and their callees, breadth first, while there is room. An entry inside the region of another is left out: it will be reached there. */
function choose(code: CodeCache, entries: readonly HotEntry[], layout: UnitLayout, isWanted: (address: number) => boolean): Plan[] {
  const plans: Plan[] = [];
  const open = entries.map(({ address }) => address);
  const seen = new Set(open);
  let room = BATCH_INSTRUCTIONS;
  for (let at = 0; at < open.length && (at < entries.length || plans.length < BATCH_UNITS); at++) {
    const address = open[at]!;
    if (at < entries.length ? plans.some(({ region }) => region.has(address)) : (code.regionSizes.get(address) ?? 0) > room) continue;
    const plan = makePlan(code, { address, registers: entries[at]?.registers }, layout);
    if (plan === undefined || plans.some(({ entry }) => entry === plan.entry)) continue;
    code.regionSizes.set(address, plan.instructions);
    if (at >= entries.length && plan.instructions > room) continue;
    if (at >= entries.length) room -= plan.instructions;
    plans.push(plan);
    seen.add(plan.entry);
    for (const callee of plan.region.callees) {
      if (seen.has(callee) || !isWanted(callee)) continue;
      seen.add(callee);
      open.push(callee);
    }
  }
  return plans;
}

interface Shared {
  readonly memory: CpuMemory; readonly layout: UnitLayout; readonly unitType: number; readonly functions: ReadonlyMap<number, number>;
  readonly reliedPages: Set<number>; readonly jumpMap: PlacedMap | undefined; readonly entryMap: PlacedMap | undefined; readonly tables: ReadonlyMap<number, PlacedTable>;
}

function contextOf({ graph, instructions }: Plan, { memory, layout, unitType, functions, reliedPages, jumpMap, entryMap, tables }: Shared): UnitContext {
  for (const { table } of tables.values()) for (const page of table.pages) reliedPages.add(page);
  const windows = new LoadWindows(graph);
  widenTight(graph.nodes, windows);
  const liveness = findLiveness(graph);
  const codes = graph.nodes.map(({ block, role, strip }, index): BlockCode => {
    const instructions = block?.instructions ?? [];
    const free = role === 'round' ? freeIn(instructions, strip!.baseSet) : undefined;
    if (free !== undefined) return { instructions, covered: coveredInStrip(instructions, free), flushes: new Int32Array(2 * instructions.length), free };
    return { instructions, covered: coveredLoads(instructions), flushes: liveness.flushes[index]!, free };
  });
  return {
    memory, layout, graph, instructions, unitType, reliedPages, before: analyse(graph, liveness, codes), codes, windows, narrow: findNarrow(graph), displacements: findDisplacements(graph),
    isExact: (memory.i32[controlAddress(layout.registers, CONTROL.fcsr) >>> 2]! & FLAG.inexact) === 0, checked: checkedNodes(graph, layout.margin), jumpMap, entryMap, tables, functionOf: (address) => functions.get(address),
  };
}

/** Nodes that look at the fuel: loop headers, and as many more that no way between two looks is longer than the margin. */
function checkedNodes({ nodes, loops }: Graph, margin: number): ReadonlySet<number> {
  const checked = new Set<number>();
  const check = (index: number): void => {
    const { block, edges, role } = nodes[index]!;
    if (block !== undefined) checked.add(index);
    else if (role !== 'test') for (const edge of edges) if ('node' in edge) check(edge.node); // A test looks at the fuel itself.
  };
  for (const header of loops.keys()) check(header);
  const costs = new Array<number>(nodes.length).fill(0);
  for (let index = nodes.length - 1; index >= 0; index--) {
    const { block, edges } = nodes[index]!;
    const own = (block?.instructions.length ?? 0) + (block?.kind === 'step' ? 1 : 0);
    let rest = 0;
    for (const edge of isCalling(nodes[index]!) ? [] : edges) {
      if (!('node' in edge) || edge.node <= index || checked.has(edge.node) || nodes[edge.node]!.role === 'test') continue;
      if (own + costs[edge.node]! <= margin) rest = Math.max(rest, costs[edge.node]!);
      else check(edge.node);
    }
    costs[index] = own + rest;
  }
  return checked;
}

/** Address → number, of all targets of the unit's indirect jumps. */
function tableTargets({ nodes, numbers }: Graph): ReadonlyMap<number, number> {
  const used = new Set(nodes.flatMap(({ block, indices }) => (block?.kind === 'table' ? indices : [])));
  return new Map([...numbers].filter(([, number]) => used.has(number)));
}

function entryNumbers({ entries, numbers }: Graph): ReadonlyMap<number, number> {
  return new Map(entries.map((address) => [address, numbers.get(address)!]));
}

/** Tables whose jumps go by entry, where there is room for their maps. */
function placeTables({ nodes, numbers }: Graph, layout: UnitLayout): ReadonlyMap<number, PlacedTable & { readonly bytes: Uint8Array }> {
  const tables = new Map<number, PlacedTable & { readonly bytes: Uint8Array }>();
  nodes.forEach(({ block, edges, indices }, index) => {
    const table = block?.direct;
    const position = table === undefined ? -1 : block!.instructions.findIndex(({ address }) => address === table.load);
    if (table === undefined || position < 0) return;
    const known = new Set(indices);
    const order = table.entries.map((target) => numbers.get(target) ?? 0).map((number) => (known.has(number) ? number : 0));
    const isByEntry = edges.every((edge) => !('index' in edge) || edge.index === undefined);
    const words = isByEntry ? Uint16Array.from({ length: Math.max(...known) + 1 }, (_, number) => order.indexOf(number)) : Uint16Array.from(order);
    const offset = layout.allocate(words.byteLength);
    if (offset !== undefined) tables.set(index, { table, position, offset, order: isByEntry ? order : undefined, bytes: new Uint8Array(words.buffer) });
  });
  return tables;
}

function makeMap(numbers: ReadonlyMap<number, number>, layout: UnitLayout): PlacedMap & { readonly bytes: Uint8Array } | undefined {
  if (numbers.size === 0) return undefined;
  const targets = [...numbers.keys()].sort((a, b) => a - b);
  const low = targets[0]!;
  const span = targets.at(-1)! - low + 2;
  const offset = layout.allocate(span);
  if (offset === undefined) return undefined;
  const bytes = new Uint8Array(span);
  for (const [target, number] of numbers) {
    bytes[target - low] = number & 255;
    bytes[target - low + 1] = number >>> 8;
  }
  return { offset, low, span, count: numbers.size, bytes };
}

/**
 * Functions of the driver's side. `stub`, in every empty slot: hands its address to `cold`, the import that runs code without a unit as a call.
 * `enter` (fuel, depth, pc, slot) -> how the unit came back: 0 control.pc says where to go on, 1 it left (outcome words), 2 as 0, but look first.
 * And a way to each helper, which it puts into the table.
 */
export function driverModule(layout: DriverLayout): Uint8Array {
  const module = new ModuleBuilder();
  const imported = HELPERS.map(([name, signature]) => module.importFunction('e', name, signature));
  addSurroundings(module, layout);
  const cold = imported[HELPERS.findIndex(([name]) => name === 'cold')]!;
  const unitType = module.type(UNIT_TYPE);
  const stub = module.declareFunction(UNIT_TYPE);
  module.addBody([], stubBody(layout, cold));
  const enter = module.declareFunction({ parameters: [TYPE.i32, TYPE.i32, TYPE.i32, TYPE.i32], results: [TYPE.i32] });
  module.addBody([[3, TYPE.i64]], enterBody(layout, unitType));
  module.exportFunction('stub', stub);
  module.exportFunction('enter', enter);
  HELPERS.forEach(([, signature], index) => module.element(FIRST_HELPER_SLOT + index, [addPassage(module, signature, (code) => code.call(imported[index]!))]));
  return module.finish();
}

export function stubBody(layout: DriverLayout, cold: number): CodeWriter {
  const code = new CodeWriter();
  storePassed(code, layout, LOCAL);
  code.localGet(LOCAL.fuel); code.localGet(LOCAL.depth); code.localGet(LOCAL.pc); code.call(cold); code.localSet(LOCAL.fuel);
  code.i32Const(0); code.access(OP.i64Load, 3, layout.outcome + OUTCOME.next); packResult(code, LOCAL.fuel);
  pushRegister(code, layout, ARGUMENT);
  return code;
}

function enterBody(layout: DriverLayout, unitType: number): CodeWriter {
  const code = new CodeWriter();
  const [slot, stack, argument, next] = [3, 4, 5, 6];
  for (const parameter of [LOCAL.fuel, LOCAL.depth, LOCAL.pc]) code.localGet(parameter);
  pushRegister(code, layout, STACK_POINTER); code.localTee(stack); pushRegister(code, layout, ARGUMENT);
  code.localGet(slot); code.callIndirect(unitType, 0);
  takeResult(code, layout, { stack, argument, fuel: LOCAL.fuel, next });
  code.i32Const(0); code.localGet(LOCAL.fuel); code.access(OP.i32Store, 2, layout.outcome + OUTCOME.fuel);
  code.localGet(next); code.i64ConstSmall(1); code.op(OP.i64Eq);
  code.open(OP.if, TYPE.empty);
  code.i32Const(1); code.op(OP.return);
  code.end();
  code.i32Const(0); code.localGet(next); code.i64ConstSmall(-2); code.op(OP.i64And); code.access(OP.i64Store, 3, controlAddress(layout.registers, CONTROL.pc));
  code.localGet(next); code.op(OP.i32WrapI64); code.i32Const(1); code.op(OP.i32And); code.i32Const(1); code.op(OP.i32Shl);
  return code;
}
