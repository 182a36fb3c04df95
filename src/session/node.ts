/**
 * A session as a node of a cluster: the same record, journal and checkpoints as any run, with channels that lead to other nodes.
 * Invariants: the store and the peers are the caller's; a node's first life and every later one differ only in where they begin.
 * What this does NOT do: carry bytes between nodes, decide when a node is started again (cluster).
 */
import { StillpointError, type Digests } from '../core/index.ts';
import { unsavable } from '../core/live/digest.ts';
import type { ImageTree } from '../image/index.ts';
import { decodeManifest, encodeManifest, type CheckpointInterval, type HostBinding, type HostBindings, type ImageSetting, type RunManifest } from '../manifest/index.ts';
import { createRun, openJournal, openRun, readRun, runNames, underLease, type RunRecord, type RunWriter, type StoreContext } from '../txn/index.ts';
import { decodeBindings, encodeBindings, type SavedBindings } from './bindings-codec.ts';
import { bootGuest, ENGINE_DEFAULT, type EngineName } from './context.ts';
import type { SessionHooks } from './driver.ts';
import { importLease, isAlive, newRunId, thisOwner, wallClockMs } from './host.ts';
import { importImages, openImages } from './images.ts';
import { programAt } from './image-program.ts';
import type { OpenPeer } from './ports.ts';
import { resumeSession, type ResumePeers } from './resume.ts';
import { abandon, DEFAULT_POLICY, ephemeralSession, readProgram, recordSession, type SessionResult } from './run.ts';
import { RECORDER } from './version.ts';

export interface NodeRequest {
  readonly context: StoreContext;
  /** Name of the run. */
  readonly name: string;
  readonly manifest: RunManifest;
  readonly bindings: HostBindings;
  /** What the manifest's image is made from. */
  readonly images: readonly ImageSetting[];
  readonly checkpointEvery: CheckpointInterval | undefined;
  readonly engine: EngineName | undefined;
  readonly hooks: SessionHooks;
  /** Channels to other nodes for the life of this epoch. */
  readonly peers: (epoch: number) => ResumePeers & { readonly open: OpenPeer };
}

export interface EphemeralNode extends Pick<NodeRequest, 'manifest' | 'bindings' | 'images' | 'engine' | 'hooks'> {
  readonly digests: Digests;
  readonly openPeer: OpenPeer;
  /** A store that may hold named images. */
  readonly context: StoreContext | undefined;
}

/** Executes a node: from its first instruction when the store has no run of its name, else from where that run can go on. */
export async function runNode(request: NodeRequest): Promise<SessionResult> {
  return runNames(request.context).includes(request.name) ? resumeNode(request) : startNode(request);
}

/** Executes a node of which nothing is kept: no journal, no checkpoints, no second life. */
export async function runEphemeralNode({ manifest, bindings, images, engine, hooks, digests, openPeer, context }: EphemeralNode): Promise<SessionResult> {
  const image = await openImages(images, context);
  try {
    const program = image.image !== undefined && manifest.programPath !== undefined ? programAt(image.image.tree, manifest.programPath) : readProgram(bindings.program, image.image !== undefined);
    const saved: SavedBindings = { ...bindings, standardFiles: new Map() };
    return await ephemeralSession({ manifest, bindings: saved, hooks, openPeer, ...bootGuest(manifest, { program, digests: unsavable(digests), engine: engine ?? ENGINE_DEFAULT, image: image.image?.tree }) });
  } finally {
    image.close();
  }
}

/** The run of a node; undefined before its first life. */
export function nodeRecord(context: StoreContext, name: string): RunRecord | undefined {
  return runNames(context).includes(name) ? readRun(context, name) : undefined;
}

/** Channels of a run that lead to other nodes of its cluster. */
export function peersOfRun(record: RunRecord): ReadonlyMap<string, Extract<HostBinding, { kind: 'peer' }>> {
  return new Map([...decodeBindings(record.bindings, record.name).channels].flatMap(([channel, binding]) => (binding.kind === 'peer' ? [[channel, binding] as const] : [])));
}

/** Where the channels of a run lead on the host, as its record says. */
export function bindingsOfRun(record: RunRecord): HostBindings {
  return decodeBindings(record.bindings, record.name);
}

async function startNode(request: NodeRequest): Promise<SessionResult> {
  const { context, manifest, checkpointEvery } = request;
  const bindings: SavedBindings = { ...request.bindings, standardFiles: new Map(), ...(checkpointEvery === undefined ? {} : { checkpointEvery }) };
  const begun = manifest.image === undefined ? await begin(request, bindings, undefined) : await underLease(context, importLease(), async () => begin(request, bindings, await imageOf(request)));
  return recordSession({ context, manifest, bindings, policy: checkpointEvery ?? DEFAULT_POLICY, hooks: request.hooks, openPeer: request.peers(begun.writer.epoch).open, ...begun });
}

/** The machine before its first instruction, and its record. */
async function begin({ context, name, manifest, engine }: NodeRequest, bindings: SavedBindings, image: ImageTree | undefined): Promise<ReturnType<typeof bootGuest> & { readonly writer: RunWriter }> {
  const program = image !== undefined && manifest.programPath !== undefined ? programAt(image, manifest.programPath) : readProgram(bindings.program, image !== undefined);
  const machine = bootGuest(manifest, { program, digests: context.digests, engine: engine ?? ENGINE_DEFAULT, image });
  const writer = await createRun(context, { name, id: newRunId(), createdMs: wallClockMs(), bindings: encodeBindings(bindings), owner: thisOwner(), manifest: encodeManifest(manifest), program, recorder: RECORDER });
  return { ...machine, writer };
}

/** The image that was planned with: it may have been collected since, or its source may have changed. */
async function imageOf({ context, images, manifest, name }: NodeRequest): Promise<ImageTree> {
  const { tree: image } = await importImages(context, images);
  if (image.digest !== manifest.image) throw new StillpointError('E_CLUSTER_CHANGED', `the images of ${name} have changed since the cluster was planned; start again`, { data: { run: name } });
  return image;
}

async function resumeNode(request: NodeRequest): Promise<SessionResult> {
  const { context, name } = request;
  const writer = await openRun(context, { name, owner: thisOwner(), isAlive });
  try {
    mustBeTheSame(request, writer.record);
    return await resumeSession({
      context, writer, hooks: request.hooks, peers: request.peers(writer.epoch),
      wishes: { policy: request.checkpointEvery, maxInstructions: request.manifest.maxInstructions, have: new Map(), bind: new Map(), engine: request.engine ?? ENGINE_DEFAULT },
    });
  } catch (error) {
    await abandon(writer);
    throw error;
  }
}

/** A changed manifest would go on with another job under the old one's name. Where the run has its cap is no part of the job. */
function mustBeTheSame({ context, manifest, name }: NodeRequest, record: RunRecord): void {
  const recorded = openJournal(context, record).genesis().manifest;
  const { maxInstructions } = decodeManifest(recorded);
  if (Buffer.compare(recorded, encodeManifest({ ...manifest, maxInstructions })) === 0) return;
  throw new StillpointError('E_CLUSTER_CHANGED', `run ${name} was started from another manifest than the one given now; put the manifest back, or remove the run and start again`, { data: { run: name } });
}
