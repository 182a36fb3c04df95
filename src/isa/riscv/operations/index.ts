/** Integer operations outside the switch, by operation number; float handlers likewise. */
import { STOP } from '../../cpu.ts';
import { assert } from '../../../core/index.ts';
import { floatHandlers } from '../float/index.ts';
import type { FloatHandler } from '../float/handler.ts';
import { CASE } from '../cases.ts';
import { INSTRUCTIONS } from '../instruction-table.ts';
import { loadSlow } from '../memory-access.ts';
import { RETIRED } from '../machine.ts';
import { ATOMICS } from './atomics.ts';
import { BIT_MANIPULATION } from './bit-manipulation.ts';
import { CSR_OPERATIONS } from './csr.ts';
import { MULTIPLY_DIVIDE } from './multiply-divide.ts';
import { rs1Of, type Operation } from './operation.ts';

/** A load to x0 only asks whether it faults. */
const discard = (width: number): Operation => (machine, operands, imm) => {
  const a = rs1Of(operands);
  return loadSlow(machine, machine.x[a]!, machine.x[a + 1]!, imm, width) ? RETIRED : STOP.loadFault;
};
const DISCARDED_LOADS: Readonly<Record<string, Operation>> = {
  lb: discard(1), lbu: discard(1), lh: discard(2), lhu: discard(2), lw: discard(4), lwu: discard(4), ld: discard(8),
};

const ALL: Readonly<Record<string, Operation>> = { ...MULTIPLY_DIVIDE, ...BIT_MANIPULATION, ...ATOMICS, ...CSR_OPERATIONS, ...DISCARDED_LOADS };
const missing: Operation = () => STOP.illegal;
const missingFloat: FloatHandler = () => undefined;

/** By operation number; what has a case in the switch (or a float handler) has no entry of its own here. */
export const OPERATIONS: readonly Operation[] = INSTRUCTIONS.map((row) => ALL[row.mnemonic] ?? missing);
export const FLOAT_HANDLERS: readonly FloatHandler[] = INSTRUCTIONS.map((row) => floatHandlers[row.mnemonic] ?? missingFloat);

for (const { mnemonic, format } of INSTRUCTIONS) {
  const isKnown = mnemonic in CASE || mnemonic in ALL || mnemonic in floatHandlers
    || format === 'Upper' || format === 'Fence' || mnemonic === 'fence.i';
  assert(isKnown, 'every instruction of the table has a meaning');
}
