/**
 * One process: the image it runs (processor, memory), descriptors, signal actions, threads. Everything but page content is in the
 * `processes` section.
 * Invariants: threads are in order of creation; threads[0] is the leader while it lives. A process that is over has an image only until the
 * scheduler has left it (and for good when it was the machine's first).
 * What this does NOT do: scheduling (scheduler.ts), files (files/), signal delivery (signal-delivery.ts), being born and ending (kernel.ts).
 */
import { assert, markArray, markMap, type Undo } from '../core/index.ts';
import type { Cpu, GuestMemory } from '../engine/index.ts';
import type { AddressSpace } from './address-space.ts';
import type { FileContext } from './files/index.ts';
import { FRESH_CONTROLS } from './process-controls.ts';
import type { ProcessImage } from './process-image.ts';
import { SignalActions } from './signal-actions.ts';
import { PendingSignals } from './signal-pending.ts';
import type { Thread } from './thread.ts';
import type { GuestTimer } from './timers.ts';

/** How a process ended, as wait() tells it. */
export type ProcessOutcome = { readonly kind: 'exited'; readonly status: number } | { readonly kind: 'killed'; readonly signal: number };

export class Process {
  readonly pid: number;
  parentPid: number;
  group: number;
  session: number;
  #image: ProcessImage | undefined;
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
  /** Its last instruction has run; the entry stays until its end has been told. */
  outcome: ProcessOutcome | undefined = undefined;
  /** Signal that its parent gets at its end; 0: none. */
  exitSignal: number;
  /** It has called execve since it was forked. */
  hasExecuted = false;
  /** Signal that stopped it; 0: it runs. */
  stopSignal = 0;
  /** What a parent that asks for it (WUNTRACED, WCONTINUED) has not been told yet. */
  news: 'none' | 'stopped' | 'continued' = 'none';
  /** CPU time (cpu-time.ts) of its threads that have ended, and of children that it has waited for with theirs. */
  endedTime = 0;
  childTime = 0;
  /** Remembered; every process gets the processor alike. */
  nice = 0;
  /** prctl. */
  controls = FRESH_CONTROLS;
  /** Resource limits changed by setrlimit: resource → [soft, hard]. */
  readonly limits = new Map<number, readonly [bigint, bigint]>();

  constructor(parts: {
    readonly pid: number; readonly parentPid: number; readonly group: number; readonly session: number; readonly image: ProcessImage | undefined; readonly files: FileContext;
    readonly argv: readonly string[]; readonly environment: readonly string[]; readonly programPath: string; readonly exitSignal: number;
  }) {
    this.pid = parts.pid;
    this.parentPid = parts.parentPid;
    this.group = parts.group;
    this.session = parts.session;
    this.files = parts.files;
    this.argv = parts.argv;
    this.environment = parts.environment;
    this.programPath = parts.programPath;
    this.exitSignal = parts.exitSignal;
    this.#image = parts.image;
    if (parts.image !== undefined) parts.image.users++;
  }

  /** Everything but its image and its threads, which are marked with the others (marks.ts). */
  mark(): Undo {
    const { parentPid, group, session, argv, environment, programPath, outcome, exitSignal, hasExecuted, stopSignal, news, nice, endedTime, childTime, controls } = this;
    const image = this.#image;
    const timers = this.timers.map((timer) => ({ timer, values: { ...timer } }));
    const parts = [this.files.mark(), this.actions.mark(), this.pending.mark(), markArray(this.threads), markArray(this.timers), markMap(this.limits)];
    return () => {
      this.parentPid = parentPid;
      this.group = group;
      this.session = session;
      this.argv = argv;
      this.environment = environment;
      this.programPath = programPath;
      this.outcome = outcome;
      this.exitSignal = exitSignal;
      this.hasExecuted = hasExecuted;
      this.stopSignal = stopSignal;
      this.news = news;
      this.nice = nice;
      this.endedTime = endedTime;
      this.childTime = childTime;
      this.controls = controls;
      this.#image = image;
      for (const undo of parts) undo();
      for (const { timer, values } of timers) Object.assign(timer, values);
    };
  }

  get isOver(): boolean {
    return this.outcome !== undefined;
  }

  get hasImage(): boolean {
    return this.#image !== undefined;
  }

  get image(): ProcessImage {
    assert(this.#image !== undefined, 'a living process has an image');
    return this.#image;
  }

  /** Takes another image (execve) or none (the end); returns the one it left. */
  replaceImage(image: ProcessImage | undefined): ProcessImage {
    const old = this.image;
    this.#image = image;
    old.users--;
    if (image !== undefined) image.users++;
    return old;
  }

  get cpu(): Cpu {
    return this.image.cpu;
  }

  get space(): AddressSpace {
    return this.image.space;
  }

  get memory(): GuestMemory {
    return this.image.cpu.memory;
  }

  /** Name of the leading thread: what ps shows. */
  get name(): string {
    return this.threads[0]?.name ?? this.programPath.slice(this.programPath.lastIndexOf('/') + 1);
  }
}
