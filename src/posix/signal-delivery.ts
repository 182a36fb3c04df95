/**
 * Sending and delivering signals: from a pending entry to a handler's frame or to the end of the process.
 * Invariants: delivery happens inside the step (instruction or call) that made the signal deliverable, so a state at an instruction count is
 * unique; the thread that receives a signal is on the processor when its frame is written.
 * What this does NOT do: know registers (Abi does), choose the next thread (scheduler.ts).
 */
import { writeTimespec } from './calls/timespec.ts';
import type { Kernel } from './kernel.ts';
import type { Process } from './process.ts';
import { bitOf, SA, SI, SIG_DFL, STOPPING, SIG_IGN, SIGNAL, UNBLOCKABLE, type SignalAction } from './signal-actions.ts';
import { encodeSignalInfo, isOnStack, pushFrame } from './signal-frame.ts';
import type { PendingSignals, SignalInfo } from './signal-pending.ts';
import { ERRNO } from './errno.ts';
import { queuedForm } from './queued-signals.ts';
import { NOT_WAITING, SS_AUTODISARM, SS_DISABLE, type Thread } from './thread.ts';
import { tellInterrupted } from './time-left.ts';

/** Signals that an instruction itself causes; they go first, as on Linux. */

/** No frame is larger: the main stack grows for it. */
const FRAME_BYTES_MAX = 2048;

/** Sends to a thread, or to a process (any of its threads). 0 or -EAGAIN when too many are queued. */
export function sendSignal(kernel: Kernel, target: { readonly process: Process; readonly thread?: Thread }, info: SignalInfo): number {
  const { process, thread } = target;
  applyStopRules(kernel, process, info.signal);
  const isWaitedFor = process.threads.some((other) => (thread === undefined || other === thread) && other.wait.kind === 'signal-set' && (other.wait.set & bitOf(info.signal)) !== 0n);
  const isBlocked = thread === undefined ? process.threads.every((other) => (other.mask & bitOf(info.signal)) !== 0n) : (thread.mask & bitOf(info.signal)) !== 0n;
  if (!isWaitedFor && !isBlocked && process.actions.isIgnored(info.signal)) return 0;
  const pending = thread?.pending ?? process.pending;
  const queued = queuedForm(kernel, process, info);
  if (queued === undefined || !pending.add(queued)) return -ERRNO.EAGAIN;
  if (kernel.files.signalFiles.size > 0) kernel.lookAgain();
  for (const other of thread === undefined ? process.threads : [thread]) {
    if (wakeForSignal(kernel, other, { signal: info.signal, pending })) break;
  }
  return 0;
}

/** Sending SIGCONT continues at once whatever its action is; stop signals and SIGCONT cancel each other while pending. */
function applyStopRules(kernel: Kernel, process: Process, signal: number): void {
  const isStop = STOPPING.has(signal);
  if (isStop || signal === SIGNAL.CONT) {
    for (const other of isStop ? [SIGNAL.CONT] : STOPPING) {
      process.pending.drop(other);
      for (const thread of process.threads) thread.pending.drop(other);
    }
  }
  if (signal === SIGNAL.CONT) kernel.continueProcess(process);
  if (signal === SIGNAL.KILL) process.stopSignal = 0;
}

/** Ends a wait that `signal` interrupts; whether this thread takes the signal. */
function wakeForSignal(kernel: Kernel, thread: Thread, sent: { readonly signal: number; readonly pending: PendingSignals }): boolean {
  const { signal, pending } = sent;
  const { wait } = thread;
  if (wait.kind === 'signal-set' && (wait.set & bitOf(signal)) !== 0n) {
    const info = takeSignal(thread.process, pending, signal);
    if (wait.info !== 0 && info !== undefined) thread.process.memory.write(wait.info, encodeSignalInfo(info));
    finishWait(thread, signal);
    return true;
  }
  if ((thread.mask & bitOf(signal)) !== 0n) return false;
  if (thread.process.actions.isIgnored(signal)) return false;
  if (wait.kind === 'none' || wait.kind === 'vfork') return true;
  const action = thread.process.actions.get(signal);
  if (action.handler === SIG_DFL && STOPPING.has(signal)) stopInWait(kernel, thread, sent);
  else interruptWait(kernel, thread, action);
  return true;
}

/** Stops the process of a thread that waits. No handler runs, so the call goes on waiting (Linux issues it again when the process is continued); sigwait ends. */
function stopInWait(kernel: Kernel, thread: Thread, { signal, pending }: { readonly signal: number; readonly pending: PendingSignals }): void {
  pending.take(signal);
  if (thread.wait.kind === 'signal-set') finishWait(thread, -ERRNO.EINTR);
  kernel.stopProcess(thread.process, signal);
}

/** The result of the call that the thread waits in; it gets it when it is on the processor again. */
export function finishWait(thread: Thread, result: number): void {
  thread.wait = NOT_WAITING;
  thread.retryDeadline = undefined;
  thread.wakeResult = result;
}

function interruptWait(kernel: Kernel, thread: Thread, action: SignalAction): void {
  const { wait } = thread;
  if (wait.kind === 'retry' && action.handler !== SIG_DFL && thread.savedMask === undefined) {
    // As on Linux a call that has something to answer answers it, although a signal came as well: a child that has ended, bytes in a pipe.
    thread.wait = { ...wait, isReady: true, isInterrupted: true };
    return;
  }
  if (wait.kind === 'sleep' && wait.remainder !== 0) {
    const left = wait.deadline - kernel.clock.hidden;
    writeTimespec(thread.process.memory, wait.remainder, left > 0n ? left : 0n);
  }
  if (wait.kind === 'retry') tellInterrupted(kernel, thread);
  const isRestartable = (wait.kind === 'retry' && wait.isRestarted) || (wait.kind === 'futex' && wait.deadline === undefined);
  thread.wait = NOT_WAITING;
  // Without a result the call is issued again after the handler: the program counter is still at it.
  if (!(isRestartable && (action.flags & SA.RESTART) !== 0)) thread.wakeResult = -ERRNO.EINTR;
}

/** A signal from an instruction: blocked or ignored ones take the default action. */
export function forceSignal(thread: Thread, info: SignalInfo): void {
  const { actions } = thread.process;
  if ((thread.mask & bitOf(info.signal)) !== 0n || actions.get(info.signal).handler === SIG_IGN) {
    actions.reset(info.signal);
    thread.mask &= ~bitOf(info.signal);
  }
  thread.pending.drop(info.signal);
  thread.pending.add(info);
}

/** Takes the next signal that the thread does not block. */
function nextSignal(thread: Thread): SignalInfo | undefined {
  const { pending, process, mask } = thread;
  const own = pending.next(mask);
  if (own !== 0) return takeSignal(process, pending, own);
  const shared = process.pending.next(mask);
  return shared === 0 ? undefined : takeSignal(process, process.pending, shared);
}

/** Takes the oldest entry of a signal. With a timer's its overruns become what timer_getoverrun tells. */
export function takeSignal(process: Process, pending: PendingSignals, signal: number): SignalInfo | undefined {
  const info = pending.take(signal);
  const timer = info?.form === 'timer' ? process.timers.find(({ id }) => id === info.pid) : undefined;
  if (timer !== undefined) timer.overrun = info!.uid;
  return info;
}

/** Delivers everything deliverable to the thread on the processor. The process may be over afterwards. */
export function deliverSignals(kernel: Kernel, thread: Thread): void {
  const { process } = thread;
  for (let info = nextSignal(thread); info !== undefined && !process.isOver; info = nextSignal(thread)) {
    const action = process.actions.get(info.signal);
    if (process.actions.isIgnored(info.signal)) continue;
    if (action.handler === SIG_DFL && STOPPING.has(info.signal)) {
      kernel.stopProcess(process, info.signal);
      continue;
    }
    if (action.handler === SIG_DFL) {
      kernel.endProcess(process, { kind: 'killed', signal: info.signal });
      return;
    }
    if (enterHandler(thread, info, action)) continue;
    // The frame does not fit on the stack: SIGSEGV, fatal when it was SIGSEGV's own frame.
    if (info.signal === SIGNAL.SEGV) process.actions.reset(SIGNAL.SEGV);
    forceSignal(thread, { signal: SIGNAL.SEGV, code: SI.KERNEL, pid: 0, uid: 0, value: 0n, form: 'kill' });
  }
  if (thread.savedMask !== undefined) {
    thread.mask = thread.savedMask;
    thread.savedMask = undefined;
  }
}

function enterHandler(thread: Thread, info: SignalInfo, action: SignalAction): boolean {
  const { process } = thread;
  const { cpu } = process;
  const { abi } = cpu.isa;
  const stackPointer = Number(abi.stackPointer(cpu.state));
  const stack = thread.alternateStack;
  const usesAlternate = (action.flags & SA.ONSTACK) !== 0 && (stack.flags & SS_DISABLE) === 0;
  const top = usesAlternate && !isOnStack(stack, stackPointer) ? stack.address + stack.size : stackPointer;
  process.space.growStack(top - FRAME_BYTES_MAX);
  const frame = pushFrame(process.memory, top, {
    info, mask: thread.savedMask ?? thread.mask, stack, stackPointer, machineBytes: abi.signalContextBytes, saveMachine: (bytes) => abi.saveContext(cpu.state, bytes),
  });
  if (frame === undefined) return false;
  if (isOnStack(stack, stackPointer) && frame.address <= stack.address) return false;
  abi.enterHandler(cpu.state, {
    handler: action.handler, signal: info.signal, siginfo: frame.address, context: frame.context,
    stackPointer: frame.address, returnAddress: process.image.signalReturnAddress,
  });
  if ((action.flags & SA.RESETHAND) !== 0) process.actions.reset(info.signal);
  thread.mask = (thread.mask | action.mask | ((action.flags & SA.NODEFER) !== 0 ? 0n : bitOf(info.signal))) & ~UNBLOCKABLE;
  thread.savedMask = undefined;
  if ((stack.flags & SS_AUTODISARM) !== 0) thread.alternateStack = { address: 0, size: 0, flags: SS_DISABLE };
  return true;
}
