/**
 * A data file with damaged tree pages, made anew from every record that can be reached through sound ones.
 *
 *   data.mdb ─ plain reads ─► records ─► new-<16 hex digits>/data.mdb ─ rename ─► data.mdb
 *
 * Invariants: nobody else has the store open (looked for in /proc before, and after the rename, when a new opener gets the new file); the old file stays until the new one is on disk
 * whole, and comes back when somebody used it meanwhile; LMDB never opens the old one. Records are taken as they lie there, good or bad: whoever owns them judges them afterwards.
 * What this does NOT do: say what was lost (a check of the new store does), or find pages that no sound page leads to.
 */
import { closeSync, existsSync, linkSync, lstatSync, openSync, readdirSync, renameSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { StillpointError } from '../../core/index.ts';
import { TABLES, type StorePut, type Table } from '../store.ts';
import { checkPages, type PageTrouble } from './lmdb-check.ts';
import { BUILD_PATTERN, buildName, DATA_FILE, headersOf, syncDirectory } from './lmdb-files.ts';
import { openLmdbStore, type LmdbStore } from './lmdb-store.ts';
import { expandPack } from './pack-codec.ts';

/** Records go into the new file in transactions of about this size. */
const BATCH_BYTES = 16 * 1024 * 1024;
const BATCH_RECORDS = 20_000;
const FORMAT_KEY = 'format';
/** The old data file, aside, until it is known that nobody uses it. */
const OLD_FILE = 'old.mdb';

export interface Rebuilt { readonly records: number; readonly troubles: readonly PageTrouble[] }

/** Throws E_STORE_BUSY when somebody has the store open, or opened it meanwhile, E_DISK_FULL; then everything is as it was. */
export async function rebuildStore(directory: string): Promise<Rebuilt> {
  const path = join(directory, DATA_FILE);
  mustBeUnused(path, path);
  removeRemains(directory);
  const build = join(directory, buildName());
  try {
    const before = transactionOf(path);
    const store = await openLmdbStore({ directory: build, mode: 'create' });
    let rebuilt: Rebuilt;
    try {
      rebuilt = copyRecords(directory, store);
    } finally {
      await store.close();
    }
    mustBeUnused(path, path);
    const old = join(build, OLD_FILE);
    linkSync(path, old);
    renameSync(join(build, DATA_FILE), path);
    try {
      // Who opened the old file before it lost its name has it open still, or has committed to it.
      mustBeUnused(old, path);
      if (transactionOf(old) !== before) throw busy(path, undefined);
    } catch (error) {
      renameSync(old, path);
      throw error;
    } finally {
      syncDirectory(directory);
    }
    return rebuilt;
  } finally {
    rmSync(build, { recursive: true, force: true });
  }
}

/** What a repair that was killed left: as much as the store itself. */
function removeRemains(directory: string): void {
  for (const name of readdirSync(directory)) {
    if (!BUILD_PATTERN.test(name) || !lstatSync(join(directory, name)).isDirectory()) continue;
    const file = join(directory, name, DATA_FILE);
    if (!existsSync(file) || userOf(file) === undefined) rmSync(join(directory, name), { recursive: true, force: true });
  }
}

/** The newest transaction of a data file. */
function transactionOf(path: string): bigint {
  const file = openSync(path, 'r');
  try {
    const [first, second] = headersOf(file, path);
    return first.transaction > second.transaction ? first.transaction : second.transaction;
  } finally {
    closeSync(file);
  }
}

function mustBeUnused(file: string, path: string): void {
  const user = userOf(file);
  if (user !== undefined) throw busy(path, user);
}

function busy(path: string, pid: number | undefined): StillpointError {
  return new StillpointError('E_STORE_BUSY', `${path} is open in ${pid === undefined ? 'another process' : `process ${pid}`}; this repair needs the store for itself`, { data: { pid } });
}

function copyRecords(directory: string, store: LmdbStore): Rebuilt {
  let puts: StorePut[] = [];
  let bytes = 0;
  let records = 0;
  const flush = (): void => {
    store.commitNow({ puts });
    puts = [];
    bytes = 0;
  };
  const { troubles } = checkPages(directory, {
    onRecord: (table, key, value) => {
      // The new store has a format record of its own: this software's version, another id.
      if (!isTable(table) || (table === 'meta' && new TextDecoder().decode(key) === FORMAT_KEY)) return;
      puts.push({ table, key: key.slice(), value: table === 'packs' ? expandPack(value.slice()) : value.slice() });
      records++;
      bytes += value.length;
      if (bytes > BATCH_BYTES || puts.length > BATCH_RECORDS) flush();
    },
  });
  flush();
  return { records, troubles };
}

function isTable(name: string): name is Table {
  return (TABLES as readonly string[]).includes(name);
}

/** A process that has the file open, under whatever name, as far as this user may see. */
function userOf(path: string): number | undefined {
  const { dev, ino } = statSync(path, { bigint: true });
  for (const pid of readdirSync('/proc').filter((name) => /^[0-9]+$/.test(name))) {
    try {
      for (const descriptor of readdirSync(`/proc/${pid}/fd`)) {
        const seen = statSync(`/proc/${pid}/fd/${descriptor}`, { bigint: true, throwIfNoEntry: false });
        if (seen?.ino === ino && seen.dev === dev) return Number(pid);
      }
    } catch {
      continue; // It ended, or belongs to somebody else.
    }
  }
  return undefined;
}
