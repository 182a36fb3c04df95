/**
 * A run whose record is lost or older than its journal: the record is made again from what the journal and the checkpoints say.
 *
 *   frames 0 … n of the hash chain ─► genesis, tail, end, outputs that were released, checkpoints that the chain has ─► run record
 *
 * Invariants: only what the chain verifies counts; nothing is guessed. What only the record knew is lost: the name where no copy has it (`found-` and eight digits of the id), the host paths
 * of channels (the caller says what stands for them), the parent, the time of creation; another copy of the store tells all of it. What this does NOT do: look at the states of checkpoints, which the next check does.
 */
import { orElse, StillpointError } from '../core/index.ts';
import { allEntriesRange, emptyTail, encodeFrame, entryIndexOfKey, entryKey, hexOfBytes, isRunId, JournalReader, runKey, storedLink, type Frame, type GenesisFrame, type JournalTail, type RunId } from '../journal/index.ts';
import type { Store } from '../store/index.ts';
import { decodeCheckpointRecord, type CheckpointRecord } from './checkpoint-record.ts';
import { encodeOwnerRecord, type StoreContext } from './ownership.ts';
import { referencesPut } from './references.ts';
import { encodeRunRecord, nameKey, type OutputPosition, type RunRecord } from './run-record.ts';
import { readRun, runNames } from './runs.ts';

/** An epoch that no run reached by being opened. */
export const EPOCH_ANEW = 2 ** 40;

const ID_BYTES = 16;

/** What stands for what only the record knew. */
export interface Unknown {
  /** Bindings for a run whose host paths are lost. */
  readonly bindingsOf: (genesis: GenesisFrame) => string;
}
export type FoundRun = { readonly id: RunId } & (
  /** An older copy of its record is known; or that of another copy of the store, `frames`, which may also be newer. */
  | { readonly older: RunRecord; readonly frames?: Pick<Store, 'get'>; readonly name?: undefined }
  /** Nothing is known, or the name alone. */
  | Unknown & { readonly older?: undefined; readonly name?: string | undefined });

/** Ids that have an owner (or, on request, only a journal), but no run record that can be read. */
export function idsWithoutRecord(context: StoreContext, { hasOwner = true }: { readonly hasOwner?: boolean } = {}): readonly RunId[] {
  const known = new Set<string>(runNames(context).flatMap((name) => orElse([], () => [readRun(context, name).id])));
  const ids = new Set([...context.store.range('owners', behind(new Uint8Array(0)))].map(({ key }) => hexOfBytes(key)));
  for (let from = new Uint8Array(0); !hasOwner;) {
    const [next] = context.store.range('frames', { ...behind(from), limit: 1 });
    if (next === undefined) break;
    from = next.key.slice(0, ID_BYTES);
    ids.add(hexOfBytes(from));
  }
  return [...ids].sort().filter(isRunId).filter((id) => !known.has(id));
}

/** Keys behind everything that begins so. */
const behind = (id: Uint8Array): { readonly from: Uint8Array; readonly to: Uint8Array } => ({ from: id.length === 0 ? Uint8Array.of(0) : Uint8Array.of(...id, ...new Array<number>(8).fill(255)), to: new Uint8Array(64).fill(255) });

/** Makes the record of a run again. Returns a line about it; undefined when the store has nothing to make it of, or nothing newer than what is known. */
export async function findRun(context: StoreContext, found: FoundRun): Promise<string | undefined> {
  const { store, digests } = context;
  const { id, older } = found;
  const chain = readChain(context, id);
  if (chain === undefined || (older !== undefined && isWithin(chain.tail, found))) return undefined;
  const { tail, genesis, last } = chain;
  const checkpoints = checkpointsOf(context, id, tail);
  const record: RunRecord = {
    id, name: older?.name ?? freeName(context, found.name ?? `found-${id.slice(0, 8)}`), createdMs: older?.createdMs ?? checkpoints[0]?.createdMs ?? 0,
    status: last.kind === 'exit' ? 'ended' : 'stopped', outcome: last.kind === 'exit' ? last.outcome : undefined,
    genesis: digests.sha256(encodeFrame(0, genesis)), tail, lastCheckpoint: checkpoints.at(-1)?.number, numbered: Math.max(chain.numbered, older?.numbered ?? 0, checkpoints.at(-1)?.number ?? 0),
    parent: older?.parent, instructions: tail.at, outputs: outputsOf(chain.released, checkpoints.at(-1)), bindings: older === undefined ? found.bindingsOf(genesis) : older.bindings,
  };
  const owner = store.has('owners', runKey(id)) ? [] : [{ table: 'owners', key: runKey(id), value: encodeOwnerRecord(digests, id, { epoch: EPOCH_ANEW, owner: undefined }) } as const];
  await store.commit({ puts: [{ table: 'runs', key: nameKey(record.name), value: encodeRunRecord(digests, record) }, ...owner, referencesPut(record, 1)] });
  if (older !== undefined && found.frames !== undefined) return `restored from the other copy: the record of run ${record.name} (id ${id}), brought up to the ${tail.count} frames of its journal here`;
  if (older !== undefined) return `mended: the record of run ${record.name} was older than its journal, which has ${tail.count} frames in place of ${older.tail.count}`;
  const lost = found.name === undefined ? 'its name and the files of its channels are' : 'the files of its channels are';
  return `run ${record.name} (id ${id}) was found by its journal of ${tail.count} frames; ${lost} lost with its record: resume it with --bind CHANNEL=FILE`;
}

/** Whether a known record tells of all of this journal. */
function isWithin({ count, link }: JournalTail, { id, older, frames }: Extract<FoundRun, { readonly older: RunRecord }>): boolean {
  if (count > older.tail.count) return false;
  const there = frames?.get('frames', entryKey(id, count - 1));
  return there === undefined || storedLink(there) === link; // Else the journals parted, and what is sound here stays.
}

interface Chain {
  readonly tail: JournalTail;
  readonly genesis: GenesisFrame;
  readonly last: Frame;
  /** Greatest number of a checkpoint. */
  readonly numbered: number;
  /** Positions up to which output left, by channel. */
  readonly released: ReadonlyMap<string, number>;
}

/** All frames that continue the chain from the beginning. */
function readChain(context: StoreContext, id: RunId): Chain | undefined {
  let count = 0;
  for (const { key } of context.store.range('frames', allEntriesRange(id))) if (entryIndexOfKey(key) === count) count++;
  let genesis: GenesisFrame | undefined;
  let last: Frame | undefined;
  let numbered = 0;
  const released = new Map<string, number>();
  let read = 0;
  const whole = tailOf(context, id, count);
  try {
    if (whole !== undefined) for (const { frame } of new JournalReader(context, { run: id, tail: whole }).frames()) {
      read++;
      last = frame;
      if (frame.kind === 'genesis') genesis = frame;
      if (frame.kind === 'checkpoint') numbered = frame.number;
      if (frame.kind === 'output') released.set(frame.channel, frame.position);
    }
  } catch (error) {
    if (!(error instanceof StillpointError)) throw error; // The chain ends here.
  }
  const tail = read === count ? whole : tailOf(context, id, read);
  return genesis === undefined || last === undefined || tail === undefined ? undefined : { tail, genesis, last, numbered, released };
}

/** What the last of so many frames says of itself. */
function tailOf(context: StoreContext, id: RunId, count: number): JournalTail | undefined {
  const unknown = { ...emptyTail(context.digests, id), count };
  return count === 0 ? undefined : orElse({ ...unknown }, () => new JournalReader(context, { run: id, tail: unknown }).tailAfter(count));
}

/** Checkpoints that the journal has. */
function checkpointsOf(context: StoreContext, id: RunId, tail: JournalTail): readonly CheckpointRecord[] {
  const { store, digests } = context;
  const journal = new JournalReader(context, { run: id, tail });
  return [...store.range('checkpoints', allEntriesRange(id))].flatMap(({ key, value }) => orElse([], () => {
    const checkpoint = decodeCheckpointRecord(digests, { run: id, number: entryIndexOfKey(key) ?? 0 }, value);
    return checkpoint.tail.count <= tail.count && journal.tailAfter(checkpoint.tail.count).link === checkpoint.tail.link ? [checkpoint] : [];
  }));
}

function outputsOf(released: ReadonlyMap<string, number>, checkpoint: CheckpointRecord | undefined): ReadonlyMap<string, OutputPosition> {
  const names = new Set([...released.keys(), ...checkpoint?.channels.keys() ?? []]);
  return new Map([...names].sort().map((name) => {
    const synced = checkpoint?.channels.get(name)?.outputPosition ?? 0;
    const intended = Math.max(synced, released.get(name) ?? 0);
    return [name, { synced, delivered: intended, intended }];
  }));
}

/** A name that no run has, as close to the wanted one as can be. */
export function freeName({ store }: StoreContext, wanted: string): string {
  let name = wanted;
  for (let more = 2; store.has('runs', nameKey(name)); more++) name = `${wanted}-${more}`;
  return name;
}
