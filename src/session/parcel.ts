/**
 * A batch of a store as one piece of memory, on its way to another thread: thousands of small records would cost more as objects than as entries.
 *
 *   head    u32: deletes, expectations, puts     each entry: table, length of the key, length of the value (or ABSENT)        in the order of these three
 *   bytes   key, value, key, value, …
 *
 * Invariants: unpack(pack(batch)) is the batch; what comes out are views of the parcel. Nothing of it is ever stored. What this does NOT do: carry what a store holds ready.
 */
import { assert } from '../core/index.ts';
import { TABLES, type StoreBatch, type StoreDelete, type StoreExpectation, type StorePut, type Table } from '../store/index.ts';

export interface Parcel { readonly head: Uint32Array<ArrayBuffer>; readonly bytes: Uint8Array<ArrayBuffer> }

/** An expectation that there is nothing. */
const ABSENT = 0xffff_ffff;
const COUNTS = 3;
const ENTRY_WORDS = 3;

interface Entry { readonly table: Table; readonly key: Uint8Array; readonly value?: Uint8Array | undefined }

export function packBatch({ deletes = [], expect = [], puts = [] }: StoreBatch): Parcel {
  const entries: readonly Entry[] = [...deletes, ...expect, ...puts];
  const head = new Uint32Array(COUNTS + entries.length * ENTRY_WORDS);
  head.set([deletes.length, expect.length, puts.length]);
  const bytes = new Uint8Array(entries.reduce((sum, { key, value }) => sum + key.length + (value?.length ?? 0), 0));
  let word = COUNTS;
  let at = 0;
  const add = (part: Uint8Array): void => { bytes.set(part, at); at += part.length; };
  for (const { table, key, value } of entries) {
    head[word++] = TABLES.indexOf(table);
    head[word++] = key.length;
    head[word++] = value?.length ?? ABSENT;
    add(key);
    if (value !== undefined) add(value);
  }
  return { head, bytes };
}

export function unpackBatch({ head, bytes }: Parcel): Required<Pick<StoreBatch, 'deletes' | 'expect' | 'puts'>> {
  let word = COUNTS;
  let at = 0;
  const take = (length: number): Uint8Array => bytes.subarray(at, at += length);
  const next = (): Entry => {
    const table = TABLES[head[word++]!]!; // Packed from the same list.
    const [keyLength, valueLength] = [head[word++]!, head[word++]!];
    return { table, key: take(keyLength), value: valueLength === ABSENT ? undefined : take(valueLength) };
  };
  const deletes = Array.from({ length: head[0]! }, (): StoreDelete => { const { table, key } = next(); return { table, key }; });
  const expect = Array.from({ length: head[1]! }, (): StoreExpectation => { const { table, key, value } = next(); return { table, key, value }; });
  const puts = Array.from({ length: head[2]! }, (): StorePut => { const { table, key, value } = next(); assert(value !== undefined, 'a put has a value'); return { table, key, value }; });
  assert(word === head.length && at === bytes.length, 'a parcel is as long as its entries');
  return { deletes, expect, puts };
}
