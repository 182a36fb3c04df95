/**
 * Loads and stores: a check where facts.ts does not know better, then one access. Flags of a page tell at once what the usual access needs:
 *
 *   load    wide: this page and the next are readable, so everything up to a page's length above the base register is; where loads lie below
 *           it too, both ends are looked up
 *   store   ready: readable, writable, already dirty, holds no cached code; looked up at the exact address, or at both ends of a range
 *
 * The address is the base register less BIAS, offsets from zero up are part of the access: so a base serves many accesses. It does not wrap around: the
 * page at BIAS is never ready, and loads find a base below it out.
 * What fails that looks closer (`reach` for loads, in this module; the engine for stores, which also marks pages dirty), and what fails that leaves
 * to the interpreter. Branch hints keep all of it out of the way.
 * What this does NOT do: the atomics themselves (emit-atomic.ts).
 */
import { CodeWriter, OP, TYPE, type Signature } from '../../../wasm/index.ts';
import { BIAS, PAGE_FLAG } from '../../cpu.ts';
import { LOADS, STORES } from '../lift-table.ts';
import { emitEntry } from './emit-table.ts';
import type { UnitEmitter } from './emit-unit.ts';
import { isInFrame, isInReadyFrame, STACK_POINTER } from './facts.ts';
import { bitOf, type Instruction } from './instruction.ts';
import { HELPER, LOCAL, OWN, PAGE_SHIFT, type UnitLayout } from './layout.ts';
import { isInSpan, SPAN_MAX, spanAt } from './shared-checks.ts';
import type { PlacedTable } from './unit-context.ts';

export const PAGE_COUNT_MAX = 0xfffff;

export function emitLoad(unit: UnitEmitter, instruction: Instruction): void {
  const { rs1, rd, imm, row: { mnemonic, format } } = instruction;
  const { code } = unit;
  const [operation, size] = LOADS[mnemonic]!;
  const { facts } = unit.state;
  const placed = tableHere(unit);
  if (placed !== undefined) emitEntry(unit, placed, instruction);
  if (!isFree(unit) && (rs1 === 0 || ((facts.readable & bitOf(rs1)) === 0 && !isInReadyFrame(facts, instruction)))) {
    if (unit.covered[unit.position] === 1) checkReady(unit, instruction);
    else checkLoad(unit, instruction, placed);
  }
  if (format === 'Load') {
    if (rd === 0) return;
    const offset = pushAddress(unit, rs1, imm);
    code.access(operation, Math.log2(size), offset);
    return unit.set(rd);
  }
  const offset = pushAddress(unit, rs1, imm);
  if (mnemonic === 'fld') code.access(OP.f64Load, 3, offset);
  else {
    code.access(OP.i64Load32u, 2, offset);
    code.i64Const(-0x100000000n); code.op(OP.i64Or); code.op(OP.f64ReinterpretI64);
  }
  unit.setFloat(rd);
}

export function emitStore(unit: UnitEmitter, instruction: Instruction): void {
  const { rs1, rs2, imm, row: { mnemonic } } = instruction;
  const { code } = unit;
  const [operation, size] = STORES[mnemonic]!;
  if (!isFree(unit)) checkStore(unit, instruction);
  const offset = pushAddress(unit, rs1, imm);
  if (mnemonic === 'fsd') {
    unit.getFloat(rs2);
    return code.access(OP.f64Store, 3, offset);
  }
  if (mnemonic === 'fsw') {
    unit.getFloat(rs2); code.op(OP.i64ReinterpretF64);
    return code.access(operation, 2, offset);
  }
  unit.get(rs2);
  code.access(operation, Math.log2(size), offset);
}

/** Whether the guard of a strip has looked at what the instruction being emitted reaches. */
function isFree({ context, node, position }: UnitEmitter): boolean {
  return context.codes[node]!.free?.[position] === 1;
}

/** Pushes what, with the returned offset, is the address less BIAS. */
export function pushAddress(unit: UnitEmitter, base: number, imm: number): number {
  const { code } = unit;
  const offset = imm > 0 && base !== 0 ? imm : 0;
  unit.get(base); code.op(OP.i32WrapI64); code.i32Const(imm - offset - BIAS); code.op(OP.i32Add);
  return offset;
}

/** The jump table that the instruction being emitted reads. */
function tableHere({ context, node, position }: UnitEmitter): PlacedTable | undefined {
  const placed = context.tables.get(node);
  return placed?.position === position ? placed : undefined;
}

/** `placed`: a table whose pages are readable while the unit exists. */
function checkLoad(unit: UnitEmitter, { rs1, imm, size }: Instruction, placed: PlacedTable | undefined): void {
  const { code, context } = unit;
  const window = context.windows.at(unit.node, unit.instructions, unit.position);
  const constant = rs1 === 0 ? 0 : unit.constants.get(rs1);
  if (constant !== undefined && isReadableNow(unit, constant + window.low, constant + window.high)) return;
  unit.openBlock();
  const ok = unit.depth - 1;
  if (placed !== undefined && window.low === imm && window.high === imm + size) {
    code.localGet(LOCAL.entry); code.i64ConstSmall(placed.table.entries.length); code.op(OP.i64LtU); code.hint(true); code.brIf(0);
  }
  unit.openBlock();
  const distance = window.high - window.low - 1;
  if (window.low < 0 && distance < SPAN_MAX) pushFlagsOfEnds(unit, rs1, window.low, distance, PAGE_FLAG.read);
  else pushFlagsOfBase(unit, rs1);
  code.hint(true); code.brIf(unit.relative(ok));
  unit.close();
  if (distance < SPAN_MAX) { unit.get(rs1); code.i32Const(window.low); code.i32Const(distance); code.call(OWN.reach); }
  else code.i32Const(1);
  unit.leaveIf();
  unit.close();
}

/** Whether the base's page is wide; branches to label 0 where the address is too high. */
function pushFlagsOfBase(unit: UnitEmitter, base: number): void {
  const { code } = unit;
  unit.get(base); code.i64ConstSmall(PAGE_SHIFT); code.op(OP.i64ShrU); code.localTee(LOCAL.wide);
  code.i64ConstSmall(PAGE_COUNT_MAX); code.op(OP.i64GtU); code.hint(false); code.brIf(0);
  code.localGet(LOCAL.wide); code.op(OP.i32WrapI64); code.access(OP.i32Load8u, 0, unit.layout.pageFlags);
  code.i32Const(PAGE_FLAG.wide); code.op(OP.i32And);
}

/** Whether the pages of base + low and of the byte `distance` above that have a flag; branches to label 0 where the address is too high. */
function pushFlagsOfEnds(unit: UnitEmitter, base: number, low: number, distance: number, flag: number): void {
  const { code, layout } = unit;
  unit.get(base);
  if (low !== 0) { code.i64ConstSmall(low); code.op(OP.i64Add); }
  code.localTee(LOCAL.wide); code.i64ConstSmall(PAGE_SHIFT); code.op(OP.i64ShrU); code.localTee(LOCAL.first);
  code.i64ConstSmall(PAGE_COUNT_MAX - 1); code.op(OP.i64GtU); code.hint(false); code.brIf(0);
  code.localGet(LOCAL.first); code.op(OP.i32WrapI64); code.access(OP.i32Load8u, 0, layout.pageFlags);
  code.localGet(LOCAL.wide); code.op(OP.i32WrapI64); code.i32Const(distance); code.op(OP.i32Add); code.i32Const(PAGE_SHIFT); code.op(OP.i32ShrU);
  code.access(OP.i32Load8u, 0, layout.pageFlags); code.op(OP.i32And);
  code.i32Const(flag); code.op(OP.i32And);
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

function checkStore(unit: UnitEmitter, instruction: Instruction): void {
  const { facts } = unit.state;
  if (isInFrame(facts, instruction)) {
    if (facts.frame < 0) checkRange(unit, STACK_POINTER, 0, -facts.frame - 1);
    return;
  }
  checkReady(unit, instruction);
}

/** Looks whether the bytes of an access, and those of others after it in the block that this look can serve, are ready for stores. */
function checkReady(unit: UnitEmitter, instruction: Instruction): void {
  const { rs1, imm, size } = instruction;
  if (isInSpan(instruction, unit.ranges.get(rs1))) return;
  const areLoadsFree = rs1 === 0 || rs1 === STACK_POINTER || (unit.state.facts.readable & bitOf(rs1)) !== 0;
  const span = spanAt(unit.instructions, unit.position, !areLoadsFree);
  if (span.high - span.low + 1 > size) checkRange(unit, rs1, span.low, span.high);
  else checkSingle(unit, rs1, imm, size);
  unit.ranges.set(rs1, span);
}

/** Both ends of a range of at most two pages. */
function checkRange(unit: UnitEmitter, base: number, low: number, high: number): void {
  emitStoreCheck(unit, high - low, () => pushFlagsOfEnds(unit, base, low, high - low, PAGE_FLAG.ready));
}

/** One store, which may be misaligned. */
function checkSingle(unit: UnitEmitter, base: number, imm: number, size: number): void {
  emitStoreCheck(unit, size - 1, () => lookAtAligned(unit, base, imm, size));
}

/** The place of an atomic, `size` bytes at the base: leaves where it is misaligned or not ready for stores. */
export function checkAligned(unit: UnitEmitter, base: number, size: number): void {
  emitStoreCheck(unit, size - 1, () => lookAtAligned(unit, base, 0, size), size - 1);
}

/** Turning the address right by its alignment brings misaligned and too high addresses above every good one. */
function lookAtAligned(unit: UnitEmitter, base: number, imm: number, size: number): void {
  const { code, layout } = unit;
  const shift = Math.log2(size);
  unit.get(base);
  if (imm !== 0) { code.i64ConstSmall(imm); code.op(OP.i64Add); }
  code.localTee(LOCAL.wide);
  if (shift > 0) { code.i64ConstSmall(shift); code.op(OP.i64Rotr); }
  code.localTee(LOCAL.first); code.i64Const((1n << BigInt(32 - shift)) - 1n); code.op(OP.i64GtU); code.hint(false); code.brIf(0);
  code.localGet(LOCAL.first); code.i64ConstSmall(PAGE_SHIFT - shift); code.op(OP.i64ShrU); code.op(OP.i32WrapI64); code.access(OP.i32Load8u, 0, layout.pageFlags);
  code.i32Const(PAGE_FLAG.ready); code.op(OP.i32And);
}

/**
 * `look` may branch to label 0 to look closer; it leaves the address of the first byte in `wide` and whether all is well on the stack. Bits of `aligned` that
 * the address has leave the unit.
 */
function emitStoreCheck(unit: UnitEmitter, distance: number, look: () => void, aligned = 0): void {
  const { code } = unit;
  unit.openBlock();
  const ok = unit.depth - 1;
  unit.openBlock();
  look();
  code.hint(true); code.brIf(unit.relative(ok));
  unit.close();
  code.localGet(LOCAL.wide); code.i32Const(distance); code.call(HELPER.store);
  if (aligned !== 0) { code.localGet(LOCAL.wide); code.op(OP.i32WrapI64); code.i32Const(aligned); code.op(OP.i32And); code.op(OP.i32Or); }
  unit.leaveIf();
  unit.close();
}

export const REACH_TYPE: Signature = { parameters: [TYPE.i64, TYPE.i32, TYPE.i32], results: [TYPE.i32] };

/**
 * Body of `reach` (base: i64, low: i32, distance: i32) -> refused: whether the pages of base + low and of the byte `distance` above it, at most a page
 * apart, are readable. A base below BIAS is refused.
 */
export function reachBody(layout: UnitLayout): CodeWriter {
  const code = new CodeWriter();
  const [address, low, distance] = [0, 1, 2];
  code.localGet(address); code.i64Const(BigInt(BIAS)); code.op(OP.i64LtU);
  code.localGet(address); code.localGet(low); code.op(OP.i64ExtendI32s); code.op(OP.i64Add); code.localTee(address);
  code.i64ConstSmall(PAGE_SHIFT); code.op(OP.i64ShrU); code.i64ConstSmall(PAGE_COUNT_MAX - 1); code.op(OP.i64GtU);
  code.op(OP.i32Or);
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
