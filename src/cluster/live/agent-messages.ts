/**
 * What `up` and the agent of another host say to each other. Frames are V8's structured clones (as between parent and child on one host) behind CURVE:
 * who can send one holds the cluster's keys. Paths are those of `up`'s host; the agent has places of its own for them.
 * What this does NOT do: carry bytes between nodes (zeromq-transport.ts).
 */
import { deserialize, serialize } from 'node:v8';
import type { ErrorCode } from '../../core/index.ts';
import type { ControlFrame } from '../control-link.ts';
import type { NodeEnd } from '../node-end.ts';
import type { PlannedLink, PlannedNode } from '../plan.ts';
import type { DeskAnswer, DeskFailure, DeskRequest } from './desk-messages.ts';
import type { FromProcess, ToProcess } from './process-messages.ts';

/** Raised when a message changes its meaning. */
export const AGENT_PROTOCOL = 5;

/** A file that the nodes of a host need. */
export interface NeededFile { readonly path: string; readonly size: number; readonly sha256: string; readonly isWritten: boolean }

export type ToAgent =
  | {
    readonly kind: 'hello';
    readonly protocol: number;
    readonly version: string;
    readonly cluster: string;
    readonly isEphemeral: boolean;
    /** What nodes that have ended wrote is sent before 'ready'. */
    readonly isResume: boolean;
    /** Those of this host. */
    readonly nodes: readonly PlannedNode[];
    /** Those that they write. */
    readonly links: readonly PlannedLink[];
    readonly files: readonly NeededFile[];
  }
  | { readonly kind: 'file'; readonly path: string; readonly offset: number; readonly bytes: Uint8Array; readonly isLast: boolean }
  | { readonly kind: 'spawn'; readonly process: number; readonly life: number }
  | { readonly kind: 'tell'; readonly process: number; readonly life: number; readonly message: ToProcess }
  | { readonly kind: 'kill'; readonly process: number; readonly life: number }
  /** A command for a whole cluster asks the store there, instead of hello. */
  | { readonly kind: 'ask'; readonly number: number; readonly request: DeskRequest }
  /** All processes are gone and everything has arrived. */
  | { readonly kind: 'bye' };

export type FromAgent =
  /** Nodes whose runs the store there has, how those that ended did, and the files that it lacks. */
  | { readonly kind: 'ready'; readonly known: readonly string[]; readonly ended: readonly NodeEnd[]; readonly missing: readonly string[] }
  | { readonly kind: 'refused'; readonly code: ErrorCode; readonly message: string }
  | { readonly kind: 'heard'; readonly process: number; readonly life: number; readonly message: FromProcess }
  | { readonly kind: 'output'; readonly path: string; readonly offset: number; readonly bytes: Uint8Array }
  /** A file that a node wrote ends here. */
  | { readonly kind: 'whole'; readonly path: string; readonly size: number }
  | { readonly kind: 'gone'; readonly process: number; readonly life: number; readonly how: string; readonly errors: string }
  | { readonly kind: 'answer'; readonly number: number; readonly answer: DeskAnswer }
  | { readonly kind: 'declined'; readonly number: number; readonly failure: DeskFailure }
  /** The agent is being stopped. */
  | { readonly kind: 'closing' };

/** Bytes of a file in one message. */
export const PIECE_BYTES = 256 * 1024;
/** A frame holds at most what a link has under way, and a plan. */
export const AGENT_FRAME_MAX = 64 * 1024 * 1024;
/** How often each end says something, and how many silent ticks make a lost host: ten seconds. */
export const AGENT_TICK_MS = 200;
export const SILENT_TICKS_MAX = 50;
export const SILENCE_MS = AGENT_TICK_MS * SILENT_TICKS_MAX;

export function encodeControl(frame: ControlFrame<ToAgent | FromAgent>): Uint8Array {
  return serialize(frame);
}

/** Undefined: not a frame. */
export function decodeControl<Message>(bytes: Uint8Array): ControlFrame<Message> | undefined {
  try {
    const frame = deserialize(bytes) as Partial<ControlFrame<Message>> | null; // Made by encodeControl: only who holds the keys can send.
    const isFrame = typeof frame === 'object' && frame !== null && Number.isSafeInteger(frame.first) && Number.isSafeInteger(frame.ack) && Array.isArray(frame.messages);
    return isFrame ? frame as ControlFrame<Message> : undefined;
  } catch {
    return undefined; // Bytes of another protocol.
  }
}
