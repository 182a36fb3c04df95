/**
 * Who has a store's files open, as far as /proc shows it to this user.
 *
 * The lock file of a store that is in use can be removed. Who opens the store next makes another one, and two processes then write without a word to each other: pages of both are written over. So who would make a lock file
 * for a data file that somebody has open is refused, and who has lost its lock file commits nothing more (lmdb-environment.ts).
 * What this does NOT do: see processes of other users, or of other containers.
 */
import { existsSync, readdirSync, statSync } from 'node:fs';
import { StillpointError } from '../../core/index.ts';
import { isSameFile } from '../../core/live/same-file.ts';

/** Who only looks at a file's headers, or is about to make the lock file, is done by then. */
const LOOKS_MAX = 20;
const LOOK_MS = 25;

/** Waits in place for who is about to make the lock file, too. Throws E_STORE_BUSY. */
export function mustBeUnusedUnlocked({ lockFile, dataFile }: { readonly lockFile: string; readonly dataFile: string }): void {
  let user: number | undefined;
  for (let look = 0; look < LOOKS_MAX; look++) {
    if (existsSync(lockFile) || !existsSync(dataFile)) return;
    user = userOf(dataFile);
    if (user === undefined) return;
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, LOOK_MS);
  }
  throw new StillpointError('E_STORE_BUSY', `${lockFile} was removed while process ${user} uses the store; when that has ended, try again`, { data: { pid: user } });
}

/** A process that has the file open, under whatever name, as far as this user may see. */
export function userOf(path: string): number | undefined {
  const file = statSync(path, { bigint: true });
  for (const pid of readdirSync('/proc').filter((name) => /^[0-9]+$/.test(name))) {
    try {
      for (const descriptor of readdirSync(`/proc/${pid}/fd`)) {
        const seen = statSync(`/proc/${pid}/fd/${descriptor}`, { bigint: true, throwIfNoEntry: false });
        if (isSameFile(seen, file)) return Number(pid);
      }
    } catch {
      continue; // It ended, or belongs to somebody else.
    }
  }
  return undefined;
}
