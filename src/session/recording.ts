/**
 * What a recorded session keeps: the run's writer (journal, positions, ownership) and the captures of its machine, joined in one commit each time.
 *
 *   begin(state) ─► copied: the guest runs on ─► sealed ─► one commit ─► held frames are appended
 *   beginTail()  ─► inputs hashed ─► frames appended ─► one commit                                      beside the guest, where the store has a thread
 *
 * Invariants: while a resumed guest catches up with its journal (its count is below the tail's) nothing is appended, because it is there already; a capture
 * is confirmed only after its commit; frames that come while something is being committed are held back, because what is committed has an earlier count; one commit
 * at a time. One that fails ends the session at its next step.
 * What this does NOT do: release output (outlet.ts), drive the guest (driver.ts).
 */
import { assert, blobHash, instructionCount, type InstructionCount } from '../core/index.ts';
import type { ChannelSet } from '../channel/index.ts';
import type { FreshFrame, Outcome } from '../journal/index.ts';
import { SnapshotWriter, type MachineState, type Root } from '../snapshot/index.ts';
import { StaleSnapshot, type FreshCheckpoint, type OutputPositions, type RunCommit, type RunWriter } from '../txn/index.ts';
import { CapturesInPlace, type Captures, type PendingCapture } from './captures.ts';
import type { HistoryKeeper } from './keep-history.ts';
import { sealedFrame, type HeldFrame, type InputsAhead } from './commits-beside.ts';

/** Frames held in host memory before they are committed even when no output waits for them. */
const PENDING_BYTES_MAX = 4 * 1024 * 1024;
/** As many more are held while a commit is under way; then the guest waits for it. */
const HELD_BYTES_MAX = 2 * PENDING_BYTES_MAX;
/** Captures of one checkpoint; each lost one means that a collector deleted something in between. */
const CAPTURES_MAX = 20;

export interface RecordingParts {
  readonly writer: RunWriter;
  readonly snapshots: SnapshotWriter | Captures;
  /** Takes inputs ahead of their commit: then commits happen beside the guest. */
  readonly inputsAhead?: InputsAhead | undefined;
  readonly channels: ChannelSet;
  /** Wall time for humans, milliseconds since 1970. */
  readonly wallClock: () => number;
  /** Drops older checkpoints after each new one. */
  readonly keeper?: Pick<HistoryKeeper, 'checkpointed'> | undefined;
}

/** A checkpoint that waits for its root. */
type Facts = Omit<FreshCheckpoint, 'root'>;

export class Recording {
  readonly writer: RunWriter;
  readonly #captures: Captures;
  readonly #channels: ChannelSet;
  readonly #wallClock: () => number;
  readonly #inputsAhead: InputsAhead | undefined;
  readonly #keeper: RecordingParts['keeper'];
  /** The commit that is under way. */
  #flight: Promise<void> | undefined;
  /** What ended the last one. */
  #failure: { readonly error: unknown } | undefined;
  #held: HeldFrame[] = [];
  #heldBytes = 0;

  constructor({ writer, snapshots, inputsAhead, channels, wallClock, keeper }: RecordingParts) {
    this.#keeper = keeper;
    this.writer = writer;
    this.#inputsAhead = inputsAhead;
    this.#captures = snapshots instanceof SnapshotWriter ? new CapturesInPlace(snapshots) : snapshots;
    this.#channels = channels;
    this.#wallClock = wallClock;
  }

  readonly append = (frame: FreshFrame): void => {
    if (this.#flight === undefined && this.#inputsAhead === undefined) return void this.writer.append(frame);
    this.#held.push(this.#inputsAhead?.take(frame) ?? frame);
    this.#heldBytes += 'bytes' in frame ? frame.bytes.length : 0;
  };

  get hasPending(): boolean {
    return this.writer.pending.frames > 0 || this.#held.length > 0;
  }

  get isFull(): boolean {
    return this.writer.pending.bytes + this.#heldBytes >= PENDING_BYTES_MAX;
  }

  /** Whether the guest has to wait for the commit that is under way. */
  get isBrimming(): boolean {
    return this.#heldBytes >= HELD_BYTES_MAX;
  }

  /** Whether a commit is under way: every other one would wait for it. */
  get isBusy(): boolean {
    return this.#flight !== undefined;
  }

  /** Whether the guest may run on while its journal is committed. */
  get isBeside(): boolean {
    return this.#inputsAhead !== undefined;
  }

  /** Whether the guest re-executes what the journal holds already. */
  isCatchingUp(at: InstructionCount): boolean {
    return at < this.writer.tail.at;
  }

  get checkpoints(): number {
    return this.writer.record.lastCheckpoint ?? 0;
  }

  /** As beginTail(), when what is under way is over; resolves when it is durable. */
  async commitTail(at: InstructionCount, parts: { readonly written: readonly string[]; readonly outputs: OutputPositions }): Promise<void> {
    await this.settle();
    await this.beginTail(at, parts);
  }

  /** Makes the journal so far durable, with digests of the channels written since the last time for the auditor. Frames of later counts may come meanwhile. Nothing is under way. */
  async beginTail(at: InstructionCount, { written, outputs }: { readonly written: readonly string[]; readonly outputs: OutputPositions }): Promise<void> {
    assert(this.#flight === undefined, 'one commit at a time');
    const frames = this.isCatchingUp(at) ? [] : this.#outputFrames(at, written);
    const request = { instructions: this.#count(at), frames, outputs: new Map(outputs) };
    const commit = async (): Promise<void> => { await this.writer.commit({ ...request, inputs: await this.#drain() }); };
    await (this.#flight = this.#land(commit()));
    this.mustBeWell();
  }

  /** Begins a checkpoint and resolves when the guest may run on. All output must be settled. */
  async begin(at: InstructionCount, state: MachineState, outputs: OutputPositions): Promise<void> {
    await this.settle();
    const inputs = await this.#drain();
    const pending = await this.#captures.begin(state);
    this.#flight = this.#land(this.#commitCapture(pending, this.#facts(), () => ({ instructions: at, outputs: new Map(outputs), inputs })));
    if (!this.#captures.isBeside) await this.settle();
  }

  /** Resolves when nothing is under way. Throws what the last commit failed with. */
  async settle(): Promise<void> {
    await this.#flight;
    this.mustBeWell();
  }

  /** The same for somebody who has an error already. */
  async quiesce(): Promise<void> {
    await this.#flight;
  }

  /** Throws what a commit failed with. */
  mustBeWell(): void {
    if (this.#failure !== undefined) throw this.#failure.error;
  }

  /** What comes after a commit that is under way. Never rejects. */
  async #land(commit: Promise<unknown>): Promise<void> {
    try {
      await commit;
    } catch (error) {
      this.#failure = { error };
    }
    this.#flight = undefined;
    if (this.#inputsAhead !== undefined) return; // What was held waits for the next commit.
    const held = this.#held;
    this.#held = [];
    this.#heldBytes = 0;
    if (this.#failure === undefined) for (const frame of held) this.writer.append(sealedFrame(frame));
  }

  /** Appends what was held; what a commit of it needs of the store. The frames that come meanwhile are held for the next one. */
  async #drain(): Promise<{ readonly id: number } | undefined> {
    const held = this.#held;
    this.#held = [];
    this.#heldBytes = 0;
    const inputs = await this.#inputsAhead?.seal();
    for (const frame of held) this.writer.append(sealedFrame(frame));
    return inputs;
  }

  /** Commits a capture; takes it again when a collector was faster with a record that it relied on. */
  async #commitCapture(pending: PendingCapture, facts: Facts, request: (root: Root) => RunCommit): Promise<Root> {
    let sealed = await pending.sealed();
    for (let attempt = 1; ; attempt++) {
      try {
        await this.writer.commit({ ...request(sealed.root), snapshot: sealed.snapshot, checkpoint: { ...facts, root: sealed.root } });
        sealed.confirm();
        break;
      } catch (error) {
        if (error instanceof StaleSnapshot && attempt < CAPTURES_MAX) sealed = await sealed.again();
        else {
          sealed.abandon();
          throw error;
        }
      }
    }
    await this.#keeper?.checkpointed(this.writer.record);
    return sealed.root;
  }

  /** The last commit of a session whose guest ended: exit frame, final checkpoint, ownership given up. */
  async end(at: InstructionCount, { outcome, state, outputs }: { readonly outcome: Outcome; readonly state: MachineState; readonly outputs: OutputPositions }): Promise<Root> {
    await this.settle();
    const inputs = await this.#drain();
    const facts = this.#facts();
    const pending = await this.#captures.beginLast(state);
    return this.#commitCapture(pending, facts, (root) => ({ instructions: at, frames: [{ kind: 'exit', at, outcome, root }], outputs, inputs, isLast: true }));
  }

  /** The last commit of a session that was stopped from outside: resumable. */
  async stop(at: InstructionCount, { reason, outputs }: { readonly reason: string; readonly outputs: OutputPositions }): Promise<void> {
    await this.settle();
    const inputs = await this.#drain();
    const frames: readonly FreshFrame[] = this.isCatchingUp(at) ? [] : [{ kind: 'stop', at, reason }];
    await this.writer.commit({ instructions: this.#count(at), frames, outputs, inputs, isLast: true });
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
