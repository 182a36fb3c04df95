/**
 * What the tests of journal and txn share: digests, arbitrary frames, journals in a memory store, and verbs for damage.
 */
import fc from 'fast-check';
import { createNodeDigests } from '../../src/core/live/digest.ts';
import { blobHash, instructionCount, limits, StillpointError, type BlobHash, type ErrorCode } from '../../src/core/index.ts';
import { emptyTail, entryKey, JournalReader, JournalWriter, runId, type Frame, type FreshFrame, type JournalTail, type RunId } from '../../src/journal/index.ts';
import { MemoryStore, type Store } from '../../src/store/index.ts';

export const digests = await createNodeDigests();
export const RUN: RunId = runId('00112233445566778899aabbccddeeff');
export const at = instructionCount;

/** A hash that is nothing's hash but easy to see in a dump. */
export function someHash(fill: number): BlobHash {
  return blobHash(fill.toString(16).padStart(2, '0').repeat(32));
}

const count = fc.bigInt({ min: 0n, max: (1n << 64n) - 1n }).map(at);
const position = fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER });
const name = fc.string({ minLength: 1, maxLength: 40, unit: 'grapheme' });
const hash = fc.uint8Array({ minLength: 32, maxLength: 32 }).map((bytes) => blobHash(Buffer.from(bytes).toString('hex')));
const outcome = fc.oneof(
  fc.record({ kind: fc.constant('exited' as const), status: fc.integer({ min: 0, max: 255 }) }),
  fc.record({ kind: fc.constant('killed' as const), signal: fc.integer({ min: 1, max: 64 }) }),
  fc.record({ kind: fc.constant('capped' as const), cap: name }),
);

/** Every kind of frame with values over their whole ranges. */
export const anyFrame: fc.Arbitrary<Frame> = fc.oneof(
  fc.record({ kind: fc.constant('genesis' as const), at: count, manifest: fc.uint8Array({ maxLength: 400 }), program: hash, recorder: name }),
  fc.record({ kind: fc.constant('input' as const), at: count, channel: name, offset: position, bytes: fc.uint8Array({ maxLength: 300 }) }).map((frame) => ({ ...frame, length: frame.bytes.length })),
  fc.record({ kind: fc.constant('input' as const), at: count, channel: name, offset: position, length: fc.integer({ min: limits.INLINE_INPUT_BYTES_MAX + 1, max: limits.CHUNK_BYTES }), bytes: hash }),
  fc.record({ kind: fc.constant('end' as const), at: count, channel: name, offset: position }),
  fc.record({ kind: fc.constant('clock' as const), at: count, nanoseconds: fc.bigInt({ min: 0n, max: (1n << 64n) - 1n }) }),
  fc.record({ kind: fc.constant('entropy' as const), at: count, bytes: fc.uint8Array({ maxLength: 64 }) }),
  fc.record({ kind: fc.constant('output' as const), at: count, channel: name, position, digest: hash }),
  fc.record({ kind: fc.constant('checkpoint' as const), at: count, number: fc.integer({ min: 0, max: 2 ** 32 - 1 }), root: hash }),
  fc.record({ kind: fc.constant('stop' as const), at: count, reason: name }),
  fc.record({ kind: fc.constant('exit' as const), at: count, outcome, root: hash }),
);

export const LARGE = Uint8Array.from({ length: 5000 }, (_, index) => (index * 7) & 0xff);

/** A small journal with every kind of frame. */
export function sampleFrames(): FreshFrame[] {
  return [
    { kind: 'genesis', at: at(0n), manifest: new TextEncoder().encode('manifest'), program: someHash(0xab), recorder: 'stillpoint 0.1.0' },
    { kind: 'input', at: at(100n), channel: 'stdin', offset: 0, bytes: new TextEncoder().encode('hello\n') },
    { kind: 'clock', at: at(150n), nanoseconds: 1_700_000_000_123_456_789n },
    { kind: 'entropy', at: at(160n), bytes: Uint8Array.of(1, 2, 3, 255) },
    { kind: 'input', at: at(200n), channel: 'table', offset: 65536, bytes: LARGE },
    { kind: 'output', at: at(5_000_000_000n), channel: 'stdout', position: 6, digest: someHash(0x11) },
    { kind: 'checkpoint', at: at(5_000_000_000n), number: 1, root: someHash(0x22) },
    { kind: 'end', at: at(5_000_000_001n), channel: 'stdin', offset: 6 },
    { kind: 'stop', at: at(5_000_000_002n), reason: 'interrupted by the user' },
    { kind: 'exit', at: at(1n << 63n), outcome: { kind: 'exited', status: 3 }, root: someHash(0x33) },
  ];
}

export interface StoredJournal { readonly store: MemoryStore; readonly tail: JournalTail; readonly stored: readonly Uint8Array[] }

/** Writes frames as one run's journal. */
export async function storeJournal(frames: readonly FreshFrame[]): Promise<StoredJournal> {
  const store = new MemoryStore();
  const writer = new JournalWriter(digests, { run: RUN, tail: emptyTail(digests, RUN) });
  for (const frame of frames) writer.append(frame);
  const batch = writer.seal();
  await store.commit({ puts: batch.puts });
  writer.settle(batch);
  return { store, tail: batch.tail, stored: frames.map((_, index) => store.get('frames', entryKey(RUN, index))!) };
}

export function reader(store: Store, tail: JournalTail): JournalReader {
  return new JournalReader({ store, digests }, { run: RUN, tail });
}

/** Overwrites (or, with undefined, removes) one stored frame. */
export async function setFrame(store: Store, index: number, value: Uint8Array | undefined): Promise<void> {
  const key = entryKey(RUN, index);
  if (value === undefined) await store.commit({ deletes: [{ table: 'frames', key }] });
  else await store.commit({ puts: [{ table: 'frames', key, value }] });
}

/** The StillpointError that `act` throws. Anything else fails the test. */
export function errorOf(act: () => unknown): StillpointError {
  try {
    act();
  } catch (error) {
    if (error instanceof StillpointError) return error;
    throw error;
  }
  throw new Error('nothing was thrown');
}

export async function rejectionOf(promise: Promise<unknown>): Promise<StillpointError> {
  return promise.then(() => { throw new Error('nothing was thrown'); }, (error: unknown) => {
    if (error instanceof StillpointError) return error;
    throw error;
  });
}

export function codeOf(act: () => unknown): ErrorCode {
  return errorOf(act).code;
}
