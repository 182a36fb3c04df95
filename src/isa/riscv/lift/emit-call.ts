/**
 * Calls, returns and ways out of a unit.
 *
 *   call     registers are stored but those that are handed over; the callee is called as a WebAssembly function; it must give back the return address and
 *            fuel left, else this unit mostly returns too (late, handover.ts)
 *   exit     the same; tail call of the other unit, or, where the stack pointer is not the one that was passed, a call that hands on what comes back
 *   return   the same; the target is given back
 *
 * The WebAssembly stack is only a predictor of returns: whoever gets back another address hands it on to its caller, down to the driver.
 * What this does NOT do: instructions inside blocks, jumps inside the unit.
 */
import { OP, type CodeWriter } from '../../../wasm/index.ts';
import type { UnitEmitter } from './emit-unit.ts';
import { STACK_POINTER } from './facts.ts';
import type { GraphNode } from './graph.ts';
import { ARGUMENT, NEXT_SHIFT, packResult, UNKNOWN } from './handover.ts';
import { LOCAL, OWN, TARGETS } from './layout.ts';

/**
 * What one call takes from `depth`: bytes of the host's stack, rather too many, and a floor for the callee. V8's register allocator for large functions
 * hardly uses a slot twice: lua's main loop, 6 000 instructions, has a frame of 10 KB.
 */
const FRAME_BYTES = 160;
const LOCAL_BYTES = 8;
const LARGE_INSTRUCTIONS = 1000;
const LARGE_INSTRUCTION_BYTES = 2.5;
const FUEL_MAX = 0x7fffffffn;

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

/** To the address in `next`, which is the caller's. */
export function giveBack(unit: UnitEmitter, index: number): void {
  const { code } = unit;
  unit.spillRest();
  whereDisplaced(unit, index, () => {
    code.localGet(LOCAL.next); code.localGet(LOCAL.fuel); unit.get(STACK_POINTER); unit.get(ARGUMENT); code.call(OWN.astray);
    code.i64ConstSmall(0); code.op(OP.return);
  }, () => {
    code.localGet(LOCAL.next); packResult(code, LOCAL.fuel); unit.get(ARGUMENT); code.op(OP.return);
  });
}

/** A call that comes back in this unit. */
export function callDirect(unit: UnitEmitter, node: GraphNode, address: number): void {
  const target = address >>> 0;
  unit.spillRest();
  pushArguments(unit, false, () => unit.code.i32Const(target | 0));
  callAt(unit, target, false);
  comeBack(unit, node);
}

/** The same to the address in `next`. */
export function callIndirect(unit: UnitEmitter, node: GraphNode): void {
  unit.spillRest();
  pushTarget(unit, false);
  lookUp(unit);
  callSlot(unit.code, unit.context.unitType, false);
  comeBack(unit, node);
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
function comeBack(unit: UnitEmitter, node: GraphNode): void {
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
}

/** To the address in `next`, outside the unit. */
export function exitIndirect(unit: UnitEmitter, from: number): void {
  unit.spillRest();
  exitBy(unit, from, (isTail) => { pushTarget(unit, isTail); lookUp(unit); }, (isTail) => callSlot(unit.code, unit.context.unitType, isTail));
}
