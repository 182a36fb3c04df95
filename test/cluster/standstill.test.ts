/** When a cluster stands still, and when it only seems to. */
import { describe, expect, it } from 'vitest';
import type { NodeWait } from '../../src/cluster/index.ts';
import { AGENT_TICK_MS, SILENT_TICKS_MAX } from '../../src/cluster/live/agent-messages.ts';
import { PATIENCE, Standstill } from '../../src/cluster/standstill.ts';

const wait = (node: string, kind: NodeWait['wait'], progress = 1, peer = 'x-0'): NodeWait => ({ node, wait: kind, peer, canGrow: kind === 'writing', progress });

/** What is found after these reports, each of all nodes. */
function after(reports: readonly (readonly NodeWait[])[], open: readonly string[] = ['a-0', 'b-0']): string | undefined {
  const standstill = new Standstill({ full: 2, dead: 3 });
  for (const report of reports) standstill.report(report);
  return standstill.find(open)?.kind;
}

const both = (a: NodeWait['wait'], b: NodeWait['wait'], progress = 1): readonly NodeWait[] => [wait('a-0', a, progress), wait('b-0', b)];

describe('a standstill', () => {
  it('is when everybody waits for bytes', () => expect(after([both('reading', 'reading'), both('reading', 'reading'), both('reading', 'reading')])).toBe('dead'));
  it('asks for room when somebody writes', () => expect(after([both('writing', 'reading'), both('writing', 'reading'), both('writing', 'reading')])).toBe('full'));
  it('asks for room sooner than it ends a cluster', () => expect(after([both('writing', 'reading'), both('writing', 'reading')])).toBe('full'));
  it('is one that nothing ends when there is no more room for those who write', () => {
    const stuck = both('writing', 'reading').map((report) => ({ ...report, canGrow: false }));
    expect([after([stuck, stuck]), after([stuck, stuck, stuck])]).toEqual([undefined, 'dead']);
  });
  it('has more patience where links may be cut', () => expect(PATIENCE.severalHosts.dead).toBeGreaterThan(SILENT_TICKS_MAX * (AGENT_TICK_MS / 100)));
  it('is not found after two reports', () => expect(after([both('reading', 'reading'), both('reading', 'reading')])).toBeUndefined());
  it('is not found while anything moves', () => expect(after([1, 2, 3, 4].map((progress) => both('reading', 'reading', progress)))).toBeUndefined());
  it('is not found while a node computes', () => expect(after([1, 2, 3].map(() => both('reading', undefined)))).toBeUndefined());
  it('is not found while a node has not been heard of', () => expect(after([1, 2, 3].map(() => both('reading', 'reading')), ['a-0', 'b-0', 'c-0'])).toBeUndefined());
  it('does not ask nodes that have ended', () => expect(after([1, 2, 3].map(() => both('reading', undefined)), ['a-0'])).toBe('dead'));
  it('is not found when a node waits for another peer than before', () => expect(after(['x-0', 'y-0', 'x-0'].map((peer) => [wait('a-0', 'reading', 1, peer)]), ['a-0'])).toBeUndefined());
  it('begins anew after a reset', () => {
    const standstill = new Standstill({ full: 3, dead: 3 });
    for (let count = 0; count < 3; count++) standstill.report(both('reading', 'reading'));
    standstill.reset();
    expect(standstill.find(['a-0'])).toBeUndefined();
  });
});
