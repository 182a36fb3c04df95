/**
 * Whose turn it is to write: LMDB's write lock is looked at before LMDB waits for it, because LMDB waits for ever, deaf to signals, and says nothing. A process that was stopped (SIGSTOP, Ctrl-Z, a debugger, a
 * frozen container) in the middle of a commit keeps the lock.
 *
 *   lock free, or its holder dead       LMDB takes it at once
 *   held, by one after the other        waited for with LMDB, soon: many take turns, and who is woken is sooner there than who looks
 *   held, the holder is stopped         looked at again and again; after some seconds E_STORE_BUSY names it
 *   held, nothing happens               the same after a minute: a holder that this process cannot see (another container's) may be stopped as well
 *
 * Facts of LMDB's lock file: the counter of transactions, u64, is at 8, the write lock's word, u32, at 64: the number of the thread that holds it below two flags, 0 when nobody does or the kernel took it from one that died.
 * Invariant: nothing is written. What this does NOT do: take the lock (between a look and LMDB another process can be stopped; that takes microseconds).
 */
import { readFileSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { StillpointError } from '../../core/index.ts';

export const LOCK_STATE_OFFSET = 8;
export const LOCK_STATE_BYTES = 60;
const WORD_OFFSET = 64 - LOCK_STATE_OFFSET;
const HOLDER_MASK = 0x3fff_ffff;

/** How long is waited for who is stopped, for who gets no further, and, before LMDB does that, for others that take turns. */
export interface Patience { readonly stoppedMs: number; readonly idleMs: number; readonly turnsMs: number }
export const PATIENCE: Patience = { stoppedMs: 10_000, idleMs: 60_000, turnsMs: 20 };
/** A commit takes a few milliseconds; whether its maker is stopped is looked at after so long. */
const LOOK_MS = 20;
const PAUSE_MS_MAX = 2;

/** The lock file's bytes from LOCK_STATE_OFFSET on; undefined: they cannot be reached. */
export type ReadLock = () => Buffer | undefined;

/** Waits in place. Throws E_STORE_BUSY. */
export function awaitTurn(directory: string, read: ReadLock, patience: Patience): void {
  const word = new Int32Array(new SharedArrayBuffer(4));
  for (const ms of pauses(directory, read, patience)) Atomics.wait(word, 0, 0, ms);
}

/** As awaitTurn(), and other things go on meanwhile. */
export async function whenTurn(directory: string, read: ReadLock, patience: Patience): Promise<void> {
  for (const ms of pauses(directory, read, patience)) await pause(ms);
}

/** Whether whoever holds the lock is stopped. */
export function isHeldByStopped(read: ReadLock): boolean {
  const holder = holderOf(read());
  return holder !== 0 && isStopped(holder);
}

/** The pauses between looks until it is time to take the lock. */
function* pauses(directory: string, read: ReadLock, patience: Patience): Iterable<number> {
  let state = read();
  if (holderOf(state) === 0) return;
  const began = performance.now();
  for (let since = began, ms = 0.1; ; ms = Math.min(ms * 2, PAUSE_MS_MAX)) {
    yield ms;
    const before = state!; // Somebody held it.
    state = read();
    const holder = holderOf(state);
    if (holder === 0) return;
    const now = performance.now();
    if (!before.equals(state!)) since = now;
    if (now - since < LOOK_MS) {
      if (now - began > patience.turnsMs) return;
      continue;
    }
    if (now - since >= patience.idleMs || (now - since >= patience.stoppedMs && isStopped(holder))) throw isBusy(directory, holder);
  }
}

function holderOf(state: Buffer | undefined): number {
  return state === undefined ? 0 : state.readUInt32LE(WORD_OFFSET) & HOLDER_MASK;
}

/** By a signal or a debugger, as far as /proc tells. */
function isStopped(holder: number): boolean {
  return /^[Tt]/.test(factOf(holder, 'State') ?? '');
}

function isBusy(directory: string, holder: number): StillpointError {
  const process = factOf(holder, 'Tgid');
  const says = process === undefined ? `a process that is not seen from here (thread ${holder} where it runs) has been in the middle of a commit for long; continue it or end it`
    : isStopped(holder) ? `process ${process} is stopped in the middle of a commit; continue it (kill -CONT ${process}) or end it`
    : `process ${process} has been in the middle of a commit for long; wait for it or end it`;
  return new StillpointError('E_STORE_BUSY', `${directory}: ${says}, and try again`, { data: { thread: holder, process } });
}

/** A line of /proc/THREAD/status. */
function factOf(thread: number, name: string): string | undefined {
  try {
    return new RegExp(`^${name}:\\s*(.*)$`, 'm').exec(readFileSync(`/proc/${thread}/status`, 'latin1'))?.[1];
  } catch (cause) {
    if (!(cause instanceof Error && 'code' in cause)) throw cause;
    return undefined; // It has ended, is another namespace's, or there is no /proc.
  }
}
