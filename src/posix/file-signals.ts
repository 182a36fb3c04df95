/**
 * SIGIO: who owns an open file with O_ASYNC is told when there is news of it, by SIGIO or by the signal of F_SETSIG, which tells descriptor and events as well.
 *
 *   begin()   counts of changes before a call
 *   tell()    those that are others now: a signal each, where there is something to read, room, or an end
 *
 * Invariants: nothing is kept between two calls, so no state holds this; files are looked at in the order in which they were opened.
 * What this does NOT do: remember owners (OpenFile), urgent data (socket-messages.ts).
 */
import type { Identity } from './files/identity.ts';
import { POLL } from './files/flags.ts';
import type { Kernel } from './kernel.ts';
import type { FileOwner, OpenFile } from './open-file.ts';
import { changeCount, readiness } from './poll-state.ts';
import type { Process } from './process.ts';
import { SI, SIGNAL } from './signal-actions.ts';
import { sendSignal } from './signal-delivery.ts';
import type { SignalInfo } from './signal-pending.ts';

/** si_code of news: something to read, room to write. */
const NEWS = { IN: 1, OUT: 2 } as const;
const READABLE = POLL.IN | POLL.RDNORM;
const WRITABLE = POLL.OUT | POLL.WRNORM | POLL.WRBAND;

/** Whether an owner, which is not nobody, means a process: by its number, or by its group below zero. */
export function isMeant(owner: number, { pid, group }: Pick<Process, 'pid' | 'group'>): boolean {
  return owner > 0 ? pid === owner : group === -owner;
}

/** A number that differs after news for a signal: of a socket what comes, of room nobody is told who did not find it wanting. */
function newsCount(kernel: Kernel, openFile: OpenFile): number {
  const { inode } = openFile;
  return (inode.kind === 'socket' ? inode.socket.changes : changeCount(kernel.files, openFile, 0)) ?? 0;
}

export class FileSignals {
  readonly #counts = new Map<OpenFile, number>();

  begin(kernel: Kernel): void {
    this.#counts.clear();
    for (const openFile of kernel.files.listeners) this.#counts.set(openFile, newsCount(kernel, openFile));
  }

  /** What was told is not told again without a begin(). */
  tell(kernel: Kernel): void {
    const counts = [...this.#counts].sort(([a], [b]) => a.id - b.id);
    this.#counts.clear();
    for (const [openFile, count] of counts) {
      if (kernel.files.listeners.has(openFile) && newsCount(kernel, openFile) !== count) tellOwner(kernel, openFile);
    }
  }

  /** Both, around what is no call of its own. */
  around(kernel: Kernel, act: () => void): void {
    this.begin(kernel);
    act();
    this.tell(kernel);
  }
}

/** Whoever set the owner might have sent the signal. */
function mayBeTold({ uid }: FileOwner, { real, saved }: Identity): boolean {
  return uid === 0 || uid === real.uid || uid === saved.uid;
}

function tellOwner(kernel: Kernel, openFile: OpenFile): void {
  const { owner } = openFile;
  const { events } = readiness(kernel.files, openFile);
  const isInput = openFile.canRead && (events & (READABLE | POLL.PRI | POLL.HUP | POLL.ERR)) !== 0;
  if (owner === undefined || owner.owner === 0 || (!isInput && (openFile.canRead || (events & WRITABLE) === 0))) return;
  const info: SignalInfo = owner.signal === 0
    ? { signal: SIGNAL.IO, code: SI.KERNEL, pid: 0, uid: 0, value: 0n, form: 'kill' }
    // si_band lies where other signals have a process, si_fd where they have a value.
    : { signal: owner.signal, code: isInput ? NEWS.IN : NEWS.OUT, pid: isInput ? READABLE : WRITABLE, uid: 0, value: BigInt(owner.number), form: 'kill' };
  for (const process of kernel.processes) {
    if (!process.isOver && isMeant(owner.owner, process) && mayBeTold(owner, process.files.identity)) sendSignal(kernel, { process }, info);
  }
}
