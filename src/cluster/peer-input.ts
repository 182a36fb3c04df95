/**
 * The reading end of a channel between two nodes, as a port of the reader's session.
 *
 *   stream   0 ····· durable ····· taken ▓▓▓▓▓▓▓▓ received          taken: given to the session, which journals it
 *
 * Invariants: bytes are taken in order, once, without gaps, whatever is sent twice or late; a byte is acknowledged only when the session says that
 * it is durable; at most one window (and a message) is held. On a message channel a read gives exactly one message.
 * What this does NOT do: know the transport, encode, time anything (hub.ts).
 */
import { assert, StillpointError } from '../core/index.ts';
import { BlockHashes, DIGEST_BLOCK_BYTES, HASH_BYTES, type Wanted } from '../channel/index.ts';
import type { Send } from './peer-output.ts';
import { InputPort } from './peer-port.ts';
import { WINDOW_BYTES_GROWN, type PlannedLink } from './plan.ts';
import { Signal } from './signal.ts';
import { PAYLOAD_BYTES_MAX, unpackMessages, type Envelope } from './wire.ts';

/** Pieces that are taken before the list is cut: small messages come by the thousand. */
const TRIM_AT = 4096;

export type Received = 'taken' | 'duplicate' | 'gap' | 'overrun' | 'malformed';

export class PeerInput extends InputPort {
  readonly link: PlannedLink;
  readonly hashes: BlockHashes | undefined;
  readonly #send: Send;
  readonly #changed = new Signal();
  #pieces: Uint8Array[] = [];
  /** Index of the first piece that is not taken, and how much of it is. */
  #head = 0;
  #headOffset = 0;
  #taken: number;
  #received: number;
  #durable: number;
  #endsAt: number | undefined;
  #state: 'open' | 'discarding' | 'closed' = 'open';
  /** Position of the last complaint about a gap. */
  #complainedAt = -1;
  #allowanceBytes: number;
  #isReading = false;

  /** `position`: what the reader's journal holds. */
  constructor(link: PlannedLink, { position, send }: { readonly position: number; readonly send: Send }) {
    super();
    this.link = link;
    this.hashes = link.hasMessages ? undefined : new BlockHashes();
    this.#send = send;
    this.#taken = this.#received = this.#durable = position;
    this.#allowanceBytes = link.windowBytes + PAYLOAD_BYTES_MAX;
  }

  /** Bytes given to the session. */
  get taken(): number {
    return this.#taken;
  }

  /** Goes on at `position`: what comes before it is known from elsewhere. */
  skip(position: number): void {
    if (this.#state !== 'open') return;
    while (this.#taken < Math.min(position, this.#received)) this.#takeFromHead(Math.min(position, this.#received) - this.#taken);
    if (position > this.#received) this.#taken = this.#received = position;
    this.#changed.wake();
  }

  /** The node waits for bytes. */
  get isWaiting(): boolean {
    return this.#isReading && this.#state === 'open';
  }

  /** Moves when anything does. */
  get progress(): number {
    return this.#received + this.#taken + this.#durable;
  }

  /** Writers may have grown. */
  grow(): void {
    this.#allowanceBytes = Math.min(2 * this.#allowanceBytes, 2 * WINDOW_BYTES_GROWN);
  }

  get heldBytes(): number {
    return this.#received - this.#taken;
  }

  get received(): number {
    return this.#received;
  }

  get isDiscarding(): boolean {
    return this.#state === 'discarding';
  }

  async read(wanted: Wanted): Promise<Uint8Array | undefined> {
    assert(wanted.length > 0 && wanted.offset === this.#taken, 'a peer is read in order');
    for (;;) {
      if (this.#state === 'closed') throw new StillpointError('E_CHANNEL_CLOSED', `channel ${this.link.toChannel} from ${this.link.from}: the port was closed`, { data: { channel: this.link.toChannel } });
      if (this.#received > this.#taken) return this.#take(wanted.length);
      if (this.#endsAt === this.#received) return undefined;
      this.#isReading = true;
      await this.#changed.wait();
      this.#isReading = false;
    }
  }

  readNow(wanted: Wanted): Uint8Array | undefined {
    assert(wanted.length > 0 && wanted.offset === this.#taken, 'a peer is read in order');
    return this.#state !== 'closed' && this.#received > this.#taken ? this.#take(wanted.length) : undefined;
  }

  async close(): Promise<void> {
    if (this.#state === 'open') this.#state = 'closed';
    this.#changed.wake();
  }

  /** The writer waits for a commit, or soon will. */
  get wantsCommit(): boolean {
    return this.#taken - this.#durable >= this.link.windowBytes / 2;
  }

  acknowledge(position: number): void {
    if (position <= this.#durable) return;
    this.#durable = position;
    this.#acknowledge();
  }

  /** The guest ended: what still comes is thrown away. */
  discard(): void {
    if (this.#state !== 'open') return;
    this.#state = 'discarding';
    this.#pieces = [];
    this.#send({ kind: 'closed', offset: this.#received });
  }

  /** Says where the reader is: at its start, and when it is asked. */
  tell(): void {
    if (this.#state === 'discarding') this.#send({ kind: 'closed', offset: this.#received });
    else this.#send({ kind: 'need', offset: this.#received, extra: this.#durable });
    if (this.#isEndKnown) this.#acknowledge();
  }

  /** The writer waits, and had sent everything up to `sent` before it asked: what has not come by now was lost. */
  onProbe(sent: number): void {
    if (this.#state === 'open' && this.#received >= sent && !this.#isEndKnown) this.#acknowledge();
    else this.tell();
  }

  onData({ offset, payload, lead, hashes }: Pick<Envelope, 'offset' | 'payload' | 'lead' | 'hashes'>): Received {
    if (this.#state !== 'open') {
      if (this.#state === 'discarding') this.tell();
      return 'duplicate';
    }
    if (this.#isEndKnown && offset >= this.#received) {
      this.#acknowledge(); // Its writer has forgotten where it ended this stream.
      return 'duplicate';
    }
    const pieces = this.link.hasMessages ? unpackMessages(payload) : [payload];
    if (pieces === undefined) return 'malformed';
    const before = this.#received;
    let at = offset;
    let isNew = false;
    for (const piece of pieces) {
      const known = this.#received - at;
      at += piece.length;
      if (known < 0) return this.#complain();
      if (known >= piece.length) continue;
      if (known > 0 && this.link.hasMessages) return 'malformed';
      if (this.#received - this.#durable > this.#allowanceBytes) return 'overrun';
      this.#pieces.push(known === 0 ? piece : piece.subarray(known));
      this.#received = at;
      isNew = true;
    }
    if (!isNew) return 'duplicate';
    if (hashes !== undefined) this.#keepHashes(hashes, { at: offset + lead, from: before });
    this.#settle();
    return 'taken';
  }

  /** Hashes of blocks from stream position `at` on, of those that came whole with what was new: of another one bytes of an earlier payload were taken. */
  #keepHashes(hashes: Uint8Array, { at, from }: { readonly at: number; readonly from: number }): void {
    if (at % DIGEST_BLOCK_BYTES !== 0) return;
    const known = Math.max(0, Math.ceil((from - at) / DIGEST_BLOCK_BYTES)) * HASH_BYTES;
    if (known < hashes.length) this.hashes?.put(at / DIGEST_BLOCK_BYTES + known / HASH_BYTES, hashes.subarray(known));
  }

  /** No byte comes after `offset`; it may arrive before the bytes do. */
  onEnd(offset: number): Received {
    if (this.#state === 'discarding') this.tell();
    if (this.#isEndKnown && this.link.cutsSlow) {
      this.#acknowledge();
      return 'duplicate';
    }
    if (offset < this.#received && !this.link.cutsSlow) return 'malformed';
    this.#endsAt = Math.max(offset, this.#received); // A writer that came back may know less than this reader has.
    if (this.#endsAt > this.#received) return this.#complain();
    this.#settle();
    return 'taken';
  }

  get #isEndKnown(): boolean {
    return this.#endsAt !== undefined && this.#endsAt === this.#received;
  }

  #settle(): void {
    if (this.#isEndKnown) this.#acknowledge();
    this.#changed.wake();
  }

  #acknowledge(): void {
    this.#send({ kind: 'ack', offset: this.#durable, extra: this.#isEndKnown ? 1 : 0 });
  }

  /** Something was lost on the way: asked for again, once for each place. */
  #complain(): 'gap' {
    if (this.#complainedAt !== this.#received) this.tell();
    this.#complainedAt = this.#received;
    return 'gap';
  }

  #take(length: number): Uint8Array {
    const first = this.#pieces[this.#head]!;
    if (this.link.hasMessages) return this.#takeFromHead(length);
    if (first.length - this.#headOffset >= length) return this.#takeFromHead(Infinity); // What more came with it is soon wanted, too: one frame of the journal instead of several.
    const whole = new Uint8Array(Math.min(length, this.#received - this.#taken));
    for (let filled = 0; filled < whole.length;) {
      const piece = this.#takeFromHead(whole.length - filled);
      whole.set(piece, filled);
      filled += piece.length;
    }
    return whole;
  }

  #takeFromHead(length: number): Uint8Array {
    const head = this.#pieces[this.#head]!;
    const piece = head.subarray(this.#headOffset, this.#headOffset + length);
    this.#headOffset += piece.length;
    this.#taken += piece.length;
    if (this.#headOffset < head.length) return piece;
    this.#headOffset = 0;
    this.#head++;
    if (this.#head < this.#pieces.length && this.#head < TRIM_AT) return piece;
    this.#pieces = this.#pieces.slice(this.#head);
    this.#head = 0;
    return piece;
  }
}
