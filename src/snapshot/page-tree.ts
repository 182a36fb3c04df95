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
import { encodeNodeInto, FAN_OUT, FAN_OUT_SHIFT, HASH_BYTES, HEIGHT_MAX, NODE_BYTES_MAX, PAGES_MAX, readHash, writeHash, type NodeContent, type TreeRoot } from './format.ts';

/** Reads a node of the store; throws its operating errors. `firstPage` is for messages. */
export type NodeLoader = (hash: BlobHash, place: { readonly level: number; readonly firstPage: number }) => NodeContent;
/** Takes a node that was encoded, whose bytes are used again afterwards, and writes its hash to `offset` of `target`. `isFresh`: a page below it is new to the store, so the node is. */
export type NodeSink = (node: { readonly bytes: Uint8Array; readonly isFresh: boolean }, target: Uint8Array, offset: number) => void;

/** A node is encoded here. */
const encoded = new Uint8Array(NODE_BYTES_MAX);

interface TreeNode {
  readonly level: number;
  mask: number;
  readonly hashes: Uint8Array;
  /** Children that were loaded or made; level 0 has none. */
  readonly children: (TreeNode | undefined)[];
  /** Children whose hash is not up to date. */
  stale: number;
  /** Whether a page below it that was set since it was sealed is new to the store. */
  isFresh: boolean;
  /** Level 0: XXH64 of the captured pages, 0 when not known. Made when first needed. */
  guards: BigUint64Array | undefined;
}

export class PageTree {
  readonly #load: NodeLoader;
  #height: number;
  /** Pages below 16^height; 0 when there is none. */
  #pagesCovered: number;
  #root: TreeNode | undefined;
  /** Hash of the root; undefined when there is no page or the root is stale. */
  #rootHash: BlobHash | undefined;
  /** The leaf that was used last (neighbours follow), by the index of its first page over its size; -1: none. */
  #lastAt = -1;
  #lastLeaf: TreeNode | undefined;
  /** What is above it; undefined when it is the root. */
  #lastParent: TreeNode | undefined;
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
    if (leaf === undefined || (leaf.mask & (1 << slot)) === 0) return false;
    const { hashes } = leaf;
    for (let index = 0, at = slot * HASH_BYTES; index < HASH_BYTES; index++) target[index] = hashes[at + index]!; // A view would cost more than the copy.
    return true;
  }

  /** XXH64 of the page as last set, 0n when not known or zero. */
  guard(pageIndex: number): bigint {
    return this.#findLeaf(pageIndex)?.guards?.[pageIndex & (FAN_OUT - 1)] ?? 0n;
  }

  /** Notes the XXH64 of a page whose hash stays. */
  setGuard(pageIndex: number, guard: bigint): void {
    const leaf = this.#findLeaf(pageIndex);
    if (leaf !== undefined) (leaf.guards ??= new BigUint64Array(FAN_OUT))[pageIndex & (FAN_OUT - 1)] = guard;
  }

  /** Gives a page its hash (32 bytes), or takes it away when the page is zeros. `isFresh`: the store does not have this page yet. */
  set(pageIndex: number, hash: Uint8Array | undefined, { guard, isFresh }: { readonly guard: bigint; readonly isFresh: boolean }): void {
    assert(pageIndex >= 0 && pageIndex < PAGES_MAX, 'a page index lies in the tree');
    if (hash === undefined && pageIndex >= this.#pagesCovered) return;
    const leaf = this.#touchLeaf(pageIndex);
    const slot = pageIndex & (FAN_OUT - 1);
    if (hash === undefined) {
      leaf.mask &= ~(1 << slot);
    } else {
      leaf.mask |= 1 << slot;
      leaf.hashes.set(hash, slot * HASH_BYTES);
    }
    (leaf.guards ??= new BigUint64Array(FAN_OUT))[slot] = hash === undefined ? 0n : guard;
    if (isFresh) leaf.isFresh = true;
  }

  /** Seals the leaf that was changed last, when it will not be changed again before seal(): its node comes right behind its pages. */
  sealLastLeaf(sink: NodeSink): void {
    const leaf = this.#lastLeaf;
    const parent = this.#lastParent;
    if (this.#lastAt < 0 || !this.#isLastTouched || leaf === undefined || parent === undefined || leaf.mask === 0) return;
    const child = this.#lastAt & (FAN_OUT - 1);
    sinkBelow(parent, leaf, { child, sink });
    parent.stale &= ~(1 << child);
    this.#lastAt = -1;
  }

  /** Brings every hash up to date, gives changed nodes to `sink`, and returns the top. */
  seal(sink: NodeSink): TreeRoot {
    this.#lastAt = -1;
    if (this.#height === 0 || this.#rootHash !== undefined) return { height: this.#height, hash: this.#rootHash };
    const root = this.#root;
    assert(root !== undefined, 'a stale root is in memory');
    sealChildren(root, sink);
    if (root.mask === 0) this.#become(0, undefined, undefined);
    else if (!this.#lower(root)) {
      const hash = new Uint8Array(HASH_BYTES);
      sinkNode(root, sink, { target: hash, offset: 0 });
      this.#rootHash = readHash(hash);
    }
    return { height: this.#height, hash: this.#rootHash };
  }

  /** Takes away levels that hold only their first child. The new top is sealed already. */
  #lower(root: TreeNode): boolean {
    let node = root;
    while (node.level > 0 && node.mask === 1) {
      const hash = readHash(node.hashes);
      const child = node.children[0] ?? this.#loadNode(hash, node.level - 1, 0);
      this.#become(node.level, child, hash);
      node = child;
    }
    return node !== root;
  }

  #become(height: number, root: TreeNode | undefined, hash: BlobHash | undefined): void {
    if (height !== this.#height) this.#pagesCovered = coveredBy(height);
    this.#height = height;
    this.#root = root;
    this.#rootHash = hash;
  }

  #loadNode(hash: BlobHash, level: number, firstPage: number): TreeNode {
    const { mask, hashes } = this.#load(hash, { level, firstPage });
    return { level, mask, hashes, children: [], stale: 0, isFresh: false, guards: undefined };
  }

  #loadedRoot(): TreeNode | undefined {
    if (this.#root === undefined && this.#rootHash !== undefined) this.#root = this.#loadNode(this.#rootHash, this.#height - 1, 0);
    return this.#root;
  }

  #findLeaf(pageIndex: number): TreeNode | undefined {
    const at = pageIndex >>> FAN_OUT_SHIFT;
    if (at === this.#lastAt) return this.#lastLeaf;
    if (pageIndex >= this.#pagesCovered) return undefined;
    let node = this.#loadedRoot();
    let parent: TreeNode | undefined;
    while (node !== undefined && node.level > 0) {
      parent = node;
      node = this.#child(node, pageIndex);
    }
    if (node !== undefined) this.#remember(at, node, { parent, isTouched: false });
    return node;
  }

  #remember(at: number, leaf: TreeNode, { parent, isTouched }: { readonly parent: TreeNode | undefined; readonly isTouched: boolean }): void {
    this.#lastAt = at;
    this.#lastLeaf = leaf;
    this.#lastParent = parent;
    this.#isLastTouched = isTouched;
  }

  #child(node: TreeNode, pageIndex: number): TreeNode | undefined {
    const child = childIndex(node.level, pageIndex);
    if ((node.mask & (1 << child)) === 0) return undefined;
    return (node.children[child] ??= this.#loadNode(readHash(node.hashes, child * HASH_BYTES), node.level - 1, Math.floor(pageIndex / FAN_OUT ** node.level) * FAN_OUT ** node.level));
  }

  /** The leaf of a page, made when absent, with every hash above it marked stale. */
  #touchLeaf(pageIndex: number): TreeNode {
    const at = pageIndex >>> FAN_OUT_SHIFT;
    if (at === this.#lastAt && this.#isLastTouched) return this.#lastLeaf!; // It goes with #lastAt.
    while (pageIndex >= this.#pagesCovered) this.#grow();
    let node = this.#loadedRoot() ?? emptyNode(this.#height - 1);
    this.#become(this.#height, node, undefined);
    let parent: TreeNode | undefined;
    while (node.level > 0) {
      parent = node;
      const child = childIndex(node.level, pageIndex);
      const next: TreeNode = this.#child(node, pageIndex) ?? emptyNode(node.level - 1);
      node.children[child] = next;
      node.mask |= 1 << child;
      node.stale |= 1 << child;
      node = next;
    }
    this.#remember(at, node, { parent, isTouched: true });
    return node;
  }

  #grow(): void {
    assert(this.#height < HEIGHT_MAX, 'a page index lies in the tree');
    const below = this.#loadedRoot();
    const top = emptyNode(this.#height);
    if (below !== undefined) {
      top.mask = 1;
      top.children[0] = below;
      if (this.#rootHash === undefined) top.stale = 1;
      else writeHash(this.#rootHash, top.hashes, 0);
    }
    this.#become(this.#height + 1, top, undefined);
  }
}

function coveredBy(height: number): number {
  return height === 0 ? 0 : FAN_OUT ** height;
}

function emptyNode(level: number): TreeNode {
  return { level, mask: 0, hashes: new Uint8Array(FAN_OUT * HASH_BYTES), children: [], stale: 0, isFresh: false, guards: undefined };
}

function childIndex(level: number, pageIndex: number): number {
  return (pageIndex >>> (level * FAN_OUT_SHIFT)) & (FAN_OUT - 1);
}

function sealChildren(node: TreeNode, sink: NodeSink): void {
  for (let child = 0; node.stale !== 0; child++) {
    if ((node.stale & (1 << child)) === 0) continue;
    node.stale &= ~(1 << child);
    const below = node.children[child];
    assert(below !== undefined, 'a stale child is in memory');
    sealChildren(below, sink);
    if (below.mask === 0) {
      node.mask &= ~(1 << child);
      node.children[child] = undefined;
    } else {
      sinkBelow(node, below, { child, sink });
    }
  }
}

function sinkBelow(node: TreeNode, below: TreeNode, { child, sink }: { readonly child: number; readonly sink: NodeSink }): void {
  if (below.isFresh) node.isFresh = true;
  sinkNode(below, sink, { target: node.hashes, offset: child * HASH_BYTES });
}

function sinkNode(node: TreeNode, sink: NodeSink, { target, offset }: { readonly target: Uint8Array; readonly offset: number }): void {
  const { isFresh } = node;
  node.isFresh = false;
  sink({ bytes: encoded.subarray(0, encodeNodeInto(node, encoded)), isFresh }, target, offset);
}
