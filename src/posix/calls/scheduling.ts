/**
 * The calls about scheduling policies and processors: there is one processor, a policy that was set is told and nothing else, and asking for a real-time
 * policy needs rights that nobody has here. Arguments are checked as Linux checks them, in its order.
 * What this does NOT do: schedule (scheduler.ts).
 */
import type { Call, CallResult } from '../call.ts';
import { ERRNO } from '../errno.ts';
import { maySignal } from '../files/identity.ts';
import { INIT } from '../proc-process.ts';
import { SCHED_RESET_ON_FORK, type Thread } from '../thread.ts';
import type { CallEntry } from './entry.ts';

const POLICY = { OTHER: 0, FIFO: 1, RR: 2, BATCH: 3, IDLE: 5, DEADLINE: 6 } as const;
const REAL_TIME = { min: 1, max: 99 } as const;
/** struct sched_attr of its first version, and the one with the clamps of utilisation. */
const ATTR_BYTES_FIRST = 48;
const ATTR_BYTES = 56;
const ATTR_FLAGS_OFFSET = 8;
const FLAG_RESET_ON_FORK = 1;
const ATTR_NICE_OFFSET = 16;
const ATTR_PRIORITY_OFFSET = 20;
const PAGE_BYTES = 4096;
const NICE = { min: -20, max: 19 } as const;
/** What Linux tells of an ordinary thread. */
const SLICE_NANOSECONDS = 4_000_000n;

/** The thread that the first argument names, 0 for the caller; -ESRCH, or -EINVAL for negative numbers where the call says so. */
function threadArgument(call: Call, how: { readonly refusesNegative: boolean }): Thread | number {
  const tid = call.int(0);
  if (tid < 0 && how.refusesNegative) return -ERRNO.EINVAL;
  if (tid === 0) return call.thread;
  // Init is outside, and scheduled like anybody else: looked at it is the caller's equal, changed it must not be (mayChange).
  return tid === INIT ? call.thread : call.kernel.findThread(tid) ?? -ERRNO.ESRCH;
}

function mayChange(call: Call, thread: Thread): boolean {
  return call.int(0) !== INIT && maySignal(call.process.files.identity, thread.process.files.identity);
}

function getAffinity(call: Call): CallResult {
  const size = call.unsigned(1);
  if (size < 8 || size % 8 !== 0) return -ERRNO.EINVAL;
  const thread = threadArgument(call, { refusesNegative: false });
  if (typeof thread === 'number') return thread;
  return call.memory.write(call.size(2), Uint8Array.of(1, 0, 0, 0, 0, 0, 0, 0)) ? 8 : -ERRNO.EFAULT;
}

function setAffinity(call: Call): CallResult {
  const mask = call.memory.readable(call.size(2), Math.min(8, call.unsigned(1)));
  if (mask === undefined) return -ERRNO.EFAULT;
  const thread = threadArgument(call, { refusesNegative: false });
  if (typeof thread === 'number') return thread;
  if (!mayChange(call, thread)) return -ERRNO.EPERM;
  return ((mask[0] ?? 0) & 1) === 0 ? -ERRNO.EINVAL : 0;
}

function getParameter(call: Call): CallResult {
  const thread = call.size(1) === 0 ? -ERRNO.EINVAL : threadArgument(call, { refusesNegative: true });
  if (typeof thread === 'number') return thread;
  return call.memory.writeU32(call.size(1), 0) ? 0 : -ERRNO.EFAULT;
}

/** `policy` undefined: the one that the thread has. */
function setParameter(call: Call, policy: number | undefined, address: number): CallResult {
  if (address === 0 || call.int(0) < 0 || (policy ?? 0) < 0) return -ERRNO.EINVAL;
  const priority = call.memory.readU32(address);
  if (priority === undefined) return -ERRNO.EFAULT;
  const thread = threadArgument(call, { refusesNegative: true });
  if (typeof thread === 'number') return thread;
  const answer = checkChange(call, thread, { policy: policy ?? thread.policy, priority });
  if (answer === 0) thread.policy = policy ?? thread.policy;
  return answer;
}

/** 0 where the caller may give the thread this policy. Leaving SCHED_IDLE, and no longer being reset on fork, are for a privileged user. */
function checkChange(call: Call, thread: Thread, wanted: { readonly policy: number; readonly priority: number }): number {
  const policy = wanted.policy & ~SCHED_RESET_ON_FORK;
  const isRealTime = policy === POLICY.FIFO || policy === POLICY.RR;
  if (!isRealTime && policy !== POLICY.OTHER && policy !== POLICY.BATCH && policy !== POLICY.IDLE) return -ERRNO.EINVAL;
  const { priority } = wanted;
  if (isRealTime ? priority < REAL_TIME.min || priority > REAL_TIME.max : priority !== 0) return -ERRNO.EINVAL;
  if (isRealTime || !mayChange(call, thread)) return -ERRNO.EPERM;
  const leaves = ((thread.policy & ~SCHED_RESET_ON_FORK) === POLICY.IDLE && policy !== POLICY.IDLE) || (thread.policy & ~wanted.policy & SCHED_RESET_ON_FORK) !== 0;
  return leaves && call.process.files.credentials.uid !== 0 ? -ERRNO.EPERM : 0;
}

function getScheduler(call: Call): CallResult {
  const thread = threadArgument(call, { refusesNegative: true });
  return typeof thread === 'number' ? thread : thread.policy;
}

function interval(call: Call): CallResult {
  const thread = threadArgument(call, { refusesNegative: true });
  if (typeof thread === 'number') return thread;
  const isWritten = call.memory.writable(call.size(1), 16) !== undefined && call.memory.writeU64(call.size(1), 0n) && call.memory.writeU64(call.size(1) + 8, SLICE_NANOSECONDS);
  return isWritten ? 0 : -ERRNO.EFAULT;
}

function getAttributes(call: Call): CallResult {
  const [address, size, flags] = [call.size(1), call.unsigned(2), call.unsigned(3)];
  if (address === 0 || size > PAGE_BYTES || size < ATTR_BYTES_FIRST || flags !== 0) return -ERRNO.EINVAL;
  const thread = threadArgument(call, { refusesNegative: true });
  if (typeof thread === 'number') return thread;
  const bytes = new Uint8Array(size);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, Math.min(size, ATTR_BYTES), true);
  view.setUint32(4, thread.policy & ~SCHED_RESET_ON_FORK, true);
  view.setUint32(ATTR_FLAGS_OFFSET, (thread.policy & SCHED_RESET_ON_FORK) === 0 ? 0 : FLAG_RESET_ON_FORK, true);
  view.setInt32(ATTR_NICE_OFFSET, thread.process.nice, true);
  if (size >= ATTR_BYTES) view.setUint32(ATTR_BYTES - 4, 1024, true); // The upper clamp of utilisation: none.
  return call.memory.write(address, bytes) ? 0 : -ERRNO.EFAULT;
}

function setAttributes(call: Call): CallResult {
  const address = call.size(1);
  if (address === 0 || call.int(0) < 0 || call.unsigned(2) !== 0) return -ERRNO.EINVAL;
  const told = call.memory.readU32(address);
  if (told === undefined) return -ERRNO.EFAULT;
  const size = told === 0 ? ATTR_BYTES_FIRST : told;
  if (size < ATTR_BYTES_FIRST || size > PAGE_BYTES) return call.memory.writeU32(address, ATTR_BYTES) ? -ERRNO.E2BIG : -ERRNO.EFAULT;
  const bytes = call.memory.readable(address, size);
  if (bytes === undefined) return -ERRNO.EFAULT;
  if (bytes.subarray(ATTR_BYTES).some((byte) => byte !== 0)) return call.memory.writeU32(address, ATTR_BYTES) ? -ERRNO.E2BIG : -ERRNO.EFAULT;
  const view = new DataView(bytes.buffer, bytes.byteOffset, size);
  const thread = threadArgument(call, { refusesNegative: true });
  if (typeof thread === 'number') return thread;
  const reset = (view.getUint32(ATTR_FLAGS_OFFSET, true) & FLAG_RESET_ON_FORK) === 0 ? 0 : SCHED_RESET_ON_FORK;
  const [policy, nice] = [view.getInt32(4, true) | reset, Math.min(NICE.max, Math.max(NICE.min, view.getInt32(ATTR_NICE_OFFSET, true)))];
  if ((policy & ~SCHED_RESET_ON_FORK) === POLICY.DEADLINE) return -ERRNO.EPERM;
  const answer = checkChange(call, thread, { policy, priority: view.getUint32(ATTR_PRIORITY_OFFSET, true) });
  if (answer < 0) return answer;
  if (nice < thread.process.nice && call.process.files.credentials.uid !== 0) return -ERRNO.EPERM;
  thread.process.nice = nice;
  thread.policy = policy;
  return 0;
}

function priorityLimit(of: 'max' | 'min'): (call: Call) => CallResult {
  return (call) => {
    const policy = call.int(0);
    if (policy === POLICY.FIFO || policy === POLICY.RR) return REAL_TIME[of];
    return policy === POLICY.OTHER || policy === POLICY.BATCH || policy === POLICY.IDLE || policy === POLICY.DEADLINE ? 0 : -ERRNO.EINVAL;
  };
}

export const schedulingCalls: readonly CallEntry[] = [
  { number: 118, name: 'sched_setparam', handle: (call) => setParameter(call, undefined, call.size(1)) },
  { number: 119, name: 'sched_setscheduler', handle: (call) => setParameter(call, call.int(1), call.size(2)) },
  { number: 120, name: 'sched_getscheduler', handle: getScheduler },
  { number: 121, name: 'sched_getparam', handle: getParameter },
  { number: 122, name: 'sched_setaffinity', handle: setAffinity },
  { number: 123, name: 'sched_getaffinity', handle: getAffinity },
  { number: 125, name: 'sched_get_priority_max', handle: priorityLimit('max') },
  { number: 126, name: 'sched_get_priority_min', handle: priorityLimit('min') },
  { number: 127, name: 'sched_rr_get_interval', handle: interval },
  { number: 274, name: 'sched_setattr', handle: setAttributes },
  { number: 275, name: 'sched_getattr', handle: getAttributes },
];
