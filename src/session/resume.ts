/**
 * `resume`: takes a run over, puts guest and sinks back to the last checkpoint, feeds the journal's tail again, and goes on live.
 *
 *   checkpoint ── re-execution, fed from the journal ──► tail ── live ──► end
 *
 * Invariants: ownership is taken before anything is touched; what the journal holds is never asked of the host again; nothing is journaled
 * twice. What this does NOT do: the loop (driver.ts).
 */
import { StillpointError } from '../core/index.ts';
import type { HostPort } from '../channel/index.ts';
import { InputIndex } from '../journal/index.ts';
import { decodeManifest, parseBinding, parseCap, parseCheckpointInterval, parseKeepRule, type KeepRule, type Place, type RunManifest } from '../manifest/index.ts';
import type { Guest } from '../posix/index.ts';
import { listCheckpoints, openJournal, openRun, owned, readOwnerRecord, readRun, recover, type CheckpointRecord, type OutputPosition, type Recovery, type RunRecord, type RunWriter, type StoreContext } from '../txn/index.ts';
import { capturesOf, withBesideStore } from './beside-store.ts';
import { decodeBindings, encodeBindings, type SavedBindings } from './bindings-codec.ts';
import { inputsAheadOf } from './commits-beside.ts';
import { ENGINE_DEFAULT, withStore, type EngineName } from './context.ts';
import { Driver, type CheckpointPolicy, type SessionHooks } from './driver.ts';
import { checkArchive, exportChanges } from './export-layer.ts';
import { filesOfRun, mustBeApart, type FilesBeside } from './files-apart.ts';
import { hostFacts, isAlive, monotonicMs, thisOwner, wallClockMs } from './host.ts';
import { InputFeed, type Past } from './input-feed.ts';
import { keeperOf } from './keep-history.ts';
import { Outlet } from './outlet.ts';
import { finishMoves } from './output-moves.ts';
import { closePorts, isForgetful, reopenPorts, type OpenPeer } from './ports.ts';
import { Recording } from './recording.ts';
import { rebuild, recordedFacts, recordedSeeds } from './rebuild.ts';
import { makeReport } from './report.ts';
import { abandon, DEFAULT_POLICY, forgetfulOf, type SessionResult } from './run.ts';

export interface ResumeRequest {
  readonly name: string;
  readonly store?: string | undefined;
  readonly maxInstructions?: string | undefined;
  readonly checkpointEvery?: string | undefined;
  /** Another rule for which checkpoints stay. */
  readonly keepCheckpoints?: string | undefined;
  /** CHANNEL=BYTES: what the reader of a pipe holds. */
  readonly have: readonly string[];
  /** CHANNEL=FILE: new place of a channel's file. */
  readonly bind: readonly string[];
  readonly engine?: EngineName | undefined;
  /** A file for what the guest changed in its files since its first instruction, written when it ends. */
  readonly exportLayer?: string | undefined;
  /** As in RunRequest. */
  readonly beside?: FilesBeside | undefined;
}

/** `maxInstructions`: null for no cap, undefined for the one of the run's manifest. */
export interface Wishes { readonly policy: CheckpointPolicy | undefined; readonly keepCheckpoints?: KeepRule | 'all' | undefined; readonly maxInstructions: bigint | null | undefined; readonly have: ReadonlyMap<string, number>; readonly bind: ReadonlyMap<string, string>; readonly engine: EngineName; readonly exportLayer?: string | undefined; readonly beside?: FilesBeside | undefined }

/** Goes on with a run. Throws StillpointError E_RUN_UNKNOWN, E_RUN_OWNED, E_RUN_FINISHED, damage and host trouble. */
export async function resumeRun(request: ResumeRequest, hooks: SessionHooks): Promise<SessionResult> {
  const wishes = readWishes(request);
  if (request.exportLayer !== undefined) checkArchive(request.exportLayer);
  await refuseAtOnce(request, wishes);
  return withBesideStore(request.store, 'existing', async (context) => {
    const writer = await openRun(context, { name: request.name, owner: thisOwner(), isAlive });
    try {
      return await resumeSession({ context, writer, wishes, hooks });
    } catch (error) {
      await abandon(writer);
      throw error;
    }
  });
}

/**
 * Looks without the store's write lock first: an owner that is stopped inside a commit holds that lock, and whoever asks for it waits as long
 * as the owner sleeps. And a run that stays at its cap has ended as it was, not begun to go on.
 */
async function refuseAtOnce({ name, store }: ResumeRequest, wishes: Wishes): Promise<void> {
  await withStore(store, 'read-only', async (context) => {
    const record = readRun(context, name);
    const owner = readOwnerRecord(context, record.id)?.owner;
    if (owner !== undefined && isAlive(owner)) throw owned(name, owner);
    if (record.outcome?.kind === 'capped') refuseReachedCap(capOf(wishes, decodeManifest(openJournal(context, record).genesis().manifest)), record);
  });
}

interface ResumeParts {
  readonly context: StoreContext; readonly writer: RunWriter; readonly wishes: Wishes; readonly hooks: SessionHooks;
  readonly peers?: ResumePeers | undefined;
}

/** The other nodes of a cluster, seen from a node that comes back. */
export interface ResumePeers {
  readonly open: OpenPeer;
  /** Tells the peers what the journal holds of each input channel and asks what they hold durably of each output channel. */
  held(journaled: (channel: string) => number): Promise<ReadonlyMap<string, number>>;
}

/** Goes on with a run that `writer` owns. */
export async function resumeSession(parts: ResumeParts): Promise<SessionResult> {
  const { context, writer, wishes, peers } = parts;
  const started = monotonicMs();
  await finishMoves(context, writer.record.id);
  const recovery = recover(context, writer.record);
  const genesis = recovery.journal.genesis();
  const manifest = decodeManifest(genesis.manifest);
  const access = new Map(manifest.channels.map((spec) => [spec.name, spec.access]));
  const inputs = new InputIndex(recovery.journal, (name) => access.get(name) !== 'sequential');
  const origin = peers === undefined ? recovery : originFor(context, recovery, await peers.held((name) => inputs.stream(name).length));
  const { guest, channels, snapshots } = rebuild(context, { recovery: origin, manifest, engine: wishes.engine, isLazy: origin === recovery });
  const startedAt = guest.retired;
  const bindings = kept(rebind(decodeBindings(writer.record.bindings, writer.record.name), wishes.bind), wishes);
  if (wishes.beside !== undefined) mustBeApart(filesOfRun({ manifest, bindings, beside: wishes.beside, store: undefined }));
  const delivered = (name: string): number => wishes.have.get(name) ?? recovery.outputs.get(name)?.delivered ?? 0;
  const ports = await reopenPorts(manifest, bindings, {
    journaled: (name) => inputs.stream(name).length, checkpoint: (name) => recovery.outputs.get(name)?.rewindTo ?? 0, delivered,
    written: (name) => channels.get(name)?.bytesWritten ?? 0,
  }, { openPeer: peers?.open, stopRequested: parts.hooks.stopRequested });
  const keeper = keeperOf(context, bindings);
  const recording = new Recording({ writer, snapshots: capturesOf(context, writer, { snapshots, root: recovery.checkpoint?.root }), inputsAhead: inputsAheadOf(context), channels, wallClock: wallClockMs, keeper });
  try {
    const positions = startingPositions({ recovery, ports, delivered });
    await writer.commit({ instructions: writer.record.instructions, outputs: positions, isRewind: true, bindings: encodeBindings(bindings) });
    const past: Past = { inputs, facts: recordedFacts(origin), isStrict: false };
    const feed = new InputFeed({ past, live: { ports, host: hostFacts, append: recording.append } });
    const outlet = new Outlet({ channels, ports, recording, forgetful: forgetfulOf(ports), positions });
    const maxInstructions = capOf(wishes, manifest);
    refuseReachedCap(maxInstructions, writer.record);
    const driver = new Driver({ guest, channels, ports, feed, outlet, recording, policy: wishes.policy ?? bindings.checkpointEvery ?? DEFAULT_POLICY, maxInstructions, hooks: parts.hooks, monotonicMs, reseeds: [...recordedSeeds(origin)] });
    const end = await driver.drive();
    if (wishes.exportLayer !== undefined && end.kind === 'ended') exportChanges(wishes.exportLayer, { before: atGenesis(context, writer, manifest), after: guest });
    return { name: writer.record.name, end, report: makeReport({ manifest, record: writer.record, end, channels, guest, milliseconds: monotonicMs() - started, startedAt, history: keeper?.facts }) };
  } catch (error) {
    await recording.quiesce();
    throw error;
  } finally {
    await keeper?.end();
    await closePorts(ports);
  }
}

/** The machine before its first instruction. */
function atGenesis(context: StoreContext, writer: RunWriter, manifest: RunManifest): Guest {
  return rebuild(context, { recovery: recover(context, writer.record, { checkpoint: 'genesis' }), manifest, engine: 'interpret' }).guest;
}

/**
 * The latest checkpoint from which everything can be made again that a peer does not hold durably: what was sent to it and lost with its memory is
 * nowhere else. Files are put back to the last checkpoint all the same; the bytes before it are written once more, the same ones.
 */
function originFor(context: StoreContext, recovery: Recovery, held: ReadonlyMap<string, number>): Recovery {
  const isEarlyEnough = ({ channels }: CheckpointRecord): boolean => [...held].every(([channel, position]) => (channels.get(channel)?.outputPosition ?? 0) <= position);
  if (recovery.checkpoint === undefined || isEarlyEnough(recovery.checkpoint)) return recovery;
  const earlier = listCheckpoints(context, recovery.record).findLast(isEarlyEnough);
  return recover(context, recovery.record, { checkpoint: earlier?.number ?? 'genesis' });
}

/** Sinks that were put back stand at the checkpoint; the others where their reader is. */
export function startingPositions({ recovery, ports, delivered }: { readonly recovery: Recovery; readonly ports: ReadonlyMap<string, HostPort>; readonly delivered: (name: string) => number }): ReadonlyMap<string, OutputPosition> {
  return new Map([...recovery.outputs].map(([name, { rewindTo }]) => {
    const position = isForgetful(ports.get(name)) ? Math.max(rewindTo, delivered(name)) : rewindTo;
    return [name, { synced: position, delivered: position, intended: position }];
  }));
}

function capOf(wishes: Wishes, manifest: RunManifest): bigint | undefined {
  return (wishes.maxInstructions === undefined ? manifest.maxInstructions : wishes.maxInstructions) ?? undefined;
}

function refuseReachedCap(maxInstructions: bigint | undefined, { name, instructions }: Pick<RunRecord, 'name' | 'instructions'>): void {
  if (maxInstructions === undefined || instructions < maxInstructions) return;
  const stands = instructions > maxInstructions ? ` and stands at ${instructions}` : ''; // A higher one was given once.
  throw new StillpointError('E_USAGE', `run ${name} has reached its cap of ${maxInstructions} instructions${stands}; give a higher one (resume: --max-instructions; a node of a cluster: maxInstructions of its group, then up --resume)`, { data: { run: name } });
}

function rebind(bindings: SavedBindings, bind: ReadonlyMap<string, string>): SavedBindings {
  const channels = new Map(bindings.channels);
  for (const [name, path] of bind) {
    if (!channels.has(name)) throw new StillpointError('E_USAGE', `option --bind: the run has no channel ${name}`);
    channels.set(name, { kind: 'file', path });
  }
  return { ...bindings, channels };
}

/** The rule of the first start, or another one. */
function kept({ keepCheckpoints: before, ...bindings }: SavedBindings, { keepCheckpoints = before ?? 'all' }: Wishes): SavedBindings {
  return { ...bindings, ...(keepCheckpoints === 'all' ? {} : { keepCheckpoints }) };
}

function readWishes(request: ResumeRequest): Wishes {
  const place = (option: string): Place => ({ code: 'E_USAGE', where: `option --${option}` });
  const have = new Map<string, number>();
  for (const text of request.have) {
    const { name, file } = parseBinding(text, place('have'));
    const bytes = Number(file);
    if (!Number.isSafeInteger(bytes) || bytes < 0 || file.trim() === '') throw new StillpointError('E_USAGE', `option --have: ${text} is not CHANNEL=BYTES`);
    have.set(name, bytes);
  }
  return {
    have, bind: new Map(request.bind.map((text) => parseBinding(text, place('bind'))).map(({ name, file }) => [name, file])),
    policy: request.checkpointEvery === undefined ? undefined : parseCheckpointInterval(request.checkpointEvery, place('checkpoint-every')),
    keepCheckpoints: request.keepCheckpoints === undefined ? undefined : parseKeepRule(request.keepCheckpoints, place('keep-checkpoints')),
    maxInstructions: request.maxInstructions === undefined ? undefined : parseCap(request.maxInstructions, place('max-instructions')),
    engine: request.engine ?? ENGINE_DEFAULT, exportLayer: request.exportLayer, beside: { ...request.beside, 'export-layer': request.exportLayer },
  };
}
