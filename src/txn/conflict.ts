/**
 * Which of two transactions came first, by what they changed: sets of pages of memories and files, and whether two of them meet.
 * Invariants: sets are by page object (`memory/2`, `file/17`), page numbers ascending; the smallest place where two meet is named, so that a
 * conflict reads the same in every run.
 * What this does NOT do: find out what changed (posix/marks.ts), or whether it matters: two changes of one page may be harmless, which the
 * outputs of an execution from the newer state tell (machine/speculation.ts).
 */

/** Page numbers by page object, ascending. */
export type ChangeSet = ReadonlyMap<string, readonly number[]>;
export interface Place { readonly object: string; readonly page: number }

/** The first page that both hold; undefined: they are disjoint. */
export function firstOverlap(a: ChangeSet, b: ChangeSet): Place | undefined {
  for (const object of [...a.keys()].sort()) {
    const theirs = b.get(object);
    const page = theirs === undefined ? undefined : firstCommon(a.get(object) ?? [], theirs);
    if (page !== undefined) return { object, page };
  }
  return undefined;
}

/** The pages of all of them. */
export function unionOf(sets: readonly ChangeSet[]): ChangeSet {
  const union = new Map<string, readonly number[]>();
  for (const set of sets) for (const [object, pages] of set) union.set(object, [...new Set([...union.get(object) ?? [], ...pages])].sort((a, b) => a - b));
  return union;
}

function firstCommon(a: readonly number[], b: readonly number[]): number | undefined {
  for (let left = 0, right = 0; left < a.length && right < b.length;) {
    const difference = a[left]! - b[right]!;
    if (difference === 0) return a[left];
    if (difference < 0) left++;
    else right++;
  }
  return undefined;
}

/** What commits have changed since some of them were looked at: kept while somebody works on an older state. */
export class ChangeLog {
  readonly #entries: { readonly number: number; readonly changes: ChangeSet }[] = [];
  /** Bases of those at work, each as often as it is used. */
  readonly #bases: number[] = [];

  /** Whether the next commit must say what it changed. */
  get isWanted(): boolean {
    return this.#bases.length > 0;
  }

  /** Somebody begins to work on the state after commit `base`. */
  open(base: number): void {
    this.#bases.push(base);
  }

  close(base: number): void {
    this.#bases.splice(this.#bases.indexOf(base), 1);
    const oldest = Math.min(...this.#bases);
    while (this.#entries[0] !== undefined && this.#entries[0].number <= oldest) this.#entries.shift();
  }

  add(number: number, changes: ChangeSet): void {
    if (this.isWanted) this.#entries.push({ number, changes });
  }

  /** The first commit after `base` that changed what is in `changes`, and where. */
  conflict(base: number, changes: ChangeSet): (Place & { readonly number: number }) | undefined {
    for (const entry of this.#entries) {
      const place = entry.number > base ? firstOverlap(changes, entry.changes) : undefined;
      if (place !== undefined) return { ...place, number: entry.number };
    }
    return undefined;
  }
}
