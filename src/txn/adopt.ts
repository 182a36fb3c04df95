/**
 * A run that comes from another store: its frames, checkpoints and marks are put where nothing refers to them, looked at as a whole, and only then does
 * the run appear, in one commit.
 * Invariants: nothing of the run is visible before everything that it needs was verified; a failure takes its rows away again. The caller holds a lease
 * on the run's id and has stored blobs and snapshot records, each checked by its own hash.
 * What this does NOT do: read the stranger's file (session/import.ts does).
 */
import { StillpointError, type BlobHash } from '../core/index.ts';
import { allEntriesRange, blobKey, entryKey, JournalReader, runKey, type GenesisFrame } from '../journal/index.ts';
import { SnapshotChecker } from '../snapshot/index.ts';
import type { StoreDelete, StorePut } from '../store/index.ts';
import { answerWords } from './answers.ts';
import { Ownership, type StoreContext } from './ownership.ts';
import { recover } from './recovery.ts';
import { referencesPut } from './references.ts';
import { encodeRunRecord, nameKey, type RunRecord } from './run-record.ts';
import { listCheckpoints, readStoredRun, runNames } from './runs.ts';
import { listMarks, namesGivenTwice } from './marks.ts';

export interface AdoptedRun {
  readonly record: RunRecord;
  /** Blobs that a run of this genesis needs besides program and inputs. Throws when one of them is no good. */
  readonly blobsOfRun: (genesis: GenesisFrame) => Iterable<BlobHash>;
}

/** Rows of the run that its own records are made of, as they came. */
export function rowOf(record: RunRecord, table: 'frames' | 'checkpoints' | 'marks', { index, value }: { readonly index: number; readonly value: Uint8Array }): StorePut {
  return { table, key: entryKey(record.id, index), value };
}

/** Throws E_RUN_EXISTS when the store has the name or the very run. */
export function mustBeNew(context: StoreContext, record: RunRecord): void {
  for (const name of runNames(context)) {
    if (readStoredRun(context, name).record.id === record.id) throw new StillpointError('E_RUN_EXISTS', `the store holds this very run already, as ${name}; import --update takes what is new in it`, { data: { run: name } });
  }
  if (context.store.has('runs', nameKey(record.name))) throw new StillpointError('E_RUN_EXISTS', `the store holds a run named ${record.name} already; choose another name with --name`, { data: { run: record.name } });
}

/** Verifies everything of a run whose rows are in the store, and makes it visible. Throws what is wrong; then its rows are gone again. */
export async function adoptRun(context: StoreContext, { record, blobsOfRun }: AdoptedRun): Promise<RunRecord> {
  const { store, digests } = context;
  const owner = new Ownership(digests, { run: record.id, epoch: 1, owner: { host: '', pid: 0, started: '', token: '' } });
  const whole: RunRecord = { ...record, status: record.status === 'running' ? 'stopped' : record.status };
  try {
    verifyRun(context, whole, { blobsOfRun, checker: new SnapshotChecker(store, digests) });
  } catch (error) {
    if (error instanceof StillpointError) await discardRows(context, record);
    throw error;
  }
  const puts: StorePut[] = [{ table: 'runs', key: nameKey(whole.name), value: encodeRunRecord(digests, whole) }, owner.waiver, referencesPut(whole, 1)];
  const expect = [{ table: 'runs', key: nameKey(whole.name), value: undefined } as const, { table: 'owners', key: runKey(whole.id), value: undefined } as const];
  if (await store.commit({ expect, puts }) === 'done') return whole;
  await discardRows(context, record);
  throw new StillpointError('E_RUN_EXISTS', `a run named ${whole.name} appeared meanwhile; choose another name with --name`, { data: { run: whole.name } });
}

/** Takes the rows of a run that never appeared away. */
export async function discardRows({ store }: StoreContext, { id }: RunRecord): Promise<void> {
  if (store.has('owners', runKey(id))) return; // It is there, by somebody else's hand.
  const deletes: StoreDelete[] = (['frames', 'checkpoints', 'marks'] as const).flatMap((table) => [...store.range(table, allEntriesRange(id))].map(({ key }): StoreDelete => ({ table, key })));
  deletes.push(...answerWords(store, id));
  if (deletes.length > 0) await store.commit({ deletes });
}

export interface VerifyParts extends Pick<AdoptedRun, 'blobsOfRun'> {
  readonly checker: SnapshotChecker;
  /** Checkpoints whose states are looked at; default: all. */
  readonly isFresh?: (number: number) => boolean;
}

/** Looks at the whole of a run: the chain, all content that it needs, every checkpoint. Throws what is wrong. */
export function verifyRun(context: StoreContext, record: RunRecord, { blobsOfRun, checker, isFresh = () => true }: VerifyParts): void {
  const { store } = context;
  const journal = new JournalReader(context, { run: record.id, tail: record.tail });
  journal.verify();
  const genesis = journal.genesis();
  journal.programBytes(genesis.program);
  for (const hash of blobsOfRun(genesis)) if (!store.has('blobs', blobKey(hash))) throw new StillpointError('E_BLOB_MISSING', `a part of the image of run ${record.name} (blob ${hash}) is missing`, { data: { hash } });
  const checkpoints = listCheckpoints(context, record);
  if ((checkpoints.at(-1)?.number ?? 0) !== (record.lastCheckpoint ?? 0)) throw new StillpointError('E_CHECKPOINT_UNKNOWN', `the last checkpoint of run ${record.name} is missing`, { data: { run: record.name } });
  for (const { number, root, tail } of checkpoints) {
    recover(context, record, { checkpoint: number });
    if (journal.tailAfter(tail.count).link !== tail.link) throw new StillpointError('E_SNAPSHOT_FORMAT', `checkpoint ${number} belongs to another journal`);
    const trouble = isFresh(number) ? checker.rootTrouble(root) : undefined;
    if (trouble !== undefined) throw trouble;
  }
  const marks = listMarks(context, record.id);
  const [twice] = namesGivenTwice(marks);
  if (twice !== undefined) throw new StillpointError('E_STORE_CORRUPT', `checkpoints ${twice.first} and ${twice.number} of run ${record.name} have the same name, ${twice.name}`);
  for (const number of marks.keys()) if (!checkpoints.some((checkpoint) => checkpoint.number === number)) throw new StillpointError('E_STORE_CORRUPT', `there is a mark on checkpoint ${number}, which is missing`);
}
