/**
 * `plan` and `pipe`: what a cluster manifest, or a line of programs, would run on this host. What this does NOT do: start anything.
 */
import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import type { ClusterGroup, ClusterSettings } from '../../manifest/index.ts';
import { defaultStoreDirectory, importImages, importLease, openImages, withStore, type RunImage } from '../../session/index.ts';
import { underLease, type StoreContext } from '../../txn/index.ts';
import { pipeSettings, planPipe, type PipeRequest } from '../pipe-plan.ts';
import { planCluster, type ClusterPlan } from '../plan.ts';
import { NodeClusterHost } from './cluster-host.ts';

export type { PipeRequest } from '../pipe-plan.ts';
export interface PlanRequest {
  readonly file: string;
  readonly processes?: number | undefined;
  readonly name?: string | undefined;
  /** The plan will be run in this store (undefined: the manifest's, else the default one): images are brought there, and their digests are in the plan. */
  readonly isForRun?: boolean;
  readonly store?: string | undefined;
  readonly isEphemeral?: boolean | undefined;
}

/** Throws E_MANIFEST, E_CHANNEL_*. */
export async function readClusterPlan({ file, processes, name, isForRun, store, isEphemeral }: PlanRequest): Promise<ClusterPlan> {
  // Loaded on demand: the YAML and schema packages would add a fifth to the start of every command.
  const { readClusterFile } = await import('../../manifest/live/cluster-file.ts');
  const settings = readClusterFile(file, name);
  return withImages(settings, { isForRun: isForRun === true && isEphemeral !== true, store }, (images) => planCluster(settings, new NodeClusterHost(), { processes, images, isEphemeral }));
}

/** Programs of this host that are not there, each with the nodes that would run it; programs of images and of other hosts are not looked for. */
export function missingPrograms({ nodes }: ClusterPlan): ReadonlyMap<string, readonly string[]> {
  const missing = new Map<string, string[]>();
  for (const { name, host, images, bindings } of nodes) {
    if (host !== undefined || images.length > 0 || existsSync(bindings.program)) continue;
    missing.set(bindings.program, [...missing.get(bindings.program) ?? [], name]);
  }
  return missing;
}

/** Plans with the images of the groups: brought to the store for a run that is kept, else looked at. */
async function withImages(settings: ClusterSettings, { isForRun, store }: { readonly isForRun: boolean; readonly store: string | undefined }, plan: (images: ReadonlyMap<string, RunImage>) => ClusterPlan): Promise<ClusterPlan> {
  const groups = settings.groups.filter((group) => group.images.length > 0);
  if (groups.length === 0) return plan(new Map());
  const directory = store ?? settings.store;
  if (!isForRun) return lookAt(groups, directory, plan);
  if (!existsSync(directory ?? defaultStoreDirectory())) await lookAt(groups, directory, plan); // What can be refused is refused before there is a store.
  return withStore(directory, 'create', (context) => underLease(context, importLease(), async () => {
    const images = new Map<string, RunImage>();
    for (const group of groups) images.set(group.name, await importImages(context, group.images));
    return plan(images);
  }));
}

/** Without bringing anything anywhere. */
async function lookAt(groups: readonly ClusterGroup[], directory: string | undefined, plan: (images: ReadonlyMap<string, RunImage>) => ClusterPlan): Promise<ClusterPlan> {
  const look = async (context: StoreContext | undefined): Promise<ClusterPlan> => {
    const opened: { readonly name: string; readonly image: RunImage | undefined; readonly close: () => void }[] = [];
    try {
      for (const { name, images } of groups) opened.push({ name, ...await openImages(images, context) });
      return plan(new Map(opened.map(({ name, image }) => [name, image!]))); // A group with images has one.
    } finally {
      for (const { close } of opened) close();
    }
  };
  const hasNames = groups.some(({ images }) => images.some(({ source }) => !source.includes('/')));
  return hasNames && existsSync(directory ?? defaultStoreDirectory()) ? withStore(directory, 'read-only', look) : look(undefined);
}

/** A cluster manifest for descriptions of another system. Throws E_MANIFEST, E_USAGE. */
export async function convertCluster(files: readonly string[], name: string | undefined): Promise<string> {
  return (await import('../../manifest/live/convert.ts')).convertToCluster(files, name);
}

/** Throws E_USAGE, E_CHANNEL_*, E_IMAGE_*. */
export async function readPipePlan(request: PipeRequest): Promise<ClusterPlan> {
  const host = new NodeClusterHost();
  const absolute = (path: string | undefined): string | undefined => (path === undefined ? undefined : resolve(path));
  const { processes, store, isEphemeral } = request;
  const settings = pipeSettings({ ...request, logs: resolve(request.logs), input: absolute(request.input), output: absolute(request.output) }, host);
  return withImages(settings, { isForRun: !isEphemeral, store }, (images) => planPipe(settings, host, { processes, images, isEphemeral }));
}
