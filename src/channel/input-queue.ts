/**
 * Bytes of a sequential channel that the host supplied and the guest has not read yet, as a queue of chunks.
 *
 *   stream   0 ........ consumed ....[pending chunks].... position      (bytes before `consumed` are gone)
 *
 * Invariants: chunks are not empty and lie without gaps in [consumed, position); `position` is where the next supplied byte belongs.
 * Pending bytes are a cache of the stream (or of the journal), not guest state: how the host cut them is nobody's business, except
 * on live channels, whose chunks the guest can tell apart. What this does NOT do: quotas, counts (channel.ts).
 */
import { assert, markArray, type Undo } from '../core/index.ts';

export const EMPTY: Uint8Array = new Uint8Array(0);

export class InputQueue {
  readonly #chunks: Uint8Array[] = [];
  /** Index of the first chunk that is not used up; the array is trimmed now and then, not at every chunk. */
  #head = 0;
  #headOffset = 0;
  #consumed = 0;
  #available = 0;
  #ended = false;

  get consumed(): number {
    return this.#consumed;
  }

  get available(): number {
    return this.#available;
  }

  get position(): number {
    return this.#consumed + this.#available;
  }

  /** No byte comes after `position`. */
  get ended(): boolean {
    return this.#ended;
  }

  /** Adds stream bytes that begin at `offset`; what is known already is skipped. The queue keeps `bytes`. */
  supply(offset: number, bytes: Uint8Array): void {
    assert(!this.#ended, 'nothing is supplied after the end of a stream');
    assert(bytes.length > 0, 'supplied input is not empty');
    const known = this.position - offset;
    assert(known >= 0, 'supplied input leaves no gap in the stream');
    if (known >= bytes.length) return;
    const fresh = known === 0 ? bytes : bytes.subarray(known);
    this.#chunks.push(fresh);
    this.#available += fresh.length;
  }

  supplyEnd(offset: number): void {
    assert(offset === this.position, 'a stream ends where its bytes end');
    this.#ended = true;
  }

  /** Takes exactly `length` pending bytes; a view where one chunk holds them. */
  take(length: number): Uint8Array {
    assert(length > 0 && length <= this.#available, 'taken input is pending');
    const head = this.#chunks[this.#head]!;
    if (head.length - this.#headOffset >= length) return this.#takeFromHead(length);
    const out = new Uint8Array(length);
    for (let filled = 0; filled < length; ) {
      const piece = this.#takeFromHead(Math.min(length - filled, this.#chunks[this.#head]!.length - this.#headOffset));
      out.set(piece, filled);
      filled += piece.length;
    }
    return out;
  }

  /** Takes at most `length` bytes of the first pending chunk. */
  takeChunk(length: number): Uint8Array {
    assert(this.#available > 0 && length > 0, 'a chunk is pending');
    return this.#takeFromHead(Math.min(length, this.#chunks[this.#head]!.length - this.#headOffset));
  }

  /** The pending chunks as they are (live channels keep them in the machine state). */
  chunks(): readonly Uint8Array[] {
    return this.#chunks.slice(this.#head).map((chunk, index) => (index === 0 ? chunk.subarray(this.#headOffset) : chunk));
  }

  /** Back to the state in which the guest had consumed that many bytes and nothing is pending. */
  reset(consumed: number): void {
    this.#chunks.length = 0;
    this.#head = 0;
    this.#headOffset = 0;
    this.#available = 0;
    this.#consumed = consumed;
    this.#ended = false;
  }

  mark(): Undo {
    const chunks = markArray(this.#chunks);
    const [head, headOffset, consumed, available, ended] = [this.#head, this.#headOffset, this.#consumed, this.#available, this.#ended];
    return () => {
      chunks();
      this.#head = head;
      this.#headOffset = headOffset;
      this.#consumed = consumed;
      this.#available = available;
      this.#ended = ended;
    };
  }

  #takeFromHead(length: number): Uint8Array {
    const head = this.#chunks[this.#head]!;
    const piece = head.subarray(this.#headOffset, this.#headOffset + length);
    this.#headOffset += length;
    this.#consumed += length;
    this.#available -= length;
    if (this.#headOffset === head.length) this.#dropHead();
    return piece;
  }

  #dropHead(): void {
    this.#chunks[this.#head] = EMPTY;
    this.#head += 1;
    this.#headOffset = 0;
    if (this.#head < 64 && this.#head < this.#chunks.length) return;
    this.#chunks.splice(0, this.#head);
    this.#head = 0;
  }
}
