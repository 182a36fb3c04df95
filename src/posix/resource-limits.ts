/**
 * Resource limits of a process: those it has set, and what holds before it sets any.
 * What this does NOT do: enforce them (descriptors, births, memory, files that grow), but for the question whether there may be more.
 */
import { limits } from '../core/index.ts';
import { stackSize } from './boot.ts';
import { ERRNO } from './errno.ts';
import { TASKS_MAX, type Kernel } from './kernel.ts';
import { PROT, type Mapping } from './memory-map.ts';
import type { Process } from './process.ts';
import { SIGNALS_QUEUED_MAX } from './signal-pending.ts';

export const INFINITE: bigint = 2n ** 64n - 1n;
export const RLIMIT = { CPU: 0, FSIZE: 1, DATA: 2, STACK: 3, CORE: 4, RSS: 5, NPROC: 6, NOFILE: 7, MEMLOCK: 8, AS: 9, LOCKS: 10, SIGPENDING: 11, MSGQUEUE: 12, NICE: 13, RTPRIO: 14, RTTIME: 15 } as const;

/** Soft and hard limit now; undefined: no such resource. */
export function limitOf(kernel: Kernel, process: Process, resource: number): readonly [bigint, bigint] | undefined {
  const set = process.limits.get(resource);
  if (set !== undefined) return set;
  switch (resource) {
    case RLIMIT.STACK: return [BigInt(stackSize(kernel.account.memoryBytes)), INFINITE];
    case RLIMIT.CORE: return [0n, INFINITE];
    case RLIMIT.NPROC: return [BigInt(TASKS_MAX), BigInt(TASKS_MAX)];
    case RLIMIT.NOFILE: return [BigInt(process.files.descriptors.limit), BigInt(limits.DESCRIPTORS_MAX)];
    case RLIMIT.SIGPENDING: return [BigInt(SIGNALS_QUEUED_MAX), BigInt(SIGNALS_QUEUED_MAX)];
    case RLIMIT.MSGQUEUE: return [819_200n, 819_200n];
    case RLIMIT.NICE:
    case RLIMIT.RTPRIO: return [0n, 0n];
    default: return resource >= 0 && resource <= RLIMIT.RTTIME ? [INFINITE, INFINITE] : undefined;
  }
}

/** Bytes that files may grow to by this process; undefined: it has set no limit. */
export function fileSizeLimit(process: Process): number | undefined {
  const soft = process.limits.get(RLIMIT.FSIZE)?.[0];
  return soft === undefined || soft === INFINITE ? undefined : Number(soft);
}

/** The soft limit that a process has set; undefined: none. */
function softLimit(process: Process, resource: number): number | undefined {
  const soft = process.limits.get(resource)?.[0];
  return soft === undefined || soft === INFINITE ? undefined : Number(soft);
}

/** Memory that counts as data: private, to be written, and not the stack. */
export function isData({ isShared, protection, name }: Pick<Mapping, 'isShared' | 'protection' | 'name'>): boolean {
  return !isShared && (protection & PROT.write) !== 0 && name !== '[stack]';
}

/** Bytes of mappings. */
export function sizeOf(mappings: readonly Mapping[]): number {
  return mappings.reduce((sum, { start, end }) => sum + end - start, 0);
}

/**
 * Whether `bytes` more of such memory are within RLIMIT_AS and RLIMIT_DATA. `instead`: what they take the place of.
 * `isThere`: they are mapped already, and become data.
 */
export function isMemoryAllowed(process: Process, bytes: number, how: { readonly isShared: boolean; readonly protection: number; readonly instead?: readonly Mapping[]; readonly isThere?: boolean }): boolean {
  const [space, data] = [softLimit(process, RLIMIT.AS), softLimit(process, RLIMIT.DATA)];
  if (bytes <= 0 || (space === undefined && data === undefined)) return true;
  const { mappings } = process.space.map;
  const gone = how.instead ?? [];
  if (space !== undefined && how.isThere !== true && sizeOf(mappings) - sizeOf(gone) + bytes > space) return false;
  return data === undefined || !isData({ ...how, name: '' }) || sizeOf(mappings.filter(isData)) - sizeOf(gone.filter(isData)) + bytes <= data;
}

/** 0 where so many bytes may be locked: RLIMIT_MEMLOCK that the process has set, but for root. What is locked already is not remembered. */
export function checkLocked(process: Process, bytes: number): number {
  const most = softLimit(process, RLIMIT.MEMLOCK);
  if (most === undefined || process.files.credentials.uid === 0) return 0;
  return most === 0 ? -ERRNO.EPERM : bytes > most ? -ERRNO.ENOMEM : 0;
}

/**
 * Whether the machine and the caller's limits have room for one more task. RLIMIT_NPROC counts the tasks of the real user: threads, and processes that have
 * ended until somebody waits for them. Root is exempt.
 */
export function isTaskAllowed(kernel: Kernel, process: Process): boolean {
  if (kernel.taskCount >= TASKS_MAX) return false;
  const soft = process.limits.get(RLIMIT.NPROC)?.[0];
  const user = process.files.identity.real.uid;
  if (soft === undefined || user === 0) return true;
  let tasks = 0;
  for (const other of kernel.processes) if (other.files.identity.real.uid === user) tasks += Math.max(1, other.threads.length);
  return BigInt(tasks) < soft;
}
