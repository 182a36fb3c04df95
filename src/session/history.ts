/**
 * Looking at a store: runs, one run, its journal, its checkpoints; removing runs.
 * Invariant: nothing here needs ownership but removal. What this does NOT do: format for people (cli).
 */
import type { Frame, Outcome } from '../journal/index.ts';
import { decodeManifest } from '../manifest/index.ts';
import { listCheckpoints, listMarks, listRuns, openJournal, readRun, removeRun, stateOfRun, type CheckpointRecord, type Mark, type RunRecord, type StoreContext } from '../txn/index.ts';
import { decodeBindings } from './bindings-codec.ts';
import { withStore } from './context.ts';
import { isAlive } from './host.ts';
import { collectNow } from './tidy.ts';

export interface RunSummary {
  readonly name: string;
  readonly state: string;
  readonly outcome: string | undefined;
  readonly instructions: bigint;
  readonly checkpoints: number;
  readonly createdMs: number;
  readonly program: string;
}

export async function listRunSummaries(store: string | undefined): Promise<readonly RunSummary[]> {
  return withStore(store, 'read-only', async (context) => [...listRuns(context)].map((record) => summarize(context, record)));
}

function summarize(context: StoreContext, record: RunRecord): RunSummary {
  const manifest = decodeManifest(openJournal(context, record).genesis().manifest);
  return {
    name: record.name, state: stateOfRun(context, record, isAlive), outcome: record.outcome === undefined ? undefined : describeOutcome(record.outcome),
    instructions: record.instructions, checkpoints: record.lastCheckpoint ?? 0, createdMs: record.createdMs, program: manifest.programName,
  };
}

export function describeOutcome(outcome: Outcome): string {
  if (outcome.kind === 'exited') return `exit ${outcome.status}`;
  return outcome.kind === 'killed' ? `signal ${outcome.signal}` : `cap ${outcome.cap}`;
}

/** All facts about one run, flat, in the order in which people want them. */
export async function describeRun(name: string, store: string | undefined): Promise<Readonly<Record<string, unknown>>> {
  return withStore(store, 'read-only', async (context) => {
    const record = readRun(context, name);
    const genesis = openJournal(context, record).genesis();
    const manifest = decodeManifest(genesis.manifest);
    const bindings = decodeBindings(record.bindings, name);
    const last = listCheckpoints(context, record).at(-1);
    return {
      ...summarize(context, record), created: new Date(record.createdMs).toISOString(), id: record.id, genesis: record.genesis, programHash: genesis.program, programFile: bindings.program,
      recorder: genesis.recorder, arguments: manifest.arguments, environment: manifest.environment, workingDirectory: manifest.workingDirectory, memoryBytes: manifest.memoryBytes,
      parent: record.parent === undefined ? undefined : `${record.parent.name}@${record.parent.checkpoint} (${record.parent.id})`,
      maxInstructions: manifest.maxInstructions, clock: manifest.clock, entropy: manifest.entropy, image: manifest.image, programPath: manifest.programPath, frames: record.tail.count, journalLink: record.tail.link, root: last?.root,
      outputs: Object.fromEntries(record.outputs), channels: manifest.channels.map((channel) => ({ ...channel, host: bindings.channels.get(channel.name) })),
    };
  });
}

export interface LogEntry { readonly frame: number; readonly at: bigint; readonly kind: string; readonly says: string }

/** The journal, frame by frame, its chain verified on the way. */
export async function* readLog(name: string, store: string | undefined): AsyncGenerator<LogEntry> {
  const entries = await withStore(store, 'read-only', async (context) => {
    const found: LogEntry[] = [];
    for (const { index, frame } of openJournal(context, readRun(context, name)).frames()) found.push({ frame: index, at: frame.at, kind: frame.kind, says: describeFrame(frame) });
    return found;
  });
  yield* entries;
}

function describeFrame(frame: Frame): string {
  switch (frame.kind) {
    case 'genesis': return `program ${frame.program.slice(0, 16)}, recorded by ${frame.recorder}`;
    case 'input': return `${frame.channel}: bytes ${frame.offset}..${frame.offset + frame.length}${typeof frame.bytes === 'string' ? `, blob ${frame.bytes.slice(0, 16)}` : ''}`;
    case 'end': return `${frame.channel}: end at ${frame.offset}`;
    case 'clock': return `${frame.nanoseconds} ns`;
    case 'entropy': return `${frame.bytes.length} bytes`;
    case 'output': return `${frame.channel}: ${frame.position} bytes, sha256 ${frame.digest.slice(0, 16)}`;
    case 'checkpoint': return `${frame.number}, root ${frame.root.slice(0, 16)}`;
    case 'stop': return frame.reason;
    case 'reseed': return 'a seed of its own';
    case 'exit': return `${describeOutcome(frame.outcome)}, root ${frame.root.slice(0, 16)}`;
  }
}

export interface CheckpointFacts extends CheckpointRecord { readonly name: string | undefined; readonly note: string | undefined }

export async function readCheckpoints(name: string, store: string | undefined): Promise<readonly CheckpointFacts[]> {
  return withStore(store, 'read-only', async (context) => {
    const record = readRun(context, name);
    const marks = listMarks(context, record.id);
    const none: Mark = { name: undefined, note: undefined };
    return listCheckpoints(context, record).map((checkpoint) => ({ ...checkpoint, ...marks.get(checkpoint.number) ?? none }));
  });
}

/** Removes runs, then what no other run needs. Throws E_RUN_OWNED before anything is removed when one of them is being executed. */
export async function removeRuns(names: readonly string[], store: string | undefined): Promise<{ readonly removedRecords: number }> {
  return withStore(store, 'existing', async (context) => {
    for (const name of names) readRun(context, name);
    for (const name of names) await removeRun(context, { name, isAlive });
    const { nodes, pages, blobs } = await collectNow(context);
    return { removedRecords: nodes + pages + blobs };
  });
}
