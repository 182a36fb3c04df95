/**
 * What the translator asks about the units that there are when it makes more: where they are entered, which code they have, how often they were made.
 * Invariants: the answers decide what is translated, never what it does. What this does NOT do: know where units lie, or run them (unit-table.ts).
 */
import { FunctionStarts, type CodeSource, type LayoutConstants, type LiftedUnit, type UnitLayout } from '../isa/index.ts';
import type { Places } from './places.ts';

/** The unit of a function is made so often at most; further places in it get units of their own. */
const MADE_MAX = 6;

export class KnownUnits {
  /** Where functions begin. */
  readonly functions: FunctionStarts;
  readonly #units = new Map<number, LiftedUnit>();
  /** Starts of blocks that are, or were, in some unit. */
  readonly #covered = new Set<number>();
  /** How often the unit at an address was made. */
  readonly #made = new Map<number, number>();

  constructor(source: CodeSource) {
    this.functions = new FunctionStarts(source);
  }

  /** Whether a unit is entered at an address. */
  has(address: number): boolean { return this.#units.has(address); }

  isCovered(address: number): boolean { return this.#covered.has(address); }

  isSettled(start: number): boolean { return (this.#made.get(start) ?? 0) >= MADE_MAX; }

  /** Addresses besides its own at which the unit of a function can be entered; none when there is no such unit. */
  entriesOf(start: number): readonly number[] {
    const [own, ...others] = this.#units.get(start)?.entries.keys() ?? [];
    return own === start ? others : [];
  }

  add(unit: LiftedUnit): void {
    const [own] = unit.entries.keys();
    this.#made.set(own!, (this.#made.get(own!) ?? 0) + 1);
    for (const address of unit.entries.keys()) this.#units.set(address, unit);
    for (const address of unit.callees) this.functions.add(address);
    for (const address of unit.starts) this.#covered.add(address);
  }

  remove(unit: LiftedUnit): void {
    for (const address of unit.entries.keys()) if (this.#units.get(address) === unit) this.#units.delete(address); // A later unit may have it.
  }

  forget(): void {
    this.#units.clear();
    this.#covered.clear();
    this.#made.clear();
    this.functions.forget();
  }
}

/** What a translator is told. `places`: asked for at each use, for others may come; `maps`: where jump maps begin in the linear memory. */
export function unitLayout(constants: LayoutConstants, { known, places, maps }: { readonly known: KnownUnits; readonly places: () => Places; readonly maps: number }): UnitLayout {
  return {
    ...constants, functions: known.functions,
    slotOf: (address) => places().slotOf(address),
    entriesOf: (start) => known.entriesOf(start), isCovered: (address) => known.isCovered(address), isSettled: (start) => known.isSettled(start),
    allocate: (bytes) => {
      const at = places().allocate(bytes);
      return at === undefined ? undefined : maps + at;
    },
  };
}
