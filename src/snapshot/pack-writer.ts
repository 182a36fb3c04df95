/**
 * Gathers new pages into packs: one store record for up to 15 pages, because LMDB gives a single 4 KiB value two of its pages.
 * Invariants: a page that the store or this batch holds is not packed again; finish() is called before the guest may change a page handed to add().
 * HOT PATH of a checkpoint: a page leaves three objects behind (its put and two views of memory that the whole pack shares), for what lives until the commit is
 * copied by V8's collector again and again.
 * What this does NOT do: commit.
 */
import type { Digests } from '../core/index.ts';
import type { Store, StoreExpectation, StorePut } from '../store/index.ts';
import { encodeLocations, encodePack, HASH_BYTES, hashBytes, PACK_PAGES_MAX, trimmedLength, type PackSlot } from './format.ts';
import { HashSet } from './hash-set.ts';

/** Takes packs as they are filled, so that they need not be kept until the batch is committed. */
export interface PackSink {
  /** Memory for a pack of `bytes` bytes, which is put next. */
  room(bytes: number): Uint8Array;
  put(pack: StorePut): void;
}

export class PackWriter {
  readonly #store: Pick<Store, 'get'>;
  readonly #digests: Digests;
  readonly #batch: { readonly puts: StorePut[]; readonly expect: StoreExpectation[] };
  readonly #sink: PackSink;
  readonly #seen = new HashSet();
  #slots: PackSlot[] = [];
  /** Hashes of the slots one after the other: what the key of the pack is made from, and the keys of the locations. */
  #hashes = new Uint8Array(HASH_BYTES * PACK_PAGES_MAX);
  #pageCount = 0;

  /** Appends its records to `batch`: what it writes (packs to `sink` when there is one), and where pages are that it found. */
  constructor(store: Pick<Store, 'get'>, digests: Digests, batch: { readonly puts: StorePut[]; readonly expect: StoreExpectation[]; readonly sink?: PackSink | undefined }) {
    this.#store = store;
    this.#digests = digests;
    this.#batch = batch;
    this.#sink = batch.sink ?? { room: (bytes) => new Uint8Array(bytes), put: (pack) => batch.puts.push(pack) };
  }

  /** Pages packed so far. */
  get pageCount(): number {
    return this.#pageCount;
  }

  /** Packs a page unless it is stored. `page` must stay as it is until the pack is full or finish() is called; `hash` is copied. */
  add({ hash, guard, page }: { readonly hash: Uint8Array; readonly guard: bigint; readonly page: Uint8Array }): void {
    if (!this.#seen.addBytes(hash)) return;
    const location = this.#store.get('pages', hash);
    if (location !== undefined) {
      this.#batch.expect.push({ table: 'pages', key: hash.slice(), value: location });
      return;
    }
    this.#pageCount++;
    const length = trimmedLength(page);
    this.move({ hash, guard, stored: length === page.length ? page : page.subarray(0, length) });
  }

  /** Packs a slot of an older pack again, stored or not. */
  move({ hash, guard, stored }: PackSlot): void {
    const at = this.#slots.length * HASH_BYTES;
    this.#hashes.set(hash, at);
    this.#slots.push({ hash: this.#hashes.subarray(at, at + HASH_BYTES), guard, stored });
    if (this.#slots.length === PACK_PAGES_MAX) this.finish();
  }

  /** Writes out the pack that is not full yet. */
  finish(): void {
    const slots = this.#slots;
    if (slots.length === 0) return;
    const pack = new Uint8Array(HASH_BYTES);
    this.#digests.sha256Into(this.#hashes.subarray(0, slots.length * HASH_BYTES), pack, 0);
    this.#sink.put({ table: 'packs', key: pack, value: encodePack(slots, this.#sink.room) });
    const locations = encodeLocations(pack, slots.length);
    for (let slot = 0; slot < slots.length; slot++) this.#batch.puts.push({ table: 'pages', key: slots[slot]!.hash, value: locations[slot]! });
    this.#slots = [];
    this.#hashes = new Uint8Array(HASH_BYTES * PACK_PAGES_MAX);
  }
}

/** Key of a pack: SHA-256 of its page hashes one after the other. */
export function packKey(slots: readonly PackSlot[], digests: Digests): Uint8Array {
  const hashes = new Uint8Array(slots.length * HASH_BYTES);
  slots.forEach(({ hash }, slot) => hashes.set(hash, slot * HASH_BYTES));
  return hashBytes(digests.sha256(hashes));
}
