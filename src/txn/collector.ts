/**
 * Garbage collection of a whole store, beside machines that are being executed.
 *
 *   mark what runs and named images need ─► scan for the rest ─► wait for leases ─► mark what is new ─► delete in batches, each expecting the references word
 *                                                                      ▲                          │ conflict: somebody began to need something
 *                                                                      └──────────────────────────┘
 *
 * Why it is safe: (1) what was needed when a batch was built is not in it, and the batch conflicts when anything began to be needed since (txn/references.ts);
 * (2) a checkpoint that is on its way relies on old records only through expectations of its commit, so one that loses the race captures again;
 * (3) records that nothing refers to yet were written under a lease, and the scan is older than any lease that begins after it.
 * Invariants: may be killed at any moment and run again; a run that cannot be read stops it before anything is deleted.
 * What this does NOT do: choose which checkpoints stay (retention.ts), look at bytes of pages (fsck).
 */
import { StillpointError, type BlobHash } from '../core/index.ts';
import { entryRange, hexOfBytes, JournalReader, type GenesisFrame, type JournalTail, type RunId } from '../journal/index.ts';
import { HashSet, inPieces, scanSnapshots, sweepSnapshots, walkSnapshot, type Reached, type SweepGuard } from '../snapshot/index.ts';
import { ALL_KEYS, type Store, type StoreDelete, type StoreExpectation } from '../store/index.ts';
import { answersWithoutRun, runOfAnswer } from './answers.ts';
import { idsWithoutRecord } from './found-run.ts';
import { deadImageSources, listImages } from './image-records.ts';
import { liveLeases } from './leases.ts';
import type { IsAlive, StoreContext } from './ownership.ts';
import { REFERENCES_KEY } from './references.ts';
import { rightPlace, type MisplacedTable } from './right-place.ts';
import type { RunRecord } from './run-record.ts';
import { knowsAllNames, listCheckpoints, listRuns, readStoredRun, runNames } from './runs.ts';

export interface CollectOptions {
  readonly isAlive: IsAlive;
  /** The image that a run lies over, told by its genesis frame, and all blobs of an image. */
  readonly images: { readonly ofRun: (genesis: GenesisFrame) => BlobHash | undefined; readonly blobs: (image: BlobHash) => Iterable<BlobHash> };
  /** Called between pieces of work: lets others run, shows progress. */
  readonly breathe: (done: CollectProgress) => Promise<void>;
}
export interface CollectProgress { readonly phase: 'mark' | 'wait' | 'sweep'; readonly reached: number; readonly deleted: number }
export interface CollectResult { readonly nodes: number; readonly pages: number; readonly packs: number; readonly blobs: number; readonly orphans: number }

/** Times that a batch is built anew before the store counts as too busy. */
const ATTEMPTS_MAX = 1000;
/** Waits of one breath each for leases; a checkpoint takes far less. */
const WAITS_MAX = 2000;
const RUN_ID_BYTES = 16;
const HASH_BYTES = 32;

/** Deletes everything that no run needs. Call it as the collector (leases.ts). Throws what a damaged run throws, E_STORE_CORRUPT where a run or an entry may be lost and found again, E_STORE_BUSY. */
export async function collectGarbage(context: StoreContext, options: CollectOptions): Promise<CollectResult> {
  if (!knowsAllNames(context)) throw damage('the table of runs has a key that is no name');
  const marker = new Marker(context, options);
  await marker.update();
  const plan = scanSnapshots(context.store, marker.reached);
  const blobs = scanBlobs(context.store, marker);
  const orphans = scanOrphans(context, marker);
  await waitForLeases(context, options, marker);
  let deleted = 0;
  const guard: SweepGuard = async (build) => {
    for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
      const expect = await marker.update();
      const batch = build();
      await options.breathe({ phase: 'sweep', reached: marker.reached.pages.size, deleted });
      if (await context.store.commit({ ...batch, expect: [...batch.expect ?? [], expect] }) === 'done') {
        deleted += batch.deletes?.length ?? 0;
        return batch;
      }
    }
    throw new StillpointError('E_STORE_BUSY', 'the store changes too fast to be collected; try again when fewer machines take checkpoints');
  };
  await guard(() => ({ deletes: deadImageSources(context, (digest) => marker.blobs.has(digest)), frees: true })); // Before the catalogs that they name.
  const snapshots = await sweepSnapshots({ ...context, reached: marker.reached, guard }, plan);
  return {
    ...snapshots,
    blobs: await deleteKeys(guard, blobs.map((key) => ({ table: 'blobs', key })), ({ key }) => !marker.blobs.has(hexOfBytes(key) as BlobHash)), // 32 bytes: scanBlobs looked.
    orphans: await deleteKeys(guard, orphans, ({ table, key }) => !marker.runs.has(table === 'meta' ? runOfAnswer(key) : hexOfBytes(key.subarray(0, RUN_ID_BYTES)))),
  };
}

/** What the runs of a store need, as far as it was looked at; update() looks at what changed since. */
class Marker {
  readonly reached: Reached = { nodes: new HashSet(), pages: new HashSet() };
  readonly blobs = new HashSet();
  /** Ids of runs that have a record. */
  runs: ReadonlySet<string> = new Set();
  readonly #context: StoreContext;
  readonly #options: CollectOptions;
  /** Digest of the run record that was looked at last, by name. */
  readonly #records = new Map<string, BlobHash>();
  readonly #images = new Set<BlobHash>();
  readonly #tails = new Map<RunId, JournalTail>();

  constructor(context: StoreContext, options: CollectOptions) {
    this.#context = context;
    this.#options = options;
  }

  /** Marks what came since the last time. What it returns holds in a commit while nothing more came. */
  async update(): Promise<StoreExpectation> {
    const { store } = this.#context;
    const value = store.get('meta', REFERENCES_KEY);
    for (const { digest } of listImages(this.#context)) this.#markImage(digest);
    const names = runNames(this.#context);
    const runs = new Set<string>();
    for (const name of names) {
      const id = await this.#updateRun(name);
      if (id !== undefined) runs.add(id);
    }
    this.runs = runs;
    return { table: 'meta', key: REFERENCES_KEY, value };
  }

  async #updateRun(name: string): Promise<RunId | undefined> {
    const { store, digests } = this.#context;
    if (!store.has('runs', new TextEncoder().encode(name))) return undefined;
    const { record, bytes } = readStoredRun(this.#context, name);
    const digest = digests.sha256(bytes);
    if (this.#records.get(name) === digest) return record.id;
    this.#markJournal(new JournalReader(this.#context, { run: record.id, tail: record.tail }));
    for (const key of checkpointsBeyond(store, record)) if (isMisplaced(this.#context, 'checkpoints', key)) throw damage('the table checkpoints has a record under a wrong key');
    for (const { root } of listCheckpoints(this.#context, record)) {
      walkSnapshot(store, root, { digests, reached: this.reached });
      await this.#options.breathe({ phase: 'mark', reached: this.reached.pages.size, deleted: 0 });
    }
    this.#records.set(name, digest);
    return record.id;
  }

  #markImage(image: BlobHash | undefined): void {
    if (image === undefined || this.#images.has(image)) return;
    for (const hash of this.#options.images.blobs(image)) this.blobs.add(hash);
    this.#images.add(image);
  }

  #markJournal(journal: JournalReader): void {
    const known = this.#tails.get(journal.run);
    // A rollback may have put other frames where the known ones were.
    const isPrefix = known !== undefined && known.count <= journal.tail.count && journal.tailAfter(known.count).link === known.link;
    for (const { frame } of journal.frames(isPrefix ? known : undefined)) {
      if (frame.kind === 'genesis') {
        this.blobs.add(frame.program);
        this.#markImage(this.#options.images.ofRun(frame));
      }
      if (frame.kind === 'input' && typeof frame.bytes === 'string') this.blobs.add(frame.bytes);
    }
    this.#tails.set(journal.run, journal.tail);
  }
}

/** Checkpoints and imports that were under way when the scan ended either refer to what they wrote by now, or are dead. */
async function waitForLeases(context: StoreContext, { isAlive, breathe }: CollectOptions, marker: Marker): Promise<void> {
  const first = liveLeases(context, isAlive);
  for (let waits = 0; waits < WAITS_MAX; waits++) {
    const now = liveLeases(context, isAlive);
    if (![...first].some((lease) => now.has(lease))) return;
    await breathe({ phase: 'wait', reached: marker.reached.pages.size, deleted: 0 });
  }
  throw new StillpointError('E_STORE_BUSY', 'a checkpoint or an import has been under way for too long; nothing was collected');
}

function scanBlobs(store: Store, marker: Marker): readonly Uint8Array[] {
  const keys: Uint8Array[] = [];
  for (const { key } of store.range('blobs', ALL_KEYS)) {
    if (key.length === HASH_BYTES && !marker.blobs.has(hexOfBytes(key) as BlobHash)) keys.push(key); // 32 bytes are 64 digits.
  }
  return keys;
}

/** What may be of use to a repair is not collected. */
const damage = (what: string): StillpointError => new StillpointError('E_STORE_CORRUPT', `${what}: nothing was collected; stillpoint fsck says more`);

/** Entries of runs that have no record: an import that died. A run that has an owner has lost its record, and an entry that goes with another run its key. */
function scanOrphans(context: StoreContext, marker: Marker): readonly StoreDelete[] {
  const { store } = context;
  const owned = new Set([...store.range('owners', ALL_KEYS)].map(({ key }) => hexOfBytes(key)).filter((id) => !marker.runs.has(id)));
  const lost = owned.size === 0 ? undefined : idsWithoutRecord(context).find((id) => owned.has(id)); // Runs that came meanwhile have both.
  if (lost !== undefined) throw damage(`the run with the id ${lost} has lost its record`);
  const found: StoreDelete[] = [];
  for (const table of ['frames', 'checkpoints', 'marks'] as const) {
    for (let from: Uint8Array | undefined = ALL_KEYS.from; from !== undefined;) {
      const keys: Uint8Array[] = [];
      from = scanRun(store, marker, { table, from, found: keys });
      if (keys.length === 1 && isMisplaced(context, table, keys[0]!)) throw damage(`the table ${table} has a record under a wrong key`);
      found.push(...keys.map((key) => ({ table, key })));
    }
  }
  found.push(...answersWithoutRun(store, (run) => marker.runs.has(run)));
  return found;
}

/** Keys of those that the run's record knows nothing of. */
function checkpointsBeyond(store: Store, { id, lastCheckpoint = 0 }: RunRecord): readonly Uint8Array[] {
  return [...store.range('checkpoints', entryRange(id, { from: lastCheckpoint + 1, to: 2 ** 32 - 1 }))].map(({ key }) => key);
}

function isMisplaced(context: StoreContext, table: MisplacedTable, key: Uint8Array): boolean {
  const value = context.store.get(table, key);
  const runs = new Map([...listRuns(context)].map((record) => [record.id, record]));
  return value !== undefined && rightPlace(context, runs, { table, key, value }) !== undefined;
}

/** Looks at the entries of the first run from a key on; returns where the next run begins. */
function scanRun(store: Store, marker: Marker, { table, from, found }: { readonly table: 'frames' | 'checkpoints' | 'marks'; readonly from: Uint8Array; readonly found: Uint8Array[] }): Uint8Array | undefined {
  const [first] = store.range(table, { from, to: ALL_KEYS.to, limit: 1 });
  if (first === undefined) return undefined;
  const run = first.key.subarray(0, RUN_ID_BYTES);
  const to = new Uint8Array(RUN_ID_BYTES + 8).fill(255);
  to.set(run);
  if (run.length === RUN_ID_BYTES && !marker.runs.has(hexOfBytes(run))) for (const { key } of store.range(table, { from: first.key, to })) found.push(key);
  return to;
}

async function deleteKeys(guard: SweepGuard, keys: readonly StoreDelete[], isDead: (entry: StoreDelete) => boolean): Promise<number> {
  let count = 0;
  await inPieces(keys, () => 1, async (piece, isSmallest) => {
    count += (await guard(() => ({ deletes: piece.filter(isDead), frees: isSmallest }))).deletes?.length ?? 0;
  });
  return count;
}
