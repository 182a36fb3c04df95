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

interface Recorded { readonly channel: Channel; readonly wanted: Wanted; readonly index: number; readonly entry: InputEntry | undefined }
/** What ends a wait for the host early. */
interface Waiting { readonly stopRequested?: (() => string | undefined) | undefined; readonly until?: Promise<void> | undefined }
interface Answer { readonly channel: Channel; readonly bytes: Uint8Array | undefined }

/** How soon a wish to stop is noticed while the host is waited for, and how long a peer waits for a node that waits. */
const STOP_POLL_MS = 50;

export class InputFeed {
  readonly #past: Past | undefined;
  readonly #live: Live | undefined;
  /** Chunks of random channels journaled by this session: fetched again from the host, never journaled twice. */
  readonly #journaled = new Map<string, Set<number>>();
  /** Reads of sequential ports that are under way. */
  readonly #reading = new Map<string, Promise<Answer>>();
  /** Sequential channels with input since the last mark(), and its end. */
  readonly #fresh = new Map<string, number>();
  /** Ports of peers that are read. */
  readonly #peers: readonly HostPort[];
  #hasIdled = false;
  /** Bytes fetched from the host in this session, for progress. */
  fetchedBytes = 0;

  constructor({ past, live }: { readonly past?: Past | undefined; readonly live?: Live | undefined }) {
    assert(past !== undefined || live !== undefined, 'input comes from somewhere');
    this.#past = past;
    this.#live = live;
    this.#peers = [...live?.ports.values() ?? []].filter((port) => port.acknowledge !== undefined);
  }

  /** Whether a peer waits for its bytes to be made durable. */
  get wantsCommit(): boolean {
    return this.#peers.some((port) => port.wantsCommit === true);
  }

  /** Whether a wait was given up because peers hold what this guest has read: made durable now, it can be forgotten by them. */
  get hasIdled(): boolean {
    return this.#hasIdled;
  }

  /** What was journaled so far: called when that is durable, the answer tells the peers that they need not keep it any longer. */
  mark(): () => void {
    this.#hasIdled = false;
    const fresh = [...this.#fresh];
    this.#fresh.clear();
    return () => { for (const [channel, position] of fresh) this.#live!.ports.get(channel)?.acknowledge?.(position); }; // What is fresh came from live ports.
  }

  /** Whether the host may have to be waited for: then output that the world waits for is released first. */
  needsHost(channels: readonly Channel[]): boolean {
    return channels.every((channel) => channel.spec.access === 'sequential' && !this.#hasPast(channel));
  }

  /**
   * Supplies what one of the blocked channels misses, at least in part. Several wait only when a guest polls: the first to answer is fed, and
   * the journal keeps the order. Returns without effect when `stopRequested` answers while the host is waited for, when hasIdled, and when `until` resolves.
   */
  async supply(channels: readonly Channel[], at: InstructionCount, waiting: Waiting = {}): Promise<void> {
    for (const channel of channels) {
      const { wanted } = channel;
      if (wanted !== undefined && channel.spec.access !== 'sequential') return this.#supplyChunk(channel, wanted, at);
    }
    const recorded = this.#earliestPast(channels);
    if (recorded !== undefined) return this.#supplyPast(recorded, at);
    const answer = await this.#firstAnswer(channels.filter(({ wanted }) => wanted !== undefined), at, waiting);
    if (answer !== undefined) this.#supplyLive(answer.channel, answer.bytes, at);
  }

  /** As supply(), when a peer's bytes are here already; false when somebody must be waited for or asked. */
  supplyNow(channels: readonly Channel[], at: InstructionCount): boolean {
    // What is recorded for one of them comes before what another one has now.
    if (this.#peers.length === 0 || channels.some((channel) => channel.spec.access !== 'sequential' || this.#hasPast(channel))) return false;
    for (const channel of channels) {
      const { wanted, spec: { name } } = channel;
      if (wanted === undefined || this.#reading.has(name)) continue;
      const bytes = this.#live!.ports.get(name)?.readNow?.({ offset: wanted.offset, length: Math.min(wanted.length, limits.CHUNK_BYTES) }); // Who has peers has live ports.
      if (bytes === undefined) continue;
      this.#supplyLive(channel, bytes, at);
      return true;
    }
    return false;
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

  #hasPast(channel: Channel): boolean {
    const stream = this.#past?.inputs.stream(channel.spec.name);
    return stream !== undefined && ((channel.wanted?.offset ?? 0) < stream.length || stream.end !== undefined);
  }

  /** Of several channels, the one whose next recorded piece comes first in the journal. */
  #earliestPast(channels: readonly Channel[]): Recorded | undefined {
    let earliest: Recorded | undefined;
    for (const channel of channels) {
      const { wanted } = channel;
      const stream = this.#past?.inputs.stream(channel.spec.name);
      if (wanted === undefined || stream === undefined) continue;
      const entry = wanted.offset < stream.length ? this.#past!.inputs.pieces(channel.spec.name, wanted.offset).next().value ?? undefined : undefined;
      const index = entry?.index ?? stream.end?.index;
      if (index !== undefined && (earliest === undefined || index < earliest.index)) earliest = { channel, wanted, index, entry };
    }
    return earliest;
  }

  #supplyPast({ channel, wanted, entry }: Recorded, at: InstructionCount): void {
    if (entry === undefined) return channel.supplyEnd(wanted.offset);
    this.#checkMoment(entry, { channel: channel.spec.name, wanted, at });
    channel.supply(wanted.offset, this.#past!.inputs.bytes(entry).subarray(wanted.offset - entry.offset));
  }

  #supplyLive(channel: Channel, bytes: Uint8Array | undefined, at: InstructionCount): void {
    const { name } = channel.spec;
    const { offset } = channel.wanted!;
    if (bytes === undefined) {
      this.#live!.append?.({ kind: 'end', at, channel: name, offset });
      return channel.supplyEnd(offset);
    }
    this.fetchedBytes += bytes.length;
    this.#live!.append?.({ kind: 'input', at, channel: name, offset, bytes, isFinal: this.#live!.ports.get(name)?.givesAway === true });
    this.#fresh.set(name, offset + bytes.length);
    channel.supply(offset, bytes, this.#live!.ports.get(name)?.hashes);
  }

  /** Waits for the first port that answers. Reads that lose the race stay under way and answer a later wait. */
  async #firstAnswer(channels: readonly Channel[], at: InstructionCount, { stopRequested, until }: Waiting): Promise<Answer | undefined> {
    for (const channel of channels) {
      const { name } = channel.spec;
      if (this.#reading.has(name)) continue;
      const { offset, length } = channel.wanted!;
      const read = this.#port(name, at).read({ offset, length: Math.min(length, limits.CHUNK_BYTES) }).then((bytes) => ({ channel, bytes }));
      read.catch(() => {}); // A read that nobody waits for any more must not end the process; one that is waited for throws below.
      this.#reading.set(name, read);
    }
    const reads = channels.map((channel) => this.#reading.get(channel.spec.name)!);
    let timer: NodeJS.Timeout | undefined;
    const stopped = new Promise<undefined>((resolve) => {
      if (stopRequested === undefined) return;
      timer = setInterval(() => {
        this.#hasIdled ||= [...this.#fresh.keys()].some((name) => this.#live!.ports.get(name)?.acknowledge !== undefined); // What is fresh came from there.
        if (this.#hasIdled || stopRequested() !== undefined) resolve(undefined);
      }, STOP_POLL_MS);
    });
    try {
      const answer = await Promise.race([...reads, stopped, ...until === undefined ? [] : [until.then(() => undefined)]]);
      if (answer !== undefined) this.#reading.delete(answer.channel.spec.name);
      return answer;
    } finally {
      clearInterval(timer);
    }
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
