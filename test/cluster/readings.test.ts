/** What a node in another store has read, as digests: equal bytes pass however they are written; one flipped or missing byte is found in its block. */
import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { ReadElsewhere, type Reading } from '../../src/cluster/readings.ts';
import { digests } from '../journal/support.ts';
import { randomBytes } from './link-conformance.ts';
import { randomFrom } from './rig.ts';

const BLOCK = 64 * 1024;

/** Writes `bytes` in pieces of random lengths; what differs from what was read. */
function compared(seed: number, read: Uint8Array, bytes: Uint8Array): ReadElsewhere {
  const random = randomFrom(seed);
  const blocks = Array.from({ length: Math.ceil(read.length / BLOCK) }, (_, index) => createHash('sha256').update(read.subarray(index * BLOCK, (index + 1) * BLOCK)).digest('hex') as Reading['blocks'][number]); // 64 digits.
  const end = new ReadElsewhere(digests, { run: 'b', channel: 'in/a-0', link: 0, length: read.length, blocks }, { run: 'a', channel: 'out/b-0' });
  for (let at = 0; at < bytes.length;) {
    const length = 1 + Math.floor(random() * 100_000);
    end.compare({ kind: 'write', channel: 'out/other-0', offset: at, bytes: new Uint8Array(9) });
    end.compare({ kind: 'write', channel: 'out/b-0', offset: at, bytes: bytes.subarray(at, at + length) });
    at += length;
  }
  end.finish();
  return end;
}

describe('what was read elsewhere', () => {
  it.each([0, 1, BLOCK - 1, BLOCK, BLOCK + 1, 3 * BLOCK, 300_001])('%i bytes are equal, also when the writer has written more', (length) => {
    const bytes = randomBytes(length + 1, length + 70_000);
    const end = compared(length, bytes.subarray(0, length), bytes);
    expect([end.difference, end.position]).toEqual([undefined, length]);
  });

  it('a flipped byte, and bytes that were not written, are found in their block', () => {
    const read = randomBytes(5, 300_000);
    for (const at of [0, 1, BLOCK - 1, BLOCK, 200_000, 299_999]) {
      const flipped = read.slice();
      flipped[at]! ^= 1;
      const { difference } = compared(at, read, flipped);
      expect(difference).toMatchObject({ writer: 'a', writes: 'out/b-0', reader: 'b', reads: 'in/a-0', offset: at - at % BLOCK });
      expect(difference!.bytes.findIndex((byte, index) => byte !== read[difference!.offset + index])).toBe(at % BLOCK);
      const short = compared(at, read, read.subarray(0, at)).difference!;
      expect([short.offset, short.bytes.length]).toEqual([at - at % BLOCK, at % BLOCK]);
    }
  });
});
