/**
 * Executes a recorded stretch of a run again and compares it with the journal, anchor by anchor.
 *
 *   anchors (frames): output → position and digest of the channel; checkpoint → root; exit → outcome, instruction count, root
 *
 * Invariants: the guest stops exactly at each anchor's instruction count; nothing is written anywhere; the first difference ends the replay
 * with E_DIVERGED_* naming frame and instruction. What this does NOT do: read the store (replay.ts hands everything in).
 */
import { instructionCount, StillpointError, type InstructionCount } from '../core/index.ts';
import type { ChannelSet, OutputOperation } from '../channel/index.ts';
import type { CheckpointFrame, ExitFrame, IndexedFrame, Outcome, OutputFrame } from '../journal/index.ts';
import type { Guest } from '../posix/index.ts';
import type { SnapshotWriter } from '../snapshot/index.ts';
import type { Progress } from './driver.ts';
import type { InputFeed } from './input-feed.ts';

const SLICE = 50_000_000;

export type OnOutput = (operations: readonly OutputOperation[]) => void;

export interface VerifierParts {
  readonly guest: Guest;
  readonly channels: ChannelSet;
  readonly feed: InputFeed;
  readonly snapshots: SnapshotWriter;
  readonly onProgress?: ((progress: Progress) => void) | undefined;
  /** Sees what the guest writes, which goes nowhere. */
  readonly onOutput?: OnOutput | undefined;
}

/** What was compared and found equal. */
export interface Verified { frames: number; outputs: number; checkpoints: number; exits: number; root: string | undefined }

export class Verifier {
  readonly #parts: VerifierParts;
  readonly #startedAt: bigint;
  #outcome: Outcome | undefined;
  readonly verified: Verified = { frames: 0, outputs: 0, checkpoints: 0, exits: 0, root: undefined };

  constructor(parts: VerifierParts) {
    this.#parts = parts;
    this.#startedAt = parts.guest.retired;
  }

  /** Runs through the frames; throws StillpointError E_DIVERGED_* at the first difference. `untilCheckpoint`: stops after that one. */
  async verify(frames: Iterable<IndexedFrame>, untilCheckpoint?: number): Promise<Verified> {
    for (const { index, frame } of frames) {
      this.verified.frames++;
      if (frame.kind === 'output') await this.#checkOutput(index, frame);
      if (frame.kind === 'reseed') {
        await this.#runTo(frame.at, index);
        this.#parts.guest.reseed(frame.seed);
      }
      if (frame.kind === 'exit') await this.#checkExit(index, frame);
      if (frame.kind === 'checkpoint') {
        await this.#checkCheckpoint(index, frame);
        if (frame.number === untilCheckpoint) break;
      }
    }
    return this.verified;
  }

  /** Runs to exactly `at`, with the seeds of branches on the way, and gives the root of the state there. Compares nothing. */
  async rootAt(frames: Iterable<IndexedFrame>, at: InstructionCount): Promise<string> {
    let last = 0;
    for (const { index, frame } of frames) {
      if (frame.at > at) break;
      last = index;
      if (frame.kind !== 'reseed') continue;
      await this.#runTo(frame.at, index);
      this.#parts.guest.reseed(frame.seed);
    }
    await this.#runTo(at, last);
    const capture = this.#parts.snapshots.capture(this.#parts.guest.state());
    capture.abandon();
    return capture.root;
  }

  get retired(): InstructionCount {
    return instructionCount(this.#parts.guest.retired);
  }

  /** Runs to exactly `at`; the guest may end on the way only when that is the count it ends at. */
  async #runTo(at: bigint, index: number): Promise<void> {
    const { guest } = this.#parts;
    while (guest.retired < at) {
      if (this.#outcome !== undefined) throw this.#early(at, index);
      const left = at - guest.retired;
      await this.#step(left < BigInt(SLICE) ? Number(left) : SLICE);
      this.#takeOutput();
      this.#report();
      await new Promise<void>((resolve) => { setImmediate(resolve); });
    }
  }

  #takeOutput(): void {
    const operations = this.#parts.channels.takeOutput();
    if (operations.length > 0) this.#parts.onOutput?.(operations);
  }

  async #step(budget: number): Promise<void> {
    const { guest, feed } = this.#parts;
    const stop = guest.run(budget);
    if (stop.kind === 'ended') this.#outcome = stop.outcome;
    if (stop.kind === 'capped') this.#outcome = { kind: 'capped', cap: stop.cap };
    if (stop.kind !== 'blocked') return;
    if (stop.channels.length > 0) await feed.supply(stop.channels, this.retired);
    if (stop.needsClock) guest.supplyClock(feed.clock(this.retired));
    if (stop.needsEntropy > 0) guest.supplyEntropy(feed.entropy(stop.needsEntropy, this.retired));
  }

  async #checkOutput(index: number, frame: OutputFrame): Promise<void> {
    await this.#runTo(frame.at, index);
    const channel = this.#parts.channels.get(frame.channel);
    const position = channel?.bytesWritten ?? 0;
    const digest = channel?.accounts().output?.sha256;
    this.verified.outputs++;
    if (position === frame.position && digest === frame.digest) return;
    const what = position === frame.position ? `other bytes in the first ${position} of` : `${position} bytes instead of ${frame.position} to`;
    throw new StillpointError('E_DIVERGED_OUTPUT', `frame ${index}: by instruction ${frame.at} the replay wrote ${what} channel ${frame.channel}`, {
      data: { frame: index, at: frame.at, channel: frame.channel, expected: `${frame.position} ${frame.digest}`, got: `${position} ${digest ?? 'none'}` },
    });
  }

  async #checkCheckpoint(index: number, frame: CheckpointFrame): Promise<void> {
    await this.#runTo(frame.at, index);
    this.verified.checkpoints++;
    this.#compareRoot(index, frame);
  }

  async #checkExit(index: number, frame: ExitFrame): Promise<void> {
    await this.#runTo(frame.at, index);
    // The last call of a guest may retire nothing (a fatal signal): then its end is one step beyond the count.
    for (let tries = 0; frame.outcome.kind !== 'capped' && this.#outcome === undefined && this.retired === frame.at && tries < 1000; tries++) await this.#step(1);
    if (frame.outcome.kind === 'capped' && frame.outcome.cap === 'instructions') this.#outcome = this.#outcome ?? frame.outcome;
    const got = JSON.stringify(this.#outcome ?? null);
    const expected = JSON.stringify(frame.outcome);
    if (!isSameOutcome(this.#outcome, frame.outcome) || this.retired !== frame.at) {
      throw new StillpointError('E_DIVERGED_EXIT', `frame ${index}: the run ended with ${expected} at instruction ${frame.at}, the replay is at ${this.retired} with ${got}`, { data: { frame: index, at: frame.at, expected, got } });
    }
    this.verified.exits++;
    this.#takeOutput();
    this.#compareRoot(index, frame);
    if (frame.outcome.kind === 'capped') this.#outcome = undefined;
  }

  #compareRoot(index: number, frame: CheckpointFrame | ExitFrame): void {
    const capture = this.#parts.snapshots.capture(this.#parts.guest.state());
    capture.confirm();
    this.verified.root = capture.root;
    if (capture.root === frame.root) return;
    throw new StillpointError('E_DIVERGED_ROOT', `frame ${index}: at instruction ${frame.at} the replay has root ${capture.root.slice(0, 16)} instead of ${frame.root.slice(0, 16)}`, {
      data: { frame: index, at: frame.at, expected: frame.root, got: capture.root },
    });
  }

  #early(at: bigint, index: number): StillpointError {
    return new StillpointError('E_DIVERGED_EXIT', `frame ${index}: the replay ended with ${JSON.stringify(this.#outcome)} at instruction ${this.retired}, the run went on to ${at}`, { data: { frame: index, expected: at, got: this.retired } });
  }

  #report(): void {
    this.#parts.onProgress?.({
      instructions: this.retired, startedAt: this.#startedAt, checkpoints: this.verified.checkpoints, inputBytes: this.#parts.feed.fetchedBytes,
      outputBytes: [...this.#parts.channels].reduce((sum, channel) => sum + channel.bytesWritten, 0),
    });
  }
}

function isSameOutcome(a: Outcome | undefined, b: Outcome): boolean {
  if (a === undefined || a.kind !== b.kind) return false;
  if (a.kind === 'exited' && b.kind === 'exited') return a.status === b.status;
  if (a.kind === 'killed' && b.kind === 'killed') return a.signal === b.signal;
  return a.kind === 'capped' && b.kind === 'capped' && a.cap === b.cap;
}
