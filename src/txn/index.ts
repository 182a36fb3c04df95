/** txn: one commit for all of a run, ownership, recovery. */
export { checkRunName, encodeRunRecord, decodeRunRecord, decodeRunRecordOf, type OutputPosition, type OutputPositions, type Parent, type RunRecord, type RunStatus } from './run-record.ts';
export { encodeCheckpointRecord, decodeCheckpointRecord, type ChannelMark, type ChannelMarks, type CheckpointRecord } from './checkpoint-record.ts';
export { acquire, owned, release, Ownership, encodeOwnerRecord, decodeOwnerRecord, readOwnerRecord, type IsAlive, type Owner, type OwnerRecord, type StoreContext } from './ownership.ts';
export { RunWriter, StaleSnapshot, type FreshCheckpoint, type RunCommit } from './run-writer.ts';
export { adoptRun, discardRows, mustBeNew, rowOf, type AdoptedRun } from './adopt.ts';
export { createRun, openRun, readRun, stateOfRun, listRuns, runNames, openJournal, listCheckpoints, readCheckpoint, removeRun, type NewRun, type RunState } from './runs.ts';
export { recover, type OutputRecovery, type Recovery } from './recovery.ts';
export { collectGarbage, type CollectOptions, type CollectProgress, type CollectResult } from './collector.ts';
export { deadImageSources, forgetImages, imageSourcePut, isImageName, listImages, nameImage, readImage, readImageSource, type ImageRecord } from './image-records.ts';
export { asCollector, leaseDelete, leasePut, liveLeases, underLease } from './leases.ts';
export { forkRun, forkRuns, recordAt, rollbackRun, rollbackRuns, type BranchPoint, type ForkRequest, type FramePoint, type RollbackRequest } from './branch.ts';
export { cutDelete, decodeCut, encodeCut, keepCut, listCuts, readCut, readParts, type Cut, type CutPart } from './cuts.ts';
export { encodeMark, decodeMark, listMarks, markCheckpoint, type Mark } from './marks.ts';
export { chooseKept, dropCheckpoints, type RetentionRule } from './retention.ts';
export { referencesPut } from './references.ts';
export { inspectStore, type Finding, type Inspection, type Remedy } from './inspect.ts';
export { repair } from './repair.ts';
