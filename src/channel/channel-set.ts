/**
 * All channels of one machine with their common outbox. Order is fixed: stdin, stdout, stderr, then by name (code units); reports,
 * states and handles follow it. Invariants: names and paths are unique; the set never changes after construction.
 * What this does NOT do: open, fetch or release anything (the session does, through HostPort).
 */
import { assert, decodeCanonical, encodeCanonical, limits, StillpointError, type Canonical, type Digests, type Undo } from '../core/index.ts';
import { compareChannelNames, type ChannelSpec } from '../manifest/index.ts';
import { Channel } from './channel.ts';
import { Outbox } from './outbox.ts';
import type { OwnedContent, RestoredPages } from './owned-content.ts';
import type { DirectionAccount, OutputOperation } from './port.ts';

/** One channel in the report. */
export interface ChannelAccount { readonly channel: string; readonly digest?: 'blocks'; readonly input: DirectionAccount | undefined; readonly output: DirectionAccount | undefined }

export class ChannelSet implements Iterable<Channel> {
  readonly #channels: readonly Channel[];
  readonly #byName: ReadonlyMap<string, Channel>;
  readonly #outbox = new Outbox();

  constructor(specs: readonly ChannelSpec[], digests: Digests) {
    assert(specs.length <= limits.CHANNELS_MAX, 'a machine has a bounded number of channels');
    assert(new Set(specs.map((spec) => spec.path)).size === specs.length, 'channel paths are unique');
    const ordered = [...specs].sort((a, b) => compareChannelNames(a.name, b.name));
    this.#channels = ordered.map((spec) => new Channel(spec, { digests, outbox: this.#outbox }));
    this.#byName = new Map(this.#channels.map((channel) => [channel.spec.name, channel]));
    assert(this.#byName.size === specs.length, 'channel names are unique');
  }

  [Symbol.iterator](): Iterator<Channel> {
    return this.#channels[Symbol.iterator]();
  }

  get(name: string): Channel | undefined {
    return this.#byName.get(name);
  }

  /** Channels that miss input, in channel order. */
  get blocked(): readonly Channel[] {
    return this.#channels.filter((channel) => channel.wanted !== undefined);
  }

  /** Bytes in the outbox; from limits.OUTBOX_BYTES_MAX on the session commits before the guest goes on. */
  get pendingBytes(): number {
    return this.#outbox.pendingBytes;
  }

  get hasOutput(): boolean {
    return this.#outbox.pendingOperations > 0;
  }

  /** Views of what is held back, valid until the guest runs again. */
  pendingOutput(): readonly OutputOperation[] {
    return this.#outbox.pending();
  }

  /** What was held back; the outbox is empty afterwards. */
  takeOutput(): readonly OutputOperation[] {
    return this.#outbox.take();
  }

  /** Nobody needs the bytes that takeOutput() gave last any more. */
  recycleOutput(): void {
    this.#outbox.recycle();
  }

  /** Deterministic facts of all channels, in channel order. */
  state(): Canonical {
    return this.#channels.map((channel) => [channel.spec.name, channel.state()]);
  }

  /** Page objects (the shape of snapshot's PageObject), in channel order. */
  objects(): readonly OwnedContent[] {
    return this.#channels.flatMap((channel) => (channel.owned === undefined ? [] : [channel.owned]));
  }

  /**
   * Back to a captured state: nothing pending, outbox empty, digests from the start (see restoreDigests). `objects` may hold others' objects too.
   * Throws E_STATE_FORMAT when the state is of other channels.
   */
  restore(state: Canonical, objects: readonly ({ readonly name: string } & RestoredPages)[]): void {
    const pages = new Map(objects.map((object) => [object.name, object]));
    this.#outbox.clear();
    this.#each(state, (channel, saved) => channel.restore(saved, channel.owned === undefined ? undefined : pages.get(channel.owned.name)));
  }

  /** The way back, for all channels and the outbox. */
  mark(): Undo {
    const parts = [this.#outbox.mark(), ...this.#channels.map((channel) => channel.mark())];
    return () => { for (const undo of parts) undo(); };
  }

  /** Nothing is undone any more. */
  release(): void {
    for (const channel of this.#channels) channel.release();
  }

  accounts(): readonly ChannelAccount[] {
    return this.#channels.map((channel) => ({ channel: channel.spec.name, ...(channel.spec.digest === undefined ? {} : { digest: channel.spec.digest }), ...channel.accounts() }));
  }

  /** States of all running digests, as bytes to be kept beside a checkpoint. */
  saveDigests(): Uint8Array {
    return encodeCanonical(this.#channels.map((channel) => [channel.spec.name, channel.saveDigests()]));
  }

  /** Throws E_STATE_FORMAT on foreign bytes. */
  restoreDigests(saved: Uint8Array): void {
    this.#each(decodeCanonical(saved), (channel, digests) => channel.restoreDigests(digests));
  }

  #each(list: Canonical, use: (channel: Channel, saved: Canonical) => void): void {
    const entries: readonly unknown[] = Array.isArray(list) ? list : [];
    const isMine = entries.length === this.#channels.length
      && entries.every((entry, index) => Array.isArray(entry) && entry.length === 2 && entry[0] === this.#channels[index]!.spec.name);
    if (!isMine) throw new StillpointError('E_STATE_FORMAT', 'the state is of other channels than this machine has');
    for (const [index, entry] of entries.entries()) use(this.#channels[index]!, (entry as readonly [string, Canonical])[1]);
  }
}
