/**
 * What a machine with a store does with its commits: journal them, deliver their output, take checkpoints now and then.
 *
 *   commits in memory ─► queue ─► [ frames and intended positions: one store commit ] ─► output to the files ─► resolved
 *                                  └ all that came while the last one was under way        └ checkpoint, when one is due: sync, one store commit
 *
 * Invariants: one store commit of a run at a time, in the order of the commits in memory; nothing reaches a file before the commit it belongs to is on
 * disk; after a failure nothing more is committed: memory is ahead of the disk, and the run must be opened again. What is on disk has happened, also when
 * its output then finds a full disk: it is resolved, and opening the run again completes the files.
 * What this does NOT do: know the guest. Recovery is opening the run: journal replay from the last checkpoint makes the committed state again.
 */
import type { InstructionCount } from '../core/index.ts';
import type { HostPort, OutputOperation } from '../channel/index.ts';
import type { FreshFrame, Outcome } from '../journal/index.ts';
import type { Capture } from '../snapshot/index.ts';
import { StaleSnapshot, type FreshCheckpoint, type OutputPosition, type OutputPositions, type RunCommit, type RunWriter } from '../txn/index.ts';

/** A checkpoint to be written after everything before it. `ends`: it is the last, and how. */
export interface CheckpointItem {
  readonly capture: Capture;
  readonly facts: Omit<FreshCheckpoint, 'root'>;
  readonly ends?: Ending | undefined;
}

/** `again`: the same state once more, when a collector took what the capture relied on; the guest does not run any more. */
export interface Ending { readonly kind: 'exit' | 'stop'; readonly outcome?: Outcome; readonly reason?: string; readonly again: () => Capture }

/** One commit of the machine. */
export interface CommitItem {
  readonly at: InstructionCount;
  readonly frames: readonly FreshFrame[];
  readonly operations: readonly OutputOperation[];
  /** Bytes that each written channel has now. */
  readonly positions: ReadonlyMap<string, number>;
  readonly checkpoint?: CheckpointItem | undefined;
  /** Records that change with it. */
  readonly also?: RunCommit['also'];
}

interface Queued extends CommitItem { readonly resolve: () => void; readonly reject: (error: unknown) => void }

/** Captures of one checkpoint; each lost one means that a collector deleted something in between. */
const CAPTURES_MAX = 20;
/** Commits of the machine that one store commit takes at most. */
const GROUP_MAX = 4096;

export class CommitLog {
  readonly #writer: RunWriter;
  readonly #ports: ReadonlyMap<string, HostPort>;
  readonly #forgetful: ReadonlySet<string>;
  readonly #positions: Map<string, OutputPosition>;
  readonly #onStale: () => void;
  #queue: Queued[] = [];
  #flushing: Promise<void> | undefined;
  #failure: { readonly error: unknown } | undefined;

  constructor(parts: { readonly writer: RunWriter; readonly ports: ReadonlyMap<string, HostPort>; readonly forgetful: ReadonlySet<string>; readonly positions: OutputPositions; readonly onStale: () => void }) {
    this.#writer = parts.writer;
    this.#ports = parts.ports;
    this.#forgetful = parts.forgetful;
    this.#positions = new Map(parts.positions);
    this.#onStale = parts.onStale;
  }

  get writer(): RunWriter {
    return this.#writer;
  }

  /** What an earlier commit failed with. */
  get failure(): unknown {
    return this.#failure?.error;
  }

  /** Throws what an earlier commit failed with. */
  mustBeWell(): void {
    if (this.#failure !== undefined) throw this.#failure.error;
  }

  /** Resolves when the item is on disk and its output is at the host (or cannot be: then nothing more begins). */
  append(item: CommitItem): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.#failure !== undefined) return reject(this.#failure.error);
      this.#queue.push({ ...item, resolve, reject });
      this.#flushing ??= this.#flush();
    });
  }

  /** Resolves when nothing is under way. */
  async settle(): Promise<void> {
    while (this.#flushing !== undefined) await this.#flushing;
  }

  async #flush(): Promise<void> {
    await undefined; // What is committed in the same turn comes along.
    while (this.#queue.length > 0 && this.#failure === undefined) {
      const group = this.#takeGroup();
      let isDurable = false;
      try {
        const written = await this.#write(group);
        isDurable = true;
        await this.#deliver(group.flatMap((item) => item.operations), written);
        const { checkpoint } = group.at(-1)!;
        if (checkpoint !== undefined) await this.#checkpoint(group.at(-1)!, checkpoint);
      } catch (error) {
        this.#failure = { error };
        const told = !isDurable ? group : group.filter(({ checkpoint }) => checkpoint?.ends !== undefined); // Who ends the run wants to know.
        for (const { reject } of told) reject(error);
      }
      for (const { resolve } of group) resolve(); // After a reject() it does nothing.
    }
    this.#flushing = undefined;
    if (this.#failure === undefined) return;
    for (const { reject } of this.#queue) reject(this.#failure.error);
    this.#queue = [];
  }

  /** Everything up to the first checkpoint. */
  #takeGroup(): readonly Queued[] {
    const checkpoint = this.#queue.findIndex((item) => item.checkpoint !== undefined || (item.also !== undefined && item.frames.length === 0)); // Frames: a commit like others.
    return this.#queue.splice(0, Math.min(GROUP_MAX, checkpoint < 0 ? this.#queue.length : checkpoint + 1));
  }

  /** Resolves to the channels that the group has written to. */
  async #write(group: readonly Queued[]): Promise<ReadonlySet<string>> {
    const last = group.at(-1)!;
    const frames = group.flatMap((item) => item.frames);
    const also = alsoOf(group);
    const written = new Set<string>();
    for (const { positions } of group) {
      for (const [channel, position] of positions) {
        written.add(channel);
        this.#advance(channel, (before) => ({ ...before, intended: Math.max(before.intended, position) }));
      }
    }
    if (frames.length > 0 || written.size > 0 || last.at > this.#writer.record.instructions || also !== undefined) {
      await this.#writer.commit({ instructions: last.at, frames, outputs: this.#positions, ...(also === undefined ? {} : { also }) });
    }
    return written;
  }

  async #deliver(operations: readonly OutputOperation[], written: ReadonlySet<string>): Promise<void> {
    for (const channel of written) {
      const port = this.#ports.get(channel);
      if (port !== undefined) await port.write(operations.filter((operation) => operation.channel === channel));
      this.#advance(channel, (before) => (port === undefined ? { synced: before.intended, delivered: before.intended, intended: before.intended } : { ...before, delivered: before.intended }));
    }
    if ([...written].some((channel) => this.#forgetful.has(channel))) await this.#writer.commit({ instructions: this.#writer.record.instructions, outputs: this.#positions });
  }

  async #checkpoint(item: CommitItem, { capture, facts, ends }: CheckpointItem): Promise<void> {
    for (const [channel, { synced, delivered }] of this.#positions) {
      if (synced < delivered) await this.#ports.get(channel)?.sync();
      this.#advance(channel, (before) => ({ ...before, synced: before.delivered }));
    }
    const { at } = item;
    let taken = capture;
    for (let attempt = 1; ; attempt++) {
      const exit: readonly FreshFrame[] = ends?.outcome === undefined ? [] : [{ kind: 'exit', at, outcome: ends.outcome, root: taken.root }];
      try {
        await this.#writer.commit({ instructions: at, frames: exit, outputs: this.#positions, snapshot: taken.batch, checkpoint: { ...facts, root: taken.root }, ...(ends?.kind === 'exit' ? { isLast: true } : {}) });
        taken.confirm();
        break;
      } catch (error) {
        taken.abandon();
        if (!(error instanceof StaleSnapshot) || attempt >= CAPTURES_MAX) throw error;
        if (ends === undefined) return this.#onStale(); // A collector was faster: another checkpoint, later.
        taken = ends.again();
      }
    }
    if (ends?.kind === 'stop') await this.#writer.commit({ instructions: at, frames: [{ kind: 'stop', at, reason: ends.reason ?? '' }], outputs: this.#positions, isLast: true });
  }

  #advance(channel: string, change: (position: OutputPosition) => OutputPosition): void {
    this.#positions.set(channel, change(this.#positions.get(channel) ?? { synced: 0, delivered: 0, intended: 0 }));
  }
}

/** What changes besides in the commit of a group. */
function alsoOf(group: readonly CommitItem[]): RunCommit['also'] {
  const all = group.flatMap(({ also }) => also ?? []);
  return all.length === 0 ? undefined : { puts: all.flatMap(({ puts }) => puts ?? []), deletes: all.flatMap(({ deletes }) => deletes ?? []) };
}
