/** Which integer registers a lifted instruction reads and writes. What this does NOT do: floating registers, which stay in memory. */
import type { Format } from './instruction-table.ts';
import type { LiftedInstruction } from './lift-region.ts';

const READS_FIRST: ReadonlySet<Format> = new Set([
  'R', 'Unary', 'I', 'Shift', 'Load', 'Store', 'Branch', 'JumpRegister', 'Atomic', 'LoadReserved', 'FloatLoad', 'FloatStore', 'IntToFloat', 'IntToFloatRounded',
  'Csr',
]);
const READS_SECOND: ReadonlySet<Format> = new Set(['R', 'Store', 'Branch', 'Atomic']);
const WRITES: ReadonlySet<Format> = new Set([
  'R', 'Unary', 'I', 'Shift', 'Load', 'Upper', 'Jump', 'JumpRegister', 'Atomic', 'LoadReserved', 'FloatCompare', 'FloatToInt', 'FloatToIntRounded',
  'Csr', 'CsrImmediate',
]);

/** The integer register that it writes; 0 when none. */
export function writtenRegister({ row, rd }: LiftedInstruction): number {
  return WRITES.has(row.format) ? rd : 0;
}

/** Every integer register that it touches. */
export function usedRegisters(instruction: LiftedInstruction): number[] {
  const { row: { format }, rs1, rs2 } = instruction;
  const used = [writtenRegister(instruction)];
  if (READS_FIRST.has(format)) used.push(rs1);
  if (READS_SECOND.has(format)) used.push(rs2);
  return used;
}
