/**
 * Which checkpoints stay when a rule is applied after each one, as a session does, over months of a clock that others set: it changes to summer time and back, goes backwards, jumps by years,
 * stands still. What stays is what the rule says of all that there ever were; the last, the named, and what forks were made of is never lost.
 */
import { describe, expect, it } from 'vitest';
import { runId } from '../../src/journal/index.ts';
import { openSnapshot, SnapshotWriter } from '../../src/snapshot/index.ts';
import { MemoryStore } from '../../src/store/index.ts';
import { chooseKept, createRun, dropCheckpoints, forkRun, listCheckpoints, markCheckpoint, readRun, rollbackRun } from '../../src/txn/index.ts';
import { at, digests } from '../journal/support.ts';
import { plain, TestMachine } from '../snapshot/machines.ts';
import { generator, owner } from './support.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
type Rule = Parameters<typeof chooseKept>[1];
type Point = Parameters<typeof chooseKept>[0][number];

/** Times of checkpoints, in the order in which they were made. */
const CLOCKS: readonly (readonly [string, () => readonly number[]])[] = [
  ['eleven weeks, every forty minutes', () => Array.from({ length: 2900 }, (_, index) => Date.UTC(2026, 0, 1) + index * 40 * MINUTE)],
  ['the night of summer time and that of its end', () => [Date.UTC(2026, 2, 28, 20), Date.UTC(2026, 9, 24, 20)].flatMap((from) => Array.from({ length: 120 }, (_, index) => from + index * 10 * MINUTE))],
  ['a clock that goes backwards by three hours each day', () => Array.from({ length: 900 }, (_, index) => Date.UTC(2026, 4, 1) + index * HOUR - Math.floor(index / 24) * 3 * HOUR)],
  ['a clock that stands, and one that begins in 1970', () => [...new Array<number>(40).fill(Date.UTC(2026, 4, 1)), ...new Array<number>(40).fill(0)]],
  ['a clock that jumps by years, both ways', () => {
    const random = generator(9);
    let now = Date.UTC(2026, 4, 1);
    return Array.from({ length: 1500 }, (_, index) => (now = Math.max(0, Math.floor(now + (index % 50 === 49 ? (random() - 0.5) * 20 * 365 * DAY : random() * 2 * HOUR)))));
  }],
];
const RULES: readonly Rule[] = [{ last: 3 }, { hourly: 24 }, { daily: 30 }, { last: 10, hourly: 24, daily: 30 }, { last: 0, hourly: 1, daily: 1 }];

/** The rule as its page says it, of all that there ever were. */
function wanted(points: readonly Point[], { last = 0, hourly = 0, daily = 0 }: Rule): readonly number[] {
  const numbers = new Set(points.slice(points.length - Math.min(last, points.length)).map(({ number }) => number));
  for (const [count, length] of [[hourly, HOUR], [daily, DAY]] as const) {
    const youngest = new Map<number, number>(points.map(({ number, createdMs }) => [Math.floor(createdMs / length), number]));
    for (const number of [...youngest.values()].sort((a, b) => b - a).slice(0, count)) numbers.add(number);
  }
  return [...numbers].sort((a, b) => a - b);
}

describe('a rule that is applied after each checkpoint', () => {
  it.each(CLOCKS.flatMap(([name, times]) => RULES.map((rule) => [name, JSON.stringify(rule), times(), rule] as const)))('%s, %s', (_name, _rule, times, rule) => {
    const ever: Point[] = [];
    let left: Point[] = [];
    for (const [index, createdMs] of times.entries()) {
      const point = { number: index + 1, createdMs };
      ever.push(point);
      const kept = chooseKept([...left, point], rule);
      left = [...left, point].filter(({ number }) => kept.has(number));
      if (index % 97 === 0 || index === times.length - 1) expect(left.map(({ number }) => number), `after ${index + 1}`).toEqual(wanted(ever, rule));
    }
  });
});

it.each(CLOCKS)('the last, the named, a fork and what it was made of stay: %s', async (_name, times) => {
  const context = { store: new MemoryStore(), digests };
  const [parent, child] = [runId('01'.repeat(16)), runId('02'.repeat(16))];
  const writer = await createRun(context, { name: 'parent', id: parent, createdMs: 0, bindings: '', owner: owner('one'), manifest: Uint8Array.of(1), program: Uint8Array.of(1), recorder: 'test' });
  const machine = new TestMachine();
  const snapshots = new SnapshotWriter(context.store, digests);
  const states = new Map<number, string>();
  const all = times().slice(0, 40);
  for (const [index, createdMs] of all.entries()) {
    machine.object('memory/1').fill(index % 8, index % 250, 100);
    states.set(index + 1, JSON.stringify(plain(machine)));
    const capture = snapshots.capture(machine);
    await writer.commit({ instructions: at(BigInt(10 * (index + 1))), snapshot: capture.batch, checkpoint: { root: capture.root, channels: new Map(), digests: Uint8Array.of(), createdMs } });
    capture.confirm();
    if (index === 30) {
      await markCheckpoint(context, readRun(context, 'parent'), { number: 31, mark: { name: 'named', note: undefined } });
      await forkRun(context, readRun(context, 'parent'), { name: 'child', id: child, createdMs: 0, bindings: '', at: 31, seed: undefined });
    }
    await dropCheckpoints(context, readRun(context, 'parent'), { last: 0, hourly: 0, daily: 0 });
    const numbers = listCheckpoints(context, readRun(context, 'parent')).map(({ number }) => number);
    expect(numbers.at(-1)).toBe(index + 1);
    if (index >= 30) expect(numbers).toContain(31);
  }
  await writer.close();
  for (const name of ['parent', 'child']) {
    const found = listCheckpoints(context, readRun(context, name));
    expect(found.map(({ number }) => number)).toContain(31);
    for (const { number, root } of found) expect(JSON.stringify(plain(openSnapshot(context.store, root, digests)))).toBe(states.get(number));
  }
  await rollbackRun(context, { name: 'child', owner: owner('two'), isAlive: () => false, at: 31 });
});
