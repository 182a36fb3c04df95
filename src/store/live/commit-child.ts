/**
 * The process that makes one commit where the disk has hardly room (lmdb-apart.ts): standard input is the request, standard output the answer.
 * Invariant: after a commit that failed nothing more is done with LMDB: its memory may be damaged. What this does NOT do: try again.
 */
import { readFileSync, writeSync } from 'node:fs';
import { deserialize, serialize } from 'node:v8';
import { StillpointError, type ErrorCode } from '../../core/index.ts';
import type { StoreBatch } from '../store.ts';
import { openLmdbStore } from './lmdb-store.ts';

export interface ApartRequest { readonly directory: string; readonly batch: StoreBatch }
export type ApartAnswer = 'done' | 'conflict' | { readonly code: ErrorCode; readonly message: string };

const STANDARD_INPUT = 0;
const STANDARD_OUTPUT = 1;

const { directory, batch } = deserialize(readFileSync(STANDARD_INPUT)) as ApartRequest; // Written by lmdb-apart.ts.
try {
  const store = await openLmdbStore({ directory, mode: 'existing', isChecked: true, isApart: true });
  const answer = store.commitNow(batch);
  say(answer);
  await store.close();
} catch (error) {
  if (error instanceof StillpointError) say({ code: error.code, message: error.message });
  process.kill(process.pid, 'SIGKILL');
}

function say(answer: ApartAnswer): void {
  writeSync(STANDARD_OUTPUT, serialize(answer));
}
