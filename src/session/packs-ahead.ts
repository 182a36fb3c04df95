/**
 * Packs of a capture on their way into the store before its commit, in transactions of one batch each, under a lease.
 *
 *   | pack | pack | … | pack |   one piece of memory, used again for each batch: fresh memory costs more than what is written to it
 *
 * Invariants: the lease is in the first transaction; a batch that failed is told of by `failure` and nothing is stored after it; the packs in `rest` are valid
 * until the next begin(). What this does NOT do: give up the lease (whoever commits the capture does).
 */
import type { PackSink } from '../snapshot/index.ts';
import type { StoreDelete, StorePut } from '../store/index.ts';
import type { LmdbStore } from '../store/live/lmdb-store.ts';

/** Packs are stored in transactions of about this size: the store's lock is held for some ten milliseconds at a time. */
const BATCH_BYTES = 16 * 1024 * 1024;

export class PacksAhead implements PackSink {
  readonly #store: Pick<LmdbStore, 'commitNow'>;
  #memory: Uint8Array | undefined;
  #used = 0;
  #packs: StorePut[] = [];
  #lease: StorePut | undefined;
  #hasLease = false;
  #stored: StoreDelete[] = [];
  #failure: unknown;

  constructor(store: Pick<LmdbStore, 'commitNow'>) {
    this.#store = store;
  }

  /** Starts with a capture, whose packs need `lease` when they are more than a batch. */
  begin(lease: StorePut): void {
    this.#used = 0;
    this.#packs = [];
    this.#lease = lease;
    this.#hasLease = false;
    this.#stored = [];
    this.#failure = undefined;
  }

  /** Packs that are not stored yet. */
  get rest(): readonly StorePut[] {
    return this.#packs;
  }

  /** Whether something was stored ahead. */
  get hasLease(): boolean {
    return this.#hasLease;
  }

  /** Packs that were stored ahead: the commit of the capture relies on them, and a collector may have found them dead since an earlier life. */
  get stored(): readonly StoreDelete[] {
    return this.#stored;
  }

  /** What the first transaction that failed said. */
  get failure(): unknown {
    return this.#failure;
  }

  readonly room = (bytes: number): Uint8Array => {
    if (this.#used + bytes > BATCH_BYTES) this.#storePacks();
    this.#memory ??= new Uint8Array(BATCH_BYTES);
    return this.#memory.subarray(this.#used, this.#used += bytes);
  };

  readonly put = (pack: StorePut): void => void this.#packs.push(pack);

  #storePacks(): void {
    const packs = this.#packs;
    this.#packs = [];
    this.#used = 0;
    if (this.#failure !== undefined) return;
    try {
      this.#store.commitNow({ puts: this.#hasLease ? packs : [this.#lease!, ...packs] }); // begin() came before.
      this.#hasLease = true;
      for (const { table, key } of packs) this.#stored.push({ table, key });
    } catch (error) {
      this.#failure = error; // The capture is not finished half way; whoever asked for it looks here.
    }
  }
}
