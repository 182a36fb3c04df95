/**
 * Instructions that call back: floating-point arithmetic and rare integer operations run their interpreter function on the register block.
 * Moves and sign injections of doubles are bit operations here.
 * What this does NOT do: keep floating registers in locals; they live in the register block.
 */
import { OP } from '../../wasm/index.ts';
import { HELPER } from './lift-layout.ts';
import type { LiftedInstruction } from './lift-region.ts';
import { floatOffset, pushFloatBits } from './lift-memory.ts';
import type { UnitWriter } from './lift-unit.ts';
import { usedRegisters, writtenRegister } from './lift-registers.ts';

const SIGN = -(2n ** 63n);

/** Calls helper(operation, packed registers, third); leaves when it returns 0. */
function call(unit: UnitWriter, instruction: LiftedInstruction, helper: number, third: number): void {
  const { code } = unit;
  const { operation, rd, rs1, rs2, rs3 } = instruction;
  const written = writtenRegister(instruction);
  const [, ...read] = usedRegisters(instruction);
  for (const register of new Set(read)) unit.store(register);
  code.i32Const(operation); code.i32Const(rd | (rs1 << 5) | (rs2 << 10) | (rs3 << 15)); code.i32Const(third);
  code.call(helper);
  code.op(OP.i32Eqz);
  unit.leaveIf();
  unit.reload(written);
}

/** An integer instruction through its interpreter function. */
export function emitCalled(unit: UnitWriter, instruction: LiftedInstruction, helper: number): void {
  call(unit, instruction, helper, instruction.imm);
}

export function emitFloat(unit: UnitWriter, instruction: LiftedInstruction): void {
  const { code } = unit;
  const { rd, rs1, rs2, row: { mnemonic } } = instruction;
  switch (mnemonic) {
    case 'fmv.x.d':
      if (rd === 0) return;
      pushFloatBits(unit, rs1);
      return unit.set(rd);
    case 'fmv.x.w':
      if (rd === 0) return;
      pushFloatBits(unit, rs1);
      code.op(OP.i64Extend32s);
      return unit.set(rd);
    case 'fmv.d.x':
      code.i32Const(0);
      unit.get(rs1);
      return code.access(OP.i64Store, 3, floatOffset(unit, rd));
    case 'fmv.w.x':
      code.i32Const(0);
      unit.get(rs1);
      code.i64Const(-0x100000000n); code.op(OP.i64Or);
      return code.access(OP.i64Store, 3, floatOffset(unit, rd));
    case 'fsgnj.d': case 'fsgnjn.d': case 'fsgnjx.d':
      code.i32Const(0);
      pushFloatBits(unit, rs1);
      if (mnemonic !== 'fsgnjx.d') { code.i64Const(~SIGN); code.op(OP.i64And); }
      pushFloatBits(unit, rs2);
      if (mnemonic === 'fsgnjn.d') { code.i64ConstSmall(-1); code.op(OP.i64Xor); }
      code.i64Const(SIGN); code.op(OP.i64And);
      code.op(mnemonic === 'fsgnjx.d' ? OP.i64Xor : OP.i64Or);
      return code.access(OP.i64Store, 3, floatOffset(unit, rd));
    default:
      return call(unit, instruction, HELPER.float, instruction.rm);
  }
}
