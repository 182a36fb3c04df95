/**
 * Files and directories that appear under their names whole or not at all: written aside, synced, renamed.
 *
 *   DIR/.stillpoint-aside-HOST-BOOT-PID-STARTED-N.part ─► FILE in DIR         HOST, BOOT: eight hexadecimal digits of a SHA-256
 *
 * Invariants: after finish() returned the file survives a power cut; what a killed process left aside is removed by the next one that writes into the same directory, when it is
 * this user's and its process is gone. What this does NOT do: write.
 */
import { createHash } from 'node:crypto';
import { closeSync, fsyncSync, lstatSync, openSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { isAlive, thisOwner } from './host.ts';

const ASIDE = /^\.stillpoint-aside-([0-9a-f]{8})-([0-9a-f]{8})-([0-9]{1,10})-([0-9]{1,20}|unknown)-[0-9]{1,9}\.part$/;
let count = 0;

/** A name beside `target` for what becomes it; nothing of this name is there. */
export function asideOf(target: string): string {
  removeLeftovers(dirname(target));
  const { pid, started } = thisOwner();
  return join(dirname(target), `.stillpoint-aside-${hostDigits().join('-')}-${pid}-${started}-${++count}.part`);
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

function hostDigits(): readonly [string, string] {
  const [name = '', boot = ''] = thisOwner().host.split('/');
  return [digits(name), digits(boot)];
}

function digits(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 8);
}

function removeLeftovers(directory: string): void {
  const [ourHost, ourBoot] = hostDigits();
  for (const name of namesIn(directory)) {
    const [, host, boot, pid, started] = ASIDE.exec(name) ?? [];
    if (host !== ourHost || started === undefined) continue;
    if (boot === ourBoot && isAlive({ ...thisOwner(), pid: Number(pid), started })) continue;
    const path = join(directory, basename(name));
    try {
      if (lstatSync(path).uid === process.getuid?.()) rmSync(path, { recursive: true, force: true });
    } catch (cause) {
      if (!(cause instanceof Error && 'code' in cause)) throw cause; // Somebody else was faster, or it may not be removed: it is in nobody's way.
    }
  }
}

function namesIn(directory: string): readonly string[] {
  try {
    return readdirSync(directory);
  } catch (cause) {
    if (cause instanceof Error && 'code' in cause) return []; // A directory that is not there, or may only be written: whoever writes says so.
    throw cause;
  }
}
