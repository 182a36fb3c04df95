/** Words of coordinators and participants: round trip, every flip and cut found, golden file of version 1; ids of transactions. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { TABLES, type StoreBatch } from '../../src/store/index.ts';
import { decodeCoordinatorRecord, decodeDecision, decodePreparedBatch, encodeCoordinatorRecord, encodeDecision, encodePreparedBatch, parseTransactionId, transactionId } from '../../src/txn/index.ts';
import { codeOf, digests } from '../journal/support.ts';
import { expectDamageFound, expectGolden, type RecordSample } from './record-samples.ts';

const GOLDEN = new URL('./golden/joint-v1.json', import.meta.url);
const ID = transactionId({ id: '0123456789abcdef', epoch: 3 }, 12);
const COORDINATOR = { name: 'bank', id: '0123456789abcdef', epoch: 3, owner: { host: 'h', pid: 1, started: '9', token: 't' } };
const DECISION = { id: ID, participants: ['ledger', 'postgres-1'] };
const BATCH: StoreBatch = {
  expect: [{ table: 'runs', key: Uint8Array.of(1), value: Uint8Array.of(2, 3) }, { table: 'owners', key: Uint8Array.of(4), value: undefined }],
  deletes: [{ table: 'marks', key: Uint8Array.of(5) }], puts: [{ table: 'runs', key: Uint8Array.of(1), value: new Uint8Array(0) }],
};
const SAMPLES: readonly RecordSample[] = [
  ['coordinator', encodeCoordinatorRecord(digests, COORDINATOR), (bytes) => decodeCoordinatorRecord(digests, 'bank', bytes), 'E_STORE_CORRUPT', COORDINATOR],
  ['decision', encodeDecision(digests, DECISION), (bytes) => decodeDecision(digests, ID, bytes), 'E_STORE_CORRUPT', DECISION],
  ['prepared', encodePreparedBatch(digests, ID, BATCH), (bytes) => decodePreparedBatch(digests, ID, bytes), 'E_STORE_CORRUPT', BATCH],
];

describe('records of joint transactions', () => {
  it('the written version is what the golden file says, in both directions', () => { expectGolden(SAMPLES, GOLDEN); });

  it.each(SAMPLES)('every flipped byte and every truncation of a %s record is E_STORE_CORRUPT', (_name, bytes, decode, code) => { expectDamageFound(bytes, decode, code); });

  it('decode(encode(batch)) = batch', () => {
    const table = fc.constantFrom(...TABLES);
    const key = fc.uint8Array({ minLength: 1, maxLength: 8 });
    const value = fc.uint8Array({ maxLength: 20 });
    const batch = fc.record({ expect: fc.array(fc.record({ table, key, value: fc.option(value, { nil: undefined }) }), { maxLength: 12 }), deletes: fc.array(fc.record({ table, key }), { maxLength: 3 }), puts: fc.array(fc.record({ table, key, value }), { maxLength: 12 }) });
    fc.assert(fc.property(batch, (given) => { expect(decodePreparedBatch(digests, ID, encodePreparedBatch(digests, ID, given))).toEqual(given); }), { seed: 3, numRuns: 100 });
  });

  it('a record under the key of another is refused', () => {
    const other = transactionId({ id: '0123456789abcdef', epoch: 3 }, 13);
    expect(codeOf(() => decodeDecision(digests, other, SAMPLES[1]![1]))).toBe('E_STORE_CORRUPT');
    expect(codeOf(() => decodePreparedBatch(digests, other, SAMPLES[2]![1]))).toBe('E_STORE_CORRUPT');
    expect(codeOf(() => decodeCoordinatorRecord(digests, 'other', SAMPLES[0]![1]))).toBe('E_STORE_CORRUPT');
  });
});

describe('ids of transactions', () => {
  it('come apart as they were put together', () => {
    expect(parseTransactionId(ID)).toEqual({ id: ID, coordinator: { id: '0123456789abcdef', epoch: 3 }, sequence: 12 });
  });
  it.each(['', 'stillpoint', `${ID} `, `x${ID}`, 'stillpoint-0123456789abcdef-0-1', 'stillpoint-0123456789abcdef-1-0', 'stillpoint-0123456789ABCDEF-1-1', 'stillpoint-0123456789abcdef-9999999999999999-1', `${ID}\n`])('%j is none', (text) => {
    expect(parseTransactionId(text)).toBeUndefined();
  });
});
