/** What every port of a class must do, whatever is behind it. Makers give a fresh port over the given content. */
import { expect, test } from 'vitest';
import type { HostPort, OutputOperation } from '../../src/channel/index.ts';
import { pattern } from './helpers.ts';

const SIZE = 200_000;

function write(offset: number, bytes: Uint8Array): OutputOperation {
  return { kind: 'write', channel: 'c', offset, bytes };
}

async function readStream(port: HostPort, lengths: () => number): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  for (let offset = 0; ; ) {
    const length = lengths();
    const bytes = await port.read({ offset, length });
    if (bytes === undefined) return Buffer.concat(parts);
    expect(bytes.length).toBeGreaterThan(0);
    expect(bytes.length).toBeLessThanOrEqual(length);
    parts.push(bytes);
    offset += bytes.length;
  }
}

/** Streams of input: every byte once, in order, then the end for ever. */
export function sequentialInputConformance(name: string, make: (content: Uint8Array) => Promise<HostPort>): void {
  for (const length of [1, 4095, 65_536]) {
    test(`${name}: all bytes in order, wishes of ${length} bytes`, async () => {
      const content = pattern(length === 1 ? 300 : SIZE);
      const port = await make(content);
      expect(Buffer.compare(await readStream(port, () => length), content)).toBe(0);
      expect(await port.read({ offset: content.length, length: 10 })).toBeUndefined();
      await port.close();
    });
  }
  test(`${name}: an empty stream ends at once`, async () => {
    const port = await make(new Uint8Array(0));
    expect(await port.read({ offset: 0, length: 10 })).toBeUndefined();
    await port.close();
  });
  test(`${name}: a wish further on skips what was read in an earlier life`, async () => {
    const content = pattern(SIZE);
    const port = await make(content);
    const bytes = await port.read({ offset: 150_001, length: 100 });
    expect(Buffer.compare(bytes!, content.subarray(150_001, 150_001 + bytes!.length))).toBe(0);
    await port.close();
  });
}

/** Input by offset: exact ranges clipped to the size. */
export function randomInputConformance(name: string, make: (content: Uint8Array) => Promise<HostPort>): void {
  test(`${name}: ranges are exact and clipped to the size`, async () => {
    const content = pattern(SIZE);
    const port = await make(content);
    for (const [offset, length] of [[0, 65_536], [196_608, 65_536], [131_072, 65_536], [0, 1], [SIZE - 1, 10], [SIZE, 5], [65_536, 65_536]] as const) {
      expect(Buffer.compare((await port.read({ offset, length }))!, content.subarray(offset, offset + length))).toBe(0);
    }
    await port.close();
  });
}

export interface Sink { readonly port: HostPort; content(): Promise<Uint8Array> }

/** Streams of output behind `base` bytes that were there. */
export function sequentialOutputConformance(name: string, make: () => Promise<Sink>, options: { readonly base: Uint8Array; readonly canRewind: boolean }): void {
  const { base } = options;
  test(`${name}: all bytes in order`, async () => {
    const { port, content } = await make();
    const bytes = pattern(SIZE);
    for (let offset = 0, length = 1; offset < SIZE; offset += length, length = (length * 3) % 70_001) {
      await port.write([write(offset, bytes.subarray(offset, offset + length)), write(Math.min(SIZE, offset + length), new Uint8Array(0))].slice(0, 1));
    }
    await port.sync();
    await port.close();
    expect(Buffer.compare(await content(), Buffer.concat([base, bytes]))).toBe(0);
  });
  if (!options.canRewind) return;
  test(`${name}: rewind cuts what was not committed, and writing goes on from there`, async () => {
    const { port, content } = await make();
    await port.write([write(0, pattern(1000))]);
    expect(await port.rewind(400)).toBe(400);
    await port.write([write(400, pattern(10, 5)), write(410, pattern(5, 6))]);
    await port.sync();
    expect(Buffer.compare(await content(), Buffer.concat([base, pattern(400), pattern(10, 5), pattern(5, 6)]))).toBe(0);
    await expect(port.rewind(5000)).rejects.toMatchObject({ code: 'E_OUTPUT_DAMAGED' });
    await port.close();
  });
  test(`${name}: the same positions written again change nothing`, async () => {
    const { port, content } = await make();
    await port.write([write(0, pattern(1000))]);
    await port.write([write(0, pattern(1000)), write(1000, pattern(7))]);
    await port.write([write(500, pattern(1000).subarray(500)), write(1000, pattern(7))]);
    await port.close();
    expect(Buffer.compare(await content(), Buffer.concat([base, pattern(1000), pattern(7)]))).toBe(0);
  });
}

/** Files that are rewritten at offsets. */
export function randomOutputConformance(name: string, make: (content: Uint8Array) => Promise<Sink>): void {
  test(`${name}: operations in order, twice with the same result`, async () => {
    const { port, content } = await make(pattern(1000));
    const operations: readonly OutputOperation[] = [write(990, pattern(20, 3)), { kind: 'truncate', channel: 'c', size: 500 }, write(600, pattern(10, 4)), { kind: 'truncate', channel: 'c', size: 700 }];
    const expected = Buffer.alloc(700);
    expected.set(pattern(500));
    expected.set(pattern(10, 4), 600);
    for (let round = 0; round < 2; round++) {
      await port.write(operations);
      expect(await port.rewind(5)).toBe(5);
      await port.sync();
      expect(Buffer.compare(await content(), expected)).toBe(0);
      expect(Buffer.compare((await port.read({ offset: 0, length: 65_536 }))!, expected)).toBe(0);
    }
    await port.close();
  });
}
