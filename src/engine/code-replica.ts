/**
 * Copies of a guest's pages, for a translator that runs in another thread than the guest.
 * Invariants: a page whose bytes are not here is never answered for: MissingPages is thrown, and the translation is begun again once they have come. Copies of pages that
 * can be written to are good for one request.
 * What this does NOT do: know whether the guest's memory still is so (whoever installs the translation compares digests).
 */
import { limits } from '../core/index.ts';
import { PAGE_FLAG, type CodeSource } from '../isa/index.ts';
import type { MemoryCopy } from './translation-requests.ts';

const PAGE_SHIFT = 12;
const HALVES = limits.PAGE_BYTES / 2;

/** What the translator cannot go on without. */
export class MissingPages extends Error {
  readonly pages: readonly number[];

  constructor(pages: readonly number[]) {
    super(`${pages.length} pages are missing`);
    this.pages = pages;
  }
}

export class CodeReplica implements CodeSource {
  readonly limit: number;
  readonly #pages = new Map<number, Uint16Array>();
  #flags = new Uint8Array(0);
  #mayCome = false;
  #isExact = false;
  readonly #asked = new Set<number>();
  /** The page that was read last. */
  #last = -1;
  #lastHalves = new Uint16Array(0);

  constructor(limit: number) {
    this.limit = limit;
  }

  /** Takes over what a request brings; the numbers of pages whose copies are others now, or gone. */
  follow({ flags, mayCome, isExact, pages, bytes, asked }: MemoryCopy): readonly number[] {
    this.#flags = flags as Uint8Array<ArrayBuffer>; // Never shared memory.
    this.#mayCome = mayCome;
    this.#isExact = isExact;
    for (const page of asked) this.#asked.add(page);
    if (!mayCome) this.#asked.clear();
    this.#last = -1;
    const changed = [...this.#pages.keys()].filter((page) => (flags[page]! & PAGE_FLAG.write) !== 0);
    for (const page of changed) this.#pages.delete(page);
    pages.forEach((page, index) => {
      if (this.#pages.has(page)) changed.push(page);
      this.#pages.set(page, new Uint16Array(bytes.slice(index * limits.PAGE_BYTES, (index + 1) * limits.PAGE_BYTES).buffer));
    });
    return changed;
  }

  /** The bytes of a page. */
  page(page: number): Uint8Array {
    const halves = this.#page(page);
    return new Uint8Array(halves.buffer, halves.byteOffset, limits.PAGE_BYTES);
  }

  hasRights(page: number, rights: number): boolean {
    if (this.hasRightsNow(page, rights)) return true;
    if (this.#mayCome && !this.#asked.has(page) && page < this.#flags.length) throw new MissingPages([page]);
    return false;
  }

  hasRightsNow(page: number, rights: number): boolean {
    return (this.#flags[page]! & rights) === rights;
  }

  half(address: number): number {
    return this.#page(address >>> PAGE_SHIFT)[(address & (limits.PAGE_BYTES - 1)) >>> 1]!;
  }

  word(address: number): number {
    return this.half(address) | (this.half(address + 2) << 16);
  }

  halves(first: number, end: number): Uint16Array {
    this.#demand(first, end);
    const halves = new Uint16Array((end - first) * HALVES);
    for (let page = first; page < end; page++) halves.set(this.#page(page), (page - first) * HALVES);
    return halves;
  }

  bytes(address: number, length: number): Uint8Array {
    const first = address >>> PAGE_SHIFT;
    const halves = this.halves(first, ((address + length - 1) >>> PAGE_SHIFT) + 1);
    const from = address - first * limits.PAGE_BYTES;
    return new Uint8Array(halves.buffer, from, length).slice();
  }

  keeps(): void {
    // Its pages change in follow() only, which tells.
  }

  isExact(): boolean { return this.#isExact; }

  #page(page: number): Uint16Array {
    if (page === this.#last) return this.#lastHalves;
    const halves = this.#pages.get(page);
    if (halves === undefined) throw new MissingPages([page]);
    this.#last = page;
    return (this.#lastHalves = halves as Uint16Array<ArrayBuffer>); // As above.
  }

  /** All that is missing of [first, end) at once. */
  #demand(first: number, end: number): void {
    const missing: number[] = [];
    for (let page = first; page < end; page++) if (!this.#pages.has(page)) missing.push(page);
    if (missing.length > 0) throw new MissingPages(missing);
  }
}
