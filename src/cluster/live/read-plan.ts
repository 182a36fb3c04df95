/**
 * `plan`: what a cluster manifest would run on this host. What this does NOT do: start anything.
 */
import { readClusterFile } from '../../manifest/live/cluster-file.ts';
import { planCluster, type ClusterPlan } from '../plan.ts';
import { NodeClusterHost } from './cluster-host.ts';

export interface PlanRequest { readonly file: string; readonly processes?: number | undefined }

/** Throws E_MANIFEST, E_CHANNEL_*. */
export function readClusterPlan({ file, processes }: PlanRequest): ClusterPlan {
  return planCluster(readClusterFile(file), new NodeClusterHost(), { processes });
}
