/**
 * Names and notes that people give to checkpoints (table `marks`, keyed like checkpoints). docs/formats/run.md is the page.
 * Invariants: a name is unique in its run and never looks like a number; a mark exists only beside its checkpoint. A mark that nobody may give is a damaged one: it came with a forged run.
 * What this does NOT do: touch the run record: marks can be set while a machine is being executed.
 */
import { StillpointError, type Digests } from '../core/index.ts';
import { allEntriesRange, entryIndexOfKey, entryKey, type RunId } from '../journal/index.ts';
import type { StoreContext } from './ownership.ts';
import { decodeRecord, encodeRecord, type RecordKind } from './record.ts';
import type { RunRecord } from './run-record.ts';

export interface Mark { readonly name: string | undefined; readonly note: string | undefined }

const KIND: RecordKind = { format: 'stillpoint-mark', version: 1, damaged: 'E_STORE_CORRUPT' };
const NAME_PATTERN = /^[a-zA-Z][a-zA-Z0-9._-]{0,63}$/;
const NOTE_MAX = 1024; // One line for humans.

export function encodeMark(digests: Digests, at: { readonly run: RunId; readonly number: number }, { name, note }: Mark): Uint8Array {
  return encodeRecord(digests, KIND, { run: at.run, number: at.number, name: name ?? '', note: note ?? '' });
}

/** Throws E_STORE_CORRUPT, E_STORE_VERSION. */
export function decodeMark(digests: Digests, at: { readonly run: RunId; readonly number: number }, bytes: Uint8Array): Mark {
  const fields = decodeRecord(digests, KIND, { bytes, subject: { run: at.run, checkpoint: at.number } });
  if (fields.text('run', 32) !== at.run || fields.count('number') !== at.number) throw fields.fail('is the mark of another checkpoint');
  const [name, note] = [fields.text('name', 64), fields.text('note', NOTE_MAX)];
  fields.end();
  if (name !== '' && !NAME_PATTERN.test(name)) throw fields.fail('has a name that nobody may give');
  if (!isLine(note)) throw fields.fail('has a note that is not one line');
  return { name: name === '' ? undefined : name, note: note === '' ? undefined : note };
}

/** The marks of a run by checkpoint number. */
export function listMarks({ store, digests }: StoreContext, run: RunId): ReadonlyMap<number, Mark> {
  const marks = new Map<number, Mark>();
  for (const { key, value } of store.range('marks', allEntriesRange(run))) {
    const number = entryIndexOfKey(key) ?? 0;
    marks.set(number, decodeMark(digests, { run, number }, value));
  }
  return marks;
}

/** The marks whose name an earlier checkpoint of the run has: only forged ones. `marks`: in the order of their numbers. */
export function namesGivenTwice(marks: ReadonlyMap<number, Mark>): readonly { readonly name: string; readonly number: number; readonly first: number }[] {
  const numbers = new Map<string, number>();
  return [...marks].flatMap(([number, { name }]) => {
    const first = name === undefined ? undefined : numbers.get(name);
    if (name !== undefined && first === undefined) numbers.set(name, number);
    return name === undefined || first === undefined ? [] : [{ name, number, first }];
  });
}

/**
 * Gives a checkpoint a name, a note or both; what is undefined stays. Throws E_USAGE (not a name, name taken), E_CHECKPOINT_UNKNOWN when the checkpoint
 * went away meanwhile.
 */
export async function markCheckpoint(context: StoreContext, record: RunRecord, { number, mark }: { readonly number: number; readonly mark: Mark }): Promise<Mark> {
  const { store, digests } = context;
  checkMark(mark);
  const marks = listMarks(context, record.id);
  for (const [other, { name }] of marks) {
    if (name !== undefined && name === mark.name && other !== number) throw new StillpointError('E_USAGE', `checkpoint ${other} of run ${record.name} has the name ${name} already`, { data: { run: record.name, checkpoint: other } });
  }
  const before = marks.get(number);
  const next: Mark = { name: mark.name ?? before?.name, note: mark.note ?? before?.note };
  const key = entryKey(record.id, number);
  const checkpoint = store.get('checkpoints', key);
  const expect = [{ table: 'checkpoints', key, value: checkpoint } as const, { table: 'marks', key, value: before === undefined ? undefined : encodeMark(digests, { run: record.id, number }, before) } as const];
  const answer = checkpoint === undefined ? 'conflict' : await store.commit({ expect, puts: [{ table: 'marks', key, value: encodeMark(digests, { run: record.id, number }, next) }] });
  if (answer === 'done') return next;
  throw new StillpointError('E_CHECKPOINT_UNKNOWN', `checkpoint ${number} of run ${record.name} is gone or was marked by somebody else just now; look again`, { data: { run: record.name, checkpoint: number } });
}

/** Throws E_USAGE for a name or note that nobody may give. */
export function checkMark({ name, note }: Mark): void {
  if (name !== undefined && !NAME_PATTERN.test(name)) throw new StillpointError('E_USAGE', `${JSON.stringify(name.slice(0, 80))} is not a name of a checkpoint: use 1 to 64 of a-z A-Z 0-9 . _ - and start with a letter`);
  if (note !== undefined && (note.length > NOTE_MAX || !isLine(note))) throw new StillpointError('E_USAGE', `a note is one line of at most ${NOTE_MAX} characters`);
}

function isLine(note: string): boolean {
  return !/\p{Cc}|\p{Surrogate}/u.test(note);
}
