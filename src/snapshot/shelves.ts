/**
 * The shelves of a store: where the pages of lists go that became too many (page-index.ts), sorted, a segment of some hundred and eighty at a time.
 *
 *   lists ─► a shelf of tier 0 ┐
 *            three more        ┴─► one of tier 1 ┐
 *                                  three more    ┴─► one of tier 2        a merge reads and writes each segment once, in order
 *
 * Why: a record a page lands in a leaf of its own and costs 2 to 3 µs; a page is written to a shelf and merged twice for a third of it.
 * Invariants: an entry is as good as a record of the table `pages`, which counts before it: where a pack is written again, a record is put, and the entry stays behind. Whoever deletes packs takes
 * entries of what is dead out of their segments first. Shelves are known as of the last forget(); one that others have merged meanwhile has no segments any more, and says nothing. A filter is never written.
 * A merge expects every segment that it has read.
 * What this does NOT do: commit.
 */
import { assert, type Digests } from '../core/index.ts';
import { ALL_KEYS, type Store, type StoreBatch, type StoreDelete, type StoreExpectation, type StorePut } from '../store/index.ts';
import { copyEntry, decodeSegmentKey, entriesOf, entryAt, entryCount, entryLocation, ENTRY_BYTES, isSoundSegment, orderWord, sealSegment, segmentKey, segmentOf, SEGMENT_HEADER_BYTES, SHELF_ID_BYTES, TIERS_MAX, viewOf, type Shelf } from './shelf-format.ts';

/** What is read of a store: single records, and the lists. */
export type SnapshotStore = Pick<Store, 'get' | 'range'>;
/** An entry: the segment that has it, and where in its value. */
export interface Shelved { readonly segment: StorePut; readonly at: number }
/** Entries in the order of their first words, in pieces: segments, or one that is not cut yet. `start`: bytes before the first entry of a piece. */
export interface SortedEntries { readonly pieces: readonly Uint8Array[]; readonly start: number; readonly count: number }

/** Entries of a segment in the mean: with their spread they fit two pages of LMDB. */
export const SEGMENT_ENTRIES = 180;
/** Shelves of a tier before they are merged. More: fewer merges, and more shelves to look into for a page that the store does not have. */
const SHELVES_MERGED = 4;

/** Every segment of a store, as it is now. */
export function segmentsOf(store: SnapshotStore): Iterable<{ readonly key: Uint8Array; readonly value: Uint8Array }> {
  return store.range('shelves', ALL_KEYS);
}

/** Looks into a shelf that found nothing, after which it is worth a filter: each is a copy of a segment, 3 µs. */
const MISSES_MAX = 200;
/** Bits of a filter for each entry: one look in sixteen that it lets through finds nothing. */
const FILTER_BITS = 16;
/** Of all filters of a store: 32 million entries, 60 GB of pages that lie alone with the nodes above them. Shelves beyond that have none. */
const FILTER_BYTES_MAX = 64 * 1024 * 1024;

/** A shelf that is known, with the first words of its hashes as a filter when it was often looked into for nothing. */
interface Known { readonly shelf: Shelf; misses: number; filter: Uint8Array | undefined }
const NOTHING: readonly Shelved[] = [];

export class Shelves {
  readonly #store: SnapshotStore;
  #known: readonly Known[] | undefined;
  /** What was known before, by the key of the first segment. Collectors take entries out of a shelf, nobody puts one in. */
  #before = new Map<string, Known>();

  constructor(store: SnapshotStore) {
    this.#store = store;
  }

  /** Looks for shelves anew when it is asked next. `trustsFilters`: what is known of those that are still there holds; not when something was missed. */
  forget({ trustsFilters }: { readonly trustsFilters: boolean }): void {
    this.#known = undefined;
    if (!trustsFilters) this.#before.clear();
  }

  /** The first entry of a known shelf with this hash. */
  find(hash: Uint8Array): Shelved | undefined {
    const known = this.#known ??= this.#load();
    const word = orderWord(hash, 0);
    for (let index = 0; index < known.length; index++) {
      const found = this.#findIn(known[index]!, hash, word)[0];
      if (found !== undefined) return found;
    }
    return undefined;
  }

  /** The location in that entry, as a record of `pages` would have it. */
  location(hash: Uint8Array): Uint8Array | undefined {
    const found = this.find(hash);
    return found === undefined ? undefined : entryLocation(found.segment.value, found.at);
  }

  /** All of them. */
  *all(hash: Uint8Array): Generator<Shelved> {
    for (const known of this.#known ??= this.#load()) yield* this.#findIn(known, hash, orderWord(hash, 0));
  }

  /** `word`: the first of `hash`. */
  #findIn(known: Known, hash: Uint8Array, word: number): readonly Shelved[] {
    const { shelf, filter } = known;
    if (filter !== undefined && !mayHave(filter, word)) return NOTHING;
    const key = segmentKey(shelf, segmentOf(word, shelf.segments));
    const value = this.#store.get('shelves', key);
    const found = value === undefined ? [] : entriesOf(value, hash);
    if (found.length === 0 && filter === undefined && ++known.misses === MISSES_MAX) known.filter = this.#makeFilter(shelf);
    return found.map((at) => ({ segment: { table: 'shelves', key, value: value! }, at })); // It has them.
  }

  #load(): readonly Known[] {
    const known = shelvesOf(this.#store).map((shelf): Known => this.#before.get(nameOf(shelf)) ?? { shelf, misses: 0, filter: undefined });
    this.#before = new Map(known.map((each) => [nameOf(each.shelf), each]));
    return known;
  }

  #makeFilter(shelf: Shelf): Uint8Array | undefined {
    const rows = this.#rows(shelf);
    const count = rows.reduce((sum, { value }) => sum + entryCount(value), 0);
    const filter = this.#newFilter(count);
    if (filter === undefined) return undefined;
    for (const { value } of rows) {
      for (let entry = 0; entry < entryCount(value); entry++) note(filter, orderWord(value, entryAt(entry)));
    }
    return filter;
  }

  /** Of a shelf with `count` entries; undefined when all filters together are large. */
  #newFilter(count: number): Uint8Array | undefined {
    let bytes = Math.ceil((count * FILTER_BITS) / 8);
    const filter = new Uint8Array(bytes);
    for (const known of this.#before.values()) bytes += known.filter?.length ?? 0;
    return bytes > FILTER_BYTES_MAX ? undefined : filter;
  }

  /**
   * Puts entries on a new shelf, with the shelves of a tier that is full. `id`: of the shelf, where there is none of this tier yet. `entriesMean`: of a segment. `firstTier`: entries of a shelf that
   * has not been merged, at most.
   */
  add(entries: SortedEntries, digests: Digests, { id, entriesMean, firstTier }: { readonly id: Uint8Array; readonly entriesMean: number; readonly firstTier: number }): Required<Pick<StoreBatch, 'puts' | 'deletes' | 'expect'>> {
    assert(entries.count > 0, 'a shelf has entries');
    const shelves = shelvesOf(this.#store);
    const sources = [entries];
    const read: StorePut[] = [];
    let tier = 0;
    while (tier < TIERS_MAX - 1 && entries.count > firstTier * SHELVES_MERGED ** (tier + 1)) tier++;
    for (; tier < TIERS_MAX - 1; tier++) {
      const full = shelves.filter((shelf) => shelf.tier === tier);
      if (full.length < SHELVES_MERGED - 1) break;
      for (const shelf of full) {
        const rows = this.#rows(shelf);
        if (!rows.every((row) => isSoundSegment(row, digests))) continue; // It stays for fsck, with what it has.
        read.push(...rows);
        sources.push({ pieces: rows.map(({ value }) => value), start: SEGMENT_HEADER_BYTES, count: rows.reduce((sum, { value }) => sum + entryCount(value), 0) });
      }
    }
    const count = countOf(sources);
    const shelf = { tier, id: freeId(id, shelves.filter((other) => other.tier === tier)), segments: Math.max(1, Math.round(count / entriesMean)) };
    const filter = this.#newFilter(count);
    const puts = merge(sources, { shelf, filter }, digests);
    this.#before.set(nameOf(shelf), { shelf, misses: 0, filter }); // Forgotten when it is not there after the commit.
    const fresh = puts.map(({ table, key }): StoreExpectation => ({ table, key, value: undefined })); // Somebody else may have put the same lists there.
    return { puts, deletes: read.map(({ table, key }): StoreDelete => ({ table, key })), expect: [...read, ...fresh] };
  }

  #rows(shelf: Shelf): readonly StorePut[] {
    const rows = this.#store.range('shelves', { from: segmentKey(shelf, 0), to: after(segmentKey(shelf, shelf.segments - 1)) });
    return [...rows].map(({ key, value }) => ({ table: 'shelves', key, value }));
  }
}

function nameOf(shelf: Shelf): string {
  return segmentKey(shelf, 0).join();
}

/** Hashes are spread evenly: so are their first words over the bits. */
function bitOf(filter: Uint8Array, word: number): number {
  return Math.floor((word * (filter.length * 8)) / 2 ** 32);
}

function note(filter: Uint8Array, word: number): void {
  const bit = bitOf(filter, word);
  filter[bit >>> 3]! |= 1 << (bit & 7);
}

function mayHave(filter: Uint8Array, word: number): boolean {
  const bit = bitOf(filter, word);
  return (filter[bit >>> 3]! & (1 << (bit & 7))) !== 0;
}

function countOf(sources: readonly SortedEntries[]): number {
  return sources.reduce((sum, { count }) => sum + count, 0);
}

/** An id that no other shelf has, this one where it may: what a collector took may be written again, in the same lists. */
function freeId(wanted: Uint8Array, others: readonly Shelf[]): Uint8Array {
  const taken = new Set(others.map(({ id }) => viewOf(id).getBigUint64(0)));
  const id = wanted.slice(0, SHELF_ID_BYTES);
  const view = viewOf(id);
  // With the carry: no store has 2^64 shelves.
  while (taken.has(view.getBigUint64(0))) view.setBigUint64(0, BigInt.asUintN(64, view.getBigUint64(0) + 1n));
  return id;
}

/** The shelves of a store: one look a shelf. */
function shelvesOf(store: SnapshotStore): readonly Shelf[] {
  const shelves: Shelf[] = [];
  for (let from: Uint8Array = ALL_KEYS.from; ;) {
    const [row] = [...store.range('shelves', { from, to: ALL_KEYS.to, limit: 1 })];
    if (row === undefined) return shelves;
    const place = decodeSegmentKey(row.key);
    if (place !== undefined) shelves.push(place.shelf);
    from = after(place === undefined ? row.key : segmentKey(place.shelf, place.shelf.segments - 1));
  }
}

/** The next key. */
function after(key: Uint8Array): Uint8Array {
  const next = new Uint8Array(key.length + 1);
  next.set(key);
  return next;
}

/** HOT PATH: the segments of a new shelf, in one piece of memory. */
function merge(sources: readonly SortedEntries[], { shelf, filter }: { readonly shelf: Shelf; readonly filter: Uint8Array | undefined }, digests: Digests): StorePut[] {
  const puts: StorePut[] = [];
  const cursors = new Cursors(sources);
  const memory = new Uint8Array(shelf.segments * SEGMENT_HEADER_BYTES + countOf(sources) * ENTRY_BYTES);
  const view = viewOf(memory);
  let segment = -1;
  let start = 0;
  let used = 0;
  const end = (): void => {
    if (segment < 0) return;
    const value = memory.subarray(start, used);
    const key = segmentKey(shelf, segment);
    sealSegment(key, value, digests);
    puts.push({ table: 'shelves', key, value });
  };
  for (let least = cursors.least(); least >= 0; least = cursors.least()) {
    const word = cursors.words[least]!;
    const index = segmentOf(word, shelf.segments);
    if (index !== segment) {
      end();
      segment = index;
      start = used;
      used += SEGMENT_HEADER_BYTES;
    }
    copyEntry(cursors.views[least]!, cursors.at[least]!, view, used);
    used += ENTRY_BYTES;
    if (filter !== undefined) note(filter, word);
    cursors.next(least);
  }
  end();
  return puts;
}

/** HOT PATH: an entry of each of several that are sorted. What is asked for each entry lies in arrays: an object for each source would be another line of the processor's caches. */
class Cursors {
  readonly #sources: readonly SortedEntries[];
  /** Of each source: the first words of its entry, Infinity when there is none any more; where the entry is; which piece that is, and its end. */
  readonly words: Float64Array;
  readonly at: Int32Array;
  readonly views: DataView[] = [];
  readonly #turns: Int32Array;
  readonly #ends: Int32Array;

  constructor(sources: readonly SortedEntries[]) {
    const count = sources.length;
    this.#sources = sources;
    this.words = new Float64Array(count);
    this.at = new Int32Array(count);
    this.#turns = new Int32Array(count).fill(-1);
    this.#ends = new Int32Array(count);
    for (let source = 0; source < count; source++) this.#turn(source);
  }

  /** The source with the least first word; -1 when all are at their end. */
  least(): number {
    const { words } = this;
    let least = -1;
    let word = Infinity;
    for (let source = 0; source < words.length; source++) {
      if (words[source]! >= word) continue;
      least = source;
      word = words[source]!;
    }
    return least;
  }

  next(source: number): void {
    const at = this.at[source]! + ENTRY_BYTES;
    if (at >= this.#ends[source]!) {
      this.#turn(source);
      return;
    }
    this.at[source] = at;
    this.words[source] = this.views[source]!.getUint32(at);
  }

  /** To the next piece. */
  #turn(source: number): void {
    const { pieces, start } = this.#sources[source]!;
    const piece = pieces[++this.#turns[source]!];
    if (piece === undefined) {
      this.words[source] = Infinity;
      return;
    }
    this.views[source] = viewOf(piece);
    this.at[source] = start;
    this.#ends[source] = piece.length;
    this.words[source] = orderWord(piece, start);
  }
}
