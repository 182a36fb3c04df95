/**
 * Checkpoints, rollback and forks of a cluster over several hosts: two agents with stores of their own on the loopback, `up` as a third host; the mixer polls, so that a cut that is
 * none would show. STILLPOINT_SLOW=1: hosts in network namespaces, commands and agents killed on the way (spread-kill.ts).
 */
import { readdirSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { membersOf } from '../../src/cluster/members.ts';
import { StillpointError } from '../../src/core/index.ts';
import { isAlive, withCoordinator, withRollbackMany, withStore } from '../../src/session/index.ts';
import { readCut, readRun, RollbackParticipant, runNames, type Branch, type Participant, type RollbackWish, type StoreContext } from '../../src/txn/index.ts';
import { AgentRig, pipelineOn } from './agent-rig.ts';
import { randomBytes } from './link-conformance.ts';
import { linesOf, MixRig } from './mix-rig.ts';
import { ClusterRig, fingerprint, isSlow, until, type ClusterReport } from './rig.ts';
import { overNamespaces } from './spread-kill.ts';

const rig = new ClusterRig();
const network = new MixRig(rig);
const agents = new AgentRig(rig);
afterAll(() => {
  network.close();
  agents.close();
  rig.close();
});

const KEYS = ['--keys', 'keys'] as const;
const rootsOfMakers = (report: ClusterReport): string => fingerprint({ ...report, nodes: report.nodes.filter(({ node }) => node.startsWith('maker')) });

beforeAll(async () => {
  expect(await rig.stillpoint(['keys', 'keys'])).toMatchObject({ status: 0 });
  await agents.start('east');
  await agents.start('west');
  rig.write('mix.yaml', network.manifest({ hosts: agents.hosts, placement: ['east', 'west'] }));
});

/** What a rollback of mix to `to` leaves that dies when one host has prepared it, or when it is decided and no host has heard of it. */
async function dieInTheMiddle(to: string, when: 'prepared' | 'decided'): Promise<void> {
  const dies = async (): Promise<never> => { throw new StillpointError('E_CLUSTER_HOST', 'the command is dead'); };
  await withStoreParticipants(['east', 'west'], (hosts) => withCoordinator({ store: rig.path('here'), name: 'cluster.mix', participants: hosts.map(({ participant }) => participant) }, async ({ coordinator, context }) => {
    const { parts } = readCut(context, 'mix', to);
    const branches = hosts.map(({ participant, context: there }, index): Branch => {
      const wishes = new Map(membersOf(there, 'mix').map((name): [string, RollbackWish] => [name, { run: readRun(there, name).id, place: parts.get(name) }]));
      return { participant: { ...participant, commit: dies }, abort: dies, prepare: (id) => (when === 'prepared' && index > 0 ? dies() : participant.prepare(id, wishes)) };
    });
    const mine = membersOf(context, 'mix').map((name) => ({ name, at: parts.get(name) ?? 0 as const }));
    const committed = await withRollbackMany(context, mine, (batch) => coordinator.commit({ branches, local: [batch] })).catch((error: unknown) => error);
    expect(committed).toMatchObject(when === 'decided' ? { unresolved: ['east', 'west'] } : { code: 'E_CLUSTER_HOST' });
  }));
}

type Host = { readonly participant: Participant & Pick<RollbackParticipant, 'prepare'>; readonly context: StoreContext };
async function withStoreParticipants(names: readonly string[], use: (hosts: readonly Host[]) => Promise<void>, hosts: readonly Host[] = []): Promise<void> {
  const [name, ...rest] = names;
  if (name === undefined) return use(hosts);
  await withStore(rig.path(name), 'existing', async (context) => {
    const inner = new RollbackParticipant(context, { name, isAlive });
    const participant = { name, prepare: inner.prepare.bind(inner), commit: inner.commit.bind(inner), abort: inner.abort.bind(inner), inDoubt: inner.inDoubt.bind(inner) };
    await withStoreParticipants(rest, use, [...hosts, { participant, context }]);
  });
}

/** How far the journal of every node goes. */
async function positions(): Promise<string> {
  const found: string[] = [];
  for (const store of ['here', 'east', 'west']) await withStore(rig.path(store), 'read-only', async (context) => { for (const name of membersOf(context, 'mix')) found.push(`${name} ${readRun(context, name).tail.count}`); });
  return found.join(', ');
}

/** What commands for whole clusters keep to end each other's work. */
function wordsOfCommands({ store }: StoreContext): readonly string[] {
  const keys = [...store.range('meta', { from: new Uint8Array(0), to: Uint8Array.of(255) })].map(({ key }) => new TextDecoder().decode(key));
  return keys.filter((key) => /^(coordinator|decision|fence|back|forking|cluster|cut) /.test(key));
}

describe('a checkpoint of a running cluster over three hosts', () => {
  it('is a place where all nodes can go back to, in place and beside', async () => {
    const here = (words: readonly string[]): ReturnType<ClusterRig['stillpoint']> => rig.stillpoint([...words, ...KEYS], 'here');
    const { child, ended } = rig.start(['up', 'mix.yaml', ...KEYS, '--report', 'report.json'], 'here');
    let text = '';
    child.stdout!.on('data', (bytes: Buffer) => { text += bytes.toString(); });
    await until(() => /maker-0 \| 20$/m.test(text), 'progress');
    const taken = await here(['checkpoint', 'mix', '--name', 'early', '--note', 'all is well']);
    expect([taken.status, taken.stdout, taken.stderr]).toEqual([0, expect.stringMatching(/^mix@early: 4 nodes, .* instructions$/m), '']);
    expect((await here(['rollback', 'mix', '--to', 'early'])).stderr).toMatch(/E_RUN_OWNED: (host (east|west): )?run mix\.[a-z]+-\d is being executed by process/);
    network.openGates();
    await until(() => /maker-0 \| 100$/m.test(text), 'more progress');
    expect(await here(['checkpoint', 'mix', '--name', 'late'])).toMatchObject({ status: 0 });
    network.openGates();
    expect(await ended).toMatchObject({ status: 0 });
    const first = rig.report();
    const kept = rig.read('build/kept').toString();
    expect([linesOf(kept, 'maker-0').length, linesOf(kept, 'maker-1').length]).toEqual([300, 300]);

    const forked = await here(['fork', 'mix@late', '--name', 'other']);
    expect([forked.status, forked.stdout, forked.stderr]).toEqual([0, expect.stringContaining('other: a fork of mix at checkpoint late, 4 nodes'), '']);
    expect((await here(['fork', 'mix@late', '--name', 'other'])).stderr).toMatch(/E_RUN_EXISTS/);
    const back = await here(['rollback', 'mix', '--to', 'late']);
    expect([back.status, back.stdout, back.stderr]).toEqual([0, 'mix: 4 nodes back at checkpoint late\n', '']);
    const late = await positions();
    await dieInTheMiddle('early', 'prepared');
    expect((await rig.stillpoint(['rm', 'mix.mixer-0'], 'east')).stderr).toMatch(/E_RUN_OWNED: run mix\.mixer-0 waits for the end of a rollback of its whole cluster/);
    expect((await here(['checkpoints', 'mix'])).stdout).toMatch(/^NAME .*STATE .*\nearly .* whole +all is well\nlate .* whole *\n$/);
    expect(await positions()).toBe(late);
    await dieInTheMiddle('early', 'decided');
    expect((await rig.stillpoint(['rm', 'mix.keeper-0'], 'west')).stderr).toMatch(/E_RUN_OWNED/);
    for (const store of ['here', 'west']) expect(await rig.stillpoint(['fsck'], store)).toMatchObject({ status: 0 });

    for (const [name, file] of [['mix', 'build/kept'], ['other', 'build/kept.other']] as const) {
      for (const _gate of [60, 120]) network.openGates();
      const resumed = await rig.stillpoint(['up', 'mix.yaml', ...KEYS, '--name', name, '--resume', '--report', 'report.json'], 'here');
      expect([resumed.status, resumed.stderr]).toEqual([0, expect.stringContaining('4 nodes ended')]);
      expect(rootsOfMakers(rig.report())).toBe(rootsOfMakers(first));
      const again = rig.read(file).toString();
      for (const maker of ['maker-0', 'maker-1']) expect(linesOf(again, maker)).toEqual(linesOf(kept, maker));
    }
    const replayed = await here(['replay', 'mix']);
    expect([replayed.status, replayed.stdout]).toEqual([0, expect.stringMatching(new RegExp(`mix: identical. 4 nodes, \\d+ instructions; 3 channels, ${2 * rig.read('build/kept').length} bytes equal at both ends`))]);
    expect(await here(['fork', 'mix', '--name', 'done'])).toMatchObject({ status: 0 });
    expect((await here(['up', 'mix.yaml', '--name', 'done', '--resume'])).stderr).toContain('4 nodes ended'); // Nobody runs, and what they wrote elsewhere comes.
    expect(Buffer.compare(rig.read('build/kept.done'), rig.read('build/kept'))).toBe(0);
    expect((await here(['rm', 'mix', 'other', 'done'])).status).toBe(0);
    for (const store of ['here', 'east', 'west']) expect(await withStore(rig.path(store), 'read-only', async (context) => [runNames(context), wordsOfCommands(context)])).toEqual([[], []]);
  });

  it('may have hosts that share a store: each has the files of its own nodes', async () => {
    await agents.start('near', { store: 'east' });
    const { east, near } = agents.hosts;
    rig.compile('copy');
    rig.write('build/source', randomBytes(11, 300_000));
    rig.write('pipe.yaml', pipelineOn({ hosts: { east: east!, near: near! }, placement: ['east', 'near', 'near'] }));
    const here = (words: readonly string[]): ReturnType<ClusterRig['stillpoint']> => rig.stillpoint([...words, ...KEYS], 'alone');
    expect(await here(['up', 'pipe.yaml', '--no-logs'])).toMatchObject({ status: 0 });
    expect(await here(['checkpoint', 'pipe', '--name', 'end'])).toMatchObject({ status: 0, stdout: expect.stringContaining('3 nodes') });
    expect(await here(['fork', 'pipe@end', '--name', 'dup'])).toMatchObject({ status: 0, stdout: expect.stringContaining('3 nodes') });
    expect((await here(['fork', 'pipe@end', '--name', 'dup'])).stderr).toMatch(/E_RUN_EXISTS/);
    expect(await here(['rollback', 'pipe', '--to', '0'])).toMatchObject({ status: 0 });
    expect((await here(['up', 'pipe.yaml', '--name', 'dup', '--resume', '--no-logs'])).stderr).toContain('3 nodes ended');
    expect((await here(['up', 'pipe.yaml', '--resume', '--no-logs'])).stderr).toContain('3 nodes ended');
    for (const copy of ['build/copy', 'build/copy.dup']) expect(Buffer.compare(rig.read(copy), rig.read('build/source'))).toBe(0);
    expect(readdirSync(rig.path('near.files')).sort()).toEqual(['dup', 'pipe']);
    expect((await here(['rm', 'pipe', 'dup'])).status).toBe(0);
    for (const files of ['east.files', 'near.files']) expect(readdirSync(rig.path(files))).toEqual([]);
    for (const store of ['alone', 'east']) expect(await withStore(rig.path(store), 'read-only', async (context) => [runNames(context), wordsOfCommands(context)])).toEqual([[], []]);
  });
});

if (isSlow) describe('clusters over hosts in network namespaces', overNamespaces);
