/**
 * Which runs of a store are nodes of a cluster. Invariant: a name is a cluster's when no run has it and runs NAME.GROUP-I do, or when the store knows it as one over several hosts.
 * What this does NOT do: look at other stores.
 */
import { withStore } from '../session/index.ts';
import { readClusterRecord, runNames, type StoreContext } from '../txn/index.ts';
import { runNameOf } from './plan.ts';

/** GROUP-I or GROUP-I.rN: see plan.ts. */
const NODE_NAME = /^[A-Za-z][A-Za-z0-9_-]*-[0-9]+(\.r[0-9])?$/;
export const CLUSTER_NAME = /^[A-Za-z0-9][A-Za-z0-9_-]{0,31}$/;

/** Names of the runs of a cluster in this store, in order; none when the name is a run's or nobody's. */
export function membersOf(context: StoreContext, cluster: string): readonly string[] {
  const names = runNames(context);
  return names.includes(cluster) ? [] : names.filter((name) => name.startsWith(`${cluster}.`) && NODE_NAME.test(name.slice(cluster.length + 1)));
}

/** The same with the store's directory, and with the nodes that run on other hosts; none when there is no store yet. */
export async function clusterMembers(cluster: string, store: string | undefined): Promise<readonly string[]> {
  return CLUSTER_NAME.test(cluster) ? withStore(store, 'read-only', async (context) => {
    const spread = readClusterRecord(context, cluster);
    return spread === undefined ? membersOf(context, cluster) : [...spread.nodes.keys()].map((node) => runNameOf(cluster, node));
  }) : [];
}
