/**
 * Room that a store keeps for a full disk, so that what makes room (removing runs, collecting) works there: LMDB writes new pages before it gives the old ones back.
 *
 *   disk with room      data.mdb   reserve, 1 MiB of random bytes (a file system that compresses would find nothing behind zeros)
 *   full disk           a commit that frees fails ─► the reserve gets shorter by a piece ─► the commit again, and LMDB's file takes that place
 *   room again          whoever opens the store for writing makes the reserve whole
 *
 * Invariant: a store without it works as one with it. What this does NOT do: keep other programs from the place that was given up.
 */
import { randomBytes } from 'node:crypto';
import { closeSync, ftruncateSync, fstatSync, openSync, statSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { isAtFileLimit, noSpace, roomOf } from './lmdb-errors.ts';
import { isErrno, RESERVE_FILE } from './lmdb-files.ts';

/** The smallest pieces of a collection need less than a quarter of it: some fifty pages of LMDB, twice, before it uses the first ones again. */
const RESERVE_BYTES = 1024 * 1024;
const PIECE_BYTES = RESERVE_BYTES / 4;
/** A disk with less free space than this is left alone. */
const ROOM_BYTES_MIN = 16 * RESERVE_BYTES;
/**
 * Where less is free no store is begun, and nothing that is made in place (a store's format raised, an unfinished commit made again) is tried: it takes up to a hundred pages. LMDB dies of some
 * failed writes (lmdb-apart.ts).
 */
const SMALL_WORK_BYTES = 512 * 1024;
/** Of the host: no room, no permission, no more files. */
const REFUSALS = ['ENOSPC', 'EDQUOT', 'EFBIG', 'EACCES', 'EPERM', 'EROFS', 'EMFILE', 'ENFILE', 'EIO', 'EISDIR', 'ELOOP', 'ENXIO', 'ENOENT'] as const;

/** Makes the reserve whole where the disk has room. */
export function keepReserve(directory: string): void {
  const path = join(directory, RESERVE_FILE);
  attempt(() => {
    const there = statSync(path, { throwIfNoEntry: false });
    if (there !== undefined && (!there.isFile() || there.size >= RESERVE_BYTES)) return;
    if (roomOf(directory) < ROOM_BYTES_MIN) return;
    const file = openSync(path, 'a', 0o600);
    try {
      const missing = RESERVE_BYTES - fstatSync(file).size;
      if (missing > 0) writeSync(file, randomBytes(missing));
    } finally {
      closeSync(file);
    }
  });
}

/** Throws E_DISK_FULL where there is no room for a hundred pages; with `usesReserve` not with the reserve either. */
export function mustHaveRoom(directory: string, { usesReserve }: { readonly usesReserve: boolean }): void {
  while (roomOf(directory) < SMALL_WORK_BYTES) if (!usesReserve || !takeFromReserve(directory)) throw noSpace(directory);
}

/** Gives a piece of the reserve up. False when there is nothing left of it, or it is no disk that is full. */
export function takeFromReserve(directory: string): boolean {
  if (isAtFileLimit(directory)) return false;
  return attempt(() => {
    const path = join(directory, RESERVE_FILE);
    if (statSync(path, { throwIfNoEntry: false })?.isFile() !== true) return false;
    const file = openSync(path, 'r+');
    try {
      const { size } = fstatSync(file);
      ftruncateSync(file, Math.max(0, size - PIECE_BYTES));
      return size > 0;
    } finally {
      closeSync(file);
    }
  }) ?? false;
}

function attempt<Result>(action: () => Result): Result | undefined {
  try {
    return action();
  } catch (cause) {
    if (!isErrno(cause, ...REFUSALS)) throw cause;
    return undefined;
  }
}
