/** session: what layers above drive runs with. */
export { ENGINE_DEFAULT, defaultStoreDirectory, withStore, type EngineName } from './context.ts';
export type { Progress, SessionEnd, SessionHooks } from './driver.ts';
export { isAlive } from './host.ts';
export { nodeRecord, runNode, type NodeRequest } from './node.ts';
export type { OpenPeer } from './ports.ts';
export type { Report } from './report.ts';
export type { ResumePeers } from './resume.ts';
export type { SessionResult } from './run.ts';
