/**
 * What a root reaches, and the removal of what no root reaches.
 * Invariants: collect() commits in batches, each of which leaves every live snapshot whole, so it may be killed at any moment and run again.
 * What this does NOT do: guard against other processes: no machine may capture into the store while collect() runs, and `roots` must hold the
 * last root of every machine that will go on capturing.
 */
import type { BlobHash, Digests } from '../core/index.ts';
import type { Store, StoreDelete, StorePut } from '../store/index.ts';
import { decodeLocation, decodePack, FAN_OUT, readHash, hashBytes, type TreeRoot } from './format.ts';
import { PackWriter } from './pack-writer.ts';
import { childrenOf, SnapshotReader } from './reader.ts';
import type { Root } from './state.ts';

/** Hashes that are reached: nodes (roots among them) and pages. */
export interface Reached { readonly nodes: Set<BlobHash>; readonly pages: Set<BlobHash> }

export interface WalkOptions {
  readonly digests: Digests;
  readonly reached: Reached;
  /** Reads every page that is not in `reached` and checks it against its hash: E_PAGE_DAMAGED, E_PAGE_MISSING. */
  readonly readsPages?: boolean;
}

/** Adds to `reached` everything under `root`, skipping subtrees that are in it already. Throws as openSnapshot() does when a node is missing or damaged. */
export function walkSnapshot(store: Pick<Store, 'get'>, root: Root, options: WalkOptions): void {
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

export interface Collected { readonly nodes: number; readonly pages: number; readonly packs: number }

const FIRST_KEY = Uint8Array.of(0);
const AFTER_LAST_KEY = new Uint8Array(33).fill(255);
/** Records deleted by one commit: some milliseconds, so that others get their turn at the store. */
const BATCH_RECORDS = 2000;
/** A pack is written again when at least this share of its pages is dead. */
const DEAD_SHARE = 0.5;

/** Deletes every snapshot record that none of `roots` reaches. Returns what went. */
export async function collect(store: Store, roots: Iterable<Root>, digests: Digests): Promise<Collected> {
  const reached: Reached = { nodes: new Set(), pages: new Set() };
  for (const root of roots) walkSnapshot(store, root, { digests, reached });
  const deadNodes: StoreDelete[] = [];
  for (const { key } of store.range('nodes', { from: FIRST_KEY, to: AFTER_LAST_KEY })) if (!reached.nodes.has(readHash(key))) deadNodes.push({ table: 'nodes', key });
  for (let start = 0; start < deadNodes.length; start += BATCH_RECORDS) await store.commit({ deletes: deadNodes.slice(start, start + BATCH_RECORDS) });
  return { nodes: deadNodes.length, ...await sweepPages(store, reached.pages, digests) };
}

interface PackUse { live: number; readonly dead: Uint8Array[] }

async function sweepPages(store: Store, live: ReadonlySet<BlobHash>, digests: Digests): Promise<{ readonly pages: number; readonly packs: number }> {
  const uses = packUses(store, live);
  let deletes: StoreDelete[] = [];
  let puts: StorePut[] = [];
  let pages = 0;
  let packs = 0;
  for (const [name, use] of uses) {
    pages += use.dead.length;
    for (const key of use.dead) deletes.push({ table: 'pages', key });
    if (use.live === 0 || use.dead.length >= (use.live + use.dead.length) * DEAD_SHARE) {
      const key = hashBytes(name);
      if (use.live === 0 || repack(store, { key, live, digests, puts })) {
        deletes.push({ table: 'packs', key });
        packs++;
      }
    }
    if (deletes.length + puts.length < BATCH_RECORDS) continue;
    await store.commit({ deletes, puts });
    deletes = [];
    puts = [];
  }
  await store.commit({ deletes, puts });
  return { pages, packs: packs + await sweepOrphans(store) };
}

/** Which packs hold which pages, by the locations. A malformed location is dropped when its page is dead and left to fsck when it is live. */
function packUses(store: Store, live: ReadonlySet<BlobHash>): ReadonlyMap<BlobHash, PackUse> {
  const uses = new Map<BlobHash, PackUse>();
  for (const { key, value } of store.range('pages', { from: FIRST_KEY, to: AFTER_LAST_KEY })) {
    const location = decodeLocation(value);
    if (location === undefined) continue;
    const name = readHash(location.pack);
    let use = uses.get(name);
    if (use === undefined) uses.set(name, (use = { live: 0, dead: [] }));
    if (live.has(readHash(key))) use.live++;
    else use.dead.push(key);
  }
  return uses;
}

/** Puts the live pages of a pack into new ones. False when the pack cannot be read: then it stays as evidence. */
function repack(store: Store, { key, live, digests, puts }: { readonly key: Uint8Array; readonly live: ReadonlySet<BlobHash>; readonly digests: Digests; readonly puts: StorePut[] }): boolean {
  const bytes = store.get('packs', key);
  const slots = bytes === undefined ? undefined : decodePack(bytes);
  if (slots === undefined) return false;
  const packs = new PackWriter(store, digests, puts);
  for (const slot of slots) if (live.has(readHash(slot.hash))) packs.move(slot);
  packs.finish();
  return true;
}

/** Deletes packs that no location names: two processes stored the same pages at once. Looks only when the counts say that there are some. */
async function sweepOrphans(store: Store): Promise<number> {
  const named = new Set<BlobHash>();
  for (const { value } of store.range('pages', { from: FIRST_KEY, to: AFTER_LAST_KEY })) {
    const location = decodeLocation(value);
    if (location !== undefined) named.add(readHash(location.pack));
  }
  if (store.usage().tables.packs.entries <= named.size) return 0;
  const deletes: StoreDelete[] = [];
  for (const { key } of store.range('packs', { from: FIRST_KEY, to: AFTER_LAST_KEY })) if (!named.has(readHash(key))) deletes.push({ table: 'packs', key });
  for (let start = 0; start < deletes.length; start += BATCH_RECORDS) await store.commit({ deletes: deletes.slice(start, start + BATCH_RECORDS) });
  return deletes.length;
}
