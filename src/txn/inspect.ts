/**
 * Looks at everything in a store that is not a snapshot record, run by run, and names what cannot be trusted. With src/snapshot/check.ts this is fsck.
 *
 *   runs ─► record, owner, journal with its chain and blobs, checkpoints (record, frame, state), marks        each table ─► keys that belong to no run
 *
 * Invariants: looks on after a finding; changes nothing; beside machines that are executed a run in which something was found is looked at again, so that
 * what changed meanwhile is not called damage. What this does NOT do: repair (repair.ts).
 */
import { StillpointError, type BlobHash, type ErrorCode } from '../core/index.ts';
import { blobKey, entryIndexOfKey, entryKey, entryRange, hexOfBytes, JournalReader, runKey, type RunId } from '../journal/index.ts';
import type { SnapshotChecker } from '../snapshot/index.ts';
import { ALL_KEYS, type Table } from '../store/index.ts';
import { decodeCheckpointRecord } from './checkpoint-record.ts';
import type { CollectOptions } from './collector.ts';
import { inspectCoordinatorWord } from './coordinator-record.ts';
import { inspectClusterRecordWord } from './cluster-record.ts';
import { inspectCutWord } from './cuts.ts';
import { inspectFenceWord } from './fence.ts';
import { inspectForkFilesWord } from './fork-files.ts';
import { inspectImageWord } from './image-records.ts';
import { inspectLossesWord, readLosses } from './losses.ts';
import { decodeMark, encodeMark, namesGivenTwice, type Mark } from './marks.ts';
import { decodeOwnerRecord, type StoreContext } from './ownership.ts';
import { inspectAnswerWord } from './answers.ts';
import { inspectMovesWord } from './output-moves.ts';
import { decodePrepared } from './prepared.ts';
import { recover } from './recovery.ts';
import { decodeRunRecord, type RunRecord } from './run-record.ts';
import { rightPlace, type Misplaced } from './right-place.ts';
import { inspectBackWord } from './rollback-participant.ts';
import { inspectParticipantWord } from './store-participant.ts';

/** The image that a run lies over, told by its genesis frame, and all blobs of an image. */
type Images = CollectOptions['images'];

/** What is wrong, and what a repair can do about it. */
export interface Finding {
  readonly code: ErrorCode;
  readonly says: string;
  /** Name of the run that it hurts. */
  readonly run?: string | undefined;
  /** Of the blob that is damaged or missing. */
  readonly hash?: BlobHash | undefined;
  readonly remedy: Remedy;
}
export type Remedy =
  /** The record goes, with `more` of the same table. */
  | { readonly kind: 'delete'; readonly table: Table; readonly key: Uint8Array; readonly more?: readonly Uint8Array[] }
  /** The record is what it should have been, under its key and no longer under another: nothing is lost. */
  | { readonly kind: 'put'; readonly table: Table; readonly key: Uint8Array; readonly value: Uint8Array; readonly from?: Uint8Array | undefined }
  /** A pack goes, its sound pages stay. */
  | { readonly kind: 'salvage'; readonly key: Uint8Array }
  /** The journal ends before this frame; 0: the run goes. */
  | { readonly kind: 'cut'; readonly name: string; readonly frame: number }
  | { readonly kind: 'drop-checkpoint'; readonly name: string; readonly number: number }
  | { readonly kind: 'own-anew'; readonly run: RunId }
  /** The run can be resumed, but not replayed from its beginning: that is noted, and no finding any more. */
  | { readonly kind: 'note-loss'; readonly run: RunId; readonly hash: BlobHash }
  /** Nothing can be done. */
  | { readonly kind: 'none' };

/** `losses`: what repairs have noted. */
export interface Inspection { readonly findings: readonly Finding[]; readonly losses: readonly string[]; readonly runs: number; readonly frames: number; readonly checkpoints: number }

const RUN_ID_BYTES = 16;
const HASH_BYTES = 32;
const META_KEYS = /^(format|references|collector|lease [0-9a-f]{32}|prepared [0-9a-f]{32})$/;

export interface InspectParts {
  readonly snapshots: SnapshotChecker;
  readonly images: Images;
  /** Called between records. `bytes`: checked since the last call. */
  readonly breathe: (bytes: number) => Promise<void>;
}

export async function inspectStore(context: StoreContext, parts: InspectParts): Promise<Inspection> {
  const findings: Finding[] = [...inspectMeta(context, parts), ...await inspectBlobs(context, parts)];
  const known = new Map<string, RunRecord>();
  const losses: string[] = [];
  const sums = { runs: 0, frames: 0, checkpoints: 0 };
  for (const { key } of [...context.store.range('runs', ALL_KEYS)]) {
    let run = await new RunInspector(context, parts).inspect(key);
    if (run.findings.length > 0) run = await new RunInspector(context, parts).inspect(key); // It may have changed under the first look.
    findings.push(...run.findings);
    losses.push(...run.losses);
    if (run.record !== undefined) known.set(run.record.id, run.record);
    sums.runs++;
    sums.frames += run.record?.tail.count ?? 0;
    sums.checkpoints += run.checkpoints;
  }
  findings.push(...inspectStrays(context, known));
  return { findings, losses, ...sums };
}

function inspectMeta(context: StoreContext, parts: InspectParts): Finding[] {
  const { store, digests } = context;
  const findings: Finding[] = [];
  for (const { key, value } of store.range('meta', ALL_KEYS)) {
    const name = new TextDecoder().decode(key);
    const remedy: Remedy = { kind: 'delete', table: 'meta', key };
    if (/^(cut|cluster|forking) /.test(name)) findings.push(...inspectClusterWord(context, { name, value, remedy }));
    else if (/^(answer|moves|files|lost) /.test(name)) findings.push(...inspectRunWord(context, { name, value, remedy }));
    else if (name.startsWith('image')) findings.push(...inspectImage(context, parts, { name, value, remedy }));
    else if (/^(coordinator |decision |fence |batch|back )/.test(name)) findings.push(...inspectCoordinator(context, { name, value }));
    else if (!META_KEYS.test(name)) findings.push({ code: 'E_STORE_CORRUPT', says: `the table meta has a foreign key of ${key.length} bytes`, remedy });
    else if (name.startsWith('prepared')) findings.push(...troubleOf(() => decodePrepared(digests, name.slice('prepared '.length) as RunId, value), { remedy })); // 32 digits.
    else if (name === 'collector' || name.startsWith('lease')) findings.push(...troubleOf(() => decodeOwnerRecord(digests, '0'.repeat(32) as RunId, value), { remedy })); // 32 digits.
  }
  return findings;
}

function inspectClusterWord(context: StoreContext, { name, value, remedy }: { readonly name: string; readonly value: Uint8Array; readonly remedy: Remedy }): Finding[] {
  return troubleOf(() => {
    if (!inspectCutWord(context, name, value) && !inspectClusterRecordWord(context, name, value)) throw new StillpointError('E_STORE_CORRUPT', `the table meta has a foreign key of ${name.length} characters`);
  }, { remedy });
}

function inspectRunWord(context: StoreContext, { name, value, remedy }: { readonly name: string; readonly value: Uint8Array; readonly remedy: Remedy }): Finding[] {
  return troubleOf(() => {
    if (![inspectAnswerWord, inspectMovesWord, inspectForkFilesWord, inspectLossesWord].some((inspect) => inspect(context, name, value))) throw new StillpointError('E_STORE_CORRUPT', `the table meta has a foreign key of ${name.length} characters`);
  }, { remedy });
}

/** Never deleted: a decision that is gone means abort, and somebody may have committed already. */
function inspectCoordinator(context: StoreContext, { name, value }: { readonly name: string; readonly value: Uint8Array }): Finding[] {
  return troubleOf(() => {
    if (![inspectCoordinatorWord, inspectParticipantWord, inspectFenceWord, inspectBackWord].some((inspect) => inspect(context, name, value))) throw new StillpointError('E_STORE_CORRUPT', `the table meta has a foreign key of ${name.length} characters`);
  }, { remedy: { kind: 'none' } });
}

function inspectImage(context: StoreContext, { images }: InspectParts, { name, value, remedy }: { readonly name: string; readonly value: Uint8Array; readonly remedy: Remedy }): Finding[] {
  return troubleOf(() => {
    const word = inspectImageWord(context, name, value);
    if (word === undefined) throw new StillpointError('E_STORE_CORRUPT', `the table meta has a foreign key of ${name.length} characters`);
    if (word.keeps !== undefined) mustHaveImage(context, images, word.keeps);
  }, { remedy });
}

function mustHaveImage({ store }: StoreContext, images: Images, image: BlobHash): void {
  for (const hash of images.blobs(image)) if (!store.has('blobs', blobKey(hash))) throw new StillpointError('E_BLOB_MISSING', `a part of image ${image} (blob ${hash}) is not in the store`, { data: { hash } });
}

async function inspectBlobs(context: StoreContext, { breathe }: InspectParts): Promise<Finding[]> {
  const { store, digests } = context;
  const findings: Finding[] = [];
  for (const { key, value } of store.range('blobs', ALL_KEYS)) {
    await breathe(value.length);
    if (key.length === HASH_BYTES && digests.sha256(value) === hexOfBytes(key)) continue;
    const hash = key.length === HASH_BYTES ? hexOfBytes(key) as BlobHash : undefined; // 32 bytes in hexadecimal.
    const says = `a program or recorded input (blob ${hexOfBytes(key.subarray(0, HASH_BYTES))}) does not have the bytes its hash promises`;
    findings.push(misplaced(context, new Map(), { table: 'blobs', key, value }) ?? { code: 'E_BLOB_DAMAGED', hash, says, remedy: { kind: 'delete', table: 'blobs', key } });
  }
  return findings;
}

/** The finding about a record that has its key damaged, and only that. */
function misplaced(context: StoreContext, known: ReadonlyMap<string, RunRecord>, record: Misplaced): Finding | undefined {
  const { table, key: from, value } = record;
  const key = rightPlace(context, known, record);
  if (key === undefined) return undefined;
  const whose = table === 'runs' ? `run ${new TextDecoder().decode(key)} has its record` : `the table ${table} has a record, which belongs under ${hexOfBytes(key)},`;
  return { code: 'E_STORE_CORRUPT', says: `${whose} under the key ${hexOfBytes(from)}`, remedy: { kind: 'put', table, key, value, from } };
}

/** The finding of an action that throws an error of ours. */
function troubleOf(action: () => unknown, about: { readonly run?: string | undefined; readonly remedy: Remedy }): Finding[] {
  try {
    action();
    return [];
  } catch (error) {
    if (!(error instanceof StillpointError)) throw error;
    const hash = typeof error.data['hash'] === 'string' ? error.data['hash'] as BlobHash : undefined; // Errors about content name it so.
    return [{ code: error.code, says: error.message, hash, ...about }];
  }
}

class RunInspector {
  readonly #context: StoreContext;
  readonly #parts: InspectParts;
  readonly #findings: Finding[] = [];
  readonly #losses: string[] = [];
  #checkpoints = 0;

  constructor(context: StoreContext, parts: InspectParts) {
    this.#context = context;
    this.#parts = parts;
  }

  async inspect(key: Uint8Array): Promise<{ readonly findings: readonly Finding[]; readonly losses: readonly string[]; readonly record: RunRecord | undefined; readonly checkpoints: number }> {
    const { store, digests } = this.#context;
    const bytes = store.get('runs', key);
    const name = new TextDecoder().decode(key);
    let record: RunRecord | undefined;
    if (bytes !== undefined) {
      const found = troubleOf(() => { record = decodeRunRecord(digests, name, bytes); }, { run: name, remedy: { kind: 'delete', table: 'runs', key } });
      if (found.length > 0) this.#findings.push(misplaced(this.#context, new Map(), { table: 'runs', key, value: bytes }) ?? found[0]!);
    }
    if (record !== undefined) await this.#inspectRecord(record);
    return { findings: this.#findings, losses: this.#losses, record, checkpoints: this.#checkpoints };
  }

  #try(run: string, remedy: Remedy, action: () => unknown): void {
    this.#findings.push(...troubleOf(action, { run, remedy }));
  }

  async #inspectRecord(record: RunRecord): Promise<void> {
    const { store, digests } = this.#context;
    const { id, name } = record;
    const owner = store.get('owners', runKey(id));
    if (owner === undefined) this.#findings.push({ code: 'E_STORE_CORRUPT', says: `run ${name} has no owner record`, run: name, remedy: { kind: 'own-anew', run: id } });
    else this.#try(name, { kind: 'own-anew', run: id }, () => decodeOwnerRecord(digests, id, owner));
    const sound = await this.#inspectCheckpoints(record);
    await this.#inspectJournal(record, sound);
    this.#inspectMarks(record);
  }

  /** Journal lengths of the checkpoints whose records and states are sound. */
  async #inspectCheckpoints(record: RunRecord): Promise<readonly number[]> {
    const { store, digests } = this.#context;
    const { id, name } = record;
    const sound: number[] = [];
    let isLastThere = record.lastCheckpoint === undefined;
    for (const { key, value } of [...store.range('checkpoints', { from: runKey(id), to: entriesEnd(id) })]) {
      const number = entryIndexOfKey(key);
      this.#checkpoints++;
      await this.#parts.breathe(value.length);
      if (number === undefined || number < 1 || number > (record.lastCheckpoint ?? 0)) {
        this.#findings.push(this.#misplaced(record, { table: 'checkpoints', key, value }) ?? { code: 'E_SNAPSHOT_FORMAT', says: `run ${name} has a checkpoint record that its run record knows nothing of`, run: name, remedy: { kind: 'delete', table: 'checkpoints', key } });
        continue;
      }
      isLastThere ||= number === record.lastCheckpoint;
      const found = troubleOf(() => {
        const checkpoint = decodeCheckpointRecord(digests, { run: id, number }, value);
        const trouble = this.#parts.snapshots.rootTrouble(checkpoint.root);
        if (trouble !== undefined) throw new StillpointError(trouble.code, `checkpoint ${number} of run ${name}: ${trouble.message}`);
        sound.push(checkpoint.tail.count);
      }, { run: name, remedy: { kind: 'drop-checkpoint', name, number } });
      if (found.length === 0) this.#tryFrameOf(record, number);
      else this.#findings.push(this.#misplaced(record, { table: 'checkpoints', key, value }) ?? found[0]!);
    }
    if (!isLastThere) this.#findings.push({ code: 'E_SNAPSHOT_FORMAT', says: `checkpoint ${record.lastCheckpoint} of run ${name} is not in the store`, run: name, remedy: { kind: 'drop-checkpoint', name, number: record.lastCheckpoint! } });
    return sound;
  }

  /** The journal has this very checkpoint. Damage of the journal itself is found, and named better, when it is read. */
  #tryFrameOf(record: RunRecord, number: number): void {
    try {
      const { journal, checkpoint } = recover(this.#context, record, { checkpoint: number });
      const { count, link } = checkpoint!.tail; // Asked for by number.
      if (journal.tailAfter(count).link !== link) throw new StillpointError('E_SNAPSHOT_FORMAT', `checkpoint ${number} of run ${record.name} belongs to another journal`);
    } catch (error) {
      if (!(error instanceof StillpointError)) throw error;
      const isOfRecord = error.code === 'E_SNAPSHOT_FORMAT' || error.data['checkpoint'] === number; // Also one that ends where this journal never was.
      if (isOfRecord) this.#findings.push({ code: error.code, says: error.message, run: record.name, remedy: { kind: 'drop-checkpoint', name: record.name, number } });
    }
  }

  async #inspectJournal(record: RunRecord, sound: readonly number[]): Promise<void> {
    const { store } = this.#context;
    const { id, name, tail } = record;
    const journal = new JournalReader(this.#context, { run: id, tail });
    const known = this.#known(id);
    let read = 0;
    try {
      for (const { index, frame } of journal.frames()) {
        read = index + 1;
        await this.#parts.breathe(256);
        const isNeeded = !sound.some((count) => count > index);
        if (frame.kind === 'input' && typeof frame.bytes === 'string') this.#content(name, known, { hash: frame.bytes, otherwise: isNeeded ? { kind: 'cut', name, frame: index } : { kind: 'note-loss', run: id, hash: frame.bytes } }, () => void journal.inputBytes(frame));
        const image = frame.kind === 'genesis' ? this.#parts.images.ofRun(frame) : undefined;
        if (image !== undefined) this.#content(name, known, { hash: image, otherwise: { kind: 'note-loss', run: id, hash: image } }, () => mustHaveImage(this.#context, this.#parts.images, image));
        if (frame.kind === 'genesis') this.#content(name, known, { hash: frame.program, otherwise: sound.length === 0 ? { kind: 'cut', name, frame: 0 } : { kind: 'note-loss', run: id, hash: frame.program } }, () => void journal.programBytes(frame.program));
      }
    } catch (error) {
      if (!(error instanceof StillpointError)) throw error;
      const frame = Math.min(read, typeof error.data['frame'] === 'number' ? error.data['frame'] : read);
      this.#findings.push({ code: error.code, says: `run ${name}: ${error.message}`, run: name, remedy: { kind: 'cut', name, frame } });
    }
    const behind = [...store.range('frames', entryRange(id, { from: tail.count, to: 2 ** 32 - 1 }))];
    const [beyond, ...more] = behind.map(({ key }) => key);
    const lost = behind.length === 1 ? this.#misplaced(record, { table: 'frames', key: behind[0]!.key, value: behind[0]!.value }) : undefined;
    if (lost !== undefined) this.#findings.push(lost);
    else if (beyond !== undefined) this.#findings.push({ code: 'E_JOURNAL_FORMAT', says: `run ${name} has ${more.length === 0 ? 'a frame' : `${more.length + 1} frames`} behind the end of its journal (${tail.count} frames)`, run: name, remedy: { kind: 'delete', table: 'frames', key: beyond, more } });
  }

  /** A damaged word is a finding of its own. */
  #known(id: RunId): ReadonlySet<BlobHash> {
    let known: ReadonlySet<BlobHash> = new Set();
    troubleOf(() => { known = readLosses(this.#context, id); }, { remedy: { kind: 'none' } });
    return known;
  }

  /** Content that a run needs. What a repair gave up is said and no finding, unless a journal ends there. */
  #content(name: string, known: ReadonlySet<BlobHash>, { hash, otherwise }: { readonly hash: BlobHash; readonly otherwise: Remedy }, read: () => void): void {
    const found = troubleOf(read, { run: name, remedy: otherwise });
    if (otherwise.kind === 'note-loss' && known.has(hash)) this.#losses.push(...found.map(({ says }) => `run ${name} can be resumed, but not replayed from its beginning, as a repair has said: ${says}`));
    else this.#findings.push(...found);
  }

  #misplaced(record: RunRecord, entry: Misplaced): Finding | undefined {
    return misplaced(this.#context, new Map([[record.id, record]]), entry);
  }

  #inspectMarks(record: RunRecord): void {
    const { id, name } = record;
    const { store, digests } = this.#context;
    const marks = new Map<number, Mark>();
    for (const { key, value } of store.range('marks', { from: runKey(id), to: entriesEnd(id) })) {
      const number = entryIndexOfKey(key) ?? 0;
      const remedy: Remedy = { kind: 'delete', table: 'marks', key };
      const found = troubleOf(() => void marks.set(number, decodeMark(digests, { run: id, number }, value)), { run: name, remedy });
      if (found.length === 0 && !store.has('checkpoints', key)) found.push({ code: 'E_STORE_CORRUPT', says: `run ${name} has a name or note on a checkpoint that is not there`, run: name, remedy });
      if (found.length > 0) this.#findings.push(this.#misplaced(record, { table: 'marks', key, value }) ?? found[0]!);
    }
    for (const twice of namesGivenTwice(marks)) {
      const [key, note] = [entryKey(id, twice.number), marks.get(twice.number)?.note];
      const remedy: Remedy = note === undefined ? { kind: 'delete', table: 'marks', key } : { kind: 'put', table: 'marks', key, value: encodeMark(digests, { run: id, number: twice.number }, { name: undefined, note }) };
      this.#findings.push({ code: 'E_STORE_CORRUPT', says: `checkpoints ${twice.first} and ${twice.number} of run ${name} have the same name, ${twice.name}`, run: name, remedy });
    }
  }
}

/** Just past everything whose key begins with a run's id, however long. */
function entriesEnd(id: RunId): Uint8Array {
  const to = new Uint8Array(RUN_ID_BYTES + 64).fill(255);
  to.set(runKey(id));
  return to;
}

/** An owner without a run record is what is left of a run; frames alone are an import that died, which a collector removes. */
function inspectStrays(context: StoreContext, known: ReadonlyMap<string, RunRecord>): Finding[] {
  const { store } = context;
  const findings: Finding[] = [];
  for (const { key, value } of store.range('owners', ALL_KEYS)) {
    if (!known.has(hexOfBytes(key))) findings.push(misplaced(context, known, { table: 'owners', key, value }) ?? { code: 'E_STORE_CORRUPT', says: `there is an owner but no run with the id ${hexOfBytes(key.subarray(0, RUN_ID_BYTES))}: its record is lost`, remedy: { kind: 'delete', table: 'owners', key } });
  }
  for (const table of ['frames', 'checkpoints', 'marks'] as const) {
    for (const { key, value } of store.range(table, ALL_KEYS)) {
      if (entryIndexOfKey(key) === undefined) findings.push({ code: 'E_STORE_CORRUPT', says: `the table ${table} has a key of ${key.length} bytes, which none has`, remedy: { kind: 'delete', table, key } });
      else if (!known.has(hexOfBytes(key.subarray(0, RUN_ID_BYTES)))) findings.push(...[misplaced(context, known, { table, key, value })].filter((finding) => finding !== undefined));
    }
  }
  return findings;
}
