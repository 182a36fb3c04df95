/**
 * HOT PATH. What one interpreter works on: guest memory, the register block, where its caches are, and where operations leave results that
 * do not fit a return value (a fault address, a loaded value). One per executor; operations get it as first argument and allocate nothing.
 */
import { CONTROL, STOP, type CpuMemory, type CpuState, type Stop } from '../cpu.ts';

/** What an operation returns when its instruction retires; otherwise a STOP number. */
export const RETIRED = -1;

export class Machine {
  readonly state: CpuState;
  readonly memory: CpuMemory;
  readonly x: Int32Array;
  readonly control: Int32Array;
  /** Instructions retired by this run() before the one being executed. */
  executed = 0;
  faultLow = 0;
  faultHigh = 0;
  /** Result of loadSlow(): zero-extended bytes. */
  valueLow = 0;
  valueHigh = 0;

  constructor(memory: CpuMemory, state: CpuState) {
    this.memory = memory;
    this.state = state;
    this.x = state.x;
    this.control = state.control;
  }

  /** Writes integer register `rd` (0 is discarded). */
  setRegister(rd: number, low: number, high: number): void {
    if (rd === 0) return;
    this.x[2 * rd] = low;
    this.x[2 * rd + 1] = high;
  }

  /** Notes the faulting address and hands the stop back. */
  fault(stop: Stop, low: number, high: number): Stop {
    this.faultLow = low;
    this.faultHigh = high;
    return stop;
  }

  /** Ends a load reservation, as every trap does. */
  clearReservation(): void {
    this.control[CONTROL.reservationValid] = 0;
    this.control[CONTROL.reservationAddress] = 0;
  }
}

/** True for the stops that are traps: everything but a used-up budget. */
export function isTrap(stop: Stop): boolean {
  return stop !== STOP.budget;
}
