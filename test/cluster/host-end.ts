/**
 * One end of a channel on a "host" of its own, for hosts.test.ts: a hub with a ZeroMQ socket at an address. Its standard input has one line of JSON
 * (Setup), its standard output says where it listens, then, from the reader, what arrived.
 */
import { createHash } from 'node:crypto';
import { createInterface } from 'node:readline';
import { LinkHub } from '../../src/cluster/index.ts';
import type { ClusterKeys } from '../../src/cluster/live/curve.ts';
import { ZeromqTransport } from '../../src/cluster/live/zeromq-transport.ts';
import { CLUSTER_ID, digests, LINKS, randomBytes } from './link-conformance.ts';

export interface Setup { readonly role: 'writer' | 'reader'; readonly bind: string; readonly keys: ClusterKeys; readonly bytes: number }

const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const { role, bind, keys, bytes } = JSON.parse((await lines.next()).value as string) as Setup; // The test wrote it.
const own = role === 'writer' ? 0 : 1;
const transport = await ZeromqTransport.open({ bind, keys, onParts: (parts) => hub.receive(...parts) });
const hub = new LinkHub({ clusterId: CLUSTER_ID, links: LINKS, digests, transport, process: own, processOf: (node) => (node === 'a-0' ? 0 : 1) });
console.log(JSON.stringify({ endpoint: transport.endpoint }));
transport.connect(1 - own, (await lines.next()).value as string);
const ticking = setInterval(() => { hub.tick(); }, 50);
if (role === 'writer') {
  const output = hub.openOutput(0, { epoch: 1, position: 0 });
  const data = randomBytes(12, bytes);
  for (let at = 0; at < bytes; at += 50_000) await output.write([{ kind: 'write', channel: 'x', offset: at, bytes: data.subarray(at, at + 50_000) }]);
  console.log(JSON.stringify({ done: await output.finish() }));
} else {
  const input = hub.openInput(0, { epoch: 1, position: 0 });
  const digest = createHash('sha256');
  let position = 0;
  for (let piece = await input.read({ offset: 0, length: 65_536 }); piece !== undefined; piece = await input.read({ offset: position, length: 65_536 })) {
    digest.update(piece);
    const before = position;
    position += piece.length;
    input.acknowledge(position);
    if (Math.floor(before / 1_000_000) !== Math.floor(position / 1_000_000)) console.log(JSON.stringify({ position }));
  }
  console.log(JSON.stringify({ sha256: digest.digest('hex'), position, dropped: hub.counters.dropped }));
  await lines.next(); // The test says when: the writer still asks whether it may go.
}
clearInterval(ticking);
await transport.close();
process.exit(0);
