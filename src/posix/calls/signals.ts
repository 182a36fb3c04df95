/**
 * The calls about signals: actions, masks, stacks, sending, waiting, and the return from a handler.
 * Sets are 8 bytes (sigsetsize), as every 64-bit Linux has them. What this does NOT do: deliver (signal-delivery.ts).
 */
import { NO_RESULT, type Call, type CallResult } from '../call.ts';
import { ERRNO } from '../errno.ts';
import { isPrivileged, maySignal } from '../files/identity.ts';
import { INIT_PID } from '../orphans.ts';
import type { Process } from '../process.ts';
import { bitOf, SI, SIGNAL, SIGNALS_MAX, UNBLOCKABLE } from '../signal-actions.ts';
import { forceSignal, sendSignal, takeSignal } from '../signal-delivery.ts';
import { decodeSignalInfo, encodeSignalInfo, encodeStack, isOnStack, readFrame, SIGINFO_BYTES } from '../signal-frame.ts';
import type { SignalInfo } from '../signal-pending.ts';
import { SS_AUTODISARM, SS_DISABLE, SS_ONSTACK, type Thread } from '../thread.ts';
import type { CallEntry } from './entry.ts';
import { readTimespec } from './timespec.ts';

const SET_BYTES = 8;
/** struct sigaction of the kernel: handler 8, flags 8, mask 8 (no restorer on riscv). */
const ACTION_BYTES = 24;
const MINSIGSTKSZ = 2048;
const HOW = { BLOCK: 0, UNBLOCK: 1, SETMASK: 2 } as const;

function isSignal(signal: number): boolean {
  return signal >= 1 && signal <= SIGNALS_MAX;
}

function rtSigaction(call: Call): CallResult {
  const signal = call.int(0);
  const [address, oldAddress] = [call.size(1), call.size(2)];
  if (call.size(3) !== SET_BYTES || !isSignal(signal)) return -ERRNO.EINVAL;
  const { actions } = call.process;
  const old = actions.get(signal);
  const bytes = address === 0 ? undefined : call.memory.readable(address, ACTION_BYTES)?.slice();
  if (address !== 0 && bytes === undefined) return -ERRNO.EFAULT;
  if (bytes !== undefined && (signal === SIGNAL.KILL || signal === SIGNAL.STOP)) return -ERRNO.EINVAL;
  if (oldAddress !== 0) {
    const out = new Uint8Array(ACTION_BYTES);
    const view = new DataView(out.buffer);
    view.setBigUint64(0, BigInt(old.handler), true);
    view.setBigUint64(8, BigInt(old.flags), true);
    view.setBigUint64(16, old.mask, true);
    if (!call.memory.write(oldAddress, out)) return -ERRNO.EFAULT;
  }
  if (bytes === undefined) return 0;
  const view = new DataView(bytes.buffer);
  actions.set(signal, { handler: Number(view.getBigUint64(0, true)), flags: view.getUint32(8, true), mask: view.getBigUint64(16, true) & ~UNBLOCKABLE });
  if (actions.isIgnored(signal)) dropPending(call.process, signal);
  return 0;
}

/** A signal that is ignored now is pending nowhere. */
function dropPending(process: Process, signal: number): void {
  process.pending.drop(signal);
  for (const thread of process.threads) thread.pending.drop(signal);
}

function rtSigprocmask(call: Call): CallResult {
  const how = call.int(0);
  const [address, oldAddress] = [call.size(1), call.size(2)];
  if (call.size(3) !== SET_BYTES) return -ERRNO.EINVAL;
  const { thread } = call;
  const old = thread.mask;
  if (address !== 0) {
    const set = call.memory.readU64(address);
    if (set === undefined) return -ERRNO.EFAULT;
    if (how !== HOW.BLOCK && how !== HOW.UNBLOCK && how !== HOW.SETMASK) return -ERRNO.EINVAL;
    const next = how === HOW.BLOCK ? old | set : how === HOW.UNBLOCK ? old & ~set : set;
    if (oldAddress !== 0 && !call.memory.writeU64(oldAddress, old)) return -ERRNO.EFAULT;
    thread.mask = next & ~UNBLOCKABLE;
    return 0;
  }
  return oldAddress === 0 || call.memory.writeU64(oldAddress, old) ? 0 : -ERRNO.EFAULT;
}

function rtSigpending(call: Call): CallResult {
  if (call.size(1) > SET_BYTES) return -ERRNO.EINVAL;
  const set = (call.thread.pending.set | call.process.pending.set) & call.thread.mask;
  const bytes = new Uint8Array(SET_BYTES);
  new DataView(bytes.buffer).setBigUint64(0, set, true);
  return call.memory.write(call.size(0), bytes.subarray(0, call.size(1))) ? 0 : -ERRNO.EFAULT;
}

/** Waits with another mask; the delivered signal's frame holds the old one. */
function rtSigsuspend(call: Call): CallResult {
  if (call.size(1) !== SET_BYTES) return -ERRNO.EINVAL;
  const set = call.memory.readU64(call.size(0));
  if (set === undefined) return -ERRNO.EFAULT;
  const { thread, process } = call;
  const mask = set & ~UNBLOCKABLE;
  if (lowestIn(call, ~mask) !== 0) {
    thread.savedMask = thread.mask;
    thread.mask = mask;
    return -ERRNO.EINTR;
  }
  // Ignored signals do not end the wait; they are pending only because they were blocked.
  for (let signal = 1; signal <= SIGNALS_MAX; signal++) if ((bitOf(signal) & ~mask) !== 0n && process.actions.isIgnored(signal)) dropPending(process, signal);
  thread.savedMask = thread.mask;
  thread.mask = mask;
  thread.wait = { kind: 'signal' };
  return NO_RESULT;
}

/** The lowest pending signal of `set` whose action does something; 0: none. */
function lowestIn(call: Call, set: bigint): number {
  const pending = call.thread.pending.set | call.process.pending.set;
  for (let signal = 1; signal <= SIGNALS_MAX; signal++) {
    if ((pending & set & bitOf(signal)) !== 0n && !call.process.actions.isIgnored(signal)) return signal;
  }
  return 0;
}

function rtSigtimedwait(call: Call): CallResult {
  const [address, info, timeout] = [call.size(0), call.size(1), call.size(2)];
  if (call.size(3) !== SET_BYTES) return -ERRNO.EINVAL;
  const wanted = call.memory.readU64(address);
  if (wanted === undefined) return -ERRNO.EFAULT;
  const set = wanted & ~UNBLOCKABLE;
  const time = timeout === 0 ? undefined : readTimespec(call.memory, timeout);
  if (typeof time === 'number') return time;
  const { pending } = call.thread;
  const signal = pending.next(~set) || call.process.pending.next(~set);
  if (signal !== 0) {
    const taken = takeSignal(call.process, pending, signal) ?? takeSignal(call.process, call.process.pending, signal);
    if (info !== 0 && taken !== undefined && !call.memory.write(info, encodeSignalInfo(taken))) return -ERRNO.EFAULT;
    return signal;
  }
  if (time === 0n) return -ERRNO.EAGAIN;
  const deadline = time === undefined ? undefined : call.kernel.clock.hidden + time;
  call.thread.wait = { kind: 'signal-set', set, info, deadline };
  return NO_RESULT;
}

function sigaltstack(call: Call): CallResult {
  const [address, oldAddress] = [call.size(0), call.size(1)];
  const { thread } = call;
  const stackPointer = stackPointerOf(thread);
  const old = encodeStack(thread.alternateStack, stackPointer);
  if (address !== 0) {
    const bytes = call.memory.readable(address, 24);
    if (bytes === undefined) return -ERRNO.EFAULT;
    const view = new DataView(bytes.buffer, bytes.byteOffset, 24);
    const flags = view.getUint32(8, true);
    const size = Number(view.getBigUint64(16, true));
    const mode = (flags & ~SS_AUTODISARM) >>> 0;
    if (isOnStack(thread.alternateStack, stackPointer)) return -ERRNO.EPERM;
    if (mode !== 0 && mode !== SS_ONSTACK && mode !== SS_DISABLE) return -ERRNO.EINVAL;
    if (mode !== SS_DISABLE && size < MINSIGSTKSZ) return -ERRNO.ENOMEM;
    const autodisarm = (flags & SS_AUTODISARM) >>> 0;
    thread.alternateStack = mode === SS_DISABLE
      ? { address: 0, size: 0, flags: (SS_DISABLE | autodisarm) >>> 0 }
      : { address: Number(view.getBigUint64(0, true)), size, flags: autodisarm };
  }
  return oldAddress === 0 || call.memory.write(oldAddress, old) ? 0 : -ERRNO.EFAULT;
}

function stackPointerOf(thread: Thread): number {
  const { cpu } = thread.process;
  return Number(cpu.isa.abi.stackPointer(cpu.state));
}

function rtSigreturn(call: Call): CallResult {
  const { thread, process } = call;
  const { abi } = process.cpu.isa;
  const frame = readFrame(process.memory, stackPointerOf(thread), abi.signalContextBytes);
  if (frame === undefined) {
    forceSignal(thread, { signal: SIGNAL.SEGV, code: SI.KERNEL, pid: 0, uid: 0, value: 0n, form: 'kill' });
    return NO_RESULT;
  }
  abi.restoreContext(process.cpu.state, frame.machine);
  thread.mask = frame.mask & ~UNBLOCKABLE;
  const mode = (frame.stack.flags & ~(SS_AUTODISARM | SS_ONSTACK)) >>> 0;
  if (!isOnStack(thread.alternateStack, stackPointerOf(thread)) && (mode === 0 || mode === SS_DISABLE)) {
    thread.alternateStack = { ...frame.stack, flags: (frame.stack.flags & ~SS_ONSTACK) >>> 0 };
  }
  return NO_RESULT;
}

// Sending.

function fromCaller(call: Call, signal: number, code: number): SignalInfo {
  return { signal, code, pid: call.process.pid, uid: call.process.files.identity.real.uid, value: 0n, form: 'kill' };
}

/** What a number that `kill` takes means: a process, the caller's group (0), all others (-1), or a group below that. */
function targetsOf({ kernel, process: caller }: Call, pid: number): readonly Process[] {
  if (pid <= 0 && pid !== -1) return kernel.livingInGroup(pid === 0 ? caller.group : -pid);
  return kernel.processes.filter((process) => !process.isOver && (pid > 0 ? process.pid === pid : process !== caller));
}

function kill(call: Call): CallResult {
  const [pid, signal] = [call.int(0), call.int(1)];
  if (signal < 0 || signal > SIGNALS_MAX) return -ERRNO.EINVAL;
  const targets = targetsOf(call, pid);
  if (targets.length === 0) return pid === INIT_PID ? toInit(call) : -ERRNO.ESRCH;
  const allowed = targets.filter((process) => maySend(call, process, signal));
  if (allowed.length === 0) return pid === -1 ? 0 : -ERRNO.EPERM;
  let result = 0;
  if (signal !== 0) for (const process of allowed) result = sendSignal(call.kernel, { process }, fromCaller(call, signal, SI.USER));
  return result;
}

/** A signal to the process that is outside the machine: it has no handlers, so that it takes none even from those who may send them. */
function toInit(call: Call): number {
  return isPrivileged(call.process.files.identity) ? 0 : -ERRNO.EPERM;
}

/** As Linux decides; SIGCONT reaches everybody in the session. */
function maySend(call: Call, process: Process, signal: number): boolean {
  return maySignal(call.process.files.identity, process.files.identity) || (signal === SIGNAL.CONT && process.session === call.process.session);
}

/** tkill and tgkill: to one thread, of process `tgid` when that is given. */
function sendToThread(call: Call, target: { readonly tgid: number | undefined; readonly tid: number }, info: SignalInfo): number {
  if (info.signal < 0 || info.signal > SIGNALS_MAX || target.tid <= 0 || (target.tgid !== undefined && target.tgid <= 0)) return -ERRNO.EINVAL;
  if (target.tid === INIT_PID && (target.tgid ?? INIT_PID) === INIT_PID) return toInit(call);
  const thread = call.kernel.findThread(target.tid);
  if (thread === undefined || (target.tgid !== undefined && thread.process.pid !== target.tgid)) return -ERRNO.ESRCH;
  if (!maySend(call, thread.process, info.signal)) return -ERRNO.EPERM;
  return info.signal === 0 ? 0 : sendSignal(call.kernel, { process: thread.process, thread }, info);
}

function tkill(call: Call): CallResult {
  return sendToThread(call, { tgid: undefined, tid: call.int(0) }, fromCaller(call, call.int(1), SI.TKILL));
}

function tgkill(call: Call): CallResult {
  return sendToThread(call, { tgid: call.int(0), tid: call.int(1) }, fromCaller(call, call.int(2), SI.TKILL));
}

/** Reads the caller's siginfo; codes of the kernel may be sent to oneself only. */
function readInfo(call: Call, address: number, signal: number): SignalInfo | number {
  const bytes = call.memory.readable(address, SIGINFO_BYTES);
  return bytes === undefined ? -ERRNO.EFAULT : decodeSignalInfo(bytes, signal);
}

function rtSigqueueinfo(call: Call): CallResult {
  const [pid, signal] = [call.int(0), call.int(1)];
  const info = readInfo(call, call.size(2), signal);
  if (typeof info === 'number') return info;
  if ((info.code >= 0 || info.code === SI.TKILL) && pid !== call.process.pid) return -ERRNO.EPERM;
  const process = call.kernel.findProcess(pid);
  if (pid === INIT_PID) return toInit(call);
  if (process === undefined || process.isOver) return -ERRNO.ESRCH;
  if (signal < 0 || signal > SIGNALS_MAX) return -ERRNO.EINVAL;
  if (!maySend(call, process, signal)) return -ERRNO.EPERM;
  return signal === 0 ? 0 : sendSignal(call.kernel, { process }, info);
}

function rtTgsigqueueinfo(call: Call): CallResult {
  const info = readInfo(call, call.size(3), call.int(2));
  if (typeof info === 'number') return info;
  if ((info.code >= 0 || info.code === SI.TKILL) && call.int(0) !== call.process.pid) return -ERRNO.EPERM;
  return sendToThread(call, { tgid: call.int(0), tid: call.int(1) }, info);
}

export const signalCalls: readonly CallEntry[] = [
  { number: 129, name: 'kill', handle: kill },
  { number: 130, name: 'tkill', handle: tkill },
  { number: 131, name: 'tgkill', handle: tgkill },
  { number: 132, name: 'sigaltstack', handle: sigaltstack },
  { number: 133, name: 'rt_sigsuspend', handle: rtSigsuspend },
  { number: 134, name: 'rt_sigaction', handle: rtSigaction },
  { number: 135, name: 'rt_sigprocmask', handle: rtSigprocmask },
  { number: 136, name: 'rt_sigpending', handle: rtSigpending },
  { number: 137, name: 'rt_sigtimedwait', handle: rtSigtimedwait },
  { number: 138, name: 'rt_sigqueueinfo', handle: rtSigqueueinfo },
  { number: 139, name: 'rt_sigreturn', handle: rtSigreturn },
  { number: 240, name: 'rt_tgsigqueueinfo', handle: rtTgsigqueueinfo },
];
