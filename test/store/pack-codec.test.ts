// Packs as they lie in LMDB: what was shrunk comes back, an independent reader of LZ4 blocks agrees, and damage is never an error of another kind.
import { expect, it } from 'vitest';
import { expandPack, shrinkPack } from '../../src/store/live/pack-codec.ts';
import { generator } from '../txn/support.ts';

const CASES = process.env['STILLPOINT_SLOW'] === '1' ? 3000 : 60;

/** Bytes with about `share` of them random, in words that repeat. */
function packOf(random: () => number, share: number): Uint8Array {
  const bytes = new Uint8Array(Math.floor(random() * 62_000));
  for (let at = 0; at < bytes.length; at++) bytes[at] = random() < share ? Math.floor(random() * 256) : (at >> 3) & 31;
  if (bytes.length > 0) bytes[0] = random() < 0.1 ? 0x5a : 0x50;
  return bytes;
}

/** LZ4 block format as its specification tells it: token, literals, offset, match. */
function readBlock(block: Uint8Array, length: number): Uint8Array {
  const out: number[] = [];
  let at = 0;
  const more = (base: number): number => {
    let sum = base;
    if (base === 15) for (let byte = 255; byte === 255; sum += byte) byte = block[at++]!;
    return sum;
  };
  while (at < block.length) {
    const token = block[at++]!;
    for (let literals = more(token >> 4); literals > 0; literals--) out.push(block[at++]!);
    if (at >= block.length) break;
    const offset = block[at]! | (block[at + 1]! << 8);
    at += 2;
    for (let count = more(token & 15) + 4; count > 0; count--) out.push(out[out.length - offset]!);
  }
  expect(out.length).toBe(length);
  return Uint8Array.from(out);
}

it('what is stored is what comes back; what does not pay is left alone; another reader agrees', () => {
  const random = generator(11);
  let shrunk = 0;
  for (let index = 0; index < CASES; index++) {
    const pack = packOf(random, [0, 0.05, 0.3, 1][index % 4]!);
    const stored = shrinkPack(pack);
    expect(Buffer.compare(expandPack(stored), pack), `case ${index}`).toBe(0);
    if (stored[0] !== 0x5a) { expect(Buffer.compare(stored, pack)).toBe(0); continue; }
    shrunk++;
    const length = Buffer.from(stored).readUInt32LE(1);
    expect(Buffer.compare(readBlock(stored.subarray(5), length), pack), `case ${index}`).toBe(0);
  }
  expect(shrunk).toBeGreaterThan(CASES / 4);
  expect(shrunk).toBeLessThan(CASES);
});

it('flipped and cut bytes give other bytes or themselves, never an error', () => {
  const random = generator(12);
  for (let index = 0; index < CASES * 10; index++) {
    const stored = shrinkPack(packOf(random, 0.05)).slice();
    if (stored.length === 0) continue;
    const damaged = random() < 0.3 ? stored.subarray(0, Math.floor(random() * stored.length)) : stored;
    if (damaged === stored) damaged[Math.floor(random() * (random() < 0.3 ? Math.min(8, damaged.length) : damaged.length))]! ^= 1 << Math.floor(random() * 8);
    expect(expandPack(damaged).length).toBeLessThanOrEqual(64 * 1024);
  }
});

it('content without a pattern is left alone, a pack with a part that has one is not', () => {
  const random = generator(13);
  const noise = Uint8Array.from({ length: 61_000 }, () => Math.floor(random() * 256));
  noise[0] = 0x50;
  expect(shrinkPack(noise)).toBe(noise);
  const text = new TextEncoder().encode('one page in four of a pack is text, which repeats itself and has few letters; '.repeat(250));
  const mixed = noise.slice();
  mixed.set(text.subarray(0, 16_000), 20_000);
  const stored = shrinkPack(mixed);
  expect(stored.length).toBeLessThan(mixed.length - 12_000);
  expect(Buffer.compare(expandPack(stored), mixed)).toBe(0);
});
