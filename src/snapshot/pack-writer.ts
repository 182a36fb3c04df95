/**
 * Gathers new pages into packs: one store record for up to 15 pages, because LMDB gives a single 4 KiB value two of its pages.
 * Invariants: a page that the store or this batch holds is not packed again; finish() is called before the guest may change a page handed to add().
 * A checkpoint of many pages says where they are in one list (page-index.ts); what it says about single pages costs as much as the pages.
 * HOT PATH of a checkpoint: hardly an object for a page stays until the commit, for V8's collector would copy it again and again.
 * What this does NOT do: commit.
 */
import type { Digests } from '../core/index.ts';
import type { StoreDelete, StoreExpectation, StorePut } from '../store/index.ts';
import { encodeLocations, encodePack, HASH_BYTES, hashBytes, PACK_PAGES_MAX, trimmedLength, type PackSlot } from './format.ts';
import { HashSet } from './hash-set.ts';
import { encodeList, LIST_PACKS_MAX, type WrittenPack } from './location-list.ts';
import { PageIndex, type SnapshotStore } from './page-index.ts';

/** Takes packs as they are filled, so that they need not be kept until the batch is committed. */
export interface PackSink {
  /** Memory for a pack of `bytes` bytes, which is put next. */
  room(bytes: number): Uint8Array;
  put(pack: StorePut): void;
}

/** From how many new pages on a capture writes a list, and how many pages may be in lists before they become records of their own. */
export interface ListLimits { readonly pagesMin: number; readonly pagesMax: number }
/**
 * A list of 64 pages is 2 KiB; smaller ones would be many. 65 536 pages: two megabytes to read for whoever opens the store, some ten pages for each leaf of the table when
 * they become records, in a store of 1 GiB.
 */
export const LIST_LIMITS: ListLimits = { pagesMin: 64, pagesMax: 65_536 };
/** Pages in a row that the store did not have before only one in LOOKED_UP is looked for: a machine that makes new content all the time. */
const STRANGERS_MAX = 1024;
const LOOKED_UP = 8;

/** Where a batch goes: packs to `sink` when there is one. */
export interface PackBatch { readonly puts: StorePut[]; readonly expect: StoreExpectation[]; readonly deletes?: StoreDelete[]; readonly sink?: PackSink | undefined }

export class PackWriter {
  readonly #store: SnapshotStore;
  readonly #digests: Digests;
  readonly #batch: PackBatch;
  readonly #sink: PackSink;
  readonly #index: PageIndex;
  readonly #seen: HashSet;
  readonly #relied = new Set<StorePut>();
  readonly #written: WrittenPack[] = [];
  /** Of the pack under way: its pages. */
  readonly #stored: Uint8Array[] = [];
  readonly #guards = new BigUint64Array(PACK_PAGES_MAX);
  /** Hashes of its pages one after the other: what the key of the pack is made from, and the keys of the locations. */
  #hashes = new Uint8Array(HASH_BYTES * PACK_PAGES_MAX);
  #pageCount = 0;
  #strangers = 0;

  /** Appends its records to `batch`: what it writes, and where pages are that it found. `expected`: about how many pages there will be. */
  constructor(store: SnapshotStore, digests: Digests, batch: PackBatch, expected = 0) {
    this.#seen = new HashSet(expected);
    this.#store = store;
    this.#digests = digests;
    this.#batch = batch;
    this.#index = PageIndex.of(store);
    this.#sink = batch.sink ?? { room: (bytes) => new Uint8Array(bytes), put: (pack) => batch.puts.push(pack) };
  }

  /** Pages packed so far. */
  get pageCount(): number {
    return this.#pageCount;
  }

  /** Packs a page unless it is stored. `page` must stay as it is until the pack is full or the writer finishes; `hash` is copied. */
  add({ hash, guard, page }: { readonly hash: Uint8Array; readonly guard: bigint; readonly page: Uint8Array }): void {
    if (!this.#seen.addBytes(hash) || this.#isStored(hash)) return;
    this.#pageCount++;
    const length = trimmedLength(page);
    this.#pack(hash, guard, length === page.length ? page : page.subarray(0, length));
  }

  /** Packs a slot of an older pack again, stored or not. */
  move({ hash, guard, stored }: PackSlot): void {
    this.#pack(hash, guard, stored);
  }

  /** Writes out the pack that is not full yet, and a record for each page. */
  finish(): void {
    this.#endPack();
    for (const { key, hashes } of this.#written.splice(0)) {
      const locations = encodeLocations(key, hashes.length / HASH_BYTES);
      locations.forEach((value, slot) => this.#batch.puts.push({ table: 'pages', key: hashes.subarray(slot * HASH_BYTES, (slot + 1) * HASH_BYTES), value }));
    }
  }

  /** The same for a capture, with lists; what it returns is called when the batch is committed. */
  finishLists({ pagesMin, pagesMax }: ListLimits): () => void {
    this.#endPack();
    if (this.#pageCount < pagesMin) {
      this.finish();
      return () => {};
    }
    const lists: StorePut[] = [];
    while (this.#written.length > 0) lists.push(encodeList(this.#written.splice(0, LIST_PACKS_MAX), this.#digests));
    if (this.#index.pageCount + this.#pageCount <= pagesMax) {
      this.#batch.puts.push(...lists);
      return () => lists.forEach((list) => this.#index.add(list));
    }
    const old = this.#index.lists;
    for (const put of this.#index.recordsWith(lists)) this.#batch.puts.push(put);
    for (const list of old) {
      this.#rely(list);
      this.#batch.deletes!.push({ table: 'locations', key: list.key }); // A capture's batch has them.
    }
    return () => this.#index.clear();
  }

  #isStored(hash: Uint8Array): boolean {
    const listed = this.#index.find(hash);
    if (listed !== undefined) {
      this.#rely(listed.list);
      return true;
    }
    if (this.#strangers > STRANGERS_MAX && this.#strangers++ % LOOKED_UP !== 0) return false;
    const location = this.#store.get('pages', hash);
    if (location === undefined) {
      this.#strangers++;
      return false;
    }
    this.#strangers = 0;
    this.#batch.expect.push({ table: 'pages', key: hash.slice(), value: location });
    return true;
  }

  #rely(list: StorePut): void {
    if (this.#relied.has(list)) return;
    this.#relied.add(list);
    this.#batch.expect.push(list);
  }

  #pack(hash: Uint8Array, guard: bigint, stored: Uint8Array): void {
    const slot = this.#stored.length;
    for (let index = 0; index < HASH_BYTES; index++) this.#hashes[slot * HASH_BYTES + index] = hash[index]!;
    this.#guards[slot] = guard;
    this.#stored.push(stored);
    if (slot + 1 === PACK_PAGES_MAX) this.#endPack();
  }

  #endPack(): void {
    const stored = this.#stored;
    if (stored.length === 0) return;
    const hashes = this.#hashes.subarray(0, stored.length * HASH_BYTES);
    const key = new Uint8Array(HASH_BYTES);
    this.#digests.sha256Into(hashes, key, 0);
    this.#sink.put({ table: 'packs', key, value: encodePack({ hashes, guards: this.#guards, stored }, this.#sink.room) });
    this.#written.push({ key, hashes });
    stored.length = 0;
    this.#hashes = new Uint8Array(HASH_BYTES * PACK_PAGES_MAX);
  }
}

/** Key of a pack: SHA-256 of its page hashes one after the other. */
export function packKey(slots: readonly PackSlot[], digests: Digests): Uint8Array {
  const hashes = new Uint8Array(slots.length * HASH_BYTES);
  slots.forEach(({ hash }, slot) => hashes.set(hash, slot * HASH_BYTES));
  return hashBytes(digests.sha256(hashes));
}
