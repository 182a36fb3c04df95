/**
 * Names that say whose a file or directory is, so that what a killed process left is known, and removed by the next one that makes such a thing in the same place.
 *
 *   HOST-BOOT-PID-STARTED         HOST, BOOT: eight hexadecimal digits of a SHA-256
 *
 * Invariants: what belongs to a living process, another host or another user stays. What this does NOT do: make anything.
 */
import { createHash } from 'node:crypto';
import { lstatSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { isAlive, thisOwner } from './host.ts';

/** What matches a name's owner, as a part of a regular expression without other groups. */
export const OWNER_PATTERN = '([0-9a-f]{8})-([0-9a-f]{8})-([0-9]{1,10})-([0-9]{1,20}|unknown)';

/** This process, as it stands in names. */
export function ownerInName(): string {
  const { pid, started } = thisOwner();
  return [...hostDigits(), pid, started].join('-');
}

/** Removes what is called so in a directory and whose process is gone. */
export function removeLeftovers(directory: string, pattern: RegExp): void {
  const [ourHost, ourBoot] = hostDigits();
  for (const name of namesIn(directory)) {
    const [, host, boot, pid, started] = pattern.exec(name) ?? [];
    if (host !== ourHost || started === undefined) continue;
    if (boot === ourBoot && isAlive({ ...thisOwner(), pid: Number(pid), started })) continue;
    const path = join(directory, name);
    try {
      if (lstatSync(path).uid === process.getuid?.()) rmSync(path, { recursive: true, force: true });
    } catch (cause) {
      if (!(cause instanceof Error && 'code' in cause)) throw cause; // Somebody else was faster, or it may not be removed: it is in nobody's way.
    }
  }
}

function hostDigits(): readonly [string, string] {
  const [name = '', boot = ''] = thisOwner().host.split('/');
  return [digits(name), digits(boot)];
}

function digits(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 8);
}

function namesIn(directory: string): readonly string[] {
  try {
    return readdirSync(directory);
  } catch (cause) {
    if (cause instanceof Error && 'code' in cause) return []; // A directory that is not there, or may only be written: whoever writes says so.
    throw cause;
  }
}
