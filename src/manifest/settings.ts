/**
 * What a user asked for, parsed but not yet compared with the host: the common form of options and manifest files.
 * Invariants: a field is undefined when nothing was said about it, so that options can be laid over a file.
 */
import type { ErrorCode } from '../core/index.ts';
import type { CheckpointInterval, KeepRule } from './bindings.ts';
import type { ChannelLimits } from './channel-spec.ts';
import type { EngineName } from './engine.ts';
import type { ClockSetting, EntropySetting } from './run-manifest.ts';

/** Where a wish was written, for messages: code of the complaint, and `option --memory` or `job.yaml:3: memory`. */
export interface Place { readonly code: ErrorCode; readonly where: string }

export type ChannelKind = 'in' | 'out' | 'append' | 'rw';

/** A channel with a file of the host. `file` `-` (only for `in`) is standard input. */
export interface ChannelSetting { readonly name: string; readonly kind: ChannelKind; readonly file: string; readonly place: Place }
export interface LimitSetting { readonly channel: string; readonly limits: Partial<ChannelLimits>; readonly place: Place }
export interface LiveSetting { readonly channel: string; readonly place: Place }
/** `--image`: a tar archive, a directory or a name of the store, and where in the guest it lies (absolute; `/` when nothing is said). */
export interface ImageSetting { readonly source: string; readonly mount: string; readonly place: Place }
export interface VariableSetting { readonly name: string; readonly value: string }

/** Settings of the host part: how the run is executed and kept. */
export interface HostSettings {
  readonly store?: string;
  readonly name?: string;
  readonly ephemeral?: boolean;
  readonly checkpointEvery?: CheckpointInterval;
  /** 'all': no rule. */
  readonly keepCheckpoints?: KeepRule | 'all';
  readonly engine?: EngineName;
  readonly report?: string;
  /** Where the changes of the guest's files go, as a tar archive. */
  readonly exportLayer?: string;
}

export interface RunSettings {
  readonly program?: string;
  /** Without argv[0]; `@FILE` not yet replaced. */
  readonly arguments?: readonly string[];
  readonly environment: readonly VariableSetting[];
  readonly workingDirectory?: string;
  /** `UID[:GID]` or names. */
  readonly user?: string;
  /** What comes before the program; empty: not even what the image says. */
  readonly entrypoint?: string;
  readonly memoryBytes?: number;
  readonly maxInstructions?: bigint;
  readonly clock?: ClockSetting;
  readonly entropy?: EntropySetting;
  readonly schedule?: bigint;
  readonly channels: readonly ChannelSetting[];
  readonly live: readonly LiveSetting[];
  readonly limits: readonly LimitSetting[];
  /** Lowest first. */
  readonly images: readonly ImageSetting[];
  readonly host: HostSettings;
}

/**
 * `over` (options) laid over `base` (a file): single values and channels of the same name replace, lists add. A program given with `over`
 * brings its own arguments.
 */
export function mergeSettings(base: RunSettings, over: RunSettings): RunSettings {
  const names = new Set(over.channels.map((channel) => channel.name));
  return {
    ...base, ...over,
    environment: [...base.environment, ...over.environment],
    channels: [...base.channels.filter((channel) => !names.has(channel.name)), ...over.channels],
    live: [...base.live, ...over.live],
    limits: [...base.limits, ...over.limits],
    images: [...base.images, ...over.images],
    host: { ...base.host, ...over.host },
  };
}
