/**
 * The pages of one stored object, one by one, in any order: what a machine reads that begins before all of its pages are there.
 * Every node and page is checked when it is read. The last node of each level is kept: neighbours cost one look.
 * Errors: those of reader.ts.
 * What this does NOT do: keep pages.
 */
import type { BlobHash } from '../core/index.ts';
import { FAN_OUT, FAN_OUT_SHIFT, HASH_BYTES, readHash, type NodeContent, type TreeRoot } from './format.ts';
import type { SnapshotReader } from './reader.ts';
import type { PageSource } from './state.ts';

interface KnownNode { readonly firstPage: number; readonly node: NodeContent }

export class TreeSource implements PageSource {
  readonly #reader: SnapshotReader;
  readonly #object: string;
  readonly #tree: TreeRoot;
  /** By level: the node that was used last. */
  readonly #known: (KnownNode | undefined)[] = [];

  constructor(reader: SnapshotReader, object: string, tree: TreeRoot) {
    this.#reader = reader;
    this.#object = object;
    this.#tree = tree;
  }

  hasPage(index: number): boolean {
    return childIn(this.#node(index, 0), index, 0);
  }

  page(index: number): Uint8Array | undefined {
    const leaf = this.#node(index, 0);
    return leaf === undefined || !childIn(leaf, index, 0) ? undefined : this.#reader.page(hashOf(leaf, index, 0), { object: this.#object, index });
  }

  nextPage(from: number): number | undefined {
    const { height, hash } = this.#tree;
    const end = hash === undefined ? 0 : FAN_OUT ** height;
    for (let index = from; index < end;) {
      const level = this.#zeroLevel(index);
      if (level === undefined) return index;
      index += FAN_OUT ** level - (index % FAN_OUT ** level);
    }
    return undefined;
  }

  /** Of the pages around `index` that are all zeros: FAN_OUT ** level of them; undefined when the page itself is not. */
  #zeroLevel(index: number): number | undefined {
    for (let level = this.#tree.height - 1; level >= 0; level--) if (!childIn(this.#node(index, level), index, level)) return level;
    return undefined;
  }

  /** The node of `level` that `index` lies under; undefined where there are only zeros. */
  #node(index: number, level: number): NodeContent | undefined {
    const { height, hash } = this.#tree;
    const pages = FAN_OUT ** (level + 1);
    const firstPage = index - (index % pages);
    const known = this.#known[level];
    if (known?.firstPage === firstPage) return known.node;
    let name: BlobHash;
    if (level + 1 >= height) {
      if (hash === undefined || level + 1 > height || firstPage > 0) return undefined;
      name = hash;
    } else {
      const above = this.#node(index, level + 1);
      if (above === undefined || !childIn(above, index, level + 1)) return undefined;
      name = hashOf(above, index, level + 1);
    }
    const node = this.#reader.node(name, { object: this.#object, level, firstPage });
    this.#known[level] = { firstPage, node };
    return node;
  }
}

function slotOf(index: number, level: number): number {
  return (index >>> (FAN_OUT_SHIFT * level)) & (FAN_OUT - 1);
}

function childIn(node: NodeContent | undefined, index: number, level: number): boolean {
  return node !== undefined && (node.mask & (1 << slotOf(index, level))) !== 0;
}

function hashOf(node: NodeContent, index: number, level: number): BlobHash {
  return readHash(node.hashes, slotOf(index, level) * HASH_BYTES);
}
