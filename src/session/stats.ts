/**
 * `stats`: where the bytes of a store are, and what is shared; what is kept of translated code.
 * Units: page bytes are 4096 a page, before trailing zeros are cut. What this does NOT do: check anything (fsck).
 */
import { limits, type BlobHash } from '../core/index.ts';
import { storedPages, walkSnapshot, type Hashes } from '../snapshot/index.ts';
import { TABLES, type Table } from '../store/index.ts';
import { listCheckpoints, listRuns, type RunRecord, type StoreContext } from '../txn/index.ts';
import { translationSummary, withStore } from './context.ts';

export interface RunUsage {
  readonly name: string;
  readonly checkpoints: number;
  readonly frames: number;
  /** Bytes of the pages that its checkpoints reach. */
  readonly pageBytes: number;
  /** The part of them that no other run reaches: what rm would free. */
  readonly ownPageBytes: number;
}
export interface StoreStats {
  readonly fileBytes: number;
  readonly tables: readonly { readonly table: Table; readonly entries: number; readonly bytes: number }[];
  readonly runs: readonly RunUsage[];
  /** All pages in the store; those that a run reaches; the sum over all runs as if nothing were shared. */
  readonly pages: { readonly stored: number; readonly needed: number; readonly unshared: number };
  /** The translation cache, which all stores of a user share; absent where it is switched off. */
  readonly translations?: ReturnType<typeof translationSummary>;
}

export async function storeStats(store: string | undefined): Promise<StoreStats> {
  const translations = translationSummary();
  return withStore(store, 'read-only', async (context) => {
    const { tables, fileBytes } = context.store.usage();
    const users = new Map<BlobHash, RunRecord | 'several'>();
    const seen: Seen = new Map();
    const counted = [...listRuns(context)].map((record) => ({ record, ...reach(context, record, { users, seen }) }));
    const own = new Map<RunRecord, number>();
    for (const user of users.values()) if (user !== 'several') own.set(user, (own.get(user) ?? 0) + 1);
    return {
      fileBytes, tables: TABLES.map((table) => ({ table, ...tables[table] })),
      runs: counted.map(({ record, pages, checkpoints }) => ({ name: record.name, checkpoints, frames: record.tail.count, pageBytes: pages * limits.PAGE_BYTES, ownPageBytes: (own.get(record) ?? 0) * limits.PAGE_BYTES })),
      pages: { stored: storedPages(context.store), needed: users.size, unshared: counted.reduce((sum, { pages }) => sum + pages, 0) },
      ...(translations === undefined ? {} : { translations }),
    };
  });
}

/** Pages that the checkpoints with these roots reach, and how many runs have the very same: a thousand forks of one run are looked at twice. */
type Seen = Map<string, { readonly pages: number; runs: number }>;

function reach(context: StoreContext, record: RunRecord, { users, seen }: { readonly users: Map<BlobHash, RunRecord | 'several'>; readonly seen: Seen }): { readonly pages: number; readonly checkpoints: number } {
  const checkpoints = listCheckpoints(context, record);
  const roots = checkpoints.map(({ root }) => root).join();
  const twin = seen.get(roots);
  if (twin !== undefined && ++twin.runs > 2) return { pages: twin.pages, checkpoints: checkpoints.length }; // The second one has made each page of them that of several.
  const mine = new Set<BlobHash>();
  const pages: Hashes = {
    has: (hash) => mine.has(hash),
    add: (hash) => {
      mine.add(hash);
      const user = users.get(hash);
      users.set(hash, user === undefined || user === record ? record : 'several');
    },
    get size() { return mine.size; },
  };
  const reached = { nodes: new Set<BlobHash>(), pages };
  for (const { root } of checkpoints) walkSnapshot(context.store, root, { digests: context.digests, reached });
  if (twin === undefined) seen.set(roots, { pages: mine.size, runs: 1 });
  return { pages: mine.size, checkpoints: checkpoints.length };
}
