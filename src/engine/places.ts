/**
 * Where code and jump maps of a program go: one for each process that keeps to itself, one for all processes that share.
 * Invariants: a slot belongs to one address, a place to one map, for good. What this does NOT do: own a table or memory.
 */
import { assert } from '../core/index.ts';

/** Slots of the largest function table. */
export const TABLE_SIZE_MAX = 16384;
/** Room for the jump maps of all units, in bytes. */
export const MAP_BYTES = 4 * 1024 * 1024;
/** Slots that one batch may take. */
const TABLE_RESERVE = 2048;

export class Places {
  readonly slots: Map<number, number>;
  mapsUsed: number;

  constructor(slots: ReadonlyMap<number, number> = new Map(), mapsUsed = 0) {
    this.slots = new Map(slots);
    this.mapsUsed = mapsUsed;
  }

  /** Whether there is no room for another batch. */
  get isFull(): boolean { return this.slots.size > TABLE_SIZE_MAX - TABLE_RESERVE || this.mapsUsed > MAP_BYTES / 2; }

  /** Of the function table; the first slot is nobody's. */
  slotOf(address: number): number {
    const slot = this.slots.get(address) ?? this.slots.size + 1;
    assert(slot < TABLE_SIZE_MAX, 'the table was emptied in time');
    this.slots.set(address, slot);
    return slot;
  }

  /** Offset of so many bytes behind where maps begin; undefined when there is no more room. */
  allocate(bytes: number): number | undefined {
    const at = this.mapsUsed;
    if (at + bytes > MAP_BYTES) return undefined;
    this.mapsUsed += (bytes + 1) & ~1;
    return at;
  }

  /** Takes over what another thread has given out since: only one of both ever gives out. */
  follow(slots: Iterable<readonly [number, number]>, mapsUsed: number): void {
    for (const [address, slot] of slots) this.slots.set(address, slot);
    this.mapsUsed = Math.max(this.mapsUsed, mapsUsed);
  }
}
