/**
 * /proc/locks: advisory locks of files, a line each, as Linux writes them.
 * Invariants: made at each read from guest state only, in the order of the inodes. A lock of an open file (flock) is told of the first process that has it open.
 * What this does NOT do: those who wait for a lock.
 */
import { END_MAX } from './files/locks.ts';
import type { Kernel } from './kernel.ts';

/** Who has a lock: its kind and the process, -1 where a lock of an open file (F_OFD_SETLK) belongs to none. */
function ownerOf({ processes }: Kernel, owner: string): { readonly kind: string; readonly pid: number } {
  const id = Number(owner.slice(1));
  if (owner.startsWith('p')) return { kind: 'POSIX ', pid: id };
  if (owner.startsWith('o')) return { kind: 'OFDLCK', pid: -1 };
  const holder = processes.find(({ files: { descriptors } }) => descriptors.numbers().some((number) => descriptors.get(number)?.id === id));
  return { kind: 'FLOCK ', pid: holder?.pid ?? 0 };
}

export function locksText(kernel: Kernel): string {
  return kernel.files.locks.all().map(({ owner, isWrite, ino, start, end }, index) => {
    const { kind, pid } = ownerOf(kernel, owner);
    // Linux counts the last byte in.
    const range = `${start} ${end === END_MAX ? 'EOF' : end - 1}`;
    return `${index + 1}: ${kind} ADVISORY  ${isWrite ? 'WRITE' : 'READ'} ${pid} 00:01:${ino} ${range}\n`;
  }).join('');
}
