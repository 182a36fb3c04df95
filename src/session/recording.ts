/**
 * What a recorded session keeps: the run's writer (journal, positions, ownership) and the captures of its machine, joined in one commit each time.
 *
 *   begin(state) ─► copied: the guest runs on ─► sealed ─► one commit ─► held frames are appended
 *
 * Invariants: while a resumed guest catches up with its journal (its count is below the tail's) nothing is appended, because it is there already; a capture
 * is confirmed only after its commit; frames that come while a checkpoint is under way are held back, because its own frame has an earlier count; nothing
 * else is committed meanwhile. A checkpoint that fails ends the session at its next step.
 * What this does NOT do: release output (outlet.ts), drive the guest (driver.ts).
 */
import { blobHash, instructionCount, type InstructionCount } from '../core/index.ts';
import type { ChannelSet } from '../channel/index.ts';
import type { FreshFrame, Outcome } from '../journal/index.ts';
import { SnapshotWriter, type MachineState, type Root } from '../snapshot/index.ts';
import { StaleSnapshot, type FreshCheckpoint, type OutputPositions, type RunCommit, type RunWriter } from '../txn/index.ts';
import { CapturesInPlace, type Captures, type PendingCapture } from './captures.ts';

/** Frames held in host memory before they are committed even when no output waits for them. */
const PENDING_BYTES_MAX = 4 * 1024 * 1024;
/** Captures of one checkpoint; each lost one means that a collector deleted something in between. */
const CAPTURES_MAX = 20;

export interface RecordingParts {
  readonly writer: RunWriter;
  readonly snapshots: SnapshotWriter | Captures;
  readonly channels: ChannelSet;
  /** Wall time for humans, milliseconds since 1970. */
  readonly wallClock: () => number;
}

/** A checkpoint that waits for its root. */
type Facts = Omit<FreshCheckpoint, 'root'>;

export class Recording {
  readonly writer: RunWriter;
  readonly #captures: Captures;
  readonly #channels: ChannelSet;
  readonly #wallClock: () => number;
  /** The checkpoint that is under way. */
  #flight: Promise<void> | undefined;
  /** What ended the last one. */
  #failure: { readonly error: unknown } | undefined;
  #held: FreshFrame[] = [];
  #heldBytes = 0;

  constructor({ writer, snapshots, channels, wallClock }: RecordingParts) {
    this.writer = writer;
    this.#captures = snapshots instanceof SnapshotWriter ? new CapturesInPlace(snapshots) : snapshots;
    this.#channels = channels;
    this.#wallClock = wallClock;
  }

  readonly append = (frame: FreshFrame): void => {
    if (this.#flight === undefined) return void this.writer.append(frame);
    this.#held.push(frame);
    this.#heldBytes += frame.kind === 'input' || frame.kind === 'entropy' ? frame.bytes.length : 0;
  };

  get hasPending(): boolean {
    return this.writer.pending.frames > 0 || this.#held.length > 0;
  }

  get isFull(): boolean {
    return this.writer.pending.bytes + this.#heldBytes >= PENDING_BYTES_MAX;
  }

  /** Whether a checkpoint is under way: every other commit would wait for it. */
  get isBusy(): boolean {
    return this.#flight !== undefined;
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
    const frames = this.isCatchingUp(at) ? [] : this.#outputFrames(at, written);
    await this.settle();
    await this.writer.commit({ instructions: this.#count(at), frames, outputs });
  }

  /** Begins a checkpoint and resolves when the guest may run on. All output must be settled. */
  async begin(at: InstructionCount, state: MachineState, outputs: OutputPositions): Promise<void> {
    await this.settle();
    const pending = await this.#captures.begin(state);
    this.#flight = this.#finish(pending, { facts: this.#facts(), request: { instructions: at, outputs: new Map(outputs) } });
    if (!this.#captures.isBeside) await this.settle();
  }

  /** Resolves when no checkpoint is under way. Throws what the last one failed with. */
  async settle(): Promise<void> {
    await this.#flight;
    this.mustBeWell();
  }

  /** The same for somebody who has an error already. */
  async quiesce(): Promise<void> {
    await this.#flight;
  }

  /** Throws what a checkpoint failed with. */
  mustBeWell(): void {
    if (this.#failure !== undefined) throw this.#failure.error;
  }

  async #finish(pending: PendingCapture, parts: { readonly facts: Facts; readonly request: RunCommit }): Promise<void> {
    try {
      await this.#commitCapture(pending, parts.facts, () => parts.request);
    } catch (error) {
      this.#failure = { error };
    }
    this.#flight = undefined;
    this.#heldBytes = 0;
    if (this.#failure === undefined) for (const frame of this.#held) this.writer.append(frame);
    this.#held = [];
  }

  /** Commits a capture; takes it again when a collector was faster with a record that it relied on. */
  async #commitCapture(pending: PendingCapture, facts: Facts, request: (root: Root) => RunCommit): Promise<Root> {
    let sealed = await pending.sealed();
    for (let attempt = 1; ; attempt++) {
      try {
        await this.writer.commit({ ...request(sealed.root), snapshot: sealed.snapshot, checkpoint: { ...facts, root: sealed.root } });
        sealed.confirm();
        return sealed.root;
      } catch (error) {
        if (error instanceof StaleSnapshot && attempt < CAPTURES_MAX) sealed = await sealed.again();
        else {
          sealed.abandon();
          throw error;
        }
      }
    }
  }

  /** The last commit of a session whose guest ended: exit frame, final checkpoint, ownership given up. */
  async end(at: InstructionCount, { outcome, state, outputs }: { readonly outcome: Outcome; readonly state: MachineState; readonly outputs: OutputPositions }): Promise<Root> {
    await this.settle();
    const facts = this.#facts();
    const pending = await this.#captures.beginLast(state);
    return this.#commitCapture(pending, facts, (root) => ({ instructions: at, frames: [{ kind: 'exit', at, outcome, root }], outputs, isLast: true }));
  }

  /** The last commit of a session that was stopped from outside: resumable. */
  async stop(at: InstructionCount, { reason, outputs }: { readonly reason: string; readonly outputs: OutputPositions }): Promise<void> {
    await this.settle();
    const frames: readonly FreshFrame[] = this.isCatchingUp(at) ? [] : [{ kind: 'stop', at, reason }];
    await this.writer.commit({ instructions: this.#count(at), frames, outputs, isLast: true });
  }

  #facts(): Facts {
    const channels = new Map([...this.#channels].map((channel) => [channel.spec.name, { inputPosition: channel.bytesRead, outputPosition: channel.bytesWritten }]));
    return { channels, digests: this.#channels.saveDigests(), createdMs: this.#wallClock() };
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
