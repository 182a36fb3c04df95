/** Bytes of frames: round trip, one encoding, hostile bytes, golden file of version 1, the chain against node:crypto. */
import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import fc from 'fast-check';
import { Packr } from 'msgpackr';
import { describe, expect, it } from 'vitest';
import { decodeFrame, encodeFrame, entryKey, type Frame, type FreshFrame } from '../../src/journal/index.ts';
import { StillpointError } from '../../src/core/index.ts';
import { anyFrame, at, codeOf, digests, errorOf, reader, RUN, sampleFrames, someHash, storeJournal } from './support.ts';

const GOLDEN = new URL('./golden/journal-v1.json', import.meta.url);
const CASES = process.env['STILLPOINT_SLOW'] === '1' ? 100_000 : 2_000;
const place = (frame: number): { run: typeof RUN; frame: number; after: bigint } => ({ run: RUN, frame, after: 0n });
const anyIndex = fc.integer({ min: 0, max: 2 ** 32 - 1 });

describe('encoding of frames', () => {
  it('decode(encode(x)) = x for every kind', () => {
    fc.assert(fc.property(anyIndex, anyFrame, (index, frame) => {
      expect(decodeFrame(encodeFrame(index, frame), place(index))).toEqual(frame);
    }), { numRuns: CASES });
  });

  it('encodes a frame as the page of the format says, byte for byte', () => {
    const bytes = encodeFrame(7, { kind: 'end', at: at(258n), channel: 'stdin', offset: 65536 });
    expect(Buffer.from(bytes).toString('hex')).toBe('96' + '01' + '07' + '04' + 'd30000000000000102' + 'a5' + Buffer.from('stdin').toString('hex') + 'd30000000000010000');
  });

  it('never throws anything but an error with a code, and accepts only the one encoding of what it gives', () => {
    const any = fc.oneof(fc.uint8Array({ maxLength: 200 }), fc.tuple(anyIndex, anyFrame, fc.nat(), fc.integer({ min: 1, max: 255 })).map(([index, frame, where, flip]) => {
      const bytes = encodeFrame(index, frame);
      bytes[where % bytes.length]! ^= flip;
      return bytes;
    }));
    fc.assert(fc.property(any, (bytes) => {
      try {
        const frame = decodeFrame(bytes, place(0));
        expect(Buffer.from(encodeFrame(0, frame)).equals(bytes)).toBe(true);
      } catch (error) {
        if (!(error instanceof StillpointError)) throw error;
        expect(['E_JOURNAL_FORMAT', 'E_JOURNAL_DAMAGED']).toContain(error.code);
      }
    }), { numRuns: CASES });
  });

  it('every truncation of a frame is E_JOURNAL_FORMAT', () => {
    fc.assert(fc.property(anyFrame, (frame) => {
      const bytes = encodeFrame(0, frame);
      for (let length = 0; length < bytes.length; length++) expect(codeOf(() => decodeFrame(bytes.subarray(0, length), place(0)))).toBe('E_JOURNAL_FORMAT');
    }), { numRuns: 60 });
  });
});

describe('hostile frames', () => {
  const packr = new Packr({ useRecords: false, int64AsType: 'bigint' });
  const pack = (value: unknown): Uint8Array => new Uint8Array(packr.pack(value));
  const check = (bytes: Uint8Array, says: RegExp): void => {
    const error = errorOf(() => decodeFrame(bytes, place(3)));
    expect(error.code).toBe('E_JOURNAL_FORMAT');
    expect(error.message).toMatch(says);
    expect(error.message).toContain('frame 3');
    expect(error.data).toEqual({ run: RUN, frame: 3, at: 0n });
  };
  it.each<[string, unknown, RegExp]>([
    ['a newer version is refused', [2, 3, 4, 0n, 'a', 0n], /version 2/],
    ['an unknown kind is refused', [1, 3, 99, 0n], /unknown kind 99/],
    ['an extra field is refused', [1, 3, 4, 0n, 'a', 0n, 0], /fields that its kind does not have/],
    ['a missing field is refused', [1, 3, 4, 0n, 'a'], /lacks a field/],
    ['a negative instruction count is refused', [1, 3, 4, -1n, 'a', 0n], /64-bit number/],
    ['a small number where a wide one belongs is refused', [1, 3, 4, 5, 'a', 0n], /64-bit number/],
    ['a position beyond 2^53 is refused', [1, 3, 4, 0n, 'a', 1n << 53n], /2\^53/],
    ['a float is refused', [1, 3, 4, 0n, 'a', 0.5], /type that no frame uses/],
    ['a map is refused', { version: 1 }, /not a MessagePack array/],
    ['a nested array is refused', [1, 3, 4, 0n, [1], 0n], /type that no frame uses/],
    ['nil is refused', [1, 3, 4, 0n, null, 0n], /type that no frame uses/],
    ['an empty channel name is refused', [1, 3, 4, 0n, '', 0n], /short text/],
    ['a long channel name is refused', [1, 3, 4, 0n, 'x'.repeat(256), 0n], /short text/],
    ['a hash of 31 bytes is refused', [1, 3, 8, 0n, 1, new Uint8Array(31)], /32 bytes/],
    ['exit status 256 is refused', [1, 3, 10, 0n, 0, 256, '', new Uint8Array(32)], /number in its range/],
    ['signal 0 is refused', [1, 3, 10, 0n, 1, 0, '', new Uint8Array(32)], /number in its range/],
    ['a cap name on an exit is refused', [1, 3, 10, 0n, 0, 0, 'x', new Uint8Array(32)], /must be none/],
    ['an inline input that should be a blob is refused', [1, 3, 2, 0n, 'a', 0n, new Uint8Array(2049)], /bounded length/],
    ['a blob input that should be inline is refused', [1, 3, 3, 0n, 'a', 0n, 2048, new Uint8Array(32)], /number in its range/],
  ])('%s', (_rule, value, says) => check(pack(value), says));

  it.each<[string, string, RegExp]>([
    ['a string of 4 GiB', '96010304dbffffffff41', /ends early/],
    ['bytes of 4 GiB', '91c6ffffffff00', /ends early/],
    ['an array of 4 G items', 'ddffffffff', /not a MessagePack array/],
    ['arrays in arrays', '91'.repeat(5000), /type that no frame uses/],
    ['an extension', '91c70100ff', /type that no frame uses/],
    ['a number in a longer form', '96' + 'cc01' + '03' + '04' + 'd30000000000000000' + 'a161' + 'd30000000000000000', /one encoding/],
    ['text that is not UTF-8', '96' + '01' + '03' + '04' + 'd30000000000000000' + 'a1ff' + 'd30000000000000000', /one encoding/],
    ['nothing', '', /not a MessagePack array/],
  ])('%s costs nothing and is refused', (_rule, hex, says) => check(new Uint8Array(Buffer.from(hex, 'hex')), says));

  it('a frame of another place is E_JOURNAL_DAMAGED', () => {
    const error = errorOf(() => decodeFrame(encodeFrame(4, { kind: 'stop', at: at(1n), reason: 'x' }), place(3)));
    expect([error.code, error.message]).toEqual(['E_JOURNAL_DAMAGED', `frame 3 of the journal of run ${RUN} says that it is frame 4, after instruction 0`]);
  });

  it('a reseed frame (store version 2) has the bytes of the page of the format, and only with 32 bytes of seed', () => {
    const frame: Frame = { kind: 'reseed', at: at(258n), seed: Uint8Array.from({ length: 32 }, (_, index) => index) };
    const bytes = encodeFrame(7, frame);
    expect(Buffer.from(bytes).toString('hex')).toBe(`9501070bd30000000000000102c420${Buffer.from(frame.seed).toString('hex')}`);
    expect(decodeFrame(bytes, { run: RUN, frame: 7, after: 0n })).toEqual(frame);
    const short = encodeFrame(3, frame).slice(0, -1);
    short[14] = 31; // The length of the seed.
    check(short, /seed that is not 32 bytes/);
  });

  it('an oversized frame is refused before it is looked at', () => check(new Uint8Array(16 * 1024 * 1024 + 1), /more than a frame may have/));
});

describe('stored journal', () => {
  it('links are the SHA-256 chain of the page of the format, computed here with node:crypto', async () => {
    const { stored } = await storeJournal(sampleFrames());
    let link = createHash('sha256').update(`stillpoint journal v1\n${RUN}`).digest();
    for (const value of stored) {
      link = createHash('sha256').update(link).update(value.subarray(0, -32)).digest();
      expect(Buffer.from(value.subarray(-32)).equals(link)).toBe(true);
    }
  });

  it('version 1 is what the golden file says', async () => {
    const { stored, tail } = await storeJournal(sampleFrames());
    const json = (value: unknown): string => JSON.stringify(value, (_key, item: unknown) => typeof item === 'bigint' ? `${item}n` : item instanceof Uint8Array ? `hex ${Buffer.from(item).toString('hex')}` : item, 1);
    const frames = sampleFrames().map((frame, index) => ({ frame: abridged(frame), stored: Buffer.from(stored[index]!).toString('hex') }));
    const now = `${json({ run: RUN, frames, tail })}\n`;
    if (process.env['UPDATE_GOLDEN'] === '1') writeFileSync(GOLDEN, now);
    expect(now).toBe(readFileSync(GOLDEN, 'utf8'));
  });

  it('the golden file is read back as the frames it was written from', async () => {
    const golden = JSON.parse(readFileSync(GOLDEN, 'utf8')) as { frames: { stored: string }[] };
    const { store, tail } = await storeJournal(sampleFrames());
    await store.commit({ puts: golden.frames.map(({ stored }, index) => ({ table: 'frames', key: entryKey(RUN, index), value: new Uint8Array(Buffer.from(stored, 'hex')) })) });
    const frames: Frame[] = [...reader(store, tail).frames()].map(({ frame }) => frame);
    expect(frames.map((frame) => frame.kind)).toEqual(sampleFrames().map((frame) => frame.kind));
    expect(frames[9]).toEqual({ kind: 'exit', at: 1n << 63n, outcome: { kind: 'exited', status: 3 }, root: someHash(0x33) });
    expect(frames[4]).toMatchObject({ kind: 'input', channel: 'table', offset: 65536, length: 5000, bytes: digests.sha256(Uint8Array.from({ length: 5000 }, (_, index) => (index * 7) & 0xff)) });
  });
});

/** Large inputs would drown the golden file. */
function abridged(frame: FreshFrame): unknown {
  return frame.kind === 'input' && frame.bytes.length > 100 ? { ...frame, bytes: `${frame.bytes.length} bytes` } : frame;
}
