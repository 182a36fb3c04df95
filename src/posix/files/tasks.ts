/**
 * What files need to know of processes: signals that a descriptor tells of, processes that one stands for, sessions and groups of terminals.
 * What this does NOT do: anything; the kernel does (../task-view.ts).
 */
import type { SignalInfo } from '../signal-pending.ts';

export interface Tasks {
  /** Signals that are pending for the thread that makes the call. */
  pendingSignals(): bigint;
  /** Takes one of `set`. */
  takeSignal(set: bigint): SignalInfo | undefined;
  /** Whether a process has ended, whoever may still wait for it. */
  isOver(pid: number): boolean;
  /** Whether its end has been told, too: nobody waits for it any more. */
  isReaped(pid: number): boolean;
  sessionOf(pid: number): number;
  groupOf(pid: number): number;
  /** Sends a signal of the kernel to every process of a group. */
  signalGroup(group: number, signal: number): void;
  /** Sends a signal of the kernel to the process that leads a session. */
  signalLeader(session: number, signal: number): void;
}

/** A file system without processes. */
export const NO_TASKS: Tasks = {
  pendingSignals: () => 0n, takeSignal: () => undefined, isOver: () => true, isReaped: () => true, sessionOf: () => 0, groupOf: () => 0, signalGroup: () => undefined, signalLeader: () => undefined,
};
