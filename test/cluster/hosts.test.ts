/**
 * A channel over encrypted tcp between two processes that share nothing. STILLPOINT_SLOW=1: between two hosts on one machine, each in a network namespace of its
 * own, joined by a bridge, while the link is slow, loses packets and is cut; that wants root, nft, and a kernel with namespaces, veth and tbf. Loss, doubling,
 * reordering and damage of frames are in links.test.ts, by seed. A guest has no way to the host's network at all.
 */
import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { networkInterfaces, tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { newClusterKeys, type ClusterKeys } from '../../src/cluster/live/curve.ts';
import { compileFor } from '../store/compile.ts';
import { randomBytes } from './link-conformance.ts';
import type { Setup } from './host-end.ts';
import { AgentRig, pipelineOn } from './agent-rig.ts';
import { addNamespaces, addressOf, inside, ip, lose, loseNoMore, NAMESPACES, removeNamespaces, type Namespace } from './namespaces.ts';
import { ClusterRig, fingerprint, isRunning, isSlow, ROOT, until } from './rig.ts';

interface End { readonly child: ChildProcess; readonly next: () => Promise<Record<string, unknown>>; readonly say: (line: string) => void }

const directory = mkdtempSync(join(tmpdir(), 'stillpoint-hosts-'));
afterAll(() => rmSync(directory, { recursive: true }));
const HOST_END = await compileFor('test/cluster/host-end.ts', directory);

/** Starts one end in a namespace; resolves when it listens. */
async function startEnd(host: Namespace | undefined, role: Setup['role'], keys: ClusterKeys): Promise<End & { readonly endpoint: string }> {
  const command = [process.execPath, HOST_END];
  const [program = '', ...words] = host === undefined ? command : ['ip', 'netns', 'exec', host, ...command];
  const child = spawn(program, words, { stdio: ['pipe', 'pipe', 'inherit'] });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const next = async (): Promise<Record<string, unknown>> => {
    const { value, done } = await lines.next();
    if (done === true) throw new Error(`the ${role} ended`);
    return JSON.parse(value) as Record<string, unknown>;
  };
  const say = (line: string): void => { child.stdin.write(`${line}\n`); };
  say(JSON.stringify({ role, bind: `tcp://${host === undefined ? '127.0.0.1' : addressOf(host)}:*`, keys, bytes: BYTES } satisfies Setup));
  return { child, next, say, endpoint: (await next())['endpoint'] as string };
}

const BYTES = 4_000_000;
const expected = createHash('sha256').update(randomBytes(12, BYTES)).digest('hex');

async function transfer(hosts: readonly [Namespace, Namespace] | undefined, disturb: (position: number) => Promise<void>): Promise<Record<string, unknown>> {
  const keys = newClusterKeys();
  const [writer, reader] = await Promise.all([startEnd(hosts?.[0], 'writer', keys), startEnd(hosts?.[1], 'reader', keys)]);
  writer.say(reader.endpoint);
  reader.say(writer.endpoint);
  for (;;) {
    const said = await reader.next();
    if (said['sha256'] !== undefined) {
      expect(await writer.next()).toEqual({ done: true });
      reader.say('leave');
      return said;
    }
    await disturb(Number(said['position']));
  }
}

describe('two processes', () => {
  it('share a channel over encrypted tcp', async () => {
    expect(await transfer(undefined, async () => {})).toMatchObject({ sha256: expected, position: BYTES });
  });
});

it('a guest that connects to a port of the host, by any of its addresses, reaches nobody', async () => {
  const rig = new ClusterRig();
  let connections = 0;
  const server = createServer(() => { connections++; }).listen(0, '0.0.0.0');
  await once(server, 'listening');
  rig.compile('reach', `#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
int main(int c, char **v) {
    int reached = 0;
    for (int i = 2; i < c; i++) {
        struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(atoi(v[1])) };
        inet_pton(AF_INET, v[i], &to.sin_addr);
        int fd = socket(AF_INET, SOCK_STREAM, 0);
        if (fd >= 0 && connect(fd, (struct sockaddr *)&to, sizeof to) == 0) reached++;
        int datagrams = socket(AF_INET, SOCK_DGRAM, 0);
        if (datagrams >= 0) sendto(datagrams, "x", 1, 0, (struct sockaddr *)&to, sizeof to);
    }
    printf("%d\\n", reached);
    return 0;
}
`);
  const addresses = Object.values(networkInterfaces()).flatMap((list) => list ?? []).filter(({ family }) => family === 'IPv4').map(({ address }) => address);
  const { status, stdout } = await rig.stillpoint(['run', '--ephemeral', 'build/reach.elf', String((server.address() as AddressInfo).port), ...addresses]);
  expect([status, stdout, connections]).toEqual([0, '0\n', 0]);
  server.close();
  rig.close();
});

function inNamespaces(): void {
  beforeAll(addNamespaces);
  afterAll(removeNamespaces);

  it('a whole link carries every byte', async () => {
    expect(await transfer(['spa', 'spb'], async () => {})).toMatchObject({ sha256: expected, position: BYTES });
  });

  it('a slow one, too', async () => {
    execFileSync('tc', ['qdisc', 'add', 'dev', 'vspb', 'root', 'tbf', 'rate', '16mbit', 'burst', '32kbit', 'latency', '50ms']);
    const started = performance.now();
    expect(await transfer(['spa', 'spb'], async () => {})).toMatchObject({ sha256: expected, position: BYTES });
    expect(performance.now() - started, 'the link was slow').toBeGreaterThan(1500);
    execFileSync('tc', ['qdisc', 'del', 'dev', 'vspb', 'root']);
  });

  it('one that loses every tenth packet, both ways, loses and repeats no byte', async () => {
    for (const host of ['spa', 'spb'] as const) lose(host, 10);
    expect(await transfer(['spa', 'spb'], async () => {})).toMatchObject({ sha256: expected, position: BYTES });
    for (const host of ['spa', 'spb'] as const) expect(loseNoMore(host)).toBeGreaterThan(5);
  }, 300_000);

  it('one that is cut again and again loses and repeats nothing', async () => {
    let cuts = 0;
    const said = await transfer(['spa', 'spb'], async () => {
      cuts++;
      ip('link', 'set', 'vspa', 'down');
      await new Promise((done) => { setTimeout(done, 1200); });
      ip('link', 'set', 'vspa', 'up');
    });
    expect(said).toMatchObject({ sha256: expected, position: BYTES });
    expect(cuts).toBeGreaterThanOrEqual(3);
  });

  it('a cluster over three hosts gives the bits of one, over a slow link that is cut, and over links that lose packets; a host that is gone is named, and the cluster goes on when it is back', async () => {
    const rig = new ClusterRig();
    const agents = new AgentRig(rig);
    try {
      rig.compile('copy');
      const data = randomBytes(78, 6_000_000);
      rig.write('build/source', data);
      rig.write('one.yaml', pipelineOn({}));
      const { nodes } = await rig.up('one.yaml', ['--name', 'placed']);
      const expectTheSame = (): void => {
        expect(Buffer.compare(rig.read('build/copy'), data)).toBe(0);
        expect(fingerprint(rig.report())).toBe(fingerprint({ ...rig.report(), nodes }));
      };
      await rig.stillpoint(['keys', 'keys']);
      for (const host of ['spa', 'spb'] as const) await agents.start(host, { address: addressOf(host), prefix: inside(host) });
      rig.write('placed.yaml', pipelineOn({ hosts: agents.hosts, placement: ['local', 'spa', 'spb'] }));
      execFileSync('tc', ['qdisc', 'add', 'dev', 'vspb', 'root', 'tbf', 'rate', '16mbit', 'burst', '32kbit', 'latency', '50ms']);
      const up = (store: string, ...options: readonly string[]): ReturnType<ClusterRig['start']> => {
        rig.write('build/copy', '');
        return rig.start(['up', 'placed.yaml', '--keys', 'keys', '--report', 'report.json', ...options], store, inside('spc'));
      };
      const hasOutput = (): Promise<void> => until(() => rig.read('build/copy').length > 0, 'output from the last host');
      const cut = up('cut');
      for (const device of ['vspa', 'vspb', 'vspc']) {
        await hasOutput();
        ip('link', 'set', device, 'down');
        await new Promise((done) => { setTimeout(done, 1200); });
        ip('link', 'set', device, 'up');
      }
      expect(await cut.ended).toMatchObject({ status: 0 });
      expectTheSame();
      agents.forget();
      for (const host of NAMESPACES) lose(host, 5);
      expect(await up('lossy').ended).toMatchObject({ status: 0 });
      expectTheSame();
      for (const host of NAMESPACES) expect(loseNoMore(host)).toBeGreaterThan(0);
      agents.forget();
      const lost = up('lost');
      await hasOutput();
      const there = rig.processesOf(agents.pid('spb'));
      ip('link', 'set', 'vspb', 'down');
      const { status, stderr } = await lost.ended;
      expect([status, stderr]).toEqual([125, expect.stringMatching(/^stillpoint: E_CLUSTER_FAILED: cluster placed: host spb \(10\.77\.5\.2:\d+\) was not heard of for ten seconds/m)]);
      await until(() => !there.some(isRunning), 'the end of the processes there');
      ip('link', 'set', 'vspb', 'up');
      expect(await up('lost', '--resume').ended).toMatchObject({ status: 0 });
      expectTheSame();
      rig.write('keys', newKeysText());
      const stranger = await rig.start(['up', 'placed.yaml', '--keys', 'keys', '--resume'], 'lost', inside('spc')).ended;
      expect([stranger.status, stranger.stderr]).toEqual([125, expect.stringMatching(/^stillpoint: E_CLUSTER_HOST: host spa .* does not answer: is stillpoint agent running there, with the same keys\?; nothing was changed$/m)]);
    } finally {
      execFileSync('bash', ['-c', 'tc qdisc del dev vspb root 2>/dev/null; true']);
      agents.close();
      rig.close();
    }
  }, 300_000);

  it('a stranger on the same bridge with other keys gets nothing in', async () => {
    const keys = newClusterKeys();
    const [writer, reader] = await Promise.all([startEnd('spc', 'writer', newClusterKeys()), startEnd('spb', 'reader', keys)]);
    writer.say(reader.endpoint);
    reader.say(writer.endpoint);
    const heard = await Promise.race([reader.next().catch(() => undefined), new Promise<undefined>((done) => { setTimeout(() => { done(undefined); }, 3000); })]);
    expect(heard).toBeUndefined();
    for (const { child } of [writer, reader]) child.kill('SIGKILL');
  });
}

function newKeysText(): string {
  const { publicKey, secretKey } = newClusterKeys();
  return `stillpoint-keys-1\n${publicKey}\n${secretKey}\n`;
}

if (isSlow) describe('hosts in network namespaces', inNamespaces);
