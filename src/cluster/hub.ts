/**
 * All channel ends of the nodes of one process, and the way of an envelope between them: straight to an end in the same process, encoded and over
 * the transport to any other.
 *
 *   session of a-0 ─► PeerOutput ─► hub ─┬─► PeerInput ─► session of b-0            (same process)
 *                                        └─► transport ─► hub of another process ─► …
 *
 * Invariants: what comes from an earlier life of a node is dropped; what is lost, doubled or out of order on the way is mended by positions (ends
 * ask again); every dropped frame is counted. What this does NOT do: decide when to tick, connect, start or stop anything (live/).
 */
import { assert, type Digests } from '../core/index.ts';
import { PeerInput } from './peer-input.ts';
import { PeerOutput, type Outgoing } from './peer-output.ts';
import type { PlannedLink } from './plan.ts';
import { Signal } from './signal.ts';
import { decodeEnvelope, encodeParts, isHeaderAlone, type Envelope, type Rejection, type WireContext } from './wire.ts';

/** Carries envelopes between processes, each as one part or two. May lose, double and reorder them; never waits. */
export interface Transport {
  send(process: number, parts: readonly Uint8Array[]): void;
}

/** Frames and envelopes of one process. */
export interface HubCounters {
  sent: number;
  received: number;
  bytesSent: number;
  bytesReceived: number;
  /** By reason. */
  readonly dropped: Record<Rejection | 'old' | 'duplicate' | 'gap' | 'overrun' | 'nobody', number>;
}

export interface NodeWait {
  readonly node: string;
  /** Undefined: it does not wait for a peer, as far as its channels tell. */
  readonly wait: 'writing' | 'reading' | 'parting' | undefined;
  readonly peer: string | undefined;
  /** It waits for room of which there may be more. */
  readonly canGrow: boolean;
  readonly progress: number;
}

export interface HubParts {
  readonly clusterId: Uint8Array;
  readonly links: readonly PlannedLink[];
  readonly digests: Digests;
  readonly transport: Transport;
  /** The process of this hub, and of each node. */
  readonly process: number;
  readonly processOf: (node: string) => number;
}

const EMPTY: Uint8Array = new Uint8Array(0);

/** One link as this process knows it. */
interface LinkState {
  output: PeerOutput | undefined;
  input: PeerInput | undefined;
  /** Lives of the nodes at this process: what they send carries them. */
  writerEpoch: number;
  readerEpoch: number;
  /** Latest life heard of, of the other side. */
  heardWriter: number;
  heardReader: number;
  /** Durable position of the reader as it answered a query. */
  held: number | undefined;
  /** What takeWritten() has given of the writing end here. */
  told: number;
  isReaderGone: boolean;
  endsAt: number | undefined;
}

export class LinkHub {
  readonly #parts: HubParts;
  readonly #wire: WireContext;
  readonly #states: readonly LinkState[];
  readonly #answered = new Signal();
  #isStopping = false;
  readonly counters: HubCounters = {
    sent: 0, received: 0, bytesSent: 0, bytesReceived: 0,
    dropped: { foreign: 0, version: 0, cluster: 0, cut: 0, oversized: 0, damaged: 0, malformed: 0, old: 0, duplicate: 0, gap: 0, overrun: 0, nobody: 0 },
  };

  constructor(parts: HubParts) {
    this.#parts = parts;
    this.#wire = { clusterId: parts.clusterId, links: parts.links.length, digests: parts.digests };
    this.#states = parts.links.map(() => ({ output: undefined, input: undefined, writerEpoch: 0, readerEpoch: 0, heardWriter: 0, heardReader: 0, held: undefined, told: 0, isReaderGone: false, endsAt: undefined }));
  }

  /** The reading end of a link for a node's life `epoch`; `position` is what its journal holds. */
  openInput(link: number, { epoch, position }: { readonly epoch: number; readonly position: number }): PeerInput {
    const state = this.#states[link]!;
    state.readerEpoch = epoch;
    const input = new PeerInput(this.#parts.links[link]!, { position, send: (envelope) => this.#route(link, 'writer', { ...envelope, epoch }) });
    state.input = input;
    if (state.endsAt !== undefined && state.endsAt >= position) input.onEnd(endFor(input, state.endsAt));
    input.tell();
    return input;
  }

  /** The writing end; `position` is where the guest goes on. What its reader holds must be known (held()), or be nothing. */
  openOutput(link: number, { epoch, position }: { readonly epoch: number; readonly position: number }): PeerOutput {
    const state = this.#states[link]!;
    state.writerEpoch = epoch;
    const { process, processOf, links } = this.#parts;
    const recycles = processOf(links[link]!.to) !== process; // A reader in this process keeps views of what it gets.
    const output = new PeerOutput(links[link]!, { position, held: Math.max(position, state.held ?? 0), recycles, send: (envelope) => this.#route(link, 'reader', { ...envelope, epoch }) });
    state.output = output;
    if (state.isReaderGone) output.onClosed();
    if (this.#isStopping) output.stop();
    return output;
  }

  /**
   * Asks the readers of these links what they hold durably: link → position, Infinity for a reader that ended. Undefined when the hub is
   * stopped meanwhile. Asked again at every tick.
   */
  async held(links: readonly number[], epoch: number): Promise<ReadonlyMap<number, number> | undefined> {
    for (const link of links) {
      const state = this.#states[link]!;
      state.writerEpoch = epoch;
      state.held = undefined;
      state.output = undefined;
    }
    const open = (): readonly number[] => links.filter((link) => this.#states[link]!.held === undefined && !this.#states[link]!.isReaderGone);
    while (open().length > 0) {
      if (this.#isStopping) return undefined;
      for (const link of open()) this.#route(link, 'reader', { kind: 'query', offset: 0, epoch });
      if (open().length > 0) await this.#answered.wait();
    }
    return new Map(links.map((link) => [link, this.#states[link]!.isReaderGone ? Infinity : this.#states[link]!.held!]));
  }

  /** What came from another process: envelopes, one behind the other. */
  receive(...parts: readonly Uint8Array[]): void {
    for (let index = 0; index < parts.length; index++) this.#receive(parts[index]!, isHeaderAlone(parts[index]!) ? parts[++index] : undefined);
  }

  #receive(frame: Uint8Array, part: Uint8Array | undefined): void {
    this.counters.received++;
    this.counters.bytesReceived += frame.length + (part?.length ?? 0);
    const envelope = decodeEnvelope(this.#wire, frame, part);
    if (typeof envelope === 'string') this.counters.dropped[envelope]++;
    else this.#deliver(envelope);
  }

  /** A node has ended and left: its readers know the end of what it wrote, its writers that nobody reads. */
  nodeEnded(node: string, written: ReadonlyMap<string, number>): void {
    for (const link of this.#parts.links) {
      const state = this.#states[link.id]!;
      if (link.from === node) {
        state.endsAt = written.get(link.fromChannel) ?? 0;
        if (state.input !== undefined && state.endsAt >= state.input.received) state.input.onEnd(endFor(state.input, state.endsAt));
      }
      if (link.to === node) {
        state.isReaderGone = true;
        state.output?.onClosed();
      }
    }
    this.#answered.wake();
  }

  /** What a node of this process waits for, and a number that moves when anything of its channels does. */
  waitOf(node: string): NodeWait {
    let wait: NodeWait['wait'];
    let peer: string | undefined;
    let canGrow = false;
    let progress = 0;
    for (const link of this.#parts.links) {
      const { output, input } = this.#states[link.id]!;
      if (link.from === node && output !== undefined) {
        progress += output.progress;
        if (output.waits !== undefined) [wait, peer] = [output.waits, link.to];
        canGrow ||= output.canGrow;
      }
      if (link.to === node && input !== undefined) {
        progress += input.progress;
        if (input.isWaiting && wait === undefined) [wait, peer] = ['reading', link.from];
      }
    }
    return { node, wait, peer, canGrow, progress };
  }

  /** How many bytes were written to each link by nodes of this process, where it is not what was told before. */
  takeWritten(): ReadonlyMap<number, number> {
    const found = new Map<number, number>();
    for (const [link, state] of this.#states.entries()) {
      const written = state.output?.written ?? state.told;
      if (written === state.told) continue;
      state.told = written;
      found.set(link, written);
    }
    return found;
  }

  /** Nothing in the cluster can go on: writers that wait get twice the room. */
  grow(): void {
    for (const { input, output } of this.#states) {
      input?.grow();
      output?.grow();
    }
  }

  /** Now and then: whoever waits for a peer asks it again. */
  tick(): void {
    for (const state of this.#states) state.output?.tick();
    this.#answered.wake();
  }

  /** Everything that waits for a peer stops waiting. */
  stop(): void {
    this.#isStopping = true;
    for (const state of this.#states) state.output?.stop();
    this.#answered.wake();
  }

  #route(link: number, to: 'writer' | 'reader', envelope: Outgoing & { readonly epoch: number }): void {
    const { links, process, processOf, transport } = this.#parts;
    const node = to === 'reader' ? links[link]!.to : links[link]!.from;
    const whole: Envelope = { link, kind: envelope.kind, epoch: envelope.epoch, offset: envelope.offset, extra: envelope.extra ?? 0, payload: envelope.payload ?? EMPTY, lead: envelope.lead ?? 0, hashes: envelope.hashes };
    const target = processOf(node);
    if (target === process) return this.#deliver(whole);
    const parts = encodeParts(this.#wire, whole);
    this.counters.sent++;
    for (const part of parts) this.counters.bytesSent += part.length;
    transport.send(target, parts);
  }

  #deliver(envelope: Envelope): void {
    const state = this.#states[envelope.link]!;
    const isForReader = envelope.kind === 'data' || envelope.kind === 'end' || envelope.kind === 'probe' || envelope.kind === 'query';
    const heard = isForReader ? 'heardWriter' : 'heardReader';
    if (envelope.epoch < state[heard]) return this.#drop('old');
    state[heard] = envelope.epoch;
    if (isForReader) this.#toReader(state, envelope);
    else this.#toWriter(state, envelope);
  }

  #toReader({ input }: LinkState, envelope: Envelope): void {
    if (input === undefined) return this.#drop('nobody');
    if (envelope.kind === 'query') return input.tell();
    if (envelope.kind === 'probe') return input.onProbe(envelope.offset);
    const answer = envelope.kind === 'data' ? input.onData(envelope) : input.onEnd(envelope.offset);
    if (answer !== 'taken') this.#drop(answer);
  }

  #toWriter(state: LinkState, envelope: Envelope): void {
    const { output } = state;
    if (envelope.kind === 'closed') state.isReaderGone = true;
    if (envelope.kind === 'need') state.held ??= envelope.extra;
    if (output === undefined) {
      this.#answered.wake();
      return;
    }
    if (envelope.kind === 'closed') output.onClosed();
    else if (envelope.kind === 'need') output.onNeed(envelope.offset, envelope.extra);
    else output.onAck(envelope.offset, envelope.extra === 1);
  }

  #drop(reason: keyof HubCounters['dropped']): void {
    this.counters.dropped[reason]++;
  }

  /** For tests: no end holds more than it may. */
  get heldBytesMax(): number {
    return Math.max(0, ...this.#states.map((state) => Math.max(state.output?.retainedBytes ?? 0, state.input?.heldBytes ?? 0)));
  }
}

/** A writer that left owes nothing, or had cut its reader off. */
function endFor(input: PeerInput, endsAt: number): number {
  return input.link.cutsSlow ? Math.min(endsAt, input.received) : endsAt;
}

/** A transport between hubs of one process: the twin of the real ones. Frames are given over at the next turn of the event loop. */
export class MemoryTransport implements Transport {
  readonly #hubs: (LinkHub | undefined)[] = [];
  readonly #mangle: (frame: Uint8Array) => readonly Uint8Array[];

  /** `mangle` may drop, double, delay or damage what is sent. */
  constructor(mangle: (frame: Uint8Array) => readonly Uint8Array[] = (frame) => [frame]) {
    this.#mangle = mangle;
  }

  /** Takes the hub of a process, or takes it away (a killed process). */
  connect(process: number, hub: LinkHub | undefined): void {
    assert(process >= 0, 'processes count from 0');
    this.#hubs[process] = hub;
  }

  send(process: number, parts: readonly Uint8Array[]): void {
    const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
    let at = 0;
    for (const part of parts) {
      whole.set(part, at);
      at += part.length;
    }
    for (const sent of this.#mangle(whole)) {
      const cut = Math.min(parts[0]!.length, sent.length);
      const got = parts.length === 1 ? [sent.slice()] : [sent.slice(0, cut), sent.slice(cut)];
      void Promise.resolve().then(() => this.#hubs[process]?.receive(...got));
    }
  }
}
