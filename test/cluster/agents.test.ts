/**
 * Clusters over several hosts: two agents with stores and directories of their own on the loopback, and `up` as a third host. The same outputs and roots as on
 * one host, also when processes there are killed, on Ctrl-C, and when an agent dies. STILLPOINT_SLOW=1: hosts in network namespaces (hosts.test.ts).
 */
import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createWriteStream, existsSync, mkdirSync, readdirSync, rmSync, statSync, writeFileSync, type WriteStream } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { ControlLink, type ControlFrame } from '../../src/cluster/control-link.ts';
import { endAt, writeAt } from '../../src/cluster/live/agent-files.ts';
import { ChildHandle } from '../../src/cluster/live/process-handle.ts';
import { AgentRig, pipelineOn } from './agent-rig.ts';
import { randomBytes } from './link-conformance.ts';
import { ClusterRig, fingerprint, isRunning, randomFrom, until } from './rig.ts';

const rig = new ClusterRig();
const agents = new AgentRig(rig);
afterAll(() => {
  agents.close();
  rig.close();
});

const DATA = randomBytes(77, 1_200_000);
let undisturbed: string;

/** Gives the pipeline its input: half of it, the rest when `between` has happened. */
async function feed(between: () => Promise<void>): Promise<void> {
  const stream = createWriteStream(rig.path('build/source'));
  stream.write(DATA.subarray(0, 700_000));
  await between();
  stream.end(DATA.subarray(700_000));
  await once(stream, 'close');
}

function expectTheSame(): void {
  expect(Buffer.compare(rig.read('build/copy'), DATA)).toBe(0);
  expect(fingerprint(rig.report())).toBe(undisturbed);
}

const hasOutput = (): Promise<void> => until(() => existsSync(rig.path('build/copy')) && statSync(rig.path('build/copy')).size > 0, 'output from the other host');

beforeAll(async () => {
  rig.compile('copy');
  execFileSync('mkfifo', [rig.path('build/source')]);
  rig.write('one.yaml', pipelineOn({}));
  const here = rig.start(['up', 'one.yaml', '--name', 'placed', '--report', 'report.json', '--processes', '1'], 'one');
  await feed(async () => {});
  expect(await here.ended).toMatchObject({ status: 0 });
  undisturbed = fingerprint(rig.report());
  rig.write('build/copy', '');
  expect(await rig.stillpoint(['keys', 'keys'])).toMatchObject({ status: 0 });
  await agents.start('east');
  await agents.start('west');
  rig.write('placed.yaml', pipelineOn({ hosts: agents.hosts, placement: ['local', 'east', 'west'] }));
});

describe('nodes on two other hosts', () => {
  it('give the same bytes and roots, with a process killed there; logs, reports and outputs come to up', async () => {
    const { child, ended } = rig.start(['up', 'placed.yaml', '--keys', 'keys', '--report', 'report.json'], 'placed-1');
    await feed(async () => {
      await hasOutput();
      const [victim = 0] = rig.processesOf(agents.pid('east'));
      process.kill(victim, 'SIGKILL');
    });
    const { status, stdout, stderr } = await ended;
    expect([status, stderr]).toEqual([0, expect.stringContaining('3 nodes ended')]);
    expect(stderr).toContain('1 restart,');
    expectTheSame();
    for (const node of ['first-0', 'second-0', 'third-0']) expect(stdout).toMatch(new RegExp(`^${node} \\| ${node} copied 1200000 bytes`, 'm'));
    expect(rig.processesOf(child.pid!).concat(rig.processesOf(agents.pid('east')))).toEqual([]);
    expect((await rig.stillpoint(['replay', 'placed.second-0'], 'east')).stdout).toContain('placed.second-0: identical.');
    expect((await rig.stillpoint(['checkpoint', 'placed', '--name', 'x'], 'placed-1')).stderr).toMatch(/^stillpoint: E_USAGE: nodes of placed are on other hosts \(east, west\); --keys FILE names the key file/);
    expect((await rig.stillpoint(['checkpoint', 'placed', '--name', 'x'], 'east')).stderr).toMatch(/^stillpoint: E_USAGE: cluster placed has nodes on several hosts, and this store does not say where: give the command on the host where up runs/);
    const again = await rig.stillpoint(['up', 'placed.yaml', '--keys', 'keys'], 'placed-2');
    expect([again.status, again.stderr]).toEqual([125, expect.stringMatching(/^stillpoint: E_RUN_EXISTS: the stores of its hosts hold 2 runs of cluster placed already/)]);
  });

  it.each<[string, (up: ChildProcess) => Promise<void> | void, number | null, RegExp]>([
    ['Ctrl-C', (up) => { up.kill('SIGINT'); }, 130, /go on with: stillpoint up placed.yaml --keys keys --resume/],
    ['the death of an agent', async () => {
      process.kill(agents.pid('west'), 'SIGKILL');
      await agents.start('west');
    }, 125, /^stillpoint: E_CLUSTER_FAILED: cluster placed: host west \(127\.0\.0\.1:\d+\) has another agent than before/m],
    ['an output that cannot be written here', () => {
      rig.remove('build/copy');
      mkdirSync(rig.path('build/copy'));
    }, 125, /^stillpoint: E_CLUSTER_FAILED: cluster placed: E_HOST_FILE: .*build\/copy: (EISDIR|somebody has changed the file)/m],
    ['an output that somebody takes away', () => { rig.remove('build/copy'); }, 125, /^stillpoint: E_CLUSTER_FAILED: cluster placed: E_HOST_FILE: .*build\/copy: somebody has changed the file: it has 0 of the \d+ bytes/m],
  ])('%s leaves everything resumable, nothing running, and the resume gives the same bits', async (what, disturb, status, says) => {
    const { up, processes, stream } = await half(`stopped by ${what}`);
    await disturb(up.child);
    if (what.startsWith('an output')) stream.write(DATA.subarray(700_000, 900_000));
    expect([(await up.ended).status, (await up.ended).stderr]).toEqual([status, expect.stringMatching(says)]);
    stream.destroy();
    if (what === 'the death of an agent') await until(() => !processes.some(isRunning), 'the end of all processes');
    else expect(processes.filter(isRunning)).toEqual([]);
    rmSync(rig.path('build/copy'), { recursive: true, force: true });
    await expectResumed(`stopped by ${what}`);
  });

  it('the death of up is waited for by the resume: the processes there learn of it when ten seconds are over', async () => {
    const { up, processes, stream } = await half('killed');
    const [here = 0, ...there] = processes;
    up.child.kill('SIGKILL');
    await until(() => !isRunning(here), 'the end of the process here');
    stream.destroy();
    expect(there.every(isRunning)).toBe(true);
    await expectResumed('killed');
    expect(there.some(isRunning)).toBe(false);
  });

  /** A cluster that has got and written a part, and its processes: here, east, west. */
  async function half(store: string): Promise<{ readonly up: ReturnType<ClusterRig['start']>; readonly processes: readonly number[]; readonly stream: WriteStream }> {
    agents.forget();
    rig.write('build/copy', '');
    const up = rig.start(['up', 'placed.yaml', '--keys', 'keys'], store);
    const stream = createWriteStream(rig.path('build/source'));
    stream.on('error', () => {}); // Its reader goes away.
    onTestFinished(() => { // Also of a test that failed: the next one has the pipe for itself.
      stream.destroy();
      up.child.kill('SIGKILL');
    });
    stream.write(DATA.subarray(0, 700_000));
    await hasOutput();
    const processes = [up.child.pid!, agents.pid('east'), agents.pid('west')].flatMap((parent) => rig.processesOf(parent));
    expect(processes.length).toBe(3);
    return { up, processes, stream };
  }

  async function expectResumed(store: string): Promise<void> {
    const rest = await unread(store);
    const resumed = rig.start(['up', 'placed.yaml', '--keys', 'keys', '--resume', '--report', 'report.json'], store);
    const again = createWriteStream(rig.path('build/source'));
    again.end(rest);
    await once(again, 'close');
    expect([(await resumed.ended).status, (await resumed.ended).stderr]).toEqual([0, expect.stringContaining('3 nodes ended')]);
    expectTheSame();
  }

  it('of a cluster that is not kept, nothing is left on other hosts: when it has ended, and of a killed agent when the next one begins', async () => {
    const files = (): readonly string[] => ['east', 'west'].flatMap((host) => readdirSync(rig.path(`${host}.files`)).filter((name) => name !== 'placed'));
    rig.write('build/copy', '');
    const once = ['up', 'placed.yaml', '--keys', 'keys', '--ephemeral', '--no-logs'];
    const disturbed = rig.start(once, 'once');
    const stream = createWriteStream(rig.path('build/source'));
    stream.on('error', () => {}); // Its reader goes away.
    stream.write(DATA.subarray(0, 700_000));
    await hasOutput();
    expect(files()).toHaveLength(2);
    process.kill(agents.pid('west'), 'SIGKILL');
    await agents.start('west');
    expect((await disturbed.ended).status).toBe(125);
    stream.destroy();
    await until(() => files().length === 1, 'the end of the session at east');
    const again = rig.start(once, 'once');
    await feed(async () => {});
    expect(await again.ended).toMatchObject({ status: 0 });
    expect(Buffer.compare(rig.read('build/copy'), DATA)).toBe(0);
    await until(() => files().length === 0, 'the end of both sessions');
  });

  it('what is wrong is said in one line', async () => {
    const says = async (manifest: string, options: readonly string[]): Promise<string> => {
      rig.write('wrong.yaml', manifest);
      return (await rig.stillpoint(['up', 'wrong.yaml', ...options], 'wrong')).stderr;
    };
    const placed = pipelineOn({ hosts: agents.hosts, placement: ['local', 'east', 'west'] });
    expect(await says(placed, [])).toMatch(/^stillpoint: E_USAGE: nodes of wrong are placed on other hosts; --keys FILE names the key file/);
    expect(await says(placed, ['--keys', 'placed.yaml'])).toMatch(/^stillpoint: E_USAGE: the key file placed.yaml can be read by others/);
    writeFileSync(rig.path('nokeys'), 'x\n', { mode: 0o600 });
    expect(await says(placed, ['--keys', 'nokeys'])).toMatch(/^stillpoint: E_USAGE: nokeys is not a key file; stillpoint keys makes one/);
    expect(await says(placed.replace('build/copy.elf', 'build'), ['--keys', 'keys'])).toMatch(/E_PROGRAM_DIRECTORY: node first-0 of cluster wrong/);
    expect(await says(placed.replace('placement: west', 'placement: nowhere'), ['--keys', 'keys'])).toMatch(/^stillpoint: E_MANIFEST: wrong.yaml:\d+: groups.third.placement: there is no host nowhere; there are local, east, west/);
    expect(await says(placed.replace(/east: "[^"]+"/, 'east: "a b"'), ['--keys', 'keys'])).toMatch(/^stillpoint: E_MANIFEST: wrong.yaml:\d+: hosts.east: 'a b' is not ADDRESS or ADDRESS:PORT/);
    expect((await rig.stillpoint(['keys', 'keys'])).stderr).toMatch(/^stillpoint: E_HOST_FILE: the key file keys: EEXIST/);
    expect((await rig.stillpoint(['agent', '--keys', 'keys', '--listen', '203.0.113.9:1'])).stderr).toMatch(/^stillpoint: E_CLUSTER_FAILED: the agent cannot listen at 203.0.113.9:1/);
    expect((await rig.stillpoint(['agent', '--keys', 'keys', '--listen', 'here'])).stderr).toMatch(/^stillpoint: E_USAGE: option --listen: 'here' is not ADDRESS:PORT/);
  });
});

/** A pipe cannot be read twice: what the journal of the first node holds is not given again. */
async function unread(store: string): Promise<Uint8Array> {
  const { stdout } = await rig.stillpoint(['log', 'placed.first-0', '--json'], store);
  const held = Math.max(0, ...[...stdout.matchAll(/data: bytes \d+\.\.(\d+)/g)].map(([, end]) => Number(end)));
  return DATA.subarray(held);
}

describe('a file that is written elsewhere', () => {
  const file = (): string => rig.path('written');
  const bytes = randomBytes(3, 8);

  it('grows where bytes are there already, and is made only for its first ones', () => {
    rig.remove('written');
    expect(() => { writeAt(file(), { offset: 4, bytes, isNew: false }); }).toThrow(/written: somebody has changed the file: it has 0 of the 4 bytes/);
    expect(existsSync(file())).toBe(false);
    writeAt(file(), { offset: 0, bytes, isNew: false });
    writeAt(file(), { offset: 8, bytes, isNew: false });
    expect(() => { writeAt(file(), { offset: 17, bytes, isNew: false }); }).toThrow(/it has 16 of the 17 bytes/);
    expect(Buffer.compare(rig.read('written'), Buffer.concat([bytes, bytes]))).toBe(0);
    writeAt(file(), { offset: 0, bytes, isNew: true });
    expect(statSync(file()).size).toBe(8);
  });

  it('ends where it ended there: one of an earlier start is cut, one that is empty is made', () => {
    rig.write('written', bytes);
    endAt(file(), 3);
    expect(Buffer.compare(rig.read('written'), bytes.subarray(0, 3))).toBe(0);
    expect(() => { endAt(file(), 4); }).toThrow(/it has 3 of the 4 bytes/);
    rig.remove('written');
    expect(() => { endAt(file(), 4); }).toThrow(/it has 0 of the 4 bytes/);
    endAt(file(), 0);
    expect(statSync(file()).size).toBe(0);
  });

  it('may lose its name at any moment, and no gap is written', () => {
    const remover = spawn('sh', ['-c', 'while :; do rm -f "$0"; done', file()]);
    onTestFinished(() => { remover.kill('SIGKILL'); });
    let refused = 0;
    for (let round = 0; round < 2_000; round++) {
      try {
        writeAt(file(), { offset: 0, bytes, isNew: true });
        writeAt(file(), { offset: 8, bytes, isNew: false });
      } catch (error) {
        expect(String(error)).toMatch(/somebody has changed the file: it has 0 of the 8 bytes/);
        refused++;
      }
    }
    expect(refused).toBeGreaterThan(0);
  });
});

describe('a process that is abandoned', () => {
  it.each([
    ['ends when it notices', "process.on('disconnect', () => { console.error('last words'); process.exit(3); }); process.send('here');"],
    ['has ended already', "process.send('here', () => { console.error('last words'); process.exit(3); });"],
  ])('is gone when it is over, with how and its last words: one that %s', async (_, program) => {
    const gone: string[] = [];
    const handle: ChildHandle<object, string> = new ChildHandle(['-e', program], {
      onMessage: () => { handle.abandon(); },
      onGone: (how, errors) => { gone.push(`${how}: ${errors}`); },
    });
    await until(() => gone.length > 0, 'its end');
    expect([gone, handle.isGone]).toEqual([['status 3: last words\n'], true]);
  });
});

describe('messages to an agent', () => {
  it.each([1, 2, 3, 4, 5])('come once and in order, whatever frames are lost, doubled or late (seed %i)', (seed) => {
    const random = randomFrom(seed);
    const heard: [number[], number[]] = [[], []];
    const way: { readonly to: number; readonly frame: ControlFrame<number> }[] = [];
    const transmit = (to: number) => (frame: ControlFrame<number>): void => {
      if (random() < 0.2) return;
      const at = random() < 0.2 ? Math.floor(random() * way.length) : way.length;
      way.splice(at, 0, ...Array<{ to: number; frame: ControlFrame<number> }>(random() < 0.2 ? 2 : 1).fill({ to, frame }));
    };
    const links = [0, 1].map((own) => new ControlLink<number, number>({ transmit: transmit(1 - own), onMessage: (message) => { heard[own]!.push(message); } }));
    for (let round = 0; round < 2000; round++) {
      if (round < 300) links.forEach((link, own) => { if (random() < 0.7) link.send(round * 2 + own, 100); });
      if (round % 5 === 0) for (const link of links) link.tick();
      for (let count = Math.floor(random() * 4); count > 0 && way.length > 0; count--) {
        const { to, frame } = way.shift()!;
        links[to]!.receive(frame);
      }
    }
    for (const own of [0, 1]) {
      expect(links[own]!.isSettled).toBe(true);
      expect(heard[own]!.every((message) => message % 2 === 1 - own)).toBe(true);
      expect(heard[own]).toEqual([...new Set(heard[own])].sort((a, b) => a - b));
      expect(heard[own]!.length).toBeGreaterThan(150);
    }
  });
});
