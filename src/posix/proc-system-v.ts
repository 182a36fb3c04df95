/**
 * /proc/sysvipc: segments of memory, sets of semaphores and queues of messages, a line each, as Linux writes them.
 * Invariants: made at each read from guest state only, in the order of the ids.
 * What this does NOT do: count the pages of a segment that were written (all are told as resident).
 */
import { roundUp } from './memory-map.ts';
import type { Kernel } from './kernel.ts';
import { attachments, type Permission } from './system-v.ts';

const HEAD = {
  shm: '       key      shmid perms                  size  cpid  lpid nattch   uid   gid  cuid  cgid      atime      dtime      ctime                   rss                  swap\n',
  sem: '       key      semid perms      nsems   uid   gid  cuid  cgid      otime      ctime\n',
  msg: '       key      msqid perms      cbytes       qnum lspid lrpid   uid   gid  cuid  cgid      stime      rtime      ctime\n',
} as const;
/** SHM_DEST: it goes with who has it. */
const REMOVED = 0o1000;

/** Numbers, each as wide at least as `widths` say. */
function row(values: readonly number[], widths: readonly number[]): string {
  return values.map((value, index) => String(value).padStart(widths[index] ?? 0)).join(' ');
}

function headOf(id: number, { key, mode }: Permission, more = 0): string {
  return `${row([key | 0, id], [10, 10])}  ${((mode & 0o777) | more).toString(8).padStart(4)}`;
}

const ownersOf = ({ uid, gid, cuid, cgid }: Permission): string => row([uid, gid, cuid, cgid], [5, 5, 5, 5]);
const timesOf = (...times: number[]): string => row(times, [10, 10, 10]);

/** Paths below /proc/sysvipc and what makes their text. */
export function systemVTexts(kernel: Kernel): readonly (readonly [name: string, make: () => string])[] {
  const { systemV } = kernel;
  return [
    ['msg', () => HEAD.msg + [...systemV.queues.values()].map(({ id, permission, messages, sender, receiver, stime, rtime, ctime }) =>
      `${headOf(id, permission)}  ${row([messages.reduce((sum, { bytes }) => sum + bytes.length, 0), messages.length, sender, receiver], [10, 10, 5, 5])} ${ownersOf(permission)} ${timesOf(stime, rtime, ctime)}\n`).join('')],
    ['sem', () => HEAD.sem + [...systemV.sets.values()].map(({ id, permission, semaphores, otime, ctime }) => `${headOf(id, permission)} ${row([semaphores.length], [10])} ${ownersOf(permission)} ${timesOf(otime, ctime)}\n`).join('')],
    ['shm', () => HEAD.shm + [...systemV.segments.values()].map((segment) => {
      const { id, permission, size, isRemoved, creator, lastPid, atime, dtime, ctime } = segment;
      return `${headOf(id, permission, isRemoved ? REMOVED : 0)} ${row([size, creator, lastPid], [21, 5, 5])}  ${row([attachments(kernel.processes, segment)], [5])} ${ownersOf(permission)} ${timesOf(atime, dtime, ctime)} ${row([roundUp(size), 0], [21, 21])}\n`;
    }).join('')],
  ];
}
