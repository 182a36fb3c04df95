/**
 * What differs between two stored states: sections by name, with the first differing byte, and pages of objects. Shared subtrees are not read.
 * What this does NOT do: say what a page or section means.
 */
import { limits, type BlobHash, type Digests } from '../core/index.ts';
import { FAN_OUT, type ByteString, type TreeRoot } from './format.ts';
import type { SnapshotStore } from './page-index.ts';
import { childrenOf, SnapshotReader } from './reader.ts';
import type { Root } from './state.ts';

export type Difference =
  /** `offset`: of the first differing byte; the shorter length when one is a prefix of the other. */
  | { readonly kind: 'section'; readonly name: string; readonly presence: Presence; readonly offset: number }
  /** An object that only one of the states has. */
  | { readonly kind: 'object'; readonly name: string; readonly presence: Presence }
  /** `address`: index * 4096. `hashes`: undefined for a page of zeros; readPages() gives their bytes. */
  | { readonly kind: 'page'; readonly object: string; readonly index: number; readonly address: number; readonly hashes: readonly [BlobHash | undefined, BlobHash | undefined] };
export type Presence = 'both' | 'first' | 'second';

/** All differences, sections first, then objects in name order and their pages ascending. Take as many as you need. */
export function* diffSnapshots(store: SnapshotStore, roots: readonly [Root, Root], digests: Digests): Generator<Difference> {
  if (roots[0] === roots[1]) return;
  const reader = new SnapshotReader(store, digests);
  const records = roots.map((root) => reader.root(root));
  yield* diffSections(reader, records[0]!.sections, records[1]!.sections);
  const first = reader.objects(roots[0], records[0]!);
  const second = reader.objects(roots[1], records[1]!);
  for (const name of sortedUnion(first, second)) {
    const presence = presenceOf(name, first, second);
    if (presence !== 'both') yield { kind: 'object', name, presence };
    else for (const { index, hashes } of diffTrees(reader, name, [first.get(name)!, second.get(name)!])) yield { kind: 'page', object: name, index, address: index * limits.PAGE_BYTES, hashes };
  }
}

function* diffSections(reader: SnapshotReader, first: ReadonlyMap<string, ByteString>, second: ReadonlyMap<string, ByteString>): Generator<Difference> {
  for (const name of sortedUnion(first, second)) {
    const presence = presenceOf(name, first, second);
    const bytes = [first.get(name), second.get(name)].map((value) => (value === undefined ? new Uint8Array(0) : reader.bytes(`section ${name}`, value)));
    const offset = firstDifference(bytes[0]!, bytes[1]!);
    if (presence !== 'both' || offset !== undefined) yield { kind: 'section', name, presence, offset: offset ?? 0 };
  }
}

function firstDifference(a: Uint8Array, b: Uint8Array): number | undefined {
  const shorter = Math.min(a.length, b.length);
  for (let offset = 0; offset < shorter; offset++) if (a[offset] !== b[offset]) return offset;
  return a.length === b.length ? undefined : shorter;
}

/** The bytes of a page that differs. */
export function readPages(store: SnapshotStore, digests: Digests, { object, index, hashes }: Extract<Difference, { kind: 'page' }>): readonly [Uint8Array, Uint8Array] {
  const reader = new SnapshotReader(store, digests);
  const read = (hash: BlobHash | undefined): Uint8Array => (hash === undefined ? new Uint8Array(limits.PAGE_BYTES) : reader.page(hash, { object, index }));
  return [read(hashes[0]), read(hashes[1])];
}

interface PagePair { readonly index: number; readonly hashes: readonly [BlobHash | undefined, BlobHash | undefined] }

interface Subtree { readonly hash: BlobHash; readonly height: number }

function* diffTrees(reader: SnapshotReader, object: string, trees: readonly [TreeRoot, TreeRoot]): Generator<PagePair> {
  const [first, second] = trees.map(({ height, hash }) => (hash === undefined ? undefined : { height, hash }));
  yield* diffSubtrees(reader, object, { first, second, height: Math.max(trees[0].height, trees[1].height), firstPage: 0 });
}

/** Pages that differ below two subtrees that cover the same pages. A subtree lower than `height` is the first child of the missing levels. */
function* diffSubtrees(reader: SnapshotReader, object: string, pair: { readonly first: Subtree | undefined; readonly second: Subtree | undefined; readonly height: number; readonly firstPage: number }): Generator<PagePair> {
  const { first, second, height, firstPage } = pair;
  if (first?.hash === second?.hash && first?.height === second?.height) return;
  if (height === 0) return yield { index: firstPage, hashes: [first?.hash, second?.hash] };
  const children = [first, second].map((subtree) => childSubtrees(reader, object, { subtree, height, firstPage }));
  for (let child = 0; child < FAN_OUT; child++) {
    yield* diffSubtrees(reader, object, { first: children[0]!.get(child), second: children[1]!.get(child), height: height - 1, firstPage: firstPage + child * FAN_OUT ** (height - 1) });
  }
}

function childSubtrees(reader: SnapshotReader, object: string, { subtree, height, firstPage }: { readonly subtree: Subtree | undefined; readonly height: number; readonly firstPage: number }): ReadonlyMap<number, Subtree> {
  if (subtree === undefined) return new Map();
  if (subtree.height < height) return new Map([[0, subtree]]);
  const node = reader.node(subtree.hash, { object, level: height - 1, firstPage });
  return new Map([...childrenOf(node)].map(([child, hash]) => [child, { hash, height: height - 1 }]));
}

function sortedUnion(first: ReadonlyMap<string, unknown>, second: ReadonlyMap<string, unknown>): readonly string[] {
  return [...new Set([...first.keys(), ...second.keys()])].sort();
}

function presenceOf(name: string, first: ReadonlyMap<string, unknown>, second: ReadonlyMap<string, unknown>): Presence {
  return first.has(name) ? (second.has(name) ? 'both' : 'first') : 'second';
}
