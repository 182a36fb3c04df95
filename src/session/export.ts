/**
 * `export`: a run, or a run up to one checkpoint, as one stream with everything that it needs.
 *
 *   run record ─ blobs ─ packs of pages ─ nodes ─ frames ─ checkpoints ─ marks ─ answers ─ check sum        what `have` holds already is left out; of this very run frames and checkpoints, too
 *
 * Invariants: every byte was verified by hash when it was read, so damage is exported nowhere; a file appears whole or not at all.
 * What this does NOT do: read the receiver's store: whoever says `have` promises that it is there, and the import looks.
 */
import { createWriteStream, rmSync, statSync } from 'node:fs';
import type { Writable } from 'node:stream';
import { finished } from 'node:stream/promises';
import { StillpointError, type BlobHash, type Digests } from '../core/index.ts';
import { blobKey, encodeFrame, entryKey, JournalReader, type IndexedFrame, type JournalTail } from '../journal/index.ts';
import { exportSnapshots, type Root } from '../snapshot/index.ts';
import { answerRecords, decodeAnswer, encodeMark, encodeRunRecord, listCheckpoints, listMarks, openJournal, readCheckpoint, readRun, recordAt, runNames, type RunRecord, type StoreContext } from '../txn/index.ts';
import { withStore } from './context.ts';
import { encodeBase, EXPORT_VERSION, EXPORT_VERSION_ANSWERS, EXPORT_VERSION_PLAIN, ExportWriter, numbered } from './export-format.ts';
import { blobsOfImage, imageOfRun } from './image-store.ts';
import { toLayout, type OciAnnotations } from './oci-run.ts';
import { parseReference, resolveCheckpoint } from './run-reference.ts';
import { asideOf, finish, followed, hostTrouble } from './whole-file.ts';

export interface ExportRequest {
  /** RUN, or RUN@CHECKPOINT: the history up to there and the state of that checkpoint alone. */
  readonly run: string;
  /** `-` is standard output. */
  readonly file: string;
  /** `file` becomes an OCI image layout: a directory that registries' tools carry. */
  readonly isOci?: boolean | undefined;
  readonly store?: string | undefined;
  /** RUN or RUN@CHECKPOINT of this store that the receiver has. */
  readonly have: readonly string[];
  readonly onProgress?: ((progress: { readonly bytes: number }) => void) | undefined;
}
export interface ExportResult { readonly run: string; readonly bytes: number; readonly pages: number; readonly nodes: number; readonly frames: number; readonly checkpoints: number }

export async function exportRun(request: ExportRequest): Promise<ExportResult> {
  return withStore(request.store, 'read-only', async (context) => {
    // Looked at before a file is made.
    select(context, request.run);
    if (request.isOci === true && request.file === '-') throw new StillpointError('E_USAGE', 'an OCI image layout is a directory, which standard output cannot be; name one that is not there yet');
    if (request.isOci !== true) return toFile(request.file, (write) => exportStream(context, request, write));
    return toLayout(request.file, async (write) => ({ result: await exportStream(context, request, write), annotations: annotationsOf(select(context, request.run)) }));
  });
}

/** The same into any stream. */
export async function exportStream(context: StoreContext, request: Pick<ExportRequest, 'run' | 'have' | 'onProgress'>, write: (bytes: Uint8Array) => Promise<void>): Promise<ExportResult> {
  const selected = select(context, request.run);
  const have = request.have.map((text) => select(context, text));
  try {
    return await writeRun(context, { selected, have, write, onProgress: request.onProgress });
  } catch (error) {
    // What is read is held by nobody: an export may take hours, and LMDB could use no page again meanwhile.
    if (error instanceof StillpointError) for (const each of [selected, ...have]) mustBeThere(context, each, error);
    throw error;
  }
}

/** Throws E_RUN_UNKNOWN, E_CHECKPOINT_UNKNOWN when a run, or a checkpoint of it, went away since it was selected. */
function mustBeThere(context: StoreContext, { record, checkpoints }: Selected, cause: StillpointError): void {
  const { name } = record;
  if (!runNames(context).includes(name) || readRun(context, name).id !== record.id) throw new StillpointError('E_RUN_UNKNOWN', `run ${name} was removed while it was exported`, { cause, data: { run: name } });
  const now = readRun(context, name);
  const there = new Map(listCheckpoints(context, now).map(({ number, root }) => [number, root]));
  const gone = checkpoints.find(({ number, root }) => there.get(number) !== root)?.number;
  if (gone !== undefined) throw new StillpointError('E_CHECKPOINT_UNKNOWN', `checkpoint ${gone} of run ${name} was dropped while it was exported; export what is there now`, { cause, data: { run: name, checkpoint: gone } });
  if (now.tail.count < record.tail.count) throw new StillpointError('E_CHECKPOINT_UNKNOWN', `run ${name} was rolled back while it was exported; export what is there now`, { cause, data: { run: name } });
}

interface Selected { readonly record: RunRecord; readonly checkpoints: readonly { readonly number: number; readonly root: Root; readonly tail: JournalTail }[] }

function select(context: StoreContext, text: string): Selected {
  const reference = parseReference(text);
  const record = readRun(context, reference.name);
  if (reference.checkpoint === undefined) return { record, checkpoints: listCheckpoints(context, record) };
  const number = resolveCheckpoint(context, record, reference.checkpoint);
  const checkpoint = number === 0 ? undefined : readCheckpoint(context, record, number);
  return { record: recordAt(context, record, checkpoint), checkpoints: checkpoint === undefined ? [] : [checkpoint] };
}

/** The reference name is what registries' tools show and tag; the rest says what would be there after an import. */
function annotationsOf({ record, checkpoints }: Selected): OciAnnotations {
  const last = checkpoints.at(-1);
  return {
    'org.opencontainers.image.ref.name': record.name, 'org.opencontainers.image.title': `${record.name}.stillpoint`, 'dev.stillpoint.run.id': record.id, 'dev.stillpoint.run.instructions': String(record.instructions),
    'dev.stillpoint.run.frames': String(record.tail.count), 'dev.stillpoint.run.link': record.tail.link, ...(last === undefined ? {} : { 'dev.stillpoint.checkpoint': String(last.number), 'dev.stillpoint.root': last.root }),
  };
}

interface WriteParts { readonly selected: Selected; readonly have: readonly Selected[]; readonly write: (bytes: Uint8Array) => Promise<void>; readonly onProgress: ExportRequest['onProgress'] }

async function writeRun(context: StoreContext, { selected, have, write, onProgress }: WriteParts): Promise<ExportResult> {
  const { store, digests } = context;
  const { record } = selected;
  const out = new ExportWriter(async (bytes) => {
    await write(bytes);
    onProgress?.({ bytes: out.bytes });
  });
  const base = baseOf(context, selected, have);
  const answers = answerRecords(context, record.id, record.instructions).filter((answer) => base === undefined || decodeAnswer(digests, record.id, answer).at > base.at);
  await out.begin(base !== undefined ? EXPORT_VERSION : answers.length > 0 ? EXPORT_VERSION_ANSWERS : EXPORT_VERSION_PLAIN);
  await out.record('run', encodeRunRecord(digests, record));
  if (base !== undefined) await out.record('base', encodeBase({ frames: base.count, link: base.link }));
  const known = new Set(have.flatMap((other) => [...blobsOf(context, other.record)]));
  for (const hash of new Set(blobsOf(context, record))) if (!known.has(hash)) await out.record('blob', readBlob(context, hash));
  const checkpoints = selected.checkpoints.filter(({ tail }) => tail.count > (base?.count ?? 0));
  const sums = { pages: 0, nodes: 0 };
  const roots = checkpoints.map(({ root }) => root);
  for (const part of exportSnapshots({ store, digests, roots, have: have.flatMap((other) => other.checkpoints.map(({ root }) => root)) })) {
    sums.pages += part.pages;
    sums.nodes += part.kind === 'node' ? 1 : 0;
    await out.record(part.kind, part.value);
  }
  for (const entry of openJournal(context, record).frames(base)) await out.record('frame', storedFrame(context, record, entry));
  for (const { number } of checkpoints) await out.record('checkpoint', numbered(number, store.get('checkpoints', entryKey(record.id, number))!)); // Listed just now.
  const isThere = new Set(selected.checkpoints.map(({ number }) => number));
  for (const [number, mark] of listMarks(context, record.id)) if (isThere.has(number)) await out.record('mark', numbered(number, encodeMark(digests, { run: record.id, number }, mark)));
  for (const answer of answers) await out.record('answer', answer);
  await out.end();
  return { run: record.name, bytes: out.bytes, ...sums, frames: record.tail.count - (base?.count ?? 0), checkpoints: checkpoints.length };
}

/** Where the journal goes on for a receiver that has this very run: the furthest of what it has. */
function baseOf(context: StoreContext, { record }: Selected, have: readonly Selected[]): JournalTail | undefined {
  const counts = have.filter((other) => other.record.id === record.id).map((other) => Math.min(other.record.tail.count, record.tail.count));
  return counts.length === 0 ? undefined : openJournal(context, record).tailAfter(Math.max(...counts));
}

/** The stored value of a verified frame; the frame is encoded again rather than believed. */
function storedFrame({ store }: StoreContext, { id }: RunRecord, { index, frame }: IndexedFrame): Uint8Array {
  const stored = store.get('frames', entryKey(id, index));
  const encoded = encodeFrame(index, frame);
  if (stored === undefined || stored.length !== encoded.length + LINK_BYTES) throw new StillpointError('E_JOURNAL_CUT', `frame ${index} changed while it was exported`);
  return stored;
}

const LINK_BYTES = 32;

/** Programs, large inputs and image parts that a run needs. */
function* blobsOf(context: StoreContext, record: RunRecord): Generator<BlobHash> {
  for (const { frame } of new JournalReader(context, { run: record.id, tail: record.tail }).frames()) {
    if (frame.kind === 'genesis') {
      yield frame.program;
      const image = imageOfRun(frame);
      if (image !== undefined) yield* blobsOfImage(context, image);
    }
    if (frame.kind === 'input' && typeof frame.bytes === 'string') yield frame.bytes;
  }
}

function readBlob({ store, digests }: { readonly store: StoreContext['store']; readonly digests: Digests }, hash: BlobHash): Uint8Array {
  const bytes = store.get('blobs', blobKey(hash));
  if (bytes === undefined) throw new StillpointError('E_BLOB_MISSING', `a program or recorded input (blob ${hash}) is not in the store`, { data: { hash } });
  if (digests.sha256(bytes) !== hash) throw new StillpointError('E_BLOB_DAMAGED', `a program or recorded input (blob ${hash}) does not have the bytes its hash promises`, { data: { hash } });
  return bytes;
}

/** Gives `work` a way to write; the file takes its name when all is written. */
async function toFile<Result>(file: string, work: (write: (bytes: Uint8Array) => Promise<void>) => Promise<Result>): Promise<Result> {
  if (file === '-') return work((bytes) => writeAll(process.stdout, bytes));
  const there = statSync(file, { throwIfNoEntry: false });
  if (there?.isDirectory() === true) throw new StillpointError('E_HOST_FILE', `${file} is a directory; name a file, or say --oci and a directory that is not there yet`);
  const isPlain = there === undefined || there.isFile();
  const place = followed(file);
  const aside = isPlain ? asideOf(place) : file; // Pipes and devices take the stream as it comes.
  const stream = createWriteStream(aside, isPlain ? { flags: 'wx', flush: true } : { flags: 'a' });
  let failure: unknown;
  stream.on('error', (cause) => { failure ??= cause; });
  try {
    const result = await work(async (bytes) => {
      if (failure !== undefined) throw failure;
      await writeAll(stream, bytes);
    });
    stream.end();
    await finished(stream);
    if (isPlain) finish(aside, place);
    return result;
  } catch (cause) {
    stream.destroy();
    if (isPlain) rmSync(aside, { force: true });
    throw hostTrouble(`${file} cannot be written`, cause);
  }
}

/** Resolves when the stream has taken the bytes. */
export async function writeAll(stream: Writable, bytes: Uint8Array): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    stream.write(bytes, (error) => (error === null || error === undefined ? resolve() : reject(error)));
  });
}
