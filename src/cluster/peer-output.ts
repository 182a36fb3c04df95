/**
 * The writing end of a channel between two nodes, as a port of the writer's session.
 *
 *   stream   0 ····· acked ▓▓▓▓▓▓▓▓▓▓▓ sent ░░░░░░ written        acked: durable in the reader's journal, forgotten here
 *                    └────── retained ───────────┘                sent <= acked + window
 *
 * Invariants: every byte from `acked` on is kept (retained.ts), so that a reader that lost its memory gets it again; what the reader holds is never sent
 * to be read twice (positions tell); at most the window and one release of the outbox are kept. The window grows only when nothing in the whole cluster could
 * go on otherwise (coordinator.ts). A reader that ended takes no more: what is written to
 * it is discarded, and the writer never learns of it, because when it would is a matter of timing. On a channel that cuts slow readers off, one that
 * makes nothing durable while the writer waits for it sees the end of the stream where it is; the rest is discarded, unknown to the writer.
 * What this does NOT do: know the transport, encode, time anything (hub.ts).
 */
import { assert } from '../core/index.ts';
import { DIGEST_BLOCK_BYTES, type BlockHashes, type OutputOperation } from '../channel/index.ts';
import { OutputPort } from './peer-port.ts';
import { WINDOW_BYTES_GROWN, type PlannedLink } from './plan.ts';
import { Retained } from './retained.ts';
import { Signal } from './signal.ts';
import type { Kind } from './wire.ts';

export interface Outgoing { readonly kind: Kind; readonly offset: number; readonly extra?: number; readonly payload?: Uint8Array; readonly lead?: number; readonly hashes?: Uint8Array | undefined }
export type Send = (envelope: Outgoing) => void;

const EMPTY: Uint8Array = new Uint8Array(0);
/** Looks (ten a second) without an acknowledgement until a slow reader is cut off: longer than a commit on a busy disk. */
const PATIENCE_TICKS = 20;

export class PeerOutput extends OutputPort {
  readonly link: PlannedLink;
  readonly #send: Send;
  readonly #changed = new Signal();
  /** Its cursor stands at `sent`. */
  readonly #retained: Retained;
  /** Of the stream, as far as the guest's end has computed them. */
  #hashes: BlockHashes | undefined;
  #written: number;
  #sent: number;
  #acked: number;
  #endsAt: number | undefined;
  #isEndSent = false;
  #isEndKnown = false;
  #state: 'open' | 'reader gone' | 'stopped' = 'open';
  #ackedAtTick = -1;
  #windowBytes: number;
  #isWriting = false;
  #isFinishing = false;
  /** Where the reader was cut off: nothing beyond is for it. */
  #cutAt: number | undefined;
  #idleTicks = 0;

  /** `position`: where the guest goes on writing; `held`: what the reader has durably, at least that far; `recycles`: nobody keeps a payload that has arrived. */
  constructor(link: PlannedLink, { position, held, recycles, send }: { readonly position: number; readonly held: number; readonly recycles: boolean; readonly send: Send }) {
    super();
    this.#retained = new Retained({ hasMessages: link.hasMessages, recycles });
    assert(held >= position, 'a writer goes on at or before what its reader holds');
    this.link = link;
    this.#send = send;
    this.#written = position;
    this.#sent = held;
    this.#acked = held;
    this.#windowBytes = link.windowBytes;
  }

  /** What a node waits for at this end: room for its output, or that its readers hold everything. */
  get waits(): 'writing' | 'parting' | undefined {
    if (this.#state !== 'open' || this.link.cutsSlow) return undefined;
    return this.#isWriting ? 'writing' : this.#isFinishing ? 'parting' : undefined;
  }

  /** Moves when anything does. */
  get progress(): number {
    return this.#sent + this.#acked;
  }

  /** It waits for room, and there may be more: one whose reader may be cut off never does. */
  get canGrow(): boolean {
    return this.waits === 'writing' && this.#windowBytes < WINDOW_BYTES_GROWN;
  }

  /** A writer that waits may have twice as much under way. */
  grow(): void {
    if (!this.canGrow) return;
    this.#windowBytes *= 2;
    this.#pump();
    this.#changed.wake();
  }

  /** Bytes kept for a reader that may lose its memory. */
  get retainedBytes(): number {
    return Math.max(0, this.#limit - this.#acked);
  }

  get written(): number {
    return this.#written;
  }

  async write(operations: readonly OutputOperation[]): Promise<void> {
    const together = operations.reduce((sum, operation) => sum + (operation.kind === 'write' ? operation.bytes.length : 0), 0);
    for (const operation of operations) {
      assert(operation.kind === 'write', 'a stream is not truncated');
      this.#hashes = operation.hashes;
      this.#add(operation, together);
    }
    this.#pump();
    this.#isWriting = true;
    while (this.#state === 'open' && this.#sent < this.#limit) await this.#changed.wait();
    this.#isWriting = false;
  }

  async close(): Promise<void> {
    this.stop();
  }

  /** Tells the reader where the stream ends. Resolves to true when it has all of it durably, or has ended; to false after stop(). */
  async finish(): Promise<boolean> {
    this.#endsAt ??= this.#written;
    this.#pump();
    this.#isFinishing = true;
    while (this.#state === 'open' && this.#cutAt === undefined && !(this.#acked >= this.#written && this.#isEndKnown)) await this.#changed.wait();
    this.#isFinishing = false;
    return this.#state !== 'stopped';
  }

  /** Nobody waits any more; what was not taken is made again by the writer's next life. */
  stop(): void {
    if (this.#state === 'open') this.#state = 'stopped';
    this.#changed.wake();
  }

  onAck(position: number, isEndKnown: boolean): void {
    this.#isEndKnown ||= isEndKnown;
    if (isEndKnown && this.link.cutsSlow && this.#endsAt === undefined) this.#cut(Math.max(position, this.#acked)); // By an earlier life of this writer.
    if (position > this.#acked) {
      this.#acked = position; // Beyond `written` when an earlier life of this writer had sent more than this one has made again.
      this.#retained.forget(position);
      if (this.#sent < this.#acked) this.#goBackTo(this.#acked);
    }
    this.#pump();
    this.#changed.wake();
  }

  /** The reader wants the stream from `position` on; up to `durable` it will never want it again. */
  onNeed(position: number, durable: number): void {
    const from = Math.max(position, durable, this.#acked);
    if (from < this.#sent) this.#goBackTo(from);
    this.#isEndSent = false;
    this.onAck(durable, false);
  }

  onClosed(): void {
    if (this.#state === 'open') this.#state = 'reader gone';
    this.#retained.clear();
    this.#sent = this.#acked = this.#written;
    this.#changed.wake();
  }

  /** Called now and then: when nothing was acknowledged since the last time, the reader is asked where it is. */
  tick(): void {
    if (this.#state !== 'open') return;
    this.#idleTicks = this.#acked === this.#ackedAtTick && (this.#isWriting || this.#isFinishing) ? this.#idleTicks + 1 : 0;
    if (this.link.cutsSlow && this.#cutAt === undefined && this.#idleTicks >= PATIENCE_TICKS) this.#cut(this.#sent);
    if (this.#acked >= this.#written && this.#acked === this.#ackedAtTick) this.#retained.clear();
    const isWaiting = this.#acked < this.#limit || (this.#endsAt !== undefined && !this.#isEndKnown);
    if (isWaiting && this.#acked === this.#ackedAtTick) {
      this.#send({ kind: 'probe', offset: this.#sent });
      this.#isEndSent = false; // Where the stream ends may have been lost, too.
      this.#pump();
    }
    this.#ackedAtTick = this.#acked;
  }

  /** How far the stream goes for this reader, as known. */
  get #limit(): number {
    return Math.min(this.#cutAt ?? Infinity, this.#written);
  }

  #cut(at: number): void {
    this.#cutAt = this.#endsAt = at;
    this.#sent = Math.min(this.#sent, at);
    this.#pump();
    this.#changed.wake();
  }

  #add({ offset, bytes, lease }: Extract<OutputOperation, { kind: 'write' }>, together: number): void {
    assert(offset === this.#written, 'output to a peer leaves no gap');
    this.#written += bytes.length;
    if (this.#state === 'reader gone') {
      this.#sent = this.#acked = Math.max(this.#acked, this.#written);
      return;
    }
    const known = this.#acked - offset;
    if (known >= bytes.length || this.#cutAt !== undefined) return;
    // A message is whole or not there: its reader journals it in one piece.
    if (known > 0 && !this.link.hasMessages) this.#retained.append(this.#acked, bytes.subarray(known), { together, lease });
    else this.#retained.append(offset, bytes, { together, lease });
  }

  #pump(): void {
    if (this.#state !== 'open') return;
    const limit = this.#acked + this.#windowBytes;
    while (this.#sent < this.#limit && this.#sent < limit) {
      const { payload, count } = this.#retained.next(Math.min(limit, this.#limit));
      this.#send({ kind: 'data', offset: this.#sent, payload, ...this.#blocksOf(payload) });
      this.#sent += count;
    }
    if (this.#endsAt === undefined || this.#isEndSent || this.#sent < this.#limit) return;
    this.#isEndSent = true;
    this.#send({ kind: 'end', offset: this.#endsAt, payload: EMPTY });
  }

  /** Where the blocks of the channel's digest lie in a payload that begins at `sent`, and their hashes where they are known. */
  #blocksOf(payload: Uint8Array): { readonly lead: number; readonly hashes: Uint8Array | undefined } {
    if (this.link.hasMessages) return { lead: 0, hashes: undefined };
    const first = Math.ceil(this.#sent / DIGEST_BLOCK_BYTES);
    const lead = first * DIGEST_BLOCK_BYTES - this.#sent;
    const count = Math.floor((payload.length - lead) / DIGEST_BLOCK_BYTES);
    return { lead, hashes: count > 0 ? this.#hashes?.get(first, count) : undefined };
  }

  #goBackTo(position: number): void {
    this.#sent = position;
    this.#retained.seek(position);
  }
}
