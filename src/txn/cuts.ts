/**
 * Points in the history of many runs at once: a checkpoint of a whole cluster is how far each journal went at one moment of the store.
 *
 *   a  ──────●──▓▓▓ sent        ●: end of the journal in one reading of the store.   What b has of a follows from a journal of a that was durable before
 *   b  ─────────●               it was sent, so it lies in the same reading: no node of a cut holds what another one has not done yet.
 *
 * Table `meta`, key "cut CLUSTER NAME". Invariants: all records of a cut come from one synchronous stretch of reads, which see one state of the store;
 * a cut keeps nothing alive: journals are kept as long as their runs, and a checkpoint that goes costs time at the next resume, no more.
 * What this does NOT do: stop or ask anybody, know what a cluster is.
 */
import { StillpointError, type BlobHash } from '../core/index.ts';
import type { RunId } from '../journal/index.ts';
import type { StoreDelete } from '../store/index.ts';
import { mustHold } from './branch.ts';
import { checkMark } from './marks.ts';
import type { StoreContext } from './ownership.ts';
import { canonicalMap, decodeRecord, encodeRecord, type RecordKind } from './record.ts';
import { readRun, runNames } from './runs.ts';

/** How far one run had gone. */
export interface CutPart {
  readonly run: RunId;
  /** Frames of its journal, and the link of the last. */
  readonly frames: number;
  readonly link: BlobHash;
  readonly instructions: bigint;
}

export interface Cut {
  readonly cluster: string;
  readonly name: string;
  readonly note: string | undefined;
  readonly createdMs: number;
  /** By name of the run. */
  readonly parts: ReadonlyMap<string, CutPart>;
}

const KIND: RecordKind = { format: 'stillpoint-cut', version: 1, damaged: 'E_STORE_CORRUPT' };
const PARTS_MAX = 4096;
const NAME_MAX = 64;
const NOTE_MAX = 1024;

/** How far these runs have gone, all at one moment. Throws E_RUN_UNKNOWN. */
export function readParts(context: StoreContext, runs: readonly string[]): ReadonlyMap<string, CutPart> {
  return new Map(runs.map((name) => {
    const { id, tail, instructions } = readRun(context, name);
    return [name, { run: id, frames: tail.count, link: tail.link, instructions }];
  }));
}

/** Whether the store still holds a run up to there, with the same history. */
export function stillHolds(context: StoreContext, name: string, { run, frames, link }: CutPart): boolean {
  if (!runNames(context).includes(name)) return false;
  const record = readRun(context, name);
  if (record.id !== run) return false;
  try {
    mustHold(context, record, { frames, link });
    return true;
  } catch (error) {
    if (error instanceof StillpointError && error.code === 'E_CHECKPOINT_UNKNOWN') return false;
    throw error;
  }
}

/** Keeps a cut under its name. Throws E_USAGE (not a name, name taken). */
export async function keepCut({ store, digests }: StoreContext, cut: Cut): Promise<void> {
  checkMark(cut);
  const key = cutKey(cut.cluster, cut.name);
  if (await store.commit({ expect: [{ table: 'meta', key, value: undefined }], puts: [{ table: 'meta', key, value: encodeCut(digests, cut) }] }) === 'done') return;
  throw new StillpointError('E_USAGE', `cluster ${cut.cluster} has a checkpoint called ${cut.name} already`, { data: { cluster: cut.cluster } });
}

/** The cuts of a cluster, oldest first. Throws E_STORE_CORRUPT, E_STORE_VERSION. */
export function listCuts({ store, digests }: StoreContext, cluster: string): readonly Cut[] {
  const prefix = `cut ${cluster} `;
  const found = [...store.range('meta', { from: encode(prefix), to: encode(`cut ${cluster}!`) })];
  return found.map(({ key, value }) => decodeCut(digests, { cluster, name: new TextDecoder().decode(key).slice(prefix.length) }, value)).sort((a, b) => a.createdMs - b.createdMs);
}

/** Throws E_CHECKPOINT_UNKNOWN, E_STORE_CORRUPT, E_STORE_VERSION. */
export function readCut({ store, digests }: StoreContext, cluster: string, name: string): Cut {
  const bytes = name.length > NAME_MAX ? undefined : store.get('meta', cutKey(cluster, name));
  if (bytes === undefined) throw new StillpointError('E_CHECKPOINT_UNKNOWN', `cluster ${cluster} has no checkpoint called ${JSON.stringify(name.slice(0, 80))}; stillpoint checkpoints ${cluster} lists them`, { data: { cluster } });
  return decodeCut(digests, { cluster, name }, bytes);
}

export function cutDelete({ cluster, name }: Pick<Cut, 'cluster' | 'name'>): StoreDelete {
  return { table: 'meta', key: cutKey(cluster, name) };
}

/** Whether a word of `meta` is a cut. Throws when it is one that cannot be read. */
export function inspectCutWord({ digests }: StoreContext, key: string, value: Uint8Array): boolean {
  const [, cluster, name] = /^cut ([^ ]+) ([^ ]+)$/.exec(key) ?? [];
  if (cluster === undefined || name === undefined) return false;
  decodeCut(digests, { cluster, name }, value);
  return true;
}

export function encodeCut(digests: StoreContext['digests'], { cluster, name, note, createdMs, parts }: Cut): Uint8Array {
  return encodeRecord(digests, KIND, { cluster, name, note: note ?? '', createdMs, parts: canonicalMap(parts, ({ run, frames, link, instructions }) => ({ run, frames, link, instructions })) });
}

export function decodeCut(digests: StoreContext['digests'], at: { readonly cluster: string; readonly name: string }, bytes: Uint8Array): Cut {
  const fields = decodeRecord(digests, KIND, { bytes, subject: { cluster: at.cluster, checkpoint: at.name } });
  if (fields.text('cluster', NAME_MAX) !== at.cluster || fields.text('name', NAME_MAX) !== at.name) throw fields.fail('is the record of another cut');
  const note = fields.text('note', NOTE_MAX);
  const createdMs = fields.count('createdMs');
  const parts = fields.map('parts', PARTS_MAX, (part): CutPart => {
    const run = part.text('run', 32);
    if (!/^[0-9a-f]{32}$/.test(run) || part.count('frames') < 1) throw fields.fail('has a part that no run can have');
    const found = { run: run as RunId, frames: part.count('frames'), link: part.hash('link'), instructions: part.wide('instructions') }; // 32 digits.
    part.end();
    return found;
  });
  fields.end();
  return { ...at, note: note === '' ? undefined : note, createdMs, parts };
}

function cutKey(cluster: string, name: string): Uint8Array {
  return encode(`cut ${cluster} ${name}`);
}

function encode(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}
