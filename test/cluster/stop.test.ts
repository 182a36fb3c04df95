/**
 * A stop that falls at a chosen moment of a cluster's life, chosen by what the coordinator knows and not by time: before anything runs, when one node has
 * ended and another is held by a named pipe, when a writer has ended but its reader has not read, together with the death of a process, when all have
 * ended. The resume gives the bits of the undisturbed run, in any number of processes. Nothing may hang: every case is bounded by its test.
 */
import { execFileSync } from 'node:child_process';
import { closeSync, constants, mkdirSync, openSync, readdirSync, readSync, rmSync, writeSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readClusterPlan, upCluster, type ClusterPlan, type ClusterStatus, type UpResult } from '../../src/index.ts';
import { Coordinator } from '../../src/cluster/live/coordinator.ts';
import type { NodeEnd } from '../../src/cluster/node-end.ts';
import { CLI, ClusterRig, isRunning, until } from './rig.ts';

const rig = new ClusterRig();
let pipe: number | undefined;
afterAll(() => {
  if (pipe !== undefined) closeSync(pipe);
  rig.close();
});

/** Whatever takes so long hangs. */
const BOUND_MS = 60_000;
const HELD = 'what the pipe gives';
/** Reads the files that it is given, one after the other: the pipe as far as it goes, a peer to its end. */
const READS = `#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
int main(int count, char **names)
{
    char block[4096];
    long total = 0, got;
    for (int i = 1; i < count; i++) {
        int in = open(names[i], O_RDONLY), is_pipe = strstr(names[i], "pipe") != NULL;
        while ((got = read(in, block, is_pipe ? ${HELD.length} : sizeof block)) > 0) {
            total += got;
            if (is_pipe)
                break;
        }
    }
    printf("%ld\\n", total);
    return 0;
}
`;
const WRITES = '#include <fcntl.h>\n#include <unistd.h>\nint main(void) { static char b[100000]; int out = open("/dev/out/reads-0", O_WRONLY); return write(out, b, sizeof b) != sizeof b; }\n';

/** Two nodes, in a process each. */
function manifest({ readsFirst, first }: { readonly readsFirst: 'pipe' | 'writes-0'; readonly first: 'reader' | 'writer' }): string {
  const names = readsFirst === 'pipe' ? '/dev/in/pipe, /dev/in/writes-0' : '/dev/in/writes-0, /dev/in/pipe';
  const reader = `  reads: { program: build/reads.elf, memory: 16M, arguments: [${names}], files: { pipe: { in: build/pipe } } }\n`;
  const writer = '  writes: { program: build/writes.elf, memory: 16M }\n';
  return `version: 1\nname: two\ngroups:\n${first === 'writer' ? writer + reader : reader + writer}channels:\n  - { from: writes, to: reads }\n`;
}

/** The reader is held by the pipe when it has read what its peer writes, in process 1 or 0; or before. */
const MANIFESTS = {
  'held at its end': manifest({ readsFirst: 'writes-0', first: 'writer' }),
  'held at its end, first': manifest({ readsFirst: 'writes-0', first: 'reader' }),
  'held at its beginning': manifest({ readsFirst: 'pipe', first: 'writer' }),
} as const;
type Name = keyof typeof MANIFESTS;
const undisturbed = new Map<Name, string>();

/** A pipe without a byte, open at both ends. */
function makePipe(): void {
  if (pipe !== undefined) closeSync(pipe);
  rmSync(rig.path('build/pipe'), { force: true });
  execFileSync('mkfifo', [rig.path('build/pipe')]);
  pipe = openSync(rig.path('build/pipe'), constants.O_RDWR);
}

interface Life { readonly isResume: boolean; readonly stopWhen?: (status: ClusterStatus) => boolean; readonly kills?: boolean }

async function live(plan: ClusterPlan, { isResume, stopWhen = () => false, kills = false }: Life): Promise<UpResult> {
  let reason: string | undefined;
  const pids: number[] = [];
  const result = await upCluster({
    plan, isResume, store: rig.path('store'), entry: [CLI, 'cluster-process'], onLine: () => {}, onSpawn: (_, pid) => { pids.push(pid); }, stopRequested: () => reason,
    onStatus: (status) => {
      if (reason !== undefined || !stopWhen(status)) return;
      reason = 'the test';
      if (kills) process.kill(pids[0]!, 'SIGKILL');
    },
  });
  expect(pids.filter(isRunning)).toEqual([]);
  return result;
}

async function planOf(name: Name, processes: number): Promise<ClusterPlan> {
  rig.write('two.yaml', MANIFESTS[name]);
  return readClusterPlan({ file: rig.path('two.yaml'), processes });
}

/** The life that goes on to the end. */
async function lastLife(name: Name, { isResume, processes }: { readonly isResume: boolean; readonly processes: number }): Promise<string> {
  writeSync(pipe!, HELD);
  const { kind, status } = await live(await planOf(name, processes), { isResume });
  expect([kind, rig.read('two.logs/reads-0.out').toString()]).toEqual(['ended', `${100_000 + HELD.length}\n`]);
  return status.nodes.map((node) => `${node.name} ${node.instructions} ${node.root}`).join('\n');
}

function begin(): void {
  rmSync(rig.path('store'), { recursive: true, force: true });
  makePipe();
}

beforeAll(async () => {
  rig.compile('reads', READS);
  rig.compile('writes', WRITES);
  for (const name of Object.keys(MANIFESTS) as Name[]) {
    begin();
    undisturbed.set(name, await lastLife(name, { isResume: false, processes: 1 }));
  }
}, BOUND_MS);

const stateOf = ({ nodes }: ClusterStatus, name: string): string => nodes.find((node) => node.name === name)!.state;
const isAnything = (): boolean => true;
const hasWriterEnded = (status: ClusterStatus): boolean => stateOf(status, 'writes-0') === 'ended';
const hasBothBegun = (status: ClusterStatus): boolean => status.nodes.every(({ state }) => state === 'running');

describe('a stop', () => {
  it.each<[string, Name, readonly Omit<Life, 'isResume'>[], number]>([
    ['before anything runs, twice', 'held at its end', [{ stopWhen: isAnything }, { stopWhen: isAnything }], 2],
    ['when a node has ended, of two processes', 'held at its end', [{ stopWhen: hasWriterEnded }], 2],
    ['when a node has ended, of two processes in the other order', 'held at its end, first', [{ stopWhen: hasWriterEnded }], 2],
    ['when a node has ended, twice, then in one process', 'held at its end', [{ stopWhen: hasWriterEnded }, { stopWhen: isAnything }], 1],
    ['when a writer waits for its reader', 'held at its beginning', [{ stopWhen: hasBothBegun }], 2],
    ['together with the death of a process', 'held at its beginning', [{ stopWhen: hasBothBegun, kills: true }], 2],
  ])('%s', async (_, name, lives, processes) => {
    begin();
    const plan = await planOf(name, 2);
    for (const [index, life] of lives.entries()) expect(await live(plan, { ...life, isResume: index > 0 })).toMatchObject({ kind: 'stopped', reason: 'the test' });
    expect(await lastLife(name, { isResume: true, processes })).toBe(undisturbed.get(name));
  }, BOUND_MS);

  it('when all have ended is none, and a resume of a cluster that has ended says how', async () => {
    begin();
    writeSync(pipe!, HELD);
    const plan = await planOf('held at its end', 2);
    const late = await live(plan, { isResume: false, stopWhen: ({ nodes }) => nodes.every(({ state }) => state === 'ended') });
    expect([late.kind, late.reason]).toEqual(['ended', undefined]);
    makePipe();
    expect(await lastLife('held at its end', { isResume: true, processes: 2 })).toBe(undisturbed.get('held at its end'));
  }, BOUND_MS);
});

describe('a cluster that runs', () => {
  it('is not started a second time, and does not mind', async () => {
    begin();
    rig.write('two.yaml', MANIFESTS['held at its beginning']);
    const { child, ended } = rig.start(['up', 'two.yaml', '--processes', '2'], 'store');
    while ((await rig.stillpoint(['show', 'two.reads-0'], 'store')).status !== 0 || (await rig.stillpoint(['show', 'two.writes-0'], 'store')).status !== 0) expect(child.exitCode).toBeNull();
    const { status, stderr } = await rig.stillpoint(['up', 'two.yaml'], 'store');
    expect([status, stderr]).toEqual([125, expect.stringMatching(/^stillpoint: E_RUN_OWNED: run two\.(reads|writes)-0 is being executed by process \d+ on .*; wait for it or stop it\n$/)]);
    child.kill('SIGINT');
    expect((await ended).status).not.toBe(0);
    expect(await lastLife('held at its beginning', { isResume: true, processes: 2 })).toBe(undisturbed.get('held at its beginning'));
  }, BOUND_MS);
});

describe('a coordinator that is killed', () => {
  it.each<[string, (sockets: number) => boolean]>([
    ['before its processes have begun', () => true],
    ['when they can hear each other', (sockets) => sockets === 2],
  ])('%s, leaves no sockets', async (_, isTime) => {
    begin();
    rig.write('two.yaml', MANIFESTS['held at its beginning']);
    const temporary = rig.path('temporary');
    mkdirSync(temporary, { recursive: true });
    const { child, ended } = rig.start(['up', 'two.yaml', '--processes', '2'], 'store', ['env', `TMPDIR=${temporary}`]);
    const sockets = (): number => readdirSync(temporary).flatMap((name) => readdirSync(`${temporary}/${name}`)).length;
    let pids: readonly number[] = [];
    await until(() => (pids = rig.processesOf(child.pid!)).length === 2 && isTime(sockets()), 'the moment');
    child.kill('SIGKILL');
    await ended;
    await until(() => !pids.some(isRunning), 'the end of the processes');
    expect(readdirSync(temporary)).toEqual([]);
  }, BOUND_MS);

  it('leaves no processes, also where something keeps their event loops', async () => {
    begin();
    rig.write('two.yaml', MANIFESTS['held at its beginning']);
    rig.write('keep.cjs', "if (process.argv.includes('cluster-process')) setInterval(() => {}, 1000);\n");
    const { child, ended } = rig.start(['up', 'two.yaml', '--processes', '2'], 'store', ['env', `NODE_OPTIONS=--require=${rig.path('keep.cjs')}`]);
    let pids: readonly number[] = [];
    await until(() => (pids = rig.processesOf(child.pid!)).length === 2, 'the processes');
    child.kill('SIGKILL');
    await ended;
    await until(() => !pids.some(isRunning), 'the end of the processes');
  }, BOUND_MS);
});

describe('a node whose output nobody reads yet', () => {
  it('has not begun when the cluster is stopped, and begins at the resume', async () => {
    execFileSync('mkfifo', [rig.path('build/nobody')]);
    rig.compile('hello', '#include <stdio.h>\nint main(int c, char **v) { FILE *f = fopen(v[1], "w"); fprintf(f, "hello\\n"); return fclose(f); }\n');
    rig.write('nobody.yaml', 'version: 1\nprocesses: 1\ngroups:\n  waits: { program: build/hello.elf, arguments: [/dev/out/pipe], files: { pipe: { out: build/nobody } } }\n  ends: { program: build/hello.elf, arguments: [/dev/stdout] }\n');
    const plan = await readClusterPlan({ file: rig.path('nobody.yaml') });
    rmSync(rig.path('store'), { recursive: true, force: true });
    const stopped = await live(plan, { isResume: false, stopWhen: (status) => stateOf(status, 'ends-0') === 'ended' });
    expect(stopped.status.nodes.map(({ name, state }) => `${name} ${state}`)).toEqual(['waits-0 stopped', 'ends-0 ended']); // Not killed: then it would still be waiting.
    const reader = openSync(rig.path('build/nobody'), constants.O_RDWR);
    const ended = await live(plan, { isResume: true });
    const bytes = Buffer.alloc(100);
    expect([ended.kind, bytes.toString('utf8', 0, readSync(reader, bytes))]).toEqual(['ended', 'hello\n']);
    closeSync(reader);
  }, BOUND_MS);
});

describe('replicas that ended before a stop', () => {
  const end = (replica: number, root: string, status = 0): NodeEnd => ({ node: `voter-0.r${replica}`, outcome: { kind: 'exited', status }, instructions: 5n, root, written: new Map() });

  async function resume(replicas: number, ended: readonly NodeEnd[]): Promise<string> {
    rig.write('voters.yaml', `version: 1\ngroups:\n  voter: { program: build/writes.elf, replicas: ${replicas} }\n`);
    const plan = await readClusterPlan({ file: rig.path('voters.yaml'), processes: 1 });
    const hosts = { hosts: new Map(), addressOf: () => '', known: [], ended: [], ship: async () => {}, close: async () => {} };
    const coordinator = new Coordinator({ plan, store: rig.path('store'), ended, entry: [CLI, 'cluster-process'], hosts, onStatus: () => {}, stopRequested: () => undefined });
    return coordinator.run().then(({ kind, status }) => `${kind}: ${status.dissents.map(({ node, what }) => `${node} ${what}`).join()}`, (error: unknown) => (error as Error).message);
  }

  it('are compared all the same when the cluster goes on', async () => {
    expect(await resume(3, [end(0, 'a'), end(1, 'b'), end(2, 'a')])).toBe('ended: voter-0.r1 it ended with another root than the other replicas');
    expect(await resume(3, [end(0, 'a'), end(1, 'a'), end(2, 'b', 9)])).toMatch(/^ended: voter-0.r2 it ended with /);
    expect(await resume(2, [end(0, 'a'), end(1, 'b')])).toMatch(/E_REPLICAS_DIFFER: the replicas of voter-0 ended with different roots/);
  });
});
