/**
 * From a request, or the name of a run, to a resident machine.
 *
 *   openMachine      program and settings ─► fresh guest, in memory or as a new run of a store
 *   openMachineRun   last checkpoint ─► journal again, to the last commit ─► output files complete, ready for the next transaction
 *
 * Channels: a sequential input is fed by Transaction.send(), whatever it is bound to; it is live (one message, one read) unless it is listed in `streams`.
 * Standard output and error are read with Transaction.read(). What is bound to a file is written to it with each commit; a name without a file (`in: ['orders']`)
 * is a channel that only transactions see.
 * Invariants: what can be refused is refused before anything on the host is made; a failure leaves nothing open.
 * What this does NOT do: drive (core.ts), commit (commit-log.ts).
 */
import { existsSync } from 'node:fs';
import { StillpointError, type Digests } from '../core/index.ts';
import { createNodeDigests } from '../core/live/digest.ts';
import { type ChannelSet, type HostPort } from '../channel/index.ts';
import type { ImageTree } from '../image/index.ts';
import { InputIndex } from '../journal/index.ts';
import { declareRun, decodeManifest, encodeManifest, parseRunOptions, type HostFacts, type HostInspector, type RunManifest, type RunSettings } from '../manifest/index.ts';
import { NodeHostInspector } from '../manifest/live/host-inspector.ts';
import type { Guest } from '../posix/index.ts';
import {
  abandon, bootGuest, closePorts, decodeBindings, defaultStoreDirectory, encodeBindings, ENGINE_DEFAULT, finishMoves, freeName, hostFacts, importImages, importLease, isAlive, isForgetful, isThisProcess,
  monotonicMs, newRunId, openImages, openPorts, readProgram, rebuild, resolveRun, RECORDER, recordedFacts, recordedSeeds, reopenPorts, startingPositions, thisOwner, wallClockMs,
  type EngineName, type RunImage, type SavedBindings,
} from '../session/index.ts';
import { SnapshotWriter } from '../snapshot/index.ts';
import { createRun, openRun, readPrepared, recover, removeRun, underLease, type IsAlive, type OutputPositions, type RunWriter, type StoreContext } from '../txn/index.ts';
import { Checkpoints } from './checkpoints.ts';
import { CommitLog } from './commit-log.ts';
import { Core } from './core.ts';
import { Feed } from './feed.ts';
import { Machine } from './machine.ts';
import type { ImagePlace } from './replica-worker.ts';
import { GroupStore, shareStore } from './shared-store.ts';

/** A fresh machine. Texts are those of the options of `stillpoint run`. */
export interface MachineRequest {
  readonly program: string;
  readonly arguments?: readonly string[];
  readonly environment?: readonly string[];
  readonly workingDirectory?: string;
  /** NAME or NAME=FILE. */
  readonly in?: readonly string[];
  readonly out?: readonly string[];
  readonly append?: readonly string[];
  readonly rw?: readonly string[];
  /** Sequential inputs whose reads wait for their full length, whatever was sent at once. */
  readonly streams?: readonly string[];
  readonly limit?: readonly string[];
  readonly image?: readonly string[];
  /** UID[:GID] or names. */
  readonly user?: string;
  readonly clock?: string;
  readonly entropy?: string;
  readonly schedule?: string;
  readonly memory?: string;
  readonly maxInstructions?: string;
  readonly engine?: EngineName;
  /** A store and a name for the run: without both the machine is in memory only. */
  readonly store?: string;
  readonly name?: string;
}

export interface MachineRunRequest {
  readonly name: string;
  readonly store?: string;
  readonly engine?: EngineName;
  /** The run is this process's own: its machine was closed after the store had failed, and could not give it up. */
  readonly isAgain?: boolean;
}

/** What stands for "no file". */
const NOWHERE = '/dev/null';

/** Standard streams as pipes, whatever this process has. */
class MachineInspector implements HostInspector {
  readonly #files = new NodeHostInspector();
  absolute = (path: string): string => this.#files.absolute(path);
  file = (path: string): HostFacts | undefined => this.#files.file(path);
  standard = (): HostFacts => ({ kind: 'fifo', size: 0, canRead: true, canWrite: true });
}

interface Booted { readonly manifest: RunManifest; readonly bindings: SavedBindings; readonly program: Uint8Array; readonly guest: Guest; readonly channels: ChannelSet }

/** Throws what `stillpoint run` would. */
export async function openMachine(request: MachineRequest): Promise<Machine> {
  const settings = readSettings(request);
  if (request.store === undefined && request.name === undefined) return openInMemory(settings);
  const directory = request.store ?? defaultStoreDirectory();
  if (settings.images.length === 0 && !existsSync(directory)) boot(settings, { digests: await createNodeDigests(), image: undefined }); // What cannot begin makes no store.
  const { context, release } = await shareStore(directory, 'create');
  try {
    return await create(settings, context, release);
  } catch (error) {
    await release();
    throw error;
  }
}

/** The same as a run of a store that the caller has open, and closes after the machine. */
export async function openMachineIn(context: StoreContext, request: MachineRequest): Promise<Machine> {
  return create(readSettings(request), context, async () => {});
}

async function create(settings: RunSettings, context: StoreContext, release: () => Promise<void>): Promise<Machine> {
  if (settings.images.length === 0) return createMachine(settings, { context, image: undefined, release });
  return underLease(context, importLease(), async () => createMachine(settings, { context, image: await importImages(context, settings.images), release }));
}

async function openInMemory(settings: RunSettings): Promise<Machine> {
  const image = await openImages(settings.images, undefined);
  try {
    const digests = await createNodeDigests();
    const { manifest, bindings, guest, channels } = boot(settings, { digests, image: image.image });
    const ports = await openPorts(bound(manifest, bindings), bindings, {});
    const core = new Core({ guest, channels, feed: new Feed({ ports, host: hostFacts }), monotonicMs });
    const imagePlace: ImagePlace | undefined = settings.images.length === 0 ? undefined : { kind: 'sources', settings: settings.images };
    return new Machine({ core, manifest, digests, engine: settings.host.engine ?? ENGINE_DEFAULT, image: image.image?.tree, imagePlace, ports, durable: undefined, release: () => closePorts(ports), letGo: async () => image.close() });
  } catch (error) {
    image.close();
    throw error;
  }
}

interface StoreParts { readonly context: StoreContext; readonly image: RunImage | undefined; readonly release: () => Promise<void> }

async function createMachine(settings: RunSettings, { context, image, release }: StoreParts): Promise<Machine> {
  const { digests } = context;
  const { manifest, bindings, program, guest, channels } = boot(settings, { digests, image });
  const name = settings.host.name ?? freeName(context, manifest.programName);
  const writer = await createRun(context, { name, id: newRunId(), createdMs: wallClockMs(), bindings: encodeBindings(bindings), owner: thisOwner(), manifest: encodeManifest(manifest), program, recorder: RECORDER });
  try {
    const ports = await openPorts(bound(manifest, bindings), bindings, {});
    const core = new Core({ guest, channels, feed: new Feed({ ports, host: hostFacts }), monotonicMs });
    return durableMachine({ context, writer, core, manifest, engine: settings.host.engine ?? ENGINE_DEFAULT, image: image?.tree, ports, snapshots: new SnapshotWriter(context.store, digests), positions: new Map(), frames: 0, release });
  } catch (error) {
    await abandon(writer);
    await removeRun(context, { name, isAlive });
    throw error;
  }
}

interface DurableParts {
  readonly context: StoreContext; readonly writer: RunWriter; readonly core: Core; readonly manifest: RunManifest; readonly engine: EngineName; readonly image: ImageTree | undefined;
  readonly ports: ReadonlyMap<string, HostPort>; readonly snapshots: SnapshotWriter; readonly positions: OutputPositions; readonly frames: number; readonly release: () => Promise<void>;
}

function durableMachine(parts: DurableParts): Machine {
  const { context, writer, core, manifest, engine, image, ports, snapshots, positions } = parts;
  const forgetful = new Set([...ports].filter(([, port]) => isForgetful(port)).map(([channel]) => channel));
  const checkpoints = new Checkpoints(context.store, { digests: context.digests, writer: snapshots, at: core.guest.retired, frames: parts.frames });
  const log = new CommitLog({ writer, ports, forgetful, positions, onStale: () => checkpoints.want() });
  const imagePlace: ImagePlace | undefined = image === undefined || !(context.store instanceof GroupStore) || context.store.directory === undefined ? undefined : { kind: 'store', directory: context.store.directory };
  return new Machine({ core, manifest, digests: context.digests, engine, image, imagePlace, ports, durable: { context, log, checkpoints }, release: () => closePorts(ports), letGo: parts.release }, { inDoubt: readPrepared(context, writer.record.id) });
}

/** The machine of a run at its last commit: one that a machine left, or any run that was stopped or killed. Throws what `stillpoint resume` would. */
export async function openMachineRun(request: MachineRunRequest): Promise<Machine> {
  const { context, release } = await shareStore(request.store ?? defaultStoreDirectory(), 'existing');
  try {
    return await openMachineRunIn(context, { ...request, release, ...(request.isAgain === true ? { isAlive: (owner) => !isThisProcess(owner) && isAlive(owner) } : {}) });
  } catch (error) {
    await release();
    throw error;
  }
}

/** The same in a store that the caller has open. `isAlive`: whether an owner still runs. */
export async function openMachineRunIn(context: StoreContext, request: MachineRunRequest & { readonly release?: () => Promise<void>; readonly isAlive?: IsAlive }): Promise<Machine> {
  const writer = await openRun(context, { name: request.name, owner: thisOwner(), isAlive: request.isAlive ?? isAlive });
  try {
    return await reopenMachine(context, { writer, engine: request.engine ?? ENGINE_DEFAULT, release: request.release ?? (async () => {}) });
  } catch (error) {
    await abandon(writer);
    throw error;
  }
}

async function reopenMachine(context: StoreContext, { writer, engine, release }: { readonly writer: RunWriter; readonly engine: EngineName; readonly release: () => Promise<void> }): Promise<Machine> {
  const { record } = writer;
  await finishMoves(context, record.id);
  const recovery = recover(context, record);
  const manifest = decodeManifest(recovery.journal.genesis().manifest);
  const bindings = decodeBindings(record.bindings, record.name);
  const access = new Map(manifest.channels.map((spec) => [spec.name, spec.access]));
  const past = new InputIndex(recovery.journal, (name) => access.get(name) !== 'sequential');
  const { guest, channels, snapshots } = rebuild(context, { recovery, manifest, engine });
  const delivered = (name: string): number => recovery.outputs.get(name)?.delivered ?? 0;
  const ports = await reopenPorts(bound(manifest, bindings), bindings, {
    journaled: (name) => past.stream(name).length, checkpoint: (name) => recovery.outputs.get(name)?.rewindTo ?? 0, delivered, written: (name) => channels.get(name)?.bytesWritten ?? 0,
  }, {});
  try {
    const positions = new Map(startingPositions({ recovery, ports, delivered }));
    await writer.commit({ instructions: record.instructions, outputs: positions, isRewind: true });
    const feed = new Feed({ ports, host: hostFacts, past });
    feed.resume(channels, recordedFacts(recovery));
    const core = new Core({ guest, channels, feed, monotonicMs });
    const image = manifest.image === undefined ? undefined : guest.kernel.files.image?.tree;
    const machine = durableMachine({ context, writer, core, manifest, engine, image, ports, snapshots, positions, frames: record.tail.count - (recovery.checkpoint?.tail.count ?? 1), release });
    await machine.catchUp(record.instructions, [...recordedSeeds(recovery)]);
    return machine;
  } catch (error) {
    await closePorts(ports);
    throw error;
  }
}

/** Channels that have a file. */
function bound(manifest: RunManifest, bindings: SavedBindings): RunManifest {
  const isBound = (name: string): boolean => {
    const binding = bindings.channels.get(name);
    return binding?.kind === 'file' && binding.path !== NOWHERE;
  };
  return { ...manifest, channels: manifest.channels.filter((spec) => isBound(spec.name) && !(spec.reads && spec.access === 'sequential')) };
}

function boot(wished: RunSettings, { digests, image: below }: { readonly digests: Digests; readonly image: RunImage | undefined }): Booted {
  const image = below?.tree;
  const resolved = resolveRun(wished, below);
  const { settings } = resolved;
  const declared = declareRun(settings, new MachineInspector(), resolved.declared);
  const { manifest } = declared;
  const bindings: SavedBindings = { ...declared.bindings, standardFiles: new Map() };
  const program = resolved.program ?? readProgram(bindings.program, image !== undefined);
  return { manifest, bindings, program, ...bootGuest(manifest, { program, image, digests, engine: settings.host.engine ?? ENGINE_DEFAULT }) };
}

function readSettings(request: MachineRequest): RunSettings {
  const { environment, workingDirectory, streams = [], in: inputs = [], out = [], append = [], rw = [], ...rest } = request;
  const unbound = (text: string): string => (text.includes('=') ? text : `${text}=${NOWHERE}`);
  const texts = { ...rest, in: inputs.map(unbound), out: out.map(unbound), append, rw, live: [] as readonly string[], ...(environment === undefined ? {} : { env: environment }), ...(workingDirectory === undefined ? {} : { cwd: workingDirectory }) };
  for (const text of [...append, ...rw]) if (!text.includes('=')) throw new StillpointError('E_USAGE', `channel ${text} has a size: it needs a file, ${text}=FILE`, { data: { channel: text } });
  const settings = parseRunOptions(texts);
  const isStream = new Set(streams);
  const plain = declareRun(settings, new MachineInspector(), settings.images.length === 0 ? undefined : { digest: undefined, programPath: undefined, environment: [] });
  const live = plain.manifest.channels.filter(({ name, reads, access }) => reads && access === 'sequential' && !isStream.has(name)).map(({ name }) => name);
  for (const name of isStream) if (!plain.manifest.channels.some((spec) => spec.name === name && spec.reads)) throw new StillpointError('E_USAGE', `option streams: the machine has no input ${name}`, { data: { channel: name } });
  return parseRunOptions({ ...texts, live });
}
