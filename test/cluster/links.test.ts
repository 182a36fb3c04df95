/** Channel ends and hubs over everything that needs no socket; the envelope's format. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createXXHash64 } from 'hash-wasm';
import { describe, expect, it } from 'vitest';
import { DIGEST_BLOCK_BYTES, type Lease } from '../../src/channel/index.ts';
import { decodeEnvelope, encodeEnvelope, encodeParts, ENVELOPE_PAYLOAD_MAX, FRAME_BYTES_MAX, LinkHub, MemoryTransport, putMessage, unpackMessages, type Envelope, PeerOutput, type PeerInput } from '../../src/cluster/index.ts';
import { WINDOW_BYTES_GROWN } from '../../src/cluster/plan.ts';
import { CLUSTER_ID, digests, linkConformance, LINKS, randomBytes, type Rig } from './link-conformance.ts';

function twin(mangle?: (frame: Uint8Array) => readonly Uint8Array[]): Rig {
  const transport = new MemoryTransport(mangle);
  const make = (process: number): LinkHub => new LinkHub({ clusterId: CLUSTER_ID, links: LINKS, digests, transport, process, processOf: (node) => (node === 'a-0' ? 0 : 1) });
  const [writers, readers] = [make(0), make(1)];
  transport.connect(0, writers);
  transport.connect(1, readers);
  return { writers, readers, close: async () => {} };
}

linkConformance('both nodes in one process', async () => {
  const hub = new LinkHub({ clusterId: CLUSTER_ID, links: LINKS, digests, transport: { send: () => { throw new Error('nothing leaves the process'); } }, process: 0, processOf: () => 0 });
  return { writers: hub, readers: hub, close: async () => {} };
}, { isSameProcess: true });
linkConformance('the in-process twin', async () => twin());

let seed = Number(process.env['STILLPOINT_SEED'] ?? 20_261_125);
const random = (): number => {
  seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
  return seed / 2 ** 32;
};

linkConformance(`a twin that loses, doubles, delays and damages one frame in five (STILLPOINT_SEED=${seed})`, async () => {
  let late: Uint8Array | undefined;
  return twin((frame) => {
    const fate = random();
    if (fate < 0.05) return [];
    if (fate < 0.1) return [frame, frame];
    if (fate < 0.15) return [frame.map((byte, index) => (index === Math.floor(random() * frame.length) ? byte ^ 4 : byte))];
    const kept = late;
    late = fate < 0.2 ? frame.slice() : undefined;
    if (late !== undefined) return kept === undefined ? [] : [kept];
    return kept === undefined ? [frame] : [frame, kept];
  });
});

const context = { clusterId: CLUSTER_ID, links: 2, digests };
/** Of a stream: the digest's blocks begin at multiples of 4096 of its positions. */
const sample: Envelope = { kind: 'data', link: 1, epoch: 3, offset: 123_456_789_012, extra: 0, payload: new TextEncoder().encode('still'), lead: 0, hashes: undefined };

const long: Envelope = { ...sample, lead: 4096 - (sample.offset % 4096), payload: randomBytes(5, 20_000) };

describe('the envelope', () => {
  it('decode(encode(x)) = x', () => {
    const frames: Envelope[] = [sample, { ...sample, kind: 'need', extra: 77, payload: new Uint8Array(0) }, { ...sample, link: 0, payload: randomBytes(1, ENVELOPE_PAYLOAD_MAX) }, { ...sample, lead: 4095, payload: randomBytes(1, ENVELOPE_PAYLOAD_MAX) }, ...[1, 2999, 3000, 3001, 3000 + 4095, 3000 + 4096, 3000 + 3 * 4096 + 1].map((length) => ({ ...sample, lead: 3000, payload: randomBytes(2, length) }))];
    for (const envelope of frames) {
      const { payload, hashes, ...rest } = decodeEnvelope(context, encodeEnvelope(context, envelope)) as Envelope;
      expect({ ...rest, bytes: Buffer.compare(payload, envelope.payload) }).toEqual({ kind: envelope.kind, link: envelope.link, epoch: envelope.epoch, offset: envelope.offset, extra: envelope.extra, lead: envelope.lead, bytes: 0 });
      const blocks = Math.max(0, Math.floor((payload.length - envelope.lead) / DIGEST_BLOCK_BYTES));
      expect(hashes!.length).toBe(blocks * 8);
      if (blocks === 0) continue;
      const copy = hashes!.slice();
      expect(encodeEnvelope(context, { ...envelope, hashes: copy })).toEqual(encodeEnvelope(context, envelope)); // Whoever computes them.
      copy[3]! ^= 16;
      expect(decodeEnvelope(context, encodeEnvelope(context, { ...envelope, hashes: copy }))).toBe('damaged'); // Of other bytes than these.
    }
  });

  it('has the bytes of the golden file', () => {
    const path = join(import.meta.dirname, 'golden-envelope-3.hex');
    const text = [sample, long].map((envelope) => `${Buffer.from(encodeEnvelope(context, envelope)).subarray(0, 80).toString('hex')}\n`).join('');
    if (process.env['UPDATE_GOLDEN'] === '1' || !existsSync(path)) writeFileSync(path, text);
    expect(text).toBe(readFileSync(path, 'utf8'));
  });

  it('has the digest that its page tells how to make', async () => {
    const hasher = await createXXHash64();
    const hash = (bytes: Uint8Array): Buffer => Buffer.from(hasher.init().update(bytes).digest('hex'), 'hex');
    for (const envelope of [sample, long, { ...long, lead: 0 }]) {
      const frame = Buffer.from(encodeEnvelope(context, envelope));
      const payload = frame.subarray(64);
      const pieces = [payload.subarray(0, envelope.lead)];
      for (let at = envelope.lead; at < payload.length; at += 4096) pieces.push(payload.subarray(at, at + 4096));
      const digest = hash(Buffer.concat([frame.subarray(0, 56), ...pieces.filter(({ length }) => length > 0).map(hash)]));
      expect(frame.subarray(56, 64).toString('hex')).toBe(digest.reverse().toString('hex'));
    }
  });

  it('a flipped bit anywhere in a long one is told: header, lead, every block, rest', () => {
    const whole = encodeEnvelope(context, long);
    expect(typeof decodeEnvelope(context, whole.slice())).toBe('object');
    for (let at = 0; at < whole.length; at += at < 64 ? 1 : 97) {
      const frame = whole.slice();
      frame[at]! ^= 1 << (at & 7);
      expect(typeof decodeEnvelope(context, frame), `byte ${at}`).toBe('string');
    }
    const [one, other] = [whole.slice(), whole.slice()];
    one.copyWithin(64 + long.lead, 64 + long.lead + 4096, 64 + long.lead + 8192); // One block in another's place.
    other.set(whole.subarray(64 + long.lead, 64 + long.lead + 4096), 64 + long.lead + 4096);
    expect([decodeEnvelope(context, one), decodeEnvelope(context, other)]).toEqual(['damaged', 'damaged']);
  });

  it('every cut and every flipped bit is told', () => {
    const whole = encodeEnvelope(context, sample);
    for (let length = 0; length < whole.length; length++) expect(decodeEnvelope(context, whole.slice(0, length))).toBe('cut');
    for (let bit = 0; bit < whole.length * 8; bit++) {
      const frame = whole.slice();
      frame[bit >> 3] = frame[bit >> 3]! ^ (1 << (bit & 7));
      expect(typeof decodeEnvelope(context, frame), `bit ${bit}`).toBe('string');
    }
  });

  it('a long payload travels as a part of its own, and whatever is wrong with the parts is told', () => {
    const long = { ...sample, payload: randomBytes(3, 5000) };
    const parts = (): [Uint8Array, Uint8Array] => encodeParts(context, long).map((part) => part.slice()) as [Uint8Array, Uint8Array];
    expect(encodeParts(context, sample).length).toBe(1);
    expect(encodeParts(context, long)[1]).toBe(long.payload);
    expect(Buffer.concat(encodeParts(context, long)).equals(encodeEnvelope(context, long))).toBe(true);
    expect((decodeEnvelope(context, ...parts()) as Envelope).payload).toEqual(long.payload);
    const flipped = parts();
    flipped[1][4999]! ^= 1;
    expect(decodeEnvelope(context, ...flipped)).toBe('damaged');
    expect(decodeEnvelope(context, parts()[0])).toBe('cut');
    expect(decodeEnvelope(context, parts()[0], parts()[1].subarray(1))).toBe('cut');
    expect(decodeEnvelope(context, parts()[0], new Uint8Array([...parts()[1], 0]))).toBe('damaged');
    expect(decodeEnvelope(context, encodeEnvelope(context, long), parts()[1])).toBe('malformed');
    for (const wrong of [[parts()[0]], [parts()[0], parts()[0]], [parts()[1]], [parts()[0], parts()[1], parts()[0]]]) {
      const { readers } = twin();
      readers.receive(...wrong);
      expect(Object.values(readers.counters.dropped).reduce((sum, count) => sum + count, 0)).toBeGreaterThan(0);
    }
  });

  const withLead = (lead: number): Uint8Array => {
    const frame = encodeEnvelope(context, sample);
    new DataView(frame.buffer).setUint32(52, lead, true);
    return frame;
  };

  it.each<[string, () => Uint8Array, (() => Uint8Array)?]>([
    ['version', () => encodeEnvelope(context, sample).map((byte, index) => (index === 4 ? 2 : byte))],
    ['oversized', () => encodeEnvelope(context, sample), () => new Uint8Array(ENVELOPE_PAYLOAD_MAX + 1)],
    ['malformed', () => withLead(4096)],
    ['cluster', () => encodeEnvelope({ ...context, clusterId: new Uint8Array(16) }, sample)],
    ['oversized', () => new Uint8Array(FRAME_BYTES_MAX + 1)],
    ['foreign', () => new Uint8Array(100)],
    ['malformed', () => encodeEnvelope(context, { ...sample, link: 2 })],
    ['malformed', () => encodeEnvelope(context, { ...sample, payload: new Uint8Array(0) })],
    ['malformed', () => encodeEnvelope(context, { ...sample, kind: 'ack' })],
    ['damaged', () => new Uint8Array([...encodeEnvelope(context, sample), 0])],
  ])('a frame that is wrong is %s', (reason, make, part) => expect(decodeEnvelope(context, make(), part?.())).toBe(reason));

  it('messages share a payload; lengths that do not fit are refused', () => {
    const messages = [randomBytes(1, 1), randomBytes(2, 300)];
    const packed = new Uint8Array(309);
    let end = 0;
    for (const message of messages) end = putMessage(new DataView(packed.buffer), end, message);
    expect(end).toBe(packed.length);
    expect(unpackMessages(packed)).toEqual(messages);
    for (let length = 1; length < packed.length; length++) if (length !== 5) expect(unpackMessages(packed.subarray(0, length))).toBeUndefined();
  });
});

describe('a writer that waits for room', () => {
  it('gets twice as much when nothing goes on otherwise, up to a gigabyte', () => {
    const output = new PeerOutput({ ...LINKS[0]!, windowBytes: WINDOW_BYTES_GROWN / 4 }, { position: 0, held: 0, recycles: true, send: () => {} });
    const lease: Lease = { hold: () => {}, release: () => {} }; // Nothing is copied, nor touched.
    void output.write([{ kind: 'write', channel: 'x', offset: 0, bytes: new Uint8Array(1.5 * WINDOW_BYTES_GROWN), lease }]);
    const grown = [0, 1, 2].map(() => {
      const before = [output.canGrow, output.progress / WINDOW_BYTES_GROWN];
      output.grow();
      return before;
    });
    expect(grown).toEqual([[true, 1 / 4], [true, 1 / 2], [false, 1]]);
  });
});

describe('memory under a lease', () => {
  const size = 300_000;
  /** Writes two pieces into an end without a reader; how many holders each has after each of `steps`. */
  const holdersAfter = (recycles: boolean, steps: readonly ((output: PeerOutput) => void)[]): readonly (readonly number[])[] => {
    const output = new PeerOutput({ ...LINKS[0]!, windowBytes: 10 * size }, { position: 0, held: 0, recycles, send: () => {} });
    const holders = [0, 0];
    const lease = (index: number): Lease => ({ hold: () => { holders[index]!++; }, release: () => { holders[index]!--; } });
    void output.write([0, 1].map((index) => ({ kind: 'write', channel: 'x', offset: index * size, bytes: randomBytes(index, size), lease: lease(index) })));
    return [[...holders], ...steps.map((step) => { step(output); return [...holders]; })];
  };

  it.each<[string, boolean, readonly ((output: PeerOutput) => void)[], readonly (readonly number[])[]]>([
    ['is held until all of it has arrived', true, [(output) => output.onAck(size - 1, false), (output) => output.onAck(size, false), (output) => output.onAck(2 * size, false)], [[1, 1], [1, 1], [0, 1], [0, 0]]],
    ['is not given back when some of it was sent twice: a copy may be under way', true, [(output) => output.onNeed(size + 5, size), (output) => output.onAck(2 * size, false)], [[1, 1], [0, 1], [0, 1]]],
    ['is not given back when its reader keeps what it gets', false, [(output) => output.onAck(2 * size, false)], [[1, 1], [1, 1]]],
    ['is not given back when its reader is gone: it may not have gone out yet', true, [(output) => output.onClosed()], [[1, 1], [1, 1]]],
  ])('%s', (_, recycles, steps, expected) => expect(holdersAfter(recycles, steps)).toEqual(expected));
});

describe('a channel that cuts slow readers off', () => {
  const links = LINKS.map((link) => ({ ...link, cutsSlow: link.hasMessages }));
  const hub = (): LinkHub => new LinkHub({ clusterId: CLUSTER_ID, links, digests, transport: { send: () => {} }, process: 0, processOf: () => 0 });
  const message = new Uint8Array(60_000);
  const send = (output: PeerOutput, from: number, count: number): Promise<void> => output.write(Array.from({ length: count }, (_, index) => ({ kind: 'write', channel: 'x', offset: from + index * message.length, bytes: message })));
  const look = async (own: LinkHub, times: number): Promise<void> => { for (let tick = 0; tick < times; tick++) { own.tick(); await new Promise((done) => { setImmediate(done); }); } };
  const countOf = async (input: PeerInput, at = 0): Promise<number> => {
    let position = at;
    for (let piece = await input.read({ offset: position, length: 65_536 }); piece !== undefined; piece = await input.read({ offset: position, length: 65_536 })) position += piece.length;
    input.acknowledge(position);
    return position / message.length;
  };

  it('lets the writer go on; the reader gets what was under way, in order, and the end', async () => {
    const own = hub();
    const [input, output] = [own.openInput(1, { epoch: 1, position: 0 }), own.openOutput(1, { epoch: 1, position: 0 })];
    const writing = send(output, 0, 10);
    await look(own, 25);
    await writing;
    await send(output, 10 * message.length, 10);
    expect(await output.finish()).toBe(true);
    own.nodeEnded('a-0', new Map([['out/1', 20 * message.length]]));
    const count = await countOf(input);
    expect(count).toBeGreaterThanOrEqual(2);
    expect(count).toBeLessThan(10);
  });

  it('waits for one that makes something durable now and then', async () => {
    const own = hub();
    const [input, output] = [own.openInput(1, { epoch: 1, position: 0 }), own.openOutput(1, { epoch: 1, position: 0 })];
    const writing = send(output, 0, 6).then(() => output.finish());
    for (let at = 0; at < 6 * message.length; at += message.length) {
      expect((await input.read({ offset: at, length: 65_536 }))!.length).toBe(message.length);
      await look(own, 15);
      input.acknowledge(at + message.length);
    }
    expect([await writing, await input.read({ offset: 6 * message.length, length: 1 })]).toEqual([true, undefined]);
  });

  it('a writer that forgot it learns it again; a reader that forgot it ends where it is', async () => {
    const own = hub();
    const [input, output] = [own.openInput(1, { epoch: 1, position: 0 }), own.openOutput(1, { epoch: 1, position: 0 })];
    const writing = send(output, 0, 10);
    await look(own, 25);
    await writing;
    const count = await countOf(input);
    await own.held([1], 2);
    const next = own.openOutput(1, { epoch: 2, position: 0 });
    await send(next, 0, 20);
    expect(await next.finish()).toBe(true);
    own.nodeEnded('a-0', new Map([['out/1', 20 * message.length]]));
    expect(await countOf(own.openInput(1, { epoch: 2, position: count * message.length }), count * message.length)).toBe(count);
  });
});

describe('a hub', () => {
  it('counts and drops what an earlier life of a node sent, and what is said twice', () => {
    const { readers } = twin();
    readers.openInput(0, { epoch: 1, position: 0 });
    const frame = (epoch: number, offset: number): Uint8Array => encodeEnvelope(context, { ...sample, link: 0, epoch, offset });
    readers.receive(frame(2, 0));
    readers.receive(frame(2, 0));
    readers.receive(frame(1, 5));
    readers.receive(frame(2, 50));
    readers.receive(new Uint8Array(3));
    readers.receive(encodeEnvelope(context, { ...sample, link: 1, epoch: 1, offset: 0 }));
    expect(readers.counters.dropped).toMatchObject({ duplicate: 1, old: 1, gap: 1, cut: 1, nobody: 1 });
  });

  it('a writer that ignores the window is cut off, not believed', () => {
    const { readers } = twin();
    readers.openInput(0, { epoch: 1, position: 0 });
    for (let at = 0; at < 100; at++) readers.receive(encodeEnvelope(context, { ...sample, link: 0, offset: at * 65_536, payload: new Uint8Array(65_536) }));
    expect(readers.counters.dropped.overrun).toBe(1);
    expect(readers.heldBytesMax).toBeLessThan(1024 * 1024);
  });
});
