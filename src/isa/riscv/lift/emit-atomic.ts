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
import { OP, type Opcode } from '../../../wasm/index.ts';
import { CONTROL, CPU_STATE_OFFSET } from '../../cpu.ts';
import { checkAligned, pushAddress } from './emit-memory.ts';
import type { UnitEmitter } from './emit-unit.ts';
import type { Instruction } from './instruction.ts';
import { LOCAL } from './layout.ts';

const WIDTHS = { w: { size: 4, load: OP.i64Load32s, store: OP.i64Store32 }, d: { size: 8, load: OP.i64Load, store: OP.i64Store } } as const;
type Width = (typeof WIDTHS)['w' | 'd'];
const WORD_ALIGNMENT = 2;
/** reservationValid in the low half, reservationAddress in the upper one. */
const VALID = 1;
const ADDRESS_SHIFT = 32;

/** Emits a load-reserved, store-conditional or read-modify-write instruction. */
export function emitAtomic(unit: UnitEmitter, instruction: Instruction): void {
  const [name = '', suffix] = instruction.row.mnemonic.split('.');
  const width = WIDTHS[suffix as 'w' | 'd']; // The table has no others.
  checkAligned(unit, instruction.rs1, width.size);
  if (name === 'lr') loadReserved(unit, instruction, width);
  else if (name === 'sc') storeConditional(unit, instruction, width);
  else modify(unit, instruction, width, COMBINE[name.slice('amo'.length)]!);
}

function load(unit: UnitEmitter, { rs1 }: Instruction, { size, load: operation }: Width): void {
  const offset = pushAddress(unit, rs1, 0);
  unit.code.access(operation, Math.log2(size), offset);
}

/** Between the two, what pushes the value. */
function store(unit: UnitEmitter, { rs1 }: Instruction, { size, store: operation }: Width, pushValue: () => void): void {
  const offset = pushAddress(unit, rs1, 0);
  pushValue();
  unit.code.access(operation, Math.log2(size), offset);
}

function reservationAddress({ layout }: UnitEmitter): number {
  return layout.registers + CPU_STATE_OFFSET.control + 4 * CONTROL.reservationValid;
}

/** Both words as they are where a reservation for rs1 is held. */
function pushReservation(unit: UnitEmitter, { rs1 }: Instruction): void {
  const { code } = unit;
  unit.get(rs1); code.i64ConstSmall(ADDRESS_SHIFT); code.op(OP.i64Shl); code.i64ConstSmall(VALID); code.op(OP.i64Or);
}

function loadReserved(unit: UnitEmitter, instruction: Instruction, width: Width): void {
  const { code } = unit;
  code.i32Const(0); pushReservation(unit, instruction); code.access(OP.i64Store, WORD_ALIGNMENT, reservationAddress(unit));
  if (instruction.rd === 0) return;
  load(unit, instruction, width);
  unit.set(instruction.rd);
}

function storeConditional(unit: UnitEmitter, instruction: Instruction, width: Width): void {
  const { code } = unit;
  const { rd, rs2 } = instruction;
  code.i32Const(0); code.access(OP.i64Load, WORD_ALIGNMENT, reservationAddress(unit)); pushReservation(unit, instruction); code.op(OP.i64Ne); code.localSet(LOCAL.address);
  code.i32Const(0); code.i64ConstSmall(0); code.access(OP.i64Store, WORD_ALIGNMENT, reservationAddress(unit));
  code.localGet(LOCAL.address); code.op(OP.i32Eqz);
  unit.openIf(true);
  store(unit, instruction, width, () => unit.get(rs2));
  unit.close();
  if (rd === 0) return;
  code.localGet(LOCAL.address); code.op(OP.i64ExtendI32u);
  unit.set(rd);
}

type Combine = (unit: UnitEmitter) => void;

function modify(unit: UnitEmitter, instruction: Instruction, width: Width, combine: Combine): void {
  const { code } = unit;
  const { rd, rs2 } = instruction;
  unit.get(rs2);
  if (width.size === 4) code.op(OP.i64Extend32s);
  code.localSet(LOCAL.second);
  load(unit, instruction, width);
  code.localSet(LOCAL.first);
  store(unit, instruction, width, () => combine(unit));
  if (rd === 0) return;
  code.localGet(LOCAL.first);
  unit.set(rd);
}

const both = (operation: Opcode): Combine => ({ code }) => {
  code.localGet(LOCAL.first); code.localGet(LOCAL.second); code.op(operation);
};
const choose = (compare: Opcode): Combine => (unit) => {
  unit.code.localGet(LOCAL.first); unit.code.localGet(LOCAL.second); both(compare)(unit); unit.code.op(OP.select);
};

/** What is stored, from the old value (`first`) and rs2 (`second`). Words are sign-extended, which keeps the order of unsigned ones too. */
const COMBINE: Readonly<Record<string, Combine>> = {
  swap: ({ code }) => code.localGet(LOCAL.second),
  add: both(OP.i64Add), xor: both(OP.i64Xor), and: both(OP.i64And), or: both(OP.i64Or),
  min: choose(OP.i64LtS), max: choose(OP.i64GtS), minu: choose(OP.i64LtU), maxu: choose(OP.i64GtU),
};
