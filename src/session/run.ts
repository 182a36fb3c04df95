/**
 * `run`: from a request to a session that runs a fresh guest, recorded or ephemeral.
 * Order matters: everything that can be refused is refused before anything on the host is created, and the record exists before the first
 * output file is touched. What this does NOT do: the loop (driver.ts), resuming (resume.ts).
 */
import { existsSync, readFileSync, statSync } from 'node:fs';
import { limits, StillpointError, type Digests } from '../core/index.ts';
import { createNodeDigests, unsavable } from '../core/live/digest.ts';
import type { ChannelSet, HostPort } from '../channel/index.ts';
import { declareRun, encodeManifest, mergeSettings, parseRunOptions, type RunManifest, type RunSettings } from '../manifest/index.ts';
import { NodeHostInspector } from '../manifest/live/host-inspector.ts';
import type { Guest } from '../posix/index.ts';
import { SnapshotWriter } from '../snapshot/index.ts';
import { createRun, removeRun, runNames, underLease, type RunWriter, type StoreContext } from '../txn/index.ts';
import { encodeBindings, type SavedBindings } from './bindings-codec.ts';
import { capturesOf, withBesideStore } from './beside-store.ts';
import { inputsAheadOf } from './commits-beside.ts';
import { bootGuest, defaultStoreDirectory, ENGINE_DEFAULT, withStore, type EngineName } from './context.ts';
import { Driver, type CheckpointPolicy, type SessionEnd, type SessionHooks } from './driver.ts';
import { checkArchive, exportChanges } from './export-layer.ts';
import { filesOfRun, mustBeApart, type FilesBeside } from './files-apart.ts';
import { hostFacts, importLease, isAlive, monotonicMs, newRunId, thisOwner, wallClockMs } from './host.ts';
import { importImages, mayBeNames, openImages, refuseMissingImages } from './images.ts';
import { resolveRun, type RunImage } from './image-config.ts';
import { InputFeed } from './input-feed.ts';
import { keeperOf } from './keep-history.ts';
import { Outlet } from './outlet.ts';
import { closePorts, isForgetful, openPorts, standardFiles, type OpenPeer } from './ports.ts';
import { Recording } from './recording.ts';
import { makeReport, type Report } from './report.ts';
import { RECORDER } from './version.ts';

/** What the user asked for, as texts of the command line. */
export interface RunRequest {
  readonly program?: string | undefined;
  readonly arguments: readonly string[];
  readonly store?: string | undefined;
  readonly name?: string | undefined;
  readonly isEphemeral: boolean;
  readonly manifestFile?: string | undefined;
  readonly in: readonly string[];
  readonly out: readonly string[];
  readonly append: readonly string[];
  readonly rw: readonly string[];
  readonly live: readonly string[];
  readonly limit: readonly string[];
  readonly image?: readonly string[];
  readonly environment: readonly string[];
  readonly workingDirectory?: string | undefined;
  /** UID[:GID] or names. */
  readonly user?: string | undefined;
  /** Goes before program and arguments, instead of what the image says. */
  readonly entrypoint?: string | undefined;
  readonly clock?: string | undefined;
  readonly entropy?: string | undefined;
  readonly schedule?: string | undefined;
  readonly memory?: string | undefined;
  readonly maxInstructions?: string | undefined;
  readonly checkpointEvery?: string | undefined;
  /** Which checkpoints stay while the run is recorded. */
  readonly keepCheckpoints?: string | undefined;
  readonly engine?: EngineName | undefined;
  /** A file for what the guest changed in its files, written when it ends. */
  readonly exportLayer?: string | undefined;
  /** What the caller writes when the run is over: none of it may be a file of the run. */
  readonly beside?: FilesBeside | undefined;
}

export interface SessionResult {
  /** Name of the run; undefined when ephemeral. */
  readonly name: string | undefined;
  readonly end: SessionEnd;
  readonly report: Report;
}

/** `--checkpoint-every` when nothing is said: what a crash may cost, against a pause that nobody notices. */
export const DEFAULT_POLICY: CheckpointPolicy = { kind: 'time', milliseconds: 10_000 };

/** Runs a program to its end, a cap or a stop. Throws StillpointError. */
export async function startRun(request: RunRequest, hooks: SessionHooks): Promise<SessionResult> {
  const settings = await readSettings(request);
  if (settings.host.exportLayer !== undefined) checkArchive(settings.host.exportLayer);
  const beside = { ...request.beside, 'export-layer': settings.host.exportLayer };
  if (settings.host.ephemeral === true) return runEphemeral(settings, beside, hooks);
  const { store } = settings.host;
  if (settings.images.length > 0) {
    refuseMissingImages(settings.images, existsSync(store ?? defaultStoreDirectory()));
    return withBesideStore(store, 'create', async (context) => {
      const started = await underLease(context, importLease(), async () => {
        const booted = bootRun(settings, { digests: context.digests, image: await importImages(context, settings.images), beside });
        return { ...booted, writer: await createRecord(context, booted) };
      });
      return exported(started, await recordSession({ context, hooks, ...started }));
    });
  }
  const booted = bootRun(settings, { digests: await createNodeDigests(), image: undefined, beside }); // Before the store: a bad program leaves no trace.
  return withBesideStore(store, 'create', async (context) => exported(booted, await recordSession({ context, hooks, ...booted, writer: await createRecord(context, booted) })));
}

/** A machine before its first instruction, with all that describes it. */
interface Booted {
  readonly settings: RunSettings; readonly manifest: RunManifest; readonly bindings: SavedBindings; readonly policy: CheckpointPolicy; readonly program: Uint8Array;
  readonly guest: Guest; readonly channels: ChannelSet;
  /** The same machine once more. */
  readonly again: () => Guest;
}

/** Writes the layer that was asked for, once the guest has ended. */
function exported({ settings, guest, again }: Booted, result: SessionResult): SessionResult {
  const file = settings.host.exportLayer;
  if (file !== undefined && result.end.kind === 'ended') exportChanges(file, { before: again(), after: guest });
  return result;
}

function bootRun(wished: RunSettings, parts: { readonly digests: Digests; readonly image: RunImage | undefined; readonly beside: FilesBeside }): Booted {
  const image = parts.image?.tree;
  const resolved = resolveRun(wished, parts.image);
  const { settings } = resolved;
  const declared = declareRun(settings, new NodeHostInspector(), resolved.declared);
  const { manifest } = declared;
  mustBeApart(filesOfRun({ ...declared, beside: parts.beside, store: settings.host.ephemeral === true ? undefined : settings.host.store ?? defaultStoreDirectory() }));
  const { checkpointEvery, keepCheckpoints = 'all' } = settings.host;
  const bindings: SavedBindings = { ...declared.bindings, standardFiles: standardFiles(), ...(checkpointEvery === undefined ? {} : { checkpointEvery }), ...(keepCheckpoints === 'all' ? {} : { keepCheckpoints }) };
  const program = resolved.program ?? readProgram(bindings.program, image !== undefined);
  const boot = (): { readonly guest: Guest; readonly channels: ChannelSet } => bootGuest(manifest, { program, image, digests: parts.digests, engine: settings.host.engine ?? ENGINE_DEFAULT });
  return { settings, again: () => boot().guest, manifest, bindings, policy: checkpointEvery ?? DEFAULT_POLICY, program, ...boot() };
}

async function createRecord(context: StoreContext, { settings, manifest, bindings, program }: Booted): Promise<RunWriter> {
  const name = settings.host.name ?? freeName(context, manifest.programName);
  return createRun(context, {
    name, id: newRunId(), createdMs: wallClockMs(), bindings: encodeBindings(bindings), owner: thisOwner(), manifest: encodeManifest(manifest), program, recorder: RECORDER,
  });
}

interface RecordParts {
  readonly context: StoreContext; readonly writer: RunWriter; readonly manifest: RunManifest; readonly bindings: SavedBindings;
  readonly policy: CheckpointPolicy; readonly hooks: SessionHooks; readonly guest: Guest; readonly channels: ChannelSet;
  readonly openPeer?: OpenPeer | undefined;
}

/** Drives a fresh guest of a run that was just made, to its end, a cap or a stop. */
export async function recordSession(parts: RecordParts): Promise<SessionResult> {
  const { context, writer, manifest, channels, guest } = parts;
  const started = monotonicMs();
  const ports = await openFirst(parts);
  const snapshots = capturesOf(context, writer, { snapshots: new SnapshotWriter(context.store, context.digests), root: undefined });
  const keeper = keeperOf(context, parts.bindings);
  const recording = new Recording({ writer, snapshots, inputsAhead: inputsAheadOf(context), channels, wallClock: wallClockMs, keeper });
  try {
    const feed = new InputFeed({ live: { ports, host: hostFacts, append: recording.append } });
    const outlet = new Outlet({ channels, ports, recording, forgetful: forgetfulOf(ports) });
    const driver = new Driver({ guest, channels, ports, feed, outlet, recording, policy: parts.policy, maxInstructions: manifest.maxInstructions ?? undefined, hooks: parts.hooks, monotonicMs });
    const end = await driver.drive();
    const report = makeReport({ manifest, record: writer.record, end, channels, guest, milliseconds: monotonicMs() - started, history: keeper?.facts });
    return { name: writer.record.name, end, report };
  } catch (error) {
    await recording.quiesce();
    await abandon(writer);
    throw error;
  } finally {
    await keeper?.end();
    await closePorts(ports);
  }
}

/** The ports of a first start. When one cannot be opened the run never began: its record goes away again. */
async function openFirst({ context, writer, manifest, bindings, openPeer, hooks }: RecordParts): Promise<ReadonlyMap<string, HostPort>> {
  try {
    return await openPorts(manifest, bindings, { openPeer, stopRequested: hooks.stopRequested });
  } catch (error) {
    await dismiss(context, writer);
    throw error;
  }
}

/** As abandon(), for a run that executed nothing. */
async function dismiss(context: StoreContext, writer: RunWriter): Promise<void> {
  await abandon(writer);
  try {
    await removeRun(context, { name: writer.record.name, isAlive });
  } catch (error) {
    if (!(error instanceof StillpointError)) throw error; // The store is in trouble as well: the first trouble is what the user must hear of.
  }
}

/** Channels whose sinks cannot be put back. */
export function forgetfulOf(ports: ReadonlyMap<string, HostPort>): ReadonlySet<string> {
  return new Set([...ports].filter(([, port]) => isForgetful(port)).map(([name]) => name));
}

/** Gives the run up after trouble, so that it can be resumed at once. The trouble is what the user must hear of, not a failure of this. */
export async function abandon(writer: RunWriter): Promise<void> {
  try {
    await writer.close();
  } catch (error) {
    if (!(error instanceof StillpointError)) throw error;
  }
}

async function runEphemeral(settings: RunSettings, beside: FilesBeside, hooks: SessionHooks): Promise<SessionResult> {
  const { store } = settings.host;
  if (mayBeNames(settings.images) && existsSync(store ?? defaultStoreDirectory())) return withStore(store, 'read-only', (context) => runOver(settings, beside, { hooks, context }));
  return runOver(settings, beside, { hooks, context: undefined });
}

/** `context`: a store that may hold named images. */
async function runOver(settings: RunSettings, beside: FilesBeside, { hooks, context }: { readonly hooks: SessionHooks; readonly context: StoreContext | undefined }): Promise<SessionResult> {
  const image = await openImages(settings.images, context);
  try {
    const booted = bootRun(settings, { digests: unsavable(await createNodeDigests()), image: image.image, beside });
    return exported(booted, await ephemeralSession({ ...booted, hooks }));
  } finally {
    image.close();
  }
}

/** Drives a fresh guest of which nothing is kept, to its end, a cap or a stop. */
export async function ephemeralSession({ manifest, bindings, guest, channels, hooks, openPeer }: Omit<RecordParts, 'context' | 'writer' | 'policy'>): Promise<SessionResult> {
  const started = monotonicMs();
  const ports = await openPorts(manifest, bindings, { openPeer, stopRequested: hooks.stopRequested });
  try {
    const feed = new InputFeed({ live: { ports, host: hostFacts, append: undefined } });
    const outlet = new Outlet({ channels, ports, recording: undefined, forgetful: new Set() });
    const driver = new Driver({ guest, channels, ports, feed, outlet, recording: undefined, policy: { kind: 'none' }, maxInstructions: manifest.maxInstructions ?? undefined, hooks, monotonicMs });
    const end = await driver.drive();
    return { name: undefined, end, report: makeReport({ manifest, record: undefined, end, channels, guest, milliseconds: monotonicMs() - started }) };
  } finally {
    await closePorts(ports);
  }
}

async function readSettings(request: RunRequest): Promise<RunSettings> {
  const options = parseRunOptions(optionTexts(request));
  if (request.manifestFile === undefined) return options;
  // Loaded on demand: the YAML and schema packages would add a fifth to the start of every run.
  const { readManifestFile } = await import('../manifest/live/manifest-file.ts');
  return mergeSettings(readManifestFile(request.manifestFile), options);
}

function optionTexts(request: RunRequest): Parameters<typeof parseRunOptions>[0] {
  const { environment, workingDirectory, isEphemeral, manifestFile: _manifestFile, beside: _beside, ...rest } = request;
  const texts = { ...rest, env: environment, cwd: workingDirectory, ...(isEphemeral ? { ephemeral: true } : {}) };
  const given = Object.entries(texts).filter(([, value]) => value !== undefined);
  return Object.fromEntries(given); // Only undefined values were taken out.
}

/** The program's bytes. Throws E_PROGRAM_*. */
export function readProgram(path: string, hasImage: boolean): Uint8Array {
  try {
    const facts = statSync(path);
    if (facts.isDirectory()) throw new StillpointError('E_PROGRAM_DIRECTORY', `${path} is a directory`, { data: { path } });
    if (!facts.isFile()) throw new StillpointError('E_PROGRAM_UNREADABLE', `${path} is not a regular file`, { data: { path } });
    if (facts.size === 0) throw new StillpointError('E_PROGRAM_EMPTY', `${path} is empty`, { data: { path } });
    if (facts.size > limits.PROGRAM_BYTES_MAX) throw new StillpointError('E_ELF_TOO_LARGE', `${path} has ${facts.size} bytes, at most ${limits.PROGRAM_BYTES_MAX} can be run`, { data: { path } });
    return new Uint8Array(readFileSync(path));
  } catch (cause) {
    if (cause instanceof StillpointError) throw cause;
    const code = (cause as NodeJS.ErrnoException).code; // Everything that fs throws has one.
    if (code === 'ENOENT' || code === 'ENOTDIR') throw new StillpointError('E_PROGRAM_NOT_FOUND', `there is no program at ${path}${hasImage ? ', and none of that name in the image' : ''}`, { cause, data: { path } });
    throw new StillpointError('E_PROGRAM_UNREADABLE', `${path} cannot be read (${code ?? 'unknown'})`, { cause, data: { path } });
  }
}

/** PROGRAM-1, PROGRAM-2, …: the first that no run of the store has. */
export function freeName(context: StoreContext, programName: string): string {
  const base = programName.replace(/\.elf$/, '').replace(/[^a-zA-Z0-9._-]/g, '-').replace(/^[^a-zA-Z0-9]+/, '').slice(0, 48) || 'run';
  const taken = new Set(runNames(context));
  let number = 1;
  while (taken.has(`${base}-${number}`)) number++;
  return `${base}-${number}`;
}
