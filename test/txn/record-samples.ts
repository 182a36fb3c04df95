/** What every kind of record in the store shows: its golden file in both directions, and that damage is found. */
import { readFileSync, writeFileSync } from 'node:fs';
import { expect } from 'vitest';
import type { ErrorCode } from '../../src/core/index.ts';
import { codeOf } from '../journal/support.ts';

export type RecordSample = readonly [name: string, bytes: Uint8Array, decode: (bytes: Uint8Array) => unknown, code: ErrorCode, value: unknown];

/** The written version is what the golden file says, and what it says is read. UPDATE_GOLDEN=1 writes it anew. */
export function expectGolden(samples: readonly RecordSample[], file: URL): void {
  const now = `${JSON.stringify(Object.fromEntries(samples.map(([name, bytes]) => [name, Buffer.from(bytes).toString('hex')])), undefined, 1)}\n`;
  if (process.env['UPDATE_GOLDEN'] === '1') writeFileSync(file, now);
  const golden = readFileSync(file, 'utf8');
  expect(now).toBe(golden);
  const stored = JSON.parse(golden) as Record<string, string>;
  for (const [name, , decode, , value] of samples) expect(decode(new Uint8Array(Buffer.from(stored[name]!, 'hex')))).toEqual(value);
}

/** Every flipped byte and every truncation is found, with the code of the record. */
export function expectDamageFound(bytes: Uint8Array, decode: (bytes: Uint8Array) => unknown, code: ErrorCode): void {
  for (let offset = 0; offset < bytes.length; offset++) {
    const flipped = bytes.slice();
    flipped[offset]! ^= 1 << (offset % 8);
    expect(codeOf(() => decode(flipped))).toBe(code);
    expect(codeOf(() => decode(bytes.slice(0, offset)))).toBe(code);
  }
}
