/**
 * Where a guest's input comes from: the recorded past first, then the live host.
 *
 *   blocked guest ─► InputFeed ─► journal (past)          replay: past only, anything beyond it is a divergence
 *                             └─► host port ─► journal    record: every byte is journaled before the guest sees it
 *
 * Invariants: a byte reaches the guest only if it is in the journal or appended to it now; the same wanted position always gives the same
 * bytes. What this does NOT do: commit (the recorder does), or decide when the guest runs.
 */
import { assert, limits, StillpointError, type InstructionCount } from '../core/index.ts';
import type { Channel, HostPort, Wanted } from '../channel/index.ts';
import type { ClockFrame, EntropyFrame, FreshFrame, InputEntry, InputIndex } from '../journal/index.ts';

/** Real time and randomness of the host, handed in by the composition root. */
export interface HostFacts {
  /** Nanoseconds since 1970. */
  now(): bigint;
  randomBytes(length: number): Uint8Array;
}

/** What a journal holds beyond the point where the guest starts. */
export interface Past {
  readonly inputs: InputIndex;
  /** Clock and entropy frames from the starting point on, in order. */
  readonly facts: Iterator<ClockFrame | EntropyFrame>;
  /** Whether every frame is demanded at its recorded instruction (a replay from the start or a checkpoint), not merely in order. */
  readonly isStrict: boolean;
}

export interface Live {
  readonly ports: ReadonlyMap<string, HostPort>;
  readonly host: HostFacts;
  /** Adds a frame to the journal; absent in an ephemeral run. */
  readonly append: ((frame: FreshFrame) => void) | undefined;
}

export class InputFeed {
  readonly #past: Past | undefined;
  readonly #live: Live | undefined;
  /** Chunks of random channels journaled by this session: fetched again from the host, never journaled twice. */
  readonly #journaled = new Map<string, Set<number>>();
  /** Bytes fetched from the host in this session, for progress. */
  fetchedBytes = 0;

  constructor({ past, live }: { readonly past?: Past | undefined; readonly live?: Live | undefined }) {
    assert(past !== undefined || live !== undefined, 'input comes from somewhere');
    this.#past = past;
    this.#live = live;
  }

  /** Whether the host may have to be waited for: then output that the world waits for is released first. */
  needsHost(channel: Channel, wanted: Wanted): boolean {
    return channel.spec.access === 'sequential' ? !this.#hasPast(channel, wanted) : false;
  }

  /** Supplies what a blocked channel misses, at least in part. */
  async supply(channel: Channel, wanted: Wanted, at: InstructionCount): Promise<void> {
    if (channel.spec.access === 'sequential') return this.#supplyStream(channel, wanted, at);
    return this.#supplyChunk(channel, wanted, at);
  }

  /** Nanoseconds since 1970 for `--clock recorded`. */
  clock(at: InstructionCount): bigint {
    const past = this.#nextFact('clock', at);
    if (past !== undefined) return past.nanoseconds;
    const nanoseconds = this.#require(at, 'time').host.now();
    this.#live!.append?.({ kind: 'clock', at, nanoseconds });
    return nanoseconds;
  }

  /** Random bytes for `--entropy recorded`. */
  entropy(length: number, at: InstructionCount): Uint8Array {
    const past = this.#nextFact('entropy', at);
    if (past !== undefined) return past.bytes;
    const bytes = this.#require(at, 'entropy').host.randomBytes(length);
    this.#live!.append?.({ kind: 'entropy', at, bytes });
    return bytes;
  }

  #hasPast(channel: Channel, { offset }: Wanted): boolean {
    const stream = this.#past?.inputs.stream(channel.spec.name);
    return stream !== undefined && (offset < stream.length || stream.end !== undefined);
  }

  async #supplyStream(channel: Channel, wanted: Wanted, at: InstructionCount): Promise<void> {
    const { name } = channel.spec;
    const stream = this.#past?.inputs.stream(name);
    if (stream !== undefined && wanted.offset < stream.length) {
      const entry = this.#past!.inputs.pieces(name, wanted.offset).next().value as InputEntry; // There is one: the stream is longer.
      this.#checkMoment(entry, { channel: name, wanted, at });
      return channel.supply(wanted.offset, this.#past!.inputs.bytes(entry).subarray(wanted.offset - entry.offset));
    }
    if (stream?.end !== undefined) return channel.supplyEnd(wanted.offset);
    const bytes = await this.#port(name, at).read({ offset: wanted.offset, length: Math.min(wanted.length, limits.CHUNK_BYTES) });
    if (bytes === undefined) {
      this.#live!.append?.({ kind: 'end', at, channel: name, offset: wanted.offset });
      return channel.supplyEnd(wanted.offset);
    }
    this.fetchedBytes += bytes.length;
    this.#live!.append?.({ kind: 'input', at, channel: name, offset: wanted.offset, bytes });
    channel.supply(wanted.offset, bytes);
  }

  async #supplyChunk(channel: Channel, wanted: Wanted, at: InstructionCount): Promise<void> {
    const { name } = channel.spec;
    const entry = this.#past?.inputs.chunk(name, wanted.offset);
    if (entry !== undefined) return channel.supply(wanted.offset, this.#past!.inputs.bytes(entry));
    const bytes = (await this.#port(name, at).read(wanted)) ?? new Uint8Array(0);
    this.fetchedBytes += bytes.length;
    const seen = this.#journaled.get(name) ?? new Set();
    this.#journaled.set(name, seen);
    if (!seen.has(wanted.offset)) this.#live!.append?.({ kind: 'input', at, channel: name, offset: wanted.offset, bytes });
    seen.add(wanted.offset);
    channel.supply(wanted.offset, bytes);
  }

  /** A replay must ask for each input at the instruction where the run did; what was pending at a checkpoint comes before its time. */
  #checkMoment(entry: InputEntry, { channel, wanted, at }: { readonly channel: string; readonly wanted: Wanted; readonly at: InstructionCount }): void {
    if (!this.#past!.isStrict || entry.at === at || entry.offset !== wanted.offset || entry.at < at) return;
    throw new StillpointError('E_DIVERGED_INPUT', `frame ${entry.index}: the run read channel ${channel} at instruction ${entry.at}, the replay at ${at}`, { data: { frame: entry.index, channel, expected: entry.at, got: at } });
  }

  #nextFact<Kind extends 'clock' | 'entropy'>(kind: Kind, at: InstructionCount): Extract<ClockFrame | EntropyFrame, { kind: Kind }> | undefined {
    const next = this.#past?.facts.next();
    if (next === undefined || next.done === true) return undefined;
    const frame = next.value;
    if (frame.kind !== kind || (this.#past!.isStrict && frame.at !== at)) {
      throw new StillpointError('E_DIVERGED_INPUT', `the run read its ${frame.kind} at instruction ${frame.at}, now ${kind} is asked for at ${at}`, { data: { expected: frame.at, got: at } });
    }
    return frame as Extract<ClockFrame | EntropyFrame, { kind: Kind }>; // The kinds are equal.
  }

  #port(name: string, at: InstructionCount): HostPort {
    const port = this.#require(at, `input on channel ${name}`).ports.get(name);
    assert(port !== undefined, 'every channel that reads has a port');
    return port;
  }

  #require(at: InstructionCount, what: string): Live {
    if (this.#live !== undefined) return this.#live;
    throw new StillpointError('E_DIVERGED_INPUT', `the replay asked for ${what} at instruction ${at}, where the run had no more`, { data: { at } });
  }
}
