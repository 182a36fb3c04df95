/**
 * A copy of what a machine changed since its last checkpoint, made while the machine runs on: a page at a time between its slices, and before the guest writes to it
 * again if that comes first.
 *
 *   new: pages are watched ─► guest runs ─► advance() ─► guest runs ─► … ─► isDone
 *                                └─ writes to a page that is not copied yet: it is copied first
 *
 * Invariants: every page is copied as it was when the copy began; objects that cannot be watched are copied at once; their dirty marks are taken, so what is written
 * from then on belongs to the next checkpoint. Whoever gives up before isDone calls end().
 * What this does NOT do: decide when to go on, send anything.
 */
import { assert, limits } from '../core/index.ts';
import type { MachineState, PageObject } from '../snapshot/index.ts';

const { PAGE_BYTES } = limits;
/** Pages between two looks at the clock. */
const LOOK_PAGES = 32;

/** Dirty pages of one object: their indices, ascending, and where the first of them is in `pages`. */
export interface CopiedObject { readonly name: string; readonly dirty: Uint32Array; readonly offset: number }

class ObjectCopy {
  readonly copied: CopiedObject;
  readonly #object: PageObject;
  readonly #pages: Uint8Array;
  /** Every page before this place of `dirty` is copied. */
  #next = 0;
  /** By place: copied out of turn. Made when there is one. */
  #isEarly: Uint8Array | undefined;
  #unwatch: (() => void) | undefined;

  constructor(object: PageObject, parts: { readonly dirty: Uint32Array; readonly offset: number; readonly pages: Uint8Array }) {
    this.#object = object;
    this.#pages = parts.pages;
    this.copied = { name: object.name, dirty: parts.dirty, offset: parts.offset };
    object.markClean();
    if (parts.dirty.length > 0) this.#unwatch = object.watch?.((page) => this.#hurry(page));
    if (this.#unwatch === undefined) while (!this.isDone) this.step();
  }

  get isDone(): boolean {
    return this.#next === this.copied.dirty.length;
  }

  /** Copies one page. */
  step(): void {
    if (this.#isEarly?.[this.#next] !== 1) this.#copy(this.#next);
    this.#next++;
    if (this.isDone) this.end();
  }

  end(): void {
    this.#unwatch?.();
    this.#unwatch = undefined;
  }

  /** Before the guest writes to a page. */
  #hurry(page: number): void {
    const place = placeOf(this.copied.dirty, page);
    if (place === undefined || place < this.#next || this.#isEarly?.[place] === 1) return;
    this.#copy(place);
    (this.#isEarly ??= new Uint8Array(this.copied.dirty.length))[place] = 1;
  }

  #copy(place: number): void {
    this.#pages.set(this.#object.readPage(this.copied.dirty[place]!), this.copied.offset + place * PAGE_BYTES);
  }
}

export class DirtyCopy {
  readonly pages: Uint8Array;
  readonly #objects: readonly ObjectCopy[];
  /** The first that is not done. */
  #current = 0;

  /** `memory` gives room for the pages. */
  constructor(state: MachineState, memory: (length: number) => Uint8Array) {
    const dirty = state.objects.map((object) => Uint32Array.from(object.dirtyPages()));
    this.pages = memory(dirty.reduce((sum, list) => sum + list.length, 0) * PAGE_BYTES);
    let offset = 0;
    this.#objects = state.objects.map((object, index) => {
      const copy = new ObjectCopy(object, { dirty: dirty[index]!, offset, pages: this.pages });
      offset += dirty[index]!.length * PAGE_BYTES;
      return copy;
    });
  }

  get isDone(): boolean {
    while (this.#objects[this.#current]?.isDone === true) this.#current++;
    return this.#current === this.#objects.length;
  }

  /** For whoever hashes them, when it is done. */
  get objects(): readonly CopiedObject[] {
    assert(this.isDone, 'a copy is read when it is whole');
    return this.#objects.map(({ copied }) => copied);
  }

  /** Copies until `isEnough` says so, asked every few pages, or all is done. */
  advance(isEnough: () => boolean): void {
    for (let count = 1; !this.isDone; count++) {
      this.#objects[this.#current]!.step(); // isDone says that there is one.
      if (count % LOOK_PAGES === 0 && isEnough()) return;
    }
  }

  /** Nothing more is copied. */
  end(): void {
    for (const copy of this.#objects) copy.end();
  }
}

/** Place of a value in an ascending list. */
function placeOf(list: Uint32Array, value: number): number | undefined {
  let [low, high] = [0, list.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (list[middle]! < value) low = middle + 1;
    else high = middle;
  }
  return list[low] === value ? low : undefined;
}
