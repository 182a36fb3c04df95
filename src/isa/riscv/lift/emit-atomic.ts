/**
 * Atomics in place: one hart executes at a time, so each is a load and a store. The place must be aligned and ready for stores (lr's too: a store follows it);
 * whatever is not leaves to the interpreter, which knows the order of faults.
 *
 *   lr         reservation = address, 1       sc    stores where the reservation is the address's; ends it; rd = 0 where it stored, else 1
 *   amo...     rd = old; place = old with rs2
 *
 * The two words of the reservation lie one behind the other in the register block (CONTROL), so they are read and written as one.
 * What this does NOT do: orderings (aq, rl), which one hart cannot see.
 */
import { OP } from '../../../wasm/index.ts';
import { CONTROL, controlAddress } from '../../cpu.ts';
import { ATOMIC_RESULTS, ATOMIC_WIDTHS, type AtomicWidth } from '../lift-table.ts';
import { checkAligned, pushAddress } from './emit-memory.ts';
import type { UnitEmitter } from './emit-unit.ts';
import type { Instruction } from './instruction.ts';
import { LOCAL } from './layout.ts';

const WORD_ALIGNMENT = 2;
/** reservationValid in the low half, reservationAddress in the upper one. */
const VALID = 1;
const ADDRESS_SHIFT = 32;

/** Emits a load-reserved, store-conditional or read-modify-write instruction. */
export function emitAtomic(unit: UnitEmitter, instruction: Instruction): void {
  const [name = '', suffix] = instruction.row.mnemonic.split('.');
  const width = ATOMIC_WIDTHS[suffix as keyof typeof ATOMIC_WIDTHS]; // The table has no others.
  checkAligned(unit, instruction.rs1, width.size);
  if (name === 'lr') loadReserved(unit, instruction, width);
  else if (name === 'sc') storeConditional(unit, instruction, width);
  else modify(unit, instruction, width, name.slice('amo'.length));
}

function load(unit: UnitEmitter, { rs1 }: Instruction, { size, load: operation }: AtomicWidth): void {
  const offset = pushAddress(unit, rs1, 0);
  unit.code.access(operation, Math.log2(size), offset);
}

/** Between the two, what pushes the value. */
function store(unit: UnitEmitter, { rs1 }: Instruction, { size, store: operation }: AtomicWidth, pushValue: () => void): void {
  const offset = pushAddress(unit, rs1, 0);
  pushValue();
  unit.code.access(operation, Math.log2(size), offset);
}

/** Both words as they are where a reservation for rs1 is held. */
function pushReservation(unit: UnitEmitter, { rs1 }: Instruction): void {
  const { code } = unit;
  unit.get(rs1); code.i64ConstSmall(ADDRESS_SHIFT); code.op(OP.i64Shl); code.i64ConstSmall(VALID); code.op(OP.i64Or);
}

function loadReserved(unit: UnitEmitter, instruction: Instruction, width: AtomicWidth): void {
  const { code } = unit;
  code.i32Const(0); pushReservation(unit, instruction); code.access(OP.i64Store, WORD_ALIGNMENT, controlAddress(unit.layout.registers, CONTROL.reservationValid));
  if (instruction.rd === 0) return;
  load(unit, instruction, width);
  unit.set(instruction.rd);
}

function storeConditional(unit: UnitEmitter, instruction: Instruction, width: AtomicWidth): void {
  const { code } = unit;
  const { rd, rs2 } = instruction;
  code.i32Const(0); code.access(OP.i64Load, WORD_ALIGNMENT, controlAddress(unit.layout.registers, CONTROL.reservationValid)); pushReservation(unit, instruction); code.op(OP.i64Ne); code.localSet(LOCAL.address);
  code.i32Const(0); code.i64ConstSmall(0); code.access(OP.i64Store, WORD_ALIGNMENT, controlAddress(unit.layout.registers, CONTROL.reservationValid));
  code.localGet(LOCAL.address); code.op(OP.i32Eqz);
  unit.openIf(true);
  store(unit, instruction, width, () => unit.get(rs2));
  unit.close();
  if (rd === 0) return;
  code.localGet(LOCAL.address); code.op(OP.i64ExtendI32u);
  unit.set(rd);
}

function modify(unit: UnitEmitter, instruction: Instruction, width: AtomicWidth, name: string): void {
  const { code } = unit;
  const { rd, rs2 } = instruction;
  unit.get(rs2);
  if (width.size === 4) code.op(OP.i64Extend32s);
  code.localSet(LOCAL.second);
  load(unit, instruction, width);
  code.localSet(LOCAL.first);
  store(unit, instruction, width, () => ATOMIC_RESULTS[name]!(code, { old: LOCAL.first, operand: LOCAL.second }));
  if (rd === 0) return;
  code.localGet(LOCAL.first);
  unit.set(rd);
}
