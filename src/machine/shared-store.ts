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
import type { Store, StoreBatch } from '../store/index.ts';
import type { StoreContext } from '../txn/index.ts';

interface Waiting { readonly batch: StoreBatch; readonly resolve: (answer: 'done' | 'conflict') => void; readonly reject: (error: unknown) => void }

export class GroupStore implements Store {
  readonly #inner: Store;
  #waiting: Waiting[] = [];
  /** Commits asked for and commits of the store below, for whoever measures. */
  asked = 0;
  made = 0;

  constructor(inner: Store) {
    this.#inner = inner;
  }

  get: Store['get'] = (table, key) => this.#inner.get(table, key);
  has: Store['has'] = (table, key) => this.#inner.has(table, key);
  range: Store['range'] = (table, bounds) => this.#inner.range(table, bounds);
  usage: Store['usage'] = () => this.#inner.usage();
  close: Store['close'] = () => this.#inner.close();

  commit(batch: StoreBatch): Promise<'done' | 'conflict'> {
    this.asked++;
    return new Promise((resolvePromise, reject) => {
      this.#waiting.push({ batch, resolve: resolvePromise, reject });
      if (this.#waiting.length === 1) setImmediate(() => { void this.#flush(); });
    });
  }

  async #flush(): Promise<void> {
    const group = this.#waiting;
    this.#waiting = [];
    if (group.length > 1) {
      try {
        this.made++;
        const answer = await this.#inner.commit({
          expect: group.flatMap(({ batch }) => batch.expect ?? []), deletes: group.flatMap(({ batch }) => batch.deletes ?? []), puts: group.flatMap(({ batch }) => batch.puts ?? []),
        });
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

  async #alone({ batch, resolve: done, reject }: Waiting): Promise<void> {
    try {
      this.made++;
      done(await this.#inner.commit(batch));
    } catch (error) {
      reject(error);
    }
  }
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
  return { store: new GroupStore(await openStoreAt(path, mode)), digests: await createNodeDigests() };
}
