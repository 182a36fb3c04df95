/**
 * `import`: a run from a stream that a stranger may have written.
 *
 *   stream ─► each blob, pack, page and node by its own hash ─► store, where nothing refers to them ─► frames, checkpoints, marks, answers under the run's id
 *          ─► check sum of the whole ─► chain, inputs, every page under every root ─► one commit: the run is there
 *
 * A run that is here already takes what is new in it (`isUpdate`): content in the same way, the rest is compared and kept until one commit (txn/update.ts).
 * Invariants: no store is made before the stream has begun like an exported run; before that commit nothing is visible; after a failure the rows of the run are gone, and content that nobody needs is a collector's. Memory:
 * one record and one batch, and of an update what is new but for content. What this does NOT do: execute anything; a forged but consistent run is only told from an honest one by replaying it.
 */
import { existsSync } from 'node:fs';
import { open, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { StillpointError, unreachable, type BlobHash, type ErrorCode } from '../core/index.ts';
import { blobKey, type GenesisFrame } from '../journal/index.ts';
import { SnapshotImporter } from '../snapshot/index.ts';
import type { StorePut } from '../store/index.ts';
import { adoptRun, checkRunName, decodeRunRecordOf, discardRows, importedAnswer, mustBeNew, nameOfRun, openJournal, rowOf, underLease, updateRun, type IsAlive, type Owner, type RunRecord, type RunUpdate, type StoreContext, type UpdateRequest } from '../txn/index.ts';
import { decodeBindings } from './bindings-codec.ts';
import { withStore } from './context.ts';
import { decodeBase, readExport, splitNumbered, type ExportKind, type ExportRecord } from './export-format.ts';
import { isAlive, thisOwner } from './host.ts';
import { blobsOfImage, imageOfRun } from './image-store.ts';
import { fromLayout } from './oci-run.ts';
import { standardInput } from './standard-input.ts';

export interface ImportRequest {
  /** An exported file, or the directory of an OCI image layout; `-` is standard input. */
  readonly file: string;
  readonly store?: string | undefined;
  /** Another name than it had. */
  readonly name?: string | undefined;
  /** A run that is here already takes what is new in it. */
  readonly isUpdate?: boolean | undefined;
  readonly onProgress?: ((progress: { readonly bytes: number }) => void) | undefined;
}
export interface ImportResult {
  readonly name: string;
  readonly id: string;
  readonly bytes: number;
  readonly frames: number;
  readonly checkpoint: number | undefined;
  /** Of a run that was here: what came to it. */
  readonly added?: { readonly frames: number; readonly checkpoints: number; readonly marks: number };
}

type HistoryKind = 'frame' | 'checkpoint' | 'mark' | 'answer';
const isOfHistory = (kind: ExportKind): kind is HistoryKind => kind === 'frame' || kind === 'checkpoint' || kind === 'mark' || kind === 'answer';

/** Stored in one commit: bounded memory, few syncs. */
const BATCH_BYTES = 8 * 1024 * 1024;
const PAUSE_MS = 25;

/** Throws E_EXPORT_*, with the file in the words; E_RUN_EXISTS, E_RUN_DIVERGED, E_HOST_FILE, damage. */
export async function importRun(request: ImportRequest): Promise<ImportResult> {
  if (request.name !== undefined) checkRunName(request.name);
  try {
    return await importFrom(request);
  } catch (error) {
    if (!(error instanceof StillpointError) || !error.code.startsWith('E_EXPORT_') || error.message.startsWith(request.file)) throw error;
    throw new StillpointError(error.code, `${request.file === '-' ? 'standard input' : request.file}: ${error.message}`, { data: error.data, cause: error });
  }
}

async function importFrom(request: ImportRequest): Promise<ImportResult> {
  if (request.file === '-') return importInto(request, standardInput());
  if (await readable(request.file, async () => (await stat(request.file)).isDirectory())) {
    if (!existsSync(join(request.file, 'index.json'))) throw new StillpointError('E_EXPORT_FORMAT', `${request.file} is a directory without an index.json, so no OCI image layout`);
    return readable(request.file, () => importInto(request, fromLayout(request.file)));
  }
  const handle = await readable(request.file, () => open(request.file, 'r'));
  try {
    return await readable(request.file, () => importInto(request, handle.createReadStream({ highWaterMark: 1024 * 1024, autoClose: false })));
  } finally {
    await handle.close();
  }
}

/** What does not begin like an exported run makes no store. */
function importInto(request: ImportRequest, source: AsyncIterable<Uint8Array>): Promise<ImportResult> {
  return readingRecords(source, (first, records) => withStore(request.store, 'create', (context) => importRecords(context, { first, records, options: request })));
}

/** Trouble of the host with the file as an error of ours. */
async function readable<Result>(file: string, work: () => Promise<Result>): Promise<Result> {
  try {
    return await work();
  } catch (cause) {
    if (cause instanceof StillpointError || !(cause instanceof Error) || !('syscall' in cause)) throw cause;
    throw new StillpointError('E_HOST_FILE', `${file} cannot be read: ${cause.message}`, { cause });
  }
}

/** The same from any stream into a store that is open. */
export async function importStream(context: StoreContext, source: AsyncIterable<Uint8Array>, options: StreamOptions): Promise<ImportResult> {
  return readingRecords(source, (first, records) => importRecords(context, { first, records, options }));
}

/** Gives `use` the record that an exported run begins with, and those behind it. */
async function readingRecords(source: AsyncIterable<Uint8Array>, use: (first: Uint8Array, records: AsyncGenerator<ExportRecord>) => Promise<ImportResult>): Promise<ImportResult> {
  const records = readExport(source);
  try {
    const first = await records.next();
    if (first.done === true || first.value.kind !== 'run') throw new StillpointError('E_EXPORT_FORMAT', 'this is no exported run of Stillpoint: it does not begin with a run');
    return await use(first.value.payload, records);
  } finally {
    await records.return(undefined); // What is refused early leaves nothing open.
  }
}

type StreamOptions = Pick<ImportRequest, 'name' | 'isUpdate' | 'onProgress'> & { readonly as?: { readonly owner: Owner; readonly isAlive: IsAlive } };

async function importRecords(context: StoreContext, { first, records, options }: { readonly first: Uint8Array; readonly records: AsyncGenerator<ExportRecord>; readonly options: StreamOptions }): Promise<ImportResult> {
  const exported = decodeRunRecordOf(context.digests, first);
  const record: RunRecord = { ...exported, name: options.name ?? exported.name };
  decodeBindings(record.bindings, record.name);
  const isToUpdate = (): boolean => options.isUpdate === true && nameOfRun(context, record.id) !== undefined;
  if (!isToUpdate()) mustBeNew(context, record);
  const pause = (): Promise<void> => sleep(PAUSE_MS);
  const by = options.as ?? { owner: thisOwner(), isAlive };
  // Another import may have ended before this one had the lease: looked at again.
  return underLease(context, { id: record.id, pause, isAlone: true, ...by }, () => (isToUpdate() ? update(context, { record, records, options, by }) : take(context, { record, records, options })));
}

interface TakeParts { readonly record: RunRecord; readonly records: AsyncGenerator<ExportRecord>; readonly options: StreamOptions }

/** A run that is new here. */
async function take(context: StoreContext, { record, records, options: { onProgress } }: TakeParts): Promise<ImportResult> {
  mustBeNew(context, record);
  await discardRows(context, record); // Of an import of the same run that was killed: it may have had other checkpoints.
  const intake = new Intake(context, record, onProgress);
  try {
    for await (const { kind, payload } of records) await intake.take(kind, payload);
    await intake.flush();
  } catch (error) {
    if (error instanceof StillpointError) await discardRows(context, record);
    throw error;
  }
  const adopted = await adoptRun(context, { record, blobsOfRun: blobsOfRun(context) });
  return { name: adopted.name, id: adopted.id, bytes: intake.bytes, frames: openJournal(context, adopted).tail.count, checkpoint: adopted.lastCheckpoint };
}

/** One that is here takes what is new. */
async function update(context: StoreContext, { record, records, options: { name: wanted, onProgress }, by }: TakeParts & { readonly by: Pick<UpdateRequest, 'owner' | 'isAlive'> }): Promise<ImportResult> {
  const name = nameOfRun(context, record.id) ?? record.name;
  if (wanted !== undefined && wanted !== name) throw new StillpointError('E_RUN_EXISTS', `the store holds this very run as ${name}; leave --name out to update it there`, { data: { run: name } });
  const second = await records.next();
  const base = second.done !== true && second.value.kind === 'base' ? decodeBase(second.value.payload) : undefined;
  let bytes = 0;
  const { record: after, ...added } = await updateRun(context, name, {
    there: record, base, ...by, blobsOfRun: blobsOfRun(context),
    bring: async (rows) => {
      const intake = new Intake(context, record, onProgress, rows);
      if (second.done !== true && base === undefined) await intake.take(second.value.kind, second.value.payload);
      for await (const { kind, payload } of records) await intake.take(kind, payload);
      await intake.flush();
      bytes = intake.bytes;
    },
  });
  return { name, id: after.id, bytes, frames: after.tail.count, checkpoint: after.lastCheckpoint, added };
}

const blobsOfRun = (context: StoreContext) => (genesis: GenesisFrame): Iterable<BlobHash> => {
  const image = imageOfRun(genesis);
  return image === undefined ? [] : blobsOfImage(context, image);
};

/** Checks records one by one and stores them; what makes a run that is here newer goes to `update`. */
class Intake {
  readonly #context: StoreContext;
  readonly #record: RunRecord;
  readonly #onProgress: ImportRequest['onProgress'];
  readonly #snapshots: SnapshotImporter;
  readonly #update: RunUpdate | undefined;
  #puts: StorePut[] = [];
  #putBytes = 0;
  #frames = 0;
  bytes = 0;

  constructor(context: StoreContext, record: RunRecord, onProgress: ImportRequest['onProgress'], update?: RunUpdate) {
    this.#context = context;
    this.#record = record;
    this.#onProgress = onProgress;
    this.#snapshots = new SnapshotImporter(context.store, context.digests);
    this.#update = update;
  }

  async take(kind: Exclude<ExportKind, 'end'>, payload: Uint8Array): Promise<void> {
    this.bytes += payload.length;
    const update = this.#update;
    if (update === undefined || !isOfHistory(kind)) this.#puts.push(...this.#putsOf(kind, payload));
    else this.#bring(update, kind, payload);
    this.#putBytes += payload.length;
    this.#onProgress?.({ bytes: this.bytes });
    if (this.#putBytes >= BATCH_BYTES) await this.flush();
  }

  async flush(): Promise<void> {
    this.#puts.push(...this.#snapshots.finish());
    if (this.#puts.length > 0) await this.#context.store.commit({ puts: this.#puts });
    this.#puts = [];
    this.#putBytes = 0;
  }

  #bring(update: RunUpdate, kind: HistoryKind, payload: Uint8Array): void {
    switch (kind) {
      case 'frame': return update.frame(payload);
      case 'checkpoint': return update.checkpoint(this.#numbered('checkpoints', payload));
      case 'mark': return update.mark(this.#numbered('marks', payload));
      case 'answer': return update.answer(payload);
      default: return unreachable(kind);
    }
  }

  #putsOf(kind: Exclude<ExportKind, 'end'>, payload: Uint8Array): readonly StorePut[] {
    switch (kind) {
      case 'run': throw new StillpointError('E_EXPORT_FORMAT', 'this is no exported run of Stillpoint: it holds two runs');
      case 'base': throw new StillpointError('E_EXPORT_BASE', `the file holds only what is new behind frame ${decodeBase(payload).frames} of run ${this.#record.name}, which this store does not have; export it without --have, or with --have of what is here`, { data: { run: this.#record.name } });
      case 'blob': return [{ table: 'blobs', key: blobKey(this.#context.digests.sha256(payload)), value: payload }];
      case 'pack': return this.#checked('E_PAGE_DAMAGED', this.#snapshots.pack(payload), 'a pack of pages');
      case 'node': return this.#checked('E_SNAPSHOT_FORMAT', this.#snapshots.node(payload), 'a tree node');
      case 'frame': return [rowOf(this.#record, 'frames', this.#within('frames', { index: this.#frames++, value: payload }, this.#record.tail.count))];
      case 'checkpoint': return [rowOf(this.#record, 'checkpoints', this.#numbered('checkpoints', payload))];
      case 'answer': return [importedAnswer(this.#context, this.#record, payload)];
      case 'mark': return [rowOf(this.#record, 'marks', this.#numbered('marks', payload))];
      default: return unreachable(kind);
    }
  }

  #numbered(table: 'checkpoints' | 'marks', payload: Uint8Array): ReturnType<typeof splitNumbered> {
    return this.#within(table, splitNumbered(payload), (this.#record.lastCheckpoint ?? 0) + 1);
  }

  /** What lies behind the end of the run would be looked at by nobody, and be damage in this store. */
  #within(table: 'frames' | 'checkpoints' | 'marks', row: ReturnType<typeof splitNumbered>, end: number): ReturnType<typeof splitNumbered> {
    if (row.index >= end) throw new StillpointError('E_EXPORT_FORMAT', `this is no exported run of Stillpoint: it has ${table} behind the end of the run`);
    return row;
  }

  #checked(code: ErrorCode, puts: readonly StorePut[] | undefined, what: string): readonly StorePut[] {
    if (puts === undefined) throw new StillpointError(code, `${what} in the exported run is damaged; export or copy it again`);
    return puts;
  }
}
