/**
 * Single instructions as translated code calls them, by operation number, on the register block of a machine.
 * What this does NOT do: move the pc or count.
 */
import { CONTROL } from '../cpu.ts';
import { RETIRED, type Machine } from './machine.ts';
import { FLOAT_HANDLERS, OPERATIONS } from './operations/index.ts';

const RM_DYNAMIC = 7;
const RM_MAX = 4;

/**
 * The effect of one floating-point instruction (operands packed rd, rs1, rs2, rs3 in steps of 5 bits) on the register block.
 * 0: nothing was done, the rounding mode in frm is reserved.
 */
export function executeFloat(machine: Machine, operation: number, packed: number, rm: number): number {
  const mode = rm === RM_DYNAMIC ? (machine.control[CONTROL.fcsr]! >>> 5) & 7 : rm;
  if (mode > RM_MAX) return 0;
  FLOAT_HANDLERS[operation]!(machine.state, packed & 31, (packed >>> 5) & 31, (packed >>> 10) & 31, (packed >>> 15) & 31, mode);
  return 1;
}

/** The effect of one integer instruction that has a function (rd, rs1, rs2 packed). 0: nothing was done, it must be interpreted. */
export function executeOperation(machine: Machine, operation: number, packed: number, imm: number): number {
  return OPERATIONS[operation]!(machine, packed, imm) === RETIRED ? 1 : 0;
}
