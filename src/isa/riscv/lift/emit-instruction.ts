/**
 * What one instruction inside a block emits: integer arithmetic from the table, memory, floats, calls of interpreter functions, and of jumps the
 * computation of their target (emit-control.ts goes there).
 * What this does NOT do: count, or note what is available (the caller steps the register state).
 */
import { OP } from '../../../wasm/index.ts';
import { CONTROL, controlAddress } from '../../cpu.ts';
import { CSR } from '../csr-numbers.ts';
import { HIGH_PRODUCTS, LOADS, PURE, STORES } from '../lift-table.ts';
import { emitAtomic } from './emit-atomic.ts';
import { emitFloat } from './emit-float.ts';
import { emitLoad, emitStore } from './emit-memory.ts';
import type { UnitEmitter } from './emit-unit.ts';
import { isCsrRead, isReturn, type Instruction } from './instruction.ts';
import { HELPER, LOCAL } from './layout.ts';
import { stepSpans } from './shared-checks.ts';
import { emitNarrow, emitZeroExtension, zeroExtensionAt } from './narrow.ts';
import { narrowAfter } from './narrow-rules.ts';

export function emitInstruction(unit: UnitEmitter, instruction: Instruction): void {
  const { rd } = instruction;
  const known = constantOf(unit, instruction);
  unit.needOperands(instruction);
  emitMeaning(unit, instruction);
  unit.narrow = narrowAfter(unit.narrow, instruction);
  if (instruction.writes !== 0) {
    if (known === undefined) unit.constants.delete(rd);
    else unit.constants.set(rd, known);
  }
  stepSpans(unit.ranges, instruction);
}

function emitMeaning(unit: UnitEmitter, instruction: Instruction): void {
  const { row: { mnemonic, format }, rd } = instruction;
  const { code } = unit;
  if (instruction.guarded !== undefined) return emitGuarded(unit, instruction.guarded);
  if (mnemonic in PURE) return emitPure(unit, instruction);
  if (mnemonic in LOADS) return emitLoad(unit, instruction);
  if (mnemonic in STORES) return emitStore(unit, instruction);
  if (mnemonic in HIGH_PRODUCTS) return emitHighProduct(unit, instruction);
  if (format.startsWith('Csr') && emitFcsr(unit, instruction)) return;
  if (format.startsWith('Csr')) return emitCalled(unit, instruction);
  if (format === 'Atomic' || format === 'LoadReserved') return emitAtomic(unit, instruction);
  if (format.includes('Float')) return emitFloat(unit, instruction);
  if (format === 'Jump') {
    if (rd === 0) return;
    code.i64Const(BigInt(instruction.address + instruction.length));
    return unit.set(rd);
  }
  if (format === 'JumpRegister') emitTarget(unit, instruction);
}

function emitPure(unit: UnitEmitter, instruction: Instruction): void {
  const { code, instructions, position } = unit;
  if (instruction.rd === 0) return;
  const pair = zeroExtensionAt(instructions, position);
  if (pair >= 0) { unit.extensions.set(pair, instruction); return; }
  const shift = unit.extensions.get(position);
  if (shift !== undefined) return emitZeroExtension(unit, shift, instruction);
  if (emitNarrow(unit, instruction)) return;
  PURE[instruction.row.mnemonic]!({ code, instruction, get: unit.get });
  unit.set(instruction.rd);
}

/** The register's new value where the branch went to it, else its old one. A jump does nothing. */
function emitGuarded(unit: UnitEmitter, { instruction, when }: NonNullable<Instruction['guarded']>): void {
  const { code } = unit;
  const { rd, row: { mnemonic }, kind } = instruction;
  if (kind === 'jump') return;
  const value = (): void => PURE[mnemonic]!({ code, instruction, get: unit.get });
  if (when) { value(); unit.get(rd); } else { unit.get(rd); value(); }
  code.localGet(LOCAL.taken); code.op(OP.select);
  unit.set(rd);
}

/** Address that lui, auipc and addi put into rd, as far as the block tells. */
function constantOf({ constants }: UnitEmitter, { row: { mnemonic }, address, imm, rs1 }: Instruction): number | undefined {
  if (mnemonic === 'lui') return imm >= 0 ? imm : undefined;
  if (mnemonic === 'auipc') return address + imm;
  const base = mnemonic === 'addi' ? constants.get(rs1) : undefined;
  return base === undefined ? undefined : base + imm;
}

/** An instruction through its interpreter function, which works on the register block. */
function emitCalled(unit: UnitEmitter, instruction: Instruction): void {
  const { code } = unit;
  const { operation, rd, rs1, rs2, rs3, reads, writes, imm } = instruction;
  for (let register = 1; register < 32; register++) {
    if ((reads & (1 << register)) === 0) continue;
    unit.store(register);
  }
  code.i32Const(operation); code.i32Const(rd | (rs1 << 5) | (rs2 << 10) | (rs3 << 15)); code.i32Const(imm);
  code.call(HELPER.operation);
  code.op(OP.i32Eqz);
  unit.leaveIf();
  if (writes === 0) return;
  code.i32Const(0); code.access(OP.i64Load, 3, unit.registerAddress(rd));
  unit.set(rd);
}

/** The upper half of a 128-bit product from four 32-bit products (Hacker's Delight 8-2), less an operand for each negative other one. */
function emitHighProduct(unit: UnitEmitter, { row: { mnemonic }, rd, rs1, rs2 }: Instruction): void {
  if (rd === 0) return;
  const { code } = unit;
  const low = (register: number): void => { unit.get(register); code.op(OP.i32WrapI64); code.op(OP.i64ExtendI32u); };
  const high = (register: number): void => { unit.get(register); upper(); };
  const upper = (): void => { code.i64ConstSmall(32); code.op(OP.i64ShrU); };
  low(rs1); low(rs2); code.op(OP.i64Mul); upper();
  high(rs1); low(rs2); code.op(OP.i64Mul); code.op(OP.i64Add); code.localTee(LOCAL.first);
  code.op(OP.i32WrapI64); code.op(OP.i64ExtendI32u);
  low(rs1); high(rs2); code.op(OP.i64Mul); code.op(OP.i64Add); upper();
  code.localGet(LOCAL.first); upper(); code.op(OP.i64Add);
  high(rs1); high(rs2); code.op(OP.i64Mul); code.op(OP.i64Add);
  const [isFirstSigned, isSecondSigned] = HIGH_PRODUCTS[mnemonic]!;
  const correct = (negative: number, other: number): void => {
    unit.get(negative); code.i64ConstSmall(63); code.op(OP.i64ShrS); unit.get(other); code.op(OP.i64And); code.op(OP.i64Sub);
  };
  if (isFirstSigned) correct(rs1, rs2);
  if (isSecondSigned) correct(rs2, rs1);
  unit.set(rd);
}

/** Shift and mask of the parts of fcsr. */
const FCSR_PARTS: ReadonlyMap<number, readonly [number, number]> = new Map([[CSR.fflags, [0, 31]], [CSR.frm, [5, 7]], [CSR.fcsr, [0, 255]]]);

/** Reads of fcsr, and csrrw: sqrt() of the C library has both. False: nothing was emitted. */
function emitFcsr(unit: UnitEmitter, { row, rd, rs1, imm }: Instruction): boolean {
  const { code } = unit;
  const [shift, mask] = FCSR_PARTS.get(imm)!;
  const address = controlAddress(unit.layout.registers, CONTROL.fcsr);
  const isRead = isCsrRead(row, rs1);
  if (!isRead && row.mnemonic !== 'csrrw') return false;
  if (!isRead) { unit.get(rs1); code.localSet(LOCAL.wide); }
  if (rd !== 0) {
    code.i32Const(0); code.access(OP.i64Load32u, 2, address); code.i64ConstSmall(shift); code.op(OP.i64ShrU); code.i64ConstSmall(mask); code.op(OP.i64And);
    unit.set(rd);
  }
  if (isRead) return true;
  code.i32Const(0);
  code.i32Const(0); code.access(OP.i32Load, 2, address); code.i32Const(~(mask << shift)); code.op(OP.i32And);
  code.localGet(LOCAL.wide); code.op(OP.i32WrapI64); code.i32Const(mask); code.op(OP.i32And); code.i32Const(shift); code.op(OP.i32Shl); code.op(OP.i32Or);
  code.access(OP.i32Store, 2, address);
  return true;
}

/** Where an indirect jump goes, into `next`; the link register after that. A return may go anywhere: the driver looks at odd addresses. */
function emitTarget(unit: UnitEmitter, instruction: Instruction): void {
  const { rs1, rd, imm, address, length } = instruction;
  const { code } = unit;
  unit.get(rs1);
  if (imm !== 0) { code.i64ConstSmall(imm); code.op(OP.i64Add); }
  code.i64ConstSmall(-2); code.op(OP.i64And); code.localSet(LOCAL.next);
  if (!isReturn(instruction) && !unit.context.tables.has(unit.node)) { // Of a table's entry it is known (emit-table.ts).
    code.localGet(LOCAL.next); code.i64ConstSmall(32); code.op(OP.i64ShrU); code.op(OP.i32WrapI64);
    unit.leaveIf();
  }
  if (rd === 0) return;
  code.i64Const(BigInt(address + length));
  unit.set(rd);
}
