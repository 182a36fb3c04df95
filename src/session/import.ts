/**
 * `import`: a run from a stream that a stranger may have written.
 *
 *   stream ─► each blob, pack, page and node by its own hash ─► store, where nothing refers to them ─► frames, checkpoints, marks, answers under the run's id
 *          ─► check sum of the whole ─► chain, inputs, every page under every root ─► one commit: the run is there
 *
 * Invariants: before that commit nothing is visible; after a failure the rows of the run are gone, and content that nobody needs is a collector's. Memory:
 * one record and one batch. What this does NOT do: execute anything; a forged but consistent run is only told from an honest one by replaying it.
 */
import { open, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { StillpointError, type ErrorCode } from '../core/index.ts';
import { blobKey } from '../journal/index.ts';
import { SnapshotImporter } from '../snapshot/index.ts';
import type { StorePut } from '../store/index.ts';
import { adoptRun, checkRunName, decodeRunRecordOf, discardRows, importedAnswer, mustBeNew, openJournal, rowOf, underLease, type IsAlive, type Owner, type RunRecord, type StoreContext } from '../txn/index.ts';
import { decodeBindings } from './bindings-codec.ts';
import { withStore } from './context.ts';
import { readExport, splitNumbered, type ExportKind, type ExportRecord } from './export-format.ts';
import { isAlive, thisOwner } from './host.ts';
import { blobsOfImage, imageOfRun } from './image-store.ts';
import { fromLayout } from './oci-run.ts';

export interface ImportRequest {
  /** An exported file, or the directory of an OCI image layout; `-` is standard input. */
  readonly file: string;
  readonly store?: string | undefined;
  /** Another name than it had. */
  readonly name?: string | undefined;
  readonly onProgress?: ((progress: { readonly bytes: number }) => void) | undefined;
}
export interface ImportResult { readonly name: string; readonly id: string; readonly bytes: number; readonly frames: number; readonly checkpoint: number | undefined }

/** Stored in one commit: bounded memory, few syncs. */
const BATCH_BYTES = 8 * 1024 * 1024;
const PAUSE_MS = 25;

export async function importRun(request: ImportRequest): Promise<ImportResult> {
  if (request.name !== undefined) checkRunName(request.name);
  if (request.file === '-') return withStore(request.store, 'create', (context) => importStream(context, process.stdin, request));
  if (await readable(request.file, async () => (await stat(request.file)).isDirectory())) {
    await readable(request.file, () => stat(join(request.file, 'index.json'))); // Before a store is made for nothing.
    return withStore(request.store, 'create', (context) => readable(request.file, () => importStream(context, fromLayout(request.file), request)));
  }
  const handle = await readable(request.file, () => open(request.file, 'r')); // Before a store is made for nothing.
  try {
    const source = handle.createReadStream({ highWaterMark: 1024 * 1024, autoClose: false });
    return await withStore(request.store, 'create', (context) => readable(request.file, () => importStream(context, source, request)));
  } finally {
    await handle.close();
  }
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
  const records = readExport(source);
  try {
    return await importRecords(context, records, options);
  } finally {
    await records.return(undefined); // What is refused early leaves nothing open.
  }
}

type StreamOptions = Pick<ImportRequest, 'name' | 'onProgress'> & { readonly as?: { readonly owner: Owner; readonly isAlive: IsAlive } };

async function importRecords(context: StoreContext, records: AsyncGenerator<ExportRecord>, { name, onProgress, as }: StreamOptions): Promise<ImportResult> {
  const first = await records.next();
  if (first.done === true || first.value.kind !== 'run') throw new StillpointError('E_EXPORT_FORMAT', 'this is no exported run of Stillpoint: it does not begin with a run');
  const exported = decodeRunRecordOf(context.digests, first.value.payload);
  const record: RunRecord = { ...exported, name: name ?? exported.name };
  decodeBindings(record.bindings, record.name);
  mustBeNew(context, record);
  const pause = (): Promise<void> => sleep(PAUSE_MS);
  const by = as ?? { owner: thisOwner(), isAlive };
  return underLease(context, { id: record.id, pause, isAlone: true, ...by }, async () => {
    mustBeNew(context, record); // Another import may have ended before this one had the lease.
    await discardRows(context, record); // Of an import of the same run that was killed: it may have had other checkpoints.
    const intake = new Intake(context, record, onProgress);
    try {
      for await (const { kind, payload } of records) await intake.take(kind, payload);
      await intake.flush();
    } catch (error) {
      if (error instanceof StillpointError) await discardRows(context, record);
      throw error;
    }
    const adopted = await adoptRun(context, { record, blobsOfRun: (genesis) => {
      const image = imageOfRun(genesis);
      return image === undefined ? [] : blobsOfImage(context, image);
    } });
    return { name: adopted.name, id: adopted.id, bytes: intake.bytes, frames: openJournal(context, adopted).tail.count, checkpoint: adopted.lastCheckpoint };
  });
}

/** Checks records one by one and stores them. */
class Intake {
  readonly #context: StoreContext;
  readonly #record: RunRecord;
  readonly #onProgress: ImportRequest['onProgress'];
  readonly #snapshots: SnapshotImporter;
  #puts: StorePut[] = [];
  #putBytes = 0;
  #frames = 0;
  bytes = 0;

  constructor(context: StoreContext, record: RunRecord, onProgress: ImportRequest['onProgress']) {
    this.#context = context;
    this.#record = record;
    this.#onProgress = onProgress;
    this.#snapshots = new SnapshotImporter(context.store, context.digests);
  }

  async take(kind: Exclude<ExportKind, 'end'>, payload: Uint8Array): Promise<void> {
    this.bytes += payload.length;
    this.#puts.push(...this.#putsOf(kind, payload));
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

  #putsOf(kind: Exclude<ExportKind, 'end'>, payload: Uint8Array): readonly StorePut[] {
    switch (kind) {
      case 'run': throw new StillpointError('E_EXPORT_FORMAT', 'this is no exported run of Stillpoint: it holds two runs');
      case 'blob': return [{ table: 'blobs', key: blobKey(this.#context.digests.sha256(payload)), value: payload }];
      case 'pack': return this.#checked('E_PAGE_DAMAGED', this.#snapshots.pack(payload), 'a pack of pages');
      case 'node': return this.#checked('E_SNAPSHOT_FORMAT', this.#snapshots.node(payload), 'a tree node');
      case 'frame': return [this.#row('frames', { index: this.#frames++, value: payload }, this.#record.tail.count)];
      case 'checkpoint': return [this.#row('checkpoints', splitNumbered(payload), (this.#record.lastCheckpoint ?? 0) + 1)];
      case 'answer': return [importedAnswer(this.#context, this.#record, payload)];
      case 'mark': return [this.#row('marks', splitNumbered(payload), (this.#record.lastCheckpoint ?? 0) + 1)];
    }
  }

  /** What lies behind the end of the run would be looked at by nobody, and be damage in this store. */
  #row(table: 'frames' | 'checkpoints' | 'marks', row: ReturnType<typeof splitNumbered>, end: number): StorePut {
    if (row.index >= end) throw new StillpointError('E_EXPORT_FORMAT', `this is no exported run of Stillpoint: it has ${table} behind the end of the run`);
    return rowOf(this.#record, table, row);
  }

  #checked(code: ErrorCode, puts: readonly StorePut[] | undefined, what: string): readonly StorePut[] {
    if (puts === undefined) throw new StillpointError(code, `${what} in the exported run is damaged; export or copy it again`);
    return puts;
  }
}
