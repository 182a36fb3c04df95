/** session: what layers above drive runs with. */
export { ENGINE_DEFAULT, defaultStoreDirectory, withStore, type EngineName } from './context.ts';
export type { Progress, SessionEnd, SessionHooks } from './driver.ts';
export { forkMany, rollbackMany, type ForkWish } from './branch.ts';
export { removeRuns } from './history.ts';
export { isAlive, wallClockMs } from './host.ts';
export { bindingsOfRun, nodeRecord, peersOfRun, runNode, type NodeRequest } from './node.ts';
export type { OpenPeer } from './ports.ts';
export { replayStored, type ReplayResult } from './replay.ts';
export type { Report } from './report.ts';
export type { ResumePeers } from './resume.ts';
export type { SessionResult } from './run.ts';
