/**
 * stillpoint: the public API and composition root.
 */
export type { ClusterPlan, PlannedLink, PlannedNode } from './cluster/index.ts';
export { checkpointCluster, clusterCheckpoints, clusterMembers, forkCluster, removeAll, rollbackCluster, type ClusterBranch, type CutFacts } from './cluster/cut.ts';
export { replayCluster, type ClusterReplay } from './cluster/replay.ts';
export type { ClusterStatus, NodeStatus } from './cluster/live/coordinator.ts';
export { runClusterProcess } from './cluster/live/node-process.ts';
export { upCluster, type UpRequest, type UpResult } from './cluster/live/up.ts';
export { convertCluster, readClusterPlan, readPipePlan, type PipeRequest, type PlanRequest } from './cluster/live/read-plan.ts';
export { EXIT, ERROR_TABLE, StillpointError, type ErrorCode, type ErrorData } from './core/index.ts';
export { openMachine, openMachineRun, type Machine, type MachineRequest, type MachineRunRequest, type RunEnd, type Savepoint, type Speculation, type SpeculationOptions, type Transaction, type TransactionOptions, type Until } from './machine/index.ts';
export { engineNamed, ENGINES, type EngineName } from './manifest/index.ts';
export { defaultStoreDirectory } from './session/context.ts';
export type { CheckpointPolicy, Progress, SessionEnd, SessionHooks } from './session/driver.ts';
export { forkFrom, mark, promote, rollback, type BranchResult, type ForkOptions, type RollbackOptions } from './session/branch.ts';
export { bisectRuns, type BisectResult } from './session/bisect.ts';
export { diffStates, type DiffPoint, type DiffResult, type StateDifference } from './session/diff.ts';
export { exportRun, type ExportRequest, type ExportResult } from './session/export.ts';
export { importRun, type ImportRequest, type ImportResult } from './session/import.ts';
export { checkStore, type FsckFinding, type FsckRequest, type FsckResult } from './session/fsck.ts';
export { describeRun, listRunSummaries, readCheckpoints, readLog, removeRuns, type CheckpointFacts, type LogEntry, type RunSummary } from './session/history.ts';
export { exportRunLayer, importImage, listNamedImages, removeImages } from './session/image-verbs.ts';
export type { ImageRecord } from './txn/index.ts';
export { encodeProfile } from './session/profile-format.ts';
export { Profile, type ProfileStack } from './session/profile.ts';
export { Coordinator, StoreParticipant, type Branch, type CoordinatorIdentity, type JointCommit, type JointResult, type Participant, type ResolveResult, type TransactionId } from './txn/index.ts';
export { openPostgres, type PostgresBranch, type PostgresParticipant, type PostgresRequest } from './txn/live/postgres-participant.ts';
export { withCoordinator, withStoreParticipant, type Joint, type JointRequest } from './session/joint.ts';
export { replayRun, type ReplayRequest, type ReplayResult } from './session/replay.ts';
export type { Report } from './session/report.ts';
export { resumeRun, type ResumeRequest } from './session/resume.ts';
export { startRun, type RunRequest, type SessionResult } from './session/run.ts';
export { collectStore, type GcRequest, type GcResult } from './session/tidy.ts';
export { checkCommand } from './service/live/check-command.ts';
export { openDoor, type Address, type Door } from './service/live/http-server.ts';
export { openService, parseServiceOptions, savepointRun, transactOnce, type OnceResult, type SavepointResult, type Service, type ServiceOptions, type ServiceRequest, type Validator } from './service/index.ts';
export { storeStats, type RunUsage, type StoreStats } from './session/stats.ts';
export { VERSION } from './session/version.ts';
