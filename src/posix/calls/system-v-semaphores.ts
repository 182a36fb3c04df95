/**
 * semget, semop, semtimedop, semctl. All operations of a call happen, or none.
 *
 *   struct sembuf: number(2) operation(2) flags(2)
 *   struct semid_ds: ipc_perm(48) otime(8) ctime(8) nsems(8) unused(16): 88 bytes
 *
 * Invariants: a call that waits has no effect; a set that is removed wakes its waiters with EIDRM. Waiters are tried again in the scheduler's order.
 */
import { BLOCKED, type Call, type CallResult } from '../call.ts';
import { ERRNO } from '../errno.ts';
import { finishWait } from '../signal-delivery.ts';
import type { SemaphoreSet } from '../system-v.ts';
import type { CallEntry } from './entry.ts';
import { getObject, IPC, mayUse, owns, PERMISSION_BYTES, putPermission, secondsNow, takePermission, waitersOn } from './system-v-common.ts';
import { readTimespec } from './timespec.ts';

const STATUS_BYTES = 88;
const SEM = { UNDO: 0x1000, GETPID: 11, GETVAL: 12, GETALL: 13, GETNCNT: 14, GETZCNT: 15, SETVAL: 16, SETALL: 17, STAT: 18, INFO: 19, STAT_ANY: 20 } as const;
const OPERATION_BYTES = 6;
/** SEMMNI, SEMMSL, SEMOPM and SEMVMX of Linux. */
const SETS_MAX = 32_000;
const SET_SIZE_MAX = 32_000;
const OPERATIONS_MAX = 500;
const VALUE_MAX = 32_767;
const CALLS = { SEMTIMEDOP: 192, SEMOP: 193 } as const;

interface Operation { readonly index: number; readonly amount: number; readonly flags: number }

function semget(call: Call): CallResult {
  const [key, count, flags] = [call.int(0), call.int(1), call.unsigned(2)];
  if (count < 0 || count > SET_SIZE_MAX) return -ERRNO.EINVAL;
  const { systemV } = call.kernel;
  return getObject(call, systemV.sets, {
    key, flags, countMax: SETS_MAX, check: (set) => (count > set.semaphores.length ? -ERRNO.EINVAL : 0),
    make: (permission) => {
      if (count === 0) return -ERRNO.EINVAL;
      const id = systemV.takeId();
      systemV.sets.set(id, { id, permission, ctime: secondsNow(call), otime: 0, semaphores: Array.from({ length: count }, () => ({ value: 0, pid: 0 })) });
      return id;
    },
  });
}

function decodeOperations(bytes: Uint8Array): Operation[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  return Array.from({ length: bytes.length / OPERATION_BYTES }, (_, at) => ({
    index: view.getUint16(at * OPERATION_BYTES, true), amount: view.getInt16(at * OPERATION_BYTES + 2, true), flags: view.getUint16(at * OPERATION_BYTES + 4, true),
  }));
}

/** What comes of the operations: new values, an errno, or the operation that has to wait. */
function attempt(set: SemaphoreSet, operations: readonly Operation[]): { readonly values: readonly number[] } | { readonly error: number } | { readonly waits: Operation } {
  const values = set.semaphores.map(({ value }) => value);
  for (const operation of operations) {
    const value = values[operation.index]!;
    if (operation.amount === 0 ? value !== 0 : value + operation.amount < 0) return (operation.flags & IPC.NOWAIT) !== 0 ? { error: -ERRNO.EAGAIN } : { waits: operation };
    if (value + operation.amount > VALUE_MAX) return { error: -ERRNO.ERANGE };
    values[operation.index] = value + operation.amount;
  }
  return { values };
}

function operate(call: Call, timeout: bigint | undefined): CallResult {
  const [id, count] = [call.int(0), call.size(2)];
  const { systemV, clock } = call.kernel;
  if (count < 1 || id < 0) return -ERRNO.EINVAL;
  if (count > OPERATIONS_MAX) return -ERRNO.E2BIG;
  const bytes = call.memory.readable(call.size(1), count * OPERATION_BYTES);
  if (bytes === undefined) return -ERRNO.EFAULT;
  const operations = decodeOperations(bytes);
  const set = systemV.sets.get(id);
  if (set === undefined) return -ERRNO.EINVAL;
  if (operations.some(({ index }) => index >= set.semaphores.length)) return -ERRNO.EFBIG;
  if (!mayUse(call, set.permission, operations.some(({ amount }) => amount !== 0) ? 2 : 4)) return -ERRNO.EACCES;
  const outcome = attempt(set, operations);
  if ('error' in outcome) return outcome.error;
  if ('waits' in outcome) {
    if (timeout === undefined) return BLOCKED;
    call.thread.retryDeadline ??= clock.hidden + timeout;
    return clock.hidden >= call.thread.retryDeadline ? -ERRNO.EAGAIN : BLOCKED;
  }
  for (const { index, amount, flags } of operations) {
    set.semaphores[index]!.pid = call.process.pid;
    if ((flags & SEM.UNDO) !== 0 && amount !== 0) systemV.debtOf(call.process.pid, set)[index]! -= amount;
  }
  outcome.values.forEach((value, index) => { set.semaphores[index]!.value = value; });
  set.otime = secondsNow(call);
  return 0;
}

function semtimedop(call: Call): CallResult {
  const address = call.size(3);
  if (address === 0) return operate(call, undefined);
  const timeout = readTimespec(call.memory, address);
  return typeof timeout === 'number' ? timeout : operate(call, timeout);
}

/** How many wait for a value to grow, or to become zero. */
function countWaiters(call: Call, set: SemaphoreSet, wanted: { readonly index: number; readonly isForZero: boolean }): number {
  const waiters = waitersOn(call, set.id, [CALLS.SEMTIMEDOP, CALLS.SEMOP]);
  return waiters.filter(({ thread, argument }) => {
    const bytes = thread.process.memory.readable(argument(1), argument(2) * OPERATION_BYTES);
    const outcome = bytes === undefined ? undefined : attempt(set, decodeOperations(bytes));
    return outcome !== undefined && 'waits' in outcome && outcome.waits.index === wanted.index && (outcome.waits.amount === 0) === wanted.isForZero;
  }).length;
}

/** Commands on one semaphore. */
function controlOne(call: Call, set: SemaphoreSet, command: number): CallResult {
  const index = call.int(1);
  const semaphore = set.semaphores[index];
  if (semaphore === undefined) return -ERRNO.EINVAL;
  if (!mayUse(call, set.permission, command === SEM.SETVAL ? 2 : 4)) return -ERRNO.EACCES;
  switch (command) {
    case SEM.GETVAL: return semaphore.value;
    case SEM.GETPID: return semaphore.pid;
    case SEM.GETNCNT: return countWaiters(call, set, { index, isForZero: false });
    case SEM.GETZCNT: return countWaiters(call, set, { index, isForZero: true });
    default: {
      const value = call.int(3);
      if (value < 0 || value > VALUE_MAX) return -ERRNO.ERANGE;
      semaphore.value = value;
      semaphore.pid = call.process.pid;
      set.ctime = secondsNow(call);
      call.kernel.systemV.forgive(set.id, index);
      return 0;
    }
  }
}

function allValues(call: Call, set: SemaphoreSet, command: number): CallResult {
  if (!mayUse(call, set.permission, command === SEM.SETALL ? 2 : 4)) return -ERRNO.EACCES;
  const count = set.semaphores.length;
  if (command === SEM.GETALL) {
    const view = new DataView(new ArrayBuffer(count * 2));
    set.semaphores.forEach(({ value }, index) => { view.setUint16(index * 2, value, true); });
    return call.memory.write(call.size(3), new Uint8Array(view.buffer)) ? 0 : -ERRNO.EFAULT;
  }
  const bytes = call.memory.readable(call.size(3), count * 2);
  if (bytes === undefined) return -ERRNO.EFAULT;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const values = set.semaphores.map((_, index) => view.getUint16(index * 2, true));
  if (values.some((value) => value > VALUE_MAX)) return -ERRNO.ERANGE;
  set.semaphores.forEach((semaphore, index) => {
    semaphore.value = values[index]!;
    semaphore.pid = call.process.pid;
  });
  set.ctime = secondsNow(call);
  set.semaphores.forEach((_, index) => { call.kernel.systemV.forgive(set.id, index); });
  return 0;
}

function status(call: Call, set: SemaphoreSet): number {
  if (!mayUse(call, set.permission, 4)) return -ERRNO.EACCES;
  const view = new DataView(new ArrayBuffer(STATUS_BYTES));
  putPermission(view, set.permission);
  [set.otime, set.ctime, set.semaphores.length].forEach((value, index) => { view.setBigInt64(PERMISSION_BYTES + index * 8, BigInt(value), true); });
  return call.memory.write(call.size(3), new Uint8Array(view.buffer)) ? 0 : -ERRNO.EFAULT;
}

/** struct seminfo: map mni mns mnu msl opm ume usz vmx aem; SEM_INFO has what is used in usz and aem. */
function information(call: Call, command: number): CallResult {
  const { sets } = call.kernel.systemV;
  const isUsage = command === SEM.INFO;
  const semaphores = [...sets.values()].reduce((sum, set) => sum + set.semaphores.length, 0);
  const view = new DataView(new ArrayBuffer(40));
  [1_024_000_000, SETS_MAX, 1_024_000_000, 1_024_000_000, SET_SIZE_MAX, OPERATIONS_MAX, OPERATIONS_MAX, isUsage ? sets.size : 20, VALUE_MAX, isUsage ? semaphores : VALUE_MAX].forEach((word, index) => { view.setInt32(index * 4, word, true); });
  return call.memory.write(call.size(3), new Uint8Array(view.buffer)) ? Math.max(0, sets.size - 1) : -ERRNO.EFAULT;
}

function semctl(call: Call): CallResult {
  const [id, command] = [call.int(0), call.unsigned(2)];
  const { systemV } = call.kernel;
  if (command === IPC.INFO || command === SEM.INFO) return information(call, command);
  const set = command === SEM.STAT || command === SEM.STAT_ANY ? [...systemV.sets.values()][id] : systemV.sets.get(id);
  if (set === undefined) return -ERRNO.EINVAL;
  switch (command) {
    case SEM.GETALL:
    case SEM.SETALL: return allValues(call, set, command);
    case SEM.GETPID:
    case SEM.GETVAL:
    case SEM.GETNCNT:
    case SEM.GETZCNT:
    case SEM.SETVAL: return controlOne(call, set, command);
    case IPC.STAT: return status(call, set);
    case SEM.STAT:
    case SEM.STAT_ANY: {
      const answer = status(call, set);
      return answer < 0 ? answer : set.id;
    }
    case IPC.SET:
    case IPC.RMID: {
      if (!owns(call, set.permission)) return -ERRNO.EPERM;
      if (command === IPC.SET) {
        const answer = takePermission(call, call.size(3), set.permission);
        if (answer === 0) set.ctime = secondsNow(call);
        return answer;
      }
      systemV.sets.delete(id);
      systemV.forgive(id);
      for (const { thread } of waitersOn(call, id, [CALLS.SEMTIMEDOP, CALLS.SEMOP])) finishWait(thread, -ERRNO.EIDRM);
      return 0;
    }
    default: return -ERRNO.EINVAL;
  }
}

export const systemVSemaphoreCalls: readonly CallEntry[] = [
  { number: 190, name: 'semget', handle: semget },
  { number: 191, name: 'semctl', handle: semctl },
  { number: 192, name: 'semtimedop', handle: semtimedop },
  { number: 193, name: 'semop', handle: (call) => operate(call, undefined) },
];
