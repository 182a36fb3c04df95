/**
 * Who comes next and for how long. In order (no seed): the next thread in order of birth, a fixed quantum. With a seed: any runnable thread and
 * a quantum of 64 to 1 000 000 instructions, both drawn from a stream that is part of the state: another interleaving, the same in every run.
 * What this does NOT do: switch (scheduler.ts).
 */
import type { Canonical, Undo } from '../core/index.ts';
import type { Thread } from './thread.ts';

/** Instructions after which a spinner is switched when others could run; the same in every run. */
export const QUANTUM = 1_000_000;
/** Seeded quanta are spread evenly over powers of two: races hide at every scale. */
const QUANTUM_MIN = 64;
const QUANTUM_DOUBLINGS = 14;

export interface ScheduleState { readonly stream: number | null; readonly quantum: number }

export class Schedule {
  /** State of the stream, unsigned 32 bits; undefined: in order. */
  #stream: number | undefined;
  /** Instructions that the current thread may run while others could. */
  quantum: number = QUANTUM;

  constructor(seed: bigint | undefined) {
    this.#stream = seed === undefined ? undefined : Number(BigInt.asUintN(32, seed ^ (seed >> 32n)));
  }

  /** A number below `below`: mulberry32. */
  #draw(below: number): number {
    const state = ((this.#stream ?? 0) + 0x6d2b79f5) >>> 0;
    this.#stream = state;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  }

  /** Another thread comes on the processor: its quantum begins. */
  renew(): void {
    if (this.#stream === undefined) return;
    const least = QUANTUM_MIN << this.#draw(QUANTUM_DOUBLINGS);
    this.quantum = Math.min(QUANTUM, least + this.#draw(least));
  }

  /** The thread that follows the one with `tid`; undefined when none can run. `runnable` is in order of ids. */
  next(runnable: readonly Thread[], tid: number): Thread | undefined {
    if (this.#stream === undefined) return runnable.find((thread) => thread.tid > tid) ?? runnable[0];
    const others = runnable.filter((thread) => thread.tid !== tid);
    const pool = others.length > 0 ? others : runnable;
    return pool.length === 0 ? undefined : pool[this.#draw(pool.length)];
  }

  mark(): Undo {
    const [stream, quantum] = [this.#stream, this.quantum];
    return () => {
      this.#stream = stream;
      this.quantum = quantum;
    };
  }

  encode(): Canonical {
    return { stream: this.#stream ?? null, quantum: this.quantum };
  }

  decode(state: ScheduleState): void {
    this.#stream = state.stream ?? undefined;
    this.quantum = state.quantum;
  }
}
