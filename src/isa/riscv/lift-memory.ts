/**
 * Loads and stores: the check of the page flags, upper address bits and alignment, then one access.
 * What this does NOT do: anything that the check refuses; the interpreter does that.
 */
import { OP } from '../../wasm/index.ts';
import { BIAS, CPU_STATE_OFFSET } from '../cpu.ts';
import type { AccessCheck } from './lift-accesses.ts';
import { LOCAL } from './lift-layout.ts';
import type { LiftedInstruction } from './lift-region.ts';
import { LOADS, STORES } from './lift-table.ts';
import type { UnitWriter } from './lift-unit.ts';

export function emitAccess(unit: UnitWriter, instruction: LiftedInstruction): void {
  const { rs1, imm, row: { mnemonic, format } } = instruction;
  const { code } = unit;
  const check = unit.plan.get(instruction);
  if (check !== undefined) emitCheck(unit, rs1, check);
  const isFloat = format === 'FloatLoad' || format === 'FloatStore';
  const address = (): void => {
    unit.get(rs1); code.op(OP.i32WrapI64); code.i32Const(imm - BIAS); code.op(OP.i32Add);
  };
  const load = LOADS[mnemonic];
  if (load === undefined) {
    const [operation, size] = STORES[mnemonic]!;
    address();
    if (isFloat) pushFloatBits(unit, instruction.rs2);
    else unit.get(instruction.rs2);
    return code.access(operation, Math.log2(size), 0);
  }
  if (!isFloat) {
    if (instruction.rd === 0) return;
    address();
    code.access(load[0], Math.log2(load[1]), 0);
    return unit.set(instruction.rd);
  }
  code.i32Const(0);
  address();
  code.access(load[0], Math.log2(load[1]), 0);
  if (mnemonic === 'flw') { code.i64Const(-0x100000000n); code.op(OP.i64Or); }
  code.access(OP.i64Store, 3, floatOffset(unit, instruction.rd));
}

/** Byte of a floating register. */
export function floatOffset(unit: UnitWriter, register: number): number {
  return unit.layout.registers + CPU_STATE_OFFSET.f + 8 * register;
}

export function pushFloatBits(unit: UnitWriter, register: number): void {
  unit.code.i32Const(0);
  unit.code.access(OP.i64Load, 3, floatOffset(unit, register));
}

function emitCheck(unit: UnitWriter, base: number, check: AccessCheck): void {
  emitByteCheck(unit, base, check.low, check);
  if (check.high !== check.low) {
    emitByteCheck(unit, base, check.high, { ...check, alignment: 0 });
    unit.code.op(OP.i32Or);
  }
  unit.leaveIf();
}

/** Pushes zero when the byte at base + offset may be accessed. */
function emitByteCheck(unit: UnitWriter, base: number, offset: number, { mask, want, alignment }: AccessCheck): void {
  const { code, layout } = unit;
  unit.get(base);
  if (offset !== 0) { code.i64ConstSmall(offset); code.op(OP.i64Add); }
  code.localTee(LOCAL.wide); code.op(OP.i32WrapI64); code.localTee(LOCAL.address);
  code.i32Const(12); code.op(OP.i32ShrU); code.access(OP.i32Load8u, 0, layout.pageFlags);
  code.i32Const(mask); code.op(OP.i32And); code.i32Const(want); code.op(OP.i32Xor);
  code.localGet(LOCAL.wide); code.i64ConstSmall(32); code.op(OP.i64ShrU); code.op(OP.i32WrapI64); code.op(OP.i32Or);
  if (alignment === 0) return;
  code.localGet(LOCAL.address); code.i32Const(alignment); code.op(OP.i32And); code.op(OP.i32Or);
}
