/**
 * HOT PATH. The A extension. One hart executes at a time, so an atomic is a load and a store; orderings (aq, rl) need nothing.
 * A misaligned address stops (SIGBUS) before rights are looked at. lr faults as a load; sc and amo as stores, whichever right is missing.
 * sc succeeds exactly when a reservation for the same address is held; it ends every reservation either way.
 */
import { BIAS, CONTROL, PAGE_FLAG, STOP } from '../../cpu.ts';
import { isReachable, prepareBytes } from '../memory-access.ts';
import { RETIRED, type Machine } from '../machine.ts';
import { rdOf, rs1Of, rs2Of, type Operation } from './operation.ts';

/** Checks alignment and rights of the `width` bytes at rs1; RETIRED when all is well. */
function check(machine: Machine, operands: number, width: 4 | 8, rights: number, stop: 5 | 6): number {
  const a = rs1Of(operands);
  const low = machine.x[a]!;
  const high = machine.x[a + 1]!;
  if ((low & (width - 1)) !== 0) return machine.fault(STOP.misaligned, low, high);
  return isReachable(machine, low, high, width, rights, stop) ? RETIRED : stop;
}

const READ_WRITE = PAGE_FLAG.read | PAGE_FLAG.write;
const wordIndex = (machine: Machine, operands: number): number => (machine.x[rs1Of(operands)]! - BIAS) >>> 2;

function loadReserved(machine: Machine, operands: number, width: 4 | 8): number {
  const checked = check(machine, operands, width, PAGE_FLAG.read, STOP.loadFault);
  if (checked !== RETIRED) return checked;
  const index = wordIndex(machine, operands);
  machine.control[CONTROL.reservationValid] = 1;
  machine.control[CONTROL.reservationAddress] = machine.x[rs1Of(operands)]!;
  const low = machine.memory.i32[index]!;
  machine.setRegister(rdOf(operands), low, width === 4 ? low >> 31 : machine.memory.i32[index + 1]!);
  return RETIRED;
}

function storeConditional(machine: Machine, operands: number, width: 4 | 8): number {
  const checked = check(machine, operands, width, PAGE_FLAG.write, STOP.storeFault);
  if (checked !== RETIRED) return checked;
  const { control, x } = machine;
  const address = x[rs1Of(operands)]!;
  const isHeld = control[CONTROL.reservationValid] === 1 && control[CONTROL.reservationAddress] === address;
  machine.clearReservation();
  if (isHeld) {
    prepareBytes(machine, address, width);
    const index = wordIndex(machine, operands);
    machine.memory.i32[index] = x[rs2Of(operands)]!;
    if (width === 8) machine.memory.i32[index + 1] = x[rs2Of(operands) + 1]!;
  }
  machine.setRegister(rdOf(operands), isHeld ? 0 : 1, 0);
  return RETIRED;
}

const FUNCTION = { swap: 0, add: 1, xor: 2, and: 3, or: 4, min: 5, max: 6, minu: 7, maxu: 8 } as const;

/** New low and high word of memory: a (old) combined with b (rs2). Left in machine.value*. */
function combine(machine: Machine, what: number, al: number, ah: number, bl: number, bh: number): void {
  const isLessSigned = ah < bh || (ah === bh && (al >>> 0) < (bl >>> 0));
  const isLessUnsigned = (ah >>> 0) < (bh >>> 0) || (ah === bh && (al >>> 0) < (bl >>> 0));
  let low = bl;
  let high = bh;
  switch (what) {
    case FUNCTION.add:
      low = (al + bl) | 0;
      high = (ah + bh + ((low >>> 0) < (al >>> 0) ? 1 : 0)) | 0;
      break;
    case FUNCTION.xor: low = al ^ bl; high = ah ^ bh; break;
    case FUNCTION.and: low = al & bl; high = ah & bh; break;
    case FUNCTION.or: low = al | bl; high = ah | bh; break;
    case FUNCTION.min: if (isLessSigned) { low = al; high = ah; } break;
    case FUNCTION.max: if (!isLessSigned) { low = al; high = ah; } break;
    case FUNCTION.minu: if (isLessUnsigned) { low = al; high = ah; } break;
    case FUNCTION.maxu: if (!isLessUnsigned) { low = al; high = ah; } break;
    default: break;
  }
  machine.valueLow = low;
  machine.valueHigh = high;
}

function modifyWord(machine: Machine, operands: number, what: number): number {
  const checked = check(machine, operands, 4, READ_WRITE, STOP.storeFault);
  if (checked !== RETIRED) return checked;
  prepareBytes(machine, machine.x[rs1Of(operands)]!, 4);
  const { i32 } = machine.memory;
  const index = wordIndex(machine, operands);
  const old = i32[index]!;
  const operand = machine.x[rs2Of(operands)]!;
  combine(machine, what, old, old >> 31, operand, operand >> 31);
  i32[index] = machine.valueLow;
  machine.setRegister(rdOf(operands), old, old >> 31);
  return RETIRED;
}

function modifyDouble(machine: Machine, operands: number, what: number): number {
  const checked = check(machine, operands, 8, READ_WRITE, STOP.storeFault);
  if (checked !== RETIRED) return checked;
  prepareBytes(machine, machine.x[rs1Of(operands)]!, 8);
  const { i32 } = machine.memory;
  const index = wordIndex(machine, operands);
  const oldLow = i32[index]!;
  const oldHigh = i32[index + 1]!;
  const b = rs2Of(operands);
  combine(machine, what, oldLow, oldHigh, machine.x[b]!, machine.x[b + 1]!);
  i32[index] = machine.valueLow;
  i32[index + 1] = machine.valueHigh;
  machine.setRegister(rdOf(operands), oldLow, oldHigh);
  return RETIRED;
}

const MODIFY: readonly (readonly [string, Operation])[] = Object.entries(FUNCTION).flatMap(([name, what]) => [
  [`amo${name}.w`, (machine, operands) => modifyWord(machine, operands, what)],
  [`amo${name}.d`, (machine, operands) => modifyDouble(machine, operands, what)],
] as const);

export const ATOMICS: Readonly<Record<string, Operation>> = {
  'lr.w': (machine, operands) => loadReserved(machine, operands, 4),
  'lr.d': (machine, operands) => loadReserved(machine, operands, 8),
  'sc.w': (machine, operands) => storeConditional(machine, operands, 4),
  'sc.d': (machine, operands) => storeConditional(machine, operands, 8),
  ...Object.fromEntries(MODIFY),
};
