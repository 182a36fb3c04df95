/**
 * Opens a stored snapshot: sections at once, pages of objects when they are asked for.
 * Errors: those of reader.ts.
 * What this does NOT do: fill a machine's memory; posix and the session do that with what they get here.
 */
import type { Digests } from '../core/index.ts';
import type { SnapshotStore } from './page-index.ts';
import { SnapshotReader, type ReaderOptions } from './reader.ts';
import { TreeSource } from './tree-source.ts';
import type { RestoredObject, RestoredState, Root } from './state.ts';

/** The state named by `root`. Every byte is checked when it is read. */
export function openSnapshot(store: SnapshotStore, root: Root, digests: Digests, options: ReaderOptions = {}): RestoredState {
  const reader = new SnapshotReader(store, digests, options);
  const record = reader.root(root);
  const sections = new Map([...record.sections].map(([name, value]): [string, Uint8Array] => [name, reader.bytes(`section ${name}`, value)]));
  const objects = [...reader.objects(root, record)].map(([name, tree]): RestoredObject => ({
    name,
    *pages() {
      for (const { index, hash } of reader.pagesOf(name, tree)) yield { index, bytes: reader.page(hash, { object: name, index }) };
    },
    source: new TreeSource(reader, name, tree),
  }));
  return { sections, objects };
}
