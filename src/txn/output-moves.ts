/**
 * Output files that change hands with a promotion: what is to be renamed once the names of the runs have changed. A word `moves RUN-ID` in the table `meta`.
 * docs/formats/run.md is the page.
 *
 * Invariant: it is written in the commit of the promotion and removed when all of it is done; doing it twice is doing it once.
 * What this does NOT do: touch files (session/output-moves.ts).
 */
import { limits, type Digests } from '../core/index.ts';
import type { RunId } from '../journal/index.ts';
import type { StoreDelete, StorePut } from '../store/index.ts';
import type { StoreContext } from './ownership.ts';
import { decodeRecord, encodeRecord, type RecordKind } from './record.ts';

/** `from` becomes `to`; what `to` was becomes `aside`, or is gone (undefined). As long as `from` is there it has not happened. */
export interface OutputMove { readonly from: string; readonly to: string; readonly aside: string | undefined }

const KIND: RecordKind = { format: 'stillpoint-moves', version: 1, damaged: 'E_STORE_CORRUPT' };
const MOVES_MAX = 1024; // Channels of a run.
const WORD = /^moves [0-9a-f]{32}$/;

function key(run: RunId): Uint8Array {
  return new TextEncoder().encode(`moves ${run}`);
}

export function movesPut({ digests }: Pick<StoreContext, 'digests'>, run: RunId, moves: readonly OutputMove[]): StorePut {
  const rows = moves.map(({ from, to, aside }, index) => [String(index).padStart(4, '0'), { from, to, aside: aside ?? '' }] as const);
  return { table: 'meta', key: key(run), value: encodeRecord(digests, KIND, { run, moves: Object.fromEntries(rows) }) };
}

export function movesDelete(run: RunId): StoreDelete {
  return { table: 'meta', key: key(run) };
}

/** Throws E_STORE_CORRUPT, E_STORE_VERSION. */
export function decodeMoves(digests: Digests, run: RunId, bytes: Uint8Array): readonly OutputMove[] {
  const fields = decodeRecord(digests, KIND, { bytes, subject: { run } });
  if (fields.text('run', 32) !== run) throw fields.fail('is of another run');
  const moves = [...fields.map('moves', MOVES_MAX, (row): OutputMove => {
    const [from, to, aside] = [row.text('from', limits.PATH_BYTES_MAX), row.text('to', limits.PATH_BYTES_MAX), row.text('aside', limits.PATH_BYTES_MAX)];
    row.end();
    return { from, to, aside: aside === '' ? undefined : aside };
  }).values()];
  fields.end();
  return moves;
}

/** What is left to be done for a run. Throws as decodeMoves(). */
export function readMoves({ store, digests }: StoreContext, run: RunId): readonly OutputMove[] {
  const bytes = store.get('meta', key(run));
  return bytes === undefined ? [] : decodeMoves(digests, run, bytes);
}

/** For fsck: false when the word is none of these. Throws as decodeMoves(). */
export function inspectMovesWord({ digests }: StoreContext, name: string, value: Uint8Array): boolean {
  if (!WORD.test(name)) return false;
  decodeMoves(digests, name.slice('moves '.length) as RunId, value); // 32 digits.
  return true;
}
