/**
 * Fills the holes of a snapshot from another copy: nodes and pages that this store lacks or holds damaged are taken from there by their hashes.
 * Invariants: nothing enters that does not have the bytes its hash promises, whatever the other copy is; what is sound here is not read there; batches
 * are bounded. What this does NOT do: commit, find damage that no root reaches (check.ts).
 */
import { compareBytes, StillpointError, type BlobHash, type Digests } from '../core/index.ts';
import type { StoreExpectation, StorePut } from '../store/index.ts';
import { FAN_OUT, HASH_BYTES, hashBytes, readHash, type TreeRoot } from './format.ts';
import { HashSet } from './hash-set.ts';
import { trimmedLength } from './pack-format.ts';
import { PackWriter } from './pack-writer.ts';
import type { SnapshotStore } from './page-index.ts';
import { childrenOf, SnapshotReader, type NodePlace, type PagePlace } from './reader.ts';
import type { Root } from './state.ts';

/** Records taken before a batch is handed out: some megabytes. */
const BATCH_RECORDS = 2000;

export class SnapshotHealer {
  readonly #store: SnapshotStore;
  readonly #digests: Digests;
  readonly #here: SnapshotReader;
  readonly #there: SnapshotReader;
  /** Nodes from here where they are sound, else from there. */
  readonly #either: SnapshotReader;
  readonly #nodes = new HashSet();
  readonly #pages = new HashSet();
  readonly #batch: { readonly puts: StorePut[]; readonly expect: StoreExpectation[] } = { puts: [], expect: [] };
  readonly #packs: PackWriter;
  #taken = 0;

  constructor({ store, source, digests }: { readonly store: SnapshotStore; readonly source: SnapshotStore; readonly digests: Digests }) {
    this.#store = store;
    this.#digests = digests;
    this.#here = new SnapshotReader(store, digests);
    this.#there = new SnapshotReader(source, digests);
    this.#packs = new PackWriter(store, digests, this.#batch);
    this.#either = new SnapshotReader({ get: (table, key) => (table === 'nodes' ? this.#node(key) : store.get(table, key)), range: (...asked) => store.range(...asked) }, digests);
  }

  /** Records taken so far. */
  get taken(): number {
    return this.#taken;
  }

  /** Everything under a root that only the other copy has, in batches. Returns the first thing that neither has, or undefined. */
  *heal(root: Root): Generator<readonly StorePut[], StillpointError | undefined> {
    let trouble: StillpointError | undefined;
    const trees: (readonly [string, TreeRoot])[] = [];
    try {
      trees.push(...this.#treesOf(root));
    } catch (error) {
      if (!(error instanceof StillpointError)) throw error;
      trouble = error;
    }
    for (const [name, tree] of trees) for (const problem of this.#fill(name, tree)) {
      if (problem !== undefined) trouble ??= problem;
      if (this.#batch.puts.length > BATCH_RECORDS) yield this.#takeBatch();
    }
    const rest = this.#takeBatch();
    if (rest.length > 0) yield rest;
    return trouble;
  }

  /** A page or packed node that is damaged or lost here, as records; undefined when it is there neither. */
  content(hash: BlobHash): readonly StorePut[] | undefined {
    const node = this.#there.soundNode(hash);
    if (node !== undefined) {
      this.#packs.move({ isNode: true, hash: hashBytes(hash), guard: 0n, stored: node });
      return this.#takeBatch();
    }
    return this.#takePage(hash, { object: 'a snapshot', index: 0 }) === undefined ? this.#takeBatch() : undefined;
  }

  /** The node or root with this hash, from the other copy. */
  node(key: Uint8Array): Uint8Array | undefined {
    return key.length === HASH_BYTES ? this.#there.soundNode(readHash(key)) : undefined;
  }

  #treesOf(root: Root): readonly (readonly [string, TreeRoot])[] {
    const record = this.#either.root(root);
    const trees: (readonly [string, TreeRoot])[] = [];
    for (const [name, value] of record.sections) if (value.kind === 'tree') trees.push([`section ${name}`, value.tree]);
    if (record.objects.kind === 'tree') {
      trees.push(['section of objects', record.objects.tree]);
      for (const trouble of this.#fill('section of objects', record.objects.tree)) if (trouble !== undefined) throw trouble;
    }
    this.#packs.finish();
    const both = new SnapshotReader(withPuts(this.#store, this.#batch.puts), this.#digests);
    return [...trees, ...both.objects(root, record)];
  }

  /** What neither copy has under a tree, one by one; undefined after each page that is there now. */
  *#fill(object: string, { height, hash }: TreeRoot): Generator<StillpointError | undefined> {
    if (hash === undefined) return;
    const open: (NodePlace & { readonly hash: BlobHash })[] = [{ object, hash, level: height - 1, firstPage: 0 }];
    for (let next = open.pop(); next !== undefined; next = open.pop()) {
      if (this.#nodes.has(next.hash)) continue;
      const { level, firstPage } = next;
      let children;
      try {
        children = [...childrenOf(this.#either.node(next.hash, next))];
      } catch (error) {
        if (!(error instanceof StillpointError)) throw error;
        yield error;
        continue;
      }
      this.#nodes.add(next.hash);
      for (const [slot, child] of children) {
        const first = firstPage + slot * FAN_OUT ** level;
        if (level > 0) open.push({ object, hash: child, level: level - 1, firstPage: first });
        else yield this.#takePage(child, { object, index: first });
      }
    }
  }

  /** Undefined when the page is sound here or was taken. */
  #takePage(hash: BlobHash, place: PagePlace): StillpointError | undefined {
    if (this.#pages.has(hash)) return undefined;
    if (!this.#here.isSoundPage(hash)) {
      let page: Uint8Array;
      try {
        page = this.#there.page(hash, place);
      } catch (error) {
        if (error instanceof StillpointError) return error;
        throw error;
      }
      this.#packs.move({ isNode: false, hash: hashBytes(hash), guard: this.#digests.xxh64(page), stored: page.subarray(0, trimmedLength(page)) });
      this.#taken++;
    }
    this.#pages.add(hash);
    return undefined;
  }

  #node(key: Uint8Array): Uint8Array | undefined {
    const here = this.#here.soundNode(readHash(key));
    if (here !== undefined) return here;
    const there = this.#there.soundNode(readHash(key));
    if (there === undefined) return this.#store.get('nodes', key);
    this.#batch.puts.push({ table: 'nodes', key: key.slice(), value: there });
    this.#taken++;
    return there;
  }

  #takeBatch(): readonly StorePut[] {
    this.#packs.finish();
    return this.#batch.puts.splice(0);
  }
}

/** A store as it is with some records more; of a range they come first. */
function withPuts(store: SnapshotStore, puts: readonly StorePut[]): SnapshotStore {
  const fresh = new Map(puts.map(({ table, key, value }) => [`${table} ${readHash(key)}`, value]));
  return {
    get: (table, key) => fresh.get(`${table} ${readHash(key)}`) ?? store.get(table, key),
    range: (table, bounds) => [...puts.filter((put) => put.table === table && compareBytes(put.key, bounds.from) >= 0 && compareBytes(put.key, bounds.to) < 0), ...store.range(table, bounds)],
  };
}
