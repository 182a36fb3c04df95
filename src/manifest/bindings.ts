/**
 * The host's part of a run: which file or stream each channel is bound to, and how the run is kept. Not part of the run's identity: a run may
 * be resumed with other bindings. What this does NOT do: open anything (channel/live).
 */

export type StandardStream = 'stdin' | 'stdout' | 'stderr';

export type HostBinding =
  /** A path, absolute. */
  | { readonly kind: 'file'; readonly path: string }
  | { readonly kind: 'standard'; readonly stream: StandardStream }
  /** An input that has ended. */
  | { readonly kind: 'empty' }
  /** The channel of another node of a cluster: `link` numbers it among the plan's channels, `peer` names the node. */
  /** `isSpread`: the cluster has nodes on several hosts, each with a store of its own. */
  | { readonly kind: 'peer'; readonly link: number; readonly peer: string; readonly isSpread?: boolean };

/** When checkpoints are taken without being asked for. */
export type CheckpointInterval =
  | { readonly kind: 'time'; readonly milliseconds: number }
  | { readonly kind: 'instructions'; readonly count: bigint };

/** Which checkpoints stay, at a collection or while a run is recorded: the youngest so many, and the youngest of each of so many hours and days that have any. At least one is set; all stay when no rule is given. */
export interface KeepRule { readonly last?: number | undefined; readonly hourly?: number | undefined; readonly daily?: number | undefined }

export interface HostBindings {
  /** Absolute path of the program's file. */
  readonly program: string;
  /** Channel name → host side, one for each channel of the manifest. */
  readonly channels: ReadonlyMap<string, HostBinding>;
}

export type HostFileKind = 'file' | 'directory' | 'fifo' | 'character' | 'terminal' | 'socket' | 'other';

/** What the host says about a file before it is opened. */
export interface HostFacts {
  readonly kind: HostFileKind;
  /** Bytes of a regular file, 0 otherwise. */
  readonly size: number;
  readonly canRead: boolean;
  readonly canWrite: boolean;
}

/** Looks at the host without changing it. Implemented by manifest/live/host-inspector.ts. */
export interface HostInspector {
  /** undefined: nothing is there. Throws E_CHANNEL_OPEN, with the reason alone as its message, when it cannot be told. */
  file(path: string): HostFacts | undefined;
  standard(stream: StandardStream): HostFacts;
  /** The absolute form of a path relative to where the command was given. */
  absolute(path: string): string;
}
