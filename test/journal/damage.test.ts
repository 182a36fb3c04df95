/** Damage to stored journals: whatever is flipped, cut, swapped or lost is found, and the error names frame and instruction count. */
import { describe, expect, it } from 'vitest';
import { frameIndex } from '../../src/core/index.ts';
import { blobKey, entryKey, JournalReader, runId, type FreshFrame } from '../../src/journal/index.ts';
import { codeOf, errorOf, LARGE, digests, at, reader, RUN, sampleFrames, setFrame, someHash, storeJournal, type StoredJournal } from './support.ts';

const LAST_AT = [0n, 0n, 100n, 150n, 160n, 200n, 5_000_000_000n, 5_000_000_000n, 5_000_000_001n, 5_000_000_002n];

function check({ store, tail }: StoredJournal, expected: { code: string; frame: number }): void {
  const error = errorOf(() => reader(store, tail).verify());
  expect({ code: error.code, frame: error.data['frame'], run: error.data['run'], at: error.data['at'] }).toEqual({ ...expected, run: RUN, at: LAST_AT[expected.frame] });
  expect(error.message).toContain(`frame ${expected.frame} of the journal of run ${RUN}`);
  expect(error.message).toContain(`after instruction ${LAST_AT[expected.frame]}`);
}

describe('damage', () => {
  it('an undamaged journal verifies', async () => {
    const { store, tail } = await storeJournal(sampleFrames());
    reader(store, tail).verify();
    expect([...reader(store, tail).frames()]).toHaveLength(10);
  });

  it('every flipped byte of every frame is E_JOURNAL_DAMAGED and names the frame', async () => {
    const journal = await storeJournal(sampleFrames());
    for (const [index, value] of journal.stored.entries()) {
      for (let offset = 0; offset < value.length; offset++) {
        const flipped = value.slice();
        flipped[offset]! ^= 1 << (offset % 8);
        await setFrame(journal.store, index, flipped);
        check(journal, { code: 'E_JOURNAL_DAMAGED', frame: index });
      }
      await setFrame(journal.store, index, value);
    }
  });

  it('every truncation of every frame is found and names the frame', async () => {
    const journal = await storeJournal(sampleFrames());
    for (const [index, value] of journal.stored.entries()) {
      for (let length = 0; length < value.length; length++) {
        await setFrame(journal.store, index, value.slice(0, length));
        check(journal, { code: length <= 32 ? 'E_JOURNAL_FORMAT' : 'E_JOURNAL_DAMAGED', frame: index });
      }
      await setFrame(journal.store, index, value);
    }
  });

  it('a missing frame is E_JOURNAL_CUT, wherever it is missing', async () => {
    const journal = await storeJournal(sampleFrames());
    for (const [index, value] of journal.stored.entries()) {
      await setFrame(journal.store, index, undefined);
      check(journal, { code: 'E_JOURNAL_CUT', frame: index });
      await setFrame(journal.store, index, value);
    }
  });

  it('a journal cut anywhere is E_JOURNAL_CUT at the first frame that is gone', async () => {
    const journal = await storeJournal(sampleFrames());
    for (let length = journal.stored.length - 1; length >= 0; length--) {
      await setFrame(journal.store, length, undefined);
      check(journal, { code: 'E_JOURNAL_CUT', frame: length });
    }
  });

  it('swapped, duplicated and shifted frames are E_JOURNAL_DAMAGED at the first one out of place', async () => {
    const journal = await storeJournal(sampleFrames());
    const { stored, store } = journal;
    for (let a = 0; a < stored.length; a++) for (let b = a + 1; b < stored.length; b++) {
      await setFrame(store, a, stored[b]!);
      await setFrame(store, b, stored[a]!);
      check(journal, { code: 'E_JOURNAL_DAMAGED', frame: a });
      await setFrame(store, b, stored[b]!);
      check(journal, { code: 'E_JOURNAL_DAMAGED', frame: a }); // b twice
      await setFrame(store, a, stored[a]!);
    }
    for (let index = 4; index < stored.length - 1; index++) await setFrame(store, index, stored[index + 1]!);
    check(journal, { code: 'E_JOURNAL_DAMAGED', frame: 4 });
  });

  it('a journal of another run under this run is E_JOURNAL_DAMAGED at frame 0', async () => {
    const { store, tail, stored } = await storeJournal(sampleFrames());
    const other = runId('7f112233445566778899aabbccddeeff');
    await store.commit({ puts: stored.map((value, index) => ({ table: 'frames', key: entryKey(other, index), value })) });
    const error = errorOf(() => new JournalReader({ store, digests }, { run: other, tail }).verify());
    expect([error.code, error.data['frame'], error.data['run']]).toEqual(['E_JOURNAL_DAMAGED', 0, other]);
  });

  it('a forged journal with a sound chain is found by the tail in the run record', async () => {
    const honest = await storeJournal(sampleFrames());
    const forged = await storeJournal(sampleFrames().map((frame): FreshFrame => frame.kind === 'clock' ? { ...frame, nanoseconds: 1n } : frame));
    check({ ...forged, tail: honest.tail }, { code: 'E_JOURNAL_DAMAGED', frame: 9 });
  });

  it('single frames are verified as well, and their error names the instruction count before them', async () => {
    const { store, tail, stored } = await storeJournal(sampleFrames());
    const value = stored[5]!.slice();
    value[10]! ^= 1;
    await setFrame(store, 5, value);
    const error = errorOf(() => reader(store, tail).frameAt(frameIndex(5)));
    expect([error.code, error.data['frame'], error.data['at']]).toEqual(['E_JOURNAL_DAMAGED', 5, 200n]);
    expect(codeOf(() => reader(store, tail).frameAt(frameIndex(10)))).toBe('E_JOURNAL_CUT');
    expect(reader(store, tail).genesis().recorder).toBe('stillpoint 0.1.0');
  });

  it('large inputs are checked against their hash: E_BLOB_DAMAGED, E_BLOB_MISSING', async () => {
    const { store, tail } = await storeJournal(sampleFrames());
    const key = blobKey(digests.sha256(LARGE));
    await store.commit({ puts: [{ table: 'blobs', key, value: LARGE.slice(1) }] });
    const error = errorOf(() => reader(store, tail).verify());
    expect([error.code, error.data['at']]).toEqual(['E_BLOB_DAMAGED', 200n]);
    expect(error.message).toContain('input of channel table at offset 65536');
    await store.commit({ deletes: [{ table: 'blobs', key }] });
    expect(codeOf(() => reader(store, tail).verify())).toBe('E_BLOB_MISSING');
  });

  it('the program is checked against its hash: E_PROGRAM_DAMAGED, E_BLOB_MISSING', async () => {
    const program = Uint8Array.of(0x7f, 0x45, 0x4c, 0x46);
    const { store, tail } = await storeJournal(sampleFrames());
    const hash = digests.sha256(program);
    expect(codeOf(() => reader(store, tail).programBytes(hash))).toBe('E_BLOB_MISSING');
    await store.commit({ puts: [{ table: 'blobs', key: blobKey(hash), value: Uint8Array.of(0x7f, 0x45, 0x4c, 0x47) }] });
    expect(codeOf(() => reader(store, tail).programBytes(hash))).toBe('E_PROGRAM_DAMAGED');
    await store.commit({ puts: [{ table: 'blobs', key: blobKey(hash), value: program }] });
    expect(reader(store, tail).programBytes(hash)).toEqual(program);
  });

  it('reading on from a checkpoint verifies against its tail', async () => {
    const { store, tail } = await storeJournal(sampleFrames());
    const part = await storeJournal(sampleFrames().slice(0, 7));
    expect([...reader(store, tail).frames(part.tail)].map(({ index }) => Number(index))).toEqual([7, 8, 9]);
    expect(codeOf(() => [...reader(store, tail).frames({ ...part.tail, link: someHash(1) })])).toBe('E_JOURNAL_DAMAGED');
    expect([...reader(store, tail).frames(tail)]).toEqual([]);
    expect(codeOf(() => [...reader(store, tail).frames({ ...tail, at: at(1n) })])).toBe('E_JOURNAL_DAMAGED');
  });
});
