/** txn: one commit for all of a run, ownership, recovery. */
export { checkRunName, encodeRunRecord, decodeRunRecord, type OutputPosition, type OutputPositions, type RunRecord, type RunStatus } from './run-record.ts';
export { encodeCheckpointRecord, decodeCheckpointRecord, type ChannelMark, type ChannelMarks, type CheckpointRecord } from './checkpoint-record.ts';
export { acquire, owned, release, Ownership, encodeOwnerRecord, decodeOwnerRecord, readOwnerRecord, type IsAlive, type Owner, type OwnerRecord, type StoreContext } from './ownership.ts';
export { RunWriter, type FreshCheckpoint, type RunCommit } from './run-writer.ts';
export { createRun, openRun, readRun, stateOfRun, listRuns, runNames, openJournal, listCheckpoints, readCheckpoint, removeRun, type NewRun, type RunState } from './runs.ts';
export { recover, type OutputRecovery, type Recovery } from './recovery.ts';
export { liveSet, type LiveSet } from './live-set.ts';
