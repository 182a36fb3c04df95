/**
 * Where pages and packed nodes lie: records of the table `pages`, lists of large captures (location-list.ts), and the shelves that such lists end on (shelves.ts).
 *
 *   capture of few pages ────────────────────────► pages: a record a page
 *   capture of many pages ─► locations: one list
 *                            …
 *                            many lists ─────────► shelves: all of them, sorted
 *
 * Why: a record a page lands in a leaf of its own, for hashes are spread evenly; finding, copying and writing that leaf costs as much as the page itself.
 * Invariants: what a list says is true as long as the list is in the store: whoever deletes packs settles the lists first. Lists are known as of the last refresh();
 * a capture that relies on one expects it in its commit, a reader that misses a page, or the pack of one, looks again. A record of the table `pages` counts before a list, a list before a shelf.
 * What this does NOT do: commit, check that packs hold what lists say (check.ts does).
 */
import { assert, type BlobHash, type Digests } from '../core/index.ts';
import { ALL_KEYS, type Store, type StoreBatch, type StorePut } from '../store/index.ts';
import { HASH_BYTES, readHash } from './format.ts';
import { decodeList, isListedNode, listedHashAt, listedPackAt } from './location-list.ts';
import { decodeLocation, LOCATION_BYTES, PACK_NAME_BYTES, PACK_SLOTS_MAX, slotByte, writeLocation } from './pack-format.ts';
import { copyEntry, copyWords, entryAt, entryCount, entryLocation, ENTRY_BYTES, viewOf } from './shelf-format.ts';
import { segmentsOf, Shelves, type SnapshotStore, type SortedEntries } from './shelves.ts';

export type { SnapshotStore } from './shelves.ts';
/** A page or node of a list: where its hash lies in the list, and its slot in its pack. */
export interface ListedPage { readonly list: StorePut; readonly hashAt: number; readonly slot: number; readonly isNode: boolean }

const SLOTS_FIRST = 1024;
const PAGES_FIRST = 256;
/** Of a page's first word: its slot, above it whether it is a node, above that the number of its list. */
const SLOT_BITS = 6;
const NODE_BIT = 1 << SLOT_BITS;
const LIST_SHIFT = SLOT_BITS + 1;
assert(PACK_SLOTS_MAX <= 1 << SLOT_BITS, 'a slot fits its bits');
/** Of a hash, by which entries are sorted at first: a counter each. */
const BUCKET_BITS_MAX = 20;

/** Pages of lists as two words each: an object for each of tens of thousands would be copied by V8's collector several times. */
class ListedPages {
  readonly #lists: StorePut[] = [];
  readonly #views: DataView[] = [];
  #words = new Uint32Array(PAGES_FIRST * 2);
  count = 0;
  nodeCount = 0;

  /** Takes every page of a list that `isWanted`, which is given the offset of its hash. */
  add(list: StorePut, isWanted: (hashAt: number) => boolean = () => true): void {
    const number = this.#lists.push(list) - 1;
    this.#views.push(viewOf(list.value));
    for (const pack of decodeList(list.value) ?? []) {
      for (let slot = 0; slot < pack.count; slot++) {
        const hashAt = listedHashAt(pack, slot);
        if (!isWanted(hashAt)) continue;
        const isNode = isListedNode(list.value, pack, slot);
        if (isNode) this.nodeCount++;
        this.#push((number << LIST_SHIFT) | (isNode ? NODE_BIT : 0) | slot, hashAt);
      }
    }
  }

  copy(): ListedPages {
    const pages = new ListedPages();
    pages.#lists.push(...this.#lists);
    pages.#views.push(...this.#views);
    pages.#words = this.#words.slice();
    pages.count = this.count;
    pages.nodeCount = this.nodeCount;
    return pages;
  }

  page(place: number): ListedPage {
    const first = this.#words[place * 2]!;
    return { list: this.#lists[first >>> LIST_SHIFT]!, hashAt: this.hashAt(place), slot: first & (NODE_BIT - 1), isNode: (first & NODE_BIT) !== 0 };
  }

  /** The bytes of the list that has a page. */
  bytes(place: number): Uint8Array {
    return this.#lists[this.#words[place * 2]! >>> LIST_SHIFT]!.value; // Callers ask below `count`.
  }

  hashAt(place: number): number {
    return this.#words[place * 2 + 1]!;
  }

  /** First four bytes of a page's hash as a number, in the order of hashes. */
  orderWord(place: number): number {
    return this.#views[this.#words[place * 2]! >>> LIST_SHIFT]!.getUint32(this.#words[place * 2 + 1]!);
  }

  /** HOT PATH: what a shelf says of a page. */
  writeEntry(place: number, target: DataView, at: number): void {
    const first = this.#words[place * 2]!;
    const number = first >>> LIST_SHIFT;
    const list = this.#views[number]!;
    const hashAt = this.#words[place * 2 + 1]!;
    const slot = first & (NODE_BIT - 1);
    copyWords(list, hashAt, { target, at, bytes: HASH_BYTES });
    copyWords(list, listedPackAt(this.#lists[number]!.value, hashAt, slot), { target, at: at + HASH_BYTES, bytes: PACK_NAME_BYTES });
    target.setUint8(at + ENTRY_BYTES - 1, slotByte(slot, (first & NODE_BIT) !== 0));
  }

  #push(first: number, hashAt: number): void {
    if (this.count * 2 === this.#words.length) {
      const words = new Uint32Array(this.#words.length * 2);
      words.set(this.#words);
      this.#words = words;
    }
    this.#words[this.count * 2] = first;
    this.#words[this.count * 2 + 1] = hashAt;
    this.count++;
  }
}

export class PageIndex {
  static readonly #known = new WeakMap<SnapshotStore, PageIndex>();
  readonly #store: SnapshotStore;
  /** By the key as text. */
  #lists = new Map<string, StorePut>();
  /**
   * The pages of all lists: open addressing by the first word of the hash, at most half full, two words a slot: one more than the place in #pages (0: free), and that first word, so that
   * hardly any list is looked at for another page's sake.
   */
  #slots = new Uint32Array(SLOTS_FIRST * 2);
  #pages = new ListedPages();
  #isLoaded = false;
  readonly shelves: Shelves;

  private constructor(store: SnapshotStore) {
    this.#store = store;
    this.shelves = new Shelves(store);
  }

  /** The one for a store object: lists are read once for all who read it. */
  static of(store: SnapshotStore): PageIndex {
    const known = PageIndex.#known.get(store) ?? new PageIndex(store);
    PageIndex.#known.set(store, known);
    return known;
  }

  /** Pages and nodes of the known lists. */
  get count(): number {
    this.#load();
    return this.#pages.count;
  }

  /** Pages of the known lists. */
  get pageCount(): number {
    return this.count - this.#pages.nodeCount;
  }

  get lists(): readonly StorePut[] {
    this.#load();
    return [...this.#lists.values()];
  }

  /** The record of a page's location, as the table `pages` has it or would; looks for new lists before it says that there is none. */
  location(hash: Uint8Array): Uint8Array | undefined {
    const stored = this.#store.get('pages', hash);
    if (stored !== undefined) return stored;
    const known = this.#unrecorded(hash);
    if (known !== undefined) return known;
    this.refresh();
    return this.#unrecorded(hash) ?? this.#store.get('pages', hash);
  }

  /** The page in a known list. */
  find(hash: Uint8Array): ListedPage | undefined {
    this.#load();
    const place = this.#slots[this.#slotOf(hash, 0) * 2]!;
    return place === 0 ? undefined : this.#pages.page(place - 1);
  }

  #unrecorded(hash: Uint8Array): Uint8Array | undefined {
    const listed = this.find(hash);
    if (listed !== undefined) return locationOf(listed);
    return this.shelves.location(hash);
  }

  /** Looks at the store's lists and shelves anew. */
  refresh(): void {
    this.#read({ trustsFilters: false });
  }

  #read(shelves: { readonly trustsFilters: boolean }): void {
    this.#clear(shelves);
    for (const { key, value } of this.#store.range('locations', ALL_KEYS)) this.add({ table: 'locations', key, value });
  }

  /** Knows a list that is in the store. One that cannot be decoded says nothing. */
  add(list: StorePut): void {
    this.#isLoaded = true;
    const name = list.key.join();
    if (this.#lists.has(name)) return;
    if (decodeList(list.value) === undefined) return;
    this.#lists.set(name, list);
    this.#pages.add(list, (hashAt) => {
      if ((this.#pages.count + 1) * 4 > this.#slots.length) this.#grow();
      const at = this.#slotOf(list.value, hashAt) * 2;
      if (this.#slots[at] !== 0) return false; // It lies in two packs: either will do.
      this.#slots[at] = this.#pages.count + 1;
      this.#slots[at + 1] = firstWord(list.value, hashAt);
      return true;
    });
  }

  /** Looks at the store's lists and shelves anew when it is asked next. */
  forget(): void {
    this.#clear({ trustsFilters: true });
    this.#isLoaded = false;
  }

  #clear(shelves: { readonly trustsFilters: boolean }): void {
    this.shelves.forget(shelves);
    this.#lists = new Map();
    this.#slots = new Uint32Array(SLOTS_FIRST * 2);
    this.#pages = new ListedPages();
    this.#isLoaded = true;
  }

  /** Keys of the packs that the store's lists name now, also those whose pages are all in other lists as well: whichever list is settled last counts. */
  packs(): ReadonlySet<BlobHash> {
    this.refresh();
    const names = new Set<BlobHash>();
    for (const { value } of this.#lists.values()) for (const pack of decodeList(value) ?? []) names.add(readHash(value, pack.at));
    return names;
  }

  /** Every known page and those of `more`, as a shelf has them. */
  entriesWith(more: readonly StorePut[]): SortedEntries {
    this.#load();
    const all = this.#pages.copy();
    for (const list of more) all.add(list);
    return sortedEntries(all);
  }

  #load(): void {
    if (!this.#isLoaded) this.#read({ trustsFilters: true });
  }

  #grow(): void {
    const old = this.#slots;
    const slots = new Uint32Array(old.length * 2);
    const mask = old.length - 1; // Twice as many slots of two words.
    for (let at = 0; at < old.length; at += 2) {
      if (old[at] === 0) continue;
      let slot = old[at + 1]! & mask;
      while (slots[slot * 2] !== 0) slot = (slot + 1) & mask;
      slots[slot * 2] = old[at]!;
      slots[slot * 2 + 1] = old[at + 1]!;
    }
    this.#slots = slots;
  }

  /** The slot that holds the page with the hash at `offset` of `bytes`, or the free one where it belongs. */
  #slotOf(bytes: Uint8Array, offset: number): number {
    const slots = this.#slots;
    const mask = slots.length / 2 - 1;
    const first = firstWord(bytes, offset);
    for (let slot = first & mask; ; slot = (slot + 1) & mask) {
      const place = slots[slot * 2]!;
      if (place === 0) return slot;
      if (slots[slot * 2 + 1] === first && isSameHash(this.#pages.bytes(place - 1), this.#pages.hashAt(place - 1), { bytes, offset })) return slot;
    }
  }
}

export function locationOf({ list, hashAt, slot, isNode }: ListedPage): Uint8Array {
  const bytes = new Uint8Array(LOCATION_BYTES);
  const packAt = listedPackAt(list.value, hashAt, slot);
  writeLocation(bytes, list.value.subarray(packAt, packAt + HASH_BYTES), { slot, isNode });
  return bytes;
}

function firstWord(bytes: Uint8Array, offset: number): number {
  return (bytes[offset]! | (bytes[offset + 1]! << 8) | (bytes[offset + 2]! << 16) | (bytes[offset + 3]! << 24)) >>> 0;
}

function isSameHash(a: Uint8Array, at: number, { bytes, offset }: { readonly bytes: Uint8Array; readonly offset: number }): boolean {
  for (let index = 0; index < HASH_BYTES; index++) if (a[at + index] !== bytes[offset + index]) return false;
  return true;
}

/**
 * HOT PATH: as entries, once. Hashes are spread evenly, so their first bits tell each its place but for a few steps: lists are read from front to back and every entry is written once, where a sort of
 * places would read them in the order of hashes, from all over.
 */
function sortedEntries(pages: ListedPages): SortedEntries {
  const bits = Math.min(BUCKET_BITS_MAX, Math.max(1, 32 - Math.clz32(pages.count)));
  const shift = 32 - bits;
  const next = new Uint32Array((1 << bits) + 1);
  for (let place = 0; place < pages.count; place++) next[(pages.orderWord(place) >>> shift) + 1]!++;
  for (let bucket = 1; bucket < next.length; bucket++) next[bucket]! += next[bucket - 1]!;
  const target = new Uint8Array(pages.count * ENTRY_BYTES);
  const view = viewOf(target);
  for (let place = 0; place < pages.count; place++) pages.writeEntry(place, view, next[pages.orderWord(place) >>> shift]!++ * ENTRY_BYTES);
  const kept = new DataView(new ArrayBuffer(ENTRY_BYTES));
  for (let at = ENTRY_BYTES; at < target.length; at += ENTRY_BYTES) {
    const word = view.getUint32(at);
    if (view.getUint32(at - ENTRY_BYTES) <= word) continue;
    copyEntry(view, at, kept, 0);
    let to = at;
    for (; to > 0 && view.getUint32(to - ENTRY_BYTES) > word; to -= ENTRY_BYTES) copyEntry(view, to - ENTRY_BYTES, view, to);
    copyEntry(kept, 0, view, to);
  }
  return { pieces: [target], start: 0, count: pages.count };
}

/** Pages that lie in packs, nodes not counted. */
export function storedPages(store: SnapshotStore): number {
  let count = PageIndex.of(store).pageCount;
  for (const { value } of store.range('pages', ALL_KEYS)) if (decodeLocation(value)?.isNode === false) count++;
  for (const { value } of segmentsOf(store)) {
    for (let entry = 0; entry < entryCount(value); entry++) {
      const at = entryAt(entry);
      if (decodeLocation(entryLocation(value, at))?.isNode === false && store.get('pages', value.subarray(at, at + HASH_BYTES)) === undefined) count++;
    }
  }
  return count;
}

/**
 * Makes records of the table `pages` of all lists whose bytes are sound: before packs are deleted, and before a page's record is written for another reason
 * than a capture, which a list must not undo later. Each list is one commit.
 */
export async function settleLists(store: Store, digests: Digests): Promise<void> {
  for (const list of [...store.range('locations', ALL_KEYS)]) {
    if (isSoundList(list, digests)) await store.commit(settledList({ ...list, table: 'locations' })); // A conflict: somebody else did it.
  }
  PageIndex.of(store).forget();
}

/** Whether a list is what its key says. */
export function isSoundList({ key, value }: Pick<StorePut, 'key' | 'value'>, digests: Digests): boolean {
  const hash = new Uint8Array(HASH_BYTES);
  digests.sha256Into(value, hash, 0);
  return key.length === HASH_BYTES && isSameHash(hash, 0, { bytes: key, offset: 0 }) && decodeList(value) !== undefined;
}

/** What makes records of a list, of what `isWanted` (told by where its hash is in the list), in place of the list. */
export function settledList(list: StorePut, isWanted?: (hashAt: number) => boolean): StoreBatch & { readonly puts: readonly StorePut[] } {
  const pages = new ListedPages();
  pages.add(list, isWanted);
  const puts: StorePut[] = [];
  const { pieces: [entries], count } = sortedEntries(pages);
  for (let at = 0; at < count * ENTRY_BYTES; at += ENTRY_BYTES) puts.push({ table: 'pages', key: entries!.slice(at, at + HASH_BYTES), value: entryLocation(entries!, at).slice() }); // All are in one piece.
  return { expect: [list], deletes: [{ table: 'locations', key: list.key }], puts };
}
