/**
 * A set of page numbers, one bit each: a page is added in a few nanoseconds, and thousands of them cost no garbage.
 * Invariants: pages lie below the count that the set was made for; pages() is ascending.
 * What this does NOT do: know what a page is.
 */
export class PageBits {
  readonly #words: Uint32Array;
  #size = 0;

  constructor(pageCount: number) {
    this.#words = new Uint32Array(Math.ceil(pageCount / 32));
  }

  get size(): number {
    return this.#size;
  }

  has(page: number): boolean {
    return (this.#words[page >>> 5]! & (1 << (page & 31))) !== 0; // Beyond the set there is no word, and undefined has no bit.
  }

  add(page: number): void {
    if (this.has(page)) return;
    this.#words[page >>> 5]! |= 1 << (page & 31);
    this.#size++;
  }

  delete(page: number): void {
    if (!this.has(page)) return;
    this.#words[page >>> 5]! &= ~(1 << (page & 31));
    this.#size--;
  }

  clear(): void {
    if (this.#size > 0) this.#words.fill(0);
    this.#size = 0;
  }

  pages(): number[] {
    const pages: number[] = [];
    if (this.#size === 0) return pages;
    for (let word = 0; word < this.#words.length; word++) {
      for (let bits = this.#words[word]!; bits !== 0; bits &= bits - 1) pages.push(word * 32 + 31 - Math.clz32(bits & -bits));
    }
    return pages;
  }
}
