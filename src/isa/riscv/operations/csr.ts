/**
 * Zicsr: the float control registers and the three read-only counters. The decoder admits no other CSR and no write to a counter.
 * cycle and instret are the instructions retired before this one; time is that over 100 (10 MHz at 1 GHz) when CONTROL.timeRuns, else zero.
 */
import { CONTROL } from '../../cpu.ts';
import { CSR } from '../csr-numbers.ts';
import { RETIRED, type Machine } from '../machine.ts';
import { rdOf, rs1Of, type Operation } from './operation.ts';

const TWO_32 = 4294967296;
const MODE = { write: 0, set: 1, clear: 2 } as const;
/** `time` ticks once in this many instructions. */
const INSTRUCTIONS_PER_TICK = 100;

/** Reads a CSR into machine.value*. */
function readCsr(machine: Machine, number: number): void {
  const { control } = machine;
  machine.valueHigh = 0;
  switch (number) {
    case CSR.fflags: machine.valueLow = control[CONTROL.fcsr]! & 0x1f; return;
    case CSR.frm: machine.valueLow = (control[CONTROL.fcsr]! >>> 5) & 7; return;
    case CSR.fcsr: machine.valueLow = control[CONTROL.fcsr]! & 0xff; return;
    default: break;
  }
  // Doubles are exact: 2^53 instructions are years of execution.
  const count = (control[CONTROL.retiredHigh]! >>> 0) * TWO_32 + (control[CONTROL.retiredLow]! >>> 0) + machine.executed;
  const value = number !== CSR.time ? count : control[CONTROL.timeRuns] === 0 ? 0 : Math.floor(count / INSTRUCTIONS_PER_TICK);
  machine.valueLow = value | 0;
  machine.valueHigh = Math.floor(value / TWO_32) | 0;
}

function writeCsr(machine: Machine, number: number, value: number): void {
  const { control } = machine;
  const fcsr = control[CONTROL.fcsr]!;
  if (number === CSR.fflags) control[CONTROL.fcsr] = (fcsr & 0xe0) | (value & 0x1f);
  else if (number === CSR.frm) control[CONTROL.fcsr] = (fcsr & 0x1f) | ((value & 7) << 5);
  else control[CONTROL.fcsr] = value & 0xff;
}

/** `source`: low word of the operand (CSRs that can be written have 8 bits); `mayWrite`: false for set and clear of x0 or 0. */
function access(machine: Machine, operands: number, number: number, mode: number, source: number, mayWrite: boolean): number {
  readCsr(machine, number);
  const old = machine.valueLow;
  if (mayWrite) writeCsr(machine, number, mode === MODE.write ? source : mode === MODE.set ? old | source : old & ~source);
  machine.setRegister(rdOf(operands), old, machine.valueHigh);
  return RETIRED;
}

const byRegister = (mode: number): Operation => (machine, operands, imm) => {
  const source = rs1Of(operands);
  return access(machine, operands, imm, mode, machine.x[source]!, mode === MODE.write || source !== 0);
};
const byImmediate = (mode: number): Operation => (machine, operands, imm) => {
  const source = rs1Of(operands) >>> 1;
  return access(machine, operands, imm, mode, source, mode === MODE.write || source !== 0);
};

export const CSR_OPERATIONS: Readonly<Record<string, Operation>> = {
  csrrw: byRegister(MODE.write), csrrs: byRegister(MODE.set), csrrc: byRegister(MODE.clear),
  csrrwi: byImmediate(MODE.write), csrrsi: byImmediate(MODE.set), csrrci: byImmediate(MODE.clear),
};
