/**
 * Files and directories that appear under their names whole or not at all: written aside, synced, renamed.
 *
 *   DIR/.stillpoint-aside-HOST-BOOT-PID-STARTED-N.part ─► FILE in DIR
 *
 * Invariants: after finish() returned the file survives a power cut; what a killed process left aside is removed by the next one that writes into the same directory (leftovers.ts).
 * What this does NOT do: write.
 */
import { closeSync, existsSync, fsyncSync, openSync, realpathSync, renameSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { isNoSpace, StillpointError } from '../core/index.ts';
import { OWNER_PATTERN, ownerInName, removeLeftovers } from './leftovers.ts';

const ASIDE = new RegExp(`^\\.stillpoint-aside-${OWNER_PATTERN}-[0-9]{1,9}\\.part$`);
let count = 0;

/** The file that a name leads to: a symbolic link (as /dev/stdout is one) stays, and what it points to is replaced. A link to nothing is taken as it is. */
export function followed(file: string): string {
  return existsSync(file) ? realpathSync(file) : file;
}

/** A name beside `target` for what becomes it; nothing of this name is there. */
export function asideOf(target: string): string {
  removeAsides(dirname(target));
  return join(dirname(target), `.stillpoint-aside-${ownerInName()}-${++count}.part`);
}

/** Removes from a directory what killed processes have left aside there. */
export function removeAsides(directory: string): void {
  removeLeftovers(directory, ASIDE);
}

/** The written and synced `aside` takes the name `target`. */
export function finish(aside: string, target: string): void {
  renameSync(aside, target);
  syncFile(dirname(target));
}

/** Makes the bytes of a file, or the names in a directory, survive a power cut. */
export function syncFile(path: string): void {
  const file = openSync(path, 'r');
  try {
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}

/**
 * What is thrown when the host did not do what `sentence` says, in words of the file that a user named instead of the one aside: E_DISK_FULL or E_HOST_FILE. What the host did not
 * say comes back as it is.
 */
export function hostTrouble(sentence: string, cause: unknown, data?: Readonly<Record<string, string>>): unknown {
  if (cause instanceof StillpointError || !(cause instanceof Error) || !('code' in cause)) return cause;
  return new StillpointError(isNoSpace(cause) ? 'E_DISK_FULL' : 'E_HOST_FILE', `${sentence} (${String(cause.code)})`, { cause, ...(data === undefined ? {} : { data }) });
}
