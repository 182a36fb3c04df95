/**
 * Rows that a database made anew has from pages which were in use no more: they say what was true once, and may have changed or gone since.
 *
 *   page in use ──────────────────────────────► counts
 *   page that was given back ─┬─ a run of which a table that is whole knows nothing ──► was removed: the row goes
 *                             ├─ another copy of the store is younger than the page ──► where it has the row, that one counts
 *                             └─ else ────────────────────────────────────────────────► counts, for nothing better is known
 *
 * A copy is younger when it is one of this very store's file and has reached the transaction that wrote the page; when it is another (an export, a store that was imported into), when its
 * journal of the run comes as far as the one here. Invariants: a row of a page in use is never replaced; no row goes because the copy has none; names change in one commit.
 * What this does NOT do: rows that are missing (lost-rows.ts), whether any row is sound (the check that follows).
 */
import { assert } from '../core/index.ts';
import { hexOfBytes, runKey, type RunId } from '../journal/index.ts';
import type { Store, StoreDelete, StorePut, Table } from '../store/index.ts';
import { freeName, idsWithoutRecord } from './found-run.ts';
import { isSameHistory, listReadable, recordsOf } from './lost-rows.ts';
import type { StoreContext } from './ownership.ts';
import { encodeRunRecord, nameKey, type RunRecord } from './run-record.ts';
import { knowsAllNames, runNames } from './runs.ts';

/** Of a name that gets a number behind it. */
const NAME_ROOM = 56;

/** A row that no tree led to. `transaction`: of its page; 0: not known. */
export interface LooseRow { readonly table: Table; readonly key: Uint8Array; readonly isInUse: boolean; readonly transaction: number }
/** Another copy. `transaction`: how far it has come, when it is one of the same file. */
export interface Copy { readonly rows: Pick<Store, 'get' | 'range'>; readonly transaction: number | undefined }
/** A run record, with its row where it may be out of date. */
interface Found { readonly record: RunRecord; readonly row: LooseRow | undefined }

export class StaleRows {
  readonly #context: StoreContext;
  readonly #copy: Copy | undefined;
  readonly #rows = new Map<string, LooseRow>();
  /** Whether the copy's journal of a run has all of the one here, as far as that is known. */
  readonly #asFar = new Map<string, boolean>();

  constructor(context: StoreContext, loose: readonly LooseRow[], copy: Copy | undefined) {
    this.#context = context;
    this.#copy = copy;
    for (const row of loose) if (!row.isInUse) this.#rows.set(nameOf(row), row);
  }

  /** Takes away what is left of runs that were removed, and all but the youngest record of a run that was renamed. `broken`: tables that are not whole. */
  async dropGone(broken: ReadonlySet<Table>): Promise<void> {
    const { store } = this.#context;
    const found = this.#found();
    const isRemoved = ({ record: { id } }: Found): boolean => !broken.has('owners') && !store.has('owners', runKey(id)); // Both come and go in one commit.
    const isRenamed = (one: Found): boolean => found.some((other) => other.record.id === one.record.id && isYounger(other, one));
    const deletes: StoreDelete[] = found.filter((one) => one.row !== undefined && (isRemoved(one) || isRenamed(one))).map(deleteOf);
    const knowsAll = !broken.has('runs') && knowsAllNames(this.#context) && found.length === runNames(this.#context).length;
    if (knowsAll) for (const id of idsWithoutRecord(this.#context)) if (this.#row('owners', runKey(id)) !== undefined) deletes.push({ table: 'owners', key: runKey(id) });
    await this.#commit({ deletes });
  }

  /** Takes the records of runs away of which a younger copy has one, and from others the names that those have there. Returns the ids: the caller restores them. */
  async dropOlderRuns(): Promise<readonly RunId[]> {
    if (this.#copy === undefined) return [];
    const { digests } = this.#context;
    const there = recordsOf(digests, this.#copy.rows);
    const stale = this.#found().filter(({ row }) => row !== undefined);
    const renewed = new Set(stale.filter(({ record: { id, name } }) => there.has(id) && this.isOlder('runs', nameKey(name), id)));
    const names = new Set([...renewed].map(({ record }) => there.get(record.id)?.name));
    const moved = stale.filter((one) => !renewed.has(one) && names.has(one.record.name));
    const puts = moved.map(({ record }): StorePut => {
      const name = freeName(this.#context, `${record.name.slice(0, NAME_ROOM)}-2`);
      return { table: 'runs', key: nameKey(name), value: encodeRunRecord(digests, { ...record, name }) };
    });
    await this.#commit({ deletes: [...renewed, ...moved].map(deleteOf), puts });
    this.#asFar.clear();
    return [...renewed].map(({ record }) => record.id);
  }

  /** Whether the copy's row counts, where it has one. `run`: that the row belongs to. */
  isOlder(table: Table, key: Uint8Array, run: string | undefined): boolean {
    const row = this.#row(table, key);
    if (row === undefined || this.#copy === undefined) return false;
    if (this.#copy.transaction !== undefined) return this.#copy.transaction >= row.transaction;
    if (run === undefined) return false;
    const asFar = this.#asFar.get(run) ?? this.#comesAsFar(run, this.#copy);
    this.#asFar.set(run, asFar);
    return asFar;
  }

  /** Runs by their ids, but those whose records may be out of date. */
  certainRuns(): ReadonlyMap<string, RunRecord> {
    return new Map(this.#found().filter(({ row }) => row === undefined).map(({ record }) => [record.id, record]));
  }

  #comesAsFar(run: string, { rows }: Copy): boolean {
    const [here, there] = [recordsOf(this.#context.digests, this.#context.store).get(run), recordsOf(this.#context.digests, rows).get(run)];
    return there !== undefined && (here === undefined || (there.tail.count >= here.tail.count && isSameHistory(this.#context, rows, [here, there])));
  }

  #found(): readonly Found[] {
    return listReadable(this.#context.digests, this.#context.store).map((record) => ({ record, row: this.#row('runs', nameKey(record.name)) }));
  }

  #row(table: Table, key: Uint8Array): LooseRow | undefined {
    return this.#rows.get(nameOf({ table, key }));
  }

  async #commit({ deletes, puts = [] }: { readonly deletes: readonly StoreDelete[]; readonly puts?: readonly StorePut[] }): Promise<void> {
    if (deletes.length === 0) return;
    const answer = await this.#context.store.commit({ deletes, puts });
    assert(answer === 'done', 'a commit that expects nothing is done');
  }
}

const nameOf = ({ table, key }: Pick<LooseRow, 'table' | 'key'>): string => `${table} ${hexOfBytes(key)}`;

const deleteOf = ({ record }: Found): StoreDelete => ({ table: 'runs', key: nameKey(record.name) });

function isYounger(one: Found, other: Found): boolean {
  if (one.row === undefined || other.row === undefined) return other.row !== undefined;
  if (one.row.transaction !== other.row.transaction) return one.row.transaction > other.row.transaction;
  if (one.record.tail.count !== other.record.tail.count) return one.record.tail.count > other.record.tail.count;
  return one.record.name < other.record.name;
}
