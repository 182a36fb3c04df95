/**
 * A data file with damaged tree pages, made anew from every record that can be reached through sound ones.
 *
 *   data.mdb ─ plain reads ─► records ─► new-<16 hex digits>/data.mdb ─ rename ─► data.mdb
 *
 * Invariants: nobody else has the store open (looked for in /proc); the old file stays until the new one is on disk whole; LMDB never opens the old one. Records are taken as
 * they lie there, good or bad: whoever owns them judges them afterwards.
 * What this does NOT do: say what was lost (a check of the new store does), or find pages that no sound page leads to.
 */
import { readdirSync, readlinkSync, realpathSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { StillpointError } from '../../core/index.ts';
import { TABLES, type StorePut, type Table } from '../store.ts';
import { checkPages, type PageTrouble } from './lmdb-check.ts';
import { buildName, DATA_FILE, syncDirectory } from './lmdb-files.ts';
import { openLmdbStore, type LmdbStore } from './lmdb-store.ts';
import { expandPack } from './pack-codec.ts';

/** Records go into the new file in transactions of about this size. */
const BATCH_BYTES = 16 * 1024 * 1024;
const BATCH_RECORDS = 20_000;
const FORMAT_KEY = 'format';

export interface Rebuilt { readonly records: number; readonly troubles: readonly PageTrouble[] }

/** Throws E_STORE_BUSY when somebody has the store open, E_DISK_FULL; then everything is as it was. */
export async function rebuildStore(directory: string): Promise<Rebuilt> {
  const user = userOf(join(directory, DATA_FILE));
  if (user !== undefined) throw new StillpointError('E_STORE_BUSY', `${directory} is open in process ${user}; this repair needs the store for itself`, { data: { pid: user } });
  const build = join(directory, buildName());
  try {
    const store = await openLmdbStore({ directory: build, mode: 'create' });
    let rebuilt: Rebuilt;
    try {
      rebuilt = copyRecords(directory, store);
    } finally {
      await store.close();
    }
    renameSync(join(build, DATA_FILE), join(directory, DATA_FILE));
    syncDirectory(directory);
    return rebuilt;
  } finally {
    rmSync(build, { recursive: true, force: true });
  }
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

/** A process that has the file open, as far as this user may see. */
function userOf(path: string): number | undefined {
  const file = realpathSync(path);
  for (const pid of readdirSync('/proc').filter((name) => /^[0-9]+$/.test(name))) {
    try {
      for (const descriptor of readdirSync(`/proc/${pid}/fd`)) if (readlinkSync(`/proc/${pid}/fd/${descriptor}`) === file) return Number(pid);
    } catch {
      continue; // It ended, or belongs to somebody else.
    }
  }
  return undefined;
}
