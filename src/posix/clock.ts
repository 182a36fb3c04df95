/**
 * Time as the guest sees it. There is one hidden time line in every mode: retired instructions at one nanosecond each plus the time slept.
 * Sleeps, time-outs and timers follow it; the mode only decides what a clock read shows.
 *
 *   zero      every clock reads 0
 *   virtual   real time is start + hidden, the others hidden
 *   recorded  the host's real time as supplied (one journaled value a reading call), plus the time slept
 *
 * Units: nanoseconds, bigint. A sleep never waits: it moves the time line (`skip`).
 * What this does NOT do: read the host's clock.
 */
import type { Canonical, Undo } from '../core/index.ts';

export type ClockMode = { readonly kind: 'zero' } | { readonly kind: 'virtual'; readonly start: bigint } | { readonly kind: 'recorded' };

/** Clock numbers of clock_gettime. */
export const CLOCK = {
  REALTIME: 0, MONOTONIC: 1, PROCESS: 2, THREAD: 3, MONOTONIC_RAW: 4, REALTIME_COARSE: 5, MONOTONIC_COARSE: 6, BOOTTIME: 7,
  REALTIME_ALARM: 8, BOOTTIME_ALARM: 9, TAI: 11,
} as const;
const REAL: ReadonlySet<number> = new Set([CLOCK.REALTIME, CLOCK.REALTIME_COARSE, CLOCK.REALTIME_ALARM, CLOCK.TAI]);
const KNOWN: ReadonlySet<number> = new Set(Object.values(CLOCK));

export class Clock {
  readonly mode: ClockMode;
  readonly #retired: () => bigint;
  #slept = 0n;
  /** Recorded mode: the value for the call that asked, and the last one used. */
  #supplied: bigint | undefined = undefined;
  #last = 0n;
  #isUsed = false;
  /** A call of this run asked for a value that was not there. */
  isWanted = false;

  constructor(mode: ClockMode, retired: () => bigint) {
    this.mode = mode;
    this.#retired = retired;
  }

  /** The hidden time line: deadlines are compared with this. */
  get hidden(): bigint {
    return this.#retired() + this.#slept;
  }

  get slept(): bigint {
    return this.#slept;
  }

  isKnown(clock: number): boolean {
    return KNOWN.has(clock);
  }

  /** What a clock of CPU time shows of a time (cpu-time.ts): 0 when time stands still. */
  shown(executed: bigint): bigint {
    return this.mode.kind === 'zero' ? 0n : executed;
  }

  /** Value of a clock that is none of CPU time; undefined when the host must supply one first (the call answers BLOCKED). */
  read(clock: number): bigint | undefined {
    if (this.mode.kind === 'zero') return 0n;
    if (this.mode.kind === 'virtual') return REAL.has(clock) ? this.mode.start + this.hidden : this.hidden;
    if (this.#supplied === undefined) {
      this.isWanted = true;
      return undefined;
    }
    this.#isUsed = true;
    this.#last = this.#supplied;
    return this.#supplied + this.#slept;
  }

  /** Time stamps of files: never waits; in recorded mode the last time that the guest saw. */
  fileTime(): bigint {
    if (this.mode.kind === 'zero') return 0n;
    return this.mode.kind === 'virtual' ? this.mode.start + this.hidden : this.#last + this.#slept;
  }

  /** The host's real time for the call that waits for it. */
  supply(nanoseconds: bigint): void {
    this.#supplied = nanoseconds;
    this.isWanted = false;
  }

  /** After a completed call: the value it used is spent. */
  settle(): void {
    if (!this.#isUsed) return;
    this.#isUsed = false;
    this.#supplied = undefined;
  }

  /** Moves the time line by a sleep. */
  skip(nanoseconds: bigint): void {
    if (nanoseconds > 0n) this.#slept += nanoseconds;
  }

  mark(): Undo {
    const [slept, supplied, last, isUsed, isWanted] = [this.#slept, this.#supplied, this.#last, this.#isUsed, this.isWanted];
    return () => {
      this.#slept = slept;
      this.#supplied = supplied;
      this.#last = last;
      this.#isUsed = isUsed;
      this.isWanted = isWanted;
    };
  }

  encode(): Canonical {
    return { slept: this.#slept, supplied: this.#supplied ?? null, last: this.#last };
  }

  decode(state: { readonly slept: bigint; readonly supplied: bigint | null; readonly last: bigint }): void {
    this.#slept = state.slept;
    this.#supplied = state.supplied ?? undefined;
    this.#last = state.last;
  }
}
