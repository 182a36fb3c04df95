/**
 * What units of translation and their driver agree on: where things lie in the linear memory, numbers of locals and of imported functions.
 * What this does NOT do: allocate anything.
 */

/** Where the driver keeps things, as bytes of the linear memory. */
export interface UnitLayout {
  readonly memoryPages: number;
  /** The register block (CPU_STATE_OFFSET). */
  readonly registers: number;
  readonly pageFlags: number;
  /** Two words: fuel left, reason. */
  readonly outcome: number;
  /** (tag, slot) pairs of words, direct-mapped by pc >>> 1. */
  readonly targets: number;
  readonly tableSize: number;
  /** Table slot of a static target. */
  slotOf(address: number): number;
}

/** Entries of the target cache; a power of two. */
export const TARGETS = 1 << 19;
/** Why a unit returned to the driver. */
export const REASON = { noUnit: 0, interpret: 1, fuel: 2 } as const;

/** Function indices of the imports, in this order. */
export const HELPER = { float: 0, operation: 1, atomic: 2 } as const;
/** Locals: two parameters, then these, then one i64 a register. */
export const LOCAL = { fuel: 0, pc: 1, wide: 2, address: 3, reason: 4, double: 5, registers: 6 } as const;
