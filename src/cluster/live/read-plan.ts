/**
 * `plan` and `pipe`: what a cluster manifest, or a line of programs, would run on this host. What this does NOT do: start anything.
 */
import { resolve } from 'node:path';
import { planPipe, type PipeRequest } from '../pipe-plan.ts';
import { planCluster, type ClusterPlan } from '../plan.ts';
import { NodeClusterHost } from './cluster-host.ts';

export type { PipeRequest } from '../pipe-plan.ts';
export interface PlanRequest { readonly file: string; readonly processes?: number | undefined; readonly name?: string | undefined }

/** Throws E_MANIFEST, E_CHANNEL_*. */
export async function readClusterPlan({ file, processes, name }: PlanRequest): Promise<ClusterPlan> {
  // Loaded on demand: the YAML and schema packages would add a fifth to the start of every command.
  const { readClusterFile } = await import('../../manifest/live/cluster-file.ts');
  return planCluster(readClusterFile(file, name), new NodeClusterHost(), { processes });
}

/** A cluster manifest for descriptions of another system. Throws E_MANIFEST, E_USAGE. */
export async function convertCluster(files: readonly string[], name: string | undefined): Promise<string> {
  return (await import('../../manifest/live/convert.ts')).convertToCluster(files, name);
}

/** Throws E_USAGE, E_CHANNEL_*. */
export function readPipePlan(request: PipeRequest): ClusterPlan {
  const absolute = (path: string | undefined): string | undefined => (path === undefined ? undefined : resolve(path));
  return planPipe({ ...request, logs: resolve(request.logs), input: absolute(request.input), output: absolute(request.output) }, new NodeClusterHost());
}
