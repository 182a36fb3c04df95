/**
 * Removes what no live root reaches: nodes, pages, and packs that are empty or mostly dead.
 *
 *   scan ─► candidates ─► batch, batch, …     each is built anew when the guard has to try again, with what is reached by then
 *
 * Invariants: each batch leaves every live snapshot whole, so a sweep may be killed at any moment and run again; a node goes before the nodes below it, so
 * that a dead node which is still there has everything beneath it; pages go after all nodes. A key is deleted at most once in a sweep.
 * What this does NOT do: know what is live (walk.ts fills `reached`), or guard against other processes (the guard does).
 */
import type { BlobHash, Digests } from '../core/index.ts';
import type { Store, StoreBatch, StoreDelete, StoreExpectation, StorePut } from '../store/index.ts';
import { decodeLocation, decodePack, hashBytes, HEIGHT_MAX, nodeLevelOf, readHash } from './format.ts';
import { PackWriter } from './pack-writer.ts';
import { HashSet } from './hash-set.ts';
import type { Root } from './state.ts';
import { PageIndex, settleLists } from './page-index.ts';
import { walkSnapshot, type Reached } from './walk.ts';

export interface Collected { readonly nodes: number; readonly pages: number; readonly packs: number }

/** Commits what `build` gives, building again after new roots have been marked, until it is done. Resolves to the batch that was committed. */
export type SweepGuard = (build: () => StoreBatch) => Promise<StoreBatch>;

const FIRST_KEY = Uint8Array.of(0);
const AFTER_LAST_KEY = new Uint8Array(33).fill(255);
/** Records deleted by one commit: some milliseconds, so that others get their turn at the store. */
const BATCH_RECORDS = 2000;
/** A pack is written again when at least this share of its pages is dead. */
const DEAD_SHARE = 0.5;

export interface SweepParts { readonly store: Store; readonly digests: Digests; readonly reached: Reached; readonly guard: SweepGuard }
/** What seems dead. Nothing that is written after the scan is in it. */
export interface SweepPlan { readonly nodes: readonly Uint8Array[]; readonly packs: ReadonlyMap<BlobHash, PackUse> }

/** Every snapshot record that is not in `reached`. */
export function scanSnapshots(store: Store, reached: Reached): SweepPlan {
  return { nodes: deadNodes(store, reached), packs: packUses(store, reached) };
}

/** Deletes what the plan names and is still not in `reached`. Returns what went. */
export async function sweepSnapshots(parts: SweepParts, plan: SweepPlan): Promise<Collected> {
  const nodes = await sweepNodes(parts, plan.nodes);
  const pages = await sweepPages(parts, plan.packs);
  return { nodes, ...pages };
}

/** The same for a store that nobody else writes to: everything that none of `roots` reaches goes. */
export async function collect(store: Store, roots: Iterable<Root>, digests: Digests): Promise<Collected> {
  const reached: Reached = { nodes: new HashSet(), pages: new HashSet() };
  for (const root of roots) walkSnapshot(store, root, { digests, reached });
  await settleLists(store, digests);
  const guard: SweepGuard = async (build) => {
    const batch = build();
    await store.commit(batch);
    return batch;
  };
  return sweepSnapshots({ store, digests, reached, guard }, scanSnapshots(store, reached));
}

/** Roots first, then nodes from the top down. */
function deadNodes(store: Store, reached: Reached): readonly Uint8Array[] {
  const byLevel: Uint8Array[][] = Array.from({ length: HEIGHT_MAX + 1 }, () => []);
  for (const { key, value } of store.range('nodes', { from: FIRST_KEY, to: AFTER_LAST_KEY })) if (!reached.nodes.has(readHash(key))) byLevel[nodeLevelOf(value) ?? HEIGHT_MAX]!.push(key);
  return byLevel.reverse().flat();
}

async function sweepNodes({ reached, guard }: SweepParts, dead: readonly Uint8Array[]): Promise<number> {
  let count = 0;
  for (let start = 0; start < dead.length; start += BATCH_RECORDS) {
    const chunk = dead.slice(start, start + BATCH_RECORDS);
    const batch = await guard(() => ({ deletes: chunk.filter((key) => !reached.nodes.has(readHash(key))).map((key): StoreDelete => ({ table: 'nodes', key })) }));
    count += batch.deletes?.length ?? 0;
  }
  return count;
}

/** Keys of the pages that lie in one pack by their locations: dead ones at the time of the scan, and how many live ones. */
export interface PackUse { live: number; readonly dead: Uint8Array[] }

/** Malformed locations are dropped with their page when it is dead and left to fsck when it is live. Packs of lists are left alone: the lists were settled, these are new. */
function packUses(store: Store, reached: Reached): ReadonlyMap<BlobHash, PackUse> {
  const uses = new Map<BlobHash, PackUse>();
  for (const { key, value } of store.range('pages', { from: FIRST_KEY, to: AFTER_LAST_KEY })) {
    const location = decodeLocation(value);
    if (location === undefined) continue;
    const name = readHash(location.pack);
    let use = uses.get(name);
    if (use === undefined) uses.set(name, (use = { live: 0, dead: [] }));
    if (reached.pages.has(readHash(key))) use.live++;
    else use.dead.push(key);
  }
  const listed = PageIndex.of(store).packs();
  for (const { key } of store.range('packs', { from: FIRST_KEY, to: AFTER_LAST_KEY })) {
    const name = readHash(key);
    if (listed.has(name)) uses.delete(name);
    else if (!uses.has(name)) uses.set(name, { live: 0, dead: [] }); // No location names it: two processes stored the same pages at once.
  }
  return uses;
}

async function sweepPages(parts: SweepParts, uses: ReadonlyMap<BlobHash, PackUse>): Promise<{ readonly pages: number; readonly packs: number }> {
  let pages = 0;
  let packs = 0;
  const commit = async (group: readonly (readonly [BlobHash, PackUse])[]): Promise<void> => {
    const batch = await parts.guard(() => pageBatch(parts, group));
    for (const { table } of batch.deletes ?? []) if (table === 'pages') pages++; else packs++;
  };
  let group: (readonly [BlobHash, PackUse])[] = [];
  let records = 0;
  for (const entry of uses) {
    const [, use] = entry;
    if (use.dead.length === 0 && use.live > 0) continue;
    group.push(entry);
    records += use.dead.length + use.live + 1;
    if (records < BATCH_RECORDS) continue;
    await commit(group);
    group = [];
    records = 0;
  }
  if (group.length > 0) await commit(group);
  return { pages, packs };
}

function pageBatch(parts: SweepParts, group: readonly (readonly [BlobHash, PackUse])[]): StoreBatch {
  const deletes: StoreDelete[] = [];
  const puts: StorePut[] = [];
  const expect: StoreExpectation[] = [];
  const listed = PageIndex.of(parts.store).packs();
  for (const [name, use] of group) {
    if (listed.has(name)) continue; // Written again since the scan.
    if (use.live === 0 && use.dead.length === 0 && isNamed(parts.store, name, expect)) continue;
    const dead = use.dead.filter((key) => !parts.reached.pages.has(readHash(key)));
    const live = use.live + use.dead.length - dead.length;
    for (const key of dead) deletes.push({ table: 'pages', key });
    if (live > 0 && dead.length < (live + dead.length) * DEAD_SHARE) continue;
    const key = hashBytes(name);
    if (live === 0 || repack(parts, { key, batch: { puts, expect } })) deletes.push({ table: 'packs', key });
  }
  return { deletes, puts, expect };
}

/** Whether a pack that no location named at the time of the scan has one by now; what was found is expected to stay so. A pack that cannot be read has none. */
function isNamed(store: Store, name: BlobHash, expect: StoreExpectation[]): boolean {
  const pack = hashBytes(name);
  const bytes = store.get('packs', pack);
  for (const { hash } of (bytes === undefined ? undefined : decodePack(bytes)) ?? []) {
    const value = store.get('pages', hash);
    if (value !== undefined && sameBytes(decodeLocation(value)?.pack, pack)) return true;
    expect.push({ table: 'pages', key: hash.slice(), value });
  }
  return false;
}

/** Puts the live pages of a pack into new ones. False when the pack cannot be read: then it stays as evidence. */
function repack({ store, digests, reached }: SweepParts, { key, batch }: { readonly key: Uint8Array; readonly batch: { readonly puts: StorePut[]; readonly expect: StoreExpectation[] } }): boolean {
  const bytes = store.get('packs', key);
  const slots = bytes === undefined ? undefined : decodePack(bytes);
  if (slots === undefined) return false;
  const packs = new PackWriter(store, digests, batch);
  for (const slot of slots) {
    // A page may lie in two packs; only the one that its location names counts.
    const location = store.get('pages', slot.hash);
    if (reached.pages.has(readHash(slot.hash)) && location !== undefined && sameBytes(decodeLocation(location)?.pack, key)) packs.move(slot);
  }
  packs.finish();
  return true;
}

function sameBytes(a: Uint8Array | undefined, b: Uint8Array): boolean {
  return a !== undefined && a.length === b.length && a.every((byte, index) => byte === b[index]);
}
