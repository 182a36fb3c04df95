/**
 * A copy of the beginning of a journal for another run: the same frames, linked anew, because the first link of a chain binds it to its run.
 * Invariant: every frame is verified in its old chain before it enters the new one.
 * What this does NOT do: copy blobs (they are shared by hash) or commit.
 */
import { assert, type BlobHash, type Digests } from '../core/index.ts';
import type { StorePut } from '../store/index.ts';
import type { Frame } from './frame.ts';
import { encodeFrame, joinStored, nextLink } from './format.ts';
import type { JournalReader } from './reader.ts';
import { entryKey, type RunId } from './run-id.ts';
import { emptyTail, type JournalTail } from './writer.ts';

export interface Relinked {
  readonly puts: readonly StorePut[];
  readonly tail: JournalTail;
  /** The new tail after `count` frames. */
  readonly tailAt: (count: number) => JournalTail;
}

/** All frames of `from`, then `more`, as the journal of `run`. `more` holds no inputs: their bytes are nowhere yet. `visit` sees each
 * copied frame. Throws what a damaged journal throws. */
export function relink(digests: Digests, { from, run, more = [], visit }: { readonly from: JournalReader; readonly run: RunId; readonly more?: readonly Frame[]; readonly visit?: (frame: Frame) => void }): Relinked {
  assert(more.every(({ kind }) => kind !== 'input'), 'a fresh frame of a copied journal is no input');
  const puts: StorePut[] = [];
  const tails: JournalTail[] = [emptyTail(digests, run)];
  const add = (frame: Frame): void => {
    const index = puts.length;
    const encoded = encodeFrame(index, frame);
    const link: BlobHash = nextLink(digests, tails[index]!.link, encoded);
    puts.push({ table: 'frames', key: entryKey(run, index), value: joinStored(encoded, link) });
    tails.push({ count: index + 1, link, at: frame.at });
  };
  for (const { frame } of from.frames()) {
    visit?.(frame);
    add(frame);
  }
  more.forEach(add);
  const tailAt = (count: number): JournalTail => {
    assert(count >= 0 && count < tails.length, 'a tail lies inside the journal');
    return tails[count]!;
  };
  return { puts, tail: tailAt(tails.length - 1), tailAt };
}
