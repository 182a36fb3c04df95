/**
 * The verbs for whole clusters: in one store (cut.ts), or over several hosts (spread.ts, loaded on demand: sockets).
 * What this does NOT do: anything else.
 */
import { withStore, type SessionHooks } from '../../session/index.ts';
import { readClusterRecord } from '../../txn/index.ts';
import * as one from '../cut.ts';
import { CLUSTER_NAME } from '../members.ts';
import { replayCluster as replayHere, type ClusterReplay, type ClusterReplayRequest } from '../replay.ts';
import type { SpreadRequest } from './spread.ts';

interface Where { readonly store?: string | undefined; /** The key file that agents of other hosts have, too. */ readonly keys?: string | undefined; /** Hears what was done with what an earlier command had left. */ readonly onNote?: ((text: string) => void) | undefined }

/** Keeps where a cluster is now under a name, running or not. Throws E_USAGE, E_CLUSTER_HOST. */
export async function checkpointCluster(cluster: string, wish: Where & { readonly name: string; readonly note?: string | undefined }): Promise<one.CutFacts> {
  const spread = await spreadOf(cluster, wish);
  return spread === undefined ? one.checkpointCluster(cluster, wish) : (await import('./spread.ts')).checkpointSpread(spread, wish);
}

/** The kept checkpoints, oldest first. With `keys`, other hosts say whether they still hold them. */
export async function clusterCheckpoints(cluster: string, where: Where): Promise<readonly one.CutFacts[]> {
  const spread = where.keys === undefined ? undefined : await spreadOf(cluster, where);
  return spread === undefined ? one.clusterCheckpoints(cluster, where.store) : (await import('./spread.ts')).listSpread(spread);
}

/** Puts all nodes back, or none. Throws as cut.ts and spread.ts. */
export async function rollbackCluster(cluster: string, wish: Where & { readonly to: string; readonly keep?: string | undefined }): Promise<one.ClusterBranch> {
  const spread = await spreadOf(cluster, wish);
  return spread === undefined ? one.rollbackCluster(cluster, wish) : (await import('./spread.ts')).rollbackSpread(spread, wish);
}

/** A cluster of its own that begins where another one was, or is now. Throws as cut.ts and spread.ts. */
export async function forkCluster(cluster: string, wish: Where & { readonly at?: string | undefined; readonly name: string }): Promise<one.ClusterBranch> {
  const spread = await spreadOf(cluster, wish);
  return spread === undefined ? one.forkCluster(cluster, wish) : (await import('./spread.ts')).forkSpread(spread, wish);
}

/** Verifies a cluster; hosts replay their own nodes. Throws as replay.ts, and E_CLUSTER_HOST. */
export async function replayCluster(request: ClusterReplayRequest & Where, hooks: (node: string) => SessionHooks): Promise<ClusterReplay> {
  const spread = await spreadOf(request.cluster, request);
  return spread === undefined ? replayHere(request, hooks) : (await import('./spread-replay.ts')).replaySpread(spread, request, hooks);
}

/** Removes runs and clusters. Throws as removeRuns(), and E_CLUSTER_HOST. */
export async function removeAll(names: readonly string[], where: Where): Promise<{ readonly removedRecords: number }> {
  const here: string[] = [];
  let removedRecords = 0;
  for (const name of names) {
    const spread = await spreadOf(name, where);
    if (spread === undefined) here.push(name);
    else removedRecords += (await (await import('./spread.ts')).removeSpread(spread)).removedRecords;
  }
  return here.length === 0 ? { removedRecords } : { removedRecords: removedRecords + (await one.removeAll(here, where.store)).removedRecords };
}

/** Undefined: everything that this store knows of the name is in it. */
async function spreadOf(cluster: string, { store, keys, onNote }: Where): Promise<SpreadRequest | undefined> {
  if (!CLUSTER_NAME.test(cluster)) return undefined;
  const record = await withStore(store, 'read-only', async (context) => readClusterRecord(context, cluster));
  return record === undefined ? undefined : { cluster, store, keys, onNote };
}
