/**
 * The store's twin in memory: same behaviour as the LMDB adapter, for tests, for `--ephemeral` runs, and where there is no disk.
 * It can play a bad disk: refuse commits, hold them back unflushed, and lose the unflushed ones in a crash.
 * Invariants: keys are Latin-1 strings (one code unit a byte), so string order is unsigned byte order; values are copied in and out.
 * What this does NOT do: persist anything.
 */
import { assert, sameBytes, StillpointError, type ErrorCode } from '../core/index.ts';
import { KEY_BYTES_MAX } from './format.ts';
import { TABLES, type Store, type StoreBatch, type Table } from './store.ts';

interface Cells {
  readonly entries: Map<string, Uint8Array>;
  /** Sorted keys, or undefined when a key came or went since the last range(). */
  sorted: readonly string[] | undefined;
}
type Tables = Readonly<Record<Table, Cells>>;
type RangeBounds = Parameters<Store['range']>[1];

export interface MemoryStoreOptions {
  /** 'at-once' (default): commit() is durable when it resolves. 'by-hand': it resolves only after flush(). */
  readonly flush?: 'at-once' | 'by-hand';
}

export class MemoryStore implements Store {
  readonly #flushes: 'at-once' | 'by-hand';
  readonly #tables: Tables;
  readonly #unflushed: { readonly batch: StoreBatch; readonly resolve: () => void }[] = [];
  #durable: Tables | undefined;
  #nextFailure: ErrorCode | undefined;
  #isClosed = false;

  constructor(options: MemoryStoreOptions = {}, tables: Tables = emptyTables()) {
    this.#flushes = options.flush ?? 'at-once';
    this.#tables = tables;
    if (this.#flushes === 'by-hand') this.#durable = copyTables(tables);
  }

  get(table: Table, key: Uint8Array): Uint8Array | undefined {
    return this.#cells(table).entries.get(textKey(key))?.slice();
  }

  has(table: Table, key: Uint8Array): boolean {
    return this.#cells(table).entries.has(textKey(key));
  }

  *range(table: Table, bounds: RangeBounds): Iterable<{ readonly key: Uint8Array; readonly value: Uint8Array }> {
    const cells = this.#cells(table);
    const sorted = (cells.sorted ??= [...cells.entries.keys()].sort(compare));
    const start = lowerBound(sorted, textKey(bounds.from));
    const end = lowerBound(sorted, textKey(bounds.to));
    const count = Math.min(Math.max(0, end - start), bounds.limit ?? Infinity);
    for (let index = 0; index < count; index++) {
      const key = sorted[bounds.reverse === true ? end - 1 - index : start + index] as string;
      const value = cells.entries.get(key);
      if (value !== undefined) yield { key: bytesOf(key), value: value.slice() };
    }
  }

  async commit(batch: StoreBatch): Promise<'done' | 'conflict'> {
    assert(batch.prepared === undefined, 'nothing is prepared in this store');
    const failure = this.#nextFailure;
    this.#nextFailure = undefined;
    if (failure !== undefined) throw new StillpointError(failure, 'the memory store was told to fail this commit');
    for (const { table, key, value } of batch.expect ?? []) {
      if (!sameBytes(this.#cells(table).entries.get(textKey(key)), value)) return 'conflict';
    }
    for (const { table, key } of batch.present ?? []) if (!this.#cells(table).entries.has(textKey(key))) return 'conflict';
    const copy = copyBatch(batch); // The caller may reuse its buffers after commit() returns.
    applyBatch(this.#tables, copy);
    if (this.#flushes === 'by-hand') await new Promise<void>((resolve) => this.#unflushed.push({ batch: copy, resolve }));
    return 'done';
  }

  usage(): ReturnType<Store['usage']> {
    const tables = Object.fromEntries(TABLES.map((table) => [table, tableUsage(this.#tables[table])])) as Record<Table, { entries: number; bytes: number }>; // One entry per table by construction.
    return { tables, fileBytes: 0 };
  }

  async close(): Promise<void> {
    this.#isClosed = true;
  }

  /** Makes the next commit fail with `code` and apply nothing. */
  failNextCommit(code: ErrorCode): void {
    this.#nextFailure = code;
  }

  /** Makes the oldest `count` held-back commits durable (all by default) and resolves their promises. */
  flush(count: number = this.#unflushed.length): void {
    assert(this.#durable !== undefined, 'only a store that flushes by hand can be flushed');
    for (const { batch, resolve } of this.#unflushed.splice(0, count)) {
      applyBatch(this.#durable, batch);
      resolve();
    }
  }

  /** The store that a restarted process finds: unflushed commits are lost except the oldest `kept`, which the disk happened to have. */
  crash(kept = 0): MemoryStore {
    assert(this.#durable !== undefined, 'only a store that flushes by hand can crash');
    const tables = copyTables(this.#durable);
    for (const { batch } of this.#unflushed.slice(0, kept)) applyBatch(tables, batch);
    this.#isClosed = true;
    return new MemoryStore({ flush: this.#flushes }, tables);
  }

  #cells(table: Table): Cells {
    assert(!this.#isClosed, 'a closed store is not used');
    return this.#tables[table];
  }
}

function emptyTables(): Tables {
  return Object.fromEntries(TABLES.map((table): [Table, Cells] => [table, { entries: new Map(), sorted: undefined }])) as Record<Table, Cells>; // One entry per table by construction.
}

function copyTables(tables: Tables): Tables {
  return Object.fromEntries(TABLES.map((table): [Table, Cells] => [table, { entries: new Map(tables[table].entries), sorted: undefined }])) as Record<Table, Cells>; // As above.
}

function copyBatch(batch: StoreBatch): StoreBatch {
  return {
    deletes: (batch.deletes ?? []).map(({ table, key }) => ({ table, key: key.slice() })),
    puts: (batch.puts ?? []).map(({ table, key, value }) => ({ table, key: key.slice(), value: value.slice() })),
  };
}

function applyBatch(tables: Tables, batch: StoreBatch): void {
  for (const { table, key } of batch.deletes ?? []) {
    if (tables[table].entries.delete(textKey(key))) tables[table].sorted = undefined;
  }
  for (const { table, key, value } of batch.puts ?? []) {
    const cells = tables[table];
    const text = textKey(key);
    if (!cells.entries.has(text)) cells.sorted = undefined;
    cells.entries.set(text, value);
  }
}

function tableUsage(cells: Cells): { readonly entries: number; readonly bytes: number } {
  let bytes = 0;
  for (const [key, value] of cells.entries) bytes += key.length + value.length;
  return { entries: cells.entries.size, bytes };
}

function textKey(key: Uint8Array): string {
  assert(key.length <= KEY_BYTES_MAX, 'a store key is not longer than the limit');
  let text = '';
  for (let index = 0; index < key.length; index++) text += String.fromCharCode(key[index] as number);
  return text;
}

function bytesOf(text: string): Uint8Array {
  return Uint8Array.from({ length: text.length }, (_, index) => text.charCodeAt(index));
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function lowerBound(sorted: readonly string[], key: string): number {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((sorted[middle] as string) < key) low = middle + 1;
    else high = middle;
  }
  return low;
}
