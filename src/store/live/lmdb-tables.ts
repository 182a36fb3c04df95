/**
 * The tables of a store as LMDB's named databases: opened, made in a store of an older version, and counted. What this does NOT do: read or write records (lmdb-store.ts).
 */
import { StillpointError } from '../../core/index.ts';
import { decodeStoreMeta, encodeStoreMeta, META_KEY, STORE_VERSION } from '../format.ts';
import { TABLES, type Table } from '../store.ts';
import type { Cells, Environment } from './lmdb-environment.ts';
import { mustHaveRoom } from './lmdb-reserve.ts';

/** A table is absent only in a store of an older version that is open for reading. */
export type Tables = Readonly<Record<Table, Cells | undefined>>;

/**
 * Opens every table; the meta record first, and nothing is made in a database that is not ours. A store of an older version lacks tables: they are
 * made, and the version raised, in one transaction; who only reads finds them empty.
 */
export function openTables(environment: Environment, { raises }: { readonly raises: boolean }): { readonly tables: Tables; readonly isOld: boolean } {
  const { directory } = environment;
  const meta = environment.table('meta', false);
  const { version, id } = decodeStoreMeta(meta?.get(META_KEY), directory);
  if (version < STORE_VERSION && raises) {
    mustHaveRoom(directory, { usesReserve: true });
    environment.transact(() => {
      for (const table of TABLES) environment.table(table, true);
      meta!.putSync(META_KEY, encodeStoreMeta({ version: STORE_VERSION, id }));
    });
  }
  const tables = TABLES.map((table): [Table, Cells | undefined] => {
    const cells = table === 'meta' ? meta : environment.table(table, false);
    if (cells === undefined && version === STORE_VERSION) throw new StillpointError('E_STORE_CORRUPT', `${directory}: the store has no table ${table}`);
    return [table, cells];
  });
  return { tables: Object.fromEntries(tables) as Tables, isOld: version < STORE_VERSION }; // One entry per table by construction.
}

/** Of one that is absent: nothing. */
export function tableUsage(cells: Cells | undefined): { readonly entries: number; readonly bytes: number } {
  const stats = (cells?.getStats() ?? { pageSize: 0, entryCount: 0, treeBranchPageCount: 0, treeLeafPageCount: 0, overflowPages: 0 }) as { pageSize: number; entryCount: number; treeBranchPageCount: number; treeLeafPageCount: number; overflowPages: number }; // Untyped in the package.
  return { entries: stats.entryCount, bytes: stats.pageSize * (stats.treeBranchPageCount + stats.treeLeafPageCount + stats.overflowPages) };
}
