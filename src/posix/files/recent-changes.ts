/**
 * Which pages of a file changed lately, for those who keep copies of them (shared mappings). A generation is the number of changes so far; a change that nobody
 * has asked behind yet takes further ones in.
 * Invariants: what is remembered is bounded. What this does NOT do: keep bytes, outlive the process: copies of a restored machine are compared once.
 */

/** Pages [first, end). */
export interface PageRange { readonly first: number; readonly end: number }

const CHANGES_MAX = 4096;

export class RecentChanges {
  #list: { first: number; end: number }[] = [];
  /** Generation before the first of the list. */
  #start = 0;
  /** The highest generation that was told. */
  #told = 0;

  get generation(): number {
    this.#told = this.#start + this.#list.length;
    return this.#told;
  }

  add(first: number, end: number): void {
    const last = this.#list.at(-1);
    if (last !== undefined && this.#start + this.#list.length > this.#told && first <= last.end && end >= last.first) {
      last.first = Math.min(first, last.first);
      last.end = Math.max(end, last.end);
      return;
    }
    if (this.#list.length === CHANGES_MAX) this.forget();
    else this.#list.push({ first, end });
  }

  /** Something changed of which pages say too little. */
  forget(): void {
    this.#start += this.#list.length + 1;
    this.#list = [];
  }

  since(generation: number): readonly PageRange[] | undefined {
    return generation < this.#start ? undefined : this.#list.slice(generation - this.#start);
  }
}
