/**
 * What a root reaches.
 * Invariant: a subtree that is reached already is not read again, so that a thousand checkpoints cost what differs between them.
 * What this does NOT do: remove what is not reached (sweep.ts).
 */
import type { BlobHash, Digests } from '../core/index.ts';
import { FAN_OUT, type TreeRoot } from './format.ts';
import type { Hashes } from './hash-set.ts';
import type { SnapshotStore } from './page-index.ts';
import { childrenOf, SnapshotReader } from './reader.ts';
import type { Root } from './state.ts';

/** Hashes that are reached: nodes (roots among them) and pages. */
export interface Reached { readonly nodes: Hashes; readonly pages: Hashes }

export interface WalkOptions {
  readonly digests: Digests;
  readonly reached: Reached;
  /** Reads every page that is not in `reached` and checks it against its hash: E_PAGE_DAMAGED, E_PAGE_MISSING. */
  readonly readsPages?: boolean;
}

/** Adds to `reached` everything under `root`, skipping subtrees that are in it already. Throws as openSnapshot() does when a node is missing or damaged. */
export function walkSnapshot(store: SnapshotStore, root: Root, options: WalkOptions): void {
  const { digests, reached } = options;
  if (reached.nodes.has(root)) return;
  const reader = new SnapshotReader(store, digests);
  const record = reader.root(root);
  reached.nodes.add(root);
  for (const [name, value] of record.sections) if (value.kind === 'tree') walkTree(reader, `section ${name}`, { ...options, tree: value.tree });
  if (record.objects.kind === 'tree') walkTree(reader, 'section of objects', { ...options, tree: record.objects.tree });
  for (const [name, tree] of reader.objects(root, record)) walkTree(reader, name, { ...options, tree });
}

function walkTree(reader: SnapshotReader, object: string, { tree: { height, hash }, reached, readsPages = false }: WalkOptions & { readonly tree: TreeRoot }): void {
  if (hash === undefined) return;
  const open: { readonly hash: BlobHash; readonly level: number; readonly firstPage: number }[] = [{ hash, level: height - 1, firstPage: 0 }];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    if (reached.nodes.has(next.hash)) continue;
    reached.nodes.add(next.hash);
    for (const [slot, child] of childrenOf(reader.node(next.hash, { object, level: next.level, firstPage: next.firstPage }))) {
      const firstPage = next.firstPage + slot * FAN_OUT ** next.level;
      if (next.level > 0) {
        open.push({ hash: child, level: next.level - 1, firstPage });
        continue;
      }
      if (readsPages && !reached.pages.has(child)) reader.page(child, { object, index: firstPage });
      reached.pages.add(child);
    }
  }
}
