/**
 * Whether a hot place is worth a translation yet. Translating an instruction costs as much time as interpreting some thousands, so a unit must have been
 * reached in proportion to the code that would be translated: what is lost by waiting is at most about what is lost by translating in vain.
 *
 *   hot event = HOT_LIMIT arrivals at a place     a unit pays: events at all its places * INSTRUCTIONS_AN_EVENT >= size * (1 + size / LARGE)
 *
 * Invariants: decides about time only. What this does NOT do: count arrivals (the interpreters do), translate.
 */

/** Hot events of a place before its code is even looked at: finding out how large a unit would be takes a tenth of the time of translating it. */
const EVENTS_MIN = 10;
/** Instructions of a unit that one hot event pays for. */
const INSTRUCTIONS_AN_EVENT = 10;
/** A unit of this size costs twice as much an instruction as a small one: the host's optimising compiler takes 5 s and 600 MB for 18 000 instructions. */
const LARGE = 6000;

/** The code that a place would be translated with. */
export interface Extent { readonly instructions: number; readonly starts: ArrayLike<number> & Iterable<number> }

interface Group { readonly instructions: number; events: number }

export class Worth {
  /** Hot events of places whose code was not looked at. */
  readonly #events = new Map<number, number>();
  /** By the starts of blocks: those of one unit share their events. */
  readonly #groups = new Map<number, Group>();

  /** Notes a hot event; true when the place shall be translated now. `extentOf` is asked once for a place, or for all places of a unit. */
  note(address: number, extentOf: () => Extent): boolean {
    const events = (this.#events.get(address) ?? 0) + 1;
    this.#events.set(address, events);
    const known = this.#groups.get(address);
    if (known !== undefined) known.events++;
    else if (events < EVENTS_MIN) return false;
    const group = known ?? this.#newGroup(address, events, extentOf());
    const { instructions } = group;
    if (group.events * INSTRUCTIONS_AN_EVENT < instructions * (1 + instructions / LARGE)) return false;
    group.events = 0; // Another entry into the same code has to pay again.
    return true;
  }

  #newGroup(address: number, events: number, { instructions, starts }: Extent): Group {
    const group: Group = { instructions, events };
    for (const start of starts) {
      if (this.#groups.has(start)) continue;
      this.#groups.set(start, group);
      if (start !== address) group.events += this.#events.get(start) ?? 0;
    }
    this.#groups.set(address, group);
    return group;
  }

  /** Whether a function that a hot one calls comes along: it has been hot once. */
  hasBeenHot(address: number): boolean {
    return this.#events.has(address);
  }

  /** Code has changed. */
  forget(): void {
    this.#events.clear();
    this.#groups.clear();
  }
}
