/**
 * The part of a journal that a store has lost, from another copy of it.
 * Invariant: a frame is taken only where it continues the hash chain, so whatever the other copy holds, no other history comes out of it.
 * What this does NOT do: read blobs, commit.
 */
import { orElse, type BlobHash, type Digests } from '../core/index.ts';
import type { Store, StorePut } from '../store/index.ts';
import { decodeFrame, nextLink, splitStored } from './format.ts';
import { entryKey, hexOfBytes, type RunId } from './run-id.ts';
import type { JournalTail } from './writer.ts';

export interface TwoCopies { readonly store: Pick<Store, 'get'>; readonly source: Pick<Store, 'get'>; readonly digests: Digests }

/** Rows of `run` behind `from`, a verified place, up to frame `count`: those that only `source` has soundly, until neither copy goes on. */
export function framesFromCopy({ store, source, digests }: TwoCopies, { run, from, count }: { readonly run: RunId; readonly from: JournalTail; readonly count: number }): readonly StorePut[] {
  const puts: StorePut[] = [];
  let tail: JournalTail = from;
  for (let index = from.count; index < count; index++) {
    const key = entryKey(run, index);
    const here = followFrame(digests, { run, tail, stored: store.get('frames', key) });
    const stored = here === undefined ? source.get('frames', key) : undefined;
    const next = here ?? followFrame(digests, { run, tail, stored });
    if (next === undefined) break;
    if (stored !== undefined) puts.push({ table: 'frames', key, value: stored });
    tail = next;
  }
  return puts;
}

/** The tail behind a stored frame when it is sound and continues the chain. */
export function followFrame(digests: Digests, { run, tail, stored }: { readonly run: RunId; readonly tail: JournalTail; readonly stored: Uint8Array | undefined }): JournalTail | undefined {
  const parts = stored === undefined ? undefined : splitStored(stored);
  if (parts === undefined) return undefined;
  const link: BlobHash = nextLink(digests, tail.link, parts.encoded);
  if (link !== hexOfBytes(parts.link)) return undefined;
  return orElse(undefined, () => {
    const { kind, at } = decodeFrame(parts.encoded, { run, frame: tail.count, after: tail.at });
    return at < tail.at || (kind === 'genesis') !== (tail.count === 0) ? undefined : { count: tail.count + 1, link, at };
  });
}
