/**
 * Output files of a fork: the beginning of each of its parent's, under a name of its own. They are there when the fork is there, and only then.
 *
 *   written aside ─► word in the store ─► each takes its name ─► commit of the fork, without the word
 *
 * Invariants: a fork that fails removes them; one that was killed leaves the word, and whoever opens the store for writing next removes what it names. A file that somebody changed
 * meanwhile stays. What this does NOT do: say which files a fork has (branch.ts).
 */
import { copyFileSync, rmSync, statSync, truncateSync } from 'node:fs';
import { StillpointError } from '../core/index.ts';
import type { RunId } from '../journal/index.ts';
import { forkFilesDelete, forkFilesPut, forkFilesWords, type ForkFile, type StoreContext } from '../txn/index.ts';
import type { StoreBatch } from '../store/index.ts';
import { isAlive, thisOwner } from './host.ts';
import { asideOf, finish, hostTrouble, syncFile } from './whole-file.ts';

/** `sizeBytes`: what the fork has of `from`. */
export interface ForkCopy { readonly channel: string; readonly from: string; readonly to: string; readonly sizeBytes: number }

/**
 * Makes the files and calls `commit` with what its commit has to hold; when that throws, they are gone again. `run`: the first one that the fork makes.
 * Throws E_CHANNEL_OPEN where a file is in the way, E_DISK_FULL, E_HOST_FILE and what `commit` throws.
 */
export async function withForkFiles<Result>(context: StoreContext, { run, copies }: { readonly run: RunId; readonly copies: readonly ForkCopy[] }, commit: (also: Required<Pick<StoreBatch, 'expect' | 'deletes'>>, files: readonly string[]) => Promise<Result>): Promise<Result> {
  const asides = new Map<string, ForkCopy>();
  let files: readonly ForkFile[] = [];
  try {
    for (const copy of copies) copyAside(copy, asides);
    if (asides.size === 0) return await commit({ expect: [], deletes: [] }, []);
    files = [...asides].map(([aside, { to }]) => factsOf(aside, to));
    const word = forkFilesPut(context, run, { owner: thisOwner(), files });
    await context.store.commit({ puts: [word] });
    for (const [aside, copy] of asides) orHostError(copy, () => { finish(aside, copy.to); });
    return await commit({ expect: [word], deletes: [word] }, files.map(({ path }) => path));
  } catch (error) {
    for (const aside of asides.keys()) rmSync(aside, { force: true });
    for (const file of files) removeIfSame(file);
    if (files.length > 0) await context.store.commit({ deletes: [forkFilesDelete(run)], frees: true }).catch((left: unknown) => { if (!(left instanceof StillpointError)) throw left; }); // It says nothing any more.
    throw error;
  }
}

/** Removes what forks left that were killed. */
export async function removeFilesOfKilledForks(context: StoreContext): Promise<void> {
  for (const { owner, files, expectation } of forkFilesWords(context)) {
    if (isAlive(owner)) continue;
    for (const file of files) removeIfSame(file);
    const { table, key } = expectation;
    await context.store.commit({ expect: [expectation], deletes: [{ table, key }], frees: true }).catch((left: unknown) => { if (!(left instanceof StillpointError)) throw left; }); // The next one removes it.
  }
}

/** The beginning of an output file, as the checkpoint knows it. A parent's file that is gone or shorter is no reason to refuse a fork: its resume will say so. */
function copyAside(copy: ForkCopy, asides: Map<string, ForkCopy>): void {
  const { channel, from, to, sizeBytes } = copy;
  const there = statSync(to, { throwIfNoEntry: false });
  if (there !== undefined && !there.isFile()) return; // A device or pipe takes what comes from here on.
  if (there !== undefined) throw new StillpointError('E_CHANNEL_OPEN', `channel ${channel} (${to}): the file of the fork is there already; name another with --bind ${channel}=FILE`, { data: { channel, path: to } });
  const facts = statSync(from, { throwIfNoEntry: false });
  if (facts === undefined || !facts.isFile() || facts.size < sizeBytes) return;
  const aside = asideOf(to);
  asides.set(aside, copy);
  orHostError(copy, () => {
    copyFileSync(from, aside);
    truncateSync(aside, sizeBytes);
    syncFile(aside);
  });
}

function orHostError({ channel, from, to }: ForkCopy, action: () => void): void {
  try {
    action();
  } catch (cause) {
    throw hostTrouble(`${from} cannot be copied to ${to}`, cause, { channel });
  }
}

function factsOf(file: string, path: string): ForkFile {
  const { dev, ino, size, mtimeNs } = statSync(file, { bigint: true });
  return { path, device: dev, inode: ino, sizeBytes: Number(size), modifiedNanoseconds: mtimeNs };
}

/** Renaming changes none of what is compared. */
function removeIfSame(file: ForkFile): void {
  try {
    const there = factsOf(file.path, file.path);
    if (there.device === file.device && there.inode === file.inode && there.sizeBytes === file.sizeBytes && there.modifiedNanoseconds === file.modifiedNanoseconds) rmSync(file.path, { force: true });
  } catch (cause) {
    if (!(cause instanceof Error && 'code' in cause)) throw cause; // Not there, or it may not be removed: it is in nobody's way.
  }
}
