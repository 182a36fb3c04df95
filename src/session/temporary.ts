/**
 * Temporary directories that a killed process does not leave for ever.
 *
 *   DIR/stillpoint-HOST-BOOT-PID-STARTED-XXXXXX         DIR: $TMPDIR, or one that is given; mode 0700, XXXXXX random
 *
 * Sockets lie in one of $TMPDIR where its path is short enough for their names, else in one of /tmp.
 * Invariant: whoever makes one removes those of processes that are gone (leftovers.ts). What this does NOT do: remove it when its process ends as it should.
 */
import { randomInt } from 'node:crypto';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isNoSpace, StillpointError } from '../core/index.ts';
import { OWNER_PATTERN, ownerInName, removeLeftovers } from './leftovers.ts';

const TEMPORARY = new RegExp(`^stillpoint-${OWNER_PATTERN}-[A-Za-z0-9]{6}$`);

/** Bytes of a socket's path: sockaddr_un has 108 with a zero at its end. */
const SOCKET_PATH_MAX = 107;
/** What a directory of ours adds to a path besides the name of its process: `/stillpoint-`, `-XXXXXX`. */
const AROUND_OWNER = 12 + 7;

/** Six letters and digits, as mkdtemp has them: nobody can guess them. */
const [RANDOM_DIGIT, RANDOM_DIGITS] = [36, 6];

/** A new, empty directory of this process. Throws E_HOST_FILE, E_DISK_FULL. */
export function temporaryDirectory(below = tmpdir()): string {
  removeLeftovers(below, TEMPORARY);
  try {
    return mkdtempSync(join(below, `stillpoint-${ownerInName()}-`));
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    throw new StillpointError(isNoSpace(cause) ? 'E_DISK_FULL' : 'E_HOST_FILE', `no temporary directory can be made in ${below} (${code}); TMPDIR names another place`, { cause });
  }
}

/** The path of such a directory for sockets with names of at most `nameBytes` bytes. Whoever puts the first one there makes it, so that nothing is left where nobody comes to that. */
export function socketDirectory(nameBytes: number): string {
  const needed = Buffer.byteLength(tmpdir()) + AROUND_OWNER + ownerInName().length + 1 + nameBytes;
  const below = needed <= SOCKET_PATH_MAX ? tmpdir() : '/tmp';
  removeLeftovers(below, TEMPORARY);
  return join(below, `stillpoint-${ownerInName()}-${randomInt(RANDOM_DIGIT ** RANDOM_DIGITS).toString(RANDOM_DIGIT).padStart(RANDOM_DIGITS, '0')}`);
}
