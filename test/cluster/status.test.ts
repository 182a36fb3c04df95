/** What `up` shows of a cluster while it runs: one line, and on a terminal nodes with their states and channels with their bytes, as far as there is room. */
import { execFileSync } from 'node:child_process';
import { afterAll, describe, expect, it } from 'vitest';
import { statusDetails, statusText } from '../../cli/cluster-status.ts';
import type { ClusterStatus, NodeStatus } from '../../src/index.ts';
import { randomBytes } from './link-conformance.ts';
import { CLI, ClusterRig } from './rig.ts';

const rig = new ClusterRig();
afterAll(() => { rig.close(); });

const node = (name: string, state: NodeStatus['state'], inputBytes: number, outputBytes: number): NodeStatus => ({ name, state, instructions: 1_500_000n, checkpoints: 1, inputBytes, outputBytes, root: undefined, report: undefined });
const status: ClusterStatus = {
  nodes: [node('map-0', 'running', 10, 20), node('map-1', 'ended', 1_000_000, 20), node('sum-0.r0', 'waiting', 0, 0), node('sum-0.r1', 'waiting', 0, 0)],
  written: new Map([[0, 1500], [1, 1500], [3, 70]]), restarts: 1, dissents: [],
};
const planned = (name: string, of = name): { readonly name: string; readonly of: string; readonly group: string } => ({ name, of, group: name.slice(0, 3) });
const link = (id: number, from: string, to: string, fromChannel: string): { readonly id: number; readonly from: string; readonly to: string; readonly fromChannel: string } => ({ id, from, to, fromChannel });
const plan = {
  nodes: [planned('map-0'), planned('map-1'), planned('sum-0.r0', 'sum-0'), planned('sum-0.r1', 'sum-0')],
  links: [link(0, 'map-0', 'sum-0.r0', 'out/sum-0'), link(1, 'map-0', 'sum-0.r1', 'out/sum-0'), link(2, 'map-1', 'map-0', 'out/back.map-0'), link(3, 'map-1', 'sum-0.r0', 'out/news')],
};

describe('a cluster that runs is shown', () => {
  it('in one line', () => {
    expect(statusText(status)).toBe('1 of 4 ended  2 waiting  6.00 M instructions  in 1.00 MB  out 40B  1 restart');
  });

  it.each<[number, string]>([
    [40, `
NODE      STATE    INSTRUCTIONS  IN       OUT
map-0     running        1.50 M  10B      20B
map-1     ended          1.50 M  1.00 MB  20B
sum-0.r0  waiting        1.50 M  0B       0B
sum-0.r1  waiting        1.50 M  0B       0B
CHANNEL               BYTES
map-0 → sum-0.r0      1.50 kB
map-0 → sum-0.r1      1.50 kB
map-1 → map-0 (back)  0B
map-1 → sum-0.r0 (news)  70B`],
    [9, `
NODE      STATE    INSTRUCTIONS  IN       OUT
map-0     running        1.50 M  10B      20B
map-1     ended          1.50 M  1.00 MB  20B
sum-0.r0  waiting        1.50 M  0B       0B
sum-0.r1  waiting        1.50 M  0B       0B
CHANNEL           BYTES
map → sum         3.00 kB
map → map (back)  0B
map → sum (news)  70B`],
    [8, `
GROUP  STATE               INSTRUCTIONS  IN       OUT
map    1 running, 1 ended        3.00 M  1.00 MB  40B
sum    2 waiting                 3.00 M  0B       0B
CHANNEL           BYTES
map → sum         3.00 kB
map → map (back)  0B
map → sum (news)  70B`],
    [3, `
GROUP  STATE               INSTRUCTIONS  IN       OUT
map    1 running, 1 ended        3.00 M  1.00 MB  40B
…`],
    [0, ''],
    [-6, ''],
  ])('in at most %i lines', (linesMax, expected) => {
    const lines = statusDetails(plan, status, linesMax);
    expect(lines.map(squeezed)).toEqual(expected.split('\n').slice(1).map(squeezed));
    expect(lines.length).toBeLessThanOrEqual(Math.max(0, linesMax));
  });

  it('on a terminal with nodes and bytes of channels that grow, and elsewhere with what the nodes print alone', () => {
    rig.compile('copy');
    rig.write('build/data', randomBytes(3, 8_000_000));
    const shown = (words: string): string => execFileSync('script', ['-qec', `stty rows 40 cols 100; ${process.execPath} ${CLI} up pipeline.yaml --ephemeral ${words}`, '/dev/null'], { cwd: rig.directory, encoding: 'utf8' });
    const text = shown('');
    expect(text).toMatch(/^pipeline {2}[0-3] of 3 ended/m);
    expect(text).toMatch(/^second-0 +running/m);
    const passed = [...text.matchAll(/^first-0 → second-0 +([\d.]+ ?[kM]?B)/gm)].map(([, bytes]) => bytes);
    expect(new Set(passed).size).toBeGreaterThan(1);
    expect(text.trimEnd().endsWith('s')).toBe(true);
    expect(shown('--no-progress')).not.toContain('NODE');
    expect(shown('2>&1 | cat')).not.toContain('NODE');
  });
});

/** Columns are told apart by two blanks or more. */
function squeezed(line: string): string {
  return line.replace(/ {2,}/g, '  ');
}
