/**
 * What a cluster manifest asks for, parsed but not yet compared with the host: groups of nodes, channels between them, how they are run.
 * Invariants: names are checked, paths are absolute, values with a syntax of their own may still hold {…} (cluster/plan.ts fills them in).
 */
import type { CheckpointInterval } from './bindings.ts';
import type { EngineName } from './engine.ts';
import type { ChannelLimits } from './channel-spec.ts';
import type { ChannelKind, ImageSetting, Place } from './settings.ts';

/** Which nodes of two groups a channel joins. */
export type ChannelPattern = 'all-to-all' | 'one-to-one' | 'fan-in' | 'fan-out' | 'ring' | 'self' | 'publish';
export const CHANNEL_PATTERNS: readonly ChannelPattern[] = ['all-to-all', 'one-to-one', 'fan-in', 'fan-out', 'ring', 'self', 'publish'];

/** A file of a group's nodes: `*` in the first `in` makes one node for each matching file, elsewhere it stands for the matched text. */
export interface ClusterFileSetting { readonly name: string; readonly kind: ChannelKind; readonly file: string }

export interface ClusterGroup {
  readonly name: string;
  /** Absolute, or a plain name that is looked up in the images. */
  readonly program: string;
  /** Below the files of each node, lowest first. */
  readonly images: readonly ImageSetting[];
  /** Without argv[0]. */
  readonly arguments: readonly string[];
  readonly environment: readonly (readonly [string, string])[];
  /** Undefined: one, or as many as files match. */
  readonly count: number | undefined;
  /** Hosts that its nodes run on, in turn: names of `hosts`, or LOCAL_HOST. */
  readonly placement: readonly string[];
  /** How often each node runs, to find and outvote a host that computes wrongly. */
  readonly replicas: number;
  readonly workingDirectory: string | undefined;
  /** UID, UID:GID or names of the image. */
  readonly user: string | undefined;
  readonly memoryBytes: number | undefined;
  readonly maxInstructions: bigint | undefined;
  readonly clock: string | undefined;
  readonly entropy: string | undefined;
  readonly files: readonly ClusterFileSetting[];
  /** Quotas of files and standard streams, by name of the channel. */
  readonly limits: readonly { readonly channel: string; readonly limits: Partial<ChannelLimits> }[];
  readonly stdin: string | undefined;
  readonly stdout: string | undefined;
  readonly stderr: string | undefined;
}

export interface ClusterChannel {
  readonly from: string;
  readonly to: string;
  readonly pattern: ChannelPattern;
  /** Prefix of the guests' names, for a second channel between the same groups; of a published one the topic. */
  readonly name: string | undefined;
  /** Each write is one message, each read gives one. */
  readonly hasMessages: boolean;
  /** Bytes that may be under way. */
  readonly windowBytes: number | undefined;
  /** Whether a reader that is too slow is cut off instead of waited for. */
  readonly cutsSlow: boolean;
  /** Quotas: gets of each reader, puts of each writer. */
  readonly limits: Partial<ChannelLimits>;
}

/** Another host: where its agent listens and its processes are reached. */
export interface ClusterHostSetting { readonly name: string; readonly address: string; readonly port: number }

/** The host of the command itself, in a placement. */
export const LOCAL_HOST = 'local';
export const AGENT_PORT_DEFAULT = 7410;

export interface ClusterSettings {
  readonly name: string;
  readonly hosts: readonly ClusterHostSetting[];
  /** Where other hosts reach this one; undefined: the address that leads to the first of them. */
  readonly address: string | undefined;
  readonly groups: readonly ClusterGroup[];
  readonly channels: readonly ClusterChannel[];
  /** Undefined: one for each processor of the host. */
  readonly processes: number | 'one-per-node' | undefined;
  readonly transport: 'ipc' | 'tcp';
  /** Undefined: tcp is, ipc is not. */
  readonly isEncrypted: boolean | undefined;
  readonly checkpointEvery: CheckpointInterval | undefined;
  readonly engine: EngineName | undefined;
  /** How often killed processes are started again, all together. */
  readonly restarts: number;
  /** Directory of the nodes' standard output and error. */
  readonly logs: string;
  readonly store: string | undefined;
  /** Where a field stands in the file, for complaints. */
  readonly place: (field: readonly (string | number)[]) => Place;
}
