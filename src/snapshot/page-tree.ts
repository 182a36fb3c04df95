/**
 * A Merkle radix tree over the pages of one object, in memory: hashes of pages at the leaves, hashes of nodes above, nothing for zero pages.
 *
 *   height 2:            [ node level 1 ]               page index 0x1f = child 1 of the root, slot 15 of that leaf
 *                       0 /     \ 1
 *            [ leaf level 0 ] [ leaf level 0 ]          height = least h with every page below 16^h; 0 when there is no page
 *
 * Invariants: after seal() the root hash depends on the pages' content only. Nodes from a store are loaded when first touched. A leaf also keeps
 * the XXH64 of each page that was captured (0: not known), so that a page written with its old bytes costs no SHA-256.
 * What this does NOT do: store anything; seal() hands every node it encoded to its caller.
 */
import { assert, type BlobHash } from '../core/index.ts';
import { FAN_OUT, FAN_OUT_SHIFT, HASH_BYTES, HEIGHT_MAX, PAGES_MAX, readHash, writeHash, type NodeContent, type TreeRoot } from './format.ts';
import { NodePool } from './node-pool.ts';

/** Reads a node of the store; throws its operating errors. `firstPage` is for messages. */
export type NodeLoader = (hash: BlobHash, place: { readonly level: number; readonly firstPage: number }) => NodeContent;
/** Takes a node that was encoded, whose bytes are used again afterwards, and writes its hash to `offset` of `target`. `isFresh`: a page below it is new to the store, so the node is. */
export type NodeSink = (node: { readonly bytes: Uint8Array; readonly isFresh: boolean }, target: Uint8Array, offset: number) => void;

/** No node. */
const NONE = -1;

export class PageTree {
  readonly #load: NodeLoader;
  readonly #pool = new NodePool();
  #height: number;
  /** Pages below 16^height; 0 when there is none. */
  #pagesCovered: number;
  /** NONE: not in memory. */
  #root = NONE;
  /** Hash of the root; undefined when there is no page or the root is stale. */
  #rootHash: BlobHash | undefined;
  /** The leaf that was used last (neighbours follow), by the index of its first page over its size; -1: none. */
  #lastAt = -1;
  #lastLeaf = NONE;
  /** What is above it; NONE when it is the root. */
  #lastParent = NONE;
  /** Whether all hashes above it are marked stale. */
  #isLastTouched = false;

  constructor(load: NodeLoader, start: TreeRoot = { height: 0, hash: undefined }) {
    this.#load = load;
    this.#height = start.height;
    this.#pagesCovered = coveredBy(start.height);
    this.#rootHash = start.hash;
  }

  /** Copies the page's hash into `target` and says whether there is one: a page of zeros has none. */
  readHash(pageIndex: number, target: Uint8Array): boolean {
    const leaf = this.#findLeaf(pageIndex);
    const slot = pageIndex & (FAN_OUT - 1);
    if (leaf === NONE || (this.#pool.mask(leaf) & (1 << slot)) === 0) return false;
    const { bytes } = this.#pool;
    for (let index = 0, at = this.#pool.hashesAt(leaf) + slot * HASH_BYTES; index < HASH_BYTES; index++) target[index] = bytes[at + index]!; // A view would cost more than the copy.
    return true;
  }

  /** XXH64 of the page as last set, 0n when not known or zero. */
  guard(pageIndex: number): bigint {
    const leaf = this.#findLeaf(pageIndex);
    return leaf === NONE ? 0n : this.#pool.guard(leaf, pageIndex & (FAN_OUT - 1));
  }

  /** Notes the XXH64 of a page whose hash stays. */
  setGuard(pageIndex: number, guard: bigint): void {
    const leaf = this.#findLeaf(pageIndex);
    if (leaf !== NONE) this.#pool.setGuard(leaf, pageIndex & (FAN_OUT - 1), guard);
  }

  /** Gives a page its hash (32 bytes), or takes it away when the page is zeros. `isFresh`: the store does not have this page yet. */
  set(pageIndex: number, hash: Uint8Array | undefined, { guard, isFresh }: { readonly guard: bigint; readonly isFresh: boolean }): void {
    assert(pageIndex >= 0 && pageIndex < PAGES_MAX, 'a page index lies in the tree');
    if (hash === undefined && pageIndex >= this.#pagesCovered) return;
    const pool = this.#pool;
    const leaf = this.#touchLeaf(pageIndex);
    const slot = pageIndex & (FAN_OUT - 1);
    const mask = pool.mask(leaf);
    pool.setMask(leaf, hash === undefined ? mask & ~(1 << slot) : mask | (1 << slot));
    if (hash !== undefined) {
      const { bytes } = pool;
      for (let index = 0, at = pool.hashesAt(leaf) + slot * HASH_BYTES; index < HASH_BYTES; index++) bytes[at + index] = hash[index]!;
    }
    pool.setGuard(leaf, slot, hash === undefined ? 0n : guard);
    if (isFresh) pool.setFresh(leaf, true);
  }

  /** Seals the leaf that was changed last, when it will not be changed again before seal(): its node comes right behind its pages. */
  sealLastLeaf(sink: NodeSink): void {
    const leaf = this.#lastLeaf;
    const parent = this.#lastParent;
    if (this.#lastAt < 0 || !this.#isLastTouched || leaf === NONE || parent === NONE || this.#pool.mask(leaf) === 0) return;
    const child = this.#lastAt & (FAN_OUT - 1);
    this.#sinkBelow(parent, leaf, { child, sink });
    this.#pool.setStale(parent, this.#pool.stale(parent) & ~(1 << child));
    this.#lastAt = -1;
  }

  /** Brings every hash up to date, gives changed nodes to `sink`, and returns the top. */
  seal(sink: NodeSink): TreeRoot {
    this.#lastAt = -1;
    if (this.#height === 0 || this.#rootHash !== undefined) return { height: this.#height, hash: this.#rootHash };
    const root = this.#root;
    assert(root !== NONE, 'a stale root is in memory');
    this.#sealChildren(root, sink);
    if (this.#pool.mask(root) === 0) {
      this.#pool.free(root);
      this.#become(0, NONE, undefined);
    } else if (!this.#lower(root)) {
      const hash = new Uint8Array(HASH_BYTES);
      this.#sinkNode(root, sink, { target: hash, offset: 0 });
      this.#rootHash = readHash(hash);
    }
    return { height: this.#height, hash: this.#rootHash };
  }

  /** Takes away levels that hold only their first child. The new top is sealed already. */
  #lower(root: number): boolean {
    const pool = this.#pool;
    let node = root;
    while (pool.level(node) > 0 && pool.mask(node) === 1) {
      const level = pool.level(node);
      const hash = readHash(pool.bytes, pool.hashesAt(node));
      const known = pool.child(node, 0);
      const child = known === NONE ? this.#loadNode(hash, level - 1, 0) : known;
      pool.free(node);
      this.#become(level, child, hash);
      node = child;
    }
    return node !== root;
  }

  #become(height: number, root: number, hash: BlobHash | undefined): void {
    if (height !== this.#height) this.#pagesCovered = coveredBy(height);
    this.#height = height;
    this.#root = root;
    this.#rootHash = hash;
  }

  #loadNode(hash: BlobHash, level: number, firstPage: number): number {
    return this.#pool.makeOf(this.#load(hash, { level, firstPage }));
  }

  #loadedRoot(): number {
    if (this.#root === NONE && this.#rootHash !== undefined) this.#root = this.#loadNode(this.#rootHash, this.#height - 1, 0);
    return this.#root;
  }

  #findLeaf(pageIndex: number): number {
    const at = pageIndex >>> FAN_OUT_SHIFT;
    if (at === this.#lastAt) return this.#lastLeaf;
    if (pageIndex >= this.#pagesCovered) return NONE;
    let node = this.#loadedRoot();
    let parent = NONE;
    for (let level = this.#height - 1; node !== NONE && level > 0; level--) {
      parent = node;
      node = this.#child(node, level, pageIndex);
    }
    if (node !== NONE) this.#remember(at, node, { parent, isTouched: false });
    return node;
  }

  #remember(at: number, leaf: number, { parent, isTouched }: { readonly parent: number; readonly isTouched: boolean }): void {
    this.#lastAt = at;
    this.#lastLeaf = leaf;
    this.#lastParent = parent;
    this.#isLastTouched = isTouched;
  }

  /** What is below a node of `level` and above a page; NONE: no page. */
  #child(node: number, level: number, pageIndex: number): number {
    const pool = this.#pool;
    const child = childIndex(level, pageIndex);
    const known = pool.child(node, child);
    if (known !== NONE || (pool.mask(node) & (1 << child)) === 0) return known;
    const loaded = this.#loadNode(readHash(pool.bytes, pool.hashesAt(node) + child * HASH_BYTES), level - 1, Math.floor(pageIndex / FAN_OUT ** level) * FAN_OUT ** level);
    pool.setChild(node, child, loaded);
    return loaded;
  }

  /** The leaf of a page, made when absent, with every hash above it marked stale. */
  #touchLeaf(pageIndex: number): number {
    const at = pageIndex >>> FAN_OUT_SHIFT;
    if (at === this.#lastAt && this.#isLastTouched) return this.#lastLeaf;
    const pool = this.#pool;
    while (pageIndex >= this.#pagesCovered) this.#grow();
    let node = this.#loadedRoot();
    if (node === NONE) node = pool.make(this.#height - 1);
    this.#become(this.#height, node, undefined);
    let parent = NONE;
    for (let level = this.#height - 1; level > 0; level--) {
      parent = node;
      const child = childIndex(level, pageIndex);
      node = this.#child(parent, level, pageIndex);
      if (node === NONE) pool.setChild(parent, child, node = pool.make(level - 1));
      pool.setMask(parent, pool.mask(parent) | (1 << child));
      pool.setStale(parent, pool.stale(parent) | (1 << child));
    }
    this.#remember(at, node, { parent, isTouched: true });
    return node;
  }

  #grow(): void {
    assert(this.#height < HEIGHT_MAX, 'a page index lies in the tree');
    const pool = this.#pool;
    const below = this.#loadedRoot();
    const top = pool.make(this.#height);
    if (below !== NONE) {
      pool.setMask(top, 1);
      pool.setChild(top, 0, below);
      if (this.#rootHash === undefined) pool.setStale(top, 1);
      else writeHash(this.#rootHash, pool.bytes, pool.hashesAt(top));
    }
    this.#become(this.#height + 1, top, undefined);
  }

  #sealChildren(node: number, sink: NodeSink): void {
    const pool = this.#pool;
    for (let child = 0; pool.stale(node) !== 0; child++) {
      if ((pool.stale(node) & (1 << child)) === 0) continue;
      pool.setStale(node, pool.stale(node) & ~(1 << child));
      const below = pool.child(node, child);
      assert(below !== NONE, 'a stale child is in memory');
      this.#sealChildren(below, sink);
      if (pool.mask(below) === 0) {
        pool.setMask(node, pool.mask(node) & ~(1 << child));
        pool.setChild(node, child, NONE);
        pool.free(below);
      } else {
        this.#sinkBelow(node, below, { child, sink });
      }
    }
  }

  #sinkBelow(node: number, below: number, { child, sink }: { readonly child: number; readonly sink: NodeSink }): void {
    const pool = this.#pool;
    if (pool.isFresh(below)) pool.setFresh(node, true);
    this.#sinkNode(below, sink, { target: pool.bytes, offset: pool.hashesAt(node) + child * HASH_BYTES });
  }

  #sinkNode(node: number, sink: NodeSink, { target, offset }: { readonly target: Uint8Array; readonly offset: number }): void {
    const isFresh = this.#pool.isFresh(node);
    this.#pool.setFresh(node, false);
    sink({ bytes: this.#pool.encoded(node), isFresh }, target, offset);
  }
}

function coveredBy(height: number): number {
  return height === 0 ? 0 : FAN_OUT ** height;
}

function childIndex(level: number, pageIndex: number): number {
  return (pageIndex >>> (level * FAN_OUT_SHIFT)) & (FAN_OUT - 1);
}
