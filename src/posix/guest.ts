/**
 * The machine: a program and its whole state, executed to an exact count and described as data.
 *
 *   boot ─► run(budget) ─► 'budget' | 'blocked' | 'ended' | 'capped'      state() ─► sections and page objects ─► restore()
 *
 * One step is one retired instruction: an ordinary instruction, a completed (or newly waiting) system call, or a signal taken by a faulting
 * instruction. Everything that a step causes (delivery, death, thread switch, due timers) happens inside it, so the state at a count is
 * unique and does not depend on how run() was sliced. A blocked call counts nothing, has no effect and is issued again by the next run().
 * What this does NOT do: move channel bytes (the session supplies them), keep snapshots.
 */
import { assert, limits, type Canonical, type Undo } from '../core/index.ts';
import type { Channel } from '../channel/index.ts';
import { STOP, type Stop } from '../isa/index.ts';
import { BLOCKED, NO_RESULT } from './call.ts';
import { blockOnGuest } from './blocked-call.ts';
import { standingOf, type Standing } from './code-places.ts';
import { dispatch } from './dispatch.ts';
import { bootKernel, type BootOptions } from './guest-boot.ts';
import { Marks, type Changed } from './marks.ts';
import { bringWhole, describeKernel, describeWhole, lendWhole, restoreKernel, type LentImage, type WholeObject, type MachineImage, type RestoreOptions, type RestoredImage } from './guest-state.ts';
import type { GuestOutcome, Kernel } from './kernel.ts';
import { progress, settle } from './scheduler.ts';
import { SI, SIGNAL } from './signal-actions.ts';
import { forceSignal } from './signal-delivery.ts';
import type { SignalInfo } from './signal-pending.ts';
import { rightsOf } from './space-layout.ts';
import type { Thread } from './thread.ts';

export type { BootOptions, ClockOption } from './guest-boot.ts';

/** Why run() returned. `blocked` without anything wanted: the outbox is full; release output and go on. */
export type GuestStop =
  | { readonly kind: 'budget' }
  | { readonly kind: 'blocked'; readonly channels: readonly Channel[]; readonly needsClock: boolean; readonly needsEntropy: number }
  | { readonly kind: 'ended'; readonly outcome: GuestOutcome }
  | { readonly kind: 'capped'; readonly cap: string };

const BUDGET: GuestStop = { kind: 'budget' };
const DEADLOCK: GuestStop = { kind: 'capped', cap: 'deadlock' };
/** No load, store or fetch is wider. */
const ACCESS_BYTES_MAX = 8;
/** Bytes that AT_RANDOM points to. */
const RANDOM_BYTES = 16;

export class Guest {
  readonly kernel: Kernel;
  /** Bytes of held-back output at which run() returns 'blocked' with nothing wanted. */
  outputStop: number = limits.OUTBOX_BYTES_MAX;

  private constructor(kernel: Kernel) {
    this.kernel = kernel;
  }

  /** A new machine, before its first instruction. Throws StillpointError E_PROGRAM_*, E_ELF_* or E_USAGE. */
  static boot(options: BootOptions): Guest {
    return new Guest(bootKernel(options));
  }

  /** The machine that state() described. Throws StillpointError E_STATE_FORMAT on a state that contradicts itself. */
  static restore(state: RestoredImage, options: RestoreOptions): Guest {
    return new Guest(restoreKernel(state, options));
  }

  /** Instructions retired since the start. */
  get retired(): bigint {
    return this.kernel.retired;
  }

  /** The host's real time, nanoseconds since 1970, for the call that waits for it (clock recorded). */
  supplyClock(nanoseconds: bigint): void {
    this.kernel.clock.supply(nanoseconds);
  }

  /** Real randomness for the call that waits for it (entropy recorded). */
  supplyEntropy(bytes: Uint8Array): void {
    this.kernel.entropy.supply(bytes);
  }

  /** A branch's own seed: seeded randomness begins anew with it. */
  reseed(seed: Uint8Array): void {
    this.kernel.entropy.decode({ seed, position: 0n, supplied: new Uint8Array(0) });
  }

  /** Everything the machine is now, for a snapshot. Page views are valid until the next run(). */
  state(): MachineImage {
    return describeKernel(this.kernel);
  }

  /** The same with all pages, for another machine or a root; dirty marks stay. */
  wholeState(): { readonly sections: MachineImage['sections']; readonly objects: readonly WholeObject[] } {
    return describeWhole(this.kernel);
  }

  /** The same to be restored later (isLazy), while this machine runs on: costs the sections, and a copy of each page when it is first written. Not inside a transaction. */
  lend(): LentImage {
    return lendWhole(this.kernel);
  }

  /** Reads all that a lazy restore has left for later. */
  bringAll(): void {
    bringWhole(this.kernel);
  }

  /**
   * The way back to this state: memory, files, descriptors, channels, entropy and count, as often as it is called and until a mark made earlier is
   * undone. Marks nest. Cheap: pages are copied when they are first written.
   */
  mark(): Undo {
    return (this.#marks ??= new Marks(this.kernel)).mark();
  }

  /** Forgets all marks. */
  release(): void {
    this.#marks?.release();
  }

  /** What differs from the outermost mark, by page. */
  changed(): Changed {
    return this.#marks?.changed() ?? new Map();
  }

  /** Canonical facts for a report: memory in use. */
  facts(): Canonical {
    return this.kernel.processes.filter((process) => process.hasImage).map((process) => ({ pid: process.pid, accessibleBytes: process.space.accessibleBytes }));
  }

  /** What the processor stands at, for people (profiles); undefined when the machine has ended. */
  get standing(): Standing | undefined {
    return standingOf(this.kernel);
  }

  /** Forgets everything decoded. Never changes a result. */
  dropCaches(): void {
    for (const process of this.kernel.processes) if (process.hasImage) process.cpu.dropCaches();
  }

  /** Runs until `budget` more instructions have retired, or until something else must happen first. */
  run(budget: number): GuestStop {
    assert(Number.isSafeInteger(budget) && budget > 0, 'a budget is a positive integer');
    const { kernel } = this;
    this.#left = budget;
    for (;;) {
      if (kernel.outcome !== undefined) return { kind: 'ended', outcome: kernel.outcome };
      if (kernel.isDeadlocked) return DEADLOCK;
      if (kernel.randomAddress !== 0 && !this.#placeRandom()) return this.#blocked();
      if (this.#left === 0) return BUDGET;
      const thread = kernel.current;
      const { cpu } = thread.process;
      const slice = this.#slice(this.#left);
      this.#accounted = cpu.retired;
      this.#sliceEnd = cpu.retired + BigInt(slice);
      const stop = cpu.run(slice, this.#trap);
      if (stop === STOP.trapped) {
        if (!this.#wasCompleted) return this.#blocked();
      } else {
        this.#account(thread);
        if (stop === STOP.budget) {
          settle(kernel);
          continue;
        }
        if (stop !== STOP.syscall) {
          // A stack that grows costs nothing: the access is made again.
          if ((stop === STOP.loadFault || stop === STOP.storeFault) && thread.process.space.growStack(Number(cpu.faultAddress))) continue;
          this.#fault(thread, stop);
        } else if (!this.#call(thread)) {
          return this.#blocked();
        }
        this.#countStep(thread);
      }
      if (this.#isOutboxFull()) return this.#blocked();
    }
  }

  #marks: Marks | undefined = undefined;

  /** Instructions that this run() may still retire, and how far the processor has been accounted for. */
  #left = 0;
  #accounted = 0n;
  #sliceEnd = 0n;
  #wasCompleted = false;

  /** Instructions that have retired since the last look. */
  #account(thread: Thread): void {
    const { retired } = thread.process.cpu;
    const executed = Number(retired - this.#accounted);
    this.#accounted = retired;
    this.#left -= executed;
    thread.used += executed;
    thread.executed += executed;
  }

  /** A call or a taken signal is one instruction; then whatever it caused happens. */
  #countStep(thread: Thread): void {
    const { kernel } = this;
    kernel.processor.retired += 1n; // Another one after execve.
    thread.used++;
    kernel.current.executed++; // That of the new program after execve.
    this.#left--;
    settle(kernel);
  }

  /** Output is held back until a commit; it must not grow without bound while the guest runs on. */
  #isOutboxFull(): boolean {
    const { kernel } = this;
    return kernel.channels.pendingBytes >= this.outputStop && kernel.outcome === undefined && this.#left > 0;
  }

  /** A system call out of translated code, which goes on by itself when the same thread may run as far as it was allowed to. */
  readonly #trap = (): boolean => {
    const { kernel } = this;
    const thread = kernel.current;
    const { cpu } = thread.process;
    this.#account(thread);
    this.#wasCompleted = this.#call(thread);
    if (!this.#wasCompleted) return false;
    this.#countStep(thread);
    if (kernel.current !== thread || thread.process.cpu !== cpu || kernel.outcome !== undefined || kernel.isDeadlocked || this.#isOutboxFull()) return false;
    const rest = this.#sliceEnd - cpu.retired;
    if (rest <= 0n || this.#left === 0 || BigInt(this.#slice(this.#left)) < rest) return false;
    this.#accounted = cpu.retired;
    return true;
  };

  /** How far the current thread may run before the schedule wants a look. */
  #slice(left: number): number {
    const { kernel } = this;
    if (!kernel.isScheduled) return left;
    let slice = left;
    if (kernel.nextDeadline !== undefined) {
      const until = kernel.nextDeadline - kernel.clock.hidden;
      if (until < BigInt(slice)) slice = Number(until);
    }
    const quantum = kernel.schedule.quantum - kernel.current.used;
    if (quantum > 0) slice = Math.min(slice, quantum);
    return Math.max(1, slice);
  }

  /** Issues the call at the program counter; false when the machine must wait for its host. */
  #call(thread: Thread): boolean {
    const { kernel } = this;
    const result = dispatch(kernel, thread);
    if (result !== BLOCKED) {
      kernel.clock.settle();
      thread.retryDeadline = undefined;
      thread.moved = 0;
      progress(kernel);
      if (result === NO_RESULT) kernel.refreshSchedule();
      return true;
    }
    const { channels, clock, entropy } = kernel;
    if (clock.isWanted || entropy.wanted > 0 || channels.blocked.length > 0) return false;
    blockOnGuest(kernel, thread);
    return true;
  }

  #blocked(): GuestStop {
    const { channels, clock, entropy } = this.kernel;
    return { kind: 'blocked', channels: channels.blocked, needsClock: clock.isWanted, needsEntropy: entropy.wanted };
  }

  /** Recorded randomness is not there at boot: the 16 bytes of AT_RANDOM are put in place before the first instruction. */
  #placeRandom(): boolean {
    const { kernel } = this;
    const bytes = kernel.entropy.take(RANDOM_BYTES);
    if (bytes === undefined) return false;
    kernel.current.process.memory.install(kernel.randomAddress, bytes);
    kernel.randomAddress = 0;
    return true;
  }

  #fault(thread: Thread, stop: Stop): void {
    const { cpu } = thread.process;
    cpu.state.control.fill(0, 3, 5); // A trap ends a load reservation.
    forceSignal(thread, faultSignal(thread, stop));
  }
}

/** The signal that Linux makes of a fault. */
function faultSignal(thread: Thread, stop: Stop): SignalInfo {
  const { cpu, space } = thread.process;
  const fault = (signal: number, code: number, address: bigint): SignalInfo => ({ signal, code, pid: 0, uid: 0, value: address, form: 'fault' });
  const pc = cpu.isa.abi.programCounter(cpu.state);
  switch (stop) {
    case STOP.breakpoint: return fault(SIGNAL.TRAP, SI.TRAP_BRKPT, pc);
    case STOP.illegal: return fault(SIGNAL.ILL, SI.ILL_ILLOPC, pc);
    case STOP.misaligned: return fault(SIGNAL.BUS, SI.BUS_ADRALN, cpu.faultAddress);
    case STOP.fetchFault:
    case STOP.loadFault:
    case STOP.storeFault: {
      const address = cpu.faultAddress;
      const mapping = address < BigInt(cpu.memory.limit) ? space.map.find(Number(address)) : undefined;
      const isAllowed = mapping !== undefined && rightsAllow(mapping.protection, stop);
      // With the right to it, the page is behind the end of its file, or the access crosses to one that is, or to one that is not there.
      if (isAllowed && (space.isPastEnd(Number(address)) || (isCrossing(address) && space.isPastEnd(nextPage(address))))) return fault(SIGNAL.BUS, SI.BUS_ADRERR, address);
      return fault(SIGNAL.SEGV, mapping === undefined || isAllowed ? SI.SEGV_MAPERR : SI.SEGV_ACCERR, address);
    }
    case STOP.budget:
    case STOP.syscall:
    default: throw new Error('assertion failed: only faults become signals');
  }
}

/** Whether an access there may reach the next page. */
function isCrossing(address: bigint): boolean {
  return Number(address) % limits.PAGE_BYTES > limits.PAGE_BYTES - ACCESS_BYTES_MAX;
}

function nextPage(address: bigint): number {
  return (Math.floor(Number(address) / limits.PAGE_BYTES) + 1) * limits.PAGE_BYTES;
}

function rightsAllow(protection: number, stop: Stop): boolean {
  const rights = rightsOf(protection);
  const needed = stop === STOP.fetchFault ? 4 : stop === STOP.storeFault ? 2 : 1;
  return (rights & needed) !== 0;
}
