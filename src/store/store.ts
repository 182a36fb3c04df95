/**
 * The store as the rest of Stillpoint sees it: tables of byte strings under byte-string keys, and one atomic, durable, conditional commit.
 * Narrow on purpose: an embedded database, a memory twin and a replicated engine all fit behind it.
 * Implementations: store/memory-store.ts (twin), store/live/lmdb-store.ts. Both pass test/store/conformance.ts.
 */

/** Tables and their keys. Values are opaque here; the folder named on the right owns the format. */
export const TABLES = [
  'meta',         // text key                           format, store id; words of txn      store, txn
  'runs',         // run name (UTF-8)                   run record                          txn
  'owners',       // run id                             owner and epoch                     txn
  'frames',       // run id, u32 BE frame index         one journal frame                   journal
  'checkpoints',  // run id, u32 BE checkpoint number   checkpoint record                   txn
  'marks',        // run id, u32 BE checkpoint number   name and note of a checkpoint       txn
  'blobs',        // SHA-256                            programs and recorded inputs        journal
  'pages',        // SHA-256 of a page or packed node   pack and slot that hold it          snapshot
  'packs',        // SHA-256 of the hashes in it        pages with guards, tree nodes       snapshot
  'nodes',        // SHA-256                            roots, tree nodes of small captures snapshot
  'locations',    // SHA-256 of the list                where pages of a large capture lie  snapshot
  'shelves',      // tier, id, segments, segment        where pages of many such lie        snapshot
] as const;
export type Table = (typeof TABLES)[number];
/** The bounds of a whole table: no key is empty, or as long as this. */
export const ALL_KEYS = { from: Uint8Array.of(0), to: new Uint8Array(500).fill(255) } as const;

export interface StorePut { readonly table: Table; readonly key: Uint8Array; readonly value: Uint8Array }
export interface StoreDelete { readonly table: Table; readonly key: Uint8Array }
/** Holds when the stored value equals `value` (undefined: the key is absent). */
export interface StoreExpectation { readonly table: Table; readonly key: Uint8Array; readonly value: Uint8Array | undefined }

export interface StoreBatch {
  /** All must hold at the moment of the commit, else nothing is written and the commit answers 'conflict'. */
  readonly expect?: readonly StoreExpectation[];
  /** Must be there at that moment, whatever they hold, else 'conflict' as well. */
  readonly present?: readonly StoreDelete[];
  readonly deletes?: readonly StoreDelete[];
  /** It makes room: on a full disk a store gives it what it keeps for that. Such a batch is small. */
  readonly frees?: boolean;
  /** Records that a store with a thread of its own holds ready (session/beside-store.ts); no other store takes this. */
  readonly prepared?: { readonly id: number };
  readonly puts?: readonly StorePut[];
}

export interface Store {
  /** A copy of the value, or undefined. Throws E_STORE_CORRUPT when the engine reports damage. */
  get(table: Table, key: Uint8Array): Uint8Array | undefined;
  has(table: Table, key: Uint8Array): boolean;
  /**
   * Entries with from <= key < to in key order (unsigned bytes). `room`: memory of the caller's for the value of a range of one entry; a store may use it, and a value that it does not fit has its own.
   */
  range(table: Table, bounds: { readonly from: Uint8Array; readonly to: Uint8Array; readonly reverse?: boolean; readonly limit?: number; readonly room?: Uint8Array }): Iterable<{ readonly key: Uint8Array; readonly value: Uint8Array }>;
  /**
   * Applies expectations, deletes, puts (in this order) as one transaction. When the promise resolves 'done' the batch is on disk.
   * Either answer also refreshes this object's reads: they see at least what the commit saw, other processes' commits included.
   * Throws E_DISK_FULL or E_STORE_WRITE with nothing applied.
   */
  commit(batch: StoreBatch): Promise<'done' | 'conflict'>;
  /** Counts and sizes for `stats`. */
  usage(): { readonly tables: Readonly<Record<Table, { readonly entries: number; readonly bytes: number }>>; readonly fileBytes: number };
  close(): Promise<void>;
}
