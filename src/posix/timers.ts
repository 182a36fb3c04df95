/**
 * Interval timers of a process (setitimer, timer_create) as data on the hidden time line.
 * Invariants: a timer without deadline is disarmed; deadlines and intervals are nanoseconds. All three interval timers follow the same line:
 * the CPU time of a program that never waits is that line.
 * What this does NOT do: fire (scheduler.ts).
 */
import type { Canonical } from '../core/index.ts';

/** Ids of setitimer's timers; timer_create counts from 0. */
export const INTERVAL_TIMER = { real: -1, virtual: -2, prof: -3 } as const;
/** Timers of one process; Linux bounds them by RLIMIT_SIGPENDING. */
export const TIMERS_MAX = 1024;

export interface GuestTimer {
  readonly id: number;
  /** Signal to send; 0: none (SIGEV_NONE). */
  readonly signal: number;
  readonly value: bigint;
  /** Thread to send to; 0: the process. */
  readonly tid: number;
  readonly clock: number;
  deadline: bigint | undefined;
  interval: bigint;
  overrun: number;
}

export function newTimer(parts: { readonly id: number; readonly signal: number; readonly value: bigint; readonly tid: number; readonly clock: number }): GuestTimer {
  return { ...parts, deadline: undefined, interval: 0n, overrun: 0 };
}

/** Moves an expired timer to its next deadline; returns how many periods it missed besides this one. */
export function advanceTimer(timer: { deadline: bigint | undefined; readonly interval: bigint }, now: bigint): number {
  if (timer.deadline === undefined) return 0;
  if (timer.interval === 0n) {
    timer.deadline = undefined;
    return 0;
  }
  const missed = (now - timer.deadline) / timer.interval;
  timer.deadline += timer.interval * (missed + 1n);
  return Number(missed);
}

export function encodeTimer(timer: GuestTimer): Canonical {
  return { ...timer, deadline: timer.deadline ?? null };
}
