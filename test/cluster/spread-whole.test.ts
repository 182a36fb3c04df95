/**
 * Fork and rollback --keep of a cluster over several hosts are made whole or not at all, also when a host refuses or dies between its part and another one's: two agents on the loopback, the
 * farther one behind a line that can be slow, so that a test can act when one host has done its part and the other has not heard of it.
 */
import { existsSync, mkdirSync, readdirSync } from 'node:fs';
import { createServer, connect, type AddressInfo, type Server, type Socket } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { membersOf } from '../../src/cluster/members.ts';
import { withRollbackMany, withStore } from '../../src/session/index.ts';
import { ownerInName } from '../../src/session/leftovers.ts';
import { readRun, runNames, type StoreContext } from '../../src/txn/index.ts';
import { AgentRig, pipelineOn } from './agent-rig.ts';
import { randomBytes } from './link-conformance.ts';
import { ClusterRig, type Ended } from './rig.ts';

const LATENCY_MS = 400;
const STORES = ['here', 'east', 'west'] as const;
/** `near` shares the store of `east`. */
const HOSTS = ['east', 'near', 'west'] as const;

const rig = new ClusterRig();
const agents = new AgentRig(rig);
let line: Server;
let isSlowLine = false;
const onLine = new Set<Socket>();
afterAll(() => {
  line.close();
  agents.close();
  rig.close();
});

const here = (...words: readonly string[]): Promise<Ended> => rig.stillpoint([...words, '--keys', 'keys'], 'here');

/** A line to a port; while it is slow, what is sent to that port comes late, in order. */
function openLine(port: number): Promise<Server> {
  const server = createServer((near) => {
    const far = connect(port, '127.0.0.1');
    let last = Promise.resolve();
    near.on('data', (bytes) => {
      const due = new Promise<void>((done) => { if (isSlowLine) setTimeout(done, LATENCY_MS); else done(); });
      last = last.then(() => due).then(() => { far.write(bytes); });
    });
    far.on('data', (bytes) => { near.write(bytes); });
    for (const [end, other] of [[near, far], [far, near]] as const) {
      onLine.add(end);
      end.on('close', () => { onLine.delete(end); other.destroy(); });
      end.on('error', () => { other.destroy(); });
    }
  });
  return new Promise((done) => { server.listen(0, '127.0.0.1', () => { done(server); }); });
}

beforeAll(async () => {
  rig.compile('copy');
  rig.write('build/source', randomBytes(5, 100_000));
  expect(await rig.stillpoint(['keys', 'keys'])).toMatchObject({ status: 0 });
  await agents.start('east');
  await agents.start('near', { store: 'east' });
  await agents.start('west');
  line = await openLine(Number(agents.hosts['west']!.split(':')[1]));
  const west = `127.0.0.1:${(line.address() as AddressInfo).port}`; // It listens on a port.
  rig.write('line.yaml', pipelineOn({ hosts: { east: agents.hosts['east']!, west }, placement: ['local', 'east', 'west'] }));
  expect(await here('up', 'line.yaml', '--no-logs')).toMatchObject({ status: 0 });
  expect(await here('checkpoint', 'line', '--name', 'end')).toMatchObject({ status: 0 });
  const { east, near } = agents.hosts;
  rig.write('trio.yaml', pipelineOn({ hosts: { east: east!, near: near!, west }, placement: ['west', 'near', 'east'] }).replace('build/copy }', 'build/trio }'));
  expect(await here('up', 'trio.yaml')).toMatchObject({ status: 0 });
});

/** Names of all runs and how far their journals go, by store; the words of commands that have not ended; the agents' directories; copies of outputs here. */
async function everything(): Promise<readonly unknown[]> {
  const ofStore = (name: string): Promise<unknown> => withStore(rig.path(name), 'read-only', async (context) => [runNames(context).map((run) => `${run} ${readRun(context, run).tail.count}`), wordsLeft(context)]);
  const copies = ['build', 'line.logs', 'trio.logs'].flatMap((directory) => readdirSync(rig.path(directory))).filter((name) => /\.(dup|old)$/.test(name));
  return [...await Promise.all(STORES.map(ofStore)), ...HOSTS.map((host) => readdirSync(rig.path(`${host}.files`), { recursive: true }).sort()), copies];
}

function wordsLeft({ store }: StoreContext): readonly string[] {
  const keys = [...store.range('meta', { from: new Uint8Array(0), to: Uint8Array.of(255) })].map(({ key }) => new TextDecoder().decode(key));
  return keys.filter((key) => /^(decision|back|forking|cluster) /.test(key));
}

/** Gives a command, and does something as soon as a store holds a run of a cluster. */
async function during(words: readonly string[], { store, cluster, act }: { readonly store: string; readonly cluster: string; readonly act: () => void }): Promise<Ended> {
  isSlowLine = true;
  const ended = here(...words);
  for (let tries = 0; await withStore(rig.path(store), 'read-only', async (context) => membersOf(context, cluster).length === 0); tries++) {
    if (tries > 6000) throw new Error(`no run of ${cluster} came to ${store}`);
    await new Promise((done) => { setTimeout(done, 5); });
  }
  act();
  isSlowLine = false;
  return ended;
}

/** Kills the farther agent and starts it again. */
async function killWestDuring(words: readonly string[], store: string, cluster: string): Promise<Ended> {
  let isBack = Promise.resolve();
  const ended = await during(words, { store, cluster, act: () => {
    process.kill(agents.pid('west'), 'SIGKILL');
    isBack = agents.start('west');
  } });
  await isBack;
  return ended;
}

describe('a host refuses its part of', () => {
  it('a fork, or a rollback that keeps: nothing is changed anywhere', async () => {
    expect(await rig.stillpoint(['fork', 'line.third-0', '--name', 'old.third-0', '--bind', `copy=${rig.path('build/elsewhere')}`], 'west')).toMatchObject({ status: 0 });
    const before = await everything();
    for (const words of [['fork', 'line@end', '--name', 'old'], ['rollback', 'line', '--to', '0', '--keep', 'old']]) {
      const { status, stderr } = await here(...words);
      expect([status, stderr]).toEqual([125, expect.stringMatching(/^stillpoint: E_RUN_EXISTS: host west: the store holds runs of cluster old already; .*; nothing was changed\n$/)]);
      expect(await everything()).toEqual(before);
    }
    expect(await rig.stillpoint(['rm', 'old.third-0'], 'west')).toMatchObject({ status: 0 });
  });

  it('a fork of nodes on hosts that share a store: their files go, too, and what a killed process had not finished', async () => {
    expect(await rig.stillpoint(['fork', 'trio.first-0', '--name', 'old.first-0'], 'west')).toMatchObject({ status: 0 });
    const before = await everything();
    for (const host of ['east', 'near']) {
      mkdirSync(rig.path(`${host}.files/old`));
      rig.write(`${host}.files/old/.stillpoint-aside-${ownerInName().replace(/[0-9]+$/, '1')}-1.part`, 'half'); // Of a process with our number that began at another time.
    }
    const { status, stderr } = await here('fork', 'trio', '--name', 'old');
    expect([status, stderr]).toEqual([125, expect.stringMatching(/^stillpoint: E_RUN_EXISTS: host west: .*; nothing was changed\n$/)]);
    expect(await everything()).toEqual(before);
    expect(await rig.stillpoint(['rm', 'old.first-0'], 'west')).toMatchObject({ status: 0 });
  });

  it('a rollback that keeps, because somebody has its node: nothing is changed anywhere, and the checkpoint need not be there', async () => {
    const before = await everything();
    await withStore(rig.path('west'), 'existing', async (context) => {
      const answer = withRollbackMany(context, [{ name: 'line.third-0', at: 0 }], async () => {
        expect((await here('rollback', 'line', '--to', '0', '--keep', 'old')).stderr).toMatch(/^stillpoint: E_RUN_OWNED: host west: run line\.third-0 is being executed by process .*; nothing was changed\n$/);
        throw new Error('let go');
      });
      await expect(answer).rejects.toThrow('let go');
    });
    expect((await here('rollback', 'line', '--to', 'nowhere', '--keep', 'old')).stderr).toMatch(/^stillpoint: E_CHECKPOINT_UNKNOWN/);
    expect(await everything()).toEqual(before);
  });
});

describe('a connection to a host breaks', () => {
  it('while a command waits for its answer: it is made again, and the command goes on', async () => {
    const ended = await during(['fork', 'line@end', '--name', 'dup'], { store: 'east', cluster: 'dup', act: () => { for (const socket of onLine) socket.destroy(); } });
    expect(ended).toMatchObject({ status: 0, stderr: '' });
    expect(await here('rm', 'dup')).toMatchObject({ status: 0 });
    rig.remove('build/copy.dup');
  });
});

describe('a host dies before its part of', () => {
  it('a fork: the message says what happens, the next command for the cluster does it and says so', async () => {
    const before = await everything();
    const { status, stderr } = await killWestDuring(['fork', 'line@end', '--name', 'dup'], 'east', 'dup');
    expect([status, stderr]).toEqual([125, expect.stringMatching(/^stillpoint: E_CLUSTER_HOST: host west .*; what was made of fork dup is taken back by the next command for cluster line\n$/)]);
    expect(await here('checkpoints', 'line')).toMatchObject({ status: 0, stderr: expect.stringContaining('the fork dup of cluster line was not made whole, and is undone') as string });
    expect(await everything()).toEqual(before);
  });

  it('a fork: a command for the fork ends it, too', async () => {
    const before = await everything();
    await killWestDuring(['fork', 'line@end', '--name', 'dup'], 'east', 'dup');
    expect((await here('checkpoints', 'dup')).stderr).toMatch(/^stillpoint: E_RUN_UNKNOWN: the fork dup was not made whole, and is undone; the store holds no run of cluster dup$/m);
    expect(await everything()).toEqual(before);
  });

  it('a rollback that keeps: what is kept and what goes back are undone together; without a death both happen', async () => {
    const before = await everything();
    const { status, stderr } = await killWestDuring(['rollback', 'line', '--to', '0', '--keep', 'old'], 'west', 'old');
    expect([status, stderr]).toEqual([125, expect.stringMatching(/^stillpoint: E_CLUSTER_HOST: host west .*; what was made of fork old is taken back by the next command for cluster line; no node has gone back; what a host has prepared for it is taken back by the next command for cluster line\n$/)]);
    expect((await here('checkpoints', 'line')).status).toBe(0);
    expect(await everything()).toEqual(before);

    const { stdout } = await here('rollback', 'line', '--to', '0', '--keep', 'old');
    expect(stdout).toBe('line: 3 nodes back at the first instruction; kept as old\n');
    for (const [name, copy] of [['old', 'build/copy.old'], ['line', 'build/copy']] as const) {
      rig.remove(copy);
      expect(await here('up', 'line.yaml', '--name', name, '--resume', '--no-logs')).toMatchObject({ status: 0, stderr: expect.stringContaining('3 nodes ended') as string });
      expect(existsSync(rig.path(copy)) && Buffer.compare(rig.read(copy), rig.read('build/source'))).toBe(0);
    }
  });
});
