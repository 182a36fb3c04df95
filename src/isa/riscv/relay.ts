/**
 * Between the interpreter's loop and translated code without going through JavaScript: a module that runs the loop, calls the unit where the
 * loop meets the mark of one, and goes on in the loop where that comes back; and runs code without a unit that one calls (cold-call.ts). Code that is called from everywhere
 * is translated before its callers are, so that control goes to and fro millions of times a second.
 *
 *   relay (left: i32, reserve: i32, depth: i32, back: i32, sp: i32, spHigh: i32) -> why it ended: LEFT of the loop, or RELAY
 *     left     the budget; what is left of it goes to STATE.total, what units retired to STATE.translated
 *     reserve  instructions that units may take beyond the budget (what is left is negative then)
 *     depth    of the host's stack, for the units
 *     back     where a nested driver's call comes back: an arrival there with that stack pointer ends the relay; 0: there is none
 *   stub           what stands in the function table where there is no unit
 *
 * Invariants: the pc and all registers are in the register block whenever control is here.
 * What this does NOT do: make records or units, decide what becomes one.
 */
import { ModuleBuilder, OP, TYPE, CodeWriter, type Signature } from '../../wasm/index.ts';
import { CONTROL, controlAddress } from '../cpu.ts';
import { coldCallBody, COLD_LOCALS, GO_ON_TYPE, type RelayLayout } from './cold-call.ts';
import { STACK_POINTER } from './lift/facts.ts';
import { ARGUMENT, pushRegister, takeResult } from './lift/handover.ts';
import { COLD_TYPE, LEFT as UNIT_LEFT, UNIT_TYPE, type DriverLayout } from './lift/layout.ts';
import { stubBody } from './lift/module.ts';
import { ON } from './wasm-interpreter/handlers.ts';
import { countArrival } from './wasm-interpreter/hot-counters.ts';
import { LEFT, STATE } from './wasm-interpreter/layout.ts';
import { FIELD } from './wasm-interpreter/loop-writer.ts';

/** Why the relay ended, beside the loop's reasons: a unit left (its outcome words say where), wants the driver to look, or came back where it shall end. */
export const RELAY = { left: 16, lookFirst: 17, back: 18 } as const;

/** Budget of one call of the loop: V8 puts optimised code into use at the next call only. */
export const CHUNK = 1 << 18;

const LOCAL = { left: 0, reserve: 1, depth: 2, back: 3, backStack: 4, chunk: 5, reason: 6, slot: 7, fuel: 8, isPlain: 9, translated: 10, next: 11, stack: 12, argument: 13 } as const;
const RUN_TYPE: Signature = { parameters: [TYPE.i32, TYPE.i32, TYPE.i32, TYPE.i32, TYPE.i64], results: [TYPE.i32] };

/** Bytes of the module: imports the loop and two functions of the driver, exports `relay` and `stub`. */
export function relayModule(layout: RelayLayout): Uint8Array {
  const module = new ModuleBuilder();
  const loop = module.importFunction('e', 'loop', { parameters: [TYPE.i32, TYPE.i32], results: [TYPE.i32] });
  const cold = module.importFunction('e', 'cold', COLD_TYPE);
  const goOn = module.importFunction('e', 'goOn', GO_ON_TYPE);
  module.importMemory('e', 'memory', { minimum: layout.memoryPages, maximum: layout.memoryPages });
  module.importTable('e', 'table', layout.tableSize);
  const unitType = module.type(UNIT_TYPE);
  const run = module.declareFunction(RUN_TYPE);
  module.addBody([[6, TYPE.i32], [3, TYPE.i64]], runBody(layout, { loop, unitType }));
  const relay = module.declareFunction({ parameters: [TYPE.i32, TYPE.i32, TYPE.i32, TYPE.i32, TYPE.i32, TYPE.i32], results: [TYPE.i32] });
  module.addBody([], relayBody(run));
  const coldCall = module.declareFunction(COLD_TYPE);
  module.addBody(COLD_LOCALS, coldCallBody(layout, { run, cold, goOn, back: RELAY.back }));
  const stub = module.declareFunction(UNIT_TYPE);
  module.addBody([], stubBody(layout, coldCall));
  module.exportFunction('relay', relay);
  module.exportFunction('stub', stub);
  return module.finish();
}

/** The stack pointer comes in halves: JavaScript has no cheap 64-bit integers. */
function relayBody(run: number): CodeWriter {
  const code = new CodeWriter();
  const [sp, spHigh] = [4, 5];
  for (const parameter of [LOCAL.left, LOCAL.reserve, LOCAL.depth, LOCAL.back]) code.localGet(parameter);
  code.localGet(spHigh); code.op(OP.i64ExtendI32u); code.i64ConstSmall(32); code.op(OP.i64Shl); code.localGet(sp); code.op(OP.i64ExtendI32u); code.op(OP.i64Or);
  code.call(run);
  return code;
}

interface Functions { readonly loop: number; readonly unitType: number }

function runBody(layout: RelayLayout, functions: Functions): CodeWriter {
  const code = new CodeWriter();
  code.open(OP.block, TYPE.empty); // Out.
  code.open(OP.loop, TYPE.empty);
  runLoop(code, layout, functions);
  findUnit(code, layout);
  runUnit(code, layout, functions);
  code.br(0);
  code.end();
  code.end();
  code.i32Const(0); code.localGet(LOCAL.left); code.access(OP.i32Store, 2, layout.registers + STATE.total);
  code.i32Const(0); code.localGet(LOCAL.translated); code.access(OP.i32Store, 2, layout.registers + STATE.translated);
  code.localGet(LOCAL.reason);
  return code;
}

/** Ends the relay where the condition on the stack holds. */
function outIf(code: CodeWriter): void {
  code.brIf(1);
}

function setReason(code: CodeWriter, reason: number): void {
  code.i32Const(reason); code.localSet(LOCAL.reason);
}

/** Runs a chunk of the loop, or one instruction past a mark. Goes on where it has met something. */
function runLoop(code: CodeWriter, { registers }: DriverLayout, { loop }: Functions): void {
  code.i32Const(1);
  code.localGet(LOCAL.left); code.i32Const(CHUNK); code.localGet(LOCAL.left); code.i32Const(CHUNK); code.op(OP.i32LtS); code.op(OP.select);
  code.localGet(LOCAL.isPlain); code.op(OP.select); code.localTee(LOCAL.chunk);
  code.localGet(LOCAL.isPlain); code.call(loop); code.localSet(LOCAL.reason);
  code.i32Const(0); code.localSet(LOCAL.isPlain);
  code.localGet(LOCAL.left); code.localGet(LOCAL.chunk); code.op(OP.i32Sub);
  code.i32Const(0); code.access(OP.i32Load, 2, registers + STATE.left); code.op(OP.i32Add); code.i32Const(1); code.op(OP.i32Add); code.localTee(LOCAL.left);
  code.i32Const(0); code.op(OP.i32GtS); code.localGet(LOCAL.reason); code.i32Const(LEFT.budget); code.op(OP.i32Eq); code.op(OP.i32And); code.brIf(0);
  code.localGet(LOCAL.reason); code.i32Const(LEFT.record); code.op(OP.i32Ne); outIf(code);
}

/** Whether the place whose address `push` pushes (i32) is where the relay ends, as the stack pointer says. */
function pushIsBack(code: CodeWriter, layout: DriverLayout, push: () => void): void {
  push(); code.localGet(LOCAL.back); code.op(OP.i32Eq);
  pushRegister(code, layout, STACK_POINTER); code.localGet(LOCAL.backStack); code.op(OP.i64Eq); code.op(OP.i32And);
}

/** Goes on where the loop has met the mark of a unit for which there is fuel, and that is not where the relay ends. Passes a mark without a unit, unless it has become hot. */
function findUnit(code: CodeWriter, layout: RelayLayout): void {
  const { registers, margin } = layout;
  code.i32Const(0); code.access(OP.i32Load, 2, registers + STATE.record); code.localTee(LOCAL.slot);
  code.access(OP.i32Load8u, 0, 0); code.i32Const(ON.enter); code.op(OP.i32Ne); outIf(code);
  setReason(code, RELAY.back);
  pushIsBack(code, layout, () => pushPc(code, registers)); outIf(code);
  setReason(code, LEFT.record);
  code.localGet(LOCAL.slot); code.access(OP.i32Load, 2, FIELD.rd); code.localTee(LOCAL.slot); code.op(OP.i32Eqz);
  code.open(OP.if, TYPE.empty);
  countArrival(code, layout, LOCAL.fuel, () => pushPc(code, registers)); code.brIf(2);
  code.i32Const(1); code.localSet(LOCAL.isPlain);
  code.br(1);
  code.end();
  code.localGet(LOCAL.left); code.localGet(LOCAL.reserve); code.op(OP.i32Add); code.i32Const(margin); code.op(OP.i32Sub); code.localTee(LOCAL.chunk);
  code.i32Const(0); code.op(OP.i32LtS); outIf(code);
}

/** Calls the unit with `chunk` fuel; goes on where it comes back in order, with budget left. */
function runUnit(code: CodeWriter, layout: DriverLayout, { unitType }: Functions): void {
  const { registers, margin } = layout;
  code.localGet(LOCAL.chunk); code.localGet(LOCAL.depth); pushPc(code, registers);
  pushRegister(code, layout, STACK_POINTER); code.localTee(LOCAL.stack); pushRegister(code, layout, ARGUMENT);
  code.localGet(LOCAL.slot); code.callIndirect(unitType, 0);
  takeResult(code, layout, LOCAL);
  code.localGet(LOCAL.translated); code.localGet(LOCAL.chunk); code.op(OP.i32Add); code.localGet(LOCAL.fuel); code.op(OP.i32Sub); code.localSet(LOCAL.translated);
  code.localGet(LOCAL.fuel); code.i32Const(margin); code.op(OP.i32Add); code.localGet(LOCAL.reserve); code.op(OP.i32Sub); code.localSet(LOCAL.left);
  setReason(code, RELAY.left);
  code.localGet(LOCAL.next); code.i64ConstSmall(UNIT_LEFT); code.op(OP.i64Eq); outIf(code);
  code.i32Const(0); code.localGet(LOCAL.next); code.i64ConstSmall(-2); code.op(OP.i64And); code.access(OP.i64Store, 3, controlAddress(registers, CONTROL.pc));
  setReason(code, RELAY.lookFirst);
  code.localGet(LOCAL.next); code.op(OP.i32WrapI64); code.i32Const(1); code.op(OP.i32And); outIf(code);
  setReason(code, LEFT.budget);
  code.localGet(LOCAL.left); code.i32Const(0); code.op(OP.i32LeS); outIf(code);
  setReason(code, RELAY.back);
  pushIsBack(code, layout, () => { code.localGet(LOCAL.next); code.op(OP.i32WrapI64); }); outIf(code);
}

function pushPc(code: CodeWriter, registers: number): void {
  code.i32Const(0); code.access(OP.i32Load, 2, controlAddress(registers, CONTROL.pc));
}
