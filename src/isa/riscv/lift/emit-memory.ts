/**
 * Loads and stores: a check where facts.ts does not know better, then one access. Flags of a page tell at once what the usual access needs:
 *
 *   load    wide: this page and both neighbours are readable, so everything within a page's length of the base register is
 *   store   ready: writable, already dirty, holds no cached code; looked up at the exact address, or at both ends of a range
 *
 * What fails that looks closer (`reach` for loads, in this module; the engine for stores, which also marks pages dirty), and what fails that leaves
 * to the interpreter. Branch hints keep all of it out of the way.
 * What this does NOT do: atomics (they call their interpreter function).
 */
import { CodeWriter, OP, TYPE } from '../../../wasm/index.ts';
import { BIAS, PAGE_FLAG } from '../../cpu.ts';
import { LOADS, STORES } from '../lift-table.ts';
import type { UnitEmitter } from './emit-unit.ts';
import { isInFrame, STACK_POINTER } from './facts.ts';
import { bitOf, type Instruction } from './instruction.ts';
import { HELPER, LOCAL, OWN, type UnitLayout } from './layout.ts';

const PAGE_COUNT_MAX = 0xfffff;
const PAGE_SHIFT = 12;
/** A range that one check of both ends covers. */
const SPAN_MAX = 4096;

export function emitLoad(unit: UnitEmitter, instruction: Instruction): void {
  const { rs1, rd, imm, row: { mnemonic, format } } = instruction;
  const { code } = unit;
  const [operation, size] = LOADS[mnemonic]!;
  if (rs1 === 0 || (unit.state.facts.readable & bitOf(rs1)) === 0) checkLoad(unit, instruction);
  if (format === 'Load') {
    if (rd === 0) return;
    pushAddress(unit, rs1, imm);
    code.access(operation, Math.log2(size), 0);
    return unit.set(rd);
  }
  pushAddress(unit, rs1, imm);
  if (mnemonic === 'fld') code.access(OP.f64Load, 3, 0);
  else {
    code.access(OP.i64Load32u, 2, 0);
    code.i64Const(-0x100000000n); code.op(OP.i64Or); code.op(OP.f64ReinterpretI64);
  }
  unit.setFloat(rd);
}

export function emitStore(unit: UnitEmitter, instruction: Instruction): void {
  const { rs1, rs2, imm, row: { mnemonic } } = instruction;
  const { code } = unit;
  const [operation, size] = STORES[mnemonic]!;
  checkStore(unit, instruction, size);
  if (mnemonic === 'fsd') {
    pushAddress(unit, rs1, imm); unit.getFloat(rs2);
    return code.access(OP.f64Store, 3, 0);
  }
  if (mnemonic === 'fsw') {
    pushAddress(unit, rs1, imm); unit.getFloat(rs2); code.op(OP.i64ReinterpretF64);
    return code.access(operation, 2, 0);
  }
  pushAddress(unit, rs1, imm); unit.get(rs2);
  code.access(operation, Math.log2(size), 0);
}

function pushAddress(unit: UnitEmitter, base: number, imm: number): void {
  const { code } = unit;
  unit.get(base); code.op(OP.i32WrapI64); code.i32Const(imm - BIAS); code.op(OP.i32Add);
}

function checkLoad(unit: UnitEmitter, { rs1 }: Instruction): void {
  const { code, layout, context } = unit;
  const window = context.windows.at(unit.node, unit.instructions, unit.position);
  const constant = rs1 === 0 ? 0 : unit.constants.get(rs1);
  if (constant !== undefined && isReadableNow(unit, constant + window.low, constant + window.high)) return;
  unit.openBlock();
  const ok = unit.depth - 1;
  unit.openBlock();
  unit.get(rs1); code.i64ConstSmall(PAGE_SHIFT); code.op(OP.i64ShrU); code.localTee(LOCAL.wide);
  code.i64ConstSmall(PAGE_COUNT_MAX); code.op(OP.i64GtU); code.hint(false); code.brIf(0);
  code.localGet(LOCAL.wide); code.op(OP.i32WrapI64); code.access(OP.i32Load8u, 0, layout.pageFlags);
  code.i32Const(PAGE_FLAG.wide); code.op(OP.i32And); code.hint(true); code.brIf(unit.relative(ok));
  unit.close();
  const distance = window.high - window.low - 1;
  if (distance < SPAN_MAX) { unit.get(rs1); code.i64ConstSmall(window.low); code.op(OP.i64Add); code.i32Const(distance); code.call(OWN.reach); }
  else code.i32Const(1);
  unit.leaveIf();
  unit.close();
}

/** Translated code may rely on pages being readable: the engine drops it when one no longer is. */
function isReadableNow({ context }: UnitEmitter, low: number, high: number): boolean {
  const { memory, reliedPages } = context;
  if (low < BIAS || high > memory.limit) return false;
  const last = (high - 1) >>> PAGE_SHIFT;
  for (let page = low >>> PAGE_SHIFT; page <= last; page++) if ((memory.pageFlags[page]! & PAGE_FLAG.read) === 0) return false;
  for (let page = low >>> PAGE_SHIFT; page <= last; page++) reliedPages.add(page);
  return true;
}

function checkStore(unit: UnitEmitter, instruction: Instruction, size: number): void {
  const { rs1, imm } = instruction;
  const { facts } = unit.state;
  if (isInFrame(facts, instruction)) {
    if (facts.frame < 0) checkRange(unit, STACK_POINTER, 0, -facts.frame - 1);
    return;
  }
  const range = unit.ranges.get(rs1);
  if (range !== undefined && imm >= range.low && imm + size - 1 <= range.high) return;
  const { low, high } = followingStores(unit, instruction, size);
  if (high - low + 1 > size) checkRange(unit, rs1, low, high);
  else checkSingle(unit, rs1, imm, size);
  unit.ranges.set(rs1, { low, high });
}

/** Bytes of this store and of those after it in the block through the same value of its base register. */
function followingStores(unit: UnitEmitter, { rs1, imm }: Instruction, size: number): { low: number; high: number } {
  let low = imm;
  let high = imm + size - 1;
  for (let at = unit.position + 1; at < unit.instructions.length; at++) {
    const next = unit.instructions[at]!;
    if (next.isStore && next.rs1 === rs1) {
      const last = next.imm + next.size - 1;
      if (Math.max(high, last) - Math.min(low, next.imm) >= SPAN_MAX) break;
      low = Math.min(low, next.imm);
      high = Math.max(high, last);
    }
    if ((next.writes & bitOf(rs1)) !== 0 || next.row.format === 'Atomic') break;
  }
  return { low, high };
}

/** Both ends of a range of at most two pages. */
function checkRange(unit: UnitEmitter, base: number, low: number, high: number): void {
  const { code, layout } = unit;
  emitStoreCheck(unit, base, low, high - low, () => {
    code.localGet(LOCAL.wide); code.i64ConstSmall(PAGE_SHIFT); code.op(OP.i64ShrU); code.localTee(LOCAL.first);
    code.i64ConstSmall(PAGE_COUNT_MAX - 1); code.op(OP.i64GtU); code.hint(false); code.brIf(0);
    code.localGet(LOCAL.first); code.op(OP.i32WrapI64); code.access(OP.i32Load8u, 0, layout.pageFlags);
    code.localGet(LOCAL.wide); code.op(OP.i32WrapI64); code.i32Const(high - low); code.op(OP.i32Add); code.i32Const(PAGE_SHIFT); code.op(OP.i32ShrU);
    code.access(OP.i32Load8u, 0, layout.pageFlags); code.op(OP.i32And);
  });
}

/** One aligned store: turning the address right by its alignment brings misaligned and too high addresses above every good one. */
function checkSingle(unit: UnitEmitter, base: number, imm: number, size: number): void {
  const { code, layout } = unit;
  const shift = Math.log2(size);
  emitStoreCheck(unit, base, imm, size - 1, () => {
    code.localGet(LOCAL.wide);
    if (shift > 0) { code.i64ConstSmall(shift); code.op(OP.i64Rotr); }
    code.localTee(LOCAL.first); code.i64Const((1n << BigInt(32 - shift)) - 1n); code.op(OP.i64GtU); code.hint(false); code.brIf(0);
    code.localGet(LOCAL.first); code.i64ConstSmall(PAGE_SHIFT - shift); code.op(OP.i64ShrU); code.op(OP.i32WrapI64); code.access(OP.i32Load8u, 0, layout.pageFlags);
  });
}

/** `look` may branch to label 0 to look closer; it leaves page flags on the stack. The address of the first byte is in `wide`. */
function emitStoreCheck(unit: UnitEmitter, base: number, low: number, distance: number, look: () => void): void {
  const { code } = unit;
  unit.get(base);
  if (low !== 0) { code.i64ConstSmall(low); code.op(OP.i64Add); }
  code.localSet(LOCAL.wide);
  unit.openBlock();
  const ok = unit.depth - 1;
  unit.openBlock();
  look();
  code.i32Const(PAGE_FLAG.ready); code.op(OP.i32And); code.hint(true); code.brIf(unit.relative(ok));
  unit.close();
  code.localGet(LOCAL.wide); code.i32Const(distance); code.call(HELPER.store);
  unit.leaveIf();
  unit.close();
}

/** Body of `reach` (address: i64, distance: i32) -> refused: whether the pages of the first and the last byte, at most a page apart, are readable. */
export function reachBody(layout: UnitLayout): CodeWriter {
  const code = new CodeWriter();
  const [address, distance] = [0, 1];
  code.localGet(address); code.i64ConstSmall(PAGE_SHIFT); code.op(OP.i64ShrU); code.i64ConstSmall(PAGE_COUNT_MAX - 1); code.op(OP.i64GtU);
  code.open(OP.if, TYPE.i32);
  code.i32Const(1);
  code.byte(OP.else);
  code.localGet(address); code.op(OP.i32WrapI64); code.i32Const(PAGE_SHIFT); code.op(OP.i32ShrU); code.access(OP.i32Load8u, 0, layout.pageFlags);
  code.localGet(address); code.op(OP.i32WrapI64); code.localGet(distance); code.op(OP.i32Add); code.i32Const(PAGE_SHIFT); code.op(OP.i32ShrU);
  code.access(OP.i32Load8u, 0, layout.pageFlags); code.op(OP.i32And);
  code.i32Const(PAGE_FLAG.read); code.op(OP.i32And); code.op(OP.i32Eqz);
  code.end();
  return code;
}
