/**
 * Handlers of loads, stores and atomics: one check of page flags, upper address bits and alignment, then the access; what the check refuses is
 * left to the functions of the TypeScript interpreter.
 * Floating registers are reached through their addresses, so that fld is ld, fsd is sd and fsw is sw.
 */
import { OP, type Opcode } from '../../../wasm/index.ts';
import { BIAS, CONTROL, controlAddress, PAGE_FLAG, STORE_FAST, STORE_MASK } from '../../cpu.ts';
import { ATOMIC_RESULTS, ATOMIC_WIDTHS, LOADS, STORES, type AtomicWidth } from '../lift-table.ts';
import type { Handlers } from './handler.ts';
import type { LoopLayout } from './layout.ts';
import { FIELD, LOCAL, type LoopWriter } from './loop-writer.ts';

const BOX = -0x100000000n;
interface Rights { readonly mask: number; readonly want: number }
const READ: Rights = { mask: PAGE_FLAG.read, want: PAGE_FLAG.read };
const WRITE: Rights = { mask: STORE_MASK, want: STORE_FAST };
const READ_WRITE: Rights = { mask: STORE_MASK | PAGE_FLAG.read, want: STORE_FAST | PAGE_FLAG.read };

/** `wide` holds the address. Leaves its byte of the linear memory in `address`, or the loop. */
function check(writer: LoopWriter, layout: LoopLayout, size: number, { mask, want }: Rights): void {
  writer.localGet(LOCAL.wide); writer.op(OP.i32WrapI64); writer.localTee(LOCAL.address);
  writer.i32Const(12); writer.op(OP.i32ShrU); writer.access(OP.i32Load8u, 0, layout.pageFlags);
  writer.i32Const(mask); writer.op(OP.i32And); writer.i32Const(want); writer.op(OP.i32Xor);
  writer.localGet(LOCAL.wide); writer.i64ConstSmall(32); writer.operations(OP.i64ShrU, OP.i32WrapI64, OP.i32Or);
  if (size > 1) { writer.localGet(LOCAL.address); writer.i32Const(size - 1); writer.operations(OP.i32And, OP.i32Or); }
  writer.toIf('leave');
}

function computeAddress(writer: LoopWriter): void {
  writer.register(FIELD.rs1); writer.localGet(LOCAL.record); writer.access(OP.i64Load32s, 2, FIELD.rs2); writer.op(OP.i64Add);
  writer.localSet(LOCAL.wide);
}

function pushPlace(writer: LoopWriter): void {
  writer.localGet(LOCAL.address); writer.i32Const(BIAS); writer.op(OP.i32Sub);
}

const load = (layout: LoopLayout, [opcode, size]: readonly [Opcode, number], isBoxed: boolean) => (writer: LoopWriter): void => {
  computeAddress(writer);
  check(writer, layout, size, READ);
  writer.field(FIELD.rd);
  pushPlace(writer);
  writer.access(opcode, Math.log2(size), 0);
  if (isBoxed) { writer.i64Const(BOX); writer.op(OP.i64Or); }
  writer.access(OP.i64Store, 3, 0);
  writer.next();
};

/** The record's first field is the register that is stored. */
const store = (layout: LoopLayout, [opcode, size]: readonly [Opcode, number]) => (writer: LoopWriter): void => {
  computeAddress(writer);
  check(writer, layout, size, WRITE);
  pushPlace(writer);
  writer.register(FIELD.rd);
  writer.access(opcode, Math.log2(size), 0);
  writer.next();
};

function atomicAddress(writer: LoopWriter, layout: LoopLayout, width: AtomicWidth, rights: Rights): void {
  writer.register(FIELD.rs1); writer.localSet(LOCAL.wide);
  check(writer, layout, width.size, rights);
}

const modify = (layout: LoopLayout, width: AtomicWidth, name: string) => (writer: LoopWriter): void => {
  atomicAddress(writer, layout, width, READ_WRITE);
  writer.field(FIELD.rs2); writer.access(width.load, Math.log2(width.size), 0); writer.localSet(LOCAL.second);
  pushPlace(writer); writer.localTee(LOCAL.address);
  writer.localGet(LOCAL.address); writer.access(width.load, Math.log2(width.size), 0); writer.localSet(LOCAL.first);
  ATOMIC_RESULTS[name]!(writer, { old: LOCAL.first, operand: LOCAL.second });
  writer.access(width.store, Math.log2(width.size), 0);
  writer.field(FIELD.rd); writer.localGet(LOCAL.first); writer.access(OP.i64Store, 3, 0);
  writer.next();
};

function setReservation(writer: LoopWriter, layout: LoopLayout, valid: number): void {
  writer.i32Const(0); writer.i32Const(valid); writer.access(OP.i32Store, 2, controlAddress(layout.registers, CONTROL.reservationValid));
  writer.i32Const(0);
  if (valid === 0) writer.i32Const(0); else writer.localGet(LOCAL.address);
  writer.access(OP.i32Store, 2, controlAddress(layout.registers, CONTROL.reservationAddress));
}

const loadReserved = (layout: LoopLayout, width: AtomicWidth) => (writer: LoopWriter): void => {
  atomicAddress(writer, layout, width, READ);
  setReservation(writer, layout, 1);
  writer.field(FIELD.rd); pushPlace(writer); writer.access(width.load, Math.log2(width.size), 0); writer.access(OP.i64Store, 3, 0);
  writer.next();
};

const storeConditional = (layout: LoopLayout, width: AtomicWidth) => (writer: LoopWriter): void => {
  atomicAddress(writer, layout, width, WRITE);
  // word: 0 when the reservation is held, which is also the result.
  writer.i32Const(0); writer.access(OP.i32Load, 2, controlAddress(layout.registers, CONTROL.reservationValid)); writer.i32Const(1); writer.op(OP.i32Ne);
  writer.i32Const(0); writer.access(OP.i32Load, 2, controlAddress(layout.registers, CONTROL.reservationAddress)); writer.localGet(LOCAL.address);
  writer.operations(OP.i32Ne, OP.i32Or); writer.localSet(LOCAL.word);
  setReservation(writer, layout, 0);
  writer.localGet(LOCAL.word); writer.op(OP.i32Eqz);
  writer.open(OP.if, 0x40);
  pushPlace(writer); writer.register(FIELD.rs2); writer.access(width.store, Math.log2(width.size), 0);
  writer.end();
  writer.field(FIELD.rd); writer.localGet(LOCAL.word); writer.op(OP.i64ExtendI32u); writer.access(OP.i64Store, 3, 0);
  writer.next();
};

export function memoryHandlers(layout: LoopLayout): Handlers {
  const handlers: Record<string, (writer: LoopWriter) => void> = {};
  for (const [name, shape] of Object.entries(LOADS)) if (name !== 'fld') handlers[name] = load(layout, shape, name === 'flw');
  for (const [name, shape] of Object.entries(STORES)) if (!name.startsWith('f')) handlers[name] = store(layout, shape);
  for (const [suffix, width] of Object.entries(ATOMIC_WIDTHS)) {
    handlers[`lr.${suffix}`] = loadReserved(layout, width);
    handlers[`sc.${suffix}`] = storeConditional(layout, width);
    for (const name of Object.keys(ATOMIC_RESULTS)) handlers[`amo${name}.${suffix}`] = modify(layout, width, name);
  }
  return handlers;
}
