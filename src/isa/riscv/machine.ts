/**
 * HOT PATH. What one interpreter works on: guest memory, the register block, where its caches are, and where operations leave results that
 * do not fit a return value (a fault address, a loaded value). One per executor; operations get it as first argument and allocate nothing.
 */
import { CONTROL, STOP, type CpuMemory, type CpuState, type Stop } from '../cpu.ts';

/** What an operation returns when its instruction retires; otherwise a STOP number. */
export const RETIRED = -1;

/** Why execute() handed back to a translating driver. Never seen above the executor; nothing but the pc and counts has changed. */
export const PAUSE = {
  /** The pc is a marked entry of translated code; its instruction has not retired. */
  enter: 8,
  /** The pc has just become the target of its hotLimit-th jump. */
  hot: 9,
  /** A unit that was called has left: the outcome words say where execution stands. */
  left: 10,
  /** A unit has come back, and wants the driver to look before it goes on. */
  lookFirst: 11,
} as const;
export type Pause = (typeof PAUSE)[keyof typeof PAUSE];

/** Counters of jump targets, shared by addresses that agree in these bits of address >>> 1. */
export const HOT_MASK = 8191;
/** Above every value a 16-bit counter takes, also before it wraps. */
export const NEVER_HOT = 65537;

export class Machine {
  readonly state: CpuState;
  readonly memory: CpuMemory;
  readonly x: Int32Array;
  readonly control: Int32Array;
  /** Instructions retired by this run() before the one being executed. */
  executed = 0;
  /** Jumps taken backward, calls and indirect jumps, by target. */
  readonly hot = new Uint16Array(HOT_MASK + 1);
  hotLimit = NEVER_HOT;
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

/** True for the stops that are traps: everything but a used-up budget and a pause. */
export function isTrap(stop: Stop | Pause): stop is Exclude<Stop, typeof STOP.budget> {
  return stop !== STOP.budget && stop < PAUSE.enter;
}
