/** session: what layers above drive runs with. */
export { mark } from './branch.ts';
export { encodeBindings, decodeBindings, type SavedBindings } from './bindings-codec.ts';
export { bootGuest, ENGINE_DEFAULT, defaultStoreDirectory, openStoreAt, restoreGuest, withStore, type EngineName } from './context.ts';
export type { Progress, SessionEnd, SessionHooks } from './driver.ts';
export { forkMany, rollbackMany, type ForkWish } from './branch.ts';
export { removeRuns } from './history.ts';
export { hostFacts, importLease, isAlive, monotonicMs, newRunId, thisOwner, wallClockMs } from './host.ts';
export { declareImage, programInImage } from './image-program.ts';
export { importImages, openImages } from './images.ts';
export type { HostFacts } from './input-feed.ts';
export { bindingsOfRun, nodeRecord, peersOfRun, runNode, type NodeRequest } from './node.ts';
export { closePorts, isForgetful, openPorts, reopenPorts, type OpenPeer } from './ports.ts';
export { rebuild, recordedFacts, recordedSeeds } from './rebuild.ts';
export { replayStored, type ReplayResult } from './replay.ts';
export type { Report } from './report.ts';
export { startingPositions, type ResumePeers } from './resume.ts';
export { abandon, freeName, readProgram, type SessionResult } from './run.ts';
export { RECORDER } from './version.ts';
