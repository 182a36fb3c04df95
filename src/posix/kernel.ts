/**
 * The operating system of one machine: files, channels, time, randomness, processes and the thread that runs. All of it is in sections of
 * the machine state.
 * Invariants: `current` belongs to a process of the list; processes are in order of creation and processes[0] is the program that was booted:
 * its end is the machine's end; `isScheduled` is true whenever settle() has more to look at than signals.
 * What this does NOT do: execute (guest.ts), choose threads (scheduler.ts), handle calls (calls/).
 */
import { assert } from '../core/index.ts';
import type { ChannelSet } from '../channel/index.ts';
import type { Clock } from './clock.ts';
import type { Entropy } from './entropy.ts';
import type { FileSystem } from './files/index.ts';
import type { Process } from './process.ts';
import { SI } from './signal-actions.ts';
import { finishWait, sendSignal } from './signal-delivery.ts';
import type { Thread } from './thread.ts';

/** How the booted program ended, as wait() tells it. */
export type GuestOutcome = { readonly kind: 'exited'; readonly status: number } | { readonly kind: 'killed'; readonly signal: number };

/** The first process. Not 1: programs that find themselves to be init behave in ways of their own. */
export const FIRST_PID = 2;
/** Processes and threads of one machine; a guest that makes more sees EAGAIN. */
export const TASKS_MAX = 1024;

export class Kernel {
  readonly files: FileSystem;
  readonly channels: ChannelSet;
  readonly clock: Clock;
  readonly entropy: Entropy;
  readonly processes: Process[] = [];
  nextId = FIRST_PID;
  outcome: GuestOutcome | undefined = undefined;
  /** Every thread waits for something that cannot come. */
  isDeadlocked = false;
  /** Where the bytes of AT_RANDOM go when they were not there at boot; 0: nothing is missing. */
  randomAddress = 0;
  /** Waits so far: gives waiters their order. */
  waitCount = 0;
  /** There are timers, waits or several threads. Derived; see refreshSchedule(). */
  isScheduled = false;
  /** Earliest deadline while isScheduled, on the hidden time line. Derived. */
  nextDeadline: bigint | undefined = undefined;
  #current: Thread | undefined = undefined;

  constructor(parts: { readonly files: FileSystem; readonly channels: ChannelSet; readonly clock: Clock; readonly entropy: Entropy }) {
    this.files = parts.files;
    this.channels = parts.channels;
    this.clock = parts.clock;
    this.entropy = parts.entropy;
  }

  /** The thread whose registers are on a processor. */
  get current(): Thread {
    assert(this.#current !== undefined, 'a booted machine has a current thread');
    return this.#current;
  }

  setCurrent(thread: Thread): void {
    this.#current = thread;
  }

  /** Instructions retired by the whole machine. */
  get retired(): bigint {
    return this.#current === undefined ? 0n : this.#current.process.cpu.retired;
  }

  /** Process and thread ids come from one counter and are never used again. */
  takeId(): number {
    return this.nextId++;
  }

  findProcess(pid: number): Process | undefined {
    return this.processes.find((process) => process.pid === pid);
  }

  findThread(tid: number): Thread | undefined {
    for (const process of this.processes) {
      const thread = process.threads.find((candidate) => candidate.tid === tid);
      if (thread !== undefined) return thread;
    }
    return undefined;
  }

  get taskCount(): number {
    return this.processes.reduce((count, process) => count + Math.max(1, process.threads.length), 0);
  }

  /** After threads, timers or waits changed. */
  refreshSchedule(): void {
    const [only] = this.processes;
    const isPlain = this.processes.length === 1 && only!.threads.length === 1 && only!.timers.every((timer) => timer.deadline === undefined);
    this.isScheduled = !isPlain;
    if (isPlain) this.nextDeadline = undefined;
  }

  /** A signal from the kernel to a thread of its own doing (SIGPIPE). */
  raise(thread: Thread, signal: number): void {
    sendSignal(this, { process: thread.process, thread }, { signal, code: SI.KERNEL, pid: 0, uid: 0, value: 0n, form: 'kill' });
  }

  /** FUTEX_WAKE: ends up to `count` waits on the address; returns how many. */
  wakeFutex(process: Process, wake: { readonly address: number; readonly count: number; readonly bits: number }): number {
    let woken = 0;
    const waiters = process.threads.filter(({ wait }) => wait.kind === 'futex' && wait.address === wake.address && (wait.bits & wake.bits) !== 0);
    waiters.sort((a, b) => a.waitOrder - b.waitOrder);
    for (const thread of waiters) {
      if (woken >= wake.count) break;
      finishWait(thread, 0);
      woken++;
    }
    return woken;
  }

  /** exit(2) of one thread; the last one ends the process. */
  endThread(thread: Thread, status: number): void {
    const { process } = thread;
    thread.hasEnded = true;
    if (thread.clearTidAddress !== 0 && process.threads.length > 1 && process.memory.writeU32(thread.clearTidAddress, 0)) {
      this.wakeFutex(process, { address: thread.clearTidAddress, count: 1, bits: -1 });
    }
    if (process.threads.length === 1) {
      this.endProcess(process, { kind: 'exited', status });
      return;
    }
    process.threads.splice(process.threads.indexOf(thread), 1);
    this.refreshSchedule();
  }

  /** The end of a process: its shared pages and descriptors are given back. The first process takes the machine with it. */
  endProcess(process: Process, outcome: GuestOutcome): void {
    if (process.isOver) return;
    process.isOver = true;
    process.space.close();
    process.files.closeAll();
    if (process === this.processes[0]) this.outcome = outcome;
    this.refreshSchedule();
  }
}
