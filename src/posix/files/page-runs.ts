/**
 * A set of page indices as sorted, disjoint, non-touching runs [start, end): which pages of a file are allocated.
 * Sequential growth costs O(1), so the canonical form is always at hand for a checkpoint.
 */
import { markArray, type Undo } from '../../core/index.ts';

export class PageRuns {
  /** start0, end0, start1, end1, ... ascending. */
  readonly #bounds: number[];
  #count = 0;

  constructor(bounds: readonly number[] = []) {
    this.#bounds = [...bounds];
    for (let index = 0; index < bounds.length; index += 2) this.#count += bounds[index + 1]! - bounds[index]!;
  }

  /** Pages in the set. */
  get count(): number {
    return this.#count;
  }

  bounds(): readonly number[] {
    return this.#bounds.slice();
  }

  has(page: number): boolean {
    return this.#position(page) % 2 === 1;
  }

  mark(): Undo {
    const [bounds, count] = [markArray(this.#bounds), this.#count];
    return () => {
      bounds();
      this.#count = count;
    };
  }

  /** First member at or after `page`, or undefined. */
  nextMember(page: number): number | undefined {
    const position = this.#position(page);
    return position % 2 === 1 ? page : this.#bounds[position];
  }

  /** First non-member at or after `page`. */
  nextGap(page: number): number {
    const position = this.#position(page);
    return position % 2 === 1 ? this.#bounds[position]! : page;
  }

  /** Members in [start, end). */
  countIn(start: number, end: number): number {
    let found = 0;
    for (let page = this.nextMember(start); page !== undefined && page < end;) {
      const gap = Math.min(this.nextGap(page), end);
      found += gap - page;
      page = this.nextMember(gap);
    }
    return found;
  }

  add(start: number, end: number): void {
    if (start >= end) return;
    this.#count += end - start - this.countIn(start, end);
    const left = this.#position(start - 0.5); // Half a page below: a run that ends at `start` is joined, its end bound replaced.
    const right = this.#position(end);
    const bounds: number[] = [];
    if (left % 2 === 0) bounds.push(start);
    if (right % 2 === 0) bounds.push(end);
    this.#bounds.splice(left, right - left, ...bounds);
  }

  remove(start: number, end: number): void {
    if (start >= end) return;
    this.#count -= this.countIn(start, end);
    const left = this.#position(start - 0.5);
    const right = this.#position(end);
    const bounds: number[] = [];
    if (left % 2 === 1) bounds.push(start);
    if (right % 2 === 1) bounds.push(end);
    this.#bounds.splice(left, right - left, ...bounds);
  }

  /** Number of bounds at or below `page`: odd inside a run. */
  #position(page: number): number {
    const bounds = this.#bounds;
    if (bounds.length === 0 || page >= bounds[bounds.length - 1]!) return bounds.length;
    let low = 0;
    let high = bounds.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (bounds[middle]! <= page) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
