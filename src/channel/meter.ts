/**
 * What went through one direction of one channel: operations, bytes and a running digest, and how much of its quotas is left.
 * Invariants: only calls that moved bytes are counted; the digest covers exactly the counted bytes in call order. Small pieces are
 * gathered before they are hashed, so that a guest moving one byte at a time stays cheap. Units: bytes.
 * What this does NOT do: hold the bytes, or decide between end and quota (channel.ts).
 */
import { assert, type RunningDigest, type Undo } from '../core/index.ts';
import type { StreamDigests } from './block-digest.ts';
import type { DirectionAccount } from './port.ts';

/** Large enough to make a hash call worth its cost, small enough to have one for each direction of a thousand channels. */
const GATHER_BYTES = 4096;

/** What a mark goes back to; digest and gathered bytes are saved when something is hashed for the first time after it. */
interface MeterMark { readonly operations: number; readonly bytes: number; readonly gatheredLength: number; readonly outer: MeterMark | undefined; saved?: { readonly digest: Uint8Array; readonly gathered: Uint8Array; readonly hashed: number } }

export class Meter {
  readonly #digests: StreamDigests;
  readonly #onBack: ((position: number) => void) | undefined;
  readonly #operationsMax: number;
  readonly #bytesMax: number;
  #operations = 0;
  #bytes = 0;
  #digest: RunningDigest;
  /** Bytes that the digest covers: all but the gathered ones. */
  #hashed = 0;
  #gathered: Uint8Array | undefined;
  #gatheredLength = 0;
  #mark: MeterMark | undefined;

  /** Maxima of null mean unlimited. `onBack`: told when what comes next is at an earlier position than before. */
  constructor(digests: StreamDigests, quota: { readonly operations: number | null; readonly bytes: number | null }, onBack?: (position: number) => void) {
    this.#digests = digests;
    this.#onBack = onBack;
    this.#operationsMax = quota.operations ?? Number.MAX_SAFE_INTEGER;
    this.#bytesMax = quota.bytes ?? Number.MAX_SAFE_INTEGER;
    this.#digest = digests.running(0);
  }

  get operations(): number {
    return this.#operations;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** How many of `length` bytes the quotas still allow in one operation; 0 when nothing is left. */
  allow(length: number): number {
    if (this.#operations >= this.#operationsMax) return 0;
    const left = this.#bytesMax - this.#bytes;
    return length < left ? length : left;
  }

  /** Counts one operation that moved `bytes`; not more than allow() gave. */
  count(bytes: Uint8Array): void {
    const length = bytes.length;
    assert(length > 0 && this.#bytes + length <= this.#bytesMax && this.#operations < this.#operationsMax, 'a counted operation moved allowed bytes');
    this.#operations += 1;
    this.#bytes += length;
    if (this.#gatheredLength + length > GATHER_BYTES) this.#flush();
    if (length > GATHER_BYTES / 2) {
      this.#flush();
      this.#saveForMarks();
      this.#digest.update(bytes);
      this.#hashed += length;
      return;
    }
    this.#gathered ??= new Uint8Array(GATHER_BYTES);
    if (length === 1) this.#gathered[this.#gatheredLength] = bytes[0]!;
    else this.#gathered.set(bytes, this.#gatheredLength);
    this.#gatheredLength += length;
  }

  account(): DirectionAccount {
    this.#flush();
    return { operations: this.#operations, bytes: this.#bytes, sha256: this.#digest.hex() };
  }

  /** The deterministic counters, as kept in the machine state. */
  state(): readonly [operations: number, bytes: number] {
    return [this.#operations, this.#bytes];
  }

  /** Puts the counters back. The digest starts over until restoreDigest() is called. */
  restore(operations: number, bytes: number): void {
    this.#operations = operations;
    this.#bytes = bytes;
    this.#gatheredLength = 0;
    this.#hashed = bytes;
    this.#digest = this.#digests.running(bytes);
    this.#onBack?.(bytes);
  }

  saveDigest(): Uint8Array {
    this.#flush();
    return this.#digest.save();
  }

  restoreDigest(saved: Uint8Array): void {
    this.#gatheredLength = 0;
    this.#hashed = this.#bytes;
    this.#digest = this.#digests.restore(saved, this.#bytes);
  }

  mark(): Undo {
    const mark: MeterMark = { operations: this.#operations, bytes: this.#bytes, gatheredLength: this.#gatheredLength, outer: this.#mark };
    this.#mark = mark;
    return () => {
      this.#operations = mark.operations;
      this.#bytes = mark.bytes;
      this.#gatheredLength = mark.gatheredLength;
      this.#mark = mark;
      this.#onBack?.(mark.bytes);
      if (mark.saved === undefined) return;
      this.#hashed = mark.saved.hashed;
      this.#digest = this.#digests.restore(mark.saved.digest, mark.saved.hashed);
      (this.#gathered ??= new Uint8Array(GATHER_BYTES)).set(mark.saved.gathered);
    };
  }

  /** Nothing is undone any more. */
  release(): void {
    this.#mark = undefined;
  }

  #saveForMarks(): void {
    if (this.#mark === undefined || this.#mark.saved !== undefined) return;
    const digest = this.#digest.save();
    const hashed = this.#hashed;
    for (let mark: MeterMark | undefined = this.#mark; mark !== undefined && mark.saved === undefined; mark = mark.outer) {
      mark.saved = { digest, hashed, gathered: this.#gathered?.slice(0, mark.gatheredLength) ?? new Uint8Array(0) };
    }
  }

  #flush(): void {
    if (this.#gatheredLength === 0) return;
    this.#saveForMarks();
    this.#digest.update(this.#gathered!.subarray(0, this.#gatheredLength));
    this.#hashed += this.#gatheredLength;
    this.#gatheredLength = 0;
  }
}
