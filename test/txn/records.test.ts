/** Records of runs, owners and checkpoints: round trip, one encoding, every flip and cut found, golden file of version 1. */
import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { encodeCanonical, StillpointError, type ErrorCode } from '../../src/core/index.ts';
import { runId, type JournalTail } from '../../src/journal/index.ts';
import { answerPut, checkRunName, decodeAnswer, decodeForkFiles, decodeMoves, forkFilesPut, type ForkFiles, movesPut, type OutputMove, type RememberedAnswer, decodeCheckpointRecord, decodeMark, decodePrepared, encodeMark, encodePrepared, decodeOwnerRecord, decodeRunRecord, encodeCheckpointRecord, encodeOwnerRecord, encodeRunRecord, type CheckpointRecord, type Mark, type OwnerRecord, type PreparedTransaction, type RunRecord } from '../../src/txn/index.ts';
import { at, codeOf, digests, errorOf, RUN, someHash } from '../journal/support.ts';
import { expectDamageFound, expectGolden, type RecordSample } from './record-samples.ts';

const GOLDEN = new URL('./golden/records-v2.json', import.meta.url);
/** Records of store version 1: run records had no `numbered` and no `parent`. */
const GOLDEN_1 = new URL('./golden/records-v1.json', import.meta.url);

const position = fc.tuple(fc.nat(), fc.nat(), fc.integer({ min: 0, max: 2 ** 52 })).map(([a, b, c]) => ({ synced: a, delivered: a + b, intended: a + b + c }));
const hash = fc.uint8Array({ minLength: 32, maxLength: 32 }).map((bytes) => digests.sha256(bytes));
const wide = fc.bigInt({ min: 0n, max: (1n << 64n) - 1n }).map(at);
const tail: fc.Arbitrary<JournalTail> = fc.record({ count: fc.integer({ min: 1, max: 2 ** 32 - 1 }), link: hash, at: wide });
const channel = fc.string({ minLength: 1, maxLength: 20 });
const anyRun: fc.Arbitrary<RunRecord> = fc.record({
  id: fc.constant(RUN), name: fc.constant('a-run'), createdMs: fc.nat(), status: fc.constantFrom('running' as const, 'stopped' as const, 'ended' as const), genesis: hash,
  outcome: fc.constantFrom(undefined, { kind: 'exited' as const, status: 3 }, { kind: 'killed' as const, signal: 9 }, { kind: 'capped' as const, cap: 'max-instructions' }),
  tail, lastCheckpoint: fc.option(fc.integer({ min: 1, max: 2 ** 30 }), { nil: undefined }), numbered: fc.integer({ min: 2 ** 30, max: 2 ** 32 - 1 }), instructions: wide,
  parent: fc.constantFrom(undefined, { id: RUN, name: 'its-parent', checkpoint: 7 }),
  outputs: fc.array(fc.tuple(channel, position), { maxLength: 5 }).map((entries) => new Map(entries)), bindings: fc.string(),
});
const mark = fc.record({ inputPosition: fc.nat(), outputPosition: fc.maxSafeNat() });
const anyCheckpoint: fc.Arbitrary<CheckpointRecord> = fc.record({ number: fc.integer({ min: 1, max: 9 }), root: hash, tail, createdMs: fc.nat(), digests: fc.uint8Array({ maxLength: 120 }), channels: fc.array(fc.tuple(channel, mark), { maxLength: 5 }).map((entries) => new Map(entries)) }).map((record) => ({ ...record, at: record.tail.at }));
const short = fc.string({ maxLength: 60 });
const anyOwner: fc.Arbitrary<OwnerRecord> = fc.record({ epoch: fc.integer({ min: 1 }), owner: fc.option(fc.record({ host: short, pid: fc.nat(), started: short, token: short }), { nil: undefined }) });

const runDecoder = (bytes: Uint8Array): RunRecord => decodeRunRecord(digests, 'a-run', bytes);
const ownerDecoder = (bytes: Uint8Array): OwnerRecord => decodeOwnerRecord(digests, RUN, bytes);
const checkpointDecoder = (number: number) => (bytes: Uint8Array): CheckpointRecord => decodeCheckpointRecord(digests, { run: RUN, number }, bytes);

const RUN_SAMPLE: RunRecord = {
  id: RUN, name: 'a-run', createdMs: 1_700_000_000_000, status: 'ended', genesis: someHash(1), outcome: { kind: 'exited', status: 3 }, tail: { count: 5, link: someHash(2), at: at(77n) },
  lastCheckpoint: 2, numbered: 4, parent: { id: RUN, name: 'first', checkpoint: 1 }, instructions: at(1n << 40n), outputs: new Map([['stdout', { synced: 1, delivered: 2, intended: 2 ** 40 }]]), bindings: '{"stdin":"/x"}',
};
const CHECKPOINT_SAMPLE: CheckpointRecord = { number: 2, at: at(77n), root: someHash(3), tail: { count: 5, link: someHash(2), at: at(77n) }, createdMs: 5, digests: Uint8Array.of(1), channels: new Map([['stdin', { inputPosition: 6, outputPosition: 0 }]]) };
const OWNER_SAMPLE: OwnerRecord = { epoch: 3, owner: { host: 'h', pid: 1, started: '9', token: 't' } };

const MARK_SAMPLE: Mark = { name: 'before', note: 'a line of text, naïve' };

const PREPARED_SAMPLE: PreparedTransaction = {
  id: 'tx-1', at: at(90n), frames: [
    { kind: 'input', at: at(80n), channel: 'stdin', offset: 7, bytes: Uint8Array.of(1, 2) }, { kind: 'clock', at: at(81n), nanoseconds: 5n }, { kind: 'entropy', at: at(82n), bytes: Uint8Array.of(9) },
    { kind: 'end', at: at(90n), channel: 'stdin', offset: 9 },
  ],
};

const ANSWER_SAMPLE: RememberedAnswer = { key: 'key-93', request: someHash(4), at: at(77n), response: Uint8Array.of(111, 107, 10) };
const MOVES_SAMPLE: readonly OutputMove[] = [{ from: '/data/log.try', to: '/data/log', aside: '/data/log.old' }, { from: '/data/b.try', to: '/data/b', aside: undefined }];
const FILES_SAMPLE: ForkFiles = { owner: OWNER_SAMPLE.owner!, files: [{ path: '/data/log.try', device: 1n << 40n, inode: 12n, sizeBytes: 5, modifiedNanoseconds: 1_700_000_000_000_000_001n }] };

const SAMPLES: readonly RecordSample[] = [
  ['run', encodeRunRecord(digests, RUN_SAMPLE), runDecoder, 'E_STORE_CORRUPT', RUN_SAMPLE],
  ['owner', encodeOwnerRecord(digests, RUN, OWNER_SAMPLE), ownerDecoder, 'E_STORE_CORRUPT', OWNER_SAMPLE],
  ['checkpoint', encodeCheckpointRecord(digests, CHECKPOINT_SAMPLE), checkpointDecoder(2), 'E_SNAPSHOT_FORMAT', CHECKPOINT_SAMPLE],
  ['mark', encodeMark(digests, { run: RUN, number: 2 }, MARK_SAMPLE), (bytes) => decodeMark(digests, { run: RUN, number: 2 }, bytes), 'E_STORE_CORRUPT', MARK_SAMPLE],
  ['answer', answerPut({ digests }, RUN, ANSWER_SAMPLE).value, (bytes) => decodeAnswer(digests, RUN, bytes), 'E_STORE_CORRUPT', ANSWER_SAMPLE],
  ['moves', movesPut({ digests }, RUN, MOVES_SAMPLE).value, (bytes) => decodeMoves(digests, RUN, bytes), 'E_STORE_CORRUPT', MOVES_SAMPLE],
  ['files', forkFilesPut({ digests }, RUN, FILES_SAMPLE).value, (bytes) => decodeForkFiles(digests, RUN, bytes), 'E_STORE_CORRUPT', FILES_SAMPLE],
  ['prepared', encodePrepared(digests, RUN, PREPARED_SAMPLE), (bytes) => decodePrepared(digests, RUN, bytes), 'E_STORE_CORRUPT', PREPARED_SAMPLE],
];

describe('records', () => {
  it('decode(encode(x)) = x for runs, checkpoints and owners', () => {
    fc.assert(fc.property(anyRun, (record) => { expect(runDecoder(encodeRunRecord(digests, record))).toEqual(record); }));
    fc.assert(fc.property(anyOwner, (record) => { expect(ownerDecoder(encodeOwnerRecord(digests, RUN, record))).toEqual(record); }));
    fc.assert(fc.property(anyCheckpoint, (record) => { expect(checkpointDecoder(record.number)(encodeCheckpointRecord(digests, record))).toEqual(record); }));
  });

  it('records of the first version are read: no fork, no greater number than the last checkpoint', () => {
    const stored = JSON.parse(readFileSync(GOLDEN_1, 'utf8')) as Record<string, string>;
    expect(runDecoder(new Uint8Array(Buffer.from(stored['run']!, 'hex')))).toEqual({ ...RUN_SAMPLE, numbered: 2, parent: undefined });
    expect(checkpointDecoder(2)(new Uint8Array(Buffer.from(stored['checkpoint']!, 'hex')))).toEqual(CHECKPOINT_SAMPLE);
    expect(ownerDecoder(new Uint8Array(Buffer.from(stored['owner']!, 'hex')))).toEqual(OWNER_SAMPLE);
  });

  it('the written version is what the golden file says, in both directions', () => { expectGolden(SAMPLES, GOLDEN); });

  it.each(SAMPLES)('every flipped byte and every truncation of a %s record has its code', (_name, bytes, decode, code) => { expectDamageFound(bytes, decode, code); });

  it('random canonical records with a good check sum give a value or a code, never a crash', () => {
    const json = fc.jsonValue({ depthSize: 'small' });
    fc.assert(fc.property(fc.dictionary(fc.constantFrom('id', 'name', 'status', 'tail', 'outputs', 'epoch', 'owner', 'channels', 'number', '__proto__', 'constructor'), json), fc.constantFrom(...SAMPLES), (extra, [, sample, decode]) => {
      const { format, version } = formatOf(sample);
      const body = sealed(encodeCanonical({ ...clean(extra), format, version }));
      try {
        decode(body);
      } catch (error) {
        if (!(error instanceof StillpointError)) throw error;
      }
    }), { numRuns: 300 });
  });

  it('a newer version is E_STORE_VERSION and names the run', () => {
    const error = errorOf(() => runDecoder(sealed(encodeCanonical({ format: 'stillpoint-run', version: 3 }))));
    expect([error.code, error.message, error.data]).toEqual(['E_STORE_VERSION', 'the stillpoint run record (run a-run) has version 3, this software knows 2', { run: 'a-run' }]);
  });

  it('a record under the key of another run or checkpoint is refused', () => {
    expect(codeOf(() => decodeRunRecord(digests, 'other', encodeRunRecord(digests, RUN_SAMPLE)))).toBe('E_STORE_CORRUPT');
    expect(codeOf(() => checkpointDecoder(3)(encodeCheckpointRecord(digests, CHECKPOINT_SAMPLE)))).toBe('E_SNAPSHOT_FORMAT');
    expect(codeOf(() => ownerDecoder(encodeRunRecord(digests, RUN_SAMPLE)))).toBe('E_STORE_CORRUPT');
  });
});

describe('run names', () => {
  it.each(['a', 'A.b_c-9', '0', 'x'.repeat(64)])('%s is a name', (name) => expect(checkRunName(name)).toBe(name));
  it.each(['', '.a', '-a', '_a', 'a b', 'a/b', 'ä', 'a\n', 'x'.repeat(65), '..'])('%j is E_RUN_NAME', (name) => expect(codeOf(() => checkRunName(name))).toBe('E_RUN_NAME'));
  it('ids that are not 32 hexadecimal digits are our own mistake', () => expect(() => runId('xyz')).toThrow('a run id is 32 hexadecimal digits'));
});

function sealed(bytes: Uint8Array): Uint8Array {
  return new Uint8Array(Buffer.concat([bytes, Buffer.from(digests.sha256(bytes), 'hex')]));
}

function formatOf(sample: Uint8Array): { format: string; version: number } {
  const format = /stillpoint-[a-z]+/.exec(Buffer.from(sample).toString('latin1'))![0];
  return { format, version: format === 'stillpoint-run' || format === 'stillpoint-owner' ? 2 : 1 };
}

/** JSON without -0, which canonical data does not have. */
function clean<T>(value: T): T {
  return JSON.parse(JSON.stringify(value)) as T;
}
