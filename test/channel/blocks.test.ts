/**
 * Hashes of blocks that a channel's digest and the envelopes of its bytes share. The oracle is another implementation of XXH64 (hash-wasm) over the bytes themselves.
 */
import { createXXHash64 } from 'hash-wasm';
import { describe, expect, test } from 'vitest';
import { BlockHashes, BLOCKS_MAX, ChannelSet, DIGEST_BLOCK_BYTES, HASH_BYTES, hashBlocks } from '../../src/channel/index.ts';
import { digests, pattern, random, specOf } from './helpers.ts';

const hasher = await createXXHash64();
const oracle = (bytes: Uint8Array): Buffer => Buffer.concat(Array.from({ length: Math.floor(bytes.length / DIGEST_BLOCK_BYTES) }, (_, block) => hasher.init().update(bytes.subarray(block * DIGEST_BLOCK_BYTES, (block + 1) * DIGEST_BLOCK_BYTES)).digest('binary')));

const setOf = (kind: 'seqro' | 'seqwo'): ChannelSet => new ChannelSet([{ ...specOf(kind), digest: 'blocks' }], digests);

test('the kernel says what another implementation says, for any bytes and any number of blocks', () => {
  const draw = random(7);
  for (let count = 1; count <= BLOCKS_MAX; count++) {
    const bytes = Uint8Array.from({ length: count * DIGEST_BLOCK_BYTES + 3 }, () => draw(256)).subarray(3);
    expect(Buffer.from(hashBlocks(bytes)).equals(oracle(bytes)), `${count} blocks`).toBe(true);
  }
  for (const value of [0, 255]) expect(Buffer.from(hashBlocks(new Uint8Array(DIGEST_BLOCK_BYTES).fill(value))).equals(oracle(new Uint8Array(DIGEST_BLOCK_BYTES).fill(value)))).toBe(true);
  for (const length of [0, 1, DIGEST_BLOCK_BYTES - 1, (BLOCKS_MAX + 1) * DIGEST_BLOCK_BYTES]) expect(() => hashBlocks(new Uint8Array(length))).toThrow('whole blocks');
});

describe('kept hashes', () => {
  const hashesOf = (first: number, count: number): Uint8Array => Uint8Array.from({ length: count * HASH_BYTES }, (_, index) => (first * 7 + index) & 255);

  test('are given where all of them are known, over the end of the ring, too; what is overwritten or forgotten is not known', () => {
    const kept = new BlockHashes();
    expect(kept.get(0, 1)).toBeUndefined();
    for (let first = 0; first < 10_000; first += 10) kept.put(first, hashesOf(first, 10));
    expect(kept.get(9_000, 10)).toEqual(hashesOf(9_000, 10));
    expect(kept.get(9_995, 10)).toBeUndefined();
    expect(kept.get(100, 1)).toBeUndefined();
    for (let first = 8_180; first < 8_200; first += 10) expect(kept.get(first, 10)).toEqual(hashesOf(first, 10)); // 8192 is a multiple of what it holds.
    expect(kept.get(8_185, 15)).toEqual(new Uint8Array([...hashesOf(8_180, 10).subarray(40), ...hashesOf(8_190, 10)]));
    kept.forgetFrom(8_190);
    expect([kept.get(8_189, 1), kept.get(8_190, 1)]).toEqual([hashesOf(8_180, 10).subarray(72), undefined]);
  });
});

describe('a channel to a peer', () => {
  test('hands out the hashes of what it was given, after it went back, too', () => {
    const draw = random(11);
    const set = setOf('seqwo');
    const channel = set.get('c')!;
    let written = Buffer.alloc(0);
    const write = (length: number): void => {
      const bytes = Uint8Array.from({ length }, () => draw(256));
      expect(channel.write(bytes)).toBe(length);
      written = Buffer.concat([written, bytes]);
    };
    const sizes = [1, 100, 2048, 2049, 4095, 4096, 10_000, 65_536, 70_001];
    let known = 0;
    for (let round = 0; round < 60; round++) {
      write(sizes[draw(sizes.length)]!);
      if (round % 3 === 0) {
        const before = written;
        const undo = set.mark();
        for (const size of [300, 9_000, 5]) write(size);
        undo();
        written = before;
        set.release();
        write(sizes[round % sizes.length]!);
      }
      const [operation] = set.pendingOutput();
      const { hashes } = operation as { readonly hashes: BlockHashes };
      const all = oracle(written);
      for (let block = 0; block * HASH_BYTES < all.length; block++) {
        const got = hashes.get(block, 1);
        if (got === undefined) continue;
        known++;
        expect(Buffer.from(got).equals(all.subarray(block * HASH_BYTES, (block + 1) * HASH_BYTES)), `round ${round}, block ${block}`).toBe(true);
      }
    }
    expect(known).toBeGreaterThan(1000);
  });

  test('takes hashes that came with its bytes, where they are known, and its digest is the same; one that goes on elsewhere takes none of them', () => {
    const bytes = pattern(40 * DIGEST_BLOCK_BYTES + 99);
    const [plain, told, lied] = [1, 2, 3].map(() => setOf('seqro').get('c')!);
    const some = new BlockHashes();
    some.put(0, oracle(bytes.subarray(0, 7 * DIGEST_BLOCK_BYTES)));
    some.put(20, oracle(bytes.subarray(20 * DIGEST_BLOCK_BYTES, 33 * DIGEST_BLOCK_BYTES)));
    const wrong = new BlockHashes();
    wrong.put(0, new Uint8Array(20 * HASH_BYTES));
    for (const [channel, hashes] of [[plain, undefined], [told, some], [lied, wrong]] as const) {
      channel!.supply(0, bytes, hashes);
      channel!.supplyEnd(bytes.length);
      for (const length of [1, 5000, 64, 64, 8192, 65_536, 100_000, 1]) channel!.read(length);
    }
    const digestOf = (channel: typeof plain): string => channel!.accounts().input!.sha256;
    expect(digestOf(told)).toBe(digestOf(plain));
    expect(digestOf(lied)).not.toBe(digestOf(plain)); // The canary: they are used.
    const [earlier, later] = [setOf('seqro'), setOf('seqro')];
    earlier.get('c')!.supply(0, bytes);
    earlier.get('c')!.read(3 * DIGEST_BLOCK_BYTES);
    later.restore(earlier.state(), []); // Its digest starts over, at a later position.
    const channel = later.get('c')!;
    channel.supply(3 * DIGEST_BLOCK_BYTES, bytes, wrong);
    channel.read(10 * DIGEST_BLOCK_BYTES);
    const fresh = setOf('seqro').get('c')!;
    fresh.supply(0, bytes);
    fresh.read(10 * DIGEST_BLOCK_BYTES);
    expect(digestOf(channel)).toBe(digestOf(fresh));
  });
});
