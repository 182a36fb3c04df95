/**
 * Whether a file system can carry LMDB, which needs shared mappings and locks of files: where there are none, its open fails half way, and lmdb 3.5 then frees its memory twice (a SIGSEGV).
 *
 *   a kind that is known to have both          nothing is tried
 *   another (FUSE, 9p, NFS, a share, …)        a child opens the database first: dead by a signal, or refused by the host ─► E_STORE_OPEN
 *
 * Invariant: a child that cannot be started, or fails in another way, says nothing: the open itself will. What this does NOT do: know locks that lie (a share whose server ignores them).
 */
import { spawnSync } from 'node:child_process';
import { existsSync, statfsSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { StillpointError } from '../../core/index.ts';
import { BUILD_PATTERN } from './lmdb-files.ts';
import type { OpenAnswer } from './open-child.ts';

/** Of Linux (statfs(2)): ext2 to ext4, xfs, btrfs, tmpfs, ramfs, overlayfs, zfs, f2fs, bcachefs, squashfs, erofs. */
const KNOWN: ReadonlySet<number> = new Set([0xef53, 0x5846_5342, 0x9123_683e, 0x0102_1994, 0x8584_58f6, 0x794c_7630, 0x2fc1_2fc1, 0xf2f5_2010, 0xca45_1a4e, 0x7371_7368, 0xe0f5_e1e2]);
const REFUSED: OpenAnswer = 'refused';
const TIMEOUT_MS = 30_000;
const DEADLY: ReadonlySet<string> = new Set(['SIGSEGV', 'SIGABRT', 'SIGBUS', 'SIGILL']);
/** As in lmdb-apart.ts; there is none beside TypeScript sources. */
const CHILD = [new URL('./open-child.js', import.meta.url), new URL('../../../bin/open-child.js', import.meta.url)].map((url) => fileURLToPath(url)).find((path) => existsSync(path));

/** Throws E_STORE_OPEN. */
export function mustCarryDatabase(directory: string, isReadOnly: boolean): void {
  if (CHILD === undefined || process.platform !== 'linux') return;
  const { type } = statfsSync(directory);
  if (KNOWN.has(type)) return;
  const { stdout, signal } = spawnSync(process.execPath, [CHILD, directory, isReadOnly ? 'read-only' : 'existing'], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'], timeout: TIMEOUT_MS, env: { ...process.env, NODE_OPTIONS: '' } });
  if (stdout !== REFUSED && !DEADLY.has(signal ?? '')) return;
  const named = BUILD_PATTERN.test(basename(directory)) ? dirname(directory) : directory;
  throw new StillpointError('E_STORE_OPEN', `${named}: the file system there (of type 0x${type.toString(16)}) has no shared mappings or no locks of files, which a store needs; --store names one on a disk of this host, and exported runs can be kept anywhere`, { data: { type } });
}
