/** snapshot: page trees, capture, restore, diff, collect. */
export type { MachineState, PageObject, PageSource, RestoredObject, RestoredState, Root } from './state.ts';
export { SnapshotWriter, type Capture, type CaptureStats } from './capture.ts';
export type { ListLimits, PackSink } from './pack-writer.ts';
export { openSnapshot } from './restore.ts';
export type { ReaderOptions } from './reader.ts';
export { diffSnapshots, readPages, type Difference, type Presence } from './diff.ts';
export { walkSnapshot, type Reached } from './walk.ts';
export { collect, inPieces, scanSnapshots, sweepSnapshots, type Collected, type SweepGuard } from './sweep.ts';
export { salvagePack, SnapshotChecker, type BadRecord } from './check.ts';
export { SnapshotHealer } from './heal.ts';
export { exportSnapshots, SnapshotImporter, type TransferRecord } from './transfer.ts';
export { readHash } from './format.ts';
export { snapshotTableOf } from './kind-of-record.ts';
export { settleLists, storedPages } from './page-index.ts';
export { HashSet, type Hashes } from './hash-set.ts';
