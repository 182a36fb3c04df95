/**
 * A call, or a jump, from a unit to code that has none: the code runs in the interpreter's loop, and in the units that it comes to (relay.ts), until it is back where it was called
 * from, so that the callers stay on the WebAssembly stack. All of it in WebAssembly, as long as nothing becomes hot, nothing stops and nothing waits for translation.
 *
 *   cold (fuel: i32, depth: i32, pc: i32) -> fuel, and OUTCOME.next: the driver's own way, from the start
 *   go on (reason: i32, left: i32, depth: i32, back: i32, sp: i32, spHigh: i32) -> fuel, and OUTCOME.next: from where the relay has ended for `reason`
 *
 * Invariants: as relay.ts. A place with a unit is put into the target cache, so that it does not come here again; others are counted.
 * What this does NOT do: translate, execute.
 */
import { CodeWriter, OP, TYPE, type Signature } from '../../wasm/index.ts';
import { CONTROL, controlAddress } from '../cpu.ts';
import { STACK_POINTER } from './lift/facts.ts';
import { pushRegister } from './lift/handover.ts';
import { OUTCOME, PAGE_SHIFT, returnTarget, TARGET_BYTES, TARGET_SLOT, TARGETS, type DriverLayout } from './lift/layout.ts';
import { ON } from './wasm-interpreter/handlers.ts';
import { countArrival } from './wasm-interpreter/hot-counters.ts';
import { AREA, RECORD_SCALE, STATE } from './wasm-interpreter/layout.ts';
import { FIELD } from './wasm-interpreter/loop-writer.ts';

/** What the relay's module depends on. */
export interface RelayLayout extends DriverLayout {
  /** The interpreter's area (LoopLayout) and the target cache (UnitLayout), as bytes of the linear memory. */
  readonly area: number;
  readonly targets: number;
  /** What a nested call takes of the depth. */
  readonly nestedDepth: number;
  /** Instructions of a nested call before the driver looks what waits for translation. */
  readonly patience: number;
}

export const GO_ON_TYPE: Signature = { parameters: [TYPE.i32, TYPE.i32, TYPE.i32, TYPE.i32, TYPE.i32, TYPE.i32], results: [TYPE.i32] };
/** Behind the parameters of COLD_TYPE. */
export const COLD_LOCALS = [[6, TYPE.i32], [1, TYPE.i64]] as const;
const LOCAL = { fuel: 0, depth: 1, pc: 2, record: 3, count: 4, left: 5, budget: 6, back: 7, reason: 8, stack: 9 } as const;

const PAGE_MASK = (1 << PAGE_SHIFT) - 1;
/** The map of pages of records has a word for each page. */
const MAP_SHIFT = 2;

/** Functions of the module, and the reason for which the relay ends where it shall. */
export interface ColdCalls { readonly run: number; readonly cold: number; readonly goOn: number; readonly back: number }

export function coldCallBody(layout: RelayLayout, calls: ColdCalls): CodeWriter {
  const code = new CodeWriter();
  code.open(OP.block, TYPE.empty); // The driver's way.
  code.localGet(LOCAL.depth); code.i32Const(2 * layout.nestedDepth); code.op(OP.i32LtS); code.brIf(0);
  code.localGet(LOCAL.fuel); code.i32Const(layout.margin); code.op(OP.i32Add); code.localTee(LOCAL.left);
  code.i32Const(0); code.access(OP.i32Load, 2, layout.registers + STATE.flushAt); code.op(OP.i32LeS); code.brIf(0);
  noteTarget(code, layout);
  runNested(code, layout, calls);
  settle(code, layout, calls);
  code.end();
  code.localGet(LOCAL.fuel); code.localGet(LOCAL.depth); code.localGet(LOCAL.pc); code.call(calls.cold);
  return code;
}

/** Puts the unit at the pc into the target cache, or counts the arrival there. Branches to label 0 where the pc has no records, or is hot now. */
function noteTarget(code: CodeWriter, layout: RelayLayout): void {
  code.localGet(LOCAL.pc); code.i32Const(PAGE_SHIFT); code.op(OP.i32ShrU); code.i32Const(MAP_SHIFT); code.op(OP.i32Shl); code.access(OP.i32Load, 2, layout.area + AREA.map); code.localTee(LOCAL.record);
  code.op(OP.i32Eqz); code.brIf(0);
  code.localGet(LOCAL.record); code.localGet(LOCAL.pc); code.i32Const(PAGE_MASK); code.op(OP.i32And); code.i32Const(RECORD_SCALE); code.op(OP.i32Mul); code.op(OP.i32Add); code.localSet(LOCAL.record);
  code.open(OP.block, TYPE.empty);
  code.open(OP.block, TYPE.empty); // There is no unit.
  code.localGet(LOCAL.record); code.access(OP.i32Load8u, 0, 0); code.i32Const(ON.enter); code.op(OP.i32Ne); code.brIf(0);
  code.localGet(LOCAL.record); code.access(OP.i32Load, 2, FIELD.rd); code.localTee(LOCAL.count); code.op(OP.i32Eqz); code.brIf(0);
  code.localGet(LOCAL.pc); code.i32Const(1); code.op(OP.i32ShrU); code.i32Const(TARGETS - 1); code.op(OP.i32And); code.i32Const(TARGET_BYTES); code.op(OP.i32Mul); code.localTee(LOCAL.record);
  code.localGet(LOCAL.pc); code.access(OP.i32Store, 2, layout.targets);
  code.localGet(LOCAL.record); code.localGet(LOCAL.count); code.access(OP.i32Store, 2, layout.targets + TARGET_SLOT);
  code.br(1);
  code.end();
  countArrival(code, layout, LOCAL.count, () => code.localGet(LOCAL.pc)); code.brIf(1);
  code.end();
}

/** Runs from the pc until the call is back, or until the relay ends for another reason. */
function runNested(code: CodeWriter, layout: RelayLayout, { run }: ColdCalls): void {
  code.i32Const(0); code.localGet(LOCAL.pc); code.op(OP.i64ExtendI32u); code.access(OP.i64Store, 3, controlAddress(layout.registers, CONTROL.pc));
  code.localGet(LOCAL.left); code.i32Const(layout.patience); code.localGet(LOCAL.left); code.i32Const(layout.patience); code.op(OP.i32LtS); code.op(OP.select); code.localTee(LOCAL.budget);
  code.localGet(LOCAL.left); code.localGet(LOCAL.budget); code.op(OP.i32Sub); code.localTee(LOCAL.left);
  code.localGet(LOCAL.depth); code.i32Const(layout.nestedDepth); code.op(OP.i32Sub);
  pushRegister(code, layout, returnTarget.link); code.op(OP.i32WrapI64); code.localTee(LOCAL.back);
  pushRegister(code, layout, STACK_POINTER); code.localTee(LOCAL.stack);
  code.call(run); code.localSet(LOCAL.reason);
}

/** The account of what was interpreted; then back to the caller, or on with the driver. */
function settle(code: CodeWriter, layout: RelayLayout, { goOn, back }: ColdCalls): void {
  const word = (offset: number): void => { code.i32Const(0); code.access(OP.i32Load, 2, layout.registers + offset); };
  code.i32Const(0); word(STATE.interpreted); code.localGet(LOCAL.budget); code.op(OP.i32Add); word(STATE.total); code.op(OP.i32Sub); word(STATE.translated); code.op(OP.i32Sub);
  code.access(OP.i32Store, 2, layout.registers + STATE.interpreted);
  code.localGet(LOCAL.left); word(STATE.total); code.op(OP.i32Add); code.localSet(LOCAL.left);
  code.localGet(LOCAL.reason); code.i32Const(back); code.op(OP.i32Eq);
  code.open(OP.if, TYPE.empty);
  code.i32Const(0); code.localGet(LOCAL.back); code.op(OP.i64ExtendI32u); code.access(OP.i64Store, 3, layout.outcome + OUTCOME.next);
  code.localGet(LOCAL.left); code.i32Const(layout.margin); code.op(OP.i32Sub); code.op(OP.return);
  code.end();
  code.localGet(LOCAL.reason); code.localGet(LOCAL.left); code.localGet(LOCAL.depth); code.localGet(LOCAL.back);
  code.localGet(LOCAL.stack); code.op(OP.i32WrapI64); code.localGet(LOCAL.stack); code.i64ConstSmall(32); code.op(OP.i64ShrU); code.op(OP.i32WrapI64);
  code.call(goOn); code.op(OP.return);
}
