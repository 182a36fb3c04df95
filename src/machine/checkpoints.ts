/**
 * The checkpoints of a machine of a run: when one is due, and the capture of one.
 * Invariants: one capture waits for its commit at a time; a state that came from a fork, or one that must not wait for another capture, is looked at
 * whole by a writer that knows nothing: the store keeps what it has all the same.
 * What this does NOT do: commit (commit-log.ts).
 */
import type { ChannelSet } from '../channel/index.ts';
import type { Digests } from '../core/index.ts';
import type { FreshFrame } from '../journal/index.ts';
import type { Guest } from '../posix/index.ts';
import { wallClockMs } from '../session/index.ts';
import { SnapshotWriter, type Capture } from '../snapshot/index.ts';
import type { Store } from '../store/index.ts';
import type { CheckpointItem, Ending } from './commit-log.ts';

/** A checkpoint is due after so many frames, input bytes, instructions: what a recovery has to replay. */
const EVERY = { frames: 20_000, bytes: 64 * 1024 * 1024, instructions: 2_000_000_000n } as const;

/** What is captured. */
export interface Captured { readonly guest: Guest; readonly channels: ChannelSet }

export class Checkpoints {
  readonly #store: Pick<Store, 'get' | 'range'>;
  readonly #digests: Digests;
  #writer: SnapshotWriter;
  /** `#writer` does not know the state: all of it must be looked at. */
  #isForeign = false;
  #isPending = false;
  #isDue = false;
  #since: { frames: number; bytes: number; at: bigint };

  /** `writer` stands at the state of the guest, which is at instruction `at`; the journal has `frames` after it. */
  constructor(store: Pick<Store, 'get' | 'range'>, parts: { readonly digests: Digests; readonly writer: SnapshotWriter; readonly at: bigint; readonly frames: number }) {
    this.#store = store;
    this.#digests = parts.digests;
    this.#writer = parts.writer;
    this.#since = { frames: parts.frames, bytes: 0, at: parts.at };
  }

  /** Frames of one commit, up to instruction `at`. */
  count(frames: readonly FreshFrame[], at: bigint): void {
    this.#since.frames += frames.length;
    for (const frame of frames) if (frame.kind === 'input') this.#since.bytes += frame.bytes.length;
    if (this.#since.frames >= EVERY.frames || this.#since.bytes >= EVERY.bytes || at - this.#since.at >= EVERY.instructions) this.#isDue = true;
  }

  /** One must be taken: the last could not be committed. */
  want(): void {
    this.#isDue = true;
  }

  /** The state came from a fork. */
  replace(): void {
    this.#writer = new SnapshotWriter(this.#store, this.#digests);
    this.#isForeign = true;
  }

  /** A checkpoint when one is due. */
  due(state: Captured): CheckpointItem | undefined {
    return this.#isDue && !this.#isPending ? this.take(state) : undefined;
  }

  /** A checkpoint of the state now. */
  take(state: Captured, ends?: Omit<Ending, 'again'>): CheckpointItem {
    if (this.#isPending) this.replace();
    const { channels, guest } = state;
    const capture = this.#capture(guest);
    this.#isDue = false;
    this.#isPending = true;
    this.#since = { frames: 0, bytes: 0, at: guest.retired };
    const free = (): void => { this.#isPending = false; };
    return {
      capture: { ...capture, confirm: () => { capture.confirm(); free(); }, abandon: () => { capture.abandon(); free(); } },
      facts: {
        channels: new Map([...channels].map((channel) => [channel.spec.name, { inputPosition: channel.bytesRead, outputPosition: channel.bytesWritten }])),
        digests: channels.saveDigests(), createdMs: wallClockMs(),
      },
      ends: ends === undefined ? undefined : { ...ends, again: () => this.#capture(guest) },
    };
  }

  #capture(guest: Guest): Capture {
    if (!this.#isForeign) return this.#writer.capture(guest.state());
    const capture = this.#writer.capture(guest.wholeState());
    for (const object of guest.state().objects) object.markClean();
    this.#isForeign = false;
    return capture;
  }
}
