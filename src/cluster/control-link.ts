/**
 * Messages between `up` and the agent of another host: in order, each once, over frames that may be lost, doubled or late.
 *
 *   send ─► outgoing ─► frame { first, ack, messages } ─ ─ ─ ► receive: what is new, in order, to onMessage
 *             ▲ kept until acknowledged                             └─► a frame of its own says what was heard
 *             └── tick(): sent again when nothing was acknowledged since the last one; something is said at every tick, so silence means trouble
 *
 * Invariants: a message is given out once and in order, or never; at most a window is on its way. What this does NOT do: keep time (ticks come at
 * intervals), encode, know who is at the other end.
 */
import { assert } from '../core/index.ts';
import { Signal } from './signal.ts';

export interface ControlFrame<Message> {
  /** Number of the first message; of the next one when there is none. */
  readonly first: number;
  /** All messages before this number were heard. */
  readonly ack: number;
  readonly messages: readonly Message[];
}

export interface ControlLinkParts<Outgoing, Incoming> {
  readonly transmit: (frame: ControlFrame<Outgoing>) => void;
  readonly onMessage: (message: Incoming) => void;
}

/** Bytes of messages under way before room() waits: a few pieces of files. */
const WINDOW_BYTES = 4 * 1024 * 1024;
/** Messages sent again at one tick. */
const AGAIN_MAX = 64;

interface Kept<Message> { readonly message: Message; readonly bytes: number }

export class ControlLink<Outgoing, Incoming> {
  readonly #parts: ControlLinkParts<Outgoing, Incoming>;
  readonly #changed = new Signal();
  #kept: Kept<Outgoing>[] = [];
  #keptBytes = 0;
  /** Number of kept[0]. */
  #first = 0;
  #firstAtTick = -1;
  /** Number of the next message to come. */
  #expected = 0;
  #silentTicks = 0;
  #isForgotten = false;
  #isClosed = false;

  constructor(parts: ControlLinkParts<Outgoing, Incoming>) {
    this.#parts = parts;
  }

  /** Ticks since the other end was heard. */
  get silentTicks(): number {
    return this.#silentTicks;
  }

  /** The other end knows nothing any more of what it has heard: it is a new one. */
  get isForgotten(): boolean {
    return this.#isForgotten;
  }

  /** Whether everything that was sent has been heard. */
  get isSettled(): boolean {
    return this.#kept.length === 0;
  }

  /** `bytes`: about how long the message is, where it is long. */
  send(message: Outgoing, bytes = 0): void {
    if (this.#isClosed) return;
    this.#kept.push({ message, bytes });
    this.#keptBytes += bytes;
    this.#parts.transmit({ first: this.#first + this.#kept.length - 1, ack: this.#expected, messages: [message] });
  }

  /** Waits until a long message may be sent; false when the link is closed. */
  async room(): Promise<boolean> {
    while (!this.#isClosed && this.#keptBytes >= WINDOW_BYTES) await this.#changed.wait();
    return !this.#isClosed;
  }

  receive({ first, ack, messages }: ControlFrame<Incoming>): void {
    if (this.#isClosed) return;
    this.#silentTicks = 0;
    this.#isForgotten ||= ack === 0 && this.#first > 0 && first === 0;
    this.#acknowledge(ack);
    if (messages.length === 0 || first > this.#expected) return; // A gap: the other end sends again.
    const fresh = messages.slice(this.#expected - first);
    this.#expected += fresh.length;
    this.#parts.transmit({ first: this.#first + this.#kept.length, ack: this.#expected, messages: [] });
    for (const message of fresh) this.#parts.onMessage(message);
  }

  /** Says something, and again what was not acknowledged. */
  tick(): void {
    if (this.#isClosed) return;
    this.#silentTicks++;
    const isStuck = this.#kept.length > 0 && this.#first === this.#firstAtTick;
    this.#firstAtTick = this.#first;
    const again = isStuck ? this.#window() : [];
    this.#parts.transmit({ first: isStuck ? this.#first : this.#first + this.#kept.length, ack: this.#expected, messages: again });
  }

  /** Nothing is sent or given out any more; who waits for room goes on. */
  close(): void {
    this.#isClosed = true;
    this.#changed.wake();
  }

  #acknowledge(ack: number): void {
    const count = ack - this.#first;
    if (count <= 0 || count > this.#kept.length) return;
    for (const { bytes } of this.#kept.splice(0, count)) this.#keptBytes -= bytes;
    assert(this.#keptBytes >= 0, 'what is acknowledged was kept');
    this.#first = ack;
    this.#changed.wake();
  }

  #window(): readonly Outgoing[] {
    let bytes = 0;
    let count = 0;
    while (count < Math.min(AGAIN_MAX, this.#kept.length) && (count === 0 || bytes < WINDOW_BYTES)) bytes += this.#kept[count++]!.bytes;
    return this.#kept.slice(0, count).map(({ message }) => message);
  }
}
