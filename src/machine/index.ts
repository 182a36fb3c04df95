/** machine: guests that stay in memory and change in transactions. */
export type { RunEnd, Until } from './core.ts';
export type { Machine } from './machine.ts';
export { openMachine, openMachineIn, openMachineRun, openMachineRunIn, type MachineRequest, type MachineRunRequest } from './open.ts';
export type { ParallelOptions, ParallelSavepoint, ParallelSpeculation } from './parallel.ts';
export type { PoolOptions, RetryOptions, SpeculationPool } from './pool.ts';
export type { Speculation, SpeculationOptions } from './speculation.ts';
export { commitTogether, MachineParticipant } from './together.ts';
export type { Savepoint, Transaction, TransactionOptions } from './transaction.ts';
