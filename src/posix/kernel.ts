/**
 * The operating system of one machine: files, channels, time, randomness, processes and the thread that runs. All of it is in sections of
 * the machine state.
 * Invariants: `current` belongs to a process of the list; processes are in order of creation and processes[0] is the program that was booted:
 * its end is the machine's end; `isScheduled` is true whenever settle() has more to look at than signals.
 * What this does NOT do: execute (guest.ts), choose threads (scheduler.ts), handle calls (calls/).
 */
import { assert, markArray, type Undo } from '../core/index.ts';
import type { ChannelSet } from '../channel/index.ts';
import type { Cpu } from '../engine/index.ts';
import type { Isa } from '../isa/index.ts';
import { AddressSpace } from './address-space.ts';
import { MemoryAccount } from './memory-account.ts';
import type { Clock } from './clock.ts';
import { executedBy } from './cpu-time.ts';
import type { Entropy } from './entropy.ts';
import { FileSignals } from './file-signals.ts';
import type { FileSystem } from './files/index.ts';
import { mappedFiles, type MappedFiles } from './mapped-files.ts';
import { leaveOrphans } from './orphans.ts';
import type { Process, ProcessOutcome } from './process.ts';
import type { ProcessImage } from './process-image.ts';
import { releaseRobustLocks } from './robust-list.ts';
import { Schedule } from './schedule.ts';
import { SA, SI, SIG_IGN, SIGNAL } from './signal-actions.ts';
import { finishWait, sendSignal } from './signal-delivery.ts';
import type { SpaceLayout } from './space-layout.ts';
import { endSession } from './terminal-io.ts';
import { SpareMemories } from './spare-memories.ts';
import { SystemV } from './system-v.ts';
import type { Thread } from './thread.ts';

/** How the booted program ended. */
export type GuestOutcome = ProcessOutcome;

/** The first process. Not 1: programs that find themselves to be init behave in ways of their own. */
export const FIRST_PID = 2;
/** Processes and threads of one machine; a guest that makes more sees EAGAIN. */
export const TASKS_MAX = 1024;
/** Living processes of one machine: each has an address space of the host's, which are dearer than threads. A guest that makes more sees EAGAIN. */
export const PROCESSES_MAX = 256;
const SIGCHLD_CODE = { EXITED: 1, KILLED: 2, STOPPED: 5, CONTINUED: 6 } as const;

/** `object`: an inode number, or minus the id of a process image. */
export interface FutexWord { readonly object: number; readonly address: number }

export class Kernel {
  readonly files: FileSystem;
  readonly channels: ChannelSet;
  readonly clock: Clock;
  readonly entropy: Entropy;
  readonly isa: Isa;
  /** The machine's memory and what all processes use of it. */
  readonly account: MemoryAccount;
  /** First address past every process's space. */
  readonly spaceLimit: number;
  readonly mapped: MappedFiles;
  readonly schedule: Schedule;
  readonly systemV = new SystemV();
  readonly fileSignals = new FileSignals();
  /** Host memory only, no state. */
  readonly memories: SpareMemories;
  readonly processes: Process[] = [];
  nextId = FIRST_PID;
  /** Ids of process images come from a counter of their own: the names of page objects. */
  nextImage = FIRST_PID;
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
  /** A transaction is under way: memories that processes leave may be needed again. */
  isMarked = false;
  #current: Thread | undefined = undefined;
  /** Host memory only, no state: images that nobody runs in any more. */
  #left: ProcessImage[] = [];
  /** The image of the current thread's process when that is over: its processor still holds the machine's count. */
  #ending: ProcessImage | undefined = undefined;

  constructor(parts: {
    readonly files: FileSystem; readonly channels: ChannelSet; readonly clock: Clock; readonly entropy: Entropy; readonly isa: Isa; readonly memoryBytes: number; readonly spaceLimit: number;
    readonly schedule?: bigint | undefined;
  }) {
    this.files = parts.files;
    this.isa = parts.isa;
    this.account = new MemoryAccount(parts.memoryBytes);
    this.spaceLimit = parts.spaceLimit;
    this.mapped = mappedFiles(parts.files);
    this.memories = new SpareMemories(parts.isa, parts.spaceLimit);
    this.schedule = new Schedule(parts.schedule);
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
    this.#ending = undefined;
  }

  /** The processor that ran last: it holds the machine's count. */
  get processor(): Cpu {
    return this.#ending?.cpu ?? this.current.process.cpu;
  }

  /** Instructions retired by the whole machine. */
  get retired(): bigint {
    return this.#current === undefined ? 0n : this.processor.retired;
  }

  /** Process and thread ids come from one counter and are never used again. */
  takeId(): number {
    return this.nextId++;
  }

  /** The processes of a group that have not ended. */
  livingInGroup(group: number): Process[] {
    return this.processes.filter((process) => process.group === group && !process.isOver);
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

  get livingCount(): number {
    return this.processes.reduce((count, process) => count + (process.isOver ? 0 : 1), 0);
  }

  /** The way back for what is in no object of its own (marks.ts has the rest). */
  mark(): Undo {
    const { nextId, nextImage, outcome, isDeadlocked, randomAddress, waitCount, isScheduled, nextDeadline } = this;
    const [current, left, ending, usedBytes] = [this.#current, [...this.#left], this.#ending, this.account.usedBytes];
    const parts = [markArray(this.processes), this.clock.mark(), this.entropy.mark(), this.schedule.mark(), this.systemV.mark(), this.files.mark(), this.channels.mark()];
    return () => {
      this.nextId = nextId;
      this.nextImage = nextImage;
      this.outcome = outcome;
      this.isDeadlocked = isDeadlocked;
      this.randomAddress = randomAddress;
      this.waitCount = waitCount;
      this.isScheduled = isScheduled;
      this.nextDeadline = nextDeadline;
      this.#current = current;
      this.#left = [...left];
      this.#ending = ending;
      this.account.usedBytes = usedBytes;
      for (const undo of parts) undo();
    };
  }

  // Memories.

  /** An empty address space on a processor's memory. */
  newSpace(cpu: Cpu, layout: SpaceLayout): AddressSpace {
    return new AddressSpace({ memory: cpu.memory, account: this.account, layout, files: this.mapped });
  }

  /** Gives a memory back, unless a transaction may need it again. The space has been closed. */
  giveBack(cpu: Cpu, space: AddressSpace): void {
    if (!this.isMarked) this.memories.giveBack(cpu, space);
  }

  /** The process leaves its image; the last one closes its address space. Its memory is given back by releaseImages(). */
  leaveImage(process: Process, next: ProcessImage | undefined): void {
    const image = process.image;
    if (image.users === 1) {
      image.space.close();
      this.#left.push(image);
    }
    process.replaceImage(next);
  }

  /** Gives back the memories of images that were left; called when the processor of none of them is in use. */
  releaseImages(): void {
    if (this.#left.length === 0) return;
    for (const { cpu, space } of this.#left) this.giveBack(cpu, space);
    this.#left = [];
  }

  /** Mapped files have other sizes. Done inside the call that changed them: rights never lag behind. */
  fitMappings(): void {
    this.files.hasResized = false;
    for (const process of this.processes) if (process.hasImage) process.space.fit();
  }

  get hasFileTimer(): boolean {
    for (const { deadline } of this.files.timers) if (deadline !== undefined) return true;
    return false;
  }

  /** After threads, timers or waits changed. */
  refreshSchedule(): void {
    const [only] = this.processes;
    const isPlain = this.processes.length === 1 && only!.threads.length === 1 && only!.timers.every((timer) => timer.deadline === undefined) && !this.hasFileTimer;
    this.isScheduled = !isPlain;
    if (isPlain) this.nextDeadline = undefined;
  }

  /** A signal from the kernel to a thread of its own doing (SIGPIPE). */
  raise(thread: Thread, signal: number): void {
    sendSignal(this, { process: thread.process, thread }, { signal, code: SI.KERNEL, pid: 0, uid: 0, value: 0n, form: 'kill' });
  }

  /** FUTEX_WAKE: ends up to `count` waits on the address; returns how many. */
  wakeFutex(process: Process, wake: { readonly address: number; readonly count: number; readonly bits: number; readonly isPrivate?: boolean }): number {
    let woken = 0;
    for (const thread of this.futexWaiters(process, this.futexWord(process, wake.address, wake.isPrivate ?? false))) {
      if (woken >= wake.count) break;
      if (thread.wait.kind === 'futex' && (thread.wait.bits & wake.bits) === 0) continue;
      finishWait(thread, 0);
      woken++;
    }
    return woken;
  }

  /** What a futex address names: a place in a file that is mapped shared, or an address of one image. */
  futexWord(process: Process, address: number, isPrivate: boolean): FutexWord {
    const mapping = isPrivate ? undefined : process.space.map.find(address);
    if (mapping?.backing === undefined || !mapping.isShared) return { object: -process.image.id, address };
    return { object: mapping.backing.key, address: mapping.backing.offset + address - mapping.start };
  }

  /** Threads that wait on a word, the first to come first. */
  futexWaiters(process: Process, word: FutexWord): Thread[] {
    const processes = word.object < 0 && process.image.users === 1 ? [process] : this.processes;
    const waiters = processes.flatMap(({ threads }) => threads.filter(({ wait }) => wait.kind === 'futex' && wait.object === word.object && wait.address === word.address));
    return waiters.sort((a, b) => a.waitOrder - b.waitOrder);
  }

  /** exit(2) of one thread; the last one ends the process. */
  endThread(thread: Thread, status: number): void {
    const { process } = thread;
    thread.hasEnded = true;
    releaseRobustLocks(this, thread);
    if (thread.clearTidAddress !== 0 && (process.threads.length > 1 || process.image.users > 1) && process.memory.writeU32(thread.clearTidAddress, 0)) {
      this.wakeFutex(process, { address: thread.clearTidAddress, count: 1, bits: -1 });
    }
    if (process.threads.length === 1) {
      this.endProcess(process, { kind: 'exited', status });
      return;
    }
    process.endedTime += thread.executed;
    process.threads.splice(process.threads.indexOf(thread), 1);
    this.refreshSchedule();
  }

  /**
   * The end of a process: its memory and descriptors are given back, its parent is told, its children become init's.
   * The first process takes the machine with it.
   */
  endProcess(process: Process, outcome: ProcessOutcome): void {
    if (process.isOver) return;
    process.outcome = outcome;
    process.stopSignal = 0;
    for (const thread of process.threads) {
      thread.hasEnded = true;
      releaseRobustLocks(this, thread);
    }
    if (process === this.processes[0]) {
      this.#endMachine(process, outcome);
      return;
    }
    this.systemV.endProcess(process.pid);
    if (process.session === process.pid) endSession(this.files, process.session);
    this.fileSignals.around(this, () => this.#quit(process));
    this.endVfork(process);
    leaveOrphans(this, process);
    this.tellEnd(process);
    this.retryAll();
    this.refreshSchedule();
  }

  #endMachine(first: Process, outcome: ProcessOutcome): void {
    this.outcome = outcome;
    for (const process of this.processes.slice(1)) {
      if (process.isOver) continue;
      process.outcome = { kind: 'killed', signal: SIGNAL.KILL };
      this.#quit(process);
    }
    first.space.close();
    first.files.leave([]);
    this.refreshSchedule();
  }

  /** Takes away what a process that is over has no use for. The image goes when the scheduler has left it. */
  #quit(process: Process): void {
    const image = process.image;
    this.leaveImage(process, undefined);
    if (this.#current !== undefined && this.#current.process === process) this.#ending = image;
    process.files.leave(this.processes);
    process.endedTime = executedBy(process);
    process.threads.length = 0;
    process.timers.length = 0;
  }

  /** SIGCHLD (or what the child was made with) to the parent, which may not want to hear of it. */
  tellEnd(process: Process): void {
    const parent = this.findProcess(process.parentPid);
    if (parent === undefined) {
      this.reap(process);
      return;
    }
    const { outcome } = process;
    assert(outcome !== undefined, 'an end that is told has happened');
    const status = outcome.kind === 'exited' ? outcome.status : outcome.signal;
    this.#signalParent(process, parent, { code: outcome.kind === 'exited' ? SIGCHLD_CODE.EXITED : SIGCHLD_CODE.KILLED, status });
    const action = parent.actions.get(SIGNAL.CHLD);
    if (process.exitSignal === SIGNAL.CHLD && (action.handler === SIG_IGN || (action.flags & SA.NOCLDWAIT) !== 0)) this.reap(process);
  }

  #signalParent(process: Process, parent: Process, what: { readonly code: number; readonly status: number }): void {
    const signal = process.exitSignal;
    if (signal === 0) return;
    const uid = process.files.identity.real.uid;
    sendSignal(this, { process: parent }, { signal, code: what.code, pid: process.pid, uid, value: BigInt(what.status), form: 'child' });
  }

  /** A vfork ends with execve or the child's end: its parent goes on. */
  endVfork(child: Process): void {
    for (const { threads } of this.processes) {
      for (const thread of threads) if (thread.wait.kind === 'vfork' && thread.wait.child === child.pid) finishWait(thread, child.pid);
    }
  }

  /** The end has been told: the entry goes, its id with it. */
  reap(process: Process): void {
    this.processes.splice(this.processes.indexOf(process), 1);
    process.files.release();
    this.refreshSchedule();
  }

  /** A stop signal's default action. The first process is never stopped: nobody could continue it. */
  stopProcess(process: Process, signal: number): void {
    if (process === this.processes[0] || (signal !== SIGNAL.STOP && this.isOrphanedGroup(process))) return;
    process.stopSignal = signal;
    process.news = 'stopped';
    this.#tellStop(process, { code: SIGCHLD_CODE.STOPPED, status: signal });
  }

  /** SIGCONT was sent. */
  continueProcess(process: Process): void {
    if (process.stopSignal === 0) return;
    process.stopSignal = 0;
    process.news = 'continued';
    this.#tellStop(process, { code: SIGCHLD_CODE.CONTINUED, status: SIGNAL.CONT });
  }

  #tellStop(process: Process, what: { readonly code: number; readonly status: number }): void {
    const parent = this.findProcess(process.parentPid);
    if (parent !== undefined && !parent.isOver && (parent.actions.get(SIGNAL.CHLD).flags & SA.NOCLDSTOP) === 0) this.#signalParent(process, parent, what);
    this.retryAll();
  }

  /** No member has a parent in the session but outside the group: nobody does job control for it. */
  isOrphanedGroup({ group, session }: Process): boolean {
    return !this.processes.some((member) => {
      const parent = member.group === group ? this.findProcess(member.parentPid) : undefined;
      return parent !== undefined && parent.group !== group && parent.session === session;
    });
  }

  /** Time or a signal has brought something: every call that waits on guest state looks again, the current thread's too. */
  lookAgain(except?: Thread): void {
    for (const { threads } of this.processes) {
      for (const thread of threads) if (thread !== except && thread.wait.kind === 'retry' && !thread.wait.isReady) thread.wait = { ...thread.wait, isReady: true };
    }
  }

  /** Calls of other threads that wait on guest state look again. */
  retryAll(): void {
    this.lookAgain(this.#current);
  }
}
