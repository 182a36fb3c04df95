/**
 * What every way between two nodes must do, as one suite: the same process, the in-process twin, a twin that loses and damages frames, and the real
 * transports. A rig gives the two hubs of one link, whatever lies between them.
 */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createXXHash64 } from 'hash-wasm';
import { createNodeDigests } from '../../src/core/live/digest.ts';
import { BlockHashes, BLOCKS_MAX, DIGEST_BLOCK_BYTES, hashBlocks } from '../../src/channel/index.ts';
import type { LinkHub, PeerInput, PeerOutput, PlannedLink } from '../../src/cluster/index.ts';

export const digests = await createNodeDigests();
export const CLUSTER_ID = new Uint8Array(16).map((_, index) => index + 1);
export const WINDOW = 128 * 1024;
/** Link 0 carries bytes from a to b, link 1 messages. */
export const LINKS: readonly PlannedLink[] = [false, true].map((hasMessages, id) => ({ id, from: 'a-0', to: 'b-0', fromChannel: `out/${id}`, toChannel: `in/${id}`, hasMessages, windowBytes: WINDOW, cutsSlow: false, channel: id }));

export interface Rig {
  readonly writers: LinkHub;
  readonly readers: LinkHub;
  close(): Promise<void>;
}

export function randomBytes(seed: number, length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  let state = seed >>> 0;
  for (let index = 0; index < length; index++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    bytes[index] = state >>> 24;
  }
  return bytes;
}

const write = (output: PeerOutput, offset: number, bytes: Uint8Array): Promise<void> => output.write([{ kind: 'write', channel: 'x', offset, bytes }]);

/** Writes in pieces of these sizes, over and over. */
async function writeAll(output: PeerOutput, bytes: Uint8Array, sizes: readonly number[], from = 0): Promise<void> {
  for (let at = from, turn = 0; at < bytes.length; turn++) {
    const piece = bytes.subarray(at, at + sizes[turn % sizes.length]!);
    await write(output, at, piece);
    at += piece.length;
  }
}

/** Reads to the end as a session does: what is journaled is acknowledged. */
async function readAll(input: PeerInput, { from = 0, length = 65_536, slowly = false }: { readonly from?: number; readonly length?: number; readonly slowly?: boolean } = {}): Promise<{ readonly bytes: Uint8Array; readonly pieces: readonly number[] }> {
  const pieces: Uint8Array[] = [];
  let at = from;
  for (;;) {
    const piece = await input.read({ offset: at, length });
    if (piece === undefined) break;
    pieces.push(piece.slice());
    at += piece.length;
    if (slowly) await new Promise((done) => { setImmediate(done); });
    if (input.wantsCommit || !slowly) input.acknowledge(at);
  }
  input.acknowledge(at);
  return { bytes: new Uint8Array(Buffer.concat(pieces)), pieces: pieces.map((piece) => piece.length) };
}

/** How many hashes of the stream's blocks are known, all of them right. */
async function knownHashes(hashes: BlockHashes, bytes: Uint8Array): Promise<number> {
  const hasher = await createXXHash64();
  let known = 0;
  for (let block = 0; (block + 1) * DIGEST_BLOCK_BYTES <= bytes.length; block++) {
    const got = hashes.get(block, 1);
    if (got === undefined) continue;
    known++;
    expect(Buffer.from(got).toString('hex'), `block ${block}`).toBe(hasher.init().update(bytes.subarray(block * DIGEST_BLOCK_BYTES, (block + 1) * DIGEST_BLOCK_BYTES)).digest('hex'));
  }
  return known;
}

export function linkConformance(name: string, makeRig: () => Promise<Rig>, { isSameProcess = false } = {}): void {
  describe(name, () => {
    let rig: Rig;
    let timer: NodeJS.Timeout;
    beforeEach(async () => {
      rig = await makeRig();
      timer = setInterval(() => { rig.writers.tick(); rig.readers.tick(); }, 20);
    });
    afterEach(async () => {
      clearInterval(timer);
      await rig.close();
    });

    const open = (link: number): { readonly output: PeerOutput; readonly input: PeerInput } =>
      ({ output: rig.writers.openOutput(link, { epoch: 1, position: 0 }), input: rig.readers.openInput(link, { epoch: 1, position: 0 }) });

    it('every byte arrives once and in order, however the writer cuts it', async () => {
      const { output, input } = open(0);
      const bytes = randomBytes(1, 600_001);
      const [read] = await Promise.all([readAll(input), writeAll(output, bytes, [1, 7, 100_000, 65_536, 3]).then(() => output.finish())]);
      expect(Buffer.compare(read.bytes, bytes)).toBe(0);
      await knownHashes(input.hashes!, bytes);
    });

    it('hashes of whole blocks come with the bytes, right wherever they are known', async () => {
      const { output, input } = open(0);
      const bytes = randomBytes(9, 400_000);
      const hashes = new BlockHashes(); // As a channel has them: of the first half.
      hashes.put(0, hashBlocks(bytes.subarray(0, BLOCKS_MAX * DIGEST_BLOCK_BYTES)));
      const write = async (from: number, to: number): Promise<void> => output.write([{ kind: 'write', channel: 'x', offset: from, bytes: bytes.subarray(from, to), hashes }]);
      const [read] = await Promise.all([readAll(input), write(0, 65_536).then(() => write(65_536, 65_537)).then(() => write(65_537, 400_000)).then(() => output.finish())]);
      expect(Buffer.compare(read.bytes, bytes)).toBe(0);
      expect(await knownHashes(input.hashes!, bytes)).toBeGreaterThan(isSameProcess ? 15 : 80);
    });

    it('what came with the bytes that are wanted is given with them', async () => {
      const { output, input } = open(0);
      const bytes = randomBytes(8, 100_000);
      const [read] = await Promise.all([readAll(input, { length: 10 }), write(output, 0, bytes).then(() => output.finish())]);
      expect([Buffer.compare(read.bytes, bytes), read.pieces.length < 100]).toEqual([0, true]);
    });

    it('bytes under a lease arrive as they were, whatever happens to their memory when it is given back', async () => {
      const { output, input } = open(0);
      const bytes = randomBytes(10, 2_000_000);
      const lend = async (from: number, to: number): Promise<void> => {
        const memory = bytes.slice(from, to);
        let holders = 1;
        const lease = { hold: () => { holders++; }, release: () => { if (--holders === 0) memory.fill(0xee); } };
        await output.write([{ kind: 'write', channel: 'x', offset: from, bytes: memory, lease }]);
        lease.release();
      };
      const write = async (): Promise<void> => {
        for (let at = 0, turn = 0; at < bytes.length; turn++) {
          const next = Math.min(bytes.length, at + [70_000, 300_000, 65_536][turn % 3]!);
          await lend(at, next);
          at = next;
        }
        await output.finish();
      };
      const [read] = await Promise.all([readAll(input, { slowly: true }), write()]);
      expect(Buffer.compare(read.bytes, bytes)).toBe(0);
    });

    it('messages keep their borders', async () => {
      const { output, input } = open(1);
      const bytes = randomBytes(2, 200_000);
      const sizes = [1, 5, 65_536, 300, 2];
      const [read] = await Promise.all([readAll(input), writeAll(output, bytes, sizes).then(() => output.finish())]);
      expect(Buffer.compare(read.bytes, bytes)).toBe(0);
      expect(read.pieces.slice(0, 6)).toEqual([1, 5, 65_536, 300, 2, 1]);
    });

    it('an empty stream has an end', async () => {
      const { output, input } = open(0);
      const [read, isDone] = await Promise.all([readAll(input), output.finish()]);
      expect([read.bytes.length, isDone]).toEqual([0, true]);
    });

    it('a slow reader holds the writer back, and no end holds more than the window', async () => {
      const { output, input } = open(0);
      const bytes = randomBytes(3, 1_000_000);
      let heldMax = 0;
      const watch = setInterval(() => { heldMax = Math.max(heldMax, rig.writers.heldBytesMax, rig.readers.heldBytesMax); }, 1);
      const [read] = await Promise.all([readAll(input, { slowly: true, length: 4096 }), writeAll(output, bytes, [40_000]).then(() => output.finish())]);
      clearInterval(watch);
      expect(Buffer.compare(read.bytes, bytes)).toBe(0);
      expect(heldMax).toBeLessThanOrEqual(WINDOW + 40_000);
    });

    it('a write beyond the window waits until something is acknowledged', async () => {
      const { output, input } = open(0);
      let isTaken = false;
      const writing = write(output, 0, randomBytes(4, WINDOW + 1)).then(() => { isTaken = true; });
      let got = 0;
      while (got < WINDOW) got += (await input.read({ offset: got, length: WINDOW }))!.length;
      await new Promise((done) => { setTimeout(done, 60); });
      expect(isTaken).toBe(false);
      input.acknowledge(got);
      await writing;
    });

    it('a reader that ends early lets the writer end, and its bytes are discarded', async () => {
      const { output, input } = open(0);
      const writing = writeAll(output, randomBytes(5, 500_000), [30_000]).then(() => output.finish());
      await input.read({ offset: 0, length: 10 });
      input.discard();
      expect(await writing).toBe(true);
    });

    it('finish waits until the reader has everything durably', async () => {
      const { output, input } = open(0);
      await write(output, 0, randomBytes(6, 1000));
      let isDone = false;
      const finishing = output.finish().then(() => { isDone = true; });
      await input.read({ offset: 0, length: 1000 });
      await new Promise((done) => { setTimeout(done, 60); });
      expect(isDone).toBe(false);
      input.acknowledge(1000);
      await finishing;
    });

    it.each([0, 1])('a reader that lost its memory gets what it had not made durable again (link %s)', async (link) => {
      const { output, input } = open(link);
      const bytes = randomBytes(7, 300_000);
      const writing = writeAll(output, bytes, [10_000]).then(() => output.finish());
      let at = 0;
      while (at < 50_000) at += (await input.read({ offset: at, length: 10_000 }))!.length;
      input.acknowledge(50_000);
      at += (await input.read({ offset: at, length: 10_000 }))!.length;
      const next = rig.readers.openInput(link, { epoch: 2, position: 50_000 });
      const [read] = await Promise.all([readAll(next, { from: 50_000 }), writing]);
      expect(Buffer.compare(read.bytes, bytes.subarray(50_000))).toBe(0);
    });

    it.each([0, 1])('a writer that lost its memory goes on where its reader is (link %s)', async (link) => {
      const { output, input } = open(link);
      const bytes = randomBytes(8, 300_000);
      await writeAll(output, bytes.subarray(0, 90_000), [10_000]);
      let at = 0;
      while (at < 70_000) at += (await input.read({ offset: at, length: 10_000 }))!.length;
      input.acknowledge(70_000);
      const held = await rig.writers.held([link], 2);
      expect(held!.get(link)).toBeGreaterThanOrEqual(0);
      expect(held!.get(link)).toBeLessThanOrEqual(70_000);
      const next = rig.writers.openOutput(link, { epoch: 2, position: 40_000 });
      const [read] = await Promise.all([readAll(input, { from: 70_000, length: 10_000 }), writeAll(next, bytes, [10_000], 40_000).then(() => next.finish())]);
      expect(Buffer.compare(read.bytes, bytes.subarray(70_000))).toBe(0);
    });

    it('a stop lets everything that waits go', async () => {
      const { output } = open(0);
      const writing = write(output, 0, randomBytes(9, 2 * WINDOW));
      const finishing = output.finish();
      rig.writers.stop();
      await writing;
      expect(await finishing).toBe(false);
      expect(await rig.writers.held([1], 9)).toBeUndefined();
    });

    it('the end of a node that left is told by the coordinator', async () => {
      const { output, input } = open(0);
      await write(output, 0, randomBytes(10, 5000));
      rig.readers.nodeEnded('a-0', new Map([['out/0', 5000]]));
      expect((await readAll(input)).bytes.length).toBe(5000);
      rig.writers.nodeEnded('b-0', new Map());
      await write(output, 5000, randomBytes(11, 5 * WINDOW));
      expect(await output.finish()).toBe(true);
      expect((await rig.writers.held([0], 2))!.get(0)).toBe(Infinity);
    });
  });
}
