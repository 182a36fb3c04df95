/** core: canonical encoding, entropy stream. Oracles: round trips, RFC 8439's test vector. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeCanonical, encodeCanonical, EntropyStream, seedFromNumber, StillpointError, type Canonical } from '../../src/core/index.ts';

const leaf = fc.oneof(
  fc.constant(null), fc.boolean(), fc.integer(), fc.double({ noNaN: true }).filter((value) => !Object.is(value, -0)), fc.bigInt(), fc.string({ unit: 'grapheme' }), fc.uint8Array(),
);
const { tree } = fc.letrec<{ tree: Canonical }>((tie) => ({
  tree: fc.oneof({ depthSize: 'small' }, leaf, fc.array(tie('tree'), { maxLength: 5 }), fc.dictionary(fc.string().filter((key) => key !== '__proto__'), tie('tree'), { maxKeys: 5, noNullPrototype: true })) as fc.Arbitrary<Canonical>,
}));

function codeOf(act: () => unknown): string {
  try {
    act();
    return 'none';
  } catch (error) {
    return error instanceof StillpointError ? error.code : `uncoded ${String(error)}`;
  }
}

describe('canonical encoding', () => {
  it('decode(encode(x)) = x', () => {
    fc.assert(fc.property(tree, (value) => { expect(decodeCanonical(encodeCanonical(value))).toEqual(value); }));
  });

  it('one value has one byte string, whatever the order of its keys', () => {
    expect(encodeCanonical({ b: 1, a: [true, null] })).toEqual(encodeCanonical({ a: [true, null], b: 1 }));
  });

  it('every truncation is refused, and what a flipped bit decodes to encodes to the same bytes', () => {
    fc.assert(fc.property(tree, fc.nat(), (value, at) => {
      const bytes = encodeCanonical(value);
      expect(codeOf(() => decodeCanonical(bytes.subarray(0, at % bytes.length)))).toBe('E_STATE_FORMAT');
      const flipped = bytes.slice();
      flipped[at % bytes.length]! ^= 1 << (at % 8);
      const code = codeOf(() => { expect(encodeCanonical(decodeCanonical(flipped))).toEqual(flipped); });
      expect(['none', 'E_STATE_FORMAT']).toContain(code);
    }), { numRuns: 300 });
  });
});

describe('entropy stream', () => {
  it('is the ChaCha20 key stream of RFC 8439 A.1 test vector 1', () => {
    const stream = new EntropyStream({ seed: seedFromNumber(0n), position: 0n });
    expect(Buffer.from(stream.take(16)).toString('hex')).toBe('76b8e0ada0f13d90405d6ae55386bd28');
  });

  it('goes on from its state', () => {
    const stream = new EntropyStream({ seed: seedFromNumber(5n), position: 0n });
    stream.take(100);
    const copy = new EntropyStream(stream.state());
    expect(copy.take(200)).toEqual(stream.take(200));
  });
});
