/**
 * A run that is here already is brought up to a later state of the same run, as another store has it.
 *
 *   here   0 ── 1 ── … ── l                       there   0 ── 1 ── … ── l ── … ── i        the same links up to l: what comes behind is kept until all of it was looked at
 *                                                         └ or from `base` on
 *
 * Invariants: one commit, all or nothing, under the run's own epoch; the name, the bindings and what else only this store says stay; no frame, checkpoint, mark or answer that is here is
 * replaced. Memory: what is new, up to NEW_BYTES_MAX. What this does NOT do: content (session/import.ts stores it by its hash), read the stranger's file.
 */
import { sameBytes, StillpointError, type BlobHash } from '../core/index.ts';
import { emptyTail, entryKey, followFrame, JournalReader, storedLink, type GenesisFrame, type JournalTail } from '../journal/index.ts';
import { SnapshotChecker } from '../snapshot/index.ts';
import { Overlay, type StorePut } from '../store/index.ts';
import { rowOf, verifyRun } from './adopt.ts';
import { decodeAnswer, importedAnswer } from './answers.ts';
import { decodeMark, listMarks } from './marks.ts';
import { acquire, release, type IsAlive, type Owner, type Ownership, type StoreContext } from './ownership.ts';
import { readPrepared } from './prepared.ts';
import { referencesPut } from './references.ts';
import { encodeRunRecord, nameKey, type RunRecord } from './run-record.ts';
import { readStoredRun, runNames } from './runs.ts';

/** Rows of one update: they are one commit. */
const NEW_BYTES_MAX = 256 * 1024 * 1024;

/** Frames before `frames` are not in an export; the last of them has this link. */
export interface Base { readonly frames: number; readonly link: BlobHash }
export interface UpdateRequest {
  /** The run as it is there. */
  readonly there: RunRecord;
  readonly base: Base | undefined;
  readonly owner: Owner;
  readonly isAlive: IsAlive;
}
export interface Updated { readonly record: RunRecord; readonly frames: number; readonly checkpoints: number; readonly marks: number }

/** Name of a run in this store. */
export function nameOfRun(context: StoreContext, id: RunRecord['id']): string | undefined {
  return runNames(context).find((name) => readStoredRun(context, name).record.id === id);
}

/** Takes the run, has `bring` hand over what the other store has of it, and commits. Throws E_RUN_OWNED, E_TXN_IN_DOUBT, E_EXPORT_BASE, E_RUN_DIVERGED and what is wrong with what comes; then nothing has changed. */
export async function updateRun(context: StoreContext, name: string, request: UpdateRequest & { readonly bring: (update: RunUpdate) => Promise<void>; readonly blobsOfRun: (genesis: GenesisFrame) => Iterable<BlobHash> }): Promise<Updated> {
  const { id } = readStoredRun(context, name).record;
  if (readPrepared(context, id) !== undefined) throw new StillpointError('E_TXN_IN_DOUBT', `run ${name} has a prepared transaction here that waits for its decision; resolve it before the run is updated`, { data: { run: name } });
  const ownership = await acquire(context, { run: id, name, ...request });
  try {
    const stored = readStoredRun(context, name);
    const update = new RunUpdate(context, stored.record, request);
    await request.bring(update);
    return await commitUpdate(context, { update, ownership, before: stored.bytes, blobsOfRun: request.blobsOfRun });
  } catch (error) {
    await release(context.store, ownership);
    throw error;
  }
}

/** What comes of one run, compared with what is here. */
export class RunUpdate {
  readonly #context: StoreContext;
  readonly here: RunRecord;
  readonly there: RunRecord;
  #tail: JournalTail;
  readonly puts: StorePut[] = [];
  #bytes = 0;
  frames = 0;
  checkpoints = 0;
  marks = 0;

  constructor(context: StoreContext, here: RunRecord, { there, base }: Pick<UpdateRequest, 'there' | 'base'>) {
    this.#context = context;
    this.here = here;
    this.there = there;
    this.#tail = base === undefined ? emptyTail(context.digests, here.id) : this.#tailAt(base);
  }

  /** The next frame, as it is stored there. */
  frame(stored: Uint8Array): void {
    const { digests, store } = this.#context;
    const { id, name, tail } = this.here;
    const index = this.#tail.count;
    const next = followFrame(digests, { run: id, tail: this.#tail, stored });
    if (next === undefined) throw new StillpointError('E_JOURNAL_DAMAGED', `frame ${index} of the exported run does not continue its journal; export or copy it again`, { data: { frame: index } });
    if (index >= this.there.tail.count) throw new StillpointError('E_EXPORT_FORMAT', 'this is no exported run of Stillpoint: it has frames behind the end of the run');
    if (index >= tail.count) {
      this.#keep(rowOf(this.here, 'frames', { index, value: stored }));
      this.frames++;
    } else if (storedLink(store.get('frames', entryKey(id, index)) ?? new Uint8Array(0)) !== next.link) throw diverged(name, this.#tail);
    this.#tail = next;
  }

  checkpoint(row: { readonly index: number; readonly value: Uint8Array }): void {
    if (this.#context.store.has('checkpoints', entryKey(this.here.id, row.index))) return;
    this.#keep(rowOf(this.here, 'checkpoints', row));
    this.checkpoints++;
  }

  /** A name or note. What is here stays, and so does a name that another checkpoint has here. */
  mark({ index, value }: { readonly index: number; readonly value: Uint8Array }): void {
    const { store, digests } = this.#context;
    const { name } = decodeMark(digests, { run: this.here.id, number: index }, value);
    const key = entryKey(this.here.id, index);
    const isTaken = name !== undefined && [...listMarks(this.#context, this.here.id).values()].some((mark) => mark.name === name);
    const hasCheckpoint = store.has('checkpoints', key) || this.puts.some((put) => put.table === 'checkpoints' && sameBytes(put.key, key));
    if (!isTaken && hasCheckpoint && !store.has('marks', key)) {
      this.#keep(rowOf(this.here, 'marks', { index, value }));
      this.marks++;
    }
  }

  /** An answer of after what is here; earlier ones are here, or forgotten. */
  answer(bytes: Uint8Array): void {
    const put = importedAnswer(this.#context, this.there, bytes);
    if (decodeAnswer(this.#context.digests, this.here.id, bytes).at > this.here.instructions) this.#keep(put);
  }

  /** The record that the run has after this. Throws E_JOURNAL_CUT when not all frames came. */
  record(): RunRecord {
    const { here, there } = this;
    if (this.#tail.count !== there.tail.count || this.#tail.link !== there.tail.link) throw new StillpointError('E_JOURNAL_CUT', `the exported run ends at frame ${this.#tail.count} of ${there.tail.count}; export or copy it again`);
    const last = Math.max(here.lastCheckpoint ?? 0, there.lastCheckpoint ?? 0);
    const numbers = { numbered: Math.max(here.numbered, there.numbered), lastCheckpoint: last === 0 ? undefined : last };
    const isNewer = this.frames > 0 || (this.#tail.count === here.tail.count && there.instructions > here.instructions);
    if (!isNewer) return { ...here, ...numbers };
    const { outcome, tail, instructions, outputs } = there;
    return { ...here, ...numbers, status: there.status === 'running' ? 'stopped' : there.status, outcome, tail, instructions, outputs };
  }

  #keep(put: StorePut): void {
    this.#bytes += put.value.length;
    if (this.#bytes > NEW_BYTES_MAX) throw new StillpointError('E_USAGE', `the export brings more than ${NEW_BYTES_MAX / 1024 / 1024} MiB of journal and checkpoint records that run ${this.here.name} does not have; export it in steps (RUN@CHECKPOINT)`);
    this.puts.push(put);
  }

  /** Where the export begins, when this journal comes through there. */
  #tailAt({ frames, link }: Base): JournalTail {
    const { id, name, tail } = this.here;
    const data = { run: name, frame: frames };
    if (frames < 1 || frames > tail.count) throw new StillpointError('E_EXPORT_BASE', `the export goes on behind frame ${frames} of run ${name}, which ends at frame ${tail.count} here; export it with --have of an earlier checkpoint, or whole`, { data });
    const here = new JournalReader(this.#context, { run: id, tail }).tailAfter(frames);
    if (here.link !== link) throw diverged(name, undefined);
    return here;
  }
}

/** `same`: the last place that both have, where that is known. */
function diverged(name: string, same: JournalTail | undefined): StillpointError {
  const where = same === undefined ? 'before the place where the export begins' : `behind frame ${same.count} (instruction ${same.at})`;
  return new StillpointError('E_RUN_DIVERGED', `run ${name} has another history here, it parts from the exported one ${where}; keep it with fork ${name} --name OTHER, then rm ${name} and import a whole export`, { data: { run: name, frame: same?.count } });
}

interface CommitParts { readonly update: RunUpdate; readonly ownership: Ownership; readonly before: Uint8Array; readonly blobsOfRun: (genesis: GenesisFrame) => Iterable<BlobHash> }

async function commitUpdate(context: StoreContext, { update, ownership, before, blobsOfRun }: CommitParts): Promise<Updated> {
  const { store, digests } = context;
  const record = update.record();
  const value = encodeRunRecord(digests, record);
  const isSame = update.puts.length === 0 && sameBytes(value, before);
  const rows = isSame ? [] : [...update.puts, { table: 'runs', key: nameKey(record.name), value } as const];
  if (!isSame) {
    const after = { store: await Overlay.over(store, rows), digests };
    const isFresh = (number: number): boolean => !store.has('checkpoints', entryKey(record.id, number));
    verifyRun(after, record, { blobsOfRun, checker: new SnapshotChecker(store, digests), isFresh });
  }
  const expect = [ownership.expectation, { table: 'runs', key: nameKey(record.name), value: before } as const];
  const puts = [...rows, ownership.waiver, ...isSame ? [] : [referencesPut(record, ownership.epoch)]];
  if (await store.commit({ expect, puts }) === 'conflict') throw new StillpointError('E_RUN_OWNED', `run ${record.name} changed while it was updated; try again`, { data: { run: record.name } });
  const { frames, checkpoints, marks } = update;
  return { record, frames, checkpoints, marks };
}
