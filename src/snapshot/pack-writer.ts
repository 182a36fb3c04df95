/**
 * Gathers new pages into packs: one store record for up to 15 pages, because LMDB gives a single 4 KiB value two of its pages.
 * Invariants: a page that the store or this batch holds is not packed again; finish() is called before the guest may change a page handed to add().
 * What this does NOT do: commit.
 */
import type { BlobHash, Digests } from '../core/index.ts';
import type { Store, StoreExpectation, StorePut } from '../store/index.ts';
import { encodeLocations, encodePack, HASH_BYTES, hashBytes, PACK_PAGES_MAX, trimmedLength, type PackSlot } from './format.ts';

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
  readonly #seen = new Set<BlobHash>();
  #slots: PackSlot[] = [];
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

  /** Packs a page unless it is stored. `name` and `hash` are one hash in two forms. `page` must stay as it is until the pack is full or finish() is called. */
  add({ name, hash, guard, page }: { readonly name: BlobHash; readonly hash: Uint8Array; readonly guard: bigint; readonly page: Uint8Array }): void {
    if (this.#seen.has(name)) return;
    this.#seen.add(name);
    const location = this.#store.get('pages', hash);
    if (location !== undefined) {
      this.#batch.expect.push({ table: 'pages', key: hash, value: location });
      return;
    }
    this.#pageCount++;
    this.move({ hash, guard, stored: page.subarray(0, trimmedLength(page)) });
  }

  /** Packs a slot of an older pack again, stored or not. */
  move(slot: PackSlot): void {
    this.#slots.push(slot);
    if (this.#slots.length === PACK_PAGES_MAX) this.finish();
  }

  /** Writes out the pack that is not full yet. */
  finish(): void {
    if (this.#slots.length === 0) return;
    const slots = this.#slots;
    this.#slots = [];
    const pack = packKey(slots, this.#digests);
    this.#sink.put({ table: 'packs', key: pack, value: encodePack(slots, this.#sink.room) });
    const locations = encodeLocations(pack, slots.length);
    slots.forEach(({ hash }, slot) => this.#batch.puts.push({ table: 'pages', key: hash, value: locations[slot]! }));
  }
}

/** Key of a pack: SHA-256 of its page hashes one after the other. */
export function packKey(slots: readonly PackSlot[], digests: Digests): Uint8Array {
  const hashes = new Uint8Array(slots.length * HASH_BYTES);
  slots.forEach(({ hash }, slot) => hashes.set(hash, slot * HASH_BYTES));
  return hashBytes(digests.sha256(hashes));
}
