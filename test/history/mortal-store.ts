/**
 * A store in memory whose process dies at a chosen commit, just before or just after it. What is in it is there for the next one.
 * What this does NOT do: lose or damage anything of what was committed.
 */
import type { MemoryStore, Store, StoreBatch } from '../../src/store/index.ts';

export class Crash extends Error {}

/** A store whose process dies at a given commit, before or after it. */
export class MortalStore implements Store {
  readonly inner: MemoryStore;
  #left: number;
  readonly #isAfter: boolean;
  isDead = false;
  commits = 0;

  constructor(inner: MemoryStore, left = Infinity, isAfter = false) {
    this.inner = inner;
    this.#left = left;
    this.#isAfter = isAfter;
  }

  get: Store['get'] = (table, key) => this.#alive().get(table, key);
  has: Store['has'] = (table, key) => this.#alive().has(table, key);
  range: Store['range'] = (table, bounds) => this.#alive().range(table, bounds);
  usage: Store['usage'] = () => this.#alive().usage();
  close: Store['close'] = async () => {};

  async commit(batch: StoreBatch): Promise<'done' | 'conflict'> {
    this.commits++;
    const dies = --this.#left < 0;
    if (dies && !this.#isAfter) this.#die();
    const answer = await this.#alive().commit(batch);
    if (dies) this.#die();
    return answer;
  }

  #alive(): MemoryStore {
    if (this.isDead) throw new Crash('a dead process does nothing');
    return this.inner;
  }

  #die(): never {
    this.isDead = true;
    throw new Crash('the process dies');
  }
}
