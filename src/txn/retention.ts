/**
 * Which checkpoints stay: the rules of `gc --keep-…`, and their removal.
 *
 *   keep last N       the youngest N                    keep hourly N    the youngest of each of the last N hours that have any
 *   always            the one a resume starts from, and every one with a name or a note
 *
 * Invariants: without a rule everything stays; a checkpoint that another process rolls back to is not dropped under it (both commits
 * expect what they rely on). What this does NOT do: read a clock: hours and days are those in which the checkpoints were made.
 */
import { entryKey, runKey } from '../journal/index.ts';
import type { KeepRule } from '../manifest/index.ts';
import type { StoreDelete, StoreExpectation } from '../store/index.ts';
import type { CheckpointRecord } from './checkpoint-record.ts';
import { listMarks } from './marks.ts';
import type { StoreContext } from './ownership.ts';
import type { RunRecord } from './run-record.ts';
import { listCheckpoints } from './runs.ts';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

/** Numbers of the checkpoints that the rule keeps; `checkpoints` in any order. */
export function chooseKept(checkpoints: readonly Pick<CheckpointRecord, 'number' | 'createdMs'>[], rule: KeepRule): ReadonlySet<number> {
  const youngestFirst = [...checkpoints].sort((a, b) => b.number - a.number);
  const kept = new Set(youngestFirst.slice(0, rule.last ?? 0).map(({ number }) => number));
  for (const [count, length] of [[rule.hourly ?? 0, HOUR_MS], [rule.daily ?? 0, DAY_MS]] as const) {
    const seen = new Set<number>();
    for (const { number, createdMs } of youngestFirst) {
      const period = Math.floor(createdMs / length);
      if (seen.has(period)) continue;
      if (seen.size >= count) break;
      seen.add(period);
      kept.add(number);
    }
  }
  return kept;
}

/** Drops what the rule does not keep. Returns the numbers that went; none when the run changed hands meanwhile. */
export async function dropCheckpoints(context: StoreContext, record: RunRecord, rule: KeepRule): Promise<readonly number[]> {
  const { store } = context;
  const ownerKey = runKey(record.id);
  const ownerBytes = store.get('owners', ownerKey);
  const checkpoints = listCheckpoints(context, record);
  const marks = listMarks(context, record.id);
  const kept = chooseKept(checkpoints, rule);
  const dropped = checkpoints.map(({ number }) => number).filter((number) => !kept.has(number) && !marks.has(number) && number !== record.lastCheckpoint);
  if (dropped.length === 0) return [];
  // The owner record changes when somebody takes the run (and may roll it back); a mark keeps its checkpoint.
  const expect: StoreExpectation[] = [{ table: 'owners', key: ownerKey, value: ownerBytes }, ...dropped.map((number): StoreExpectation => ({ table: 'marks', key: entryKey(record.id, number), value: undefined }))];
  const deletes = dropped.map((number): StoreDelete => ({ table: 'checkpoints', key: entryKey(record.id, number) }));
  return await store.commit({ expect, deletes, frees: true }) === 'done' ? dropped : [];
}
