/**
 * A part of spread.test.ts (STILLPOINT_SLOW=1): clusters over three hosts in network namespaces (root), with commands and agents killed -9 in the midst of checkpoints, rollbacks and forks, hosts that are gone, and a
 * ring. Whatever dies, the next command finds all nodes at one place, and what is resumed gives the undisturbed run's bits. STILLPOINT_KILLS: how often each is killed (default 20).
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { membersOf } from '../../src/cluster/members.ts';
import { withStore } from '../../src/session/index.ts';
import { readClusterRecord, readForking, readRun } from '../../src/txn/index.ts';
import { AgentRig } from './agent-rig.ts';
import { linesOf, MixRig } from './mix-rig.ts';
import { addNamespaces, addressOf, inside, ip, removeNamespaces } from './namespaces.ts';
import { ClusterRig, fingerprint, randomFrom, until, type ClusterReport, type Ended } from './rig.ts';

const KILLS = Number(process.env['STILLPOINT_KILLS'] ?? 20);
const KEYS = ['--keys', 'keys'] as const;
const STORES = ['here', 'spa', 'spb'] as const;

/** A token goes round; each node adds to it, and writes what it saw now and then. */
const RING = `#include "peers.h"
#include <stdio.h>
int main(int argc, char **argv) {
    int in[PEERS_MAX], out[PEERS_MAX]; peers_open("/dev/in", "ring", in); peers_open("/dev/out", "ring", out);
    int first = atoi(getenv("STILLPOINT_INDEX")) == 0, kept = open("/dev/out/kept", O_WRONLY);
    unsigned long token = atoi(argv[1]);
    for (int round = 0; round < 240; round++) {
        if (first) put(out[0], &token, sizeof token);
        if (read(in[0], &token, sizeof token) != sizeof token) return 3;
        for (volatile int i = 0; i < 20000; i++) token = token * 6364136223846793005ul + 1442695040888963407ul;
        char line[64]; put(kept, line, snprintf(line, sizeof line, "%d %lx\\n", round, token));
        if (round % 20 == 0) { printf("%d\\n", round); fflush(stdout); }
        if (!first) put(out[0], &token, sizeof token);
    }
    return 0;
}
`;

export function overNamespaces(): void {
  const rig = new ClusterRig();
  const agents = new AgentRig(rig);
  let network: MixRig;
  const hosts = (): Readonly<Record<string, string>> => ({ spa: agents.hosts['spa']!, spb: agents.hosts['spb']! });
  const start = (words: readonly string[]): ReturnType<ClusterRig['start']> => rig.start([...words, ...KEYS], 'here', inside('spc'));
  const here = (...words: readonly string[]): Promise<Ended> => start(words).ended;
  const startAgent = (host: 'spa' | 'spb'): Promise<void> => agents.start(host, { address: addressOf(host), prefix: inside(host) });
  const pause = (milliseconds: number): Promise<void> => new Promise((done) => { setTimeout(done, milliseconds); });
  const rootsOfMakers = (report: ClusterReport): string => fingerprint({ ...report, nodes: report.nodes.filter(({ node }) => node.startsWith('maker')) });

  beforeAll(async () => {
    addNamespaces();
    network = new MixRig(rig);
    rig.compile('ring', RING);
    expect(await rig.stillpoint(['keys', 'keys'])).toMatchObject({ status: 0 });
    for (const host of ['spa', 'spb'] as const) await startAgent(host);
    rig.write('mix.yaml', network.manifest({ hosts: hosts(), placement: ['spa', 'spb'] }));
  }, 60_000);
  afterAll(() => {
    network.close();
    agents.close();
    rig.close();
    removeNamespaces();
  });

  /** How far the journals of a cluster's nodes go; by store. */
  async function positions(cluster: string): Promise<string> {
    const found: string[] = [];
    for (const store of STORES) await withStore(rig.path(store), 'read-only', async (context) => { for (const name of membersOf(context, cluster)) found.push(`${name.slice(cluster.length)} ${readRun(context, name).tail.count}`); });
    return found.join(', ');
  }

  /** Runs `mix` to its end with checkpoints `early` and `late`; its report and what the keeper kept. */
  async function runMix(disturb: (at: 'early' | 'late') => Promise<void>): Promise<{ readonly report: ClusterReport; readonly kept: string }> {
    let up = start(['up', 'mix.yaml', '--report', 'report.json']);
    for (const [at, line] of [['early', 20], ['late', 100]] as const) {
      let text = '';
      up.child.stdout!.on('data', (bytes: Buffer) => { text += bytes.toString(); });
      await until(() => new RegExp(`maker-0 \\| ${line}$`, 'm').test(text), 'progress');
      await disturb(at);
      expect(await here('checkpoint', 'mix', '--name', at)).toMatchObject({ status: 0 });
      network.openGates();
    }
    expect(await up.ended).toMatchObject({ status: 0 });
    return { report: rig.report(), kept: rig.read('build/kept').toString() };
  }

  /** Goes on with a cluster, and compares with the undisturbed run. */
  async function expectSameFrom(name: string, undisturbed: Awaited<ReturnType<typeof runMix>>, file = 'build/kept'): Promise<void> {
    for (const _gate of [60, 120]) network.openGates();
    const resumed = await here('up', 'mix.yaml', '--name', name, '--resume', '--report', 'report.json');
    expect([resumed.status, resumed.stderr]).toEqual([0, expect.stringContaining('4 nodes ended')]);
    expect(rootsOfMakers(rig.report())).toBe(rootsOfMakers(undisturbed.report));
    for (const maker of ['maker-0', 'maker-1']) expect(linesOf(rig.read(file).toString(), maker)).toEqual(linesOf(undisturbed.kept, maker));
  }

  let undisturbed: Awaited<ReturnType<typeof runMix>>;

  it('checkpoints that are killed on the way leave nothing, and disturb nobody', async () => {
    const random = randomFrom(1);
    undisturbed = await runMix(async (at) => {
      for (let kill = 0; kill < KILLS / 2; kill++) {
        const { child, ended } = start(['checkpoint', 'mix', '--name', `${at}-${kill}`]);
        await pause(200 + random() * 1200);
        child.kill('SIGKILL');
        await ended;
      }
    });
    const { stdout } = await here('checkpoints', 'mix', '--json');
    const listed = JSON.parse(stdout) as readonly { readonly name: string; readonly nodes: number; readonly broken: readonly string[] }[];
    expect(listed.every(({ nodes, broken }) => nodes === 4 && broken.length === 0)).toBe(true);
    for (const { name } of listed.slice(0, 4)) {
      expect(await here('fork', `mix@${name}`, '--name', 'try')).toMatchObject({ status: 0 });
      await expectSameFrom('try', undisturbed, 'build/kept.try');
      expect(await here('rm', 'try')).toMatchObject({ status: 0 });
      rig.remove('build/kept.try', 'mix.logs/maker-0.out.try', 'mix.logs/maker-1.out.try');
    }
  }, 600_000);

  it('a rollback that is killed, or whose host dies, happens everywhere or nowhere', async () => {
    const random = randomFrom(2);
    const seen = { all: 0, none: 0 };
    for (let kill = 0; kill < KILLS; kill++) {
      const name = `k${kill}`;
      expect(await here('fork', 'mix@late', '--name', name)).toMatchObject({ status: 0 });
      const before = await positions(name);
      const { child, ended } = start(['rollback', name, '--to', '0']);
      await pause(200 + random() * 300);
      if (kill % 2 === 0) child.kill('SIGKILL');
      else {
        process.kill(agents.pid('spb'), 'SIGKILL');
        await pause(50);
        await startAgent('spb');
      }
      const { status, stderr } = await ended;
      if (status !== 0 && kill % 2 === 1) expect(stderr).toMatch(/^stillpoint: E_CLUSTER_HOST: host spb/m);
      expect(await here('checkpoints', name)).toMatchObject({ status: 0 });
      const after = await positions(name);
      const isBack = after === before.replace(/ \d+/g, ' 1');
      expect(isBack || after === before, `kill ${kill}: ${before} became ${after}`).toBe(true);
      seen[isBack ? 'all' : 'none']++;
      if (kill === 0) {
        if (!isBack) expect(await here('rollback', name, '--to', '0')).toMatchObject({ status: 0 });
        await expectSameFrom(name, undisturbed, `build/kept.${name}`);
      }
      expect(await here('rm', name)).toMatchObject({ status: 0 });
      rig.remove(`build/kept.${name}`, `mix.logs/maker-0.out.${name}`, `mix.logs/maker-1.out.${name}`);
    }
    expect(seen.all + seen.none).toBe(KILLS);
    console.log(`rollbacks killed: ${seen.all} had happened, ${seen.none} had not`);
  }, 600_000);

  it('a fork that is killed is there whole, or not at all', async () => {
    const random = randomFrom(3);
    for (let kill = 0; kill < KILLS; kill++) {
      const name = `f${kill}`;
      const { child, ended } = start(['fork', 'mix@late', '--name', name]);
      await pause(150 + random() * 300);
      child.kill('SIGKILL');
      await ended;
      const { status, stderr } = await here('checkpoints', name);
      if (status !== 0) expect(stderr).toMatch(/^stillpoint: E_RUN_UNKNOWN: (the fork f\d+ was not made whole, and is undone|the store holds no run named f\d+)/m);
      const isThere = status === 0;
      expect(await withStore(rig.path('here'), 'read-only', async (context) => readClusterRecord(context, name) !== undefined && readForking(context, name) === undefined)).toBe(isThere);
      expect((await positions(name)).split(', ').filter((part) => part !== '').length, `kill ${kill}`).toBe(isThere ? 4 : 0);
      if (isThere) expect(await here('rm', name)).toMatchObject({ status: 0 });
      rig.remove(`build/kept.${name}`, `mix.logs/maker-0.out.${name}`, `mix.logs/maker-1.out.${name}`);
    }
  }, 600_000);

  it('a host that is gone is named, nothing is changed, and the cluster goes on when it is back', async () => {
    const before = await positions('mix');
    ip('link', 'set', 'vspb', 'down');
    for (const words of [['checkpoint', 'mix', '--name', 'gone'], ['rollback', 'mix', '--to', 'early'], ['fork', 'mix@early', '--name', 'gone']]) {
      const { status, stderr } = await here(...words);
      expect([status, stderr]).toEqual([125, expect.stringMatching(/^stillpoint: E_CLUSTER_HOST: host spb \(10\.77\.5\.2:\d+\) does not answer: .*; nothing was changed\n$/)]);
    }
    ip('link', 'set', 'vspb', 'up');
    expect(await positions('mix')).toBe(before);
    expect(await here('rollback', 'mix', '--to', 'early')).toMatchObject({ status: 0 });
    await expectSameFrom('mix', undisturbed);
    expect(await here('rm', 'mix')).toMatchObject({ status: 0 });
  }, 300_000);

  it('a ring goes on from any of its checkpoints with the same roots', async () => {
    rig.write('ring.yaml', ringManifest(hosts(), 'ring', 1));
    rig.write('strange.yaml', ringManifest(hosts(), 'strange', 2));
    const { child, ended } = start(['up', 'ring.yaml', '--report', 'report.json']);
    let text = '';
    child.stdout!.on('data', (bytes: Buffer) => { text += bytes.toString(); });
    for (const round of [20, 100, 180]) {
      await until(() => new RegExp(`ring-0 \\| ${round}$`, 'm').test(text), `round ${round}`);
      expect(await here('checkpoint', 'ring', '--name', `at-${round}`)).toMatchObject({ status: 0 });
    }
    expect(await ended).toMatchObject({ status: 0 });
    const first = fingerprint(rig.report());
    const files = [0, 1, 2].map((index) => rig.sha256(`build/ring-${index}`));
    for (const round of [180, 100, 20]) {
      expect(await here('rollback', 'ring', '--to', `at-${round}`)).toMatchObject({ status: 0 });
      expect(await here('up', 'ring.yaml', '--resume', '--report', 'report.json')).toMatchObject({ status: 0 });
      expect(fingerprint(rig.report())).toBe(first);
      expect([0, 1, 2].map((index) => rig.sha256(`build/ring-${index}`))).toEqual(files);
    }
    const replayed = await here('replay', 'ring');
    expect([replayed.status, replayed.stdout]).toEqual([0, expect.stringMatching(/^ring: identical\. 3 nodes, \d+ instructions; 3 channels, 5760 bytes equal at both ends$/m)]);
    // Another job under the name of a node: its own journal is sound, but it is not what its neighbours on other hosts have read of it.
    expect(await here('up', 'strange.yaml')).toMatchObject({ status: 0 });
    for (const words of [['export', 'strange.ring-1', rig.path('node.export')], ['rm', 'ring.ring-1', 'strange.ring-1'], ['import', rig.path('node.export'), '--name', 'ring.ring-1']]) expect(await rig.stillpoint(words, 'spa'), words.join(' ')).toMatchObject({ status: 0, stderr: expect.not.stringContaining('E_') as string });
    const other = await here('replay', 'ring', '--no-outputs');
    expect([other.status, other.stderr]).toEqual([1, expect.stringMatching(/E_DIVERGED_OUTPUT: run ring\.ring-0 writes other bytes than run ring\.ring-1 has read: channel out\/ring-1 to in\/ring-0, byte 0/)]);
    expect((await here('checkpoints', 'ring')).stdout).toMatch(/^at-20 .* broken: ring\.ring-1 *$/m);
  }, 300_000);
}

function ringManifest({ spa, spb }: Readonly<Record<string, string>>, name: string, token: number): string {
  return `version: 1
name: ${name}
hosts: { spa: "${spa!}", spb: "${spb!}" }
checkpointEvery: 5M
groups:
  ring: { program: build/ring.elf, arguments: ["${token}"], count: 3, memory: 16M, placement: [local, spa, spb], files: { kept: { out: "build/${name}-{index}" } } }
channels:
  - { from: ring, to: ring, pattern: ring }
`;
}
