/**
 * CPU time: what threads have executed, one instruction a nanosecond. The clocks of it show 0 where clocks read zero; timers and limits on it count in every mode.
 * Invariants: the time of a process never goes back; that of a child is added to its parent's children when the parent has waited for it, and not before.
 * What this does NOT do: count (guest.ts), fire timers (scheduler.ts).
 */
import { CLOCK } from './clock.ts';
import type { Kernel } from './kernel.ts';
import type { Process } from './process.ts';
import type { Thread } from './thread.ts';

/** Bits of a clock number that names one process's or thread's time: ~id << 3, with THREAD for a thread; the kind 3 is no such clock. */
const THREAD = 4;
const KIND = 3;
const SCHEDULED = 2;
const NO_KIND = 3;

/** Instructions that a process's threads have executed, those that have ended among them. */
export function executedBy(process: Process): number {
  let sum = process.endedTime;
  for (const { executed } of process.threads) sum += executed;
  return sum;
}

/** The same with the children that it has waited for. */
export function executedWithChildren(process: Process): number {
  return executedBy(process) + process.childTime;
}

function clockOf(id: number, isThread: boolean): number {
  return (~id << 3) | (isThread ? THREAD : 0) | SCHEDULED;
}

/** The clock of a process's CPU time. */
export function processClock(pid: number): number {
  return clockOf(pid, false);
}

/** The clock's number in the form that names its process or thread; undefined: it is no CPU clock, or one that the caller cannot see. */
export function cpuClock(kernel: Kernel, caller: Thread, clock: number): number | undefined {
  if (clock === CLOCK.PROCESS) return clockOf(caller.process.pid, false);
  if (clock === CLOCK.THREAD) return clockOf(caller.tid, true);
  if (clock >= 0 || (clock & KIND) === NO_KIND) return undefined;
  const isThread = (clock & THREAD) !== 0;
  const id = ~(clock >> 3);
  if (id === 0) return clockOf(isThread ? caller.tid : caller.process.pid, isThread);
  if (!isThread) return kernel.findProcess(id) === undefined ? undefined : clockOf(id, false);
  return kernel.findThread(id)?.process === caller.process ? clockOf(id, true) : undefined;
}

/** CPU time on a clock of cpuClock(), and whether the thread's instructions count on it; undefined when its owner is gone. */
export function readCpuClock(kernel: Kernel, clock: number, runner: Thread): { readonly time: bigint; readonly counts: boolean } | undefined {
  const id = ~(clock >> 3);
  if ((clock & THREAD) !== 0) {
    const thread = kernel.findThread(id);
    return thread === undefined ? undefined : { time: BigInt(thread.executed), counts: thread === runner };
  }
  const process = kernel.findProcess(id);
  return process === undefined ? undefined : { time: BigInt(executedBy(process)), counts: process === runner.process };
}
