/**
 * Nodes that run several times over (scenario 9): a bit flipped in the memory of one replica's process by another process is outvoted and named; a killed
 * one is rebuilt; two replicas detect and never choose.
 */
import { closeSync, openSync, readFileSync, readSync, writeSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ClusterRig, isRunning, until } from './rig.ts';

const rig = new ClusterRig();
afterAll(() => { rig.close(); });

const TABLE = 'the-table-of-the-voter:';
/** Long work whose every output depends on a table in memory that is easy to find. */
const VOTER = `#include <stdio.h>
#include <string.h>
#include "peers.h"
int main(void)
{
    static char table[64];
    int out[PEERS_MAX], count = peers_open("/dev/out", "reader", out);
    FILE *file = fopen("/dev/out/own", "w");
    strcpy(table, "the-table-");
    strcat(table, "of-the-voter:");
    strcat(table, "0123456789");
    for (int round = 0; round < 60; round++) {
        unsigned long sum = 0;
        for (int i = 0; i < 3000000; i++)
            sum = sum * 31 + (unsigned char)table[i % 33];
        char line[64];
        int length = snprintf(line, sizeof line, "%d %016lx\\n", round, sum);
        for (int i = 0; i < count; i++)
            put(out[i], line, length);
        fputs(line, file);
        printf("%d\\n", round);
        fflush(stdout);
    }
    return 0;
}
`;
const READER = '#include "peers.h"\nint main(void) { int in[PEERS_MAX], out = open("/dev/out/result", O_WRONLY); char b[4096]; ssize_t n; peers_open("/dev/in", "voter", in); while ((n = read(in[0], b, sizeof b)) > 0) put(out, b, n); return 0; }\n';

const manifest = (name: string, replicas: number): string => `version: 1
name: ${name}
processes: one-per-node
checkpointEvery: 100M
groups:
  voter: { program: build/voter.elf, replicas: ${replicas}, memory: 16M, files: { own: { out: build/own-${name} } } }
  reader: { program: build/reader.elf, memory: 16M, files: { result: { out: build/result-${name} } } }
channels:
  - { from: voter, to: reader }
`;

let expected = '';
beforeAll(async () => {
  rig.compile('voter', VOTER);
  rig.compile('reader', READER);
  for (const [name, replicas] of [['one', 1], ['two', 2], ['three', 3], ['killed', 3]] as const) rig.write(`${name}.yaml`, manifest(name, replicas));
  await rig.up('one.yaml', ['--no-logs']);
  expected = rig.sha256('build/result-one');
});

/** Flips a bit of the table in every place of the process where it stands whole. */
function flipTable(pid: number): number {
  const needle = Buffer.from(`${TABLE}0123456789`);
  const memory = openSync(`/proc/${pid}/mem`, 'r+');
  let flips = 0;
  try {
    for (const line of readFileSync(`/proc/${pid}/maps`, 'utf8').split('\n')) {
      const [, from, to] = /^([0-9a-f]+)-([0-9a-f]+) rw/.exec(line) ?? [];
      if (from === undefined || to === undefined) continue;
      const start = Number.parseInt(from, 16);
      const chunk = Buffer.alloc(Math.min(Number.parseInt(to, 16) - start, 64 * 1024 * 1024));
      let length = 0;
      try { length = readSync(memory, chunk, 0, chunk.length, start); } catch { continue; } // A region without memory behind it.
      for (let at = chunk.subarray(0, length).indexOf(needle); at >= 0; at = chunk.subarray(0, length).indexOf(needle, at + 1)) {
        writeSync(memory, Buffer.from([needle[30]! ^ 1]), 0, 1, start + at + 30);
        flips++;
      }
    }
  } finally {
    closeSync(memory);
  }
  return flips;
}

/** Starts a cluster, does something to the process of a replica in the middle, and waits for the end. */
async function disturb(file: string, act: (pid: number) => void): Promise<{ readonly status: number | null; readonly stderr: string }> {
  const { child, ended } = rig.start(['up', file, '--report', 'report.json'], `replicas-${file}`);
  let text = '';
  child.stdout!.on('data', (bytes: Buffer) => { text += bytes.toString(); });
  await until(() => /voter-0\.r1 \| 8$/m.test(text) || child.exitCode !== null, 'the middle of the work');
  // Processes are started in the order of the nodes.
  act(rig.processesOf(child.pid!)[1]!);
  const processes = rig.processesOf(child.pid!);
  const end = await ended;
  expect(processes.filter(isRunning)).toEqual([]);
  return end;
}

describe('replicas', () => {
  it('a flipped bit in the memory of one of three is outvoted and named, and the reader gets the right bytes', async () => {
    const { status, stderr } = await disturb('three.yaml', (pid) => { expect(flipTable(pid)).toBeGreaterThan(0); });
    expect([status, stderr]).toEqual([0, expect.stringMatching(/replica voter-0\.r1 was outvoted: (from byte \d+ on it wrote something else to reader-0|it ended with another root)/)]);
    expect([rig.sha256('build/result-three'), rig.sha256('build/own-three')]).toEqual([expected, rig.sha256('build/own-one')]);
    const verdicts = await Promise.all(['r0', 'r1'].map((replica) => rig.stillpoint(['replay', `three.voter-0.${replica}`], 'replicas-three.yaml')));
    expect(verdicts.map((verdict) => verdict.status)).toEqual([0, 1]);
    expect((await rig.stillpoint(['replay', 'three'], 'replicas-three.yaml')).stderr).toMatch(/E_DIVERGED_(OUTPUT|ROOT): run three\.voter-0\.r1: frame \d+/); // A checkpoint may stand before the first line that differs.
  });

  it('a flipped bit in one of two is detected, and nothing is chosen', async () => {
    const { status, stderr } = await disturb('two.yaml', (pid) => { flipTable(pid); });
    expect([status, stderr]).toEqual([125, expect.stringMatching(/E_CLUSTER_FAILED: .*E_REPLICAS_DIFFER: the replicas (voter-0\.r0, voter-0\.r1 wrote different bytes|of voter-0 ended with different roots)/)]);
  });

  it('three that end alike with a bad status do not differ: that is how their node ended', async () => {
    rig.compile('three-fails', '#include <stdio.h>\nint main(void) { puts("no luck"); return 3; }\n');
    rig.write('alike.yaml', 'version: 1\ngroups:\n  voter: { program: build/three-fails.elf, replicas: 3, memory: 16M }\n');
    const { status, stderr } = await rig.stillpoint(['up', 'alike.yaml', '--no-logs'], 'alike');
    expect([status, stderr]).toEqual([125, expect.stringMatching(/^stillpoint: E_CLUSTER_FAILED: node voter-0\.r[012] of cluster alike: it ended with status 3; its last lines: no luck\n$/)]);
    const resumed = await rig.stillpoint(['up', 'alike.yaml', '--no-logs', '--resume'], 'alike');
    expect([resumed.status, resumed.stderr]).toEqual([125, expect.stringContaining('it ended with status 3')]);
  });

  it('a killed one is rebuilt and takes part again', async () => {
    const { status, stderr } = await disturb('killed.yaml', (pid) => { process.kill(pid, 'SIGKILL'); });
    expect([status, stderr]).toEqual([0, expect.stringContaining('4 nodes ended')]);
    expect(stderr).not.toContain('outvoted');
    expect(rig.sha256('build/result-killed')).toBe(expected);
    const report = rig.report();
    expect([report.restarts, new Set(report.nodes.slice(0, 3).map(({ root }) => root)).size]).toEqual([1, 1]);
  });
});
