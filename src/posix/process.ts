/**
 * One process: address space, processor, descriptors, signal actions, threads. Everything but page content is in the `processes` section.
 * Invariants: threads are in order of creation; threads[0] is the leader while it lives.
 * What this does NOT do: scheduling (scheduler.ts), files (files/), signal delivery (signal-delivery.ts).
 */
import type { Cpu, GuestMemory } from '../engine/index.ts';
import type { AddressSpace } from './address-space.ts';
import type { FileContext } from './files/index.ts';
import { SignalActions } from './signal-actions.ts';
import { PendingSignals } from './signal-pending.ts';
import type { Thread } from './thread.ts';
import type { GuestTimer } from './timers.ts';

export class Process {
  readonly pid: number;
  readonly parentPid: number;
  group: number;
  session: number;
  readonly cpu: Cpu;
  readonly space: AddressSpace;
  /** Working directory, umask, descriptors. */
  readonly files: FileContext;
  readonly actions = new SignalActions();
  readonly pending = new PendingSignals();
  readonly threads: Thread[] = [];
  readonly timers: GuestTimer[] = [];
  /** What /proc/self/cmdline and /proc/self/exe show; byte strings. */
  argv: readonly string[];
  environment: readonly string[];
  programPath: string;
  /** Auxiliary vector bytes for /proc/self/auxv. */
  auxiliary: Uint8Array = new Uint8Array(0);
  /** Code page of the signal return trampoline. */
  signalReturnAddress = 0;
  /** Its last instruction has run; the entry stays until its end has been told. */
  isOver = false;
  /** Resource limits changed by setrlimit: resource → [soft, hard]. */
  readonly limits = new Map<number, readonly [bigint, bigint]>();

  constructor(parts: {
    readonly pid: number; readonly parentPid: number; readonly cpu: Cpu; readonly space: AddressSpace; readonly files: FileContext;
    readonly argv: readonly string[]; readonly environment: readonly string[]; readonly programPath: string;
  }) {
    this.pid = parts.pid;
    this.parentPid = parts.parentPid;
    this.group = parts.pid;
    this.session = parts.pid;
    this.cpu = parts.cpu;
    this.space = parts.space;
    this.files = parts.files;
    this.argv = parts.argv;
    this.environment = parts.environment;
    this.programPath = parts.programPath;
  }

  get memory(): GuestMemory {
    return this.cpu.memory;
  }
}
