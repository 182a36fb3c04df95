/** NodeDigests against published vectors, sha256sum and itself under every chunking. */
import { execFileSync } from 'node:child_process';
import fc from 'fast-check';
import { createXXHash64 } from 'hash-wasm';
import { describe, expect, it } from 'vitest';
import { byBlocks, DIGEST_BLOCK_BYTES } from '../../src/channel/index.ts';
import { StillpointError } from '../../src/core/index.ts';
import { createNodeDigests, unsavable } from '../../src/core/live/digest.ts';

const digests = await createNodeDigests();
const text = (value: string): Uint8Array => new TextEncoder().encode(value);

describe('one-shot digests', () => {
  it('sha256 gives the vectors of FIPS 180-4', () => {
    expect(digests.sha256(text(''))).toBe('e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855');
    expect(digests.sha256(text('abc'))).toBe('ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad');
  });

  it('xxh64 gives the vectors of its specification', () => {
    expect(digests.xxh64(text(''))).toBe(0xef46db3751d8e999n);
    expect(digests.xxh64(text('abc'))).toBe(0x44bc2cf5ad770999n);
  });
});

describe('running digests', () => {
  it('equal sha256sum for any chunking, interleaved with another digest and moved through save and restore', () => {
    const bytes = Uint8Array.from({ length: 5000 }, (_, index) => (index * 7) & 255);
    const expected = execFileSync('sha256sum', { input: bytes }).toString().slice(0, 64);
    fc.assert(fc.property(fc.array(fc.integer({ min: 0, max: 700 }), { maxLength: 12 }), (sizes) => {
      let digest = digests.running();
      const other = digests.running();
      let at = 0;
      for (const size of sizes) {
        digest.update(bytes.subarray(at, at + size));
        other.update(bytes.subarray(0, size));
        digest.hex();
        digest = digests.restore(digest.save());
        at = Math.min(bytes.length, at + size);
      }
      digest.update(bytes.subarray(at));
      expect(digest.hex()).toBe(expected);
    }), { seed: 1, numRuns: 60 });
  });

  it('save the same bytes however the input was cut', () => {
    const bytes = Uint8Array.from({ length: 200 }, (_, index) => index);
    const whole = digests.running();
    whole.update(bytes);
    for (let cut = 0; cut <= bytes.length; cut++) {
      const parts = digests.running();
      parts.update(bytes.subarray(0, cut));
      parts.update(bytes.subarray(cut));
      expect(parts.save()).toEqual(whole.save());
    }
  });

  it('refuse foreign bytes with E_STATE_FORMAT', () => {
    const digest = digests.running();
    digest.update(text('some input'));
    const saved = digest.save();
    const foreign = [new Uint8Array(0), saved.subarray(0, 20), saved.subarray(0, -1), Uint8Array.from([...saved, 0]), saved.map((byte, at) => (at === 0 ? byte ^ 1 : byte)), saved.map((byte, at) => (at === 11 ? 255 : byte))];
    for (const bytes of foreign) expect(() => digests.restore(bytes)).toThrow(StillpointError);
  });
});

describe('digests by blocks', () => {
  const bytes = Uint8Array.from({ length: 131 * DIGEST_BLOCK_BYTES + 77 }, (_, index) => (index * 31 + (index >> 9)) & 255);
  const block = byBlocks(digests);
  const ephemeral = byBlocks(unsavable(digests));
  /** With another implementation of XXH64, and sha256sum. */
  const oracle = async (content: Uint8Array): Promise<string> => {
    const hasher = await createXXHash64();
    const hashes = Array.from({ length: Math.ceil(content.length / DIGEST_BLOCK_BYTES) }, (_, index) => hasher.init().update(content.subarray(index * DIGEST_BLOCK_BYTES, (index + 1) * DIGEST_BLOCK_BYTES)).digest('binary'));
    return execFileSync('sha256sum', { input: Buffer.concat(hashes) }).toString().slice(0, 64);
  };

  it('equal sha256sum over the XXH64s of the blocks, for any chunking, through save and restore, and where nothing is saved', async () => {
    const lengths = [0, 1, DIGEST_BLOCK_BYTES - 1, DIGEST_BLOCK_BYTES, DIGEST_BLOCK_BYTES + 1, 2 * DIGEST_BLOCK_BYTES, 65 * DIGEST_BLOCK_BYTES, bytes.length];
    const expected = new Map(await Promise.all(lengths.map(async (length) => [length, await oracle(bytes.subarray(0, length))] as const)));
    fc.assert(fc.property(fc.constantFrom(...lengths), fc.array(fc.constantFrom(1, 63, 1000, DIGEST_BLOCK_BYTES - 1, DIGEST_BLOCK_BYTES, DIGEST_BLOCK_BYTES + 1, 40_000), { maxLength: 8 }), (length, sizes) => {
      let digest = block.running(0);
      const other = ephemeral.running(0);
      let at = 0;
      for (const size of [...sizes, bytes.length]) {
        const piece = bytes.subarray(at, Math.min(length, at + size));
        for (const one of [digest, other]) one.update(piece);
        expect(digest.copy().hex()).toBe(digest.hex());
        at += piece.length;
        digest = block.restore(digest.save(), at);
      }
      const whole = block.running(0);
      whole.update(bytes.subarray(0, length));
      expect([digest.hex(), other.hex(), whole.hex()]).toEqual(Array(3).fill(expected.get(length)));
      expect(digest.save()).toEqual(whole.save());
    }), { seed: 2, numRuns: 60 });
  });

  it('refuse foreign, cut and damaged bytes with E_STATE_FORMAT, or go on', () => {
    const digest = block.running(0);
    digest.update(bytes);
    const saved = digest.save();
    for (let length = 0; length < saved.length; length++) expect(() => block.restore(saved.subarray(0, length), bytes.length), `cut at ${length}`).toThrow(StillpointError);
    for (let at = 0; at < saved.length; at++) {
      try {
        block.restore(saved.map((byte, index) => (index === at ? byte ^ 0x81 : byte)), bytes.length).hex();
      } catch (error) {
        expect(error, `byte ${at}`).toBeInstanceOf(StillpointError);
      }
    }
  });
});
