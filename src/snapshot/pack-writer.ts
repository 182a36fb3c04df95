/**
 * Gathers new pages, and the nodes above them, into packs: one store record for up to 31 pages and what fits beside them, because LMDB gives a single 4 KiB value two of its pages
 * and fills the leaves that hold nodes to two thirds.
 * Invariants: what the store or this batch holds is not packed again; finish() is called before the guest may change a page handed to add().
 * A checkpoint of many pages says where they are in one list (page-index.ts); what it says about single pages costs as much as the pages.
 * HOT PATH of a checkpoint: hardly an object for a page stays until the commit, for V8's collector would copy it again and again.
 * What this does NOT do: commit.
 */
import { assert, type Digests } from '../core/index.ts';
import type { StoreDelete, StoreExpectation, StorePut } from '../store/index.ts';
import { HASH_BYTES, hashBytes, NODE_BYTES_MAX } from './format.ts';
import { HashSet } from './hash-set.ts';
import { encodeList, LIST_PACKS_MAX, type WrittenPack } from './location-list.ts';
import { PackArena } from './pack-arena.ts';
import { encodeLocations, encodePack, PACK_BYTES_MAX, PACK_SLOTS_MAX, slotBytes, trimmedLength, type PackSlot } from './pack-format.ts';
import { PageIndex, type SnapshotStore } from './page-index.ts';
import { SEGMENT_ENTRIES } from './shelves.ts';

/** Takes packs as they are filled, so that they need not be kept until the batch is committed. */
export interface PackSink {
  /** Memory for a pack of `bytes` bytes, which is put next. */
  room(bytes: number): Uint8Array;
  put(pack: StorePut): void;
}

/** From how many new pages on a capture writes a list, how many pages may be in lists before they go on a shelf, and how many a segment of it has. */
export interface ListLimits { readonly pagesMin: number; readonly pagesMax: number; readonly segmentEntries?: number }
/** A list of 64 pages is 2 KiB; smaller ones would be many. 65 536 pages: two megabytes to read for whoever opens the store. */
export const LIST_LIMITS: ListLimits = { pagesMin: 64, pagesMax: 65_536 };
/** Pages in a row that the store did not have before only one in LOOKED_UP is looked for: a machine that makes new content all the time. The first of each capture always are. */
const STRANGERS_MAX = 1024;
const LOOKED_UP = 8;
const ALWAYS_LOOKED_UP = 64;
/** Of an empty pack: its tag and the count of its slots. */
const HEADER_BYTES = 2;
/** Nodes that there may be beside the pages of a capture: so many for each where pages lie alone, few where they have neighbours. */
const NODES_A_PAGE = 1.5;
const NODES_EXPECTED_MAX = 24_576;
const HASHES_BYTES = HASH_BYTES * PACK_SLOTS_MAX;
/** Nodes that no pack of pages has room for lie together, in eight pages of LMDB: who needs one reads all of them. */
const NODE_PACK_BYTES_MAX = 8 * 4096 - 24;

/** Where a batch goes: packs to `sink` when there is one. */
export interface PackBatch { readonly puts: StorePut[]; readonly expect: StoreExpectation[]; readonly deletes?: StoreDelete[]; readonly sink?: PackSink | undefined }

export class PackWriter {
  readonly #store: SnapshotStore;
  readonly #digests: Digests;
  readonly #batch: PackBatch;
  readonly #sink: PackSink;
  readonly #index: PageIndex;
  readonly #kept: PackMemory;
  readonly #relied = new Set<StorePut>();
  readonly #segments = new Set<string>();
  readonly #written: WrittenPack[] = [];
  readonly #guards = new BigUint64Array(PACK_SLOTS_MAX);
  #open: OpenPack;
  /** Nodes that wait for what a pack of pages has left: the last ones, which lie above its pages, first. */
  readonly #waiting: WaitingNodes;
  #pageCount = 0;
  #nodeCount = 0;

  /**
   * Appends its records to `batch`: what it writes, and where pages are that it found. `expected`: about how many pages there will be. `kept`: what former writers of this machine have left, whose batches
   * nobody reads any more.
   */
  constructor(store: SnapshotStore, digests: Digests, batch: PackBatch, { expected = 0, kept = new PackMemory() }: { readonly expected?: number; readonly kept?: PackMemory } = {}) {
    kept.begin(expected + Math.min(expected * NODES_A_PAGE, NODES_EXPECTED_MAX));
    this.#kept = kept;
    this.#waiting = kept.waiting;
    this.#open = this.#newPack();
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

  /** Nodes packed so far. */
  get nodeCount(): number {
    return this.#nodeCount;
  }

  /** Whether this batch meets a page or node for the first time; from now on it has. */
  isNew(hash: Uint8Array): boolean {
    return this.#kept.seen.addBytes(hash);
  }

  /** Packs a page unless it is stored, and says whether it did. `page` must stay as it is until the pack is full or the writer finishes; `hash` is copied. */
  add({ hash, guard, page }: { readonly hash: Uint8Array; readonly guard: bigint; readonly page: Uint8Array }): boolean {
    if (!this.isNew(hash) || this.#isStored(hash)) return false;
    this.#pageCount++;
    const length = trimmedLength(page);
    this.#pack(hash, guard, length === page.length ? page : page.subarray(0, length));
    return true;
  }

  /** Packs a node unless it lies in a pack already; one with a page below it that add() has packed is not looked for. Hash and bytes are copied. */
  addNode({ hash, isFresh, bytes }: { readonly hash: Uint8Array; readonly isFresh: boolean; readonly bytes: Uint8Array }): void {
    if (!this.isNew(hash) || (!isFresh && this.#isStored(hash))) return;
    this.#nodeCount++;
    this.#packNode(hash, bytes);
  }

  /** Packs a slot of an older pack again, stored or not. */
  move({ isNode, hash, guard, stored }: PackSlot): void {
    if (isNode) this.#packNode(hash, stored);
    else this.#pack(hash, guard, stored);
  }

  /** Writes out the pack that is not full yet, and a record for each page and node. */
  finish(): void {
    this.#endPacks();
    const records: StorePut[] = [];
    for (const { key, hashes, isNode } of this.#written.splice(0)) {
      const locations = encodeLocations(key, Array.from({ length: hashes.length / HASH_BYTES }, (_, slot) => isNode[slot] === 1));
      locations.forEach((value, slot) => records.push({ table: 'pages', key: hashes.subarray(slot * HASH_BYTES, (slot + 1) * HASH_BYTES), value }));
    }
    records.sort((a, b) => firstWord(a.key) - firstWord(b.key)); // Neighbours in the table one after the other.
    for (const record of records) this.#batch.puts.push(record);
  }

  /** The same for a capture, with lists; what it returns is called when the batch is committed. */
  finishLists({ pagesMin, pagesMax, segmentEntries = SEGMENT_ENTRIES }: ListLimits): () => void {
    this.#endPacks();
    const count = this.#pageCount + this.#nodeCount;
    if (count < pagesMin) {
      this.finish();
      return () => {};
    }
    const lists: StorePut[] = [];
    while (this.#written.length > 0) lists.push(encodeList(this.#written.splice(0, LIST_PACKS_MAX), this.#digests));
    if (this.#index.count + count <= pagesMax) {
      this.#batch.puts.push(...lists);
      return () => lists.forEach((list) => this.#index.add(list));
    }
    const shelf = this.#index.shelves.add(this.#index.entriesWith(lists), this.#digests, { id: lists[0]!.key, entriesMean: segmentEntries, firstTier: pagesMax });
    for (const put of shelf.puts) this.#batch.puts.push(put);
    for (const expected of shelf.expect) this.#batch.expect.push(expected);
    const old = this.#index.lists;
    for (const list of old) this.#rely(list);
    this.#batch.deletes!.push(...shelf.deletes, ...old.map(({ key }): StoreDelete => ({ table: 'locations', key }))); // A capture's batch has them.
    return () => this.#index.forget();
  }

  #isStored(hash: Uint8Array): boolean {
    const listed = this.#index.find(hash);
    if (listed !== undefined) {
      this.#rely(listed.list);
      return true;
    }
    if (!this.#kept.lookUps.mustLook()) return false;
    const location = this.#store.get('pages', hash);
    const shelved = location === undefined ? this.#index.shelves.find(hash) : undefined;
    this.#kept.lookUps.note(location !== undefined || shelved !== undefined);
    if (location !== undefined) this.#batch.expect.push({ table: 'pages', key: hash.slice(), value: location });
    else if (shelved !== undefined) this.#relyOnSegment(shelved.segment);
    return location !== undefined || shelved !== undefined;
  }

  #rely(list: StorePut): void {
    if (this.#relied.has(list)) return;
    this.#relied.add(list);
    this.#batch.expect.push(list);
  }

  /** Each is read anew for each page. */
  #relyOnSegment(segment: StorePut): void {
    const name = segment.key.join();
    if (this.#segments.has(name)) return;
    this.#segments.add(name);
    this.#batch.expect.push(segment);
  }

  #packNode(hash: Uint8Array, bytes: Uint8Array): void {
    assert(bytes.length <= NODE_BYTES_MAX, 'a node has at most 16 children');
    if (!this.#waiting.hasRoom(bytes.length)) {
      const pages = this.#open;
      this.#open = this.#newPack();
      this.#endPack();
      this.#open = pages;
    }
    this.#waiting.push(hash, bytes);
  }

  #pack(hash: Uint8Array, guard: bigint, stored: Uint8Array): void {
    if (!this.#open.fits(slotBytes(stored.length, false))) this.#endPack();
    this.#open.addPage(hash, guard, stored);
  }

  /** Ends the pack under way, with as many waiting nodes as it has room for. */
  #endPack(): void {
    const open = this.#open;
    const waiting = this.#waiting;
    for (; waiting.count > 0 && open.fits(slotBytes(waiting.lastBytes, true)); waiting.pop()) open.addNode(waiting.hashes, waiting.lastHashAt, waiting.last);
    if (open.stored.length === 0) return;
    const key = new Uint8Array(HASH_BYTES);
    this.#digests.sha256Into(open.hashes, key, 0);
    this.#sink.put({ table: 'packs', key, value: encodePack(open, this.#sink.room) });
    this.#written.push({ key, hashes: open.hashes, isNode: open.isNode });
    this.#open = this.#newPack();
  }

  #newPack(): OpenPack {
    return new OpenPack(this.#kept.hashes.room(HASHES_BYTES), this.#guards);
  }

  /** Nothing waits afterwards. */
  #endPacks(): void {
    this.#endPack();
    while (this.#waiting.count > 0) this.#endPack();
  }
}

/** What the writers of one machine use again, one after the other: fresh memory for each costs the kernel's pages and has V8 look for garbage. */
export class PackMemory {
  readonly lookUps = new LookUps();
  readonly seen = new HashSet();
  readonly waiting = new WaitingNodes();
  /** Hashes of packs, until the batch is committed. */
  readonly hashes = new PackArena();

  /** `expected`: hashes that there will be. */
  begin(expected: number): void {
    this.lookUps.begin();
    this.seen.clear(expected);
    this.waiting.clear();
    this.hashes.reset();
  }
}

/** Whether the store is asked for a page at all: of the captures of one machine. */
class LookUps {
  /** Pages in a row that the store did not have. */
  #strangers = 0;
  /** Asked about in this capture. */
  #asked = 0;

  /** With a capture. */
  begin(): void {
    this.#asked = 0;
  }

  mustLook(): boolean {
    return this.#asked++ < ALWAYS_LOOKED_UP || this.#strangers <= STRANGERS_MAX || this.#asked % LOOKED_UP === 0;
  }

  note(isStored: boolean): void {
    this.#strangers = isStored ? 0 : this.#strangers + 1;
  }
}

/** The pack under way. */
class OpenPack {
  readonly stored: Uint8Array[] = [];
  /** Of the pages: a pack of nodes that is written in between leaves them as they are. */
  readonly guards: BigUint64Array;
  readonly isNode = new Uint8Array(PACK_SLOTS_MAX);
  /** What the key of the pack is made from, and the keys of the locations. */
  readonly #hashes: Uint8Array;
  #bytes = HEADER_BYTES;

  constructor(hashes: Uint8Array, guards: BigUint64Array) {
    this.#hashes = hashes;
    this.guards = guards;
  }

  /** Hashes of its slots one after the other. */
  get hashes(): Uint8Array {
    return this.#hashes.subarray(0, this.stored.length * HASH_BYTES);
  }

  fits(bytes: number): boolean {
    return this.stored.length < PACK_SLOTS_MAX && this.#bytes + bytes <= PACK_BYTES_MAX;
  }

  addPage(hash: Uint8Array, guard: bigint, stored: Uint8Array): void {
    this.guards[this.stored.length] = guard;
    this.#add(hash, 0, stored);
    this.#bytes += slotBytes(stored.length, false);
  }

  addNode(hashes: Uint8Array, hashAt: number, stored: Uint8Array): void {
    this.isNode[this.stored.length] = 1;
    this.#add(hashes, hashAt, stored);
    this.#bytes += slotBytes(stored.length, true);
  }

  #add(hashes: Uint8Array, hashAt: number, stored: Uint8Array): void {
    const at = this.stored.length * HASH_BYTES;
    for (let index = 0; index < HASH_BYTES; index++) this.#hashes[at + index] = hashes[hashAt + index]!;
    this.stored.push(stored);
  }
}

/** Nodes in memory of their own, the last one on top. */
class WaitingNodes {
  readonly #memory = new Uint8Array(NODE_PACK_BYTES_MAX);
  /** Where each begins, and the end. */
  readonly #starts = new Uint16Array(PACK_SLOTS_MAX + 1);
  readonly hashes = new Uint8Array(HASHES_BYTES);
  count = 0;

  clear(): void {
    this.count = 0;
  }

  get lastHashAt(): number {
    return (this.count - 1) * HASH_BYTES;
  }

  get lastBytes(): number {
    return this.#starts[this.count]! - this.#starts[this.count - 1]!;
  }

  /** A view, which holds until its place is given to another node: its pack is written before. */
  get last(): Uint8Array {
    return this.#memory.subarray(this.#starts[this.count - 1], this.#starts[this.count]);
  }

  /** Whether a node more is still less than a pack of nodes alone should have. */
  hasRoom(bytes: number): boolean {
    return this.count < PACK_SLOTS_MAX && this.#starts[this.count]! + bytes + (this.count + 1) * slotBytes(0, true) + HEADER_BYTES <= NODE_PACK_BYTES_MAX;
  }

  push(hash: Uint8Array, bytes: Uint8Array): void {
    const start = this.#starts[this.count]!;
    this.#memory.set(bytes, start);
    for (let index = 0, at = this.count * HASH_BYTES; index < HASH_BYTES; index++) this.hashes[at + index] = hash[index]!;
    this.#starts[++this.count] = start + bytes.length;
  }

  pop(): void {
    this.count--;
  }
}

/** In the order of a table's keys. */
function firstWord(key: Uint8Array): number {
  return ((key[0]! << 24) | (key[1]! << 16) | (key[2]! << 8) | key[3]!) >>> 0;
}

/** Key of a pack: SHA-256 of the hashes of its slots one after the other. */
export function packKey(slots: readonly PackSlot[], digests: Digests): Uint8Array {
  const hashes = new Uint8Array(slots.length * HASH_BYTES);
  slots.forEach(({ hash }, slot) => hashes.set(hash, slot * HASH_BYTES));
  return hashBytes(digests.sha256(hashes));
}
