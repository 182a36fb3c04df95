/**
 * How a session takes snapshots: at once on its own thread, or beside the guest (beside-store.ts).
 *
 *   begin(state) ──► sealed() ──► the session's commit ──► confirm()
 *    copies what       root and        with `snapshot`  └─► again()    a collector was faster: the same state once more
 *    changed           records                          └─► abandon()  nothing was stored
 *
 * Invariants: when begin() has resolved the guest may run on; one capture at a time; the root is the same either way.
 * What this does NOT do: commit.
 */
import type { Capture, MachineState, Root, SnapshotWriter } from '../snapshot/index.ts';
import type { RunCommit } from '../txn/index.ts';

export interface SealedCapture {
  readonly root: Root;
  readonly snapshot: NonNullable<RunCommit['snapshot']>;
  confirm(): void;
  abandon(): void;
  again(): Promise<SealedCapture>;
}
export interface PendingCapture { sealed(): Promise<SealedCapture> }

export interface Captures {
  /** Whether the guest may run on while a capture is sealed and committed. */
  readonly isBeside: boolean;
  begin(state: MachineState): Promise<PendingCapture>;
  /** The last one of a session. */
  beginLast(state: MachineState): Promise<PendingCapture>;
}

/** Captures on the calling thread. */
export class CapturesInPlace implements Captures {
  readonly isBeside = false;
  readonly #snapshots: SnapshotWriter;

  constructor(snapshots: SnapshotWriter) {
    this.#snapshots = snapshots;
  }

  async begin(state: MachineState): Promise<PendingCapture> {
    const sealed = this.#seal(state);
    return { sealed: async () => sealed };
  }

  beginLast(state: MachineState): Promise<PendingCapture> {
    return this.begin(state);
  }

  #seal(state: MachineState): SealedCapture {
    const capture: Capture = this.#snapshots.capture(state);
    return {
      root: capture.root, snapshot: capture.batch, confirm: () => capture.confirm(), abandon: () => capture.abandon(),
      again: async () => {
        capture.abandon();
        return this.#seal(state);
      },
    };
  }
}
