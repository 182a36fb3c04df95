/**
 * One open store for all machines of this process that use it, with group commit: commits that are asked for in one turn of the event loop become
 * one commit of the store below.
 *
 *   machine A ─ commit ─┐
 *   machine B ─ commit ─┼─ end of the turn ─► one transaction on disk ─► all resolve
 *   machine A' ─ commit ┘                     └─ conflict ─► each alone, so that only the guilty one fails
 *
 * Invariants: batches of one turn are of different runs, so their keys differ or hold the same content; the store is closed with its last user.
 * What this does NOT do: order commits of one run (commit-log.ts has one under way at a time).
 */
import { resolve } from 'node:path';
import { assert, StillpointError } from '../core/index.ts';
import { createNodeDigests } from '../core/live/digest.ts';
import { openStoreAt } from '../session/index.ts';
import type { Store, StoreBatch, StoreExpectation } from '../store/index.ts';
import type { RunId } from '../journal/index.ts';
import type { StoreContext } from '../txn/index.ts';

const RUN_ID_BYTES = 16;

/** Runs whose next commits are one, all or nothing. */
interface Bundle { readonly runs: ReadonlySet<string>; readonly members: Waiting[] }
interface Waiting { readonly batch: StoreBatch; readonly resolve: (answer: 'done' | 'conflict') => void; readonly reject: (error: unknown) => void }

export class GroupStore implements Store {
  readonly #inner: Store;
  #waiting: Waiting[] = [];
  #bundles: Bundle[] = [];
  #isScheduled = false;
  /** Commits asked for and commits of the store below, for whoever measures. */
  asked = 0;
  made = 0;

  /** Where the store is, for other threads. */
  readonly directory: string | undefined;

  constructor(inner: Store, directory?: string) {
    this.#inner = inner;
    this.directory = directory;
  }

  get: Store['get'] = (table, key) => this.#inner.get(table, key);
  has: Store['has'] = (table, key) => this.#inner.has(table, key);
  range: Store['range'] = (table, bounds) => this.#inner.range(table, bounds);
  usage: Store['usage'] = () => this.#inner.usage();
  close: Store['close'] = () => this.#inner.close();

  commit(batch: StoreBatch): Promise<'done' | 'conflict'> {
    this.asked++;
    return new Promise((resolvePromise, reject) => {
      const waiting = { batch, resolve: resolvePromise, reject };
      const run = ownerOf(batch);
      const bundle = run === undefined ? undefined : this.#bundles.find(({ runs }) => runs.has(run));
      (bundle?.members ?? this.#waiting).push(waiting);
      this.#schedule();
    });
  }

  /**
   * What these runs commit in this turn of the event loop is one commit, all or nothing. Ask them right after this. When one of them may not commit (another
   * process took its run) none does: the others throw E_TXN_CONFLICT.
   */
  bundle(runs: readonly RunId[]): void {
    this.#bundles.push({ runs: new Set(runs), members: [] });
    this.#schedule();
  }

  #schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    setImmediate(() => { void this.#flush(); });
  }

  async #flush(): Promise<void> {
    this.#isScheduled = false;
    const bundles = this.#bundles;
    const group = this.#waiting;
    this.#waiting = [];
    this.#bundles = [];
    for (const { members } of bundles) await this.#allOrNothing(members);
    if (group.length > 1) {
      try {
        this.made++;
        const answer = await this.#inner.commit(merged(group));
        if (answer === 'done') {
          for (const waiting of group) waiting.resolve('done');
          return;
        }
      } catch (error) {
        if (!(error instanceof StillpointError)) throw error;
        for (const waiting of group) waiting.reject(error);
        return;
      }
    }
    for (const waiting of group) await this.#alone(waiting);
  }

  async #allOrNothing(members: readonly Waiting[]): Promise<void> {
    if (members.length === 0) return; // Nothing had changed.
    try {
      this.made++;
      const answer = await this.#inner.commit(merged(members));
      for (const member of members) {
        if (answer === 'done') member.resolve('done');
        else if ((member.batch.expect ?? []).every((expectation) => holds(this.#inner, expectation))) member.reject(new StillpointError('E_TXN_CONFLICT', 'another run of the joint transaction could not commit, so none did; open the run again'));
        else member.resolve('conflict');
      }
    } catch (error) {
      for (const member of members) member.reject(error);
    }
  }

  async #alone({ batch, resolve: done, reject }: Waiting): Promise<void> {
    try {
      this.made++;
      done(await this.#inner.commit(batch));
    } catch (error) {
      reject(error);
    }
  }
}

function merged(group: readonly Waiting[]): StoreBatch {
  return { expect: group.flatMap(({ batch }) => batch.expect ?? []), deletes: group.flatMap(({ batch }) => batch.deletes ?? []), puts: group.flatMap(({ batch }) => batch.puts ?? []) };
}

/** The run whose owner a commit expects. */
function ownerOf({ expect = [] }: StoreBatch): string | undefined {
  const owner = expect.find(({ table, key }) => table === 'owners' && key.length === RUN_ID_BYTES);
  return owner === undefined ? undefined : Buffer.from(owner.key).toString('hex');
}

function holds(store: Store, { table, key, value }: StoreExpectation): boolean {
  const stored = store.get(table, key);
  return stored === undefined || value === undefined ? stored === value : Buffer.compare(stored, value) === 0;
}

interface Shared { readonly context: Promise<StoreContext & { readonly store: GroupStore }>; users: number }
const open = new Map<string, Shared>();

/** The store of a directory and what to call when it is no longer needed. Throws as the store does. */
export async function shareStore(directory: string, mode: 'create' | 'existing'): Promise<{ readonly context: StoreContext & { readonly store: GroupStore }; readonly release: () => Promise<void> }> {
  const path = resolve(directory);
  let shared = open.get(path);
  if (shared === undefined) open.set(path, shared = { context: openContext(path, mode), users: 0 });
  const mine = shared;
  mine.users++;
  const release = async (): Promise<void> => {
    assert(mine.users > 0, 'a store is released as often as it was shared');
    mine.users--;
    if (mine.users > 0) return;
    open.delete(path);
    await (await mine.context).store.close();
  };
  try {
    return { context: await mine.context, release };
  } catch (error) {
    mine.users--;
    if (open.get(path) === mine) open.delete(path);
    throw error;
  }
}

async function openContext(path: string, mode: 'create' | 'existing'): Promise<StoreContext & { readonly store: GroupStore }> {
  return { store: new GroupStore(await openStoreAt(path, mode), path), digests: await createNodeDigests() };
}
