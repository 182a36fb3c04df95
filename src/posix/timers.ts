/**
 * Interval timers of a process (setitimer, timer_create) as data on the hidden time line.
 * Invariants: a timer without deadline is disarmed; deadlines and intervals are nanoseconds. A timer with a negative clock is on the CPU time of a process or
 * thread (cpu-time.ts), its deadline too; all others are on the hidden time line.
 * What this does NOT do: fire (scheduler.ts).
 */
import type { Canonical } from '../core/index.ts';
import { processClock } from './cpu-time.ts';
import type { Process } from './process.ts';
import { SIGNAL } from './signal-actions.ts';

const SECOND = 1_000_000_000n;
const RLIMIT_CPU = 0;
const UNLIMITED = 2n ** 64n - 1n;
/** More than anybody can run; what lies above is no limit. */
const CPU_SECONDS_MAX = 2n ** 33n;

/** Ids of setitimer's timers, and of the one that RLIMIT_CPU makes; timer_create counts from 0. */
export const INTERVAL_TIMER = { real: -1, virtual: -2, prof: -3, limit: -4 } as const;
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

/** The limit on CPU time as a timer: SIGXCPU at the soft limit and every second after it, SIGKILL at the hard one (scheduler.ts). */
export function armCpuLimit(process: Process): void {
  const limit = process.limits.get(RLIMIT_CPU);
  let timer = process.timers.find(({ id }) => id === INTERVAL_TIMER.limit);
  if (limit === undefined && timer === undefined) return;
  if (timer === undefined) {
    timer = newTimer({ id: INTERVAL_TIMER.limit, signal: SIGNAL.XCPU, value: 0n, tid: 0, clock: processClock(process.pid) });
    process.timers.push(timer);
  }
  const soft = limit?.[0] ?? UNLIMITED;
  timer.deadline = soft > CPU_SECONDS_MAX ? undefined : (soft === 0n ? 1n : soft) * SECOND; // Linux takes 0 for 1.
  timer.interval = SECOND;
}

/** Whether the process has used up its hard limit. */
export function isPastCpuLimit(process: Process, time: bigint): boolean {
  const hard = process.limits.get(RLIMIT_CPU)?.[1] ?? UNLIMITED;
  return hard <= CPU_SECONDS_MAX && time >= hard * SECOND;
}
