/**
 * Content that a run has lost for good, as a repair has said: its program, large inputs, parts of its image. A word `lost RUN-ID` in the table `meta`. docs/formats/run.md is the page.
 * Invariants: what is named is no finding any more, for the run can be resumed from a checkpoint behind it; when the content is there again, the word says nothing. A record of a run
 * that was removed takes its word with it. What this does NOT do: find losses (inspect.ts).
 */
import type { BlobHash, Digests } from '../core/index.ts';
import type { RunId } from '../journal/index.ts';
import type { StoreDelete, StorePut } from '../store/index.ts';
import type { StoreContext } from './ownership.ts';
import { decodeRecord, encodeRecord, type RecordKind } from './record.ts';

const KIND: RecordKind = { format: 'stillpoint-lost', version: 1, damaged: 'E_STORE_CORRUPT' };
/** Large inputs of a run: 16 TiB. */
const HASHES_MAX = 1 << 20;
const WORD = /^lost [0-9a-f]{32}$/;

const key = (run: RunId): Uint8Array => new TextEncoder().encode(`lost ${run}`);

/** The word with more of them. */
export function lossesPut(context: StoreContext, run: RunId, hashes: readonly BlobHash[]): StorePut {
  const all = [...new Set([...readLosses(context, run), ...hashes])].sort();
  const rows = all.map((hash, index) => [String(index).padStart(7, '0'), { hash }] as const);
  return { table: 'meta', key: key(run), value: encodeRecord(context.digests, KIND, { run, hashes: Object.fromEntries(rows) }) };
}

export function lossesDelete(run: RunId): StoreDelete {
  return { table: 'meta', key: key(run) };
}

/** Throws E_STORE_CORRUPT, E_STORE_VERSION. */
export function decodeLosses(digests: Digests, run: RunId, bytes: Uint8Array): ReadonlySet<BlobHash> {
  const fields = decodeRecord(digests, KIND, { bytes, subject: { run } });
  if (fields.text('run', 32) !== run) throw fields.fail('is of another run');
  const hashes = [...fields.map('hashes', HASHES_MAX, (row): BlobHash => {
    const hash = row.hash('hash');
    row.end();
    return hash;
  }).values()];
  fields.end();
  return new Set(hashes);
}

/** Throws as decodeLosses(). */
export function readLosses({ store, digests }: StoreContext, run: RunId): ReadonlySet<BlobHash> {
  const bytes = store.get('meta', key(run));
  return bytes === undefined ? new Set() : decodeLosses(digests, run, bytes);
}

/** For fsck: false when the word is none of these. Throws as decodeLosses(). */
export function inspectLossesWord({ digests }: Pick<StoreContext, 'digests'>, name: string, value: Uint8Array): boolean {
  if (!WORD.test(name)) return false;
  decodeLosses(digests, name.slice('lost '.length) as RunId, value); // 32 digits.
  return true;
}
