/**
 * The other copy that a repair takes from: a store, or an exported run, which is imported into a store of its own for as long as it is needed.
 * Invariants: the copy is only read; an exported run is verified as every import is. What this does NOT do: take anything from it (txn/other-copy.ts).
 */
import { existsSync, realpathSync, statSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { StillpointError } from '../core/index.ts';
import type { Store } from '../store/index.ts';
import { lastTransaction } from '../store/live/lmdb-files.ts';
import { defaultStoreDirectory, withStore } from './context.ts';
import { importRun } from './import.ts';
import { temporaryDirectory } from './temporary.ts';

export interface OtherStore {
  readonly store: Store;
  /** Number of its last transaction, where it lies in a file that may be a copy of another store's. */
  readonly transaction: number | undefined;
}

/** Runs `use` with the copy at `path`. Throws E_HOST_FILE, E_USAGE, and what opening a store or importing a run throws. */
export async function withOtherCopy<Result>({ path, store }: { readonly path: string; readonly store: string | undefined }, use: (copy: OtherStore) => Promise<Result>): Promise<Result> {
  if (!existsSync(path)) throw new StillpointError('E_HOST_FILE', `${path} is not there; --from names another store or an exported run`);
  if (statSync(path).isDirectory()) {
    const own = store ?? defaultStoreDirectory();
    if (existsSync(own) && realpathSync(own) === realpathSync(path)) throw new StillpointError('E_USAGE', 'option --from: this is the store that is repaired; name another copy');
    return withStore(path, 'read-only', ({ store: copy }) => use({ store: copy, transaction: lastTransaction(path) }));
  }
  const directory = temporaryDirectory();
  try {
    await importRun({ file: path, store: join(directory, 'store') });
    return await withStore(join(directory, 'store'), 'read-only', ({ store: copy }) => use({ store: copy, transaction: undefined }));
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}
