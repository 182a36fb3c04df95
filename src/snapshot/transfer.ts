/**
 * Snapshots on their way from store to store: pages in packs, then nodes, from the bottom up.
 * Invariants: what is exported was verified by hash as it was read; what is imported is verified by hash before it is stored. A page or node that the
 * receiver has is not stored twice. What this does NOT do: frame records (session/export-format.ts), see that all of a root is there (check.ts).
 */
import { endsWell, StillpointError, type BlobHash, type Digests } from '../core/index.ts';
import type { Store, StoreExpectation, StorePut } from '../store/index.ts';
import { decodeNode, decodeRoot, hashBytes, nodeLevelOf, readHash } from './format.ts';
import { HashSet } from './hash-set.ts';
import { decodePagePack, encodePagePack, expandSlot, PAGE_PACK_MAX, trimmedLength, type PackSlot } from './pack-format.ts';
import { PackWriter } from './pack-writer.ts';
import { SnapshotReader } from './reader.ts';
import type { Root } from './state.ts';
import { walkSnapshot, type Reached } from './walk.ts';

export type TransferRecord = { readonly kind: 'pack' | 'node'; readonly value: Uint8Array; readonly pages: number };

/** Everything under `roots` that is not under `have`. Throws the errors of reader.ts. */
export function* exportSnapshots({ store, digests, roots, have }: { readonly store: Store; readonly digests: Digests; readonly roots: readonly Root[]; readonly have: readonly Root[] }): Generator<TransferRecord> {
  const reached: Reached = { nodes: new HashSet(), pages: new HashSet() };
  for (const root of have) walkSnapshot(store, root, { digests, reached });
  const fresh: { readonly nodes: BlobHash[]; readonly pages: BlobHash[] } = { nodes: [], pages: [] };
  const listed = { nodes: listing(reached.nodes, fresh.nodes), pages: listing(reached.pages, fresh.pages) };
  for (const root of roots) walkSnapshot(store, root, { digests, reached: listed });
  const reader = new SnapshotReader(store, digests);
  let slots: PackSlot[] = [];
  for (const hash of fresh.pages) {
    const page = reader.page(hash, { object: 'a checkpoint', index: 0 });
    slots.push({ isNode: false, hash: hashBytes(hash), guard: digests.xxh64(page), stored: page.subarray(0, trimmedLength(page)) });
    if (slots.length < PAGE_PACK_MAX) continue;
    yield { kind: 'pack', value: encodePagePack(slots), pages: slots.length };
    slots = [];
  }
  if (slots.length > 0) yield { kind: 'pack', value: encodePagePack(slots), pages: slots.length };
  for (const hash of fresh.nodes) {
    const value = reader.soundNode(hash);
    if (value === undefined) throw new StillpointError('E_SNAPSHOT_FORMAT', `a tree node (${hash}) does not have the bytes its hash promises`, { data: { hash } });
    yield { kind: 'node', value, pages: 0 };
  }
}

/** A set that also lists what is new in it. */
function listing(set: Reached['nodes'], list: BlobHash[]): Reached['nodes'] {
  return {
    has: (hash) => set.has(hash),
    add: (hash) => {
      if (!set.has(hash)) list.push(hash);
      set.add(hash);
    },
    get size() { return set.size; },
  };
}

/** Checks and repacks what comes in. */
export class SnapshotImporter {
  readonly #store: Store;
  readonly #digests: Digests;
  #batch: { puts: StorePut[]; expect: StoreExpectation[] } = { puts: [], expect: [] };
  #packs: PackWriter;

  constructor(store: Store, digests: Digests) {
    this.#store = store;
    this.#digests = digests;
    this.#packs = new PackWriter(store, digests, this.#batch);
  }

  /** What of a pack is to be stored now; undefined when it is damaged. */
  pack(bytes: Uint8Array): readonly StorePut[] | undefined {
    const slots = decodePagePack(bytes)?.slots;
    if (slots === undefined) return undefined;
    for (const { hash, guard, stored } of slots) {
      const page = expandSlot({ stored });
      const name = readHash(hash);
      if (stored.length !== trimmedLength(page) || this.#digests.sha256(page) !== name || this.#digests.xxh64(page) !== guard) return undefined;
      this.#packs.add({ hash, guard, page });
    }
    return this.#batch.puts.splice(0);
  }

  /** What of a node or root record is to be stored now; undefined when it is not one. Nodes go into packs, as those of captures do. */
  node(bytes: Uint8Array): readonly StorePut[] | undefined {
    const hash = this.#digests.sha256(bytes);
    const level = nodeLevelOf(bytes);
    if (!endsWell(() => (level === undefined ? decodeRoot(bytes, { what: 'root record', hash }) : decodeNode(bytes, { what: 'tree node', hash, level })))) return undefined;
    if (level === undefined) return [{ table: 'nodes', key: hashBytes(hash), value: bytes }];
    this.#packs.addNode({ hash: hashBytes(hash), isFresh: false, bytes });
    return this.#batch.puts.splice(0);
  }

  /** The pack that is not full yet. Call before each commit. */
  finish(): readonly StorePut[] {
    this.#packs.finish();
    this.#packs = new PackWriter(this.#store, this.#digests, this.#batch);
    return this.#batch.puts.splice(0);
  }
}
