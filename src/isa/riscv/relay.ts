/**
 * Between the interpreter's loop and translated code without going through JavaScript: a module of one function that runs the loop, calls the unit where the
 * loop meets the mark of one, and goes on in the loop where that comes back. Code that is called from everywhere is translated before its callers are, so
 * that control goes to and fro millions of times a second.
 *
 *   relay (left: i32, reserve: i32, depth: i32, back: i32) -> why it ended: LEFT of the loop, or RELAY
 *     left     the budget; what is left of it goes to STATE.total, what units retired to STATE.translated
 *     reserve  instructions that units may take beyond the budget (what is left is negative then)
 *     depth    of the host's stack, for the units
 *     back     where a nested driver's call comes back: an arrival there ends the relay; 0: there is none
 *
 * Invariants: the pc and all registers are in the register block whenever control is here.
 * What this does NOT do: make records or units, look at the stack pointer of a return.
 */
import { ModuleBuilder, OP, TYPE, CodeWriter } from '../../wasm/index.ts';
import { CONTROL, controlAddress } from '../cpu.ts';
import { STACK_POINTER } from './lift/facts.ts';
import { ARGUMENT, pushRegister, takeResult } from './lift/handover.ts';
import { LEFT as UNIT_LEFT, UNIT_TYPE, type DriverLayout } from './lift/layout.ts';
import { ON } from './wasm-interpreter/handlers.ts';
import { LEFT, STATE } from './wasm-interpreter/layout.ts';
import { FIELD } from './wasm-interpreter/loop-writer.ts';

/** Why the relay ended, beside the loop's reasons: a unit left (its outcome words say where), wants the driver to look, or came back where it shall end. */
export const RELAY = { left: 16, lookFirst: 17, back: 18 } as const;

/** Budget of one call of the loop: V8 puts optimised code into use at the next call only. */
export const CHUNK = 1 << 18;

const LOCAL = { left: 0, reserve: 1, depth: 2, back: 3, chunk: 4, reason: 5, slot: 6, fuel: 7, translated: 8, next: 9, stack: 10, argument: 11 } as const;

/** Bytes of the module: imports the loop, exports `relay`. */
export function relayModule(layout: DriverLayout): Uint8Array {
  const module = new ModuleBuilder();
  const loop = module.importFunction('e', 'loop', { parameters: [TYPE.i32, TYPE.i32], results: [TYPE.i32] });
  module.importMemory('e', 'memory', { minimum: layout.memoryPages, maximum: layout.memoryPages });
  module.importTable('e', 'table', layout.tableSize);
  const relay = module.declareFunction({ parameters: [TYPE.i32, TYPE.i32, TYPE.i32, TYPE.i32], results: [TYPE.i32] });
  module.addBody([[5, TYPE.i32], [3, TYPE.i64]], relayBody(layout, { loop, unitType: module.type(UNIT_TYPE) }));
  module.exportFunction('relay', relay);
  return module.finish();
}

interface Functions { readonly loop: number; readonly unitType: number }

function relayBody(layout: DriverLayout, functions: Functions): CodeWriter {
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

function runLoop(code: CodeWriter, { registers }: DriverLayout, { loop }: Functions): void {
  code.localGet(LOCAL.left); code.i32Const(CHUNK); code.localGet(LOCAL.left); code.i32Const(CHUNK); code.op(OP.i32LtS); code.op(OP.select); code.localTee(LOCAL.chunk);
  code.i32Const(0); code.call(loop); code.localSet(LOCAL.reason);
  code.localGet(LOCAL.left); code.localGet(LOCAL.chunk); code.op(OP.i32Sub);
  code.i32Const(0); code.access(OP.i32Load, 2, registers + STATE.left); code.op(OP.i32Add); code.i32Const(1); code.op(OP.i32Add); code.localSet(LOCAL.left);
  code.localGet(LOCAL.reason); code.i32Const(LEFT.record); code.op(OP.i32Ne); outIf(code);
}

/** Goes on where the loop has met the mark of a unit for which there is fuel, and that is not where the relay ends. */
function findUnit(code: CodeWriter, { registers, margin }: DriverLayout): void {
  code.i32Const(0); code.access(OP.i32Load, 2, registers + STATE.record); code.localTee(LOCAL.slot);
  code.access(OP.i32Load8u, 0, 0); code.i32Const(ON.enter); code.op(OP.i32Ne); outIf(code);
  code.localGet(LOCAL.slot); code.access(OP.i32Load, 2, FIELD.rd); code.localTee(LOCAL.slot); code.op(OP.i32Eqz); outIf(code);
  pushPc(code, registers); code.localGet(LOCAL.back); code.op(OP.i32Eq); outIf(code);
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
  code.localGet(LOCAL.next); code.localGet(LOCAL.back); code.op(OP.i64ExtendI32u); code.op(OP.i64Eq); outIf(code);
}

function pushPc(code: CodeWriter, registers: number): void {
  code.i32Const(0); code.access(OP.i32Load, 2, controlAddress(registers, CONTROL.pc));
}
