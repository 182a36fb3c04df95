/**
 * The real transports: the conformance suite over ipc, encrypted ipc and tcp, and strangers with real sockets who get nothing in and nothing out.
 */
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { curveKeyPair, Push } from 'zeromq';
import { afterAll, describe, expect, it } from 'vitest';
import { encodeEnvelope, FRAME_BYTES_MAX, LinkHub, type Transport } from '../../src/cluster/index.ts';
import { newClusterKeys, type ClusterKeys } from '../../src/cluster/live/curve.ts';
import { ZeromqTransport } from '../../src/cluster/live/zeromq-transport.ts';
import { CLUSTER_ID, digests, linkConformance, LINKS, type Rig } from './link-conformance.ts';
import { isSlow } from './rig.ts';

const directory = mkdtempSync(join(tmpdir(), 'stillpoint-zmq-'));
afterAll(() => rmSync(directory, { recursive: true, force: true }));
let sockets = 0;

async function openRig(kind: 'ipc' | 'tcp', keys: ClusterKeys | undefined): Promise<Rig & { readonly endpoints: readonly string[] }> {
  const hubs: LinkHub[] = [];
  const bind = (): string => (kind === 'ipc' ? `ipc://${join(directory, `s${sockets++}`)}` : 'tcp://127.0.0.1:*');
  const transports = [0, 1].map((process) => ZeromqTransport.open({ bind: bind(), keys, onParts: (parts) => hubs[process]!.receive(...parts) }));
  const [a, b] = await Promise.all(transports) as [ZeromqTransport, ZeromqTransport];
  const make = (process: number, transport: Transport): LinkHub => new LinkHub({ clusterId: CLUSTER_ID, links: LINKS, digests, transport, process, processOf: (node) => (node === 'a-0' ? 0 : 1) });
  hubs.push(make(0, a), make(1, b));
  a.connect(1, b.endpoint);
  b.connect(0, a.endpoint);
  return { writers: hubs[0]!, readers: hubs[1]!, endpoints: [a.endpoint, b.endpoint], close: async () => { await Promise.all([a.close(), b.close()]); } };
}

linkConformance('ZeroMQ over ipc', () => openRig('ipc', undefined));
linkConformance('ZeroMQ over ipc, encrypted', () => openRig('ipc', newClusterKeys()));
linkConformance('ZeroMQ over tcp, encrypted', () => openRig('tcp', newClusterKeys()));

const frame = encodeEnvelope({ clusterId: CLUSTER_ID, links: 2, digests }, { kind: 'data', link: 0, epoch: 1, offset: 0, extra: 0, payload: new Uint8Array([1, 2, 3]), lead: 0, hashes: undefined });

/** Sends from a socket of its own and tells how many frames the cluster heard within a moment. */
async function heardFrom(endpoint: string, rig: Rig, options: ConstructorParameters<typeof Push>[0], frames: readonly Uint8Array[] = [frame]): Promise<number> {
  const stranger = new Push({ linger: 0, immediate: false, ...options });
  stranger.connect(endpoint);
  const before = rig.readers.counters.received;
  for (const sent of frames) await stranger.send(sent);
  await new Promise((done) => { setTimeout(done, 250); });
  stranger.close();
  return rig.readers.counters.received - before;
}

describe('a stranger with a socket', () => {
  it('is heard with the right keys (so that the next cases mean something)', async () => {
    const keys = newClusterKeys();
    const rig = await openRig('tcp', keys);
    expect(await heardFrom(rig.endpoints[1]!, rig, { curveServerKey: keys.publicKey, curvePublicKey: keys.publicKey, curveSecretKey: keys.secretKey })).toBe(1);
    await rig.close();
  });

  it.each<[string, (keys: ClusterKeys) => ConstructorParameters<typeof Push>[0]]>([
    ['without encryption', () => ({})],
    ['with the public key and keys of its own', (keys) => ({ curveServerKey: keys.publicKey, curvePublicKey: curveKeyPair().publicKey, curveSecretKey: curveKeyPair().secretKey })],
    ['with a whole pair of its own', (keys) => { const own = curveKeyPair(); return { curveServerKey: keys.publicKey, curvePublicKey: own.publicKey, curveSecretKey: own.secretKey }; }],
    ['of another cluster', () => { const other = newClusterKeys(); return { curveServerKey: other.publicKey, curvePublicKey: other.publicKey, curveSecretKey: other.secretKey }; }],
  ])('%s gets nothing in', async (_name, options) => {
    const keys = newClusterKeys();
    const rig = await openRig('tcp', keys);
    expect(await heardFrom(rig.endpoints[1]!, rig, options(keys))).toBe(0);
    await rig.close();
  });

  it('that listens where a node was gets nothing out: the writer wants the secret key proved', async () => {
    const keys = newClusterKeys();
    const heard: Uint8Array[] = [];
    const other = await ZeromqTransport.open({ bind: 'tcp://127.0.0.1:*', keys: newClusterKeys(), onParts: (got) => heard.push(...got) });
    const own = await ZeromqTransport.open({ bind: 'tcp://127.0.0.1:*', keys, onParts: () => {} });
    own.connect(1, other.endpoint);
    own.send(1, [frame]);
    await new Promise((done) => { setTimeout(done, 250); });
    expect(heard).toEqual([]);
    await Promise.all([own.close(), other.close()]);
  });

  it('wrong, cut and damaged frames are counted and dropped; one beyond the cap does not arrive', async () => {
    const rig = await openRig('ipc', undefined);
    const damaged = frame.slice();
    damaged[damaged.length - 1] = 9;
    const frames = [frame.slice(0, 20), new Uint8Array(80), damaged, encodeEnvelope({ clusterId: new Uint8Array(16), links: 2, digests }, { kind: 'probe', link: 0, epoch: 1, offset: 0, extra: 0, payload: new Uint8Array(0), lead: 0, hashes: undefined })];
    expect(await heardFrom(rig.endpoints[1]!, rig, {}, frames)).toBe(4);
    expect(rig.readers.counters.dropped).toMatchObject({ cut: 1, foreign: 1, damaged: 1, cluster: 1 });
    expect(await heardFrom(rig.endpoints[1]!, rig, {}, [new Uint8Array(FRAME_BYTES_MAX + 1)])).toBe(0);
    await rig.close();
  });

  it('unencrypted is only for ipc', async () => {
    await expect(ZeromqTransport.open({ bind: 'tcp://127.0.0.1:*', keys: undefined, onParts: () => {} })).rejects.toThrow('what leaves the host is encrypted');
    expect(statSync(directory).mode & 0o777).toBe(0o700);
  });
});

describe('teardown', () => {
  it('close never waits for a peer that is not there', async () => {
    const transport = await ZeromqTransport.open({ bind: `ipc://${join(directory, 'alone')}`, keys: undefined, onParts: () => {} });
    transport.connect(1, `ipc://${join(directory, 'nobody')}`);
    for (let count = 0; count < 5000; count++) transport.send(1, [frame]);
    await new Promise((done) => { setImmediate(done); });
    const started = performance.now();
    await transport.close();
    expect(performance.now() - started).toBeLessThan(2000);
  });

  it('both ends may close while messages of many parts are under way', async () => {
    const parts = Array.from({ length: 2 }, (_, index) => new Uint8Array(index === 0 ? frame.length : 4096));
    for (let round = 0; round < (isSlow ? 60 : 20); round++) {
      const [a, b] = await Promise.all([0, 1].map((side) => ZeromqTransport.open({ bind: `ipc://${join(directory, `both-${round}-${side}`)}`, keys: undefined, onParts: () => {} }))) as [ZeromqTransport, ZeromqTransport];
      a.connect(1, b.endpoint);
      for (let count = 0; count < 3000; count++) a.send(1, parts);
      await new Promise((done) => { setTimeout(done, 3 + round % 10); });
      await Promise.all(round % 2 === 0 ? [b.close(), a.close()] : [a.close(), b.close()]);
    }
  });

  it('a process that comes back at another place is spoken to there', async () => {
    const heard: number[] = [];
    const open = (name: string, mark: number): Promise<ZeromqTransport> => ZeromqTransport.open({ bind: `ipc://${join(directory, name)}`, keys: undefined, onParts: () => { heard.push(mark); } });
    const [own, first, second] = await Promise.all([open('own', 0), open('first', 1), open('second', 2)]);
    own.connect(1, first.endpoint);
    own.send(1, [frame]);
    await new Promise((done) => { setTimeout(done, 100); });
    await first.close();
    own.connect(1, second.endpoint);
    own.send(1, [frame]);
    await new Promise((done) => { setTimeout(done, 100); });
    expect(heard).toEqual([1, 2]);
    await Promise.all([own.close(), second.close()]);
  });
});
