/**
 * Output files that change hands with a promotion: the branch's take the places of the replaced run's.
 *
 *   plan ─► commit of the promotion, with the plan ─► rename, file by file ─► the plan is removed
 *                                  └─ crash ─► whoever opens the run next goes on here
 *
 * Invariants: what can be refused is refused before the commit; at every moment each place holds a whole file of one of the two; doing it twice is doing it once.
 * What this does NOT do: move names of runs (txn/promote.ts).
 */
import { closeSync, existsSync, openSync, renameSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { StillpointError } from '../core/index.ts';
import { decodeManifest } from '../manifest/index.ts';
import type { RunId } from '../journal/index.ts';
import { movesDelete, openJournal, readMoves, type OutputMove, type RunRecord, type StoreContext } from '../txn/index.ts';
import { decodeBindings, encodeBindings } from './bindings-codec.ts';
import { syncFile } from './whole-file.ts';

export interface MovePlan { readonly moves: readonly OutputMove[]; readonly bindings: string; readonly keptBindings: string }

/** Throws E_CHANNEL_OPEN when a file is missing or in the way, E_USAGE when it would have to be copied. `keep`: suffix of the replaced run's files. */
export function planMoves(context: StoreContext, { branch, old, keep }: { readonly branch: RunRecord; readonly old: RunRecord; readonly keep: string | undefined }): MovePlan {
  const [mine, theirs] = [decodeBindings(branch.bindings, branch.name), decodeBindings(old.bindings, old.name)];
  const [channels, keptChannels] = [new Map(mine.channels), new Map(theirs.channels)];
  const moves: OutputMove[] = [];
  for (const { name, writes } of decodeManifest(openJournal(context, branch).genesis().manifest).channels) {
    const [from, to] = [mine.channels.get(name), theirs.channels.get(name)];
    if (!writes || from?.kind !== 'file' || to?.kind !== 'file' || from.path === to.path || !isFileOrAbsent(from.path) || !isFileOrAbsent(to.path)) continue;
    const aside = keep === undefined ? undefined : `${to.path}.${keep}`;
    if ((branch.outputs.get(name)?.intended ?? 0) > 0 && !existsSync(from.path)) throw new StillpointError('E_CHANNEL_OPEN', `channel ${name} (${from.path}): the file of the branch is not there`, { data: { channel: name, path: from.path } });
    if (aside !== undefined && existsSync(aside)) throw new StillpointError('E_CHANNEL_OPEN', `channel ${name} (${aside}): there is a file already where that of the replaced run should stay`, { data: { channel: name, path: aside } });
    if (statSync(dirname(from.path)).dev !== statSync(dirname(to.path)).dev) throw new StillpointError('E_USAGE', `channel ${name}: ${from.path} and ${to.path} are on different file systems and cannot change places`, { data: { channel: name } });
    moves.push({ from: from.path, to: to.path, aside });
    channels.set(name, { ...from, path: to.path });
    if (aside !== undefined) keptChannels.set(name, { ...to, path: aside });
  }
  for (const { from } of moves) if (!existsSync(from)) closeSync(openSync(from, 'a')); // Nothing was written yet; the place changes hands all the same.
  return { moves, bindings: encodeBindings({ ...mine, channels }), keptBindings: encodeBindings({ ...theirs, channels: keptChannels }) };
}

/** Does what is left to be done for a run. Throws E_HOST_FILE; the rest is done when the run is opened next. */
export async function finishMoves(context: StoreContext, run: RunId): Promise<void> {
  const moves = readMoves(context, run);
  if (moves.length === 0) return;
  for (const { from, to, aside } of moves) {
    if (!existsSync(from)) continue; // Done before a crash.
    try {
      if (aside !== undefined && existsSync(to)) renameSync(to, aside);
      renameSync(from, to);
      for (const directory of new Set([dirname(from), dirname(to)])) syncFile(directory);
    } catch (cause) {
      throw new StillpointError('E_HOST_FILE', `${from} cannot take the place of ${to}: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
    }
  }
  await context.store.commit({ deletes: [movesDelete(run)] });
}

function isFileOrAbsent(path: string): boolean {
  const facts = statSync(path, { throwIfNoEntry: false });
  return facts === undefined || facts.isFile();
}
