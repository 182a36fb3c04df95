/**
 * What `fsck --repair` does about findings: drops what cannot be trusted, keeps everything else, and says what was lost.
 *
 *   damaged record           deleted (of a pack: its sound pages are packed again)
 *   damaged journal frame    the journal ends before it; checkpoints behind it go; the run can be resumed from the last sound one
 *   damaged checkpoint       dropped; the run is resumed from the one before, through its journal
 *   damaged run record       made again from the journal; host paths are lost, and the name where it is not known whose journal it was
 *
 * Invariants: each remedy is one commit that leaves every other run whole; a repair may be killed and run again. Nobody executes a run meanwhile.
 * What this does NOT do: find (inspect.ts), invent: nothing is guessed from damaged bytes.
 */
import { assert, orElse, unreachable } from '../core/index.ts';
import { allEntriesRange, entryIndexOfKey, entryKey, hexOfBytes, isRunId, JournalReader, runKey } from '../journal/index.ts';
import { salvagePack } from '../snapshot/index.ts';
import type { StoreBatch, StoreDelete, StorePut } from '../store/index.ts';
import type { CheckpointRecord } from './checkpoint-record.ts';
import { EPOCH_ANEW, findRun, idsWithoutRecord, type Unknown } from './found-run.ts';
import type { Finding } from './inspect.ts';
import { lossesDelete, lossesPut } from './losses.ts';
import { encodeOwnerRecord, type StoreContext } from './ownership.ts';
import { encodeRunRecord, isRunName, nameKey, type RunRecord } from './run-record.ts';
import { readCheckpoint, readRun } from './runs.ts';

/** Records of one commit of putBack(). */
const PUTS_MAX = 2000;

/** Applies the remedy of one finding. Returns what was lost by it, one line; undefined when there was nothing to do any more. */
export async function repair(context: StoreContext, finding: Finding, parts: Unknown): Promise<string | undefined> {
  const { remedy, says } = finding;
  switch (remedy.kind) {
    case 'delete': return remedy.table === 'runs' ? dropName(context, remedy.key, parts) : remedy.table === 'owners' ? findOrDrop(context, finding, remedy.key, parts) : commit(context, { deletes: [remedy.key, ...remedy.more ?? []].map((key) => ({ table: remedy.table, key })) }, `dropped: ${says}`);
    case 'put': return (await putBack(context, [finding]))[0];
    case 'salvage': {
      const { puts, saved, lost } = salvagePack(context.store, context.digests, remedy.key);
      return commit(context, { deletes: [{ table: 'packs', key: remedy.key }], puts }, `dropped: ${says}; ${saved} of its pages were kept${lost.length > 0 ? `, ${lost.length} are lost` : ''}`);
    }
    case 'own-anew': {
      const value = encodeOwnerRecord(context.digests, remedy.run, { epoch: EPOCH_ANEW, owner: undefined });
      return commit(context, { puts: [{ table: 'owners', key: runKey(remedy.run), value }] }, `${says}: it has a fresh one now`);
    }
    case 'cut': return cut(context, remedy);
    case 'drop-checkpoint': return dropCheckpoint(context, remedy);
    case 'note-loss': return commit(context, { puts: [lossesPut(context, remedy.run, [remedy.hash])] }, `lost: run ${finding.run ?? remedy.run} can be resumed, but not replayed from its beginning: ${says}`);
    case 'none': return undefined;
    default: return unreachable(remedy);
  }
}

/** Puts back every record whose content is known, many in a commit: a list of locations tells of thousands of pages. Returns a line for each. */
export async function putBack({ store }: StoreContext, findings: readonly Finding[]): Promise<readonly string[]> {
  const known = findings.flatMap(({ remedy, says }) => (remedy.kind === 'put' ? [{ remedy, says }] : []));
  for (let first = 0; first < known.length; first += PUTS_MAX) {
    const piece = known.slice(first, first + PUTS_MAX).map(({ remedy }) => remedy);
    await store.commit({ puts: piece.map(({ table, key, value }) => ({ table, key, value })), deletes: piece.flatMap(({ table, from }) => (from === undefined ? [] : [{ table, key: from }])) });
  }
  return known.map(({ says }) => `mended: ${says}`);
}

async function commit({ store }: StoreContext, batch: StoreBatch, lost: string): Promise<string> {
  const answer = await store.commit(batch);
  assert(answer === 'done', 'a commit that expects nothing is done');
  return lost;
}

/** A run record that cannot be read goes. The only journal without a record is that run's, and keeps the name. */
async function dropName(context: StoreContext, key: Uint8Array, parts: Unknown): Promise<string> {
  const name = new TextDecoder().decode(key);
  await commit(context, { deletes: [{ table: 'runs', key }] }, '');
  const [id, ...others] = idsWithoutRecord(context);
  const found = id === undefined || others.length > 0 || !isRunName(name) ? undefined : await findRun(context, { id, name, ...parts });
  return found ?? `the record of run ${name} is lost: it cannot be read`;
}

async function findOrDrop(context: StoreContext, { says }: Finding, key: Uint8Array, parts: Unknown): Promise<string | undefined> {
  const id = hexOfBytes(key);
  if (isRunId(id) && context.store.has('owners', key) && !idsWithoutRecord(context).includes(id)) return undefined; // Found with its name.
  const found = isRunId(id) ? await findRun(context, { id, ...parts }) : undefined;
  return found ?? commit(context, { deletes: [{ table: 'owners', key }] }, `dropped: ${says}`);
}

async function cut(context: StoreContext, { name, frame }: { readonly name: string; readonly frame: number }): Promise<string | undefined> {
  const record = readRun(context, name);
  if (frame >= record.tail.count) return undefined;
  if (frame === 0) return commit(context, { deletes: everything(context, record) }, `run ${name} is lost: its journal has no beginning`);
  const tail = new JournalReader(context, { run: record.id, tail: record.tail }).tailAfter(frame);
  const checkpoints = readableCheckpoints(context, record);
  const kept = checkpoints.filter(({ tail: end }) => end.count <= frame);
  const last = kept.at(-1)?.number;
  const next: RunRecord = { ...record, status: 'stopped', outcome: undefined, tail, lastCheckpoint: last, instructions: tail.at };
  const deletes: StoreDelete[] = [];
  for (const { key } of context.store.range('frames', allEntriesRange(record.id))) if ((entryIndexOfKey(key) ?? 0) >= frame) deletes.push({ table: 'frames', key });
  for (const table of ['checkpoints', 'marks'] as const) {
    for (const { key } of context.store.range(table, allEntriesRange(record.id))) if ((entryIndexOfKey(key) ?? 0) > (last ?? 0)) deletes.push({ table, key });
  }
  const lost = `run ${name}: frames ${frame} to ${record.tail.count - 1} are lost (instructions ${tail.at} to ${record.instructions}); it goes on from ${place(last)}`;
  return commit(context, { deletes, puts: [put(context, next)] }, lost);
}

async function dropCheckpoint(context: StoreContext, { name, number }: { readonly name: string; readonly number: number }): Promise<string> {
  const record = readRun(context, name);
  const key = entryKey(record.id, number);
  const deletes: StoreDelete[] = [{ table: 'checkpoints', key }, { table: 'marks', key }];
  if (number !== record.lastCheckpoint) return commit(context, { deletes }, `checkpoint ${number} of run ${name} is lost`);
  const last = readableCheckpoints(context, record).filter((other) => other.number !== number).at(-1)?.number;
  return commit(context, { deletes, puts: [put(context, { ...record, lastCheckpoint: last })] }, `checkpoint ${number} of run ${name} is lost; it goes on from ${place(last)}`);
}

function place(checkpoint: number | undefined): string {
  return checkpoint === undefined ? 'its beginning' : `checkpoint ${checkpoint}`;
}

function put({ digests }: StoreContext, record: RunRecord): StorePut {
  return { table: 'runs', key: nameKey(record.name), value: encodeRunRecord(digests, record) };
}

/** Checkpoints whose records can be read; the others have findings of their own. */
function readableCheckpoints(context: StoreContext, record: RunRecord): readonly CheckpointRecord[] {
  const found: CheckpointRecord[] = [];
  for (const { key } of context.store.range('checkpoints', allEntriesRange(record.id))) {
    const number = entryIndexOfKey(key) ?? 0;
    found.push(...orElse([], () => [readCheckpoint(context, record, number)]));
  }
  return found;
}

function everything({ store }: StoreContext, { id, name }: RunRecord): StoreDelete[] {
  const deletes: StoreDelete[] = [{ table: 'runs', key: nameKey(name) }, { table: 'owners', key: runKey(id) }, lossesDelete(id)];
  for (const table of ['frames', 'checkpoints', 'marks'] as const) for (const { key } of store.range(table, allEntriesRange(id))) deletes.push({ table, key });
  return deletes;
}
