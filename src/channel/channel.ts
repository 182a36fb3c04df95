/**
 * The guest's side of one channel: what read, write, pread, pwrite and ftruncate answer, and what the answers leave behind in counts,
 * quotas and outbox.
 *
 * Rules (scenarios 3 and 4 of the ancestor):
 * - A sequential read gives the full length unless the stream ends; a live one gives at most one chunk as it came.
 * - A request beyond the bytes that a quota leaves is shortened; with nothing left the answer is 'quota'. The true end of a stream or file
 *   is never called a quota: it is an empty answer, counts nothing, and on streams is latched.
 * - A call of length zero moves nothing and counts nothing. Reads at or past the end of a file are the end.
 * - A live channel that is written carries messages: each write is one, of at most limits.CHUNK_BYTES, and a longer one is taken in part.
 * - 'blocked' changes nothing; the same call is issued again after `supply`.
 *
 * State (in checkpoints): counts, end delivered, sizes, owned bytes; on live channels the unread chunks too, because poll shows them.
 * Not state: pending input of other channels, chunk caches, `wanted`, digests (saved apart). So the state does not depend on how the host
 * cut its bytes. Units: bytes. What this does NOT do: wait, know descriptors or errno, check directions for the guest (callers do).
 */
import { assert, limits, StillpointError, type Canonical, type Digests, type Undo } from '../core/index.ts';
import type { ChannelSpec } from '../manifest/index.ts';
import { byBlocks } from './block-digest.ts';
import { BlockHashes } from './block-hashes.ts';
import { DIGEST_BLOCK_BYTES } from './block-kernel.ts';
import { HostContent, type Content } from './content.ts';
import { EMPTY, InputQueue } from './input-queue.ts';
import { Meter } from './meter.ts';
import type { Outbox, Travel } from './outbox.ts';
import { OwnedContent, type RestoredPages } from './owned-content.ts';
import type { DirectionAccount, Wanted } from './port.ts';

export class Channel {
  readonly spec: ChannelSpec;
  /** Pages that belong to the machine: files of --rw, and what was appended. */
  readonly owned: OwnedContent | undefined;
  readonly #host: HostContent | undefined;
  readonly #queue = new InputQueue();
  readonly #outbox: Outbox;
  readonly #gets: Meter | undefined;
  readonly #puts: Meter | undefined;
  readonly #travel: Travel;
  /** Hashes of the input's blocks that whoever supplies it has computed. */
  #inputHashes: BlockHashes | undefined;
  #endDelivered = false;
  /** Stream position up to which a blocked read (or poll) waits for input; 0 when nothing waits. */
  #wantedEnd = 0;
  /** The content whose chunk a blocked call waits for. */
  #waitingFor: Content | undefined;

  constructor(spec: ChannelSpec, services: { readonly digests: Digests; readonly outbox: Outbox }) {
    assert(spec.reads || spec.writes, 'a channel has a direction');
    assert(spec.access !== 'sequential' || spec.initialSize === 0, 'a stream has no size');
    assert(spec.access !== 'append' || spec.writes, 'an append channel is written');
    assert(!spec.live || spec.access === 'sequential', 'only streams can be live');
    this.spec = spec;
    this.#outbox = services.outbox;
    const { limits: quota, access, initialSize } = spec;
    const isByBlocks = spec.digest === 'blocks';
    const hashes = isByBlocks && spec.writes && !spec.live ? new BlockHashes() : undefined;
    this.#travel = { isMessage: spec.live, hashes };
    const getDigests = isByBlocks ? byBlocks(services.digests, { role: 'asks', hashes: () => this.#inputHashes }) : services.digests;
    const putDigests = isByBlocks ? byBlocks(services.digests, { role: 'puts', hashes: () => hashes }) : services.digests;
    const forget = (position: number): void => hashes?.forgetFrom(Math.floor(position / DIGEST_BLOCK_BYTES));
    this.#gets = spec.reads ? new Meter(getDigests, { operations: quota.gets, bytes: quota.getBytes }) : undefined;
    this.#puts = spec.writes ? new Meter(putDigests, { operations: quota.puts, bytes: quota.putBytes }, forget) : undefined;
    if (access === 'random' && spec.writes) this.owned = new OwnedContent(`channel/${spec.name}`, initialSize);
    if (access === 'append' && spec.reads) this.owned = new OwnedContent(`channel/${spec.name}`, 0);
    if (access === 'append' || (access === 'random' && !spec.writes)) this.#host = new HostContent(initialSize);
  }

  /** Bytes of a random or append channel now; 0 for streams. */
  get size(): number {
    if (this.spec.access === 'sequential') return 0;
    if (this.spec.access === 'append') return this.spec.initialSize + this.#puts!.bytes;
    return this.owned?.size ?? this.spec.initialSize;
  }

  /** Bytes that went in and out so far (counted operations, quotas). */
  get bytesRead(): number {
    return this.#gets?.bytes ?? 0;
  }

  /** Stream position up to which input was supplied. */
  get inputPosition(): number {
    return this.#queue.position;
  }

  get hasInputEnded(): boolean {
    return this.#queue.ended;
  }

  /** Input that was supplied and not read, as it came. */
  pendingInput(): readonly Uint8Array[] {
    return this.#queue.chunks();
  }

  get bytesWritten(): number {
    return this.#puts?.bytes ?? 0;
  }

  /**
   * The next bytes of a sequential channel: all of `length` unless the stream ends (live: what is there). Empty: the end, for ever after
   * (or `length` 0). A view that is valid until the next call on the channel.
   */
  read(length: number): Uint8Array | 'blocked' | 'quota' {
    assert(this.spec.access === 'sequential' && this.#gets !== undefined, 'read is for sequential input');
    if (length === 0 || this.#endDelivered) return EMPTY;
    const queue = this.#queue;
    const allowed = this.#gets.allow(length);
    const needed = allowed === 0 || this.spec.live ? 1 : allowed;
    if (queue.available < needed && !queue.ended) return this.#waitForInput(needed);
    this.#wantedEnd = 0;
    if (queue.available === 0) {
      this.#endDelivered = true;
      return EMPTY;
    }
    if (allowed === 0) return 'quota';
    const bytes = this.spec.live ? queue.takeChunk(allowed) : queue.take(Math.min(allowed, queue.available));
    this.#gets.count(bytes);
    return bytes;
  }

  /** Bytes of a random or append channel: full length unless the file ends. Empty: at or past the end. A view as above. */
  readAt(offset: number, length: number): Uint8Array | 'blocked' | 'quota' {
    assert(this.spec.access !== 'sequential' && this.#gets !== undefined, 'readAt is for input with a size');
    assert(offset >= 0, 'a read offset is not negative');
    const left = this.size - offset;
    if (length === 0 || left <= 0) return EMPTY;
    const allowed = this.#gets.allow(Math.min(length, left));
    if (allowed === 0) return 'quota';
    const bytes = this.spec.access === 'append' ? this.#readAppended(offset, allowed) : this.#readContent(this.owned ?? this.#host!, offset, allowed);
    if (bytes === undefined) return 'blocked';
    this.#gets.count(bytes);
    return bytes;
  }

  /** Writes at the end of a sequential or append channel. How many bytes were taken: fewer than given when a quota ends inside, or a message is full. */
  write(bytes: Uint8Array): number | 'quota' {
    assert(this.spec.access !== 'random' && this.#puts !== undefined, 'write is for output at the end');
    if (bytes.length === 0) return 0;
    const position = this.#puts.bytes;
    const longest = this.spec.live ? limits.CHUNK_BYTES : limits.FILE_BYTES_MAX - position;
    const allowed = this.#puts.allow(this.owned === undefined && !this.spec.live ? bytes.length : Math.min(bytes.length, longest));
    if (allowed <= 0) return 'quota';
    const taken = allowed === bytes.length ? bytes : bytes.subarray(0, allowed);
    if (this.owned !== undefined) assert(this.owned.write(position, taken), 'appended bytes never wait');
    this.#outbox.write(this.spec.name, position, taken, this.#travel);
    this.#puts.count(taken);
    return allowed;
  }

  /** Writes into a random channel. 'blocked' when a chunk that is written in part must be loaded first. */
  writeAt(offset: number, bytes: Uint8Array): number | 'blocked' | 'quota' {
    assert(this.spec.access === 'random' && this.#puts !== undefined, 'writeAt is for random output');
    assert(offset >= 0, 'a write offset is not negative');
    if (bytes.length === 0) return 0;
    const sizeMax = Math.max(limits.FILE_BYTES_MAX, this.spec.initialSize);
    const allowed = this.#puts.allow(Math.min(bytes.length, sizeMax - offset));
    if (allowed <= 0) return 'quota';
    const taken = allowed === bytes.length ? bytes : bytes.subarray(0, allowed);
    if (!this.owned!.write(offset, taken)) return this.#waitForChunk(this.owned!);
    this.#waitingFor = undefined;
    this.#outbox.write(this.spec.name, offset, taken);
    this.#puts.count(taken);
    return allowed;
  }

  /** Sets the size of a random output channel; new bytes are zero. Costs no quota. */
  truncate(size: number): 'ok' | 'blocked' {
    assert(this.spec.access === 'random' && this.#puts !== undefined, 'truncate is for random output');
    assert(size >= 0 && size <= Math.max(limits.FILE_BYTES_MAX, this.spec.initialSize), 'a size is within the limit of files');
    if (size === this.size) return 'ok';
    this.owned!.truncate(size);
    this.#outbox.truncate(this.spec.name, size);
    return 'ok';
  }

  /**
   * What poll() says about input. Streams that give full reads are always ready, a deterministic answer that timing cannot change; a live
   * one is ready when a chunk or the end is there.
   */
  canRead(): boolean {
    if (!this.spec.reads) return false;
    return !this.spec.live || this.#endDelivered || this.#queue.available > 0 || this.#queue.ended;
  }

  /** A guest polls a live channel: lets `wanted` ask for input until some comes. */
  requestInput(): void {
    assert(this.spec.live, 'only live input is asked for without a read');
    if (!this.canRead()) this.#waitForInput(1);
  }

  /** What the last blocked call (or poll) still misses; undefined when it can be issued again. */
  get wanted(): Wanted | undefined {
    if (this.#waitingFor !== undefined) return this.#waitingFor.wanted;
    const position = this.#queue.position;
    if (position >= this.#wantedEnd || this.#queue.ended) return undefined;
    return { offset: position, length: limits.CHUNK_BYTES };
  }

  /** Input from host or journal. The channel keeps `bytes`; nobody may change them afterwards. `hashes`: of the stream, where somebody computes them. */
  supply(offset: number, bytes: Uint8Array, hashes?: BlockHashes): void {
    if (hashes !== undefined) this.#inputHashes = hashes;
    if (this.spec.access === 'sequential') this.#queue.supply(offset, bytes);
    else if (this.#host !== undefined) this.#host.supply(offset, bytes);
    else this.owned!.supply(offset, bytes);
  }

  /** The stream ends at `offset`. */
  supplyEnd(offset: number): void {
    assert(this.spec.access === 'sequential', 'only streams end');
    this.#queue.supplyEnd(offset);
  }

  accounts(): { readonly input: DirectionAccount | undefined; readonly output: DirectionAccount | undefined } {
    return { input: this.#gets?.account(), output: this.#puts?.account() };
  }

  state(): Canonical {
    const live = this.spec.live ? { chunks: this.#queue.chunks().map((chunk) => chunk.slice()), ended: this.#queue.ended } : null;
    return { gets: this.#gets?.state() ?? null, puts: this.#puts?.state() ?? null, end: this.#endDelivered, live, owned: this.owned?.state() ?? null };
  }

  /** Back to a captured state, with nothing pending. Digests start over until restoreDigests(). Throws E_STATE_FORMAT. */
  restore(state: Canonical, pages: RestoredPages | undefined): void {
    const fields = record(state);
    this.#restoreMeter(this.#gets, fields.gets);
    this.#restoreMeter(this.#puts, fields.puts);
    const isOfThisKind = (fields.live !== null) === this.spec.live && (fields.owned !== null) === (this.owned !== undefined);
    if (typeof fields.end !== 'boolean' || !isOfThisKind) throw this.#malformed();
    this.#endDelivered = fields.end;
    this.#queue.reset(this.spec.access === 'sequential' ? this.bytesRead : 0);
    this.#wantedEnd = 0;
    this.#waitingFor = undefined;
    this.#host?.drop();
    if (this.spec.live) this.#restoreLive(fields.live);
    if (this.owned !== undefined) this.owned.restore(fields.owned ?? null, pages);
  }

  mark(): Undo {
    const parts = [this.#queue.mark(), this.#gets?.mark(), this.#puts?.mark(), this.owned?.mark(), this.#host?.mark()];
    const [endDelivered, wantedEnd, waitingFor] = [this.#endDelivered, this.#wantedEnd, this.#waitingFor];
    return () => {
      for (const undo of parts) undo?.();
      this.#endDelivered = endDelivered;
      this.#wantedEnd = wantedEnd;
      this.#waitingFor = waitingFor;
    };
  }

  /** Nothing is undone any more. */
  release(): void {
    this.#gets?.release();
    this.#puts?.release();
    this.owned?.release();
  }

  /** Running digests of both directions; not part of the state. */
  saveDigests(): Canonical {
    return [this.#gets?.saveDigest() ?? null, this.#puts?.saveDigest() ?? null];
  }

  /** Throws E_STATE_FORMAT. */
  restoreDigests(saved: Canonical): void {
    if (!Array.isArray(saved) || saved.length !== 2) throw this.#malformed();
    for (const [index, meter] of [this.#gets, this.#puts].entries()) {
      const bytes: unknown = saved[index];
      if (meter === undefined ? bytes !== null : !(bytes instanceof Uint8Array)) throw this.#malformed();
      if (bytes instanceof Uint8Array) meter?.restoreDigest(bytes);
    }
  }

  #readContent(content: Content, offset: number, length: number): Uint8Array | undefined {
    const bytes = content.read(offset, length);
    this.#waitingFor = bytes === undefined ? content : undefined;
    return bytes;
  }

  /** Old content comes from the host, what this run appended from the machine. */
  #readAppended(offset: number, length: number): Uint8Array | undefined {
    const base = this.spec.initialSize;
    if (offset >= base) return this.#readContent(this.owned!, offset - base, length);
    const old = this.#readContent(this.#host!, offset, Math.min(length, base - offset));
    if (old === undefined || old.length === length) return old;
    const out = new Uint8Array(length);
    out.set(old);
    out.set(this.#readContent(this.owned!, 0, length - old.length) ?? EMPTY, old.length);
    return out;
  }

  #waitForInput(needed: number): 'blocked' {
    this.#wantedEnd = this.#queue.consumed + needed;
    return 'blocked';
  }

  #waitForChunk(content: Content): 'blocked' {
    this.#waitingFor = content;
    return 'blocked';
  }

  #restoreMeter(meter: Meter | undefined, saved: Canonical | undefined): void {
    if (meter === undefined) {
      if (saved !== null) throw this.#malformed();
      return;
    }
    const [operations, bytes]: readonly unknown[] = Array.isArray(saved) ? saved : [];
    if (!isCount(operations) || !isCount(bytes)) throw this.#malformed();
    meter.restore(operations, bytes);
  }

  #restoreLive(saved: Canonical | undefined): void {
    const { chunks, ended } = record(saved);
    if (!Array.isArray(chunks) || typeof ended !== 'boolean') throw this.#malformed();
    for (const chunk of chunks as readonly unknown[]) {
      if (!(chunk instanceof Uint8Array) || chunk.length === 0) throw this.#malformed();
      this.#queue.supply(this.#queue.position, chunk);
    }
    if (ended) this.#queue.supplyEnd(this.#queue.position);
  }

  #malformed(): StillpointError {
    return new StillpointError('E_STATE_FORMAT', `the state of channel ${this.spec.name} cannot be decoded`);
  }
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}

/** Fields of a canonical object; of anything else: none, so that the checks of the fields fail. */
function record(value: Canonical | undefined): { readonly [key: string]: Canonical | undefined } {
  if (typeof value !== 'object' || value === null || Array.isArray(value) || value instanceof Uint8Array) return {};
  return value as { readonly [key: string]: Canonical };
}
