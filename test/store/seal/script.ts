/** The commits of lmdb-seal.test.ts by their numbers, so that a store's content tells how many it holds. What this does NOT do: open stores. */
import type { StoreBatch } from '../../../src/store/index.ts';

const text = (value: string): Uint8Array => new TextEncoder().encode(value);
const mixed = (number: number): number => (Math.imul(number, 0x9e37_79b1) ^ (number >>> 3)) >>> 8;
const SLOTS = 20;

/** Commit number 1, 2, …: a counter, and a slot that gets a value of some size or loses the one it had. */
export function batchOf(number: number): StoreBatch {
  const value = written(number);
  const slot = text(`slot ${slotOf(number)}`);
  return {
    puts: [{ table: 'runs', key: text('count'), value: text(String(number)) }, ...(value === undefined ? [] : [{ table: 'blobs' as const, key: slot, value }])],
    deletes: value === undefined ? [{ table: 'blobs', key: slot }] : [],
  };
}

/** What a slot holds after `count` commits. */
export function valueAt(slot: number, count: number): Uint8Array | undefined {
  for (let number = count; number > 0; number--) if (slotOf(number) === slot) return written(number);
  return undefined;
}

/** Whether the first or the second store object makes it: runs of one, and turns. */
export const isSeconds = (number: number): boolean => mixed(number + 7777) % 5 === 0;

const slotOf = (number: number): number => mixed(number) % SLOTS;

function written(number: number): Uint8Array | undefined {
  const kind = mixed(number + 999) % 8;
  if (kind === 0) return undefined;
  return new Uint8Array(kind === 1 ? 9000 : 30 + mixed(number + 55) % 900).fill(number);
}
