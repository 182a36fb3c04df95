/**
 * The machine in a transaction: guest, channels and feed, driven until something that the transaction waits for, with one way back for all three.
 *
 *   drive(until) ─► waiting   the guest wants input that nobody sent         ─► failure (StillpointError E_TXN_*): fault, exit status, cap, time-out
 *              ├──► output    a message is complete
 *              └──► exited    status 0
 *
 * Invariants: where a drive stops is a function of the guest and what was sent, but for a time-out, which always ends in an abort; host time
 * never reaches the guest.
 * What this does NOT do: begin, commit or abort (transaction.ts, machine.ts).
 */
import { instructionCount, limits, StillpointError, type InstructionCount, type Undo } from '../core/index.ts';
import type { ChannelSet } from '../channel/index.ts';
import type { Guest, GuestStop } from '../posix/index.ts';
import type { Feed } from './feed.ts';

/** Where run() is to stop. Waiting for input that was not sent stops it in any case. */
export type Until =
  | { readonly kind: 'waiting' }
  /** The first system call after which the channel holds `ends` (default: a newline) in what was written since the last stop or read. */
  | { readonly kind: 'output'; readonly channel: string; readonly ends?: Uint8Array }
  | { readonly kind: 'exit' };

export type RunEnd =
  | { readonly kind: 'waiting'; readonly channels: readonly string[] }
  | { readonly kind: 'output'; readonly channel: string }
  | { readonly kind: 'exited' };

export interface DriveLimits {
  /** Instruction count that must not be passed. */
  readonly capAt: bigint | undefined;
  /** On the host's clock, milliseconds. */
  readonly deadlineMs: number | undefined;
}

const NEWLINE = new Uint8Array([10]);
/** Instructions between two looks at the host's clock. */
const SLICE = 2_000_000;
/** A long drive lets the event loop run this often. */
const YIELD_MS = 20;

export class Core {
  readonly guest: Guest;
  readonly channels: ChannelSet;
  readonly feed: Feed;
  readonly #monotonicMs: () => number;

  constructor(parts: { readonly guest: Guest; readonly channels: ChannelSet; readonly feed: Feed; readonly monotonicMs: () => number }) {
    this.guest = parts.guest;
    this.channels = parts.channels;
    this.feed = parts.feed;
    this.#monotonicMs = parts.monotonicMs;
  }

  get at(): InstructionCount {
    return instructionCount(this.guest.retired);
  }

  mark(): Undo {
    const [guest, feed] = [this.guest.mark(), this.feed.mark()];
    return () => {
      guest();
      feed();
    };
  }

  /** Bytes of a stream or append channel that were written and not yet committed, from `from` on. */
  held(channel: string, from: number): Uint8Array {
    const pieces: Uint8Array[] = [];
    let skip = from;
    for (const operation of this.channels.pendingOutput()) {
      if (operation.kind !== 'write' || operation.channel !== channel) continue;
      if (skip < operation.bytes.length) pieces.push(operation.bytes.slice(skip));
      skip = Math.max(0, skip - operation.bytes.length);
    }
    if (pieces.length === 1) return pieces[0]!;
    const out = new Uint8Array(pieces.reduce((sum, { length }) => sum + length, 0));
    let at = 0;
    for (const piece of pieces) {
      out.set(piece, at);
      at += piece.length;
    }
    return out;
  }

  /** `read`: bytes of the channel that were read already. Throws E_TXN_FAULT, E_TXN_EXIT, E_TXN_CAP, E_TXN_TIMEOUT, and host trouble. */
  async drive(until: Until, { limits: bounds, read }: { readonly limits: DriveLimits; readonly read: (channel: string) => number }): Promise<RunEnd> {
    let lastYield = this.#monotonicMs();
    for (;;) {
      const stop = this.#run(until, bounds);
      if (stop.kind === 'ended') return this.#ended(stop);
      if (stop.kind === 'capped') throw capped(stop.cap);
      if (until.kind === 'output' && contains(this.held(until.channel, read(until.channel)), until.ends ?? NEWLINE)) return { kind: 'output', channel: until.channel };
      if (stop.kind === 'blocked') {
        const fed = this.#satisfy(stop);
        if (fed === false) return { kind: 'waiting', channels: stop.channels.map(({ spec }) => spec.name) };
        if (fed !== true) await fed;
      }
      if (bounds.capAt !== undefined && this.guest.retired >= bounds.capAt) throw capped('instructions');
      const now = stop.kind === 'budget' ? this.#monotonicMs() : lastYield;
      if (bounds.deadlineMs !== undefined && this.#monotonicMs() >= bounds.deadlineMs) throw new StillpointError('E_TXN_TIMEOUT', 'the transaction took longer than its time-out and was aborted', {});
      if (now - lastYield >= YIELD_MS) {
        await new Promise<void>((resolve) => { setImmediate(resolve); });
        lastYield = this.#monotonicMs();
      }
    }
  }

  /**
   * Executes what was journaled, up to an exact count. `seeds`: those of branches on the way; `release`: takes output away when there is much of it.
   * Throws E_DIVERGED_INPUT when the journal does not lead there.
   */
  async runTo(at: bigint, { seeds, release }: { readonly seeds: readonly { readonly at: bigint; readonly seed: Uint8Array }[]; readonly release: () => Promise<void> }): Promise<void> {
    const { guest, channels } = this;
    const rest = [...seeds];
    for (;;) {
      while (rest[0]?.at === guest.retired) guest.reseed(rest.shift()!.seed);
      const target = rest[0] !== undefined && rest[0].at < at ? rest[0].at : at;
      if (guest.retired >= at) return;
      guest.outputStop = limits.OUTBOX_BYTES_MAX;
      const stop = guest.run(Number(target - guest.retired < BigInt(SLICE) ? target - guest.retired : SLICE));
      if (channels.pendingBytes >= limits.OUTBOX_BYTES_MAX) await release();
      if (stop.kind === 'budget' || (stop.kind === 'ended' && guest.retired === at)) continue;
      const fed = stop.kind === 'blocked' ? this.#satisfy(stop) : false;
      if (fed === false) throw new StillpointError('E_DIVERGED_INPUT', `the machine stopped at instruction ${guest.retired}, its journal goes on to ${at}`, { data: { at: guest.retired, expected: at } });
      if (fed !== true) await fed;
    }
  }

  #run(until: Until, { capAt }: DriveLimits): GuestStop {
    const { guest, channels } = this;
    const left = capAt === undefined ? SLICE : Number(capAt - guest.retired);
    if (left <= 0) return { kind: 'capped', cap: 'instructions' };
    guest.outputStop = until.kind === 'output' ? Math.min(limits.OUTBOX_BYTES_MAX, channels.pendingBytes + 1) : limits.OUTBOX_BYTES_MAX;
    return guest.run(Math.min(SLICE, left));
  }

  /** Whether the guest can go on; a promise when the host is asked. */
  #satisfy(stop: Extract<GuestStop, { kind: 'blocked' }>): boolean | Promise<true> {
    const { guest, feed } = this;
    if (stop.needsClock) guest.supplyClock(feed.clock(this.at));
    if (stop.needsEntropy > 0) guest.supplyEntropy(feed.entropy(stop.needsEntropy, this.at));
    if (stop.channels.length > 0) return feed.supply(stop.channels, this.at);
    if (!stop.needsClock && stop.needsEntropy === 0 && this.channels.pendingBytes >= limits.OUTBOX_BYTES_MAX) throw capped('output');
    return true;
  }

  #ended({ outcome }: Extract<GuestStop, { kind: 'ended' }>): RunEnd {
    if (outcome.kind === 'killed') throw new StillpointError('E_TXN_FAULT', `the guest was ended by signal ${outcome.signal} at instruction ${this.at}; the transaction was aborted`, { data: { signal: outcome.signal, at: this.at } });
    if (outcome.status !== 0) throw new StillpointError('E_TXN_EXIT', `the guest exited with status ${outcome.status} at instruction ${this.at}; the transaction was aborted`, { data: { status: outcome.status, at: this.at } });
    return { kind: 'exited' };
  }
}

function capped(cap: string): StillpointError {
  return new StillpointError('E_TXN_CAP', `the guest reached its cap (${cap}); the transaction was aborted`, { data: { cap } });
}

function contains(bytes: Uint8Array, wanted: Uint8Array): boolean {
  for (let at = bytes.indexOf(wanted[0]!); at >= 0; at = bytes.indexOf(wanted[0]!, at + 1)) {
    if (wanted.every((byte, index) => bytes[at + index] === byte)) return true;
  }
  return false;
}
