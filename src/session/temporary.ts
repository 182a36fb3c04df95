/**
 * Temporary directories that a killed process does not leave for ever.
 *
 *   DIR/stillpoint-HOST-BOOT-PID-STARTED-XXXXXX         DIR: $TMPDIR, or one that is given; mode 0700, XXXXXX random
 *
 * Invariant: whoever makes one removes those of processes that are gone (leftovers.ts). What this does NOT do: remove it when its process ends as it should.
 */
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { OWNER_PATTERN, ownerInName, removeLeftovers } from './leftovers.ts';

const TEMPORARY = new RegExp(`^stillpoint-${OWNER_PATTERN}-[A-Za-z0-9]{6}$`);

/** A new, empty directory of this process. */
export function temporaryDirectory(below = tmpdir()): string {
  removeLeftovers(below, TEMPORARY);
  return mkdtempSync(join(below, `stillpoint-${ownerInName()}-`));
}
