/**
 * Pending signals of a thread or a process: a standard signal is pending once, a real-time signal queues.
 * Invariants: `count` is the number of entries; entries are in order of arrival. Signal sets are bigints, bit n-1 for signal n.
 * What this does NOT do: masks, dispositions, delivery (signal-delivery.ts).
 */
import type { Canonical, Undo } from '../core/index.ts';
import { bitOf, SIGNAL } from './signal-actions.ts';

/** The fields of siginfo_t that Linux fills. `value`: sigval or the fault address, by `code`. */
export interface SignalInfo {
  readonly signal: number;
  readonly code: number;
  readonly pid: number;
  readonly uid: number;
  readonly value: bigint;
  /** 'kill': pid, uid at 16; value at 24. 'fault': address at 16. 'timer': timer id, overrun, value. 'child': pid, uid, status. */
  readonly form: 'kill' | 'fault' | 'timer' | 'child';
}

/** RLIMIT_SIGPENDING: queued real-time signals of one target beyond this answer EAGAIN. */
export const SIGNALS_QUEUED_MAX = 4096;
export const SIGNAL_REALTIME_MIN = 32;
const SYNCHRONOUS = bitOf(SIGNAL.SEGV) | bitOf(SIGNAL.BUS) | bitOf(SIGNAL.ILL) | bitOf(SIGNAL.TRAP) | bitOf(SIGNAL.FPE) | bitOf(SIGNAL.SYS);
/** DELAYTIMER_MAX of Linux. */
const OVERRUN_MAX = 2 ** 31 - 1;

export class PendingSignals {
  #entries: SignalInfo[] = [];

  get count(): number {
    return this.#entries.length;
  }

  /** Of them those that count against a limit: a timer has its place already. */
  get queued(): number {
    return this.#entries.filter(({ form }) => form !== 'timer').length;
  }

  /** Signals pending here. */
  get set(): bigint {
    let set = 0n;
    for (const entry of this.#entries) set |= bitOf(entry.signal);
    return set;
  }

  /** False when the queue is full. A standard signal that is pending already is dropped, as on Linux. */
  add(info: SignalInfo): boolean {
    if (info.signal < SIGNAL_REALTIME_MIN && this.#entries.some((entry) => entry.signal === info.signal)) return true;
    if (this.#entries.length >= SIGNALS_QUEUED_MAX) return false;
    this.#entries.push(info);
    return true;
  }

  /** A timer expired `times` more while its signal was pending: counted there. False: it is not. */
  overrun(timer: number, times: number): boolean {
    const index = this.#entries.findIndex(({ form, pid }) => form === 'timer' && pid === timer);
    const entry = this.#entries[index];
    if (entry !== undefined) this.#entries[index] = { ...entry, uid: Math.min(OVERRUN_MAX, entry.uid + times) };
    return entry !== undefined;
  }

  /** The signal outside `blocked` that is next, or 0: those that instructions raise come first (sent ones as well), then the lowest. */
  next(blocked: bigint): number {
    const open = this.set & ~blocked;
    const first = (open & SYNCHRONOUS) === 0n ? open : open & SYNCHRONOUS;
    let lowest = 0;
    for (const { signal } of this.#entries) if ((first & bitOf(signal)) !== 0n && (lowest === 0 || signal < lowest)) lowest = signal;
    return lowest;
  }

  /** Takes the oldest entry of `signal`. */
  take(signal: number): SignalInfo | undefined {
    const index = this.#entries.findIndex((entry) => entry.signal === signal);
    return index < 0 ? undefined : this.#entries.splice(index, 1)[0];
  }

  /** Drops every entry of `signal` (it became ignored). */
  drop(signal: number): void {
    this.#entries = this.#entries.filter((entry) => entry.signal !== signal);
  }

  mark(): Undo {
    const entries = this.#entries.slice();
    return () => { this.#entries = entries.slice(); };
  }

  encode(): Canonical {
    return this.#entries.map(({ signal, code, pid, uid, value, form }) => ({ signal, code, pid, uid, value, form }));
  }

  /** Replaces the content by what encode() gave. */
  decode(entries: readonly SignalInfo[]): void {
    this.#entries = [...entries];
  }
}
