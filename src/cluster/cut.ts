/**
 * Checkpoints of a whole cluster under one name, and what can be done with them: go back to one, begin another cluster at one.
 *
 *   checkpoint words --name noon      how far every node's journal goes now: one reading of the store, nobody is stopped or asked
 *   rollback words --to noon          every node back to there, in one commit; up --resume goes on
 *   fork words@noon --name other      other.map-0, other.map-1, …: the same history, files of their own; up --name other --resume goes on
 *
 * Invariants: a rollback is done for all nodes or for none; nodes that began after
 * the checkpoint go back to their first instruction; checkpoints of the cluster that lie behind it go. What this does NOT do: run anything (live/up.ts), clusters over several
 * hosts (live/spread.ts).
 */
import { StillpointError } from '../core/index.ts';
import type { StoreDelete } from '../store/index.ts';
import { forkMany, peersOfRun, removeRuns, rollbackMany, together, wallClockMs, withRollbackMany, withStore, type ForkWish } from '../session/index.ts';
import { cutDelete, keepCut, listCuts, readCut, readParts, readRun, type BranchPoint, type Cut, type CutPart, type StoreContext } from '../txn/index.ts';
import { CLUSTER_NAME, clusterMembers, membersOf } from './members.ts';
import { runNameOf } from './plan.ts';

export interface CutFacts { readonly cluster: string; readonly name: string; readonly note: string | undefined; readonly createdMs: number; readonly nodes: number; readonly instructions: bigint; /** Runs whose history does not hold it any more, where their stores were asked. */ readonly broken: readonly string[] | undefined }
export interface ClusterBranch { readonly cluster: string; readonly from: string; readonly checkpoint: string | undefined; readonly nodes: number; readonly instructions: bigint; readonly files: readonly string[]; /** Hosts that have not confirmed yet what is decided: it happens there before anything else does. */ readonly unresolved?: readonly string[] }

/** Keeps where the cluster is now under a name, running or not. Throws E_USAGE. */
export async function checkpointCluster(cluster: string, { name, note, store }: { readonly name: string; readonly note?: string | undefined; readonly store?: string | undefined }): Promise<CutFacts> {
  return withStore(store, 'existing', async (context) => {
    const cut: Cut = { cluster, name, note, createdMs: wallClockMs(), parts: readParts(context, mustHaveMembers(context, cluster)) };
    await keepCut(context, cut);
    return factsOf(cut);
  });
}

/** The kept checkpoints of a cluster, oldest first. */
export async function clusterCheckpoints(cluster: string, store: string | undefined): Promise<readonly CutFacts[]> {
  return withStore(store, 'read-only', async (context) => listCuts(context, cluster).map(factsOf));
}

/** Puts all nodes back. `keep`: a fork of where they are now, in the same commit. Throws E_CHECKPOINT_UNKNOWN, E_RUN_OWNED; then nothing has changed. */
export async function rollbackCluster(cluster: string, { to, keep, store }: { readonly to: string; readonly keep?: string | undefined; readonly store?: string | undefined }): Promise<ClusterBranch> {
  return withStore(store, 'existing', async (context) => {
    const { parts } = to === '0' ? { parts: new Map<string, CutPart>() } : readCut(context, cluster, to);
    const now = readParts(context, mustHaveMembers(context, cluster));
    for (const [name, { run }] of parts) if (now.get(name)?.run !== run) throw new StillpointError('E_CHECKPOINT_UNKNOWN', `run ${name} is gone, or another one than when checkpoint ${to} was taken`, { data: { cluster, run: name } });
    const wishes = [...now.keys()].map((name) => ({ name, at: pointOf(parts.get(name)) }));
    const deletes = cutsBehind(context, cluster, parts);
    if (keep === undefined) await rollbackMany(context, wishes, deletes);
    else {
      const forks = forkWishes(context, cluster, { at: undefined, name: keep });
      await withRollbackMany(context, wishes, (batch) => forkMany(context, forks, { suffix: keep, bind: [], commit: together(context, { ...batch, deletes: [...batch.deletes ?? [], ...deletes] }) }));
    }
    const instructions = wishes.reduce((sum, { name }) => sum + readRun(context, name).instructions, 0n);
    return { cluster, from: cluster, checkpoint: to, nodes: wishes.length, instructions, files: [] };
  });
}

/** A cluster of its own that begins where another one was (or is now). Throws E_RUN_EXISTS, E_CHECKPOINT_UNKNOWN; then nothing was made. */
export async function forkCluster(cluster: string, { at, name, store }: { readonly at?: string | undefined; readonly name: string; readonly store?: string | undefined }): Promise<ClusterBranch> {
  return withStore(store, 'existing', async (context) => {
    const { records, files } = await forkMany(context, forkWishes(context, cluster, { at, name }), { suffix: name, bind: [] });
    return { cluster: name, from: cluster, checkpoint: at, nodes: records.length, instructions: records.reduce((sum, { instructions }) => sum + instructions, 0n), files };
  });
}

function forkWishes(context: StoreContext, cluster: string, { at, name }: { readonly at: string | undefined; readonly name: string }): readonly ForkWish[] {
  mustBeClusterName(name);
  const members = mustHaveMembers(context, cluster);
  const taken = membersOf(context, name);
  if (taken.length > 0) throw new StillpointError('E_RUN_EXISTS', `the store holds runs of cluster ${name} already; choose another name or remove it`, { data: { cluster: name } });
  const parts = at === undefined ? readParts(context, members) : readCut(context, cluster, at).parts;
  return [...parts].map(([run, part]) => ({ from: run, name: runNameOf(name, run.slice(cluster.length + 1)), at: pointOf(part) }));
}

/** Removes runs and clusters. Throws as removeRuns(). */
export async function removeAll(names: readonly string[], store: string | undefined): Promise<{ readonly removedRecords: number }> {
  const clusters: string[] = [];
  const runs: string[] = [];
  for (const name of names) {
    const members = await clusterMembers(name, store);
    if (members.length > 0) clusters.push(name);
    runs.push(...(members.length > 0 ? members : [name]));
  }
  const removed = await removeRuns(runs, store);
  await withStore(store, 'existing', async (context) => { await context.store.commit({ deletes: clusters.flatMap((cluster) => listCuts(context, cluster).map(cutDelete)) }); });
  return removed;
}

/** A checkpoint as it is listed. */
export function factsOf({ cluster, name, note, createdMs, parts }: Cut): CutFacts {
  return { cluster, name, note, createdMs, nodes: parts.size, instructions: instructionsOf(parts), broken: undefined };
}

/** What all nodes have executed in a cut. */
export function instructionsOf(parts: Cut['parts']): bigint {
  return [...parts.values()].reduce((sum, { instructions }) => sum + instructions, 0n);
}

/** Cuts that lie behind another one, in any node. */
export function cutsBehind(context: StoreContext, cluster: string, parts: Cut['parts']): readonly StoreDelete[] {
  return listCuts(context, cluster).filter((cut) => [...cut.parts].some(([name, part]) => part.frames > (parts.get(name)?.frames ?? 1))).map(cutDelete);
}

/** Throws E_USAGE. */
export function mustBeClusterName(name: string): void {
  if (!CLUSTER_NAME.test(name)) throw new StillpointError('E_USAGE', `option --name: '${name.slice(0, 80)}' is not a cluster name (1 to 32 of a-z A-Z 0-9 _ -, first a letter or digit)`);
}

function mustHaveMembers(context: StoreContext, cluster: string): readonly string[] {
  const members = membersOf(context, cluster);
  if (members.length === 0) throw new StillpointError('E_RUN_UNKNOWN', `the store holds no run of cluster ${cluster}`, { data: { cluster } });
  const isSpread = members.some((name) => [...peersOfRun(readRun(context, name)).values()].some((peer) => peer.isSpread === true));
  if (isSpread) throw new StillpointError('E_USAGE', `cluster ${cluster} has nodes on several hosts, and this store does not say where: give the command on the host where up runs`, { data: { cluster } });
  return members;
}

/** A node that is not in a cut had not begun. */
function pointOf(part: CutPart | undefined): BranchPoint {
  return part === undefined ? 0 : { frames: part.frames, link: part.link };
}
