/**
 * The WebAssembly interpreter as a module: one function `loop(left, isPlain) -> LEFT` that executes records from the pc in the register block until
 * something needs the driver. It calls nothing, so that its few locals stay in processor registers.
 *
 *   far-page: find the page's records, or leave
 *     top: count, dispatch by the record's operation
 *       handler ... handler       each ends with a jump to `top`, to a tail, or to a way out
 *       tail ... tail
 *   leave (at a record), leaveTo (at the address in `wide`): write pc, budget and record; return why
 *
 * Invariants: a record that leaves has not been counted and has changed nothing.
 */
import { ModuleBuilder, OP, TYPE } from '../../../wasm/index.ts';
import { CONTROL, controlAddress } from '../../cpu.ts';
import { LOOP_OPERATIONS, loopHandlers, loopTails } from './handlers.ts';
import { AREA, LEFT, RECORD_SCALE, STATE, type LoopLayout } from './layout.ts';
import { DOUBLES, LOCAL, LoopWriter, SINGLES } from './loop-writer.ts';

const SCALE_SHIFT = Math.log2(RECORD_SCALE);

/** Bytes of the module for one layout. */
export function loopModule(layout: LoopLayout): Uint8Array {
  const builder = new ModuleBuilder();
  builder.importMemory('e', 'memory', { minimum: 1, maximum: 65536 });
  const loop = builder.declareFunction({ parameters: [TYPE.i32, TYPE.i32], results: [TYPE.i32] });
  builder.addBody([[5, TYPE.i32], [3, TYPE.i64], [DOUBLES, TYPE.f64], [SINGLES, TYPE.f32]], body(layout));
  builder.exportFunction('loop', loop);
  return builder.finish();
}

function body(layout: LoopLayout): LoopWriter {
  const writer = new LoopWriter();
  const pc = controlAddress(layout.registers, CONTROL.pc);
  writer.i32Const(0); writer.access(OP.i64Load, 3, pc); writer.localSet(LOCAL.wide);
  writer.open(OP.block, TYPE.empty); writer.label('leaveAt');
  writer.open(OP.block, TYPE.empty); writer.label('leaveTo');
  writer.open(OP.loop, TYPE.empty); writer.label('far-page');
  enterPage(writer, layout);
  writer.open(OP.loop, TYPE.empty); writer.label('top');
  dispatch(writer, layout);
  writer.end();
  writer.end();
  writer.end();
  // leaveTo: wide is the pc. What was last executed is counted.
  writer.i32Const(0); writer.localGet(LOCAL.wide); writer.access(OP.i64Store, 3, pc);
  writer.i32Const(0); writer.localGet(LOCAL.left); writer.i32Const(1); writer.op(OP.i32Sub); writer.access(OP.i32Store, 2, layout.registers + STATE.left);
  writer.localGet(LOCAL.reason);
  writer.op(OP.return);
  writer.end();
  writer.i32Const(0); writer.pc(); writer.op(OP.i64ExtendI32u); writer.access(OP.i64Store, 3, pc);
  writer.i32Const(0); writer.localGet(LOCAL.left); writer.access(OP.i32Store, 2, layout.registers + STATE.left);
  writer.i32Const(0); writer.localGet(LOCAL.record); writer.access(OP.i32Store, 2, layout.registers + STATE.record);
  writer.localGet(LOCAL.reason);
  return writer;
}

/** From the address in `wide` to its record. */
function enterPage(writer: LoopWriter, layout: LoopLayout): void {
  writer.i32Const(LEFT.page); writer.localSet(LOCAL.reason);
  writer.localGet(LOCAL.wide); writer.i64ConstSmall(32); writer.operations(OP.i64ShrU, OP.i32WrapI64);
  writer.toIf('leaveTo');
  writer.localGet(LOCAL.wide); writer.op(OP.i32WrapI64); writer.localTee(LOCAL.word);
  writer.i32Const(12); writer.op(OP.i32ShrU); writer.i32Const(2); writer.op(OP.i32Shl); writer.access(OP.i32Load, 2, layout.area + AREA.map);
  writer.localTee(LOCAL.address); writer.op(OP.i32Eqz);
  writer.toIf('leaveTo');
  writer.localGet(LOCAL.address); writer.localGet(LOCAL.word); writer.i32Const(4095); writer.op(OP.i32And); writer.i32Const(SCALE_SHIFT);
  writer.operations(OP.i32Shl, OP.i32Add); writer.localSet(LOCAL.record);
  writer.localGet(LOCAL.word); writer.localGet(LOCAL.record); writer.i32Const(SCALE_SHIFT); writer.operations(OP.i32ShrU, OP.i32Sub); writer.localSet(LOCAL.bias);
}

function dispatch(writer: LoopWriter, layout: LoopLayout): void {
  const tails = Object.entries({ ...loopTails(layout), leave: leave(LEFT.record), budget: leave(LEFT.budget) });
  for (const [name] of tails.toReversed()) { writer.open(OP.block, TYPE.empty); writer.label(name); }
  for (let index = 0; index < LOOP_OPERATIONS.length; index++) writer.open(OP.block, TYPE.empty);
  writer.localGet(LOCAL.left); writer.i32Const(1); writer.op(OP.i32Sub); writer.localTee(LOCAL.left); writer.i32Const(0); writer.op(OP.i32LtS);
  writer.toIf('budget');
  writer.localGet(LOCAL.record); writer.access(OP.i32Load8u, 0, 0);
  writer.brTable(LOOP_OPERATIONS.map((_, index) => index), 0);
  const handlers = loopHandlers(layout);
  for (const { name, length } of LOOP_OPERATIONS) {
    writer.end();
    writer.step = length === undefined ? undefined : length * RECORD_SCALE;
    handlers[name]!(writer);
  }
  writer.step = undefined;
  for (const [, emit] of tails) {
    writer.end();
    emit(writer);
  }
}

const leave = (reason: number) => (writer: LoopWriter): void => {
  writer.i32Const(reason); writer.localSet(LOCAL.reason);
  writer.to('leaveAt');
};
