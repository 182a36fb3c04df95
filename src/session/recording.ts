/**
 * What a recorded session keeps: the run's writer (journal, positions, ownership) and the snapshot writer, joined in one commit each time.
 * Invariants: while a resumed guest catches up with its journal (its count is below the tail's) nothing is appended, because it is there
 * already; a capture is confirmed only after its commit.
 * What this does NOT do: release output (outlet.ts), drive the guest (driver.ts).
 */
import { blobHash, instructionCount, type InstructionCount } from '../core/index.ts';
import type { ChannelSet } from '../channel/index.ts';
import type { FreshFrame, Outcome } from '../journal/index.ts';
import type { MachineState, Root, SnapshotWriter } from '../snapshot/index.ts';
import { StaleSnapshot, type ChannelMark, type OutputPositions, type RunCommit, type RunWriter } from '../txn/index.ts';

/** Frames held in host memory before they are committed even when no output waits for them. */
const PENDING_BYTES_MAX = 4 * 1024 * 1024;
/** Captures of one checkpoint; each lost one means that a collector deleted something in between. */
const CAPTURES_MAX = 20;

export interface RecordingParts {
  readonly writer: RunWriter;
  readonly snapshots: SnapshotWriter;
  readonly channels: ChannelSet;
  /** Wall time for humans, milliseconds since 1970. */
  readonly wallClock: () => number;
}

export class Recording {
  readonly writer: RunWriter;
  readonly #snapshots: SnapshotWriter;
  readonly #channels: ChannelSet;
  readonly #wallClock: () => number;

  constructor({ writer, snapshots, channels, wallClock }: RecordingParts) {
    this.writer = writer;
    this.#snapshots = snapshots;
    this.#channels = channels;
    this.#wallClock = wallClock;
  }

  readonly append = (frame: FreshFrame): void => {
    this.writer.append(frame);
  };

  get hasPending(): boolean {
    return this.writer.pending.frames > 0;
  }

  get isFull(): boolean {
    return this.writer.pending.bytes >= PENDING_BYTES_MAX;
  }

  /** Whether the guest re-executes what the journal holds already. */
  isCatchingUp(at: InstructionCount): boolean {
    return at < this.writer.tail.at;
  }

  get checkpoints(): number {
    return this.writer.record.lastCheckpoint ?? 0;
  }

  /** Makes the journal durable, with digests of the channels written since the last time for the auditor. */
  async commitTail(at: InstructionCount, { written, outputs }: { readonly written: readonly string[]; readonly outputs: OutputPositions }): Promise<void> {
    await this.writer.commit({ instructions: this.#count(at), frames: this.isCatchingUp(at) ? [] : this.#outputFrames(at, written), outputs });
  }

  /** Captures the state and commits it with the journal so far. All output must be settled. */
  async checkpoint(at: InstructionCount, state: MachineState, outputs: OutputPositions): Promise<Root> {
    return this.#commitCapture(state, () => ({ instructions: at, outputs }));
  }

  /** Captures and commits; again when a collector was faster with a record that the capture relied on. */
  async #commitCapture(state: MachineState, request: (root: Root) => RunCommit): Promise<Root> {
    for (let attempt = 1; ; attempt++) {
      const capture = this.#snapshots.capture(state);
      try {
        await this.writer.commit({ ...request(capture.root), snapshot: capture.batch, checkpoint: this.#checkpoint(capture.root) });
        capture.confirm();
        return capture.root;
      } catch (error) {
        capture.abandon();
        if (!(error instanceof StaleSnapshot) || attempt === CAPTURES_MAX) throw error;
      }
    }
  }

  /** The last commit of a session whose guest ended: exit frame, final checkpoint, ownership given up. */
  async end(at: InstructionCount, { outcome, state, outputs }: { readonly outcome: Outcome; readonly state: MachineState; readonly outputs: OutputPositions }): Promise<Root> {
    return this.#commitCapture(state, (root) => ({ instructions: at, frames: [{ kind: 'exit', at, outcome, root }], outputs, isLast: true }));
  }

  /** The last commit of a session that was stopped from outside: resumable. */
  async stop(at: InstructionCount, { reason, outputs }: { readonly reason: string; readonly outputs: OutputPositions }): Promise<void> {
    const frames: readonly FreshFrame[] = this.isCatchingUp(at) ? [] : [{ kind: 'stop', at, reason }];
    await this.writer.commit({ instructions: this.#count(at), frames, outputs, isLast: true });
  }

  #checkpoint(root: Root): { readonly root: Root; readonly channels: ReadonlyMap<string, ChannelMark>; readonly digests: Uint8Array; readonly createdMs: number } {
    const channels = new Map([...this.#channels].map((channel) => [channel.spec.name, { inputPosition: channel.bytesRead, outputPosition: channel.bytesWritten }]));
    return { root, channels, digests: this.#channels.saveDigests(), createdMs: this.#wallClock() };
  }

  #outputFrames(at: InstructionCount, written: readonly string[]): readonly FreshFrame[] {
    return written.map((name) => {
      const channel = this.#channels.get(name)!;
      return { kind: 'output', at, channel: name, position: channel.bytesWritten, digest: blobHash(channel.accounts().output!.sha256) };
    });
  }

  /** Counts in the run record never go down, also while a resumed guest catches up. */
  #count(at: InstructionCount): InstructionCount {
    const recorded = this.writer.record.instructions;
    return instructionCount(at > recorded ? at : recorded);
  }
}
