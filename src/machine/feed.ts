/**
 * Input of a resident machine: what transactions sent, chunks of its files, time and randomness of the host, and the journal frames that they make.
 *
 *   send() ─► queue of a channel ─► the guest waits for it ─► frame at that instruction count, bytes to the guest
 *                     └── still there at commit ─► frame at the commit's count; given to the guest later, journaled no more
 *
 * Invariants: a byte reaches the guest only with its frame; of several channels that a guest polls, what was journaled first is given first, as a
 * replay will; mark() and its undo take queues and frames back.
 * What this does NOT do: commit (commit-log.ts), run the guest (core.ts).
 */
import { assert, limits, markArray, StillpointError, type InstructionCount, type Undo } from '../core/index.ts';
import type { Channel, HostPort, Wanted } from '../channel/index.ts';
import type { ClockFrame, EntropyFrame, FreshFrame, InputIndex } from '../journal/index.ts';
import type { HostFacts } from '../session/index.ts';

/** Input of a channel; `bytes` undefined: the stream ends. */
export interface Pending { readonly channel: string; readonly bytes: Uint8Array | undefined }
/** `bytes` undefined: the stream ends. `order`: place in the journal, when it is there. */
interface Sent { readonly bytes: Uint8Array | undefined; order: number | undefined }

export interface FeedParts {
  /** Host sides of the channels that are bound to files. */
  readonly ports: ReadonlyMap<string, HostPort>;
  readonly host: HostFacts;
  /** The journal of a run that was opened again. */
  readonly past?: InputIndex | undefined;
}

export class Feed {
  readonly #parts: FeedParts;
  #frames: FreshFrame[] = [];
  readonly #sent = new Map<string, Sent[]>();
  /** Offsets of chunks of random channels that are in the journal by this process. */
  readonly #chunks = new Map<string, Set<number>>();
  /** Chunks that a prepared transaction was given, by channel and offset. */
  readonly #given = new Map<string, Uint8Array>();
  /** Recorded time and randomness that the guest has not asked for again. */
  readonly #facts: (ClockFrame | EntropyFrame)[] = [];
  #ordered = 0;

  constructor(parts: FeedParts) {
    this.#parts = parts;
  }

  /** What the journal holds beyond what a restored guest was given: it is given first. `facts`: time and randomness from there on. */
  resume(channels: Iterable<Channel>, facts: Iterable<ClockFrame | EntropyFrame>): void {
    const { past } = this.#parts;
    if (past === undefined) return;
    this.#facts.push(...facts);
    for (const channel of channels) {
      const { name, reads, access } = channel.spec;
      if (!reads || access !== 'sequential') continue;
      const from = channel.inputPosition;
      for (const entry of past.pieces(name, from)) this.#queue(name).push({ bytes: past.bytes(entry).subarray(Math.max(0, from - entry.offset)), order: entry.index });
      const { end } = past.stream(name);
      if (end !== undefined && !channel.hasInputEnded) this.#queue(name).push({ bytes: undefined, order: end.index });
    }
    for (const sent of this.#sent.values()) for (const { order } of sent) this.#ordered = Math.max(this.#ordered, (order ?? 0) + 1);
  }

  /** Frames of a prepared transaction: they are given again, and are the frames of the next commit. */
  repeat(frames: readonly FreshFrame[], isRandom: (channel: string) => boolean): void {
    for (const frame of frames) {
      if (frame.kind === 'clock' || frame.kind === 'entropy') this.#facts.push(frame);
      if (frame.kind === 'end') this.#queue(frame.channel).push({ bytes: undefined, order: this.#ordered++ });
      if (frame.kind !== 'input') continue;
      if (isRandom(frame.channel)) this.#given.set(`${frame.channel}@${frame.offset}`, frame.bytes);
      else this.#queue(frame.channel).push({ bytes: frame.bytes, order: this.#ordered++ });
    }
    this.#frames.push(...frames);
  }

  /** The feed of a fork: what this machine's guest has not read yet, and the same files. */
  copy(channels: Iterable<Channel>): Feed {
    const other = this.sibling();
    other.preload(this.pending(channels));
    return other;
  }

  /** A feed with the same files and nothing to read. */
  sibling(): Feed {
    const other = new Feed(this.#parts);
    for (const [place, bytes] of this.#given) other.#given.set(place, bytes);
    for (const [channel, offsets] of this.#chunks) other.#chunks.set(channel, new Set(offsets));
    return other;
  }

  /** What the guest has not read yet and a copy of it would not hold: messages that were sent, and the rest of streams. */
  pending(channels: Iterable<Channel>): readonly Pending[] {
    const found: Pending[] = [];
    for (const channel of channels) {
      const { name, live, reads, access } = channel.spec;
      if (!reads || access !== 'sequential') continue;
      if (!live) for (const bytes of channel.pendingInput()) found.push({ channel: name, bytes });
      if (!live && channel.hasInputEnded) found.push({ channel: name, bytes: undefined });
      for (const { bytes } of this.#sent.get(name) ?? []) found.push({ channel: name, bytes });
    }
    return found;
  }

  /** What pending() of another feed said: it is in a journal already. */
  preload(pending: readonly Pending[]): void {
    for (const { channel, bytes } of pending) this.#queue(channel).push({ bytes, order: this.#ordered++ });
  }

  /** Frames since the last commit. */
  get frames(): readonly FreshFrame[] {
    return this.#frames;
  }

  takeFrames(): readonly FreshFrame[] {
    const frames = this.#frames;
    this.#frames = [];
    return frames;
  }

  /** The queue keeps `bytes`. Longer messages than a chunk are cut. */
  send(channel: string, bytes: Uint8Array): void {
    this.#mustGoOn(channel);
    for (let at = 0; at < bytes.length; at += limits.CHUNK_BYTES) this.#queue(channel).push({ bytes: bytes.subarray(at, at + limits.CHUNK_BYTES), order: undefined });
  }

  end(channel: string): void {
    this.#mustGoOn(channel);
    this.#queue(channel).push({ bytes: undefined, order: undefined });
  }

  /** Whether something was sent that the guest has not been given. */
  hasPending(channel: string): boolean {
    return (this.#sent.get(channel)?.length ?? 0) > 0;
  }

  mark(): Undo {
    const { length } = this.#frames;
    const frames = this.#frames;
    const sent = [...this.#sent].map(([channel, queue]) => [channel, queue.slice()] as const);
    const chunks = [...this.#chunks].map(([channel, offsets]) => [channel, new Set(offsets)] as const);
    const facts = markArray(this.#facts);
    return () => {
      facts();
      assert(this.#frames === frames, 'frames are not taken inside a transaction');
      frames.length = length;
      this.#sent.clear();
      for (const [channel, queue] of sent) this.#sent.set(channel, queue.slice());
      this.#chunks.clear();
      for (const [channel, offsets] of chunks) this.#chunks.set(channel, new Set(offsets));
    };
  }

  /** Gives one of the channels what it misses: true, or a promise when the host must be asked; false: nothing was sent. */
  supply(channels: readonly Channel[], at: InstructionCount): boolean | Promise<true> {
    for (const channel of channels) {
      const { wanted } = channel;
      if (wanted !== undefined && channel.spec.access !== 'sequential') return this.#supplyChunk(channel, wanted, at);
    }
    const channel = this.#firstWithInput(channels);
    if (channel === undefined) return false;
    const { name } = channel.spec;
    const { bytes, order } = this.#sent.get(name)!.shift()!;
    const offset = channel.inputPosition;
    if (bytes === undefined) {
      if (order === undefined) this.#frames.push({ kind: 'end', at, channel: name, offset });
      channel.supplyEnd(offset);
    } else {
      if (order === undefined) this.#frames.push({ kind: 'input', at, channel: name, offset, bytes });
      channel.supply(offset, bytes);
    }
    return true;
  }

  clock(at: InstructionCount): bigint {
    const known = this.#facts.shift();
    if (known !== undefined) return asked(known, 'clock').nanoseconds;
    const nanoseconds = this.#parts.host.now();
    this.#frames.push({ kind: 'clock', at, nanoseconds });
    return nanoseconds;
  }

  entropy(length: number, at: InstructionCount): Uint8Array {
    const known = this.#facts.shift();
    if (known !== undefined) return asked(known, 'entropy').bytes;
    const bytes = this.#parts.host.randomBytes(length);
    this.#frames.push({ kind: 'entropy', at, bytes });
    return bytes;
  }

  /** A commit at `at`: what was sent and not given yet is journaled with it. */
  settle(channels: Iterable<Channel>, at: InstructionCount): void {
    if (this.#sent.size === 0) return;
    for (const channel of channels) {
      const { name } = channel.spec;
      let offset = channel.inputPosition;
      for (const sent of this.#sent.get(name) ?? []) {
        if (sent.order === undefined) {
          this.#frames.push(sent.bytes === undefined ? { kind: 'end', at, channel: name, offset } : { kind: 'input', at, channel: name, offset, bytes: sent.bytes });
          sent.order = this.#ordered++;
        }
        offset += sent.bytes?.length ?? 0;
      }
    }
  }

  #firstWithInput(channels: readonly Channel[]): Channel | undefined {
    let first: Channel | undefined;
    let least = Infinity;
    for (const channel of channels) {
      const next = channel.wanted === undefined ? undefined : this.#sent.get(channel.spec.name)?.[0];
      if (next === undefined || (first !== undefined && (next.order ?? Infinity) >= least)) continue;
      first = channel;
      least = next.order ?? Infinity;
    }
    return first;
  }

  /** Of a file: from the journal when it was read before, else from the host, once. */
  async #supplyChunk(channel: Channel, wanted: Wanted, at: InstructionCount): Promise<true> {
    const { name } = channel.spec;
    const { past, ports } = this.#parts;
    const entry = past?.chunk(name, wanted.offset);
    const known = entry === undefined ? this.#given.get(`${name}@${wanted.offset}`) : past!.bytes(entry);
    if (known !== undefined) {
      channel.supply(wanted.offset, known);
      return true;
    }
    const port = ports.get(name);
    if (port === undefined) throw new StillpointError('E_UNSUPPORTED', `channel ${name} is a file of the host, which a speculation in a thread of its own cannot read: use a plain transaction`, { data: { channel: name } });
    const bytes = await port.read(wanted) ?? new Uint8Array(0);
    const seen = this.#chunks.get(name) ?? new Set<number>();
    this.#chunks.set(name, seen);
    if (!seen.has(wanted.offset)) this.#frames.push({ kind: 'input', at, channel: name, offset: wanted.offset, bytes });
    seen.add(wanted.offset);
    channel.supply(wanted.offset, bytes);
    return true;
  }

  #queue(channel: string): Sent[] {
    let queue = this.#sent.get(channel);
    if (queue === undefined) this.#sent.set(channel, queue = []);
    return queue;
  }

  #mustGoOn(channel: string): void {
    if (this.#sent.get(channel)?.at(-1)?.bytes !== undefined || !this.hasPending(channel)) return;
    throw new StillpointError('E_USAGE', `channel ${channel} has ended: nothing can be sent after it`, { data: { channel } });
  }
}

/** A recorded fact of the kind that the guest asks for now. */
function asked<Kind extends 'clock' | 'entropy'>(fact: ClockFrame | EntropyFrame, kind: Kind): Extract<ClockFrame | EntropyFrame, { kind: Kind }> {
  if (fact.kind === kind) return fact as Extract<ClockFrame | EntropyFrame, { kind: Kind }>; // The kinds are equal.
  throw new StillpointError('E_DIVERGED_INPUT', `the run read its ${fact.kind} at instruction ${fact.at}, now ${kind} is asked for`, { data: { at: fact.at } });
}
