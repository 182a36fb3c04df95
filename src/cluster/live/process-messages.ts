/**
 * What the coordinator and its processes say to each other, over Node's channel between parent and child (structured clones: maps, bigints).
 * Keys travel here and nowhere else. What this does NOT do: carry the nodes' bytes (zeromq-transport.ts).
 */
import type { ErrorCode } from '../../core/index.ts';
import type { Report } from '../../session/index.ts';
import type { HubCounters, NodeWait } from '../hub.ts';
import type { NodeEnd } from '../node-end.ts';
import type { ClusterPlan } from '../plan.ts';
import type { ClusterKeys } from './curve.ts';

export type ToProcess =
  | {
    readonly kind: 'start';
    readonly plan: ClusterPlan;
    readonly store: string;
    readonly process: number;
    readonly clusterId: Uint8Array;
    /** Undefined: one process, nothing leaves it. */
    readonly bind: string | undefined;
    /** The directory of the cluster's sockets, where it has some. */
    readonly sockets: string | undefined;
    readonly keys: ClusterKeys | undefined;
    readonly ended: readonly NodeEnd[];
  }
  /** Where all processes are, by number. The first one lets the nodes run. */
  | { readonly kind: 'peers'; readonly endpoints: readonly (string | undefined)[] }
  | { readonly kind: 'ended' } & NodeEnd
  | { readonly kind: 'stop'; readonly reason: string }
  /** Nothing in the cluster can go on: writers that wait get more room. */
  | { readonly kind: 'grow' }
  /** Everything is over here. */
  | { readonly kind: 'leave' };

export type FromProcess =
  | { readonly kind: 'listening'; readonly endpoint: string }
  | { readonly kind: 'progress'; readonly node: string; readonly instructions: bigint; readonly checkpoints: number; readonly inputBytes: number; readonly outputBytes: number }
  /** No report: it had ended in an earlier life that could not say so. */
  | { readonly kind: 'ended'; readonly report: Report | undefined } & NodeEnd
  /** No report: it had not begun. */
  | { readonly kind: 'stopped'; readonly node: string; readonly report: Report | undefined }
  | { readonly kind: 'failed'; readonly node: string | undefined; readonly code: ErrorCode; readonly message: string }
  /** A replica that was outvoted by a reader. */
  | { readonly kind: 'dissent'; readonly node: string; readonly what: string }
  | { readonly kind: 'waiting'; readonly nodes: readonly NodeWait[] }
  /** Bytes that its nodes have written, by link, where that has changed. */
  | { readonly kind: 'written'; readonly links: ReadonlyMap<number, number> }
  | { readonly kind: 'counters'; readonly counters: HubCounters };
