/**
 * Removes what no live root reaches: nodes, pages, and packs that are empty or mostly dead.
 *
 *   scan ─► candidates ─► lists with something dead become records ─► shelves without what is dead ─► batch, batch, …
 *                                                                      each is built anew when the guard has to try again, with what is reached by then
 *
 * Invariants: what is dead leaves the shelves before its records and packs go; each batch leaves every live snapshot whole, so a sweep may be killed at any moment and run again; a node that is a record of its own goes before the nodes below it, and
 * before what lies in packs. A full disk stops nothing: pieces get smaller, and what needs more room than it gives (lists and packs of which much lives) stays as it is. Dead nodes in packs go in any order: nobody believes that something is there because a node above it is. A key is deleted at most once in a sweep.
 * What this does NOT do: know what is live (walk.ts fills `reached`), or guard against other processes (the guard does).
 */
import { StillpointError, type Digests } from '../core/index.ts';
import { ALL_KEYS, type Store, type StoreBatch, type StoreDelete, type StoreExpectation, type StorePut } from '../store/index.ts';
import { HASH_BYTES, HEIGHT_MAX, nodeLevelOf, readHash } from './format.ts';
import { HashSet } from './hash-set.ts';
import { decodeList, isListedNode, listedHashAt } from './location-list.ts';
import { decodeLocation, decodePack, namesPack, PACK_NAME_BYTES } from './pack-format.ts';
import { PackWriter } from './pack-writer.ts';
import type { Root } from './state.ts';
import { isSoundList, PageIndex, settledList } from './page-index.ts';
import { entryAt, entryCount, entryLocation, isSoundSegment, segmentWith } from './shelf-format.ts';
import { segmentsOf } from './shelves.ts';
import { walkSnapshot, type Reached } from './walk.ts';

export interface Collected { readonly nodes: number; readonly pages: number; readonly packs: number }

/** Commits what `build` gives, building again after new roots have been marked, until it is done. Resolves to the batch that was committed. */
export type SweepGuard = (build: () => StoreBatch) => Promise<StoreBatch>;

/** Records deleted by one commit: some milliseconds, so that others get their turn at the store. */
const BATCH_RECORDS = 2000;
/** A pack is written again when at least this share of what it holds is dead; a page weighs as much as eight nodes. */
const DEAD_SHARE = 0.5;
/** Records that a small batch puts. */
const RECORDS_FEW = 16;
const PAGE_WEIGHT = 8;
/** Records that a segment counts for when commits are cut. */
const SEGMENT_WEIGHT = 40;

export interface SweepParts { readonly store: Store; readonly digests: Digests; readonly reached: Reached; readonly guard: SweepGuard }
/** What seems dead, and the lists of locations. Nothing that is written after the scan is in it. */
export interface SweepPlan { readonly nodes: readonly Uint8Array[]; readonly packs: readonly PackUse[]; readonly lists: readonly Uint8Array[]; readonly segments: readonly Uint8Array[] }

/** Every snapshot record that is not in `reached`. */
export function scanSnapshots(store: Store, reached: Reached): SweepPlan {
  const lists = [...store.range('locations', ALL_KEYS)].map(({ key }) => key);
  return { nodes: deadNodes(store, reached), packs: packUses(store, reached), lists, segments: deadSegments(store, reached) };
}

/** Deletes what the plan names and is still not in `reached`. Returns what went. */
export async function sweepSnapshots(parts: SweepParts, plan: SweepPlan): Promise<Collected> {
  const nodes = await sweepNodes(parts, plan.nodes);
  const settled = await settleDead(parts, plan.lists);
  await sweepShelves(parts, plan.segments);
  const packed = await sweepPacks(parts, [...plan.packs, ...settled]);
  return { nodes: nodes + packed.nodes, pages: packed.pages, packs: packed.packs };
}

/** The same for a store that nobody else writes to: everything that none of `roots` reaches goes. */
export async function collect(store: Store, roots: Iterable<Root>, digests: Digests): Promise<Collected> {
  const reached: Reached = { nodes: new HashSet(), pages: new HashSet() };
  for (const root of roots) walkSnapshot(store, root, { digests, reached });
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
  for (const { key, value } of store.range('nodes', ALL_KEYS)) if (!reached.nodes.has(readHash(key))) byLevel[nodeLevelOf(value) ?? HEIGHT_MAX]!.push(key);
  return byLevel.reverse().flat();
}

/**
 * Commits items in pieces of some thousand records, which `weigh` counts; in smaller ones, down to one item, where the disk has no room for what a piece changes: what the first ones
 * free the next ones use. `commit` must change nothing when it throws. Throws E_DISK_FULL when there is no room for one item.
 */
export async function inPieces<Item>(items: readonly Item[], weigh: (item: Item) => number, commit: (piece: readonly Item[], isSmallest: boolean) => Promise<void>): Promise<void> {
  let recordsMax = BATCH_RECORDS;
  for (let start = 0; start < items.length;) {
    let end = start;
    let records = 0;
    while (end < items.length && (end === start || records + weigh(items[end]!) <= recordsMax)) records += weigh(items[end++]!);
    try {
      await commit(items.slice(start, end), end - start === 1);
      start = end;
      recordsMax = Math.min(BATCH_RECORDS, recordsMax * 2);
    } catch (error) {
      if (!isFull(error) || end - start === 1) throw error;
      recordsMax = Math.ceil(records / 8);
    }
  }
}

const isFull = (error: unknown): boolean => error instanceof StillpointError && error.code === 'E_DISK_FULL';

async function sweepNodes({ reached, guard }: SweepParts, dead: readonly Uint8Array[]): Promise<number> {
  let count = 0;
  await inPieces(dead, () => 1, async (piece, isSmallest) => {
    const batch = await guard(() => ({ deletes: piece.filter((key) => !reached.nodes.has(readHash(key))).map((key): StoreDelete => ({ table: 'nodes', key })), frees: isSmallest }));
    count += batch.deletes?.length ?? 0;
  });
  return count;
}

/**
 * Lists of locations that hold something dead become records of what lives. Returns the packs in which the rest lies: nothing names it any more. Lists of which all lives stay, for packs of
 * lists are left alone; so does one for whose records the disk has no room.
 */
async function settleDead({ store, digests, reached, guard }: SweepParts, keys: readonly Uint8Array[]): Promise<readonly PackUse[]> {
  const found: PackUse[] = [];
  for (const key of keys) {
    let uses: readonly PackUse[] = [];
    let records: readonly StorePut[] = [];
    const build = (): StoreBatch => {
      [uses, records] = [[], []];
      const value = store.get('locations', key);
      if (value === undefined || !isSoundList({ key, value }, digests)) return {};
      const dead = usesOfList(store, value, reached);
      if (!dead.some((use) => use.dead.length > 0)) return {};
      const batch = settledList({ table: 'locations', key, value }, (hashAt) => isReachedAt(reached, value, hashAt) && !store.has('pages', value.subarray(hashAt, hashAt + HASH_BYTES)));
      [uses, records] = [dead, batch.puts];
      return { ...batch, frees: records.length < RECORDS_FEW };
    };
    try {
      await guard(build).catch(async (error: unknown) => {
        if (!isFull(error)) throw error;
        // A record counts before a list. So they may go ahead of its end, a few leaves of their table at a time.
        await inPieces(records, () => 1, async (puts, isSmallest) => void await guard(() => (store.has('locations', key) ? { puts, present: [{ table: 'locations', key }], frees: isSmallest } : {})));
        return guard(build);
      });
      found.push(...uses);
    } catch (error) {
      if (!isFull(error)) throw error;
    }
  }
  PageIndex.of(store).forget();
  return found;
}

/** The packs of a list that hold something dead, or nothing that lives by this list: what records of pages place elsewhere, because two processes stored it at once, does not. */
function usesOfList(store: Store, list: Uint8Array, reached: Reached): readonly PackUse[] {
  const uses: PackUse[] = [];
  for (const pack of decodeList(list) ?? []) {
    const use = { key: list.slice(pack.at, pack.at + HASH_BYTES), live: 0, liveWeight: 0, dead: [] as DeadSlot[] };
    for (let slot = 0; slot < pack.count; slot++) {
      const hashAt = listedHashAt(pack, slot);
      const isNode = isListedNode(list, pack, slot);
      if (!isReachedAt(reached, list, hashAt)) use.dead.push({ key: list.slice(hashAt, hashAt + HASH_BYTES), isNode });
      else if (!isElsewhere(store, list.subarray(hashAt, hashAt + HASH_BYTES), use.key)) {
        use.live++;
        use.liveWeight += weightOf({ isNode });
      }
    }
    if (use.dead.length > 0 || use.live === 0) uses.push(use);
  }
  return uses;
}

function isElsewhere(store: Store, key: Uint8Array, pack: Uint8Array): boolean {
  const location = store.get('pages', key);
  return location !== undefined && !isIn(location, pack);
}

/** No page has the hash of a node. */
function isReachedAt(reached: Reached, bytes: Uint8Array, hashAt: number): boolean {
  const hash = readHash(bytes, hashAt);
  return reached.pages.has(hash) || reached.nodes.has(hash);
}

/** Segments that hold something dead. */
function deadSegments(store: Store, reached: Reached): readonly Uint8Array[] {
  const keys: Uint8Array[] = [];
  for (const { key, value } of segmentsOf(store)) if (liveEntries(value, reached).length < entryCount(value)) keys.push(key);
  return keys;
}

/** Offsets of the entries whose page or node lives. */
function liveEntries(segment: Uint8Array, reached: Reached): readonly number[] {
  const live: number[] = [];
  for (let entry = 0; entry < entryCount(segment); entry++) if (isReachedAt(reached, segment, entryAt(entry))) live.push(entryAt(entry));
  return live;
}

/** Takes what is dead out of segments, as far as the disk has room for it. */
async function sweepShelves({ store, digests, reached, guard }: SweepParts, keys: readonly Uint8Array[]): Promise<void> {
  try {
    await inPieces(keys, () => SEGMENT_WEIGHT, async (piece, isSmallest) => void await guard(() => segmentBatch({ store, digests, reached }, piece, isSmallest)));
  } catch (error) {
    if (!isFull(error)) throw error;
  }
}

/** One that is damaged is left to fsck. */
function segmentBatch({ store, digests, reached }: Omit<SweepParts, 'guard'>, keys: readonly Uint8Array[], frees: boolean): StoreBatch {
  const batch = { expect: [] as StoreExpectation[], deletes: [] as StoreDelete[], puts: [] as StorePut[] };
  for (const key of keys) {
    const value = store.get('shelves', key);
    if (value === undefined || !isSoundSegment({ key, value }, digests)) continue;
    const live = liveEntries(value, reached);
    if (live.length === entryCount(value)) continue;
    batch.expect.push({ table: 'shelves', key, value });
    if (live.length === 0) batch.deletes.push({ table: 'shelves', key });
    else batch.puts.push({ table: 'shelves', key, value: segmentWith({ key, value }, live, digests) });
  }
  return { ...batch, frees };
}

interface DeadSlot { readonly key: Uint8Array; readonly isNode: boolean }
/** What lies in one pack by its locations: keys of what is dead at the time of the scan; weight and number of what lives. `key`: of the pack, undefined when it is lost. */
export interface PackUse { key: Uint8Array | undefined; live: number; liveWeight: number; readonly dead: DeadSlot[] }

/** Malformed locations are dropped with their page when it is dead and left to fsck when it is live. Packs of lists are left alone (settleDead() comes to them). */
function packUses(store: Store, reached: Reached): readonly PackUse[] {
  const uses = new Map<string, PackUse>();
  for (const { key, value } of recordsAndEntries(store)) {
    const location = decodeLocation(value);
    if (location === undefined) continue;
    const name = nameOf(location.pack);
    let use = uses.get(name);
    if (use === undefined) uses.set(name, (use = { key: undefined, live: 0, liveWeight: 0, dead: [] }));
    if (!isReached(reached, key, location)) use.dead.push({ key: key.slice(), isNode: location.isNode });
    else {
      use.live++;
      use.liveWeight += weightOf(location);
    }
  }
  const listed = PageIndex.of(store).packs();
  const alike = new Set<string>();
  for (const { key } of store.range('packs', ALL_KEYS)) {
    const name = nameOf(key);
    const use = uses.get(name);
    if (use?.key !== undefined) alike.add(name);
    else if (use === undefined) uses.set(name, { key, live: 0, liveWeight: 0, dead: [] }); // No location names it: two processes stored the same pages at once.
    else use.key = key;
    if (key.length !== HASH_BYTES || listed.has(readHash(key))) alike.add(name);
  }
  for (const name of alike) uses.delete(name); // Also packs of which a location does not tell which it means: there is hardly ever one.
  return [...uses.values()];
}

/** Where pages and nodes are, by the records of `pages` and by shelves. */
function* recordsAndEntries(store: Store): Generator<{ readonly key: Uint8Array; readonly value: Uint8Array }> {
  yield* store.range('pages', ALL_KEYS);
  for (const { value } of segmentsOf(store)) {
    for (let entry = 0; entry < entryCount(value); entry++) yield { key: value.subarray(entryAt(entry), entryAt(entry) + HASH_BYTES), value: entryLocation(value, entryAt(entry)) };
  }
}

function nameOf(pack: Uint8Array): string {
  let name = '';
  for (let index = 0; index < PACK_NAME_BYTES; index++) name += String.fromCharCode(pack[index] ?? 0);
  return name;
}

const isReached = (reached: Reached, key: Uint8Array, { isNode }: { readonly isNode: boolean }): boolean => (isNode ? reached.nodes : reached.pages).has(readHash(key));

const weightOf = ({ isNode }: { readonly isNode: boolean }): number => (isNode ? 1 : PAGE_WEIGHT);

async function sweepPacks(parts: SweepParts, uses: readonly PackUse[]): Promise<Collected> {
  const gone = { nodes: 0, pages: 0, packs: 0 };
  const commit = async (group: readonly PackUse[], isSmallest: boolean): Promise<void> => {
    let nodes = 0;
    const batch = await parts.guard(() => {
      const built = packBatch(parts, group);
      nodes = built.nodes;
      return { ...built.batch, frees: isSmallest };
    });
    gone.nodes += nodes;
    gone.pages -= nodes;
    for (const { table } of batch.deletes ?? []) if (table === 'pages') gone.pages++; else gone.packs++;
  };
  const weigh = (use: PackUse): number => use.dead.length + use.live + 1;
  await inPieces(uses.filter(({ live }) => live === 0), weigh, commit); // These take no room, and give it to the others.
  try {
    await inPieces(uses.filter(({ live, dead }) => live > 0 && dead.length > 0), weigh, commit);
  } catch (error) {
    if (!isFull(error)) throw error; // They are written again next time.
  }
  return gone;
}

/** `nodes`: how many of the deleted locations are of nodes. */
function packBatch(parts: SweepParts, group: readonly PackUse[]): { readonly batch: StoreBatch; readonly nodes: number } {
  const deletes: StoreDelete[] = [];
  const puts: StorePut[] = [];
  const expect: StoreExpectation[] = [];
  let nodes = 0;
  const { shelves } = PageIndex.of(parts.store);
  const listed = PageIndex.of(parts.store).packs(); // It knows of all shelves now.
  for (const use of group) {
    const { key: pack } = use;
    if (pack !== undefined && listed.has(readHash(pack))) continue; // Written again since the scan.
    if (pack !== undefined && use.live === 0 && use.dead.length === 0 && isNamed(parts.store, pack, expect)) continue;
    const dead = use.dead.filter((slot) => !isReached(parts.reached, slot.key, slot));
    // An entry counts again when there is no record. It is of a segment that stayed, or that a capture has merged since the scan: the next sweep comes to it.
    if (dead.some(({ key }) => shelves.find(key) !== undefined)) continue;
    const live = use.live + use.dead.length - dead.length;
    for (const { key, isNode } of dead) {
      deletes.push({ table: 'pages', key });
      if (isNode) nodes++;
    }
    const deadWeight = weightOfAll(dead);
    if (pack === undefined || (live > 0 && deadWeight < (use.liveWeight + weightOfAll(use.dead)) * DEAD_SHARE)) continue;
    if (live === 0 || repack(parts, { key: pack, batch: { puts, expect } })) deletes.push({ table: 'packs', key: pack });
  }
  return { batch: { deletes, puts, expect }, nodes };
}

function weightOfAll(slots: readonly DeadSlot[]): number {
  return slots.reduce((sum, slot) => sum + weightOf(slot), 0);
}

/** Whether a pack that no location named at the time of the scan has one by now; what was found is expected to stay so. A pack that cannot be read has none. */
function isNamed(store: Store, pack: Uint8Array, expect: StoreExpectation[]): boolean {
  const bytes = store.get('packs', pack);
  for (const { hash } of (bytes === undefined ? undefined : decodePack(bytes)?.slots) ?? []) {
    const value = store.get('pages', hash);
    if (isIn(value, pack) || isShelvedIn(store, hash, pack)) return true;
    expect.push({ table: 'pages', key: hash.slice(), value });
  }
  return false;
}

/** Puts what lives of a pack into new ones. False when the pack cannot be read: then it stays as evidence. */
function repack({ store, digests, reached }: SweepParts, { key, batch }: { readonly key: Uint8Array; readonly batch: { readonly puts: StorePut[]; readonly expect: StoreExpectation[] } }): boolean {
  const bytes = store.get('packs', key);
  const slots = bytes === undefined ? undefined : decodePack(bytes)?.slots;
  if (slots === undefined) return false;
  const packs = new PackWriter(store, digests, batch);
  for (const slot of slots) {
    // A page may lie in two packs; only the one that its location names counts.
    const location = store.get('pages', slot.hash);
    if (isReached(reached, slot.hash, slot) && (location === undefined ? isShelvedIn(store, slot.hash, key) : isIn(location, key))) packs.move(slot);
  }
  packs.finish();
  return true;
}

/** Whether a shelf says so. */
function isShelvedIn(store: Store, hash: Uint8Array, pack: Uint8Array): boolean {
  for (const { segment, at } of PageIndex.of(store).shelves.all(hash)) if (isIn(entryLocation(segment.value, at), pack)) return true;
  return false;
}

function isIn(location: Uint8Array | undefined, pack: Uint8Array): boolean {
  const decoded = location === undefined ? undefined : decodeLocation(location);
  return decoded !== undefined && namesPack(decoded, pack);
}
