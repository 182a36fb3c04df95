/**
 * Threads: clone in pthread's form, futexes, and the lists that libc registers. One processor, cooperative: a switch
 * happens when a thread waits, ends, yields, or has used its quantum (scheduler.ts).
 * Waiting for a futex that nobody can wake, with every thread waiting and no deadline, ends the run with the cap `deadlock`.
 * What this does NOT do: new processes (birth.ts), locks that hold their owner (futex-owned.ts), policies (scheduling.ts).
 */
import { NO_RESULT, type Call, type CallResult } from '../call.ts';
import { CLOCK } from '../clock.ts';
import { BLOCKED } from '../call.ts';
import { ERRNO } from '../errno.ts';
import { isTaskAllowed } from '../resource-limits.ts';
import { SS_DISABLE, Thread } from '../thread.ts';
import type { CallEntry } from './entry.ts';
import { cloneProcess } from './birth.ts';
import { CLONE, cloneArguments, readCloneArguments, startedRegisters, type CloneRequest } from './clone-flags.ts';
import { lockOwned, OWNED_CLOCK, requeueOwned, unlockOwned } from './futex-owned.ts';
import { readTimespec } from './timespec.ts';

const THREAD_FLAGS = CLONE.VM | CLONE.FS | CLONE.FILES | CLONE.SIGHAND | CLONE.THREAD;

function start(call: Call, request: CloneRequest): CallResult {
  const { flags } = request;
  if ((flags & CLONE.THREAD) === 0) return cloneProcess(call, request);
  if ((flags & THREAD_FLAGS) !== THREAD_FLAGS || (flags & CLONE.PIDFD) !== 0 || request.clearsHandlers) return -ERRNO.EINVAL;
  const { kernel, process, thread: maker } = call;
  if (!isTaskAllowed(kernel, process)) return -ERRNO.EAGAIN;
  const tid = kernel.takeId();
  if ((flags & CLONE.PARENT_SETTID) !== 0 && !call.memory.writeU32(request.parentTid, tid)) return -ERRNO.EFAULT;
  if ((flags & CLONE.CHILD_SETTID) !== 0) call.memory.writeU32(request.childTid, tid);
  const thread = new Thread(process, tid, maker.name);
  thread.mask = maker.mask;
  thread.policy = maker.inheritedPolicy;
  thread.alternateStack = { address: 0, size: 0, flags: SS_DISABLE };
  if ((flags & CLONE.CHILD_CLEARTID) !== 0) thread.clearTidAddress = request.childTid;
  thread.registers = startedRegisters(call, request);
  process.threads.push(thread);
  maker.used = 0;
  kernel.refreshSchedule();
  return tid;
}

function clone3(call: Call): CallResult {
  const request = readCloneArguments(call);
  return typeof request === 'number' ? request : start(call, request);
}

function setTidAddress(call: Call): CallResult {
  call.thread.clearTidAddress = call.size(0);
  return call.thread.tid;
}

/** struct robust_list_head. */
const ROBUST_HEAD_BYTES = 24;

function setRobustList(call: Call): CallResult {
  if (call.size(1) !== ROBUST_HEAD_BYTES) return -ERRNO.EINVAL;
  call.thread.robustList = call.size(0);
  return 0;
}

function getRobustList(call: Call): CallResult {
  const thread = call.int(0) === 0 ? call.thread : call.kernel.findThread(call.int(0));
  if (thread === undefined) return -ERRNO.ESRCH;
  const isWritten = call.memory.writeU64(call.size(1), BigInt(thread.robustList)) && call.memory.writeU64(call.size(2), BigInt(ROBUST_HEAD_BYTES));
  return isWritten ? 0 : -ERRNO.EFAULT;
}

const FUTEX = { WAIT: 0, WAKE: 1, REQUEUE: 3, CMP_REQUEUE: 4, WAKE_OP: 5, LOCK_PI: 6, UNLOCK_PI: 7, TRYLOCK_PI: 8, WAIT_BITSET: 9, WAKE_BITSET: 10, WAIT_REQUEUE_PI: 11, CMP_REQUEUE_PI: 12, LOCK_PI2: 13, PRIVATE: 128, REALTIME: 256 } as const;
/** Calls whose time-out may be one of CLOCK_REALTIME. */
const KNOW_REALTIME: readonly number[] = [FUTEX.WAIT_BITSET, FUTEX.WAIT_REQUEUE_PI, FUTEX.LOCK_PI2];
const ANY_BITS = -1;

function futex(call: Call): CallResult {
  const operation = call.int(1) & ~(FUTEX.PRIVATE | FUTEX.REALTIME);
  const isPrivate = (call.int(1) & FUTEX.PRIVATE) !== 0;
  if ((call.int(1) & FUTEX.REALTIME) !== 0 && !KNOW_REALTIME.includes(operation)) return -ERRNO.ENOSYS;
  const address = call.size(0);
  if (address % 4 !== 0) return -ERRNO.EINVAL;
  const bits = operation === FUTEX.WAIT_BITSET || operation === FUTEX.WAKE_BITSET ? call.int(5) : ANY_BITS;
  if (bits === 0) return -ERRNO.EINVAL;
  switch (operation) {
    case FUTEX.WAIT:
    case FUTEX.WAIT_BITSET: return futexWait(call, address, { bits, isAbsolute: operation === FUTEX.WAIT_BITSET });
    case FUTEX.WAKE:
    case FUTEX.WAKE_BITSET: return call.kernel.wakeFutex(call.process, { address, count: Math.max(1, call.int(2)), bits, isPrivate });
    case FUTEX.REQUEUE:
    case FUTEX.CMP_REQUEUE: return futexRequeue(call, address, operation === FUTEX.CMP_REQUEUE);
    case FUTEX.WAKE_OP: return futexWakeOp(call, address);
    case FUTEX.LOCK_PI: return lockOwned(call, { address, isPrivate }, { isTry: false, clock: OWNED_CLOCK.realtime });
    case FUTEX.LOCK_PI2: return lockOwned(call, { address, isPrivate }, { isTry: false, clock: (call.int(1) & FUTEX.REALTIME) !== 0 ? OWNED_CLOCK.realtime : OWNED_CLOCK.monotonic });
    case FUTEX.TRYLOCK_PI: return lockOwned(call, { address, isPrivate }, { isTry: true, clock: OWNED_CLOCK.realtime });
    case FUTEX.UNLOCK_PI: return unlockOwned(call, { address, isPrivate });
    case FUTEX.WAIT_REQUEUE_PI: return call.size(4) % 4 !== 0 || call.size(4) === address ? -ERRNO.EINVAL : futexWait(call, address, { bits: 0, isAbsolute: true });
    case FUTEX.CMP_REQUEUE_PI: return requeueOwned(call, { from: address, to: call.size(4), isPrivate });
    default: return -ERRNO.ENOSYS;
  }
}

function futexWait(call: Call, address: number, how: { readonly bits: number; readonly isAbsolute: boolean }): CallResult {
  const value = call.memory.readU32(address);
  if (value === undefined) return -ERRNO.EFAULT;
  const time = call.size(3) === 0 ? undefined : readTimespec(call.memory, call.size(3));
  if (typeof time === 'number') return time;
  if (value !== call.unsigned(2)) return -ERRNO.EAGAIN;
  let deadline = time === undefined ? undefined : call.kernel.clock.hidden + time;
  if (time !== undefined && how.isAbsolute) {
    const now = call.kernel.clock.read((call.int(1) & FUTEX.REALTIME) !== 0 ? CLOCK.REALTIME : CLOCK.MONOTONIC);
    if (now === undefined) return BLOCKED;
    deadline = call.kernel.clock.hidden + (time > now ? time - now : 0n);
  }
  const isPrivate = (call.int(1) & FUTEX.PRIVATE) !== 0;
  call.thread.wait = { kind: 'futex', ...call.kernel.futexWord(call.process, address, isPrivate), bits: how.bits, deadline };
  call.thread.waitOrder = ++call.kernel.waitCount;
  return NO_RESULT;
}

/** Wakes some waiters and moves others to a second address without waking them. */
function futexRequeue(call: Call, address: number, isCompared: boolean): CallResult {
  const [wakeCount, moveCount, target] = [call.int(2), call.int(3), call.size(4)];
  if (wakeCount < 0 || moveCount < 0) return -ERRNO.EINVAL;
  const value = call.memory.readU32(address);
  if (value === undefined) return -ERRNO.EFAULT;
  if (isCompared && value !== call.unsigned(5)) return -ERRNO.EAGAIN;
  const isPrivate = (call.int(1) & FUTEX.PRIVATE) !== 0;
  const { kernel, process } = call;
  const woken = wakeCount === 0 ? 0 : kernel.wakeFutex(process, { address, count: wakeCount, bits: ANY_BITS, isPrivate });
  const moved = kernel.futexWaiters(process, kernel.futexWord(process, address, isPrivate)).slice(0, moveCount);
  for (const thread of moved) {
    if (thread.wait.kind === 'futex') thread.wait = { ...thread.wait, ...kernel.futexWord(process, target, isPrivate) };
    thread.waitOrder = ++call.kernel.waitCount;
  }
  return isCompared ? woken + moved.length : woken;
}

/** FUTEX_WAKE_OP: changes a word, wakes at one address, and at the word's when its old value compares. */
function futexWakeOp(call: Call, address: number): CallResult {
  const second = call.size(4);
  const code = call.int(5);
  const old = call.memory.readU32(second);
  if (old === undefined) return -ERRNO.EFAULT;
  const signed = (value: number): number => (value << 20) >> 20;
  const shift = signed(code >> 12);
  const operand = (code & 0x8000_0000) !== 0 ? 1 << (shift & 31) : shift;
  const changed = [operand, old + operand, old | operand, old & ~operand, old ^ operand][(code >>> 28) & 7];
  if (changed === undefined) return -ERRNO.ENOSYS;
  if (!call.memory.writeU32(second, changed >>> 0)) return -ERRNO.EFAULT;
  const [left, right] = [old | 0, signed(code)];
  const holds = [left === right, left !== right, left < right, left <= right, left > right, left >= right][(code >>> 24) & 15];
  if (holds === undefined) return -ERRNO.ENOSYS;
  const isPrivate = (call.int(1) & FUTEX.PRIVATE) !== 0;
  const woken = call.kernel.wakeFutex(call.process, { address, count: Math.max(1, call.int(2)), bits: ANY_BITS, isPrivate });
  return woken + (holds ? call.kernel.wakeFutex(call.process, { address: second, count: Math.max(1, call.int(3)), bits: ANY_BITS, isPrivate }) : 0);
}

/** Gives the processor to the next thread: as if the quantum were used. */
function schedYield(call: Call): CallResult {
  call.thread.used = call.kernel.schedule.quantum;
  return 0;
}

export const threadCalls: readonly CallEntry[] = [
  { number: 96, name: 'set_tid_address', handle: setTidAddress },
  { number: 98, name: 'futex', handle: futex },
  { number: 99, name: 'set_robust_list', handle: setRobustList },
  { number: 100, name: 'get_robust_list', handle: getRobustList },
  { number: 124, name: 'sched_yield', handle: schedYield },
  { number: 220, name: 'clone', handle: (call) => start(call, cloneArguments(call)) },
  { number: 435, name: 'clone3', handle: clone3 },
];
