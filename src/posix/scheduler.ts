/**
 * Who runs: cooperative threads on one processor a process. A switch happens inside a step that makes the current thread wait or end, or
 * when a spinner has used its quantum while others could run. Deadlines and timers fire on the hidden time line; when every thread waits,
 * time jumps to the next deadline.
 * Invariants: after settle() the current thread can run, or the machine is over, or it is deadlocked; nothing due is left unfired.
 * What this does NOT do: execute instructions (guest.ts).
 */
import { CONTROL } from '../isa/index.ts';
import { ERRNO } from './errno.ts';
import type { Kernel } from './kernel.ts';
import type { Process } from './process.ts';
import { readCpuClock } from './cpu-time.ts';
import { SI, SIGNAL } from './signal-actions.ts';
import { deliverSignals, finishWait, sendSignal } from './signal-delivery.ts';
import type { Thread } from './thread.ts';
import { NOT_WAITING } from './thread.ts';
import { advanceTimer, INTERVAL_TIMER, isPastCpuLimit, type GuestTimer } from './timers.ts';

const NOTHING: ReadonlySet<GuestTimer> = new Set();

/** The earliest deadline of any wait or timer but the `spent` ones. */
export function nextDeadline(kernel: Kernel, spent: ReadonlySet<GuestTimer> = NOTHING): bigint | undefined {
  let next: bigint | undefined;
  if (kernel.files.timers.size > 0 && mayLookAtFiles(kernel)) {
    for (const { deadline } of kernel.files.timers) if (deadline !== undefined && (next === undefined || deadline < next)) next = deadline;
  }
  for (const process of kernel.processes) {
    if (process.isOver) continue;
    for (const timer of process.timers) {
      const deadline = hiddenDeadline(kernel, timer);
      if (deadline !== undefined && (next === undefined || deadline < next) && !spent.has(timer)) next = deadline;
    }
    for (const { wait } of process.threads) {
      if (wait.kind === 'none' || wait.kind === 'signal' || wait.kind === 'vfork' || (wait.kind === 'retry' && wait.isReady)) continue;
      if (wait.deadline !== undefined && (next === undefined || wait.deadline < next)) next = wait.deadline;
    }
  }
  return next;
}

/** Where a timer's deadline lies on the hidden time line. One on CPU time has none unless it is due, or somebody runs whose instructions count. */
function hiddenDeadline(kernel: Kernel, { deadline, clock }: GuestTimer): bigint | undefined {
  if (deadline === undefined || clock >= 0) return deadline;
  const { current } = kernel;
  const now = readCpuClock(kernel, clock, current);
  if (now === undefined) return undefined;
  if (deadline <= now.time) return kernel.clock.hidden;
  return now.counts && canRun(current) ? kernel.clock.hidden + deadline - now.time : undefined;
}

/** Whether anybody could see a timerfd expire: one with an interval must not keep a machine alive whose threads wait for each other. */
function mayLookAtFiles(kernel: Kernel): boolean {
  return kernel.processes.some((process) => !process.isOver && process.threads.some(({ wait }) => wait.kind === 'none' || wait.kind === 'retry'));
}

/** Wakes sleepers and fires timers whose deadline has come. */
function fireDue(kernel: Kernel): void {
  const now = kernel.clock.hidden;
  for (const process of kernel.processes) {
    if (process.isOver) continue;
    for (const thread of process.threads) wakeDue(thread, now);
    fireTimers(kernel, process, now);
  }
  fireFileTimers(kernel, now);
}

function wakeDue(thread: Thread, now: bigint): void {
  const { wait } = thread;
  if (wait.kind === 'none' || wait.kind === 'signal' || wait.kind === 'vfork' || (wait.kind === 'retry' && wait.isReady) || wait.deadline === undefined || wait.deadline > now) return;
  switch (wait.kind) {
    case 'sleep': return finishWait(thread, 0);
    case 'futex': return finishWait(thread, -ERRNO.ETIMEDOUT);
    case 'signal-set': return finishWait(thread, -ERRNO.EAGAIN);
    // The handler looks at the time itself when the call is issued again.
    case 'retry': thread.wait = { ...wait, isReady: true };
  }
}

function fireTimers(kernel: Kernel, process: Process, hidden: bigint): void {
  for (const timer of [...process.timers]) { // A copy: a signal may end the process.
    const now = timer.clock < 0 ? readCpuClock(kernel, timer.clock, kernel.current)?.time : hidden;
    if (timer.deadline === undefined || now === undefined || timer.deadline > now) continue;
    const missed = advanceTimer(timer, now);
    if (timer.signal === 0) continue;
    if (timer.id === INTERVAL_TIMER.limit && isPastCpuLimit(process, now)) {
      sendSignal(kernel, { process }, { signal: SIGNAL.KILL, code: SI.KERNEL, pid: 0, uid: 0, value: 0n, form: 'kill' });
      continue;
    }
    const thread = timer.tid === 0 ? undefined : process.threads.find(({ tid }) => tid === timer.tid);
    if (timer.id >= 0 && (thread?.pending ?? process.pending).overrun(timer.id, missed + 1)) continue;
    const info = timer.id < 0
      ? { signal: timer.signal, code: SI.KERNEL, pid: 0, uid: 0, value: 0n, form: 'kill' as const }
      : { signal: timer.signal, code: SI.TIMER, pid: timer.id, uid: missed, value: timer.value, form: 'timer' as const };
    sendSignal(kernel, thread === undefined ? { process } : { process, thread }, info);
  }
}

/** timerfd: somebody may be waiting for it. */
function fireFileTimers(kernel: Kernel, now: bigint): void {
  for (const timer of kernel.files.timers) {
    if (timer.deadline === undefined || timer.deadline > now) continue;
    timer.ticks += BigInt(advanceTimer(timer, now)) + 1n;
    timer.changes++;
    kernel.lookAgain();
  }
}

function canRun(thread: Thread): boolean {
  const { wait } = thread;
  return (wait.kind === 'none' || (wait.kind === 'retry' && wait.isReady)) && thread.process.stopSignal === 0 && !thread.hasEnded;
}

/** The thread that the schedule puts after the current one. */
function nextRunnable(kernel: Kernel): Thread | undefined {
  const runnable: Thread[] = [];
  for (const { threads } of kernel.processes) for (const thread of threads) if (canRun(thread)) runnable.push(thread);
  return kernel.schedule.next(runnable.sort((a, b) => a.tid - b.tid), kernel.current.tid);
}

/** Puts another thread on the processor. Memory that processes share is made equal on the way. */
function switchTo(kernel: Kernel, next: Thread): void {
  const last = kernel.current;
  next.used = 0;
  kernel.schedule.renew();
  if (next === last) return;
  const { processor } = kernel;
  if (!last.hasEnded) {
    const { control } = processor.state;
    control[CONTROL.reservationValid] = control[CONTROL.reservationAddress] = 0; // As Linux does: others may write there before this thread goes on.
    last.registers = processor.save();
  }
  const { image } = next.process;
  if (image.cpu !== processor) {
    if (!last.process.isOver) last.process.space.storeShared();
    image.cpu.retired = processor.retired;
    image.space.loadShared();
  } else if (image.space.hasAliases) image.space.storeShared();
  image.cpu.load(next.registers);
  kernel.setCurrent(next);
  kernel.releaseImages();
}

/** After a step: fires what is due, delivers signals, switches where the current thread cannot go on. */
export function settle(kernel: Kernel): void {
  const { current } = kernel;
  if (!kernel.isScheduled && !current.hasEnded && current.wait === NOT_WAITING && current.pending.count === 0 && current.process.pending.count === 0 && current.savedMask === undefined && current.process.stopSignal === 0) return;
  settleSlowly(kernel);
}

/** A timer with an interval that has fired without anybody being able to run since then (its signal is ignored or blocked) is spent: firing again changes nothing. */
function settleSlowly(kernel: Kernel): void {
  let spent: Set<GuestTimer> | undefined;
  while (kernel.outcome === undefined) {
    const deadline = nextDeadline(kernel);
    kernel.nextDeadline = deadline;
    if (deadline !== undefined && deadline <= kernel.clock.hidden) {
      for (const { timers } of kernel.processes) for (const timer of timers) if (timer.clock >= 0 && timer.interval > 0n && timer.deadline !== undefined && timer.deadline <= kernel.clock.hidden) (spent ??= new Set()).add(timer);
      fireDue(kernel);
      continue;
    }
    const thread = kernel.current;
    if (canRun(thread) && (thread.used < kernel.schedule.quantum || !isContended(kernel))) {
      if (!resume(kernel, thread)) continue;
      return;
    }
    const next = nextRunnable(kernel);
    if (next !== undefined) {
      switchTo(kernel, next);
      continue;
    }
    const awaited = nextDeadline(kernel, spent);
    if (awaited === undefined) {
      kernel.isDeadlocked = true;
      // A thread of a process that is over is no state: the machine stands at one that is there.
      if (thread.hasEnded) switchTo(kernel, kernel.processes[0]!.threads[0]!);
      return;
    }
    kernel.clock.skip(awaited - kernel.clock.hidden);
  }
}

/** Stores the result it waited for and delivers its signals; false when that ended it or made it wait. */
function resume(kernel: Kernel, thread: Thread): boolean {
  const { cpu } = thread.process;
  const isInterrupted = thread.wait.kind === 'retry' && thread.wait.isInterrupted === true;
  thread.wait = NOT_WAITING; // Not before: until now a signal would have interrupted the call that is issued again.
  if (thread.wakeResult !== undefined) {
    cpu.isa.abi.completeSyscall(cpu.state, thread.wakeResult);
    thread.wakeResult = undefined;
  }
  if (isInterrupted) return true; // The call looks once more; when there is nothing it ends, and the signal is delivered (blocked-call.ts).
  if (thread.pending.count > 0 || thread.process.pending.count > 0 || thread.savedMask !== undefined) deliverSignals(kernel, thread);
  return canRun(thread);
}

function isContended(kernel: Kernel): boolean {
  for (const process of kernel.processes) {
    if (process.isOver) continue;
    for (const thread of process.threads) if (thread !== kernel.current && canRun(thread)) return true;
  }
  return false;
}

/** A call changed guest state: blocked calls of other threads are worth another look. */
export function progress(kernel: Kernel): void {
  if (kernel.isScheduled) kernel.retryAll();
}
