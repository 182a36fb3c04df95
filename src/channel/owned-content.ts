/**
 * Content that belongs to the machine: the bytes of a `--rw` file as far as the guest touched it, and the bytes a guest appended.
 *
 *   0 ............ hostSize .................... size
 *   | host's, until loaded | the machine's (zero where never written) |
 *
 * A chunk that holds bytes of the host's file is supplied once, when it is first touched, and is the machine's from then on; a chunk
 * that is overwritten whole is never asked for. So what is asked of the host is never a byte that the guest wrote, and execution
 * again after a crash finds the same bytes, whatever had reached the file. Bytes beyond `size` are zero.
 * A supplied chunk becomes the machine's only when the call that misses it goes through: until then it is no state, so that the state at an
 * instruction count does not depend on whether the host has answered already.
 * The bytes leave and come back as pages of 4 KiB (the shape of snapshot's PageObject); size, hostSize and loaded marks are state.
 * What this does NOT do: quotas, output, reading the host.
 */
import { assert, limits, markMap, StillpointError, type Canonical, type Undo } from '../core/index.ts';
import { checkChunk, chunksOf, gather, type ChunkRange, type Content } from './content.ts';
import type { Wanted } from './port.ts';

const { CHUNK_BYTES, PAGE_BYTES } = limits;
const PAGES_PER_CHUNK = CHUNK_BYTES / PAGE_BYTES;
const ZERO_PAGE: Uint8Array = new Uint8Array(PAGE_BYTES);
assert(Number.isInteger(PAGES_PER_CHUNK), 'a chunk is whole pages');

/** The pages of one restored object, as snapshot hands them back. */
export interface RestoredPages { pages(): Iterable<{ readonly index: number; readonly bytes: Uint8Array }> }

export class OwnedContent implements Content {
  /** Name as a page object, stable inside the machine. */
  readonly name: string;
  readonly #chunks = new Map<number, Uint8Array>();
  /** Chunks that a mark goes back to: copied before they are written. */
  readonly #kept = new Set<number>();
  #isMarked = false;
  /** Pages added to #dirty since the outermost mark, in order. */
  readonly #dirtied: number[] = [];
  #size: number;
  #hostSize: number;
  /** One bit for each chunk of the initial file: set when the host's bytes are not needed any more. */
  #loaded: Uint8Array;
  readonly #dirty = new Set<number>();
  /** Supplied and not yet touched; not state. */
  readonly #supplied = new Map<number, Uint8Array>();
  #range: ChunkRange | undefined;

  constructor(name: string, initialSize: number) {
    this.name = name;
    this.#size = initialSize;
    this.#hostSize = initialSize;
    this.#loaded = new Uint8Array(Math.ceil(Math.ceil(initialSize / CHUNK_BYTES) / 8));
  }

  get size(): number {
    return this.#size;
  }

  read(offset: number, length: number): Uint8Array | undefined {
    assert(length > 0 && offset + length <= this.#size, 'a read lies inside the content');
    const range = chunksOf(offset, length);
    for (let index = range.first; index <= range.last; index++) {
      if (!this.#isWanted(index)) continue;
      this.#range = range;
      return undefined;
    }
    this.#range = undefined;
    for (let index = range.first; index <= range.last; index++) this.#absorb(index);
    return gather(offset, length, (index) => this.#chunks.get(index));
  }

  /** Writes all of `bytes`, or nothing (false) when a chunk that would keep some of the host's bytes is missing. */
  write(offset: number, bytes: Uint8Array): boolean {
    const end = offset + bytes.length;
    const range = chunksOf(offset, bytes.length);
    for (const index of range.first === range.last ? [range.first] : [range.first, range.last]) {
      if (!this.#isWanted(index) || this.#coversHostBytes(index, offset, end)) continue;
      this.#range = { first: index, last: index };
      return false;
    }
    this.#range = undefined;
    for (const index of [range.first, range.last]) if (!this.#coversHostBytes(index, offset, end)) this.#absorb(index);
    for (let index = range.first; index <= range.last; index++) {
      const start = index * CHUNK_BYTES;
      const from = Math.max(offset, start);
      const to = Math.min(end, start + CHUNK_BYTES);
      this.#own(index).set(bytes.subarray(from - offset, to - offset), from - start);
    }
    for (let page = Math.floor(offset / PAGE_BYTES); page * PAGE_BYTES < end; page++) this.#soil(page);
    if (end > this.#size) this.#size = end;
    return true;
  }

  /** Cuts or extends with zeros. Never waits: what remains of a chunk that was not loaded is still the host's. */
  truncate(size: number): void {
    if (size < this.#size) {
      for (const [index, chunk] of this.#chunks) this.#cut(index, chunk, size);
      this.#hostSize = Math.min(this.#hostSize, size);
    }
    this.#size = size;
  }

  get wanted(): Wanted | undefined {
    if (this.#range === undefined) return undefined;
    for (let index = this.#range.first; index <= this.#range.last; index++) {
      const offset = index * CHUNK_BYTES;
      if (this.#isWanted(index)) return { offset, length: Math.min(CHUNK_BYTES, this.#hostSize - offset) };
    }
    return undefined;
  }

  supply(offset: number, bytes: Uint8Array): void {
    const index = offset / CHUNK_BYTES;
    if (!this.#isMissing(index)) return;
    checkChunk(offset, bytes, this.#hostSize);
    this.#supplied.set(index, bytes);
  }

  dirtyPages(): readonly number[] {
    return [...this.#dirty].sort((a, b) => a - b);
  }

  /** Pages of all chunks that the machine holds, ascending. */
  storedPages(): readonly number[] {
    const chunks = [...this.#chunks.keys()].sort((a, b) => a - b);
    return chunks.flatMap((chunk) => Array.from({ length: PAGES_PER_CHUNK }, (_, page) => chunk * PAGES_PER_CHUNK + page));
  }

  readPage(pageIndex: number): Uint8Array {
    const chunk = this.#chunks.get(Math.floor(pageIndex / PAGES_PER_CHUNK));
    if (chunk === undefined) return ZERO_PAGE;
    const start = (pageIndex % PAGES_PER_CHUNK) * PAGE_BYTES;
    return chunk.subarray(start, start + PAGE_BYTES);
  }

  /** What the machine holds, chunk by chunk; bytes beyond `size` are padding. */
  *chunks(): Generator<{ readonly offset: number; readonly bytes: Uint8Array }> {
    for (const [index, bytes] of this.#chunks) if (index * CHUNK_BYTES < this.#size) yield { offset: index * CHUNK_BYTES, bytes };
  }

  markClean(): void {
    assert(!this.#isMarked, 'content is made clean outside of transactions');
    this.#dirty.clear();
  }

  mark(): Undo {
    this.#isMarked = true;
    const [chunks, supplied] = [markMap(this.#chunks), markMap(this.#supplied)];
    for (const index of this.#chunks.keys()) this.#kept.add(index);
    const [size, hostSize, loaded, dirtied] = [this.#size, this.#hostSize, this.#loaded.slice(), this.#dirtied.length];
    return () => {
      chunks();
      supplied();
      for (const index of this.#chunks.keys()) this.#kept.add(index);
      this.#size = size;
      this.#hostSize = hostSize;
      this.#loaded = loaded.slice();
      this.#range = undefined;
      for (const page of this.#dirtied.splice(dirtied)) this.#dirty.delete(page);
    };
  }

  /** Nothing is undone any more. */
  release(): void {
    this.#isMarked = false;
    this.#kept.clear();
    this.#dirtied.length = 0;
  }

  state(): Canonical {
    return { size: this.#size, hostSize: this.#hostSize, loaded: this.#loaded.slice() };
  }

  /** Back to a captured state; `pages` undefined means that all of them were zero. Throws E_STATE_FORMAT. */
  restore(state: Canonical, pages: RestoredPages | undefined): void {
    const { size, hostSize, loaded } = (state ?? {}) as { readonly [key: string]: Canonical | undefined }; // Other types have none of these fields.
    if (!isSize(size) || !isSize(hostSize) || !(loaded instanceof Uint8Array) || loaded.length !== this.#loaded.length) {
      throw new StillpointError('E_STATE_FORMAT', `the state of ${this.name} cannot be decoded`);
    }
    this.#size = size;
    this.#hostSize = hostSize;
    this.#loaded = loaded.slice();
    this.#chunks.clear();
    this.#dirty.clear();
    this.#supplied.clear();
    this.#range = undefined;
    for (const page of pages?.pages() ?? []) {
      this.#allocate(Math.floor(page.index / PAGES_PER_CHUNK)).set(page.bytes, (page.index % PAGES_PER_CHUNK) * PAGE_BYTES);
    }
  }

  /** The host still holds bytes of this chunk that the machine does not have. */
  #isMissing(index: number): boolean {
    return index * CHUNK_BYTES < this.#hostSize && (this.#loaded[index >> 3]! & (1 << (index & 7))) === 0;
  }

  /** Missing, and the host has not answered yet. */
  #isWanted(index: number): boolean {
    return this.#isMissing(index) && !this.#supplied.has(index);
  }

  /** Takes a supplied chunk over. What a truncation cut off meanwhile stays cut off. */
  #absorb(index: number): void {
    const bytes = this.#supplied.get(index);
    if (bytes === undefined) return;
    this.#supplied.delete(index);
    if (!this.#isMissing(index)) return;
    const kept = bytes.subarray(0, Math.min(bytes.length, this.#hostSize - index * CHUNK_BYTES));
    this.#own(index).set(kept);
    for (let page = 0; page * PAGE_BYTES < kept.length; page++) this.#soil(index * PAGES_PER_CHUNK + page);
  }

  #coversHostBytes(index: number, from: number, to: number): boolean {
    const start = index * CHUNK_BYTES;
    return from <= start && to >= Math.min(start + CHUNK_BYTES, this.#hostSize);
  }

  #own(index: number): Uint8Array {
    if (this.#isMissing(index)) this.#loaded[index >> 3]! |= 1 << (index & 7);
    return this.#allocate(index);
  }

  #allocate(index: number): Uint8Array {
    let chunk = this.#chunks.get(index);
    if (chunk === undefined) {
      chunk = new Uint8Array(CHUNK_BYTES);
      this.#chunks.set(index, chunk);
    }
    return this.#writable(index, chunk);
  }

  #writable(index: number, chunk: Uint8Array): Uint8Array {
    if (!this.#kept.delete(index)) return chunk;
    const copy = chunk.slice();
    this.#chunks.set(index, copy);
    return copy;
  }

  #soil(page: number): void {
    if (this.#isMarked && !this.#dirty.has(page)) this.#dirtied.push(page);
    this.#dirty.add(page);
  }

  #cut(index: number, chunk: Uint8Array, size: number): void {
    const start = index * CHUNK_BYTES;
    if (start + CHUNK_BYTES <= size) return;
    const keep = Math.max(0, size - start);
    for (let page = Math.floor(keep / PAGE_BYTES); page < PAGES_PER_CHUNK; page++) this.#soil(index * PAGES_PER_CHUNK + page);
    if (keep === 0) this.#chunks.delete(index);
    else this.#writable(index, chunk).fill(0, keep);
  }
}

function isSize(value: Canonical | undefined): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}
