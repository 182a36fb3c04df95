/**
 * Counters of arrivals at places in the code, by which a driver above learns what is hot: 16 bits each, shared by addresses that agree in the bits of HOT_MASK, as the TypeScript
 * interpreter's are (machine.ts). The loop counts jumps that it takes; the relay and cold calls count where they arrive without a unit.
 *
 * Invariant: a counter is at its limit once, at the arrival that makes the place hot: the loop has counted that one, an arrival that is found hot elsewhere is not counted, so that the loop's finds it so, too.
 * What this does NOT do: translate, decide the limit.
 */
import { OP, TYPE, type CodeWriter } from '../../../wasm/index.ts';
import { HOT_MASK } from '../machine.ts';
import { AREA, LEFT, STATE, type LoopLayout } from './layout.ts';
import { LOCAL, type LoopWriter } from './loop-writer.ts';

/** Bits of an even pc that choose its counter, which are its offset in bytes, too. */
const HOT_PC_MASK = HOT_MASK << 1;

/** Counts the target that `word` holds; leaves the loop when it has become hot, with `wide` as its 64 bits. */
export function countTarget(writer: LoopWriter, layout: LoopLayout, setWide: () => void): void {
  writer.localGet(LOCAL.word); writer.i32Const(HOT_PC_MASK); writer.op(OP.i32And); writer.localTee(LOCAL.address);
  writer.localGet(LOCAL.address); writer.access(OP.i32Load16u, 1, layout.area + AREA.hot); writer.i32Const(1); writer.op(OP.i32Add);
  writer.localTee(LOCAL.reason);
  writer.access(OP.i32Store16, 1, layout.area + AREA.hot);
  writer.localGet(LOCAL.reason); writer.i32Const(0); writer.access(OP.i32Load, 2, layout.registers + STATE.hotLimit); writer.op(OP.i32Eq);
  writer.open(OP.if, TYPE.empty);
  setWide();
  writer.i32Const(LEFT.hot); writer.localSet(LOCAL.reason);
  writer.to('leaveTo');
  writer.end();
}

/** Counts an arrival at the pc that `push` pushes; leaves on the stack whether it is now hot, and is then not counted. `scratch`: an i32 local. */
export function countArrival(code: CodeWriter, { area, registers }: Pick<LoopLayout, 'area' | 'registers'>, scratch: number, push: () => void): void {
  const pushCounter = (): void => { push(); code.i32Const(HOT_PC_MASK); code.op(OP.i32And); };
  pushCounter(); code.access(OP.i32Load16u, 1, area + AREA.hot); code.i32Const(1); code.op(OP.i32Add); code.localTee(scratch);
  code.i32Const(0); code.access(OP.i32Load, 2, registers + STATE.hotLimit); code.op(OP.i32Eq);
  code.open(OP.if, TYPE.i32);
  code.i32Const(1);
  code.byte(OP.else);
  pushCounter(); code.localGet(scratch); code.access(OP.i32Store16, 1, area + AREA.hot);
  code.i32Const(0);
  code.end();
}
