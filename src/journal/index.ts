/** journal: what entered the machine, in order, as a hash chain. */
export type * from './frame.ts';
export { JOURNAL_VERSION, encodeFrame, decodeFrame, isStoredFrame, journalError, storedLink, type FrameContext } from './format.ts';
export { runId, isRunId, runKey, entryKey, entryIndexOfKey, entryRange, allEntriesRange, blobKey, hexOfBytes, type RunId } from './run-id.ts';
export { JournalWriter, emptyTail, type FreshFrame, type FreshInput, type HashedInput, type JournalBatch, type JournalTail } from './writer.ts';
export { relink, type Relinked } from './relink.ts';
export { followFrame, framesFromCopy, type TwoCopies } from './mend.ts';
export { JournalReader, type IndexedFrame } from './reader.ts';
export { InputIndex, type InputEntry, type StreamFacts } from './input-index.ts';
