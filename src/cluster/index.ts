/** cluster: many machines, joined by channels. */
export { NODES_MAX, planCluster, runNameOf, type ClusterHost, type ClusterPlan, type PlannedLink, type PlannedNode } from './plan.ts';
