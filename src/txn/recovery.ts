/**
 * Where a run is to be continued after any kind of end: clean stop, kill -9, power loss.
 *
 *   genesis ─────── checkpoint ──────────────── tail            (journal)
 *                   │ restore   │ feed again ►  │ live again
 *                   └ outputs: put the sink back to here, make the rest again
 *
 * Invariants: a pure reading of the last commit; the checkpoint's own frame is verified against the record before it is trusted.
 * What this does NOT do: touch sinks, pages or the store; choose for a pipe between "delivered" and "intended" (the port does).
 */
import { StillpointError, frameIndex } from '../core/index.ts';
import type { IndexedFrame, JournalReader } from '../journal/index.ts';
import type { CheckpointRecord } from './checkpoint-record.ts';
import type { StoreContext } from './ownership.ts';
import type { OutputPosition, RunRecord } from './run-record.ts';
import { openJournal, readCheckpoint } from './runs.ts';

/** One channel at recovery. */
export interface OutputRecovery extends OutputPosition {
  /** Output is made again from here: HostPort.rewind() takes it. */
  readonly rewindTo: number;
}

export interface Recovery {
  readonly record: RunRecord;
  /** Undefined: boot from the genesis frame. */
  readonly checkpoint: CheckpointRecord | undefined;
  readonly journal: JournalReader;
  /** Frames after the checkpoint (or after genesis), verified, to be fed again before anything is asked of the host. */
  refeed(): Generator<IndexedFrame>;
  /** All channels with output facts, by name. */
  readonly outputs: ReadonlyMap<string, OutputRecovery>;
}

/**
 * What to restore and what to feed. `checkpoint`: an earlier one than the last (damage, rollback), or 'genesis'.
 * Throws E_CHECKPOINT_UNKNOWN, E_SNAPSHOT_FORMAT, E_JOURNAL_*.
 */
export function recover(context: StoreContext, record: RunRecord, options: { readonly checkpoint?: number | 'genesis' } = {}): Recovery {
  const number = options.checkpoint ?? record.lastCheckpoint;
  const journal = openJournal(context, record);
  const checkpoint = number === undefined || number === 'genesis' ? undefined : readCheckpoint(context, record, number);
  if (checkpoint !== undefined) mustMatch(journal, checkpoint);
  return { record, checkpoint, journal, refeed: () => refeed(journal, checkpoint), outputs: outputsOf(record, checkpoint) };
}

function* refeed(journal: JournalReader, checkpoint: CheckpointRecord | undefined): Generator<IndexedFrame> {
  for (const entry of journal.frames(checkpoint?.tail)) if (entry.index > 0) yield entry;
}

/** The journal holds this very checkpoint where its record says. */
function mustMatch(journal: JournalReader, { number, root, tail }: CheckpointRecord): void {
  const data = { run: journal.run, checkpoint: number, frame: tail.count - 1, at: tail.at };
  if (tail.count > journal.tail.count) throw new StillpointError('E_JOURNAL_CUT', `the journal of run ${journal.run} ends before frame ${tail.count - 1} of checkpoint ${number}, at instruction ${tail.at}`, { data });
  const frame = journal.frameAt(frameIndex(tail.count - 1));
  if (frame.kind === 'checkpoint' && frame.number === number && frame.root === root && frame.at === tail.at) return;
  throw new StillpointError('E_SNAPSHOT_FORMAT', `checkpoint ${number} of run ${journal.run} is not the one in frame ${tail.count - 1} of the journal, at instruction ${tail.at}`, { data });
}

function outputsOf(record: RunRecord, checkpoint: CheckpointRecord | undefined): ReadonlyMap<string, OutputRecovery> {
  const none: OutputPosition = { synced: 0, delivered: 0, intended: 0 };
  const names = new Set([...record.outputs.keys(), ...(checkpoint?.channels.keys() ?? [])]);
  return new Map([...names].sort().map((name) => [name, { ...(record.outputs.get(name) ?? none), rewindTo: checkpoint?.channels.get(name)?.outputPosition ?? 0 }]));
}
