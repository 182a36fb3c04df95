/**
 * Makes a store where there is none.
 * Invariant: a directory is either not a store or a whole one: it is built aside and linked into place. What this does NOT do: look at what is there (lmdb-files.ts, lmdb-store.ts).
 */
import { randomBytes } from 'node:crypto';
import { chmodSync, existsSync, mkdirSync, rmdirSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { assert } from '../../core/index.ts';
import { makeDirectories } from '../../core/live/directories.ts';
import { encodeStoreMeta, META_KEY, STORE_ID_BYTES, STORE_VERSION } from '../format.ts';
import { TABLES } from '../store.ts';
import { Environment } from './lmdb-environment.ts';
import { engineError } from './lmdb-errors.ts';
import { buildName, DATA_FILE, isErrno, linkInto, prepareLockFile, syncDirectory } from './lmdb-files.ts';
import { mustHaveRoom } from './lmdb-reserve.ts';

/** Throws E_STORE_OPEN, E_DISK_FULL; then nothing is left. */
export async function createStore(directory: string, found: 'absent' | 'empty'): Promise<void> {
  let made: string | undefined;
  let build: string | undefined;
  try {
    if (found === 'absent') made = makeDirectories(directory, 0o700);
    build = join(directory, buildName());
    mustHaveRoom(directory, { usesReserve: false });
    mkdirSync(build, { mode: 0o700 });
    await buildStore(build);
    chmodSync(join(build, DATA_FILE), 0o600);
    try {
      linkInto(join(build, DATA_FILE), join(directory, DATA_FILE));
    } catch (cause) {
      if (!isErrno(cause, 'EEXIST')) throw cause; // Another process made the store meanwhile: theirs is as good.
    }
    removeBuild(directory, build);
    syncDirectory(directory);
    syncDirectory(dirname(directory));
  } catch (cause) {
    if (build !== undefined && existsSync(build)) removeBuild(directory, build);
    if (made !== undefined) removeEmptyDirectories(directory, made);
    throw engineError(cause, { directory: build === undefined ? dirname(made ?? directory) : directory, otherwise: 'E_STORE_OPEN' });
  }
}

async function buildStore(build: string): Promise<void> {
  prepareLockFile(build);
  const environment = await Environment.open(build, false);
  try {
    const tables = new Map(TABLES.map((table) => [table, environment.table(table, true)!])); // They are made.
    environment.transact(() => tables.get('meta')!.putSync(META_KEY, encodeStoreMeta({ version: STORE_VERSION, id: randomBytes(STORE_ID_BYTES) })));
  } finally {
    await environment.close();
  }
}

function removeBuild(directory: string, build: string): void {
  assert(dirname(build) === directory, 'a store is built inside its directory');
  rmSync(build, { recursive: true, force: true });
}

/** Removes `directory` and its parents up to `first`, as far as they are empty. */
function removeEmptyDirectories(directory: string, first: string): void {
  for (let path = directory; path.length >= first.length; path = dirname(path)) {
    try {
      rmdirSync(path);
    } catch (cause) {
      if (isErrno(cause, 'ENOENT', 'ENOTEMPTY')) return;
      throw cause;
    }
  }
}
