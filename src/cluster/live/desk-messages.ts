/**
 * What a command for a whole cluster asks of the store of one host, and what it is answered. What this does NOT do: carry it (agent-messages.ts), do it (desk.ts).
 */
import type { ErrorCode, ErrorData } from '../../core/index.ts';
import type { RunId } from '../../journal/index.ts';
import type { EngineName } from '../../manifest/index.ts';
import type { CoordinatorIdentity, CutPart, RollbackWishes, TransactionId } from '../../txn/index.ts';
import type { ChannelEnd, Reading } from '../readings.ts';
import type { MembersReplay } from '../replay.ts';

/** A run that a fork makes, where it begins, and where its files are, by channel, as up's host calls them. */
export interface ForkOrder { readonly from: string; readonly name: string; readonly id: RunId; readonly part: CutPart | undefined; readonly files: ReadonlyMap<string, string> }

export type DeskRequest =
  | { readonly kind: 'greet'; readonly protocol: number; readonly version: string }
  /** The runs of a cluster that the store has. */
  | { readonly kind: 'members'; readonly cluster: string }
  /** Gets ready to hold the store. */
  | { readonly kind: 'ready' }
  | { readonly kind: 'hold'; readonly cluster: string }
  | { readonly kind: 'let go' }
  /** Which of these places are not in the store any more. */
  | { readonly kind: 'missing'; readonly parts: ReadonlyMap<string, CutPart> }
  | { readonly kind: 'prepare'; readonly id: TransactionId; readonly wishes: RollbackWishes }
  | { readonly kind: 'commit' | 'abort'; readonly id: TransactionId }
  | { readonly kind: 'in doubt'; readonly coordinator: CoordinatorIdentity }
  /** `made`: all runs of the fork, some of which another host that shares the store may have made. Refused when the coordinator was replaced. */
  | { readonly kind: 'fork'; readonly coordinator: CoordinatorIdentity; readonly cluster: string; readonly made: ReadonlyMap<string, RunId>; readonly orders: readonly ForkOrder[] }
  /** `runs`: all of the fork, as in its making. `files`: what its nodes on this host would write, as up's host calls them. */
  | { readonly kind: 'undo fork'; readonly cluster: string; readonly runs: ReadonlyMap<string, RunId>; readonly files: readonly string[] }
  | { readonly kind: 'remove'; readonly cluster: string }
  /** The coordinator never comes again, and nothing of it is in doubt. */
  | { readonly kind: 'forget'; readonly coordinator: CoordinatorIdentity }
  /** Ends of channels between nodes. */
  | { readonly kind: 'ends'; readonly cluster: string }
  /** What was read at these. */
  | { readonly kind: 'readings'; readonly ends: readonly ChannelEnd[] }
  | { readonly kind: 'block'; readonly run: string; readonly channel: string; readonly offset: number }
  /** Executes all nodes of the store again. */
  | { readonly kind: 'replay'; readonly cluster: string; readonly engine: EngineName | undefined; readonly comparesFiles: boolean; readonly readings: readonly Reading[] };

/** What each request is answered with. */
export interface DeskAnswers {
  readonly 'greet': { readonly store: string };
  readonly 'members': ReadonlyMap<string, RunId>;
  readonly 'ready': undefined;
  readonly 'hold': ReadonlyMap<string, CutPart>;
  readonly 'let go': boolean;
  readonly 'missing': readonly string[];
  readonly 'prepare': undefined;
  readonly 'commit': undefined;
  readonly 'abort': undefined;
  readonly 'in doubt': readonly TransactionId[];
  readonly 'fork': undefined;
  readonly 'undo fork': undefined;
  readonly 'remove': { readonly removedRecords: number };
  readonly 'forget': undefined;
  readonly 'ends': readonly ChannelEnd[];
  readonly 'readings': readonly Reading[];
  readonly 'block': Uint8Array;
  readonly 'replay': MembersReplay;
}
export type DeskAnswer = DeskAnswers[keyof DeskAnswers];
export type AnswerTo<Request extends DeskRequest> = DeskAnswers[Request['kind']];

export interface DeskFailure { readonly code: ErrorCode; readonly message: string; readonly data: ErrorData }
