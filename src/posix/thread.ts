/**
 * One thread: its registers while it is off the processor, its signal mask, and what it waits for.
 * Invariants: the registers of the thread that is on a processor are in that Cpu, not here; everything here is in the `processes` section.
 * What this does NOT do: choose who runs (scheduler.ts), deliver signals (signal-delivery.ts).
 */
import type { Undo } from '../core/index.ts';
import { CPU_STATE_BYTES } from '../isa/index.ts';
import type { Call } from './call.ts';
import type { Process } from './process.ts';
import { PendingSignals } from './signal-pending.ts';

/** What a thread waits for. Deadlines are on the machine's time line (Clock.hidden), nanoseconds. */
export type Wait =
  | { readonly kind: 'none' }
  /** Until its deadline; `remainder` is where an interrupted sleep tells what is left (0: nowhere). */
  | { readonly kind: 'sleep'; readonly deadline: bigint; readonly remainder: number }
  /** vfork: until the child has called execve or ended. No signal interrupts it. */
  | { readonly kind: 'vfork'; readonly child: number }
  /** FUTEX_WAIT on a word (Kernel.futexWord). */
  | { readonly kind: 'futex'; readonly object: number; readonly address: number; readonly bits: number; readonly deadline: bigint | undefined }
  /** rt_sigsuspend: until a signal is delivered. */
  | { readonly kind: 'signal' }
  /** rt_sigtimedwait: until a signal of `set` is pending. */
  | { readonly kind: 'signal-set'; readonly set: bigint; readonly info: number; readonly deadline: bigint | undefined }
  /** A call that answered BLOCKED on guest state (an empty pipe): issued again when another thread has run (`isReady` then), or at the deadline. `isRestarted`: after a handler with SA_RESTART too.
   * `isInterrupted`: a handler waits until the call has looked once more. */
  | { readonly kind: 'retry'; readonly deadline: bigint | undefined; readonly isRestarted: boolean; readonly isReady: boolean; readonly isInterrupted?: true };

export const NOT_WAITING: Wait = { kind: 'none' };

/** sigaltstack state. */
export interface AlternateStack { readonly address: number; readonly size: number; readonly flags: number }
export const SS_ONSTACK = 1;
export const SS_DISABLE = 2;
export const SS_AUTODISARM = 0x8000_0000;

export const SCHED_RESET_ON_FORK = 0x4000_0000;

export class Thread {
  readonly tid: number;
  readonly process: Process;
  /** Register block (Cpu.save) of a thread that is not on the processor. */
  registers: Uint8Array = new Uint8Array(CPU_STATE_BYTES);
  /** Blocked signals; bit n-1 is signal n. */
  mask = 0n;
  /** Mask to put back by the next signal frame or the end of rt_sigsuspend. */
  savedMask: bigint | undefined = undefined;
  readonly pending = new PendingSignals();
  alternateStack: AlternateStack = { address: 0, size: 0, flags: SS_DISABLE };
  wait: Wait = NOT_WAITING;
  /** Order of arrival among waiters (machine-wide counter): the first to wait is the first to be woken. */
  waitOrder = 0;
  hasEnded = false;
  /** Until when the call that is issued again waits (poll with a time-out); set by its handler, kept until the call completes. */
  retryDeadline: bigint | undefined = undefined;
  /** Bytes that the call which is issued again has moved already: a write to a pipe that had room for a part. */
  moved = 0;
  /** Result of the call it waited in, stored when it is on the processor again. */
  wakeResult: number | undefined = undefined;
  /** set_tid_address / CLONE_CHILD_CLEARTID: zeroed and woken when the thread ends. 0: none. */
  clearTidAddress = 0;
  robustList = 0;
  /** prctl(PR_SET_NAME): at most 15 bytes. */
  name: string;
  /** Scheduling policy, with SCHED_RESET_ON_FORK: remembered, and without effect. */
  policy = 0;
  /** Instructions since it got the processor; a spinner is switched at QUANTUM. */
  used = 0;
  /** Instructions in all: its CPU time. */
  executed = 0;

  /** The view that handlers get; made once, because there may be millions of calls. */
  call: Call | undefined = undefined;

  /** Of a thread or process that it makes: what is reset is real-time policies, which nobody has. */
  get inheritedPolicy(): number {
    return this.policy & ~SCHED_RESET_ON_FORK;
  }

  constructor(process: Process, tid: number, name: string) {
    this.process = process;
    this.tid = tid;
    this.name = name;
  }

  /** Everything but what is on the processor. */
  mark(): Undo {
    const { registers, mask, savedMask, alternateStack, wait, waitOrder, hasEnded, retryDeadline, moved, wakeResult, clearTidAddress, robustList, name, policy, used, executed } = this;
    const pending = this.pending.mark();
    return () => {
      this.registers = registers;
      this.mask = mask;
      this.savedMask = savedMask;
      this.alternateStack = alternateStack;
      this.wait = wait;
      this.waitOrder = waitOrder;
      this.hasEnded = hasEnded;
      this.retryDeadline = retryDeadline;
      this.moved = moved;
      this.wakeResult = wakeResult;
      this.clearTidAddress = clearTidAddress;
      this.robustList = robustList;
      this.name = name;
      this.policy = policy;
      this.used = used;
      this.executed = executed;
      pending();
    };
  }
}
