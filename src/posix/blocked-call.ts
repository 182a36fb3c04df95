/**
 * A call that answered BLOCKED on guest state (an empty pipe, a poll with nothing ready): its thread waits and issues it again later.
 * The poll family waits with the signal mask it was given, and is never restarted after a handler, as on Linux; nor are waits for semaphores and
 * queues of System V, nor a call on a socket that waits for a time only.
 * What this does NOT do: channels; a call that waits for the host leaves no trace at all.
 */
import type { Kernel } from './kernel.ts';
import { ERRNO } from './errno.ts';
import { bitOf, SA, SIGNALS_MAX, UNBLOCKABLE, type SignalAction } from './signal-actions.ts';
import { finishWait } from './signal-delivery.ts';
import { NOT_WAITING, type Thread } from './thread.ts';
import { tellInterrupted } from './time-left.ts';

/** Calls with a signal mask: the argument that points to it; `isIndirect`: to a pair of pointer and size (pselect6). */
const MASKED: ReadonlyMap<number, { readonly argument: number; readonly isIndirect: boolean }> = new Map([
  [22, { argument: 4, isIndirect: false }], [72, { argument: 5, isIndirect: true }], [73, { argument: 3, isIndirect: false }], [441, { argument: 4, isIndirect: false }],
]);

/** Calls whose time-out is a point in time, which stays the same when they are issued again: mq_timedsend, mq_timedreceive. */
const ABSOLUTE: ReadonlySet<number> = new Set([182, 183]);

/** Calls that no handler lets go on: msgrcv, msgsnd, semtimedop, semop (signal(7)). */
const NEVER_RESTARTED: ReadonlySet<number> = new Set([188, 189, 192, 193]);

/** Makes the current thread wait. */
export function blockOnGuest(kernel: Kernel, thread: Thread): void {
  const { cpu } = thread.process;
  const number = cpu.isa.abi.syscallNumber(cpu.state);
  const masked = MASKED.get(number);
  thread.wait = { kind: 'retry', deadline: thread.retryDeadline, isRestarted: masked === undefined && !NEVER_RESTARTED.has(number) && (thread.retryDeadline === undefined || ABSOLUTE.has(number)), isReady: false };
  kernel.isScheduled = true;
  const mask = masked === undefined ? undefined : readMask(thread, masked);
  if (mask === undefined) {
    const action = deliverable(thread);
    if (action !== undefined) giveUp(kernel, thread, action);
    return;
  }
  thread.savedMask = thread.mask;
  thread.mask = mask & ~UNBLOCKABLE;
  if (deliverable(thread) !== undefined) interrupt(kernel, thread);
}

function interrupt(kernel: Kernel, thread: Thread): void {
  tellInterrupted(kernel, thread);
  finishWait(thread, -ERRNO.EINTR);
}

/** The wait ends before it has begun: a handler comes first, and the call is issued again after it or not. What it has moved is its answer. */
function giveUp(kernel: Kernel, thread: Thread, action: SignalAction): void {
  const { wait, moved } = thread;
  thread.moved = 0;
  if (moved > 0) return finishWait(thread, moved);
  if (wait.kind === 'retry' && wait.isRestarted && (action.flags & SA.RESTART) !== 0) {
    thread.wait = NOT_WAITING;
    thread.retryDeadline = undefined; // The handler may wait for something else.
  } else interrupt(kernel, thread);
}

function readMask(thread: Thread, masked: { readonly argument: number; readonly isIndirect: boolean }): bigint | undefined {
  const address = thread.call?.size(masked.argument) ?? 0;
  if (address === 0) return undefined;
  const { memory } = thread.process;
  if (!masked.isIndirect) return memory.readU64(address);
  const pointer = memory.readU64(address);
  return pointer === undefined || pointer === 0n ? undefined : memory.readU64(Number(pointer));
}

/** The action of a pending signal that the mask lets through. */
function deliverable(thread: Thread): SignalAction | undefined {
  const pending = (thread.pending.set | thread.process.pending.set) & ~thread.mask;
  for (let signal = 1; signal <= SIGNALS_MAX && pending !== 0n; signal++) {
    if ((pending & bitOf(signal)) !== 0n && !thread.process.actions.isIgnored(signal)) return thread.process.actions.get(signal);
  }
  return undefined;
}
