/**
 * A store as it would be after some puts: what is not committed yet is looked at with the readers that look at stores.
 * Invariants: reads only; a row on top hides the one below. What this does NOT do: commit, hide rows that are deleted.
 */
import { assert, compareBytes } from '../core/index.ts';
import { MemoryStore } from './memory-store.ts';
import type { Store, StorePut, Table } from './store.ts';

interface Row { readonly key: Uint8Array; readonly value: Uint8Array }

export class Overlay implements Store {
  readonly #below: Store;
  readonly #top: MemoryStore;

  private constructor(below: Store, top: MemoryStore) {
    this.#below = below;
    this.#top = top;
  }

  static async over(below: Store, puts: readonly StorePut[]): Promise<Overlay> {
    const top = new MemoryStore();
    await top.commit({ puts });
    return new Overlay(below, top);
  }

  get: Store['get'] = (table, key) => this.#top.get(table, key) ?? this.#below.get(table, key);
  has: Store['has'] = (table, key) => this.#top.has(table, key) || this.#below.has(table, key);
  usage: Store['usage'] = () => this.#below.usage();
  close: Store['close'] = async () => {};

  *range(table: Table, bounds: Parameters<Store['range']>[1]): Iterable<Row> {
    assert(bounds.reverse !== true && bounds.limit === undefined, 'what is looked at before its commit is read from front to back');
    const above = this.#top.range(table, bounds)[Symbol.iterator]();
    let top = above.next();
    for (const row of this.#below.range(table, bounds)) {
      for (; top.done !== true && compareBytes(top.value.key, row.key) < 0; top = above.next()) yield top.value;
      if (top.done !== true && compareBytes(top.value.key, row.key) === 0) continue;
      yield row;
    }
    for (; top.done !== true; top = above.next()) yield top.value;
  }

  commit(): never {
    assert(false, 'what is looked at before its commit is only read');
  }
}
