/**
 * Commits that may find no room are made by a process of their own. Where nothing of a write has room, lmdb 3.5 prints a line of its own to standard error and writes behind the end of a piece of memory
 * (it notes 100 bytes about the failure, and needs up to 125), of which this process could die at any later moment. A child that dies of it has written nothing: a commit counts with LMDB's
 * last write, and LMDB's lock outlives a dead holder.
 *
 *   room for twice the batch and more ─► here          less ─► child: opens the store, one transaction, says what came of it, is killed where it failed
 *
 * Invariants: nothing is refused for want of room that was not tried; a child that has said nothing is asked of the store itself. What this does NOT do: make room (lmdb-reserve.ts).
 */
import { spawnSync, type SpawnSyncOptions } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { deserialize, serialize } from 'node:v8';
import { StillpointError } from '../../core/index.ts';
import type { ApartAnswer, ApartRequest } from './commit-child.ts';
import { roomOf } from './lmdb-errors.ts';

/** What every commit may need: pages of all tables that it touches, LMDB's list of free ones, the file's growth. */
const ROOM_BYTES = 2 * 1024 * 1024;
/** For a record: a leaf and what is above it, mostly shared. */
const RECORD_ROOM_BYTES = 8 * 1024;
const ANSWER_BYTES_MAX = 1024 * 1024;
/** Beside the command, or beside what the compiler writes. There is none beside TypeScript sources (tests): then all commits are made in place. */
const CHILD = [new URL('./commit-child.js', import.meta.url), new URL('../../../bin/commit-child.js', import.meta.url)].map((url) => fileURLToPath(url)).find((path) => existsSync(path));

/** Whether a commit of this size is sure to find room. */
export function hasRoom(directory: string, { bytes, records }: { readonly bytes: number; readonly records: number }): boolean {
  return CHILD === undefined || roomOf(directory) >= ROOM_BYTES + 2 * bytes + RECORD_ROOM_BYTES * records;
}

/** Throws what the commit throws. 'silent': the child ended without a word; 'none': it could not be started. */
export function commitApart(request: ApartRequest): 'done' | 'conflict' | 'silent' | 'none' {
  // A process group of its own: who interrupts the command means the command. Not in the types of the synchronous call.
  const options = { input: serialize(request), maxBuffer: ANSWER_BYTES_MAX, stdio: ['pipe', 'pipe', 'ignore'], detached: true, env: { ...process.env, NODE_OPTIONS: '' } } as SpawnSyncOptions;
  const { stdout, error } = spawnSync(process.execPath, [CHILD!], options); // hasRoom() says yes without one.
  if (error !== undefined && stdout === null) return 'none';
  if (stdout === null || stdout.length === 0) return 'silent';
  const answer = deserialize(stdout as Buffer) as ApartAnswer; // Of our own child.
  if (typeof answer === 'string') return answer;
  throw new StillpointError(answer.code, answer.message);
}
