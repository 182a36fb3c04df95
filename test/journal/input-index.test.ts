/** The index of recorded inputs, against a plain model: the concatenation of what was written. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { InputIndex, type FreshFrame } from '../../src/journal/index.ts';
import { at, codeOf, reader, sampleFrames, storeJournal } from './support.ts';

const genesis = sampleFrames()[0]!;
const isRandom = (channel: string): boolean => channel.startsWith('random');
const input = (channel: string, offset: number, bytes: Uint8Array): FreshFrame => ({ kind: 'input', at: at(1n), channel, offset, bytes });
const end = (channel: string, offset: number): FreshFrame => ({ kind: 'end', at: at(1n), channel, offset });

async function indexOf(frames: readonly FreshFrame[]): Promise<InputIndex> {
  const { store, tail } = await storeJournal([genesis, ...frames]);
  return new InputIndex(reader(store, tail), isRandom);
}
async function indexCode(frames: readonly FreshFrame[]): Promise<string> {
  const { store, tail } = await storeJournal([genesis, ...frames]);
  return codeOf(() => new InputIndex(reader(store, tail), isRandom));
}

describe('input index', () => {
  it('any slice of any stream is the slice of what was written, whatever the chunking', async () => {
    const chunk = fc.tuple(fc.constantFrom('a', 'b'), fc.oneof(fc.uint8Array({ maxLength: 40 }), fc.integer({ min: 2040, max: 2060 }).map((length) => new Uint8Array(length).fill(length & 0xff))));
    await fc.assert(fc.asyncProperty(fc.array(chunk, { maxLength: 12 }), fc.nat(), fc.nat(), async (chunks, x, y) => {
      const whole = new Map([['a', Buffer.alloc(0)], ['b', Buffer.alloc(0)]]);
      const frames = chunks.map(([channel, bytes]) => {
        const before = whole.get(channel)!;
        whole.set(channel, Buffer.concat([before, bytes]));
        return input(channel, before.length, bytes);
      });
      const index = await indexOf(frames);
      for (const [channel, bytes] of whole) {
        expect(index.stream(channel)).toEqual({ length: bytes.length, end: undefined });
        const [from, to] = [x % (bytes.length + 1), y % (bytes.length + 1)].sort((a, b) => a - b) as [number, number];
        expect(Buffer.from(index.slice(channel, { from, to })).equals(bytes.subarray(from, to))).toBe(true);
        const rest = Buffer.concat([...index.pieces(channel, from)].map((entry) => Buffer.from(index.bytes(entry)).subarray(Math.max(0, from - entry.offset))));
        expect(rest.equals(bytes.subarray(from))).toBe(true);
      }
    }), { numRuns: 150 });
  });

  it('finds chunks of random channels by offset', async () => {
    const large = new Uint8Array(65536).fill(9);
    const index = await indexOf([input('random', 131072, Uint8Array.of(1)), input('random', 0, large), input('random2', 0, Uint8Array.of(2))]);
    expect(index.bytes(index.chunk('random', 0)!)).toEqual(large);
    expect(index.bytes(index.chunk('random', 131072)!)).toEqual(Uint8Array.of(1));
    expect(index.bytes(index.chunk('random2', 0)!)).toEqual(Uint8Array.of(2));
    expect(index.chunk('random', 65536)).toBeUndefined();
    expect(index.chunk('other', 0)).toBeUndefined();
  });

  it('knows where a stream ended', async () => {
    const index = await indexOf([input('a', 0, Uint8Array.of(1, 2)), end('a', 2)]);
    expect(index.stream('a')).toEqual({ length: 2, end: { index: 2, at: 1n } });
    expect(index.stream('never')).toEqual({ length: 0, end: undefined });
  });

  it('a checkpoint that needs more than is journaled is E_JOURNAL_CUT', async () => {
    const index = await indexOf([input('a', 0, Uint8Array.of(1, 2))]);
    expect(codeOf(() => index.slice('a', { from: 1, to: 3 }))).toBe('E_JOURNAL_CUT');
  });

  it.each<[string, FreshFrame[]]>([
    ['a gap in a stream', [input('a', 0, Uint8Array.of(1)), input('a', 2, Uint8Array.of(1))]],
    ['an overlap in a stream', [input('a', 0, Uint8Array.of(1)), input('a', 0, Uint8Array.of(1))]],
    ['bytes after the end', [end('a', 0), input('a', 0, Uint8Array.of(1))]],
    ['two ends', [end('a', 0), end('a', 0)]],
    ['an end elsewhere than at the end', [end('a', 1)]],
    ['a chunk recorded twice', [input('random', 0, Uint8Array.of(1)), input('random', 0, Uint8Array.of(1))]],
  ])('%s is E_JOURNAL_FORMAT', async (_rule, frames) => expect(await indexCode(frames)).toBe('E_JOURNAL_FORMAT'));
});
