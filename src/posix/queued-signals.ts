/**
 * RLIMIT_SIGPENDING: how many signals and timers all processes of a user may have in their queues, for a process that has set the limit.
 * A signal without room: those that a program sends with a value (real-time ones) are refused; what the kernel and kill(2) send comes without saying who sent it.
 * What this does NOT do: keep the queues (signal-pending.ts), whose own bound holds before any process sets a limit.
 */
import type { Kernel } from './kernel.ts';
import type { Process } from './process.ts';
import { SI } from './signal-actions.ts';
import { SIGNAL_REALTIME_MIN, type SignalInfo } from './signal-pending.ts';

const RLIMIT_SIGPENDING = 11;

/** Entries of all processes of one user; a timer keeps the place of its signal for as long as it lives. */
function queuedBy(kernel: Kernel, user: number): number {
  let count = 0;
  for (const { files, pending, threads, timers } of kernel.processes) {
    if (files.identity.real.uid !== user) continue;
    count += pending.queued + timers.filter(({ id }) => id >= 0).length;
    for (const thread of threads) count += thread.pending.queued;
  }
  return count;
}

/** Whether there is room for one more entry in the queues of a process's user. */
export function isQueueable(kernel: Kernel, process: Process): boolean {
  const soft = process.limits.get(RLIMIT_SIGPENDING)?.[0];
  return soft === undefined || BigInt(queuedBy(kernel, process.files.identity.real.uid)) < soft;
}

/** What is put into the queue of a process for a signal that is sent to it; undefined: EAGAIN. */
export function queuedForm(kernel: Kernel, process: Process, info: SignalInfo): SignalInfo | undefined {
  const { signal, code, form } = info;
  const isExempt = form === 'timer' || (signal < SIGNAL_REALTIME_MIN && code >= SI.USER);
  if (isExempt || isQueueable(kernel, process)) return info;
  if (signal >= SIGNAL_REALTIME_MIN && code !== SI.USER) return undefined;
  return { signal, code: SI.USER, pid: 0, uid: 0, value: 0n, form: 'kill' };
}
