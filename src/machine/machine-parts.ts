/**
 * What a resident machine is made from: guest and channels, what describes them, and what makes them durable.
 * What this does NOT do: anything.
 */
import type { HostPort } from '../channel/index.ts';
import type { Digests } from '../core/index.ts';
import type { ImageTree } from '../image/index.ts';
import type { RunManifest } from '../manifest/index.ts';
import type { EngineName } from '../session/index.ts';
import type { StoreContext } from '../txn/index.ts';
import type { Checkpoints } from './checkpoints.ts';
import type { CommitLog } from './commit-log.ts';
import type { Core } from './core.ts';
import type { ImagePlace } from './replica-worker.ts';

/** What makes a machine of a run durable. */
export interface Durable {
  readonly context: StoreContext;
  readonly log: CommitLog;
  readonly checkpoints: Checkpoints;
}

export interface MachineParts {
  /** A function: it is made when it is first needed. */
  readonly core: Core | (() => Core);
  readonly manifest: RunManifest;
  readonly digests: Digests;
  readonly engine: EngineName;
  readonly image: ImageTree | undefined;
  /** Where another thread finds the image; undefined: nowhere. */
  readonly imagePlace?: ImagePlace | undefined;
  readonly ports: ReadonlyMap<string, HostPort>;
  readonly durable: Durable | undefined;
  /** Closes ports; of a fork: gives back what it was lent. */
  readonly release: () => Promise<void>;
  /** Closes store and image, which forks may read. */
  readonly letGo: () => Promise<void>;
}
